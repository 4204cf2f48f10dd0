//! `volvox up`: starts every node of a local cluster, and reports when a put would succeed.

use super::faults;
use super::manifest::{Manifest, ManifestNode, node_log};
use super::processes::{NodeProcess, last_words, spawn};
use crate::client::{ClientOptions, Cluster, Endpoint, Repeat, find_endpoints, serves_tls};
use crate::print::say;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitCode};
use std::time::{Duration, Instant};
use volvox_etcd::proto::etcdserverpb::cluster_client::ClusterClient;
use volvox_etcd::proto::etcdserverpb::kv_client::KvClient;
use volvox_etcd::proto::etcdserverpb::request_op::Request;
use volvox_etcd::proto::etcdserverpb::{
    Compare, DeleteRangeRequest, Member, MemberListRequest, RequestOp, TxnRequest, compare,
};

/// The time after which a cluster that is not ready has a problem that waiting does not solve.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// The time after which a node that has not obeyed the order to stop is killed.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// The flags of `volvox up`.
#[derive(Args, Clone, Debug)]
pub struct UpArguments {
    /// The number of nodes [default: 3]
    #[arg(long)]
    nodes: Option<u64>,
    /// Node i serves clients on port P+10(i-1), peers and administration on the next two [default: 2379, 22379, 32379,
    /// ...]
    #[arg(long, value_name = "P")]
    port_base: Option<u16>,
    /// Return once the cluster is ready; the nodes keep running
    #[arg(long)]
    detach: bool,
    /// Additional flags for every node, as `volvox node` takes them (after `--`)
    #[arg(last = true, value_name = "NODE FLAGS")]
    node_flags: Vec<String>,
}

