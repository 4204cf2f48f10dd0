//! The exploration against a slow and simple one.

use super::{Network, System};
use crate::model::{Collected, Model};
use crate::{Checker, Ended};
use std::collections::BTreeSet;
use std::fmt;
use volvox_core::{Context, Duration, MessageKind, NodeId, Process, Restored};

/// Two nodes that count what they receive, persist it, and answer until they have received enough.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Counter {
    peer: NodeId,
    heard: u8,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Text(u8);

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl MessageKind for Text {
    fn kind(&self) -> &'static str {
        "Text"
    }
}

impl Process for Counter {
    type Config = ();
    type Message = Text;
    type Timer = u8;
    type Record = Text;
    type Command = Text;
    type Event = Text;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], (): &()) -> Counter {
        Counter { peer: *members.iter().find(|one| **one != id).expect("two nodes"), heard: 0 }
    }

    fn on_restore(&mut self, restored: Restored<Text>) {
        if let Restored::Record { record, .. } = restored {
            self.heard = record.0;
        }
    }

    fn on_start(&mut self, cx: &mut Context<'_, Counter>) {
        cx.set_timer(self.heard, Duration::from_millis(10));
    }

    fn on_message(&mut self, _: NodeId, message: Text, cx: &mut Context<'_, Counter>) {
        if message.0 > self.heard {
            self.heard = message.0;
            cx.persist(Text(self.heard));
            cx.emit(Text(self.heard));
            cx.cancel_timer(0);
        }
        if self.heard < 3 {
            let more = cx.choose(2) as u8;
            cx.send(self.peer, Text(self.heard + more));
        }
    }

    fn on_timer(&mut self, _: u8, cx: &mut Context<'_, Counter>) {
        cx.send(self.peer, Text(self.heard + 1));
    }

    fn on_command(&mut self, command: Text, cx: &mut Context<'_, Counter>) {
        cx.send(self.peer, command);
    }

    fn view(&self) {}
}

fn system(network: Network) -> System<Counter, BTreeSet<(NodeId, u8)>> {
    let observe = |history: &mut BTreeSet<(NodeId, u8)>, node, event: &Text| {
        history.insert((node, event.0));
    };
    System::observed(2, (), BTreeSet::new(), observe).network(network.queue_max(2)).crashes_and_restarts(1).command(
        NodeId(1),
        Text(2),
        1,
    )
}

/// Every state by its words, found one after the other, with every fingerprint recomputed.
fn explored_slowly(system: &System<Counter, BTreeSet<(NodeId, u8)>>) -> usize {
    let mut seen = BTreeSet::new();
    let mut sums = BTreeSet::new();
    let mut waiting = system.initial();
    while let Some(state) = waiting.pop() {
        if !seen.insert(state.words.clone()) {
            continue;
        }
        assert_eq!(system.state_of(state.words.to_vec()).sum, state.sum, "a sum that was kept up step by step");
        sums.insert(state.sum);
        let collected = Collected::of(system, &state);
        assert!(collected.failures.is_empty());
        waiting.extend(collected.steps.into_iter().map(|(_, next)| next));
    }
    assert_eq!(seen.len(), sums.len(), "states and fingerprints are one to one");
    seen.len()
}

#[test]
fn fingerprints_are_kept_up_step_by_step_over_every_kind_of_link() {
    let links = [
        Network::ordered().losses(1).doubles(1),
        Network::unordered().losses(1).doubles(1),
        Network::unordered().lossy().keep_ignored(),
        Network::duplicating().losses(1),
    ];
    for network in links {
        let system = system(network);
        let count = explored_slowly(&system);
        for (threads, depth_first) in [(1, false), (2, false), (1, true)] {
            let checker = Checker::new(&system).threads(threads);
            let report = if depth_first { checker.depth_first() } else { checker }.run();
            assert_eq!(
                (report.ended, report.states),
                (Ended::Exhausted, count as u64),
                "{network:?} {threads}: {report}"
            );
        }
    }
}

#[test]
fn limits_stop_clearly_and_a_counterexample_is_the_same_on_any_number_of_threads() {
    let system = system(Network::unordered().losses(1));
    let report = Checker::new(&system).states_max(100).run();
    assert_eq!(report.ended, Ended::StatesMax);
    assert!(report.to_string().contains("not exhausted"), "{report}");
    let report = Checker::new(&system).depth_max(3).run();
    assert_eq!((report.ended, report.depth), (Ended::DepthMax, 3));
    let told = |threads| {
        let checker = Checker::new(&system).threads(threads).invariant("no node receives 3", |system, state| {
            system.view(state).nodes().all(|(_, node)| node.heard < 3)
        });
        checker.run().violation.expect("a node does").actions()
    };
    assert!((1..=4).all(|threads| told(threads) == told(1)));
}

#[test]
fn a_step_property_sees_both_sides_of_every_step() {
    let system = system(Network::unordered());
    let forgets = |heard: fn(&Counter) -> u8| {
        Checker::new(&system)
            .step_property("nothing is forgotten", move |system, before, _, after| {
                let (before, after) = (system.view(before), system.view(after));
                before.nodes().all(|(id, node)| after.node(id).is_none_or(|later| heard(later) >= heard(node)))
            })
            .run()
    };
    assert!(forgets(|node| node.heard).holds());
    let report = forgets(|node| 4 - node.heard);
    assert_eq!(report.violation.expect("it counts down so").broken, crate::Broken::Step);
}
