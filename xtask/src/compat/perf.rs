//! `cargo xtask check-perf`: etcdctl's own judgement of how fast a cluster is. It takes a minute and wants a quiet machine,
//! so it is a command of its own and no step of the gate.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::cargo;
use crate::child;
use crate::workspace::Workspace;

use super::clients::Clients;
use super::cluster::Cluster;
use super::working_folder;

/// The check writes for 60 s and then deletes what it wrote.
const LIMIT: Duration = Duration::from_secs(180);

/// `cargo xtask check-perf [--load s|m|l|xl] [--against-etcd]`, over a release build.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let (etcd, rest): (Vec<_>, Vec<_>) = arguments.iter().partition(|argument| *argument == "--against-etcd");
    let load = match rest.as_slice() {
        [] => "s",
        [flag, load] if *flag == "--load" => load.as_str(),
        _ => bail!("usage: cargo xtask check-perf [--load s|m|l|xl] [--against-etcd]"),
    };
    let clients = Clients::fetch(workspace)?;
    if etcd.is_empty() {
        cargo::run(&mut cargo::offline(workspace, &["build", "--release", "--package", "volvox"]))?;
    }
    let folder = working_folder()?;
    let cluster = if etcd.is_empty() {
        Cluster::volvox(&workspace.volvox_release(), &folder)?
    } else {
        Cluster::etcd(&clients.etcd, &folder)?
    };
    let mut check = Command::new(&clients.etcdctl);
    check.args(["--endpoints", &cluster.endpoints().join(","), "check", "perf", "--load", load]);
    let status = child::stream(&mut check, LIMIT, |_| {})?;
    cluster.stop()?;
    if !status.success() {
        bail!("`{}` ended with {status}; logs are in {}", child::show(&check), folder.display());
    }
    Ok(std::fs::remove_dir_all(&folder)?)
}
