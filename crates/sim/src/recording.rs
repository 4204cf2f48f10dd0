//! A run as data: who did what when, and which message became what. From it diagrams are drawn.
//!
//! A trace is text, for people who read. A recording knows which receipt belongs to which sending. It costs as much as a
//! trace does, and nothing when nobody asked for one ([`Builder::record`](crate::Builder::record)).

use crate::simulation::Simulation;
use crate::step::Input;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::rc::Rc;
use volvox_core::{Effect, EffectOf, Fault, Incarnation, Instant, MessageKind, NodeId, Position, Process};

/// A message as a reader of a run sees it.
pub trait Described: fmt::Display {
    /// A short fixed name, such as `Append`.
    fn name(&self) -> &'static str;
}

impl<M: MessageKind + fmt::Display> Described for M {
    fn name(&self) -> &'static str {
        self.kind()
    }
}

/// What carries the messages of a protocol, such as a channel that repeats what is lost: it tells the protocol's own
/// messages and timers apart from those that it needs for itself.
pub trait Carrier<P: Process> {
    /// What is carried; `None` for what the carrier says for itself.
    fn message<'a>(&self, message: &'a P::Message) -> Option<&'a dyn Described>;

    /// The timer of what is carried; `None` for the carrier's own.
    fn timer<'a>(&self, timer: &'a P::Timer) -> Option<&'a dyn fmt::Debug>;

    /// Whether an event says no more than what its node is from then on.
    fn tells_state(&self, event: &P::Event) -> bool;

    /// Whether a record replaces the one before it, when that does so too.
    fn replaces(&self, record: &P::Record) -> bool;
}

/// What a node is, for a reader: `leader t3`, which is of the kind `leader`.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct NodeState {
    /// Its kind: nodes of one kind have one colour. Empty for what is only a number, and for nothing special.
    pub kind: &'static str,
    /// All of it, in a word or two; empty where there is nothing to say.
    pub text: String,
}

impl NodeState {
    /// A kind, and what tells nodes of this kind apart.
    pub fn of(kind: &'static str, more: impl fmt::Display) -> NodeState {
        NodeState { kind, text: format!("{kind} {more}") }
    }

    /// What has no kind: a number.
    pub fn plain(text: impl fmt::Display) -> NodeState {
        NodeState { kind: "", text: text.to_string() }
    }
}

/// A kind and nothing more.
impl From<&'static str> for NodeState {
    fn from(kind: &'static str) -> NodeState {
        NodeState { kind, text: kind.to_string() }
    }
}

/// A kind, and the node that it is about.
impl From<(&'static str, Option<NodeId>)> for NodeState {
    fn from((kind, about): (&'static str, Option<NodeId>)) -> NodeState {
        about.map_or_else(|| kind.into(), |node| NodeState::of(kind, node))
    }
}

impl fmt::Display for NodeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Where a simulation writes what it does. A clone writes to the same recording, so its holder reads what the
/// simulation wrote.
#[derive(Clone, Debug)]
pub struct Recorder(Rc<RefCell<State>>);

/// A run as data.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Recording {
    /// What happened, in order.
    pub moments: Vec<Moment>,
    /// Every copy of a message, in the order of sending; [`What::Sent`] and its kin name them by their place here.
    pub messages: Vec<Envelope>,
    /// Whether more happened than there was room for.
    pub is_cut: bool,
}

impl Recording {
    /// Puts what happened in the order of time; of equal moments, what was told first stays first.
    pub fn sort(&mut self) {
        self.moments.sort_by_key(|moment| moment.at);
    }
}

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moment {
    /// When, in the world's time.
    pub at: Instant,
    /// Where; `NodeId(0)` for what concerns all.
    pub node: NodeId,
    /// What.
    pub what: What,
}

/// A message under way, or one copy of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// Who sent it.
    pub from: NodeId,
    /// To whom.
    pub to: NodeId,
    /// Its kind.
    pub kind: String,
    /// All of it.
    pub text: String,
    /// What is carried, in words; `None` when the carrier says it for itself. All of it where nothing carries.
    pub carried: Option<String>,
    /// Whether the network made it: the second of two.
    pub is_copy: bool,
}

