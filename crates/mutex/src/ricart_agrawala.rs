//! Mutual exclusion after Ricart and Agrawala (1981).
//!
//! # The problem
//!
//! N nodes share a resource that only one at a time may use, in a *critical section*. No node is special, and they
//! share nothing but messages. Lamport's queue of 1978 needs 3(N-1) messages per entry: a request, a reply, and a
//! release to each of the others. Can it be done with fewer?
//!
//! # The idea
//!
//! Nodes that do not wait need no release. So a reply *is* the permission, and a node that is ahead simply **replies
//! later**: after it has left. A node that wants to enter asks all others and enters when all have replied.
//!
//! Which of two requests is ahead? Each carries a **sequence number**, greater than any that its node has seen (a Lamport
//! clock). The smaller number is ahead; where two are equal, the smaller name. So any two nodes that want to enter
//! agree on which is first, without further messages.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Request n` | I want to enter; my sequence number is n |
//! | `Reply` | as far as I am concerned, you may |
//!
//! N-1 of each per entry: 2(N-1), and no algorithm that asks every node needs fewer (paper, section 4).
//!
//! # A run
//!
//! ```text
//!   n1                       n2                       n3
//!   enter                     |                       enter
//!    |------ Request 1 ------>|<------ Request 1 ------|
//!    |------ Request 1 ------------------------------->|   1 = 1, and n1 < n3: n1 is ahead, n3 replies
//!    |<------------------------------- Request 1 ------|   n1 is ahead, and says nothing yet
//!    |<------- Reply ---------|-------- Reply -------->|
//!    |<--------------------------------- Reply --------|
//!   entered                   |                        |
//!   left                      |                        |
//!    |--------- Reply -------------------------------->|   now it does
//!    |                        |                       entered
//! ```
//!
//! # Why it is safe
//!
//! *Mutual exclusion* (paper, section 3.1). Suppose A and B are both inside. Each had the other's reply. If A sent its
//! reply to B before it chose its own number, that number is greater than B's (A has seen B's), and B, which wants or
//! is inside, does not reply to A before it leaves. The same holds with the names exchanged. So both replied while they
//! wanted to enter, each because the other was ahead; but of two requests only one is ahead.
//!
//! *No starvation* (sections 3.2, 3.3). A waiting node waits for a request that is ahead of its own. Being ahead is a
//! total order, so one request is ahead of all; its node gets all replies, enters, and leaves.
//!
//! *Bounded bypass, once the request has arrived.* A node that has received a request asks with a greater number from
//! then on, so it enters at most once before that request: N-1 entries by others in total. While the request is in
//! flight, a node whose number lags behind may enter several times (the script `04-bypass`), but not forever: each of
//! its requests has a greater number than the last, and the waiting node replies to none that is behind its own.
//!
//! # Caveats
//!
//! - **Every message must arrive exactly once.** Order does not matter, but a node waits forever for a lost message,
//!   and a second copy of a reply would be mistaken for the reply to the next request. Links of the worlds here lose
//!   only what is in flight when they break; where they break, run the protocol over `volvox-channel`.
//! - **One crash stops everything.** A crashed node sends no replies, so no other node enters (claim Q-MTX-7). The
//!   usual repair is an explicit refusal, and a timeout after which silence means a crash: a failure detector. It is
//!   not included here.
//! - Textbooks often compare "the timestamps" of two requests. These must be *logical* times: with clocks that messages
//!   do not advance, a node that asks later may have the smaller number, and two nodes are inside (rule `clock`). Ties
//!   must be broken by name: with numbers alone, two equal ones let both in (`tie-break`) or none
//!   (`tie-break-deferring`).
//! - There is one resource. Further resources take further, independent instances.
//!
//! # References
//!
//! G. Ricart, A. Agrawala: *An optimal algorithm for mutual exclusion in computer networks*, CACM 24(1), 1981.
//! L. Lamport: *Time, clocks, and the ordering of events in a distributed system*, CACM 21(7), 1978.
//! O. Carvalho, G. Roucairol: *On mutual exclusion in computer networks*, CACM 26(2), 1983: permission that is kept
//! until another node wants it, 0 to 2(N-1) messages.

mod properties;

pub use crate::section::{Command, Event, History};
pub use properties::properties;

use alloc::collections::BTreeSet;
use core::convert::Infallible;
use volvox_core::{Context, Duration, NodeId, Process, payload, rules};

/// The greatest sequence number that is accepted: a greater one would leave no room to count.
const SEQUENCE_NUMBER_MAX: u64 = 1 << 62;

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
    Order = "order": "a node that is ahead replies later" / "every node replies at once, and two nodes are inside",
    Clock = "clock": "a sequence number is greater than any seen" / "each node counts for itself, and two nodes are inside",
    TieBreak = "tie-break": "equal numbers are ordered by name" / "both nodes reply, and two nodes are inside",
    TieBreakDeferring = "tie-break-deferring": "equal numbers are ordered by name" / "neither node replies, and both wait forever",
    LateReply = "late-reply": "a node that leaves replies to those that waited" / "those nodes wait forever",
}

