//! A world in which nothing happens by itself: every delivery, timer, sync and crash is an [`Action`] from outside.

use super::action::{Action, What, Which, WhichTimer};
use super::ledger::Ledger;
use super::node::Node;
use super::setting::{Clockwork, Order};
use crate::clock::{Clock, Clocks};
use std::fmt;
use std::rc::Rc;
use volvox_core::time::nanos;
use volvox_core::{EffectOf, FlatMap, Incarnation, Instant, MessageKind, NodeId, Position, Process, Rng, Wall};

/// The configuration of one incarnation of a node.
type ConfigOf<P> = Rc<dyn Fn(NodeId, Incarnation) -> <P as Process>::Config>;

/// A world driven by hand. A clone continues independently, so that many endings of one run can be tried from the same
/// point.
#[derive(Clone)]
pub struct World<P: Process> {
    pub(super) now: u64,
    pub(super) chance: Rng,
    pub(super) clockwork: Clockwork,
    pub(super) prompt_disks: bool,
    pub(super) links_survive: bool,
    pub(super) order: Order,
    pub(super) config_of: ConfigOf<P>,
    pub(super) nodes: FlatMap<NodeId, Node<P>>,
    /// The messages in flight, oldest first.
    pub(super) links: FlatMap<(NodeId, NodeId), Vec<P::Message>>,
    pub(super) effects: Vec<EffectOf<P>>,
    pub(super) told: Vec<(NodeId, P::Event)>,
    pub(super) choices_made: usize,
    /// Lines of the trace, where they are kept.
    pub(super) lines: Option<Vec<String>>,
    /// The run as data, where it is recorded.
    pub(super) ledger: Option<Ledger<P>>,
}

/// Why an action cannot happen; nothing changed then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Impossible {
    /// There is no such node.
    NoNode(NodeId),
    /// The node is down.
    Down(NodeId),
    /// The node is up.
    Up(NodeId),
    /// No such message is in flight on this link.
    NoMessage(NodeId, NodeId),
    /// The node has set no such timer.
    NoTimer(NodeId),
    /// The node has nothing to sync.
    Synced(NodeId),
}

impl fmt::Display for Impossible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Impossible::NoNode(node) => write!(f, "there is no {node}"),
            Impossible::Down(node) => write!(f, "{node} is down"),
            Impossible::Up(node) => write!(f, "{node} is up"),
            Impossible::NoMessage(from, to) => write!(f, "no such message is in flight from {from} to {to}"),
            Impossible::NoTimer(node) => write!(f, "{node} has set no such timer"),
            Impossible::Synced(node) => write!(f, "everything of {node} is synced"),
        }
    }
}

impl std::error::Error for Impossible {}

impl<P: Process> World<P> {
    /// Nodes 1 to `nodes`, all of them down. `config_of` returns the configuration of each incarnation of a node.
    pub fn new(nodes: u64, config_of: impl Fn(NodeId, Incarnation) -> P::Config + 'static) -> World<P> {
        let wall_start = Clocks::default().wall_start;
        let mut world = World {
            now: 0,
            chance: Rng::new(1),
            clockwork: Clockwork::Running,
            prompt_disks: false,
            links_survive: false,
            order: Order::Free,
            config_of: Rc::new(config_of),
            nodes: FlatMap::new(),
            links: FlatMap::new(),
            effects: Vec::new(),
            told: Vec::new(),
            choices_made: 0,
            lines: None,
            ledger: None,
        };
        let members: Vec<NodeId> = (1..=nodes).map(NodeId).collect();
        for id in &members {
            world.add(*id, &members, wall_start, 0);
        }
        world
    }

    /// Sets the seed of jitter; the default is 1.
    pub fn seed(mut self, seed: u64) -> Self {
        self.chance = Rng::new(seed);
        self
    }

    /// Sets the time that processes see, before any of them starts; the default is [`Clockwork::Running`].
    pub fn clockwork(mut self, clockwork: Clockwork) -> Self {
        self.clockwork = clockwork;
        if matches!(clockwork, Clockwork::Modelled { .. }) {
            self.nodes.values_mut().for_each(|node| node.clock = Clock::new(0, node.clock.drift_ppm()));
        }
        self
    }

    /// Makes records durable at the end of each step.
    pub fn prompt_disks(mut self) -> Self {
        self.prompt_disks = true;
        self
    }

    /// Keeps messages to a crashed node in flight, like datagrams. Otherwise they are lost with the connection.
    pub fn links_survive(mut self) -> Self {
        self.links_survive = true;
        self
    }

    /// Sets the order of links; the default is [`Order::Free`].
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Keeps the lines of the trace, for [`World::take_lines`].
    pub fn traced(mut self) -> Self {
        self.lines = Some(Vec::new());
        self
    }

    /// Adds a node that is down and knows these members. Its wall clock shows `wall` at the beginning of the run.
    pub fn add(&mut self, id: NodeId, members: &[NodeId], wall: i64, drift_ppm: i32) {
        self.nodes.insert(id, Node::new(id, members, wall, drift_ppm));
    }