/// See [`Moment`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// The process started, in this life of its storage.
    Started(Incarnation),
    /// The process is gone.
    Stopped,
    /// The process stops in its tracks.
    Paused,
    /// It goes on.
    Resumed,
    /// The node sent this message.
    Sent(usize),
    /// The node handled this message.
    Delivered(usize),
    /// This message, meant for the node, will never be handled, for this reason.
    Lost(usize, &'static str),
    /// A timer fired.
    Timer {
        /// All of it.
        text: String,
        /// What is carried of it; `None` when it is the carrier's own.
        carried: Option<String>,
    },
    /// Somebody asked for something.
    Command(String),
    /// The node told something.
    Event {
        /// All of it.
        text: String,
        /// Whether it says no more than what the node is from then on.
        tells_state: bool,
    },
    /// A remark of the process.
    Note(String),
    /// A record was handed to the disk.
    Persisted {
        /// All of it.
        text: String,
        /// Whether it replaces the one before it, when that does so too.
        replaces: bool,
    },
    /// What was persisted up to here is durable.
    Durable(Position),
    /// The node is something else now: written by whoever drives the run.
    State(NodeState),
    /// Something went wrong, or right again.
    Fault(Fault),
    /// Everything healed: written by whoever drives the run.
    Healed,
    /// A property does not hold: written by whoever drives the run.
    Broken {
        /// Its name.
        property: &'static str,
        /// What is wrong.
        text: String,
    },
}

#[derive(Debug)]
struct State {
    recording: Recording,
    moments_max: usize,
    /// By link: when each message that is under way will arrive. Where two arrive together, the first sent is first.
    under_way: BTreeMap<u32, VecDeque<(u64, usize)>>,
    /// By node: what arrived while it was paused.
    held: BTreeMap<u32, VecDeque<usize>>,
    /// What just arrived.
    arrived: Option<usize>,
}

impl Envelope {
    /// A message in the words of a reader.
    pub fn of<P: Process>(
        (from, to): (NodeId, NodeId),
        message: &P::Message,
        is_copy: bool,
        carrier: Option<&dyn Carrier<P>>,
    ) -> Envelope {
        let text = message.to_string();
        let carried = match carrier {
            None => Some(text.clone()),
            Some(carrier) => carrier.message(message).map(ToString::to_string),
        };
        Envelope { from, to, kind: message.kind().to_string(), text, carried, is_copy }
    }
}

impl What {
    /// An event in the words of a reader.
    pub fn event<P: Process>(event: &P::Event, carrier: Option<&dyn Carrier<P>>) -> What {
        let tells_state = carrier.is_some_and(|carrier| carrier.tells_state(event));
        What::Event { text: event.to_string(), tells_state }
    }

    /// A record in the words of a reader.
    pub fn persisted<P: Process>(record: &P::Record, carrier: Option<&dyn Carrier<P>>) -> What {
        let replaces = carrier.is_some_and(|carrier| carrier.replaces(record));
        What::Persisted { text: record.to_string(), replaces }
    }

    /// A timer in the words of a reader.
    pub fn timer<P: Process>(timer: &P::Timer, carrier: Option<&dyn Carrier<P>>) -> What {
        let text = format!("{timer:?}");
        let carried = match carrier {
            None => Some(text.clone()),
            Some(carrier) => carrier.timer(timer).map(|carried| format!("{carried:?}")),
        };
        What::Timer { text, carried }
    }
}

impl Recorder {
    /// An empty recording with room for so many moments.
    pub fn new(moments_max: usize) -> Recorder {
        Recorder(Rc::new(RefCell::new(State {
            recording: Recording::default(),
            moments_max,
            under_way: BTreeMap::new(),
            held: BTreeMap::new(),
            arrived: None,
        })))
    }

    /// What was recorded so far.
    pub fn recording(&self) -> Recording {
        self.0.borrow().recording.clone()
    }

    /// A message leaves, and will arrive over this link at this time.
    pub(crate) fn sent(&self, at: Instant, (link, arrival): (u32, u64), envelope: Envelope) {
        let mut state = self.0.borrow_mut();
        let id = state.send(at, envelope);
        state.under_way.entry(link).or_default().push_back((arrival, id));
    }

    /// Adds what only the driver of the run knows.
    pub fn add(&self, at: Instant, node: NodeId, what: What) {
        self.0.borrow_mut().add(at, node, what);
    }
}

impl State {
    fn add(&mut self, at: Instant, node: NodeId, what: What) {
        if self.recording.moments.len() < self.moments_max {
            self.recording.moments.push(Moment { at, node, what });
        } else {
            self.recording.is_cut = true;
        }
    }

    fn send(&mut self, at: Instant, envelope: Envelope) -> usize {
        let (id, from) = (self.recording.messages.len(), envelope.from);
        if id < self.moments_max {
            self.recording.messages.push(envelope);
            self.add(at, from, What::Sent(id));
        }
        id
    }

