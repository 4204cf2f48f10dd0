//! The cost of three-phase commit.

use volvox_commit::three_phase::{Config, Rule, ThreePhase};
use volvox_commit::transaction::Command;
use volvox_core::fault::Target;
use volvox_core::{Duration, Fault, NodeId};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::sim::{Builder, Latency, Simulation};

pub(super) static CLAIMS: [Claim; 1] = [Claim {
    id: "Q-ACP-4",
    text: "three-phase commit: 5 rounds and 5n messages for n participants; an abort 3 rounds; f crashes at most 6f+5 rounds",
    measure: || {
        let quiet = [2, 4, 8].into_iter().flat_map(|n| without_failures(n, None));
        quiet.chain((1..=3).map(|crashes| with_crashes(8, crashes, None))).collect()
    },
    breakage: "no node learns that all voted yes before the commit",
    measure_broken: || without_failures(4, Some(Rule::PreCommit)),
    plot: None,
}];

/// The delay of every message.
const DELAY: Duration = Duration::from_millis(10);
const COORDINATOR: NodeId = NodeId(1);

fn simulation(n: u64, without: Option<Rule>) -> Simulation<ThreePhase> {
    let config = Config { delay: DELAY + Duration::from_millis(1), without };
    let builder = Builder::new(1, n + 1, config).latency(Latency::Constant(DELAY));
    let mut sim = builder.sync(Latency::Constant(Duration::ZERO)).build();
    let _ = sim.run_for(DELAY);
    sim
}

/// Runs one transaction from beginning to end. Counts rounds, that is, times at which messages leave; after each,
/// `then` may act on the world.
fn rounds(sim: &mut Simulation<ThreePhase>, mut then: impl FnMut(&mut Simulation<ThreePhase>, u64)) -> u64 {
    sim.command(COORDINATOR, Command::Begin);
    let (mut count, mut last, mut sent) = (0, None, sim.statistics().sent);
    let _ = sim.run_until(Duration::from_secs(10), |sim| {
        if sim.statistics().sent > sent {
            sent = sim.statistics().sent;
            if last != Some(sim.now()) {
                (count, last) = (count + 1, Some(sim.now()));
            }
            then(sim, count);
        }
        false
    });
    count
}

fn without_failures(n: u64, without: Option<Rule>) -> Vec<Row> {
    let row = |label: String, expected: u64, measured: u64, unit| Row {
        label,
        expected: expected as f64,
        measured: measured as f64,
        tolerance: Tolerance::Exact,
        unit,
        over: "1 transaction".to_string(),
    };
    let mut sim = simulation(n, without);
    let commit = rounds(&mut sim, |_, _| {});
    let messages = sim.statistics().sent;
    let mut refused = simulation(n, without);
    refused.command(NodeId(2), Command::Refuse);
    let abort = rounds(&mut refused, |_, _| {});
    vec![
        row(format!("n={n}"), 5, commit, "rounds"),
        row(format!("n={n}"), 5 * n, messages, "messages"),
        row(format!("n={n}, one refuses"), 3, abort, "rounds"),
    ]
}

/// Every coordinator but the last crashes after a request, at the latest time at which the answers help no other: the
/// first when all have voted, its successors when all have reported their states.
fn with_crashes(n: u64, crashes: u64, without: Option<Rule>) -> Row {
    let mut most = 0;
    // The last round of each coordinator: all combinations up to five rounds each.
    for choice in 0..5u64.pow(crashes as u32) {
        let mut sim = simulation(n, without);
        let (mut left, mut choice, mut begun) = (crashes, choice, 0);
        let count = rounds(&mut sim, |sim, count| {
            let coordinating: Vec<NodeId> =
                sim.live().filter(|(_, node)| node.is_coordinating()).map(|(id, _)| id).collect();
            if let [coordinator] = coordinating[..]
                && left > 0
                && count > begun + choice % 5
            {
                (left, choice, begun) = (left - 1, choice / 5, count);
                let crash = Fault::Crash { who: Target::Node(coordinator), without_disk: false };
                sim.fault_after(Duration::ZERO, crash);
            }
        });
        most = most.max(count);
    }
    Row {
        label: format!("n={n}, f={crashes}, the most of {} runs", 5u64.pow(crashes as u32)),
        expected: (6 * crashes + 5) as f64,
        measured: most as f64,
        tolerance: Tolerance::AtMost,
        unit: "rounds",
        over: "coordinators that crash in each of their rounds".to_string(),
    }
}
