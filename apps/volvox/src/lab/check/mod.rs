//! `volvox lab check`.
//!
//! | file | what |
//! |---|---|
//! | `bounds` | the bounds of a model that is asked for, as arguments |
//! | `task` | what is explored, and the verdict on it |
//! | `told` | what is printed, drawn and written of it |

mod bounds;
mod task;
mod told;

pub use bounds::explained;

use super::run::{PictureArguments, check_writable, when_interrupted};
use super::terminal::{self, say};
use super::{code, limits};
use anyhow::{Result, bail};
use bounds::BoundArguments;
use clap::Args;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use task::{Task, Verdict};
use told::{Total, keep};
use volvox_lab::check::Exercised;
use volvox_lab::exploring::{self, Exploring};
use volvox_lab::model::Explored;
use volvox_lab::shell::Carried;

/// The models and protocols that `lab check` explores, and within which bounds.
#[derive(Args, Debug)]
#[group(skip)]
pub struct CheckArguments {
    /// The protocol; `volvox lab list` names them
    pub protocol: Option<String>,
    /// Explore every model of every protocol
    #[arg(long, conflicts_with_all = ["protocol", "without"])]
    pub all: bool,
    /// Explore only models whose name contains this
    #[arg(long, value_name = "WORDS", conflicts_with = "without")]
    pub model: Option<String>,
    /// Without this rule of the protocol: the models that show what it is for, or the model that is asked for;
    /// `volvox lab show P` names the rules
    #[arg(long, value_name = "RULE", requires = "protocol")]
    pub without: Option<String>,
    /// Print each counterexample step by step
    #[arg(long)]
    pub trace: bool,
    /// Draw the counterexample
    #[arg(long)]
    pub diagram: bool,
    /// Write the counterexample as a script with its trace to this file
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    #[command(flatten)]
    pub picture: PictureArguments,
    /// Stop at this many states
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub states: Option<u64>,
    /// Stop at this much memory in MiB, by the checker's own estimate; when not given, at 8192 or at two thirds of what
    /// the machine has free, whichever is less
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..))]
    pub memory: Option<u64>,
    #[command(flatten)]
    pub bounds: BoundArguments,
}

impl CheckArguments {
    /// Whether a counterexample is asked for, of which there is one.
    fn wants_one(&self) -> bool {
        self.diagram || self.picture.svg.is_some() || self.save.is_some()
    }

    /// Refuses what contradicts itself, and what cannot be written, before anything is explored.
    fn check(&self) -> Result<()> {
        let has_window = self.picture.from.is_some() || self.picture.to.is_some();
        if has_window && !self.diagram && self.picture.svg.is_none() {
            bail!("--from and --to choose what is drawn: say --diagram or --svg FILE, too");
        }
        self.picture.check()?;
        self.save.as_deref().map_or(Ok(()), check_writable)
    }
}

/// Explores.
///
/// # Errors
/// When there is no such protocol, model or bound, or a file cannot be written.
pub fn check(arguments: &CheckArguments, json: bool) -> Result<ExitCode> {
    let tasks = task::chosen(arguments)?;
    arguments.check()?;
    // An interrupted exploration still prints what it has explored.
    when_interrupted(limits::interrupt);
    let begun = Instant::now();
    let mut total = Total::default();
    if !json {
        say(format_args!("{:<62} {:>10} {:>6} {:>8}  verdict\n", "model", "states", "depth", "time"));
    }
    let mut is_written = false;
    let mut happened: BTreeMap<&str, Exercised> = BTreeMap::new();
    for (number, task) in tasks.iter().enumerate() {
        let explored = explored(arguments, json, task);
        let verdict = Verdict::of(task, &explored);
        total.add(task, &explored, &verdict);
        happened.entry(task.id).or_default().absorb(&explored.happened);
        if !json {
            told::print(task, &explored, &verdict, arguments);
        }
        if let (Some(found), Some(shell), false) = (&explored.found, task.shell, is_written) {
            is_written = keep(arguments, json, shell, task, found)?;
        }
        if limits::is_interrupted() {
            break;
        }
        // A gap is known once all models of a chapter were explored.
        let is_whole = arguments.model.is_none() && arguments.without.is_none() && task.question.is_none();
        let is_last = tasks.get(number + 1).is_none_or(|next| next.id != task.id);
        if let (Some(shell), true) = (task.shell, is_whole && is_last) {
            total.never(json, shell, &happened[task.id]);
        }
    }
    if arguments.wants_one() && !is_written {
        bail!("nothing drawn or written: no explored model has a counterexample that can be followed by hand");
    }
    let is_good = total.is_good();
    total.say(json, begun.elapsed().as_secs_f64());
    Ok(code(is_good))
}

fn explored(arguments: &CheckArguments, json: bool, task: &Task) -> Explored {
    let name = format!("{}: {}", task.id, task.name);
    terminal::progress(json, &name);
    let exploring = Exploring {
        states_max: arguments.states,
        bytes_max: Some(arguments.memory.unwrap_or_else(limits::default_mib).saturating_mul(1 << 20)),
        interpreter: task.shell.map(|shell| Carried(shell).interpreter()),
        is_recorded: arguments.wants_one(),
        ..limits::watched(json, name)
    };
    let explored = exploring::with(exploring, &*task.explore);
    terminal::progress(json, "");
    explored
}
