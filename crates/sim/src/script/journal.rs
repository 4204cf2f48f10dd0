//! A run of the simulator, recorded as the actions that a world driven by hand can replay.
//!
//! It records the inputs of processes, their times and choices; the fate of undelivered messages; and the behaviour of
//! clocks and disks. It does not record the causes (a partition, a slow link, a pause), since the course of the run is
//! complete without them. That makes it possible to omit actions and replay the rest.

use super::action::{Action, Keeps, What, Which, WhichTimer};
use super::world::World;
use crate::simulation::Simulation;
use crate::step::Input;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use volvox_core::{Choices, Incarnation, Instant, NodeId, Position, Process};

/// The journal to which a simulation writes the course of its run: [`Builder::journal`](crate::Builder::journal). A
/// clone shares the journal, so its holder can read it even after a panic destroyed the simulation.
pub struct Journal<P: Process>(Rc<RefCell<State<P>>>);

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

struct State<P: Process> {
    course: Course<P>,
    actions_max: usize,
    /// The action whose step runs now.
    current: usize,
    /// The index of a node's last crash, and the position up to which its disk was synced.
    crashes: BTreeMap<u32, (usize, Position)>,
    /// By link: the epochs whose messages were lost with the receiver.
    gone: BTreeMap<u32, u32>,
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

    /// What was written so far.
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

    fn push(&self, at: u64, what: What<P>) -> usize {
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

    fn keep(&self, place: usize, keeps: Keeps) {
        if let Some(Action { what: What::Crash { keeps: written, .. }, .. }) =
            self.0.borrow_mut().course.actions.get_mut(place)
        {
            *written = keeps;
        }
    }
}

impl<P: Process + 'static> Simulation<P> {
    pub(crate) fn journal_node(&self, index: u32, wall: i64, drift_ppm: i32) {
        let Some(journal) = &self.journal else { return };
        let cold = &self.cold[index as usize];
        let setup = Setup { id: cold.id, members: cold.members.to_vec(), wall, drift_ppm };
        journal.0.borrow_mut().course.nodes.push(setup);
    }

    /// A step begins: writes its input, and has its choices recorded.
    pub(crate) fn journal_input(&mut self, index: u32, input: &Input<P>) {
        let Some(journal) = &self.journal else { return };
        let node = self.cold[index as usize].id;
        let what = match input {
            Input::Start => Some(What::Start { node }),
            Input::Message(from, message) => {
                Some(What::Deliver { from: *from, to: node, which: Which::Equal(message.clone()) })
            }
            Input::Timer(timer) => Some(What::Fire { node, timer: WhichTimer::Exactly(timer.clone()) }),
            Input::Command(command) => Some(What::Command { node, command: command.clone() }),
            // Written before what it lets go, which may be lost.
            Input::Persisted(_) => None,
        };
        if let Some(what) = what {
            let current = journal.push(self.now, what);
            journal.0.borrow_mut().current = current;
        }
        let choices = &mut self.nodes[index as usize].environment.choices;
        if let Choices::Random(rng) = choices {
            let rng = Some(rng.clone());
            *choices = Choices::Noted { given: Vec::new(), rng, answers: Vec::new() };
        }
    }

    /// The step is over: writes its choices.
    pub(crate) fn journal_answers(&mut self, index: u32) {
        let Some(journal) = &self.journal else { return };
        let choices = &mut self.nodes[index as usize].environment.choices;
        if let Choices::Noted { rng: Some(rng), answers, .. } = choices {
            let mut state = journal.0.borrow_mut();
            let current = state.current;
            if let Some(action) = state.course.actions.get_mut(current) {
                action.choices.append(answers);
            }
            *choices = Choices::Random(rng.clone());
        }
    }

    pub(crate) fn journal_sync(&self, index: u32, through: Position) {
        let Some(journal) = &self.journal else { return };
        let node = self.cold[index as usize].id;
        let current = journal.push(self.now, What::Sync { node, through: Some(through) });
        journal.0.borrow_mut().current = current;
    }

    /// The process crashes; its links are about to break.
    pub(crate) fn journal_stopped(&self, index: u32) {
        let Some(journal) = &self.journal else { return };
        let node = self.cold[index as usize].id;
        let place = journal.push(self.now, What::Crash { node, keeps: Keeps::Durable });
        let durability = self.nodes[index as usize].durability.as_ref();
        let durable = durability.map_or(Position::NONE, |durability| durability.outbox.durable());
        let mut state = journal.0.borrow_mut();
        state.crashes.insert(index, (place, durable));
        for (number, link) in self.links.all.iter().enumerate().filter(|(_, link)| link.to == index) {
            state.gone.insert(number as u32, link.epoch);
        }
    }

    /// The disk of a node that is down was found to hold this much, or nothing that can be used.
    pub(crate) fn journal_restored(&self, index: u32, last: Option<Position>) {
        let Some(journal) = &self.journal else { return };
        let crash = journal.0.borrow().crashes.get(&index).copied();
        match (crash, last) {
            (Some((place, durable)), Some(last)) if last > durable => journal.keep(place, Keeps::Through(last)),
            (Some((place, _)), None) => journal.keep(place, Keeps::Nothing),
            _ => {}
        }
    }

    /// A message that left will never be handled; it was sent in this epoch of its link.
    pub(crate) fn journal_drop(&self, link: u32, epoch: u32, message: &P::Message) {
        let Some(journal) = &self.journal else { return };
        if journal.0.borrow().gone.get(&link).is_some_and(|gone| epoch <= *gone) {
            return;
        }
        let link = &self.links.all[link as usize];
        let (from, to) = (self.cold[link.from as usize].id, self.cold[link.to as usize].id);
        journal.push(self.now, What::Drop { from, to, which: Which::Equal(message.clone()) });
    }

    /// A message that just left will never arrive.
    pub(crate) fn journal_refused(&self, from: u32, to: NodeId, message: &P::Message) {
        let Some(journal) = &self.journal else { return };
        // The replaying world knows the nodes, and does not send to a missing one.
        if self.find(to).is_some() {
            let from = self.cold[from as usize].id;
            journal.push(self.now, What::Drop { from, to, which: Which::Equal(message.clone()) });
        }
    }

    /// Changes a node's clocks, and writes by how much.
    pub(crate) fn change_clock(&mut self, index: u32, change: impl FnOnce(&mut crate::clock::Clock, u64)) {
        let now = self.now;
        let clock = &mut self.nodes[index as usize].clock;
        let (before, drift_before) = (clock.read(now).1, clock.drift_ppm());
        change(clock, now);
        let (after, drift) = (clock.read(now).1, clock.drift_ppm());
        let Some(journal) = &self.journal else { return };
        let jump = after.0.saturating_sub(before.0);
        let drift_ppm = (drift != drift_before).then_some(drift);
        // Adjusting a drifting clock rounds it: the other world must do so at the same time.
        if jump != 0 || drift != 0 || drift_before != 0 {
            let node = self.cold[index as usize].id;
            journal.push(now, What::Clock { node, jump, drift_ppm });
        }
    }
}
