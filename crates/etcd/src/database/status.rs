//! The figures that `etcdutl snapshot status` and `hashkv` print of a database, computed as they do.

use super::bucket;
use super::error::DatabaseError;
use super::keys::{RevisionKey, encode_pair};
use crate::proto::mvccpb::KeyValue;
use prost::Message;
use std::collections::BTreeSet;
use std::io::{Read, Seek};
use volvox_bolt::{Bucket, Database, Item};
use volvox_store::{View, crc32c};

/// The summary of a database.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Status {
    /// CRC-32C over the names of the buckets and all their pairs.
    pub hash: u32,
    /// The newest revision.
    pub revision: i64,
    /// The number of keys that are alive.
    pub total_keys: u64,
    /// The bytes of the database, without a hash at its end.
    pub total_bytes: u64,
    /// The version of the format, since etcd 3.6.
    pub version: String,
}

/// Summarises a database, and reads every page of it.
///
/// # Errors
/// When the file is damaged.
pub fn status(input: impl Read + Seek) -> Result<Status, DatabaseError> {
    let mut database = Database::open(input)?;
    let mut status = Status { total_bytes: database.byte_length(), ..Status::default() };
    let mut alive = BTreeSet::new();
    for (name, bucket) in buckets(&mut database)? {
        status.hash = crc32c::extend(status.hash, &name);
        let mut walk = database.walk(&bucket)?;
        while let Some(item) = walk.next()? {
            let (key, value): (&[u8], &[u8]) = match item {
                Item::Pair { key, value } => (key, value),
                Item::Bucket { name, .. } => (name, &[]),
            };
            status.hash = crc32c::extend(crc32c::extend(status.hash, key), value);
            if name == bucket::KEY {
                let wrong = |problem| DatabaseError::Entry { bucket: "key", key: key.to_vec(), problem };
                let revision = RevisionKey::parse(key).ok_or_else(|| wrong("is not a revision"))?;
                let pair = KeyValue::decode(value).map_err(|_| wrong("is not a pair"))?;
                status.revision = revision.main;
                if revision.tombstone {
                    alive.remove(&pair.key)
                } else {
                    alive.insert(pair.key)
                };
            } else if name == bucket::META && key == b"storageVersion" {
                status.version = String::from_utf8_lossy(value).into_owned();
            }
        }
    }
    status.total_keys = alive.len() as u64;
    Ok(status)
}

/// The hash of the history, as etcd and `etcdutl hashkv` compute it for the newest revision: CRC-32C over the name of the
/// bucket and its pairs. Left out are a tombstone at the compaction point, and what was the newest version of its key at that
/// point and is not any more.
pub fn hash_kv(view: &View) -> u32 {
    let mut value = Vec::new();
    let mut hash = crc32c::extend(0, bucket::KEY);
    for change in view.history() {
        let pair = &change.pair;
        let is_newest = || view.get(pair.key).is_some_and(|newest| newest.mod_revision == pair.mod_revision);
        if pair.mod_revision <= view.compacted() && (change.tombstone || !(view.is_empty() || is_newest())) {
            continue;
        }
        value.clear();
        encode_pair(&change, &mut value);
        hash = crc32c::extend(crc32c::extend(hash, &RevisionKey::of(&change).to_bytes()), &value);
    }
    hash
}

fn buckets<R: Read + Seek>(database: &mut Database<R>) -> Result<Vec<(Vec<u8>, Bucket)>, DatabaseError> {
    let root = database.root();
    let mut walk = database.walk(&root)?;
    let mut buckets = Vec::new();
    while let Some(item) = walk.next()? {
        if let Item::Bucket { name, bucket } = item {
            buckets.push((name.to_vec(), bucket));
        }
    }
    Ok(buckets)
}
