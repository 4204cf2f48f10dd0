//! Reports name unexplored parts: states at the bounds, full queues, limits; and what never happened in the explored
//! part.

use super::shown_as_debugged;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use volvox_check::{Checker, Durability, Ended, Network, Progress, State, System, Universe};
use volvox_core::{Context, Duration, MessageKind, NodeId, Process};

/// Node 1 counts forever: it persists each number and sends it to node 2, which acknowledges it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Counter {
    number: u64,
    acked: u64,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Message {
    Number(u64),
    Ack(u64),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Ask {
    Count,
    Stop,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Counted(u64);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Timer {
    Next(u64),
}

shown_as_debugged!(Message, Ask, Counted);

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Number(_) => "Number",
            Message::Ack(_) => "Ack",
        }
    }
}

impl Process for Counter {
    type Config = ();
    type Message = Message;
    type Timer = Timer;
    type Record = Counted;
    type Command = Ask;
    type Event = Counted;
    type View = ();

    fn new(_: NodeId, _: &[NodeId], (): &()) -> Counter {
        Counter { number: 0, acked: 0 }
    }

    fn on_start(&mut self, _: &mut Context<'_, Counter>) {}

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Counter>) {
        match message {
            Message::Number(number) => cx.send(from, Message::Ack(number)),
            Message::Ack(number) => {
                self.acked = self.acked.max(number);
                cx.emit(Counted(number));
            }
        }
    }

    fn on_timer(&mut self, Timer::Next(number): Timer, cx: &mut Context<'_, Counter>) {
        self.number = number;
        cx.persist(Counted(number));
        cx.send(NodeId(2), Message::Number(number));
        cx.set_timer(Timer::Next(number + 1), Duration::from_millis(1));
    }

    fn on_command(&mut self, ask: Ask, cx: &mut Context<'_, Counter>) {
        match ask {
            Ask::Count => cx.set_timer(Timer::Next(1), Duration::from_millis(1)),
            Ask::Stop => cx.cancel_timer(Timer::Next(self.number + 1)),
        }
    }

    fn view(&self) {}
}

type World = System<Counter>;

fn world() -> World {
    System::new(2, ()).network(Network::ordered().queue_max(100)).command(NodeId(1), Ask::Count, 1)
}

fn up_to(number: u64) -> World {
    world().nodes_within(move |_, node: &Counter| node.number <= number)
}

fn is_acknowledged(world: &World, state: &State) -> bool {
    world.view(state).node(NodeId(1)).is_none_or(|node| node.acked > 0)
}

fn has_counted(world: &World, state: &State) -> bool {
    world.view(state).node(NodeId(1)).is_some_and(|node| node.number > 0)
}

#[test]
fn a_property_of_states_holds_in_a_space_that_was_cut_and_the_report_counts_what_is_behind() {
    let world = up_to(3);
    let report = Checker::new(&world).invariant("anything", |_, _| true).run();
    assert!(report.holds() && report.is_cut() && report.outside > 0, "{report}");
    assert!(report.to_string().contains(&format!(", {} more at the bounds not expanded", report.outside)));
    assert_eq!((report.overflowed.len(), report.budgets), (0, None));
}

/// Within the bound every fair run delivers an acknowledgement. Beyond it a node could count forever and receive
/// nothing, as far as this exploration knows.
#[test]
fn liveness_is_undecided_in_a_space_that_was_cut_unless_the_bound_is_a_budget() {
    let world = up_to(3);
    let checker = || Checker::new(&world).leads_to("a number is acknowledged", has_counted, is_acknowledged);
    let report = checker().run();
    assert_eq!((report.ended, report.holds()), (Ended::Undecided, false), "{report}");
    assert!(report.violation.is_none() && report.to_string().contains("liveness undecided"), "{report}");
    let report = checker().bounds_are_budgets("it counts no further").run();
    assert!(report.holds(), "{report}");
    assert_eq!(report.budgets.as_deref(), Some("it counts no further"));
    assert!(report.to_string().contains("within the bounds (it counts no further)"), "{report}");
    // A run that is found within the bound is a run of the whole.
    let report = Checker::new(&world).eventually("it counts", has_counted).run();
    assert_eq!(report.ended, Ended::Violated, "{report}");
}

