//! A failing seed of the store's sweep, made shorter.
//!
//! The sweep of the store runs the real log over a simulated folder; here the same course is followed with disks that keep
//! whole records. What that world can judge is judged: Raft's invariants, that replicas are equal, and that nothing panics.
//! What clients were told is not, since the clients are not there; and what breaks in the log itself does not come again.

use super::reduce::{events, reduce};
use super::{Breach, PANIC};
use std::panic::{AssertUnwindSafe, catch_unwind};
use volvox_core::{Incarnation, NodeId};
use volvox_raft::Member;
use volvox_raft::invariants::Observer;
use volvox_replica::Replica;
use volvox_sim::script::{Action, Course, Journal, Order, What, World};
use volvox_sweep::run::run_written;
use volvox_sweep::shape::Shape;
use volvox_sweep::truth::Truth;

/// More actions than that are not written down.
const ACTIONS_MAX: usize = 4_000_000;

/// A failing seed of the store that was made shorter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShrunkSeed {
    /// What the sweep said.
    pub reason: String,
    /// How many actions the run took.
    pub actions: usize,
    /// What is left, when the course could be followed by hand.
    pub by_hand: Option<ByHand>,
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

/// Runs a seed of the store's sweep; when it fails, makes it shorter, following at most so many actions.
pub fn shrink_seed(seed: u64, nodes: u64, followed_max: usize) -> Option<ShrunkSeed> {
    let journal = Journal::new(ACTIONS_MAX);
    let ran = catch_unwind(AssertUnwindSafe(|| run_written(seed, nodes, None, Some(&journal)).err()));
    let reason = match ran {
        Ok(reason) => reason?,
        Err(panic) => Breach::of_panic(panic.as_ref()).text,
    };
    let course = journal.course();
    let actions = course.actions.len();
    let by_hand = if course.is_cut { None } else { by_hand(&course, nodes, followed_max) };
    Some(ShrunkSeed { reason, actions, by_hand })
}

fn by_hand(course: &Course<Replica>, nodes: u64, followed_max: usize) -> Option<ByHand> {
    let shape = Shape::draw(course.seed, nodes);
    let first = follow(course, &shape, &course.actions)?;
    let wanted = first.breach.property.clone();
    let mut followed = 0;
    let short = reduce(first.actions, &mut |actions| {
        if followed > followed_max {
            return None;
        }
        followed += actions.len();
        let found = follow(course, &shape, actions)?;
        (found.breach.property == wanted).then_some(found.actions)
    });
    let breach = follow(course, &shape, &short)?.breach;
    // Every node must start, and that is no event.
    let starts = |action: &&Action<Replica>| matches!(action.what, What::Start { .. });
    let first_starts = short.iter().take_while(starts).count().min(nodes as usize);
    let lines = short.iter().map(ToString::to_string).collect();
    Some(ByHand { breach, lines, events: events(&short) - first_starts })
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
        let (mut observer, mut truth) = (Observer::new(), Truth::default());
        for (place, action) in actions.iter().enumerate() {
            at = place;
            let life = node_of(&action.what).and_then(|node| world.node(node)).map(|replica| replica.raft().member());
            if world.act(action).is_err() {
                continue;
            }
            let mut done = action.clone();
            done.choices.truncate(world.choices_made());
            possible.push(done);
            world.take_told();
            if let Some(breach) = judge(&world, &action.what, life, &mut observer, &mut truth) {
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

fn judge(
    world: &World<Replica>,
    what: &What<Replica>,
    life: Option<Member>,
    observer: &mut Observer,
    truth: &mut Truth,
) -> Option<Breach> {
    let node = node_of(what)?;
    if let (What::Crash { .. }, Some(Member { incarnation: Incarnation(life), .. })) = (what, life) {
        truth.forget(node);
        observer.crashed(Member::new(node.0, life));
        return None;
    }
    let replica = world.node(node)?;
    if let Err(violation) = observer.observe(replica.raft()) {
        return Some(Breach { property: violation.property.to_string(), text: violation.to_string() });
    }
    let text = truth.observe(node, replica, world.now()).err()?;
    Some(Breach { property: "equal replicas".to_string(), text })
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

/// Whether a panic is what broke.
pub fn is_panic(breach: &Breach) -> bool {
    breach.property == PANIC
}
