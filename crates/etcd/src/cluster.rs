//! The service Cluster (book/src/etcd.md#7).

use crate::backend::Backend;
use crate::context::{Door, header_message, message, unexpected};
use crate::convert;
use crate::grpc::{Content, Status};
use crate::proto::etcdserverpb as pb;
use volvox_core::NodeId;
use volvox_replica::MemberRequest;
use volvox_service::{Answer, Body, Caller, Request};

/// The parts that all answers of this service have.
struct Changed {
    header: Option<pb::ResponseHeader>,
    added: Option<pb::Member>,
    members: Vec<pb::Member>,
}

/// Adds a member.
pub(crate) async fn add<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    request: pb::MemberAddRequest,
) -> Result<Content, Status> {
    let add = MemberRequest::Add { peer_urls: request.peer_ur_ls, is_learner: request.is_learner };
    let Changed { header, added, members } = ask(door, caller, Request::Member(add)).await?;
    Ok(message(&pb::MemberAddResponse { header, member: added, members }))
}

/// Removes a member.
pub(crate) async fn remove<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    request: &pb::MemberRemoveRequest,
) -> Result<Content, Status> {
    let remove = MemberRequest::Remove { id: NodeId(request.id) };
    let Changed { header, members, .. } = ask(door, caller, Request::Member(remove)).await?;
    Ok(message(&pb::MemberRemoveResponse { header, members }))
}

/// Replaces the peer URLs of a member.
pub(crate) async fn update<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    request: pb::MemberUpdateRequest,
) -> Result<Content, Status> {
    let update = MemberRequest::Update { id: NodeId(request.id), peer_urls: request.peer_ur_ls };
    let Changed { header, members, .. } = ask(door, caller, Request::Member(update)).await?;
    Ok(message(&pb::MemberUpdateResponse { header, members }))
}

/// Promotes a learner to a voter.
pub(crate) async fn promote<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    request: &pb::MemberPromoteRequest,
) -> Result<Content, Status> {
    let promote = MemberRequest::Promote { id: NodeId(request.id) };
    let Changed { header, members, .. } = ask(door, caller, Request::Member(promote)).await?;
    Ok(message(&pb::MemberPromoteResponse { header, members }))
}

/// All members, as the cluster or as this member knows them.
pub(crate) async fn list<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    request: &pb::MemberListRequest,
) -> Result<Content, Status> {
    let list = Request::Members { linearizable: request.linearizable };
    let Changed { header, members, .. } = ask(door, caller, list).await?;
    Ok(message(&pb::MemberListResponse { header, members }))
}

async fn ask<B: Backend>(door: &Door<B>, caller: &Caller, request: Request) -> Result<Changed, Status> {
    match door.call(caller, request).await? {
        Answer { header, body: Body::Members { added, members } } => Ok(Changed {
            header: header_message(header),
            added: added.as_ref().map(convert::member),
            members: members.iter().map(convert::member).collect(),
        }),
        other => Err(unexpected(&other.body)),
    }
}
