//! A run as data: who did what when, and which message became what. From it diagrams are drawn.
//!
//! A trace is text, for people who read. A recording knows which receipt belongs to which sending. It costs as much as a
//! trace does, and nothing when nobody asked for one ([`Builder::record`](crate::Builder::record)).

use crate::simulation::Simulation;
use crate::step::Input;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use volvox_core::{Effect, EffectOf, Fault, Incarnation, Instant, MessageKind, NodeId, Position, Process};

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
    Timer(String),
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
    pub(crate) fn sent<M: MessageKind + ToString>(
        &self,
        at: Instant,
        ends: (NodeId, NodeId),
        (link, arrival): (u32, u64),
        message: &M,
        is_copy: bool,
    ) {
        let mut state = self.0.borrow_mut();
        let id = state.send(at, ends, message, is_copy);
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

    fn send<M: MessageKind + ToString>(
        &mut self,
        at: Instant,
        ends: (NodeId, NodeId),
        message: &M,
        is_copy: bool,
    ) -> usize {
        let (from, to) = ends;
        let id = self.recording.messages.len();
        if id < self.moments_max {
            let (kind, text) = (message.kind().to_string(), message.to_string());
            self.recording.messages.push(Envelope { from, to, kind, text, is_copy });
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
        let mut state = recorder.0.borrow_mut();
        let id = state.send(self.now(), (self.cold[from as usize].id, to), message, false);
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
            Input::Timer(timer) => What::Timer(format!("{timer:?}")),
            Input::Command(command) => What::Command(command.to_string()),
            Input::Persisted(through) => What::Durable(*through),
        };
        state.add(self.now(), cold.id, what);
    }

    pub(crate) fn record_effect(&self, index: u32, effect: &EffectOf<P>) {
        let Some(recorder) = &self.recorder else { return };
        let what = match effect {
            Effect::Persist { record, .. } => What::Persisted(record.to_string()),
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
