//! Two-phase commit with recovery (Gray 1978; Bernstein, Hadzilacos and Goodman 1987, 7.4): presumed abort.
//!
//! Node 1 coordinates. It writes a decision to commit before it tells it, and forgets aborts. A participant writes
//! that it is prepared before it votes yes, and asks for the outcome as long as it is in doubt: it may not decide
//! alone, however long that takes (the blocking that three-phase commit was invented against).

use super::followed::{SEEDS, everything, follow};
use super::{ms, shown_as_debugged};
use std::collections::{BTreeMap, BTreeSet};
use volvox_core::{Context, Duration, MessageKind, NodeId, Process, Restored};
use volvox_sim::{Builder, FaultPlan, FaultWeights, Happening, Latency, Stop, run_seed};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Message {
    Prepare(u64),
    Vote(u64, bool),
    Outcome(u64, bool),
    Ask(u64),
    Done(u64),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Record {
    /// The coordinator decided to commit.
    Committed(u64),
    /// All participants know.
    Forgotten(u64),
    /// A participant voted yes.
    Prepared(u64),
    /// A participant heard the outcome.
    Learned(u64, bool),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Begin(u64);

/// This node applied the outcome.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Applied(u64, bool);

shown_as_debugged!(Message, Record, Begin, Applied);

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Prepare(_) => "Prepare",
            Message::Vote(..) => "Vote",
            Message::Outcome(..) => "Outcome",
            Message::Ask(_) => "Ask",
            Message::Done(_) => "Done",
        }
    }
}

#[derive(Hash)]
struct Node {
    participants: Vec<NodeId>,
    /// Of the coordinator: who has not voted yet.
    voting: BTreeMap<u64, BTreeSet<NodeId>>,
    /// Of the coordinator: who has not confirmed yet.
    committed: BTreeMap<u64, BTreeSet<NodeId>>,
    /// Of a participant.
    in_doubt: BTreeSet<u64>,
    learned: BTreeMap<u64, bool>,
}

const COORDINATOR: NodeId = NodeId(1);
const RETRY: Duration = Duration::from_millis(40);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Timer {
    /// The coordinator gives up waiting for votes, or tells an outcome again.
    Coordinate(u64),
    /// A participant asks again.
    Ask(u64),
}

impl Process for Node {
    type Config = ();
    type Message = Message;
    type Timer = Timer;
    type Record = Record;
    type Command = Begin;
    type Event = Applied;
    type View = ();

    fn new(_: NodeId, members: &[NodeId], (): &()) -> Node {
        Node {
            participants: members.iter().copied().filter(|id| *id != COORDINATOR).collect(),
            voting: BTreeMap::new(),
            committed: BTreeMap::new(),
            in_doubt: BTreeSet::new(),
            learned: BTreeMap::new(),
        }
    }

    fn on_restore(&mut self, restored: Restored<Record>) {
        let Restored::Record { record, .. } = restored else { return };
        match record {
            Record::Committed(id) => {
                self.committed.insert(id, self.participants.iter().copied().collect());
            }
            Record::Forgotten(id) => {
                self.committed.remove(&id);
            }
            Record::Prepared(id) => {
                self.in_doubt.insert(id);
            }
            Record::Learned(id, outcome) => {
                self.in_doubt.remove(&id);
                self.learned.insert(id, outcome);
            }
        }
    }

    fn on_start(&mut self, cx: &mut Context<'_, Node>) {
        self.committed.keys().for_each(|id| cx.set_timer(Timer::Coordinate(*id), RETRY));
        self.in_doubt.iter().for_each(|id| cx.set_timer(Timer::Ask(*id), RETRY));
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Node>) {
        match message {
            Message::Prepare(id) => self.on_prepare(id, cx),
            Message::Vote(id, yes) => self.on_vote(id, from, yes, cx),
            Message::Outcome(id, outcome) => self.on_outcome(id, outcome, cx),
            // What the coordinator does not remember, and does not vote on, is aborted.
            Message::Ask(id) if !self.voting.contains_key(&id) => {
                cx.send(from, Message::Outcome(id, self.committed.contains_key(&id)));
            }
            Message::Ask(_) => {}
            Message::Done(id) => {
                let Some(waiting) = self.committed.get_mut(&id) else { return };
                waiting.remove(&from);
                if waiting.is_empty() {
                    self.committed.remove(&id);
                    cx.persist(Record::Forgotten(id));
                    cx.cancel_timer(Timer::Coordinate(id));
                }
            }
        }
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut Context<'_, Node>) {
        match timer {
            Timer::Coordinate(id) if self.voting.remove(&id).is_some() => self.abort(id, cx),
            Timer::Coordinate(id) => self.tell_commit(id, cx),
            Timer::Ask(id) => {
                cx.send(COORDINATOR, Message::Ask(id));
                cx.set_timer(timer, RETRY);
            }
        }
    }

    fn on_command(&mut self, Begin(id): Begin, cx: &mut Context<'_, Node>) {
        self.voting.insert(id, self.participants.iter().copied().collect());
        cx.broadcast(&self.participants, Message::Prepare(id));
        cx.set_timer(Timer::Coordinate(id), RETRY * 3);
    }

    fn view(&self) {}
}

