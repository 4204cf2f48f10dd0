//! Mutual exclusion by quorums, after Maekawa (1985), with the cure of Sanders (1987).
//!
//! # The problem
//!
//! N nodes share a resource that only one at a time may use. Ricart and Agrawala ask all other nodes: 2(N-1) messages per
//! entry. Is there a solution without a special node that asks fewer?
//!
//! # The idea
//!
//! A node asks only its **voting set** (Maekawa: its *district*). Any two voting sets share a node, and that node, the
//! **arbiter** between the two, has one vote. A node is inside when it has the vote of every member of its set, so two
//! nodes are never inside at once. The sets are small: K nodes each, where each node belongs to K sets, gives
//! N = K(K-1) + 1, so **K is about the square root of N** (paper, section 2). Such sets are the lines of a finite
//! projective plane. Here they are known for N = 3, 7, 13, 21 and 31; for another N the nodes form a square, and the
//! set of a node is its row and its column, about twice as many.
//!
//! # Deadlock, and its cure
//!
//! Votes are locks, and several nodes that each collect K locks may wait in a circle: n1 has the vote of n1, n2 that of n2,
//! n3 that of n3, and each needs one more (rule `inquire`). So requests are ordered by a **timestamp**, a Lamport clock
//! with the name, and an arbiter that gave its vote to the later of two requests asks for it back:
//!
//! 1. An arbiter whose vote is given queues a request, in the order of timestamps. If the holder of the vote or another
//!    request in the queue is earlier, it answers `Failed`; otherwise it sends `Inquire` to the holder, once.
//! 2. A holder that received a `Failed`, or gave back another vote and has not got it again, gives the vote back
//!    (`Relinquish`). A holder that may still succeed waits until it knows. One that is inside answers by its `Release`.
//!
//! That is Maekawa's algorithm, and it **still has a deadlock**, which Sanders found. A request that was the earliest when
//! it came has got no `Failed`. When an earlier one overtakes it in the queue, its node continues to believe that it may
//! succeed, and gives no vote back; the earlier node may wait for one of these. The cure: the arbiter sends `Failed` to the
//! request that was overtaken, too (rule `overtaken`).
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Request n` | I want to enter; my sequence number is n |
//! | `Locked` | you have my vote |
//! | `Failed` | an earlier request has my vote, or will have it before you |
//! | `Inquire` | an earlier request needs my vote: give it back unless you succeed |
//! | `Relinquish` | here it is; I continue to wait for it |
//! | `Release` | I have left |
//!
//! A node's messages to itself are calls, and not counted. Without contention an entry takes K-1 each of `Request`, `Locked`
//! and `Release`: 3(K-1). With contention a request that is queued adds a `Failed`; one that takes the vote from a
//! later one adds `Inquire`, `Relinquish` and the second `Locked` to the node that gave it back: 6(K-1) at most.
//!
//! # A run
//!
//! ```text
//!   n1 {n1, n2}              n2 {n2, n3}              n3 {n3, n1}
//!   enter                    enter                    enter       each has its own vote
//!    |------ Request 1 ------->|------ Request 1 ------->|
//!    |<---------------------------------- Request 1 -----|
//!    |                         |                         |   n2: 1.n1 is before 1.n2, its own: it inquires of itself
//!    |                         |<------- (Inquire) ------|   n3: 1.n2 is before 1.n3: it inquires of itself
//!    |---------------------------------- Failed -------->|   n1: 1.n3 is after 1.n1
//!    |                         |<------- Locked ---------|   n3 failed at n1: it gives its own vote back
//!    |                        entered                    |
//!    |                        left                       |
//!    |<------ Locked ----------|------- Release -------->|
//!   entered                    |                         |
//! ```
//!
//! # Why it is safe
//!
//! *Mutual exclusion* (paper, section 4): the sets of any two nodes share an arbiter, which gives its vote to one of them, and
//! to the other only after a `Release` or a `Relinquish` of the first; a node inside relinquishes nothing.
//!
//! *No starvation* (Sanders 1987): consider the earliest of all requests. At each of its arbiters it is given the vote, or
//! the holder is later and gets an `Inquire`. A holder that waits for the vote of another arbiter is not the earliest there
//! or soon has it; in the first case it has received a `Failed`, and relinquishes. So the earliest request succeeds.
//!
//! # Caveats
//!
//! - **Links must be FIFO and lose nothing**: a `Failed` that arrives after the `Locked` that followed it would make a
//!   node give back a vote for nothing, and an `Inquire` that arrives before its `Locked` is not understood. Where links
//!   break, run the protocol over `volvox-channel`.
//! - One crash stops only the nodes whose voting sets contain the crashed node, K of N, and the nodes that wait for votes
//!   which these have. A node that returns has forgotten to whom it gave its vote, so its arbiters may let two nodes in.
//!
//! # References
//!
//! M. Maekawa: *A sqrt(N) algorithm for mutual exclusion in decentralized systems*, ACM TOCS 3(2), 1985.
//! B. Sanders: *The information structure of distributed mutual exclusion algorithms*, ACM TOCS 5(3), 1987.

