//! The coordinator.

use volvox_core::NodeId;
use volvox_core::fault::LinkFault;
use volvox_mutex::centralised::{Centralised, Config, Message, Place, Rule, Timer, properties};
use volvox_mutex::section::{Command, History};
use volvox_sim::bench::{Bench, check_codec, judge, ms};
use volvox_sim::{Builder, FaultPlan, FaultWeights, Network, run_seed};

const REQUEST: Message = Message::Request { number: 1 };

fn bench(id: u64, without: Option<Rule>) -> Bench<Centralised> {
    Bench::new(id, 4, &Config { without, ..Config::default() })
}

#[test]
fn grants_when_free_and_queues_in_the_order_of_arrival() {
    let mut n1 = bench(1, None);
    assert_eq!(n1.message(3, REQUEST), ["-> n3 Granted"]);
    assert_eq!(n1.message(4, REQUEST), ["-> n4 Queued 1 1", "timer Repeat in 50ms"]);
    assert_eq!(n1.message(2, REQUEST), ["-> n2 Queued 1 2"]);
    assert_eq!(n1.message(2, REQUEST), ["note ignored: it waits already 2"]);
    assert_eq!(n1.message(2, Message::Release), ["note ignored: a release of what it does not hold 2"]);
    assert_eq!(n1.message(3, Message::Release), ["-> n4 Granted"]);
    assert_eq!(n1.timer(Timer::Repeat), ["-> n2 Queued 1 1", "timer Repeat in 50ms"]);
    assert_eq!(n1.message(4, Message::Release), ["-> n2 Granted"]);
    assert!(n1.timer(Timer::Repeat).is_empty(), "no node waits");
}

/// The correction: silence means something.
#[test]
fn who_waits_hears_so_and_knows_a_dead_coordinator_from_a_busy_one() {
    let mut n2 = bench(2, None);
    assert_eq!(n2.command(Command::Enter), ["event asked", "-> n1 Request 1", "timer Silence in 200ms"]);
    let queued = |number, ahead| Message::Queued { number, ahead };
    assert_eq!(n2.message(1, queued(1, 2)), ["event queued 2", "timer Silence in 200ms"]);
    assert_eq!(n2.message(1, queued(1, 2)), ["timer Silence in 200ms"], "no news, and a sign of life");
    assert_eq!(n2.message(1, queued(1, 1)), ["event queued 1", "timer Silence in 200ms"]);
    assert_eq!(n2.timer(Timer::Silence), ["note the coordinator is silent 1"]);
    assert!(n2.process.suspects_coordinator());
    assert_eq!(n2.process.place(), Place::Waiting, "no other node may grant in its place");
    assert_eq!(n2.message(1, Message::Granted), ["cancel Silence", "event entered", "timer Leave in 10ms"]);
    assert!(!n2.process.suspects_coordinator());
    assert_eq!(n2.timer(Timer::Leave), ["event left", "-> n1 Release"]);
    let _ = n2.command(Command::Enter);
    assert_eq!(n2.message(1, queued(1, 0)), ["note ignored: of a request that is over 1"], "it was overtaken");
}

#[test]
fn the_coordinator_enters_without_a_message() {
    let mut n1 = bench(1, None);
    assert_eq!(n1.command(Command::Enter), ["event asked", "cancel Silence", "event entered", "timer Leave in 10ms"]);
    let _ = n1.message(2, REQUEST);
    assert_eq!(n1.timer(Timer::Leave), ["event left", "-> n2 Granted"]);
}

#[test]
fn each_rule_can_be_taken_out_and_others_are_ignored() {
    let mut free = bench(1, Some(Rule::Queue));
    assert_eq!(free.message(2, REQUEST), ["-> n2 Granted"]);
    assert_eq!(free.message(3, REQUEST), ["-> n3 Granted"]);
    let mut last = bench(1, Some(Rule::FirstCome));
    for node in [2, 3, 4] {
        let _ = last.message(node, REQUEST);
    }
    assert_eq!(last.message(2, Message::Release), ["-> n4 Granted"]);
    let mut mute = bench(2, Some(Rule::Release));
    let _ = (mute.command(Command::Enter), mute.message(1, Message::Granted));
    assert_eq!(mute.timer(Timer::Leave), ["event left", "note leaves without a word"]);
    let mut n2 = bench(2, None);
    assert_eq!(n2.message(3, Message::Granted), ["note ignored: not for this node, or not from the coordinator 3"]);
    assert_eq!(n2.message(1, Message::Granted), ["note ignored: an unexpected grant 1"]);
}

#[test]
fn messages_come_back() {
    let queued = Message::Queued { number: 3, ahead: u64::MAX };
    check_codec(&[REQUEST, queued, Message::Granted, Message::Release]);
}

#[test]
fn one_at_a_time_in_order_and_everybody_in_the_end() {
    let weights = FaultWeights { slow: 4, pause: 3, skew: 1, drift: 1, ..FaultWeights::NONE };
    let link = LinkFault { delay: ms(100), reorder_ppm: 300_000, ..LinkFault::default() };
    let plan = FaultPlan { weights, link, from: ms(0), until: ms(3_000), ..FaultPlan::default() };
    for seed in 0..30 {
        let outcome = run_seed("cargo test -p volvox-mutex centralised", seed, 80, |seed, ring| {
            let mut sim = Builder::<Centralised>::new(seed, 5, Config::default())
                .network(Network { ordered: false, ..Network::default() })
                .faults(plan.clone())
                .trace(ring)
                .build();
            let mut rng = sim.rng(0);
            for _ in 0..60 {
                sim.command_after(ms(rng.below(2_000)), NodeId(rng.between(1, 5)), Command::Enter);
            }
            judge(&mut sim, &mut History::default(), &properties(), ms(120_000))
        });
        outcome.unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/centralised");
    volvox_sim::script::check_folder::<Centralised>(folder, |_, _| Config::default());
}
