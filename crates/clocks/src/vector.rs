//! Vector clocks: causality, exactly.
//!
//! # The problem
//!
//! A [Lamport clock](crate::lamport) orders events that have nothing to do with one another. A store that must know whether
//! one write has seen another, or whether the two are in conflict, needs a clock that also says *neither before nor after*.
//!
//! # The idea
//!
//! Each process keeps a count for every process: how many of that process's events lie in its own past. It counts its
//! own events in its own component, and merges the vector of each message component by component. A stamp is then a
//! summary of the causal past itself: one event happened before another exactly if its past is contained in the
//! other's.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Tell #n at (..)` | the sender's n-th message, with its vector at the sending |
//!
//! # A run
//!
//! ```text
//!   n1                   n2                   n3
//!    | (1,0,0) works      |                    |
//!    | (2,0,0) -- Tell --> (2,1,0)             | (0,0,1) works
//!    |                    | (2,2,0) -- Tell --> (2,2,2)
//!    | (3,0,0) works      |                    |
//! ```
//! (3,0,0) and (2,2,2): neither is contained in the other, the events are concurrent. (2,0,0) is contained in (2,2,2):
//! n3 has it in its past, through n2.
//!
//! # Why it is safe
//!
//! *Before implies smaller*: along an edge of happened-before no component ever shrinks, since the merge takes the
//! maximum, and the component of the process that counts the later event grows. *Smaller implies before*: component i
//! of a stamp reaches k only by information, direct or indirect, about the k-th event of process i. So if V(a) is
//! contained in V(b), the past of b contains a.
//!
//! # Caveats
//!
//! - A stamp has N counters, on every message, and it cannot be fewer in the worst case (Charron-Bost 1991).
//! - The members are fixed; a vector of another length is ignored.
//! - They are not version vectors: those count the updates of an object, and a receipt is not counted.
//! - As with Lamport clocks, a process that restarts has lost its counts and is another process.
//!
//! # References
//!
//! C. Fidge: *Timestamps in message-passing systems that preserve the partial ordering*, 1988. F. Mattern: *Virtual time and
//! global states of distributed systems*, 1988, sections 5 and 6. B. Charron-Bost: *Concerning the size of logical clocks in
//! distributed systems*, 1991.

mod properties;

pub use crate::happened_before::{Command, Event, History};
pub use properties::properties;

use crate::happened_before::{Action, COUNT_MAX, Stamp};
use alloc::vec;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;
use volvox_core::{Context, NodeId, Process, payload, rules};

/// The configuration, fixed for the life of a process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Config {
    /// The rule to remove, to see what it is for.
    pub without: Option<Rule>,
}

rules! {
    /// The removable rules.
    pub enum Rule of Config;
    Tick = "tick": "a receipt is an event of its own, and counted" / "a sending and its receipt have the same vector",
    Maximum = "maximum": "a receipt merges: component by component the maximum" / "no process learns of the past of another",
    Own = "own": "each process counts in its own component" / "concurrent events are ordered, as by a Lamport clock",
    Whole = "whole": "a message carries the whole vector" / "what came through a third process is lost",
}

/// The number of events of each process in a past, in the order of the members.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Vector(pub Vec<u64>);

impl Stamp for Vector {
    /// Contained in the other, and not the same.
    fn precedes(&self, other: &Vector) -> bool {
        self != other && self.0.iter().zip(&other.0).all(|(mine, theirs)| mine <= theirs)
    }
}

impl fmt::Display for Vector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (at, count) in self.0.iter().enumerate() {
            write!(f, "{}{count}", if at == 0 { "" } else { "," })?;
        }
        f.write_str(")")
    }
}

payload! { struct Vector(counts) }

/// The messages between processes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Message {
    /// Counts the sender's messages, for the observer; not part of the clock.
    pub number: u64,
    /// The sender's clock at the sending.
    pub vector: Vector,
}

payload! { struct Message { number, vector } as "Tell" => "Tell #{number} at {vector}" }

/// A process with a vector clock.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct VectorClock {
    members: Vec<NodeId>,
    /// Its own index in the vector.
    place: usize,
    config: Config,
    /// V: the clock.
    vector: Vector,
    /// The number of messages it has sent.
    sent: u64,
}

impl Process for VectorClock {
    type Config = Config;
    type Message = Message;
    type Timer = Infallible;
    type Record = Infallible;
    type Command = Command;
    type Event = Event<Vector>;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> VectorClock {
        let place = members.iter().position(|member| *member == id).expect("a node is a member");
        let vector = Vector(vec![0; members.len()]);
        VectorClock { members: members.to_vec(), place, config: *config, vector, sent: 0 }
    }

    fn on_start(&mut self, _: &mut Context<'_, VectorClock>) {}

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, VectorClock>) {
        let Some(sender) = self.members.iter().position(|member| *member == from) else {
            return cx.note("ignored: not from a member", from.0);
        };
        let Some(heard) = self.expand(sender, message.vector.0) else {
            return cx.note("ignored: not a vector of these members", message.number);
        };
        if self.config.keeps(Rule::Maximum) {
            for (mine, theirs) in self.vector.0.iter_mut().zip(heard) {
                *mine = (*mine).max(theirs);
            }
        }
        if self.config.keeps(Rule::Tick) {
            self.count();
        }
        self.tell(Action::Receive { from, number: message.number }, cx);
    }

    fn on_timer(&mut self, timer: Infallible, _: &mut Context<'_, VectorClock>) {
        match timer {}
    }

    fn on_command(&mut self, command: Command, cx: &mut Context<'_, VectorClock>) {
        match command {
            Command::Work => {
                self.count();
                self.tell(Action::Work, cx);
            }
            Command::Tell(to) => self.send(to, cx),
            Command::TellAny if self.members.len() == 1 => cx.note("is alone", 0),
            Command::TellAny => {
                let others = self.members.len() as u32 - 1;
                let at = (self.place + 1 + cx.choose(others) as usize) % self.members.len();
                self.send(self.members[at], cx);
            }
        }
    }

    fn view(&self) {}
}

impl VectorClock {
    /// The reading of the clock.
    pub fn vector(&self) -> &Vector {
        &self.vector
    }

    fn send(&mut self, to: NodeId, cx: &mut Context<'_, VectorClock>) {
        if to == self.members[self.place] || !self.members.contains(&to) {
            return cx.note("no such peer", to.0);
        }
        self.count();
        self.sent += 1;
        let is_whole = self.config.keeps(Rule::Whole);
        let carried = if is_whole { self.vector.0.clone() } else { vec![self.vector.0[self.place]] };
        let counters = carried.len();
        cx.send(to, Message { number: self.sent, vector: Vector(carried) });
        self.tell(Action::Send { to, number: self.sent, counters }, cx);
    }

    fn count(&mut self) {
        let place = if self.config.keeps(Rule::Own) { self.place } else { 0 };
        self.vector.0[place] += 1;
    }

    /// The message's count for every member; `None` if its vector is not of these members.
    fn expand(&self, sender: usize, carried: Vec<u64>) -> Option<Vec<u64>> {
        let mut heard = vec![0; self.members.len()];
        match carried.as_slice() {
            [own] if !self.config.keeps(Rule::Whole) => heard[sender] = *own,
            _ if carried.len() == heard.len() => heard = carried,
            _ => return None,
        }
        heard.iter().all(|count| *count <= COUNT_MAX).then_some(heard)
    }

    fn tell(&self, action: Action, cx: &mut Context<'_, VectorClock>) {
        cx.emit(Event { action, stamp: self.vector.clone() });
    }
}
