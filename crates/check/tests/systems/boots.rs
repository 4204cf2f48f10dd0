//! A process that reads its boot: counted where a model says so, and a failing step where nodes restart uncounted.

use super::{Never, shown_as_debugged};
use std::collections::BTreeSet;
use volvox_check::{Broken, Checker, Ended, NO_STEP_FAILS, Network, System};
use volvox_core::{Boot, Context, MessageKind, NodeId, Process, Serial, Serials};

/// A request and its answer, each with the boot of the requester, which the requester itself ignores.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Message {
    Ask(Serial, Boot),
    Answer(Serial, Boot),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Ask;

shown_as_debugged!(Message, Ask);

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Ask(..) => "Ask",
            Message::Answer(..) => "Answer",
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Asker {
    serials: Serials,
    boot: Boot,
    asking: Option<Serial>,
    /// An answer that was believed although it answers a request of an earlier boot.
    misled: bool,
    is_unique: bool,
}

impl Process for Asker {
    type Config = bool;
    type Message = Message;
    type Timer = ();
    type Record = Never;
    type Command = Ask;
    type Event = Never;
    type View = ();

    fn new(_: NodeId, _: &[NodeId], is_unique: &bool) -> Asker {
        let (serials, boot) = (Serials::default(), Boot(0));
        Asker { serials, boot, asking: None, misled: false, is_unique: *is_unique }
    }

    fn on_start(&mut self, cx: &mut Context<'_, Asker>) {
        self.boot = cx.boot();
        self.serials = Serials::of(if self.is_unique { self.boot } else { Boot::FIRST });
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Asker>) {
        match message {
            Message::Ask(serial, boot) => cx.send(from, Message::Answer(serial, boot)),
            Message::Answer(serial, boot) if self.asking == Some(serial) => {
                self.misled |= boot != self.boot;
                self.asking = None;
            }
            Message::Answer(..) => {}
        }
    }

    fn on_timer(&mut self, (): (), _: &mut Context<'_, Asker>) {}

    fn on_command(&mut self, Ask: Ask, cx: &mut Context<'_, Asker>) {
        let serial = self.serials.issue();
        self.asking = Some(serial);
        cx.send(NodeId(1), Message::Ask(serial, self.boot));
    }

    fn view(&self) {}
}

fn world(is_unique: bool) -> System<Asker> {
    System::new(2, is_unique).network(Network::unordered()).command(NodeId(2), Ask, 2)
}

#[test]
fn a_boot_that_nobody_counts_is_a_step_that_fails() {
    let report = Checker::new(&world(true).crashes_and_restarts(1)).run();
    assert_eq!(report.ended, Ended::Violated);
    let found = report.violation.expect("a step that fails");
    assert_eq!((found.broken, found.property.as_str()), (Broken::Failure, NO_STEP_FAILS));
    let why = found.failed.map(|(_, why)| why).expect("the step");
    assert!(why.starts_with("n1 reads boot()") && why.ends_with("System::counting_boots"), "{why}");
}

#[test]
fn where_nobody_returns_every_boot_is_the_first() {
    let count = |world: System<Asker>| {
        let report = Checker::new(&world).run();
        assert!(report.holds(), "{report}");
        report.states
    };
    assert_eq!(count(world(true).crashes(1)), count(world(true).crashes(1).counting_boots()), "and costs nothing");
}

#[test]
fn each_start_is_counted_and_an_old_answer_is_not_believed() {
    let misled = |is_unique: bool| {
        let world = world(is_unique).crashes_and_restarts(2).counting_boots();
        let report = Checker::new(&world)
            .invariant("no old answer is believed", |world, state| {
                world.view(state).nodes().all(|(_, node)| !node.misled)
            })
            .reachable("the third boot", |world, state| {
                let boots: BTreeSet<Boot> = world.view(state).nodes().map(|(_, node)| node.boot).collect();
                boots.contains(&Boot(3))
            })
            .run();
        report.violation.map(|found| (found.actions().len(), world.ends_in(&world.schedule(&found), found.last())))
    };
    assert_eq!(misled(true), None);
    // It asks, crashes, restarts, asks again; its first request arrives, and the answer is believed.
    assert_eq!(misled(false), Some((6, true)));
}
