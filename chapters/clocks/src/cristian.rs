//! Cristian's algorithm, with clocks that are set gradually.
//!
//! The models withdraw the protocol's assumptions about time one by one: clocks at all, the least delay, the greatest
//! delay.

use super::true_clocks::{asynchronous, network_and_crashes};
use volvox_clocks::cristian::{self as protocol, Command, Config, Cristian, Event, History};
use volvox_clocks::software_clock::Signed;
use volvox_core::fault::LinkFault;
use volvox_core::{Duration, Fault, NodeId, Property, fingerprint_of};
use volvox_lab::chapter::{Card, Chapter, Golden, Nodes, Settings, World};
use volvox_lab::check::{Checker, Network, System, Timed};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::model::{CheckedModel, Expects, Explored, explore, hold};
use volvox_lab::reading::{Level, Reading};
use volvox_lab::sim::{Builder, FaultPlan, Happening, Latency, Simulation};

/// The chapter.
pub struct CristiansAlgorithm;

static CARD: Card = Card {
    id: "cristian",
    title: "Cristian's algorithm",
    mechanisms: &["TIM-01", "TIM-02", "TIM-03"],
    worlds: &[World::Simulated, World::Checked, World::Live],
    reference: "Cristian: Probabilistic clock synchronization, Distributed Computing 3, 1989, sections 3 to 5",
    reading: Reading {
        needs: &[],
        level: Level::Evening,
        teaches: "asking for the time, and the bound that no algorithm beats",
    },
    questions: include_str!("../../../book/src/questions/cristian.md"),
    source: include_str!("../../../crates/clocks/src/cristian.rs"),
    nodes: Nodes { least: 2, most: 64, default: 3 },
    rules: protocol::Rule::CARDS,
    scenario: include_str!("../scenarios/cristian.txt"),
    golden: &[
        Golden {
            name: "01-a-round-trip.txt",
            text: include_str!("../../../crates/clocks/tests/scripts/cristian/01-a-round-trip.txt"),
        },
        Golden {
            name: "02-slow-and-late.txt",
            text: include_str!("../../../crates/clocks/tests/scripts/cristian/02-slow-and-late.txt"),
        },
    ],
};

impl Chapter for CristiansAlgorithm {
    type Process = Cristian;
    type History = History;

    fn card() -> &'static Card {
        &CARD
    }

    /// `min` is zero: then the bound is half the round trip, and holds over every network.
    fn config(settings: &Settings) -> Config {
        Config {
            delay_min: Duration::ZERO,
            every: Some(Duration::from_millis(200)),
            starts_off_ns: vec![0, 8_000_000, -5_000_000, 40_000_000],
            without: settings.without.and_then(protocol::Rule::named),
            ..Config::default()
        }
    }

    fn properties() -> Vec<Property<Cristian, History>> {
        protocol::properties()
    }

    fn role(node: NodeId, _: u64) -> &'static str {
        if node.0 == 1 { "server" } else { "client" }
    }

    fn state(process: &Cristian) -> String {
        match (process.is_server(), process.estimate()) {
            (true, _) => "server".to_string(),
            (_, None) => "asks".to_string(),
            (_, Some(estimate)) => format!("server {}", Signed(estimate.ahead_ns)),
        }
    }

    fn faults(_: &Settings) -> FaultPlan {
        network_and_crashes()
    }

    fn models() -> Vec<CheckedModel> {
        MODELS.to_vec()
    }

    fn claims() -> Vec<Claim> {
        CLAIMS.to_vec()
    }
}

/// The properties that break without the two bounds, or without clocks.
const BOUND: &str = "error within half the round trip";
const LIMIT: &str = "accuracy";
const GRADUAL: &str = "monotonicity";

/// The property that an answer to another request breaks.
const QUICK: &str = "minimum delay";

/// The property that needs an upper bound on delays.
const CONTACT: &str = "every client makes contact";

