//! A run as data: who did what when, and which message became what. From it diagrams are drawn.
//!
//! A trace is text, for people who read. A recording knows which receipt belongs to which sending. It costs as much as a
//! trace does, and nothing when nobody asked for one ([`Builder::record`](crate::Builder::record)).

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

/// What carries the messages of a protocol, such as a channel that repeats what is lost: it tells the protocol's own
/// messages and timers apart from those that it needs for itself.
pub trait Carrier<P: Process> {
    /// What is carried; `None` for what the carrier says for itself.
    fn message<'a>(&self, message: &'a P::Message) -> Option<&'a dyn Described>;

    /// The timer of what is carried; `None` for the carrier's own.
    fn timer<'a>(&self, timer: &'a P::Timer) -> Option<&'a dyn fmt::Debug>;
}

/// Where a simulation writes what it does. A clone writes to the same recording, so its holder reads what the
/// simulation wrote.
#[derive(Clone, Debug)]
pub struct Recorder(pub(crate) Rc<RefCell<State>>);

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
    Event(String),
    /// A remark of the process.
    Note(String),
    /// A record was handed to the disk.
    Persisted(String),
    /// What was persisted up to here is durable.
    Durable(Position),
    /// The node is something else now: written by whoever drives the run.
    State(String),
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
pub(crate) struct State {
    recording: Recording,
    moments_max: usize,
    /// By link: when each message that is under way will arrive. Where two arrive together, the first sent is first.
    under_way: BTreeMap<u32, VecDeque<(u64, usize)>>,
    /// By node: what arrived while it was paused.
    pub(crate) held: BTreeMap<u32, VecDeque<usize>>,
    /// What just arrived.
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

    /// The message of this link that arrives now is not under way any more.
    pub(crate) fn take(&mut self, link: u32, now: u64) -> Option<usize> {
        let queue = self.under_way.get_mut(&link)?;
        let place = queue.iter().position(|(arrival, _)| *arrival == now)?;
        queue.remove(place).map(|(_, id)| id)
    }
}
