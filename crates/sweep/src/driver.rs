//! The driver of a run: its clients, what is known so far, and what it wants to do later.
//!
//! Each task of the driver has its module: `clients`, `streams`, `membership`, `damage`, `strikes`,
//! `progress`, and `run` for the course of the whole.

use crate::linearizability::Operation as RegisterOperation;
use crate::log_disk::Disks;
use crate::moments::Strike;
use crate::operations::Asked;
use crate::rare::RarePaths;
use crate::shape::{Shape, peer_url};
use crate::truth::Truth;
use crate::watchers::Stream;
use crate::workload::Workload;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use volvox_core::{Bytes, Duration, Incarnation, Instant, NodeId, Process, Rng};
use volvox_raft::invariants::Observer;
use volvox_replica::{MemberRequest, Replica, StreamId, Ticket, View};
use volvox_service::{Caller, Leaderless, Limits};
use volvox_sim::{Counts, Simulation};

/// The simulated world of a run.
pub type World = Simulation<Replica>;

/// Something that the driver of a run wants to do later.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wake {
    /// A client asks its next question.
    Client(usize),
    /// A client has waited long enough.
    Patience(Ticket),
    /// A watch stream is opened, or looked after.
    Stream(usize),
    /// The members change.
    Members,
    /// A disk is damaged.
    Damage,
    /// The power of all nodes goes.
    PowerCut,
    /// A fault that came with a moment comes now.
    Strike(Strike),
    /// A disk no longer lies; the node loses its power.
    LieEnds(NodeId),
    /// A node that was removed stops.
    Retire(NodeId),
    /// Check all nodes.
    Look,
}

/// The limits of the members. Turns are short, so that most ranges take several.
pub(crate) const LIMITS: Limits =
    Limits { txn_operations_max: 128, lease_ttl_seconds_min: 1, pairs_a_turn: 5, records_a_turn: 100 };

/// The view that the door of a running node loads.
pub(crate) fn view_of(world: &World, node: NodeId) -> Option<Arc<View>> {
    world.node(node).map(|replica| Arc::new(replica.view()))
}

/// A few clients, and one of the streams, demand a leader. The others wait for the next one, so that it finds work in the
/// moment in which it is new.
pub(crate) fn caller(place: usize) -> Caller {
    Caller { requires_leader: place % 8 == 5, ..Caller::default() }
}

/// One client; it asks one question at a time, always of the same node.
pub(crate) struct Client {
    pub node: NodeId,
    pub busy: Option<Ticket>,
}

/// The driver of a run: the clients, and everything that is known.
pub(crate) struct Run {
    pub shape: Shape,
    pub rng: Rng,
    /// The random stream of strikes, separate, so that they do not change the rest of a seed.
    pub striking: Rng,
    pub truth: Rc<RefCell<Truth>>,
    pub rare: Rc<RefCell<RarePaths>>,
    pub observer: Rc<RefCell<Observer>>,
    pub disks: Disks,
    pub workload: Workload,
    pub clients: Vec<Client>,
    pub asked: BTreeMap<Ticket, Asked>,
    pub next_ticket: u64,
    /// The highest revision in any answer.
    pub floor: i64,
    pub registers: BTreeMap<Bytes, Vec<RegisterOperation>>,
    /// Values of writes that were definitely refused.
    pub refused: Vec<Bytes>,
    pub streams: Vec<Stream>,
    pub stream_of: BTreeMap<StreamId, usize>,
    pub next_stream: u64,
    pub wakes: BTreeMap<u64, Wake>,
    pub next_wake: u64,
    pub membership: Membership,
    pub damage: Damage,
    /// The member whose quota is used up, as far as clients know.
    pub alarm: Option<NodeId>,
    /// The last step towards more room.
    pub room_made: u32,
    /// How long each node has known no leader.
    pub leaderless: BTreeMap<NodeId, Leaderless>,
    /// When a node was last seen stopped, paused or started.
    pub troubled: BTreeMap<NodeId, Instant>,
    pub healing: bool,
    /// Every fault has ended.
    pub healed: bool,
    /// Nodes whose last probe was acknowledged since the world healed.
    pub probed: BTreeMap<NodeId, bool>,
    pub counts: Counts,
}

