//! The service Maintenance (book/src/etcd.md#8).

use crate::backend::Backend;
use crate::convert;
use crate::database::{Chunks, Step};
use crate::door::{Door, header_message, header_of, message, unexpected};
use crate::grpc::{Content, Status, frame};
use crate::kv::write;
use crate::metrics::MessageCounter;
use crate::proto::etcdserverpb as pb;
use crate::{STORAGE_VERSION, VERSION};
use futures_util::stream;
use volvox_core::NodeId;
use volvox_replica::{Error, Reply, Request};
use volvox_store::quota::QUOTA_BYTES_DEFAULT;
use volvox_store::{AlarmAction, AlarmMember, AlarmRequest, AlarmType, Command, HashKv, Reply as Written, View};

/// How many records are hashed before others get a turn.
const TURN_RECORDS: usize = 10_000;

/// The status of this member by itself, without consensus or a leader.
pub(crate) fn status<B: Backend>(door: &Door<B>) -> Content {
    let view = door.backend.view();
    let (store, status) = (&view.store, &view.status);
    let mut errors = Vec::new();
    if status.leader.is_none() {
        errors.push(Error::NoLeader.message().to_owned());
    }
    errors.extend(store.alarms().map(|alarm| alarm_text(&alarm)));
    let quota = if status.quota_bytes == 0 { QUOTA_BYTES_DEFAULT } else { status.quota_bytes };
    message(&pb::StatusResponse {
        header: header_message(header_of(&view, store.revision())),
        version: VERSION.to_owned(),
        // Nothing here is allocated and unused: there is no file with holes.
        db_size: store.size_in_use() as i64,
        leader: status.leader.map_or(0, |leader| leader.0),
        raft_index: status.commit_index,
        raft_term: status.term,
        raft_applied_index: status.applied_index,
        errors,
        db_size_in_use: store.size_in_use() as i64,
        is_learner: status.is_learner,
        storage_version: STORAGE_VERSION.to_owned(),
        db_size_quota: quota,
        downgrade_info: Some(pb::DowngradeInfo { enabled: false, target_version: String::new() }),
    })
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

/// Lists, raises or clears alarms. The list is as new as a linearizable read; changes go through the log.
pub(crate) async fn alarm<B: Backend>(door: &Door<B>, request: &pb::AlarmRequest) -> Result<Content, Status> {
    let request =
        AlarmRequest { action: request.action.into(), member_id: request.member_id, alarm: request.alarm.into() };
    if request.action == AlarmAction::Get {
        let view = door.read().await?;
        let wanted = |alarm: &AlarmMember| request.alarm == AlarmType::None || alarm.alarm == request.alarm;
        let alarms = view.store.alarms().filter(wanted).map(|alarm| convert::alarm(&alarm)).collect();
        let header = header_message(header_of(&view, view.store.revision()));
        return Ok(message(&pb::AlarmResponse { header, alarms }));
    }
    match write(door, Command::Alarm(request)).await? {
        Written::Alarm(response) => Ok(message(&pb::AlarmResponse {
            header: header_message(door.header(response.revision)),
            alarms: response.alarms.iter().map(convert::alarm).collect(),
        })),
        other => Err(unexpected(&Reply::Written(other))),
    }
}

/// Succeeds: space is released as soon as it is free. The answer has no header.
pub(crate) fn defragment() -> Content {
    message(&pb::DefragmentResponse { header: None })
}

/// A hash of everything; for tests.
pub(crate) async fn hash<B: Backend>(door: &Door<B>) -> Result<Content, Status> {
    let view = door.backend.view();
    let hash = hash_in_turns(&view.store, 0).await?.hash;
    Ok(message(&pb::HashResponse { header: header_message(header_of(&view, view.store.revision())), hash }))
}

/// A hash of the history up to a revision, so that members can be compared.
pub(crate) async fn hash_kv<B: Backend>(door: &Door<B>, request: &pb::HashKvRequest) -> Result<Content, Status> {
    let view = door.backend.view();
    let hash = hash_in_turns(&view.store, request.revision).await?;
    Ok(message(&pb::HashKvResponse {
        header: header_message(header_of(&view, view.store.revision())),
        hash: hash.hash,
        compact_revision: hash.compact_revision,
        hash_revision: hash.hash_revision,
    }))
}

async fn hash_in_turns(view: &View, revision: i64) -> Result<HashKv, Status> {
    let mut hasher = view.hasher(revision)?;
    while hasher.step(TURN_RECORDS) {
        tokio::task::yield_now().await;
    }
    Ok(hasher.finish())
}

/// A copy of the state as it is now, as the database of etcd.
pub(crate) fn snapshot<B: Backend>(door: &Door<B>, counter: MessageCounter) -> Content {
    let chunks = Chunks::new(door.backend.view().store.clone());
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
    Content::Stream(Box::pin(chunks))
}

/// Hands leadership over. The answer has no header.
pub(crate) async fn move_leader<B: Backend>(
    door: &Door<B>,
    request: &pb::MoveLeaderRequest,
) -> Result<Content, Status> {
    match door.ask(Request::MoveLeader { to: NodeId(request.target_id) }).await? {
        Reply::LeaderMoved => Ok(message(&pb::MoveLeaderResponse { header: None })),
        other => Err(unexpected(&other)),
    }
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
