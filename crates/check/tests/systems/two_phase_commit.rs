//! Two-phase commit with recovery, presumed abort (the spike of `sim`, one transaction): safe whichever node crashes,
//! blocked while a dead coordinator has not announced its decision.

use super::shown_as_debugged;
use std::collections::{BTreeMap, BTreeSet};
use volvox_check::{Broken, Checker, Ended, Names, Network, Symmetric, System};
use volvox_core::{Context, Duration, MessageKind, NodeId, Process, Restored};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    Prepare,
    Vote(bool),
    Outcome(bool),
    Ask,
    Done,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Record {
    Committed,
    Forgotten,
    Prepared,
    Learned(bool),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Begin;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Applied(bool);

shown_as_debugged!(Message, Record, Begin, Applied);

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Prepare => "Prepare",
            Message::Vote(_) => "Vote",
            Message::Outcome(_) => "Outcome",
            Message::Ask => "Ask",
            Message::Done => "Done",
        }
    }
}

/// The rules, one of which a negative model removes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Rules {
    All,
    /// The coordinator announces a commit that it has not persisted.
    CommitNotWritten,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Node {
    rules: Rules,
    participants: BTreeSet<NodeId>,
    voting: Option<BTreeSet<NodeId>>,
    committed: Option<BTreeSet<NodeId>>,
    in_doubt: bool,
    learned: Option<bool>,
}

const COORDINATOR: NodeId = NodeId(1);
const RETRY: Duration = Duration::from_millis(40);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Timer {
    Coordinate,
    Ask,
}

impl Process for Node {
    type Config = Rules;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;
    type Command = Begin;
    type Event = Applied;
    type View = ();

    fn new(_: NodeId, members: &[NodeId], rules: &Rules) -> Node {
        let participants = members.iter().copied().filter(|id| *id != COORDINATOR).collect();
        Node { rules: *rules, participants, voting: None, committed: None, in_doubt: false, learned: None }
    }

    fn on_restore(&mut self, restored: Restored<Record>) {
        let Restored::Record { record, .. } = restored else { return };
        match record {
            Record::Committed => self.committed = Some(self.participants.clone()),
            Record::Forgotten => self.committed = None,
            Record::Prepared => self.in_doubt = true,
            Record::Learned(outcome) => (self.in_doubt, self.learned) = (false, Some(outcome)),
        }
    }

    fn on_start(&mut self, cx: &mut Context<'_, Node>) {
        if self.committed.is_some() {
            cx.set_timer(Timer::Coordinate, RETRY);
        }
        if self.in_doubt {
            cx.set_timer(Timer::Ask, RETRY);
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Node>) {
        match message {
            Message::Prepare => self.on_prepare(cx),
            Message::Vote(yes) => self.on_vote(from, yes, cx),
            Message::Outcome(outcome) => self.on_outcome(outcome, cx),
            Message::Ask if self.voting.is_none() => cx.send(from, Message::Outcome(self.committed.is_some())),
            Message::Ask => {}
            Message::Done => {
                let Some(waiting) = &mut self.committed else { return };
                waiting.remove(&from);
                if waiting.is_empty() {
                    self.committed = None;
                    cx.persist(Record::Forgotten);
                    cx.cancel_timer(Timer::Coordinate);
                }
            }
        }
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut Context<'_, Node>) {
        match timer {
            Timer::Coordinate if self.voting.take().is_some() => self.abort(cx),
            Timer::Coordinate => self.tell_commit(cx),
            Timer::Ask => {
                cx.send(COORDINATOR, Message::Ask);
                cx.set_timer(timer, RETRY);
            }
        }
    }

    fn on_command(&mut self, Begin: Begin, cx: &mut Context<'_, Node>) {
        self.voting = Some(self.participants.clone());
        cx.broadcast(&self.participants, Message::Prepare);
        cx.set_timer(Timer::Coordinate, RETRY * 3);
    }

    fn view(&self) {}
}

impl Node {
    fn on_prepare(&mut self, cx: &mut Context<'_, Node>) {
        if self.learned.is_some() || self.in_doubt {
            return;
        }
        let yes = cx.choose(2) > 0;
        if yes {
            self.in_doubt = true;
            cx.persist(Record::Prepared);
            cx.set_timer(Timer::Ask, RETRY);
        }
        cx.send(COORDINATOR, Message::Vote(yes));
    }

    fn on_vote(&mut self, from: NodeId, yes: bool, cx: &mut Context<'_, Node>) {
        let Some(missing) = &mut self.voting else { return };
        missing.remove(&from);
        if !yes {
            self.voting = None;
            cx.cancel_timer(Timer::Coordinate);
            self.abort(cx);
        } else if missing.is_empty() {
            self.voting = None;
            self.committed = Some(self.participants.clone());
            if self.rules != Rules::CommitNotWritten {
                cx.persist(Record::Committed);
            }
            cx.emit(Applied(true));
            self.tell_commit(cx);
        }
    }

    fn abort(&mut self, cx: &mut Context<'_, Node>) {
        cx.emit(Applied(false));
        cx.broadcast(&self.participants, Message::Outcome(false));
    }

    fn tell_commit(&mut self, cx: &mut Context<'_, Node>) {
        if let Some(waiting) = &self.committed {
            cx.broadcast(waiting, Message::Outcome(true));
            cx.set_timer(Timer::Coordinate, RETRY);
        }
    }

