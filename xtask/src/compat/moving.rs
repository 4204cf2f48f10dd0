//! Moving in and out: a snapshot of ours becomes a cluster of etcd, and one of etcd becomes a cluster of ours. Every key must
//! be there at every revision that compaction kept, with its lease.
//!
//! `etcd`, `etcdctl` and `etcdutl` are those of the clients' package. Each check goes on where the one before it ended.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::clients::Clients;
use super::cluster::Cluster;
use super::working_folder;
use crate::cargo;
use crate::child;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// No single command takes longer.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);

const READS: &str = "moving: etcdutl reads a snapshot of ours";
const OUT: &str = "moving: etcd serves a snapshot of ours";
const IN: &str = "moving: we serve a snapshot of etcd";
const BACK: &str = "moving: etcd serves again what we served of etcd";

/// Every name, to be selected by a word of it.
pub fn names() -> impl Iterator<Item = &'static str> {
    [READS, OUT, IN, BACK].into_iter()
}

/// The programs, and the folder of the data.
struct Move {
    clients: Clients,
    volvox: PathBuf,
    folder: PathBuf,
}

/// The view that clients have of a cluster.
#[derive(PartialEq, Debug)]
struct Picture {
    revision: i64,
    /// The pairs at every revision that was not compacted, as JSON.
    pairs: Vec<(i64, Value)>,
    /// Each lease with its granted time and its keys.
    leases: Vec<Value>,
}

/// Runs all checks.
pub fn run(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    cargo::run(&mut cargo::offline(workspace, &["build", "--package", "volvox"]))?;
    let folder = working_folder()?.join("moving");
    let moving = Move { clients: Clients::fetch(workspace)?, volvox: workspace.volvox(), folder };
    let started = Instant::now();
    let mut passed = Vec::new();
    let result = moving.run(&mut |name| {
        println!("{name:<50} ok");
        passed.push(name);
    });
    tally.passed += passed.len() as u64;
    if let Err(error) = result {
        let failed = names().nth(passed.len()).context("no check is left")?;
        tally.failed += 1;
        tally.skipped.extend(names().skip(passed.len() + 1).map(|name| format!("{name}: a check before it failed")));
        bail!("{failed}: {error:#}; the data is in {}", moving.folder.display());
    }
    println!("{:<50} {:.1} s", "moving", started.elapsed().as_secs_f64());
    std::fs::remove_dir_all(&moving.folder).with_context(|| format!("cannot remove {}", moving.folder.display()))?;
    // The checks against etcd's client may have left their logs beside it; then it is not empty, and stays.
    let _ = moving.folder.parent().map(std::fs::remove_dir);
    Ok(())
}

