//! Vector clocks: causality, exactly.
//!
//! # The problem
//!
//! A [Lamport clock](crate::lamport) orders events that have nothing to do with one another. A store that must know whether
//! one write has seen another, or whether the two are in conflict, needs a clock that also says *neither before nor after*.
//!
//! # The idea
//!
//! Each process keeps a count for every process: how many events of it lie in its own past. Its own events it counts in
//! its own place, and what a message brings is merged place by place. A stamp is then the causal past itself, in short:
//! one event happened before another exactly if its past is contained in the other's.
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
//! (3,0,0) and (2,2,2): neither is contained in the other, the events are concurrent. (2,0,0) is contained in (2,2,2): n3
//! has it in its past, by way of n2.
//!
//! # Why it is safe
//!
//! *Before implies smaller*: along an edge of happened-before no place ever shrinks, since the merge takes the maximum, and
//! the place of the process where the later event is counted grows. *Smaller implies before*: place i of an event's stamp
//! grows beyond k only by hearing, directly or through others, of the k-th event of process i. So if V(a) is contained in
//! V(b), b has heard of a.
//!
//! # Caveats
//!
//! - A stamp has N counters, on every message, and it cannot be fewer in the worst case (Charron-Bost 1991).
//! - The members are fixed; a vector of another length is not believed.
//! - They are not version vectors: those count the updates of an object, and receiving counts nothing there.
//! - As with Lamport clocks, a process that restarts has forgotten its counts and is another process.
//!
//! # References
//!
//! C. Fidge: *Timestamps in message-passing systems that preserve the partial ordering*, 1988. F. Mattern: *Virtual time and
//! global states of distributed systems*, 1988, sections 5 and 6. B. Charron-Bost: *Concerning the size of logical clocks in
//! distributed systems*, 1991.

use crate::happened_before::{
    Ask, COUNT_MAX, Deed, Deeds, Event, Stamp, is_an_order, stamps_differ, stamps_follow, stamps_lead,
};
use alloc::vec;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;
use volvox_core::{Context, Decode, DecodeError, Encode, MessageKind, NodeId, Process, Property, Reader, When};

/// A rule that can be taken out, to see what it is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rule {
    /// A receipt is an event of its own, and counted.
    Tick,
    /// A receipt merges: place by place the maximum.
    Maximum,
    /// Each process counts in its own place; without it all count in the first, and the vector is a Lamport clock.
    Own,
    /// A message carries the whole vector; without it only the sender's own count, and what it heard of others is lost.
    Whole,
}

impl Rule {
    /// The rule of this name on the command line.
    pub fn named(name: &str) -> Option<Rule> {
        Some(match name {
            "tick" => Rule::Tick,
            "maximum" => Rule::Maximum,
            "own" => Rule::Own,
            "whole" => Rule::Whole,
            _ => return None,
        })
    }
}

/// What is fixed for a run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Config {
    /// The rule that is taken out.
    pub without: Option<Rule>,
}

/// How many events of each process lie in a past, by the order of the members.
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

/// What is sent.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Message {
    /// Counts the sender's messages: for the observer, no part of the clock.
    pub number: u64,
    /// The sender's clock at the sending.
    pub vector: Vector,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tell #{} at {}", self.number, self.vector)
    }
}

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        "Tell"
    }
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        self.number.encode(out);
        self.vector.0.encode(out);
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Message, DecodeError> {
        Ok(Message { number: u64::decode(input)?, vector: Vector(Vec::decode(input)?) })
    }
}

/// A process with a vector clock.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct VectorClock {
    members: Vec<NodeId>,
    /// Its own place in the vector.
    place: usize,
    without: Option<Rule>,
    /// V.
    vector: Vector,
    /// How many messages it sent.
    sent: u64,
}

impl Process for VectorClock {
    type Config = Config;
    type Message = Message;
    type Timer = ();
    type Record = Infallible;
    type Command = Ask;
    type Event = Event<Vector>;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> VectorClock {
        let place = members.iter().position(|member| *member == id).expect("a node is a member");
        let vector = Vector(vec![0; members.len()]);
        VectorClock { members: members.to_vec(), place, without: config.without, vector, sent: 0 }
    }

