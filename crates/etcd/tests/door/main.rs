//! The door over a loopback socket: a real client, a real store, no network between.
//!
//! Names beginning with `golden_` are the golden cases of `book/src/etcd.md#15`, by their numbers.

// A test is outside the simulation: its time limits are real.
#![allow(clippy::disallowed_methods)]

mod fake;
mod gates;
mod golden_kv;
mod golden_watch;
mod http;
mod live;
mod server;
mod services;
mod tls;
