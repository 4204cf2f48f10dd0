//! The gate: every check of this repository, as one Rust program.
//!
//! `cargo xtask` lists the commands. `verify` never writes into the sources, `fix` does; continuous integration runs
//! `verify` and nothing else that matters. A command is one line in [`COMMANDS`] and one module beside this file.

// The gate talks to the operating system: it times its steps and waits for child processes.
#![allow(clippy::disallowed_methods)]

mod bench;
mod cargo;
mod chaos;
mod child;
mod compat;
mod mutants;
mod new_chapter;
mod powercut;
mod shrunk;
mod tally;
mod tidy;
mod verify;
mod weight;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};
use workspace::Workspace;

/// One command of the gate.
struct Command {
    /// The words after `cargo xtask`.
    name: &'static str,
    /// One line for the list of commands.
    summary: &'static str,
    /// Runs it with the arguments that follow its name.
    run: fn(&Workspace, &[String]) -> Result<()>,
}

/// Every command, in the order of the list that `cargo xtask` prints.
const COMMANDS: &[Command] = &[
    Command {
        name: "verify",
        summary: "the whole gate, read-only: fetch, fmt, clippy, tidy, doc, test, compat",
        run: verify::run,
    },
    Command { name: "fix", summary: "automatic fixes: cargo fmt, then clippy --fix", run: verify::fix },
    Command {
        name: "tidy",
        summary: "the house rules: lengths, dependencies, banned calls, links, manifests",
        run: tidy::run,
    },
    Command {
        name: "new-chapter",
        summary: "a protocol with its chapter, as a skeleton that passes the gate: NAME [--family F], F a family or `new`",
        run: new_chapter::run,
    },
    Command {
        name: "compat",
        summary: "etcdctl 3.5 against three nodes, every command it has; chronyd and our NTP [--against-etcd | --drop-in | --record] [WORD...]",
        run: compat::run,
    },
    Command {
        name: "check-perf",
        summary: "etcdctl's own performance check, about a minute [--load s|m|l|xl]",
        run: compat::check_perf,
    },
    Command {
        name: "chaos",
        summary: "kill, pause, isolate and erase nodes under load, ten times each [--rounds N] [SCENARIO...]",
        run: chaos::run,
    },
    Command {
        name: "powercut",
        summary: "cut the power of three live nodes, a thousand times [--images N] [--seed S] [--image FOLDER]",
        run: powercut::run,
    },
    Command {
        name: "shrunk",
        summary: "shrunk sizes of planted bugs and counterexamples: one table, minutes; fails over a median of 25 events",
        run: shrunk::run,
    },
    Command {
        name: "mutants",
        summary: "what a chapter does not notice when its protocol is changed, minutes each [CHAPTER...] [--sample N] [--seed S]",
        run: mutants::run,
    },
    Command {
        name: "weight",
        summary: "the build cost, and what each chapter adds [edit | build [--against REV] [--pairs N]]",
        run: weight::run,
    },
    Command {
        name: "bench",
        summary: "three nodes against three members of etcd 3.6, half an hour on a quiet machine: bench etcd [--only ROW,...]",
        run: bench::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let Some(name) = arguments.first() else {
        print!("{}", list());
        return Ok(());
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        print!("{}", list());
        return Ok(());
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        bail!("there is no command `{name}`; these exist:\n{}", list());
    };
    (command.run)(&Workspace::locate()?, &arguments[1..])
}

fn list() -> String {
    let width = COMMANDS.iter().map(|command| command.name.len()).max().unwrap_or(0);
    COMMANDS.iter().map(|command| format!("cargo xtask {:width$}  {}\n", command.name, command.summary)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_command_is_refused_with_the_list() {
        let error = dispatch(&["verfy".to_string()]).unwrap_err().to_string();
        assert!(error.contains("no command `verfy`") && error.contains("cargo xtask verify"), "{error}");
    }

    #[test]
    fn command_names_are_distinct() {
        let mut names: Vec<_> = COMMANDS.iter().map(|command| command.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), COMMANDS.len());
    }
}
