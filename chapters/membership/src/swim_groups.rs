//! Small groups of members, and the properties that most of their models ask.

use volvox_core::{Duration, NodeId, Picture, Property, When};
use volvox_lab::check::{Checker, Network, State, System, Timed};
use volvox_lab::model::{Explored, explore, hold};
use volvox_membership::swim::{self as protocol, Config, History, Message, Timer};

pub type Instance = System<protocol::Swim, History>;
type Holds = fn(&Picture<'_, protocol::Swim, History>) -> Result<(), String>;

pub const TICK: Duration = Duration::from_millis(10);
pub const SUSPECTED: Property<protocol::Swim, History> =
    accuracy("no living member is suspected", protocol::no_living_member_is_suspected);
pub const FAULTY: Property<protocol::Swim, History> =
    accuracy("no living member is faulty", protocol::no_living_member_is_faulty);

const fn accuracy(name: &'static str, holds: Holds) -> Property<protocol::Swim, History> {
    Property { name, source: "SWIM, 4.2, where messages come in time", when: When::Always, holds }
}

/// An ack takes two ticks at most, one over a relay four: the period has time for both.
pub fn small(without: Option<protocol::Rule>) -> Config {
    Config {
        period: TICK * 8,
        ack_timeout: TICK * 3,
        relays: 1,
        suspicion: TICK * 32,
        lambda: 2,
        updates_max: 2,
        out_of_step: false,
        numbers: 2,
        without,
        ..Config::default()
    }
}

/// Links that deliver within a tick, or lose this many messages.
pub fn in_time(nodes: u64, config: Config, losses: u32) -> Instance {
    Instance::with_history(nodes, config).network(Network::unordered().losses(losses)).timed(Timed {
        tick: TICK,
        delivery_min: 0,
        delivery_max: 1,
        drifts_ppm: vec![0],
    })
}

pub fn is_out(node: &protocol::Swim) -> bool {
    node.own().is_faulty()
}

/// The safety properties, and what a member keeps, waits for and sends.
pub fn checked(world: &Instance) -> Checker<'_, Instance> {
    let checker = hold(Checker::new(world), &protocol::properties());
    let checker = checker.invariant("a member waits while it must, and no longer", waits_while_it_must);
    checker.invariant("a message tells of a member once", |world, state| {
        let tells_once = |(_, _, message): (NodeId, NodeId, &Message)| {
            let told = message.updates();
            (1..told.len()).all(|at| told[..at].iter().all(|before| before.member != told[at].member))
        };
        world.view(state).in_flight().all(tells_once)
    })
}

/// A member that is in waits for its next period, for the ack of a member that may be alive, and for the refutation of
/// each suspect; one that is out waits for nothing.
fn waits_while_it_must(world: &Instance, state: &State) -> bool {
    let view = world.view(state);
    view.nodes().all(|(id, node)| {
        let is_in = !is_out(node);
        let probed = node.probed().and_then(|member| node.standing(member));
        view.is_set(id, Timer::Period) == is_in
            && (!view.is_set(id, Timer::Ack) || (is_in && probed.is_some()))
            && probed.is_none_or(|standing| !standing.is_faulty())
            && node
                .members()
                .all(|(member, standing)| view.is_set(id, Timer::Suspicion(member)) == (is_in && standing.is_suspect()))
    })
}

/// The safety properties, and that no living member is accused.
pub fn lives(world: &Instance, accuracy: Property<protocol::Swim, History>) -> Explored {
    explore(world, hold(checked(world), &[accuracy]))
}
