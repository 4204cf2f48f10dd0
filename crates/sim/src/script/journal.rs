//! A run of the simulator, recorded as the actions that a world driven by hand can replay.
//!
//! It records the inputs of processes, their times and choices; the fate of undelivered messages; and the behaviour of
//! clocks and disks. It does not record the causes (a partition, a slow link, a pause), since the course of the run is
//! complete without them. That makes it possible to omit actions and replay the rest.

use super::action::{Action, Keeps, What, Which};
use super::world::World;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use volvox_core::{Incarnation, Instant, NodeId, Position, Process};

/// The journal to which a simulation writes the course of its run: [`Builder::journal`](crate::Builder::journal). A
/// clone shares the journal, so its holder can read it even after a panic destroyed the simulation.
pub struct Journal<P: Process>(pub(crate) Rc<RefCell<State<P>>>);

/// The course of a run.
pub struct Course<P: Process> {
    /// The seed of the run: jitter comes from it.
    pub seed: u64,
    /// The nodes, all of them down.
    pub nodes: Vec<Setup>,
    /// The actions, in order.
    pub actions: Vec<Action<P>>,
    /// Whether there were more actions than room for them.
    pub is_cut: bool,
}

/// A node before its first start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setup {
    /// The node's id.
    pub id: NodeId,
    /// The members that it knows.
    pub members: Vec<NodeId>,
    /// The reading of its wall clock at the beginning of the run.
    pub wall: i64,
    /// The drift of its clocks.
    pub drift_ppm: i32,
}

pub(crate) struct State<P: Process> {
    pub(crate) course: Course<P>,
    actions_max: usize,
    /// The action whose step runs now.
    pub(crate) current: usize,
    /// The index of a node's last crash, and the position up to which its disk was synced.
    pub(crate) crashes: BTreeMap<u32, (usize, Position)>,
    /// By link: the epochs whose messages were lost with the receiver.
    pub(crate) gone: BTreeMap<u32, u32>,
}

impl<P: Process> Clone for Course<P> {
    fn clone(&self) -> Course<P> {
        Course { seed: self.seed, nodes: self.nodes.clone(), actions: self.actions.clone(), is_cut: self.is_cut }
    }
}

impl<P: Process> Course<P> {
    /// The world in which this run begins.
    pub fn world(&self, config_of: impl Fn(NodeId, Incarnation) -> P::Config + 'static) -> World<P> {
        let mut world = World::new(0, config_of).seed(self.seed);
        for node in &self.nodes {
            world.add(node.id, &node.members, node.wall, node.drift_ppm);
        }
        world
    }
}

impl<P: Process> Clone for Journal<P> {
    fn clone(&self) -> Journal<P> {
        Journal(Rc::clone(&self.0))
    }
}

impl<P: Process> Journal<P> {
    /// An empty journal with room for this many actions.
    pub fn new(actions_max: usize) -> Journal<P> {
        Journal(Rc::new(RefCell::new(State {
            course: Course { seed: 0, nodes: Vec::new(), actions: Vec::new(), is_cut: false },
            actions_max,
            current: 0,
            crashes: BTreeMap::new(),
            gone: BTreeMap::new(),
        })))
    }

    /// The journal so far.
    pub fn course(&self) -> Course<P> {
        self.0.borrow().course.clone()
    }

    /// How many actions were written so far.
    pub fn len(&self) -> usize {
        self.0.borrow().course.actions.len()
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn begin(&self, seed: u64) {
        self.0.borrow_mut().course.seed = seed;
    }

    pub(crate) fn push(&self, at: u64, what: What<P>) -> usize {
        let mut state = self.0.borrow_mut();
        if state.course.actions.len() >= state.actions_max {
            state.course.is_cut = true;
            return usize::MAX;
        }
        state.course.actions.push(Action { at: Instant(at), what, choices: Vec::new() });
        state.course.actions.len() - 1
    }

    /// A message that was just sent is duplicated.
    pub(crate) fn duplicated(&self, at: u64, (from, to): (NodeId, NodeId), message: &P::Message) {
        self.push(at, What::Duplicate { from, to, which: Which::Equal(message.clone()) });
    }

    pub(crate) fn keep(&self, place: usize, keeps: Keeps) {
        if let Some(Action { what: What::Crash { keeps: written, .. }, .. }) =
            self.0.borrow_mut().course.actions.get_mut(place)
        {
            *written = keeps;
        }
    }
}
