//! The cost of two-phase commit.

use volvox_commit::transaction::{Command, Decision, Event, Vote};
use volvox_commit::two_phase::{Config, Rule, TwoPhase};
use volvox_core::fault::Target;
use volvox_core::{Duration, Fault, Instant, NodeId, Serial};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::plot::Against;
use volvox_lab::sim::{Builder, Happening, Latency, Simulation};

pub(super) static CLAIMS: [Claim; 4] = [
    Claim {
        id: "Q-ACP-1",
        text: "two-phase commit without failures: 3 rounds, 3n messages for n participants, 4n with acknowledgements",
        measure: || [2, 4, 8].into_iter().flat_map(|n| without_failures(n, Config::default())).collect(),
        breakage: "the coordinator does not wait long enough for votes",
        measure_broken: || without_failures(4, Config { vote_timeout: DELAY, ..Config::default() }),
        plot: Some(|rows| {
            let (values, names) = (&[2.0, 4.0, 8.0], &["", "3n", "4n, with Ack"]);
            Against {
                title: "Two-phase commit without failures",
                x_label: "participants n",
                y_label: "messages",
                values,
                names,
            }
            .svg(rows)
        }),
    },
    Claim {
        id: "Q-ACP-2",
        text: "two-phase commit with failures: at most 5 rounds for a participant that is not blocked, at most n(3n+7)/2 messages",
        measure: || vec![worst_case(4, None), worst_case(8, None), most_rounds(4), over_seeds(4, Config::default())],
        breakage: "an uncertain participant asks before the decision could have arrived, and again",
        measure_broken: || {
            let decision_timeout = Duration::from_micros(700);
            vec![over_seeds(4, Config { decision_timeout, ..Config::default() })]
        },
        plot: None,
    },
    Claim {
        id: "Q-ACP-5",
        text: "two-phase commit as counted by Gray and Lamport: 3N-1 messages, 4 delays, 3 writes on the path; \
               with the coordinator where it begins 3N-3 messages, 3 delays, 2 writes",
        measure: || [3, 5].into_iter().flat_map(|n| gray_and_lamport(n, None)).collect(),
        breakage: "a commit is announced before it is durable",
        measure_broken: || gray_and_lamport(5, Some(Rule::Committed)),
        plot: None,
    },
    Claim {
        id: "Q-ACP-7",
        text: "the blocking window: two delays and a write; a coordinator that crashes within it blocks until its repair",
        measure: || vec![window(None), blocked(None)],
        breakage: "an uncertain participant aborts after its timeout",
        measure_broken: || vec![window(None), blocked(Some(Rule::Uncertain))],
        plot: None,
    },
];

/// The delay of every message.
const DELAY: Duration = Duration::from_millis(1);
const COORDINATOR: NodeId = NodeId(1);

fn exactly(label: String, expected: f64, measured: f64, unit: &'static str) -> Row {
    Row { label, expected, measured, tolerance: Tolerance::Exact, unit, over: "1 transaction".to_string() }
}

fn simulation(seed: u64, nodes: u64, config: Config, sync: Duration) -> Simulation<TwoPhase> {
    let mut sim =
        Builder::new(seed, nodes, config).latency(Latency::Constant(DELAY)).sync(Latency::Constant(sync)).build();
    let _ = sim.run_for(Duration::from_millis(1));
    sim
}

/// Messages, not counting acknowledgements.
fn messages(sim: &Simulation<TwoPhase>) -> u64 {
    sim.statistics().sent - acknowledgements(sim)
}

fn acknowledgements(sim: &Simulation<TwoPhase>) -> u64 {
    sim.statistics().kinds.of("Ack")
}

/// Runs to the end, or for this long. Counts rounds, that is, times at which messages other than acknowledgements
/// leave.
fn rounds(sim: &mut Simulation<TwoPhase>, span: Duration) -> u64 {
    let (mut count, mut last, mut sent) = (0, None, messages(sim));
    let _ = sim.run_until(span, |sim| {
        if messages(sim) > sent && last != Some(sim.now()) {
            (count, last) = (count + 1, Some(sim.now()));
        }
        sent = messages(sim);
        false
    });
    count
}

fn without_failures(n: u64, config: Config) -> Vec<Row> {
    let mut sim = simulation(1, n + 1, config, Duration::ZERO);
    sim.command(COORDINATOR, Command::Begin);
    let rounds = rounds(&mut sim, Duration::from_millis(50));
    let (sent, acks) = (messages(&sim), acknowledgements(&sim));
    vec![
        exactly(format!("n={n}"), 3.0, rounds as f64, "rounds"),
        exactly(format!("n={n}"), (3 * n) as f64, sent as f64, "messages"),
        exactly(format!("n={n}, with acknowledgements"), (4 * n) as f64, (sent + acks) as f64, "messages"),
    ]
}

