//! Mutual exclusion after Ricart and Agrawala (1981), over lossless links without order.

use super::{Never, shown_as_debugged};
use std::collections::BTreeSet;
use volvox_check::{Checker, Ended, System};
use volvox_core::{Context, Duration, MessageKind, NodeId, Process};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    Request(u64),
    Reply,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Enter;

shown_as_debugged!(Message, Enter);

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Request(_) => "Request",
            Message::Reply => "Reply",
        }
    }
}

/// The rules, one of which a negative model removes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Rules {
    All,
    /// A requesting node replies to every request, even a later one.
    NoOrder,
    /// A leaving node sends no replies.
    NoLateReply,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Mutex {
    id: NodeId,
    rules: Rules,
    peers: Vec<NodeId>,
    clock: u64,
    asking: Option<(u64, BTreeSet<NodeId>)>,
    inside: bool,
    deferred: BTreeSet<NodeId>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Leave;

impl Process for Mutex {
    type Config = Rules;
    type Message = Message;
    type Timer = Leave;
    type Record = Never;
    type Command = Enter;
    type Event = Never;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], rules: &Rules) -> Mutex {
        let peers = members.iter().copied().filter(|peer| *peer != id).collect();
        Mutex { id, rules: *rules, peers, clock: 0, asking: None, inside: false, deferred: BTreeSet::new() }
    }

    fn on_start(&mut self, _: &mut Context<'_, Mutex>) {}

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Mutex>) {
        match message {
            Message::Request(stamp) => {
                self.clock = self.clock.max(stamp) + 1;
                let mine_first = match &self.asking {
                    Some((mine, _)) => self.rules != Rules::NoOrder && (*mine, self.id) < (stamp, from),
                    None => self.inside,
                };
                if mine_first {
                    self.deferred.insert(from);
                } else {
                    cx.send(from, Message::Reply);
                }
            }
            Message::Reply => {
                let Some((_, missing)) = &mut self.asking else { return };
                missing.remove(&from);
                if missing.is_empty() {
                    self.asking = None;
                    self.inside = true;
                    cx.set_timer(Leave, Duration::from_millis(1));
                }
            }
        }
    }

    fn on_timer(&mut self, Leave: Leave, cx: &mut Context<'_, Mutex>) {
        self.inside = false;
        if self.rules != Rules::NoLateReply {
            cx.broadcast(&self.deferred, Message::Reply);
        }
        self.deferred.clear();
    }

    fn on_command(&mut self, Enter: Enter, cx: &mut Context<'_, Mutex>) {
        if self.asking.is_some() || self.inside {
            return cx.note("asks already", 0);
        }
        self.clock += 1;
        self.asking = Some((self.clock, self.peers.iter().copied().collect()));
        cx.broadcast(&self.peers, Message::Request(self.clock));
    }

    fn view(&self) {}
}

fn world(nodes: u64, entries: u32, rules: Rules) -> System<Mutex> {
    (1..=nodes).fold(System::new(nodes, rules), |world, node| world.command(NodeId(node), Enter, entries))
}

fn checker(world: &System<Mutex>) -> Checker<'_, System<Mutex>> {
    Checker::new(world)
        .invariant("mutual exclusion", |world, state| {
            world.view(state).nodes().filter(|(_, node)| node.inside).count() < 2
        })
        .leads_to(
            "no starvation",
            |world, state| world.view(state).node(NodeId(1)).is_some_and(|node| node.asking.is_some()),
            |world, state| world.view(state).node(NodeId(1)).is_some_and(|node| node.inside),
        )
}

#[test]
fn one_at_a_time_and_everybody_in_the_end() {
    for (nodes, entries, states) in [(2, 2, 336), (3, 1, 6_440)] {
        let report = checker(&world(nodes, entries, Rules::All)).run();
        println!("{report}");
        assert_eq!((report.ended, report.states), (Ended::Exhausted, states), "{report}");
    }
}

#[test]
fn without_an_order_of_requests_two_are_inside() {
    let world = world(2, 1, Rules::NoOrder);
    let report = checker(&world).run();
    let found = report.violation.as_ref().expect("both reply");
    println!("{report}");
    assert_eq!(found.actions().len(), 6, "{found}");
    assert!(world.ends_in(&world.schedule(found), found.last()));
}

#[test]
fn without_late_replies_somebody_waits_for_ever() {
    let report = checker(&world(2, 1, Rules::NoLateReply)).run();
    println!("{report}");
    assert_eq!(report.violation.expect("no node replies to node 1").property, "no starvation");
}
