//! A store becomes a database and a store again; databases that are not sound are refused.

use super::*;
use std::io::Cursor;
use volvox_bolt::WriteError;
use volvox_core::Rng;
use volvox_store::*;

/// A store with a history: many keys and versions, deletes, leases, an alarm, a compaction.
fn seeded(seed: u64) -> Store {
    let mut store = Store::new(StoreConfig::default());
    let rng = &mut Rng::new(seed);
    for id in [9, -4] {
        store.apply(&Command::LeaseGrant(LeaseGrantRequest { ttl: 60, id })).unwrap();
    }
    for _ in 0..rng.below(3000) {
        let key = format!("k{}", rng.below(50)).as_str().into();
        let value: Vec<u8> = (0..rng.below(100)).map(|_| rng.next_u64() as u8).collect();
        let command = match rng.below(20) {
            0..3 => Command::DeleteRange(DeleteRangeRequest { key, range_end: "k9".into(), ..Default::default() }),
            3 if rng.below(20) == 0 => Command::Compact(CompactionRequest {
                revision: store.revision() - rng.below(20) as i64,
                physical: false,
            }),
            4 => Command::LeaseCheckpoint(vec![LeaseCheckpoint { id: 9, remaining_ttl: 1 + rng.below(9) as i64 }]),
            5 => Command::Put(PutRequest { key, value: value.into(), lease: -4, ..Default::default() }),
            _ => Command::Put(PutRequest { key, value: value.into(), ..Default::default() }),
        };
        let _ = store.apply(&command);
    }
    let member_id = 0xc0ffee;
    let alarm = AlarmRequest { action: AlarmAction::Activate, member_id, alarm: AlarmType::NoSpace };
    store.apply(&Command::Alarm(alarm)).unwrap();
    store
}

fn exported(store: &Store) -> Vec<u8> {
    let export = Export::new(store.view()).expect("it can be measured");
    let mut file = Vec::new();
    export.write(&mut file).expect("a vector takes everything");
    assert_eq!(file.len() as u64, export.byte_length() + 32);
    file
}

fn imported(file: &[u8]) -> Result<Import, DatabaseError> {
    import(Cursor::new(file), Integrity::Hash, |_, _| {})
}

#[test]
fn a_store_comes_back_from_its_database() {
    for seed in 0..12 {
        let store = seeded(seed);
        let file = exported(&store);
        assert_eq!(file.len() % 512, 32);
        let Import { store: again, origin } = imported(&file).unwrap();
        let expected = Origin { storage_version: Some("3.6.0".to_owned()), ..Origin::default() };
        assert_eq!(origin, expected);
        let (ours, theirs) = (again.view(), store.view());
        assert_eq!((ours.revision(), ours.compacted()), (theirs.revision(), theirs.compacted()), "seed {seed}");
        assert_eq!(ours.hash_kv(0), theirs.hash_kv(0), "seed {seed}");
        assert_eq!(hash_kv(&ours), hash_kv(&theirs), "seed {seed}");
        assert!(ours.leases().eq(theirs.leases()) && ours.alarms().eq(theirs.alarms()));
        assert_eq!(ours.lease_keys(-4), theirs.lease_keys(-4));
        // Exporting is a function of what clients see.
        assert_eq!(exported(&again), file, "seed {seed}");
    }
}

/// The file, and how much each chunk said was still to come.
fn streamed(view: View, mut between: impl FnMut()) -> (Vec<u8>, Vec<(usize, u64)>) {
    let mut stream = Chunks::new(view);
    let (mut file, mut chunks) = (Vec::new(), Vec::new());
    while let Some(step) = stream.step() {
        between();
        if let Step::Chunk(chunk) = step {
            file.extend_from_slice(&chunk.bytes);
            chunks.push((chunk.bytes.len(), chunk.remaining_bytes));
        }
    }
    (file, chunks)
}

#[test]
fn a_stream_is_the_file_and_says_how_much_is_to_come() {
    let mut store = seeded(4);
    let alarm = AlarmRequest { action: AlarmAction::Deactivate, member_id: 0xc0ffee, alarm: AlarmType::NoSpace };
    store.apply(&Command::Alarm(alarm)).unwrap();
    for index in 0..300u32 {
        let value = vec![index as u8; 1 << (index % 20)].into();
        let key = format!("large/{index}").as_str().into();
        store.apply(&Command::Put(PutRequest { key, value, ..Default::default() })).unwrap();
    }
    for id in -2000..3000 {
        let _ = store.apply(&Command::LeaseGrant(LeaseGrantRequest { ttl: 60, id }));
    }
    let view = store.view();
    let key = volvox_core::Bytes::from("later");
    let put = Command::Put(PutRequest { key, ..Default::default() });
    let (file, chunks) = streamed(view.clone(), || drop(store.apply(&put)));
    assert!(store.revision() > view.revision(), "the store moves on while its past is sent");
    let mut expected = Vec::new();
    Export::new(view).unwrap().write(&mut expected).unwrap();
    assert!(file == expected, "{} and {} bytes", file.len(), expected.len());
    let mut to_come = file.len() as u64 - 32;
    let (last, rest) = chunks.split_last().unwrap();
    for (length, remaining) in rest {
        to_come -= *length as u64;
        assert_eq!(*remaining, to_come);
        assert!(*length <= 128 << 10);
    }
    assert_eq!((to_come, *last), (0, (32, 0)));
    assert_eq!(imported(&file).unwrap().store.state().lease_count(), 5000 - 1);
}

