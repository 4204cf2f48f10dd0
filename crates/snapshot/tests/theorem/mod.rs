//! Chandy and Lamport 1985, section 4, taken literally: the recorded state is reachable from the state in which the
//! snapshot began, and the state in which it ended is reachable from the recorded one.
//!
//! The proof permutes the run: first each process's events of before its recording, in their order, then all others. Here
//! the permuted run is carried out, with fresh branches and channels of its own, and must be a run.

use super::{Branch, busy, config};
use std::collections::{BTreeMap, VecDeque};
use volvox_core::{Choices, Context, Effect, Environment, Incarnation, NodeId, Position, Process, Rng};
use volvox_sim::{Builder, Happening, Latency};
use volvox_snapshot::bank::{self, Bank};
use volvox_snapshot::chandy_lamport::{Event, Graph, SnapshotId};

const NODES: u64 = 4;

/// A global state: the branches and the messages in transit between them.
struct Replay {
    branches: BTreeMap<NodeId, Bank>,
    channels: BTreeMap<(NodeId, NodeId), VecDeque<bank::Message>>,
}

impl Replay {
    fn new() -> Replay {
        let ids: Vec<NodeId> = (1..=NODES).map(NodeId).collect();
        let branch = |id: &NodeId| (*id, Bank::new(*id, &ids, &bank::Config::default()));
        Replay { branches: ids.iter().map(branch).collect(), channels: BTreeMap::new() }
    }

    /// Carries out an event of the original run; a receipt takes the oldest message in transit.
    fn follow(&mut self, node: NodeId, event: bank::Event) {
        let mut environment = Environment::new(node, Incarnation(1), Position::NONE, &Rng::new(0));
        environment.choices = Choices::Random(Rng::new(0));
        let mut effects = Vec::new();
        let branch = self.branches.get_mut(&node).expect("a branch");
        let cx = &mut Context::new(&mut environment, &mut effects);
        match event {
            bank::Event::Opened(_) => {}
            bank::Event::Paid { amount, to } => branch.on_command(bank::Command::Pay { amount, to }, cx),
            bank::Event::Received { amount, from } => {
                let oldest = self.channels.entry((from, node)).or_default().pop_front();
                assert_eq!(
                    oldest,
                    Some(bank::Message(amount)),
                    "{node} receives a message that is not in flight from {from}"
                );
                branch.on_message(from, bank::Message(amount), cx);
            }
        }
        for effect in effects {
            if let Effect::Send { to, message, .. } = effect {
                self.channels.entry((node, to)).or_default().push_back(message);
            }
        }
    }
}

#[test]
fn what_was_recorded_lies_on_a_way_from_the_beginning_to_the_end() {
    let mut was_under_way = 0;
    for seed in 0..30 {
        let latency = Latency::Uniform(std::time::Duration::from_millis(1), std::time::Duration::from_millis(40));
        let mut sim = Builder::<Branch>::new(seed, NODES, config(Graph::Mesh, None)).latency(latency).build();
        busy(&mut sim, NODES, 3);
        let _ = sim.run_for(std::time::Duration::from_secs(5));
        let run: Vec<_> = sim
            .happened()
            .filter_map(|one| match one.what {
                Happening::Event(event) => Some((one.node, event)),
                _ => None,
            })
            .collect();
        let snapshots: Vec<SnapshotId> = run
            .iter()
            .filter_map(|(node, told)| match told {
                Event::Complete(snapshot) if snapshot.beginner == *node => Some(*snapshot),
                _ => None,
            })
            .collect();
        assert_eq!(snapshots.len(), 3, "seed {seed}");
        for wanted in snapshots {
            let (mut before, mut after) = (Vec::new(), Vec::new());
            let (mut states, mut channels) = (BTreeMap::new(), BTreeMap::new());
            for (node, told) in &run {
                match told {
                    Event::Application(event) if states.contains_key(node) => after.push((*node, *event)),
                    Event::Application(event) => before.push((*node, *event)),
                    Event::State { snapshot, state } if *snapshot == wanted => {
                        drop(states.insert(*node, state.clone()))
                    }
                    Event::Channel { snapshot, from, messages } if *snapshot == wanted => {
                        channels.insert((*from, *node), VecDeque::from(messages.clone()));
                    }
                    _ => {}
                }
            }
            let mut replay = Replay::new();
            before.into_iter().for_each(|(node, event)| replay.follow(node, event));
            assert_eq!(replay.branches, states, "seed {seed}, {wanted}");
            channels.retain(|_, messages| !messages.is_empty());
            replay.channels.retain(|_, messages| !messages.is_empty());
            assert_eq!(replay.channels, channels, "seed {seed}, {wanted}");
            was_under_way += channels.len();
            after.into_iter().for_each(|(node, event)| replay.follow(node, event));
            for (id, node) in sim.live() {
                assert_eq!(replay.branches.get(&id), Some(node.application()), "seed {seed}, {wanted}");
            }
        }
    }
    assert!(was_under_way > 20, "channels were empty: nothing was shown of them");
}
