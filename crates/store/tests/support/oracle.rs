//! The naive store: every version of every key in a list. The real one is compared with it.

use std::collections::BTreeMap;
use volvox_core::Bytes;
use volvox_store::*;

/// One version of a key: since when, and the pair, or none after a delete.
type Version = (i64, Option<KeyValue>);

#[derive(Clone)]
pub struct Oracle {
    pub revision: i64,
    pub compacted: i64,
    versions: BTreeMap<Bytes, Vec<Version>>,
    pub events: BTreeMap<i64, Vec<Event>>,
    pub leases: BTreeMap<i64, i64>,
}

impl Oracle {
    pub fn new() -> Oracle {
        Oracle {
            revision: 1,
            compacted: -1,
            versions: BTreeMap::new(),
            events: BTreeMap::new(),
            leases: BTreeMap::new(),
        }
    }

    pub fn apply(&mut self, command: &Command) -> Result<Reply, Error> {
        let main = self.revision + 1;
        let reply = match command {
            Command::Put(put) => {
                self.check_put(put, false)?;
                Reply::Put(self.put(put, main))
            }
            Command::DeleteRange(delete) => Reply::DeleteRange(self.delete_range(delete, main)),
            Command::Txn(txn) => {
                let before = self.clone();
                before.check_txn(txn)?;
                let mut response = self.txn(txn, main, &before);
                response.revision = self.seen(main);
                Reply::Txn(response)
            }
            Command::Compact(request) if request.revision <= self.compacted => return Err(Error::Compacted),
            Command::Compact(request) if request.revision > self.revision => return Err(Error::FutureRevision),
            Command::Compact(request) => {
                self.compacted = request.revision;
                Reply::Compact(CompactionResponse { revision: self.revision })
            }
            Command::LeaseGrant(grant) => {
                if self.leases.contains_key(&grant.id) {
                    return Err(Error::LeaseExists);
                }
                self.leases.insert(grant.id, grant.ttl);
                Reply::LeaseGrant(LeaseGrantResponse { revision: self.revision, id: grant.id, ttl: grant.ttl })
            }
            Command::LeaseRevoke(revoke) => {
                if !self.leases.contains_key(&revoke.id) {
                    return Err(Error::LeaseNotFound);
                }
                self.end_lease(revoke.id);
                return Ok(Reply::LeaseRevoke(LeaseRevokeResponse { revision: self.revision }));
            }
            Command::LeaseExpire(ids) => {
                ids.iter().for_each(|id| self.end_lease(*id));
                return Ok(Reply::LeaseExpire(LeaseRevokeResponse { revision: self.revision }));
            }
            other => panic!("{other:?} is not part of the comparison"),
        };
        self.revision = self.seen(main);
        Ok(reply)
    }

    /// The revision as an operation of revision `main` sees it.
    fn seen(&self, main: i64) -> i64 {
        if self.events.contains_key(&main) { main } else { self.revision }
    }

    pub fn get(&self, key: &Bytes, at: i64) -> Option<&KeyValue> {
        let last = self.versions.get(key)?.iter().rfind(|(since, _)| *since <= at)?;
        last.1.as_ref()
    }

    pub fn alive(&self, range: &KeyRange<'_>, at: i64) -> Vec<&KeyValue> {
        let keys = self.versions.keys().filter(|key| range.contains(key));
        keys.filter_map(|key| self.get(key, at)).collect()
    }

    pub fn lease_keys(&self, id: i64) -> Vec<Bytes> {
        let all = self.alive(&KeyRange::ALL, i64::MAX);
        all.into_iter().filter(|pair| pair.lease == id).map(|pair| pair.key.clone()).collect()
    }

    pub fn range(&self, request: &RangeRequest, header: i64) -> Result<RangeResponse, Error> {
        if request.revision > self.revision {
            return Err(Error::FutureRevision);
        }
        if request.revision > 0 && request.revision < self.compacted {
            return Err(Error::Compacted);
        }
        let at = if request.revision > 0 { request.revision } else { i64::MAX };
        let mut kvs: Vec<KeyValue> =
            self.alive(&KeyRange::new(&request.key, &request.range_end), at).into_iter().cloned().collect();
        let mut response = RangeResponse { revision: header, count: kvs.len() as i64, ..RangeResponse::default() };
        if request.count_only {
            return Ok(response);
        }
        kvs.retain(|pair| {
            let (modified, created) = (pair.mod_revision, pair.create_revision);
            (request.min_mod_revision == 0 || modified >= request.min_mod_revision)
                && (request.max_mod_revision == 0 || modified <= request.max_mod_revision)
                && (request.min_create_revision == 0 || created >= request.min_create_revision)
                && (request.max_create_revision == 0 || created <= request.max_create_revision)
        });
        let filters = [
            request.min_mod_revision,
            request.max_mod_revision,
            request.min_create_revision,
            request.max_create_revision,
        ];
        if request.sort_order == SortOrder::None && filters == [0; 4] && request.limit > 0 {
            kvs.truncate(request.limit as usize + 1);
        }
        kvs.sort_by(|a, b| {
            let ordering = match request.sort_target {
                SortTarget::Version => a.version.cmp(&b.version),
                SortTarget::Create => a.create_revision.cmp(&b.create_revision),
                SortTarget::Mod => a.mod_revision.cmp(&b.mod_revision),
                SortTarget::Value => a.value.cmp(&b.value),
                _ => a.key.cmp(&b.key),
            };
            if request.sort_order == SortOrder::Descend { ordering.reverse() } else { ordering }
        });
        if request.limit > 0 && kvs.len() as i64 > request.limit {
            kvs.truncate(request.limit as usize);
            response.more = true;
        }
        if request.keys_only {
            kvs.iter_mut().for_each(|pair| pair.value = Bytes::new());
        }
        response.kvs = kvs;
        Ok(response)
    }