#[test]
fn the_status_counts_what_is_there() {
    let store = seeded(5);
    let file = exported(&store);
    let found = status(Cursor::new(&file)).unwrap();
    assert_eq!((found.revision, found.total_keys), (store.revision(), store.state().len() as u64));
    assert_eq!((found.total_bytes, found.version.as_str()), (file.len() as u64 - 32, "3.6.0"));
}

/// The numbers are those of `etcdutl hashkv` 3.6.16 for files that we exported.
#[test]
fn the_hash_of_the_history_is_that_of_etcdutl() {
    let put = |key: &str, value: Vec<u8>| {
        Command::Put(PutRequest { key: key.into(), value: value.into(), ..Default::default() })
    };
    let mut store = Store::new(StoreConfig::default());
    for (index, key) in ["k1", "k2", "k3"].iter().enumerate() {
        store.apply(&put(key, vec![b'x'; 3000 * (index + 1)])).unwrap();
    }
    assert_eq!(hash_kv(store.state()), 1_660_911_380);
    let mut store = Store::new(StoreConfig::default());
    for (key, value) in [("a", "1"), ("b", "1"), ("a", "2")] {
        store.apply(&put(key, value.into())).unwrap();
    }
    store.apply(&Command::DeleteRange(DeleteRangeRequest { key: "b".into(), ..Default::default() })).unwrap();
    store.apply(&put("c", "1".into())).unwrap();
    store.apply(&Command::Compact(CompactionRequest { revision: 5, physical: false })).unwrap();
    store.apply(&put("a", "3".into())).unwrap();
    assert_eq!(hash_kv(store.state()), 643_951_048);
}

#[test]
fn an_interrupted_export_is_an_error() {
    struct Full(usize);
    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let export = Export::new(seeded(1).view()).unwrap();
    for room in [0, 4096, export.byte_length() as usize] {
        assert!(matches!(export.write(Full(room)), Err(WriteError::Io(_))), "{room} bytes");
    }
    export.write(Full(export.byte_length() as usize + 32)).unwrap();
}

#[test]
fn the_hash_decides_unless_it_is_skipped() {
    let file = exported(&seeded(2));
    for at in (0..file.len()).step_by(1997) {
        let mut damaged = file.clone();
        damaged[at] ^= 1;
        assert!(matches!(imported(&damaged), Err(DatabaseError::WrongHash)), "byte {at}");
    }
    let bare = &file[..file.len() - 32];
    assert!(matches!(imported(bare), Err(DatabaseError::NoHash)));
    assert!(unchecked(bare).is_ok() && unchecked(&file).is_ok());
    for length in [0, 1, 32, 544] {
        assert!(imported(&file[..length]).is_err(), "{length} bytes");
    }
    assert!(matches!(imported(&file[..file.len() - 1]), Err(DatabaseError::Cut)));
}

