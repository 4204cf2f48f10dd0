//! The replica behind the etcd door, reached through the handle of the live node.

use std::sync::Arc;
use volvox_etcd::{Backend, Counters, Histogram, Overloaded, PeerCounters};
use volvox_net::{LATENCY_BOUNDS_MS, Latencies, NodeHandle};
use volvox_replica::{Command, Replica, View};

/// A running replica.
#[derive(Clone)]
pub struct LiveReplica(pub NodeHandle<Replica>);

impl Backend for LiveReplica {
    fn command(&self, command: Command) -> Result<(), Overloaded> {
        self.0.command(command).map_err(|_| Overloaded)
    }

    fn view(&self) -> Arc<View> {
        self.0.view()
    }

    fn counters(&self) -> Counters {
        let node = self.0.counters();
        let status = self.0.view().status;
        let peer = |peer: volvox_net::PeerStatus| PeerCounters {
            id: peer.id.0,
            connected: peer.connected,
            disconnects: peer.connects.saturating_sub(u64::from(peer.connected)),
            sent: peer.sent,
            sent_bytes: peer.bytes_out,
            received_bytes: peer.bytes_in,
            dropped: peer.dropped,
            round_trip: peer.round_trip.map(|took| took.as_secs_f64()),
        };
        Counters {
            slow_applies: node.slow_steps,
            leases_expired: status.leases_expired,
            log_bytes: node.log.bytes_written,
            log_syncs: histogram(&node.batch_writes),
            checkpoint_writes: histogram(&node.checkpoint_writes),
            peers: self.0.peers().into_iter().map(peer).collect(),
        }
    }
}

fn histogram(latencies: &Latencies) -> Histogram {
    Histogram {
        bounds: LATENCY_BOUNDS_MS.iter().map(|bound| *bound as f64 / 1000.0).collect(),
        counts: latencies.counts.to_vec(),
        sum: latencies.sum.as_secs_f64(),
    }
}
