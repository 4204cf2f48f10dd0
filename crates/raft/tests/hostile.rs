//! Every input is hostile until checked: bytes that are not a message, and implausible messages.

use crate::harness::{Cluster, id};
use std::collections::BTreeSet;
use volvox_core::{
    Bytes, Decode, DecodeError, Duration, Encode, Incarnation, MessageKind, NodeId, Part, Reader, Rng, decode_all,
};
use volvox_raft::entry::ENTRIES_MAX;
use volvox_raft::index::NUMBER_MAX;
use volvox_raft::{
    Body, Command, Config, Configuration, Entry, Event, Index, Member, Message, Payload, Raft, Record, SnapshotMeta,
    Term, Ticket,
};

/// One of each kind, with small numbers that a receiver may take for true.
fn message(rng: &mut Rng) -> Message {
    let index = |rng: &mut Rng| match rng.below(12) {
        0 => Index(u64::MAX),
        1 => Index(NUMBER_MAX),
        _ => Index(rng.below(9)),
    };
    let term = |rng: &mut Rng| if rng.below(20) == 0 { Term(u64::MAX) } else { Term(rng.below(6)) };
    let configuration = |rng: &mut Rng| Configuration::of((0..rng.below(4)).map(|_| Member::new(rng.below(5), 1)));
    let entries = |rng: &mut Rng| -> Vec<Entry> {
        let (mut at, mut of) = (index(rng), term(rng));
        (0..rng.below(4))
            .map(|_| {
                at = if rng.below(9) == 0 { index(rng) } else { Index(at.0.saturating_add(1)) };
                of = if rng.below(4) == 0 { term(rng) } else { of };
                let payload = match rng.below(3) {
                    0 => Payload::Empty,
                    1 => Payload::Data(Bytes::from("hostile")),
                    _ => Payload::Configuration(configuration(rng)),
                };
                Entry { term: of, index: at, payload }
            })
            .collect()
    };
    let body = match rng.below(17) {
        0 => Body::PreVote { last_index: index(rng), last_term: term(rng) },
        1 => Body::PreVoteReply { granted: rng.below(2) == 0 },
        2 => Body::Vote { last_index: index(rng), last_term: term(rng), transfer: rng.below(2) == 0 },
        3 => Body::VoteReply { granted: rng.below(2) == 0 },
        4 => Body::Append { prev_index: index(rng), prev_term: term(rng), entries: entries(rng), commit: index(rng) },
        5 => Body::Appended { matched: index(rng) },
        6 => Body::Conflict { prev_index: index(rng), conflict_term: term(rng), conflict_index: index(rng) },
        7 => Body::Heartbeat { commit: index(rng), round: index(rng).0 },
        8 => Body::HeartbeatReply { round: index(rng).0, verified: index(rng), durable: index(rng) },
        9 => Body::ReadIndex { id: rng.next_u64() },
        10 => Body::ReadIndexReply { id: rng.below(3), index: index(rng) },
        11 => Body::TimeoutNow,
        12 => {
            let meta = SnapshotMeta { index: index(rng), term: term(rng), configuration: configuration(rng) };
            let (part, total) = (rng.below(5) as u32, rng.below(5) as u32);
            Body::Snapshot { meta, part, total, data: Bytes::from("part") }
        }
        13 => {
            let wanted = if rng.below(5) == 0 { u32::MAX } else { rng.below(5) as u32 };
            Body::SnapshotReply { index: index(rng), wanted, refused: rng.below(4) == 0 }
        }
        14 => Body::Stale,
        15 => Body::ForwardJoin { member: Member::new(rng.below(5), rng.below(3)) },
        _ => Body::Join,
    };
    let incarnation = |rng: &mut Rng| Incarnation(rng.below(10).min(1));
    Message { from: incarnation(rng), to: incarnation(rng), term: term(rng), body }
}

/// The table of kinds is written by hand, and the laboratory looks in it for what never happened.
#[test]
fn every_kind_of_message_is_in_the_table_and_no_other() {
    let mut rng = Rng::new(1);
    let met: BTreeSet<&str> = (0..5_000).map(|_| message(&mut rng).kind()).collect();
    assert_eq!(met, Message::KINDS.iter().copied().collect());
}

