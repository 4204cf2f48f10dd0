//! The hand-written encoding against the generated one.

use super::*;
use crate::proto::etcdserverpb as pb;
use crate::proto::mvccpb;
use prost::Message;
use std::sync::Arc;
use volvox_core::{Bytes as Key, NodeId, Process, Rng};
use volvox_replica::Replica;
use volvox_replica::watch::Refusal;
use volvox_service::{Answer, Body as AnswerBody, Caller, Limits, Next, Request, admit};
use volvox_store::{KeyValue, RangeRequest};

const HEADER: Header = Header { cluster: u64::MAX, member: 3, revision: 1 << 40, term: 7 };

fn numbers(rng: &mut Rng) -> i64 {
    match rng.below(6) {
        0 => 0,
        1 => -(rng.below(100) as i64),
        2 => i64::MAX,
        3 => i64::MIN,
        bits => (rng.next_u64() >> (bits * 10)) as i64,
    }
}

fn text(rng: &mut Rng, longest: u64) -> Key {
    let length = rng.below(longest);
    Key::from((0..length).map(|_| rng.next_u64() as u8).collect::<Vec<u8>>())
}

fn pair(rng: &mut Rng) -> KeyValue {
    KeyValue {
        key: text(rng, 40),
        create_revision: numbers(rng),
        mod_revision: numbers(rng),
        version: numbers(rng),
        value: text(rng, 300),
        lease: numbers(rng),
    }
}

fn pairs(rng: &mut Rng) -> Vec<KeyValue> {
    (0..rng.below(5)).map(|_| pair(rng)).collect()
}

fn op(rng: &mut Rng, depth: u32) -> ResponseOp {
    let revision = numbers(rng);
    match rng.below(if depth == 0 { 3 } else { 4 }) {
        0 => {
            ResponseOp::Range(RangeResponse { revision, kvs: pairs(rng), more: rng.below(2) == 1, count: numbers(rng) })
        }
        1 => ResponseOp::Put(PutResponse { revision, prev_kv: (rng.below(2) == 1).then(|| pair(rng)) }),
        2 => ResponseOp::DeleteRange(DeleteRangeResponse { revision, deleted: numbers(rng), prev_kvs: pairs(rng) }),
        _ => ResponseOp::Txn(response(rng, depth - 1)),
    }
}

fn response(rng: &mut Rng, depth: u32) -> TxnResponse {
    let responses = (0..rng.below(4)).map(|_| op(rng, depth)).collect();
    TxnResponse { revision: 0, succeeded: rng.below(2) == 1, responses }
}

fn header_message(header: Header) -> Option<pb::ResponseHeader> {
    crate::context::header_message(header)
}

fn pair_message(pair: &KeyValue) -> mvccpb::KeyValue {
    mvccpb::KeyValue {
        key: Bytes::copy_from_slice(&pair.key),
        create_revision: pair.create_revision,
        mod_revision: pair.mod_revision,
        version: pair.version,
        value: Bytes::copy_from_slice(&pair.value),
        lease: pair.lease,
    }
}

fn range_message(header: Header, range: &RangeResponse) -> pb::RangeResponse {
    pb::RangeResponse {
        header: header_message(header),
        kvs: range.kvs.iter().map(pair_message).collect(),
        more: range.more,
        count: range.count,
    }
}

fn op_message(op: &ResponseOp) -> pb::ResponseOp {
    use pb::response_op::Response;
    let header = nested_header(op);
    pb::ResponseOp {
        response: Some(match op {
            ResponseOp::Range(range) => Response::ResponseRange(range_message(header, range)),
            ResponseOp::Put(put) => Response::ResponsePut(pb::PutResponse {
                header: header_message(header),
                prev_kv: put.prev_kv.as_ref().map(pair_message),
            }),
            ResponseOp::DeleteRange(delete) => Response::ResponseDeleteRange(pb::DeleteRangeResponse {
                header: header_message(header),
                deleted: delete.deleted,
                prev_kvs: delete.prev_kvs.iter().map(pair_message).collect(),
            }),
            ResponseOp::Txn(txn) => Response::ResponseTxn(txn_message(header, txn)),
        }),
    }
}