/// A database of these buckets, in the order of their names.
fn database(buckets: &[(&[u8], Pairs<'_>)]) -> Vec<u8> {
    let mut file = Vec::new();
    let written = volvox_bolt::write(&mut file, |writer| {
        buckets.iter().try_for_each(|(name, pairs)| {
            writer.open_bucket(name)?;
            pairs.iter().try_for_each(|(key, value)| writer.put(key, value))?;
            writer.close_bucket()
        })
    });
    written.expect("a vector takes everything");
    file
}

type Pairs<'a> = &'a [(&'a [u8], &'a [u8])];

fn unchecked(file: &[u8]) -> Result<Import, DatabaseError> {
    import(Cursor::new(file), Integrity::Unchecked, |_, _| {})
}

#[test]
fn entries_that_make_no_sense_are_named() {
    let refusal =
        |buckets: &[(&[u8], Pairs<'_>)]| unchecked(&database(buckets)).expect_err("it is not sound").to_string();
    let key = |key: &[u8], value: &[u8]| refusal(&[(b"key", &[(key, value)])]);
    let lease = |key: &[u8], value: &[u8]| refusal(&[(b"key", &[]), (b"lease", &[(key, value)])]);
    let revision = &RevisionKey::of_revision(2).to_bytes();
    assert!(refusal(&[(b"other", &[])]).contains("no bucket `key`"));
    assert!(key(b"short", b"").contains("entry short of bucket `key` is not a revision"));
    assert!(key(revision, b"\xff").contains("is not a pair"));
    assert!(key(revision, b"\x0a\x01k\x18\x05").contains("has the revision of another change"));
    assert!(key(revision, b"\x0a\x01k\x10\x02\x18\x02\x20\x07").contains("life of its key"));
    assert!(key(revision, b"\x0a\x01k\x10\x02\x18\x02\x20\x01\x30\x09").contains("lease 9, which does not exist"));
    assert!(lease(b"k", b"\xff").contains("is not a lease"));
    assert!(lease(&7u64.to_be_bytes(), b"\x08\x08").contains("has the id of another lease"));
    assert!(lease(&0u64.to_be_bytes(), b"").contains("lease 0 has no id"));
    assert!(refusal(&[(b"alarm", &[(b"\xff", b"")]), (b"key", &[])]).contains("is not an alarm"));
    assert!(refusal(&[(b"key", &[]), (b"meta", &[(b"finishedCompactRev", b"no")])]).contains("is not a revision"));
}

#[test]
fn users_and_roles_are_counted() {
    let auth: Pairs<'_> = &[(b"authEnabled", &[1]), (b"authRevision", &[0; 8])];
    let users: Pairs<'_> = &[(b"mary", b""), (b"root", b"")];
    let file = database(&[(b"auth", auth), (b"authRoles", &[(b"root", b"")]), (b"authUsers", users), (b"key", &[])]);
    let origin = unchecked(&file).unwrap().origin;
    assert_eq!(origin, Origin { storage_version: None, auth_enabled: true, users: 2, roles: 1 });
}

/// A restore refuses such a database without `--without-auth`, so the file must say that there are users.
#[test]
fn users_roles_and_whether_they_count_are_in_the_database() {
    let mut store = seeded(3);
    let permission = Some(Permission { kind: PermissionKind::ReadWrite, key: "k".into(), range_end: "l".into() });
    for command in [
        AuthCommand::UserAdd { name: "root".into(), password: Some("$2b$04$hash".into()) },
        AuthCommand::UserAdd { name: "mary".into(), password: None },
        AuthCommand::RoleAdd { name: "root".into() },
        AuthCommand::RoleAdd { name: "reader".into() },
        AuthCommand::RoleGrantPermission { name: "reader".into(), permission },
        AuthCommand::UserGrantRole { name: "root".into(), role: "root".into() },
        AuthCommand::UserGrantRole { name: "mary".into(), role: "reader".into() },
        AuthCommand::Enable,
    ] {
        store.apply(&Command::Auth(command)).unwrap();
    }
    let origin = imported(&exported(&store)).unwrap().origin;
    assert_eq!((origin.auth_enabled, origin.users, origin.roles), (true, 2, 2));
}

/// The fuzz target: a database whose pages are sound, and whose entries were changed.
#[test]
fn mutated_entries_are_refused_or_make_a_store() {
    let file = exported(&seeded(3));
    let bare = file.len() - 32;
    let (mut refused, mut sound) = (0, 0);
    for seed in 0..3000 {
        let mut rng = Rng::new(seed);
        let mut file = file[..bare].to_vec();
        for _ in 0..1 + rng.below(3) {
            let at = 3 * 4096 + rng.below((bare - 3 * 4096) as u64) as usize;
            file[at] = if rng.below(2) == 0 { file[at] ^ (1 << rng.below(8)) } else { rng.next_u64() as u8 };
        }
        let _ = status(Cursor::new(&file));
        match unchecked(&file) {
            Ok(Import { store, .. }) => {
                sound += 1;
                assert!(store.state().hash_kv(0).is_ok());
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 300 && sound > 300, "{refused} refused, {sound} sound");
}

#[test]
fn a_revision_that_was_moved_ahead_is_kept() {
    let revision = RevisionKey::of_revision(2).to_bytes();
    let bumped = RevisionKey::of_revision(1_000_000_002).to_bytes();
    let born: &[u8] = b"\x0a\x01k\x10\x02\x18\x02\x20\x01";
    let meta: Pairs<'_> = &[(b"scheduledCompactRev", &bumped)];
    let file = database(&[(b"key", &[(&revision, born), (&bumped, b"")]), (b"meta", meta)]);
    let Import { store, .. } = unchecked(&file).unwrap();
    assert_eq!((store.revision(), store.compacted()), (1_000_000_002, 1_000_000_002));
    assert_eq!(store.state().get(b"k").map(|pair| pair.mod_revision), Some(2));
}