    /// The message of this link that arrives now is not under way any more.
    fn take(&mut self, link: u32, now: u64) -> Option<usize> {
        let queue = self.under_way.get_mut(&link)?;
        let place = queue.iter().position(|(arrival, _)| *arrival == now)?;
        queue.remove(place).map(|(_, id)| id)
    }
}

impl<P: Process + 'static> Simulation<P> {
    /// A message leaves, and will not arrive.
    pub(crate) fn record_refused(&self, from: u32, to: NodeId, message: &P::Message, why: &'static str) {
        let Some(recorder) = &self.recorder else { return };
        let ends = (self.cold[from as usize].id, to);
        let mut state = recorder.0.borrow_mut();
        let id = state.send(self.now(), Envelope::of(ends, message, false, self.carrier.as_deref()));
        state.add(self.now(), to, What::Lost(id, why));
    }

    /// A message is there: for [`Simulation::record_input`], or lost for this reason.
    pub(crate) fn record_arrival(&self, link: u32, lost: Option<&'static str>) {
        let Some(recorder) = &self.recorder else { return };
        let mut state = recorder.0.borrow_mut();
        let Some(id) = state.take(link, self.now) else { return };
        match lost {
            Some(why) => {
                let to = self.cold[self.links.all[link as usize].to as usize].id;
                state.add(self.now(), to, What::Lost(id, why));
            }
            None => state.arrived = Some(id),
        }
    }

    /// What just arrived finds nobody.
    pub(crate) fn record_nobody(&self, to: u32) {
        let Some(recorder) = &self.recorder else { return };
        let mut state = recorder.0.borrow_mut();
        if let Some(id) = state.arrived.take() {
            state.add(self.now(), self.cold[to as usize].id, What::Lost(id, "down"));
        }
    }

    /// What just arrived waits, because the node is paused.
    pub(crate) fn record_held(&self, to: u32) {
        let Some(recorder) = &self.recorder else { return };
        let mut state = recorder.0.borrow_mut();
        if let Some(id) = state.arrived.take() {
            state.held.entry(to).or_default().push_back(id);
        }
    }

    /// The oldest message that waited for this node is handled next.
    pub(crate) fn record_unheld(&self, to: u32) {
        let Some(recorder) = &self.recorder else { return };
        let mut state = recorder.0.borrow_mut();
        state.arrived = state.held.get_mut(&to).and_then(VecDeque::pop_front);
    }

    pub(crate) fn record_input(&self, index: u32, input: &Input<P>) {
        let Some(recorder) = &self.recorder else { return };
        let mut state = recorder.0.borrow_mut();
        let cold = &self.cold[index as usize];
        let what = match input {
            Input::Start => What::Started(cold.incarnation),
            Input::Message(..) => match state.arrived.take() {
                Some(id) => What::Delivered(id),
                None => return,
            },
            Input::Timer(timer) => What::timer(timer, self.carrier.as_deref()),
            Input::Command(command) => What::Command(command.to_string()),
            Input::Persisted(through) => What::Durable(*through),
        };
        state.add(self.now(), cold.id, what);
    }

    pub(crate) fn record_effect(&self, index: u32, effect: &EffectOf<P>) {
        let Some(recorder) = &self.recorder else { return };
        let what = match effect {
            Effect::Persist { record, .. } => What::persisted(record, self.carrier.as_deref()),
            Effect::Note(note) => What::Note(note.to_string()),
            _ => return,
        };
        recorder.add(self.now(), self.cold[index as usize].id, what);
    }

    /// Something about one node that is neither an input nor an effect.
    pub(crate) fn record(&self, index: u32, what: impl FnOnce() -> What) {
        if let Some(recorder) = &self.recorder {
            recorder.add(self.now(), self.cold[index as usize].id, what());
        }
    }

    /// The process is gone, and so is what waited for it.
    pub(crate) fn record_stopped(&self, index: u32) {
        let Some(recorder) = &self.recorder else { return };
        let mut state = recorder.0.borrow_mut();
        let (now, id) = (self.now(), self.cold[index as usize].id);
        state.add(now, id, What::Stopped);
        for message in state.held.remove(&index).unwrap_or_default() {
            state.add(now, id, What::Lost(message, "down"));
        }
    }

    pub(crate) fn record_fault(&self, fault: &Fault) {
        if let Some(recorder) = &self.recorder {
            recorder.add(self.now(), NodeId(0), What::Fault(fault.clone()));
        }
    }
}
