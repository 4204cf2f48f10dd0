//! Decoders of hostile input, as plain functions run over seeded mutations of good inputs.

use crate::maker::Maker;
use volvox_core::{Encode, Part, Rng, decode_all};
use volvox_store::*;

/// A command from arbitrary bytes: it is refused, or it encodes to the same bytes and can be applied.
fn fuzz_command(input: &[u8]) -> bool {
    let Ok(command) = decode_all::<Command>(input) else { return false };
    let again = decode_all::<Command>(&command.to_bytes());
    assert_eq!(again.as_ref(), Ok(&command));
    let mut store = Store::new(StoreConfig::default());
    // Commands that the checks would have refused must be harmless too: a peer may have skipped the checks.
    for _ in 0..2 {
        let _ = store.apply(&command);
    }
    assert!(!format!("{command}").is_empty());
    true
}

/// A checkpoint part from arbitrary bytes.
fn fuzz_part(input: &[u8]) -> bool {
    let Ok(part) = decode_all::<Part>(input) else { return false };
    let mut restore = Store::restore(StoreConfig::default());
    restore.part(&part).is_ok() && restore.finish().is_ok()
}

fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>) {
    for _ in 0..1 + rng.below(4) {
        let at = rng.below(bytes.len() as u64 + 1) as usize;
        match rng.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, rng.next_u64() as u8),
            2 if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][rng.below(5) as usize],
            3 => bytes.extend_from_within(at..),
            _ if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            _ => {}
        }
    }
}

#[test]
fn mutated_commands() {
    let mut maker = Maker { rng: Rng::new(1), keys: 9, value_bytes: 40 };
    let (mut refused, mut decoded) = (0, 0);
    for seed in 0..20_000 {
        let mut rng = Rng::new(seed);
        let mut bytes = maker.command(20, 3).to_bytes();
        mutate(&mut rng, &mut bytes);
        if fuzz_command(&bytes) { decoded += 1 } else { refused += 1 }
    }
    assert!(refused > 1000 && decoded > 1000, "{refused} refused, {decoded} decoded");
}

#[test]
fn random_bytes() {
    let mut rng = Rng::new(2);
    for _ in 0..20_000 {
        let mut bytes: Vec<u8> = (0..rng.below(60)).map(|_| rng.next_u64() as u8).collect();
        if let Some(first) = bytes.first_mut() {
            *first = COMMAND_VERSION;
        }
        fuzz_command(&bytes);
        fuzz_part(&bytes);
    }
}

#[test]
fn mutated_parts() {
    let mut store = Store::new(StoreConfig::default());
    let mut maker = Maker { rng: Rng::new(3), keys: 9, value_bytes: 40 };
    for _ in 0..300 {
        let command = maker.command(store.revision(), store.compacted());
        let _ = store.apply(&command);
    }
    let good: Vec<Vec<u8>> = store.view().checkpoint().map(|part| part.to_part().to_bytes()).collect();
    for seed in 0..5000 {
        let mut rng = Rng::new(seed);
        let mut bytes = good[rng.below(good.len() as u64) as usize].clone();
        mutate(&mut rng, &mut bytes);
        fuzz_part(&bytes);
    }
}

#[test]
fn deep_nesting_is_refused() {
    let nested = |depth: usize| {
        let mut txn = TxnRequest::default();
        for _ in 1..depth {
            txn = TxnRequest { success: vec![RequestOp::Txn(txn)], ..TxnRequest::default() };
        }
        Command::Txn(txn).to_bytes()
    };
    assert!(decode_all::<Command>(&nested(command::TXN_DEPTH_MAX)).is_ok());
    assert!(decode_all::<Command>(&nested(command::TXN_DEPTH_MAX + 1)).is_err());
    assert!(decode_all::<Command>(&nested(3000)).is_err());
}

/// A log written by an older program is applied by a newer one: the bytes of a version mean the same forever.
#[test]
fn the_format_of_commands_is_pinned() {
    let b = volvox_core::Bytes::from("k");
    let put = PutRequest { key: b.clone(), value: b.clone(), lease: -1, prev_kv: true, ..PutRequest::default() };
    let range = RangeRequest { key: b.clone(), limit: 64, sort_order: SortOrder::Descend, ..RangeRequest::default() };
    let compare = Compare { key: b.clone(), target_union: TargetUnion::ModRevision(3), ..Compare::default() };
    let txn = TxnRequest {
        compare: vec![compare],
        success: vec![RequestOp::Range(range), RequestOp::Txn(TxnRequest::default())],
        failure: vec![RequestOp::DeleteRange(DeleteRangeRequest { key: b, ..DeleteRangeRequest::default() })],
    };
    let alarm = AlarmRequest { action: AlarmAction::Deactivate, member_id: 300, alarm: AlarmType::Corrupt };
    let pinned: [(Command, &[u8]); 8] = [
        (Command::Put(put), b"\x01\0\x01k\x01k\x01\x01\0\0"),
        (
            Command::Txn(txn),
            b"\x01\x02\x01\0\0\x01k\0\x03\x06\x02\x01\x01k\0\x80\x01\0\x04\0\0\0\0\0\0\0\0\x04\0\0\0\x01\x03\x01k\0\0",
        ),
        (Command::Compact(CompactionRequest { revision: 5, physical: true }), b"\x01\x03\x0a\x01"),
        (Command::LeaseGrant(LeaseGrantRequest { ttl: 9, id: 4 }), b"\x01\x04\x12\x08"),
        (Command::LeaseRevoke(LeaseRevokeRequest { id: 4 }), b"\x01\x05\x08"),
        (Command::LeaseExpire(vec![1, 2]), b"\x01\x06\x02\x02\x04"),
        (Command::LeaseCheckpoint(vec![LeaseCheckpoint { id: 1, remaining_ttl: 7 }]), b"\x01\x07\x01\x02\x0e"),
        (Command::Alarm(alarm), b"\x01\x08\x04\xac\x02\x04"),
    ];
    for (command, bytes) in pinned {
        assert_eq!(command.to_bytes().escape_ascii().to_string(), bytes.escape_ascii().to_string(), "{command}");
    }
}
