//! Transactions: compares choose a branch at every level, then everything that could fail is checked, then it runs.
//!
//! All compares, nested ones included, see the store as it was before the outermost transaction: when a nested one
//! chooses its branch it does not see its parent's writes, but its operations do.

use crate::checks::is_read_only;
use crate::error::Error;
use crate::key_range::KeyRange;
use crate::request::*;
use crate::response::{ResponseOp, TxnResponse};
use crate::view::{Slot, View};
use crate::writer::Writer;
use alloc::vec::Vec;
use core::cmp::Ordering;

/// The branches that run: one for the transaction, and one for each nested transaction in its chosen branch.
pub(crate) struct Choice {
    succeeded: bool,
    nested: Vec<Choice>,
}

impl View {
    /// Answers a transaction that only reads, without consensus.
    ///
    /// # Errors
    /// As [`View::range`], for any read in the branch that runs.
    ///
    /// # Panics
    /// When it contains anything other than reads: see [`is_read_only`].
    pub fn txn(&self, request: &TxnRequest) -> Result<TxnResponse, Error> {
        assert!(is_read_only(request), "a transaction that writes goes through the log");
        let choice = self.choose(request);
        self.check_choice(request, &choice)?;
        let mut responses = Vec::new();
        for op in branch(request, &choice) {
            if let RequestOp::Range(range) = op {
                responses.push(ResponseOp::Range(self.range(range)?));
            }
        }
        Ok(TxnResponse { revision: self.revision, succeeded: choice.succeeded, responses })
    }

    /// Evaluates the compares of all levels that may run.
    pub(crate) fn choose(&self, request: &TxnRequest) -> Choice {
        let mut choice =
            Choice { succeeded: request.compare.iter().all(|compare| self.holds(compare)), nested: Vec::new() };
        for op in branch(request, &choice) {
            if let RequestOp::Txn(inner) = op {
                choice.nested.push(self.choose(inner));
            }
        }
        choice
    }

    /// Finds what would fail, before anything is written.
    pub(crate) fn check_choice(&self, request: &TxnRequest, choice: &Choice) -> Result<(), Error> {
        let mut nested = choice.nested.iter();
        for op in branch(request, choice) {
            match op {
                RequestOp::Range(range) => self.check_revision_in_txn(range.revision)?,
                RequestOp::Put(put) => self.check_put_in_txn(put)?,
                RequestOp::DeleteRange(_) => {}
                RequestOp::Txn(inner) => self.check_choice(inner, nested.next().expect("a choice for each"))?,
                RequestOp::Empty => return Err(Error::KeyNotFound),
            }
        }
        Ok(())
    }

    /// A negative revision means the newest one, except in a transaction: there it lies below the compaction point, which
    /// is -1 at first.
    fn check_revision_in_txn(&self, revision: i64) -> Result<(), Error> {
        if revision < 0 && revision < self.compacted {
            Err(Error::Compacted)
        } else {
            self.resolve(revision).map(|_| ())
        }
    }

    /// The checks of a put that need the store: the lease, then the key.
    pub(crate) fn check_put_now(&self, put: &PutRequest) -> Result<(), Error> {
        self.check_lease(put)?;
        self.check_kept(put)
    }

    /// The same in a transaction, where etcd has them in the other order.
    fn check_put_in_txn(&self, put: &PutRequest) -> Result<(), Error> {
        self.check_kept(put)?;
        self.check_lease(put)
    }

    fn check_lease(&self, put: &PutRequest) -> Result<(), Error> {
        if put.lease != 0 && self.lease(put.lease).is_none() { Err(Error::LeaseNotFound) } else { Ok(()) }
    }

    /// Whether there is a pair whose value or lease the put can keep, if it wants to.
    fn check_kept(&self, put: &PutRequest) -> Result<(), Error> {
        let keeps = put.ignore_value || put.ignore_lease;
        let is_missing = keeps && !self.index.get(&put.key).is_some_and(|slot| slot.alive);
        if is_missing { Err(Error::KeyNotFound) } else { Ok(()) }
    }

    fn holds(&self, compare: &Compare) -> bool {
        let range = KeyRange::new(&compare.key, &compare.range_end);
        let mut alive = self.index.forward(range, true).peekable();
        if alive.peek().is_none() {
            return holds_for(compare, None);
        }
        alive.all(|(_, slot)| holds_for(compare, Some((self, slot))))
    }
}

impl Writer<'_> {
    /// Runs the chosen branches in order; later operations see earlier ones.
    pub fn txn(&mut self, request: &TxnRequest, choice: &Choice) -> TxnResponse {
        let mut nested = choice.nested.iter();
        let mut responses = Vec::new();
        for op in branch(request, choice) {
            responses.push(match op {
                RequestOp::Range(range) => {
                    let at = (range.revision > 0).then_some(range.revision);
                    ResponseOp::Range(self.state.range_at(range, at, self.revision()))
                }
                RequestOp::Put(put) => ResponseOp::Put(self.put(put)),
                RequestOp::DeleteRange(delete) => ResponseOp::DeleteRange(self.delete_range(delete)),
                RequestOp::Txn(inner) => ResponseOp::Txn(self.txn(inner, nested.next().expect("a choice for each"))),
                RequestOp::Empty => unreachable!("refused by the check"),
            });
        }
        TxnResponse { revision: 0, succeeded: choice.succeeded, responses }
    }
}

fn branch<'a>(request: &'a TxnRequest, choice: &Choice) -> &'a [RequestOp] {
    if choice.succeeded { &request.success } else { &request.failure }
}

/// Whether a compare holds for one key, or for one that does not exist.
fn holds_for(compare: &Compare, key: Option<(&View, &Slot)>) -> bool {
    let found = key.and_then(|(view, slot)| view.newest(slot));
    let record = found.as_ref().map(|found| &found.record);
    // A constant that does not belong to the target counts as 0 or empty.
    let ordering = match compare.target {
        CompareTarget::Version => {
            let given = if let TargetUnion::Version(given) = compare.target_union { given } else { 0 };
            record.map_or(0, |record| record.version).cmp(&given)
        }
        CompareTarget::Create => {
            let given = if let TargetUnion::CreateRevision(given) = compare.target_union { given } else { 0 };
            record.map_or(0, |record| record.create_revision).cmp(&given)
        }
        CompareTarget::Mod => {
            let given = if let TargetUnion::ModRevision(given) = compare.target_union { given } else { 0 };
            record.map_or(0, |record| record.revision.main).cmp(&given)
        }
        CompareTarget::Lease => {
            let given = if let TargetUnion::Lease(given) = compare.target_union { given } else { 0 };
            record.map_or(0, |record| record.lease).cmp(&given)
        }
        CompareTarget::Value => {
            let given: &[u8] = if let TargetUnion::Value(given) = &compare.target_union { given } else { &[] };
            // A key that does not exist has no value: no relation holds, not even "differs".
            match &found {
                Some(found) => found.value_slice().cmp(given),
                None => return false,
            }
        }
        // A target that etcd does not know compares nothing with nothing.
        CompareTarget::Other(_) => Ordering::Equal,
    };
    match compare.result {
        CompareResult::Equal => ordering.is_eq(),
        CompareResult::Greater => ordering.is_gt(),
        CompareResult::Less => ordering.is_lt(),
        CompareResult::NotEqual => ordering.is_ne(),
        CompareResult::Other(_) => true,
    }
}
