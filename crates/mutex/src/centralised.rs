//! Mutual exclusion by a coordinator.
//!
//! # The problem
//!
//! N nodes share a resource that only one at a time may use. What is the simplest solution that works, and what does it
//! lack?
//!
//! # The idea
//!
//! One node, the **coordinator**, grants permission. A node that wants to enter asks it; if no node is inside the
//! coordinator grants, and otherwise appends the request to a queue. A node that leaves tells the coordinator, which
//! grants the first of the queue.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Request r` | I want to enter; this is my r-th request |
//! | `Queued r n` | I received your r-th request; at most n entries by others come before it |
//! | `Granted` | enter |
//! | `Release` | I have left |
//!
//! Three messages per entry when it is free: request, grant, release. Two message delays until the entry, and two from
//! one node's exit to the next entry.
//!
//! # A run
//!
//! ```text
//!   n2                     n1, coordinator            n3
//!    |------ Request 1 ----->|                         |
//!    |<------ Granted -------|<------ Request 1 -------|
//!   entered                  |------- Queued 1 1 ----->|   heard, and alive
//!    |                       |                         |
//!   left                     |                         |
//!    |------- Release ------>|-------- Granted ------->|
//!    |                       |                        entered
//! ```
//!
//! # Why it is safe
//!
//! *Mutual exclusion*: one node decides, and grants only when the last node that it granted has left. *First come,
//! first served*: the queue is in the order of arrival, at the coordinator; that need not be the order of asking.
//! `Queued n` is a promise that can be checked: at most n entries by others from then on.
//!
//! # Caveats
//!
//! - In many textbooks a busy coordinator does not answer, so that a requester cannot tell "wait" from "dead". Here it
//!   answers at once, and repeats the answer: a requester that receives nothing for a long time suspects that the
//!   coordinator, or the link to it, has failed. It keeps waiting, since no other node may grant instead.
//! - "Guaranteed correctness" ends where a holder dies: it is **not** replaced, since a silent node may still be
//!   inside. To proceed nevertheless takes a lease and a fencing token: [`crate::leases`].
//! - The coordinator is one node: when it dies, all wait; its queue is in memory, so it must not return as if nothing
//!   had happened. Choosing the next coordinator takes an election.
//! - Every message must arrive exactly once; the order does not matter. Since the grant that follows a `Queued` may
//!   overtake it, `Queued` names the request that it answers; otherwise it would be mistaken for an answer to the next
//!   one.
//!
//! # References
//!
//! M. van Steen, A. Tanenbaum: *Distributed Systems*, 3rd edition, section 6.3: the centralised algorithm.

mod properties;

pub use crate::section::{Command, Event, History};
pub use properties::properties;

use alloc::collections::VecDeque;
use core::convert::Infallible;
use volvox_core::{Context, Duration, NodeId, Process, Serial, Serials, payload, rules};

/// The most entries that may wait at one node.
const WAITING_MAX: u32 = 1_024;

/// The configuration, fixed for the life of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// How long a node stays inside.
    pub stay: Duration,
    /// How often the coordinator repeats `Queued` to those who wait; `None` for once.
    pub repeat: Option<Duration>,
    /// A rule to remove, to see what it is for.
    pub without: Option<Rule>,
}

rules! {
    /// The removable rules.
    pub enum Rule of Config;
    Queue = "queue": "while a node is inside, requests are queued" / "two nodes are inside",
    FirstCome = "first-come": "the first of the queue is next" / "a node that came first may wait",
    Release = "release": "a node that leaves says so" / "the other nodes wait forever",
}

/// The messages between a node and the coordinator.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// I want to enter.
    Request {
        /// Names the request forever.
        number: Serial,
    },
    /// I received your request.
    Queued {
        /// The request that it answers.
        number: Serial,
        /// The most entries by others that come before it, including that of the node inside.
        ahead: u64,
    },
    /// Enter.
    Granted,
    /// I have left.
    Release,
}

