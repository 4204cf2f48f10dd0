//! Everything that comes from a peer or a disk is hostile until it was checked: mutations of good encodings, and noise,
//! are read without a panic, without a large allocation, and what decodes is encoded to the same value again.

use crate::harness::{Cluster, member};
use std::fmt::Debug;
use volvox_core::{Bytes, Decode, Encode, Incarnation, NodeId, Rng, decode_all};
use volvox_replica::members::{MemberAction, Members};
use volvox_replica::message::Refusal;
use volvox_replica::proposal::{Action, Origin, Proposal, Window};
use volvox_replica::{Message, Record};
use volvox_store::{Command as StoreCommand, Identity, PutRequest};

fn origin(sequence: u64) -> Origin {
    Origin { node: NodeId(2), incarnation: Incarnation(1), sequence }
}

fn proposals() -> Vec<Proposal> {
    let member_actions = [
        MemberAction::Bootstrap(vec![member(1), member(2)]),
        MemberAction::Add { peer_urls: vec!["http://n4:2380".into()], is_learner: true },
        MemberAction::Remove(NodeId(3)),
        MemberAction::Update(NodeId(3), vec!["http://n5:2380".into()]),
        MemberAction::Promote(NodeId(3)),
        MemberAction::Publish { id: NodeId(2), name: "n2".into(), client_urls: vec!["http://n2:2379".into()] },
    ];
    let put = PutRequest { key: "k".into(), value: "value".into(), ..PutRequest::default() };
    let actions = member_actions
        .into_iter()
        .map(Action::Member)
        .chain([Action::Store(StoreCommand::Put(put)), Action::Store(StoreCommand::LeaseExpire(vec![1, 2, 3]))]);
    actions
        .zip(1..)
        .map(|(action, sequence)| Proposal { origin: origin(sequence), identity: Identity::Anonymous, action })
        .collect()
}

fn messages() -> Vec<Message> {
    let forwards = proposals().into_iter().map(|proposal| Message::Forward {
        sequence: proposal.origin.sequence,
        term: 1,
        proposal: Bytes::from(proposal.to_bytes()),
    });
    let others = [
        Message::Refused { sequence: 7, term: 1, error: None },
        Message::Refused { sequence: 7, term: 1, error: Some(Refusal::Unhealthy) },
        Message::LeaseAsk { question: 3, lease: -5, renew: true },
        Message::LeaseAnswer { question: 3, ttl: -1, granted_ttl: 0, applied: 9 },
    ];
    forwards.chain(others).collect()
}

fn mutate(rng: &mut Rng, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..1 + rng.below(4) {
        let at = rng.below(bytes.len() as u64 + 1) as usize;
        match rng.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, rng.below(256) as u8),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            4 if at < bytes.len() => bytes[at] = 0xff,
            _ => bytes.splice(at..at, [0xff; 9]).for_each(drop),
        }
    }
    bytes
}

/// Decodes arbitrary bytes; an accepted value must be like any other.
fn check_decoder<T: Encode + Decode + PartialEq + Debug>(bytes: &[u8]) {
    if let Ok(value) = decode_all::<T>(bytes) {
        let again: T = decode_all(&value.to_bytes()).expect("reads what it wrote");
        assert_eq!(again, value);
    }
}

fn run<T: Encode + Decode + PartialEq + Debug>(corpus: &[T], seed: u64) {
    let mut rng = Rng::new(seed);
    let encoded: Vec<Vec<u8>> = corpus.iter().map(Encode::to_bytes).collect();
    for (value, bytes) in corpus.iter().zip(&encoded) {
        assert_eq!(&decode_all::<T>(bytes).expect("a good encoding"), value);
    }
    for round in 0..20_000 {
        let bytes = match round % 10 {
            0 => (0..rng.below(64)).map(|_| rng.below(256) as u8).collect(),
            _ => {
                let place = rng.below(encoded.len() as u64) as usize;
                mutate(&mut rng, &encoded[place])
            }
        };
        check_decoder::<T>(&bytes);
    }
}

#[test]
fn messages_are_read_or_refused() {
    run(&messages(), 1);
}

#[test]
fn proposals_are_read_or_refused() {
    run(&proposals(), 2);
}

#[test]
fn records_are_read_or_refused() {
    run(&[Record::Boot { number: 7 }, Record::Boot { number: u64::MAX }], 3);
}

#[test]
fn tables_are_read_or_refused() {
    let mut members = Members::formed_of(&[member(1), member(2), member(3)]);
    members
        .apply(&MemberAction::Publish { id: NodeId(1), name: "n1".into(), client_urls: Vec::new() })
        .expect("a name");
    run(&[members], 4);
    let mut window = Window::default();
    (0..9).for_each(|sequence| assert!(window.admit(&origin(sequence * 7))));
    run(&[window], 5);
}

/// Whatever peers send, in whatever order, no node panics, and afterwards the cluster works.
#[test]
fn a_cluster_survives_what_liars_say() {
    let good = messages();
    for seed in 0..40 {
        let mut rng = Rng::new(seed);
        let mut cluster = Cluster::led_by_n1(3, |_| {});
        let term = cluster.replica(1).raft().term().0;
        for _ in 0..300 {
            let message = &good[rng.below(good.len() as u64) as usize];
            let bytes = mutate(&mut rng, &message.to_bytes());
            let Ok(mut message) = decode_all::<Message>(&bytes) else { continue };
            match &mut message {
                // Consensus has its own tests with hostile peers.
                Message::Raft(_) => continue,
                Message::Forward { term: of, .. } | Message::Refused { term: of, .. } if rng.below(2) == 0 => {
                    *of = term
                }
                _ => {}
            }
            let (from, to) = (1 + rng.below(4), 1 + rng.below(3));
            if from != to {
                cluster.hand_over(from, to, message);
            }
            if rng.below(20) == 0 {
                cluster.settle();
            }
        }
        cluster.elapse(core::time::Duration::from_secs(1));
        let members: Vec<u64> = cluster.replica(1).members().iter().map(|member| member.id.0).collect();
        if members.iter().filter(|id| **id <= 3).count() == 3 {
            let ticket = cluster.put(3, "a", "1");
            cluster.elapse(core::time::Duration::from_secs(8));
            assert_eq!(cluster.replies(ticket).len(), 1, "seed {seed}");
        }
        let revisions: Vec<i64> = (1..=3).map(|node| cluster.replica(node).store().revision()).collect();
        assert!(revisions.iter().all(|revision| *revision >= 1), "seed {seed}: {revisions:?}");
    }
}
