//! The content of a log entry: its proposer, and its action.
//!
//! The origin — node, incarnation, sequence — makes a duplicated frame harmless: the replicated [`Window`] remembers
//! which sequences of each node were applied, and a second copy changes nothing.

use crate::members::MemberAction;
use crate::planted::{self, Bug};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use volvox_core::{Bytes, Decode, DecodeError, Encode, Incarnation, NodeId, Reader};
use volvox_store::{Command as StoreCommand, Identity, PutRequest, RequestOp, TargetUnion, TxnRequest};

/// The only format so far. The meaning of a version never changes.
const PROPOSAL_VERSION: u8 = 1;

/// How many sequences back from its newest a node may still be applied. A node has at most half as many in flight.
pub const WINDOW: u64 = 8192;

/// How many nodes the window remembers; far more than there may be members.
const ORIGINS_MAX: usize = 256;

/// A proposal beside its action.
const HEAD_BYTES: usize = 32;
/// An operation beside its keys and values.
const OPERATION_BYTES: usize = 32;
/// An action without values.
const SMALL_BYTES: usize = 256;

/// The proposer of an entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Origin {
    /// The node that received the client's request.
    pub node: NodeId,
    /// The incarnation of its storage.
    pub incarnation: Incarnation,
    /// Rises with each request of that incarnation.
    pub sequence: u64,
}

/// The action of an entry.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// Changes the store.
    Store(StoreCommand),
    /// Changes the members.
    Member(MemberAction),
}

/// An entry's content.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Proposal {
    /// Its proposer.
    pub origin: Origin,
    /// The caller on whose behalf it is applied.
    pub identity: Identity,
    /// The command.
    pub action: Action,
}

impl Proposal {
    /// Its bytes, which the log, the disk and the wire share. Those of a large one are written once, into the buffer that
    /// stays.
    pub fn to_shared(&self) -> Bytes {
        let caller = if let Identity::User(user) = &self.identity { user.name.len() + HEAD_BYTES } else { 0 };
        let mut out = Vec::with_capacity(HEAD_BYTES + caller + self.action.size_estimate());
        self.encode(&mut out);
        Bytes::from(out)
    }
}

impl Action {
    /// Its encoded size, or a little more; a guess where it is small.
    fn size_estimate(&self) -> usize {
        match self {
            Action::Store(StoreCommand::Put(put)) => size_of_put(put),
            Action::Store(StoreCommand::Txn(txn)) => size_of_txn(txn),
            Action::Store(_) | Action::Member(_) => SMALL_BYTES,
        }
    }
}

fn size_of_put(put: &PutRequest) -> usize {
    OPERATION_BYTES + put.key.len() + put.value.len()
}

fn size_of_txn(txn: &TxnRequest) -> usize {
    let compares = txn.compare.iter().map(|compare| {
        let constant = if let TargetUnion::Value(value) = &compare.target_union { value.len() } else { 0 };
        OPERATION_BYTES + compare.key.len() + compare.range_end.len() + constant
    });
    let operations = txn.success.iter().chain(&txn.failure).map(|operation| match operation {
        RequestOp::Put(put) => size_of_put(put),
        RequestOp::Range(range) => 2 * OPERATION_BYTES + range.key.len() + range.range_end.len(),
        RequestOp::DeleteRange(delete) => OPERATION_BYTES + delete.key.len() + delete.range_end.len(),
        RequestOp::Txn(inner) => size_of_txn(inner),
        RequestOp::Empty => 0,
    });
    OPERATION_BYTES + compares.sum::<usize>() + operations.sum::<usize>()
}

impl Encode for Proposal {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(PROPOSAL_VERSION);
        self.origin.node.encode(out);
        self.origin.incarnation.encode(out);
        self.origin.sequence.encode(out);
        // Members of an older version know the first two: the others appear only once auth is on, and then there are none.
        let kind = match &self.action {
            Action::Store(_) => 0,
            Action::Member(_) => 1,
        };
        match &self.identity {
            Identity::Anonymous => out.push(kind),
            Identity::User(user) => {
                out.push(2 + kind);
                user.encode(out);
            }
            Identity::Cluster => out.push(4 + kind),
        }
        match &self.action {
            Action::Store(command) => command.encode(out),
            Action::Member(action) => action.encode(out),
        }
    }
}