    fn on_start(&mut self, _: &mut Context<'_, VectorClock>) {}

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, VectorClock>) {
        let Some(sender) = self.members.iter().position(|member| *member == from) else {
            return cx.note("not believed: a stranger", from.0);
        };
        let Some(heard) = self.expand(sender, message.vector.0) else {
            return cx.note("not believed: not a vector of these members", message.number);
        };
        if self.without != Some(Rule::Maximum) {
            for (mine, theirs) in self.vector.0.iter_mut().zip(heard) {
                *mine = (*mine).max(theirs);
            }
        }
        if self.without != Some(Rule::Tick) {
            self.count();
        }
        self.tell(Deed::Receive { from, number: message.number }, cx);
    }

    fn on_timer(&mut self, (): (), _: &mut Context<'_, VectorClock>) {}

    fn on_command(&mut self, ask: Ask, cx: &mut Context<'_, VectorClock>) {
        match ask {
            Ask::Work => {
                self.count();
                self.tell(Deed::Work, cx);
            }
            Ask::Tell(to) => self.send(to, cx),
            Ask::TellSomebody if self.members.len() == 1 => cx.note("is alone", 0),
            Ask::TellSomebody => {
                let others = self.members.len() as u32 - 1;
                let at = (self.place + 1 + cx.choose(others) as usize) % self.members.len();
                self.send(self.members[at], cx);
            }
        }
    }

    fn view(&self) {}
}

impl VectorClock {
    /// What the clock shows.
    pub fn vector(&self) -> &Vector {
        &self.vector
    }

    fn send(&mut self, to: NodeId, cx: &mut Context<'_, VectorClock>) {
        if to == self.members[self.place] || !self.members.contains(&to) {
            return cx.note("tells nobody else", to.0);
        }
        self.count();
        self.sent += 1;
        let carried = match self.without {
            Some(Rule::Whole) => vec![self.vector.0[self.place]],
            _ => self.vector.0.clone(),
        };
        let counters = carried.len();
        cx.send(to, Message { number: self.sent, vector: Vector(carried) });
        self.tell(Deed::Send { to, number: self.sent, counters }, cx);
    }

    fn count(&mut self) {
        let place = if self.without == Some(Rule::Own) { 0 } else { self.place };
        self.vector.0[place] += 1;
    }

    /// What a message says of every member; nothing when it cannot be of these members.
    fn expand(&self, sender: usize, carried: Vec<u64>) -> Option<Vec<u64>> {
        let mut heard = vec![0; self.members.len()];
        match (self.without, carried.as_slice()) {
            (Some(Rule::Whole), [own]) => heard[sender] = *own,
            _ if carried.len() == heard.len() => heard = carried,
            _ => return None,
        }
        heard.iter().all(|count| *count <= COUNT_MAX).then_some(heard)
    }

    fn tell(&self, deed: Deed, cx: &mut Context<'_, VectorClock>) {
        cx.emit(Event { deed, stamp: self.vector.clone() });
    }
}

/// What must hold.
pub fn properties() -> Vec<Property<VectorClock, Deeds<Vector>>> {
    vec![
        Property {
            name: "happened-before is an order",
            source: "Lamport 1978, The partial ordering; ORD-01",
            when: When::Always,
            holds: is_an_order,
        },
        Property {
            name: "what happened before is stamped before",
            source: "Mattern 1988, section 6; ORD-04",
            when: When::Always,
            holds: stamps_follow,
        },
        Property {
            name: "what is stamped before happened before",
            source: "Mattern 1988, section 6; ORD-04",
            when: When::Always,
            holds: stamps_lead,
        },
        Property {
            name: "no two events have the same stamp",
            source: "Fidge 1988; ORD-04",
            when: When::Always,
            holds: stamps_differ,
        },
    ]
}
