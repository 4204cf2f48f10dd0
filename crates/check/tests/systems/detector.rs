//! A failure detector that reads the clock: right while links keep their bound, and only comparable relative to now.

use super::{Never, shown_as_debugged};
use volvox_check::{Checker, Ended, Network, System, Timed, hash_of};
use volvox_core::{Context, Duration, Instant, MessageKind, NodeId, Process};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Alive;

shown_as_debugged!(Alive);

impl MessageKind for Alive {
    fn kind(&self) -> &'static str {
        "Alive"
    }
}

const TICK: Duration = Duration::from_millis(10);
const PERIOD_TICKS: u32 = 2;
const PATIENCE_TICKS: u32 = 4;

/// Node 1 watches node 2, which sends a heartbeat every period.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Detector {
    is_watcher: bool,
    heard: Instant,
    suspects: bool,
}

impl Process for Detector {
    type Config = ();
    type Message = Alive;
    type Timer = ();
    type Record = Never;
    type Command = Never;
    type Event = Never;
    type View = ();

    fn new(id: NodeId, _: &[NodeId], (): &()) -> Detector {
        Detector { is_watcher: id == NodeId(1), heard: Instant::ZERO, suspects: false }
    }

    fn on_start(&mut self, cx: &mut Context<'_, Detector>) {
        self.on_timer((), cx);
    }

    fn on_message(&mut self, _: NodeId, Alive: Alive, cx: &mut Context<'_, Detector>) {
        self.heard = cx.now();
    }

    fn on_timer(&mut self, (): (), cx: &mut Context<'_, Detector>) {
        if self.is_watcher {
            self.suspects = cx.now().since(self.heard) > TICK * PATIENCE_TICKS;
            cx.set_timer((), TICK);
        } else {
            cx.send(NodeId(1), Alive);
            cx.set_timer((), TICK * PERIOD_TICKS);
        }
    }

    fn on_command(&mut self, command: Never, _: &mut Context<'_, Detector>) {
        match command {}
    }

    fn view(&self) {}
}

fn world(delivery_max: u32) -> System<Detector> {
    System::new(2, ())
        .network(Network::ordered())
        .timed(Timed { tick: TICK, delivery_min: 0, delivery_max, drifts_ppm: vec![0] })
        .relative_to_now(|detector: &Detector, now| {
            // All times beyond its timeout are equivalent.
            let ago = now.since(detector.heard).min(TICK * (PATIENCE_TICKS + 1));
            hash_of(&(detector.is_watcher, ago, detector.suspects))
        })
}

fn checker(world: &System<Detector>) -> Checker<'_, System<Detector>> {
    let suspects = |world: &System<Detector>, state: &_| world.view(state).nodes().any(|(_, node)| node.suspects);
    Checker::new(world).invariant("accuracy", move |world, state| !suspects(world, state))
}

#[test]
fn who_lives_is_not_suspected_while_messages_come_in_time() {
    let report = checker(&world(2)).run();
    assert_eq!((report.ended, report.states), (Ended::Exhausted, 98), "{report}");
}

#[test]
fn who_is_heard_late_is_suspected() {
    let world = world(PATIENCE_TICKS + 1);
    let found = checker(&world).run().violation.expect("a message is late");
    assert!(world.ends_in(&world.schedule(&found), found.last()));
    assert!(world.trace(&world.schedule(&found)).starts_with("0.000ms n1 timer () in 10ms\n"));
}

#[test]
fn who_dies_is_suspected_in_the_end() {
    let world = world(2).crashes(1);
    let report = Checker::new(&world)
        .leads_to(
            "the dead are suspected",
            |world, state| world.view(state).node(NodeId(2)).is_none(),
            // Or no node is left to suspect.
            |world, state| world.view(state).node(NodeId(1)).is_none_or(|watcher| watcher.suspects),
        )
        .run();
    assert!(report.holds(), "{report}");
}
