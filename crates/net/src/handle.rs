//! The interface of a running node to the rest of the program.

use crate::counters::{Counters, PeerStatus};
use crate::error::Overloaded;
use crate::faults::FaultRefused;
use crate::http::Document;
use crate::inbox::Inbox;
use crate::life::Life;
use crate::live::Live;
use crate::site::Site;
use arc_swap::ArcSwap;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use volvox_core::{Duration, Fault, NodeId};

/// Everything that the node loop and its handles share.
pub(crate) struct Shared<P: Live> {
    pub(crate) site: Arc<Site>,
    pub(crate) life: Life,
    pub(crate) listen: SocketAddr,
    pub(crate) inbox: Arc<Inbox<P::Message>>,
    pub(crate) commands: Mutex<VecDeque<P::Command>>,
    pub(crate) view: ArcSwap<P::View>,
}

/// A handle to a node: to be cloned and used from any thread, before, while and after the node runs.
pub struct NodeHandle<P: Live> {
    pub(crate) shared: Arc<Shared<P>>,
}

impl<P: Live> Clone for NodeHandle<P> {
    fn clone(&self) -> NodeHandle<P> {
        NodeHandle { shared: Arc::clone(&self.shared) }
    }
}

impl<P: Live> NodeHandle<P> {
    /// Gives the process a command. Commands are handled in order.
    ///
    /// # Errors
    /// When too many wait, or the node has stopped: the command was refused.
    pub fn command(&self, command: P::Command) -> Result<(), Overloaded> {
        let site = &self.shared.site;
        if site.stop.load(Ordering::Acquire) || site.stopped.load(Ordering::Acquire) {
            return Err(Overloaded::Stopped);
        }
        let mut commands = self.shared.commands.lock().expect("no panic holds this lock");
        if commands.len() >= site.limits.commands_max {
            drop(commands);
            site.tallies.commands_refused.add(1);
            return Err(Overloaded::Full);
        }
        let was_empty = commands.is_empty();
        commands.push_back(command);
        drop(commands);
        // A queue that was not empty has woken the node already.
        if was_empty {
            site.wake.notify_one();
        }
        Ok(())
    }

    /// The view that the process published after its last turn: at least as new as every event handed out so far.
    pub fn view(&self) -> Arc<P::View> {
        self.shared.view.load_full()
    }

    /// The node, its incarnation, and how that began.
    pub fn life(&self) -> &Life {
        &self.shared.life
    }

    /// The address at which the node listens for peers.
    pub fn listen_address(&self) -> SocketAddr {
        self.shared.listen
    }

    /// Adds a peer to the address book, or moves it.
    pub fn set_peer(&self, id: NodeId, address: impl Into<String>) {
        self.shared.site.set_peer(id, address.into());
    }

    /// Removes a peer from the address book: its links end, and it may not connect.
    pub fn remove_peer(&self, id: NodeId) {
        self.shared.site.remove_peer(id);
    }

    /// Answers `GET` requests on the peer port from now on: the path becomes a document, or `None` for "not found".
    /// The first call counts.
    pub fn answer_http(&self, answer: impl Fn(&str) -> Option<Document> + Send + Sync + 'static) {
        let _ = self.shared.site.answers.set(Box::new(answer));
    }

    /// Replaces the faults that are active on this node.
    ///
    /// # Errors
    /// When the node was not started for development, or a fault is not one of a live node. Nothing changed then.
    pub fn set_faults(&self, faults: &[Fault]) -> Result<(), FaultRefused> {
        self.shared.site.faults.set(faults, &self.shared.site.clock)?;
        self.shared.site.wake.notify_one();
        Ok(())
    }

    /// The faults that are active on this node.
    pub fn faults(&self) -> Vec<Fault> {
        self.shared.site.faults.list()
    }

    /// Ends the node: its records are still written, and it accepts nothing new.
    pub fn stop(&self) {
        self.shared.site.stop.store(true, Ordering::Release);
        self.shared.site.wake.notify_one();
    }

    /// Whether the node has ended.
    pub fn has_stopped(&self) -> bool {
        self.shared.site.stopped.load(Ordering::Acquire)
    }

    /// How many commands wait.
    pub fn commands_waiting(&self) -> usize {
        self.shared.commands.lock().expect("no panic holds this lock").len()
    }

    /// The counters of the node since its start.
    pub fn counters(&self) -> Counters {
        let site = &self.shared.site;
        Counters {
            longest_step: Duration::from_nanos(site.longest_step_nanos.get()),
            disk_busy: Duration::from_nanos(site.disk_busy_nanos.get()),
            batch_writes: site.batch_writes.get(),
            checkpoint_writes: site.checkpoint_writes.get(),
            log: *site.log_counters.lock().expect("no panic holds this lock"),
            ..site.tallies.snapshot()
        }
    }

    /// The links to all peers, by id.
    pub fn peers(&self) -> Vec<PeerStatus> {
        let peers: Vec<_> =
            self.shared.site.peers.lock().expect("no panic holds this lock").values().cloned().collect();
        let status = |peer: &crate::peer::Peer| {
            let history = peer.history.lock().expect("no panic holds this lock");
            let round_trip = peer.round_trip_nanos.load(Ordering::Relaxed);
            PeerStatus {
                id: peer.id,
                address: peer.address.clone(),
                connected: peer.connected(),
                hears: self.shared.inbox.hears(peer.id),
                incarnation: history.incarnation,
                round_trip: (round_trip > 0).then(|| Duration::from_nanos(round_trip)),
                queued_bytes: peer.queued_bytes(),
                sent: peer.sent.load(Ordering::Relaxed),
                bytes_out: peer.bytes_out.get(),
                bytes_in: peer.bytes_in.get(),
                dropped: peer.dropped.load(Ordering::Relaxed),
                connects: history.connects,
                last_error: history.last_error.clone(),
            }
        };
        peers.iter().map(|peer| status(peer)).collect()
    }
}
