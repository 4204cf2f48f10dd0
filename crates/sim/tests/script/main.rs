//! The world driven by hand: what scripts do, and what its actions promise.

mod poll;

use poll::{Do, Message, Poll, Timer, Told};
use std::path::Path;
use volvox_core::{Duration, Instant, NodeId, Position};
use volvox_sim::script::{
    Action, Clockwork, Impossible, Keeps, Order, What, Which, WhichTimer, World, check_folder, read_action, run,
};

const ONE: NodeId = NodeId(1);
const TWO: NodeId = NodeId(2);
const THREE: NodeId = NodeId(3);

#[test]
fn scripts_print_what_they_printed() {
    check_folder::<Poll>(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/script/scripts"), |_, _| ());
}

fn world() -> World<Poll> {
    started(World::new(3, |_, _| ()).traced())
}

fn started(mut world: World<Poll>) -> World<Poll> {
    for node in [ONE, TWO, THREE] {
        act(&mut world, What::Start { node });
    }
    world
}

fn act(world: &mut World<Poll>, what: What<Poll>) {
    world.act(&Action::now(what)).expect("it is possible");
}

fn deliver(from: NodeId, to: NodeId) -> What<Poll> {
    What::Deliver { from, to, which: Which::Oldest }
}

#[test]
fn nothing_happens_by_itself_and_what_cannot_happen_changes_nothing() {
    let mut world = world();
    act(&mut world, What::Command { node: ONE, command: Do::Poll });
    assert_eq!(world.under_way().map(|(_, _, queue)| queue.len()).sum::<usize>(), 2);
    world.take_lines();
    for (what, why) in [
        (deliver(TWO, ONE), Impossible::NoMessage(TWO, ONE)),
        (What::Start { node: ONE }, Impossible::Up(ONE)),
        (What::Sync { node: ONE, through: None }, Impossible::Synced(ONE)),
        (What::Fire { node: TWO, timer: WhichTimer::Exactly(Timer::Again) }, Impossible::NoTimer(TWO)),
        (What::Command { node: NodeId(9), command: Do::Poll }, Impossible::NoNode(NodeId(9))),
        (What::Drop { from: ONE, to: TWO, which: Which::Place(1) }, Impossible::NoMessage(ONE, TWO)),
    ] {
        let action = Action { at: Instant(1_000), what, choices: vec![1] };
        assert_eq!(world.act(&action), Err(why));
    }
    assert_eq!((world.now(), world.take_lines()), (Instant::ZERO, Vec::new()));
}

#[test]
fn a_yes_waits_for_the_disk_and_a_crash_before_it_forgets() {
    let mut world = world();
    act(&mut world, What::Command { node: ONE, command: Do::Poll });
    act(&mut world, deliver(ONE, TWO));
    assert!(world.has_unsynced(TWO));
    assert_eq!(world.act(&Action::now(deliver(TWO, ONE))), Err(Impossible::NoMessage(TWO, ONE)));
    act(&mut world, What::Crash { node: TWO, keeps: Keeps::Durable });
    act(&mut world, What::Start { node: TWO });
    assert_eq!(world.node(TWO).expect("it is up").said_yes_to, None);

    act(&mut world, What::Fire { node: ONE, timer: WhichTimer::Earliest });
    act(&mut world, deliver(ONE, TWO));
    act(&mut world, What::Crash { node: TWO, keeps: Keeps::Through(Position(1)) });
    act(&mut world, What::Start { node: TWO });
    assert_eq!(world.node(TWO).expect("it is up").said_yes_to, Some(ONE), "the write had reached the disk");
    act(&mut world, What::Crash { node: TWO, keeps: Keeps::Nothing });
    act(&mut world, What::Start { node: TWO });
    assert_eq!(world.node(TWO).expect("it is up").said_yes_to, None, "the disk is gone");
}

#[test]
fn a_crash_takes_what_is_under_way_to_it_unless_links_survive() {
    for survive in [false, true] {
        let mut world = World::new(3, |_, _| ());
        if survive {
            world = world.links_survive();
        }
        let mut world = started(world);
        act(&mut world, What::Command { node: ONE, command: Do::Poll });
        act(&mut world, What::Command { node: TWO, command: Do::Poll });
        act(&mut world, What::Crash { node: TWO, keeps: Keeps::Durable });
        let left: Vec<_> = world.under_way().map(|(from, to, _)| (from, to)).collect();
        let to_the_dead = survive.then_some((ONE, TWO));
        let expected: Vec<_> = to_the_dead.into_iter().chain([(ONE, THREE), (TWO, ONE), (TWO, THREE)]).collect();
        assert_eq!(left, expected);
    }
}

#[test]
fn timers_fire_in_their_moment_or_later_and_clocks_may_be_wrong() {
    let mut world = world();
    act(&mut world, What::Clock { node: ONE, jump: 0, drift_ppm: Some(250_000) });
    act(&mut world, What::Command { node: ONE, command: Do::Poll });
    let due = world.timers();
    assert_eq!(due[0], (Instant(8_000_000), ONE, Timer::Again), "10 ms on a clock that runs fast by a quarter");
    act(&mut world, What::Fire { node: ONE, timer: WhichTimer::Exactly(Timer::Again) });
    assert_eq!(world.now(), Instant(8_000_000));
    let late = Action {
        at: Instant(90_000_000),
        what: What::Fire { node: ONE, timer: WhichTimer::Earliest },
        choices: Vec::new(),
    };
    world.act(&late).expect("a timer may fire late");
    assert_eq!(world.now(), Instant(90_000_000));

    let mut stopped = started(World::new(3, |_, _| ()).clockwork(Clockwork::Stopped));
    act(&mut stopped, What::Command { node: ONE, command: Do::Poll });
    act(&mut stopped, What::Fire { node: ONE, timer: WhichTimer::Exactly(Timer::GiveUp) });
    assert_eq!(stopped.now(), Instant::ZERO, "no time passes where no process may ask for it");
}

#[test]
fn choices_are_answered_by_the_action_then_as_told_then_by_zero() {
    let mut world = world();
    let draw = |choices: &[u32]| Action {
        at: Instant::ZERO,
        what: What::Command { node: ONE, command: Do::Draw },
        choices: choices.to_vec(),
    };
    let told = |world: &mut World<Poll>| world.take_told().into_iter().map(|(_, told)| told).collect::<Vec<_>>();
    world.act(&draw(&[4])).expect("possible");
    assert_eq!(told(&mut world), [Told::Drew(4), Told::Drew(0)]);
    world.choose(ONE, [3, 99, 2]).expect("a node");
    act(&mut world, What::Command { node: ONE, command: Do::Poll });
    world.act(&draw(&[])).expect("possible");
    assert_eq!(told(&mut world), [Told::Drew(3), Told::Drew(5)], "what does not fit is the largest");
    world.act(&draw(&[1])).expect("possible");
    assert_eq!(told(&mut world), [Told::Drew(1), Told::Drew(2)]);
}

#[test]
fn actions_are_read_as_they_are_printed() {
    let mut world = world();
    act(&mut world, What::Command { node: ONE, command: Do::Poll });
    for line in [
        "start n2",
        "command n1 read clocks",
        "at 12ms deliver n1->n2",
        "deliver n1->n2 #2",
        "drop n1->n2 Ask",
        "duplicate n1->n3",
        "at 1500us timer n1 GiveUp",
        "timeout n1",
        "sync n2",
        "sync n2 p3",
        "crash n2",
        "crash n2 keeping p7",
        "crash n2 without disk",
        "clock n1 +200ms",
        "clock n1 -3s 100ppm",
        "clock n1 -7ppm",
        "at 20ms wait",
    ] {
        let action = read_action(&world, line, &|text| text.parse::<Do>().map_err(|error| error.to_string()))
            .unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(action.to_string(), line);
    }
    for (line, expected) in [
        ("explode n1", "expected cluster"),
        ("deliver n1-n2", "expected a link such as n1->n2"),
        ("deliver n1->n2 #0", "expected a place"),
        ("timer n2 Again", "n2 has set no such timer"),
        ("command n1 sleep", "expected a command of the protocol: poll, read clocks or draw"),
        ("at noon wait", "expected a time such as 20ms"),
        ("start two", "expected a node such as n1"),
    ] {
        let error = read_action(&world, line, &|text| text.parse::<Do>().map_err(|error| error.to_string()))
            .expect_err(line)
            .to_string();
        assert!(error.starts_with(expected), "{line}: {error}");
    }
}

#[test]
fn a_like_message_will_do() {
    let mut world = world();
    act(&mut world, What::Command { node: ONE, command: Do::Poll });
    act(&mut world, What::Fire { node: ONE, timer: WhichTimer::Earliest });
    assert_eq!(world.place(ONE, TWO, &Which::Equal(Message::Ask)), Some(0));
    assert_eq!(world.place(ONE, TWO, &Which::Equal(Message::Yes)), None);
    assert_eq!(world.place(ONE, TWO, &Which::Place(1)), Some(1));
    assert_eq!(world.now() + Duration::ZERO, Instant(10_000_000));
}

#[test]
fn links_keep_the_order_that_is_asked_for() {
    for (order, left) in [(Order::Free, "Ask,Ask"), (Order::Lossy, ""), (Order::Strict, "Ask,Yes")] {
        let mut world = started(World::new(3, |_, _| ()).order(order));
        act(&mut world, What::Command { node: ONE, command: Do::Poll });
        act(&mut world, What::Command { node: TWO, command: Do::Poll });
        act(&mut world, What::Fire { node: ONE, timer: WhichTimer::Exactly(Timer::Again) });
        act(&mut world, deliver(TWO, ONE));
        act(&mut world, What::Sync { node: ONE, through: None });
        assert_eq!(world.name(ONE, TWO, 1), Which::Place(1));
        assert_eq!(world.name(ONE, TWO, 2), Which::Kind("Yes".to_string()));
        act(&mut world, What::Deliver { from: ONE, to: TWO, which: Which::Kind("Yes".to_string()) });
        let link = world.under_way().filter(|(from, to, _)| (*from, *to) == (ONE, TWO));
        let kinds = link.flat_map(|(_, _, queue)| queue.iter().map(ToString::to_string));
        assert_eq!(kinds.collect::<Vec<_>>().join(","), left, "{order:?}");
    }
}

#[test]
#[should_panic(expected = "line 2: n1 is up")]
fn a_line_that_cannot_be_is_named() {
    run::<Poll>("> cluster 2\n> start n1\n", |_, _| ());
}