payload! { Message: "message of the coordinator";
    1 Request { number }       => "Request {number}",
    2 Queued { number, ahead } => "Queued {number} {ahead}",
    3 Granted                  => "Granted",
    4 Release                  => "Release",
}

/// The timers of a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// The stay inside is over.
    Leave,
    /// The coordinator tells the waiting nodes that it is alive.
    Repeat,
    /// The coordinator has been silent for too long.
    Silence,
}

payload! { Timer; Leave, Repeat, Silence }

/// The state of a node with respect to the critical section.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Place {
    /// It does not want to enter.
    Outside,
    /// It has sent a request and waits.
    Waiting,
    /// It is inside.
    Inside,
}

/// One node; the first of all nodes is the coordinator, which may want to enter as well.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Centralised {
    id: NodeId,
    coordinator: NodeId,
    nodes_max: usize,
    config: Config,
    place: Place,
    /// The numbers of its requests, and the last.
    requests: Serials,
    asked: Option<Serial>,
    /// The coordinator's last answer to the open request: how many entries come before it.
    ahead: Option<u64>,
    /// Whether it waits and has received nothing from the coordinator for too long.
    suspects: bool,
    /// Entries requested while one is in progress.
    waiting: u32,
    /// On the coordinator: the node that was granted entry and has not released it.
    holder: Option<NodeId>,
    /// On the coordinator: the waiting nodes with the numbers of their requests, in the order of arrival.
    queue: VecDeque<(NodeId, Serial)>,
}

impl Process for Centralised {
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Infallible;
    type Command = Command;
    type Event = Event;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> Centralised {
        Centralised {
            id,
            coordinator: members.iter().copied().min().unwrap_or(id),
            nodes_max: members.len(),
            config: *config,
            place: Place::Outside,
            requests: Serials::default(),
            asked: None,
            ahead: None,
            suspects: false,
            waiting: 0,
            holder: None,
            queue: VecDeque::new(),
        }
    }

    fn on_start(&mut self, cx: &mut Context<'_, Self>) {
        self.requests = Serials::of(cx.boot());
        cx.emit(Event::Started);
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        let coordinates = self.id == self.coordinator;
        match message {
            Message::Request { number } if coordinates => self.on_request(from, number, cx),
            Message::Release if coordinates => self.on_release(from, cx),
            Message::Queued { number, ahead } if from == self.coordinator => self.on_queued(number, ahead, cx),
            Message::Granted if from == self.coordinator => self.on_granted(cx),
            _ => cx.note("ignored: not for this node, or not from the coordinator", from.0),
        }
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut Context<'_, Self>) {
        match timer {
            Timer::Leave => self.on_leave(cx),
            Timer::Repeat => self.on_repeat(cx),
            Timer::Silence => {
                self.suspects = true;
                cx.note("the coordinator is silent", self.coordinator.0);
            }
        }
    }

    fn on_command(&mut self, Command::Enter: Command, cx: &mut Context<'_, Self>) {
        if self.waiting >= WAITING_MAX {
            return cx.note("refused: too many entries wait", u64::from(self.waiting));
        }
        cx.emit(Event::Asked);
        if self.place == Place::Outside {
            self.ask(cx);
        } else {
            self.waiting += 1;
        }
    }

    fn view(&self) {}
}

impl Centralised {
    /// The state of this node.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Whether this node is the coordinator.
    pub fn is_coordinator(&self) -> bool {
        self.id == self.coordinator
    }

    /// Whether this node waits and suspects that the coordinator, or the link to it, has failed.
    pub fn suspects_coordinator(&self) -> bool {
        self.suspects
    }

    /// How many entries come before that of this node, by the coordinator's last answer to its open request.
    pub fn ahead(&self) -> Option<u64> {
        self.ahead
    }