impl Decode for Proposal {
    fn decode(input: &mut Reader<'_>) -> Result<Proposal, DecodeError> {
        let version = input.u8()?;
        if version != PROPOSAL_VERSION {
            return Err(DecodeError::Unknown("proposal version", u64::from(version)));
        }
        let origin = Origin {
            node: Decode::decode(input)?,
            incarnation: Decode::decode(input)?,
            sequence: Decode::decode(input)?,
        };
        let kind = input.u8()?;
        let identity = match kind / 2 {
            0 => Identity::Anonymous,
            1 => Identity::User(Decode::decode(input)?),
            2 => Identity::Cluster,
            _ => return Err(DecodeError::Unknown("action", u64::from(kind))),
        };
        let action = match kind % 2 {
            0 => Action::Store(Decode::decode(input)?),
            _ => Action::Member(Decode::decode(input)?),
        };
        Ok(Proposal { origin, identity, action })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Store(command) => write!(f, "{command}"),
            Action::Member(action) => write!(f, "{action}"),
        }
    }
}

/// The applied sequences, for each node's newest incarnation: replicated state.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Window {
    origins: BTreeMap<NodeId, Applied>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Applied {
    incarnation: Incarnation,
    newest: u64,
    /// Bit `s % WINDOW` says whether sequence `s` was applied, for `newest - WINDOW < s <= newest`.
    bits: Vec<u64>,
}

impl Window {
    /// Records that an entry of this origin is about to be applied; returns false when it was applied before, or is too
    /// old to tell.
    pub fn admit(&mut self, origin: &Origin) -> bool {
        if self.origins.len() >= ORIGINS_MAX && !self.origins.contains_key(&origin.node) {
            self.origins.pop_first();
        }
        let applied = self.origins.entry(origin.node).or_insert_with(|| Applied::new(origin.incarnation));
        if applied.incarnation > origin.incarnation {
            return false;
        }
        if applied.incarnation < origin.incarnation {
            *applied = Applied::new(origin.incarnation);
        }
        applied.admit(origin.sequence)
    }

    /// Whether an entry of this origin was applied, as far as the window tells.
    pub fn contains(&self, origin: &Origin) -> bool {
        let applied = self.origins.get(&origin.node).filter(|applied| applied.incarnation == origin.incarnation);
        applied.is_some_and(|applied| {
            let (word, bit) = place(origin.sequence);
            let age = applied.newest.checked_sub(origin.sequence);
            age.is_some_and(|age| age < WINDOW) && applied.bits[word] & bit != 0
        })
    }

    /// Whether an entry of this origin would be refused: it was applied, or is too old to tell.
    pub fn refuses(&self, origin: &Origin) -> bool {
        !planted::is(Bug::ForwardedAppliedTwice)
            && self.origins.get(&origin.node).is_some_and(|applied| {
                match applied.incarnation.cmp(&origin.incarnation) {
                    Ordering::Less => false,
                    Ordering::Equal => applied.is_too_old(origin.sequence) || self.contains(origin),
                    Ordering::Greater => true,
                }
            })
    }

    /// Forgets a node that was removed for good.
    pub fn forget(&mut self, node: NodeId) {
        self.origins.remove(&node);
    }
}

impl Applied {
    fn new(incarnation: Incarnation) -> Applied {
        Applied { incarnation, newest: 0, bits: alloc::vec![0; (WINDOW / 64) as usize] }
    }

    fn is_too_old(&self, sequence: u64) -> bool {
        self.newest.checked_sub(sequence).is_some_and(|age| age >= WINDOW)
    }

    fn admit(&mut self, sequence: u64) -> bool {
        if self.is_too_old(sequence) {
            return false;
        }
        if sequence > self.newest {
            if sequence - self.newest >= WINDOW {
                self.bits.fill(0);
            } else {
                for skipped in self.newest + 1..=sequence {
                    let (word, bit) = place(skipped);
                    self.bits[word] &= !bit;
                }
            }
            self.newest = sequence;
        }
        let (word, bit) = place(sequence);
        let first = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        first
    }
}

