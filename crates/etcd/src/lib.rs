//! The door for etcd v3 clients: gRPC and HTTP on one port.
//!
//! **Problem.** `etcdctl`, Kubernetes and the clients of a dozen languages speak one protocol: gRPC services over
//! HTTP/2, with plain HTTP endpoints for probes and metrics on the same port. They distinguish errors by their text.
//!
//! **Idea.** The door consists of connections and codecs, and decides nothing. A write or a linearizable read becomes a
//! command for the replica, with a [ticket](volvox_replica::Ticket); the event that answers it completes the call.
//! Read-only requests are answered from the replica's immutable view. Watch streams are pipes with credit.
//!
//! ```text
//!   connection --> server  (preface, limits, time-outs)
//!                    |
//!                   door   (which call? may this member serve it?)
//!                    |
//!          kv  watch  lease  cluster  maintenance  health  http
//!             |                  |                    ^
//!             | Command          | view()             | Event
//!             v                  v                    |
//!           Backend: the replica ----------------> Dispatcher
//! ```
//!
//! A worked put: `server` accepts and recognises HTTP/2; `door` finds `/etcdserverpb.KV/Put` and reads
//! one message of at most `request_bytes_max` + 512 KiB; `convert` copies key and value once; the static checks of
//! etcd run in etcd's order; [`Dispatcher`] issues a ticket and [`Backend::command`] passes it to the replica. When the
//! write is committed and applied the event returns, and `wire` writes the answer into the frame that is sent.
//!
//! **Two codecs.** Requests and rare answers go through the generated types (`proto`), which are the protocol as etcd writes
//! it down. Range, Put, Delete, Txn and Watch carry keys and values, are sent often and grow large: `wire` writes their
//! answers from the store's pairs straight into the frame, sizes first, so that a byte is copied once and a long answer is
//! encoded as the client takes it. A test holds every function of `wire` against the generated encoder.
//!
//! **Bounds.** These are bounded: connections, streams per connection, bytes of unfinished messages, heads and their
//! time, requests in flight, responses in flight to a watcher. A long answer is encoded as the client takes it.
//!
//! **Services not served yet** answer Unimplemented: Auth, Election, Lock, RangeStream, Downgrade, the JSON gateway. A
//! client that pings too often is not disconnected: the HTTP/2 library does not report pings.
//!
//! Reference: `book/src/etcd.md`, cited by section in the comments.

// A door is outside the simulation: time limits of connections are real.
#![allow(clippy::disallowed_methods)]

mod backend;
mod cluster;
mod convert;
pub mod database;
mod dispatcher;
mod door;
mod grpc;
mod health;
mod http;
mod kv;
mod lease;
mod maintenance;
mod method;
mod metrics;
pub mod proto;
mod server;
pub mod snapshot;
mod stream;
mod tls;
mod watch;
mod wire;

pub use backend::{Backend, Counters, Histogram, Options, Overloaded, PeerCounters};
pub use dispatcher::Dispatcher;
pub use health::{HealthCheckRequest, HealthCheckResponse, ServingStatus};
pub use server::serve;
pub use tls::{ServerTls, TlsPaths};

/// The version of etcd whose behaviour this server has. Clients enable features by it (book/src/etcd.md#8.1).
pub const VERSION: &str = "3.6.14";
/// The version of the cluster, to clients.
pub const CLUSTER_VERSION: &str = "3.6.0";
/// The version of the storage, to clients.
pub const STORAGE_VERSION: &str = "3.6.0";
