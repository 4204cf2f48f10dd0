//! Nodes join a Chord ring (Stoica et al. 2001, section 4.4), with the successor lists and the order of repair of
//! Zave (2017), who showed that the published rules lose the ring. One of the six users of `Process` before it was frozen
//! (`decisions/0001`): a large ring, recursion over nodes, repair. Short and real, and not the whole of Chord: fingers and
//! moving keys wait for a crate of overlays.

use volvox_core::{Context, Duration, MessageKind, NodeId, Process, fingerprint_of};
use volvox_sim::bench::ms;
use volvox_sim::{Builder, FaultPlan, FaultWeights, Happening, Latency, Simulation, Stop};

/// In a spike the debug form is good enough for the trace.
macro_rules! shown_as_debugged {
    ($($name:ty),*) => {$(
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{self:?}")
            }
        }
    )*};
}

/// A type without values.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Never {}

shown_as_debugged!(Never);

/// A place on the ring of 2^64.
fn place(id: NodeId) -> u64 {
    fingerprint_of(&id) as u64
}

/// Whether `what` lies on the way from `after` up to and with `until`, around the ring.
fn between(after: u64, what: u64, until: u64) -> bool {
    what.wrapping_sub(after).wrapping_sub(1) <= until.wrapping_sub(after).wrapping_sub(1)
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Message {
    /// Whose is this place? Forwarded until a node knows; `hops` bounds that.
    Find {
        place: u64,
        origin: NodeId,
        ticket: u64,
        hops: u32,
    },
    Found {
        owner: NodeId,
        ticket: u64,
        hops: u32,
    },
    /// Who precedes you, and who follows?
    AskNeighbours,
    Neighbours {
        predecessor: Option<NodeId>,
        successors: Vec<NodeId>,
    },
    /// I may be your predecessor.
    Notify,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Lookup(u64);

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Owner {
    place: u64,
    owner: NodeId,
    hops: u32,
}

shown_as_debugged!(Message, Lookup, Owner);

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Find { .. } => "Find",
            Message::Found { .. } => "Found",
            Message::AskNeighbours => "AskNeighbours",
            Message::Neighbours { .. } => "Neighbours",
            Message::Notify => "Notify",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Timer {
    Stabilise,
    /// The successor did not answer.
    Silence,
    /// The predecessor has been silent.
    Forgotten,
}

const SUCCESSORS: usize = 4;
/// Longer than a way there and back, shorter than a period: restarting a timer replaces it.
const SILENCE: Duration = Duration::from_millis(60);
const HOPS_MAX: u32 = 256;

struct Chord {
    id: NodeId,
    bootstrap: NodeId,
    predecessor: Option<NodeId>,
    /// Nearest first; empty until the node has joined.
    successors: Vec<NodeId>,
    lookups: Vec<u64>,
}

impl Process for Chord {
    type Config = ();
    type Message = Message;
    type Timer = Timer;
    type Record = Never;
    type Command = Lookup;
    type Event = Owner;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], (): &()) -> Chord {
        Chord { id, bootstrap: members[0], predecessor: None, successors: Vec::new(), lookups: Vec::new() }
    }

    fn on_start(&mut self, cx: &mut Context<'_, Chord>) {
        self.on_timer(Timer::Stabilise, cx);
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Chord>) {
        match message {
            Message::Find { place, origin, ticket, hops } => self.find(place, origin, ticket, hops, cx),
            Message::Found { owner, ticket: 0, .. } => {
                if self.successors.is_empty() && owner != self.id {
                    self.successors.push(owner);
                }
            }
            Message::Found { owner, ticket, hops } => {
                if let Some(place) = self.lookups.get(ticket as usize - 1) {
                    cx.emit(Owner { place: *place, owner, hops });
                }
            }
            Message::AskNeighbours => {
                let answer = Message::Neighbours { predecessor: self.predecessor, successors: self.successors.clone() };
                cx.send(from, answer);
            }
            Message::Neighbours { predecessor, successors } => {
                self.on_neighbours(from, predecessor, successors, cx);
            }
            Message::Notify => {
                let nearer = |old: NodeId| between(place(old), place(from), place(self.id).wrapping_sub(1));
                if self.predecessor.is_none_or(nearer) {
                    self.predecessor = Some(from);
                }
                if self.predecessor == Some(from) {
                    cx.set_timer(Timer::Forgotten, ms(500));
                }
                if self.successors.is_empty() && self.id == self.bootstrap {
                    self.successors.push(from);
                }
            }
        }
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut Context<'_, Chord>) {
        if timer == Timer::Forgotten {
            self.predecessor = None;
            return;
        }
        if timer == Timer::Silence && !self.successors.is_empty() {
            self.successors.remove(0);
        }
        match self.successors.first() {
            Some(next) => {
                cx.send(*next, Message::AskNeighbours);
                cx.set_timer(Timer::Silence, SILENCE);
            }
            None if self.id != self.bootstrap => {
                let find = Message::Find { place: place(self.id), origin: self.id, ticket: 0, hops: 0 };
                cx.send(self.bootstrap, find);
            }
            None => {}
        }
        if timer == Timer::Stabilise {
            let period = Duration::from_micros(100_000 + cx.rng().below(50_000));
            cx.set_timer(Timer::Stabilise, period);
        }
    }

    fn on_command(&mut self, Lookup(place): Lookup, cx: &mut Context<'_, Chord>) {
        self.lookups.push(place);
        let ticket = self.lookups.len() as u64;
        self.find(place, self.id, ticket, 0, cx);
    }

    fn view(&self) {}
}

