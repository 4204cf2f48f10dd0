//! Snapshots are read back, and nothing else is.

use super::*;
use volvox_core::Rng;
use volvox_store::{Command, LeaseGrantRequest, PutRequest, Store, StoreConfig, View};

fn store(pairs: u64) -> Store {
    let mut store = Store::new(StoreConfig::default());
    store.apply(&Command::LeaseGrant(LeaseGrantRequest { ttl: 60, id: 9 })).unwrap();
    let rng = &mut Rng::new(pairs);
    for index in 0..pairs {
        let value: Vec<u8> = (0..rng.below(4000)).map(|_| rng.next_u64() as u8).collect();
        let key = format!("k{index}").as_str().into();
        let put =
            PutRequest { key, value: value.into(), lease: if index == 0 { 9 } else { 0 }, ..PutRequest::default() };
        store.apply(&Command::Put(put)).unwrap();
    }
    store
}

/// The file that earlier versions wrote.
fn write(view: &View) -> Vec<u8> {
    let parts: Vec<Part> = view.checkpoint().map(|part| part.to_part()).collect();
    let mut file = MAGIC.to_vec();
    file.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    file.extend_from_slice(&77u64.to_le_bytes());
    file.extend_from_slice(&view.revision().to_le_bytes());
    file.extend_from_slice(&(parts.len() as u64).to_le_bytes());
    for part in parts {
        file.extend_from_slice(&part.number.to_le_bytes());
        file.extend_from_slice(&(part.data.len() as u32).to_le_bytes());
        file.extend_from_slice(&part.data);
    }
    file.resize(file.len().next_multiple_of(BLOCK_BYTES as usize), 0);
    let hash = Sha256::digest(&file);
    file.extend_from_slice(&hash);
    file
}

fn restore(file: &[u8]) -> (Head, Store) {
    let mut parts = Vec::new();
    let head = read(file, |part| parts.push(part)).unwrap();
    let mut restore = Store::restore(StoreConfig::default());
    for part in &parts {
        restore.part(part).unwrap();
    }
    (head, restore.finish().unwrap())
}

#[test]
fn a_snapshot_is_read_back() {
    for pairs in [0, 1, 50, 3000] {
        let store = store(pairs);
        let file = write(&store.view());
        assert_eq!(file.len() % 512, 32);
        let (image, hash) = file.split_at(file.len() - 32);
        assert_eq!(Sha256::digest(image).as_slice(), hash);
        let (head, restored) = restore(&file);
        assert_eq!((head.cluster, head.revision), (77, store.revision()));
        assert_eq!(restored.state().hash_kv(0), store.state().hash_kv(0));
        assert_eq!(restored.state().lease_keys(9), store.state().lease_keys(9));
    }
}

#[test]
fn damage_of_any_byte_is_found() {
    let file = write(&store(3).view());
    for at in 0..file.len() {
        let mut damaged = file.clone();
        damaged[at] ^= 1 << (at % 8);
        assert!(read(damaged.as_slice(), |_| {}).is_err(), "byte {at}");
    }
}

#[test]
fn cut_and_longer_files_are_refused() {
    let file = write(&store(3).view());
    for length in 0..file.len() {
        assert!(read(&file[..length], |_| {}).is_err(), "{length} bytes");
    }
    let longer = [&file[..], &[0]].concat();
    assert!(matches!(read(longer.as_slice(), |_| {}), Err(SnapshotError::Damaged)));
}

#[test]
fn what_is_no_snapshot_is_named() {
    let mut file = write(&store(3).view());
    assert!(matches!(read(&[0u8; 4096][..], |_| {}), Err(SnapshotError::NotASnapshot)));
    assert!(matches!(read(&b"short"[..], |_| {}), Err(SnapshotError::NotASnapshot)));
    file[16] = 9;
    assert!(matches!(read(file.as_slice(), |_| {}), Err(SnapshotError::Version(9))));
}

#[test]
fn hostile_lengths_cost_nothing() {
    let mut file = MAGIC.to_vec();
    file.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    file.extend_from_slice(&[0; 16]);
    file.extend_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(read(file.as_slice(), |_| {}), Err(SnapshotError::Cut)));
    file.extend_from_slice(&[0; 8]);
    file.extend_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(read(file.as_slice(), |_| {}), Err(SnapshotError::Damaged)));
    let rng = &mut Rng::new(3);
    for _ in 0..2000 {
        let mut noise = MAGIC.to_vec();
        noise.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        noise.extend((0..rng.below(200)).map(|_| rng.below(4) as u8));
        assert!(read(noise.as_slice(), |_| {}).is_err());
    }
}
