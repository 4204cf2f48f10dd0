//! A store from a database of etcd.

use super::bucket;
use super::error::DatabaseError;
use super::integrity::Integrity;
use super::keys::{LeaseValue, RevisionKey};
use crate::proto::etcdserverpb::AlarmMember as AlarmKey;
use crate::proto::mvccpb::KeyValue;
use prost::Message;
use std::io::{Read, Seek};
use volvox_bolt::{Database, Item};
use volvox_store::{AlarmMember, HistoryBuilder, HistoryChange, Lease, PairRef, Store, StoreConfig};

/// A store, and what else the database says.
#[derive(Debug)]
pub struct Import {
    /// The store, with the revisions that it had.
    pub store: Store,
    /// The circumstances in which it was written, and what is left out.
    pub origin: Origin,
}

/// The content of a database beside its keys, leases and alarms. None of it becomes part of a store.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Origin {
    /// The version of the format, since etcd 3.6.
    pub storage_version: Option<String>,
    /// Whether clients had to log in.
    pub auth_enabled: bool,
    /// The number of users.
    pub users: u64,
    /// The number of roles.
    pub roles: u64,
}

/// Reads a database; `on_bytes` learns how much of the file was read, and how much is left.
///
/// # Errors
/// When the file is not a database of etcd, was cut or damaged.
pub fn import(
    mut input: impl Read + Seek,
    integrity: Integrity,
    on_bytes: impl FnMut(u64, u64),
) -> Result<Import, DatabaseError> {
    integrity.check(&mut input, on_bytes)?;
    let mut database = Database::open(input)?;
    let mut compacted = -1;
    let mut origin = Origin::default();
    each(&mut database, bucket::META, |key, value| match key {
        b"scheduledCompactRev" | b"finishedCompactRev" => {
            let revision = RevisionKey::parse(value).ok_or("is not a revision")?;
            compacted = compacted.max(revision.main);
            Ok(())
        }
        b"storageVersion" => {
            let text = std::str::from_utf8(value).map_err(|_| "is not a version")?;
            origin.storage_version = Some(text.chars().take(64).collect());
            Ok(())
        }
        _ => Ok(()),
    })?;
    each(&mut database, bucket::AUTH, |key, value| {
        origin.auth_enabled |= key == b"authEnabled" && value == [1];
        Ok(())
    })?;
    for (name, count) in [(bucket::AUTH_USERS, &mut origin.users), (bucket::AUTH_ROLES, &mut origin.roles)] {
        each(&mut database, name, |_, _| {
            *count += 1;
            Ok(())
        })?;
    }
    let mut builder = HistoryBuilder::new(StoreConfig::default(), compacted)?;
    read_leases(&mut database, &mut builder)?;
    let newest = read_changes(&mut database, &mut builder)?;
    let store = builder.finish(newest.max(compacted))?;
    Ok(Import { store, origin })
}

fn read_leases<R: Read + Seek>(database: &mut Database<R>, builder: &mut HistoryBuilder) -> Result<(), DatabaseError> {
    let mut wrong = Ok(());
    each(database, bucket::LEASE, |key, value| {
        let lease = LeaseValue::decode(value).map_err(|_| "is not a lease")?;
        if key != lease.id.to_be_bytes() {
            return Err("has the id of another lease");
        }
        let added = builder.lease(Lease { id: lease.id, granted_ttl: lease.ttl, remaining_ttl: lease.remaining_ttl });
        wrong = std::mem::replace(&mut wrong, Ok(())).and(added);
        Ok(())
    })?;
    wrong?;
    each(database, bucket::ALARM, |key, _| {
        let alarm = AlarmKey::decode(key).map_err(|_| "is not an alarm")?;
        builder.alarm(AlarmMember { member_id: alarm.member_id, alarm: alarm.alarm.into() });
        Ok(())
    })?;
    Ok(())
}

/// Adds the changes; the newest revision, 1 if there is none.
fn read_changes<R: Read + Seek>(
    database: &mut Database<R>,
    builder: &mut HistoryBuilder,
) -> Result<i64, DatabaseError> {
    let (mut newest, mut wrong) = (1, None);
    let found = each(database, bucket::KEY, |key, value| {
        if wrong.is_some() {
            return Ok(());
        }
        let revision = RevisionKey::parse(key).ok_or("is not a revision")?;
        newest = revision.main;
        // `etcdutl snapshot restore --bump-revision` moves the revision ahead by an entry without a pair.
        if value.is_empty() && !revision.tombstone {
            return Ok(());
        }
        let pair = KeyValue::decode(value).map_err(|_| "is not a pair")?;
        if !revision.tombstone && pair.mod_revision != revision.main {
            return Err("has the revision of another change");
        }
        let change = HistoryChange {
            sub_revision: u32::try_from(revision.sub).map_err(|_| "has too great an index")?,
            tombstone: revision.tombstone,
            pair: PairRef {
                key: &pair.key,
                create_revision: pair.create_revision,
                mod_revision: revision.main,
                version: pair.version,
                value: if revision.tombstone { &[] } else { &pair.value },
                lease: pair.lease,
            },
        };
        wrong = builder.change(&change).err();
        Ok(())
    })?;
    match wrong {
        Some(error) => Err(error.into()),
        None if !found => Err(DatabaseError::NoKeys),
        None => Ok(newest),
    }
}

/// Visits the pairs of a bucket: whether it exists.
fn each<R: Read + Seek>(
    database: &mut Database<R>,
    name: &'static [u8],
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), &'static str>,
) -> Result<bool, DatabaseError> {
    let Some(bucket) = database.bucket(name)? else {
        return Ok(false);
    };
    let mut walk = database.walk(&bucket)?;
    while let Some(item) = walk.next()? {
        let wrong = |key: &[u8], problem| DatabaseError::Entry {
            bucket: std::str::from_utf8(name).expect("the names of buckets are ASCII"),
            key: key.to_vec(),
            problem,
        };
        match item {
            Item::Pair { key, value } => visit(key, value).map_err(|problem| wrong(key, problem))?,
            Item::Bucket { name, .. } => return Err(wrong(name, "is a bucket")),
        }
    }
    Ok(true)
}
