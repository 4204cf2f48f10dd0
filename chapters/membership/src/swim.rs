//! SWIM: probing, suspicion, and updates that travel on probes.

use super::swim_groups::{FAULTY, Instance, SUSPECTED, checked, in_time, is_out, lives, small};
use super::{swim_claims, swim_models};
use volvox_core::fault::LinkFault;
use volvox_core::{Duration, NodeId, Property};
use volvox_lab::ask::Asking;
use volvox_lab::bounds;
use volvox_lab::chapter::{Card, Chapter, NodeState, Nodes, Settings};
use volvox_lab::check::Network;
use volvox_lab::claim::Claim;
use volvox_lab::found;
use volvox_lab::model::{CheckedModel, Expects, Explored, explore};
use volvox_lab::reading::{Level, Reading};
use volvox_lab::sim::{FaultPlan, FaultWeights, Latency};
use volvox_membership::swim::{self as protocol, Command, Config, History, Message, Timer};

/// The chapter.
pub struct Swim;

static CARD: Card = Card {
    title: "Group membership after SWIM",
    mechanisms: &["MEM-05", "MEM-06", "MEM-07"],
    reference: "Das, Gupta and Motivala: SWIM, DSN 2002",
    reading: Reading {
        needs: &["channels"],
        level: Level::Week,
        teaches: "failure detection and membership, without a centre and with gossip",
    },
    questions: include_str!("../../../book/src/questions/swim.md"),
    source: include_str!("../../../crates/membership/src/swim/mod.rs"),
    nodes: Nodes { least: 2, most: 128, default: 5 },
    rules: protocol::Rule::CARDS,
    ..found!("swim")
};

impl Chapter for Swim {
    type Process = protocol::Swim;
    type History = History;
    const CARD: &'static Card = &CARD;
    const MODELS: &'static [CheckedModel] = &MODELS;
    const CLAIMS: &'static [Claim] = &swim_claims::CLAIMS;
    const ASKING: Option<Asking> = Some(Asking::of::<Bounds>());

    fn config(settings: &Settings) -> Config {
        Config { without: settings.without.and_then(protocol::Rule::named), ..Config::for_group(settings.nodes) }
    }

    fn properties() -> Vec<Property<protocol::Swim, History>> {
        protocol::properties()
    }

    fn state(process: &protocol::Swim) -> NodeState {
        if process.own().is_faulty() {
            return "out".into();
        }
        let names = |is: fn(protocol::Standing) -> bool| -> Vec<String> {
            process.members().filter(|(_, held)| is(*held)).map(|(member, _)| member.to_string()).collect()
        };
        let (suspects, faulty) = (names(protocol::Standing::is_suspect), names(protocol::Standing::is_faulty));
        match (suspects.is_empty(), faulty.is_empty()) {
            (true, true) => NodeState::default(),
            (true, false) => NodeState::of("without", faulty.join(" ")),
            (false, true) => NodeState::of("suspects", suspects.join(" ")),
            (false, false) => {
                NodeState::of("suspects", format_args!("{}, without {}", suspects.join(" "), faulty.join(" ")))
            }
        }
    }

    /// Members that crash, restart and pause; links that lose and delay. SWIM does not survive partitions: see the
    /// caveats.
    fn faults(_: &Settings) -> FaultPlan {
        let ms = Duration::from_millis;
        FaultPlan {
            from: ms(500),
            until: ms(5_000),
            every: Latency::Exponential { minimum: ms(20), mean: ms(300) },
            lasting: Latency::Exponential { minimum: ms(20), mean: ms(800) },
            weights: FaultWeights { slow: 5, cut: 1, pause: 3, crash: 4, drift: 1, ..FaultWeights::NONE },
            link: LinkFault {
                delay: ms(50),
                loss_ppm: 300_000,
                duplicate_ppm: 100_000,
                reorder_ppm: 200_000,
                ..LinkFault::default()
            },
            ..FaultPlan::default()
        }
    }
}

