//! The replicated part of leases: which leases exist, for how long they were granted, and which keys are attached.
//!
//! The leader's clock decides when a lease expires, not the store. Attachments are not stored separately: each is in
//! the newest version of the key, and the tree of attachments only finds the keys of a lease.

use crate::tree::Value;
use crate::view::View;
use alloc::vec::Vec;
use volvox_core::Bytes;

/// A lease.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Lease {
    /// Never 0.
    pub id: i64,
    /// Seconds granted.
    pub granted_ttl: i64,
    /// Seconds left when a leader last recorded it; 0: never.
    pub remaining_ttl: i64,
}

impl Value for Lease {}

impl View {
    /// All leases, by id.
    pub fn leases(&self) -> impl Iterator<Item = Lease> + '_ {
        self.leases.forward(crate::key_range::KeyRange::ALL, false).map(|(_, lease)| *lease)
    }

    /// At most this many leases of this id and greater ones, by id, for a caller that must not block.
    pub fn leases_page(&self, from: i64, most: usize) -> Vec<Lease> {
        let begin = lease_key(from);
        let range = crate::key_range::KeyRange { begin: &begin, end: crate::key_range::RangeEnd::Unbounded };
        self.leases.forward(range, false).map(|(_, lease)| *lease).take(most).collect()
    }

    /// One lease.
    pub fn lease(&self, id: i64) -> Option<Lease> {
        self.leases.get(&lease_key(id)).copied()
    }

    /// How many leases there are.
    pub fn lease_count(&self) -> usize {
        self.leases.weight().entries as usize
    }

    /// The keys attached to a lease, in key order.
    pub fn lease_keys(&self, id: i64) -> Vec<Bytes> {
        let prefix = lease_key(id);
        let attached = self
            .attachments
            .forward(crate::key_range::KeyRange { begin: &prefix, end: crate::key_range::RangeEnd::Unbounded }, false);
        let own = attached.map(|(key, ())| key).take_while(|key| key.starts_with(&prefix));
        own.map(|key| Bytes::from(&key[prefix.len()..])).collect()
    }
}

/// A lease as a key of a tree: in the order of ids, negative ones first.
pub(crate) fn lease_key(id: i64) -> [u8; 8] {
    ((id as u64) ^ (1 << 63)).to_be_bytes()
}

/// A key under its lease.
pub(crate) fn attachment_key(id: i64, key: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(8 + key.len());
    whole.extend_from_slice(&lease_key(id));
    whole.extend_from_slice(key);
    whole
}
