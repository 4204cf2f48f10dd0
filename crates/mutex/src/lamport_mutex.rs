//! Lamport's mutual exclusion (1978): a queue that every node keeps.
//!
//! # The problem
//!
//! N nodes share a resource that only one at a time may use, and requests must be granted **in the order in which they
//! were made**. A central scheduler does not help: of two requests made one after the other, the second may arrive
//! first.
//!
//! # The idea
//!
//! A logical clock orders all requests: if one request happened before another, its time is smaller, and node names
//! break ties. Every node keeps the whole **queue** of requests, in that order. A request stays at the head once
//! nothing earlier can arrive; and nothing earlier can arrive once *something later* was received from every other
//! node, since links are FIFO. So a node enters when its request is at the head of its own queue, and it has received a
//! later message from every other node.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Request t` | at my time t I want to enter: put me in your queue |
//! | `Reply t` | I have put you there; my time is t, which is later |
//! | `Release t` | I have left: remove my request |
//!
//! N-1 of each per entry: 3(N-1).
//!
//! # A run
//!
//! ```text
//!   n1                           n2
//!   enter: queue 1.n1             |
//!    |------- Request 1 -------->| queue 1.n1
//!    |                            enter: queue 1.n1 4.n2
//!    |<-------- Reply 3 ---------|
//!   entered: head, and 3 > 1     |
//!    |<------- Request 4 --------|
//!   queue 1.n1 4.n2              |
//!    |-------- Reply 6 --------->| 6 > 4, and not the head
//!   left                         |
//!    |------- Release 7 -------->| queue 4.n2
//!    |                           entered
//! ```
//!
//! # Why it is safe
//!
//! *Mutual exclusion* (paper, p. 562). Let A be inside with an earlier request than B's. B is inside too only if it
//! received something later than its own request from A. Links are FIFO, so A's earlier request arrived before that: it
//! was in B's queue, ahead of B's own, and leaves it only by A's release.
//!
//! *In the order of the requests.* The same argument: the request of a node that enters is ahead of all requests that
//! exist or will exist, since every other clock is past it. So entries are in the order of their stamps; and of two
//! requests of which one happened before the other, that one has the smaller stamp (the clock condition). That is the
//! paper's condition II. The entries requested of one node are interchangeable, and have no order among themselves.
//!
//! *No starvation.* The first request in the order gets a later message from every node, since each request is replied
//! to.
//!
//! # Caveats
//!
//! - **Links must be perfect and FIFO.** On links that lose or reorder messages it fails: run it over `volvox-channel`,
//!   as the laboratory does. Two nodes can be inside as soon as a reply may overtake a request.
//! - **One crash stops everything.** The paper says so (p. 562): a failed process stops all others, "thereby halting
//!   the system".
//! - Ricart and Agrawala save the N-1 release messages: [`crate::ricart_agrawala`].
//! - `Reply` is the paper's *acknowledgment* of rule 2. Its footnote allows omitting one where something later was
//!   already sent; here every request is acknowledged, so 3(N-1) is the cost of the plain rules, and an upper bound of
//!   the paper's.
//!
//! # References
//!
//! L. Lamport: *Time, clocks, and the ordering of events in a distributed system*, CACM 21(7), 1978, pp. 561 to 563:
//! the five rules of the algorithm, and rules IR1 and IR2 of its clock.

mod properties;

pub use crate::section::{Command, Event, History};
pub use properties::{Itself, Within, properties};

use alloc::collections::BTreeSet;
use core::convert::Infallible;
use core::fmt;
use volvox_core::{Context, Duration, NodeId, Process, payload, rules};

/// The greatest time that is accepted: a later one would leave no room to count.
const TIME_MAX: u64 = 1 << 62;

/// The most entries that may wait at one node.
const WAITING_MAX: u32 = 1_024;

/// The configuration, fixed for the life of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// How long a node stays inside.
    pub stay: Duration,
    /// A rule to remove, to see what it is for.
    pub without: Option<Rule>,
}

rules! {
    /// The removable rules.
    pub enum Rule of Config;
    Head = "head": "a request that enters is the head of its node's queue" / "replies are enough, and two nodes are inside",
    Later = "later": "a node that enters has received something later from every other" /
        "the head of its own queue enters at once",
    Clock = "clock": "a clock is advanced by every message (IR2)" /
        "a reply may not be later than the request that it replies to",
    TieBreak = "tie-break": "equal times are ordered by name" / "each of two nodes believes itself to be the head",
    Release = "release": "a node that leaves says so" / "no other node removes its request from the queue",
}

/// The messages between two nodes; each carries the time of its sender.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// I want to enter: put me in your queue.
    Request {
        /// The time of the sender.
        time: u64,
    },
    /// I have put you in my queue.
    Reply {
        /// The time of the sender.
        time: u64,
    },
    /// I have left: remove my request from your queue.
    Release {
        /// The time of the sender.
        time: u64,
    },
}

