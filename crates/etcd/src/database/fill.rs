//! The contents of a database, a bounded number of entries per step.

use super::bucket;
use super::keys::{LeaseValue, RevisionKey, encode_pair};
use crate::auth::permission_message;
use crate::proto::authpb;
use crate::proto::etcdserverpb::AlarmMember as AlarmKey;
use crate::{CLUSTER_VERSION, STORAGE_VERSION};
use prost::Message;
use std::io::Write;
use volvox_bolt::{WriteError, Writer};
use volvox_store::View;
use volvox_store::auth::{Role, User};

/// The term and index of the log in a database that has no log. A restore in etcd sets its own.
const NO_LOG: [u8; 8] = 1u64.to_be_bytes();
/// A step offers at most this many entries ...
const STEP_ENTRIES: usize = 1024;
/// ... and ends behind the one with which it has offered this many bytes.
const STEP_BYTES: usize = 256 << 10;

/// Offers a view to a writer: every bucket in the order of the names, those that are empty too, since etcd expects them.
pub(super) struct Fill {
    stage: Stage,
    value: Vec<u8>,
}

enum Stage {
    /// The buckets before `key`.
    Before,
    /// In the bucket `key`, from this revision and index on.
    Changes(i64, u32),
    /// In the bucket `lease`, from this id on. Its keys are unsigned: the negative ids come last.
    Leases(i64),
    NegativeLeases(i64),
    /// The buckets behind `lease`.
    After,
    Done,
}

impl Fill {
    pub fn new() -> Fill {
        Fill { stage: Stage::Before, value: Vec::new() }
    }

    /// Offers everything.
    pub fn all<W: Write>(view: &View, writer: &mut Writer<W>) -> Result<(), WriteError> {
        let mut fill = Fill::new();
        while fill.step(view, writer)? {}
        Ok(())
    }

    /// Offers some more: whether there is more.
    pub fn step<W: Write>(&mut self, view: &View, writer: &mut Writer<W>) -> Result<bool, WriteError> {
        self.stage = match self.stage {
            Stage::Before => {
                before_key(view, writer)?;
                writer.open_bucket(bucket::KEY)?;
                Stage::Changes(0, 0)
            }
            Stage::Changes(main, sub) => match self.put_changes(main, sub, view, writer)? {
                Some((main, sub)) => Stage::Changes(main, sub),
                None => {
                    writer.close_bucket()?;
                    writer.open_bucket(bucket::LEASE)?;
                    Stage::Leases(0)
                }
            },
            Stage::Leases(from) => match put_leases(from, i64::MAX, view, writer)? {
                Some(next) => Stage::Leases(next),
                None => Stage::NegativeLeases(i64::MIN),
            },
            Stage::NegativeLeases(from) => match put_leases(from, -1, view, writer)? {
                Some(next) => Stage::NegativeLeases(next),
                None => {
                    writer.close_bucket()?;
                    Stage::After
                }
            },
            Stage::After => {
                behind_lease(view, writer)?;
                Stage::Done
            }
            Stage::Done => return Ok(false),
        };
        Ok(true)
    }

    /// Offers changes: where to go on, if there are more.
    fn put_changes<W: Write>(
        &mut self,
        main: i64,
        sub: u32,
        view: &View,
        writer: &mut Writer<W>,
    ) -> Result<Option<(i64, u32)>, WriteError> {
        let mut bytes = 0;
        for (nth, change) in view.history_from(main, sub).enumerate() {
            if nth == STEP_ENTRIES || bytes >= STEP_BYTES {
                return Ok(Some((change.pair.mod_revision, change.sub_revision)));
            }
            self.value.clear();
            encode_pair(&change, &mut self.value);
            writer.put(&RevisionKey::of(&change).to_bytes(), &self.value)?;
            bytes += self.value.len();
        }
        Ok(None)
    }
}

