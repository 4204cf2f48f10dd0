//! A database of etcd from a store.

use super::bucket;
use super::integrity::HASH_BYTES;
use super::keys::{LeaseValue, RevisionKey, encode_pair};
use crate::proto::etcdserverpb::AlarmMember as AlarmKey;
use crate::{CLUSTER_VERSION, STORAGE_VERSION};
use prost::Message;
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use volvox_bolt::{Image, WriteError, Writer};
use volvox_store::{HistoryChange, Lease, View};

/// The term and index of the log in a database that has no log. A restore in etcd sets its own.
const NO_LOG: [u8; 8] = 1u64.to_be_bytes();

/// A view that is written as a database: measured first, since the front of the file depends on the rest.
pub struct Export {
    view: View,
    image: Image,
}

impl Export {
    /// Measures the database of a view.
    ///
    /// # Errors
    /// When a key or value is longer than the format allows.
    pub fn new(view: View) -> Result<Export, WriteError> {
        let image = volvox_bolt::measure(|writer| fill(&view, writer))?;
        Ok(Export { view, image })
    }

    /// The bytes of the database, without the hash at its end.
    pub fn byte_length(&self) -> u64 {
        self.image.byte_length()
    }

    /// Writes the database, and the hash of it.
    ///
    /// # Errors
    /// When the output fails.
    pub fn write(&self, output: impl Write) -> Result<(), WriteError> {
        let mut sealed = SealedWriter { output, hash: Sha256::new() };
        self.image.write(&mut sealed, |writer| fill(&self.view, writer))?;
        sealed.seal()?;
        Ok(())
    }
}

/// An output that ends with the hash of what went through it.
pub struct SealedWriter<W> {
    output: W,
    hash: Sha256,
}

impl<W: Write> SealedWriter<W> {
    /// Writes the hash.
    fn seal(mut self) -> io::Result<()> {
        let hash = self.hash.finalize();
        debug_assert_eq!(hash.len(), HASH_BYTES);
        self.output.write_all(&hash)?;
        self.output.flush()
    }
}

impl<W: Write> Write for SealedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.output.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// Offers every bucket in the order of the names, those that are empty too: etcd expects them.
fn fill<W: Write>(view: &View, writer: &mut Writer<W>) -> Result<(), WriteError> {
    in_bucket(writer, bucket::ALARM, |writer| {
        let alarms = view.alarms().map(|alarm| AlarmKey { member_id: alarm.member_id, alarm: alarm.alarm.number() });
        let mut keys: Vec<Vec<u8>> = alarms.map(|alarm| alarm.encode_to_vec()).collect();
        keys.sort_unstable();
        keys.iter().filter(|key| !key.is_empty()).try_for_each(|key| writer.put(key, b""))
    })?;
    in_bucket(writer, bucket::AUTH, |writer| {
        writer.put(b"authEnabled", &[0])?;
        writer.put(b"authRevision", &1u64.to_be_bytes())
    })?;
    in_bucket(writer, bucket::AUTH_ROLES, |_| Ok(()))?;
    in_bucket(writer, bucket::AUTH_USERS, |_| Ok(()))?;
    in_bucket(writer, bucket::CLUSTER, |writer| writer.put(b"clusterVersion", CLUSTER_VERSION.as_bytes()))?;
    in_bucket(writer, bucket::KEY, |writer| {
        let mut value = Vec::new();
        view.history().try_for_each(|change| put_change(&change, &mut value, writer))
    })?;
    in_bucket(writer, bucket::LEASE, |writer| {
        // The keys are unsigned.
        let (positive, negative): (Vec<Lease>, Vec<Lease>) = view.leases().partition(|lease| lease.id >= 0);
        positive.iter().chain(&negative).try_for_each(|lease| {
            let value = LeaseValue { id: lease.id, ttl: lease.granted_ttl, remaining_ttl: lease.remaining_ttl };
            writer.put(&lease.id.to_be_bytes(), &value.encode_to_vec())
        })
    })?;
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

fn put_change<W: Write>(
    change: &HistoryChange<'_>,
    value: &mut Vec<u8>,
    writer: &mut Writer<W>,
) -> Result<(), WriteError> {
    value.clear();
    encode_pair(change, value);
    writer.put(&RevisionKey::of(change).to_bytes(), value)
}