static MODELS: [CheckedModel; 13] = [
    CheckedModel {
        name: "a server, three clients",
        text: "timed: messages take 1 to 4 ticks, min is 1, 2U is 4, a request lies there for 1; one is lost; two tries; \
               until all clients are done",
        expects: Expects::Holds { states: 35_326 },
        explore: || run(&system(4, 1, None)),
    },
    CheckedModel {
        name: "a server, two clients, two losses, one crash",
        text: "the same; a crashed node stays down",
        expects: Expects::Holds { states: 8_787 },
        explore: || run(&system(3, 1, None).network(Network::unordered().losses(2)).crashes(1)),
    },
    CheckedModel {
        name: "every answer within 2U",
        text: "timed: a server, two clients; messages take 1 or 2 ticks, a request lies there for 1, and 2U is 5; nothing is \
               lost: every client makes contact",
        expects: Expects::Holds { states: 61 },
        explore: || contact(&slow(3, 2)),
    },
    CheckedModel::breaks(
        "answers later than 2U",
        "no rule removed, one client; messages take 1 to 3 ticks: the network promises that answers arrive within 2U; \
         no clock is set wrongly without it, but two tries may fail",
        (CONTACT, 19),
        || contact(&slow(2, 3)),
    ),
    asynchronous(|| run(&timeless(2, 4, None))),
    CheckedModel::breaks(
        "a message faster than min",
        "no rule removed; messages take 0 to 4 ticks: the bound depends on min, which the network promises",
        (BOUND, 5),
        || run(&system(2, 0, None)),
    ),
    CheckedModel::breaks("without half", "a server, one client", (BOUND, 6), || {
        run(&system(2, 1, Some(protocol::Rule::Half)))
    }),
    CheckedModel::breaks("without handling", "a server, one client", (BOUND, 6), || {
        run(&system(2, 1, Some(protocol::Rule::Handling)))
    }),
    CheckedModel::breaks("without limit", "a server, one client", (LIMIT, 9), || {
        run(&system(2, 1, Some(protocol::Rule::Limit)))
    }),
    CheckedModel::breaks(
        "without number",
        "a server, one client: the first reply arrives after the second request",
        (BOUND, 11),
        || run(&system(2, 1, Some(protocol::Rule::Number))),
    ),
    CheckedModel {
        name: "a client crashes and restarts",
        text: "timed: a server, one client; messages take 1 to 4 ticks, one is lost, and a node crashes and restarts. The \
               model's wall clock stops while a node is down, so only round trips are asked about, and no estimate",
        expects: Expects::Holds { states: 6_755 },
        explore: || quick(&returning(None)),
    },
    CheckedModel::breaks("without unique", "as \"a client crashes and restarts\"", (QUICK, 8), || {
        quick(&returning(Some(protocol::Rule::Unique)))
    }),
    CheckedModel::breaks("without slew", "a server, one client that is ahead", (GRADUAL, 6), || {
        run(&system(2, 1, Some(protocol::Rule::Slew)))
    }),
];

type Instance = System<Cristian, History>;

const TICK: Duration = Duration::from_millis(1);

/// One synchronisation of each client, with all clocks wrong in different ways; answers within this many ticks are
/// used.
fn timeless(nodes: u64, round_trip_max: u32, without: Option<protocol::Rule>) -> Instance {
    let config = Config {
        round_trip_max: TICK * round_trip_max,
        delay_min: TICK,
        pause: TICK * 6,
        tries: 2,
        every: None,
        handling: TICK,
        slew_ppm: 100_000,
        starts_off_ns: vec![1_000_000, 8_000_000, -5_000_000, 0],
        without,
    };
    Instance::with_history(nodes, config)
        .counting_boots()
        .relative_to_now(|process, now| fingerprint_of(&(process, now.0)))
        .within(|view| view.nodes().any(|(_, node)| node.is_asking()))
}

fn timed(delivery_min: u32, delivery_max: u32) -> Timed {
    Timed { tick: TICK, delivery_min, delivery_max, drifts_ppm: vec![0] }
}

/// 2U is less than the slowest round trip, and one message is lost.
fn system(nodes: u64, delivery_min: u32, without: Option<protocol::Rule>) -> Instance {
    timeless(nodes, 4, without).network(Network::unordered().losses(1)).timed(timed(delivery_min, 4))
}