/// The same bound without a state beyond it cuts nothing, and needs no declaration.
#[test]
fn a_bound_that_is_never_met_leaves_liveness_decided() {
    let world = System::new(2, ())
        .nodes_within(|_, node: &Counter| node.number <= 3)
        .timer_budget(|_| true, 2)
        .command(NodeId(1), Ask::Count, 1);
    let report = Checker::new(&world).leads_to("a number is acknowledged", has_counted, is_acknowledged).run();
    assert!(report.holds() && !report.is_cut(), "{report}");
    assert_eq!(report.budgets, None);
}

#[test]
fn full_queues_are_reported_by_link_and_leave_liveness_undecided() {
    let narrow = || up_to(3).network(Network::ordered().queue_max(1));
    let world = narrow();
    let report = Checker::new(&world).run();
    let full: Vec<_> = report.overflowed.iter().map(|link| (link.from, link.to)).collect();
    assert!(report.holds() && full.contains(&(NodeId(1), NodeId(2))), "{report}");
    assert!(report.to_string().contains("full queues dropped"), "{report}");
    // Explored again, and on another number of threads, it is the same: no step is counted twice.
    let again = Checker::new(&world).threads(1).run();
    let rebuilt =
        Checker::new(&narrow()).threads(3).leads_to("a number is acknowledged", has_counted, is_acknowledged).run();
    assert_eq!((&again.overflowed, &rebuilt.overflowed), (&report.overflowed, &report.overflowed));
    assert_eq!(rebuilt.ended, Ended::Undecided);
    let deep = Checker::new(&narrow()).depth_first().run();
    assert_eq!(deep.overflowed, report.overflowed);
}

#[test]
fn an_exploration_lists_what_happened_and_what_never_did() {
    let world = up_to(2)
        .network(Network::unordered().losses(1))
        .durability(Durability::Separate)
        .command(NodeId(2), Ask::Stop, 1)
        .commands(|node, ask| *ask == Ask::Count || node.number > 0);
    assert!(Checker::new(&world).run().holds());
    let happened = world.exercised();
    let set = |words: &[&str]| words.iter().map(|word| (*word).to_string()).collect::<BTreeSet<_>>();
    assert_eq!(happened.commands, set(&["Count"]));
    assert_eq!(happened.never_given, set(&["n2 Stop"]), "only node 1 counts");
    assert_eq!((happened.sent, happened.delivered), (set(&["Number", "Ack"]), set(&["Number", "Ack"])));
    assert_eq!((happened.lost, happened.doubled), (set(&["Number", "Ack"]), set(&[])));
    assert_eq!(
        (happened.timers, happened.records, happened.events),
        (set(&["Next"]), set(&["Counted"]), set(&["Counted"]))
    );
    assert_eq!((happened.faults, happened.never_failed), (["late sync", "loss"].into(), BTreeSet::new()));
    let all = Universe {
        commands: &["Count", "Stop"],
        messages: &["Number", "Ack", "Goodbye"],
        timers: &["Next", "Giveup"],
        records: &["Counted"],
        events: &["Counted", "Stopped"],
        ..Universe::default()
    };
    assert_eq!(
        world.exercised().missing(&all),
        ["command Stop", "message Goodbye", "timer Giveup", "event Stopped", "given n2 Stop"]
    );
}

#[test]
fn before_an_exploration_nothing_happened_and_faults_are_missing_that_the_model_cannot_show() {
    let world = world().crashes_and_restarts(1).network(Network::ordered().losses(1).doubles(1));
    let happened = world.exercised();
    assert_eq!(happened.faults, BTreeSet::new());
    assert_eq!(happened.never_failed, ["crash", "doubling", "loss", "restart"].into());
    // No node sends anything without a command, so nothing can be lost.
    let silent = System::<Counter>::new(2, ()).crashes_and_restarts(1).network(Network::ordered().losses(1));
    assert!(Checker::new(&silent).run().holds());
    let happened = silent.exercised();
    assert_eq!((happened.faults, happened.never_failed), (["crash", "restart"].into(), ["loss"].into()));
    assert_eq!(silent.exercised().missing(&Universe::default()), ["fault loss"]);
}

