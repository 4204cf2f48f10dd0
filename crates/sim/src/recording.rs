//! A run as data: the events of each node, and the fate of each message. Diagrams are drawn from it.
//!
//! A trace is text, for people who read. A recording knows which receipt belongs to which sending. It costs as much as
//! a trace does, and nothing if not requested ([`Builder::record`](crate::Builder::record)).

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::rc::Rc;
use volvox_core::{Fault, Incarnation, Instant, MessageKind, NodeId, Position, Process};

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

/// The carrier of a protocol's messages, such as a channel that retransmits lost ones: it distinguishes the protocol's
/// own messages and timers from its own.
pub trait Carrier<P: Process> {
    /// The carried message; `None` for the carrier's own messages.
    fn message<'a>(&self, message: &'a P::Message) -> Option<&'a dyn Described>;

    /// The timer of the carried protocol; `None` for the carrier's own.
    fn timer<'a>(&self, timer: &'a P::Timer) -> Option<&'a dyn fmt::Debug>;

    /// Whether an event says no more than what its node is from then on.
    fn tells_state(&self, event: &P::Event) -> bool;

    /// Whether a record replaces the one before it, when that does so too.
    fn replaces(&self, record: &P::Record) -> bool;
}

/// The state of a node, for a reader: `leader t3`, which is of the kind `leader`.
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

    /// A state without a kind: a number.
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

/// The recording that a simulation writes. A clone shares the recording, so its holder can read what the simulation
/// wrote.
#[derive(Clone, Debug)]
pub struct Recorder(pub(crate) Rc<RefCell<State>>);

/// A run as data.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Recording {
    /// The events, in order.
    pub moments: Vec<Moment>,
    /// Every copy of a message, in the order of sending; [`What::Sent`] and its kin name them by their place here.
    pub messages: Vec<Envelope>,
    /// Whether there were more events than room for them.
    pub is_cut: bool,
}

impl Recording {
    /// Sorts the events by time; events of equal times keep their order.
    pub fn sort(&mut self) {
        self.moments.sort_by_key(|moment| moment.at);
    }
}

/// An event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moment {
    /// The world's time.
    pub at: Instant,
    /// The node; `NodeId(0)` if it concerns all.
    pub node: NodeId,
    /// The event itself.
    pub what: What,
}

/// A message in flight, or one copy of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// The sender.
    pub from: NodeId,
    /// The receiver.
    pub to: NodeId,
    /// Its kind.
    pub kind: String,
    /// The whole text.
    pub text: String,
    /// The text of the carried message; `None` for the carrier's own messages; the whole text without a carrier.
    pub carried: Option<String>,
    /// Whether it is a duplicate made by the network.
    pub is_copy: bool,
}

/// See [`Moment`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// The process started, in this incarnation.
    Started(Incarnation),
    /// The process is gone.
    Stopped,
    /// The process is paused.
    Paused,
    /// The process resumes.
    Resumed,
    /// The node sent this message.
    Sent(usize),
    /// The node handled this message.
    Delivered(usize),
    /// This message, meant for the node, will never be handled, for this reason.
    Lost(usize, &'static str),
    /// A timer fired.
    Timer {
        /// The whole text.
        text: String,
        /// The text of the carried timer; `None` for the carrier's own.
        carried: Option<String>,
    },
    /// A command arrived.
    Command(String),
    /// The node emitted an event.
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
    /// The records up to here are durable.
    Durable(Position),
    /// The state of the node changed: written by the driver of the run.
    State(NodeState),
    /// A fault began or ended.
    Fault(Fault),
    /// All faults ended: written by the driver of the run.
    Healed,
    /// From here on, the run repeats itself: written by the driver of the run.
    Repeats,
    /// A property was violated: written by the driver of the run.
    Broken {
        /// Its name.
        property: String,
        /// The reason.
        text: String,
    },
}

#[derive(Debug)]
pub(crate) struct State {
    recording: Recording,
    moments_max: usize,
    /// By link: when each message in flight will arrive. Where two arrive together, the first sent is first.
    under_way: BTreeMap<u32, VecDeque<(u64, usize)>>,
    /// By node: what arrived while it was paused.
    pub(crate) held: BTreeMap<u32, VecDeque<usize>>,
    /// The message that just arrived.
    pub(crate) arrived: Option<usize>,
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
    /// An empty recording with room for this many events.
    pub fn new(moments_max: usize) -> Recorder {
        Recorder(Rc::new(RefCell::new(State {
            recording: Recording::default(),
            moments_max,
            under_way: BTreeMap::new(),
            held: BTreeMap::new(),
            arrived: None,
        })))
    }

    /// The recording so far.
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
    pub(crate) fn add(&mut self, at: Instant, node: NodeId, what: What) {
        if self.recording.moments.len() < self.moments_max {
            self.recording.moments.push(Moment { at, node, what });
        } else {
            self.recording.is_cut = true;
        }
    }

    pub(crate) fn send(&mut self, at: Instant, envelope: Envelope) -> usize {
        let (id, from) = (self.recording.messages.len(), envelope.from);
        if id < self.moments_max {
            self.recording.messages.push(envelope);
            self.add(at, from, What::Sent(id));
        }
        id
    }

    /// The message of this link that arrives now is no longer in flight.
    pub(crate) fn take(&mut self, link: u32, now: u64) -> Option<usize> {
        let queue = self.under_way.get_mut(&link)?;
        let place = queue.iter().position(|(arrival, _)| *arrival == now)?;
        queue.remove(place).map(|(_, id)| id)
    }
}