    /// The world's time.
    pub fn now(&self) -> Instant {
        Instant(self.now)
    }

    /// The processes that run.
    pub fn live(&self) -> impl Iterator<Item = (NodeId, &P)> + '_ {
        self.nodes.iter().filter_map(|(id, node)| Some((*id, node.process.as_ref()?)))
    }

    /// The process of a node that is up.
    pub fn node(&self, id: NodeId) -> Option<&P> {
        self.nodes.get(&id)?.process.as_ref()
    }

    /// The readings of a node's clocks.
    pub fn clocks(&self, id: NodeId) -> Option<(Instant, Wall)> {
        Some(self.nodes.get(&id)?.clock.read(self.now))
    }

    /// The number of choices in the last step.
    pub fn choices_made(&self) -> usize {
        self.choices_made
    }

    /// All nodes, up or down.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.keys().copied()
    }

    /// The messages in flight, link by link, the oldest first.
    pub fn under_way(&self) -> impl Iterator<Item = (NodeId, NodeId, &[P::Message])> + '_ {
        self.links
            .iter()
            .filter(|(_, queue)| !queue.is_empty())
            .map(|((from, to), queue)| (*from, *to, queue.as_slice()))
    }

    /// Whether a node has something to sync.
    pub fn has_unsynced(&self, id: NodeId) -> bool {
        self.nodes.get(&id).is_some_and(|node| node.process.is_some() && !node.disk.is_synced())
    }

    /// The timers that are set, with their deadlines in the world's time, the earliest first.
    pub fn timers(&self) -> Vec<(Instant, NodeId, P::Timer)> {
        let timers = self.nodes.iter().flat_map(|(id, node)| {
            node.timers.iter().map(|(timer, due)| (Instant(self.moment_of(node, *due)), *id, timer.clone()))
        });
        let mut timers: Vec<_> = timers.collect();
        timers.sort();
        timers
    }

    /// The events of nodes since the last call, oldest first.
    pub fn take_told(&mut self) -> Vec<(NodeId, P::Event)> {
        std::mem::take(&mut self.told)
    }

    /// The lines of the trace since the last call.
    pub fn take_lines(&mut self) -> Vec<String> {
        self.lines.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Sets the answers to the next choices of a node, besides those of its next action.
    pub fn choose(&mut self, id: NodeId, answers: impl IntoIterator<Item = u32>) -> Result<(), Impossible> {
        self.nodes.get_mut(&id).ok_or(Impossible::NoNode(id))?.answers.extend(answers);
        Ok(())
    }

    /// Performs an action.
    ///
    /// # Errors
    /// When it is impossible; then nothing changed.
    pub fn act(&mut self, action: &Action<P>) -> Result<(), Impossible> {
        self.act_at(action.at, action)
    }

    /// Performs an action, not before this time, whatever its own is.
    ///
    /// # Errors
    /// When it is impossible; then nothing changed.
    pub fn act_at(&mut self, at: Instant, action: &Action<P>) -> Result<(), Impossible> {
        self.now = self.check(&action.what, self.now.max(at.0))?;
        self.enter_action(action);
        match &action.what {
            What::Start { node } => self.start(*node, &action.choices),
            What::Command { node, command } => {
                self.step(*node, &action.choices, |process, cx| process.on_command(command.clone(), cx));
            }
            What::Deliver { from, to, which } => {
                let message = self.arrive(*from, *to, which);
                self.enter_arrival(self.node(*to).is_some());
                if self.node(*to).is_some() {
                    self.step(*to, &action.choices, |process, cx| process.on_message(*from, message, cx));
                } else {
                    self.write(format_args!("{from} -x {to} {message}"));
                }
            }
            What::Drop { from, to, which } => {
                let message = self.take(*from, *to, which);
                self.write(format_args!("{from} -x {to} {message}"));
            }
            What::Duplicate { from, to, which } => {
                let place = self.place(*from, *to, which).expect("it was checked");
                let queue = self.links.get_mut(&(*from, *to)).expect("a link with a message");
                let message = queue[place].clone();
                queue.insert(place + 1, message);
                self.enter_sent((*from, *to), place + 1, true);
            }
            What::Fire { node, timer } => {
                let timer = self.timer(*node, timer).expect("it was checked");
                self.expect(*node).timers.remove(&timer);
                self.step(*node, &action.choices, |process, cx| process.on_timer(timer, cx));
            }
            What::Sync { node, through } => {
                self.sync(*node, through.unwrap_or(Position(u64::MAX)), &action.choices);
            }
            What::Crash { node, keeps } => self.crash(*node, *keeps),
            What::Clock { node, jump, drift_ppm } => {
                let now = self.now;
                let clock = &mut self.expect(*node).clock;
                clock.jump_wall(now, *jump);
                drift_ppm.iter().for_each(|ppm| clock.set_drift(now, *ppm));
            }
            What::Wait => {}
        }
        self.enter_states();
        Ok(())
    }

    /// Performs one action after another; returns how many of them were impossible.
    pub fn follow(&mut self, actions: &[Action<P>]) -> usize {
        actions.iter().filter(|action| self.act(action).is_err()).count()
    }

    /// Whether an action is possible, and when: not before `at`.
    fn check(&self, what: &What<P>, at: u64) -> Result<u64, Impossible> {
        let node = |id: &NodeId| self.nodes.get(id).ok_or(Impossible::NoNode(*id));
        let up = |id: &NodeId| node(id)?.process.as_ref().map(|_| ()).ok_or(Impossible::Down(*id));
        match what {
            What::Start { node: id } if node(id)?.process.is_some() => return Err(Impossible::Up(*id)),
            What::Command { node: id, .. } | What::Crash { node: id, .. } => up(id)?,
            What::Clock { node: id, .. } => {
                node(id)?;
            }
            What::Sync { node: id, through } => {
                up(id)?;
                // A disk may repeat a report.
                if through.is_none() && !self.has_unsynced(*id) {
                    return Err(Impossible::Synced(*id));
                }
            }
            What::Fire { node: id, timer } => {
                up(id)?;
                let timer = self.timer(*id, timer).ok_or(Impossible::NoTimer(*id))?;
                let node = node(id)?;
                let due = node.timers[&timer];
                if self.clockwork != Clockwork::Stopped && node.clock.read(at).0 < due {
                    return Ok(self.moment_of(node, due));
                }
            }
            What::Deliver { from, to, which }
            | What::Drop { from, to, which }
            | What::Duplicate { from, to, which } => {
                self.place(*from, *to, which).ok_or(Impossible::NoMessage(*from, *to))?;
            }
            What::Start { .. } | What::Wait => {}
        }
        Ok(at)
    }

    /// The place of the named message on its link.
    pub fn place(&self, from: NodeId, to: NodeId, which: &Which<P::Message>) -> Option<usize> {
        let queue = self.links.get(&(from, to)).filter(|queue| !queue.is_empty())?;
        match which {
            Which::Oldest => Some(0),
            Which::Place(place) => (*place < queue.len()).then_some(*place),
            Which::Kind(kind) => queue.iter().position(|message| message.kind() == kind),
            Which::Equal(wanted) => {
                let equal = queue.iter().position(|message| message == wanted);
                equal.or_else(|| queue.iter().position(|message| message.kind() == wanted.kind()))
            }
        }
    }

    /// The message at a place of a link, as a script says it in the fewest words.
    pub fn name(&self, from: NodeId, to: NodeId, place: usize) -> Which<P::Message> {
        let queue = self.links.get(&(from, to)).filter(|queue| place < queue.len());
        let Some(queue) = queue.filter(|_| place > 0) else { return Which::Oldest };
        let kind = queue[place].kind();
        match queue.iter().position(|message| message.kind() == kind) {
            Some(first) if first == place => Which::Kind(kind.to_string()),
            _ => Which::Place(place),
        }
    }

    /// The named timer, if it is set.
    pub fn timer(&self, id: NodeId, which: &WhichTimer<P::Timer>) -> Option<P::Timer> {
        let timers = &self.nodes.get(&id)?.timers;
        match which {
            WhichTimer::Exactly(timer) => timers.contains_key(timer).then(|| timer.clone()),
            WhichTimer::Earliest => {
                let (timer, _) = timers.iter().min_by(|one, other| (one.1, one.0).cmp(&(other.1, other.0)))?;
                Some(timer.clone())
            }
        }
    }

    /// When a reading of a node's monotonic clock is reached, in the world's time.
    fn moment_of(&self, node: &Node<P>, local: Instant) -> u64 {
        let reading = node.clock.read(self.now).0;
        if local > reading {
            self.now.saturating_add(node.clock.world_span(nanos(local.since(reading))))
        } else {
            self.now.saturating_sub(node.clock.world_span(nanos(reading.since(local))))
        }
    }

    /// Takes what arrives from its link, with what the order of links does to the others.
    fn arrive(&mut self, from: NodeId, to: NodeId, which: &Which<P::Message>) -> P::Message {
        match self.order {
            Order::Free => self.take(from, to, which),
            Order::Strict => self.take(from, to, &Which::Oldest),
            Order::Lossy => {
                let place = self.place(from, to, which).expect("it was checked");
                for _ in 0..place {
                    self.take(from, to, &Which::Oldest);
                }
                self.take(from, to, &Which::Oldest)
            }
        }
    }

    fn take(&mut self, from: NodeId, to: NodeId, which: &Which<P::Message>) -> P::Message {
        let place = self.place(from, to, which).expect("it was checked");
        self.enter_taken((from, to), place);
        let queue = self.links.get_mut(&(from, to)).expect("a link with a message");
        queue.remove(place)
    }

    pub(super) fn expect(&mut self, id: NodeId) -> &mut Node<P> {
        self.nodes.get_mut(&id).expect("it was checked")
    }
}
