//! The service Cluster (book/src/etcd.md#7). Its headers have revision 0.

use crate::backend::Backend;
use crate::convert;
use crate::door::{Door, header_message, header_of, message, unexpected};
use crate::grpc::{Content, Status};
use crate::proto::etcdserverpb as pb;
use volvox_core::NodeId;
use volvox_replica::{Member, MemberRequest, Reply, Request};

/// Adds a member.
pub(crate) async fn add<B: Backend>(door: &Door<B>, request: pb::MemberAddRequest) -> Result<Content, Status> {
    let (added, members) = change(
        door,
        Request::Member(MemberRequest::Add { peer_urls: request.peer_ur_ls, is_learner: request.is_learner }),
    )
    .await?;
    let member = added.as_ref().map(convert::member);
    Ok(message(&pb::MemberAddResponse { header: header(door), member, members }))
}

/// Removes a member.
pub(crate) async fn remove<B: Backend>(door: &Door<B>, request: &pb::MemberRemoveRequest) -> Result<Content, Status> {
    let (_, members) = change(door, Request::Member(MemberRequest::Remove { id: NodeId(request.id) })).await?;
    Ok(message(&pb::MemberRemoveResponse { header: header(door), members }))
}

/// Replaces the peer URLs of a member.
pub(crate) async fn update<B: Backend>(door: &Door<B>, request: pb::MemberUpdateRequest) -> Result<Content, Status> {
    let (id, peer_urls) = (NodeId(request.id), request.peer_ur_ls);
    let (_, members) = change(door, Request::Member(MemberRequest::Update { id, peer_urls })).await?;
    Ok(message(&pb::MemberUpdateResponse { header: header(door), members }))
}

/// Promotes a learner to a voter.
pub(crate) async fn promote<B: Backend>(door: &Door<B>, request: &pb::MemberPromoteRequest) -> Result<Content, Status> {
    let (_, members) = change(door, Request::Member(MemberRequest::Promote { id: NodeId(request.id) })).await?;
    Ok(message(&pb::MemberPromoteResponse { header: header(door), members }))
}

/// All members, as the cluster or as this member knows them.
pub(crate) async fn list<B: Backend>(door: &Door<B>, request: &pb::MemberListRequest) -> Result<Content, Status> {
    let view = if request.linearizable { door.read().await? } else { door.backend.view() };
    let members = view.members.iter().map(convert::member).collect();
    Ok(message(&pb::MemberListResponse { header: header_message(header_of(&view, 0)), members }))
}

fn header<B: Backend>(door: &Door<B>) -> Option<pb::ResponseHeader> {
    header_message(door.header(0))
}

async fn change<B: Backend>(door: &Door<B>, request: Request) -> Result<(Option<Member>, Vec<pb::Member>), Status> {
    match door.ask(request).await? {
        Reply::Members { added, members } => Ok((added, members.iter().map(convert::member).collect())),
        other => Err(unexpected(&other)),
    }
}
