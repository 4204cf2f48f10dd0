//! The announcement that a member serves, for the programs that wait for it.

use super::options::NodeSettings;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
#[cfg(target_os = "linux")]
use std::os::unix::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;
use volvox_net::NodeHandle;
use volvox_replica::{Replica, View};

/// The interval of looking at the progress.
const GLANCE: Duration = Duration::from_millis(10);

/// Waits until a leader is known and this member's name has gone through the log; then says so in the log, in etcd's
/// words, and to the service manager.
pub async fn announce(handle: NodeHandle<Replica>, settings: NodeSettings) {
    while !handle.has_stopped() && !is_ready(&handle.view(), &settings) {
        tokio::time::sleep(GLANCE).await;
    }
    if handle.has_stopped() {
        return;
    }
    let addresses: Vec<String> = settings.clients.iter().map(|port| port.address.to_string()).collect();
    tracing::info!(address = addresses.join(","), "ready to serve client requests");
    if let Err(error) = notify("READY=1") {
        tracing::warn!("the service manager cannot be notified: {error}");
    }
}

fn is_ready(view: &View, settings: &NodeSettings) -> bool {
    let status = &view.status;
    let is_named = |member: &volvox_replica::Member| {
        member.id == status.id && member.name == settings.name && member.client_urls == settings.advertise_client
    };
    status.leader.is_some() && status.applied_index >= status.commit_index && view.members.iter().any(is_named)
}

/// Sends a line to the service manager, if it named a socket (`sd_notify(3)`).
fn notify(line: &str) -> std::io::Result<()> {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    // Only Linux has sockets with a name of their own.
    #[cfg(target_os = "linux")]
    if let Some(name) = path.to_str().and_then(|path| path.strip_prefix('@')) {
        let address = SocketAddr::from_abstract_name(name)?;
        return UnixDatagram::unbound()?.send_to_addr(line.as_bytes(), &address).map(drop);
    }
    UnixDatagram::unbound()?.send_to(line.as_bytes(), &path).map(drop)
}