impl Node {
    fn on_prepare(&mut self, id: u64, cx: &mut Context<'_, Node>) {
        if self.learned.contains_key(&id) || self.in_doubt.contains(&id) {
            return;
        }
        let yes = cx.choose(10) > 0;
        if yes {
            self.in_doubt.insert(id);
            cx.persist(Record::Prepared(id));
            cx.set_timer(Timer::Ask(id), RETRY);
        }
        cx.send(COORDINATOR, Message::Vote(id, yes));
    }

    fn on_vote(&mut self, id: u64, from: NodeId, yes: bool, cx: &mut Context<'_, Node>) {
        let Some(missing) = self.voting.get_mut(&id) else { return };
        missing.remove(&from);
        if !yes {
            self.voting.remove(&id);
            cx.cancel_timer(Timer::Coordinate(id));
            self.abort(id, cx);
        } else if missing.is_empty() {
            self.voting.remove(&id);
            self.committed.insert(id, self.participants.iter().copied().collect());
            cx.persist(Record::Committed(id));
            cx.emit(Applied(id, true));
            self.tell_commit(id, cx);
        }
    }

    fn abort(&mut self, id: u64, cx: &mut Context<'_, Node>) {
        cx.emit(Applied(id, false));
        cx.broadcast(&self.participants, Message::Outcome(id, false));
    }

    fn tell_commit(&mut self, id: u64, cx: &mut Context<'_, Node>) {
        if let Some(waiting) = self.committed.get(&id) {
            cx.broadcast(waiting, Message::Outcome(id, true));
            cx.set_timer(Timer::Coordinate(id), RETRY);
        }
    }

    fn on_outcome(&mut self, id: u64, outcome: bool, cx: &mut Context<'_, Node>) {
        if self.in_doubt.remove(&id) {
            self.learned.insert(id, outcome);
            cx.persist(Record::Learned(id, outcome));
            cx.cancel_timer(Timer::Ask(id));
            cx.emit(Applied(id, outcome));
        }
        if outcome {
            cx.send(COORDINATOR, Message::Done(id));
        }
    }
}

#[test]
fn all_that_decide_decide_the_same_and_nobody_stays_in_doubt() {
    let (mut commits, mut aborts) = (0, 0);
    for seed in 0..60 {
        let outcome = run_seed("cargo test -p volvox-sim two_phase_commit", seed, 80, |seed, ring| {
            let plan = FaultPlan {
                weights: FaultWeights { crash: 8, crash_all: 1, pause: 2, ..FaultWeights::NETWORK },
                down_max: Some(3),
                every: Latency::Exponential { minimum: ms(1), mean: ms(80) },
                lasting: Latency::Exponential { minimum: ms(1), mean: ms(150) },
                until: ms(3_000),
                ..FaultPlan::default()
            };
            let mut sim = Builder::<Node>::new(seed, 4, ()).faults(plan).trace(ring).build();
            for id in 0..60 {
                sim.command_after(ms(id * 50), COORDINATOR, Begin(id));
            }
            let mut decided = BTreeMap::<u64, bool>::new();
            let mut wrong = None;
            let mut watch = |sim: &mut volvox_sim::Simulation<Node>| {
                for happened in sim.happened() {
                    let Happening::Event(Applied(id, outcome)) = happened.what else { continue };
                    if *decided.entry(id).or_insert(outcome) != outcome {
                        wrong = Some(format!("{} applies {outcome} for {id}", happened.node));
                    }
                }
                wrong.is_some()
            };
            let _ = sim.run_until(ms(3_500), &mut watch);
            sim.revive();
            let _ = sim.run_until(ms(3_000), &mut watch);
            let doubtful = sim.live().find(|(_, node)| !node.in_doubt.is_empty() || !node.committed.is_empty());
            match (wrong, doubtful) {
                (Some(wrong), _) => Err(wrong),
                (None, Some((id, node))) => Err(format!("{id} still waits: {:?} {:?}", node.in_doubt, node.committed)),
                (None, None) => Ok(decided),
            }
        });
        let decided = outcome.unwrap_or_else(|failure| panic!("{failure}"));
        commits += decided.values().filter(|outcome| **outcome).count();
        aborts += decided.values().filter(|outcome| !**outcome).count();
    }
    assert!(commits > 300 && aborts > 300, "{commits} commits, {aborts} aborts");
}

#[test]
fn a_dead_coordinator_leaves_everybody_in_doubt() {
    let mut sim = Builder::<Node>::new(3, 3, ()).latency(Latency::Constant(ms(5))).build();
    sim.command(COORDINATOR, Begin(1));
    let stop = sim.run_until(ms(100), |sim| sim.live().filter(|(_, node)| !node.in_doubt.is_empty()).count() == 2);
    assert_eq!(stop, Stop::Done);
    sim.apply_fault(&"crash 1".parse().expect("a fault"));
    let _ = sim.run_for(ms(10_000));
    assert!(sim.live().all(|(_, node)| node.in_doubt.contains(&1)), "nobody may decide alone");
}

#[test]
fn a_run_with_records_and_crashes_is_followed_by_hand() {
    let build = |builder: Builder<Node>| {
        let mut sim = builder.faults(everything(2_500)).build();
        (0..40).for_each(|id| sim.command_after(ms(id * 50), COORDINATOR, Begin(id)));
        sim
    };
    let actions: usize = (0..SEEDS).map(|seed| follow(seed, build, 3_000)).sum();
    assert!(actions > 50_000, "{actions}");
}
