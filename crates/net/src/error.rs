//! Errors: one enum per operation.

use crate::boot::BootError;
use crate::frame::FrameError;
use crate::refusal::Refusal;
use std::net::SocketAddr;
use volvox_certificates::CertificatesError;
use volvox_core::{DecodeError, NodeId, Position};

/// Why a node cannot be opened. The disk is as it was, unless a new life had just been written to it.
#[derive(Debug, thiserror::Error)]
pub enum NodeOpenError {
    /// The log cannot be opened.
    #[error(transparent)]
    Log(#[from] volvox_disk::OpenError),
    /// The identity of a new life cannot be written.
    #[error("cannot write the identity of the node: {0}")]
    Identity(volvox_disk::AppendError),
    /// The folder is another node's, or another cluster's.
    #[error(
        "the folder belongs to {found_node} of cluster {found_cluster:016x}, not to {node} of cluster {cluster:016x}: name the right folder"
    )]
    Foreign {
        /// The node that it belongs to.
        found_node: NodeId,
        /// The cluster of that node.
        found_cluster: u64,
        /// The node that opened it.
        node: NodeId,
        /// The cluster of that node.
        cluster: u64,
    },
    /// The starts of the node cannot be counted.
    #[error(transparent)]
    Boot(#[from] BootError),
    /// A part of the checkpoint existed when the log was opened and no longer does.
    #[error(transparent)]
    Part(#[from] volvox_disk::ReadPartError),
    /// The record verified, but it has the format of another program version.
    #[error("record {position} cannot be read: {source}; was it written by a newer program?")]
    Record {
        /// The record.
        position: Position,
        /// The error of decoding.
        source: DecodeError,
    },
    /// The peer address cannot be listened on.
    #[error("cannot listen for peers on {address}: {source}; is another process using it?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The files for TLS are not usable.
    #[error(transparent)]
    Tls(#[from] CertificatesError),
    /// The thread could not be started.
    #[error("cannot start the thread of the node: {0}")]
    Thread(std::io::Error),
}

/// Why a running node stopped. Everything acknowledged is on the disk.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The log failed: the node must not continue, because the content of the disk is unknown until the log is read
    /// again.
    #[error("{node} stops: {source}")]
    Log {
        /// The node.
        node: NodeId,
        /// The error.
        source: volvox_disk::AppendError,
    },
    /// A checkpoint could not be written.
    #[error("{node} stops: {source}")]
    Checkpoint {
        /// The node.
        node: NodeId,
        /// The error.
        source: volvox_disk::CheckpointError,
    },
    /// The disk thread is gone.
    #[error("{node} stops: its disk thread ended")]
    DiskThread {
        /// The node.
        node: NodeId,
    },
    /// The operating system refused a resource that the runtime needs.
    #[error("{node} stops: {source}")]
    System {
        /// The node.
        node: NodeId,
        /// The error.
        source: std::io::Error,
    },
}

/// The command was refused: too many wait, or the node has stopped. Nothing happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Overloaded {
    /// The queue is full: answer with the protocol's own error, and let the client retry.
    #[error("too many commands wait: try again later")]
    Full,
    /// The node has stopped.
    #[error("the node has stopped")]
    Stopped,
}

/// Why a link could not be made, or ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("cannot connect to {address}: {source}")]
    Connect { address: String, source: std::io::Error },
    #[error("the connection broke: {0}")]
    Io(#[from] std::io::Error),
    #[error("the other end closed the connection")]
    Closed,
    #[error("the other end does not speak the protocol of Volvox's peers: is this a peer port, and does it use TLS?")]
    NotVolvox,
    #[error(
        "the other end speaks version {theirs} of the peer protocol, and this program version {ours}: upgrade the older one"
    )]
    Version { theirs: u16, ours: u16 },
    #[error("bad frame: {0}")]
    Frame(#[from] FrameError),
    #[error("bad frame: {0}")]
    Decode(#[from] DecodeError),
    #[error("an unexpected frame")]
    Unexpected,
    #[error("no answer within {0:?}")]
    TimedOut(volvox_core::Duration),
    #[error("the other end refuses the connection: {0}")]
    RefusedByPeer(Refusal),
    #[error("refused: {0}")]
    Refused(Refusal),
    #[error("TLS: {0}")]
    Tls(String),
    #[error("no data received for {0:?}")]
    Silent(volvox_core::Duration),
    #[error("the same peer has connected again")]
    Superseded,
}

impl LinkError {
    /// A fixed word for the log limiter.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            LinkError::Connect { .. } => "connect",
            LinkError::Io(_) => "broke",
            LinkError::Closed => "closed",
            LinkError::NotVolvox => "not volvox",
            LinkError::Version { .. } => "version",
            LinkError::Frame(_) | LinkError::Decode(_) => "frame",
            LinkError::Unexpected => "unexpected",
            LinkError::TimedOut(_) => "timed out",
            LinkError::RefusedByPeer(_) => "refused by peer",
            LinkError::Refused(_) => "refused",
            LinkError::Tls(_) => "tls",
            LinkError::Silent(_) => "silent",
            LinkError::Superseded => "superseded",
        }
    }
}