static MODELS: [CheckedModel; 19] = [
    CheckedModel {
        name: "in time, one lost message accuses no member",
        text: "three members, one relay, links that deliver within a tick; ack timeout 3 ticks, period 8; without end",
        expects: Expects::Holds { states: 7_712 },
        explore: || lives(&Bounds { losses: 1, ..IN_TIME }.world(None), SUSPECTED),
    },
    CheckedModel {
        name: "in time, two lost messages do not make a member faulty",
        text: "the same: an accused member refutes within the limit of four periods",
        expects: Expects::Holds { states: 419_984 },
        explore: || Bounds { losses: 2, ..IN_TIME }.explored(None),
    },
    CheckedModel {
        name: "in time, crashes are detected",
        text: "the same, and one member crashes at any moment: eventually all others believe it is faulty",
        expects: Expects::Holds { states: 50_828 },
        explore: || Bounds { crashes: 1, ..IN_TIME }.explored(None),
    },
    CheckedModel::holds(
        "in time, a member that leaves is known to be gone",
        "the same, and n3 leaves at any moment: eventually the others believe that it is gone",
        39_274,
        || {
            let world = Bounds { leaves: 1, ..IN_TIME }.world(None);
            let checker = checked(&world)
                .invariant("a farewell goes to as many members as relay a probe", |world, state| {
                    let farewells = |one: &(NodeId, NodeId, &Message)| matches!(one.2, Message::News(_));
                    world.view(state).in_flight().filter(farewells).count() <= IN_TIME.relays as usize
                })
                .reachable("n3 is removed", |world, state| world.view(state).node(NodeId(3)).is_some_and(is_out))
                .leads_to(
                    "a member that leaves is known to be gone",
                    |world, state| world.view(state).node(NodeId(3)).is_some_and(is_out),
                    |world, state| {
                        let others = [NodeId(1), NodeId(2)];
                        let view = world.view(state);
                        let mut held = others.iter().filter_map(|id| view.node(*id)?.standing(NodeId(3)));
                        held.all(|held| held.is_faulty())
                    },
                );
            explore(&world, checker)
        },
    ),
    CheckedModel::holds(
        "in time, an update is spread for a while",
        "two members, one lost message: an accusation and its refutation spread, and no member spreads anything in the end",
        1_703,
        || swim_models::ends(&Bounds { nodes: 2, losses: 1, ..IN_TIME }.world(None), 2),
    ),
    CheckedModel::holds(
        "in time, members join",
        "n2 asks n1 to admit it, and any message is lost: eventually both know both, and n2 probes",
        4_995,
        swim_models::joins,
    ),
    CheckedModel::holds(
        "in time, refutations are multicast",
        "two members, one lost message, updates by multicast: an accused member refutes within the limit",
        639,
        swim_models::multicasts,
    ),
    CheckedModel::holds(
        "in time, a member that was declared faulty leaves",
        "two members that do not rejoin, one lost message, no time to refute: the accused learns of it, and is out",
        2_175,
        swim_models::expels,
    ),
    CheckedModel::holds(
        "in time, a farewell",
        "two members, of which one leaves at any moment: the other knows it at once, and does not suspect it",
        520,
        || swim_models::leaves(0),
    ),
    CheckedModel::holds(
        "in time, a farewell or another message is lost",
        "the same; a member that is out answers nothing, so that the other finds out by its probes",
        9_843,
        || swim_models::leaves(1),
    ),
    CheckedModel {
        name: "monotonic views, whatever happens",
        text: "three members, asynchronous: any timer fires at any moment, two periods in total; one crash",
        expects: Expects::Holds { states: 380_636 },
        explore: || safe(&without_time(None).crashes(1)),
    },
    CheckedModel {
        name: "asynchronous: living members are declared faulty",
        text: "no message is lost: the limit is over before the ack arrives. No detector can do better",
        expects: Expects::Counterexample { property: "no living member is faulty", steps: 3 },
        explore: || lives(&without_time(None), FAULTY),
    },
    CheckedModel {
        name: "without relays",
        text: "in time, one lost message",
        expects: Expects::Without { rule: "relays", property: "no living member is suspected", steps: 18 },
        explore: || lives(&Bounds { losses: 1, ..IN_TIME }.world(Some(protocol::Rule::Relays)), SUSPECTED),
    },
    CheckedModel {
        name: "without suspicion",
        text: "in time, two lost messages",
        expects: Expects::Without { rule: "suspicion", property: "no living member is faulty", steps: 19 },
        explore: || Bounds { losses: 2, ..IN_TIME }.explored(Some(protocol::Rule::Suspicion)),
    },
    CheckedModel {
        name: "without raising incarnations",
        text: "in time, two lost messages",
        expects: Expects::Without { rule: "incarnation", property: "no living member is faulty", steps: 87 },
        explore: || Bounds { losses: 2, ..IN_TIME }.explored(Some(protocol::Rule::Incarnation)),
    },
    CheckedModel {
        name: "without round robin",
        text: "in time, one member crashes: the others draw one another forever",
        expects: Expects::Without { rule: "round-robin", property: "completeness", steps: 29 },
        explore: || Bounds { crashes: 1, ..IN_TIME }.explored(Some(protocol::Rule::RoundRobin)),
    },
    CheckedModel {
        name: "without precedence",
        text: "asynchronous, two periods in total, nothing is lost",
        expects: Expects::Without { rule: "precedence", property: "monotonic views", steps: 5 },
        explore: || safe(&without_time(Some(protocol::Rule::Precedence))),
    },
    CheckedModel {
        name: "without a limit",
        text: "in time, one member crashes: the update about it is forwarded forever",
        expects: Expects::Without { rule: "limit", property: "bounded dissemination", steps: 34 },
        explore: || safe(&Bounds { crashes: 1, ..IN_TIME }.world(Some(protocol::Rule::Limit))),
    },
    CheckedModel {
        name: "a limit of suspicion that is too short",
        text: "in time, two lost messages, three periods to refute: an update takes longer to come around",
        expects: Expects::Counterexample { property: "no living member is faulty", steps: 87 },
        explore: || Bounds { losses: 2, suspicion: 3, ..IN_TIME }.explored(None),
    },
];

