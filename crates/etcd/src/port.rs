//! The ports of a door.

use crate::tls::ServerTls;
use std::sync::Arc;
use tokio::net::TcpListener;

/// One listener of a door.
#[derive(Debug)]
pub struct Port {
    /// Where connections arrive.
    pub listener: TcpListener,
    /// `--cert-file` and what goes with it; without it the port is plain.
    pub tls: Option<Arc<ServerTls>>,
    /// The part of the protocol that is served here.
    pub serves: Serves,
}

/// The part of the protocol that a port serves (book/src/etcd.md#13.1); elsewhere it is not found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Serves {
    /// gRPC and HTTP.
    #[default]
    Everything,
    /// gRPC only: HTTP has ports of its own.
    Grpc,
    /// HTTP only.
    Http,
    /// Metrics and probes of health.
    Metrics,
}
