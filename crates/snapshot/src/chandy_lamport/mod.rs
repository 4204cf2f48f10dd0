//! Snapshots after Chandy and Lamport: the state of a whole system, recorded while it runs.
//!
//! # The problem
//!
//! How much money is in the bank? Each branch knows its own balance, and nobody sees what is under way between them.
//! If all write down their balance at noon by their own clocks, a payment sent at 11:59 from a slow clock to a fast one
//! is in both balances, or in neither. There is no common noon, and the bank cannot stop to be counted. The same
//! question hides in "has everybody finished?", "is there a deadlock?", and in a checkpoint from which all could go on.
//!
//! # The idea
//!
//! A *marker* travels every channel once, and parts what was sent before the sender wrote down its state from what was
//! sent after. Channels are FIFO, so nothing passes a marker.
//!
//! - Who begins records its own state, and sends a marker on each outgoing channel before any other message there.
//! - Who receives a marker for the first time, on a channel c, does the same at once, and c was empty. On every other
//!   incoming channel it records what arrives from now on.
//! - When the marker comes on such a channel, too, what was recorded there until then is the state of that channel.
//! - With markers from everywhere, this process's part is complete.
//!
//! The parts together are a **consistent cut**: if a receipt is in it, so is the sending. Nobody may ever have been in
//! just these states at one moment, but the system could have been: it is reachable from where the snapshot began, and
//! where it ended is reachable from it.
//!
//! [`ChandyLamport`] is a parent of any process that is a value, and that process knows nothing of it: recording a state
//! is cloning it. Several snapshots, also from several beginners, run at the same time, told apart by who began them.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Marker n1#1` | all that I sent before this belongs to before snapshot 1 of n1, all after it to after |
//! | any other | the application's own |
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
//! *Consistent.* Let a message be received at q before q records. No marker was ahead of it on its channel, else q would
//! have recorded. So, as the channel is FIFO and the marker goes first, p sent it before p recorded.
//!
//! *Complete.* A message that p sent before it recorded is ahead of the marker. q receives it either before q records,
//! and then it is in q's state, or between that and the marker, and then it is in the recorded channel.
//!
//! *It ends*: one marker on each channel, wherever a way of channels leads from the beginner.
//!
//! # Caveats
//!
//! - Channels must be FIFO and lose nothing: run it as `Channel<ChandyLamport<P>>` where they do. Without FIFO it loses
//!   money, which is one of the models. The graph must be strongly connected, and is fixed ([`Graph`]).
//! - A process that crashes ends every snapshot under way: nobody hears its marker, and those that recorded their state wait
//!   for it in vain. It has no memory of them; a marker of one may make it record its new state, which belongs to no cut. The
//!   snapshots that it begins after its return have names that no earlier life gave (a [`Serial`]), and complete. With a
//!   number that starts at 1 again they would be over for all others before they begin.
//! - The parts are told where they are recorded ([`Event`]); carrying them to one place is left to whoever wants them.
//! - At most [`SNAPSHOTS_MAX`] are under way in one process, and at most [`RECORDED_MAX`] messages are kept of one. What
//!   is beyond is refused or given up, with a note.
//! - Each application keeps its commands apart from the word `snapshot`.
//!
//! # References
//!
//! Chandy, Lamport: *Distributed snapshots: determining global states of distributed systems*, ACM TOCS 3(1), 1985:
//! section 3.2 for the marker-sending and marker-receiving rules, section 4 for the theorem about what was recorded.

mod message;
mod properties;

pub use message::{Command, Event, Message, SnapshotId};
pub use properties::{BankEvent, History, properties};

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::fmt::{Debug, Display};
use core::hash::Hash;
use volvox_core::{
    Boot, Context, Duration, Effect, NodeId, Position, Process, Restored, Scratch, Serial, Serials, rules,
};

/// The most snapshots that are under way in one process.
pub const SNAPSHOTS_MAX: usize = 64;

/// The most messages that are kept of one snapshot.
pub const RECORDED_MAX: usize = 65_536;

/// Only where a rule is taken out: how late what is late is sent, and how much of it is kept.
const LATE: Duration = Duration::from_millis(20);
const LATE_MAX: usize = 4_096;

