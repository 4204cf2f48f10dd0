//! The test bodies that must hold in every world, one function per protocol.

use crate::echo::{Answered, Call, Echo};
use crate::talk::{Say, Talk, Word};
use crate::{Cluster, World};
use std::collections::BTreeMap;
use volvox_channel::{Channel, Config as ChannelConfig, Limits};
use volvox_core::{Bytes, Duration, Fault, NodeId};
use volvox_raft::{Command, Config as RaftConfig, Configuration, Event, Member, Payload, Raft, RoleKind, Ticket};

const ONE: NodeId = NodeId(1);
const TWO: NodeId = NodeId(2);
const THREE: NodeId = NodeId(3);

fn fault(text: &str) -> Fault {
    text.parse().expect("a fault")
}

/// The echo: answers come from the called nodes, answered calls are on a disk, and survive a restart. Links are FIFO.
pub mod echoes {
    use super::*;

    /// Three nodes.
    pub fn cluster() -> Cluster<Echo> {
        Cluster { nodes: 3, config: |_, _| () }
    }

    /// The body.
    pub fn body(world: &mut impl World<Echo>) {
        for (number, (from, to)) in [(ONE, TWO), (TWO, THREE), (THREE, ONE)].into_iter().enumerate() {
            let number = number as u64;
            world.command(from, Call { to, number });
            let wanted = Answered { from: to, number, written: 1 };
            world.wait("an answer", |id, answer| (id, answer) == (from, &wanted));
        }
        (10..110).for_each(|number| world.command(ONE, Call { to: TWO, number }));
        let mut next = 10;
        world.wait("a hundred answers, in order", |_, answer| {
            let wanted = Answered { from: TWO, number: next, written: next - 8 };
            assert_eq!(*answer, wanted);
            next += 1;
            next == 110
        });
        world.crash(TWO);
        world.start(TWO);
        // The first calls may be lost with the old connection; the count says whether anything else was.
        let mut asked = 200;
        world.command(ONE, Call { to: TWO, number: asked });
        loop {
            let mut written = 0;
            world.command(THREE, Call { to: ONE, number: asked });
            world.wait("a sign of life from node 1 or 2", |_, answer| {
                written = if answer.from == TWO { answer.written } else { 0 };
                true
            });
            if written > 0 {
                assert!(written > 101 && written <= 101 + (asked - 199), "node 2 remembers {written} calls");
                return;
            }
            asked += 1;
            world.command(ONE, Call { to: TWO, number: asked });
        }
    }
}

/// The channel: everything arrives once and in order over a lossy link, through a partition, and a restarted receiver
/// gets everything that was not sent to its previous boot.
pub mod channel {
    use super::*;

    /// Two nodes.
    pub fn cluster() -> Cluster<Channel<Talk>> {
        Cluster {
            nodes: 2,
            config: |_, _| ChannelConfig {
                child: (),
                limits: Limits { repeat_after: Duration::from_millis(20), ..Limits::default() },
            },
        }
    }

    /// The body.
    pub fn body(world: &mut impl World<Channel<Talk>>) {
        say(world, 0..300);
        hear(world, 0..300);

        world.faults(&[fault("slow 1->2 loss 30%"), fault("slow 2->1 loss 30%")]);
        say(world, 300..600);
        hear(world, 300..600);

        world.faults(&[fault("partition 1|2")]);
        say(world, 600..900);
        world.faults(&[]);
        hear(world, 600..900);

        world.crash(TWO);
        world.start(TWO);
        // Messages to the previous boot are lost with it: say something until it is delivered; from then on the
        // guarantee must hold.
        let mut number = 1_000;
        let mut met = false;
        while !met {
            say(world, number..number + 1);
            world.command(TWO, Say { to: ONE, number: 9_999 });
            world.wait("a word, either way", |id, word| {
                met |= id == TWO && word.0 >= 1_000;
                true
            });
            number += 1;
        }
        say(world, 5_000..5_300);
        let mut next = 5_000;
        world.wait("everything after the restart", |id, word| {
            if id == TWO && word.0 >= 5_000 {
                assert_eq!(word.0, next);
                next += 1;
            }
            next == 5_300
        });
    }

