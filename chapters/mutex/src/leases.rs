//! Leases and fencing tokens: which properties need clocks, and which do not.

use volvox_core::fault::Target;
use volvox_core::{Duration, Fault, NodeId, Property};
use volvox_lab::chapter::{Card, Chapter, Golden, Nodes, Settings, World};
use volvox_lab::check::{Checker, Network, System, Timed};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::model::{CheckedModel, Expects, Explored, explore, hold};
use volvox_lab::reading::{Level, Reading};
use volvox_lab::sim::{Builder, FaultPlan, FaultWeights, Latency, Simulation};
use volvox_mutex::leases::{self as protocol, Command, Config, History, fencing, mutual_exclusion, tokens_grow};

/// The chapter.
pub struct Leases;

static CARD: Card = Card {
    id: "leases",
    title: "Leases, and fencing tokens against late writers",
    mechanisms: &["LCK-02", "LCK-03"],
    worlds: &[World::Simulated, World::Checked, World::Live],
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
    scenario: include_str!("../scenarios/leases.txt"),
    golden: &[
        Golden {
            name: "01-a-late-write.txt",
            text: include_str!("../../../crates/mutex/tests/scripts/leases/01-a-late-write.txt"),
        },
        Golden {
            name: "02-a-grantor-dies.txt",
            text: include_str!("../../../crates/mutex/tests/scripts/leases/02-a-grantor-dies.txt"),
        },
        Golden {
            name: "03-a-pause.txt",
            text: include_str!("../../../crates/mutex/tests/scripts/leases/03-a-pause.txt"),
        },
    ],
};

impl Chapter for Leases {
    type Process = protocol::Leases;
    type History = History;

    fn card() -> &'static Card {
        &CARD
    }

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

    fn state(process: &Self::Process) -> String {
        match (process.holds(), process.granted_to(), process.seen()) {
            (Some(token), _, _) => format!("holds {token}"),
            (_, Some(client), _) => format!("granted to {client}"),
            (_, _, Some(seen)) if seen > 0 => format!("seen {seen}"),
            _ if process.waits() => "waits".to_string(),
            _ => String::new(),
        }
    }

    /// The holder of the lease counts as the leader.
    fn is_leader(process: &Self::Process) -> bool {
        process.holds().is_some()
    }

    /// Crashes, bad links, and clocks that drift within the bound. No pause: a paused node does not look at its clock,
    /// and then two nodes believe that they hold the lease (see the caveats, and the third golden script).
    fn faults(_: &Settings) -> FaultPlan {
        let ms = Duration::from_millis;
        FaultPlan {
            from: Duration::ZERO,
            until: ms(400),
            every: Latency::Exponential { minimum: ms(5), mean: ms(40) },
            lasting: Latency::Exponential { minimum: ms(10), mean: ms(80) },
            weights: FaultWeights { crash: 2, drift: 3, skew: 1, ..FaultWeights::NETWORK },
            drift_ppm_max: Config::default().drift_ppm,
            ..FaultPlan::default()
        }
    }

    fn models() -> Vec<CheckedModel> {
        MODELS.to_vec()
    }

    fn claims() -> Vec<Claim> {
        CLAIMS.to_vec()
    }
}