fn txn_message(header: Header, txn: &TxnResponse) -> pb::TxnResponse {
    pb::TxnResponse {
        header: header_message(header),
        succeeded: txn.succeeded,
        responses: txn.responses.iter().map(op_message).collect(),
    }
}

fn bytes_of(content: Content) -> Vec<u8> {
    match content {
        Content::Message(bytes) => bytes.to_vec(),
        Content::Pieces(pieces) => pieces.flatten().collect(),
        _ => panic!("an answer to one request"),
    }
}

/// A read of this store.
fn reading(store: &volvox_store::View, request: &RangeRequest) -> Reading {
    let id = NodeId(3);
    let config = volvox_replica::Config::new(volvox_raft::Config::default(), 1, Vec::new(), id);
    let mut view = Replica::new(id, &[id], &config).view();
    view.store = store.clone();
    let request = Request::Range(RangeRequest { serializable: true, ..request.clone() });
    let next = admit(Arc::new(view), &Caller::default(), request, &Limits::default()).expect("it is served");
    let Next::Answer(Answer { body: AnswerBody::Range(reading), .. }) = next else { panic!("{next:?}") };
    reading
}

fn framed(message: &impl Message) -> Vec<u8> {
    crate::grpc::frame(message).to_vec()
}

#[test]
fn answers_are_what_the_generated_encoder_makes() {
    for seed in 0..300 {
        let rng = &mut Rng::new(seed);
        let message = txn_message(HEADER, &response(&mut Rng::new(seed), 3));
        let written = txn(HEADER, &response(rng, 3)).unwrap();
        assert_eq!(bytes_of(written), framed(&message), "seed {seed}");

        let one = RangeResponse { revision: 5, kvs: pairs(rng), more: seed % 2 == 0, count: numbers(rng) };
        let message = range_message(HEADER, &one);
        assert_eq!(bytes_of(range(HEADER, one).unwrap()), framed(&message), "seed {seed}");

        let one = PutResponse { revision: 5, prev_kv: (seed % 2 == 0).then(|| pair(rng)) };
        let message =
            pb::PutResponse { header: header_message(HEADER), prev_kv: one.prev_kv.as_ref().map(pair_message) };
        assert_eq!(bytes_of(put(HEADER, &one)), framed(&message), "seed {seed}");

        let one = DeleteRangeResponse { revision: 5, deleted: numbers(rng), prev_kvs: pairs(rng) };
        let message = pb::DeleteRangeResponse {
            header: header_message(HEADER),
            deleted: one.deleted,
            prev_kvs: one.prev_kvs.iter().map(pair_message).collect(),
        };
        assert_eq!(bytes_of(delete_range(HEADER, &one).unwrap()), framed(&message), "seed {seed}");
    }
}

#[test]
fn a_long_answer_is_the_same_in_pieces() {
    let rng = &mut Rng::new(1);
    let kvs: Vec<KeyValue> = (0..5000).map(|_| pair(rng)).collect();
    let one = RangeResponse { revision: 5, kvs, more: true, count: 9000 };
    let message = range_message(HEADER, &one);
    let content = range(HEADER, one).unwrap();
    assert!(matches!(content, Content::Pieces(_)));
    assert_eq!(bytes_of(content), framed(&message));

    let large = KeyValue { key: Key::from("k"), value: Key::from(vec![7; 3 << 20]), ..KeyValue::default() };
    let one = RangeResponse { revision: 5, kvs: vec![large.clone(), large], more: false, count: 2 };
    let message = range_message(HEADER, &one);
    assert_eq!(bytes_of(range(HEADER, one).unwrap()), framed(&message));
}

