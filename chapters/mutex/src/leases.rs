//! Leases and fencing tokens: which properties need clocks, and which do not.

use super::leases_claims;
use super::leases_worlds::{
    Instance, QUARTER, TICK, acknowledged, asks_at_most, config, exclusive, held, holding, is_extended,
    is_refused_alone, keeping, ordered, releasing, returning, timeless, waits_to_ask_again, writing,
};
use volvox_core::{NodeId, Property};
use volvox_lab::ask::{Asking, Order};
use volvox_lab::bounds;
use volvox_lab::chapter::{Card, Chapter, NodeState, Nodes, Settings};
use volvox_lab::check::{Network, System, Timed};
use volvox_lab::claim::Claim;
use volvox_lab::found;
use volvox_lab::model::{CheckedModel, Expects, Explored, explore};
use volvox_lab::plans;
use volvox_lab::reading::{Level, Reading};
use volvox_lab::restarts::Restarts;
use volvox_lab::sim::{FaultPlan, FaultWeights};
use volvox_mutex::leases::{self as protocol, Command, Config, History};

/// The chapter.
pub struct Leases;

static CARD: Card = Card {
    title: "Leases, and fencing tokens against late writers",
    mechanisms: &["LCK-02", "LCK-03"],
    reference: "Gray and Cheriton: Leases, SOSP 1989; Burrows: The Chubby lock service, OSDI 2006, 2.4",
    reading: Reading {
        needs: &["centralised", "cristian"],
        level: Level::Day,
        teaches: "permission that ends by itself, clocks that drift, writes that come late",
    },
    questions: include_str!("../../../book/src/questions/leases.md"),
    source: include_str!("../../../crates/mutex/src/leases.rs"),
    nodes: Nodes { least: 4, most: 64, default: 4 },
    rules: protocol::Rule::CARDS,
    ..found!("leases")
};

impl Chapter for Leases {
    type Process = protocol::Leases;
    type History = History;
    const CARD: &'static Card = &CARD;
    const MODELS: &'static [CheckedModel] = &MODELS;
    const CLAIMS: &'static [Claim] = &leases_claims::CLAIMS;
    const ASKING: Option<Asking> = Some(Asking::of::<Bounds>());

    fn config(settings: &Settings) -> Config {
        Config { without: settings.without.and_then(protocol::Rule::named), ..Config::default() }
    }

    fn properties() -> Vec<Property<Self::Process, History>> {
        protocol::properties()
    }

    fn role(node: NodeId, _: u64) -> &'static str {
        match node.0 {
            1 => "grantor",
            2 => "store",
            _ => "client",
        }
    }

    fn state(process: &Self::Process) -> NodeState {
        match (process.holds(), process.granted_to(), process.seen()) {
            (Some(token), _, _) => NodeState::of("holds", token),
            (_, Some(client), _) => NodeState::of("granted", format_args!("to {client}")),
            (_, _, Some(seen)) if seen > 0 => NodeState::of("seen", seen),
            _ if process.waits() => "waits".into(),
            _ => NodeState::default(),
        }
    }

    /// The holder of the lease counts as the leader.
    fn is_leader(process: &Self::Process) -> bool {
        process.holds().is_some()
    }

    fn restarts() -> Restarts {
        Restarts::TOLERATED
            .excluding(&["no starvation"], "A lease that is kept keeps the others waiting")
            .by_rules(&["unique", "new-token"])
    }

    /// Crashes, bad links, and clocks that drift within the bound. No pause: a paused node does not look at its clock,
    /// and then two nodes believe that they hold the lease (see the caveats, and the third golden script).
    fn faults(_: &Settings) -> FaultPlan {
        FaultPlan {
            weights: FaultWeights { crash: 2, drift: 3, skew: 1, ..FaultWeights::NETWORK },
            drift_ppm_max: Config::default().drift_ppm,
            ..plans::until(400, (5, 40), (10, 80))
        }
    }
}