static MODELS: [CheckedModel; 17] = [
    CheckedModel {
        name: "clocks that drift within the bound",
        text: "grantor, store, two clients that ask twice at most; messages take a tick or two; clocks a quarter fast or slow",
        expects: Expects::Holds { states: 22_128 },
        explore: || held(&timed(None, QUARTER, 8)),
    },
    CheckedModel {
        name: "a crash and a restart",
        text: "the same with true clocks; some node crashes at any moment, and restarts with its disk",
        expects: Expects::Holds { states: 26_635 },
        explore: || held(&timed(None, 0, 3).crashes_and_restarts(1)),
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
        || held(&timed(None, 500_000, 8)),
    ),
    CheckedModel::breaks("no bound on time", "no rule removed: leases need clocks", ("mutual exclusion", 7), || {
        held(&timeless(None))
    }),
    CheckedModel {
        name: "a release",
        text: "true clocks, messages that take one to three ticks and keep no order, a term of four: one client acquires twice and \
               releases once, another acquires once",
        expects: Expects::Holds { states: 48_874 },
        explore: || held(&releasing(None)),
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
        expects: Expects::Holds { states: 3_943 },
        explore: || held(&keeping()),
    },
    CheckedModel::breaks("without unique", "as \"a client crashes and restarts\"", ("mutual exclusion", 16), || {
        exclusive(&returning(Network::unordered(), Some(protocol::Rule::Unique)))
    }),
    CheckedModel::breaks("without new-token", "as \"a release\"", ("mutual exclusion", 15), || {
        held(&releasing(Some(protocol::Rule::NewToken)))
    }),
    CheckedModel::breaks(
        "without new-token, a client crashes and restarts",
        "the same; a write from before the crash passes the fence",
        ("increasing tokens", 12),
        || held(&returning(Network::unordered(), Some(protocol::Rule::NewToken))),
    ),
    CheckedModel::breaks("without drift-margin", "as the first", ("mutual exclusion", 16), || {
        held(&timed(Some(protocol::Rule::DriftMargin), QUARTER, 8))
    }),
    CheckedModel::breaks("without from-send", "as the first, with true clocks", ("mutual exclusion", 13), || {
        held(&timed(Some(protocol::Rule::FromSend), 0, 4))
    }),
    CheckedModel::breaks("without wait-out", "as the second", ("mutual exclusion", 10), || {
        held(&timed(Some(protocol::Rule::WaitOut), 0, 3).crashes_and_restarts(1))
    }),
    CheckedModel::breaks("without fencing", "as the third, without a crash", ("fencing", 11), || {
        ordered(&timeless(Some(protocol::Rule::Fencing)))
    }),
    CheckedModel::breaks(
        "without fencing, with true clocks",
        "true clocks, messages that take one to three ticks, a term of four: no clock sees that a write is late",
        ("fencing", 19),
        || {
            let time = Timed { tick: TICK, delivery_min: 1, delivery_max: 3, drifts_ppm: vec![0] };
            let config = Config { without: Some(protocol::Rule::Fencing), ..config(0, 4) };
            ordered(&asks_at_most(2, writing(config).timed(time)))
        },
    ),
];

type Instance = System<protocol::Leases, History>;

const TICK: Duration = Duration::from_millis(10);
const QUARTER: i32 = 250_000;

/// A term of this many ticks, for clocks that drift by at most a quarter.
fn config(drift_ppm: u32, term_ticks: u32) -> Config {
    let (term, margin) = (TICK * term_ticks, Duration::ZERO);
    Config { term, drift_ppm, margin, retry: TICK * 2, renew_before: TICK, without: None }
}

fn quiet(config: Config) -> Instance {
    System::with_history(4, config).counting_boots()
}

fn writing(config: Config) -> Instance {
    [3, 4].into_iter().fold(quiet(config), |system, client| {
        system.command(NodeId(client), Command::Acquire, 1).command(NodeId(client), Command::Write, 1)
    })
}

/// Two clients that each want the lease once; every combination of clocks that drift by this much.
fn timed(without: Option<protocol::Rule>, drift_ppm: i32, term_ticks: u32) -> Instance {
    let drifts_ppm = if drift_ppm == 0 { vec![0] } else { vec![-drift_ppm, drift_ppm] };
    let bound = if drift_ppm == 0 { 0 } else { QUARTER as u32 };
    let system = quiet(Config { without, ..config(bound, term_ticks) })
        .timed(Timed { tick: TICK, delivery_min: 1, delivery_max: 2, drifts_ppm })
        .command(NodeId(3), Command::Acquire, 1)
        .command(NodeId(4), Command::Acquire, 1);
    asks_at_most(2, system)
}

/// Messages that take one to three ticks, with true clocks.
fn slow(without: Option<protocol::Rule>, term_ticks: u32) -> Instance {
    let time = Timed { tick: TICK, delivery_min: 1, delivery_max: 3, drifts_ppm: vec![0] };
    quiet(Config { without, ..config(0, term_ticks) }).timed(time)
}

