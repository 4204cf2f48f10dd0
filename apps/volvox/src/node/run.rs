//! Runs one node: the replica in the live world, with the etcd door in front of it.
//!
//! On a machine with at most two cores per node, the door, the node loop and the sockets of the peers share one
//! current-thread runtime: a request then never waits for another thread to wake up. With `--door-threads N` the door
//! has its own runtime. The disk always has its own thread.

use super::address_book;
use super::admin;
use super::backend::LiveReplica;
use super::log_file;
use super::options::{ClientPort, NodeArguments, NodeSettings};
use super::peer_http;
use super::ready;
use super::shutdown;
use crate::local::processes::NodeProcess;
use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use volvox_core::NodeId;
use volvox_disk::RealDirectory;
use volvox_etcd::Dispatcher;
use volvox_net::{FreshLife, Life, Node, NodeHandle, NodeOptions};
use volvox_replica::{Config, Event, Member, Replica};

/// The length of a segment of the log.
const SEGMENT_BYTES: u64 = 16 << 20;

/// Runs `volvox node`.
///
/// # Errors
/// When the node cannot start, or has to stop.
pub fn node(arguments: NodeArguments) -> Result<ExitCode> {
    let settings = arguments.settings()?;
    log_file::start(&settings.log, settings.log_file.as_deref())?;
    serve(settings)
}

/// Runs a node until it is asked to stop; the log is open.
///
/// # Errors
/// When the node cannot start, or has to stop.
pub fn serve(settings: NodeSettings) -> Result<ExitCode> {
    abort_on_panic();
    let result = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(tokio::task::LocalSet::new().run_until(run(settings)));
    if let Err(error) = &result {
        tracing::error!("the node stops: {error:#}");
    }
    result.map(|()| ExitCode::SUCCESS)
}

/// A panic ends the node in every profile: if only the task died, the node could give wrong answers.
fn abort_on_panic() {
    let say = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tracing::error!("a bug: {panic}; the node ends, and everything it acknowledged is on the disks of a majority");
        say(panic);
        std::process::abort();
    }));
}

async fn run(settings: NodeSettings) -> Result<()> {
    let ports = client_ports(&settings.clients).await?;
    let admin_listener = match settings.listen_admin {
        Some(address) => Some(listen(address, "administration").await?),
        None => None,
    };
    let directory = RealDirectory::open(&settings.folder)?;
    NodeProcess::current()?.record(&settings.folder)?;

    let dispatcher = Arc::new(Dispatcher::new());
    let (stop, stopping) = watch::channel(false);
    let (members_sender, members) = watch::channel(address_book::Table::default());
    let on_event = {
        let (dispatcher, stop) = (Arc::clone(&dispatcher), stop.clone());
        move |event: Event| {
            match &event {
                Event::MembersChanged { members, leaving } => {
                    members_sender.send_replace(address_book::Table::new(members, leaving));
                }
                Event::Removed => {
                    tracing::warn!("this node was removed from the cluster, and stops");
                    stop.send_replace(true);
                }
                Event::LeaderChanged { term, leader } => match leader {
                    Some(leader) => tracing::info!("{leader} leads in term {term}"),
                    None => tracing::info!("no leader in term {term}"),
                },
                Event::Reply { .. } | Event::Watch { .. } => {}
            }
            dispatcher.on_event(event);
        }
    };
    let (node, handle) =
        Node::<Replica>::open(node_options(&settings), directory, |life| replica_config(&settings, life), on_event)?;
    tracing::info!("opened {} as {:?}", settings.folder.display(), handle.life());
    if !settings.faults.is_empty() {
        handle.set_faults(&settings.faults).context("--fault")?;
    }

    tokio::task::spawn_local(address_book::follow(handle.clone(), members));
    if let Some(listener) = admin_listener {
        tokio::spawn(admin::serve(listener, handle.clone()));
    }
    let seen = handle.clone();
    handle.answer_http(move |path| peer_http::document(path, &seen.view()));
    let door = serve_door(&settings, ports, &handle, dispatcher, stopping.clone())?;
    // Handing over is not worth waiting longer than an election takes.
    let hand_over_limit = 2 * settings.election_timeout;
    tokio::task::spawn_local(shutdown::on_signal(handle.clone(), stop.clone(), hand_over_limit));
    tokio::task::spawn_local(stop_node(handle.clone(), stopping));

    tokio::task::spawn_local(ready::announce(handle.clone(), settings.clone()));
    let result = node.run().await;
    stop.send_replace(true);
    door.wait().await;
    result.map_err(Into::into)
}

async fn listen(address: SocketAddr, whom: &str) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen for {whom} on {address}; is another process using it?"))
}

async fn client_ports(ports: &[ClientPort]) -> Result<Vec<volvox_etcd::Port>> {
    let mut open = Vec::new();
    for port in ports {
        let tls = port.tls.clone().map(volvox_etcd::ServerTls::load).transpose().context("TLS on the client port")?;
        let listener = listen(port.address, "clients").await?;
        open.push(volvox_etcd::Port { listener, tls: tls.map(Arc::new), serves: port.serves });
    }
    Ok(open)
}

