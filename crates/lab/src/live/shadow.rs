//! Shadows of all nodes, which receive the inputs of the nodes.

use super::observed::{Observation, unhex};
use crate::chapter::Settings;
use crate::shell::{Carried, Shell};
use crate::study::Judge;
use std::collections::{BTreeMap, VecDeque};
use volvox_core::erased::{AnyEvent, AnyMessage, AnyProcess, AnyTimer};
use volvox_core::{
    Boot, Context, Effect, EffectOf, Environment, FlatMap, Incarnation, Instant, MessageKind, NodeId, Now, Outbox,
    Position, Process, Restored, Rng, Wall, WhichBoot,
};
use volvox_sim::{Envelope, Moment, NodeState, Recording, Statistics, What};

/// More messages in flight on a link than this, and the oldest count as lost.
const UNDER_WAY_MAX: usize = 10_000;

/// Shadows of all nodes, what is judged of them, and what is recorded.
pub(crate) struct Shadows {
    shell: &'static dyn Shell,
    settings: Settings,
    seed: u64,
    members: Vec<NodeId>,
    nodes: FlatMap<NodeId, Shadow>,
    under_way: FlatMap<(NodeId, NodeId), UnderWay>,
    pub judge: Judge,
    pub statistics: Statistics,
    pub recording: Recording,
    moments_max: usize,
    states: BTreeMap<NodeId, NodeState>,
    /// When each node was killed, the last time.
    killed: BTreeMap<NodeId, Instant>,
    /// The property that broke first.
    pub broken: Option<(&'static str, String)>,
}

/// The messages in flight on one link, oldest first.
type UnderWay = VecDeque<InFlight>;

/// A message that was sent and has not been received yet.
struct InFlight {
    /// Its place in the recording.
    id: usize,
    message: AnyMessage,
    sent: Instant,
}

/// A step, the effects that the disk released before it, and its own effects.
type Followed = (What, Vec<Outgoing>, Vec<EffectOf<AnyProcess>>);

enum Outgoing {
    Send(NodeId, AnyMessage),
    Emit(AnyEvent),
}

/// One node, as its parent knows it.
struct Shadow {
    process: AnyProcess,
    environment: Environment,
    outbox: Outbox<Outgoing>,
    /// The timers that are set.
    timers: Vec<AnyTimer>,
    is_up: bool,
}

impl Shadows {
    pub fn new(shell: &'static dyn Shell, settings: Settings, seed: u64, moments_max: usize) -> Shadows {
        Shadows {
            shell,
            settings,
            seed,
            members: (1..=settings.nodes).map(NodeId).collect(),
            nodes: FlatMap::new(),
            under_way: FlatMap::new(),
            judge: Judge::new(shell),
            statistics: Statistics::default(),
            recording: Recording::default(),
            moments_max,
            states: BTreeMap::new(),
            killed: BTreeMap::new(),
            broken: None,
        }
    }

    /// The nodes that are up.
    pub fn up(&self) -> Vec<(NodeId, &AnyProcess)> {
        self.nodes.iter().filter(|(_, shadow)| shadow.is_up).map(|(id, shadow)| (*id, &shadow.process)).collect()
    }

    /// Whether no node has set a timer: then nothing happens by itself.
    pub fn has_timers(&self) -> bool {
        self.nodes.values().any(|shadow| shadow.is_up && !shadow.timers.is_empty())
    }

    /// Adds what the parent did.
    pub fn record(&mut self, at: Instant, node: NodeId, what: What) {
        if self.recording.moments.len() < self.moments_max {
            self.recording.moments.push(Moment { at, node, what });
        } else {
            self.recording.is_cut = self.moments_max > 0;
        }
    }

    /// The process of a node was killed.
    pub fn killed(&mut self, at: Instant, node: NodeId) {
        if let Some(shadow) = self.nodes.get_mut(&node) {
            shadow.is_up = false;
        }
        self.states.remove(&node);
        self.killed.insert(node, at);
        self.record(at, node, What::Stopped);
    }

    /// Records the messages that were never received, at the end: those sent to a node before it was killed are lost with it.
    /// Others are still in flight, unless faults take messages away.
    pub fn lose_the_rest(&mut self, at: Instant, links_lose: bool) {
        for ((_, to), messages) in std::mem::take(&mut self.under_way) {
            for InFlight { id, sent, .. } in messages {
                if links_lose || self.is_lost_with(to, sent) {
                    self.lose(id, to, sent, at);
                }
            }
        }
    }

    /// Whether a node was killed after this moment, or is down.
    fn is_lost_with(&self, node: NodeId, sent: Instant) -> bool {
        let is_down = self.nodes.get(&node).is_some_and(|shadow| !shadow.is_up);
        is_down || self.killed.get(&node).is_some_and(|killed| *killed >= sent)
    }

    fn lose(&mut self, id: usize, to: NodeId, sent: Instant, at: Instant) {
        let (count, why) = match self.is_lost_with(to, sent) {
            true => (&mut self.statistics.dropped_down, "down"),
            false => (&mut self.statistics.dropped_lost, "lost"),
        };
        *count += 1;
        self.record(at, to, What::Lost(id, why));
    }

