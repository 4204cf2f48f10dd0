//! A failing seed of the store's sweep, made shorter.
//!
//! The sweep of the store runs the real log over a simulated folder; here the same course is followed with disks that keep
//! whole records. What that world can judge is judged: Raft's invariants, that replicas are equal, what clients are told
//! (`told`), and that nothing panics. What breaks in the log itself does not come again. Panics are caught where they
//! unwind: in every profile but that of a release.
//!
//! Where the bug is a planted one, what is left must do no harm without it: otherwise the run shows what was never
//! promised, such as the loss of a majority of the disks.

use crate::run::run_written;
use crate::shape::Shape;
use crate::told::Told;
use crate::truth::Truth;
use std::panic::{AssertUnwindSafe, catch_unwind};
use volvox_core::{Incarnation, NodeId};
use volvox_raft::Member;
use volvox_raft::invariants::Observer;
use volvox_replica::Replica;
use volvox_sim::script::{Action, Breach, Course, Journal, Order, What, World, events, reduce};

/// More actions than that are not written down.
const ACTIONS_MAX: usize = 4_000_000;

/// A seed of the sweep that failed, with its course.
pub struct Failing {
    /// The seed.
    pub seed: u64,
    /// What the sweep said.
    pub reason: String,
    nodes: u64,
    course: Course<Replica>,
}

/// What is left of a course.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByHand {
    /// What breaks.
    pub breach: Breach,
    /// The actions, one a line.
    pub lines: Vec<String>,
    /// External events and deliveries among them.
    pub events: usize,
}

/// Plants the bug that is looked for on this thread (`true`), or takes it out.
pub type Planting<'p> = &'p dyn Fn(bool);

/// Runs a seed of the sweep; gives back its course when it fails.
pub fn failing(seed: u64, nodes: u64) -> Option<Failing> {
    let journal = Journal::new(ACTIONS_MAX);
    let ran = catch_unwind(AssertUnwindSafe(|| run_written(seed, nodes, None, Some(&journal)).err()));
    let reason = match ran {
        Ok(reason) => reason?,
        Err(panic) => Breach::of_panic(panic.as_ref()).text,
    };
    Some(Failing { seed, reason, nodes, course: journal.course() })
}

impl Failing {
    /// How many actions the run took.
    pub fn actions(&self) -> usize {
        self.course.actions.len()
    }

    /// Makes it shorter, following at most so many actions; `None` when it cannot be followed by hand, or does not break
    /// there.
    pub fn shrink(&self, followed_max: usize, plant: Option<Planting<'_>>) -> Option<ByHand> {
        if self.course.is_cut {
            return None;
        }
        let shape = Shape::draw(self.course.seed, self.nodes);
        let follow = |actions: &[Action<Replica>]| follow(&self.course, &shape, actions);
        let is_harmless = |actions: &[Action<Replica>]| {
            let Some(plant) = plant else { return true };
            plant(false);
            let found = follow(actions);
            plant(true);
            found.is_none()
        };
        let first = follow(&self.course.actions)?;
        let wanted = first.breach.property.clone();
        let mut followed = 0;
        let short = reduce(first.actions, &mut |actions| {
            if followed > followed_max {
                return None;
            }
            followed += actions.len();
            let found = follow(actions)?;
            (found.breach.property == wanted && is_harmless(&found.actions)).then_some(found.actions)
        });
        let breach = follow(&short)?.breach;
        // Every node must start, and that is no event.
        let starts = |action: &&Action<Replica>| matches!(action.what, What::Start { .. });
        let first_starts = short.iter().take_while(starts).count().min(self.nodes as usize);
        let lines = short.iter().map(ToString::to_string).collect();
        Some(ByHand { breach, lines, events: events(&short) - first_starts })
    }
}

struct Found {
    breach: Breach,
    actions: Vec<Action<Replica>>,
}

fn follow(course: &Course<Replica>, shape: &Shape, actions: &[Action<Replica>]) -> Option<Found> {
    let mut possible = Vec::new();
    let mut at = 0;
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let of_shape = shape.clone();
        let nodes = shape.nodes;
        let config_of = move |id: NodeId, incarnation| {
            let config = if id.0 <= nodes { of_shape.config(NodeId(0)) } else { of_shape.config_of_joiner(id) };
            Shape::config_of_life(&config, id, incarnation)
        };
        let mut world = course.world(config_of).order(Order::Lossy);
        let mut judge = Judge::new();
        for (place, action) in actions.iter().enumerate() {
            at = place;
            let life = node_of(&action.what).and_then(|node| world.node(node)).map(|replica| replica.raft().member());
            judge.before(&world, &action.what);
            if world.act(action).is_err() {
                continue;
            }
            let mut done = action.clone();
            done.choices.truncate(world.choices_made());
            possible.push(done);
            if let Some(breach) = judge.after(&mut world, &action.what, life) {
                return Some(breach);
            }
        }
        None
    }));
    let breach = ran.unwrap_or_else(|panic| {
        possible.extend(actions.get(at).cloned());
        Some(Breach::of_panic(panic.as_ref()))
    });
    breach.map(|breach| Found { breach, actions: possible })
}

/// What is asked after every action.
struct Judge {
    observer: Observer,
    truth: Truth,
    told: Told,
}

impl Judge {
    fn new() -> Judge {
        Judge { observer: Observer::new(), truth: Truth::default(), told: Told::default() }
    }

    /// A question is noted before it is asked: its answer may come in the same step.
    fn before(&mut self, world: &World<Replica>, what: &What<Replica>) {
        if let What::Command { node, command } = what
            && world.node(*node).is_some()
        {
            self.told.on_command(*node, command, &mut self.truth, world.now());
        }
    }

    fn after(&mut self, world: &mut World<Replica>, what: &What<Replica>, life: Option<Member>) -> Option<Breach> {
        let told = world.take_told();
        let node = node_of(what)?;
        if let (What::Crash { .. }, Some(Member { incarnation: Incarnation(life), .. })) = (what, life) {
            self.truth.forget(node);
            self.told.on_crashed(node);
            self.observer.crashed(Member::new(node.0, life));
            return None;
        }
        let replica = world.node(node)?;
        if let Err(violation) = self.observer.observe(replica.raft()) {
            return Some(Breach { property: violation.property.to_string(), text: violation.to_string() });
        }
        if let Err(text) = self.truth.observe(node, replica, world.now()) {
            return Some(Breach { property: "equal replicas".to_string(), text });
        }
        for (node, event) in told {
            if let Err(text) = self.told.on_event(node, &event, world.node(node), &mut self.truth) {
                return Some(Breach { property: "what clients are told".to_string(), text });
            }
        }
        None
    }
}

/// Who makes a step.
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
