//! The shared part of the chapters of logical clocks: processes that work, and tell one another.

use volvox_clocks::happened_before::Stamp;
use volvox_clocks::lamport::{Command, Event, History};
use volvox_core::erased::Erasable;
use volvox_core::fault::LinkFault;
use volvox_core::{Duration, NodeId};
use volvox_lab::plans;
use volvox_lab::sim::{Builder, FaultPlan, FaultWeights, Happening, Latency};

/// Everything that a network does to messages, and pauses. No crash: a process that forgets its clock is another process.
pub fn faults() -> FaultPlan {
    FaultPlan {
        weights: FaultWeights { pause: 2, ..FaultWeights::NETWORK },
        link: LinkFault {
            delay: Duration::from_millis(50),
            loss_ppm: 200_000,
            duplicate_ppm: 200_000,
            reorder_ppm: 300_000,
            ..LinkFault::default()
        },
        ..plans::until(500, (2, 20), (5, 50))
    }
}

/// The history of `nodes` processes, each commanded at random moments; half of the commands tell a peer.
pub fn history<P, S>(seed: u64, nodes: u64, config: P::Config) -> History<S>
where
    P: Erasable<Command = Command, Event = Event<S>>,
    S: Stamp + 'static,
{
    let ms = Duration::from_millis;
    let mut sim = Builder::<P>::new(seed, nodes, config).latency(Latency::Uniform(ms(1), ms(10))).build();
    let mut rng = sim.rng(1);
    for _ in 0..40 * nodes {
        let command = if rng.below(2) == 0 { Command::Work } else { Command::TellAny };
        sim.command_after(ms(rng.between(1, 400)), NodeId(rng.between(1, nodes)), command);
    }
    let _ = sim.run_for(ms(1_000));
    let mut history = History::default();
    for happened in sim.happened() {
        if let Happening::Event(event) = happened.what {
            volvox_core::History::<P>::on_event(&mut history, happened.node, &event);
        }
    }
    history
}