/// A client that is down has not finished either, while one of its requests is in flight.
fn returning(without: Option<protocol::Rule>) -> Instance {
    system(2, 1, without).crashes_and_restarts(1).within(|view| {
        let server_is_asked = view.is_set(NodeId(1), protocol::Timer::Handled(CLIENT));
        view.nodes().any(|(_, node)| node.is_asking())
            || (view.nodes().count() < 2 && (server_is_asked || view.in_flight().next().is_some()))
    })
}

fn quick(world: &Instance) -> Explored {
    let properties: Vec<_> =
        CristiansAlgorithm::properties().into_iter().filter(|property| property.name == QUICK).collect();
    let checker = hold(Checker::new(world).states_max(2_000_000), &properties);
    let checker = checker.reachable("a client is set", |world, state| {
        world.view(state).nodes().any(|(_, node)| node.estimate().is_some())
    });
    explore(world, checker)
}

/// 2U is two delays of two ticks and the handling, and nothing is lost.
fn slow(nodes: u64, delivery_max: u32) -> Instance {
    timeless(nodes, 5, None).timed(timed(1, delivery_max))
}

/// The safety properties, and that no client gives up.
fn contact(world: &Instance) -> Explored {
    let checker = hold(Checker::new(world).states_max(2_000_000), &CristiansAlgorithm::properties());
    let checker = checker.invariant(CONTACT, |world, state| {
        world.view(state).nodes().all(|(_, node)| node.is_server() || node.is_asking() || node.estimate().is_some())
    });
    explore(world, checker)
}

fn run(world: &Instance) -> Explored {
    let properties: Vec<_> =
        CristiansAlgorithm::properties().into_iter().filter(|property| property.name != QUICK).collect();
    let checker = hold(Checker::new(world).states_max(2_000_000), &properties)
        .reachable("a client is set", |world, state| {
            world.view(state).nodes().any(|(_, node)| node.estimate().is_some())
        })
        .reachable("a client gives up", |world, state| {
            world
                .view(state)
                .nodes()
                .any(|(_, node)| !node.is_server() && !node.is_asking() && node.estimate().is_none())
        });
    explore(world, checker)
}

static CLAIMS: [Claim; 3] = [
    Claim {
        id: "Q-TIM-1",
        text: "clocks that drift by rho diverge by pi within pi / (2 rho), and are set again at that interval",
        measure: || parting(10),
        breakage: "the clocks drift by twice rho",
        measure_broken: || parting(20),
        plot: None,
    },
    Claim {
        id: "Q-TIM-2",
        text: "Cristian: the error is at most half the round trip less min, and zero when both delays are equal",
        measure: || errors(None),
        breakage: "the clock is set to the time in the answer",
        measure_broken: || errors(Some(protocol::Rule::Half)),
        plot: None,
    },
    Claim {
        id: "Q-TIM-7",
        text: "slewing at 500 ppm: an offset d is removed in d / 5e-4",
        measure: || slewing(None),
        breakage: "clocks are stepped",
        measure_broken: || slewing(Some(protocol::Rule::Slew)),
        plot: None,
    },
];

const CLIENT: NodeId = NodeId(2);

fn pair(config: Config, latency: Latency) -> Simulation<Cristian> {
    Builder::new(7, 2, config).latency(latency).build()
}

/// The difference of the client's clock from the server's, in nanoseconds, at each of this many times.
fn skews(sim: &mut Simulation<Cristian>, every: Duration, times: u32) -> Vec<i64> {
    for time in 1..=times {
        (1..=2).for_each(|id| sim.command_after(every * time, NodeId(id), Command::Show));
    }
    let _ = sim.run_for(every * times + Duration::from_millis(1));
    let shown: Vec<i64> = sim
        .happened()
        .filter_map(|happened| match happened.what {
            Happening::Event(Event::Shows(reading)) => Some(reading.clock),
            _ => None,
        })
        .collect();
    shown.chunks_exact(2).map(|pair| pair[1] - pair[0]).collect()
}

const SAMPLE: Duration = Duration::from_millis(500);