impl Chord {
    fn find(&mut self, wanted: u64, origin: NodeId, ticket: u64, hops: u32, cx: &mut Context<'_, Chord>) {
        let Some(next) = self.successors.first().copied() else {
            // Alone: the ring is this node.
            if self.id == self.bootstrap && origin != self.id {
                cx.send(origin, Message::Found { owner: self.id, ticket, hops });
            }
            return;
        };
        if between(place(self.id), wanted, place(next)) {
            if origin == self.id {
                // No message goes to oneself: what would arrive is done at once.
                self.on_message(self.id, Message::Found { owner: next, ticket, hops }, cx);
            } else {
                cx.send(origin, Message::Found { owner: next, ticket, hops });
            }
        } else if hops < HOPS_MAX {
            // The furthest successor that does not pass the place.
            let passes = |id: &&NodeId| between(place(self.id), place(**id), wanted.wrapping_sub(1));
            let via = self.successors.iter().rev().find(passes).copied().unwrap_or(next);
            cx.send(via, Message::Find { place: wanted, origin, ticket, hops: hops + 1 });
        }
    }

    fn on_neighbours(
        &mut self,
        from: NodeId,
        predecessor: Option<NodeId>,
        successors: Vec<NodeId>,
        cx: &mut Context<'_, Chord>,
    ) {
        if self.successors.first() != Some(&from) {
            return;
        }
        cx.cancel_timer(Timer::Silence);
        self.successors.truncate(1);
        let more = successors.into_iter().filter(|id| *id != self.id);
        self.successors.extend(more.take(SUCCESSORS - 1));
        cx.send(from, Message::Notify);
        // A node joined between this node and its successor. It is pinged before it is believed (Zave 2017): it may be
        // dead.
        if let Some(nearer) = predecessor
            && nearer != self.id
            && between(place(self.id), place(nearer), place(from).wrapping_sub(1))
        {
            self.successors.insert(0, nearer);
            self.successors.truncate(SUCCESSORS);
            cx.send(nearer, Message::AskNeighbours);
            cx.set_timer(Timer::Silence, SILENCE);
        }
    }
}

/// Whether every living node's successor and predecessor are what the ring of all living nodes says.
fn is_ideal(sim: &Simulation<Chord>) -> bool {
    let mut ring: Vec<NodeId> = sim.live().map(|(id, _)| id).collect();
    ring.sort_by_key(|id| place(*id));
    let count = ring.len();
    (0..count).all(|index| {
        let node = sim.node(ring[index]).expect("living");
        let wanted: Vec<NodeId> = (1..=SUCCESSORS.min(count - 1)).map(|step| ring[(index + step) % count]).collect();
        node.successors == wanted && node.predecessor == Some(ring[(index + count - 1) % count])
    })
}

const NODES: u64 = 40;

#[test]
fn nodes_that_join_at_any_moment_form_the_ring_and_lookups_find_the_owner() {
    for seed in 0..15 {
        let latency = Latency::Uniform(ms(1), ms(20));
        let weights = FaultWeights { slow: 1, pause: 1, ..FaultWeights::NONE };
        let plan = FaultPlan { weights, until: ms(4_000), ..FaultPlan::default() };
        let mut sim =
            Builder::<Chord>::new(seed, NODES, ()).latency(latency).faults(plan).start_within(ms(3_000)).build();
        let stop = sim.run_until(ms(60_000), |sim| sim.live().count() == NODES as usize && is_ideal(sim));
        assert_eq!(stop, Stop::Done, "seed {seed}");
        sim.happened().for_each(drop);
        let mut ring: Vec<u64> = sim.ids().map(place).collect();
        ring.sort_unstable();
        let mut rng = sim.rng(0);
        for _ in 0..200 {
            let lookup = Lookup(rng.next_u64());
            sim.command(NodeId(rng.between(1, NODES)), lookup);
        }
        sim.revive();
        assert_eq!(sim.run_for(ms(2_000)), Stop::Deadline);
        let owners: Vec<Owner> = sim
            .happened()
            .filter_map(|one| match one.what {
                Happening::Event(owner) => Some(owner),
                _ => None,
            })
            .collect();
        assert_eq!(owners.len(), 200, "seed {seed}");
        for found in owners {
            let wanted = ring.iter().find(|node| **node >= found.place).unwrap_or(&ring[0]);
            assert_eq!(place(found.owner), *wanted, "seed {seed}");
            // With four successors and no fingers a lookup walks a quarter of the ring at most.
            assert!(u64::from(found.hops) <= NODES / SUCCESSORS as u64 + 1, "{found:?}");
        }
    }
}

#[test]
fn the_ring_closes_over_nodes_that_die() {
    for seed in 0..15 {
        let mut sim = Builder::<Chord>::new(seed, NODES, ()).latency(Latency::Uniform(ms(1), ms(20))).build();
        let joined = |sim: &mut Simulation<Chord>| sim.live().count() == NODES as usize && is_ideal(sim);
        assert_eq!(sim.run_until(ms(60_000), joined), Stop::Done);
        for id in [3, 17, 28] {
            sim.apply_fault(&format!("crash {id}").parse().expect("a fault"));
        }
        assert_eq!(sim.run_until(ms(60_000), |sim| is_ideal(sim)), Stop::Done, "seed {seed}");
        assert_eq!(sim.live().count() as u64, NODES - 3);
    }
}

#[test]
fn between_goes_around_the_ring() {
    assert!(between(10, 11, 20) && between(10, 20, 20) && !between(10, 10, 20) && !between(10, 21, 20));
    assert!(between(u64::MAX - 1, 3, 5) && !between(u64::MAX - 1, 6, 5));
    assert!(between(7, 3, 7) && between(7, 7, 7), "from a place to itself is the whole ring");
}
