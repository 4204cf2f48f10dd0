//! The faults, one at a time, ten times each, under load.

use super::load::Load;
use super::verdict;
use crate::cluster::LiveCluster;
use anyhow::{Context, Result, bail};
use std::time::{Duration, Instant};
use tonic::Code;
use volvox_etcd::proto::etcdserverpb::kv_client::KvClient;
use volvox_etcd::proto::etcdserverpb::{PutRequest, RangeRequest};

/// A cluster whose faults have ended is whole again within this.
pub(super) const WHOLE_LIMIT: Duration = Duration::from_secs(60);
/// How long the load runs undisturbed between two faults.
pub(super) const BREATH: Duration = Duration::from_millis(1000);

/// The faults.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scenario {
    /// `kill -9` of the leader.
    KillLeader,
    /// `kill -9` of a follower.
    KillFollower,
    /// `kill -9` of all three at once.
    KillAll,
    /// The leader's process is paused for 5 s.
    PauseLeader,
    /// The leader is isolated for 5 s.
    IsolateLeader,
    /// A node's folder is removed while it is dead.
    EraseNode,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Scenario; 6] = [
        Scenario::KillLeader,
        Scenario::KillFollower,
        Scenario::KillAll,
        Scenario::PauseLeader,
        Scenario::IsolateLeader,
        Scenario::EraseNode,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Scenario::KillLeader => "kill-leader",
            Scenario::KillFollower => "kill-follower",
            Scenario::KillAll => "kill-all",
            Scenario::PauseLeader => "pause-leader",
            Scenario::IsolateLeader => "isolate-leader",
            Scenario::EraseNode => "erase-node",
        }
    }

    /// Whether the cluster loses its leader, and the gap is that of an election.
    pub fn loses_leader(self) -> bool {
        matches!(self, Scenario::KillLeader | Scenario::PauseLeader | Scenario::IsolateLeader)
    }
}

/// The results of one scenario.
pub struct Outcome {
    /// The scenario.
    pub scenario: Scenario,
    /// After each fault, the time until a write was acknowledged that began after it.
    pub gaps: Vec<Duration>,
    /// Acknowledged writes, all of which were found afterwards.
    pub promised: u64,
    /// Requests that failed for their clients.
    pub errors: u64,
    /// Linearizable reads, none of which went back in time.
    pub reads: u64,
}

/// Runs one scenario `rounds` times under load, and judges.
///
/// # Errors
/// When a promise was broken, or the cluster did not become whole again.
pub async fn run(cluster: &LiveCluster, scenario: Scenario, rounds: usize, writers: usize) -> Result<Outcome> {
    let endpoints: Vec<String> = cluster.nodes().map(|id| cluster.endpoint(id)).collect();
    let (load, tasks) = Load::start(scenario.name(), &endpoints, writers);
    let mut gaps = Vec::new();
    for round in 1..=rounds {
        load.spread();
        tokio::time::sleep(BREATH).await;
        let gap =
            strike(cluster, scenario, &load).await.with_context(|| format!("{} round {round}", scenario.name()))?;
        gaps.push(gap);
        cluster.wait_whole(WHOLE_LIMIT).await.with_context(|| format!("{} round {round}", scenario.name()))?;
    }
    load.stop();
    for task in tasks {
        task.await.context("a client panicked")?;
    }
    let promised = verdict::check(&endpoints, &load).await.with_context(|| scenario.name())?;
    let errors = load.errors.load(std::sync::atomic::Ordering::Relaxed);
    let reads = load.reads.load(std::sync::atomic::Ordering::Relaxed);
    Ok(Outcome { scenario, gaps, promised, errors, reads })
}

