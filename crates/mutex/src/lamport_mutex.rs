//! Lamport's mutual exclusion (1978): a queue that everybody keeps.
//!
//! # The problem
//!
//! N nodes share something that only one at a time may use, and requests must be granted **in the order in which they were
//! made**. A central scheduler does not help: of two requests made one after the other, the second may arrive first.
//!
//! # The idea
//!
//! A logical clock orders all requests: later in the causal sense is later by the clock, and names decide between equal
//! times. Every node keeps the whole **queue** of requests, in that order. A request is at the head for good when nothing
//! earlier can come any more; and nothing can once *something later* was heard from everybody, since links keep the
//! order of sending. So a node enters when its request is the head of its own queue, and a later message has come from
//! every other.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Request t` | at my time t I want to enter: put me in your queue |
//! | `Reply t` | I have put you there; my time is t, which is later |
//! | `Release t` | I have left: take me out |
//!
//! N-1 of each an entry: 3(N-1).
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
//! *One at a time* (paper, p. 562). Let A be inside with an earlier request than B's. B is inside too only if it heard
//! something later than its own request from A. Links keep the order, so A's earlier request came before that: it was in
//! B's queue, before B's own, and leaves it only by A's release.
//!
//! *In the order of the requests.* The same argument: the request of a node that enters is the head of all requests that are
//! there or will be, since every other clock is past it. So entries are in the order of their stamps; and of two requests of
//! which one was made before the other, in the sense of happened-before, it has the smaller stamp (the clock condition).
//! That is the paper's condition II. The entries that one node is asked for are alike, and have no order among themselves.
//!
//! *No starvation.* The head of all gets a later message from everybody, since each request is replied to.
//!
//! # Caveats
//!
//! - **Links are perfect and keep the order of sending.** On links that lose or overtake, it fails: run it over
//!   `volvox-channel`, as the laboratory does. Two are inside as soon as a reply may overtake a request.
//! - **One crash stops everything.** The paper says so (p. 562): a process that fails keeps all others from going on,
//!   "thereby halting the system".
//! - Ricart and Agrawala save the N-1 releases: [`crate::ricart_agrawala`].
//! - `Reply` is the paper's *acknowledgment* of rule 2. Its footnote lets one be left out where something later was sent
//!   already; here every request is acknowledged, so 3(N-1) is what the plain rules cost, and an upper bound of the
//!   paper's.
//!
//! # References
//!
//! L. Lamport: *Time, clocks, and the ordering of events in a distributed system*, CACM 21(7), 1978, pp. 561 to 563: the
//! five rules of the algorithm, IR1 and IR2 of its clock.

use crate::section::{Enter, Section, Sections, one_at_a_time, who_asks_enters};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;
use volvox_core::{
    Context, Decode, DecodeError, Duration, Encode, MessageKind, NodeId, Picture, Process, Property, Reader, When,
};

/// A later time is not believed: it would leave no room to count.
const TIME_MAX: u64 = 1 << 62;

/// The most entries that may wait at one node.
const WAITING_MAX: u32 = 1_024;

/// What is fixed for the life of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// How long a node stays inside.
    pub stay: Duration,
    /// A rule that is taken out, to see what it was for.
    pub without: Option<Rule>,
}

/// The rules that can be taken out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rule {
    /// A request that enters is the head of its node's queue; without it replies are enough.
    Head,
    /// A node that enters has heard something later from every other; without it the head of its own queue enters at once.
    Later,
    /// A clock is set by what it hears (IR2); without it a reply may not be later than the request that it replies to.
    Clock,
    /// Equal times are ordered by name; without it each of two takes itself for the head.
    TieBreak,
    /// A node that leaves says so; without it no other takes its request out of the queue.
    Release,
}

/// What two nodes say to one another; each with the time of its sender.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// I want to enter: put me in your queue.
    Request {
        /// When.
        time: u64,
    },
    /// I have put you in my queue.
    Reply {
        /// When.
        time: u64,
    },
    /// I have left: take me out of your queue.
    Release {
        /// When.
        time: u64,
    },
}

/// The stay inside is over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Leave;

/// A moment of a node: the total order of all events.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Stamp {
    /// By the node's clock.
    pub time: u64,
    /// The node: it decides where times are equal.
    pub node: NodeId,
}

/// One node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LamportMutex {
    id: NodeId,
    config: Config,
    others: BTreeSet<NodeId>,
    clock: u64,
    /// All requests that were heard of and not released, this node's included: one a node at most.
    queue: BTreeSet<Stamp>,
    /// From whom nothing later than this node's request was heard.
    awaited: BTreeSet<NodeId>,
    inside: bool,
    /// Entries that were asked for while one is under way.
    waiting: u32,
}

