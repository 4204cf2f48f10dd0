//! Three live nodes, every write and sync recorded, under the load of clients that record what was acknowledged.

use super::history::{Change, History};
use crate::live_node::{LiveNode, Plan, introduce};
use anyhow::{Context, Result, bail};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};
use volvox_core::{Bytes, NodeId, Rng};
use volvox_disk::{Directory, RealDirectory, Recording, RecordingDirectory, SequenceCounter};
use volvox_net::FreshLife;
use volvox_replica::{Reply, Request};
use volvox_store::{Command, CompactionRequest, DeleteRangeRequest, PutRequest};

/// Clients that write at the same time, spread over the nodes.
const CLIENTS: u64 = 8;
/// The number of keys that each client writes.
const KEYS_A_CLIENT: u64 = 40;
/// The number of acknowledged writes after which leadership moves, so that votes and new terms are in the recording.
const WRITES_A_TERM: usize = 1200;
/// The number of acknowledged writes after which history is compacted.
const WRITES_A_COMPACTION: usize = 500;
/// All of it takes a few seconds; a cluster that stands still has a problem.
const LIMIT: Duration = Duration::from_secs(300);

/// The record of a run: the operations on each folder, and the acknowledgements to clients meanwhile.
pub struct Tape {
    /// The recordings of nodes 1, 2 and 3.
    pub recordings: Vec<Recording>,
    /// The requests and acknowledgements.
    pub history: History,
    /// The sequence before which no power cut makes sense: the cluster was not ready.
    pub first_cut: u64,
    /// The last sequence.
    pub last_cut: u64,
    /// Requests that were refused or whose outcome is unknown.
    pub errors: u64,
    /// How often who leads has changed.
    pub leader_changes: u64,
}

struct Load {
    nodes: Vec<LiveNode>,
    sequence: SequenceCounter,
    history: RefCell<History>,
    acknowledged: RefCell<usize>,
    errors: RefCell<u64>,
    writes: usize,
}

/// Runs three nodes over `wrap`ped recordings of real folders until this many writes were acknowledged.
///
/// # Errors
/// When the cluster does not work.
pub async fn record<D: Directory + 'static>(
    folder: &Path,
    seed: u64,
    writes: usize,
    wrap: impl Fn(RecordingDirectory<RealDirectory>) -> D,
) -> Result<Tape> {
    let (plan, sequence) = (Plan::small(), SequenceCounter::default());
    let (mut nodes, mut recordings) = (Vec::new(), Vec::new());
    for id in 1..=plan.nodes {
        let real = RealDirectory::open(folder.join(format!("n{id}")))?;
        let recorded = RecordingDirectory::new(real, sequence.clone()).context("the folder can't be read")?;
        recordings.push(recorded.recording());
        nodes.push(LiveNode::open(&plan, id, wrap(recorded), FreshLife::Bootstrap)?);
    }
    introduce(&nodes);
    let load = Rc::new(Load {
        nodes,
        sequence: sequence.clone(),
        history: RefCell::default(),
        acknowledged: RefCell::default(),
        errors: RefCell::default(),
        writes,
    });
    let ready = async {
        while load.nodes[0].request(Request::Read).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, ready).await.context("the cluster does not become ready")?;
    let first_cut = sequence.now();
    let clients: Vec<_> =
        (0..CLIENTS).map(|number| tokio::task::spawn_local(client(Rc::clone(&load), number, seed))).collect();
    let housekeeping = keep_house(Rc::clone(&load));
    let all = async {
        housekeeping.await?;
        for client in clients {
            client.await.context("a client panicked")?;
        }
        Ok::<_, anyhow::Error>(())
    };
    tokio::time::timeout(LIMIT, all).await.context("the load does not come to an end")??;
    let load = Rc::into_inner(load).context("a client is still there")?;
    let last_cut = sequence.now();
    let leader_changes = load.nodes.iter().map(|node| node.view().status.leader_changes).max().unwrap_or(0);
    for node in load.nodes {
        node.stop().await?;
    }
    let (history, errors) = (load.history.into_inner(), load.errors.into_inner());
    Ok(Tape { recordings, history, first_cut, last_cut, errors, leader_changes })
}

async fn client(load: Rc<Load>, number: u64, seed: u64) {
    let mut rng = Rng::new(seed).split(number);
    let node = (number % load.nodes.len() as u64) as usize;
    // A key whose state is unknown is never used again: a new one replaces it.
    let mut generations = [0u64; KEYS_A_CLIENT as usize];
    let mut count = 0u64;
    while *load.acknowledged.borrow() < load.writes {
        count += 1;
        let place = rng.below(KEYS_A_CLIENT) as usize;
        let key = format!("client-{number}/{place:02}/{}", generations[place]);
        let deletes = rng.chance_ppm(100_000);
        let padding = "x".repeat(rng.between(0, 1200) as usize);
        let value = (!deletes).then(|| format!("change-{number}-{count}/{padding}"));
        let command = match &value {
            Some(value) => Command::Put(PutRequest {
                key: Bytes::from(key.as_str()),
                value: Bytes::from(value.as_str()),
                ..PutRequest::default()
            }),
            None => Command::DeleteRange(DeleteRangeRequest {
                key: Bytes::from(key.as_str()),
                ..DeleteRangeRequest::default()
            }),
        };
        let index = {
            let began = load.sequence.tick();
            let mut history = load.history.borrow_mut();
            let changes = history.changes.entry(key.clone()).or_default();
            changes.push(Change { value, began, acknowledged: None });
            changes.len() - 1
        };
        let reply = load.nodes[node].request(Request::Write(command)).await;
        if let Ok(Reply::Written(reply)) = reply {
            let seen = load.sequence.tick();
            let mut history = load.history.borrow_mut();
            let change = &mut history.changes.get_mut(&key).expect("just asked for")[index];
            change.acknowledged = Some((seen, reply.revision()));
            *load.acknowledged.borrow_mut() += 1;
        } else {
            generations[place] += 1;
            *load.errors.borrow_mut() += 1;
        }
    }
}

/// Moves leadership, and compacts, as the writes continue.
async fn keep_house(load: Rc<Load>) -> Result<()> {
    let (mut terms, mut compactions) = (0, 0);
    loop {
        let acknowledged = *load.acknowledged.borrow();
        if acknowledged >= load.writes {
            return Ok(());
        }
        if acknowledged / WRITES_A_TERM > terms {
            terms += 1;
            move_leader(&load).await;
        }
        if acknowledged / WRITES_A_COMPACTION > compactions {
            compactions += 1;
            let revision = load.nodes[0].view().store.revision() - 200;
            let compact = Command::Compact(CompactionRequest { revision, physical: false });
            if load.nodes[0].request(Request::Write(compact)).await.is_ok() {
                let seen = load.sequence.tick();
                load.history.borrow_mut().compactions.push((seen, revision));
            }
        }
        if let Some(node) = load.nodes.iter().find(|node| node.handle.has_stopped()) {
            bail!("node {} has stopped", node.id());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn move_leader(load: &Load) {
    let leader = load.nodes.iter().find(|node| node.view().status.leader == Some(NodeId(node.id())));
    if let Some(leader) = leader {
        let to = NodeId(leader.id() % load.nodes.len() as u64 + 1);
        // Whether it moved does not matter here; the next one may.
        let _ = leader.request(Request::MoveLeader { to }).await;
    }
}

/// How long something took, for people.
pub fn seconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}
