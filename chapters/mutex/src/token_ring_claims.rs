//! The numbers of the token ring, measured: how many passes a wait takes.

use super::entries::{DELAY, exactly, simulation, told};
use volvox_core::fault::LinkFault;
use volvox_core::{Duration, NodeId};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::sim::{Builder, Latency, Simulation};
use volvox_mutex::section::{Command, Event};
use volvox_mutex::token_ring::{self as protocol, Config};

/// The claims of the chapter.
pub static CLAIMS: [Claim; 1] = [Claim {
    id: "Q-MTX-4",
    text: "token ring: a wait takes 0 to N-1 passes, (N-1)/2 on average; one pass per entry if all want to enter, any number if none does",
    measure: || [waits(4, 0), waits(10, 0), saturated(10, 0), idle(10)].concat(),
    breakage: "one message in ten is lost",
    measure_broken: || [waits(10, 100_000), saturated(10, 100_000)].concat(),
    plot: None,
}];

fn ring(nodes: u64, loss_ppm: u32) -> Simulation<protocol::TokenRing> {
    if loss_ppm == 0 {
        return simulation(nodes, Config { patience: DELAY * 1_000, ..Config::default() });
    }
    let network = volvox_lab::sim::Network {
        latency: Latency::Constant(DELAY),
        fault: LinkFault { loss_ppm, ..LinkFault::default() },
        ..volvox_lab::sim::Network::default()
    };
    Builder::new(7, nodes, Config { patience: DELAY * 1_000, ..Config::default() }).network(network).build()
}

fn passes(sim: &Simulation<protocol::TokenRing>) -> u64 {
    sim.statistics().kinds.of("Token")
}

/// A random node asks at a random time, and no other does: the number of passes until it is inside.
fn waits(nodes: u64, loss_ppm: u32) -> Vec<Row> {
    const ENTRIES: u64 = 2_000;
    let mut sim = ring(nodes, loss_ppm);
    let mut rng = sim.rng(1);
    let mut waited = Vec::new();
    for _ in 0..ENTRIES {
        let _ = sim.run_for(Duration::from_nanos(rng.between(50_000_000, 250_000_000)));
        let _ = told(&mut sim);
        let before = passes(&sim);
        sim.command(NodeId(rng.between(1, nodes)), Command::Enter);
        let entered = |sim: &mut Simulation<_>| told(sim).iter().any(|(_, _, event)| *event == Event::Entered);
        let _ = sim.run_until(Duration::from_secs(60), entered);
        waited.push(passes(&sim) - before);
    }
    let mean = waited.iter().sum::<u64>() as f64 / ENTRIES as f64;
    let (least, most) = (waited.iter().min().copied().unwrap_or(0), waited.iter().max().copied().unwrap_or(0));
    let (label, over) = (format!("N={nodes}, idle"), format!("{ENTRIES} entries"));
    vec![
        Row {
            label: label.clone(),
            expected: (nodes - 1) as f64 / 2.0,
            measured: mean,
            tolerance: Tolerance::Relative(0.05),
            unit: "passes waited on average",
            over: over.clone(),
        },
        exactly(&label, 0.0, least as f64, "passes waited at least", over.clone()),
        exactly(&label, (nodes - 1) as f64, most as f64, "passes waited at most", over),
    ]
}

/// Every node always wants to enter.
fn saturated(nodes: u64, loss_ppm: u32) -> Vec<Row> {
    const ENTRIES: u64 = 50;
    let mut sim = ring(nodes, loss_ppm);
    let ids: Vec<NodeId> = sim.ids().collect();
    for id in ids {
        (0..ENTRIES).for_each(|_| sim.command(id, Command::Enter));
    }
    let (mut entered, mut first, mut last) = (0u64, 0, 0);
    let _ = sim.run_until(Duration::from_secs(600), |sim| {
        for (_, _, event) in told(sim) {
            if event == Event::Entered {
                entered += 1;
                last = passes(sim);
                first = if entered == 1 { last } else { first };
            }
        }
        entered == nodes * ENTRIES
    });
    let measured = (last - first) as f64 / (entered - 1).max(1) as f64;
    vec![exactly(
        format!("N={nodes}, all want to enter"),
        1.0,
        measured,
        "passes per entry",
        format!("{entered} entries"),
    )]
}

/// No node wants to enter for ten seconds, then one does.
fn idle(nodes: u64) -> Vec<Row> {
    let mut sim = ring(nodes, 0);
    let _ = sim.run_for(Duration::from_secs(10));
    vec![Row {
        label: format!("N={nodes}, none wants to enter"),
        expected: 400.0,
        measured: passes(&sim) as f64,
        tolerance: Tolerance::AtLeast,
        unit: "passes before the first entry",
        over: "ten idle seconds".to_string(),
    }]
}