/// The messages between two nodes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// I want to enter.
    Request {
        /// The sequence number: greater than any that I have seen.
        sequence_number: u64,
    },
    /// As far as I am concerned, you may.
    Reply,
}

payload! { Message: "Ricart-Agrawala message";
    1 Request { sequence_number } => "Request {sequence_number}",
    2 Reply                       => "Reply",
}

/// The timers of a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// The stay inside is over.
    Leave,
}

payload! { Timer; Leave }

/// One node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RicartAgrawala {
    id: NodeId,
    config: Config,
    others: BTreeSet<NodeId>,
    /// The greatest sequence number of any request, received or made.
    highest_sequence_number: u64,
    /// This node's request, from asking until leaving.
    request: Option<Request>,
    /// The nodes to reply to when leaving.
    deferred: BTreeSet<NodeId>,
    /// Entries requested while one is in progress.
    waiting: u32,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Request {
    sequence_number: u64,
    /// The nodes that have not replied. The node is inside when this is empty.
    awaited: BTreeSet<NodeId>,
}

impl Process for RicartAgrawala {
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Infallible;
    type Command = Command;
    type Event = Event;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> RicartAgrawala {
        RicartAgrawala {
            id,
            config: *config,
            others: members.iter().copied().filter(|member| *member != id).collect(),
            highest_sequence_number: 0,
            request: None,
            deferred: BTreeSet::new(),
            waiting: 0,
        }
    }

    fn on_start(&mut self, _: &mut Context<'_, Self>) {}

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        if !self.others.contains(&from) {
            return cx.note("ignored: not from a member", from.0);
        }
        match message {
            Message::Request { sequence_number } => self.on_request(from, sequence_number, cx),
            Message::Reply => self.on_reply(from, cx),
        }
    }

    fn on_timer(&mut self, Timer::Leave: Timer, cx: &mut Context<'_, Self>) {
        assert!(self.is_inside(), "{} leaves, and is not inside", self.id);
        self.request = None;
        cx.emit(Event::Left);
        if self.config.keeps(Rule::LateReply) {
            cx.broadcast(&self.deferred, Message::Reply);
        }
        self.deferred.clear();
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
        if self.request.is_none() {
            self.ask(cx);
        } else {
            self.waiting += 1;
        }
    }

    fn view(&self) {}
}

impl RicartAgrawala {
    /// Whether this node is in the critical section.
    pub fn is_inside(&self) -> bool {
        self.request.as_ref().is_some_and(|request| request.awaited.is_empty())
    }

    /// Whether this node has asked and is not inside yet.
    pub fn is_requesting(&self) -> bool {
        self.request.as_ref().is_some_and(|request| !request.awaited.is_empty())
    }

    fn ask(&mut self, cx: &mut Context<'_, Self>) {
        self.highest_sequence_number += 1;
        let sequence_number = self.highest_sequence_number;
        self.request = Some(Request { sequence_number, awaited: self.others.clone() });
        cx.broadcast(&self.others, Message::Request { sequence_number });
        self.enter_if_all_replied(cx);
    }

    fn on_request(&mut self, from: NodeId, sequence_number: u64, cx: &mut Context<'_, Self>) {
        if sequence_number > SEQUENCE_NUMBER_MAX {
            return cx.note("ignored: sequence number out of range", sequence_number);
        }
        if self.config.keeps(Rule::Clock) {
            self.highest_sequence_number = self.highest_sequence_number.max(sequence_number);
        }
        if self.is_ahead_of(from, sequence_number) {
            self.deferred.insert(from);
        } else {
            cx.send(from, Message::Reply);
        }
    }

    /// Whether this node wants to enter, or is inside, and comes before that request. A node inside always does: all
    /// others replied, so each has seen its number, and asks with a greater one.
    fn is_ahead_of(&self, from: NodeId, sequence_number: u64) -> bool {
        let Some(request) = &self.request else { return false };
        match self.config.without {
            Some(Rule::Order) => false,
            Some(Rule::TieBreak) => request.sequence_number < sequence_number,
            Some(Rule::TieBreakDeferring) => request.sequence_number <= sequence_number,
            _ => (request.sequence_number, self.id) < (sequence_number, from),
        }
    }

    fn on_reply(&mut self, from: NodeId, cx: &mut Context<'_, Self>) {
        let was_awaited = self.request.as_mut().is_some_and(|request| request.awaited.remove(&from));
        if !was_awaited {
            return cx.note("ignored: an unexpected reply", from.0);
        }
        self.enter_if_all_replied(cx);
    }

    fn enter_if_all_replied(&mut self, cx: &mut Context<'_, Self>) {
        if self.is_inside() {
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