fn bound(n: u64) -> f64 {
    (n * (3 * n + 7)) as f64 / 2.0
}

/// A partition loses the commits. Then one participant after the other asks all nodes, and all that know answer.
fn worst_case(n: u64, _: Option<Rule>) -> Row {
    let mut sim = lost_commits(n, |id| Duration::from_millis(10 * id.0));
    let _ = sim.run_for(Duration::from_millis(150));
    exactly(format!("n={n}, the worst run"), bound(n), messages(&sim) as f64, "messages")
}

/// As before, but all ask at once.
fn most_rounds(n: u64) -> Row {
    let mut sim = simulation(1, n + 1, patient(Duration::from_millis(10)), Duration::ZERO);
    cut_off_commits(&mut sim);
    let rounds = rounds(&mut sim, Duration::from_millis(150));
    let mut row = exactly(format!("n={n}, commits lost"), 5.0, rounds as f64, "rounds");
    row.tolerance = Tolerance::AtMost;
    row
}

/// The coordinator does not repeat its decision: uncertain participants ask.
fn patient(decision_timeout: Duration) -> Config {
    Config { decision_timeout, ack_timeout: Duration::from_secs(3600), ..Config::default() }
}

fn lost_commits(n: u64, patience: impl Fn(NodeId) -> Duration) -> Simulation<TwoPhase> {
    let nodes = (1..=n + 1).map(NodeId);
    let builder = Builder::new(1, n + 1, patient(DELAY)).latency(Latency::Constant(DELAY));
    let builder = nodes.fold(builder, |builder, id| builder.config_of(id, patient(patience(id))));
    let mut sim = builder.sync(Latency::Constant(Duration::ZERO)).build();
    cut_off_commits(&mut sim);
    sim
}

/// Requests leave at 0 and votes at 1 ms; commits leave at 2 ms, when the coordinator is isolated.
fn cut_off_commits(sim: &mut Simulation<TwoPhase>) {
    let others = sim.ids().filter(|id| *id != COORDINATOR).collect();
    sim.command(COORDINATOR, Command::Begin);
    sim.fault_after(Duration::from_micros(2_500), Fault::Partition(vec![vec![COORDINATOR], others]));
    sim.fault_after(Duration::from_micros(4_500), Fault::Heal);
}

/// Messages take time or are lost, and participants are briefly isolated: the most that one transaction took, among
/// those in which no participant had to ask twice.
fn over_seeds(n: u64, config: Config) -> Row {
    const SEEDS: u64 = 300;
    let (mut most, mut decided) = (0, 0);
    for seed in 0..SEEDS {
        let config = Config { ack_timeout: Duration::from_secs(3600), ..config };
        let latency = Latency::Uniform(Duration::from_micros(200), Duration::from_millis(2));
        let mut sim = Builder::<TwoPhase>::new(seed, n + 1, config).latency(latency).build();
        let victim = NodeId(2 + seed % n);
        sim.command(COORDINATOR, Command::Begin);
        if seed % 3 == 0 {
            sim.command(victim, Command::Refuse);
        }
        let others = sim.ids().filter(|id| *id != victim && (seed % 2 == 0 || *id != COORDINATOR)).collect();
        let cut = if seed % 2 == 0 { vec![victim] } else { vec![victim, COORDINATOR] };
        sim.fault_after(Duration::from_micros(seed * 37 % 8_000), Fault::Partition(vec![cut, others]));
        sim.fault_after(Duration::from_millis(20), Fault::Heal);
        let _ = sim.run_for(Duration::from_millis(300));
        if sim.live().all(|(_, node)| node.uncertain().next().is_none()) {
            (most, decided) = (most.max(messages(&sim)), decided + 1);
        }
    }
    Row {
        label: format!("n={n}, the most of {SEEDS} runs with partitions"),
        expected: bound(n),
        measured: most as f64,
        tolerance: Tolerance::AtMost,
        unit: "messages",
        over: format!("{decided} runs that ended"),
    }
}

