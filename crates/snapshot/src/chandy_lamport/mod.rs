//! Snapshots after Chandy and Lamport: the state of a whole system, recorded while it runs.
//!
//! # The problem
//!
//! How much money is in the bank? Each branch knows its own balance, and none sees the money in transit between them.
//! If all record their balance at noon by their own clocks, a payment sent at 11:59 from a slow clock to a fast one is
//! in both balances, or in neither. There is no common noon, and the bank cannot stop to be counted. The same question
//! arises in termination detection, in deadlock detection, and in a checkpoint from which all processes could restart.
//!
//! # The idea
//!
//! A *marker* travels every channel once, and separates messages sent before the sender recorded its state from those
//! sent after. Channels are FIFO, so nothing overtakes a marker.
//!
//! - The initiator records its own state, and sends a marker on each outgoing channel before any other message there.
//! - A process that receives its first marker, on a channel c, does the same at once, and records c as empty. On every
//!   other incoming channel it records the messages that arrive from now on.
//! - When the marker arrives on such a channel, the messages recorded there until then are the state of that channel.
//! - Once markers have arrived on all channels, this process's part is complete.
//!
//! The parts together are a **consistent cut**: if a receipt is in it, so is the sending. The system may never have
//! been in this global state, but it could have been: the state is reachable from the one in which the snapshot began,
//! and the one in which it ended is reachable from it.
//!
//! [`ChandyLamport`] is a parent of any process that is a value, and that process is unaware of it: recording a state
//! is cloning it. Several snapshots, even of several initiators, run at the same time, distinguished by their
//! initiators.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Marker n1#1` | everything that I sent before this belongs before snapshot 1 of n1, everything later after it |
//! | any other | a message of the application |
//!
//! # A run
//!
//! ```text
//!   n1: 100                       n2: 100
//!     | pays 10                     | pays 20
//!     | ----------- Payment 10 ---> |   n2: 90
//!   snapshot: records 90            |
//!     | ----------- Marker -------> | first marker: records 90, channel n1 -> n2 is empty
//!     | <---------- Payment 20 ---- |
//!     | 20 is recorded on n2 -> n1  |
//!     | <---------- Marker -------- |
//!   n2 -> n1 held 20                  90 + 90 + 20 = 200
//! ```
//!
//! # Why it is safe
//!
//! *Consistent.* Let a message be received at q before q records. No marker was ahead of it on its channel, since q
//! would have recorded then. So, as the channel is FIFO and the marker goes first, p sent it before p recorded.
//!
//! *Complete.* A message that p sent before it recorded is ahead of the marker. q receives it either before q records,
//! in which case it is in q's state, or between that and the marker, in which case it is in the recorded channel.
//!
//! *Termination*: there is one marker on each channel, wherever a path of channels leads from the initiator.
//!
//! # Caveats
//!
//! - Channels must be FIFO and lossless: run it as `Channel<ChandyLamport<P>>` where they are not. Without FIFO it
//!   loses money, which is one of the models. The graph must be strongly connected, and is fixed ([`Graph`]).
//! - A process that crashes prevents every snapshot in progress from completing: its marker never arrives, and those
//!   that recorded their state wait for it forever. It has lost its memory of them; a marker of one may make it record
//!   its new state, which belongs to no cut. The snapshots that it begins after its restart have names that no earlier
//!   boot used (a [`Serial`]), and complete. If the numbers started at 1 again, all others would believe those
//!   snapshots to be complete before they begin.
//! - Each process emits its part ([`Event`]); collecting them in one place is left to the application.
//! - At most [`SNAPSHOTS_MAX`] are in progress at one process, with at most [`RECORDED_MAX`] recorded messages each.
//!   Beyond that a snapshot is refused or abandoned, with a note.
//! - An application must not use the word `snapshot` as a command.
//!
//! # References
//!
//! Chandy, Lamport: *Distributed snapshots: determining global states of distributed systems*, ACM TOCS 3(1), 1985:
//! section 3.2 for the marker-sending and marker-receiving rules, section 4 for the theorem about the recorded state.