/// What can be recorded: a process whose state is a value.
pub trait Application: Process<Message: Clone + Eq + Hash + Debug> + Clone + Eq + Hash + Debug + Display {}

impl<P: Process<Message: Clone + Eq + Hash + Debug> + Clone + Eq + Hash + Debug + Display> Application for P {}

rules! {
    /// The removable rules.
    pub enum Rule of Config<C>;
    MarkerFirst = "marker-first": "the marker goes before any other message" /
        "a payment is received that was never sent",
    Fifo = "fifo": "channels keep order" / "a marker overtakes a payment, which is lost",
    ChannelState = "channel-state": "what comes before the marker of its channel is recorded" /
        "money under way is lost",
    PassOn = "pass-on": "a process that receives the first marker passes it on" /
        "the cut is not consistent, and the snapshot never complete",
    Unique = "unique": "no snapshot has the number of an earlier boot" /
        "those of a beginner that returned never complete",
}

/// Which channels there are. What the application sends elsewhere is not sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Graph {
    /// From each to each.
    #[default]
    Mesh,
    /// Both ways between each and the next, in the order of the members.
    Line,
    /// From each to the next, and from the last to the first.
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

/// What is fixed, over an application with configuration `C`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Config<C> {
    /// The application's.
    pub application: C,
    /// Which channels there are.
    pub graph: Graph,
    /// The rule to remove.
    pub without: Option<Rule>,
}

/// A process over which snapshots are taken.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ChandyLamport<P: Application> {
    id: NodeId,
    application: P,
    without: Option<Rule>,
    outgoing: Vec<NodeId>,
    incoming: Vec<NodeId>,
    /// The numbers of the snapshots that this process begins.
    numbers: Serials,
    /// Recorded here, with the incoming channels whose marker has not come, and what came on them instead.
    recording: BTreeMap<SnapshotId, BTreeMap<NodeId, Vec<P::Message>>>,
    /// The last snapshot of each beginner that is complete here: its markers do not begin it again.
    complete: BTreeMap<NodeId, Option<Serial>>,
    /// Only where a rule is taken out: what is sent later.
    late: VecDeque<(Position, NodeId, Message<P::Message>)>,
    scratch: Scratch<P>,
}

/// The timers over an application with timers `T`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer<T> {
    /// Only where a rule is taken out: sends what is late.
    Late,
    /// The application's own.
    Application(T),
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
                    // Waits for what it waited for when it was on time.
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
                cx.note("refused: too many snapshots are under way", SNAPSHOTS_MAX as u64);
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
    /// The process inside.
    pub fn application(&self) -> &P {
        &self.application
    }

    /// How many snapshots are under way here.
    pub fn recording(&self) -> usize {
        self.recording.len()
    }

    /// The marker-receiving rule (3.2).
    fn on_marker(&mut self, from: NodeId, snapshot: SnapshotId, cx: &mut Context<'_, Self>) {
        let is_over = self.complete.get(&snapshot.beginner).is_none_or(|last| Some(snapshot.number) <= *last);
        // What this process began and does not record is complete, or of an earlier boot, whose state is gone.
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
                cx.note("ignored: too many snapshots are under way", SNAPSHOTS_MAX as u64);
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

    /// A message arrives on a channel: it belongs to each snapshot that was recorded here and whose marker did not come
    /// on this channel yet.
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
            cx.note("given up: too many messages under way", RECORDED_MAX as u64);
        }
    }

    fn complete_if_all_came(&mut self, snapshot: SnapshotId, cx: &mut Context<'_, Self>) {
        if self.recording.get(&snapshot).is_some_and(BTreeMap::is_empty) {
            self.recording.remove(&snapshot);
            self.complete.insert(snapshot.beginner, Some(snapshot.number));
            cx.emit(Event::Complete(snapshot));
        }
    }

    /// Sends now, or, where this rule is taken out, behind what follows.
    fn transmit(
        &mut self,
        after: Position,
        to: NodeId,
        message: Message<P::Message>,
        rule: Rule,
        cx: &mut Context<'_, Self>,
    ) {
        if self.without != Some(rule) {
            // What the application waits for; markers wait for all that was persisted.
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

    /// One step of the application: what it sends goes into channels, everything else to the world as it is.
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
