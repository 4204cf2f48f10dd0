//! The channel over the simulated network.

mod child;
mod codec;
mod golden;
mod storms;
mod streams;

use child::{Talk, Talker, Told};
use volvox_channel::{Channel, Config, Limits};
use volvox_core::{Duration, Fault, NodeId};
use volvox_sim::{Builder, Happening, Latency, Simulation, Stop};

const ONE: NodeId = NodeId(1);
const TWO: NodeId = NodeId(2);

type World = Simulation<Channel<Talker>>;

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn config() -> Config<()> {
    Config { child: (), limits: Limits::default() }
}

fn world(seed: u64, nodes: u64) -> Builder<Channel<Talker>> {
    Builder::new(seed, nodes, config()).latency(Latency::Constant(ms(1)))
}

fn fault(sim: &mut World, text: &str) {
    let fault: Fault = text.parse().expect("a fault");
    sim.apply_fault(&fault);
}

fn say(sim: &mut World, numbers: std::ops::Range<u64>) {
    for number in numbers {
        sim.command(ONE, Talk { to: TWO, number });
    }
}

/// The words that node 2 heard within a time span.
fn heard(sim: &mut World, span: Duration) -> Vec<u64> {
    assert_eq!(sim.run_for(span), Stop::Deadline);
    sim.happened()
        .filter_map(|happened| match happened.what {
            Happening::Event(Told { number, .. }) if happened.node == TWO => Some(number),
            _ => None,
        })
        .collect()
}
