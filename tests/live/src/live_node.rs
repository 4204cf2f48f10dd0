//! A node of the live world inside this process: real sockets and a real disk thread, over any folder.
//!
//! Tests that need the binary use the binary. This is for tests that need control over the folder: every write and sync
//! recorded, a disk that fills up, a crash image restarted.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use volvox_core::{Incarnation, NodeId};
use volvox_disk::{Directory, Options};
use volvox_net::{FreshLife, Life, Node, NodeError, NodeHandle, NodeOpenError, NodeOptions};
use volvox_raft::Configuration;
use volvox_replica::{Command, Config, Error, Event, Member, Replica, Reply, Request, Ticket, View};

/// The cluster that all of them belong to.
pub const CLUSTER: u64 = 0x11fe;

/// The common configuration of all nodes of a small cluster.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many nodes there are, 1 to n.
    pub nodes: u64,
    /// Raft's heartbeat; elections take ten times as long, at least.
    pub heartbeat: Duration,
    /// The bytes of log between two checkpoints.
    pub checkpoint_log_bytes: u64,
    /// How the log uses the disk.
    pub log: Options,
    /// The most bytes that a node may leave unwritten before it takes no more input.
    pub unwritten_bytes_max: usize,
}

impl Plan {
    /// Three nodes whose segments and checkpoints are so small that a few thousand writes see many of them.
    pub fn small() -> Plan {
        Plan {
            nodes: 3,
            heartbeat: Duration::from_millis(20),
            checkpoint_log_bytes: 512 << 10,
            log: Options { segment_bytes: 128 << 10, spare_segments_max: 2 },
            unwritten_bytes_max: 64 << 20,
        }
    }

    fn node_options(&self, id: u64, fresh: FreshLife) -> NodeOptions {
        let mut options = NodeOptions::new(NodeId(id), CLUSTER, ([127, 0, 0, 1], 0).into());
        options.members = (1..=self.nodes).map(NodeId).collect();
        options.fresh = fresh;
        options.development = true;
        options.log = self.log.clone();
        options.limits.unwritten_bytes_max = self.unwritten_bytes_max;
        options
    }

    fn replica_config(&self, id: u64, life: &Life) -> Config {
        let first = Incarnation(1);
        let forms = life.incarnation == first;
        let voters = (1..=self.nodes).map(|id| volvox_raft::Member { node: NodeId(id), incarnation: first }).collect();
        let member = |id| Member {
            id: NodeId(id),
            name: String::new(),
            peer_urls: vec![format!("http://node-{id}.invalid:1")],
            client_urls: Vec::new(),
            is_learner: false,
        };
        let raft = volvox_raft::Config {
            incarnation: life.incarnation,
            initial: forms.then(|| Configuration { voters, ..Configuration::default() }),
            heartbeat: self.heartbeat,
            election_timeout: self.heartbeat * 10,
            log_keep_bytes: 256 << 10,
            gather: true,
            ..volvox_raft::Config::default()
        };
        let bootstrap = if forms { (1..=self.nodes).map(member).collect() } else { Vec::new() };
        let mut config = Config::new(raft, CLUSTER, bootstrap, NodeId(id));
        config.checkpoint_log_bytes = self.checkpoint_log_bytes;
        config
    }
}

/// The waiters for each answer.
#[derive(Default)]
struct Waiters {
    last_ticket: u64,
    waiting: BTreeMap<Ticket, oneshot::Sender<Result<Reply, Error>>>,
}

/// A running node. It lives on the `LocalSet` on which it was opened.
pub struct LiveNode {
    /// The node's handle.
    pub handle: NodeHandle<Replica>,
    waiters: Rc<RefCell<Waiters>>,
    ended: JoinHandle<Result<(), NodeError>>,
}

impl LiveNode {
    /// Opens a node over a folder and runs it; it must be introduced to the others.
    ///
    /// # Errors
    /// When the folder cannot be opened.
    pub fn open<D: Directory + 'static>(
        plan: &Plan,
        id: u64,
        directory: D,
        fresh: FreshLife,
    ) -> Result<LiveNode, NodeOpenError> {
        let waiters: Rc<RefCell<Waiters>> = Rc::default();
        let on_event = {
            let waiters = Rc::clone(&waiters);
            move |event| {
                if let Event::Reply { ticket, result } = event
                    && let Some(waiter) = waiters.borrow_mut().waiting.remove(&ticket)
                {
                    // A client that has given up needs no answer.
                    let _ = waiter.send(result);
                }
            }
        };
        let config_of = |life: &Life| plan.replica_config(id, life);
        let (node, handle) = Node::<Replica>::open(plan.node_options(id, fresh), directory, config_of, on_event)?;
        let ended = tokio::task::spawn_local(node.run());
        Ok(LiveNode { handle, waiters, ended })
    }

    /// Its name.
    pub fn id(&self) -> u64 {
        self.handle.life().node.0
    }

    /// Asks for something, and waits for the answer.
    ///
    /// # Errors
    /// As the replica answers; [`Error::Stopped`] when the node takes no commands or ends.
    pub async fn request(&self, request: Request) -> Result<Reply, Error> {
        let (sender, answer) = oneshot::channel();
        let ticket = {
            let mut waiters = self.waiters.borrow_mut();
            waiters.last_ticket += 1;
            let ticket = Ticket(waiters.last_ticket);
            waiters.waiting.insert(ticket, sender);
            ticket
        };
        if self.handle.command(Command::Request { ticket, request }).is_err() {
            self.waiters.borrow_mut().waiting.remove(&ticket);
            return Err(Error::Stopped);
        }
        answer.await.unwrap_or(Err(Error::Stopped))
    }

    /// The newest picture of its replica.
    pub fn view(&self) -> std::sync::Arc<View> {
        self.handle.view()
    }

    /// Stops it, and waits until its folder is free.
    ///
    /// # Errors
    /// When it had to stop because of its disk.
    ///
    /// # Panics
    /// When it panicked.
    pub async fn stop(self) -> Result<(), NodeError> {
        self.handle.stop();
        self.ended.await.expect("a node does not panic")
    }
}

/// Tells every node where the others are.
pub fn introduce(nodes: &[LiveNode]) {
    for node in nodes {
        for other in nodes {
            node.handle.set_peer(other.handle.life().node, other.handle.listen_address().to_string());
        }
    }
}

/// Runs something on a runtime of its own.
///
/// # Panics
/// When the operating system provides no runtime.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("the operating system gives a runtime");
    runtime.block_on(tokio::task::LocalSet::new().run_until(future))
}
