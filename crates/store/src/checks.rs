//! The checks of a request that need no store: etcd's static checks, in its order.

use crate::error::Error;
use crate::request::*;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use volvox_core::Bytes;

/// The longest time to live of a lease.
pub const LEASE_TTL_SECONDS_MAX: i64 = 9_000_000_000;

/// The single byte that means "no upper bound".
pub const UNBOUNDED: &[u8] = &[0];

/// Checks a read.
///
/// # Errors
/// [`Error::EmptyKey`], then [`Error::InvalidSortOption`].
pub fn check_range(request: &RangeRequest) -> Result<(), Error> {
    if request.key.is_empty() {
        return Err(Error::EmptyKey);
    }
    let known =
        !matches!(request.sort_order, SortOrder::Other(_)) && !matches!(request.sort_target, SortTarget::Other(_));
    if known { Ok(()) } else { Err(Error::InvalidSortOption) }
}

/// Checks a put.
///
/// # Errors
/// [`Error::EmptyKey`], [`Error::ValueProvided`], [`Error::LeaseProvided`], in this order.
pub fn check_put(request: &PutRequest) -> Result<(), Error> {
    if request.key.is_empty() {
        return Err(Error::EmptyKey);
    }
    if request.ignore_value && !request.value.is_empty() {
        return Err(Error::ValueProvided);
    }
    if request.ignore_lease && request.lease != 0 {
        return Err(Error::LeaseProvided);
    }
    Ok(())
}

/// Checks a delete.
///
/// # Errors
/// [`Error::EmptyKey`].
pub fn check_delete_range(request: &DeleteRangeRequest) -> Result<(), Error> {
    if request.key.is_empty() { Err(Error::EmptyKey) } else { Ok(()) }
}

/// Checks a transaction: sizes, then every operation, then that no key is written twice.
///
/// # Errors
/// As for the parts; [`Error::TooManyOperations`] first, [`Error::DuplicateKey`] last.
pub fn check_txn(request: &TxnRequest, max_ops: usize) -> Result<(), Error> {
    check_txn_parts(request, max_ops)?;
    Writes::of_branch(&request.success)?;
    Writes::of_branch(&request.failure)?;
    Ok(())
}

/// The time to live that a lease gets: the requested one, but at least `minimum`.
///
/// # Errors
/// [`Error::LeaseTtlTooLarge`].
pub fn check_lease_grant(request: &LeaseGrantRequest, minimum: i64) -> Result<i64, Error> {
    if request.ttl > LEASE_TTL_SECONDS_MAX {
        return Err(Error::LeaseTtlTooLarge);
    }
    Ok(request.ttl.max(minimum))
}

/// Whether a transaction only reads: such a transaction needs no consensus.
pub fn is_read_only(request: &TxnRequest) -> bool {
    request.success.iter().chain(&request.failure).all(|op| matches!(op, RequestOp::Range(_)))
}

/// Whether a read-only transaction may be served from local state: no read in it requires the newest state.
pub fn is_serializable(request: &TxnRequest) -> bool {
    request.success.iter().chain(&request.failure).all(|op| match op {
        RequestOp::Range(range) => range.serializable,
        _ => false,
    })
}

/// Whether there is a put anywhere in a transaction, in whichever branch.
pub fn has_put(request: &TxnRequest) -> bool {
    request.success.iter().chain(&request.failure).any(|op| match op {
        RequestOp::Put(_) => true,
        RequestOp::Txn(inner) => has_put(inner),
        _ => false,
    })
}

fn check_txn_parts(request: &TxnRequest, allowance: usize) -> Result<(), Error> {
    let size = request.compare.len().max(request.success.len()).max(request.failure.len());
    if size > allowance {
        return Err(Error::TooManyOperations);
    }
    if request.compare.iter().any(|compare| compare.key.is_empty()) {
        return Err(Error::EmptyKey);
    }
    for op in request.success.iter().chain(&request.failure) {
        match op {
            RequestOp::Range(range) => check_range(range)?,
            RequestOp::Put(put) => check_put(put)?,
            RequestOp::DeleteRange(delete) => check_delete_range(delete)?,
            // A level of a transaction reduces the allowance of those inside it; siblings do not reduce each other's.
            RequestOp::Txn(inner) => check_txn_parts(inner, allowance - size)?,
            RequestOp::Empty => return Err(Error::KeyNotFound),
        }
    }
    Ok(())
}

/// The writes of a branch, itself and nested.
#[derive(Default)]
struct Writes<'a> {
    puts: BTreeSet<&'a Bytes>,
    deletes: Vec<Span<'a>>,
}

/// A delete as an interval; only bounded ones can clash with a put (the first gap of the original).
struct Span<'a> {
    begin: &'a Bytes,
    /// Exclusive; empty: exactly `begin`.
    end: &'a Bytes,
}

impl Span<'_> {
    fn contains(&self, key: &Bytes) -> bool {
        if self.end.is_empty() { key == self.begin } else { self.begin <= key && key < self.end }
    }
}

impl<'a> Writes<'a> {
    /// Collects the writes of a branch.
    ///
    /// Nested transactions come first, in order: a put of theirs must not lie in a delete of an *earlier* sibling, but
    /// may lie in one of a later sibling, which the original does not notice (the second gap). Then the branch's own
    /// deletes join, and finally its own puts.
    fn of_branch(ops: &'a [RequestOp]) -> Result<Writes<'a>, Error> {
        let mut writes = Writes::default();
        for op in ops {
            if let RequestOp::Txn(inner) = op {
                let inner = Writes::of_txn(inner)?;
                writes.add_puts(inner.puts)?;
                writes.deletes.extend(inner.deletes);
            }
        }
        writes.add_own(ops)
    }

    /// Both branches of a nested transaction: only one of them runs, so they do not clash with each other.
    fn of_txn(txn: &'a TxnRequest) -> Result<Writes<'a>, Error> {
        let mut writes = Writes::of_branch(&txn.success)?;
        let failure = Writes::of_branch(&txn.failure)?;
        writes.puts.extend(failure.puts);
        writes.deletes.extend(failure.deletes);
        Ok(writes)
    }

    fn add_puts(&mut self, puts: BTreeSet<&'a Bytes>) -> Result<(), Error> {
        for put in puts {
            if !self.puts.insert(put) || self.deletes.iter().any(|span| span.contains(put)) {
                return Err(Error::DuplicateKey);
            }
        }
        Ok(())
    }

    fn add_own(mut self, ops: &'a [RequestOp]) -> Result<Writes<'a>, Error> {
        let nested_puts = core::mem::take(&mut self.puts);
        let mut own_deletes = Vec::new();
        for op in ops {
            if let RequestOp::DeleteRange(delete) = op
                && delete.range_end.as_slice() != UNBOUNDED
            {
                own_deletes.push(Span { begin: &delete.key, end: &delete.range_end });
            }
        }
        // A nested put against the deletes of the level that holds it clashes whatever the order.
        if nested_puts.iter().any(|put| own_deletes.iter().any(|span| span.contains(put))) {
            return Err(Error::DuplicateKey);
        }
        self.puts = nested_puts;
        self.deletes.extend(own_deletes);
        for op in ops {
            if let RequestOp::Put(put) = op
                && (!self.puts.insert(&put.key) || self.deletes.iter().any(|span| span.contains(&put.key)))
            {
                return Err(Error::DuplicateKey);
            }
        }
        Ok(self)
    }
}
