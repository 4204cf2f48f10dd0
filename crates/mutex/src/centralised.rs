//! Mutual exclusion by asking one node: the coordinator.
//!
//! # The problem
//!
//! N nodes share something that one at a time may use. What is the simplest that works, and what does it lack?
//!
//! # The idea
//!
//! One node, the **coordinator**, gives permission. Who wants in asks it; if nobody is inside it grants, and otherwise
//! puts the request at the end of a queue. Who leaves says so, and the first of the queue is granted.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Request` | I want to enter |
//! | `Queued n` | I heard you; n others come before you |
//! | `Granted` | enter |
//! | `Release` | I have left |
//!
//! Three an entry when it is free: request, grant, release. Two delays until the entry, and two from a leaving to the
//! next entry.
//!
//! # A run
//!
//! ```text
//!   n2                     n1, coordinator            n3
//!    |------- Request ------>|                         |
//!    |<------ Granted -------|<------- Request --------|
//!   entered                  |-------- Queued 1 ------>|   heard, and alive
//!    |                       |                         |
//!   left                     |                         |
//!    |------- Release ------>|-------- Granted ------->|
//!    |                       |                        entered
//! ```
//!
//! # Why it is safe
//!
//! *One at a time*: one node decides, and grants only when the last that it granted has left. *First come, first served*:
//! the queue is in the order of arrival, at the coordinator; that need not be the order of asking.
//!
//! # Caveats
//!
//! - The course notes let a busy coordinator say nothing, so that the asker cannot tell "wait" from "dead". Here it
//!   answers at once, and repeats the answer: an asker that hears nothing for long knows that the coordinator, or the way
//!   to it, is gone. It keeps waiting, since nobody may grant in its place.
//! - "Guaranteed correctness" ends where a holder dies: it is **not** replaced, since who is silent may still be inside.
//!   Who wants to go on nonetheless needs a lease and a fencing number: [`crate::leases`].
//! - The coordinator is one node: when it dies, all wait; its queue is in memory, so it must not come back as if nothing
//!   had been. Who becomes the next coordinator is an election.
//! - Every message arrives; the order does not matter. Links of this house lose only what is under way when they break.
//!
//! # References
//!
//! M. van Steen, A. Tanenbaum: *Distributed Systems*, 3rd edition, section 6.3: the centralised algorithm.

use crate::section::{Enter, Section, Sections, one_at_a_time, who_asks_enters};
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;
use volvox_core::{
    Context, Decode, DecodeError, Duration, Encode, MessageKind, NodeId, Picture, Process, Property, Reader, When,
};

/// So many entries may wait at one node.
const WAITING_MAX: u32 = 1_024;

/// What is fixed for the life of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// How long a node stays inside.
    pub stay: Duration,
    /// How often the coordinator repeats `Queued` to those who wait; `None` for once.
    pub repeat: Option<Duration>,
    /// A rule that is taken out, to see what it was for.
    pub without: Option<Rule>,
}

/// The rules that can be taken out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rule {
    /// While somebody is inside, requests are queued; without it they are granted.
    Queue,
    /// The first of the queue is next; without it the last is.
    FirstCome,
    /// Who leaves says so; without it the others wait for ever.
    Release,
}

/// What a node and the coordinator say to one another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// I want to enter.
    Request,
    /// I heard you.
    Queued {
        /// How many come before you, whoever is inside included.
        ahead: u64,
    },
    /// Enter.
    Granted,
    /// I have left.
    Release,
}

/// The timers of a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// The stay inside is over.
    Leave,
    /// The coordinator tells those who wait that it lives.
    Repeat,
    /// The coordinator was not heard for too long.
    Silence,
}

/// Where a node is on its way through the critical section.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Place {
    /// It wants nothing.
    Outside,
    /// It asked.
    Waiting,
    /// It is inside.
    Inside,
}

/// A request, in the order of arrival.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Arrival {
    number: u64,
    from: NodeId,
}