#[test]
fn a_short_answer_is_the_same_without_a_list_between() {
    use volvox_store::{Command, DeleteRangeRequest, PutRequest, SortOrder, SortTarget, Store, StoreConfig};
    let rng = &mut Rng::new(1);
    let mut store = Store::new(StoreConfig::default());
    let key = |rng: &mut Rng| Key::from(format!("k{:02}", rng.below(60)).as_bytes());
    for _ in 0..600 {
        let key = key(rng);
        let command = match rng.below(5) {
            0 => Command::DeleteRange(DeleteRangeRequest { key, ..DeleteRangeRequest::default() }),
            _ => Command::Put(PutRequest { key, value: text(rng, 300), ..PutRequest::default() }),
        };
        store.apply(&command).expect("nothing refuses it");
        store.take_events();
    }
    let view = store.view();
    let mut more = 0;
    for _ in 0..2000 {
        let request = RangeRequest {
            key: key(rng),
            range_end: [Key::new(), key(rng), Key::from(&[0][..])][rng.below(3) as usize].clone(),
            limit: rng.below(40) as i64 * rng.below(2) as i64,
            revision: rng.below(view.revision() as u64) as i64 * rng.below(2) as i64,
            sort_order: if rng.below(3) == 0 { SortOrder::Descend } else { SortOrder::Ascend },
            sort_target: if rng.below(4) == 0 { SortTarget::Value } else { SortTarget::Key },
            keys_only: rng.below(4) == 0,
            count_only: rng.below(8) == 0,
            min_mod_revision: rng.below(400) as i64 * (rng.below(4) / 3) as i64,
            ..RangeRequest::default()
        };
        let listed = view.range(&request).expect("a sound request");
        more += u32::from(listed.more);
        let header = Header { revision: view.revision(), ..HEADER };
        let message = range_message(header, &listed);
        let content = short_range(header, &reading(&view, &request)).expect("a sound request").expect("short");
        assert_eq!(bytes_of(content), framed(&message), "{request:?}");
    }
    assert!(more > 100, "{more}");
    let value = Key::from(vec![7; LONG_BYTES]);
    let large = Command::Put(PutRequest { key: Key::from("large"), value, ..PutRequest::default() });
    store.apply(&large).expect("nothing refuses it");
    let request = RangeRequest { key: Key::from("large"), ..RangeRequest::default() };
    assert!(short_range(HEADER, &reading(&store.view(), &request)).expect("a sound request").is_none());
}

#[test]
fn watch_responses_are_what_the_generated_encoder_makes() {
    for seed in 0..300 {
        let rng = &mut Rng::new(seed);
        let events: Vec<Event> = (0..rng.below(4))
            .map(|_| Event {
                kind: if rng.below(2) == 0 { EventKind::Put } else { EventKind::Delete },
                key_value: pair(rng),
                previous: (rng.below(2) == 0).then(|| pair(rng)),
            })
            .collect();
        let one = WatchResponse {
            revision: numbers(rng),
            watch_id: numbers(rng),
            created: rng.below(2) == 0,
            canceled: rng.below(2) == 0,
            compact_revision: numbers(rng),
            refusal: if rng.below(2) == 0 { None } else { Some(Refusal::EmptyRange) },
            fragment: rng.below(2) == 0,
            events: events.into(),
        };
        let header = Header { revision: one.revision, ..HEADER };
        let message = pb::WatchResponse {
            header: header_message(header),
            watch_id: one.watch_id,
            created: one.created,
            canceled: one.canceled,
            compact_revision: one.compact_revision,
            cancel_reason: cancel_reason(one.refusal).to_owned(),
            fragment: one.fragment,
            events: one
                .events
                .iter()
                .map(|event| mvccpb::Event {
                    r#type: i32::from(event.kind == EventKind::Delete),
                    kv: Some(pair_message(&event.key_value)),
                    prev_kv: event.previous.as_ref().map(pair_message),
                })
                .collect(),
        };
        let mut written = Vec::new();
        watch(header, &one, &super::events(&one.events), &mut written).unwrap();
        assert_eq!(written, framed(&message), "seed {seed}");
    }
}

#[test]
fn an_answer_beyond_the_limit_of_grpc_is_an_error() {
    let value = Key::from(vec![0; 1 << 20]);
    let kvs = vec![KeyValue { value, ..KeyValue::default() }; 2048];
    let one = RangeResponse { revision: 5, kvs, more: false, count: 2048 };
    let status = range(HEADER, one).err().unwrap();
    assert_eq!(status.code, Code::ResourceExhausted);
    assert!(status.message.starts_with("grpc: trying to send message larger than max (2147"), "{}", status.message);
}
