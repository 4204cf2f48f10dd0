//! Answers as JSON documents, in the shape that `etcdctl -w json` prints.

use serde_json::{Value, json};
use volvox_etcd::proto::etcdserverpb::response_op::Response;
use volvox_etcd::proto::etcdserverpb::{
    DeleteRangeResponse, Member, PutResponse, RangeResponse, ResponseHeader, ResponseOp, TxnResponse,
};
use volvox_etcd::proto::mvccpb::event::EventType;
use volvox_etcd::proto::mvccpb::{Event, KeyValue};

use super::base64;

pub fn header(header: Option<&ResponseHeader>) -> Value {
    let Some(header) = header else { return Value::Null };
    json!({
        "cluster_id": header.cluster_id,
        "member_id": header.member_id,
        "revision": header.revision,
        "raft_term": header.raft_term,
    })
}

pub fn key_value(pair: &KeyValue) -> Value {
    json!({
        "key": base64::encode(&pair.key),
        "create_revision": pair.create_revision,
        "mod_revision": pair.mod_revision,
        "version": pair.version,
        "value": base64::encode(&pair.value),
        "lease": pair.lease,
    })
}

pub fn range(response: &RangeResponse) -> Value {
    json!({
        "header": header(response.header.as_ref()),
        "kvs": response.kvs.iter().map(key_value).collect::<Vec<_>>(),
        "more": response.more,
        "count": response.count,
    })
}

pub fn put(response: &PutResponse) -> Value {
    let mut document = json!({ "header": header(response.header.as_ref()) });
    if let Some(pair) = &response.prev_kv {
        document["prev_kv"] = key_value(pair);
    }
    document
}

pub fn delete(response: &DeleteRangeResponse) -> Value {
    json!({
        "header": header(response.header.as_ref()),
        "deleted": response.deleted,
        "prev_kvs": response.prev_kvs.iter().map(key_value).collect::<Vec<_>>(),
    })
}

pub fn txn(response: &TxnResponse) -> Value {
    json!({
        "header": header(response.header.as_ref()),
        "succeeded": response.succeeded,
        "responses": response.responses.iter().map(operation).collect::<Vec<_>>(),
    })
}

fn operation(operation: &ResponseOp) -> Value {
    match &operation.response {
        Some(Response::ResponseRange(response)) => json!({ "response_range": range(response) }),
        Some(Response::ResponsePut(response)) => json!({ "response_put": put(response) }),
        Some(Response::ResponseDeleteRange(response)) => {
            json!({ "response_delete_range": delete(response) })
        }
        Some(Response::ResponseTxn(response)) => json!({ "response_txn": txn(response) }),
        None => Value::Null,
    }
}

pub fn event(event: &Event) -> Value {
    let kind = if event.r#type() == EventType::Put { "PUT" } else { "DELETE" };
    let mut document = json!({ "type": kind });
    if let Some(pair) = &event.kv {
        document["kv"] = key_value(pair);
    }
    if let Some(pair) = &event.prev_kv {
        document["prev_kv"] = key_value(pair);
    }
    document
}

pub fn member(member: &Member) -> Value {
    json!({
        "ID": member.id,
        "name": member.name,
        "peerURLs": member.peer_ur_ls,
        "clientURLs": member.client_ur_ls,
        "isLearner": member.is_learner,
    })
}
