//! Mutual exclusion after Ricart and Agrawala (1981), over the reliable channel: 2(N-1) messages an entry.
//!
//! A node asks everybody, with a Lamport timestamp, and enters when everybody has replied. Whoever is inside, or asked
//! earlier, replies later. The algorithm counts on every message to arrive, which is the channel's business.

use super::{Never, ms, shown_as_debugged};
use std::collections::BTreeSet;
use volvox_channel::{Channel, Config, Limits};
use volvox_core::{Context, MessageKind, NodeId, Process};
use volvox_sim::{Builder, FaultPlan, FaultWeights, Happening, Stop, run_seed};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Message {
    Request(u64),
    Reply,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Enter;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Section {
    Entered,
    Left,
}

shown_as_debugged!(Message, Enter, Section);

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Request(_) => "Request",
            Message::Reply => "Reply",
        }
    }
}

struct Mutex {
    id: NodeId,
    peers: Vec<NodeId>,
    clock: u64,
    /// When this node asked, and who has not replied.
    asking: Option<(u64, BTreeSet<NodeId>)>,
    inside: bool,
    deferred: BTreeSet<NodeId>,
    /// Entries asked for while one is under way.
    queued: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Leave;

impl Process for Mutex {
    type Config = ();
    type Message = Message;
    type Timer = Leave;
    type Record = Never;
    type Command = Enter;
    type Event = Section;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], (): &()) -> Mutex {
        let peers = members.iter().copied().filter(|peer| *peer != id).collect();
        Mutex { id, peers, clock: 0, asking: None, inside: false, deferred: BTreeSet::new(), queued: 0 }
    }

    fn on_start(&mut self, _: &mut Context<'_, Mutex>) {}

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Mutex>) {
        match message {
            Message::Request(stamp) => {
                self.clock = self.clock.max(stamp) + 1;
                let mine_first = match &self.asking {
                    Some((mine, _)) => (*mine, self.id) < (stamp, from),
                    None => self.inside,
                };
                if mine_first || self.inside {
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
                    cx.emit(Section::Entered);
                    let stay = ms(1 + u64::from(cx.choose(10)));
                    cx.set_timer(Leave, stay);
                }
            }
        }
    }

    fn on_timer(&mut self, Leave: Leave, cx: &mut Context<'_, Mutex>) {
        self.inside = false;
        cx.emit(Section::Left);
        cx.broadcast(&self.deferred, Message::Reply);
        self.deferred.clear();
        if self.queued > 0 {
            self.queued -= 1;
            self.ask(cx);
        }
    }

    fn on_command(&mut self, Enter: Enter, cx: &mut Context<'_, Mutex>) {
        if self.asking.is_some() || self.inside {
            self.queued += 1;
        } else {
            self.ask(cx);
        }
    }

    fn view(&self) {}
}

impl Mutex {
    fn ask(&mut self, cx: &mut Context<'_, Mutex>) {
        self.clock += 1;
        self.asking = Some((self.clock, self.peers.iter().copied().collect()));
        cx.broadcast(&self.peers, Message::Request(self.clock));
    }
}

const NODES: u64 = 5;
const ENTRIES: u64 = 100;

#[test]
fn one_at_a_time_everybody_in_the_end_and_two_messages_a_peer() {
    for seed in 0..30 {
        let outcome = run_seed("cargo test -p volvox-sim ricart_agrawala", seed, 80, |seed, ring| {
            let config = Config { child: (), limits: Limits::default() };
            let weights = FaultWeights { pause: 2, ..FaultWeights::NETWORK };
            let plan = FaultPlan { weights, from: ms(0), until: ms(3_000), ..FaultPlan::default() };
            let mut sim = Builder::<Channel<Mutex>>::new(seed, NODES, config)
                .faults(plan)
                .invariant("one at a time", |sim, _| {
                    let inside = sim.live().filter(|(_, node)| node.child().inside).count();
                    if inside <= 1 { Ok(()) } else { Err(format!("{inside} nodes are inside")) }
                })
                .trace(ring)
                .build();
            let mut rng = sim.rng(0);
            for _ in 0..ENTRIES {
                let node = NodeId(rng.between(1, NODES));
                sim.command_after(ms(rng.below(2_000)), node, Enter);
            }
            let mut entered = 0;
            let stop = sim.run_until(ms(120_000), |sim| {
                entered += sim.happened().filter(|one| one.what == Happening::Event(Section::Entered)).count() as u64;
                entered == ENTRIES
            });
            match (stop, sim.violation()) {
                (Stop::Done, _) => Ok(sim.statistics().clone()),
                (_, Some(violation)) => Err(violation.to_string()),
                (stop, None) => Err(format!("{stop:?}: {entered} of {ENTRIES} entries")),
            }
        });
        let statistics = outcome.unwrap_or_else(|failure| panic!("{failure}"));
        // At least: the channel repeats what is lost, and counts each repetition.
        assert!(statistics.kinds.of("Request") >= (NODES - 1) * ENTRIES);
    }
    let config = Config { child: (), limits: Limits::default() };
    let mut sim = Builder::<Channel<Mutex>>::new(1, NODES, config).build();
    for entry in 0..ENTRIES {
        sim.command_after(ms(entry * 100), NodeId(entry % NODES + 1), Enter);
    }
    let _ = sim.run_for(ms(20_000));
    let kinds = &sim.statistics().kinds;
    assert_eq!(kinds.of("Request") + kinds.of("Reply"), 2 * (NODES - 1) * ENTRIES);
}
