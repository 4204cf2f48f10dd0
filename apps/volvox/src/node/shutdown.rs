//! An orderly end: a leader hands leadership over before it stops, which saves its clients an election timeout.

use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;
use volvox_core::NodeId;
use volvox_net::NodeHandle;
use volvox_raft::RoleKind;
use volvox_replica::{Command, Replica, Request, Ticket};

/// The door's tickets name a slot in their low half, and there are far fewer slots: no request waits for this ticket.
const HAND_OVER: Ticket = Ticket(u32::MAX as u64);

/// The interval of looking at the progress.
const GLANCE: Duration = Duration::from_millis(5);

/// Waits for the order to stop (Ctrl-C or SIGTERM), and hands leadership over within `limit`. A second order stops the
/// node at once.
pub async fn on_signal(handle: NodeHandle<Replica>, stop: watch::Sender<bool>, limit: Duration) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return tracing::error!("cannot wait for signals");
    };
    tokio::select! {
        _ = terminate.recv() => tracing::info!("asked to stop"),
        _ = interrupt.recv() => tracing::info!("interrupted"),
    }
    tokio::select! {
        () = hand_over(&handle, limit) => {}
        _ = terminate.recv() => tracing::info!("asked to stop again"),
        _ = interrupt.recv() => tracing::info!("interrupted again"),
    }
    stop.send_replace(true);
}

/// Asks one voter after the other to take over, until one does or none is left.
async fn hand_over(handle: &NodeHandle<Replica>, limit: Duration) {
    let leads = || handle.view().status.role == RoleKind::Leader;
    let deadline = Instant::now() + limit;
    let view = handle.view();
    for heir in view.members.iter().filter(|member| member.id != view.status.id && !member.is_learner) {
        let to = heir.id;
        if !leads() || Instant::now() >= deadline {
            break;
        }
        let ask = Command::Request { ticket: HAND_OVER, request: Request::MoveLeader { to } };
        if !is_reachable(handle, to) || handle.command(ask).is_err() {
            continue;
        }
        tracing::info!("hands leadership over to {to}");
        while leads() && is_reachable(handle, to) && Instant::now() < deadline {
            tokio::time::sleep(GLANCE).await;
        }
    }
    // Either the next leader is known, or an election is needed anyway.
    while handle.view().status.leader.is_none() && is_any_reachable(handle) && Instant::now() < deadline {
        tokio::time::sleep(GLANCE).await;
    }
}

fn is_reachable(handle: &NodeHandle<Replica>, id: NodeId) -> bool {
    handle.peers().iter().any(|peer| peer.id == id && peer.connected && peer.hears)
}

fn is_any_reachable(handle: &NodeHandle<Replica>) -> bool {
    handle.peers().iter().any(|peer| peer.connected && peer.hears)
}