    /// Whether a node reports the receipt of a message that its sender, which is up, has not reported yet.
    pub fn is_early(&self, node: NodeId, told: &Observation) -> bool {
        let received = || {
            let (from, message) = told.input.strip_prefix("message ")?.split_once(' ')?;
            Some((NodeId(from.parse().ok()?), self.shell.message(unhex(message)?)?))
        };
        let Some((from, message)) = received() else { return false };
        let is_known =
            self.under_way.get(&(from, node)).is_some_and(|sent| sent.iter().any(|one| one.message == message));
        !is_known && self.nodes.get(&from).is_some_and(|sender| sender.is_up)
    }

    /// Follows what a node was told. `None` when it makes no sense.
    pub fn follow(&mut self, node: NodeId, told: &Observation, at: Instant) -> Option<()> {
        let (verb, rest) = told.input.split_once(' ').unwrap_or((&told.input, ""));
        if let "part" | "covers" | "record" | "start" = verb {
            return self.follow_start(node, told, verb, rest, at);
        }
        let mut shadow = self.nodes.remove(&node)?;
        let followed = self.follow_input(node, &mut shadow, told, verb, rest, at);
        self.nodes.insert(node, shadow);
        let (what, released, effects) = followed?;
        self.record(at, node, what);
        self.after_step(node, released, effects, at);
        Some(())
    }

    fn follow_input(
        &mut self,
        node: NodeId,
        shadow: &mut Shadow,
        told: &Observation,
        verb: &str,
        rest: &str,
        at: Instant,
    ) -> Option<Followed> {
        if !shadow.is_up {
            return None;
        }
        shadow.environment.now = Now::Known(Instant(told.now));
        shadow.environment.wall = Wall(told.wall);
        let (mut effects, mut released) = (Vec::new(), Vec::new());
        let Shadow { process, environment, timers, outbox, .. } = shadow;
        let mut cx = Context::new(environment, &mut effects);
        let what = match verb {
            "message" => {
                let (from, message) = rest.split_once(' ')?;
                let (from, message) = (NodeId(from.parse().ok()?), self.shell.message(unhex(message)?)?);
                process.on_message(from, message.clone(), &mut cx);
                self.statistics.delivered += 1;
                self.receive(from, node, &message, at)
            }
            "timer" => {
                let place = timers.iter().position(|timer| format!("{timer:?}") == rest)?;
                let timer = timers.swap_remove(place);
                let what = What::timer::<AnyProcess>(&timer, Some(&Carried(self.shell)));
                process.on_timer(timer, &mut cx);
                self.statistics.timers += 1;
                what
            }
            "command" => {
                let command = self.shell.command(rest).ok()?;
                process.on_command(command, &mut cx);
                self.statistics.commands += 1;
                What::Command(rest.to_string())
            }
            "persisted" => {
                let through = Position(rest.parse().ok()?);
                outbox.advance(through);
                released.extend(std::iter::from_fn(|| outbox.pop()));
                process.on_persisted(through, &mut cx);
                self.statistics.syncs += 1;
                What::Durable(through)
            }
            _ => return None,
        };
        Some((what, released, effects))
    }

    fn follow_start(&mut self, node: NodeId, told: &Observation, verb: &str, rest: &str, at: Instant) -> Option<()> {
        let mut words = rest.split(' ');
        if !self.nodes.get(&node).is_some_and(|shadow| shadow.is_up) {
            let process = AnyProcess::new(node, &self.members, &self.shell.config(&self.settings));
            let environment = Environment::new(node, Incarnation::FIRST, Position::NONE, &Rng::new(self.seed));
            let outbox = Outbox::new(Position::NONE);
            self.nodes.insert(node, Shadow { process, environment, outbox, timers: Vec::new(), is_up: true });
        }
        let shadow = self.nodes.get_mut(&node)?;
        match verb {
            "part" => shadow.process.on_restore(Restored::Part(unhex(words.next()?)?)),
            "covers" => {
                shadow.process.on_restore(Restored::CheckpointEnd { covers: Position(words.next()?.parse().ok()?) });
            }
            "record" => {
                let position = Position(words.next()?.parse().ok()?);
                shadow
                    .process
                    .on_restore(Restored::Record { position, record: self.shell.record(unhex(words.next()?)?)? });
            }
            _ => {
                let incarnation = Incarnation(words.next()?.parse().ok()?);
                let boot = Boot(words.next()?.parse().ok()?);
                let last = Position(words.next()?.parse().ok()?);
                shadow.environment = Environment::new(node, incarnation, last, &Rng::new(self.seed));
                shadow.environment.boot = WhichBoot::Known(boot);
                shadow.environment.now = Now::Known(Instant(told.now));
                shadow.environment.wall = Wall(told.wall);
                shadow.outbox = Outbox::new(last);
                let mut effects = Vec::new();
                shadow.process.on_start(&mut Context::new(&mut shadow.environment, &mut effects));
                self.record(at, node, What::Started(incarnation));
                self.after_step(node, Vec::new(), effects, at);
            }
        }
        Some(())
    }

