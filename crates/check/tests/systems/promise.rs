//! A crash breaks a promise that is sent before it is on the disk: durability as a separate event, and the value of the
//! short verbs. And an unbounded counter, omitted from the fingerprint.

use super::shown_as_debugged;
use std::collections::BTreeSet;
use volvox_check::{Broken, Checker, Durability, Ended, Network, System, hash_of};
use volvox_core::{Context, Duration, MessageKind, NodeId, Position, Process, Restored};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    Ask(u8),
    Promised(u8),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Value(u8);

shown_as_debugged!(Message, Value);

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Ask(_) => "Ask",
            Message::Promised(_) => "Promised",
        }
    }
}

/// How a promise is sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Rules {
    Behind,
    /// Waits for nothing.
    Ahead,
}

/// Node 1 asks for a promise of one value or another; node 2 promises one, irrevocably.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Node {
    rules: Rules,
    promised: Option<u8>,
    /// How often it was asked: a statistic.
    asked: u64,
}

const ASKER: NodeId = NodeId(1);
const PROMISER: NodeId = NodeId(2);

impl Process for Node {
    type Config = Rules;
    type Message = Message;
    type Timer = u8;
    type Record = Value;
    type Command = Value;
    type Event = Value;
    type View = ();

    fn new(_: NodeId, _: &[NodeId], rules: &Rules) -> Node {
        Node { rules: *rules, promised: None, asked: 0 }
    }

    fn on_restore(&mut self, restored: Restored<Value>) {
        if let Restored::Record { record: Value(value), .. } = restored {
            self.promised = Some(value);
        }
    }

    fn on_start(&mut self, _: &mut Context<'_, Node>) {}

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Node>) {
        match message {
            Message::Ask(value) => {
                self.asked += 1;
                if self.promised.is_none() {
                    self.promised = Some(value);
                    cx.persist(Value(value));
                }
                let answer = Message::Promised(self.promised.unwrap_or(value));
                match self.rules {
                    Rules::Behind => cx.send(from, answer),
                    Rules::Ahead => cx.send_after(Position::NONE, from, answer),
                }
            }
            Message::Promised(value) => cx.emit(Value(value)),
        }
    }

    fn on_timer(&mut self, value: u8, cx: &mut Context<'_, Node>) {
        cx.send(PROMISER, Message::Ask(value));
        cx.set_timer(value, Duration::from_millis(10));
    }

    fn on_command(&mut self, Value(value): Value, cx: &mut Context<'_, Node>) {
        cx.send(PROMISER, Message::Ask(value));
        cx.set_timer(value, Duration::from_millis(10));
    }

    fn view(&self) {}
}

type World = System<Node, BTreeSet<u8>>;

fn world(rules: Rules, durability: Durability) -> World {
    let observe = |told: &mut BTreeSet<u8>, _, Value(value): &Value| {
        told.insert(*value);
    };
    System::observed(2, rules, BTreeSet::new(), observe)
        .network(Network::ordered().queue_max(2))
        .durability(durability)
        .crashes_and_restarts(1)
        .timers(|_, _| false)
        .command(ASKER, Value(1), 1)
        .command(ASKER, Value(2), 1)
}

fn checker(world: &World) -> Checker<'_, World> {
    Checker::new(world)
        .invariant("one promise", |world, state| world.view(state).history().len() < 2)
        .reachable("a promise", |world, state| !world.view(state).history().is_empty())
}

#[test]
fn a_promise_that_is_told_behind_its_record_is_kept() {
    for (durability, states) in [(Durability::Atomic, 194), (Durability::Prompt, 194), (Durability::Separate, 234)] {
        let report = checker(&world(Rules::Behind, durability)).run();
        assert_eq!((report.ended, report.states), (Ended::Exhausted, states), "{durability:?}: {report}");
    }
}

#[test]
fn a_promise_that_is_told_ahead_of_its_record_is_broken_by_a_slow_disk() {
    assert!(checker(&world(Rules::Ahead, Durability::Prompt)).run().holds(), "a prompt disk hides it");
    let world = world(Rules::Ahead, Durability::Separate);
    let found = checker(&world).run().violation.expect("a crash before the sync");
    assert_eq!(found.broken, Broken::Invariant);
    let trace = world.trace(&world.schedule(&found));
    let crash = trace.lines().position(|line| line.contains("n2 crashes, its disk keeps p0")).expect(&trace);
    let promise = trace.lines().position(|line| line.contains("n2 persist p1 Value(")).expect(&trace);
    assert!(promise < crash && world.ends_in(&world.schedule(&found), found.last()), "{trace}");
}

#[test]
fn positional_verbs_are_refused_where_a_step_and_its_records_are_atomic() {
    let found = checker(&world(Rules::Ahead, Durability::Atomic)).run().violation.expect("it is refused");
    assert_eq!(found.broken, Broken::Failure);
    assert!(found.failed.expect("the step that failed").1.contains("Durability::Separate"));
}

/// A statistic makes a small model infinite, and omitting it makes it finite again.
#[test]
fn a_counter_is_left_out_of_the_fingerprint() {
    let counting = || world(Rules::Behind, Durability::Atomic).timers(|_, _| true);
    let report = checker(&counting()).states_max(20_000).run();
    assert_eq!(report.ended, Ended::StatesMax, "{report}");
    let report = checker(&counting().fingerprint(|node| hash_of(&node.promised))).run();
    assert_eq!((report.ended, report.states), (Ended::Exhausted, 624), "{report}");
}