fn place(sequence: u64) -> (usize, u64) {
    let slot = sequence % WINDOW;
    ((slot / 64) as usize, 1 << (slot % 64))
}

impl Encode for Window {
    fn encode(&self, out: &mut Vec<u8>) {
        (self.origins.len() as u64).encode(out);
        for (node, applied) in &self.origins {
            node.encode(out);
            applied.incarnation.encode(out);
            applied.newest.encode(out);
            applied.bits.encode(out);
        }
    }
}

impl Decode for Window {
    fn decode(input: &mut Reader<'_>) -> Result<Window, DecodeError> {
        let count = input.count()?;
        if count > ORIGINS_MAX {
            return Err(DecodeError::TooLong);
        }
        let mut origins = BTreeMap::new();
        for _ in 0..count {
            let node = Decode::decode(input)?;
            let incarnation = Decode::decode(input)?;
            let newest = Decode::decode(input)?;
            let bits: Vec<u64> = Decode::decode(input)?;
            if bits.len() as u64 != WINDOW / 64 {
                return Err(DecodeError::Invalid("window"));
            }
            origins.insert(node, Applied { incarnation, newest, bits });
        }
        Ok(Window { origins })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(incarnation: u64, sequence: u64) -> Origin {
        Origin { node: NodeId(1), incarnation: Incarnation(incarnation), sequence }
    }

    #[test]
    fn a_large_value_is_written_into_the_buffer_that_stays() {
        for bytes in [0, 100, 1 << 10, 5000, 1 << 20] {
            let put =
                PutRequest { key: "key".into(), value: Bytes::from(alloc::vec![7; bytes]), ..PutRequest::default() };
            let txn = TxnRequest { success: alloc::vec![RequestOp::Put(put.clone()); 3], ..TxnRequest::default() };
            for command in [StoreCommand::Put(put), StoreCommand::Txn(txn)] {
                let identity = Identity::Anonymous;
                let proposal = Proposal { origin: origin(1, u64::MAX), identity, action: Action::Store(command) };
                let (size, estimate) = (proposal.to_bytes().len(), HEAD_BYTES + proposal.action.size_estimate());
                assert!(estimate >= size, "{estimate} for {size} bytes: the buffer would be copied when it grows");
                assert!(bytes < 1 << 10 || estimate - size <= size / 8, "{estimate} for {size} bytes: not kept");
                assert_eq!(proposal.to_shared().as_slice(), proposal.to_bytes());
            }
        }
    }

    #[test]
    fn a_second_copy_is_refused_and_a_new_life_starts_anew() {
        let mut window = Window::default();
        for sequence in [5, 3, 4, 9] {
            assert!(window.admit(&origin(1, sequence)), "{sequence} is new");
            assert!(!window.admit(&origin(1, sequence)), "{sequence} was applied");
        }
        assert!(window.admit(&origin(2, 3)));
        assert!(!window.admit(&origin(1, 100)), "an older life");
        assert!(window.admit(&origin(2, 3 + WINDOW)));
        assert!(!window.admit(&origin(2, 3)), "too old to tell");
        assert!(window.admit(&origin(2, 4)));
    }

    #[test]
    fn a_forged_sequence_does_no_harm_to_others() {
        let mut window = Window::default();
        assert!(window.admit(&origin(1, u64::MAX)) && !window.admit(&origin(1, u64::MAX)));
        assert!(window.contains(&origin(1, u64::MAX)) && window.refuses(&origin(1, 7)));
        let other = Origin { node: NodeId(2), ..origin(1, 7) };
        assert!(!window.refuses(&other) && window.admit(&other) && window.refuses(&other));
    }

    #[test]
    fn agrees_with_a_set_over_random_orders() {
        let mut rng = volvox_core::Rng::new(11);
        let mut window = Window::default();
        let mut seen = alloc::collections::BTreeSet::new();
        let mut base = 0;
        for _ in 0..100_000 {
            base += rng.below(3);
            let sequence = base + rng.below(WINDOW / 2);
            assert_eq!(window.admit(&origin(1, sequence)), seen.insert(sequence), "{sequence}");
        }
        let copy: Window = volvox_core::decode_all(&window.to_bytes()).expect("decodes");
        assert_eq!(copy, window);
    }
}