mod message;
mod properties;

pub use message::{Command, Event, Message, SnapshotId, Timer};
pub use properties::{BankEvent, History, properties};

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::fmt::{Debug, Display};
use core::hash::Hash;
use volvox_core::{
    Boot, Context, Duration, Effect, NodeId, Position, Process, Restored, Scratch, Serial, Serials, rules,
};

/// The most snapshots in progress at one process.
pub const SNAPSHOTS_MAX: usize = 64;

/// The most recorded messages of one snapshot.
pub const RECORDED_MAX: usize = 65_536;

/// Only if a rule is removed: how late a delayed message is sent, and how many are kept.
const LATE: Duration = Duration::from_millis(20);
const LATE_MAX: usize = 4_096;

/// A process that can be recorded: its state is a value.
pub trait Application: Process<Message: Clone + Eq + Hash + Debug> + Clone + Eq + Hash + Debug + Display {}

impl<P: Process<Message: Clone + Eq + Hash + Debug> + Clone + Eq + Hash + Debug + Display> Application for P {}

rules! {
    /// The removable rules.
    pub enum Rule of Config<C>;
    MarkerFirst = "marker-first": "the marker goes before any other message" /
        "a payment is received that was never sent",
    Fifo = "fifo": "channels are FIFO" / "a marker overtakes a payment, which is lost",
    ChannelState = "channel-state": "what arrives before the marker of its channel is recorded" /
        "money in transit is lost",
    PassOn = "pass-on": "a process that receives its first marker forwards it" /
        "the cut is not consistent, and the snapshot never completes",
    Unique = "unique": "no snapshot has the number of an earlier boot" /
        "those of a restarted initiator never complete",
}

/// The graph of channels. Messages of the application to other nodes are dropped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Graph {
    /// From each node to each other.
    #[default]
    Mesh,
    /// In both directions between neighbours, in the order of the members.
    Line,
    /// From each node to the next, and from the last to the first.
    Ring,
}

impl Graph {
    /// Whether there is a channel between two places among this many.
    fn joins(self, from: usize, to: usize, members: usize) -> bool {
        from != to
            && match self {
                Graph::Mesh => true,
                Graph::Line => from.abs_diff(to) == 1,
                Graph::Ring => to == (from + 1) % members,
            }
    }
}

/// The configuration, over an application with configuration `C`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Config<C> {
    /// The configuration of the application.
    pub application: C,
    /// The graph of channels.
    pub graph: Graph,
    /// The rule to remove.
    pub without: Option<Rule>,
}

/// A process with snapshots taken over it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ChandyLamport<P: Application> {
    id: NodeId,
    application: P,
    without: Option<Rule>,
    outgoing: Vec<NodeId>,
    incoming: Vec<NodeId>,
    /// The serials of the snapshots that this process begins.
    numbers: Serials,
    /// The snapshots recorded here, with the incoming channels whose marker has not arrived, and the messages that did.
    recording: BTreeMap<SnapshotId, BTreeMap<NodeId, Vec<P::Message>>>,
    /// The last snapshot of each initiator that is complete here: its markers do not start it again.
    complete: BTreeMap<NodeId, Option<Serial>>,
    /// Only if a rule is removed: the delayed messages.
    late: VecDeque<(Position, NodeId, Message<P::Message>)>,
    scratch: Scratch<P>,
}

impl<P: Application> Process for ChandyLamport<P> {
    type Config = Config<P::Config>;
    type Message = Message<P::Message>;
    type Timer = Timer<P::Timer>;
    type Record = P::Record;
    type Command = Command<P::Command>;
    type Event = Event<P, P::Message, P::Event>;
    type View = P::View;

