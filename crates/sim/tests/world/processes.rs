use super::*;
use volvox_core::{Incarnation, Position, Wall};

#[test]
fn after_a_pause_what_waits_is_handled_before_timers_that_are_due() {
    let mut sim = plain(1, 2).build();
    run(&mut sim, 1);
    sim.command(TWO, Do::Set(2, ms(20)));
    sim.command(TWO, Do::Set(1, ms(10)));
    sim.command(TWO, Do::Set(3, ms(500)));
    run(&mut sim, 1);
    fault(&mut sim, "pause 2");
    sim.command_after(ms(50), ONE, Do::Send(TWO, 7));
    sim.command_after(ms(60), ONE, Do::Send(TWO, 8));
    run(&mut sim, 100);
    assert_eq!(saw(&mut sim, TWO), []);
    fault(&mut sim, "resume 2");
    run(&mut sim, 0);
    let at = Instant(101_000_000 + 1_000_000);
    let wanted = [Saw::Got(ONE, 7), Saw::Got(ONE, 8), Saw::Fired(1, at), Saw::Fired(2, at)];
    assert_eq!(saw(&mut sim, TWO), wanted);
    run(&mut sim, 1_000);
    assert_eq!(saw(&mut sim, TWO), [Saw::Fired(3, Instant(501_000_000))]);
}

#[test]
fn a_pause_holds_back_the_news_from_the_disk_but_not_the_disk() {
    let mut sim = plain(1, 1).build();
    run(&mut sim, 1);
    sim.command(ONE, Do::Store(5));
    run(&mut sim, 0);
    fault(&mut sim, "pause 1");
    run(&mut sim, 50);
    assert_eq!(saw(&mut sim, ONE), []);
    fault(&mut sim, "resume 1");
    run(&mut sim, 0);
    assert_eq!(saw(&mut sim, ONE), [Saw::Stored(5), Saw::Durable(Position(1))]);
    sim.command(ONE, Do::Store(6));
    run(&mut sim, 0);
    fault(&mut sim, "pause 1");
    run(&mut sim, 50);
    fault(&mut sim, "crash 1");
    fault(&mut sim, "start 1");
    run(&mut sim, 1);
    assert_eq!(sim.node(ONE).expect("up").numbers, [5, 6]);
}

#[test]
fn a_crash_forgets_timers_and_commands_find_nobody() {
    let mut sim = plain(1, 1).build();
    run(&mut sim, 1);
    sim.command(ONE, Do::Set(1, ms(10)));
    run(&mut sim, 1);
    fault(&mut sim, "crash 1");
    sim.command(ONE, Do::TellNow(1));
    run(&mut sim, 1);
    fault(&mut sim, "start 1");
    run(&mut sim, 100);
    assert_eq!(saw(&mut sim, ONE), []);
    assert_eq!(sim.incarnation(ONE), Some(Incarnation(1)));
}

#[test]
fn a_node_without_its_disk_is_somebody_else() {
    let mut sim = plain(1, 1).build();
    run(&mut sim, 1);
    sim.command(ONE, Do::Store(5));
    run(&mut sim, 10);
    fault(&mut sim, "crash 1 without disk");
    assert!(sim.node(ONE).is_none());
    fault(&mut sim, "start 1");
    run(&mut sim, 10);
    assert_eq!(sim.node(ONE).expect("up").numbers, []);
    assert_eq!(sim.incarnation(ONE), Some(Incarnation(2)));
    assert!(sim.happened().any(|happened| happened.what == Happening::Started(Incarnation(2))));
}

#[test]
fn starts_are_counted_in_each_incarnation() {
    let mut sim = plain(1, 2).build();
    run(&mut sim, 1);
    let boots = |sim: &Simulation<Probe>| sim.ids().map(|id| sim.node(id).expect("up").boot.0).collect::<Vec<_>>();
    assert_eq!(boots(&sim), [1, 1]);
    for _ in 0..2 {
        fault(&mut sim, "crash 1");
        fault(&mut sim, "start 1");
        run(&mut sim, 10);
    }
    assert_eq!(boots(&sim), [3, 1]);
    fault(&mut sim, "crash 1 without disk");
    fault(&mut sim, "start 1");
    run(&mut sim, 10);
    assert_eq!((boots(&sim), sim.incarnation(ONE)), (vec![1, 1], Some(Incarnation(2))));
}

