//! Lamport clocks: one counter that respects causality.
//!
//! # The problem
//!
//! Machines have no common clock, and yet a debugger, a lock queue or a log must put events of many machines in one
//! order. An order that puts an effect before its cause is useless; any other order will do.
//!
//! # The idea
//!
//! This needs no time, only a number that grows along every chain of cause and effect. Each process counts its events,
//! and each message carries the count. A process that receives a message advances beyond it: the receipt gets a greater
//! count than the sending. Ties between processes are broken by their ids, which makes the order total.
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
//! n1's 3 and n3's 5 are ordered by their stamps, although neither could influence the other: they are concurrent.
//!
//! # Why it is safe
//!
//! Two successive events of one process get growing counts, and a receipt gets a greater count than its sending, since it
//! takes the maximum *and adds one*. Happened-before is made of such steps, so the stamps grow along it: a -> b implies
//! C(a) < C(b). Counts of one process are never equal, and ids order equal counts of two processes.
//!
//! # Caveats
//!
//! - The converse is false: C(a) < C(b) does not mean that a happened before b, only that b did not happen before a.
//!   Textbooks sometimes state it the wrong way round. Both directions take [vector clocks](crate::vector).
//! - Textbooks that set `C_j = max(C_j, C_i)` without adding one let a sending and its receipt carry the same stamp
//!   ([`Rule::Tick`] shows it in two steps).
//! - Loss, duplication and reordering of messages do no harm. A process that restarts has lost its count and is, for
//!   this protocol, another process.
//! - Counts of more than 2^62, which no process reaches by counting, are refused.
//!
//! # References
//!
//! L. Lamport: *Time, clocks, and the ordering of events in a distributed system*, 1978: the clock condition, implementation
//! rules IR1 and IR2, and the total order in the section "Ordering the events totally".
//! M. Raynal, M. Singhal: *Logical time: capturing causality in distributed systems*, IEEE Computer 29(2), 1996: event counting,
//! where clocks advance by one.

mod properties;

pub use crate::happened_before::{Command, Event, History};
pub use properties::properties;

use crate::happened_before::{Action, Count, Stamp};
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
    Tick = "tick": "a receipt is counted: the clock goes one beyond the maximum" /
        "a sending and its receipt have the same count",
    Maximum = "maximum": "a receipt takes the maximum of both clocks" / "an effect is stamped before its cause",
    Names = "names": "equal counts are ordered by the ids of the processes" / "two events have the same stamp",
}

/// A count and its process: ordered by the count, then by the process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Time {
    /// C: the count.
    pub count: u64,
    /// The process; `None` if [`Rule::Names`] is removed.
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

/// The messages between processes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Message {
    /// Counts the sender's messages, for the observer; not part of the clock.
    pub number: u64,
    /// The sender's clock at the sending.
    pub count: Count,
}

payload! { struct Message { number, count } as "Tell" => "Tell #{number} at {count}" }

/// A process with a Lamport clock.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Lamport {
    id: NodeId,
    peers: Vec<NodeId>,
    config: Config,
    /// C: the clock.
    clock: u64,
    /// The number of messages it has sent.
    sent: u64,
}

impl Process for Lamport {
    type Config = Config;
    type Message = Message;
    type Timer = Infallible;
    type Record = Infallible;
    type Command = Command;
    type Event = Event<Time>;
    type View = u64;

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> Lamport {
        let peers = members.iter().copied().filter(|peer| *peer != id).collect();
        Lamport { id, peers, config: *config, clock: 0, sent: 0 }
    }

    fn on_start(&mut self, _: &mut Context<'_, Lamport>) {}

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Lamport>) {
        if !self.peers.contains(&from) {
            return cx.note("ignored: not from a member", from.0);
        }
        // IR2 (b): greater than both, hence the maximum plus one.
        let heard = if self.config.keeps(Rule::Maximum) { message.count.0 } else { 0 };
        let tick = u64::from(self.config.keeps(Rule::Tick));
        self.clock = self.clock.max(heard) + tick;
        self.tell(Action::Receive { from, number: message.number }, cx);
    }

    fn on_timer(&mut self, timer: Infallible, _: &mut Context<'_, Lamport>) {
        match timer {}
    }

    fn on_command(&mut self, command: Command, cx: &mut Context<'_, Lamport>) {
        match command {
            Command::Work => {
                self.clock += 1;
                self.tell(Action::Work, cx);
            }
            Command::Tell(to) => self.send(to, cx),
            Command::TellAny if self.peers.is_empty() => cx.note("is alone", 0),
            Command::TellAny => {
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
    /// The reading of the clock.
    pub fn clock(&self) -> u64 {
        self.clock
    }

    /// IR1 and IR2 (a): a sending is an event, and its message carries the clock.
    fn send(&mut self, to: NodeId, cx: &mut Context<'_, Lamport>) {
        if !self.peers.contains(&to) {
            return cx.note("no such peer", to.0);
        }
        self.clock += 1;
        self.sent += 1;
        cx.send(to, Message { number: self.sent, count: Count(self.clock) });
        self.tell(Action::Send { to, number: self.sent, counters: 1 }, cx);
    }

    fn tell(&self, action: Action, cx: &mut Context<'_, Lamport>) {
        let process = self.config.keeps(Rule::Names).then_some(self.id);
        cx.emit(Event { action, stamp: Time { count: self.clock, process } });
    }
}
