//! A cluster of the built binary in a temporary folder.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// A cluster that is stopped, and its folder removed, when this is dropped.
pub struct LiveCluster {
    program: PathBuf,
    data: PathBuf,
    port_base: u16,
    nodes: u64,
    keep: bool,
}

impl LiveCluster {
    /// Starts a cluster with `volvox up --detach`, and waits until it is ready.
    ///
    /// # Errors
    /// When the program does not start it.
    pub fn start(program: &Path, name: &str, nodes: u64, port_base: u16, node_flags: &[&str]) -> Result<LiveCluster> {
        let data = std::env::temp_dir().join(format!("volvox-{name}-{}", std::process::id()));
        let cluster = LiveCluster { program: program.to_owned(), data, port_base, nodes, keep: false };
        let _ = std::fs::remove_dir_all(&cluster.data);
        let (count, base) = (nodes.to_string(), port_base.to_string());
        let mut arguments = vec!["up", "--nodes", &count, "--port-base", &base, "--detach"];
        if !node_flags.is_empty() {
            arguments.push("--");
            arguments.extend(node_flags);
        }
        cluster.volvox(&arguments)?;
        Ok(cluster)
    }

    /// Leaves folder and logs behind for a look.
    pub fn keep(&mut self) {
        self.keep = true;
    }

    /// The folder of the cluster.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The nodes, 1 to n.
    pub fn nodes(&self) -> impl Iterator<Item = u64> + use<> {
        1..=self.nodes
    }

    /// The client address of a node.
    pub fn endpoint(&self, id: u64) -> String {
        format!("http://127.0.0.1:{}", self.client_port(id))
    }

    /// The port on which a node serves clients; peers and administration are on the next two.
    pub fn client_port(&self, id: u64) -> u16 {
        self.port_base + 10 * (id as u16 - 1)
    }

    /// Runs a `volvox` command about this cluster.
    ///
    /// # Errors
    /// When it fails; says what it said.
    pub fn volvox(&self, arguments: &[&str]) -> Result<String> {
        let output = self.output(arguments)?;
        if !output.status.success() {
            bail!("volvox {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs a `volvox` command about this cluster that may fail.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub fn output(&self, arguments: &[&str]) -> Result<Output> {
        self.command(arguments).output().with_context(|| format!("cannot run {}", self.program.display()))
    }

    /// A `volvox` command about this cluster, to be run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--data").arg(&self.data).args(arguments);
        command
    }

    /// The process of a node, as its folder names it.
    pub fn process(&self, id: u64) -> Option<u32> {
        let text = std::fs::read_to_string(self.data.join(format!("n{id}/process"))).ok()?;
        text.split_whitespace().next()?.parse().ok()
    }

    /// How much memory the process of a node has resident.
    ///
    /// # Errors
    /// When it does not run.
    pub fn resident_bytes(&self, id: u64) -> Result<u64> {
        let pid = self.process(id).with_context(|| format!("node {id} has no process"))?;
        let text = std::fs::read_to_string(format!("/proc/{pid}/statm"))?;
        let pages: u64 = text.split_whitespace().nth(1).context("statm has a second field")?.parse()?;
        Ok(pages * 4096)
    }

    /// The status of a node from its admin port; `None` when it does not answer.
    pub async fn status(&self, id: u64) -> Option<Value> {
        let port = self.client_port(id) + 2;
        let ask = async {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()?;
            let request = format!("GET /status HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.ok()?;
            let body = answer.split_once("\r\n\r\n")?.1;
            serde_json::from_str(body).ok()
        };
        tokio::time::timeout(Duration::from_millis(500), ask).await.ok()?
    }

    /// The leader, as soon as some node knows it.
    ///
    /// # Errors
    /// When no node does in time.
    pub async fn leader(&self) -> Result<u64> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            for id in self.nodes() {
                if let Some(status) = self.status(id).await
                    && status["role"] == "leader"
                {
                    return Ok(id);
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("no leader after 10 s")
    }

    /// Waits until every node answers, knows the same leader, and has applied what the leader has.
    ///
    /// # Errors
    /// When that does not happen in time.
    pub async fn wait_whole(&self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        let mut last = Vec::new();
        while Instant::now() < deadline {
            last.clear();
            for id in self.nodes() {
                last.push(self.status(id).await.unwrap_or(Value::Null));
            }
            let leader = &last[0]["leader"];
            let newest = last.iter().filter_map(|status| status["commit_index"].as_u64()).max().unwrap_or(0);
            let whole = |status: &Value| {
                !leader.is_null()
                    && status["leader"] == *leader
                    && status["applied_index"].as_u64().is_some_and(|applied| applied + 2000 >= newest)
            };
            if last.iter().all(whole) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("the cluster is not whole after {limit:?}: {}", Value::from(last))
    }
}

impl Drop for LiveCluster {
    fn drop(&mut self) {
        if let Err(error) = self.volvox(&["down"]) {
            eprintln!("{error:#}");
        }
        if self.keep {
            eprintln!("left for a look: {}", self.data.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.data);
        }
    }
}
