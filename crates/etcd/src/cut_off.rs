//! The end of streams: the node stops, or its leader has been gone for too long.

use crate::backend::Backend;
use crate::context::Door;
use crate::grpc::Status;
use std::time::Instant as Clock;
use tokio::sync::watch;
use volvox_core::Instant;
use volvox_replica::Error as ReplicaError;
use volvox_service::{Caller, Error, Leaderless};

/// Waits until the streams of a caller must end.
pub(crate) async fn cut_off<B: Backend>(door: &Door<B>, caller: &Caller) -> Status {
    let mut stopped = door.dispatcher.stopped();
    let mut leaderless = door.leaderless.clone();
    tokio::select! {
        _ = stopped.wait_for(|stopped| *stopped) => ReplicaError::Stopped.into(),
        waited = leaderless.wait_for(|leaderless| *leaderless && caller.requires_leader) => match waited {
            Ok(_) => Error::NoLeader.into(),
            // The sender goes away when the server does.
            Err(_) => ReplicaError::Stopped.into(),
        },
    }
}

/// Looks at the view whenever the leader changes and when patience ends, and reports whether it has ended.
pub(crate) async fn watch_leader<B: Backend>(
    backend: B,
    mut leaders: watch::Receiver<u64>,
    mut leaderless: Leaderless,
    is_over: watch::Sender<bool>,
) {
    let began = Clock::now();
    loop {
        leaders.mark_unchanged();
        let now = Instant(began.elapsed().as_nanos() as u64);
        leaderless.observe(&backend.view(), now);
        is_over.send_if_modified(|over| std::mem::replace(over, leaderless.is_over(now)) != *over);
        let left = leaderless.deadline().filter(|deadline| *deadline > now).map(|deadline| deadline.since(now));
        let changed = match left {
            None => leaders.changed().await,
            Some(left) => tokio::time::timeout(left, leaders.changed()).await.unwrap_or(Ok(())),
        };
        if changed.is_err() {
            // No further changes will be reported.
            return std::future::pending().await;
        }
    }
}
