//! Totally ordered multicast after Lamport: every process delivers the same messages in the same order.
//!
//! # The problem
//!
//! Two customers of a replicated account act at the same time: one pays in 100, the other adds 1 % of interest. Each
//! replica receives both, and if two replicas receive them in different orders, the accounts differ forever. The
//! replicas need one order that all of them follow, and no process decides it for them.
//!
//! # The idea
//!
//! Lamport's clocks give every message a stamp, and the stamps, with the ids of the processes to break ties, are a
//! total order. Every process could deliver in the order of stamps, if only it knew that no message with a smaller
//! stamp is still in flight. Acknowledgements tell it: links are FIFO and clocks only grow, so a process that has sent
//! something with a later stamp will never again send anything with an earlier one.
//!
//! 1. The sender stamps its message with (its clock, its id) and multicasts it to all, including itself.
//! 2. A process that receives a message puts it into its queue, in the order of stamps, and multicasts an
//!    acknowledgement, which has a later stamp.
//! 3. The head of the queue is delivered when something with a later stamp has come from every process.
//!
//! The message itself can count as its sender's acknowledgement, which saves N - 1 messages
//! ([`Config::sender_acknowledges`]).
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Multicast 3@n1 hello` | deliver `hello` in its place; the place is 3@n1 |
//! | `Ack 5` | my clock was 5: nothing earlier will come from me |
//!
//! # A run
//!
//! ```text
//!   n1                          n2                          n3
//!   multicast a: 1@n1           multicast b: 1@n2
//!     | --- Multicast 1@n1 a ---> queue: 1@n1 a, 1@n2 b
//!     | <-- Multicast 1@n2 b ---- |
//!   queue: the same             Ack 3 to both --------------> n3 has not heard of a:
//!   Ack 3 to both ----------------------------------------->  queue: 1@n2 b, and Ack 3 from n2
//!     |                           |   <--- Multicast 1@n1 a ---  is on its way, and before it
//!     |                           |        nothing of n1 came: b waits, although it is first here
//!   n3 acknowledges both: every process delivers a, then b
//! ```
//!
//! # Why it is safe
//!
//! *Total order.* A process delivers m when it has received something stamped later than m from every process p. Since
//! links are FIFO, everything that p sent before has arrived, and everything that p sends afterwards is stamped later
//! still. So everything stamped earlier than m is already in the queue or delivered, and the head of the queue is the
//! least. Every process therefore delivers in the order of stamps, without gaps, and two processes differ only in how
//! far they have come.
//!
//! *Causal order.* A process that has received m has a clock beyond the stamp of m; what it multicasts then is stamped
//! later, and comes later in the sequence of every process.
//!
//! *Validity*, while no process crashes: each message is acknowledged by each process, and delivered.
//!
//! # Caveats
//!
//! - Textbooks often say that the *sender* "sends a timestamped acknowledgement to all". The sender multicasts the
//!   message; each *receiver* multicasts the acknowledgement.
//! - Links must be FIFO and lose nothing: run it as `Channel<TotalOrder>` where they do. Over links that reorder
//!   messages two processes deliver in different orders: this is one of the models.
//! - The group is fixed, and one member that crashes stops all others forever, as they never receive anything later
//!   from it. It has no memory of a previous boot: a restarted process is unknown to its own group. A membership view
//!   would help, and is not built here.
//! - A process that is asked for more than [`OWN_MAX`] messages before they were delivered refuses. One whose queue is
//!   full ([`QUEUE_MAX`]) can neither drop a message nor continue: it stops for good, with a note.
//!
//! # References
//!
//! Lamport: *Time, clocks, and the ordering of events in a distributed system*, CACM 21(7), 1978: the clock rules IR1
//! and IR2, the order `=>`, and the queue with acknowledgements, there for mutual exclusion (rules 1 to 5).
//! Tanenbaum, van Steen: *Distributed systems*, section "Example: totally-ordered multicasting".

mod message;
mod properties;

pub use message::{Command, Event, Message, Stamp, TEXT_MAX, Text, Time, Timer};
pub use properties::{History, properties};

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::convert::Infallible;
use volvox_core::{Context, Duration, NodeId, Process, rules};

/// The most messages of its own that a process may wait for.
pub const OWN_MAX: usize = 1_024;

/// The most messages that a process keeps until it can deliver them.
pub const QUEUE_MAX: usize = 65_536;

/// How late a message is when FIFO is removed: longer than a round.
const LATE: Duration = Duration::from_millis(20);

/// The configuration, fixed for the life of a process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Config {
    /// Whether the sender of a message acknowledges it like every other process, or the message itself counts as its
    /// acknowledgement.
    pub sender_acknowledges: bool,
    /// The rule to remove, to see what it is for.
    pub without: Option<Rule>,
}

