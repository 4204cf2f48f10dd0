//! Clocks, logical and physical, in the simulated world and by hand.

mod berkeley;
mod cristian;
mod logical;
mod ntp;

use std::fmt::Debug;
use volvox_core::{Decode, Duration, Encode, History, NodeId, Picture, Process, Property, Rng, When, decode_all};
use volvox_sim::{Happening, Simulation, Stop};

/// Runs a simulation, evaluates every property after each step and, when the time is over, those of the end.
fn watch<P, H>(sim: &mut Simulation<P>, properties: &[Property<P, H>], span: Duration) -> H
where
    P: Process + 'static,
    H: History<P>,
{
    let mut history = H::default();
    let seed = sim.seed();
    let ask = |sim: &mut Simulation<P>, history: &mut H, when: When| {
        for happened in sim.happened() {
            if let Happening::Event(event) = happened.what {
                history.on_event(happened.node, &event);
            }
        }
        let nodes: Vec<(NodeId, &P)> = sim.live().collect();
        let picture = Picture { nodes: &nodes, history };
        for property in properties.iter().filter(|property| property.when == when) {
            if let Err(why) = (property.holds)(&picture) {
                panic!("seed {seed}, {}: {} does not hold: {why}", sim.now(), property.name);
            }
        }
    };
    let stop = sim.run_until(span, |sim| {
        ask(sim, &mut history, When::Always);
        false
    });
    assert!(matches!(stop, Stop::Idle | Stop::Deadline), "seed {seed}: {stop:?}");
    ask(sim, &mut history, When::Always);
    ask(sim, &mut history, When::AtEnd);
    history
}

/// An encoded value decodes to itself, a truncated one is refused, and no bytes make a decoder panic.
fn round_trip<T: Encode + Decode + PartialEq + Debug>(value: &T) {
    let bytes = value.to_bytes();
    assert_eq!(decode_all::<T>(&bytes).as_ref(), Ok(value));
    for length in 0..bytes.len() {
        assert!(decode_all::<T>(&bytes[..length]).is_err(), "{value:?} cut to {length} bytes");
    }
    let mut rng = Rng::new(1);
    for _ in 0..500 {
        let mut hostile = bytes.clone();
        let at = rng.below(hostile.len() as u64) as usize;
        hostile[at] = rng.next_u64() as u8;
        let _ = decode_all::<T>(&hostile);
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