/// A well-behaved message: what an encoder really produces.
fn true_message(rng: &mut Rng) -> Message {
    loop {
        let message = message(rng);
        if decode_all::<Message>(&message.to_bytes()).as_ref() == Ok(&message) {
            return message;
        }
    }
}

/// Liars may break agreement, which Raft does not promise to withstand (it is not Byzantine); they must not break a member.
/// Every assertion in raft is about its own state: none may fail for what a peer says.
#[test]
fn no_message_breaks_a_member() {
    for seed in 0..20_000 {
        let mut rng = Rng::new(seed);
        let config = Config { log_keep_bytes: 0, pre_vote: rng.below(2) == 0, alone: true, ..Config::default() };
        let initial = Some(Configuration::of((1..=3).map(|node| Member::new(node, 1))));
        let mut cluster = Cluster::empty(seed);
        cluster.believes_all = true;
        cluster.add(1, Config { initial: initial.clone(), ..config.clone() }, 3);
        cluster.add(2, Config { initial, ..config.clone() }, 3);
        // Sometimes a leader, sometimes a follower, with a little in the log.
        if rng.below(2) == 0 {
            cluster.fire(id(1), volvox_raft::Timer::Election);
            cluster.settle();
            for number in 0..rng.below(4) {
                cluster.command(1, Command::Propose { ticket: Ticket(number), data: Bytes::from("own") });
            }
            cluster.settle();
        }
        for _ in 0..60 {
            match rng.below(8) {
                0 => cluster.sync(id(1), rng.below(4) as usize),
                1 => {
                    if let Some((at, node, timer)) = cluster.next_timer().filter(|(_, node, _)| *node == id(1)) {
                        cluster.now = cluster.now.max(at);
                        cluster.fire(node, timer);
                    }
                }
                2 => cluster.command(1, Command::Checkpoint { data: Bytes::from("state") }),
                _ => {
                    let from = NodeId(1 + rng.below(4));
                    let message = message(&mut rng);
                    cluster.hand_over(from, id(1), message);
                }
            }
        }
    }
}

/// The fuzz target of the decoders: whatever it is given, it answers, and takes no more memory than the input explains.
fn decode_anything(bytes: &[u8]) {
    fn once<T: Decode + Encode + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
        let Ok(value) = decode_all::<T>(bytes) else { return };
        assert_eq!(decode_all::<T>(&value.to_bytes()).as_ref(), Ok(&value), "what was read is written and read again");
    }
    once::<Message>(bytes);
    once::<Record>(bytes);
    once::<Configuration>(bytes);
    once::<SnapshotMeta>(bytes);
}

fn mutate(bytes: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..1 + rng.below(3) {
        let length = bytes.len() as u64;
        match rng.below(4) {
            _ if length == 0 => bytes.push(rng.next_u64() as u8),
            0 => bytes[rng.below(length) as usize] ^= 1 << rng.below(8),
            1 => bytes[rng.below(length) as usize] = [0, 1, 0x7f, 0x80, 0xff][rng.below(5) as usize],
            2 => bytes.truncate(rng.below(length) as usize),
            _ => bytes.insert(rng.below(length + 1) as usize, rng.next_u64() as u8),
        }
    }
}

#[test]
fn decoders_answer_to_anything() {
    let mut rng = Rng::new(21);
    for _ in 0..40_000 {
        let mut bytes = true_message(&mut rng).to_bytes();
        decode_anything(&bytes);
        mutate(&mut bytes, &mut rng);
        decode_anything(&bytes);
    }
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..rng.below(64)).map(|_| rng.next_u64() as u8).collect();
        decode_anything(&bytes);
    }
}

