//! The text form of commands, written and read.

use crate::configuration::Member;
use crate::interface::{Command, Ticket};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use volvox_core::{Bytes, Incarnation, NodeId};

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Command::Propose { ticket, data } => write!(f, "propose {ticket} {data:?}"),
            Command::Read { ticket } => write!(f, "read {ticket}"),
            Command::Change { ticket, voters, learners } => {
                write!(f, "change {ticket} voters ")?;
                list(voters, f)?;
                if !learners.is_empty() {
                    f.write_str(" learners ")?;
                    list(learners, f)?;
                }
                Ok(())
            }
            Command::Transfer { ticket, to } => write!(f, "transfer {ticket} {to}"),
            Command::Checkpoint { data } => write!(f, "checkpoint {data:?}"),
        }
    }
}

fn list(members: &[Member], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    members.iter().enumerate().try_for_each(|(place, member)| {
        f.write_str(if place == 0 { "" } else { "," })?;
        write!(f, "{member}")
    })
}

/// A text that is not a command, with what was expected. The author of the text is at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CommandError {
    /// The expected text.
    pub expected: &'static str,
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.expected)
    }
}

impl core::error::Error for CommandError {}

impl FromStr for Command {
    type Err = CommandError;

    fn from_str(text: &str) -> Result<Command, CommandError> {
        let (verb, rest) = split_word(text);
        let command = match verb {
            "propose" => {
                let (ticket, rest) = ticket(rest)?;
                Command::Propose { ticket, data: quoted(rest)? }
            }
            "read" => {
                let (ticket, rest) = ticket(rest)?;
                end(rest)?;
                Command::Read { ticket }
            }
            "change" => {
                let (ticket, rest) = ticket(rest)?;
                let (word, rest) = split_word(rest);
                if word != "voters" {
                    return Err(CommandError { expected: "voters" });
                }
                let (voters, rest) = split_word(rest);
                let (word, rest) = split_word(rest);
                let (learners, rest) = match word {
                    "" => ("", rest),
                    "learners" => split_word(rest),
                    _ => return Err(CommandError { expected: "learners, or the end" }),
                };
                end(rest)?;
                Command::Change { ticket, voters: members(voters)?, learners: members(learners)? }
            }
            "transfer" => {
                let (ticket, rest) = ticket(rest)?;
                Command::Transfer { ticket, to: node(rest.trim())? }
            }
            "checkpoint" => Command::Checkpoint { data: quoted(rest)? },
            _ => return Err(CommandError { expected: "propose, read, change, transfer or checkpoint" }),
        };
        Ok(command)
    }
}

fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()))
}

fn end(rest: &str) -> Result<(), CommandError> {
    if rest.trim().is_empty() { Ok(()) } else { Err(CommandError { expected: "the end" }) }
}

fn ticket(text: &str) -> Result<(Ticket, &str), CommandError> {
    let (word, rest) = split_word(text);
    let number = word.strip_prefix('#').and_then(|number| number.parse().ok());
    number.map(|number| (Ticket(number), rest)).ok_or(CommandError { expected: "a ticket, such as #7" })
}

fn node(word: &str) -> Result<NodeId, CommandError> {
    let number = word.strip_prefix('n').and_then(|number| number.parse().ok());
    number.map(NodeId).ok_or(CommandError { expected: "a node, such as n2" })
}

fn members(text: &str) -> Result<Vec<Member>, CommandError> {
    text.split(',').filter(|word| !word.is_empty()).map(str::parse).collect()
}

impl FromStr for Member {
    type Err = CommandError;

    fn from_str(text: &str) -> Result<Member, CommandError> {
        const EXPECTED: CommandError = CommandError { expected: "a member, such as n2, or n2@3 for its third life" };
        let Some((name, life)) = text.split_once('@') else {
            return Ok(Member { node: node(text)?, incarnation: Incarnation::FIRST });
        };
        Ok(Member { node: node(name)?, incarnation: Incarnation(life.parse().map_err(|_| EXPECTED)?) })
    }
}

/// Bytes as `escape_ascii` writes them, in quotes.
fn quoted(text: &str) -> Result<Bytes, CommandError> {
    const EXPECTED: CommandError = CommandError { expected: "bytes in quotes, such as \"a\\x00\"" };
    let inner = text.trim().strip_prefix('"').and_then(|text| text.strip_suffix('"')).ok_or(EXPECTED)?;
    let mut bytes = Vec::with_capacity(inner.len());
    let mut input = inner.bytes();
    while let Some(byte) = input.next() {
        bytes.push(match byte {
            b'"' => return Err(EXPECTED),
            b'\\' => match input.next().ok_or(EXPECTED)? {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'x' => {
                    let mut digit = || input.next().and_then(|digit| (digit as char).to_digit(16)).ok_or(EXPECTED);
                    (digit()? * 16 + digit()?) as u8
                }
                literal @ (b'\\' | b'"' | b'\'') => literal,
                _ => return Err(EXPECTED),
            },
            other => other,
        });
    }
    Ok(Bytes::from(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn every_command_is_read_back_as_written() {
        for text in [
            "propose #7 \"a \\\"b\\\" \\x00\\n\"",
            "read #1",
            "change #2 voters n1,n2@3 learners n4@0",
            "change #2 voters n1",
            "transfer #3 n2",
            "checkpoint \"state\"",
        ] {
            let command: Command = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(command.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for text in [
            "",
            "propose 7 \"a\"",
            "propose #7 a",
            "read #1 now",
            "change #2 n1",
            "change #2 voters n1@",
            "change #2 voters n1@x",
            "transfer #3 2",
            "run",
        ] {
            assert!(text.parse::<Command>().is_err(), "{text}");
        }
    }
}