    /// Finds the message among those in flight; messages sent before it on its link that have not arrived are lost.
    fn receive(&mut self, from: NodeId, to: NodeId, message: &AnyMessage, at: Instant) -> What {
        let queue = self.under_way.get_or_default((from, to));
        let place = queue.iter().position(|sent| sent.message == *message);
        let before: Vec<InFlight> = (0..place.unwrap_or(0)).filter_map(|_| queue.pop_front()).collect();
        let found = place.and_then(|_| queue.pop_front()).map(|sent| sent.id);
        for InFlight { id, sent, .. } in before {
            self.lose(id, to, sent, at);
        }
        // Its sender was killed before it could tell.
        let id = found.unwrap_or_else(|| self.sent(from, to, message, at));
        What::Delivered(id)
    }

    fn sent(&mut self, from: NodeId, to: NodeId, message: &AnyMessage, at: Instant) -> usize {
        let id = self.recording.messages.len();
        let envelope = Envelope::of::<AnyProcess>((from, to), message, false, Some(&Carried(self.shell)));
        self.statistics.sent += 1;
        match envelope.carried {
            Some(_) => self.statistics.kinds.add(message.kind()),
            None => self.statistics.carrier_kinds.add(message.kind()),
        }
        self.recording.messages.push(envelope);
        self.record(at, from, What::Sent(id));
        id
    }

    fn after_step(&mut self, node: NodeId, released: Vec<Outgoing>, effects: Vec<EffectOf<AnyProcess>>, at: Instant) {
        self.statistics.steps += 1;
        for outgoing in released {
            self.release(node, outgoing, at);
        }
        for effect in effects {
            let Some(shadow) = self.nodes.get_mut(&node) else { return };
            match effect {
                Effect::Send { to, message, after } => {
                    if let Some(outgoing) = shadow.outbox.offer(after, Outgoing::Send(to, message)) {
                        self.release(node, outgoing, at);
                    }
                }
                Effect::Emit { event, after } => {
                    if let Some(outgoing) = shadow.outbox.offer(after, Outgoing::Emit(event)) {
                        self.release(node, outgoing, at);
                    }
                }
                Effect::SetTimer { timer, .. } => {
                    if !shadow.timers.contains(&timer) {
                        shadow.timers.push(timer);
                    }
                }
                Effect::CancelTimer { timer } => {
                    shadow.timers.retain(|set| *set != timer);
                }
                Effect::Persist { record, .. } => {
                    self.statistics.records += 1;
                    self.record(at, node, What::persisted(&record, Some(&Carried(self.shell))));
                }
                Effect::Note(note) => {
                    self.statistics.notes.add(note.text);
                    self.record(at, node, What::Note(note.to_string()));
                }
                Effect::CheckpointPart { .. } | Effect::CheckpointDone { .. } => {}
            }
        }
        self.judge_now(node, at);
    }

    fn release(&mut self, node: NodeId, outgoing: Outgoing, at: Instant) {
        match outgoing {
            Outgoing::Send(to, message) => {
                let id = self.sent(node, to, &message, at);
                let queue = self.under_way.get_or_default((node, to));
                queue.push_back(InFlight { id, message, sent: at });
                if queue.len() > UNDER_WAY_MAX {
                    queue.pop_front();
                }
            }
            Outgoing::Emit(event) => {
                self.statistics.events += 1;
                self.judge.event(node, &event);
                self.record(at, node, What::event(&event, Some(&Carried(self.shell))));
            }
        }
    }

    fn judge_now(&mut self, node: NodeId, at: Instant) {
        if let Some(shadow) = self.nodes.get(&node) {
            let state = self.shell.state(&shadow.process);
            let before = self.states.entry(node).or_default();
            if *before != state {
                before.clone_from(&state);
                self.record(at, node, What::State(state));
            }
        }
        // Not `up()`: the judge is borrowed beside the nodes.
        let up: Vec<(NodeId, &AnyProcess)> =
            self.nodes.iter().filter(|(_, shadow)| shadow.is_up).map(|(id, shadow)| (*id, &shadow.process)).collect();
        if let Some((property, text)) = self.judge.always(at, &up) {
            self.broken.get_or_insert((property, text.clone()));
            self.record(at, NodeId(0), What::Broken { property: property.to_string(), text });
        }
    }

    /// Whether the run has done its work.
    pub fn is_done(&self) -> bool {
        self.judge.is_done(&self.up())
    }

    /// Whether what must hold at the end would hold if this were it.
    pub fn could_end(&self) -> bool {
        self.judge.could_end(&self.up())
    }

    /// Asks what must hold at the end.
    pub fn judge_end(&mut self, at: Instant) {
        let up: Vec<(NodeId, &AnyProcess)> =
            self.nodes.iter().filter(|(_, shadow)| shadow.is_up).map(|(id, shadow)| (*id, &shadow.process)).collect();
        if let Some((property, text)) = self.judge.at_end(at, &up) {
            self.record(at, NodeId(0), What::Broken { property: property.to_string(), text });
        }
    }
}