/// A client that requests, releases, and requests again; and another client.
fn releasing(without: Option<protocol::Rule>) -> Instance {
    let system = slow(without, 4)
        .network(Network::unordered())
        .command(NodeId(3), Command::Acquire, 2)
        .command(NodeId(3), Command::Release, 1)
        .command(NodeId(4), Command::Acquire, 1);
    asks_at_most(2, system)
}

/// Two clients, of which one may crash and ask again after its restart.
fn returning(network: Network, without: Option<protocol::Rule>) -> Instance {
    let system = slow(without, 4)
        .network(network.losses(1))
        .crashes_and_restarts(1)
        .command(NodeId(3), Command::Acquire, 2)
        .command(NodeId(4), Command::Acquire, 1);
    asks_at_most(2, system)
}

/// A client that extends its lease, and another that waits for it.
fn keeping() -> Instance {
    let time = Timed { tick: TICK, delivery_min: 1, delivery_max: 2, drifts_ppm: vec![0] };
    let system = quiet(config(0, 5)).timed(time).network(Network::unordered());
    asks_at_most(3, system.command(NodeId(3), Command::Keep, 1).command(NodeId(4), Command::Acquire, 1))
}

/// A grant that always arrives too late is requested forever: that is cut off.
fn asks_at_most(requests: u64, system: Instance) -> Instance {
    system.nodes_within(move |_, node| node.requests() <= requests)
}

/// Timers fire at any moment. A client asks once.
fn timeless(without: Option<protocol::Rule>) -> Instance {
    asks_at_most(1, writing(Config { without, ..config(0, 4) }))
}

fn held(world: &Instance) -> Explored {
    let checker = hold(Checker::new(world).states_max(1_500_000), &[mutual_exclusion(), fencing(), tokens_grow()]);
    explore(world, checker.reachable("the second client holds the lease", |world, state| holds(world, state, 2)))
}

fn exclusive(world: &Instance) -> Explored {
    explore(world, hold(Checker::new(world).states_max(1_500_000), &[mutual_exclusion()]))
}

fn ordered(world: &Instance) -> Explored {
    let checker = hold(Checker::new(world).states_max(1_500_000), &[fencing()]);
    explore(world, checker.reachable("the second client holds the lease", |world, state| holds(world, state, 2)))
}

fn holds(world: &Instance, state: &volvox_lab::check::State, token: u64) -> bool {
    world.view(state).nodes().any(|(_, node)| node.holds() == Some(token))
}

static CLAIMS: [Claim; 2] = [
    Claim {
        id: "LCK-02.1",
        text: "leases: after a crash of the holder others wait for the rest of its term, a retry and a round trip at most",
        measure: || waits_after_a_crash(true),
        breakage: "the holder does not crash, and keeps its lease",
        measure_broken: || waits_after_a_crash(false),
        plot: None,
    },
    Claim {
        id: "Q-MTX-8",
        text: "leases: one extension per term and holder; with a term of 10 s a tenth of the consistency messages of a term of zero, and a load within 5 % of that of an infinite term",
        measure: || traffic(Duration::from_millis(1)),
        breakage: "holders stop nine seconds early",
        measure_broken: || traffic(Duration::from_secs(9)),
        plot: None,
    },
];

/// n3 keeps the lease and crashes at a random moment; n4 has asked for it, and asks again after each refusal.
fn waits_after_a_crash(crashes: bool) -> Vec<Row> {
    const RUNS: u64 = 300;
    const ONE_WAY: Duration = Duration::from_millis(1);
    let config = Config::default();
    let enough = config.term + config.retry + 2 * ONE_WAY;
    let mut worst = Duration::ZERO;
    for seed in 0..RUNS {
        let mut sim = Builder::<protocol::Leases>::new(seed, 4, config).latency(Latency::Constant(ONE_WAY)).build();
        let mut rng = sim.rng(1);
        sim.command_after(Duration::from_millis(1), NodeId(3), Command::Keep);
        sim.command_after(Duration::from_millis(10), NodeId(4), Command::Acquire);
        let _ = sim.run_for(Duration::from_nanos(rng.between(300_000_000, 600_000_000)));
        if crashes {
            sim.apply_fault(&Fault::Crash { who: Target::Node(NodeId(3)), without_disk: false });
        }
        let crashed = sim.now();
        // Longer than this is not waited for.
        let _ = sim.run_until(enough * 2, |sim| sim.node(NodeId(4)).is_some_and(|node| node.holds().is_some()));
        worst = worst.max(sim.now().since(crashed));
    }
    let ms = |span: Duration| span.as_secs_f64() * 1e3;
    vec![Row {
        label: format!("term {} ms, retry {} ms, links of 1 ms", config.term.as_millis(), config.retry.as_millis()),
        expected: ms(enough),
        measured: ms(worst),
        tolerance: Tolerance::AtMost,
        unit: "ms until another holds it, the longest",
        over: format!("{RUNS} crashes"),
    }]
}