/// Offers leases up to an id: where to go on, if there are more.
fn put_leases<W: Write>(from: i64, last: i64, view: &View, writer: &mut Writer<W>) -> Result<Option<i64>, WriteError> {
    let page = view.leases_page(from, STEP_ENTRIES + 1);
    for (nth, lease) in page.iter().enumerate() {
        if lease.id > last {
            return Ok(None);
        }
        if nth == STEP_ENTRIES {
            return Ok(Some(lease.id));
        }
        let value = LeaseValue { id: lease.id, ttl: lease.granted_ttl, remaining_ttl: lease.remaining_ttl };
        writer.put(&lease.id.to_be_bytes(), &value.encode_to_vec())?;
    }
    Ok(None)
}

fn before_key<W: Write>(view: &View, writer: &mut Writer<W>) -> Result<(), WriteError> {
    in_bucket(writer, bucket::ALARM, |writer| {
        let alarms = view.alarms().map(|alarm| AlarmKey { member_id: alarm.member_id, alarm: alarm.alarm.number() });
        let mut keys: Vec<Vec<u8>> = alarms.map(|alarm| alarm.encode_to_vec()).collect();
        keys.sort_unstable();
        keys.iter().filter(|key| !key.is_empty()).try_for_each(|key| writer.put(key, b""))
    })?;
    let auth = view.auth();
    in_bucket(writer, bucket::AUTH, |writer| {
        writer.put(b"authEnabled", &[u8::from(auth.is_enabled())])?;
        writer.put(b"authRevision", &auth.revision().max(1).to_be_bytes())
    })?;
    in_bucket(writer, bucket::AUTH_ROLES, |writer| {
        auth.roles().try_for_each(|(name, role)| writer.put(name.as_bytes(), &role_message(name, role).encode_to_vec()))
    })?;
    in_bucket(writer, bucket::AUTH_USERS, |writer| {
        auth.users().try_for_each(|(name, user)| writer.put(name.as_bytes(), &user_message(name, user).encode_to_vec()))
    })?;
    in_bucket(writer, bucket::CLUSTER, |writer| writer.put(b"clusterVersion", CLUSTER_VERSION.as_bytes()))
}

fn role_message(name: &str, role: &Role) -> authpb::Role {
    let name = bytes::Bytes::copy_from_slice(name.as_bytes());
    authpb::Role { name, key_permission: role.permissions().iter().map(permission_message).collect() }
}

fn user_message(name: &str, user: &User) -> authpb::User {
    authpb::User {
        name: bytes::Bytes::copy_from_slice(name.as_bytes()),
        password: user.password.as_ref().map(|hash| bytes::Bytes::copy_from_slice(hash)).unwrap_or_default(),
        roles: user.roles.iter().cloned().collect(),
        options: Some(authpb::UserAddOptions { no_password: user.password.is_none() }),
    }
}

fn behind_lease<W: Write>(view: &View, writer: &mut Writer<W>) -> Result<(), WriteError> {
    in_bucket(writer, bucket::MEMBERS, |_| Ok(()))?;
    in_bucket(writer, bucket::MEMBERS_REMOVED, |_| Ok(()))?;
    in_bucket(writer, bucket::META, |writer| {
        writer.put(b"consistent_index", &NO_LOG)?;
        let compacted = RevisionKey::of_revision(view.compacted()).to_bytes();
        if view.compacted() >= 0 {
            writer.put(b"finishedCompactRev", &compacted)?;
            writer.put(b"scheduledCompactRev", &compacted)?;
        }
        writer.put(b"storageVersion", STORAGE_VERSION.as_bytes())?;
        writer.put(b"term", &NO_LOG)
    })
}

fn in_bucket<W: Write>(
    writer: &mut Writer<W>,
    name: &[u8],
    fill: impl FnOnce(&mut Writer<W>) -> Result<(), WriteError>,
) -> Result<(), WriteError> {
    writer.open_bucket(name)?;
    fill(writer)?;
    writer.close_bucket()
}