/// N resource managers: the transaction is begun by one of them with a separate coordinator, and by one that is the
/// coordinator.
fn gray_and_lamport(n: u64, without: Option<Rule>) -> Vec<Row> {
    let apart = Config { without, ..Config::default() };
    let colocated = Config { is_colocated: true, ..apart };
    let mut rows = Vec::new();
    for (place, nodes, begins, config, saved, delays, writes) in [
        ("coordinator apart", n + 1, NodeId(2), apart, 1, 4.0, 3.0),
        ("coordinator where it begins", n, COORDINATOR, colocated, 3, 3.0, 2.0),
    ] {
        // The delay of a message and the time of a write are distinguished by their length.
        let mut sim = simulation(1, nodes, config, Duration::ZERO);
        let took = until_all_know(&mut sim, begins);
        let _ = sim.run_for(Duration::from_millis(50));
        let write = Duration::from_millis(2);
        let mut slow = simulation(1, nodes, config, write);
        let with_writes = until_all_know(&mut slow, begins) - took;
        let label = || format!("N={n}, {place}");
        rows.push(exactly(label(), (3 * n - saved) as f64, messages(&sim) as f64, "messages"));
        rows.push(exactly(label(), delays, took.as_secs_f64() / DELAY.as_secs_f64(), "delays"));
        rows.push(exactly(label(), writes, with_writes.as_secs_f64() / write.as_secs_f64(), "writes on the path"));
    }
    rows
}

/// From the beginning of a transaction until the commit has arrived everywhere.
fn until_all_know(sim: &mut Simulation<TwoPhase>, begins: NodeId) -> Duration {
    let transaction = volvox_commit::transaction::Transaction { origin: begins, number: Serial::first_boot(1) };
    let from = sim.now();
    sim.command(begins, Command::Begin);
    let _ = sim.run_until(Duration::from_secs(1), |sim| {
        let knows = |(id, node): (NodeId, &TwoPhase)| {
            node.decision(transaction) == Some(Decision::Commit) || (id == COORDINATOR && !node.takes_part())
        };
        sim.live().all(knows)
    });
    sim.now().since(from)
}

/// From a participant's yes, as it leaves, to the arrival of the decision.
fn window(without: Option<Rule>) -> Row {
    let write = Duration::from_millis(3);
    let mut sim = simulation(1, 5, Config { without, ..Config::default() }, write);
    sim.command(COORDINATOR, Command::Begin);
    let mut voted = None;
    let _ = sim.run_until(Duration::from_secs(1), |sim| {
        let at = sim.now();
        let votes = sim.happened().any(|one| matches!(one.what, Happening::Event(Event::Voted(_, Vote::Yes, _))));
        voted = voted.or(votes.then_some(at));
        voted.is_some() && sim.live().all(|(_, node)| node.uncertain().next().is_none())
    });
    let took = sim.now().since(voted.unwrap_or(Instant::ZERO));
    let row = exactly(
        "n=4, delay 1 ms, write 3 ms".to_string(),
        (2 * DELAY + write).as_secs_f64() * 1_000.0,
        took.as_secs_f64() * 1_000.0,
        "ms from yes to decision",
    );
    Row { over: "4 participants, all at once".to_string(), ..row }
}

/// The coordinator crashes when all have voted and is repaired after a random time.
fn blocked(without: Option<Rule>) -> Row {
    const RUNS: u64 = 200;
    let repair = Latency::Exponential { minimum: Duration::ZERO, mean: Duration::from_secs(10) };
    let (mut repaired, mut waited) = (Duration::ZERO, Duration::ZERO);
    for seed in 0..RUNS {
        let mut sim = simulation(seed, 4, Config { without, ..Config::default() }, Duration::ZERO);
        sim.command(COORDINATOR, Command::Begin);
        let _ =
            sim.run_until(DELAY * 10, |sim| sim.live().filter(|(_, node)| node.uncertain().count() > 0).count() == 3);
        let from = sim.now();
        let time = Duration::from_nanos(repair.draw(&mut sim.rng(1)));
        sim.fault_after(Duration::ZERO, Fault::Crash { who: Target::Node(COORDINATOR), without_disk: false });
        sim.fault_after(time, Fault::Start(COORDINATOR));
        let _ = sim
            .run_until(Duration::from_secs(1_000), |sim| sim.live().all(|(_, node)| node.uncertain().next().is_none()));
        repaired += time;
        waited += sim.now().since(from);
    }
    Row {
        label: "the coordinator crashes within the window; mean, expected as long as its repair".to_string(),
        expected: repaired.as_secs_f64() / RUNS as f64,
        measured: waited.as_secs_f64() / RUNS as f64,
        tolerance: Tolerance::Relative(0.05),
        unit: "s until all decide",
        over: format!("{RUNS} runs"),
    }
}