static MODELS: [CheckedModel; 18] = [
    CheckedModel {
        name: "clocks that drift within the bound",
        text: "grantor, store, two clients that ask twice at most; messages take a tick or two; clocks a quarter fast or slow",
        expects: Expects::Holds { states: 22_128 },
        explore: || DRIFTING.explored(None),
    },
    CheckedModel {
        name: "a crash and a restart",
        text: "the same with true clocks; some node crashes at any moment, and restarts with its disk",
        expects: Expects::Holds { states: 26_635 },
        explore: || RETURNING.explored(None),
    },
    CheckedModel {
        name: "writes, no bound on time",
        text: "grantor, store, two clients that get the lease and write; any delay, any timer, a crash and a restart",
        expects: Expects::Holds { states: 15_288 },
        explore: || ordered(&timeless(None).crashes_and_restarts(1)),
    },
    CheckedModel::breaks(
        "clocks that drift beyond the bound",
        "as the first, but clocks are half as fast again or half as slow: the promise was a quarter",
        ("mutual exclusion", 15),
        || Bounds { drift: 50, ..DRIFTING }.explored(None),
    ),
    CheckedModel::breaks("no bound on time", "no rule removed: leases need clocks", ("mutual exclusion", 7), || {
        held(&timeless(None))
    }),
    CheckedModel {
        name: "a release",
        text: "true clocks, messages that take one to three ticks and keep no order, a term of four: one client acquires twice and \
               releases once, another acquires once",
        expects: Expects::Holds { states: 48_874 },
        explore: || {
            let world = releasing(None);
            explore(&world, holding(&world).reachable("a refused client waits to ask again", waits_to_ask_again))
        },
    },
    CheckedModel {
        name: "a client crashes and restarts",
        text: "true clocks, messages that take one to three ticks and keep no order, a term of four; one is lost, and a node \
               crashes and restarts",
        expects: Expects::Holds { states: 602_218 },
        explore: || held(&returning(Network::unordered(), None)),
    },
    CheckedModel {
        name: "a client crashes and restarts, FIFO links",
        text: "the same over FIFO links",
        expects: Expects::Holds { states: 533_792 },
        explore: || held(&returning(Network::ordered(), None)),
    },
    CheckedModel {
        name: "one keeps it",
        text: "true clocks, messages that take a tick or two, a term of five: one client extends its lease twice at most, another \
               acquires it",
        expects: Expects::Holds { states: 5_979 },
        explore: || {
            let world = keeping();
            let checker = holding(&world)
                .reachable("an extension", is_extended)
                .reachable("an extension that comes too late, and is refused", is_refused_alone);
            explore(&world, checker)
        },
    },
    CheckedModel::holds(
        "disks that sync late",
        "two clients that get the lease and write, at any moment; the grantor's disk and the store's sync late, and a node \
         crashes and restarts: no grant and no answer is ahead of its record",
        27_744,
        acknowledged,
    ),
    CheckedModel::breaks("without unique", "as \"a client crashes and restarts\"", ("mutual exclusion", 16), || {
        exclusive(&returning(Network::unordered(), Some(protocol::Rule::Unique)))
    })
    .without("unique"),
    CheckedModel::breaks("without new-token", "as \"a release\"", ("mutual exclusion", 15), || {
        held(&releasing(Some(protocol::Rule::NewToken)))
    })
    .without("new-token"),
    CheckedModel::breaks(
        "without new-token, a client crashes and restarts",
        "the same; a write from before the crash passes the fence",
        ("increasing tokens", 12),
        || held(&returning(Network::unordered(), Some(protocol::Rule::NewToken))),
    )
    .without("new-token"),
    CheckedModel::breaks("without drift-margin", "as the first", ("mutual exclusion", 16), || {
        DRIFTING.explored(Some(protocol::Rule::DriftMargin))
    })
    .without("drift-margin"),
    CheckedModel::breaks("without from-send", "as the first, with true clocks", ("mutual exclusion", 13), || {
        Bounds { drift: 0, term: 4, ..DRIFTING }.explored(Some(protocol::Rule::FromSend))
    })
    .without("from-send"),
    CheckedModel::breaks("without wait-out", "as the second", ("mutual exclusion", 10), || {
        RETURNING.explored(Some(protocol::Rule::WaitOut))
    })
    .without("wait-out"),
    CheckedModel::breaks("without fencing", "as the third, without a crash", ("fencing", 11), || {
        ordered(&timeless(Some(protocol::Rule::Fencing)))
    })
    .without("fencing"),
    CheckedModel::breaks(
        "without fencing, with true clocks",
        "true clocks, messages that take one to three ticks, a term of four: no clock sees that a write is late",
        ("fencing", 19),
        || {
            let time = Timed { tick: TICK, delivery_min: 1, delivery_max: 3, drifts_ppm: vec![0] };
            let config = Config { without: Some(protocol::Rule::Fencing), ..config(0, 4) };
            ordered(&asks_at_most(2, writing(config).timed(time)))
        },
    )
    .without("fencing"),
];

