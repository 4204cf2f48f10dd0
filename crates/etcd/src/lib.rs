//! The door for etcd v3 clients: gRPC and HTTP on one port.
//!
//! **Problem.** `etcdctl`, Kubernetes and the clients of a dozen languages speak one protocol: gRPC services over
//! HTTP/2, with plain HTTP endpoints for probes and metrics on the same port. They distinguish errors by their text.
//!
//! **Idea.** The door consists of connections and codecs, and decides nothing. A request becomes a value, which the
//! [service](volvox_service) admits and answers; where that takes the replica, a command with a
//! [ticket](volvox_replica::Ticket) goes there, and the event that answers it lets the call continue. Watch streams are
//! pipes with credit. The texts and codes of errors, which only etcd's clients understand, are here and nowhere else
//! (`refusal`).
//!
//! ```text
//!   connection --> server  (preface, limits, time-outs)
//!                    |
//!                 router   (which call?)
//!                    |
//!          kv  watch  lease  cluster  maintenance  auth  health  http      (codecs)
//!                    |
//!                context   (one loop: service, replica, service, ... answer)
//!             |                  |                    ^
//!             | Command          | view()             | Event
//!             v                  v                    |
//!           Backend: the replica ----------------> Dispatcher
//! ```
//!
//! A worked put: `server` accepts and recognises HTTP/2; `router` finds `/etcdserverpb.KV/Put` and reads
//! one message of at most `request_bytes_max` + 512 KiB; `convert` copies key and value once; the service checks it in
//! etcd's order and makes a command of it; [`Dispatcher`] issues a ticket and [`Backend::command`] passes it to the
//! replica. When the write is committed and applied the event returns, and `wire` writes the answer into the frame that
//! is sent.
//!
//! **Two codecs.** Requests and rare answers go through the generated types (`proto`), which are the protocol as etcd writes
//! it down. Range, Put, Delete, Txn and Watch carry keys and values, are sent often and grow large: `wire` writes their
//! answers from the store's pairs straight into the frame, sizes first, so that a byte is copied once and a long answer is
//! encoded as the client takes it. A test holds every function of `wire` against the generated encoder.
//!
//! **Bounds.** These are bounded: connections, streams per connection, bytes of unfinished messages, heads and their
//! time, requests in flight, responses in flight to a watcher. A long answer is encoded as the client takes it.
//!
//! **Services not served yet** answer Unimplemented: Election, Lock, RangeStream, Downgrade, the JSON gateway. A
//! client that pings too often is not disconnected: the HTTP/2 library does not report pings.
//!
//! Reference: `book/src/etcd.md`, cited by section in the comments.

// A door is outside the simulation: time limits of connections are real.
#![allow(clippy::disallowed_methods)]

mod auth;
mod backend;
mod cluster;
mod context;
mod convert;
mod cut_off;
pub mod database;
mod dispatcher;
mod fan_out;
mod grpc;
mod health;
mod http;
mod kv;
mod lease;
mod maintenance;
mod method;
mod metrics;
mod nesting;
mod password;
mod port;
pub mod proto;
mod refusal;
mod router;
mod server;
pub mod snapshot;
mod stream;
mod tls;
mod watch;
mod wire;

pub use backend::{Backend, Counters, Histogram, Options, Overloaded, PeerCounters};
pub use dispatcher::Dispatcher;
pub use health::{HealthCheckRequest, HealthCheckResponse, ServingStatus};
pub use http::version;
pub use port::{Port, Serves};
pub use server::serve;
pub use tls::{ServerTls, TlsPaths};

/// The version of etcd whose behaviour this server has. Clients enable features by it (book/src/etcd.md#8.1).
pub const VERSION: &str = "3.6.16";
/// The version of the cluster, to clients: where they get a number of three parts, as here, the last is 0.
pub const CLUSTER_VERSION: &str = "3.6.0";
/// The version of the storage, to clients.
pub const STORAGE_VERSION: &str = "3.6.0";
