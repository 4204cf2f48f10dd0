//! The service Maintenance (book/src/etcd.md#8).

use crate::backend::Backend;
use crate::context::{Door, header_message, message, unexpected};
use crate::convert;
use crate::database::{Chunks, Step};
use crate::grpc::{Content, Status, frame};
use crate::metrics::MessageCounter;
use crate::proto::etcdserverpb as pb;
use crate::refusal::NO_LEADER;
use crate::{STORAGE_VERSION, VERSION};
use futures_util::stream;
use volvox_core::NodeId;
use volvox_service::{Answer, Body, Caller, Hashing, Header, Problem, Request};
use volvox_store::quota::QUOTA_BYTES_DEFAULT;
use volvox_store::{AlarmMember, AlarmRequest, AlarmType, HashKv, Reply as Written};

/// The status of this member by itself, without consensus or a leader.
pub(crate) async fn status<B: Backend>(door: &Door<B>, caller: &Caller) -> Result<Content, Status> {
    let (header, view, problems) = match door.call(caller, Request::Status).await? {
        Answer { header, body: Body::Status { view, problems } } => (header, view, problems),
        other => return Err(unexpected(&other.body)),
    };
    let (store, status) = (&view.store, &view.status);
    let quota = if status.quota_bytes == 0 { QUOTA_BYTES_DEFAULT } else { status.quota_bytes };
    Ok(message(&pb::StatusResponse {
        header: header_message(header),
        version: VERSION.to_owned(),
        // Nothing here is allocated and unused: there is no file with holes.
        db_size: store.size_in_use() as i64,
        leader: status.leader.map_or(0, |leader| leader.0),
        raft_index: status.commit_index,
        raft_term: status.term,
        raft_applied_index: status.applied_index,
        errors: problems.iter().map(problem_text).collect(),
        db_size_in_use: store.size_in_use() as i64,
        is_learner: status.is_learner,
        storage_version: STORAGE_VERSION.to_owned(),
        db_size_quota: quota,
        downgrade_info: Some(pb::DowngradeInfo { enabled: false, target_version: String::new() }),
    }))
}

fn problem_text(problem: &Problem) -> String {
    match problem {
        Problem::NoLeader => NO_LEADER.to_owned(),
        Problem::Alarm(alarm) => alarm_text(alarm),
    }
}

/// The text form of an alarm: protobuf's, as etcd prints it.
fn alarm_text(alarm: &AlarmMember) -> String {
    let mut text = String::new();
    if alarm.member_id != 0 {
        text = format!("memberID:{} ", alarm.member_id);
    }
    text + &format!("alarm:{} ", alarm_name(alarm.alarm))
}

pub(crate) fn alarm_name(alarm: AlarmType) -> &'static str {
    match alarm {
        AlarmType::None => "NONE",
        AlarmType::NoSpace => "NOSPACE",
        AlarmType::Corrupt => "CORRUPT",
        AlarmType::Other(_) => "UNKNOWN",
    }
}

/// Lists, raises or clears alarms.
pub(crate) async fn alarm<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    request: &pb::AlarmRequest,
) -> Result<Content, Status> {
    let request =
        AlarmRequest { action: request.action.into(), member_id: request.member_id, alarm: request.alarm.into() };
    let answer = door.call(caller, Request::Alarm(request)).await?;
    let alarms = match &answer.body {
        Body::Alarms(alarms) => alarms,
        Body::Written(Written::Alarm(response)) => &response.alarms,
        other => return Err(unexpected(other)),
    };
    let alarms = alarms.iter().map(convert::alarm).collect();
    Ok(message(&pb::AlarmResponse { header: header_message(answer.header), alarms }))
}

/// Succeeds: space is released as soon as it is free. The answer has no header.
pub(crate) async fn defragment<B: Backend>(door: &Door<B>, caller: &Caller) -> Result<Content, Status> {
    door.call(caller, Request::Defragment).await?;
    Ok(message(&pb::DefragmentResponse { header: None }))
}

/// A hash of everything; for tests.
pub(crate) async fn hash<B: Backend>(door: &Door<B>, caller: &Caller) -> Result<Content, Status> {
    let (header, hash) = hash_in_turns(door, caller, Request::Hash).await?;
    Ok(message(&pb::HashResponse { header: header_message(header), hash: hash.hash }))
}

/// A hash of the history up to a revision, so that members can be compared.
pub(crate) async fn hash_kv<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    request: &pb::HashKvRequest,
) -> Result<Content, Status> {
    let (header, hash) = hash_in_turns(door, caller, Request::HashKv { revision: request.revision }).await?;
    Ok(message(&pb::HashKvResponse {
        header: header_message(header),
        hash: hash.hash,
        compact_revision: hash.compact_revision,
        hash_revision: hash.hash_revision,
    }))
}

async fn hash_in_turns<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    request: Request,
) -> Result<(Header, HashKv), Status> {
    let (header, hashing): (Header, Hashing) = match door.call(caller, request).await? {
        Answer { header, body: Body::Hash(hashing) } => (header, hashing),
        other => return Err(unexpected(&other.body)),
    };
    let mut turns = hashing.begin()?;
    while turns.turn() {
        tokio::task::yield_now().await;
    }
    Ok((header, turns.finish()))
}

/// A copy of the state as it is now, as the database of etcd.
pub(crate) async fn snapshot<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    counter: MessageCounter,
) -> Result<Content, Status> {
    let view = match door.call(caller, Request::Snapshot).await?.body {
        Body::Snapshot(view) => view,
        other => return Err(unexpected(&other)),
    };
    let chunks = Chunks::new(view.store.clone());
    let chunks = stream::unfold(chunks, move |mut chunks| {
        let counter = counter.clone();
        async move {
            let chunk = loop {
                tokio::task::yield_now().await;
                match chunks.step()? {
                    Step::Measured => {}
                    Step::Chunk(chunk) => break chunk,
                }
            };
            counter.sent(1);
            let message = frame(&pb::SnapshotResponse {
                header: None,
                remaining_bytes: chunk.remaining_bytes,
                blob: chunk.bytes,
                version: STORAGE_VERSION.to_owned(),
            });
            Some((Ok(message), chunks))
        }
    });
    Ok(Content::Stream(Box::pin(chunks)))
}

/// Hands leadership over. The answer has no header.
pub(crate) async fn move_leader<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    request: &pb::MoveLeaderRequest,
) -> Result<Content, Status> {
    door.call(caller, Request::MoveLeader { to: NodeId(request.target_id) }).await?;
    Ok(message(&pb::MoveLeaderResponse { header: None }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_read_as_etcd_prints_them() {
        let alarm = AlarmMember { member_id: 10276657743932975437, alarm: AlarmType::NoSpace };
        assert_eq!(alarm_text(&alarm), "memberID:10276657743932975437 alarm:NOSPACE ");
    }
}