mod message;
mod properties;
mod voting_sets;

pub use crate::section::{Command, Event, History};
pub use message::{Message, Timer, Timestamp};
pub use properties::properties;
pub use voting_sets::voting_set;

use alloc::collections::BTreeSet;
use core::convert::Infallible;
use core::mem::take;
use volvox_core::{Context, Duration, NodeId, Process, rules};

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
    Intersection = "intersection": "any two voting sets share a node" / "sets are disjoint, and two nodes are inside",
    OneVote = "one-vote": "an arbiter gives its vote to one request at a time" / "two nodes are inside",
    Keep = "keep": "a node that may succeed keeps its votes" / "a node inside gives a vote back, and two are inside",
    Failed = "failed": "a request that must wait is answered by Failed" / "no node relinquishes, and all wait forever",
    Inquire = "inquire": "a vote that an earlier request needs is asked back" / "three nodes wait in a circle",
    Overtaken = "overtaken": "a queued request that is overtaken is answered by Failed, too" /
        "its node keeps its votes, and two nodes wait forever",
}

/// One node: it wants to enter, and it is an arbiter between others.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Maekawa {
    id: NodeId,
    config: Config,
    members: BTreeSet<NodeId>,
    voting_set: BTreeSet<NodeId>,
    /// The greatest sequence number of any request, received or made.
    highest_sequence_number: u64,
    /// This node's request, from asking until leaving.
    request: Option<Request>,
    /// Entries requested while one is in progress.
    waiting: u32,
    /// As an arbiter: the request that has the vote.
    locked: Option<Timestamp>,
    /// As an arbiter: whether the holder of the vote was sent an `Inquire`.
    has_inquired: bool,
    /// As an arbiter: the requests that wait for the vote, the earliest first.
    queue: BTreeSet<Timestamp>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Request {
    /// The arbiters of the voting set whose votes are missing. The node is inside when there are none.
    missing: BTreeSet<NodeId>,
    /// Those of them that answered `Failed`, or were given their vote back.
    failed: BTreeSet<NodeId>,
    /// The arbiters that asked for their vote, and have no answer yet.
    inquiries: BTreeSet<NodeId>,
}

impl Process for Maekawa {
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Infallible;
    type Command = Command;
    type Event = Event;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> Maekawa {
        Maekawa {
            id,
            config: *config,
            members: members.iter().copied().collect(),
            voting_set: voting_set(id, members, config.keeps(Rule::Intersection)),
            highest_sequence_number: 0,
            request: None,
            waiting: 0,
            locked: None,
            has_inquired: false,
            queue: BTreeSet::new(),
        }
    }

    fn on_start(&mut self, _: &mut Context<'_, Self>) {}

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        if !self.members.contains(&from) {
            return cx.note("ignored: not from a member", from.0);
        }
        match message {
            Message::Request { sequence_number } => self.on_request(Timestamp { sequence_number, node: from }, cx),
            Message::Locked => self.on_locked(from, cx),
            Message::Failed => self.on_failed(from, cx),
            Message::Inquire => self.on_inquire(from, cx),
            Message::Relinquish => self.on_relinquish(from, cx),
            Message::Release => self.on_release(from, cx),
        }
    }