    fn say(world: &mut impl World<Channel<Talk>>, numbers: std::ops::Range<u64>) {
        numbers.for_each(|number| world.command(ONE, Say { to: TWO, number }));
    }

    fn hear(world: &mut impl World<Channel<Talk>>, numbers: std::ops::Range<u64>) {
        let (mut next, end) = (numbers.start, numbers.end);
        world.wait("every word, once and in order", |id, word| {
            assert_eq!((id, word), (TWO, &Word(next)));
            next += 1;
            next == end
        });
    }
}

/// Raft: a leader is elected, entries are committed everywhere in the same order, even when the leader crashes and
/// restarts, and no committed entry is lost.
pub mod raft {
    use super::*;

    /// Three voters.
    pub fn cluster() -> Cluster<Raft> {
        Cluster {
            nodes: 3,
            config: |_, incarnation| RaftConfig {
                incarnation,
                initial: Some(Configuration::of([Member::new(1, 1), Member::new(2, 1), Member::new(3, 1)])),
                heartbeat: Duration::from_millis(30),
                election_timeout: Duration::from_millis(200),
                alone: true,
                ..RaftConfig::default()
            },
        }
    }

    /// The events of the nodes so far.
    #[derive(Default)]
    struct Told {
        leader: Option<NodeId>,
        /// Everything that each node committed, in its order, in its present life.
        committed: BTreeMap<NodeId, Vec<Bytes>>,
        next_ticket: u64,
    }

    impl Told {
        fn note(&mut self, id: NodeId, event: &Event) {
            match event {
                Event::RoleChanged { role: RoleKind::Leader, .. } => self.leader = Some(id),
                Event::RoleChanged { .. } if self.leader == Some(id) => self.leader = None,
                Event::Committed { entries } => {
                    let log = self.committed.entry(id).or_default();
                    log.extend(entries.iter().filter_map(|entry| match &entry.payload {
                        Payload::Data(data) => Some(data.clone()),
                        _ => None,
                    }));
                }
                _ => {}
            }
        }

        fn agree(&self) {
            let mut logs: Vec<&Vec<Bytes>> = self.committed.values().collect();
            logs.sort_by_key(|log| log.len());
            for pair in logs.windows(2) {
                assert!(pair[1].starts_with(pair[0]), "two orders of committed entries");
            }
        }
    }

    /// The body.
    pub fn body(world: &mut impl World<Raft>) {
        let mut told = Told::default();
        for number in 0..20u64 {
            commit(world, &mut told, number, 3);
        }
        let dead = leader(world, &mut told);
        world.crash(dead);
        told.leader = None;
        told.committed.remove(&dead);
        for number in 20..40 {
            commit(world, &mut told, number, 2);
        }
        world.start(dead);
        for number in 40..60 {
            commit(world, &mut told, number, 2);
        }
        world.wait("the restarted node has everything", |id, event| {
            told.note(id, event);
            told.agree();
            told.committed.get(&dead).is_some_and(|log| log.len() >= 60)
        });
        // Every entry was proposed until it was committed, and may be there twice, but none is missing.
        let log = &told.committed[&dead];
        for number in 0..60u64 {
            assert!(log.contains(&Bytes::from(&number.to_le_bytes())), "entry {number} is lost");
        }
    }

    fn leader(world: &mut impl World<Raft>, told: &mut Told) -> NodeId {
        if told.leader.is_none() {
            world.wait("a leader", |id, event| {
                told.note(id, event);
                told.leader.is_some()
            });
        }
        told.leader.expect("just elected")
    }

    /// Proposes an entry until `nodes` nodes have committed it.
    fn commit(world: &mut impl World<Raft>, told: &mut Told, number: u64, nodes: usize) {
        let data = Bytes::from(&number.to_le_bytes());
        let mut done = false;
        while !done {
            let leader = leader(world, told);
            told.next_ticket += 1;
            let ticket = Ticket(told.next_ticket);
            world.command(leader, Command::Propose { ticket, data: data.clone() });
            world.wait("an entry commits, or its leader falls", |id, event| {
                told.note(id, event);
                told.agree();
                done = told.committed.values().filter(|log| log.contains(&data)).count() >= nodes;
                let refused = matches!(event, Event::Refused { ticket: refused, .. } if *refused == ticket);
                done || refused || told.leader != Some(leader)
            });
        }
    }
}
