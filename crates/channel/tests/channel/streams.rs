use super::*;

#[test]
fn a_clean_link_costs_one_meeting_and_one_acknowledgement_a_message() {
    let mut sim = world(1, 2).build();
    say(&mut sim, 0..10);
    assert_eq!(heard(&mut sim, ms(5_000)), (0..10).collect::<Vec<_>>());
    let kinds = &sim.statistics().kinds;
    assert_eq!((kinds.of("Hello"), kinds.of("Welcome"), kinds.of("Word"), kinds.of("Ack")), (1, 1, 10, 10));
}

#[test]
fn the_window_bounds_what_is_under_way_and_the_queue_what_waits() {
    let limits = Limits { window: 4, queue_max: 10, ..Limits::default() };
    let mut sim =
        Builder::<Channel<Talker>>::new(1, 2, Config { child: (), limits }).latency(Latency::Constant(ms(1))).build();
    say(&mut sim, 0..1);
    assert_eq!(heard(&mut sim, ms(100)), [0]);
    fault(&mut sim, "partition 1->2");
    say(&mut sim, 1..20);
    assert_eq!(heard(&mut sim, ms(10)), []);
    assert_eq!(sim.statistics().kinds.of("Word"), 1 + 4);
    assert_eq!(sim.node(ONE).expect("up").waiting_for(TWO), 10);
    assert_eq!(sim.statistics().notes.of("queue full: newest dropped"), 9);
    sim.heal();
    assert_eq!(heard(&mut sim, ms(5_000)), (1..11).collect::<Vec<_>>());
    assert_eq!(sim.node(ONE).expect("up").waiting_for(TWO), 0);
}

#[test]
fn repetition_slows_down_and_recovers() {
    let mut sim = world(1, 2).build();
    say(&mut sim, 0..1);
    assert_eq!(heard(&mut sim, ms(100)), [0]);
    fault(&mut sim, "partition 1|2");
    say(&mut sim, 1..2);
    assert_eq!(heard(&mut sim, ms(20_000)), []);
    // 50 ms doubling to 2 s, plus up to a quarter: between 9 and 15 repetitions in 20 s.
    let sent = sim.statistics().kinds.of("Word");
    assert!((9..=16).contains(&sent), "{sent}");
    sim.heal();
    assert_eq!(heard(&mut sim, ms(2_600)), [1]);
    say(&mut sim, 2..3);
    assert_eq!(heard(&mut sim, ms(5)), [2]);
}

#[test]
fn a_receiver_that_starts_anew_gets_what_its_old_life_was_not_sent() {
    let mut sim = world(1, 2).build();
    say(&mut sim, 0..3);
    assert_eq!(heard(&mut sim, ms(100)), [0, 1, 2]);
    fault(&mut sim, "crash 2");
    say(&mut sim, 3..5);
    assert_eq!(heard(&mut sim, ms(100)), []);
    fault(&mut sim, "start 2");
    // 3 and 4 were sent to the old session, which may or may not have delivered them.
    assert_eq!(heard(&mut sim, ms(3_000)), []);
    say(&mut sim, 5..8);
    assert_eq!(heard(&mut sim, ms(3_000)), [5, 6, 7]);
    assert_eq!(sim.statistics().notes.of("peer begins a new life"), 1);
}

#[test]
fn a_sender_that_starts_anew_begins_a_new_stream() {
    let mut sim = world(1, 2).build();
    say(&mut sim, 0..3);
    assert_eq!(heard(&mut sim, ms(100)), [0, 1, 2]);
    fault(&mut sim, "crash 1");
    fault(&mut sim, "start 1");
    say(&mut sim, 10..13);
    assert_eq!(heard(&mut sim, ms(3_000)), [10, 11, 12]);
}

#[test]
fn a_clock_that_went_back_between_two_lives_is_found_out() {
    let mut sim = world(1, 2).build();
    say(&mut sim, 0..3);
    assert_eq!(heard(&mut sim, ms(100)), [0, 1, 2]);
    fault(&mut sim, "crash 1");
    fault(&mut sim, "skew 1 -5000ms");
    fault(&mut sim, "start 1");
    say(&mut sim, 10..13);
    assert_eq!(heard(&mut sim, ms(3_000)), [10, 11, 12]);
    assert_eq!(sim.statistics().notes.of("clock went back between two lives"), 1);
}

#[test]
fn a_message_waits_for_its_records_also_when_it_is_repeated() {
    let sync = Latency::Constant(ms(500));
    let mut sim = world(1, 2).sync(sync).build();
    say(&mut sim, 0..2);
    // The child persists when it starts; its messages wait for that, the handshake of the channels does not.
    assert_eq!(heard(&mut sim, ms(499)), []);
    assert_eq!(sim.statistics().kinds.of("Welcome"), 1);
    assert_eq!(heard(&mut sim, ms(10)), [0, 1]);
}

#[test]
fn it_is_found_out_too_when_only_the_others_speak() {
    let mut sim = world(1, 2).build();
    sim.command(TWO, Talk { to: ONE, number: 9 });
    say(&mut sim, 0..1);
    assert_eq!(heard(&mut sim, ms(100)), [0]);
    fault(&mut sim, "crash 2");
    fault(&mut sim, "skew 2 -5000ms");
    fault(&mut sim, "start 2");
    say(&mut sim, 1..2);
    assert_eq!(heard(&mut sim, ms(100)), []);
    say(&mut sim, 2..3);
    assert_eq!(heard(&mut sim, ms(100)), [2]);
}
