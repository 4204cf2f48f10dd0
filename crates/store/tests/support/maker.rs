//! Random commands and reads.

use volvox_core::{Bytes, Rng};
use volvox_store::*;

/// Makes random commands and reads.
pub struct Maker {
    pub rng: Rng,
    /// How many different keys there are.
    pub keys: u64,
    /// The longest value.
    pub value_bytes: u64,
}

impl Maker {
    pub fn key(&mut self) -> Bytes {
        let number = self.rng.below(self.keys);
        Bytes::from(format!("k{number:03}").as_bytes())
    }

    fn range_end(&mut self, key: &Bytes) -> Bytes {
        match self.rng.below(8) {
            0..4 => Bytes::new(),
            4 => Bytes::from(&[0]),
            5 => self.key(),
            _ => {
                let mut end = key.to_vec();
                *end.last_mut().expect("not empty") += 1 + self.rng.below(4) as u8;
                Bytes::from(end)
            }
        }
    }

    pub fn range(&mut self, revision: i64, compacted: i64) -> RangeRequest {
        let key = if self.rng.below(4) == 0 { Bytes::from(&[0]) } else { self.key() };
        let plain = self.rng.below(2) == 0;
        let bound = |rng: &mut Rng| if plain || rng.below(3) > 0 { 0 } else { 1 + rng.below(revision as u64) as i64 };
        RangeRequest {
            range_end: self.range_end(&key),
            key,
            limit: self.rng.below(8) as i64 - 1,
            revision: match self.rng.below(12) {
                0 => -1 - self.rng.below(2) as i64,
                1..=4 => 0,
                5..=8 => compacted.max(1) + self.rng.below((revision - compacted.max(1)) as u64 + 1) as i64,
                _ => self.rng.below(revision as u64 + 2) as i64,
            },
            sort_order: SortOrder::from(self.rng.below(3) as i32),
            sort_target: SortTarget::from(if plain { 0 } else { self.rng.below(5) as i32 }),
            serializable: self.rng.below(2) == 0,
            keys_only: self.rng.below(5) == 0,
            count_only: self.rng.below(5) == 0,
            min_mod_revision: bound(&mut self.rng),
            max_mod_revision: bound(&mut self.rng),
            min_create_revision: bound(&mut self.rng),
            max_create_revision: bound(&mut self.rng),
        }
    }

    pub fn put(&mut self) -> PutRequest {
        let length = if self.rng.below(20) == 0 { self.rng.below(self.value_bytes) } else { self.rng.below(20) };
        let ignore_value = self.rng.below(8) == 0;
        let ignore_lease = self.rng.below(8) == 0;
        let byte = self.rng.next_u64() as u8;
        PutRequest {
            key: self.key(),
            value: if ignore_value { Bytes::new() } else { Bytes::from(vec![byte; length as usize]) },
            lease: if ignore_lease || self.rng.below(3) > 0 { 0 } else { self.rng.below(6) as i64 },
            prev_kv: self.rng.below(2) == 0,
            ignore_value,
            ignore_lease,
        }
    }

    pub fn delete(&mut self) -> DeleteRangeRequest {
        let key = self.key();
        DeleteRangeRequest { range_end: self.range_end(&key), key, prev_kv: self.rng.below(2) == 0 }
    }

    pub fn txn(&mut self, depth: usize, revision: i64, compacted: i64) -> TxnRequest {
        let compare = (0..self.rng.below(3)).map(|_| self.compare(revision)).collect();
        let ops = |maker: &mut Maker| {
            (0..maker.rng.below(4)).map(|_| maker.op(depth, revision, compacted)).collect::<Vec<_>>()
        };
        TxnRequest { compare, success: ops(self), failure: ops(self) }
    }

    fn op(&mut self, depth: usize, revision: i64, compacted: i64) -> RequestOp {
        match self.rng.below(6) {
            0 => RequestOp::Range(RangeRequest { revision: 0, ..self.range(revision, compacted) }),
            1 => RequestOp::Range(self.range(revision, compacted)),
            2 => RequestOp::DeleteRange(self.delete()),
            3 if depth > 0 => RequestOp::Txn(self.txn(depth - 1, revision, compacted)),
            _ => RequestOp::Put(self.put()),
        }
    }

    fn compare(&mut self, revision: i64) -> Compare {
        let target = CompareTarget::from(self.rng.below(5) as i32);
        let number = self.rng.below(revision as u64 + 2) as i64;
        let target_union = match target {
            CompareTarget::Version => TargetUnion::Version(number % 4),
            CompareTarget::Create => TargetUnion::CreateRevision(number),
            CompareTarget::Mod => TargetUnion::ModRevision(number),
            CompareTarget::Lease => TargetUnion::Lease(number % 6),
            _ => TargetUnion::Value(Bytes::from(vec![number as u8; 3])),
        };
        let key = self.key();
        let range_end = self.range_end(&key);
        Compare { result: CompareResult::from(self.rng.below(4) as i32), target, key, range_end, target_union }
    }

    pub fn command(&mut self, revision: i64, compacted: i64) -> Command {
        match self.rng.below(40) {
            0..18 => Command::Put(self.put()),
            18..24 => Command::DeleteRange(self.delete()),
            24..33 => loop {
                let txn = self.txn(2, revision, compacted);
                if checks::check_txn(&txn, 128).is_ok() {
                    return Command::Txn(txn);
                }
            },
            33..36 => Command::LeaseGrant(LeaseGrantRequest { ttl: 60, id: 1 + self.rng.below(5) as i64 }),
            36 => Command::LeaseRevoke(LeaseRevokeRequest { id: 1 + self.rng.below(6) as i64 }),
            37 => Command::LeaseExpire(vec![1 + self.rng.below(6) as i64, 1 + self.rng.below(6) as i64]),
            _ => {
                let back = if self.rng.below(4) == 0 { 0 } else { self.rng.below(60) as i64 };
                Command::Compact(CompactionRequest { revision: revision + 1 - back, physical: false })
            }
        }
    }
}