    fn on_timer(&mut self, Timer::Leave: Timer, cx: &mut Context<'_, Self>) {
        assert!(self.request.is_some(), "{} leaves, and has not asked", self.id);
        self.request = None;
        cx.emit(Event::Left);
        self.send_to_voting_set(Message::Release, cx);
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

/// A node that wants to enter.
impl Maekawa {
    /// Whether this node is in the critical section.
    pub fn is_inside(&self) -> bool {
        self.request.as_ref().is_some_and(|request| request.missing.is_empty())
    }

    /// The number of votes that this node has, while it wants to enter.
    pub fn votes(&self) -> Option<usize> {
        self.request.as_ref().map(|request| self.voting_set.len() - request.missing.len())
    }

    /// The node that has this node's vote.
    pub fn locked_for(&self) -> Option<NodeId> {
        self.locked.map(|request| request.node)
    }

    fn ask(&mut self, cx: &mut Context<'_, Self>) {
        self.highest_sequence_number += 1;
        let missing = self.voting_set.clone();
        self.request = Some(Request { missing, failed: BTreeSet::new(), inquiries: BTreeSet::new() });
        self.send_to_voting_set(Message::Request { sequence_number: self.highest_sequence_number }, cx);
    }

    fn on_locked(&mut self, from: NodeId, cx: &mut Context<'_, Self>) {
        let Some(request) = self.request.as_mut().filter(|request| request.missing.contains(&from)) else {
            return cx.note("ignored: its vote is not missing", from.0);
        };
        request.missing.remove(&from);
        request.failed.remove(&from);
        if self.is_inside() {
            cx.emit(Event::Entered);
            cx.set_timer(Timer::Leave, self.config.stay);
        }
    }

    fn on_failed(&mut self, from: NodeId, cx: &mut Context<'_, Self>) {
        let Some(request) = self.request.as_mut().filter(|request| request.missing.contains(&from)) else {
            return cx.note("ignored: its vote is not missing", from.0);
        };
        request.failed.insert(from);
        self.answer_inquiries(cx);
    }

    fn on_inquire(&mut self, from: NodeId, cx: &mut Context<'_, Self>) {
        let has_vote = |request: &&mut Request| self.voting_set.contains(&from) && !request.missing.contains(&from);
        let Some(request) = self.request.as_mut().filter(has_vote) else {
            return cx.note("ignored: it has its vote back already", from.0);
        };
        request.inquiries.insert(from);
        self.answer_inquiries(cx);
    }

    /// Gives back the votes that were asked for, if this node cannot succeed before it gets another. A node that is
    /// inside has not failed anywhere, and answers by its release.
    fn answer_inquiries(&mut self, cx: &mut Context<'_, Self>) {
        let keeps = self.config.keeps(Rule::Keep);
        let Some(request) = self.request.as_mut().filter(|request| !request.failed.is_empty() || !keeps) else {
            return;
        };
        let inquiries = take(&mut request.inquiries);
        request.missing.extend(&inquiries);
        request.failed.extend(&inquiries);
        for arbiter in inquiries {
            self.send(arbiter, Message::Relinquish, cx);
        }
    }
}

/// An arbiter.
impl Maekawa {
    fn on_request(&mut self, request: Timestamp, cx: &mut Context<'_, Self>) {
        if request.sequence_number > SEQUENCE_NUMBER_MAX {
            return cx.note("ignored: sequence number out of range", request.sequence_number);
        }
        if self.queue.iter().any(|waiting| waiting.node == request.node) {
            return cx.note("ignored: it waits already", request.node.0);
        }
        self.highest_sequence_number = self.highest_sequence_number.max(request.sequence_number);
        let Some(holder) = self.locked.filter(|_| self.config.keeps(Rule::OneVote)) else {
            return self.lock_for(request, cx);
        };
        let first = self.queue.first().copied();
        self.queue.insert(request);
        if holder < request || first.is_some_and(|first| first < request) {
            return self.fail(request, cx);
        }
        if let Some(overtaken) = first.filter(|first| *first < holder)
            && self.config.keeps(Rule::Overtaken)
        {
            self.fail(overtaken, cx);
        }
        if !self.has_inquired && self.config.keeps(Rule::Inquire) {
            self.has_inquired = true;
            self.send(holder.node, Message::Inquire, cx);
        }
    }

    fn fail(&mut self, request: Timestamp, cx: &mut Context<'_, Self>) {
        if self.config.keeps(Rule::Failed) {
            self.send(request.node, Message::Failed, cx);
        }
    }

    fn lock_for(&mut self, request: Timestamp, cx: &mut Context<'_, Self>) {
        self.locked = Some(request);
        self.has_inquired = false;
        self.send(request.node, Message::Locked, cx);
    }

    fn on_relinquish(&mut self, from: NodeId, cx: &mut Context<'_, Self>) {
        let Some(holder) = self.locked.filter(|holder| holder.node == from) else {
            return cx.note("ignored: it does not have the vote", from.0);
        };
        self.queue.insert(holder);
        self.lock_for_first(cx);
    }

    fn on_release(&mut self, from: NodeId, cx: &mut Context<'_, Self>) {
        if self.locked_for() != Some(from) {
            return cx.note("ignored: it does not have the vote", from.0);
        }
        self.lock_for_first(cx);
    }

    fn lock_for_first(&mut self, cx: &mut Context<'_, Self>) {
        self.locked = None;
        if let Some(first) = self.queue.pop_first() {
            self.lock_for(first, cx);
        }
    }

    fn send_to_voting_set(&mut self, message: Message, cx: &mut Context<'_, Self>) {
        for arbiter in self.voting_set.clone() {
            self.send(arbiter, message, cx);
        }
    }

    /// Sends, or handles a message to this node itself by a call.
    fn send(&mut self, to: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        if to == self.id { self.on_message(to, message, cx) } else { cx.send(to, message) }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config { stay: Duration::from_millis(10), without: None }
    }
}
