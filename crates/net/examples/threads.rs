//! Measures the two ways to place threads (decisions/0019): clients and node on one current-thread runtime, or the
//! node on a thread of its own with the clients on another.
//!
//! ```text
//! cargo run --release -p volvox-net --example threads -- [seconds] [clients]
//! ```
//! Two nodes on this machine. Each client has one open request. `quick` is answered by the other node from memory;
//! `call` is written to the other node's disk first.
#![allow(clippy::disallowed_methods)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use support::{Command, Echo, Event, Folder, options, start_in};
use tokio::sync::Notify;
use volvox_core::{Bytes, NodeId};
use volvox_disk::RealDirectory;
use volvox_net::{Node, NodeHandle, NodeOpenError};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().expect("a number"));
    let span = Duration::from_secs(arguments.next().unwrap_or(3));
    let clients = arguments.next().unwrap_or(64);
    println!("{:<6} {:<9} {:>10} {:>14} {:>16}", "what", "threads", "per second", "CPU us each", "batches");
    for with_disk in [false, true] {
        for apart in [false, true] {
            measure(span, clients, with_disk, apart);
        }
    }
}

/// One waker a client.
type Door = Arc<Vec<Notify>>;

fn measure(span: Duration, clients: u64, with_disk: bool, apart: bool) {
    let folders = [Folder::new(), Folder::new()];
    let other = start_in(options(2), &folders[1].0);
    let door: Door = Arc::new((0..clients).map(|_| Notify::new()).collect());
    let count = Arc::new(AtomicU64::new(0));
    let open = {
        let (door, folder) = (Arc::clone(&door), folders[0].0.clone());
        move || open(&folder, door)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (began, cpu) = (Instant::now(), cpu_seconds());
    let load = |handle: NodeHandle<Echo>| load(handle, door, with_disk, span, Arc::clone(&count));
    if apart {
        let (handle, thread) = volvox_net::spawn_thread("one", open).expect("opens");
        acquaint(&handle, &other.handle);
        runtime.block_on(load(handle.clone()));
        handle.stop();
        thread.join().expect("ends well");
    } else {
        let (node, handle) = open().expect("opens");
        acquaint(&handle, &other.handle);
        runtime.block_on(async {
            tokio::select! {
                ended = node.run() => ended.expect("runs"),
                () = load(handle) => {}
            }
        });
    }
    let done = count.load(Ordering::Relaxed);
    println!(
        "{:<6} {:<9} {:>10.0} {:>14.1} {:>16}",
        if with_disk { "call" } else { "quick" },
        if apart { "apart" } else { "together" },
        done as f64 / began.elapsed().as_secs_f64(),
        (cpu_seconds() - cpu) * 1e6 / done as f64,
        other.handle.counters().batches,
    );
}

fn open(folder: &std::path::Path, door: Door) -> Result<(Node<Echo>, NodeHandle<Echo>), NodeOpenError> {
    let directory = RealDirectory::open(folder).expect("opens");
    Node::open(
        options(1),
        directory,
        |_| Duration::from_millis(20),
        move |event| {
            if let Event::Answered { number, .. } = event {
                door[number as usize].notify_one();
            }
        },
    )
}

fn acquaint(one: &NodeHandle<Echo>, two: &NodeHandle<Echo>) {
    one.set_peer(NodeId(2), two.listen_address().to_string());
    two.set_peer(NodeId(1), one.listen_address().to_string());
}

/// Every client asks, waits, and asks again, until the time is over.
async fn load(handle: NodeHandle<Echo>, door: Door, with_disk: bool, span: Duration, count: Arc<AtomicU64>) {
    let payload = Bytes::from(&[7; 256]);
    for client in 0..door.len() {
        let (handle, door, count) = (handle.clone(), Arc::clone(&door), Arc::clone(&count));
        let payload = payload.clone();
        tokio::spawn(async move {
            loop {
                let (to, number, payload) = (NodeId(2), client as u64, payload.clone());
                let call = Command::Call { to, number, payload: payload.clone() };
                let command = if with_disk { call } else { Command::Ask { to, number, payload } };
                if handle.command(command).is_err() {
                    return;
                }
                door[client].notified().await;
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    tokio::time::sleep(span).await;
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let after_name = stat.rsplit_once(')').expect("a name").1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: f64 = fields[11..13].iter().map(|field| field.parse::<f64>().expect("ticks")).sum();
    ticks / 100.0
}