/// One node; the first of all is the coordinator, and may want in as well.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Centralised {
    id: NodeId,
    coordinator: NodeId,
    nodes_max: usize,
    config: Config,
    place: Place,
    /// Entries that were asked for while one is under way.
    waiting: u32,
    /// Of the coordinator: how many requests arrived.
    arrived: u64,
    /// Of the coordinator: whoever was granted and has not released.
    holder: Option<Arrival>,
    /// Of the coordinator: who waits.
    queue: VecDeque<Arrival>,
}

impl Process for Centralised {
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Infallible;
    type Command = Enter;
    type Event = Section;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> Centralised {
        Centralised {
            id,
            coordinator: members.iter().copied().min().unwrap_or(id),
            nodes_max: members.len(),
            config: *config,
            place: Place::Outside,
            waiting: 0,
            arrived: 0,
            holder: None,
            queue: VecDeque::new(),
        }
    }

    fn on_start(&mut self, _: &mut Context<'_, Self>) {}

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        let coordinates = self.id == self.coordinator;
        match message {
            Message::Request if coordinates => self.on_request(from, cx),
            Message::Release if coordinates => self.on_release(from, cx),
            Message::Queued { .. } if from == self.coordinator => self.on_queued(cx),
            Message::Granted if from == self.coordinator => self.on_granted(cx),
            _ => cx.note("ignored: not for this node, or not from the coordinator", from.0),
        }
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut Context<'_, Self>) {
        match timer {
            Timer::Leave => self.on_leave(cx),
            Timer::Repeat => self.on_repeat(cx),
            Timer::Silence => cx.note("the coordinator is silent", self.coordinator.0),
        }
    }

    fn on_command(&mut self, Enter: Enter, cx: &mut Context<'_, Self>) {
        if self.waiting >= WAITING_MAX {
            return cx.note("refused: too many entries wait", u64::from(self.waiting));
        }
        cx.emit(Section::Asked);
        if self.place == Place::Outside {
            self.ask(cx);
        } else {
            self.waiting += 1;
        }
    }

    fn view(&self) {}
}

impl Centralised {
    /// Where it is.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Whether it is the coordinator.
    pub fn is_coordinator(&self) -> bool {
        self.id == self.coordinator
    }