    fn new(id: NodeId, members: &[NodeId], config: &Config<P::Config>) -> ChandyLamport<P> {
        let place = members.iter().position(|member| *member == id).expect("a node is one of the members");
        let peers = |joins: &dyn Fn(usize) -> bool| {
            let joined = members.iter().enumerate().filter(|(other, _)| joins(*other));
            joined.map(|(_, id)| *id).collect::<Vec<_>>()
        };
        ChandyLamport {
            id,
            application: P::new(id, members, &config.application),
            without: config.without,
            outgoing: peers(&|other| config.graph.joins(place, other, members.len())),
            incoming: peers(&|other| config.graph.joins(other, place, members.len())),
            numbers: Serials::default(),
            recording: BTreeMap::new(),
            complete: members.iter().map(|member| (*member, None)).collect(),
            late: VecDeque::new(),
            scratch: Scratch::default(),
        }
    }

    fn on_restore(&mut self, restored: Restored<P::Record>) {
        self.application.on_restore(restored);
    }

    fn on_start(&mut self, cx: &mut Context<'_, Self>) {
        self.numbers = Serials::of(if self.without == Some(Rule::Unique) { Boot::FIRST } else { cx.boot() });
        self.run_application(cx, P::on_start);
    }

    fn on_message(&mut self, from: NodeId, message: Self::Message, cx: &mut Context<'_, Self>) {
        if !self.incoming.contains(&from) {
            return cx.note("ignored: no channel comes from there", from.0);
        }
        match message {
            Message::Marker(snapshot) => self.on_marker(from, snapshot, cx),
            Message::Application(message) => {
                self.record_channel(from, &message, cx);
                self.run_application(cx, |application, cx| application.on_message(from, message, cx));
            }
        }
    }

    fn on_timer(&mut self, timer: Self::Timer, cx: &mut Context<'_, Self>) {
        match timer {
            Timer::Late => {
                for (after, to, message) in core::mem::take(&mut self.late) {
                    // Waits for the same position as the original.
                    cx.send_after(after, to, message);
                }
            }
            Timer::Application(timer) => {
                self.run_application(cx, |application, cx| application.on_timer(timer, cx));
            }
        }
    }

    fn on_command(&mut self, command: Self::Command, cx: &mut Context<'_, Self>) {
        match command {
            Command::Snapshot if self.recording.len() >= SNAPSHOTS_MAX => {
                cx.note("refused: too many snapshots are in progress", SNAPSHOTS_MAX as u64);
            }
            Command::Snapshot => {
                let snapshot = SnapshotId { beginner: self.id, number: self.numbers.issue() };
                self.record_state(snapshot, None, cx);
            }
            Command::Application(command) => {
                self.run_application(cx, |application, cx| application.on_command(command, cx));
            }
        }
    }

    fn on_persisted(&mut self, through: Position, cx: &mut Context<'_, Self>) {
        self.run_application(cx, |application, cx| application.on_persisted(through, cx));
    }

    fn view(&self) -> P::View {
        self.application.view()
    }
}

impl<P: Application> ChandyLamport<P> {
    /// The application.
    pub fn application(&self) -> &P {
        &self.application
    }

    /// The number of snapshots in progress here.
    pub fn recording(&self) -> usize {
        self.recording.len()
    }

    /// The marker-receiving rule (3.2).
    fn on_marker(&mut self, from: NodeId, snapshot: SnapshotId, cx: &mut Context<'_, Self>) {
        let is_over = self.complete.get(&snapshot.beginner).is_none_or(|last| Some(snapshot.number) <= *last);
        // A snapshot that this process began and does not record is complete, or of an earlier boot, whose state is
        // lost.
        let is_over = is_over || snapshot.beginner == self.id;
        let is_full = self.recording.len() >= SNAPSHOTS_MAX;
        match self.recording.get_mut(&snapshot) {
            Some(channels) => match channels.remove(&from) {
                Some(messages) => {
                    cx.emit(Event::Channel { snapshot, from, messages });
                    self.complete_if_all_came(snapshot, cx);
                }
                None => cx.note("ignored: a second marker on this channel", from.0),
            },
            None if is_over => cx.note("ignored: a marker of a snapshot that is over", from.0),
            None if is_full => {
                cx.note("ignored: too many snapshots are in progress", SNAPSHOTS_MAX as u64);
            }
            None => self.record_state(snapshot, Some(from), cx),
        }
    }

