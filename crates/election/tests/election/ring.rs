//! The rules of ELE-02: the list, the second round, dead nodes.

use volvox_core::{NodeId, Position, Process, Restored, When};
use volvox_election::ring::{
    Command, Config, Election, History, Message, RING_MAX, Record, Ring, Round, Timer, properties,
};
use volvox_sim::bench::{Bench, check_codec, judge, ms};
use volvox_sim::{Builder, FaultPlan, FaultWeights, Latency, run_seed};

fn name(initiator: u64, number: u64) -> Election {
    Election { initiator: NodeId(initiator), number }
}

fn list(initiator: u64, names: &[u64]) -> Message {
    Message::Election { election: name(initiator, 1), list: names.iter().copied().map(NodeId).collect() }
}

fn result(initiator: u64, leader: u64, names: &[u64]) -> Message {
    let list = names.iter().copied().map(NodeId).collect();
    Message::Coordinator { election: name(initiator, 1), leader: NodeId(leader), list }
}

fn ack(initiator: u64, round: Round) -> Message {
    Message::Ack { election: name(initiator, 1), round }
}

fn bench(id: u64) -> Bench<Ring> {
    Bench::new(id, 4, &Config::default())
}

#[test]
fn a_list_grows_and_is_acknowledged() {
    let mut n2 = bench(2);
    let told = n2.message(1, list(1, &[1]));
    assert_eq!(told[..2], ["-> n1 Ack 1.1", "-> n3 Election 1.1 [1 2]"]);
    assert_eq!(n2.message(3, ack(1, Round::Election)), ["cancel Ack(1.1, Election)"]);
}

#[test]
fn the_initiator_closes_its_election_once_and_tells() {
    let mut n2 = bench(2);
    let told = n2.message(1, list(2, &[2, 3, 1]));
    assert!(told.contains(&"event elected n3 by 2.1".to_string()), "{told:?}");
    assert!(told.contains(&"-> n3 Coordinator 2.1 n3 [2 3 1]".to_string()), "{told:?}");
    assert_eq!(n2.message(1, list(2, &[2, 4, 1]))[1..], ["note closed already 1"]);
    assert_eq!(n2.message(1, result(2, 3, &[2, 3, 1])), ["-> n1 Ack 2.1", "cancel Round"]);
    assert!(!n2.process.is_electing());
}

#[test]
fn the_dead_are_skipped_until_the_list_is_back() {
    let mut n2 = bench(2);
    assert_eq!(n2.timer(Timer::Ack(name(2, 1), Round::Election))[0], "-> n4 Election 2.1 [2]");
    assert_eq!(n2.timer(Timer::Ack(name(2, 1), Round::Election))[0], "-> n1 Election 2.1 [2]");
    let alone = n2.timer(Timer::Ack(name(2, 1), Round::Election));
    assert_eq!(alone[0], "event elected n2 by 2.1", "{alone:?}");
}

#[test]
fn a_list_without_its_initiator_is_dropped_and_a_result_stops_where_it_is_known() {
    let mut n2 = bench(2);
    assert_eq!(n2.message(1, list(4, &[4, 1, 2])), ["-> n1 Ack 4.1"], "an election of its own is in progress");
    assert_eq!(n2.message(1, result(1, 4, &[1, 4]))[1], "event elected n4 by 1.1");
    assert_eq!(n2.message(1, result(1, 4, &[1, 4]))[1..], ["note learned already 1"]);
    let _ = (n2.message(1, list(2, &[2])), n2.message(1, result(2, 2, &[2])));
    let doubts = n2.message(3, result(3, 1, &[1, 3]));
    assert_eq!(
        doubts.last().map(String::as_str),
        Some("timer Ack(2.2, Election) in 22ms"),
        "n2 is above n1: {doubts:?}"
    );
}

#[test]
fn a_doubt_outlives_the_election_that_is_under_way() {
    let mut n2 = bench(2);
    let _ = n2.message(1, list(2, &[2, 3, 4, 1]));
    let doubted = n2.message(1, result(1, 1, &[1]));
    assert_eq!(doubted[1], "event elected n1 by 1.1", "n1 has not heard of n2, and this comes last");
    let over = n2.message(1, result(2, 4, &[2, 3, 4, 1]));
    assert_eq!(over[..3], ["-> n1 Ack 2.1", "cancel Round", "persist begun 2"]);
}

#[test]
fn numbers_are_used_once() {
    let mut process = Ring::new(NodeId(1), &[NodeId(1), NodeId(2)], &Config::default());
    process.on_restore(Restored::Record { position: Position(1), record: Record { number: 7 } });
    let mut n1 = Bench::start(process, 1);
    assert_eq!(n1.timer(Timer::Round)[1], "persist begun 9", "8 was begun at the start");
}

#[test]
fn liars_are_not_heard() {
    let mut n2 = bench(2);
    for message in [list(9, &[9]), list(1, &[1, 1]), list(1, &[1, 9]), result(1, 4, &[1])] {
        assert_eq!(n2.message(1, message), ["note ignored: from or about an unknown node 1"]);
    }
    assert_eq!(n2.message(9, list(1, &[1])), ["note ignored: from or about an unknown node 9"]);
}

#[test]
fn messages_and_records_come_back() {
    check_codec(&[list(1, &[1, 2]), result(1, 2, &[1, 2]), ack(1, Round::Election), ack(1, Round::Coordinator)]);
    check_codec(&[Record { number: 300 }]);
    let long = Message::Election { election: name(1, 1), list: (0..=RING_MAX as u64).map(NodeId).collect() };
    let bytes = volvox_core::Encode::to_bytes(&long);
    assert!(volvox_core::decode_all::<Message>(&bytes).is_err());
}

/// Nodes crash and restart, even all of them; messages arrive in time; any node suspects any other.
#[test]
fn one_election_has_one_result_and_all_follow_in_the_end() {
    let plan = FaultPlan {
        weights: FaultWeights { crash: 8, crash_all: 1, ..FaultWeights::NONE },
        down_max: Some(4),
        every: Latency::Exponential { minimum: ms(1), mean: ms(100) },
        lasting: Latency::Exponential { minimum: ms(1), mean: ms(150) },
        from: ms(0),
        until: ms(3_000),
        ..FaultPlan::default()
    };
    for seed in 0..40 {
        let outcome = run_seed("cargo test -p volvox-election ring", seed, 80, |seed, ring| {
            let mut sim = Builder::<Ring>::new(seed, 5, Config::default()).faults(plan.clone()).trace(ring).build();
            let mut rng = sim.rng(0);
            for _ in 0..40 {
                sim.command_after(ms(rng.below(3_000)), NodeId(rng.between(1, 5)), Command::Suspect);
            }
            let always: Vec<_> = properties().into_iter().filter(|one| one.when == When::Always).collect();
            let mut history = History::default();
            judge(&mut sim, &mut history, &always, ms(3_500))?;
            sim.revive();
            judge(&mut sim, &mut history, &properties(), ms(5_000))
        });
        outcome.unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/ring");
    volvox_sim::script::check_folder::<Ring>(folder, |_, _| Config::default());
}