/// The damage of a disk.
#[derive(Default)]
pub(crate) struct Damage {
    pub outstanding: BTreeMap<NodeId, Hurt>,
}

#[derive(Clone, Copy)]
pub(crate) struct Hurt {
    /// Its life when it was damaged.
    pub before: Incarnation,
    /// It was started since: the loss has been noticed.
    pub restarted: bool,
}

impl Damage {
    pub(crate) fn is_quiet(&self) -> bool {
        self.outstanding.is_empty()
    }
}

/// A change in progress.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    Add {
        is_learner: bool,
        /// The new node's address is this one's, whatever id it gets.
        address: u64,
    },
    Promote(NodeId),
    Remove(NodeId),
}

impl Change {
    /// The request that asks for it.
    pub fn request(self) -> MemberRequest {
        match self {
            Change::Add { is_learner, address } => {
                MemberRequest::Add { peer_urls: vec![peer_url(NodeId(address))], is_learner }
            }
            Change::Promote(id) => MemberRequest::Promote { id },
            Change::Remove(id) => MemberRequest::Remove { id },
        }
    }
}

/// The client that changes the members.
#[derive(Default)]
pub(crate) struct Membership {
    pub under_way: Vec<Change>,
    pub additions: u64,
    pub changes: u64,
    pub removed: Vec<NodeId>,
    /// When the machines of the newest members are switched on: all together.
    pub switch_on: Instant,
}

impl Run {
    pub(crate) fn new(
        shape: Shape,
        rng: Rng,
        truth: Rc<RefCell<Truth>>,
        rare: Rc<RefCell<RarePaths>>,
        observer: Rc<RefCell<Observer>>,
        disks: Disks,
    ) -> Run {
        let node_of = |client: usize| NodeId(client as u64 / shape.clients_a_node as u64 + 1);
        let clients = (0..shape.clients_a_node * shape.nodes as usize)
            .map(|client| Client { node: node_of(client), busy: None })
            .collect();
        Run {
            workload: Workload::new(rng.split(1), &shape),
            clients,
            striking: rng.split(2),
            rng,
            truth,
            rare,
            observer,
            disks,
            asked: BTreeMap::new(),
            next_ticket: 1,
            floor: 1,
            registers: BTreeMap::new(),
            refused: Vec::new(),
            streams: Vec::new(),
            stream_of: BTreeMap::new(),
            next_stream: 1,
            wakes: BTreeMap::new(),
            next_wake: 1,
            membership: Membership::default(),
            damage: Damage::default(),
            alarm: None,
            room_made: 0,
            leaderless: BTreeMap::new(),
            troubled: BTreeMap::new(),
            healing: false,
            healed: false,
            probed: BTreeMap::new(),
            counts: Counts::default(),
            shape,
        }
    }

    pub(crate) fn wake(&mut self, world: &mut World, after: Duration, wake: Wake) {
        let token = self.next_wake;
        self.next_wake += 1;
        self.wakes.insert(token, wake);
        world.alarm(after, token);
    }

    pub(crate) fn wake_between(&mut self, world: &mut World, low_ms: u64, high_ms: u64, wake: Wake) {
        let after = Duration::from_millis(self.rng.between(low_ms, high_ms));
        self.wake(world, after, wake);
    }

    /// A node that runs, by chance.
    pub(crate) fn some_running(&mut self, world: &World) -> Option<NodeId> {
        let running: Vec<NodeId> = world.ids().filter(|id| world.is_running(*id)).collect();
        if running.is_empty() { None } else { Some(running[self.rng.below(running.len() as u64) as usize]) }
    }

    /// A node that runs and was not removed; while the world is bad, also one that was.
    pub(crate) fn some_member(&mut self, world: &World) -> Option<NodeId> {
        let node = self.some_running(world)?;
        (!self.healing || !self.membership.removed.contains(&node)).then_some(node)
    }
}