/// The read rate of a client of the V system (Gray and Cheriton 1989, table 2: 0.864 per second).
const MEAN_BETWEEN_READS: Duration = Duration::from_nanos(1_157_407_407);
/// The share of consistency messages among those of a server that grants terms of zero (the same, section 3.1).
const SHARE_AT_ZERO: f64 = 0.3;
const READS: u32 = 20_000;
const TEN: Duration = Duration::from_secs(10);

fn client(term: Duration, margin: Duration) -> Simulation<protocol::Leases> {
    let config = Config { term, margin, drift_ppm: 100, renew_before: Duration::from_millis(50), ..Config::default() };
    Builder::new(7, 3, config).latency(Latency::Constant(Duration::from_millis(1))).build()
}

/// Reads at random times, each of which needs the lease: the messages to and from the grantor per read.
fn messages_a_read(term: Duration, margin: Duration) -> f64 {
    let mut sim = client(term, margin);
    let mut rng = sim.rng(1);
    let between = Latency::Exponential { minimum: Duration::ZERO, mean: MEAN_BETWEEN_READS };
    for _ in 0..READS {
        let _ = sim.run_for(Duration::from_nanos(between.draw(&mut rng)));
        sim.command(NodeId(3), Command::Acquire);
        let _ = sim.happened().count();
    }
    let _ = sim.run_for(TEN);
    sim.statistics().sent as f64 / f64::from(READS)
}

fn traffic(margin: Duration) -> Vec<Row> {
    const TERMS: u32 = 1_000;
    let mut keeper = client(TEN, margin);
    keeper.command_after(Duration::from_millis(1), NodeId(3), Command::Keep);
    let _ = keeper.run_for(TEN * TERMS);
    let asked = keeper.statistics().kinds.of("Acquire") + keeper.statistics().kinds.of("Extend");
    let extensions = asked as f64 / f64::from(TERMS);
    // A term of 10 ms is over before the next read, and long enough for the grant to arrive.
    let zero = messages_a_read(Duration::from_millis(10), Duration::ZERO);
    let ten = messages_a_read(TEN, margin);
    let endless = messages_a_read(Duration::from_secs(1 << 30), Duration::ZERO);
    let other = zero * (1.0 - SHARE_AT_ZERO) / SHARE_AT_ZERO;
    let row = |label: &str, expected, measured, tolerance, unit, over: String| Row {
        label: label.to_string(),
        expected,
        measured,
        tolerance,
        unit,
        over,
    };
    let reads = format!("{READS} reads, 0.864 per second");
    vec![
        row(
            "term 10 s, kept",
            1.0,
            extensions,
            Tolerance::Relative(0.02),
            "extensions per term",
            format!("{TERMS} terms"),
        ),
        row(
            "term 10 s, on demand",
            0.10,
            ten / zero,
            Tolerance::Absolute(0.01),
            "of the messages at term zero",
            reads.clone(),
        ),
        row(
            "share of the load at term zero that is for consistency",
            SHARE_AT_ZERO,
            SHARE_AT_ZERO,
            Tolerance::Input,
            "of the messages of a server",
            "Gray and Cheriton 1989, 3.1".to_string(),
        ),
        row(
            "term 10 s, with that share",
            1.05,
            (other + ten) / (other + endless),
            Tolerance::AtMost,
            "times the load of an infinite term",
            reads,
        ),
    ]
}
