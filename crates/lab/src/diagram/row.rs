//! The rows of a diagram: what happened, at one node or at several, or to all.

use super::left_out::LeftOut;
use volvox_core::{Instant, NodeId};

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A node did something.
    Step(Step),
    /// Several steps that belong together: they receive what one step sent, or one node receives them all, or their
    /// nodes tell the same.
    Together {
        /// When one of them was.
        at: Instant,
        /// Two or more, in the order in which they happened.
        steps: Vec<Step>,
    },
    /// A message ends before it arrives.
    Lost {
        /// The time.
        at: Instant,
        /// The message.
        message: usize,
        /// Why.
        why: &'static str,
    },
    /// A happening that concerns all nodes.
    Bar {
        /// The time.
        at: Instant,
        /// The text.
        text: String,
        /// Its style.
        tone: Tone,
        /// Whether the network is cut here; `false` where it is made whole, and nothing where it stays as it is.
        cuts: Option<bool>,
    },
    /// A silence: time in which nothing is shown.
    Gap {
        /// From here.
        from: Instant,
        /// To here.
        to: Instant,
        /// Messages that were left out.
        left_out: LeftOut,
    },
}

/// How a bar is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// A fault begins.
    Bad,
    /// A fault ends.
    Good,
    /// A property does not hold.
    Broken,
}

/// The actions of a node at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The time.
    pub at: Instant,
    /// The node.
    pub node: NodeId,
    /// The message that it received.
    pub received: Option<usize>,
    /// Its other marks.
    pub marks: Vec<Mark>,
    /// The messages that it sent.
    pub sent: Vec<usize>,
}

/// Something to see at a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It started again.
    Started,
    /// It is gone.
    Stopped,
    /// It is paused.
    Paused,
    /// It resumes.
    Resumed,
    /// It was given a command.
    Command(String),
    /// A timer fired.
    Timer(String),
    /// It emitted an event.
    Event(String),
    /// It has a new state; nothing special when empty.
    State(String),
    /// It persisted a record.
    Record(String),
    /// A remark.
    Note(String),
}

impl Mark {
    /// Whether something is decided here, so that it is always shown.
    pub(super) fn decides(&self) -> bool {
        !matches!(self, Mark::Timer(_) | Mark::Record(_) | Mark::Note(_))
    }
}

impl Step {
    /// Whether there is nothing to see: a timer that fires shows only what it does.
    pub(super) fn shows_nothing(&self) -> bool {
        let is_idle = self.marks.iter().all(|mark| matches!(mark, Mark::Timer(_)));
        self.received.is_none() && self.sent.is_empty() && is_idle
    }
}

impl Row {
    /// The time.
    pub fn at(&self) -> Instant {
        match self {
            Row::Step(step) => step.at,
            Row::Together { at, .. } | Row::Lost { at, .. } | Row::Bar { at, .. } => *at,
            Row::Gap { from, .. } => *from,
        }
    }

    /// The actions of each node here, as one step: the message that it received first, and all marks.
    pub(super) fn by_node(&self) -> Vec<Step> {
        let mut merged: Vec<Step> = Vec::new();
        for step in self.steps() {
            match merged.iter_mut().find(|known| known.node == step.node) {
                Some(known) => {
                    known.marks.extend_from_slice(&step.marks);
                    known.sent.extend_from_slice(&step.sent);
                }
                None => merged.push(step.clone()),
            }
        }
        merged
    }

    /// The actions of nodes here.
    pub fn steps(&self) -> &[Step] {
        match self {
            Row::Step(step) => std::slice::from_ref(step),
            Row::Together { steps, .. } => steps,
            Row::Lost { .. } | Row::Bar { .. } | Row::Gap { .. } => &[],
        }
    }
}
