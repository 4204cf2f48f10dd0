//! Nodes whose folders a test has in its hands: every fsync counted, and disks that fill up.

// Live nodes live in real time.

use std::path::PathBuf;
use std::time::{Duration, Instant};
use volvox_core::Bytes;
use volvox_disk::{Faults, RealDirectory, Recording, RecordingDirectory, SequenceCounter, SimulatedDirectory};
use volvox_live::live_node::{LiveNode, Plan, block_on, introduce};
use volvox_live::wait::eventually;
use volvox_net::FreshLife;
use volvox_replica::{Error, Reply, Request};
use volvox_store::{Command, PutRequest};

fn put(key: &str, value: &str) -> Request {
    Request::Write(Command::Put(PutRequest { key: key.into(), value: value.into(), ..PutRequest::default() }))
}

/// Waits until every node serves linearizable reads.
async fn until_ready(nodes: &[LiveNode]) {
    for node in nodes {
        eventually("every node serves reads", async || node.request(Request::Read).await.is_ok()).await;
    }
}

async fn stop(nodes: Vec<LiveNode>) {
    for node in nodes {
        node.stop().await.expect("its disk is well");
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        Folder(std::env::temp_dir().join(format!("volvox-live-{name}-{}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The syncs are counted twice: by the log, and by the folder beneath it, which knows nothing of batches.
#[test]
fn no_put_is_acknowledged_without_a_sync_on_a_majority() {
    let folder = Folder::new("syncs");
    block_on(async {
        let (plan, sequence) = (Plan::small(), SequenceCounter::default());
        let (mut nodes, mut recordings) = (Vec::new(), Vec::new());
        for id in 1..=3 {
            let real = RealDirectory::open(folder.0.join(format!("n{id}"))).expect("our own folder");
            let recorded = RecordingDirectory::new(real, sequence.clone()).expect("readable");
            recordings.push(recorded.recording());
            nodes.push(LiveNode::open(&plan, id, recorded, FreshLife::Bootstrap).expect("opens"));
        }
        introduce(&nodes);
        until_ready(&nodes).await;
        let syncs = || recordings.iter().map(Recording::file_syncs).collect::<Vec<_>>();
        let puts = 300;
        for number in 0..puts {
            let before = syncs();
            let node = &nodes[number % 3];
            let key = format!("key-{number}");
            assert!(matches!(node.request(put(&key, "value")).await, Ok(Reply::Written(_))), "put {number}");
            let synced = before.iter().zip(syncs()).filter(|(before, after)| after > *before).count();
            assert!(synced >= 2, "put {number} was acknowledged after {synced} of 3 nodes had synced");
        }
        // One fdatasync a batch, no more and no fewer; and as nothing else was in progress, no two puts shared one on
        // the majority that acknowledged them.
        let mut batches = 0;
        for (node, recording) in nodes.iter().zip(&recordings) {
            let same = async || {
                let (counters, log) = (node.handle.counters(), node.handle.counters().log);
                // One more than the log's own: the count of the node's starts.
                counters.batches == log.batches && log.batch_syncs + log.other_syncs + 1 >= recording.file_syncs()
            };
            eventually("log, node and folder have counted the same", same).await;
            let log = node.handle.counters().log;
            assert_eq!(log.batch_syncs, log.batches, "node {}", node.id());
            assert!(recording.file_syncs() >= log.batch_syncs, "node {} syncs less than it counts", node.id());
            assert!(log.records >= puts as u64, "node {}: {log:?}", node.id());
            batches += log.batches;
        }
        assert!(batches >= 2 * puts as u64, "{batches} batches on all nodes for {puts} puts");
        stop(nodes).await;
    });
}

#[test]
fn many_clients_share_one_sync() {
    let folder = Folder::new("group");
    block_on(async {
        let mut nodes = Vec::new();
        for id in 1..=3 {
            let real = RealDirectory::open(folder.0.join(format!("n{id}"))).expect("our own folder");
            nodes.push(LiveNode::open(&Plan::small(), id, real, FreshLife::Bootstrap).expect("opens"));
        }
        introduce(&nodes);
        until_ready(&nodes).await;
        let before: Vec<u64> = nodes.iter().map(|node| node.handle.counters().log.batch_syncs).collect();
        let (clients, rounds) = (32, 20);
        let nodes = std::rc::Rc::new(nodes);
        let writers: Vec<_> = (0..clients)
            .map(|client| {
                let nodes = std::rc::Rc::clone(&nodes);
                tokio::task::spawn_local(async move {
                    for round in 0..rounds {
                        let key = format!("key-{client}-{round}");
                        nodes[client % 3].request(put(&key, "value")).await.expect("a quiet cluster");
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.expect("no panic");
        }
        let puts = (clients * rounds) as u64;
        for (node, before) in nodes.iter().zip(before) {
            let syncs = node.handle.counters().log.batch_syncs - before;
            assert!(syncs > 0 && syncs < puts / 2, "node {}: {syncs} syncs for {puts} puts", node.id());
        }
        stop(std::rc::Rc::into_inner(nodes).expect("the writers have ended")).await;
    });
}

#[test]
fn a_full_disk_refuses_writes_serves_reads_and_goes_on_when_there_is_space() {
    block_on(async {
        let disks: Vec<SimulatedDirectory> = (1..=3).map(SimulatedDirectory::new).collect();
        let mut nodes = Vec::new();
        for (id, disk) in (1..).zip(&disks) {
            nodes.push(LiveNode::open(&Plan::small(), id, disk.clone(), FreshLife::Bootstrap).expect("opens"));
        }
        introduce(&nodes);
        until_ready(&nodes).await;
        nodes[0].request(put("before", "1")).await.expect("there is space");

        // One full disk troubles only its own node.
        let full = Faults { full: true, ..Faults::default() };
        disks[2].set_faults(full.clone());
        for (number, node) in nodes[..2].iter().enumerate() {
            node.request(put(&format!("with-one-full-{number}"), "1")).await.expect("a majority has space");
        }
        eventually("the full disk is noticed", async || nodes[2].handle.counters().disk_full > 0).await;

        // A majority of full disks acknowledges nothing, in bounded time, and still serves reads.
        disks[1].set_faults(full.clone());
        let refused = nodes[0].request(put("with-two-full", "1"));
        let meanwhile = async {
            let mut interval = tokio::time::interval(Duration::from_millis(10));
            let (began, mut reads) = (Instant::now(), 0);
            while began.elapsed() < Duration::from_secs(2) {
                interval.tick().await;
                nodes[0].request(Request::Read).await.expect("a read needs no disk");
                assert!(nodes[0].view().store.get(b"before").is_some());
                reads += 1;
            }
            reads
        };
        let began = Instant::now();
        let (refused, reads) = tokio::join!(refused, meanwhile);
        assert!(matches!(refused, Err(Error::Timeout | Error::TimeoutLeaderFailure)), "{refused:?}");
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        assert!(reads > 50, "{reads} reads in 2 s");

        // With space they resume, and nothing acknowledged is missing anywhere.
        for disk in &disks {
            disk.set_faults(Faults::default());
        }
        eventually("writes resume", async || nodes[1].request(put("after", "1")).await.is_ok()).await;
        until_ready(&nodes).await;
        for node in &nodes {
            let view = node.view();
            for key in ["before", "with-one-full-0", "with-one-full-1", "after"] {
                assert!(view.store.get(key.as_bytes()).is_some(), "{key} is missing on node {}", node.id());
            }
        }
        stop(nodes).await;
    });
}

/// This follows from the log alone, but is asserted for a whole node: it does not return as the incarnation that it
/// was.
#[test]
fn a_disk_that_grows_beyond_its_capacity_keeps_what_it_acknowledged() {
    block_on(async {
        let disk = SimulatedDirectory::new(9);
        let plan = Plan { nodes: 1, ..Plan::small() };
        let node = LiveNode::open(&plan, 1, disk.clone(), FreshLife::Bootstrap).expect("opens");
        let nodes = [node];
        until_ready(&nodes).await;
        disk.set_faults(Faults { capacity_bytes: Some(disk.used_bytes() + (200 << 10)), ..Faults::default() });
        let [node] = nodes;
        let value = "v".repeat(10_000);
        let mut acknowledged = 0;
        loop {
            let request = node.request(put(&format!("key-{acknowledged:04}"), &value));
            match tokio::time::timeout(Duration::from_secs(1), request).await {
                Ok(Ok(_)) => acknowledged += 1,
                Ok(Err(_)) | Err(_) => break,
            }
            assert!(acknowledged < 1000, "the disk never filled up");
        }
        assert!(acknowledged > 0 && node.handle.counters().disk_full > 0, "{:?}", node.handle.counters());
        node.stop().await.expect("a full disk is no reason to stop");
        disk.crash_to_synced();
        disk.set_faults(Faults::default());
        let nodes = [LiveNode::open(&plan, 1, disk, FreshLife::Join).expect("opens again")];
        until_ready(&nodes).await;
        for number in 0..acknowledged {
            let found = nodes[0].view().store.get(format!("key-{number:04}").as_bytes());
            assert_eq!(found.map(|pair| pair.value), Some(Bytes::from(value.as_str())), "key {number}");
        }
        let [node] = nodes;
        node.stop().await.expect("its disk is well");
    });
}
