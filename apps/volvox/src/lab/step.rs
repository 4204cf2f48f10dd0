//! `volvox lab step`: lists what may happen next, and takes the step that the user chooses.

use super::run::{check_writable, count, write_file};
use super::terminal;
use super::terminal::say;
use anyhow::Result;
use clap::Args;
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use volvox_chapters::REGISTRY;
use volvox_lab::diagram::{self, Diagram, View};
use volvox_lab::study::Request;
use volvox_lab::walk::Walk;

const HELP: &str = "\
a number        that happens
> LINE          any line of a script happens, such as `> drop n1->n2`; `volvox lab script --help` has them all
back            takes the last step back
draw            the run so far, as a diagram
script          the run so far, as a script
list            what may happen, once more
quit            ends; so does the end of the input
";

/// The arguments of `lab step`.
#[derive(Args, Debug)]
pub struct StepArguments {
    /// The protocol; `volvox lab list` names them
    pub protocol: String,
    /// The number of nodes [default: the scenario's]
    #[arg(long, value_parser = count, allow_negative_numbers = true)]
    pub nodes: Option<u64>,
    /// Remove a rule of the protocol
    #[arg(long, value_name = "RULE")]
    pub without: Option<String>,
    /// The seed of all jitter
    #[arg(long, default_value_t = 1, value_parser = super::run::seed, allow_negative_numbers = true)]
    pub seed: u64,
    /// Write the run as a script to this file at the end, for `volvox lab script`
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
}

/// Reads choices from the standard input, a terminal or a pipe, until it ends.
///
/// # Errors
/// When an argument is invalid, or the script cannot be written.
pub fn run(arguments: &StepArguments) -> Result<ExitCode> {
    let shell = REGISTRY.find(&arguments.protocol)?;
    arguments.save.as_deref().map_or(Ok(()), check_writable)?;
    let StepArguments { nodes, without, seed, .. } = arguments;
    let mut walk =
        Walk::new(shell, &Request { seed: *seed, nodes: *nodes, without: without.clone(), ..Request::default() })?;
    let is_terminal = std::io::stdin().is_terminal();
    let mut is_good = true;
    list(&mut walk);
    prompt(is_terminal);
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        match line.trim() {
            "" => {}
            "quit" | "q" => break,
            "help" | "?" => say(HELP),
            "list" => list(&mut walk),
            "script" => say(walk.script()),
            "draw" => draw(shell, &mut walk),
            "back" | "b" => match walk.back() {
                true => list(&mut walk),
                false => refuse(&mut is_good, is_terminal, "this is the beginning"),
            },
            chosen => match act(&mut walk, chosen) {
                Ok(followed) => {
                    say(followed);
                    for (property, text) in walk.broken() {
                        say(format_args!("BROKEN: {property}: {text}\n"));
                    }
                    list(&mut walk);
                }
                Err(error) => refuse(&mut is_good, is_terminal, &error),
            },
        }
        prompt(is_terminal);
    }
    if let Some(file) = &arguments.save {
        write_file(file, &walk.script())?;
    }
    Ok(super::code(is_good))
}

/// In a pipe no one corrects a wrong line, so the exit status reports it at the end.
fn refuse(is_good: &mut bool, is_terminal: bool, error: &str) {
    *is_good &= is_terminal;
    say(format_args!("{error}; `help` lists what can be typed\n"));
}

fn act(walk: &mut Walk, chosen: &str) -> Result<String, String> {
    if let Some(line) = chosen.strip_prefix('>') {
        return walk.act(line.trim());
    }
    let choices = walk.choices();
    let number = chosen.parse::<usize>().map_err(|_| format!("expected a number or a word, not {chosen:?}"))?;
    let choice = number.checked_sub(1).and_then(|place| choices.get(place));
    let line = choice.map(|choice| choice.line.clone());
    let line = line.ok_or_else(|| format!("there is no {number}: 1 to {} may happen", choices.len()))?;
    say(format_args!("> {line}\n"));
    walk.act(&line)
}

fn list(walk: &mut Walk) {
    let states: Vec<String> = walk.states().into_iter().filter(|(_, state)| !state.is_empty()).map(said).collect();
    if !states.is_empty() {
        say(format_args!("{}\n", states.join("  ")));
    }
    for (place, choice) in walk.choices().iter().enumerate() {
        let about = if choice.about.is_empty() { String::new() } else { format!("   # {}", choice.about) };
        say(format_args!("{:>3}  {}{about}\n", place + 1, choice.line));
    }
}

fn said((node, state): (volvox_core::NodeId, String)) -> String {
    format!("{node} [{state}]")
}

fn draw(shell: &'static dyn volvox_lab::shell::Shell, walk: &mut Walk) {
    match walk.replayed() {
        Some(replayed) => {
            let diagram = Diagram::of_script(shell, shell.card().title, &replayed, &View::PROTOCOL);
            say(diagram::terminal(&diagram, terminal::paper()));
        }
        None => say("this run continued after a property broke: go back to draw it\n"),
    }
}

fn prompt(is_terminal: bool) {
    if is_terminal {
        say("? ");
    }
}