/// The server runs fast and the client slow, each by this much.
fn parting(rho_ppm: i32) -> Vec<Row> {
    let drifting = |every| {
        let mut sim = pair(Config { every, ..Config::default() }, Latency::Constant(Duration::from_millis(1)));
        sim.fault_after(Duration::ZERO, Fault::Drift(NodeId(1), rho_ppm));
        sim.fault_after(Duration::ZERO, Fault::Drift(CLIENT, -rho_ppm));
        skews(&mut sim, SAMPLE, 600)
    };
    let alone = drifting(None).iter().take_while(|skew| skew.abs() < 1_000_000).count();
    let worst = drifting(Some(Duration::from_secs(50))).iter().map(|skew| skew.abs()).max().unwrap_or(0);
    let row = |label: &str, expected, measured, unit| Row {
        label: label.to_string(),
        expected,
        measured,
        tolerance: Tolerance::Relative(0.02),
        unit,
        over: "300 s, one reading of both clocks every 0.5 s".to_string(),
    };
    vec![
        row("rho=1e-5, until they are pi=1 ms apart", 50.0, (alone + 1) as f64 * SAMPLE.as_secs_f64(), "s"),
        row("rho=1e-5, set every 50 s: their largest difference", 1.0, worst as f64 / 1e6, "ms"),
    ]
}

/// The client's estimate from an exchange with these two delays.
fn errors(without: Option<protocol::Rule>) -> Vec<Row> {
    let ms = Duration::from_millis;
    let config = |every| Config { round_trip_max: ms(40), delay_min: ms(5), every, without, ..Config::default() };
    let mut rows: Vec<Row> = [(15, 5, 5.0), (10, 10, 0.0), (5, 15, -5.0)]
        .into_iter()
        .map(|(forward, back, expected)| {
            let mut sim = pair(config(None), Latency::Constant(ms(5)));
            let _ = sim.run_for(ms(50));
            for (from, to, delay) in [(2, 1, forward - 5), (1, 2, back - 5)] {
                let link = LinkFault { delay: ms(delay), ..LinkFault::default() };
                sim.fault_after(Duration::ZERO, Fault::Slow(NodeId(from), NodeId(to), link));
            }
            sim.command_after(ms(1), CLIENT, Command::Sync);
            let _ = sim.run_for(ms(100));
            Row {
                label: format!("RTT 20 ms, min 5 ms, {forward} ms forward and {back} ms back"),
                expected,
                measured: sim
                    .node(CLIENT)
                    .and_then(Cristian::estimate)
                    .map_or(f64::NAN, |one| one.ahead_ns as f64 / 1e6),
                tolerance: Tolerance::Exact,
                unit: "ms of error",
                over: "one exchange".to_string(),
            }
        })
        .collect();
    let mut sim = pair(config(Some(ms(20))), Latency::Uniform(ms(5), ms(15)));
    let (mut worst, mut seen, mut last) = (0f64, 0, None);
    let _ = sim.run_until(Duration::from_secs(60), |sim| {
        let estimate = sim.node(CLIENT).and_then(Cristian::estimate);
        if let Some(one) = estimate.filter(|_| estimate != last) {
            let bound = (one.round_trip / 2).saturating_sub(ms(5)).as_nanos() + 1;
            (worst, seen) = (worst.max(one.ahead_ns.unsigned_abs() as f64 / bound as f64), seen + 1);
        }
        last = estimate;
        sim.happened().for_each(drop);
        false
    });
    rows.push(Row {
        label: "random delays of 5 to 15 ms".to_string(),
        expected: 1.0,
        measured: worst,
        tolerance: Tolerance::AtMost,
        unit: "of RTT/2 - min, the largest error",
        over: format!("{seen} exchanges"),
    });
    rows
}

/// How long a client that is 128 ms behind needs until it shows the server's time.
fn slewing(without: Option<protocol::Rule>) -> Vec<Row> {
    let config = Config { every: None, starts_off_ns: vec![0, -128_000_000], without, ..Config::default() };
    let mut sim = pair(config, Latency::Constant(Duration::from_millis(1)));
    let wrong = skews(&mut sim, SAMPLE, 600).iter().take_while(|skew| skew.abs() > 1_000).count();
    vec![Row {
        label: "d = 128 ms".to_string(),
        expected: 256.0,
        measured: (wrong + 1) as f64 * SAMPLE.as_secs_f64(),
        tolerance: Tolerance::Absolute(0.5),
        unit: "s",
        over: "one reading of both clocks every 0.5 s".to_string(),
    }]
}
