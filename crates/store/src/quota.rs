//! The size limit of a store, and the size of a command. The member that receives a request checks it before it
//! proposes.

use crate::command::Command;
use crate::request::{PutRequest, RequestOp, TxnRequest};
use crate::view::View;

/// etcd's default quota.
pub const QUOTA_BYTES_DEFAULT: i64 = 2 * 1024 * 1024 * 1024;

/// The overhead of a pair beside its key and value.
const PAIR_BYTES: u64 = 256;
/// The cost of a lease.
const LEASE_BYTES: u64 = 64;

/// An estimate of the size of a command; 0 for commands that are exempt from the quota.
pub fn cost(command: &Command) -> u64 {
    match command {
        Command::Put(put) => cost_of_put(put),
        Command::Txn(txn) => cost_of_txn(txn),
        Command::LeaseGrant(_) => LEASE_BYTES,
        _ => 0,
    }
}

fn cost_of_put(put: &PutRequest) -> u64 {
    PAIR_BYTES + put.key.len() as u64 + put.value.len() as u64
}

fn cost_of_txn(txn: &TxnRequest) -> u64 {
    cost_of_ops(&txn.success).max(cost_of_ops(&txn.failure))
}

fn cost_of_ops(ops: &[RequestOp]) -> u64 {
    let costs = ops.iter().map(|op| match op {
        RequestOp::Put(put) => cost_of_put(put),
        RequestOp::Txn(inner) => cost_of_txn(inner),
        _ => 0,
    });
    costs.sum()
}

impl View {
    /// Bytes in use: the records that are still needed and those not yet removed, the index, the leases.
    pub fn size_in_use(&self) -> u64 {
        /// An entry of the index, and its part of the nodes above, beside the key itself.
        const INDEX_ENTRY_BYTES: u64 = 40;
        let entries = self.index.weight().entries + self.attachments.weight().entries;
        self.log.byte_length() + entries * INDEX_ENTRY_BYTES + self.leases.weight().entries * LEASE_BYTES
    }

    /// Whether a command of this cost must be refused. A quota of 0 is the default, a negative one none.
    pub fn exceeds_quota(&self, cost: u64, quota_bytes: i64) -> bool {
        let quota = if quota_bytes == 0 { QUOTA_BYTES_DEFAULT } else { quota_bytes };
        cost > 0 && quota > 0 && self.size_in_use().saturating_add(cost) >= quota as u64
    }
}
