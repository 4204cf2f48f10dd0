//! A run as data: the content of a counterexample, which another world can replay.

use super::action::{Action, What};
use super::decision::{Decision, Kind};
use super::network::LinkOrder;
use super::node::{Input, Node, Ran};
use super::{Checked, Durability, State, System, Timed};
use crate::report::Counterexample;
use std::fmt;
use std::fmt::Write;
use std::hash::Hash;
use volvox_core::time::nanos;
use volvox_core::trace::Line;
use volvox_core::{Instant, NodeId, Process};

/// A run of a [`System`]: its first state is that in which every node has started, its clocks drift as given, and then
/// the world decides as given. It holds values and no numbers of a particular exploration.
///
/// To replay it in the simulated world: build a simulation of the same nodes and configurations whose links deliver
/// nothing by themselves and whose timers do not run, and carry out one decision after the other: hand over the oldest
/// message in flight that equals the one named, fire the timer, give the command, let the disk be durable up to a
/// position, crash, restart. Choices are answered from the script. Every schedule that the checker found is possible
/// there, and the property fails in the same state.
pub struct Schedule<P: Process> {
    /// The drift of each node's clock, in parts per million.
    pub drifts_ppm: Vec<i32>,
    /// The choices of each node's start; empty if a start fails, which is then the only decision.
    pub starts: Vec<Box<[u32]>>,
    /// The decisions.
    pub actions: Vec<Action<P>>,
}

impl<P: Process> fmt::Display for Schedule<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.actions.iter().try_for_each(|action| writeln!(f, "{action}"))
    }
}

impl<P: Process> Action<P> {
    /// The node that makes a step, and its input.
    fn input(&self) -> Option<(NodeId, Input<P>)> {
        Some(match self.what.clone() {
            What::Deliver { from, to, message, .. } => (to, Input::Message(from, message)),
            What::Fire { node, timer } => (node, Input::Timer(timer)),
            What::Command { node, command } => (node, Input::Command(command)),
            What::Sync { node, through } => (node, Input::Sync(through)),
            What::Crash { node, keeps, .. } => (node, Input::Crash(keeps)),
            What::Start { node } | What::Restart { node } => (node, Input::Start),
            What::Lose { .. } | What::Pass => return None,
        })
    }
}

impl<P: Checked, H: Clone + Eq + Hash + Send + Sync> System<P, H> {
    /// The run of a counterexample as data: values, and no numbers of this system.
    pub fn schedule(&self, counterexample: &Counterexample<State, Decision>) -> Schedule<P> {
        let nodes = &counterexample.initial.words[..self.ids.len()];
        let drifts_ppm: Vec<i32> = nodes.iter().map(|node| self.nodes.get(*node).node.drift_ppm).collect();
        let has_begun = !matches!(&counterexample.failed, Some((Decision { kind: Kind::Start { .. }, .. }, _)));
        let started = nodes.iter().zip(&drifts_ppm).enumerate().filter(|_| has_begun);
        let starts = started.map(|(index, (node, drift))| self.answers_to_start(index, *drift, *node)).collect();
        let steps = counterexample.steps.iter().map(|(decision, _)| decision);
        let failed = counterexample.failed.iter().map(|(decision, _)| decision);
        Schedule { drifts_ppm, starts, actions: steps.chain(failed).map(|decision| self.action(decision)).collect() }
    }

    /// Runs a schedule with fresh processes, and writes the trace: each decision, then the node's effects, one per
    /// line. The time of a line is that of its tick in timed models, and otherwise the number of its decision in
    /// milliseconds.
    ///
    /// This shares only the step of a single node with the exploration: no numbers, no fingerprints, no memory of
    /// earlier results.
    pub fn trace(&self, schedule: &Schedule<P>) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        self.follow(schedule, |at, action, id, ran| {
            if let Some(action) = action {
                let _ = writeln!(text, "{at} {action}");
            }
            for effect in ran.iter().flat_map(|ran| &ran.effects) {
                let _ = writeln!(text, "{}", Line { at, node: id, effect });
            }
            if let Some(failure) = ran.and_then(|ran| ran.failure.as_ref()) {
                let _ = writeln!(text, "{at} {failure}");
            }
        });
        text
    }

    /// Whether replaying a schedule with fresh processes ends in nodes equal to those of `state`, to validate the
    /// exploration.
    pub fn ends_in(&self, schedule: &Schedule<P>, state: &State) -> bool {
        let nodes = self.follow(schedule, |_, _, _, _| {});
        let fingerprints = nodes.iter().map(|node| self.fingerprint_of_node(node));
        fingerprints.eq(state.words[..self.ids.len()].iter().map(|node| self.nodes.fingerprint(*node)))
    }

    /// The ids of the nodes, for worlds that replay a schedule of this one.
    pub fn ids(&self) -> &[NodeId] {
        &self.ids
    }

    /// The configuration of a node.
    pub fn config(&self, id: NodeId) -> P::Config {
        (self.config_of)(id)
    }

    /// When records are durable.
    pub fn when_durable(&self) -> Durability {
        self.durability
    }

    /// The time that passes, where it does.
    pub fn time(&self) -> Option<&Timed> {
        self.timed.as_ref()
    }

    /// Whether the wall clock of a node goes on while it is down.
    pub fn is_keeping_wall_clocks(&self) -> bool {
        self.keeps_wall_clocks
    }

    /// Whether links keep their order.
    pub fn is_ordered(&self) -> bool {
        self.network.order == LinkOrder::Ordered
    }

    /// Whether a process whose clock shows `now` is, as far as this system compares processes, the one that the node has
    /// in `state`; `None` is a node that is down.
    pub fn is_same(&self, state: &State, id: NodeId, process: Option<&P>, now: Instant) -> bool {
        let node = &self.nodes.get(state.words[self.index_of(id)]).node;
        let was = node.process.as_ref().map(|process| self.fingerprint_of_process(process, Instant(node.now)));
        was == process.map(|process| self.fingerprint_of_process(process, now))
    }

    /// Runs a schedule, and shows each decision, with the node and the effects of its step, if any.
    fn follow(
        &self,
        schedule: &Schedule<P>,
        mut show: impl FnMut(Instant, Option<&Action<P>>, NodeId, Option<&Ran<P>>),
    ) -> Vec<Node<P>> {
        let drifts = schedule.drifts_ppm.iter().enumerate();
        let mut nodes: Vec<Node<P>> = drifts.map(|(index, drift)| Node::new(index, *drift)).collect();
        for (index, answers) in schedule.starts.iter().enumerate() {
            let ran = self.run(&nodes[index], &Input::Start, answers.to_vec());
            show(Instant::ZERO, None, self.ids[index], Some(&ran));
            nodes[index] = ran.node;
        }
        let (mut ticks, tick) = (0u64, self.timed.as_ref().map_or(0, |timed| nanos(timed.tick)));
        for (number, action) in schedule.actions.iter().enumerate() {
            let is_tick = matches!(action.what, What::Pass);
            ticks += u64::from(is_tick);
            let at = Instant(if tick > 0 { ticks * tick } else { (number as u64 + 1) * 1_000_000 });
            let Some((id, input)) = action.input() else {
                show(at, Some(action), NodeId::default(), None);
                for node in nodes.iter_mut().filter(|_| is_tick) {
                    *node = self.run(node, &Input::Pass(tick), Vec::new()).node;
                }
                continue;
            };
            let index = self.index_of(id);
            let ran = self.run(&nodes[index], &input, action.choices.to_vec());
            show(at, Some(action), id, Some(&ran));
            nodes[index] = ran.node;
        }
        nodes
    }
}
