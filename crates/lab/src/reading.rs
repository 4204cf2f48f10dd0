//! The order in which a reader takes the entries, from what each of them needs.
//!
//! Each card names the entries without which it is hard to follow. The order keeps that of the registry, except that an entry
//! comes after all that it needs.

use std::collections::BTreeMap;
use std::fmt;

/// The information that a reader wants before beginning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// The entries without which this one is hard to follow.
    pub needs: &'static [&'static str],
    /// How long it takes.
    pub level: Level,
    /// The lesson, in a line.
    pub teaches: &'static str,
}

/// How difficult an entry is: how long a reader who knows what it needs takes to understand it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// An evening.
    Evening,
    /// A day.
    Day,
    /// A week.
    Week,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::Evening => "evening",
            Level::Day => "day",
            Level::Week => "week",
        })
    }
}

/// Why there is no reading order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unordered {
    /// An entry needs one that does not exist.
    Unknown {
        /// The entry.
        entry: &'static str,
        /// The name that it needs.
        needs: &'static str,
    },
    /// Entries need one another: each the next one, and the last the first.
    Cycle(Vec<&'static str>),
}

impl fmt::Display for Unordered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unordered::Unknown { entry, needs } => write!(f, "{entry} needs {needs}, and there is no such entry"),
            Unordered::Cycle(entries) => write!(f, "these need one another: {}", entries.join(" -> ")),
        }
    }
}

impl std::error::Error for Unordered {}

/// The names, each after all that it needs.
pub(crate) fn sorted(
    names: &[&'static str],
    needs: &dyn Fn(&str) -> &'static [&'static str],
) -> Result<Vec<&'static str>, Unordered> {
    let mut walk = Walk { names, needs, marks: BTreeMap::new(), path: Vec::new(), order: Vec::new() };
    names.iter().try_for_each(|name| walk.visit(name))?;
    Ok(walk.order)
}

/// A depth-first walk that leaves an entry after all that it needs.
struct Walk<'a> {
    names: &'a [&'static str],
    needs: &'a dyn Fn(&str) -> &'static [&'static str],
    /// Whether an entry has been left; it is being visited otherwise.
    marks: BTreeMap<&'static str, bool>,
    path: Vec<&'static str>,
    order: Vec<&'static str>,
}

impl Walk<'_> {
    fn visit(&mut self, name: &'static str) -> Result<(), Unordered> {
        self.path.push(name);
        match self.marks.insert(name, false) {
            Some(true) => {}
            Some(false) => {
                let begin = self.path.iter().position(|one| *one == name).unwrap_or(0);
                return Err(Unordered::Cycle(self.path.split_off(begin)));
            }
            None => {
                for needed in (self.needs)(name) {
                    if !self.names.contains(needed) {
                        return Err(Unordered::Unknown { entry: name, needs: needed });
                    }
                    self.visit(needed)?;
                }
                self.order.push(name);
            }
        }
        self.marks.insert(name, true);
        self.path.pop();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = ["raft", "bully", "paxos", "clocks"];

    #[test]
    fn an_entry_comes_after_what_it_needs_and_otherwise_where_it_is_listed() {
        let needs = |name: &str| -> &'static [&'static str] {
            match name {
                "raft" => &["paxos", "bully"],
                "paxos" => &["clocks"],
                _ => &[],
            }
        };
        assert_eq!(sorted(&NAMES, &needs), Ok(vec!["clocks", "paxos", "bully", "raft"]));
        assert_eq!(sorted(&NAMES, &|_| &[]), Ok(NAMES.to_vec()));
    }

    #[test]
    fn a_cycle_and_an_unknown_name_are_refused() {
        let cycle = |name: &str| -> &'static [&'static str] {
            match name {
                "raft" => &["paxos"],
                "paxos" => &["clocks"],
                "clocks" => &["paxos"],
                _ => &[],
            }
        };
        let error = sorted(&NAMES, &cycle).expect_err("paxos needs itself");
        assert_eq!(error.to_string(), "these need one another: paxos -> clocks -> paxos");
        let unknown = |name: &str| -> &'static [&'static str] { if name == "bully" { &["zab"] } else { &[] } };
        let error = sorted(&NAMES, &unknown).expect_err("there is no zab");
        assert_eq!(error.to_string(), "bully needs zab, and there is no such entry");
    }
}
