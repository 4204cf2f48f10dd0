//! The live world as a [`World`]: nodes on threads of their own, sockets on loopback, folders on the disk.
// This module is the outside world: it waits with the system's clock.
#![allow(clippy::disallowed_methods)]

use crate::{Cluster, World};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use volvox_core::{Fault, Incarnation, NodeId};
use volvox_disk::RealDirectory;
use volvox_net::{FreshLife, Node, NodeHandle, NodeOptions, NodeThread, spawn_thread};

/// How long a wait may last.
const PATIENCE: Duration = Duration::from_secs(30);

/// A cluster in the live world.
pub struct Live<P: volvox_net::Live> {
    folder: PathBuf,
    config: fn(NodeId, Incarnation) -> P::Config,
    members: Vec<NodeId>,
    addresses: BTreeMap<NodeId, SocketAddr>,
    running: BTreeMap<NodeId, (NodeHandle<P>, NodeThread)>,
    active: Vec<Fault>,
    sender: Sender<(NodeId, P::Event)>,
    events: Receiver<(NodeId, P::Event)>,
}

impl<P: volvox_net::Live<Event: Send, Config: Send>> Live<P> {
    /// A cluster that runs, on free ports and in a folder that is deleted at the end.
    ///
    /// # Panics
    /// When this machine has no room for it.
    pub fn new(cluster: &Cluster<P>) -> Live<P> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("volvox-conformance-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let (sender, events) = channel();
        let mut live = Live {
            folder: std::env::temp_dir().join(name),
            config: cluster.config,
            members: (1..=cluster.nodes).map(NodeId).collect(),
            addresses: BTreeMap::new(),
            running: BTreeMap::new(),
            active: Vec::new(),
            sender,
            events,
        };
        live.members.clone().into_iter().for_each(|id| live.start_node(id));
        live
    }

    fn start_node(&mut self, id: NodeId) {
        let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        // A node that restarts is where it was before.
        let mut options = NodeOptions::new(id, 0xc0f0, self.addresses.get(&id).copied().unwrap_or(any));
        options.members = self.members.clone();
        options.seed = Some(id.0);
        options.development = true;
        options.fresh = FreshLife::Bootstrap;
        options.log.segment_bytes = 1 << 20;
        let folder = self.folder.join(id.to_string());
        let (config, sender) = (self.config, self.sender.clone());
        let opened = spawn_thread(&id.to_string(), move || {
            let directory = RealDirectory::open(&folder).expect("the folder opens");
            let config_of = move |life: &volvox_net::Life| config(id, life.incarnation);
            Node::<P>::open(options, directory, config_of, move |event| {
                // There is no receiver any more when the test is over.
                let _ = sender.send((id, event));
            })
        });
        let (handle, thread) = opened.expect("the node opens");
        self.addresses.insert(id, handle.listen_address());
        handle.set_faults(&self.active).expect("faults of a live node");
        self.running.insert(id, (handle, thread));
        for (node, (handle, _)) in &self.running {
            for (peer, address) in self.addresses.iter().filter(|(peer, _)| *peer != node) {
                handle.set_peer(*peer, address.to_string());
            }
        }
    }
}

impl<P: volvox_net::Live<Event: Send, Config: Send>> World<P> for Live<P> {
    fn command(&mut self, id: NodeId, command: P::Command) {
        if let Some((handle, _)) = self.running.get(&id) {
            handle.command(command).expect("a node that runs and keeps up");
        }
    }

    fn wait(&mut self, what: &str, mut done: impl FnMut(NodeId, &P::Event) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok((id, event)) if done(id, &event) => return,
                Ok(_) => {}
                Err(_) => panic!("timed out: {what}"),
            }
        }
    }

    fn crash(&mut self, id: NodeId) {
        let (handle, thread) = self.running.remove(&id).expect("a node that runs");
        handle.stop();
        thread.join().expect("the node ends well");
    }

    fn start(&mut self, id: NodeId) {
        self.start_node(id);
    }

    fn faults(&mut self, faults: &[Fault]) {
        self.active = faults.to_vec();
        for (handle, _) in self.running.values() {
            handle.set_faults(faults).expect("faults of a live node");
        }
    }
}

impl<P: volvox_net::Live> Drop for Live<P> {
    fn drop(&mut self) {
        for (handle, _) in self.running.values() {
            handle.stop();
        }
        for (_, (_, thread)) in std::mem::take(&mut self.running) {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "{ended:?}");
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
