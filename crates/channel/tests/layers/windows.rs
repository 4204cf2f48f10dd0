//! Stop-and-wait, go-back-N, selective repeat.

use super::*;
use volvox_channel::arq::{Arq, Config, QUEUE_MAX, Rule, Scheme};
use volvox_channel::talk::Talk;
use volvox_core::fault::LinkFault;
use volvox_sim::{Builder, FaultPlan, FaultWeights, Latency, Network, run_seed};

const ALL: [&str; 3] = ["no creation", "no duplication", "FIFO delivery"];

const SCHEMES: [(Scheme, u32); 5] = [
    (Scheme::StopAndWait, 1),
    (Scheme::GoBackN, 1),
    (Scheme::GoBackN, 3),
    (Scheme::SelectiveRepeat, 1),
    (Scheme::SelectiveRepeat, 3),
];

fn config(scheme: Scheme, bits: u32, without: Option<Rule>) -> Config<()> {
    Config { without, ..Config::new((), scheme, bits) }
}

/// A lossy FIFO link.
fn lossy(loss_ppm: u32) -> Network {
    let fault = LinkFault { loss_ppm, ..LinkFault::default() };
    Network { latency: Latency::Uniform(ms(1), ms(20)), fault, ordered: true, queue_max: 4_096 }
}

#[test]
fn every_scheme_keeps_every_promise_over_links_that_lose() {
    for seed in 0..30 {
        let outcome = run_seed("cargo test -p volvox-channel every_scheme", seed, 80, |seed, ring| {
            let (scheme, bits) = SCHEMES[seed as usize % SCHEMES.len()];
            let weights = FaultWeights { pause: 2, drift: 1, ..FaultWeights::NETWORK };
            let plan = FaultPlan { weights, from: ms(0), until: ms(1_000), ..FaultPlan::default() };
            let mut sim = Builder::<Arq<Talk>>::new(seed, 3, config(scheme, bits, None))
                .network(lossy(200_000))
                .faults(plan)
                .trace(ring)
                .build();
            chatter(&mut sim, 3, 60);
            until_all_is_heard(&mut sim, 60)
        });
        outcome.unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn each_rule_is_needed_in_the_simulator_too() {
    for (scheme, bits) in SCHEMES {
        for (rule, property) in
            [(Rule::Window, "no duplication"), (Rule::Fifo, "no duplication"), (Rule::Repetition, "reliable delivery")]
        {
            let broken = (0..20).any(|seed| {
                let mut sim = Builder::<Arq<Talk>>::new(seed, 2, config(scheme, bits, Some(rule)))
                    .network(lossy(100_000))
                    .schedule(["slow 2->1 loss 80%".parse().expect("a fault")])
                    .build();
                chatter(&mut sim, 2, 100);
                until_all_is_heard(&mut sim, 100).is_err_and(|why| why.contains(property))
            });
            assert!(broken, "{scheme:?} with {bits} bits without {rule:?}");
        }
    }
}

/// The windows of NET-06, from both sides: the largest allowed window holds in every schedule, and one more does not.
#[test]
fn every_schedule_of_the_largest_window_and_of_one_more() {
    for (scheme, bits, words) in [
        (Scheme::StopAndWait, 1, 4),
        (Scheme::GoBackN, 1, 4),
        (Scheme::GoBackN, 2, 6),
        (Scheme::SelectiveRepeat, 1, 4),
        (Scheme::SelectiveRepeat, 2, 6),
    ] {
        let links = Links::ordered().lossy().queue_max(3);
        let (ended, states, broken) =
            every_schedule::<Arq<Talk>>(config(scheme, bits, None), links, words, &ALL, false);
        assert_eq!((ended, broken), (Ended::Exhausted, None), "{scheme:?} with {bits} bits: {states} states");
        let one_more = config(scheme, bits, Some(Rule::Window));
        let broken = every_schedule::<Arq<Talk>>(one_more, links.queue_max(4), words, &ALL, false).2;
        assert_eq!(broken.map(|(name, _)| name).as_deref(), Some("no duplication"), "{scheme:?} with {bits} bits");
        // Without order no window is small enough.
        let unordered = Links::unordered().queue_max(3);
        let broken = every_schedule::<Arq<Talk>>(config(scheme, bits, None), unordered, words, &ALL, false).2;
        assert_eq!(broken.map(|(name, _)| name).as_deref(), Some("no duplication"), "{scheme:?} with {bits} bits");
    }
}

#[test]
fn what_is_said_is_heard_in_every_schedule_with_losses() {
    for (scheme, bits) in [(Scheme::StopAndWait, 1), (Scheme::GoBackN, 2), (Scheme::SelectiveRepeat, 2)] {
        let links = Links::ordered().losses(2).queue_max(3);
        let (ended, _, broken) = every_schedule::<Arq<Talk>>(config(scheme, bits, None), links, 3, &ALL, true);
        assert_eq!((ended, broken), (Ended::Exhausted, None), "{scheme:?}");
        let broken = every_schedule::<Arq<Talk>>(config(scheme, bits, Some(Rule::Repetition)), links, 3, &ALL, true).2;
        assert_eq!(broken.map(|(name, _)| name).as_deref(), Some("reliable delivery"), "{scheme:?}");
    }
}

#[test]
fn a_full_queue_drops_the_newest_and_says_so() {
    let mut sim = Builder::<Arq<Talk>>::new(1, 2, config(Scheme::GoBackN, 3, None)).build();
    for _ in 0..QUEUE_MAX + 5 {
        sim.command(ONE, say("a", 2));
    }
    let _ = sim.run_for(Duration::from_secs(60));
    assert_eq!(sim.statistics().notes.of("queue full: newest dropped"), 5);
    assert_eq!(sim.node(ONE).map(Arq::waiting), Some(0));
}

#[test]
#[should_panic(expected = "a window of 5 with numbers of 3 bits")]
fn a_window_larger_than_the_numbers_allow_is_refused() {
    let config = Config { window: 5, ..config(Scheme::SelectiveRepeat, 3, None) };
    let _ = Builder::<Arq<Talk>>::new(1, 2, config).build().run_for(ms(1));
}
