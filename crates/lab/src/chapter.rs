//! What a chapter of the laboratory is: a protocol with everything that is shown about it.
//!
//! A chapter names the production code of a protocol and says around it what the three worlds need: how to configure it,
//! what must hold, what it claims to survive, which small instances are explored, and which numbers of the textbook are
//! measured. Everything else (the command line, the coverage table, diagrams, sweeps, claims) is derived from it.

use crate::claim::Claim;
use crate::model::CheckedModel;
use std::fmt::Display;
use std::str::FromStr;
use volvox_core::erased::Erasable;
use volvox_core::{History, Picture, Process, Property};
use volvox_sim::FaultPlan;

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

/// A rule of a protocol that can be taken out: its table is beside the protocol.
pub use volvox_core::RuleCard as Rule;

/// What carries the messages of a chapter. What it says for itself is not the protocol, and diagrams leave it out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carrier {
    /// Nothing: what is sent is the protocol's own.
    Network,
    /// A `volvox_channel::Channel`, with its sessions, acknowledgements and repetitions.
    Channel,
}

impl Carrier {
    /// What of a message is the protocol's own: `Request 1` of `Data s1->s2 #3 Request 1`. `None` when nothing is.
    pub fn message(self, text: &str) -> Option<&str> {
        match self {
            Carrier::Network => Some(text),
            Carrier::Channel => {
                let mut words = text.splitn(4, ' ');
                words.next().filter(|verb| *verb == "Data")?;
                words.nth(2)
            }
        }
    }

    /// What of a timer is the protocol's own: `Leave` of `Child(Leave)`. `None` when nothing is.
    pub fn timer(self, text: &str) -> Option<&str> {
        match self {
            Carrier::Network => Some(text),
            Carrier::Channel => text.strip_prefix("Child(")?.strip_suffix(')'),
        }
    }
}

/// How many nodes a chapter runs with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Nodes {
    /// The fewest.
    pub least: u64,
    /// The most.
    pub most: u64,
    /// When nothing is said.
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

/// What is known of a chapter without running it.
#[derive(Clone, Copy, Debug)]
pub struct Card {
    /// Its name on the command line: `ricart-agrawala`.
    pub id: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// The mechanisms of the catalogue that it covers: `MTX-03`. The letters are its group.
    pub mechanisms: &'static [&'static str],
    /// Where it runs.
    pub worlds: &'static [World],
    /// The paper that it reads like, with sections.
    pub reference: &'static str,
    /// The source of the module (`include_str!`): its prose header is the chapter.
    pub source: &'static str,
    /// How many nodes.
    pub nodes: Nodes,
    /// Which rules can be taken out.
    pub rules: &'static [Rule],
    /// The scenario that `run` runs, in the scenario format (`include_str!`).
    pub scenario: &'static str,
    /// The golden scripts.
    pub golden: &'static [Golden],
}

/// What a run of a chapter is made with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// How many nodes.
    pub nodes: u64,
    /// The rule that is taken out, one of [`Card::rules`].
    pub without: Option<&'static str>,
}

/// A protocol with everything that is shown about it. Implementors are empty types, one a module in `chapters`.
pub trait Chapter: 'static {
    /// The protocol; over a channel where it needs one. A person can type its commands.
    type Process: Erasable<Command: FromStr<Err: Display>>;
    /// What its properties remember.
    type History: History<Self::Process> + Send + Sync + 'static;

    /// What is known without running it.
    fn card() -> &'static Card;

    /// The configuration of every node.
    fn config(settings: &Settings) -> <Self::Process as Process>::Config;

    /// What must hold.
    fn properties() -> Vec<Property<Self::Process, Self::History>>;

    /// What a node is, in a word or two, for diagrams: `inside`, `leader t3`. Empty when there is nothing to say.
    fn state(process: &Self::Process) -> String;

    /// Whether a node would say of itself that it leads: for `crash leader`.
    fn is_leader(process: &Self::Process) -> bool {
        let _ = process;
        false
    }

    /// What carries its messages.
    fn carrier() -> Carrier {
        Carrier::Network
    }

    /// The faults of a sweep: what the protocol claims to survive, and nothing else.
    fn faults(settings: &Settings) -> FaultPlan;

    /// The small instances that are explored: those in which everything holds, and for each rule one in which it was
    /// taken out and a property must break.
    fn models() -> Vec<CheckedModel>;

    /// The numbers of the textbook that are measured.
    fn claims() -> Vec<Claim>;

    /// Whether a run has done its work, given everything at one moment: then it ends before its time.
    fn is_done(picture: &Picture<'_, Self::Process, Self::History>) -> bool {
        let _ = picture;
        false
    }
}
