//! The guarantees of the simulated world, one test each.

mod clocks;
mod disks;
mod links;
mod plans;
mod probe;
mod processes;

use probe::{Do, Probe, Saw};
use volvox_core::{Duration, Fault, Instant, NodeId};
use volvox_sim::{Builder, Happening, Latency, Simulation, Stop};

const ONE: NodeId = NodeId(1);
const TWO: NodeId = NodeId(2);
const THREE: NodeId = NodeId(3);

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Two nodes or more, every message takes 1 ms, every sync 1 ms.
fn plain(seed: u64, nodes: u64) -> Builder<Probe> {
    Builder::new(seed, nodes, ()).latency(Latency::Constant(ms(1))).sync(Latency::Constant(ms(1)))
}

fn fault(sim: &mut Simulation<Probe>, text: &str) {
    let fault: Fault = text.parse().expect("a fault");
    sim.apply_fault(&fault);
}

fn run(sim: &mut Simulation<Probe>, millis: u64) {
    let stop = sim.run_for(ms(millis));
    assert_eq!(stop, Stop::Deadline, "{:?}", sim.violation());
}

/// The events of one node since the last call of this or [`saw`].
fn saw(sim: &mut Simulation<Probe>, id: NodeId) -> Vec<Saw> {
    timed(sim, id).into_iter().map(|(_, event)| event).collect()
}

fn timed(sim: &mut Simulation<Probe>, id: NodeId) -> Vec<(Instant, Saw)> {
    sim.happened()
        .filter(|happened| happened.node == id)
        .filter_map(|happened| match happened.what {
            Happening::Event(event) => Some((happened.at, event)),
            _ => None,
        })
        .filter(|(_, event)| !matches!(event, Saw::Restored(..)))
        .collect()
}

/// Node 1 sends the numbers to node 2, all in the same moment.
fn send(sim: &mut Simulation<Probe>, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        sim.command(ONE, Do::Send(TWO, number));
    }
}

fn numbers(events: Vec<Saw>) -> Vec<u64> {
    events
        .into_iter()
        .filter_map(|event| match event {
            Saw::Got(_, number) | Saw::Stored(number) => Some(number),
            _ => None,
        })
        .collect()
}