    /// The number of waiting nodes, as the coordinator knows.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    fn ask(&mut self, cx: &mut Context<'_, Self>) {
        self.place = Place::Waiting;
        let number = self.requests.issue();
        self.asked = Some(number);
        // No node sends to itself: the coordinator handles its own request by a call.
        if self.is_coordinator() {
            return self.on_request(self.id, number, cx);
        }
        cx.send(self.coordinator, Message::Request { number });
        self.listen(cx);
    }

    /// From now on the coordinator should send repeatedly.
    fn listen(&self, cx: &mut Context<'_, Self>) {
        if let Some(repeat) = self.config.repeat {
            cx.set_timer(Timer::Silence, repeat * 4);
        }
    }

    fn on_queued(&mut self, number: Serial, ahead: u64, cx: &mut Context<'_, Self>) {
        if self.place != Place::Waiting || self.asked != Some(number) {
            return cx.note("ignored: of a request that is over", number.count);
        }
        self.suspects = false;
        if self.ahead.is_none_or(|known| ahead < known) {
            self.ahead = Some(ahead);
            cx.emit(Event::Queued(ahead));
        }
        if !self.is_coordinator() {
            self.listen(cx);
        }
    }

    fn on_granted(&mut self, cx: &mut Context<'_, Self>) {
        if self.place != Place::Waiting {
            return cx.note("ignored: an unexpected grant", self.coordinator.0);
        }
        self.place = Place::Inside;
        (self.ahead, self.suspects) = (None, false);
        cx.cancel_timer(Timer::Silence);
        cx.emit(Event::Entered);
        cx.set_timer(Timer::Leave, self.config.stay);
    }

    fn on_leave(&mut self, cx: &mut Context<'_, Self>) {
        assert!(self.place == Place::Inside, "{} leaves, and is not inside", self.id);
        self.place = Place::Outside;
        cx.emit(Event::Left);
        if !self.config.keeps(Rule::Release) {
            cx.note("leaves without a word", 0);
        } else if self.is_coordinator() {
            self.on_release(self.id, cx);
        } else {
            cx.send(self.coordinator, Message::Release);
        }
        if self.waiting > 0 {
            self.waiting -= 1;
            self.ask(cx);
        }
    }

    fn on_request(&mut self, from: NodeId, number: Serial, cx: &mut Context<'_, Self>) {
        if self.queue.iter().any(|(node, _)| *node == from) || self.queue.len() >= self.nodes_max {
            return cx.note("ignored: it waits already", from.0);
        }
        if self.holder.is_none() || !self.config.keeps(Rule::Queue) {
            return self.grant(from, cx);
        }
        self.queue.push_back((from, number));
        // The node inside, and the nodes that already waited.
        let ahead = self.queue.len() as u64;
        if from == self.id {
            self.on_queued(number, ahead, cx);
        } else {
            cx.send(from, Message::Queued { number, ahead });
        }
        if let Some(repeat) = self.config.repeat.filter(|_| self.queue.len() == 1) {
            cx.set_timer(Timer::Repeat, repeat);
        }
    }

    fn grant(&mut self, to: NodeId, cx: &mut Context<'_, Self>) {
        self.holder = Some(to);
        if to == self.id {
            self.on_granted(cx);
        } else {
            cx.send(to, Message::Granted);
        }
    }

    fn on_release(&mut self, from: NodeId, cx: &mut Context<'_, Self>) {
        if self.holder != Some(from) {
            return cx.note("ignored: a release of what it does not hold", from.0);
        }
        self.holder = None;
        let next = if self.config.keeps(Rule::FirstCome) { self.queue.pop_front() } else { self.queue.pop_back() };
        if let Some((next, _)) = next {
            self.grant(next, cx);
        }
    }

    fn on_repeat(&mut self, cx: &mut Context<'_, Self>) {
        let Some(repeat) = self.config.repeat.filter(|_| !self.queue.is_empty()) else { return };
        for (place, (node, number)) in self.queue.iter().enumerate().filter(|(_, (node, _))| *node != self.id) {
            cx.send(*node, Message::Queued { number: *number, ahead: place as u64 + 1 });
        }
        cx.set_timer(Timer::Repeat, repeat);
    }
}

impl Default for Config {
    fn default() -> Config {
        Config { stay: Duration::from_millis(10), repeat: Some(Duration::from_millis(50)), without: None }
    }
}
