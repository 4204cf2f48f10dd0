//! Three members of either side on this machine, each a separate OS process.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::child;

use super::processes;

/// Members that serve no write by then will not.
const START_LIMIT: Duration = Duration::from_secs(60);
const COMMAND_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// Below the ports that the system gives to connections, and apart from those of `compat`.
const FIRST_PORT: u16 = 30_000;

/// The side that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Our own nodes.
    Volvox,
    /// The peer.
    Etcd,
}

impl Side {
    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Side::Volvox => "volvox",
            Side::Etcd => "etcd",
        }
    }
}

/// Three members that run; they end when this is dropped.
pub struct Members {
    children: Vec<Child>,
    endpoints: Vec<String>,
    client: PathBuf,
}

impl Members {
    /// Three of our nodes with the defaults of `volvox node`.
    pub fn volvox(binary: &Path, folder: &Path) -> Result<Self> {
        let base = free_base()?;
        let peers: Vec<_> = (0..3).map(|index| format!("{}=127.0.0.1:{}", index + 1, base + 10 * index + 1)).collect();
        let command = |index: u16| {
            let address = |kind: u16| format!("127.0.0.1:{}", base + 10 * index + kind);
            let mut command = Command::new(binary);
            command.args(["node", "--id", &(index + 1).to_string(), "--cluster", "1"]);
            command.arg("--folder").arg(folder.join(format!("n{}", index + 1)));
            command.args(["--initial-cluster", &peers.join(","), "--initial-cluster-state", "new"]);
            command.args(["--listen-client", &address(0), "--listen-peer", &address(1), "--listen-admin", &address(2)]);
            command
        };
        Members::start(base, binary, folder, command)
    }

    /// Three members of etcd with etcd's defaults: heartbeat 100 ms, election 1 s, every write synced.
    pub fn etcd(binary: &Path, client: &Path, folder: &Path) -> Result<Self> {
        let base = free_base()?;
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let initial: Vec<_> = (0..3).map(|index| format!("n{}={}", index + 1, url(base + 10 * index + 1))).collect();
        let command = |index: u16| {
            let (name, port) = (format!("n{}", index + 1), base + 10 * index);
            let mut command = Command::new(binary);
            command.arg("--data-dir").arg(folder.join(&name)).args(["--name", &name]);
            command.args(["--listen-client-urls", &url(port), "--advertise-client-urls", &url(port)]);
            command.args(["--listen-peer-urls", &url(port + 1), "--initial-advertise-peer-urls", &url(port + 1)]);
            command.args(["--initial-cluster", &initial.join(","), "--initial-cluster-state", "new"]);
            command.args(["--log-level", "warn"]);
            command
        };
        Members::start(base, client, folder, command)
    }

    fn start(base: u16, client: &Path, folder: &Path, command: impl Fn(u16) -> Command) -> Result<Self> {
        let endpoints = (0..3).map(|index| format!("127.0.0.1:{}", base + 10 * index)).collect();
        // Made before the first child, so that those of a start that fails half way end as well.
        let mut members = Self { children: Vec::new(), endpoints, client: client.to_path_buf() };
        for index in 0..3 {
            let path = folder.join(format!("n{}.log", index + 1));
            let log = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
            let mut command = command(index);
            command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
            let child = command.spawn().with_context(|| format!("cannot start `{}`", child::show(&command)))?;
            members.children.push(child);
        }
        members.wait_until_writable(folder)?;
        Ok(members)
    }

    /// A write through every member succeeds.
    fn wait_until_writable(&mut self, folder: &Path) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        for endpoint in self.endpoints.clone() {
            loop {
                let output = self.ask(&[endpoint.as_str()], &["put", "ready", "1"])?;
                if output.status.success() {
                    break;
                }
                if Instant::now() > deadline {
                    let said = String::from_utf8_lossy(output.stderr.as_bytes()).into_owned();
                    let log = std::fs::read_to_string(folder.join("n1.log")).unwrap_or_default();
                    bail!("{endpoint} is not ready after {START_LIMIT:?}: {said}\n{log}");
                }
                std::thread::sleep(POLL);
            }
        }
        Ok(())
    }

    /// The addresses for clients, in the order of the members.
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// The processes.
    pub fn pids(&self) -> Vec<u32> {
        self.children.iter().map(Child::id).collect()
    }

    /// The endpoint of the leader, and that of a member that follows.
    pub fn leader_and_follower(&self) -> Result<(String, String)> {
        let members = self.status()?;
        let with = |role: &str| {
            let index = members.iter().position(|member| member["role"] == role);
            index.map(|index| self.endpoints[index].clone()).with_context(|| format!("no {role} in {members:?}"))
        };
        Ok((with("leader")?, with("follower")?))
    }

    /// The revision of the store.
    pub fn revision(&self) -> Result<i64> {
        let revisions = self.status()?.iter().filter_map(|member| member["revision"].as_i64()).max();
        revisions.context("no member tells its revision")
    }

    fn status(&self) -> Result<Vec<Value>> {
        let endpoints: Vec<_> = self.endpoints.iter().map(String::as_str).collect();
        let output = self.ask(&endpoints, &["status", "--json"])?;
        let document: Value = serde_json::from_str(&output.stdout)
            .with_context(|| format!("`volvox status` said {:?} {:?}", output.stdout, output.stderr))?;
        document["members"].as_array().cloned().context("a status without members")
    }

    /// Drops history below `revision`.
    pub fn compact(&self, revision: i64) -> Result<()> {
        let output = self.ask(&[&self.endpoints[0]], &["compact", &revision.to_string()])?;
        if !output.status.success() {
            bail!("compaction at {revision}: {}{}", output.stdout, output.stderr);
        }
        Ok(())
    }

    /// The result of `volvox bench` on these members, as one document.
    pub fn bench(&self, endpoints: &[String], arguments: &[&str], limit: Duration) -> Result<Value> {
        let mut command = Command::new(&self.client);
        command.arg("bench").args(arguments).args(["--json", "--endpoints", &endpoints.join(",")]);
        let output = child::capture(&mut command, limit)?;
        if !output.status.success() {
            bail!("`{}` ended with {}: {}{}", child::show(&command), output.status, output.stdout, output.stderr);
        }
        serde_json::from_str(&output.stdout).with_context(|| format!("`{}` printed no document", child::show(&command)))
    }

    /// Processor time that the members have used so far, in seconds.
    pub fn processor_seconds(&self) -> Result<f64> {
        self.pids().into_iter().map(processes::processor_seconds).sum()
    }

    /// Resident memory of each member, in MiB.
    pub fn resident_mib(&self) -> Result<Vec<f64>> {
        self.pids().into_iter().map(processes::resident_mib).collect()
    }

    fn ask(&self, endpoints: &[&str], arguments: &[&str]) -> Result<child::Output> {
        let mut command = Command::new(&self.client);
        child::capture(command.args(["--endpoints", &endpoints.join(",")]).args(arguments), COMMAND_LIMIT)
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        self.children.iter_mut().for_each(child::end);
    }
}

/// A base such that three members find their three ports free, each ten above the last.
fn free_base() -> Result<u16> {
    let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let fits = |base: &u16| (0..3).all(|node| (0..3).all(|kind| free(base + 10 * node + kind)));
    (0..20).map(|step| FIRST_PORT + step * 100).find(fits).context("no free ports between 30000 and 32000")
}