#[test]
fn messages_and_records_come_back() {
    let mut rng = Rng::new(22);
    for _ in 0..5_000 {
        let message = true_message(&mut rng);
        assert_eq!(decode_all::<Message>(&message.to_bytes()), Ok(message.clone()), "{message}");
        let shared = Bytes::from(message.to_bytes());
        assert_eq!(Message::decode(&mut Reader::shared(&shared)), Ok(message));
    }
    let records = [
        Record::Hard { term: Term(3), vote: Some(Member::new(2, 7)), commit: Index(9) },
        Record::Hard { term: Term(0), vote: None, commit: Index(0) },
        Record::Rests { index: Index(3) },
        Record::Void,
        Record::Entries {
            entries: vec![Entry { term: Term(1), index: Index(1), payload: Payload::Empty }],
            commit: Index(0),
        },
    ];
    for record in records {
        assert_eq!(decode_all::<Record>(&record.to_bytes()), Ok(record));
    }
}

/// The bytes of a message are public: a change of them needs a new version.
#[test]
fn the_encoding_is_pinned() {
    let entries = vec![
        Entry { term: Term(2), index: Index(5), payload: Payload::Data(Bytes::from("x")) },
        Entry { term: Term(3), index: Index(6), payload: Payload::Empty },
    ];
    let body = Body::Append { prev_index: Index(4), prev_term: Term(2), entries, commit: Index(4) };
    let message = Message { from: Incarnation(1), to: Incarnation(2), term: Term(3), body };
    assert_eq!(message.to_string(), "Append t3 prev=4@2 [5..6] commit=4");
    assert_eq!(message.to_bytes(), [1, 1, 2, 3, 4, 4, 2, 4, 2, 5, 2, 1, 1, b'x', 3, 0]);
}

#[test]
fn limits_are_checked_before_anything_is_allocated() {
    let entry = Entry { term: Term(1), index: Index(1), payload: Payload::Empty };
    let entries = (0..=ENTRIES_MAX as u64).map(|at| Entry { index: Index(at + 1), ..entry.clone() }).collect();
    let many = Body::Append { prev_index: Index(0), prev_term: Term(0), entries, commit: Index(0) };
    let message = Message { from: Incarnation(1), to: Incarnation(1), term: Term(1), body: many };
    assert_eq!(decode_all::<Message>(&message.to_bytes()), Err(DecodeError::TooLong));

    let future = Message { term: Term(NUMBER_MAX + 1), body: Body::Stale, ..message.clone() };
    assert_eq!(decode_all::<Message>(&future.to_bytes()), Err(DecodeError::Invalid("term")));

    let mut other_version = Message { body: Body::Stale, ..message }.to_bytes();
    other_version[0] = 2;
    assert_eq!(
        decode_all::<Message>(&other_version),
        Err(DecodeError::Unknown("version of a raft message", 2)),
        "a newer version is named in the error"
    );
}

/// Two members without a parent: checkpoint, restart, and a snapshot to one that lags.
#[test]
fn a_member_without_a_parent_makes_and_takes_snapshots() {
    let config = Config { pre_vote: false, check_quorum: false, log_keep_bytes: 0, alone: true, ..Config::default() };
    let mut cluster = Cluster::new(3, 1, &config);
    cluster.believes_all = true;
    cluster.elect(1);
    cluster.groups(&[&[1, 2]]);
    cluster.command(1, Command::Propose { ticket: Ticket(1), data: Bytes::from("a") });
    cluster.settle();
    cluster.command(1, Command::Checkpoint { data: Bytes::from("state with a") });
    cluster.settle();
    assert!(cluster.raft(1).first_index() > cluster.raft(1).commit_index());
    // It restarts from its checkpoint.
    cluster.crash(id(1), 0);
    cluster.start(id(1));
    assert_eq!(cluster.raft(1).commit_index(), Index(2));
    cluster.groups(&[&[1, 3]]);
    cluster.elect(1);
    cluster.elapse(Duration::from_millis(200));
    assert_eq!(cluster.raft(3).commit_index(), cluster.raft(1).commit_index());
    let told = |event: &Event| matches!(event, Event::SnapshotPart { data, .. } if **data == *b"state with a");
    assert_eq!(cluster.count_events(told), 1);
    let part = Part { number: 1 << 63 | 5, data: Bytes::new() };
    assert!(Raft::is_checkpoint_part(&part) && !Raft::is_checkpoint_part(&Part { number: 5, ..part }));
}
