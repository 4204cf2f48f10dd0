//! Keys and values of the buckets.

use prost::encoding::{WireType, encode_key, encode_varint};
use volvox_store::HistoryChange;

/// The bytes of a revision.
const REVISION_BYTES: usize = 17;
/// The byte between the two numbers of a revision.
const SEPARATOR: u8 = b'_';
/// The byte behind the revision of a tombstone.
const TOMBSTONE: u8 = b't';

/// A key of the bucket `key`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RevisionKey {
    /// The revision of the store.
    pub main: i64,
    /// The index of the change in it.
    pub sub: i64,
    /// Whether the change deleted its key.
    pub tombstone: bool,
}

impl RevisionKey {
    /// The key of a change.
    pub fn of(change: &HistoryChange<'_>) -> RevisionKey {
        let sub = i64::from(change.sub_revision);
        RevisionKey { main: change.pair.mod_revision, sub, tombstone: change.tombstone }
    }

    /// A revision of the store, as compaction points are written.
    pub fn of_revision(main: i64) -> RevisionKey {
        RevisionKey { main, sub: 0, tombstone: false }
    }

    /// The bytes of the key.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(REVISION_BYTES + 1);
        bytes.extend_from_slice(&self.main.to_be_bytes());
        bytes.push(SEPARATOR);
        bytes.extend_from_slice(&self.sub.to_be_bytes());
        if self.tombstone {
            bytes.push(TOMBSTONE);
        }
        bytes
    }

    /// The key of these bytes; `None` when they are none.
    pub fn parse(bytes: &[u8]) -> Option<RevisionKey> {
        let (revision, mark) = bytes.split_at_checked(REVISION_BYTES)?;
        let tombstone = match mark {
            [] => false,
            [TOMBSTONE] => true,
            _ => return None,
        };
        let main = i64::from_be_bytes(revision[..8].try_into().expect("eight bytes"));
        let sub = i64::from_be_bytes(revision[9..].try_into().expect("eight bytes"));
        (revision[8] == SEPARATOR && main >= 0 && sub >= 0).then_some(RevisionKey { main, sub, tombstone })
    }
}

/// A value of the bucket `lease`: `leasepb.Lease`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub(super) struct LeaseValue {
    #[prost(int64, tag = "1")]
    pub id: i64,
    #[prost(int64, tag = "2")]
    pub ttl: i64,
    #[prost(int64, tag = "3")]
    pub remaining_ttl: i64,
}

/// Encodes a `mvccpb.KeyValue`, of which a tombstone has only the key. The bytes are those of the generated encoder,
/// without copying key and value to it first.
pub(super) fn encode_pair(change: &HistoryChange<'_>, out: &mut Vec<u8>) {
    let pair = &change.pair;
    bytes_field(1, pair.key, out);
    if change.tombstone {
        return;
    }
    for (tag, number) in [(2, pair.create_revision), (3, pair.mod_revision), (4, pair.version)] {
        int64_field(tag, number, out);
    }
    bytes_field(5, pair.value, out);
    int64_field(6, pair.lease, out);
}

fn bytes_field(tag: u32, bytes: &[u8], out: &mut Vec<u8>) {
    if !bytes.is_empty() {
        encode_key(tag, WireType::LengthDelimited, out);
        encode_varint(bytes.len() as u64, out);
        out.extend_from_slice(bytes);
    }
}

fn int64_field(tag: u32, number: i64, out: &mut Vec<u8>) {
    if number != 0 {
        encode_key(tag, WireType::Varint, out);
        encode_varint(number as u64, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::mvccpb::KeyValue;
    use prost::Message;
    use volvox_store::PairRef;

    #[test]
    fn pairs_are_encoded_as_the_generated_encoder_does() {
        for (version, lease, value) in [(1, 0, &b""[..]), (300, -5, b"value"), (1 << 40, 7, &[0; 3000])] {
            let pair = PairRef { key: b"key", create_revision: 2, mod_revision: 900, version, value, lease };
            let (key, value) = (pair.key.into(), value.into());
            let expected = KeyValue { key, create_revision: 2, mod_revision: 900, version, value, lease };
            let mut bytes = Vec::new();
            encode_pair(&HistoryChange { sub_revision: 0, tombstone: false, pair }, &mut bytes);
            assert_eq!(bytes, expected.encode_to_vec());
            bytes.clear();
            encode_pair(&HistoryChange { sub_revision: 0, tombstone: true, pair }, &mut bytes);
            assert_eq!(bytes, KeyValue { key: "key".into(), ..KeyValue::default() }.encode_to_vec());
        }
    }

    #[test]
    fn keys_are_read_back_and_sort_by_revision() {
        let keys = [(0, 0, false), (1, 0, false), (1, 0, true), (1, 1, false), (256, 0, false), (i64::MAX, 9, true)];
        let keys = keys.map(|(main, sub, tombstone)| RevisionKey { main, sub, tombstone });
        for pair in keys.windows(2) {
            assert!(pair[0].to_bytes() < pair[1].to_bytes(), "{pair:?}");
        }
        for key in keys {
            assert_eq!(RevisionKey::parse(&key.to_bytes()), Some(key));
        }
        assert_eq!(RevisionKey::of_revision(2).to_bytes(), b"\0\0\0\0\0\0\0\x02_\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn what_is_no_revision_is_refused() {
        let good = RevisionKey::of_revision(2).to_bytes();
        for length in 0..good.len() {
            assert_eq!(RevisionKey::parse(&good[..length]), None);
        }
        for (at, byte) in [(0, 0x80), (8, b'-'), (9, 0xff)] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert_eq!(RevisionKey::parse(&bad), None);
        }
        assert_eq!(RevisionKey::parse(&[&good[..], b"x"].concat()), None);
        assert_eq!(RevisionKey::parse(&[&good[..], b"tt"].concat()), None);
    }
}
