//! A decision of the world by numbers, and its meaning.
//!
//! The numbers are those of one [`System`] value: of its nodes, and of what it has interned. The explorer, the search
//! for cycles and the paths copy and compare them without knowing the protocol; the system translates them on request.

use super::action::{Action, What};
use super::network::LinkOrder;
use super::{Checked, System};
use std::hash::Hash;
use volvox_core::{Position, fingerprint_of};

/// A decision of the world, with the choices of the step that it caused, as numbers of one [`System`].
/// [`System::action`] gives the values.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Decision {
    pub(super) kind: Kind,
    /// The outcomes of the step, and which of them was taken; `None` if the step makes no choice.
    pub(super) outcome: Option<(u32, u32)>,
}

/// The decision: see [`What`]. Nodes are named by their places, messages and timers by their numbers, commands by their
/// places in the alphabet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Kind {
    Deliver { envelope: u32, kept: bool },
    Lose { envelope: u32, is_receiver_down: bool },
    Fire { node: u32, timer: u32 },
    Command { command: u32 },
    Sync { node: u32, through: Position },
    Crash { node: u32, keeps: Position, silenced: bool },
    Start { node: u32 },
    Restart { node: u32 },
    Pass,
}

impl Kind {
    /// A decision without choices.
    pub fn alone(self) -> Decision {
        Decision { kind: self, outcome: None }
    }
}

impl<P: Checked, H: Clone + Eq + Hash + Send + Sync> System<P, H> {
    /// The meaning of a decision of an exploration of this system.
    ///
    /// # Panics
    /// When it is a decision of another system.
    pub fn action(&self, decision: &Decision) -> Action<P> {
        let id = |node: u32| self.ids[node as usize];
        let what = match decision.kind {
            Kind::Deliver { envelope, kept } => {
                let envelope = self.envelopes.get(envelope);
                let (from, to) = (self.ids[envelope.from], self.ids[envelope.to]);
                What::Deliver { from, to, message: envelope.message.clone(), kept }
            }
            Kind::Lose { envelope, is_receiver_down } => {
                let envelope = self.envelopes.get(envelope);
                let (from, to) = (self.ids[envelope.from], self.ids[envelope.to]);
                What::Lose { from, to, message: envelope.message.clone(), is_receiver_down }
            }
            Kind::Fire { node, timer } => What::Fire { node: id(node), timer: self.timers.get(timer).timer.clone() },
            Kind::Command { command } => {
                let (node, command) = &self.alphabet[command as usize];
                What::Command { node: self.ids[*node], command: command.clone() }
            }
            Kind::Sync { node, through } => What::Sync { node: id(node), through },
            Kind::Crash { node, keeps, silenced } => What::Crash { node: id(node), keeps, silenced },
            Kind::Start { node } => What::Start { node: id(node) },
            Kind::Restart { node } => What::Restart { node: id(node) },
            Kind::Pass => What::Pass,
        };
        let choices = decision.outcome.map(|(step, outcome)| {
            let outcome = &self.outcomes.get(step).outcomes[outcome as usize];
            outcome.answers.clone()
        });
        Action { what, choices: choices.unwrap_or_default() }
    }

    /// A link eventually delivers, a timer that stays set fires, a disk writes, a node that may restart does, and time
    /// passes. Losses, duplications, crashes and commands may never happen.
    pub(super) fn class_of(&self, decision: &Decision) -> Option<u64> {
        let id = |node: u32| self.ids[node as usize];
        let class = match decision.kind {
            Kind::Deliver { kept: true, .. } if self.network.order != LinkOrder::Duplicating => return None,
            Kind::Deliver { envelope, .. } | Kind::Lose { envelope, is_receiver_down: true } => {
                let envelope = self.envelopes.get(envelope);
                fingerprint_of(&("deliver", self.ids[envelope.from], self.ids[envelope.to]))
            }
            Kind::Fire { node, timer } => fingerprint_of(&("fire", id(node), &self.timers.get(timer).timer)),
            Kind::Sync { node, .. } => fingerprint_of(&("sync", id(node))),
            Kind::Start { node } | Kind::Restart { node } => fingerprint_of(&("restart", id(node))),
            Kind::Pass => fingerprint_of("pass"),
            Kind::Lose { .. } | Kind::Command { .. } | Kind::Crash { .. } => return None,
        };
        Some(class as u64)
    }
}