/// Makes the fault, measures the gap, and mends the fault.
async fn strike(cluster: &LiveCluster, scenario: Scenario, load: &Load) -> Result<Duration> {
    let leader = cluster.leader().await?;
    let follower = cluster.nodes().find(|id| *id != leader).context("a cluster has a follower")?;
    let text = |id: u64| id.to_string();
    let moment = Instant::now();
    match scenario {
        Scenario::KillLeader | Scenario::KillFollower => {
            let victim = if scenario == Scenario::KillLeader { leader } else { follower };
            cluster.volvox(&["kill", &text(victim)])?;
            let gap = wait_gap(load, moment).await?;
            cluster.volvox(&["start", &text(victim)])?;
            Ok(gap)
        }
        Scenario::KillAll => {
            for id in cluster.nodes() {
                cluster.volvox(&["kill", &text(id)])?;
            }
            let dead = Instant::now();
            for id in cluster.nodes() {
                cluster.volvox(&["start", &text(id)])?;
            }
            wait_gap(load, dead).await
        }
        Scenario::PauseLeader => {
            cluster.volvox(&["pause", &text(leader)])?;
            let gap = wait_gap(load, moment).await?;
            tokio::time::sleep(Duration::from_secs(5).saturating_sub(moment.elapsed())).await;
            cluster.volvox(&["resume", &text(leader)])?;
            Ok(gap)
        }
        Scenario::IsolateLeader => {
            let others: Vec<String> = cluster.nodes().filter(|id| *id != leader).map(text).collect();
            cluster.volvox(&["partition", &text(leader), &others.join(",")])?;
            let gap = wait_gap(load, moment).await?;
            tokio::time::sleep(Duration::from_secs(5).saturating_sub(moment.elapsed())).await;
            cluster.volvox(&["heal"])?;
            Ok(gap)
        }
        Scenario::EraseNode => {
            cluster.volvox(&["fault", &format!("crash {follower} without disk")])?;
            let gap = wait_gap(load, moment).await?;
            cluster.volvox(&["start", &text(follower)])?;
            wait_voter(cluster, follower).await?;
            Ok(gap)
        }
    }
}

pub(super) async fn wait_gap(load: &Load, moment: Instant) -> Result<Duration> {
    while moment.elapsed() < WHOLE_LIMIT {
        if let Some(gap) = load.gap_after(moment) {
            return Ok(gap);
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    bail!("no write was acknowledged for {WHOLE_LIMIT:?}")
}

/// A node that lost its disk is a voter again under a fresh incarnation.
async fn wait_voter(cluster: &LiveCluster, id: u64) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < WHOLE_LIMIT {
        if let Some(status) = cluster.status(id).await
            && status["votes"] == true
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bail!("node {id} does not vote again after {WHOLE_LIMIT:?}")
}

/// With two of three nodes dead, the third refuses linearizable work with etcd's error in bounded time, and serves
/// serializable reads.
///
/// # Errors
/// When it does anything else.
pub async fn minority(cluster: &LiveCluster) -> Result<Duration> {
    let limit = Duration::from_secs(15);
    let mut kv = KvClient::new(verdict::connect(cluster.endpoint(3)).await?);
    kv.put(PutRequest { key: "minority".into(), value: "1".into(), ..PutRequest::default() }).await?;
    cluster.volvox(&["kill", "1"])?;
    cluster.volvox(&["kill", "2"])?;
    let began = Instant::now();
    let put = kv.put(PutRequest { key: "minority".into(), value: "2".into(), ..PutRequest::default() });
    let refused = tokio::time::timeout(limit, put).await.context("a put in the minority was not answered in 15 s")?;
    let took = began.elapsed();
    expect_unavailable(refused.map(drop), "put")?;
    let read = |serializable| RangeRequest { key: "minority".into(), serializable, ..RangeRequest::default() };
    let refused =
        tokio::time::timeout(limit, kv.range(read(false))).await.context("a read was not answered in 15 s")?;
    expect_unavailable(refused.map(drop), "linearizable read")?;
    let answer = kv.range(read(true)).await.context("a serializable read in the minority")?.into_inner();
    if answer.kvs.first().is_none_or(|pair| pair.value.as_ref() != b"1") {
        bail!("a serializable read in the minority answered {:?}", answer.kvs);
    }
    cluster.volvox(&["start", "1"])?;
    cluster.volvox(&["start", "2"])?;
    cluster.wait_whole(WHOLE_LIMIT).await?;
    Ok(took)
}

fn expect_unavailable(result: Result<(), tonic::Status>, what: &str) -> Result<()> {
    match result {
        Err(status) if status.code() == Code::Unavailable && status.message().starts_with("etcdserver: ") => Ok(()),
        other => bail!("a {what} in the minority was answered {other:?}"),
    }
}
