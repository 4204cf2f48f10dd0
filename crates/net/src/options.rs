//! The options that are fixed when a node starts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use volvox_core::{Duration, NodeId};

/// The options of a node in the live world.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// The node's id.
    pub id: NodeId,
    /// The cluster that it belongs to: a peer that names another one is refused.
    pub cluster: u64,
    /// All nodes that the process knows at its start, this one included.
    pub members: Vec<NodeId>,
    /// The address for peers. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The addresses of the peers, `host:port`. Changeable later through the handle; only these nodes may connect.
    pub peers: BTreeMap<NodeId, String>,
    /// The meaning of an empty folder.
    pub fresh: FreshLife,
    /// Mutual TLS between nodes; without it, links are plain.
    pub tls: Option<PeerTls>,
    /// Whether faults may be injected. Refused otherwise.
    pub development: bool,
    /// The seed of randomness; drawn from the operating system when `None`.
    pub seed: Option<u64>,
    /// The log on the disk.
    pub log: volvox_disk::Options,
    /// The bounds.
    pub limits: Limits,
}

impl NodeOptions {
    /// A node with the usual limits, without TLS, that knows no peers yet.
    pub fn new(id: NodeId, cluster: u64, listen: SocketAddr) -> NodeOptions {
        NodeOptions {
            id,
            cluster,
            members: vec![id],
            listen,
            peers: BTreeMap::new(),
            fresh: FreshLife::Join,
            tls: None,
            development: false,
            seed: None,
            log: volvox_disk::Options::default(),
            limits: Limits::default(),
        }
    }
}

/// The meaning of an empty folder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FreshLife {
    /// The first start of a new cluster: incarnation 1. The caller must know that this node never ran before: a wiped
    /// node that returns as incarnation 1 could vote twice.
    Bootstrap,
    /// Anything else: a new incarnation, from the wall clock.
    Join,
}

/// The paths of the files for mutual TLS. They are read again for new connections when they have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerTls {
    /// Certificates of the authority that signed every node's certificate, PEM. Without it links are encrypted, but no
    /// certificate is verified: any program that reaches the port may pose as a node.
    pub ca: Option<PathBuf>,
    /// This node's certificate and the chain to the authority, PEM. It needs the extended key usages of both a server
    /// and a client, or none.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

/// The bounds of a node. Every queue has one.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The longest message, encoded.
    pub frame_bytes_max: usize,
    /// The bytes that may wait to be sent to one peer; beyond it the newest message is dropped.
    pub send_queue_bytes_max: usize,
    /// The messages that may wait to be sent to one peer.
    pub send_queue_messages_max: usize,
    /// The bytes that may wait while a peer is not connected: they would arrive late and all at once.
    pub unconnected_queue_bytes_max: usize,
    /// Received messages that wait for the node; connections are not read beyond.
    pub inbox_messages_max: usize,
    /// The same in bytes.
    pub inbox_bytes_max: usize,
    /// Commands that wait; more are refused.
    pub commands_max: usize,
    /// The most inputs of one kind per turn.
    pub turn_inputs_max: usize,
    /// Records that wait for the disk, in bytes; messages and commands wait beyond.
    pub unwritten_bytes_max: usize,
    /// The most bytes of one batch, unless a single record is larger.
    pub batch_bytes_max: usize,
    /// Connections on the peer port.
    pub connections_max: usize,
    /// Connections on the peer port that have not identified themselves; beyond it the oldest is closed.
    pub strangers_max: usize,
    /// How long a connection may take to identify itself, TLS included.
    pub handshake_time_max: Duration,
    /// How long a link may be silent: a ping is sent at a third of it.
    pub silence_max: Duration,
    /// The longest wait between two attempts to connect.
    pub backoff_max: Duration,
    /// How long after the last batch the idle batch is written.
    pub idle_after: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            frame_bytes_max: 16 << 20,
            send_queue_bytes_max: 64 << 20,
            send_queue_messages_max: 65_536,
            unconnected_queue_bytes_max: 1 << 20,
            inbox_messages_max: 8192,
            inbox_bytes_max: 64 << 20,
            commands_max: 16_384,
            turn_inputs_max: 512,
            unwritten_bytes_max: 64 << 20,
            batch_bytes_max: 8 << 20,
            connections_max: 256,
            strangers_max: 32,
            handshake_time_max: Duration::from_secs(3),
            silence_max: Duration::from_secs(3),
            backoff_max: Duration::from_millis(500),
            idle_after: Duration::from_millis(100),
        }
    }
}
