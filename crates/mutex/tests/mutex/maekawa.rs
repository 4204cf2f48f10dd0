//! Maekawa 1985 and Sanders 1987, message by message, and under the faults that the algorithm tolerates.

use volvox_channel::{Channel, Limits};
use volvox_core::fault::LinkFault;
use volvox_core::{NodeId, Process};
use volvox_mutex::maekawa::{Command, Config, Event, History, Maekawa, Message, Rule, Timer, properties};
use volvox_sim::bench::{Bench, check_codec, judge, ms};
use volvox_sim::{Builder, FaultPlan, FaultWeights, run_seed};

fn request(sequence_number: u64) -> Message {
    Message::Request { sequence_number }
}

/// Of three: the voting sets are {n1, n2}, {n2, n3} and {n3, n1}.
fn bench(id: u64, without: Option<Rule>) -> Bench<Maekawa> {
    Bench::new(id, 3, &Config { without, ..Config::default() })
}

#[test]
fn enters_with_the_vote_of_every_member_of_its_set() {
    let mut n1 = bench(1, None);
    assert_eq!(n1.command(Command::Enter), ["event asked", "-> n2 Request 1"]);
    assert_eq!((n1.process.votes(), n1.process.locked_for()), (Some(1), Some(NodeId(1))), "its own vote");
    assert_eq!(n1.message(2, Message::Locked), ["event entered", "timer Leave in 10ms"]);
    assert!(n1.message(3, request(1)).contains(&"-> n3 Failed".to_string()));
    assert_eq!(n1.timer(Timer::Leave), ["event left", "-> n3 Locked", "-> n2 Release"]);
}

/// An earlier request makes the arbiter ask for its vote; a holder that failed elsewhere gives it back.
#[test]
fn a_vote_goes_back_for_an_earlier_request() {
    let mut n3 = bench(3, None);
    assert_eq!(n3.command(Command::Enter), ["event asked", "-> n1 Request 1"]);
    assert!(n3.message(2, request(1)).is_empty(), "n3 inquires of itself, and may still succeed");
    assert_eq!(n3.message(1, Message::Failed), ["-> n2 Locked"]);
    assert!(n3.message(1, Message::Locked).is_empty(), "its own vote is n2's");
    assert_eq!(n3.message(2, Message::Release), ["event entered", "timer Leave in 10ms"]);
}

#[test]
fn a_holder_that_may_succeed_keeps_its_vote() {
    for (without, answer) in [(None, &[][..]), (Some(Rule::Keep), &["-> n2 Relinquish"][..])] {
        let mut n1 = bench(1, without);
        let _ = n1.command(Command::Enter);
        let _ = n1.message(2, Message::Locked);
        assert_eq!(n1.message(2, Message::Inquire), answer, "without {without:?}");
    }
}

#[test]
fn what_no_node_of_the_algorithm_sends_is_ignored() {
    let mut n1 = bench(1, None);
    assert_eq!(n1.message(9, request(1)), ["note ignored: not from a member 9"]);
    let absurd = n1.message(2, request(u64::MAX));
    assert_eq!(absurd, [format!("note ignored: sequence number out of range {}", u64::MAX)]);
    assert_eq!(n1.message(3, request(1)), ["-> n3 Locked"]);
    assert_eq!(n1.message(2, request(1)), ["-> n3 Inquire"]);
    assert_eq!(n1.message(2, request(2)), ["note ignored: it waits already 2"]);
    assert_eq!(n1.message(2, Message::Release), ["note ignored: it does not have the vote 2"]);
    assert_eq!(n1.message(2, Message::Relinquish), ["note ignored: it does not have the vote 2"]);
    for message in [Message::Locked, Message::Failed] {
        assert_eq!(n1.message(2, message), ["note ignored: its vote is not missing 2"]);
    }
    assert_eq!(n1.message(2, Message::Inquire), ["note ignored: it has its vote back already 2"]);
    for _ in 0..1_025 {
        let _ = n1.command(Command::Enter);
    }
    assert_eq!(n1.command(Command::Enter), ["note refused: too many entries wait 1024"]);
}

#[test]
fn messages_come_back() {
    let plain = [Message::Locked, Message::Failed, Message::Inquire, Message::Relinquish, Message::Release];
    check_codec(&[&[request(0), request(u64::MAX)], &plain[..]].concat());
}

const NODES: u64 = 7;

/// Asks 60 times at random, under the faults of `builder`; then every node must have entered.
fn torment<P: Process<Event = Event, Command = Command> + 'static>(seed: u64, builder: impl Fn(u64) -> Builder<P>) {
    let outcome = run_seed("cargo test -p volvox-mutex maekawa", seed, 80, |seed, ring| {
        let mut sim = builder(seed).trace(ring).build();
        let mut rng = sim.rng(0);
        for _ in 0..60 {
            sim.command_after(ms(rng.below(2_000)), NodeId(rng.between(1, NODES)), Command::Enter);
        }
        judge(&mut sim, &mut History::default(), &properties(), ms(120_000))
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn one_at_a_time_and_everybody_in_the_end() {
    let weights = FaultWeights { slow: 4, pause: 3, skew: 1, drift: 1, ..FaultWeights::NONE };
    let link = LinkFault { delay: ms(100), ..LinkFault::default() };
    let plan = FaultPlan { weights, link, from: ms(0), until: ms(3_000), ..FaultPlan::default() };
    for seed in 0..60 {
        torment(seed, |seed| Builder::<Maekawa>::new(seed, NODES, Config::default()).faults(plan.clone()));
    }
}

/// Over the channel, links may break as well.
#[test]
fn over_a_channel_it_tolerates_partitions_and_loss() {
    let weights = FaultWeights { pause: 2, ..FaultWeights::NETWORK };
    let plan = FaultPlan { weights, from: ms(0), until: ms(3_000), ..FaultPlan::default() };
    let config = volvox_channel::Config { child: Config::default(), limits: Limits::default() };
    for seed in 0..30 {
        torment(seed, |seed| Builder::<Channel<Maekawa>>::new(seed, NODES, config.clone()).faults(plan.clone()));
    }
}

#[test]
fn scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/maekawa");
    volvox_sim::script::check_folder::<Maekawa>(folder, |_, _| Config::default());
}