bounds! {
    /// A grantor, a store, and clients that want the lease, in time.
    struct Bounds;
    nodes: u64 = 4, "the grantor, the store, and clients" in 3..=5 nodes;
    acquires: u32 = 1, "of each client" in 0..=2 commands;
    releases: u32 = 0, "of each client" in 0..=2 commands;
    writes: u32 = 0, "of each client" in 0..=2 commands;
    keeps: u32 = 0, "of each client" in 0..=1 commands;
    requests: u64 = 2, "that a client makes, repetitions included: what comes after more is cut off" in 1..=3 requests;
    term: u32 = 4, "of a lease" in 2..=10 ticks;
    delay: u32 = 2, "that a message takes at most, and one at least" in 1..=3 ticks;
    drift: u32 = 0, "by which each clock is fast or slow; the promise is 25" in 0..=50 percent;
    crashes: u32 = 0, "of nodes, which return with their disks" in 0..=2 crashes;
    losses: u32 = 0, "of messages" in 0..=2 losses;
    order: Order = Order::Unordered, "in which the messages of a link arrive";
}

/// Two clients that want it once; every combination of clocks that drift as much as is promised.
const DRIFTING: Bounds = Bounds {
    nodes: 4,
    acquires: 1,
    releases: 0,
    writes: 0,
    keeps: 0,
    requests: 2,
    term: 8,
    delay: 2,
    drift: 25,
    crashes: 0,
    losses: 0,
    order: Order::Unordered,
};

/// The same with true clocks and a short term, and a node that dies and returns.
const RETURNING: Bounds = Bounds { drift: 0, term: 3, crashes: 1, ..DRIFTING };

impl volvox_lab::ask::Instance for Bounds {
    fn explore(&self, without: Option<&'static str>) -> Explored {
        self.explored(without.and_then(protocol::Rule::named))
    }
}

impl Bounds {
    fn world(self, without: Option<protocol::Rule>) -> Instance {
        let ppm = self.drift as i32 * 10_000;
        let drifts_ppm = if ppm == 0 { vec![0] } else { vec![-ppm, ppm] };
        let bound = if ppm == 0 { 0 } else { QUARTER };
        let config = Config { without, ..config(bound, self.term) };
        let system = System::with_history(self.nodes, config)
            .counting_boots()
            .network(self.order.network().losses(self.losses))
            .timed(Timed { tick: TICK, delivery_min: 1, delivery_max: self.delay, drifts_ppm })
            .crashes_and_restarts(self.crashes);
        let commands = [
            (Command::Acquire, self.acquires),
            (Command::Release, self.releases),
            (Command::Write, self.writes),
            (Command::Keep, self.keeps),
        ];
        let asked = |system: Instance, client| {
            let wanted = commands.iter().filter(|(_, times)| *times > 0);
            wanted.fold(system, |system, (command, times)| system.command(NodeId(client), *command, *times))
        };
        asks_at_most(self.requests, (3..=self.nodes).fold(system, asked))
    }

    fn explored(self, without: Option<protocol::Rule>) -> Explored {
        let world = self.world(without);
        let are_two = self.nodes > 3 && self.acquires > 0;
        if are_two { held(&world) } else { exclusive(&world) }
    }
}
