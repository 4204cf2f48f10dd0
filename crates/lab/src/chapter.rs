//! The trait of a chapter: a protocol with its models, claims and scenario.
//!
//! A chapter names the production code of a protocol and adds what the three worlds need: its configuration, its
//! properties, the faults that it claims to survive, the small instances to explore, and the numbers of the textbook to
//! measure. Everything else (the command line, the coverage table, diagrams, sweeps, claims) is derived from it.

use crate::claim::Claim;
use crate::model::CheckedModel;
use crate::reading::Reading;
use std::fmt::{Debug, Display};
use std::str::FromStr;
use volvox_core::Kinds;
use volvox_core::erased::Erasable;
use volvox_core::{History, NodeId, Picture, Process, Property};
use volvox_sim::{Described, FaultPlan};

/// A world in which a chapter is shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum World {
    /// Many schedules of a large instance, from seeds.
    Simulated,
    /// Every schedule of a small instance.
    Checked,
    /// Real sockets, files and clocks.
    Live,
}

/// A removable rule of a protocol: its table is beside the protocol.
pub use volvox_core::RuleCard as Rule;

/// One entry of a replicated log, as a diagram draws it: a box.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cell {
    /// Its index in the log.
    pub index: u64,
    /// The term, ballot or epoch in which it was appended.
    pub term: u64,
    /// Its content, in a word or two.
    pub text: String,
    /// Whether its node knows that it is committed.
    pub is_committed: bool,
}

/// The numbers of nodes with which a chapter runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Nodes {
    /// The fewest.
    pub least: u64,
    /// The most.
    pub most: u64,
    /// The default.
    pub default: u64,
}

/// A script of the golden tests, as a reader sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Golden {
    /// Its file name.
    pub name: &'static str,
    /// The script with the trace of each step.
    pub text: &'static str,
}

/// The description of a chapter.
#[derive(Clone, Copy, Debug)]
pub struct Card {
    /// Its name on the command line: `ricart-agrawala`.
    pub id: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// The mechanisms of the catalogue that it covers: `MTX-03`. The letters are its group.
    pub mechanisms: &'static [&'static str],
    /// The worlds in which it runs.
    pub worlds: &'static [World],
    /// The paper that it follows, with sections.
    pub reference: &'static str,
    /// The chapters that a reader needs first, the reading time, and the lesson.
    pub reading: Reading,
    /// Its questions: a page of the book (`include_str!`), in the form of [`questions`](crate::questions).
    pub questions: &'static str,
    /// The source of the module (`include_str!`): its prose header is the chapter.
    pub source: &'static str,
    /// The numbers of nodes.
    pub nodes: Nodes,
    /// The removable rules.
    pub rules: &'static [Rule],
    /// The scenario that `run` runs, in the scenario format (`include_str!`).
    pub scenario: &'static str,
    /// The golden scripts.
    pub golden: &'static [Golden],
}

/// The parameters of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The number of nodes.
    pub nodes: u64,
    /// The removed rule, one of [`Card::rules`].
    pub without: Option<&'static str>,
}

/// A protocol with its models, claims and scenario. Implementors are empty types, one per module in `chapters`.
pub trait Chapter: 'static {
    /// The protocol; over a channel where it needs one. A person can type its commands.
    type Process: Erasable<Command: FromStr<Err: Display>, Event: Kinds>;
    /// The history for its properties.
    type History: History<Self::Process> + Send + Sync + 'static;

    /// The description.
    fn card() -> &'static Card;

    /// The configuration of every node.
    fn config(settings: &Settings) -> <Self::Process as Process>::Config;

    /// The properties.
    fn properties() -> Vec<Property<Self::Process, Self::History>>;

    /// The state of a node in a word or two, for diagrams: `inside`, `leader t3`. Empty if there is nothing to show.
    fn state(process: &Self::Process) -> String;

    /// Whether a node believes that it leads, for `crash leader`.
    fn is_leader(process: &Self::Process) -> bool {
        let _ = process;
        false
    }

    /// The fixed role of a node, for the head of its column: `coordinator`. Empty if all nodes are alike.
    fn role(node: NodeId, nodes: u64) -> &'static str {
        let _ = (node, nodes);
        ""
    }

    /// The protocol's own part of a message. A chapter whose protocol runs over a channel returns `None` for the
    /// channel's own messages.
    fn carried(message: &<Self::Process as Process>::Message) -> Option<&dyn Described> {
        Some(message)
    }

    /// The protocol's own part of a timer; `None` when it is only the channel's.
    fn carried_timer(timer: &<Self::Process as Process>::Timer) -> Option<&dyn Debug> {
        Some(timer)
    }

    /// The replicated log of a node, for diagrams, where the protocol has one.
    fn log(process: &Self::Process) -> Option<Vec<Cell>> {
        let _ = process;
        None
    }

    /// The faults of a sweep: exactly those that the protocol claims to survive.
    fn faults(settings: &Settings) -> FaultPlan;

    /// The small instances to explore: those in which everything holds, and for each rule one without it, in which a
    /// property must break.
    fn models() -> Vec<CheckedModel>;

    /// The numbers of the textbook to measure.
    fn claims() -> Vec<Claim>;

    /// Whether a run has completed its work, given the whole system at one moment: then it ends early.
    fn is_done(picture: &Picture<'_, Self::Process, Self::History>) -> bool {
        let _ = picture;
        false
    }
}
