//! The service `grpc.health.v1.Health` (book/src/etcd.md#13.3): SERVING for the whole server, NotFound for other names.

use crate::backend::Backend;
use crate::context::{Door, message};
use crate::grpc::{Code, Content, Status, frame};
use crate::metrics::MessageCounter;
use futures_util::stream::{self, StreamExt};
use std::sync::Arc;

/// Asks for the state of a service.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct HealthCheckRequest {
    /// Which; empty is the whole server.
    #[prost(string, tag = "1")]
    pub service: String,
}

/// The state of a service.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct HealthCheckResponse {
    /// Of [`ServingStatus`].
    #[prost(enumeration = "ServingStatus", tag = "1")]
    pub status: i32,
}

/// The state of a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug, prost::Enumeration)]
#[repr(i32)]
pub enum ServingStatus {
    /// The state is unknown.
    Unknown = 0,
    /// It serves.
    Serving = 1,
    /// It does not serve.
    NotServing = 2,
    /// There is no such service; only in answers to a watch.
    ServiceUnknown = 3,
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status as i32 }
}

/// Tells the state once.
pub(crate) fn check(request: &HealthCheckRequest) -> Result<Content, Status> {
    if request.service.is_empty() {
        return Ok(message(&response(ServingStatus::Serving)));
    }
    Err(Status::new(Code::NotFound, "unknown service"))
}

/// Tells the state now and whenever it changes: when the node stops.
pub(crate) fn watch<B: Backend>(door: &Arc<Door<B>>, request: &HealthCheckRequest, counter: MessageCounter) -> Content {
    let known = request.service.is_empty();
    let now = if known { ServingStatus::Serving } else { ServingStatus::ServiceUnknown };
    let mut stopped = door.dispatcher.stopped();
    let last = async move {
        // The dispatcher outlives the door.
        let _ = stopped.wait_for(|stopped| *stopped).await;
        known.then(|| Ok(frame(&response(ServingStatus::NotServing))))
    };
    let now = stream::once(async move { Ok(frame(&response(now))) });
    let last = stream::once(last).filter_map(std::future::ready);
    Content::Stream(Box::pin(now.chain(last).inspect(move |_| counter.sent(1))))
}