/// The node counts forever, so only a limit ends the exploration.
#[test]
fn an_exploration_ends_at_its_limit_on_memory_with_what_was_explored() {
    const MIB: u64 = 1 << 20;
    let world = world();
    for depth_first in [false, true] {
        let checker = Checker::new(&world).bytes_max(8 * MIB);
        let report = if depth_first { checker.depth_first() } else { checker }.run();
        assert_eq!((report.ended, report.holds()), (Ended::BytesMax, false), "{report}");
        assert!(report.states > 100 && report.bytes > 8 * MIB && report.bytes < 24 * MIB, "{} {report}", report.bytes);
        assert!(report.to_string().contains("not exhausted (the limit on memory)"), "{report}");
    }
}

#[test]
fn a_violation_found_before_a_limit_is_reported() {
    let world = world();
    let report = Checker::new(&world).bytes_max(1).invariant("it counts", has_counted).run();
    assert_eq!((report.ended, report.states), (Ended::Violated, 1), "{report}");
    let report = Checker::new(&world).bytes_max(1).invariant("anything", |_, _| true).run();
    assert_eq!((report.ended, report.states), (Ended::BytesMax, 1), "{report}");
}

#[test]
fn the_search_for_runs_without_an_end_keeps_to_the_limit_on_memory_too() {
    let world = up_to(30);
    let safety = Checker::new(&world).run();
    assert!(safety.holds() && safety.states > 5_000, "{safety}");
    let live = || {
        Checker::new(&world)
            .leads_to("a number is acknowledged", has_counted, is_acknowledged)
            .bounds_are_budgets("a count")
    };
    let whole = live().run();
    assert!(whole.holds() && whole.bytes > safety.bytes, "{whole}: {} of {}", safety.bytes, whole.bytes);
    let report = live().bytes_max((safety.bytes + whole.bytes) / 2).run();
    assert_eq!((report.ended, report.states), (Ended::BytesMax, safety.states), "{report}");
}

#[test]
fn an_exploration_is_cancelled_by_another_thread_or_before_it_begins() {
    let world = world();
    let flag = AtomicBool::new(false);
    let report = Checker::new(&world)
        .cancel(&flag)
        .progress(|progress| flag.store(progress.states > 20_000, Ordering::Relaxed))
        .run();
    assert_eq!((report.ended, report.holds()), (Ended::Cancelled, false), "{report}");
    assert!(report.states > 20_000 && report.states < 200_000, "{report}");
    assert!(report.to_string().contains("not exhausted (cancelled)"), "{report}");
    flag.store(true, Ordering::Relaxed);
    for depth_first in [false, true] {
        let checker = Checker::new(&world).cancel(&flag);
        let report = if depth_first { checker.depth_first() } else { checker }.run();
        assert_eq!((report.ended, report.states), (Ended::Cancelled, 1), "{report}");
    }
}

#[test]
fn progress_is_reported_within_a_large_level_too() {
    let reports = Mutex::new(Vec::new());
    let world = up_to(40);
    let report = Checker::new(&world)
        .leads_to("a number is acknowledged", has_counted, is_acknowledged)
        .threads(2)
        .progress(|progress: &Progress| reports.lock().expect("no thread panics").push(*progress))
        .run();
    let reports = reports.into_inner().expect("no thread panics");
    for is_liveness in [false, true] {
        let phase: Vec<_> = reports.iter().filter(|progress| progress.is_liveness == is_liveness).collect();
        let levels = if is_liveness { 0 } else { u64::from(report.depth) };
        let at_least = levels + report.states / Progress::EVERY;
        assert!(phase.len() as u64 >= at_least, "{} times for {at_least}: {report}", phase.len());
        assert!(phase.iter().all(|progress| progress.states <= report.states && progress.bytes > 0));
    }
    assert!(reports.iter().any(|progress| progress.waiting > 100), "states wait");
}
