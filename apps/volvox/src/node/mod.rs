//! `volvox node`: one node of a cluster.

mod address_book;
pub mod admin;
pub mod admin_client;
mod backend;
pub mod log_file;
pub mod logins;
pub mod options;
pub mod peer_http;
mod ready;
pub mod run;
pub mod shutdown;
