//! madsim: one `Endpoint` and one task per node, as its examples do.

use crate::ping::{Ping, Work, from_bytes, to_bytes};
use madsim::net::Endpoint;
use madsim::runtime::Runtime;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

const TAG: u64 = 1;
const PORT: u16 = 1;

fn address(node: usize) -> SocketAddr {
    let [_, a, b, c] = (node as u32).to_be_bytes();
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, a, b, c)), PORT)
}

fn node_of(address: SocketAddr) -> usize {
    match address.ip() {
        IpAddr::V4(ip) => {
            let [_, a, b, c] = ip.octets();
            u32::from_be_bytes([0, a, b, c]) as usize
        }
        IpAddr::V6(_) => unreachable!("all addresses here are of version 4"),
    }
}

pub fn run(nodes: usize, deliveries: u64, work: &Arc<Work>) {
    let mut config = madsim::Config::default();
    config.net.send_latency = Duration::from_millis(1)..Duration::from_nanos(1_000_001);
    config.net.packet_loss_rate = 0.0;
    let runtime = Runtime::with_seed_and_config(1, config);
    let done = Arc::new(Notify::new());
    for me in 1..=nodes {
        let host = runtime.create_node().name(format!("n{me}")).ip(address(me).ip()).build();
        let ping = Ping { next: me % nodes + 1, work: Arc::clone(work) };
        let done = Arc::clone(&done);
        host.spawn(async move {
            let endpoint = Endpoint::bind(address(me)).await.expect("a free address");
            endpoint.send_to(address(ping.next), TAG, &to_bytes(ping.start())).await.expect("sent");
            let mut buffer = [0; 16];
            loop {
                let (_, from) = endpoint.recv_from(TAG, &mut buffer).await.expect("received");
                if ping.work.deliveries() >= deliveries {
                    done.notify_one();
                    return;
                }
                let (to, payload) = ping.on_message(node_of(from), from_bytes(&buffer));
                endpoint.send_to(address(to), TAG, &to_bytes(payload)).await.expect("sent");
            }
        });
    }
    runtime.block_on(done.notified());
}