    fn check_put(&self, put: &PutRequest, in_txn: bool) -> Result<(), Error> {
        let no_lease = put.lease != 0 && !self.leases.contains_key(&put.lease);
        let no_key = (put.ignore_lease || put.ignore_value) && self.get(&put.key, i64::MAX).is_none();
        match (no_lease, no_key) {
            (true, true) => Err(if in_txn { Error::KeyNotFound } else { Error::LeaseNotFound }),
            (true, false) => Err(Error::LeaseNotFound),
            (false, true) => Err(Error::KeyNotFound),
            (false, false) => Ok(()),
        }
    }

    fn put(&mut self, put: &PutRequest, main: i64) -> PutResponse {
        let before = self.get(&put.key, i64::MAX).cloned();
        let mut pair = KeyValue {
            key: put.key.clone(),
            create_revision: before.as_ref().map_or(main, |before| before.create_revision),
            mod_revision: main,
            version: before.as_ref().map_or(1, |before| before.version + 1),
            value: put.value.clone(),
            lease: put.lease,
        };
        if let Some(before) = &before {
            pair.value = if put.ignore_value { before.value.clone() } else { pair.value };
            pair.lease = if put.ignore_lease { before.lease } else { pair.lease };
        }
        self.change(EventKind::Put, pair, main);
        PutResponse { revision: main, prev_kv: before.filter(|_| put.prev_kv) }
    }

    fn delete_range(&mut self, delete: &DeleteRangeRequest, main: i64) -> DeleteRangeResponse {
        let range = KeyRange::new(&delete.key, &delete.range_end);
        let gone: Vec<KeyValue> = self.alive(&range, i64::MAX).into_iter().cloned().collect();
        for pair in &gone {
            let tombstone = KeyValue { key: pair.key.clone(), mod_revision: main, ..KeyValue::default() };
            self.change(EventKind::Delete, tombstone, main);
        }
        DeleteRangeResponse {
            revision: self.seen(main),
            deleted: gone.len() as i64,
            prev_kvs: if delete.prev_kv { gone } else { Vec::new() },
        }
    }

    fn change(&mut self, kind: EventKind, key_value: KeyValue, main: i64) {
        let is_creation = kind == EventKind::Put && key_value.create_revision == main;
        let previous = self.get(&key_value.key, main - 1).filter(|_| !is_creation).cloned();
        let pair = (kind == EventKind::Put).then(|| key_value.clone());
        self.versions.entry(key_value.key.clone()).or_default().push((main, pair));
        self.events.entry(main).or_default().push(Event { kind, key_value, previous });
    }

    fn end_lease(&mut self, id: i64) {
        if self.leases.remove(&id).is_none() {
            return;
        }
        let main = self.revision + 1;
        for key in self.lease_keys(id) {
            let delete = DeleteRangeRequest { key, ..DeleteRangeRequest::default() };
            self.delete_range(&delete, main);
        }
        self.revision = self.seen(main);
    }

    fn succeeds(&self, txn: &TxnRequest) -> bool {
        txn.compare.iter().all(|compare| self.holds(compare))
    }

    fn branch<'a>(&self, txn: &'a TxnRequest) -> &'a [RequestOp] {
        if self.succeeds(txn) { &txn.success } else { &txn.failure }
    }

    fn check_txn(&self, txn: &TxnRequest) -> Result<(), Error> {
        for op in self.branch(txn) {
            match op {
                RequestOp::Range(range) => {
                    if range.revision < 0 && range.revision < self.compacted {
                        return Err(Error::Compacted);
                    }
                    self.range(range, 0)?;
                }
                RequestOp::Put(put) => self.check_put(put, true)?,
                RequestOp::Txn(inner) => self.check_txn(inner)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn txn(&mut self, txn: &TxnRequest, main: i64, before: &Oracle) -> TxnResponse {
        let mut responses = Vec::new();
        for op in before.branch(txn) {
            responses.push(match op {
                RequestOp::Range(range) => ResponseOp::Range(self.range(range, self.seen(main)).expect("checked")),
                RequestOp::Put(put) => ResponseOp::Put(self.put(put, main)),
                RequestOp::DeleteRange(delete) => ResponseOp::DeleteRange(self.delete_range(delete, main)),
                RequestOp::Txn(inner) => ResponseOp::Txn(self.txn(inner, main, before)),
                RequestOp::Empty => panic!("never made"),
            });
        }
        TxnResponse { revision: 0, succeeded: before.succeeds(txn), responses }
    }

    fn holds(&self, compare: &Compare) -> bool {
        let alive = self.alive(&KeyRange::new(&compare.key, &compare.range_end), i64::MAX);
        let relation = |ordering: std::cmp::Ordering| match compare.result {
            CompareResult::Equal => ordering.is_eq(),
            CompareResult::Greater => ordering.is_gt(),
            CompareResult::Less => ordering.is_lt(),
            _ => ordering.is_ne(),
        };
        let missing = KeyValue::default();
        if alive.is_empty() && matches!(compare.target_union, TargetUnion::Value(_)) {
            return false;
        }
        let pairs = if alive.is_empty() { vec![&missing] } else { alive };
        pairs.iter().all(|pair| match &compare.target_union {
            TargetUnion::Version(given) => relation(pair.version.cmp(given)),
            TargetUnion::CreateRevision(given) => relation(pair.create_revision.cmp(given)),
            TargetUnion::ModRevision(given) => relation(pair.mod_revision.cmp(given)),
            TargetUnion::Lease(given) => relation(pair.lease.cmp(given)),
            TargetUnion::Value(given) => relation(pair.value.cmp(given)),
            TargetUnion::None => panic!("never made"),
        })
    }
}
