//! Three nodes on this machine, ours or etcd's own, stopped when they are no longer needed whatever happened in between.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::child;

/// A cluster that is not ready by then will not be.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A cluster that has not stopped by then hangs.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// The first port of the search: below those that the system gives to connections.
const FIRST_PORT: u16 = 20_000;

/// Three nodes that run.
pub struct Cluster {
    endpoints: Vec<String>,
    kind: Kind,
}

enum Kind {
    Volvox { binary: PathBuf, data: PathBuf, running: bool },
    Etcd(Vec<Child>),
}

impl Cluster {
    /// Three nodes of `binary`, ready when this returns.
    pub fn volvox(binary: &Path, folder: &Path) -> Result<Self> {
        Self::volvox_at(free_base()?, binary, folder)
    }

    /// The same with the store of a snapshot.
    pub fn volvox_from(binary: &Path, folder: &Path, snapshot: &Path) -> Result<Self> {
        let base = free_base()?;
        let mut restore = Command::new(binary);
        restore.args(["snapshot", "restore", "--port-base", &base.to_string()]).arg(snapshot);
        succeed(restore.arg("--data-dir").arg(folder.join("data")))?;
        Self::volvox_at(base, binary, folder)
    }

    fn volvox_at(base: u16, binary: &Path, folder: &Path) -> Result<Self> {
        let data = folder.join("data");
        let kind = Kind::Volvox { binary: binary.to_path_buf(), data: data.clone(), running: true };
        // Made before the start, so that nodes of a start that fails half way are stopped as well.
        let cluster = Self { endpoints: endpoints(base), kind };
        let mut up = Command::new(binary);
        up.args(["up", "--detach", "--port-base", &base.to_string(), "--data"]).arg(&data).current_dir(folder);
        // A file and no pipe: nodes that inherit a pipe would hold it open long after `up` has ended.
        let path = folder.join("up.log");
        let log = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        up.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut child = up.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
        let status = child::wait(&mut child, START_LIMIT);
        if !status.is_some_and(|status| status.success()) {
            let said = std::fs::read_to_string(&path).unwrap_or_default();
            let ended = status.map_or_else(
                || format!("was not ready within {START_LIMIT:?}"),
                |status| format!("ended with {status}"),
            );
            bail!("`{}` {ended}; it said:\n{said}", child::show(&up));
        }
        Ok(cluster)
    }

    /// Three members of etcd from the binary of the client's package, ready when this returns.
    pub fn etcd(binary: &Path, folder: &Path) -> Result<Self> {
        Self::etcd_with(binary, folder, |_| Ok(()))
    }

    /// Three members of `volvox`, which takes etcd's place: under its name, with its flags, beside its client.
    pub fn drop_in(volvox: &Path, etcdctl: &Path, folder: &Path) -> Result<Self> {
        let programs = folder.join("programs");
        std::fs::create_dir_all(&programs).with_context(|| format!("cannot make {}", programs.display()))?;
        for (program, name) in [(volvox, "etcd"), (etcdctl, "etcdctl")] {
            let program = std::fs::canonicalize(program).with_context(|| format!("no {}", program.display()))?;
            std::os::unix::fs::symlink(&program, programs.join(name)).with_context(|| format!("cannot link {name}"))?;
        }
        Self::etcd(&programs.join("etcd"), folder)
    }

    /// The same with the store of a snapshot.
    pub fn etcd_from(binary: &Path, folder: &Path, snapshot: &Path) -> Result<Self> {
        Self::etcd_with(binary, folder, |identity| {
            let mut restore = Command::new(binary.with_file_name("etcdutl"));
            succeed(restore.args(["snapshot", "restore"]).arg(snapshot).args(identity))
        })
    }

    /// `prepare` gets the arguments by which a member is recognised, before it starts.
    fn etcd_with(binary: &Path, folder: &Path, prepare: impl Fn(&[String]) -> Result<()>) -> Result<Self> {
        let base = free_base()?;
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let peer = |index: u16| url(base + 10 * index + 1);
        let initial: Vec<_> = (0..3).map(|index| format!("n{}={}", index + 1, peer(index))).collect();
        let mut cluster = Self { endpoints: endpoints(base), kind: Kind::Etcd(Vec::new()) };
        for index in 0..3 {
            let (name, client) = (format!("n{}", index + 1), url(base + 10 * index));
            let log = File::create(folder.join(format!("{name}.log"))).context("cannot make a log")?;
            let identity = [
                ("--data-dir", folder.join(&name).to_string_lossy().into_owned()),
                ("--name", name.clone()),
                ("--initial-advertise-peer-urls", peer(index)),
                ("--initial-cluster", initial.join(",")),
            ];
            let identity: Vec<String> =
                identity.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect();
            prepare(&identity)?;
            let mut command = Command::new(binary);
            command.args(&identity).args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
            command.args(["--listen-peer-urls", &peer(index), "--initial-cluster-state", "new"]);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
            let child = command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
            let Kind::Etcd(children) = &mut cluster.kind else { bail!("not a cluster of etcd") };
            children.push(child);
        }
        cluster.wait_until_healthy(&binary.with_file_name("etcdctl"))?;
        Ok(cluster)
    }

    /// The client endpoint of each node, in order.
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// Stops every node, and says when one would not.
    pub fn stop(mut self) -> Result<()> {
        self.end()
    }

    fn wait_until_healthy(&self, etcdctl: &Path) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let mut command = Command::new(etcdctl);
            command.args(["--endpoints", &self.endpoints.join(","), "endpoint", "health"]);
            let output = child::capture(&mut command, START_LIMIT)?;
            if output.status.success() {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the cluster is not healthy after {START_LIMIT:?}:\n{}{}", output.stdout, output.stderr);
            }
        }
    }

    fn end(&mut self) -> Result<()> {
        match &mut self.kind {
            Kind::Etcd(children) => children.drain(..).for_each(|mut child| child::end(&mut child)),
            Kind::Volvox { running: false, .. } => {}
            Kind::Volvox { binary, data, running } => {
                *running = false;
                let mut down = Command::new(binary);
                let output = child::capture(down.args(["down", "--data"]).arg(data), STOP_LIMIT)?;
                if !output.status.success() {
                    bail!("`{}` failed:\n{}{}", child::show(&down), output.stdout, output.stderr);
                }
            }
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("the cluster did not stop: {error:#}");
        }
    }
}

fn succeed(command: &mut Command) -> Result<()> {
    let output = child::capture(command, START_LIMIT)?;
    if !output.status.success() {
        bail!("`{}` failed:\n{}{}", child::show(command), output.stdout, output.stderr);
    }
    Ok(())
}

fn endpoints(base: u16) -> Vec<String> {
    (0..3).map(|index| format!("127.0.0.1:{}", base + 10 * index)).collect()
}

/// A base such that three nodes find their three ports free, each ten above the last; runs side by side start apart.
fn free_base() -> Result<u16> {
    let own = u16::try_from(std::process::id() % 100).unwrap_or(0) * 100;
    let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let fits = |base: &u16| (0..3).all(|node| (0..3).all(|kind| free(base + 10 * node + kind)));
    (0..100)
        .map(|step| FIRST_PORT + (own + step * 100) % 10_000)
        .find(fits)
        .context("no free ports between 20000 and 30000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_with_a_taken_port_is_not_chosen() {
        let first = free_base().unwrap();
        let _taken = TcpListener::bind(("127.0.0.1", first + 11)).unwrap();
        assert_ne!(free_base().unwrap(), first);
    }
}
