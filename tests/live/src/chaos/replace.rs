//! Every member replaced in turn, under load: a new node joins, the oldest one leaves, until no member of the first
//! cluster is left. One in three comes as a learner and is promoted.

use super::load::Load;
use super::rounds::{BREATH, WHOLE_LIMIT, wait_gap};
use super::verdict;
use crate::cluster::LiveCluster;
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const PORT_BASE: u16 = 24_400;
/// A node that was removed learns of it, and stops by itself, within this.
const LEAVE_LIMIT: Duration = Duration::from_secs(20);
/// The errors of a cluster that must first settle: nothing was changed.
const NOT_YET: [&str; 3] = [
    "not enough started members",
    "unhealthy cluster",
    "can only promote a learner member which is in sync with leader",
];
const GLANCE: Duration = Duration::from_millis(20);

/// The results of the replacements.
pub struct Replaced {
    /// After each removal, the time until a write was acknowledged that began after it.
    pub gaps: Vec<Duration>,
    /// How many of the removed led at that moment.
    pub leaders: usize,
    /// Acknowledged writes, all of which were found afterwards.
    pub promised: u64,
    /// Requests that failed for their clients.
    pub errors: u64,
    /// Linearizable reads, none of which went back in time.
    pub reads: u64,
}

/// Replaces all three members, `rounds` times, and judges.
///
/// # Errors
/// When a promise was broken, a member could not be replaced, or the cluster is not as it should be afterwards.
pub async fn run(program: &Path, rounds: usize, writers: usize) -> Result<Replaced> {
    let mut cluster = LiveCluster::start(program, "replace", 3, PORT_BASE, &[])?;
    let result = replace_all(&cluster, program, rounds, writers).await.context("replace-members");
    if result.is_err() {
        cluster.keep();
    }
    result
}

async fn replace_all(cluster: &LiveCluster, program: &Path, rounds: usize, writers: usize) -> Result<Replaced> {
    let mut members = Members { cluster, program, ids: cluster.nodes().collect(), children: Vec::new() };
    let (load, tasks) = Load::start("replace-members", &members.endpoints(), writers);
    let (mut gaps, mut leaders) = (Vec::new(), 0);
    for replacement in 0..3 * rounds {
        tokio::time::sleep(BREATH).await;
        let what = format!("replacement {}, of members {:?}", replacement + 1, members.ids);
        let is_learner = replacement % 3 == 2;
        let new = members.admit(is_learner).await.context(what)?;
        members.ids.push(new);
        load.set_endpoints(&members.endpoints());
        let old = members.ids.remove(0);
        leaders += usize::from(cluster.status(old).await.is_some_and(|status| status["role"] == "leader"));
        let moment = Instant::now();
        members.change(&["members", "remove", &format!("{old:x}")]).await?;
        load.set_endpoints(&members.endpoints());
        gaps.push(wait_gap(&load, moment).await?);
        members.wait_gone(old).await?;
    }
    load.stop();
    for task in tasks {
        task.await.context("a client panicked")?;
    }
    let promised = verdict::check(&members.endpoints(), &load).await?;
    members.check_voters()?;
    let (errors, reads) = (load.errors.load(Ordering::Relaxed), load.reads.load(Ordering::Relaxed));
    Ok(Replaced { gaps, leaders, promised, errors, reads })
}

/// The members of now, oldest first, and the processes that were started here.
struct Members<'a> {
    cluster: &'a LiveCluster,
    program: &'a Path,
    ids: Vec<u64>,
    children: Vec<(u64, Child)>,
}