#[test]
fn crash_leader_asks_who_leads() {
    let mut sim = plain(1, 3).leader(|probe| probe.numbers == [9]).build();
    run(&mut sim, 1);
    fault(&mut sim, "crash leader");
    assert_eq!(sim.live().count(), 3, "no node leads");
    sim.command(TWO, Do::Store(9));
    run(&mut sim, 10);
    fault(&mut sim, "crash leader");
    assert_eq!(sim.live().map(|(id, _)| id).collect::<Vec<_>>(), [ONE, THREE]);
    sim.revive();
    assert_eq!(sim.live().count(), 3);
}

#[test]
fn nodes_can_be_added_and_named_freely() {
    let mut sim = plain(1, 0).ids([NodeId(30), NodeId(7)]).build();
    sim.add_node(NodeId(12), &[NodeId(7), NodeId(12), NodeId(30)], ());
    run(&mut sim, 1);
    assert!(sim.node(NodeId(12)).is_none());
    fault(&mut sim, "start 12");
    sim.command(NodeId(30), Do::Send(NodeId(12), 1));
    sim.command(NodeId(12), Do::Send(NodeId(7), 2));
    sim.command(NodeId(12), Do::Send(NodeId(99), 3));
    run(&mut sim, 10);
    assert_eq!(sim.statistics().delivered, 2);
    assert_eq!(sim.statistics().dropped_unknown, 1);
    sim.happened().for_each(drop);
    sim.command(NodeId(12), Do::ReadClocks);
    sim.command(NodeId(30), Do::ReadClocks);
    run(&mut sim, 0);
    let walls: Vec<Wall> = sim
        .happened()
        .filter_map(|happened| match happened.what {
            Happening::Event(Saw::Clocks(_, wall)) => Some(wall),
            _ => None,
        })
        .collect();
    assert_eq!(walls[0], walls[1], "both walls are true");
}

#[test]
fn an_invariant_that_breaks_stops_the_run_and_says_who_broke_it() {
    let mut sim = plain(1, 2)
        .invariant("few numbers", |sim, id| match sim.node(id) {
            Some(probe) if probe.numbers.len() > 1 => Err(format!("{} numbers", probe.numbers.len())),
            _ => Ok(()),
        })
        .build();
    for number in 0..5 {
        sim.command_after(ms(number * 10), TWO, Do::Store(number));
    }
    assert_eq!(sim.run_for(ms(1_000)), Stop::Violated);
    let violation = sim.violation().expect("violated").to_string();
    assert_eq!(violation, "10.000ms n2: few numbers does not hold: 2 numbers");
    assert_eq!(sim.run_for(ms(1_000)), Stop::Violated, "and stays so");
}

#[test]
fn alarms_and_limits_stop_a_run() {
    let mut sim = plain(1, 1).steps_max(3).build();
    sim.alarm(ms(7), 42);
    let stop = sim.run_until(ms(100), |sim| sim.happened().any(|happened| happened.what == Happening::Alarm(42)));
    assert_eq!((stop, sim.now()), (Stop::Done, Instant(7_000_000)));
    for _ in 0..10 {
        sim.command(ONE, Do::TellNow(1));
    }
    assert_eq!(sim.run_for(ms(1)), Stop::StepsMax);
    assert_eq!(sim.statistics().steps, 3);
    let mut sim = plain(1, 1).build();
    assert_eq!(sim.run_until(ms(1), |_| false), Stop::Idle);
    assert_eq!((sim.run_for(ms(1)), sim.now()), (Stop::Deadline, Instant(1_000_000)));
}

#[test]
fn a_configuration_can_depend_on_the_life() {
    use std::sync::Mutex;
    static LIVES: Mutex<Vec<(NodeId, Incarnation)>> = Mutex::new(Vec::new());
    let mut sim = plain(1, 2).config_by_life(|(), id, life| LIVES.lock().expect("sound").push((id, life))).build();
    run(&mut sim, 1);
    fault(&mut sim, "crash 2");
    fault(&mut sim, "start 2");
    fault(&mut sim, "crash 2 without disk");
    fault(&mut sim, "start 2");
    let (first, second) = (Incarnation(1), Incarnation(2));
    assert_eq!(*LIVES.lock().expect("sound"), [(ONE, first), (TWO, first), (TWO, first), (TWO, second)]);
}

#[test]
fn after_a_revival_nothing_more_is_drawn() {
    let plan = volvox_sim::FaultPlan { every: Latency::Constant(ms(10)), ..volvox_sim::FaultPlan::default() };
    let mut sim = plain(1, 5).faults(plan).build();
    run(&mut sim, 2_000);
    let drawn = sim.applied_faults().len();
    assert!(drawn > 50);
    sim.revive();
    run(&mut sim, 10_000);
    assert_eq!(sim.applied_faults().len(), drawn);
    assert!(sim.ids().all(|id| sim.is_running(id)));
}