rules! {
    /// The removable rules.
    pub enum Rule of Config;
    Acknowledgements = "acknowledgements": "a message waits until every process has acknowledged it" /
        "each process delivers messages as they arrive, in its own order",
    Fifo = "fifo": "links keep the order" / "an acknowledgement overtakes an earlier message, which then arrives too late",
}

/// One process of the group.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TotalOrder {
    id: NodeId,
    config: Config,
    /// Lamport's clock: grows with every message sent or received.
    clock: Time,
    /// The messages that cannot be delivered yet, in the order of stamps.
    queue: BTreeMap<Stamp, Text>,
    /// The latest stamp of each member, this one included: nothing earlier will come from it.
    heard: BTreeMap<NodeId, Time>,
    /// How many messages in the queue are this process's own.
    own: usize,
    /// Whether the queue was full.
    has_stopped: bool,
    /// Only without the rule `fifo`: messages that were multicast and will be sent later.
    late: VecDeque<(Stamp, Text)>,
}

impl Process for TotalOrder {
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Infallible;
    type Command = Command;
    type Event = Event;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> TotalOrder {
        TotalOrder {
            id,
            config: *config,
            clock: Time::default(),
            queue: BTreeMap::new(),
            heard: members.iter().map(|member| (*member, Time::default())).collect(),
            own: 0,
            has_stopped: false,
            late: VecDeque::new(),
        }
    }

    fn on_start(&mut self, _: &mut Context<'_, TotalOrder>) {}

    fn on_command(&mut self, Command::Multicast(text): Command, cx: &mut Context<'_, TotalOrder>) {
        if self.has_stopped || self.own >= OWN_MAX {
            return cx.note("refused: too many of its own wait", self.own as u64);
        }
        self.clock = self.clock.next();
        let stamp = Stamp { time: self.clock, process: self.id };
        cx.emit(Event::Multicast { stamp, text: text.clone() });
        if self.config.keeps(Rule::Fifo) {
            self.multicast(Message::Multicast { stamp, text: text.clone() }, cx);
        } else {
            if self.late.is_empty() {
                cx.set_timer(Timer::Late, LATE);
            }
            self.late.push_back((stamp, text.clone()));
        }
        self.own += 1;
        self.queue.insert(stamp, text);
        self.heard.insert(self.id, self.clock);
        if self.config.sender_acknowledges {
            self.acknowledge(cx);
        }
        self.deliver(cx);
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, TotalOrder>) {
        let time = message.time();
        if self.has_stopped || from == self.id || !self.heard.contains_key(&from) {
            return cx.note("ignored: no message of this group", from.0);
        }
        self.clock = self.clock.max(time).next();
        let heard = self.heard.entry(from).or_default();
        *heard = time.max(*heard);
        if let Message::Multicast { stamp, text } = message {
            if stamp.process != from {
                return cx.note("ignored: stamped in another name", from.0);
            }
            if self.queue.len() >= QUEUE_MAX {
                self.has_stopped = true;
                return cx.note("queue full: this process stops", QUEUE_MAX as u64);
            }
            self.queue.insert(stamp, text);
            self.acknowledge(cx);
        }
        self.deliver(cx);
    }

    fn on_timer(&mut self, Timer::Late: Timer, cx: &mut Context<'_, TotalOrder>) {
        for (stamp, text) in core::mem::take(&mut self.late) {
            self.multicast(Message::Multicast { stamp, text }, cx);
        }
    }

    fn view(&self) {}
}

impl TotalOrder {
    /// The number of messages that wait for their turn.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// The clock: the stamp of the last event.
    pub fn clock(&self) -> Time {
        self.clock
    }

    /// Rule 2: with a later stamp than all received ones.
    fn acknowledge(&mut self, cx: &mut Context<'_, TotalOrder>) {
        if !self.config.keeps(Rule::Acknowledgements) {
            return;
        }
        self.clock = self.clock.next();
        self.heard.insert(self.id, self.clock);
        self.multicast(Message::Ack { time: self.clock }, cx);
    }

    /// Rule 3, for as long as it applies.
    fn deliver(&mut self, cx: &mut Context<'_, TotalOrder>) {
        while let Some((stamp, _)) = self.queue.first_key_value()
            && self.is_stable(*stamp)
            && let Some((stamp, text)) = self.queue.pop_first()
        {
            self.own -= usize::from(stamp.process == self.id);
            cx.emit(Event::Delivered { stamp, text });
        }
    }

    /// Whether nothing with an earlier stamp can come any more.
    fn is_stable(&self, stamp: Stamp) -> bool {
        !self.config.keeps(Rule::Acknowledgements)
            || self.heard.iter().all(|(member, time)| {
                let latest = Stamp { time: *time, process: *member };
                latest > stamp || latest == stamp && !self.config.sender_acknowledges
            })
    }

    fn multicast(&self, message: Message, cx: &mut Context<'_, TotalOrder>) {
        let members: Vec<NodeId> = self.heard.keys().copied().collect();
        cx.broadcast(&members, message);
    }
}
