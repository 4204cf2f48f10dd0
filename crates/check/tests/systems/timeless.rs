//! A process that reads a clock in an asynchronous model: a failing step that names the node and the call.

use super::{Never, shown_as_debugged};
use volvox_check::{Broken, Checker, Counterexample, Decision, Ended, NO_STEP_FAILS, State, System, Timed};
use volvox_core::{Context, Duration, Instant, MessageKind, NodeId, Process, Wall, fingerprint_of};

/// When a node reads its clock.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Asks {
    Never,
    AtItsStart,
    /// At its start, if it chooses so.
    ByChoice,
    WhenTold,
    /// It reads the wall clock, at its start.
    TheWall,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Look;

shown_as_debugged!(Look);

impl MessageKind for Never {
    fn kind(&self) -> &'static str {
        match *self {}
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Watch {
    asks: Asks,
    read: Option<Instant>,
    wall: Option<Wall>,
}

impl Process for Watch {
    type Config = Asks;
    type Message = Never;
    type Timer = ();
    type Record = Never;
    type Command = Look;
    type Event = Never;
    type View = ();

    fn new(_: NodeId, _: &[NodeId], asks: &Asks) -> Watch {
        Watch { asks: *asks, read: None, wall: None }
    }

    fn on_start(&mut self, cx: &mut Context<'_, Watch>) {
        match self.asks {
            Asks::AtItsStart => {
                self.read = Some(cx.now());
                // A trace without a clock does not show this.
                cx.set_timer((), Duration::from_millis(1));
            }
            Asks::ByChoice if cx.choose(2) == 1 => self.read = Some(cx.now()),
            Asks::TheWall => self.wall = Some(cx.wall()),
            Asks::Never | Asks::ByChoice | Asks::WhenTold => {}
        }
    }

    fn on_message(&mut self, _: NodeId, message: Never, _: &mut Context<'_, Watch>) {
        match message {}
    }

    fn on_timer(&mut self, (): (), _: &mut Context<'_, Watch>) {}

    fn on_command(&mut self, Look: Look, cx: &mut Context<'_, Watch>) {
        if self.asks == Asks::WhenTold {
            self.read = Some(cx.now());
        }
    }

    fn view(&self) {}
}

type World = System<Watch>;

/// Three nodes, of which the second reads its clock.
fn world(asks: Asks) -> World {
    World::new(3, Asks::Never)
        .configs(move |id| if id == NodeId(2) { asks } else { Asks::Never })
        .command(NodeId(2), Look, 1)
        .crashes(1)
}

fn timed(asks: Asks) -> World {
    let time = Timed { tick: Duration::from_millis(1), delivery_min: 1, delivery_max: 1, drifts_ppm: vec![0, 100_000] };
    world(asks).timed(time)
}

fn failure(world: &World) -> (Counterexample<State, Decision>, String, String) {
    let report = Checker::new(world)
        .reachable("a node read", |world, state| world.view(state).nodes().any(|(_, node)| node.read.is_some()));
    let report = report.run();
    assert_eq!((report.ended, report.holds()), (Ended::Violated, false), "{report}");
    let found = report.violation.expect("a step that fails");
    assert_eq!((found.broken, found.property.as_str()), (Broken::Failure, NO_STEP_FAILS));
    let why = found.failed.as_ref().map(|(_, why)| why.clone()).expect("the step that failed");
    let trace = world.trace(&world.schedule(&found));
    assert!(trace.ends_with(&format!("{why}\n")) && found.to_string().contains(&why), "{trace}\n{found}");
    (found, why, trace)
}

#[test]
fn who_asks_for_now_in_asynchronous_time_fails_in_that_step_and_is_named() {
    let (found, why, _) = failure(&world(Asks::WhenTold));
    assert_eq!(found.actions(), ["n2 command Look"]);
    assert_eq!(why, "n2 reads now(), but in an asynchronous model no time passes");
}

#[test]
fn a_start_that_asks_for_now_is_a_counterexample_of_one_decision() {
    let world = world(Asks::AtItsStart);
    let (found, why, trace) = failure(&world);
    assert_eq!(found.actions(), ["n2 starts"]);
    assert_eq!(why, "n2 reads now(), but in an asynchronous model no time passes");
    assert_eq!(trace, format!("1.000ms n2 starts\n1.000ms {why}\n"));
    let no_node_runs = world.view(&found.initial).nodes().next().is_none();
    assert!(no_node_runs && found.steps.is_empty(), "no node has started before it");
}

#[test]
fn of_a_start_that_has_a_choice_the_one_is_told_that_fails() {
    let (found, _, trace) = failure(&world(Asks::ByChoice));
    assert_eq!(found.actions(), ["n2 starts choosing [1]"]);
    assert!(trace.starts_with("1.000ms n2 starts choosing [1]\n"), "{trace}");
}

#[test]
fn a_timed_model_says_what_it_needs_for_now() {
    for asks in [Asks::AtItsStart, Asks::WhenTold] {
        let (_, why, _) = failure(&timed(asks));
        assert!(why.starts_with("n2 reads now()") && why.contains("System::relative_to_now"), "{why}");
    }
}

#[test]
fn now_is_answered_in_timed_models_and_the_wall_in_all() {
    // The stored value is never read, so it does not distinguish states.
    let relative = |process: &Watch, _| fingerprint_of(&(process.asks, process.read.is_some()));
    for asks in [Asks::AtItsStart, Asks::ByChoice, Asks::WhenTold] {
        let report = Checker::new(&timed(asks).relative_to_now(relative)).run();
        assert!(report.holds(), "{report}");
        let (_, why, _) = failure(&world(asks).relative_to_now(relative));
        assert!(why.contains("no time passes"), "no time, whatever would be done with it: {why}");
    }
    assert!(Checker::new(&world(Asks::TheWall)).run().holds());
}
