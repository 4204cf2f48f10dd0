//! The trait of a chapter: a protocol with its models, claims and scenario.
//!
//! A chapter names the production code of a protocol and adds what the three worlds need: its configuration, its
//! properties, the faults that it claims to survive, the small instances to explore, and the numbers of the textbook to
//! measure. Everything else (the command line, the coverage table, diagrams, sweeps, claims) is derived from it.

use crate::ask::Asking;
use crate::claim::Claim;
use crate::model::CheckedModel;
use crate::reading::Reading;
use crate::restarts::Restarts;
use std::fmt::{Debug, Display};
use std::str::FromStr;
use volvox_core::erased::{AnyProcess, Erasable};
use volvox_core::{Forms, Kinds};
use volvox_core::{History, NodeId, Picture, Process, Property};
use volvox_sim::{Described, FaultPlan};

pub use volvox_sim::NodeState;

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
    /// The scenario that `run` runs, in the scenario format: `scenarios/ID.txt`.
    pub scenario: &'static str,
    /// The golden scripts: all below `crates/FAMILY/tests/scripts/ID`.
    pub golden: &'static [Golden],
}

impl Card {
    /// A card of which nothing is known but the name: what [`found!`](crate::found) begins with.
    pub const fn named(id: &'static str) -> Card {
        Card {
            id,
            title: "",
            mechanisms: &[],
            worlds: &[World::Simulated, World::Checked, World::Live],
            reference: "",
            reading: Reading::NONE,
            questions: "",
            source: "",
            nodes: Nodes { least: 2, most: 16, default: 3 },
            rules: &[],
            scenario: "",
            golden: &[],
        }
    }
}

/// The card of a chapter with what the build script of its family found: its name, its scenario, its golden scripts, and the
/// three worlds. The rest is written over it:
///
/// ```text
/// static CARD: Card = Card { title: "Ricart-Agrawala", source: include_str!(..), .., ..found!("ricart-agrawala") };
/// ```
#[macro_export]
macro_rules! found {
    ($id:literal) => {
        include!(concat!(env!("OUT_DIR"), "/", $id, ".rs"))
    };
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
    /// The protocol; over a channel where it needs one. A person can type its commands, and all its words have kinds.
    type Process: Erasable<Command: FromStr<Err: Display> + Forms + Kinds, Timer: Kinds, Record: Kinds, Event: Kinds>;
    /// The history for its properties.
    type History: History<Self::Process> + Send + Sync + 'static;

    /// The description.
    const CARD: &'static Card;
    /// The small instances that are explored: those in which everything holds, and for each rule one in which it was
    /// removed and a property must break.
    const MODELS: &'static [CheckedModel];
    /// The numbers of the textbook that are measured.
    const CLAIMS: &'static [Claim];
    /// The bounds of models that a reader may ask for, where there are any.
    const ASKING: Option<Asking> = None;

    /// The configuration of every node.
    fn config(settings: &Settings) -> <Self::Process as Process>::Config;

    /// The properties.
    fn properties() -> Vec<Property<Self::Process, Self::History>>;

    /// The state of a node, for diagrams: `inside`, `leader t3`. The default where there is nothing to say.
    fn state(process: &Self::Process) -> NodeState;

    /// Whether an event says no more than [`Chapter::state`] does from then on: a long diagram leaves it out.
    fn tells_state(event: &<Self::Process as Process>::Event) -> bool {
        let _ = event;
        false
    }

    /// Whether a record replaces the one before it, when that does so too: a long diagram shows the last of a step.
    fn replaces(record: &<Self::Process as Process>::Record) -> bool {
        let _ = record;
        false
    }

    /// The same of a process that only models have: that of the protocol without what carries it.
    fn state_in_model(process: &AnyProcess) -> NodeState {
        let _ = process;
        NodeState::default()
    }

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

    /// The promise for nodes that restart in the middle of a question, over links on which old messages linger.
    fn restarts() -> Restarts {
        Restarts::TOLERATED
    }

    /// The faults of a sweep: exactly those that the protocol claims to survive.
    fn faults(settings: &Settings) -> FaultPlan;

    /// Whether a run has completed its work, given the whole system at one moment: then it ends early.
    fn is_done(picture: &Picture<'_, Self::Process, Self::History>) -> bool {
        let _ = picture;
        false
    }
}