impl Move {
    fn run(&self, passed: &mut impl FnMut(&'static str)) -> Result<()> {
        let ours = Cluster::volvox(&self.volvox, &self.made("a")?)?;
        self.fill(&ours, "first")?;
        let (before, snapshot) = (self.picture(&ours)?, self.save(&ours, "ours")?);
        ours.stop()?;
        self.compare_status(&snapshot)?;
        passed(READS);

        let etcd = Cluster::etcd_from(&self.clients.etcd, &self.made("b")?, &snapshot)?;
        same(&before, &self.picture(&etcd)?)?;
        passed(OUT);

        self.fill(&etcd, "second")?;
        let (before, snapshot) = (self.picture(&etcd)?, self.save(&etcd, "theirs")?);
        etcd.stop()?;
        self.compare_status(&snapshot)?;
        let ours = Cluster::volvox_from(&self.volvox, &self.made("c")?, &snapshot)?;
        same(&before, &self.picture(&ours)?)?;
        passed(IN);

        self.fill(&ours, "third")?;
        let (before, snapshot) = (self.picture(&ours)?, self.save(&ours, "again")?);
        ours.stop()?;
        let etcd = Cluster::etcd_from(&self.clients.etcd, &self.made("d")?, &snapshot)?;
        same(&before, &self.picture(&etcd)?)?;
        etcd.stop()?;
        passed(BACK);
        Ok(())
    }

    fn made(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }

    /// Versions, deletions, revivals, large and empty values, a lease, several changes in one revision, a compaction.
    fn fill(&self, cluster: &Cluster, name: &str) -> Result<()> {
        let ask = |arguments: &[&str]| self.ask(cluster, arguments);
        let granted = ask(&["lease", "grant", "3600"])?;
        let lease = granted.split_whitespace().nth(1).context("no lease in the answer")?;
        for nth in 0..12 {
            let key = format!("{name}/{}", nth % 5);
            ask(&["put", &key, &"v".repeat(nth * nth * 60)])?;
        }
        ask(&["put", &format!("{name}/leased"), "x", "--lease", lease])?;
        ask(&["del", &format!("{name}/1")])?;
        ask(&["put", &format!("{name}/1"), "again"])?;
        ask(&["del", &format!("{name}/2"), &format!("{name}/4")])?;
        let at = ask(&["put", "shared", name, "-w", "json"])?;
        let at = revision_of(&serde_json::from_str(&at)?)?;
        ask(&["compaction", &(at - 6).to_string(), "--physical"])?;
        for nth in 0..3 {
            ask(&["put", "shared", &nth.to_string()])?;
        }
        Ok(())
    }

    fn picture(&self, cluster: &Cluster) -> Result<Picture> {
        let all = |revision: i64| self.json(cluster, &["get", "", "--prefix", "--rev", &revision.to_string()]);
        let revision = revision_of(&self.json(cluster, &["get", "none"])?)?;
        let mut pairs = Vec::new();
        for at in (1..=revision).rev() {
            match all(at) {
                Ok(answer) => pairs.push((at, answer["kvs"].clone())),
                Err(error) if format!("{error:#}").contains("has been compacted") => break,
                Err(error) => return Err(error),
            }
        }
        ensure!(pairs.len() > 3, "only {} revisions can be read", pairs.len());
        let listed = self.ask(cluster, &["lease", "list"])?;
        let mut leases = Vec::new();
        for id in listed.lines().skip(1) {
            let lease = self.json(cluster, &["lease", "timetolive", id, "--keys"])?;
            leases.push(serde_json::json!([id, lease["granted-ttl"], lease["keys"]]));
        }
        leases.sort_by_key(Value::to_string);
        Ok(Picture { revision, pairs, leases })
    }

    fn save(&self, cluster: &Cluster, name: &str) -> Result<PathBuf> {
        let file = self.folder.join(format!("{name}.snapshot"));
        self.ask(cluster, &["snapshot", "save", &file.to_string_lossy()])?;
        Ok(file)
    }

    /// Ours and etcd's own tool find the same in a file: a hash over all of it, the revision, the size.
    fn compare_status(&self, snapshot: &Path) -> Result<()> {
        let mut theirs = Command::new(self.clients.etcd.with_file_name("etcdutl"));
        theirs.args(["snapshot", "status", "-w", "json"]).arg(snapshot);
        let mut ours = Command::new(&self.volvox);
        ours.args(["--json", "snapshot", "status"]).arg(snapshot);
        let (theirs, ours) = (self.document(&mut theirs)?, self.document(&mut ours)?);
        for field in ["hash", "revision", "totalSize"] {
            ensure!(ours[field] == theirs[field], "{field}: etcdutl finds {theirs}, and we find {ours}");
        }
        Ok(())
    }

    fn ask(&self, cluster: &Cluster, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.clients.etcdctl);
        command.args(["--endpoints", &cluster.endpoints()[0]]).args(arguments);
        self.said(&mut command)
    }

    fn json(&self, cluster: &Cluster, arguments: &[&str]) -> Result<Value> {
        let text = self.ask(cluster, &[arguments, &["-w", "json"]].concat())?;
        serde_json::from_str(&text).with_context(|| format!("no JSON: {text:?}"))
    }

    fn document(&self, command: &mut Command) -> Result<Value> {
        let text = self.said(command)?;
        serde_json::from_str(&text).with_context(|| format!("no JSON: {text:?}"))
    }

    fn said(&self, command: &mut Command) -> Result<String> {
        let output = child::capture(command, COMMAND_LIMIT)?;
        let shown = child::show(command).chars().take(200).collect::<String>();
        ensure!(output.status.success(), "`{shown}` failed: {}", output.stderr.trim());
        Ok(output.stdout)
    }
}

fn revision_of(document: &Value) -> Result<i64> {
    document["header"]["revision"].as_i64().with_context(|| format!("no revision in {document}"))
}

fn same(before: &Picture, after: &Picture) -> Result<()> {
    ensure!(before.revision == after.revision, "revision {} became {}", before.revision, after.revision);
    for (before, after) in before.pairs.iter().zip(&after.pairs) {
        ensure!(before == after, "revision {}: {} became {} at {}", before.0, before.1, after.1, after.0);
    }
    ensure!(before.leases == after.leases, "leases: {:?} became {:?}", before.leases, after.leases);
    ensure!(before.pairs.len() == after.pairs.len(), "{} revisions became {}", before.pairs.len(), after.pairs.len());
    Ok(())
}
