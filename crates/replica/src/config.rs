//! The configuration, fixed for the life of a node.

use crate::members::Member;
use crate::watch::HubLimits;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use volvox_core::NodeId;
use volvox_store::StoreConfig;

/// The configuration of one replica.
#[derive(Clone, Debug)]
pub struct Config {
    /// Consensus.
    pub raft: volvox_raft::Config,
    /// The id of the cluster: peers of another one are refused, and clients see it in every header.
    pub cluster: u64,
    /// The members of a cluster that is formed now; empty when joining one.
    pub bootstrap: Vec<Member>,
    /// This node's name, published to the cluster once it runs.
    pub name: String,
    /// The addresses for clients of this node.
    pub client_urls: Vec<String>,
    /// The size limit of the store, in bytes; 0 is etcd's default of 2 GiB, negative no limit.
    pub quota_bytes: i64,
    /// Operations of one transaction.
    pub txn_ops_max: usize,
    /// An encoded request may not be larger.
    pub request_bytes_max: usize,
    /// Requests of this node's clients in flight; more are refused.
    pub requests_max: usize,
    /// Their bytes; more are refused.
    pub request_bytes_in_flight_max: usize,
    /// Entries committed and not yet applied; above this, requests are refused (book/src/etcd.md#12).
    pub apply_lag_max: u64,
    /// A checkpoint begins once the log has grown by this many bytes since the last one.
    pub checkpoint_log_bytes: u64,
    /// The interval of progress notifications to idle watchers that requested them.
    pub watch_progress_interval: Duration,
    /// How long a token lives after its last use.
    pub token_ttl: Duration,
    /// The limits of the watch hub.
    pub hub: HubLimits,
}

impl Config {
    /// The time after which a request times out (book/src/etcd.md#12): 5 s and two election timeouts.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(5) + 2 * self.raft.election_timeout
    }

    /// The configuration of the store.
    pub(crate) fn store(&self) -> StoreConfig {
        StoreConfig { quota_bytes: self.quota_bytes, max_txn_ops: self.txn_ops_max }
    }

    /// A default configuration around a Raft configuration.
    pub fn new(raft: volvox_raft::Config, cluster: u64, bootstrap: Vec<Member>, id: NodeId) -> Config {
        Config {
            raft,
            cluster,
            bootstrap,
            name: alloc::format!("{id}"),
            client_urls: Vec::new(),
            quota_bytes: 0,
            txn_ops_max: 128,
            request_bytes_max: 1536 << 10,
            requests_max: (crate::proposal::WINDOW / 2) as usize,
            request_bytes_in_flight_max: 64 << 20,
            apply_lag_max: 5000,
            checkpoint_log_bytes: 16 << 20,
            watch_progress_interval: Duration::from_secs(600),
            token_ttl: Duration::from_secs(300),
            hub: HubLimits::default(),
        }
    }
}
