//! Small groups of members, and the properties that most of their models ask.

use volvox_core::{Duration, Picture, Property, When};
use volvox_lab::check::{Checker, Network, System, Timed};
use volvox_lab::model::{Explored, explore, hold};
use volvox_membership::swim::{self as protocol, Config, History};

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

/// The safety properties, and that no living member is accused.
pub fn lives(world: &Instance, accuracy: Property<protocol::Swim, History>) -> Explored {
    let mut properties = protocol::properties();
    properties.push(accuracy);
    explore(world, hold(Checker::new(world), &properties))
}