    /// Records this process's state, and sends markers before anything else can be sent (3.2, the marker-sending rule).
    /// `first` is the channel on which the marker came.
    fn record_state(&mut self, snapshot: SnapshotId, first: Option<NodeId>, cx: &mut Context<'_, Self>) {
        cx.emit(Event::State { snapshot, state: self.application.clone() });
        if first.is_none() || self.without != Some(Rule::PassOn) {
            for to in self.outgoing.clone() {
                self.transmit(cx.last_position(), to, Message::Marker(snapshot), Rule::MarkerFirst, cx);
            }
        }
        let mut channels: BTreeMap<_, _> = self.incoming.iter().map(|from| (*from, Vec::new())).collect();
        if let Some(from) = first {
            let messages = channels.remove(&from).unwrap_or_default();
            cx.emit(Event::Channel { snapshot, from, messages });
        }
        self.recording.insert(snapshot, channels);
        self.complete_if_all_came(snapshot, cx);
    }

    /// A message arrives on a channel: it belongs to each snapshot that is recorded here and whose marker has not
    /// arrived on this channel.
    fn record_channel(&mut self, from: NodeId, message: &P::Message, cx: &mut Context<'_, Self>) {
        if self.without == Some(Rule::ChannelState) {
            return;
        }
        let mut given_up = Vec::new();
        for (snapshot, channels) in &mut self.recording {
            let kept: usize = channels.values().map(Vec::len).sum();
            match channels.get_mut(&from) {
                Some(_) if kept >= RECORDED_MAX => given_up.push(*snapshot),
                Some(messages) => messages.push(message.clone()),
                None => {}
            }
        }
        for snapshot in given_up {
            self.recording.remove(&snapshot);
            self.complete.insert(snapshot.beginner, Some(snapshot.number));
            cx.note("given up: too many messages in flight", RECORDED_MAX as u64);
        }
    }

    fn complete_if_all_came(&mut self, snapshot: SnapshotId, cx: &mut Context<'_, Self>) {
        if self.recording.get(&snapshot).is_some_and(BTreeMap::is_empty) {
            self.recording.remove(&snapshot);
            self.complete.insert(snapshot.beginner, Some(snapshot.number));
            cx.emit(Event::Complete(snapshot));
        }
    }

    /// Sends now, or, if this rule is removed, after what follows.
    fn transmit(
        &mut self,
        after: Position,
        to: NodeId,
        message: Message<P::Message>,
        rule: Rule,
        cx: &mut Context<'_, Self>,
    ) {
        if self.without != Some(rule) {
            // The position of the application; markers wait for everything persisted so far.
            return cx.send_after(after, to, message);
        }
        if self.late.len() >= LATE_MAX {
            return cx.note("queue of late messages full: newest dropped", LATE_MAX as u64);
        }
        if self.late.is_empty() {
            cx.set_timer(Timer::Late, LATE);
        }
        self.late.push_back((after, to, message));
    }

    /// Runs one step of the application: its messages go into channels, everything else to the world unchanged.
    fn run_application(&mut self, cx: &mut Context<'_, Self>, step: impl FnOnce(&mut P, &mut Context<'_, P>)) {
        let mut scratch = core::mem::take(&mut self.scratch);
        cx.scope_with(
            self,
            &mut scratch,
            |parent, cx| step(&mut parent.application, cx),
            |parent, effect, cx| match effect {
                Effect::Send { to, message, after } if parent.outgoing.contains(&to) => {
                    parent.transmit(after, to, Message::Application(message), Rule::Fifo, cx);
                }
                Effect::Send { to, .. } => cx.note("dropped: no channel goes there", to.0),
                other => cx.forward(other.map(
                    |_| unreachable!("the arms above take every message"),
                    Timer::Application,
                    |record| record,
                    Event::Application,
                )),
            },
        );
        self.scratch = scratch;
    }
}