/// Runs `volvox up`.
///
/// # Errors
/// When the cluster cannot be started; says what to do.
pub async fn up(arguments: UpArguments, data: &Path, options: &ClientOptions) -> Result<ExitCode> {
    let (json, tls) = (options.json, options.tls.load()?);
    check_ports(&manifest_for(&arguments, data)?, data)?;
    let mut edit = Manifest::edit(data)?;
    let starting = |id: u64| NodeProcess::of_node(data, id).is_none();
    for id in edit.nodes.iter().map(|node| node.id).filter(|id| starting(*id)).collect::<Vec<u64>>() {
        edit.forget_failed_sync(id);
    }
    let manifest = edit.save(data)?;
    // Checked before a node is started: a missing file is reported at once.
    let endpoints = find_endpoints(&[], Some(data), tls.as_ref())?;
    let mut children = Vec::new();
    for node in &manifest.nodes {
        if NodeProcess::of_node(data, node.id).is_none() {
            children.push((node.id, spawn(&manifest, node, data)?));
        }
    }
    let ready = tokio::select! {
        ready = wait_ready(&manifest, data, endpoints, &mut children) => ready,
        _ = stop_signal() => Err(anyhow::anyhow!("interrupted before the cluster was ready")),
    };
    if let Err(error) = ready {
        stop_all(&manifest, data);
        return Err(error);
    }
    mark_formed(data)?;
    faults::apply(&Manifest::require(data)?).await;
    if json {
        say(serde_json::json!({ "ready": true, "endpoints": manifest.endpoints() }));
    } else {
        announce(&manifest, data, arguments.detach);
    }
    if !arguments.detach {
        watch_until_signal(&manifest, data, &mut children).await;
        if !json {
            say("stopping");
        }
        stop_all(&Manifest::require(data)?, data);
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs `volvox down`; without a cluster it says so and succeeds.
///
/// # Errors
/// When the manifest cannot be read.
pub fn down(data: &Path) -> Result<String> {
    let Some(manifest) = Manifest::load(data)? else {
        return Ok(format!("there is no cluster in {}", data.display()));
    };
    let running = manifest.nodes.iter().filter(|node| NodeProcess::of_node(data, node.id).is_some()).count();
    stop_all(&manifest, data);
    Ok(format!("stopped {running} of {} nodes; the data stays in {}", manifest.nodes.len(), data.display()))
}

fn manifest_for(arguments: &UpArguments, data: &Path) -> Result<Manifest> {
    let Some(manifest) = Manifest::load(data)? else {
        return Manifest::new(arguments.nodes.unwrap_or(3), arguments.port_base, &arguments.node_flags)?.create(data);
    };
    let nodes = manifest.nodes.len() as u64;
    if let Some(wanted) = arguments.nodes
        && wanted != nodes
    {
        bail!(
            "{} contains a cluster of {nodes} nodes, not {wanted}; use --nodes {nodes}, or another --data",
            data.display()
        );
    }
    if arguments.port_base.is_some() && arguments.port_base != manifest.port_base {
        let base =
            |base: Option<u16>| base.map_or("the default ports".to_owned(), |base| format!("--port-base {base}"));
        let (had, wanted) = (base(manifest.port_base), base(arguments.port_base));
        bail!("{} contains a cluster on {had}, not on {wanted}; omit the flag, or use another --data", data.display());
    }
    Ok(manifest)
}

/// An occupied port is detected here, where it can be reported clearly.
fn check_ports(manifest: &Manifest, data: &Path) -> Result<()> {
    for node in manifest.nodes.iter().filter(|node| NodeProcess::of_node(data, node.id).is_none()) {
        for port in [node.client_port, node.peer_port, node.admin_port] {
            if let Err(error) = std::net::TcpListener::bind(("127.0.0.1", port)) {
                bail!(
                    "node {} needs port {port} on 127.0.0.1, which is not free ({error}); stop what uses it, or choose other ports with --port-base and another --data",
                    node.id
                );
            }
        }
    }
    Ok(())
}

async fn wait_ready(
    manifest: &Manifest,
    data: &Path,
    endpoints: Vec<Endpoint>,
    children: &mut [(u64, Child)],
) -> Result<()> {
    let deadline = Instant::now() + READY_LIMIT;
    let cluster = Cluster::new(endpoints, READY_LIMIT);
    let trouble = RefCell::new(String::new());
    let ready = wait_serving(&cluster, manifest, &trouble);
    tokio::pin!(ready);
    let mut is_serving = false;
    loop {
        for (id, child) in children.iter_mut() {
            if let Some(status) = child.try_wait().context("cannot ask for a node's state")? {
                bail!("node {id} ended ({status}): {}", last_words(data, *id));
            }
        }
        // Every node has recorded its process, so that `kill 2` finds it; a mere majority can accept a write before
        // that.
        let is_known = |id: u64| NodeProcess::of_node(data, id).is_some();
        if is_serving && children.iter().all(|(id, _)| is_known(*id)) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let (seconds, log, trouble) = (READY_LIMIT.as_secs(), node_log(data, 1), trouble.take());
            bail!("the cluster is not ready after {seconds} s; see {}\n{trouble}", log.display());
        }
        if is_serving {
            tokio::time::sleep(Duration::from_millis(5)).await;
        } else if let Ok(result) = tokio::time::timeout(Duration::from_millis(50), &mut ready).await {
            result?;
            is_serving = true;
        }
    }
}

/// Waits until a write goes through, and every node of ours has published its name to the cluster: a node does so once
/// it knows a leader, and until then `status` could not name it.
async fn wait_serving(cluster: &Cluster, manifest: &Manifest, trouble: &RefCell<String>) -> Result<()> {
    wait_writable(cluster, trouble).await?;
    let is_ours = |id: u64| manifest.nodes.iter().any(|node| node.id == id);
    loop {
        let call =
            async |channel| ClusterClient::new(channel).member_list(MemberListRequest { linearizable: true }).await;
        let listed = cluster.call("waiting for the names of the nodes", Repeat::Safe, call).await;
        // The table is empty until the first leader has written the cluster's members.
        let is_named = |member: &Member| !is_ours(member.id) || !member.name.is_empty();
        if listed.is_ok_and(|list| !list.members.is_empty() && list.members.iter().all(is_named)) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until a write succeeds: one that changes nothing, but needs the agreement of a majority.
async fn wait_writable(cluster: &Cluster, trouble: &RefCell<String>) -> Result<()> {
    // The branch that deletes is never taken: no version is below 0. But the servers must agree on that.
    let never = Compare {
        result: compare::CompareResult::Less.into(),
        target: compare::CompareTarget::Version.into(),
        key: "ready".into(),
        target_union: Some(compare::TargetUnion::Version(0)),
        ..Compare::default()
    };
    let nothing = DeleteRangeRequest { key: "ready".into(), ..DeleteRangeRequest::default() };
    let probe = TxnRequest {
        compare: vec![never],
        success: vec![RequestOp { request: Some(Request::RequestDeleteRange(nothing)) }],
        ..TxnRequest::default()
    };
    loop {
        let call = async |channel| KvClient::new(channel).txn(probe.clone()).await;
        match cluster.call("waiting for the cluster", Repeat::Safe, call).await {
            Ok(_) => return Ok(()),
            Err(error) => {
                *trouble.borrow_mut() = error.to_string();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

fn mark_formed(data: &Path) -> Result<()> {
    let mut edit = Manifest::edit(data)?;
    edit.formed = true;
    edit.save(data).map(drop)
}

fn announce(manifest: &Manifest, data: &Path, detached: bool) {
    let option = match data.to_str() {
        Some("./volvox-data") | None => String::new(),
        Some(other) => format!(" --data {other}"),
    };
    say(format_args!("clients: {}", manifest.endpoints().join(", ")));
    let secure = manifest.nodes.iter().any(|node| serves_tls(&node.flags));
    let tls = if secure { " --cacert FILE" } else { "" };
    let first = &manifest.endpoints()[0];
    say(format_args!("try:     volvox{option}{tls} put greeting hello   (or etcdctl{tls} --endpoints {first})"));
    if detached {
        say(format_args!("stop:    volvox{option} down"));
    } else {
        say("stop:    Ctrl-C");
    }
    say("ready");
}

async fn watch_until_signal(manifest: &Manifest, data: &Path, children: &mut [(u64, Child)]) {
    let mut ended: Vec<u64> = Vec::new();
    let signal = stop_signal();
    tokio::pin!(signal);
    loop {
        tokio::select! {
            _ = &mut signal => return,
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
        for (id, child) in children.iter_mut() {
            if !ended.contains(id)
                && let Ok(Some(status)) = child.try_wait()
            {
                ended.push(*id);
                eprintln!("node {id} ended ({status}); 'volvox start {id}' starts it again");
            }
        }
        let running = |node: &ManifestNode| NodeProcess::of_node(data, node.id).is_some();
        if !manifest.nodes.iter().any(running) {
            eprintln!("no node is running any more");
            return;
        }
    }
}

async fn stop_signal() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(_) => return std::future::pending().await,
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// Stops every node of the manifest, no matter which command started it.
pub fn stop_all(manifest: &Manifest, data: &Path) {
    let processes: Vec<NodeProcess> =
        manifest.nodes.iter().filter_map(|node| NodeProcess::of_node(data, node.id)).collect();
    for process in &processes {
        // A paused process sees the order to stop only when it is resumed.
        let told = process.signal(libc::SIGTERM).and_then(|()| process.signal(libc::SIGCONT));
        if let Err(error) = told {
            eprintln!("{error:#}");
        }
    }
    for process in processes {
        if !process.wait_ended(STOP_LIMIT) {
            eprintln!("process {} did not stop within {} s and is killed", process.pid, STOP_LIMIT.as_secs());
            let _ = process.signal(libc::SIGKILL);
            process.wait_ended(STOP_LIMIT);
        }
    }
}

/// The folder of the local cluster that a command refers to.
pub fn data_folder(data: Option<&PathBuf>) -> PathBuf {
    data.cloned().unwrap_or_else(|| PathBuf::from("./volvox-data"))
}