payload! { Message: "message of Lamport's mutex";
    1 Request { time } => "Request {time}",
    2 Reply { time }   => "Reply {time}",
    3 Release { time } => "Release {time}",
}

/// The timers of a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// The stay inside is over.
    Leave,
}

payload! { Timer; Leave }

/// A timestamp: the total order of all events.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Stamp {
    /// The time on the node's clock.
    pub time: u64,
    /// The node, which breaks ties.
    pub node: NodeId,
}

/// One node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LamportMutex {
    id: NodeId,
    config: Config,
    others: BTreeSet<NodeId>,
    clock: u64,
    /// All requests received and not yet released, including this node's: at most one per node.
    queue: BTreeSet<Stamp>,
    /// The nodes from which nothing later than this node's request was received.
    awaited: BTreeSet<NodeId>,
    inside: bool,
    /// Entries requested while one is in progress.
    waiting: u32,
}

impl Process for LamportMutex {
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Infallible;
    type Command = Command;
    type Event = Event;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> LamportMutex {
        LamportMutex {
            id,
            config: *config,
            others: members.iter().copied().filter(|member| *member != id).collect(),
            clock: 0,
            queue: BTreeSet::new(),
            awaited: BTreeSet::new(),
            inside: false,
            waiting: 0,
        }
    }

    fn on_start(&mut self, _: &mut Context<'_, Self>) {}

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        let sent = Stamp { time: message.time(), node: from };
        if !self.others.contains(&from) || sent.time > TIME_MAX {
            return cx.note("ignored: not from a member, or time out of range", from.0);
        }
        // IR2: later than the message, and than everything here.
        if self.config.keeps(Rule::Clock) {
            self.clock = self.clock.max(sent.time) + 1;
        }
        match message {
            Message::Request { .. } => self.on_request(sent, cx),
            Message::Reply { .. } => {}
            Message::Release { .. } => self.queue.retain(|request| request.node != from),
        }
        if self.request().is_some_and(|request| request < sent) {
            self.awaited.remove(&from);
        }
        self.enter_if_first(cx);
    }

    fn on_timer(&mut self, Timer::Leave: Timer, cx: &mut Context<'_, Self>) {
        assert!(self.inside, "{} leaves, and is not inside", self.id);
        self.inside = false;
        self.queue.retain(|request| request.node != self.id);
        cx.emit(Event::Left);
        if self.config.keeps(Rule::Release) {
            self.clock += 1;
            cx.broadcast(&self.others, Message::Release { time: self.clock });
        }
        if self.waiting > 0 {
            self.waiting -= 1;
            self.ask(cx);
        }
    }

    fn on_command(&mut self, Command::Enter: Command, cx: &mut Context<'_, Self>) {
        if self.waiting >= WAITING_MAX {
            return cx.note("refused: too many entries wait", u64::from(self.waiting));
        }
        cx.emit(Event::Asked);
        if self.request().is_none() {
            self.ask(cx);
        } else {
            self.waiting += 1;
        }
    }

    fn view(&self) {}
}

impl LamportMutex {
    /// Whether this node is in the critical section.
    pub fn is_inside(&self) -> bool {
        self.inside
    }

    /// This node's request, from asking until leaving.
    pub fn request(&self) -> Option<Stamp> {
        self.queue.iter().copied().find(|request| request.node == self.id)
    }

    /// Rule 1.
    fn ask(&mut self, cx: &mut Context<'_, Self>) {
        self.clock += 1;
        self.queue.insert(Stamp { time: self.clock, node: self.id });
        self.awaited = self.others.clone();
        cx.broadcast(&self.others, Message::Request { time: self.clock });
        self.enter_if_first(cx);
    }

    /// Rule 2.
    fn on_request(&mut self, request: Stamp, cx: &mut Context<'_, Self>) {
        if self.queue.iter().any(|queued| queued.node == request.node) {
            return cx.note("ignored: a request before the last was released", request.node.0);
        }
        self.queue.insert(request);
        self.clock += 1;
        cx.send(request.node, Message::Reply { time: self.clock });
    }

    /// Rule 5.
    fn enter_if_first(&mut self, cx: &mut Context<'_, Self>) {
        let Some(mine) = self.request().filter(|_| !self.inside) else { return };
        let is_head = match self.config.without {
            Some(Rule::Head) => true,
            Some(Rule::TieBreak) => self.queue.iter().all(|request| mine.time <= request.time),
            _ => self.queue.first() == Some(&mine),
        };
        let is_for_good = self.awaited.is_empty() || !self.config.keeps(Rule::Later);
        if is_head && is_for_good {
            self.inside = true;
            cx.emit(Event::Entered);
            cx.set_timer(Timer::Leave, self.config.stay);
        }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config { stay: Duration::from_millis(10), without: None }
    }
}

impl Message {
    /// When its sender sent it.
    pub fn time(&self) -> u64 {
        match self {
            Message::Request { time } | Message::Reply { time } | Message::Release { time } => *time,
        }
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.time, self.node)
    }
}