impl Process for LamportMutex {
    type Config = Config;
    type Message = Message;
    type Timer = Leave;
    type Record = Infallible;
    type Command = Enter;
    type Event = Section;
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
            return cx.note("ignored: from no member, or from a time beyond belief", from.0);
        }
        // IR2: later than what was heard, and than everything here.
        if self.config.without != Some(Rule::Clock) {
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

    fn on_timer(&mut self, Leave: Leave, cx: &mut Context<'_, Self>) {
        assert!(self.inside, "{} leaves, and is not inside", self.id);
        self.inside = false;
        self.queue.retain(|request| request.node != self.id);
        cx.emit(Section::Left);
        if self.config.without != Some(Rule::Release) {
            self.clock += 1;
            cx.broadcast(&self.others, Message::Release { time: self.clock });
        }
        if self.waiting > 0 {
            self.waiting -= 1;
            self.ask(cx);
        }
    }

    fn on_command(&mut self, Enter: Enter, cx: &mut Context<'_, Self>) {
        if self.waiting >= WAITING_MAX {
            return cx.note("refused: too many entries wait", u64::from(self.waiting));
        }
        cx.emit(Section::Asked);
        if self.request().is_none() {
            self.ask(cx);
        } else {
            self.waiting += 1;
        }
    }

    fn view(&self) {}
}

impl LamportMutex {
    /// Whether it is in the critical section.
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
        let is_for_good = self.awaited.is_empty() || self.config.without == Some(Rule::Later);
        if is_head && is_for_good {
            self.inside = true;
            cx.emit(Section::Entered);
            cx.set_timer(Leave, self.config.stay);
        }
    }
}

/// How a property finds the protocol within what runs: it may run over a channel.
pub trait Within<P> {
    /// The protocol itself.
    fn within(process: &P) -> &LamportMutex;
}

/// It runs by itself.
pub struct Itself;

impl Within<LamportMutex> for Itself {
    fn within(process: &LamportMutex) -> &LamportMutex {
        process
    }
}

/// What must hold, of the protocol itself or of one that carries it over a channel.
pub fn properties<P: Process<Event = Section>, W: Within<P>>() -> Vec<Property<P, Sections>> {
    vec![
        one_at_a_time("Lamport 1978, condition I; MTX-02"),
        Property {
            name: "in the order of the stamps",
            source: "Lamport 1978, rule 5 and condition II by the clock condition; MTX-02",
            when: When::Always,
            holds: is_in_order::<P, W>,
        },
        who_asks_enters("Lamport 1978, condition III; MTX-02"),
    ]
}

/// The request that is inside comes before every other that waits, and before every other that will be made: then no later
/// entry has a smaller stamp, whatever happens.
fn is_in_order<P, W: Within<P>>(picture: &Picture<'_, P, Sections>) -> Result<(), String> {
    let nodes = || picture.nodes.iter().map(|(_, process)| W::within(process));
    let requests = || nodes().filter_map(LamportMutex::request);
    for inside in nodes().filter(|node| node.inside).filter_map(LamportMutex::request) {
        if let Some(earlier) = requests().find(|request| *request < inside) {
            return Err(format!("{inside} is inside, and {earlier} waits"));
        }
        let next = |node: &LamportMutex| Stamp { time: node.clock + 1, node: node.id };
        if let Some(earlier) = nodes().filter(|node| node.request().is_none()).map(next).find(|next| *next < inside) {
            return Err(format!("{inside} is inside, and {} may still ask as {earlier}", earlier.node));
        }
    }
    Ok(())
}

impl Rule {
    /// The rule of this name on the command line.
    pub fn named(name: &str) -> Option<Rule> {
        match name {
            "head" => Some(Rule::Head),
            "later" => Some(Rule::Later),
            "clock" => Some(Rule::Clock),
            "tie-break" => Some(Rule::TieBreak),
            "release" => Some(Rule::Release),
            _ => None,
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

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Request { .. } => "Request",
            Message::Reply { .. } => "Reply",
            Message::Release { .. } => "Release",
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.time())
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.time, self.node)
    }
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        let tag = match self {
            Message::Request { .. } => 1u8,
            Message::Reply { .. } => 2,
            Message::Release { .. } => 3,
        };
        (tag, self.time()).encode(out);
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Message, DecodeError> {
        match input.u8()? {
            1 => Ok(Message::Request { time: input.varint()? }),
            2 => Ok(Message::Reply { time: input.varint()? }),
            3 => Ok(Message::Release { time: input.varint()? }),
            other => Err(DecodeError::Unknown("message of Lamport's mutex", u64::from(other))),
        }
    }
}
