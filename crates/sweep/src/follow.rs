//! A course, followed by hand and judged after every action.
//!
//! The sweep of the store runs the real log over a simulated folder; here the same course is followed with disks that keep
//! whole records. It judges everything that this world can judge: Raft's invariants, that replicas are equal, answers
//! to clients (`history`), and that nothing panics. A violation in the log itself does not recur. Panics are caught where
//! they unwind: in every profile but that of a release.

use crate::history::History;
use crate::shape::Shape;
use crate::truth::Truth;
use std::panic::{AssertUnwindSafe, catch_unwind};
use volvox_core::{Incarnation, Instant, NodeId};
use volvox_raft::Member;
use volvox_raft::invariants::Observer;
use volvox_replica::Replica;
use volvox_sim::script::{Action, Breach, Course, Order, What, World};

/// A moment of a course that is followed: the world, and what was seen of it. A clone continues independently.
#[derive(Clone)]
pub(crate) struct Moment {
    world: World<Replica>,
    observer: Observer,
    truth: Truth,
    history: History,
}

/// The outcome of an action.
pub(crate) enum Became {
    /// It cannot happen, and nothing changed.
    Impossible,
    /// It happened, with this many choices.
    Done(usize),
    /// It broke something.
    Broke(Breach),
}

impl Moment {
    /// Before the first action.
    pub fn first(course: &Course<Replica>, shape: &Shape) -> Moment {
        let (shape, nodes) = (shape.clone(), shape.nodes);
        let config_of = move |id: NodeId, incarnation| {
            let config = if id.0 <= nodes { shape.config(NodeId(0)) } else { shape.config_of_joiner(id) };
            Shape::config_of_life(&config, id, incarnation)
        };
        Moment {
            world: course.world(config_of).order(Order::Lossy),
            observer: Observer::new(),
            truth: Truth::default(),
            history: History::default(),
        }
    }

    /// The world.
    pub fn world(&self) -> &World<Replica> {
        &self.world
    }

    /// The revision of a node that is up.
    pub fn revision_of(&self, node: NodeId) -> Option<i64> {
        self.world.node(node).map(|replica| replica.store().revision())
    }

    /// Lets an action happen, not before `at`, and judges what came of it. After a panic nothing can follow.
    pub fn act(&mut self, at: Instant, action: &Action<Replica>) -> Became {
        match catch_unwind(AssertUnwindSafe(|| self.act_and_judge(at, action))) {
            Ok(became) => became,
            Err(panic) => Became::Broke(Breach::of_panic(panic.as_ref())),
        }
    }

    fn act_and_judge(&mut self, at: Instant, action: &Action<Replica>) -> Became {
        let what = &action.what;
        let life = node_of(what).and_then(|node| self.world.node(node)).map(|replica| replica.raft().member());
        // A question is noted before it is asked: its answer may come in the same step.
        if let What::Command { node, command } = what
            && life.is_some()
        {
            self.history.on_command(*node, command, &mut self.truth, self.world.now());
        }
        if self.world.act_at(at, action).is_err() {
            return Became::Impossible;
        }
        let made = self.world.choices_made();
        self.judge(what, life).map_or(Became::Done(made), Became::Broke)
    }

    fn judge(&mut self, what: &What<Replica>, life: Option<Member>) -> Option<Breach> {
        let told = self.world.take_told();
        let node = node_of(what)?;
        if let (What::Crash { .. }, Some(Member { incarnation: Incarnation(life), .. })) = (what, life) {
            self.truth.forget(node);
            self.history.on_crashed(node);
            self.observer.crashed(Member::new(node.0, life));
            return None;
        }
        let replica = self.world.node(node)?;
        if let Err(violation) = self.observer.observe(replica.raft()) {
            return Some(Breach { property: violation.property.to_string(), text: violation.to_string() });
        }
        if let Err(text) = self.truth.observe(node, replica, self.world.now()) {
            return Some(Breach { property: "equal replicas".to_string(), text });
        }
        for (node, event) in told {
            if let Err(text) = self.history.on_event(node, &event, self.world.node(node), &mut self.truth) {
                return Some(Breach { property: "answers to clients".to_string(), text });
            }
        }
        None
    }
}

/// The node that makes a step.
fn node_of(what: &What<Replica>) -> Option<NodeId> {
    match what {
        What::Start { node }
        | What::Command { node, .. }
        | What::Fire { node, .. }
        | What::Sync { node, .. }
        | What::Crash { node, .. }
        | What::Deliver { to: node, .. } => Some(*node),
        What::Drop { .. } | What::Duplicate { .. } | What::Clock { .. } | What::Wait => None,
    }
}