    /// How many wait, as the coordinator knows.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    fn ask(&mut self, cx: &mut Context<'_, Self>) {
        self.place = Place::Waiting;
        // Nobody sends to oneself: the coordinator asks itself by a call.
        if self.is_coordinator() {
            return self.on_request(self.id, cx);
        }
        cx.send(self.coordinator, Message::Request);
        self.listen(cx);
    }

    /// From now on the coordinator should be heard, again and again.
    fn listen(&self, cx: &mut Context<'_, Self>) {
        if let Some(repeat) = self.config.repeat {
            cx.set_timer(Timer::Silence, repeat * 4);
        }
    }

    fn on_queued(&mut self, cx: &mut Context<'_, Self>) {
        if self.place == Place::Waiting {
            self.listen(cx);
        }
    }

    fn on_granted(&mut self, cx: &mut Context<'_, Self>) {
        if self.place != Place::Waiting {
            return cx.note("ignored: a grant that nobody awaits", self.coordinator.0);
        }
        self.place = Place::Inside;
        cx.cancel_timer(Timer::Silence);
        cx.emit(Section::Entered);
        cx.set_timer(Timer::Leave, self.config.stay);
    }

    fn on_leave(&mut self, cx: &mut Context<'_, Self>) {
        assert!(self.place == Place::Inside, "{} leaves, and is not inside", self.id);
        self.place = Place::Outside;
        cx.emit(Section::Left);
        if self.config.without == Some(Rule::Release) {
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

    fn on_request(&mut self, from: NodeId, cx: &mut Context<'_, Self>) {
        if self.queue.iter().any(|arrival| arrival.from == from) || self.queue.len() >= self.nodes_max {
            return cx.note("ignored: it waits already", from.0);
        }
        self.arrived += 1;
        let arrival = Arrival { number: self.arrived, from };
        if self.holder.is_none() || self.config.without == Some(Rule::Queue) {
            return self.grant(arrival, cx);
        }
        self.queue.push_back(arrival);
        if from != self.id {
            cx.send(from, Message::Queued { ahead: self.queue.len() as u64 });
        }
        if let Some(repeat) = self.config.repeat.filter(|_| self.queue.len() == 1) {
            cx.set_timer(Timer::Repeat, repeat);
        }
    }

    fn grant(&mut self, arrival: Arrival, cx: &mut Context<'_, Self>) {
        self.holder = Some(arrival);
        if arrival.from == self.id {
            self.on_granted(cx);
        } else {
            cx.send(arrival.from, Message::Granted);
        }
    }

    fn on_release(&mut self, from: NodeId, cx: &mut Context<'_, Self>) {
        if self.holder.is_none_or(|holder| holder.from != from) {
            return cx.note("ignored: a release of what it does not hold", from.0);
        }
        self.holder = None;
        let last_come = self.config.without == Some(Rule::FirstCome);
        if let Some(next) = if last_come { self.queue.pop_back() } else { self.queue.pop_front() } {
            self.grant(next, cx);
        }
    }

    fn on_repeat(&mut self, cx: &mut Context<'_, Self>) {
        let Some(repeat) = self.config.repeat.filter(|_| !self.queue.is_empty()) else { return };
        for (place, arrival) in self.queue.iter().enumerate().filter(|(_, arrival)| arrival.from != self.id) {
            cx.send(arrival.from, Message::Queued { ahead: place as u64 + 1 });
        }
        cx.set_timer(Timer::Repeat, repeat);
    }
}

/// What must hold.
pub fn properties() -> Vec<Property<Centralised, Sections>> {
    vec![
        one_at_a_time("van Steen and Tanenbaum, 6.3; MTX-01"),
        Property {
            name: "first come, first served",
            source: "van Steen and Tanenbaum, 6.3; MTX-01",
            when: When::Always,
            holds: is_first_come,
        },
        who_asks_enters("van Steen and Tanenbaum, 6.3; MTX-01"),
    ]
}

fn is_first_come(picture: &Picture<'_, Centralised, Sections>) -> Result<(), String> {
    for (_, node) in picture.nodes {
        let Some(holder) = node.holder else { continue };
        if let Some(earlier) = node.queue.iter().find(|arrival| arrival.number < holder.number) {
            return Err(format!("{} came before {}, and waits", earlier.from, holder.from));
        }
    }
    Ok(())
}

impl Rule {
    /// The rule of this name on the command line.
    pub fn named(name: &str) -> Option<Rule> {
        match name {
            "queue" => Some(Rule::Queue),
            "first-come" => Some(Rule::FirstCome),
            "release" => Some(Rule::Release),
            _ => None,
        }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config { stay: Duration::from_millis(10), repeat: Some(Duration::from_millis(50)), without: None }
    }
}

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Request => "Request",
            Message::Queued { .. } => "Queued",
            Message::Granted => "Granted",
            Message::Release => "Release",
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Queued { ahead } => write!(f, "Queued {ahead}"),
            other => f.write_str(other.kind()),
        }
    }
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Message::Request => 1u8.encode(out),
            Message::Queued { ahead } => (2u8, *ahead).encode(out),
            Message::Granted => 3u8.encode(out),
            Message::Release => 4u8.encode(out),
        }
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Message, DecodeError> {
        match input.u8()? {
            1 => Ok(Message::Request),
            2 => Ok(Message::Queued { ahead: input.varint()? }),
            3 => Ok(Message::Granted),
            4 => Ok(Message::Release),
            other => Err(DecodeError::Unknown("message of the coordinator", u64::from(other))),
        }
    }
}