fn node_options(settings: &NodeSettings) -> NodeOptions {
    let mut options = NodeOptions::new(NodeId(settings.id), settings.cluster, settings.listen_peer);
    options.members = settings.members.keys().map(|id| NodeId(*id)).collect();
    options.peers = settings
        .members
        .iter()
        .filter(|(id, _)| **id != settings.id)
        .map(|(id, address)| (NodeId(*id), address.clone()))
        .collect();
    options.fresh = if settings.is_new { FreshLife::Bootstrap } else { FreshLife::Join };
    options.tls = settings.tls.clone();
    // As long as the log between two checkpoints: then a segment becomes a spare before the next one is needed, and the
    // disk is not busy writing zeros while clients wait.
    options.log.segment_bytes = SEGMENT_BYTES;
    options.development = settings.development;
    options
}

/// The configuration of the replica in this incarnation. Only the first incarnation of a node that forms a cluster
/// knows the members from the start; any other learns them from the log.
fn replica_config(settings: &NodeSettings, life: &Life) -> Config {
    let id = NodeId(settings.id);
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    let forms = life.incarnation == volvox_core::Incarnation(1);
    let member = |(id, address): (&u64, &String)| Member {
        id: NodeId(*id),
        name: String::new(),
        peer_urls: settings.peer_urls.get(id).cloned().unwrap_or_else(|| vec![format!("{scheme}://{address}")]),
        client_urls: Vec::new(),
        is_learner: false,
    };
    let bootstrap: Vec<Member> = if forms { settings.members.iter().map(member).collect() } else { Vec::new() };
    let voter = |id: &u64| volvox_raft::Member { node: NodeId(*id), incarnation: volvox_core::Incarnation(1) };
    let raft = volvox_raft::Config {
        incarnation: life.incarnation,
        initial: forms.then(|| volvox_raft::Configuration {
            voters: settings.members.keys().map(voter).collect(),
            ..volvox_raft::Configuration::default()
        }),
        heartbeat: settings.heartbeat,
        election_timeout: settings.election_timeout,
        log_keep_bytes: 4 << 20,
        // Many clients send requests at the same time, and their requests are sent to peers in batches.
        gather: true,
        ..volvox_raft::Config::default()
    };
    let mut config = Config::new(raft, settings.cluster, bootstrap, id);
    config.name.clone_from(&settings.name);
    config.client_urls.clone_from(&settings.advertise_client);
    config.request_bytes_max = settings.door.request_bytes_max;
    config.txn_ops_max = settings.door.txn_operations_max;
    config.quota_bytes = settings.quota_bytes;
    config.token_ttl = settings.auth_token_ttl;
    config.checkpoint_log_bytes = settings.checkpoint_log_bytes;
    config.watch_progress_interval = settings.watch_progress_interval;
    config
}

/// Starts the door, on this runtime or on its own.
enum DoorTask {
    Here(tokio::task::JoinHandle<()>),
    Apart(std::thread::JoinHandle<()>),
}

impl DoorTask {
    async fn wait(self) {
        match self {
            DoorTask::Here(task) => drop(task.await),
            DoorTask::Apart(thread) => drop(tokio::task::spawn_blocking(move || thread.join()).await),
        }
    }
}

fn serve_door(
    settings: &NodeSettings,
    ports: Vec<volvox_etcd::Port>,
    handle: &NodeHandle<Replica>,
    dispatcher: Arc<Dispatcher>,
    mut stopping: watch::Receiver<bool>,
) -> Result<DoorTask> {
    let options = settings.door.clone();
    let backend = LiveReplica(handle.clone());
    let shutdown = async move {
        let _ = stopping.wait_for(|stopping| *stopping).await;
    };
    if settings.door_threads == 0 {
        let door = volvox_etcd::serve(ports, backend, dispatcher, options, shutdown);
        return Ok(DoorTask::Here(tokio::spawn(door)));
    }
    let ports: std::io::Result<Vec<_>> =
        ports.into_iter().map(|port| Ok((port.listener.into_std()?, port.tls, port.serves))).collect();
    let ports = ports.context("cannot move the client listeners to another thread")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(settings.door_threads)
        .thread_name("door")
        .enable_all()
        .build()
        .context("cannot start the threads of --door-threads")?;
    let thread = std::thread::Builder::new().name("doors".into()).spawn(move || {
        runtime.block_on(async move {
            let ports = ports.into_iter().map(|(listener, tls, serves)| {
                Ok(volvox_etcd::Port { listener: TcpListener::from_std(listener)?, tls, serves })
            });
            match ports.collect::<std::io::Result<Vec<_>>>() {
                Ok(ports) => volvox_etcd::serve(ports, backend, dispatcher, options, shutdown).await,
                Err(error) => tracing::error!("cannot use the client listeners: {error}"),
            }
        });
    });
    Ok(DoorTask::Apart(thread.context("cannot start the thread of the door")?))
}

async fn stop_node(handle: NodeHandle<Replica>, mut stopping: watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
    handle.stop();
}
