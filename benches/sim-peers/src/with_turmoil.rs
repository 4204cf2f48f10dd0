//! turmoil: one `UdpSocket` and one host a node. Its clock moves in ticks; 1 ms is the finest that it knows.

use crate::ping::{Ping, Work, from_bytes, to_bytes};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use turmoil::Builder;
use turmoil::net::UdpSocket;

const PORT: u16 = 9_000;

/// Whether all was done before the time was over.
pub fn run(nodes: usize, deliveries: u64, work: &Arc<Work>, tick: Duration, limit: Duration) -> bool {
    let mut simulation = Builder::new()
        .rng_seed(1)
        .tick_duration(tick)
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(1))
        .udp_capacity(1 << 16)
        .simulation_duration(Duration::from_secs(1 << 30))
        .build();
    for me in 1..=nodes {
        let work = Arc::clone(work);
        simulation.client(format!("n{me}"), async move {
            let ping = Ping { next: me % nodes + 1, work };
            let socket = UdpSocket::bind((IpAddr::from(Ipv4Addr::UNSPECIFIED), PORT)).await?;
            // Every node binds before any node sends.
            let _ = tokio::time::timeout(Duration::from_millis(10), std::future::pending::<()>()).await;
            let mut peers = std::collections::BTreeMap::new();
            let mut known = |node: usize| *peers.entry(node).or_insert_with(|| turmoil::lookup(format!("n{node}")));
            let before = if me == 1 { nodes } else { me - 1 };
            let (next_ip, before_ip) = (known(ping.next), known(before));
            socket.send_to(&to_bytes(ping.start()), (next_ip, PORT)).await?;
            let mut buffer = [0; 16];
            loop {
                let (_, from) = socket.recv_from(&mut buffer).await?;
                if ping.work.deliveries() >= deliveries {
                    continue;
                }
                let sender = if from.ip() == next_ip && buffer[8] == 2 { ping.next } else { before };
                let (to, payload) = ping.on_message(sender, from_bytes(&buffer));
                let ip = if to == ping.next && payload[1] == 1 { next_ip } else { before_ip };
                socket.send_to(&to_bytes(payload), (ip, PORT)).await?;
            }
        });
    }
    let watch = Instant::now();
    while work.deliveries() < deliveries {
        simulation.step().expect("a step");
        if watch.elapsed() > limit {
            return false;
        }
    }
    true
}