    fn on_outcome(&mut self, outcome: bool, cx: &mut Context<'_, Node>) {
        if self.in_doubt {
            self.in_doubt = false;
            self.learned = Some(outcome);
            cx.persist(Record::Learned(outcome));
            cx.cancel_timer(Timer::Ask);
            cx.emit(Applied(outcome));
        }
        if outcome {
            cx.send(COORDINATOR, Message::Done);
        }
    }
}

impl Symmetric for Node {
    fn renamed(&self, names: &Names) -> Node {
        let rename = |set: &BTreeSet<NodeId>| set.iter().map(|id| names.of(*id)).collect::<BTreeSet<NodeId>>();
        Node {
            participants: rename(&self.participants),
            voting: self.voting.as_ref().map(rename),
            committed: self.committed.as_ref().map(rename),
            ..self.clone()
        }
    }
}

/// The outcomes that any node applied.
type Outcomes = BTreeMap<bool, ()>;
type World = System<Node, Outcomes>;

fn world(participants: u64, rules: Rules) -> World {
    let observe = |outcomes: &mut Outcomes, _, Applied(outcome): &Applied| {
        outcomes.insert(*outcome, ());
    };
    System::observed(participants + 1, rules, Outcomes::new(), observe)
        .network(Network::ordered().queue_max(2))
        .command(COORDINATOR, Begin, 1)
}

/// Why a full queue leaves liveness decided.
const ASKS_AGAIN: &str = "a node in doubt asks again: what a full queue drops was asked before";

fn checker(world: &World) -> Checker<'_, World> {
    Checker::new(world)
        .invariant("agreement", |world, state| world.view(state).history().len() < 2)
        .reachable("commit", |world, state| world.view(state).history().contains_key(&true))
        .reachable("abort", |world, state| world.view(state).history().contains_key(&false))
}

#[test]
fn all_that_decide_decide_the_same_whoever_crashes() {
    let world = world(2, Rules::All).crashes_and_restarts(1);
    let report = checker(&world).run();
    println!("{report}");
    assert_eq!((report.ended, report.states), (Ended::Exhausted, 7_742), "{report}");
    assert!(world.has_overflowed(), "a node that asks repeatedly fills the queue");
}

#[test]
fn equal_participants_need_not_be_told_apart() {
    for (participants, states, orbits) in [(2, 1_371, 714), (3, 33_933, 6_360)] {
        let plain = checker(&world(participants, Rules::All)).run();
        let ids: Vec<NodeId> = (2..participants + 2).map(NodeId).collect();
        let symmetric = world(participants, Rules::All).symmetric(&[&ids], |outcomes, _| outcomes.clone());
        let reduced = checker(&symmetric).run();
        println!("{plain}\n{reduced}");
        assert_eq!((plain.ended, reduced.ended), (Ended::Exhausted, Ended::Exhausted));
        assert_eq!((plain.states, reduced.states), (states, orbits));
    }
}

/// The rule behind presumed abort: after a restart a forgotten commit is answered with abort.
#[test]
fn a_commit_that_is_not_written_down_is_found() {
    let world = world(2, Rules::CommitNotWritten).crashes_and_restarts(1);
    let report = checker(&world).run();
    let found = report.violation.as_ref().expect("the coordinator forgets what it told");
    println!("{report}\n{}", world.trace(&world.schedule(found)));
    assert_eq!((found.broken, found.steps.len()), (Broken::Invariant, 10));
    assert!(world.ends_in(&world.schedule(found), found.last()));
}

#[test]
fn who_is_in_doubt_learns_the_outcome_if_the_dead_come_back() {
    let doubt =
        |id: u64| move |world: &World, state: &_| world.view(state).node(NodeId(id)).is_some_and(|node| node.in_doubt);
    let settled =
        |id: u64| move |world: &World, state: &_| world.view(state).node(NodeId(id)).is_some_and(|node| !node.in_doubt);
    let returning = world(2, Rules::All).crashes_and_restarts(1);
    let in_the_end = || checker(&returning).leads_to("termination", doubt(2), settled(2));
    let report = in_the_end().bounds_are_budgets(ASKS_AGAIN).run();
    println!("{report}");
    assert!(report.holds() && report.to_string().contains(ASKS_AGAIN), "{report}");
    let report = in_the_end().run();
    assert_eq!((report.ended, report.holds(), report.states), (Ended::Undecided, false, 7_742), "{report}");

    // The blocking that three-phase commit was invented against.
    let dying = world(2, Rules::All).crashes(1);
    let report = checker(&dying).leads_to("termination", doubt(2), settled(2)).run();
    let found = report.violation.as_ref().expect("no node may decide alone");
    println!("{report}");
    assert!(found.actions().iter().any(|action| action.starts_with("n1 crashes")), "{found}");
}

#[test]
#[should_panic(expected = "liveness and symmetry")]
fn liveness_and_symmetry_are_refused_together() {
    let world = world(2, Rules::All).symmetric(&[&[NodeId(2), NodeId(3)]], |outcomes, _| outcomes.clone());
    let _ = checker(&world).eventually("termination", |world, state| !world.view(state).history().is_empty()).run();
}

#[test]
fn a_symmetric_liveness_property_is_checked_on_every_state() {
    let world = world(2, Rules::All).symmetric(&[&[NodeId(2), NodeId(3)]], |outcomes, _| outcomes.clone());
    let report = checker(&world)
        .leads_to(
            "termination",
            |world, state| world.view(state).commands_left(0) == 0,
            |world, state| !world.view(state).history().is_empty(),
        )
        .symmetric()
        .bounds_are_budgets(ASKS_AGAIN)
        .run();
    assert!(report.holds(), "{report}");
}