impl Members<'_> {
    fn endpoints(&self) -> Vec<String> {
        self.ids.iter().map(|id| self.cluster.endpoint(*id)).collect()
    }

    /// Runs a command of the client against the members of now.
    fn command(&self, arguments: &[&str]) -> Result<Value> {
        let endpoints = self.endpoints().join(",");
        let output = Command::new(self.program).args(["--json", "--endpoints", &endpoints]).args(arguments).output()?;
        if !output.status.success() {
            bail!("volvox {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        serde_json::from_slice(&output.stdout).with_context(|| format!("volvox {} --json", arguments.join(" ")))
    }

    /// Changes the members, as soon as they allow it: what they refuse for now is asked again.
    async fn change(&self, arguments: &[&str]) -> Result<Value> {
        let began = Instant::now();
        loop {
            let error = match self.command(arguments) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let text = format!("{error:#}");
            if began.elapsed() >= WHOLE_LIMIT || !NOT_YET.iter().any(|refusal| text.contains(refusal)) {
                return Err(error);
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Adds a member, starts it, and waits until it votes. Returns its id.
    async fn admit(&mut self, is_learner: bool) -> Result<u64> {
        let expected = self.ids.iter().max().context("a cluster has members")? + 1;
        let peer = format!("127.0.0.1:{}", self.cluster.client_port(expected) + 1);
        let url = format!("http://{peer}");
        let mut add = vec!["members", "add", "another", "--peer-urls", &url];
        add.extend(is_learner.then_some("--learner"));
        let answer = self.change(&add).await?;
        let cluster = answer["header"]["cluster_id"].as_u64().context("an answer without the cluster's id")?;
        let listed = answer["members"].as_array().context("an answer without members")?;
        let mut initial = Vec::new();
        let mut id = 0;
        for member in listed {
            let theirs = member["peerURLs"][0].as_str().context("a member without a peer URL")?;
            let number = member["ID"].as_u64().context("a member without an id")?;
            initial.push(format!("{number}={}", theirs.trim_start_matches("http://")));
            if theirs == url {
                id = number;
            }
        }
        ensure!(id == expected, "the new member has the id {id}, not {expected}");
        self.start(id, cluster, &initial.join(","))?;
        if is_learner {
            self.promote(id).await?;
        }
        self.wait(id, "vote", |status| status["votes"] == true).await?;
        Ok(id)
    }

    fn start(&mut self, id: u64, cluster: u64, initial: &str) -> Result<()> {
        let port = self.cluster.client_port(id);
        let address = |offset: u16| format!("127.0.0.1:{}", port + offset);
        let data = self.cluster.data();
        let child = Command::new(self.program)
            .args(["node", "--id", &id.to_string(), "--cluster", &cluster.to_string()])
            .args(["--initial-cluster", initial, "--initial-cluster-state", "existing"])
            .args(["--listen-client", &address(0), "--listen-peer", &address(1), "--listen-admin", &address(2)])
            .arg("--folder")
            .arg(data.join(format!("n{id}")))
            .arg("--log-file")
            .arg(data.join(format!("n{id}.log")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start a node")?;
        self.children.push((id, child));
        Ok(())
    }

    /// Gives the learner its vote as soon as it has caught up.
    async fn promote(&mut self, id: u64) -> Result<()> {
        self.wait(id, "follow as a learner", |status| status["is_learner"] == true && !status["leader"].is_null())
            .await?;
        self.change(&["members", "promote", &format!("{id:x}")]).await?;
        Ok(())
    }

    async fn wait(&mut self, id: u64, what: &str, is_so: impl Fn(&Value) -> bool) -> Result<()> {
        let began = Instant::now();
        let mut last = None;
        while began.elapsed() < WHOLE_LIMIT {
            if let Some((_, child)) = self.children.iter_mut().find(|(other, _)| *other == id)
                && let Some(status) = child.try_wait()?
            {
                bail!("node {id} ended by itself: {status}");
            }
            last = self.cluster.status(id).await;
            if last.as_ref().is_some_and(&is_so) {
                return Ok(());
            }
            tokio::time::sleep(GLANCE).await;
        }
        bail!("node {id} does not {what} after {WHOLE_LIMIT:?}: {last:?}")
    }

    /// A removed node stops by itself.
    async fn wait_gone(&mut self, id: u64) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < LEAVE_LIMIT {
            let ended = match self.children.iter_mut().find(|(other, _)| *other == id) {
                Some((_, child)) => child.try_wait()?.is_some(),
                None => self.cluster.status(id).await.is_none(),
            };
            if ended {
                return Ok(());
            }
            tokio::time::sleep(GLANCE).await;
        }
        bail!("node {id} was removed, and still runs after {LEAVE_LIMIT:?}")
    }

    fn check_voters(&self) -> Result<()> {
        let answer = self.command(&["members", "list"])?;
        let listed = answer["members"].as_array().context("an answer without members")?;
        let voters: Vec<u64> = listed
            .iter()
            .filter(|member| member["isLearner"] == false)
            .filter_map(|member| member["ID"].as_u64())
            .collect();
        ensure!(voters == self.ids && listed.len() == voters.len(), "not the three voters {:?}: {answer}", self.ids);
        ensure!(listed.iter().all(|member| member["name"] != ""), "a member has not said its name: {answer}");
        Ok(())
    }
}

impl Drop for Members<'_> {
    fn drop(&mut self) {
        for (_, child) in &mut self.children {
            // One that ended by itself is only waited for.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
