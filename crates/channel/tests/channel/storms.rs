//! Many seeds, every fault of the network, and crashes.

use super::*;
use std::collections::BTreeMap;
use volvox_core::{Instant, Wall};
use volvox_sim::{FaultPlan, FaultWeights, Network, run_seed};

/// The network at its worst within fair loss.
fn lossy() -> Network {
    Network {
        latency: Latency::Exponential { minimum: ms(1), mean: ms(5) },
        fault: volvox_core::fault::LinkFault {
            loss_ppm: 150_000,
            duplicate_ppm: 150_000,
            reorder_ppm: 150_000,
            corrupt_ppm: 20_000,
            ..Default::default()
        },
        ordered: false,
        ..Network::default()
    }
}

#[test]
fn everything_arrives_once_and_in_order_when_nobody_dies() {
    for seed in 0..100 {
        let outcome = run_seed("cargo test -p volvox-channel everything_arrives", seed, 60, |seed, ring| {
            let plan =
                FaultPlan { weights: FaultWeights::NETWORK, until: Duration::from_secs(5), ..FaultPlan::default() };
            let mut sim = world(seed, 3).network(lossy()).faults(plan).trace(ring).build();
            let mut sent = BTreeMap::<(NodeId, NodeId), Vec<u64>>::new();
            let mut rng = sim.rng(0);
            for number in 0..300 {
                let from = NodeId(rng.between(1, 3));
                let to = NodeId(1 + (from.0 + rng.below(2)) % 3);
                sim.command_after(ms(number * 10), from, Talk { to, number });
                sent.entry((from, to)).or_default().push(number);
            }
            let mut heard = BTreeMap::<(NodeId, NodeId), Vec<u64>>::new();
            let stop = sim.run_until(Duration::from_secs(120), |sim| {
                while let Some(happened) = sim.next_happened() {
                    if let Happening::Event(told) = happened.what {
                        heard.entry((told.from, happened.node)).or_default().push(told.number);
                    }
                }
                heard == sent
            });
            if stop == Stop::Done { Ok(()) } else { Err(format!("{stop:?}: sent {sent:?}\nheard {heard:?}")) }
        });
        if let Err(failure) = outcome {
            panic!("{failure}");
        }
    }
}

#[test]
fn nothing_is_handed_up_twice_whoever_dies() {
    let mut lives = 0;
    let mut stale = 0;
    for seed in 0..150 {
        let outcome = run_seed("cargo test -p volvox-channel nothing_is_handed_up_twice", seed, 60, |seed, ring| {
            let weights = FaultWeights { crash: 6, crash_without_disk: 1, skew: 2, pause: 3, ..FaultWeights::NETWORK };
            let plan = FaultPlan {
                weights,
                until: Duration::from_secs(8),
                every: Latency::Exponential { minimum: ms(5), mean: ms(150) },
                lasting: Latency::Exponential { minimum: ms(1), mean: ms(100) },
                ..FaultPlan::default()
            };
            let mut sim = world(seed, 3).network(lossy()).faults(plan).trace(ring).build();
            let mut rng = sim.rng(0);
            for number in 0..1_000 {
                let from = NodeId(rng.between(1, 3));
                let to = NodeId(1 + (from.0 + rng.below(2)) % 3);
                sim.command_after(ms(number * 8), from, Talk { to, number });
            }
            let mut last = BTreeMap::<(NodeId, Wall, NodeId), (u64, Instant)>::new();
            let mut wrong = None;
            let stop = sim.run_until(Duration::from_secs(9), |sim| {
                while let Some(happened) = sim.next_happened() {
                    let Happening::Event(told) = happened.what else { continue };
                    let stream = (told.from, told.life, happened.node);
                    if let Some((before, at)) = last.insert(stream, (told.number, happened.at))
                        && told.number <= before
                    {
                        wrong = Some(format!("{stream:?}: {} after {before}, handed up at {at}", told.number));
                    }
                }
                wrong.is_some()
            });
            if let Some(wrong) = wrong {
                return Err(wrong);
            }
            assert!(matches!(stop, Stop::Deadline | Stop::Idle), "{stop:?}");
            // When the faults are over, every node reaches every other. The first word may still go to an old session,
            // and the speaker learns that.
            sim.revive();
            for number in [4_999, 5_000] {
                for from in 1..=3 {
                    sim.command(NodeId(from), Talk { to: NodeId(1 + from % 3), number });
                }
                assert_eq!(sim.run_for(Duration::from_secs(u64::from(number == 4_999) * 10)), Stop::Deadline);
            }
            sim.happened().for_each(drop);
            let mut fresh = 0;
            let stop = sim.run_until(Duration::from_secs(60), |sim| {
                fresh += sim
                    .happened()
                    .filter(|happened| matches!(&happened.what, Happening::Event(told) if told.number == 5_000))
                    .count();
                fresh == 3
            });
            let notes = sim.statistics().notes.clone();
            if stop == Stop::Done { Ok(notes) } else { Err(format!("{stop:?}: {fresh} of 3 arrived\n{notes:?}")) }
        });
        match outcome {
            Ok(notes) => {
                lives += notes.of("peer begins a new life");
                stale += notes.of("message of an old life") + notes.of("message for another life");
            }
            Err(failure) => panic!("{failure}"),
        }
    }
    assert!(lives > 500 && stale > 100, "the storm was mild: {lives} lives, {stale} stale messages");
}