const NODES: u64 = 3;

bounds! {
    /// Members and links that keep their time.
    struct Bounds;
    nodes: u64 = 3, "that know one another from the beginning" in 2..=4 members;
    relays: u32 = 1, "that are asked to probe a silent member" in 0..=2 members;
    suspicion: u32 = 4, "that an accused member has to refute" in 1..=6 periods;
    leaves: u32 = 0, "of the last member, at any moment" in 0..=1 commands;
    crashes: u32 = 0, "of members, for good; with one, completeness is asked" in 0..=2 crashes;
    losses: u32 = 0, "of messages; with one, that no living member is believed faulty is asked" in 0..=3 losses;
}

const IN_TIME: Bounds = Bounds { nodes: NODES, relays: 1, suspicion: 4, leaves: 0, crashes: 0, losses: 0 };

impl volvox_lab::ask::Instance for Bounds {
    fn contradiction(&self) -> Option<String> {
        let Bounds { nodes, crashes, .. } = *self;
        let too_many =
            || format!("--nodes {nodes} and --crashes {crashes} contradict one another: one at least stays up");
        (u64::from(crashes) >= nodes).then(too_many)
    }

    fn explore(&self, without: Option<&'static str>) -> Explored {
        self.explored(without.and_then(protocol::Rule::named))
    }
}

impl Bounds {
    fn world(self, without: Option<protocol::Rule>) -> Instance {
        let small = small(without);
        let config = Config { suspicion: small.period * self.suspicion, relays: self.relays, ..small };
        let world = in_time(self.nodes, config, self.losses).crashes(self.crashes);
        if self.leaves == 0 { world } else { world.command(NodeId(self.nodes), Command::Leave, 1) }
    }

    fn explored(self, without: Option<protocol::Rule>) -> Explored {
        let world = self.world(without);
        match (self.crashes, self.losses) {
            (0, 0) => safe(&world),
            (0, _) => lives(&world, FAULTY),
            (_, 0) => found(&world, self.nodes),
            // A loss may look like a death, and completeness waits for periods without one.
            (..) => safe(&world),
        }
    }
}

fn without_time(without: Option<protocol::Rule>) -> Instance {
    Instance::with_history(NODES, Config { lambda: 1, ..small(without) })
        .network(Network::unordered())
        .timer_budget(|timer| *timer == Timer::Period, 2)
}

fn safe(world: &Instance) -> Explored {
    explore(world, checked(world))
}

/// A member crashes, and eventually all others believe it is faulty.
fn found(world: &Instance, nodes: u64) -> Explored {
    let checker = checked(world).leads_to(
        "completeness",
        move |world, state| (world.view(state).nodes().count() as u64) < nodes,
        |world, state| {
            let view = world.view(state);
            view.nodes().all(|(_, node)| node.members().all(|(id, held)| view.node(id).is_some() || held.is_faulty()))
        },
    );
    explore(world, checker)
}
