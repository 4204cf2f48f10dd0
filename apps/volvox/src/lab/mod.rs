//! `volvox lab`: the laboratory's commands.

mod catalogue;
mod check;
mod limits;
mod prove;
mod questions;
mod run;
mod script;
mod show;
mod step;
mod store_sweep;
mod sweep;
mod sweep_arguments;
mod terminal;

pub use check::explained;

use anyhow::{Result, bail};
use clap::Subcommand;
use std::process::ExitCode;

/// The laboratory's commands.
#[derive(Subcommand, Debug)]
pub enum LabCommand {
    /// List the entries in a reading order, each after those that it needs, and the coverage of the catalogue
    List,
    /// Show an entry (the problem, the idea, a run, why it is safe), or a row of the catalogue with its evidence
    Show(show::ShowArguments),
    /// Questions whose answers a reader predicts, each with the command that answers it
    Questions(questions::QuestionArguments),
    /// Run a scenario of a protocol in the simulated world
    Run(run::RunArguments),
    /// Explore every schedule of the small instances of a protocol, or of one that you ask for: `check P --nodes 4`
    Check(Box<check::CheckArguments>),
    /// Run many seeds of a protocol under every fault it claims to survive
    Sweep(sweep_arguments::SweepArguments),
    /// Measure the numbers that the textbooks claim
    Claim(prove::ClaimArguments),
    /// Replay a script: written by hand, by `step`, or by a sweep
    Script(script::ScriptArguments),
    /// Replay a counterexample that a sweep found; the same as `script`
    Replay(script::ScriptArguments),
    /// Step through a run, choosing what happens next
    Step(step::StepArguments),
    /// Run one node of a live run
    #[command(hide = true)]
    Node(run::NodeArguments),
}

/// Runs a laboratory command.
///
/// # Errors
/// When an argument is invalid.
pub fn run(command: LabCommand, json: bool) -> Result<ExitCode> {
    if json && is_for_people(&command) {
        bail!("--json prints one document, so leave --diagram and --trace out; --svg FILE draws beside it");
    }
    match command {
        LabCommand::List => catalogue::list(json),
        LabCommand::Show(arguments) => show::show(&arguments, json),
        LabCommand::Questions(arguments) => questions::ask(&arguments, json),
        LabCommand::Run(arguments) => run::run(&arguments, json),
        LabCommand::Check(arguments) => check::check(&arguments, json),
        LabCommand::Sweep(arguments) => sweep::run(&arguments, json),
        LabCommand::Claim(arguments) => prove::measure(&arguments, json),
        LabCommand::Script(arguments) | LabCommand::Replay(arguments) => script::run(&arguments, json),
        LabCommand::Step(arguments) => step::run(&arguments),
        LabCommand::Node(arguments) => run::node(arguments),
    }
}

/// Whether the output is for people only.
fn is_for_people(command: &LabCommand) -> bool {
    match command {
        LabCommand::Run(arguments) => arguments.diagram || arguments.trace,
        LabCommand::Check(arguments) => arguments.diagram || arguments.trace,
        LabCommand::Script(arguments) | LabCommand::Replay(arguments) => arguments.diagram,
        _ => false,
    }
}

/// Success, or failure.
fn code(is_good: bool) -> ExitCode {
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
