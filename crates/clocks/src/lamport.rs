//! Lamport clocks: one counter that respects causality.
//!
//! # The problem
//!
//! Machines have no common clock, and yet a debugger, a lock queue or a log must put events of many machines in one order.
//! An order that puts an effect before its cause is of no use; any order that does not, is.
//!
//! # The idea
//!
//! Nobody needs the time for that, only a number that grows along every chain of cause and effect. Each process counts
//! its events, and each message carries the count. Who receives a message jumps ahead of it: the receipt gets a count
//! greater than that of the sending. Ties between processes are broken by their names, which makes the order total.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Tell #n at C` | the sender's n-th message, sent when its clock showed C |
//!
//! # A run
//!
//! ```text
//!   n1              n2              n3
//!    | 1 works       |               |
//!    | 2 --- Tell --> 3              | 1 works
//!    |               | 4 --- Tell --> 5
//!    | 3 works       |               |
//! ```
//! n1's 3 and n3's 5 are ordered by their stamps, and neither could know of the other: they are concurrent.
//!
//! # Why it is safe
//!
//! Two successive events of one process get growing counts, and a receipt gets a greater count than its sending, since it
//! takes the maximum *and adds one*. Happened-before is made of such steps, so the stamps grow along it: a -> b implies
//! C(a) < C(b). Counts of one process are never equal, and equal counts of two are told apart by name.
//!
//! # Caveats
//!
//! - The converse is false: C(a) < C(b) does not mean that a happened before b, only that b did not happen before a. It
//!   is often stated the wrong way round. A program that needs both directions needs [vector clocks](crate::vector).
//! - Descriptions that set `C_j = max(C_j, C_i)` without the one let a sending and its receipt carry the same stamp
//!   ([`Rule::Tick`] shows it in two steps).
//! - Loss, repetition and disorder of messages do no harm. A process that restarts has forgotten its count and is, for this
//!   protocol, another process.
//! - Counters of more than 2^62, which nobody reaches by counting, are not believed.
//!
//! # References
//!
//! L. Lamport: *Time, clocks, and the ordering of events in a distributed system*, 1978: the clock condition, implementation
//! rules IR1 and IR2, and the total order in the section "Ordering the events totally".

use crate::happened_before::{Ask, COUNT_MAX, Deed, Deeds, Event, Stamp, is_an_order, stamps_differ, stamps_follow};
use alloc::vec;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;
use volvox_core::{Context, Decode, DecodeError, Encode, MessageKind, NodeId, Process, Property, Reader, When};

/// A rule that can be taken out, to see what it is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rule {
    /// A receipt is counted: the clock goes one beyond the maximum.
    Tick,
    /// A receipt takes the maximum of both clocks.
    Maximum,
    /// Equal counts are told apart by the names of the processes.
    Names,
}

impl Rule {
    /// The rule of this name on the command line.
    pub fn named(name: &str) -> Option<Rule> {
        Some(match name {
            "tick" => Rule::Tick,
            "maximum" => Rule::Maximum,
            "names" => Rule::Names,
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

/// A count, and who counted: ordered by the first, then by the second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Time {
    /// C.
    pub count: u64,
    /// Whose; nobody's when [`Rule::Names`] is taken out.
    pub process: Option<NodeId>,
}

impl Stamp for Time {
    fn precedes(&self, other: &Time) -> bool {
        self < other
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.process {
            Some(process) => write!(f, "({}, {process})", self.count),
            None => write!(f, "({})", self.count),
        }
    }
}

/// What is sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Message {
    /// Counts the sender's messages: for the observer, no part of the clock.
    pub number: u64,
    /// The sender's clock at the sending.
    pub count: u64,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tell #{} at {}", self.number, self.count)
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
        self.count.encode(out);
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Message, DecodeError> {
        Ok(Message { number: u64::decode(input)?, count: u64::decode(input)? })
    }
}

/// A process with a Lamport clock.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Lamport {
    id: NodeId,
    peers: Vec<NodeId>,
    without: Option<Rule>,
    /// C.
    clock: u64,
    /// How many messages it sent.
    sent: u64,
}

impl Process for Lamport {
    type Config = Config;
    type Message = Message;
    type Timer = ();
    type Record = Infallible;
    type Command = Ask;
    type Event = Event<Time>;
    type View = u64;

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> Lamport {
        let peers = members.iter().copied().filter(|peer| *peer != id).collect();
        Lamport { id, peers, without: config.without, clock: 0, sent: 0 }
    }

    fn on_start(&mut self, _: &mut Context<'_, Lamport>) {}

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Lamport>) {
        if message.count > COUNT_MAX || !self.peers.contains(&from) {
            return cx.note("not believed: a count that nobody reaches, or a stranger", message.count);
        }
        // IR2 (b): greater than both, which takes the maximum and the one.
        let heard = if self.without == Some(Rule::Maximum) { 0 } else { message.count };
        let tick = u64::from(self.without != Some(Rule::Tick));
        self.clock = self.clock.max(heard) + tick;
        self.tell(Deed::Receive { from, number: message.number }, cx);
    }

    fn on_timer(&mut self, (): (), _: &mut Context<'_, Lamport>) {}

    fn on_command(&mut self, ask: Ask, cx: &mut Context<'_, Lamport>) {
        match ask {
            Ask::Work => {
                self.clock += 1;
                self.tell(Deed::Work, cx);
            }
            Ask::Tell(to) => self.send(to, cx),
            Ask::TellSomebody if self.peers.is_empty() => cx.note("is alone", 0),
            Ask::TellSomebody => {
                let at = cx.choose(self.peers.len() as u32);
                self.send(self.peers[at as usize], cx);
            }
        }
    }

    fn view(&self) -> u64 {
        self.clock
    }
}

impl Lamport {
    /// What the clock shows.
    pub fn clock(&self) -> u64 {
        self.clock
    }

    /// IR1 and IR2 (a): a sending is an event, and its message carries the clock.
    fn send(&mut self, to: NodeId, cx: &mut Context<'_, Lamport>) {
        if !self.peers.contains(&to) {
            return cx.note("tells nobody else", to.0);
        }
        self.clock += 1;
        self.sent += 1;
        cx.send(to, Message { number: self.sent, count: self.clock });
        self.tell(Deed::Send { to, number: self.sent, counters: 1 }, cx);
    }

    fn tell(&self, deed: Deed, cx: &mut Context<'_, Lamport>) {
        let process = (self.without != Some(Rule::Names)).then_some(self.id);
        cx.emit(Event { deed, stamp: Time { count: self.clock, process } });
    }
}

/// What must hold.
pub fn properties() -> Vec<Property<Lamport, Deeds<Time>>> {
    vec![
        Property {
            name: "happened-before is an order",
            source: "Lamport 1978, The partial ordering; ORD-01",
            when: When::Always,
            holds: is_an_order,
        },
        Property {
            name: "what happened before is stamped before",
            source: "Lamport 1978, the clock condition; ORD-02",
            when: When::Always,
            holds: stamps_follow,
        },
        Property {
            name: "no two events have the same stamp",
            source: "Lamport 1978, Ordering the events totally; ORD-02",
            when: When::Always,
            holds: stamps_differ,
        },
    ]
}
