//! The number of message delays of Paxos, measured.

use volvox_core::{Duration, NodeId};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::plot::Against;
use volvox_lab::sim::{Builder, Happening, Latency};
use volvox_paxos::single::{Command, Config, Event, Learning, Paxos, Value};

/// The claims of the chapter.
pub static CLAIMS: [Claim; 1] = [Claim {
    id: "Q-CON-1",
    text: "Paxos from cold: 4 delays, 4(n-1) messages, where the proposer is the distinguished learner",
    measure: || cold(Learning::Proposer),
    breakage: "every acceptor informs every learner",
    measure_broken: || cold(Learning::All),
    plot: Some(|rows| {
        let (values, names) = (&[3.0, 5.0, 7.0], &["4(n-1)", ""]);
        Against {
            title: "Paxos from cold",
            x_label: "acceptors n",
            y_label: "messages until the proposer knows",
            values,
            names,
        }
        .svg(rows)
    }),
}];

/// One proposal, by a different node in each run, over links with a constant latency and disks that take no time.
fn cold(learning: Learning) -> Vec<Row> {
    const DELAY: Duration = Duration::from_millis(1);
    const RUNS: u64 = 20;
    let mut rows = Vec::new();
    for nodes in [3, 5, 7] {
        let (mut messages, mut delays) = (0, 0.0);
        for run in 0..RUNS {
            let config = Config { learning, ..Config::default() };
            let mut sim = Builder::<Paxos>::new(run, nodes, config)
                .latency(Latency::Constant(DELAY))
                .sync(Latency::Constant(Duration::ZERO))
                .build();
            let proposer = NodeId(run % nodes + 1);
            sim.command(proposer, Command::Propose(Value(run)));
            let _ = sim.run_for(DELAY * 20);
            let chosen = sim
                .happened()
                .find(|one| one.node == proposer && matches!(one.what, Happening::Event(Event::Chosen(_))))
                .expect("a lone proposer over good links decides");
            delays += chosen.at.0 as f64 / DELAY.as_nanos() as f64;
            let kinds = &sim.statistics().kinds;
            messages += ["Prepare", "Promise", "Accept", "Accepted"].map(|kind| kinds.of(kind)).iter().sum::<u64>();
        }
        let over = || format!("{RUNS} runs");
        rows.push(Row {
            label: format!("n={nodes}"),
            expected: 4.0 * (nodes as f64 - 1.0),
            measured: messages as f64 / RUNS as f64,
            tolerance: Tolerance::Exact,
            unit: "messages",
            over: over(),
        });
        rows.push(Row {
            label: format!("n={nodes}"),
            expected: 4.0,
            measured: delays / RUNS as f64,
            tolerance: Tolerance::Exact,
            unit: "delays until the proposer knows",
            over: over(),
        });
    }
    rows
}
