//! The stack, layer by layer.

use super::*;
use volvox_channel::links::{Config, Fifo, Perfect, Reliable, Rule, Stubborn};
use volvox_channel::talk::Talk;
use volvox_core::fault::LinkFault;
use volvox_sim::{Builder, FaultPlan, FaultWeights, Latency, Network, run_seed};

const INVENTED: &str = "no creation";
const TWICE: &str = "no duplication";
const ORDER: &str = "FIFO delivery";

fn config(without: Option<Rule>) -> Config<()> {
    Config { without, ..Config::default() }
}

fn lossy() -> Network {
    let fault = LinkFault {
        loss_ppm: 150_000,
        duplicate_ppm: 150_000,
        reorder_ppm: 150_000,
        corrupt_ppm: 20_000,
        ..LinkFault::default()
    };
    Network { latency: Latency::Exponential { minimum: ms(1), mean: ms(5) }, fault, ordered: false, queue_max: 64 }
}

#[test]
fn the_whole_stack_keeps_every_promise_over_foul_networks() {
    for seed in 0..30 {
        let outcome = run_seed("cargo test -p volvox-channel the_whole_stack", seed, 80, |seed, ring| {
            let weights = FaultWeights { pause: 2, drift: 1, ..FaultWeights::NETWORK };
            let plan = FaultPlan { weights, from: ms(0), until: ms(1_000), ..FaultPlan::default() };
            let nodes = 2 + seed % 3;
            let mut sim = Builder::<Reliable<Talk>>::new(seed, nodes, config(None).stack())
                .network(lossy())
                .faults(plan)
                .trace(ring)
                .build();
            chatter(&mut sim, nodes, 60);
            until_all_is_heard(&mut sim, 60)?;
            let _ = sim.run_for(ms(5_000));
            let waiting: usize = sim.live().map(|(_, node)| node.waiting()).sum();
            if waiting == 0 { Ok(()) } else { Err(format!("{waiting} are still repeated")) }
        });
        outcome.unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn each_rule_is_needed_over_the_same_networks() {
    for (rule, property) in [(Rule::Repetition, "reliable delivery"), (Rule::Once, TWICE), (Rule::Order, ORDER)] {
        let mut sim = Builder::<Reliable<Talk>>::new(3, 2, config(Some(rule)).stack()).network(lossy()).build();
        chatter(&mut sim, 2, 60);
        // Without retransmission a gap remains, and nothing after it is delivered.
        let verdict = until_all_is_heard(&mut sim, 60).expect_err("a rule is missing");
        assert!(verdict.contains(property), "{rule:?}: {verdict}");
    }
}

#[test]
fn a_sender_that_repeats_a_bounded_number_of_times_gives_up() {
    let told = Config { repetitions_max: Some(2), ..config(None) };
    let mut sim = Builder::<Stubborn<Talk>>::new(1, 2, told).latency(Latency::Constant(ms(1))).build();
    sim.apply_fault(&"partition 1->2".parse().expect("a fault"));
    sim.command(ONE, say("a", 2));
    let _ = sim.run_for(ms(1_000));
    let statistics = sim.statistics();
    assert_eq!((statistics.kinds.of("Word"), statistics.notes.of("gave up")), (3, 1));
}

/// The table of the chapter, row by row: what each layer guarantees, and what it still allows.
#[test]
fn every_schedule_layer_by_layer() {
    let any = Links::duplicating().lossy();
    let twice = Links::unordered().doubles(1);
    let losing = Links::unordered().losses(2).queue_max(2);
    let wrong = |broken: Option<(String, usize)>| broken.map(|(name, _)| name);

    // Fair loss: only no creation.
    let (ended, _, broken) = every_schedule::<Talk>((), any, 2, &[INVENTED], false);
    assert_eq!((ended, broken), (Ended::Exhausted, None));
    let broken = every_schedule::<Talk>((), losing, 2, &[], true).2;
    assert_eq!(wrong(broken).as_deref(), Some("reliable delivery"));

    // Stubborn: every word is delivered, possibly twice.
    let (ended, _, broken) = every_schedule::<Stubborn<Talk>>(config(None), losing, 2, &[INVENTED], true);
    assert_eq!((ended, broken), (Ended::Exhausted, None));
    let broken = every_schedule::<Stubborn<Talk>>(config(None), twice, 2, &[TWICE], false).2;
    assert_eq!(wrong(broken).as_deref(), Some(TWICE));

    // Perfect: every word once, in any order.
    type OverPerfect = Stubborn<Perfect<Talk>>;
    let told = config(None).over(config(None));
    let (ended, _, broken) = every_schedule::<OverPerfect>(told, losing, 2, &[INVENTED, TWICE], true);
    assert_eq!((ended, broken), (Ended::Exhausted, None));
    let (ended, _, broken) = every_schedule::<OverPerfect>(told, any, 2, &[INVENTED, TWICE], false);
    assert_eq!((ended, broken), (Ended::Exhausted, None));
    assert_eq!(wrong(every_schedule::<OverPerfect>(told, any, 2, &[ORDER], false).2).as_deref(), Some(ORDER));

    // FIFO: every guarantee.
    let all = [INVENTED, TWICE, ORDER];
    let (ended, _, broken) = every_schedule::<Reliable<Talk>>(config(None).stack(), losing, 2, &all, true);
    assert_eq!((ended, broken), (Ended::Exhausted, None));
    let (ended, _, broken) = every_schedule::<Reliable<Talk>>(config(None).stack(), any, 3, &all, false);
    assert_eq!((ended, broken), (Ended::Exhausted, None));
}

/// A hostile peer can make a layer buffer only a bounded number of messages.
#[test]
fn numbers_far_ahead_are_ignored() {
    use volvox_channel::links::{WAITING_MAX, fifo, perfect};
    use volvox_channel::talk::Message;
    use volvox_core::{Context, Effect, Environment, Incarnation, Position, Rng};
    let word = || Message { number: 1, text: "a".parse().expect("a line") };
    let mut environment = Environment::new(ONE, Incarnation(1), Position::NONE, &Rng::new(1));
    let mut fifo = Fifo::<Talk>::new(ONE, &[ONE, TWO], &config(None));
    let mut effects = Vec::new();
    for number in [0, WAITING_MAX + 1, u64::MAX] {
        let placed = fifo::Message { number, message: word() };
        fifo.on_message(TWO, placed, &mut Context::new(&mut environment, &mut effects));
    }
    assert!(effects.iter().all(|effect| matches!(effect, Effect::Note(_))), "{effects:?}");
    let mut perfect = Perfect::<Talk>::new(ONE, &[ONE, TWO], &config(None));
    let mut effects = Vec::new();
    for (from, number) in [(TWO, 0), (TWO, WAITING_MAX + 1), (TWO, u64::MAX), (NodeId(9), 1)] {
        let numbered = perfect::Message { number, message: word() };
        perfect.on_message(from, numbered, &mut Context::new(&mut environment, &mut effects));
    }
    assert!(effects.iter().all(|effect| matches!(effect, Effect::Note(_))), "{effects:?}");
}
