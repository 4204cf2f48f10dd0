//! A snapshot becomes another cluster.

use crate::volvox::{Folder, free_ports};
use std::fs;
use volvox_etcd::proto::etcdserverpb::kv_client::KvClient;
use volvox_etcd::proto::etcdserverpb::maintenance_client::MaintenanceClient;
use volvox_etcd::proto::etcdserverpb::{HashKvRequest, RangeRequest};

/// The hash of the history up to a revision, as each of three nodes has it.
fn hashes(base: u16, revision: i64) -> Vec<u32> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let ask = async |port: u16| {
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://127.0.0.1:{port}")).expect("an address");
        let channel = endpoint.connect().await.expect("the node listens");
        // A linearizable read first: then the node has applied everything.
        let read = RangeRequest { key: b"x".as_slice().into(), ..RangeRequest::default() };
        KvClient::new(channel.clone()).range(read).await.expect("a read");
        let hash = MaintenanceClient::new(channel).hash_kv(HashKvRequest { revision }).await.expect("a hash");
        hash.into_inner().hash
    };
    runtime.block_on(async { vec![ask(base).await, ask(base + 10).await, ask(base + 20).await] })
}

#[test]
fn a_restored_cluster_has_every_key_revision_and_lease() {
    let mut folder = Folder::new("restore");
    let base = folder.up("a");
    for (key, value) in [("k", "1"), ("k", "2"), ("gone", "1")] {
        folder.volvox("a", &["put", key, value]);
    }
    let lease = folder.json("a", &["lease", "grant", "600"])["ID"].as_i64().expect("an id");
    folder.volvox("a", &["put", "leased", "1", "--lease", &format!("{lease:x}")]);
    folder.volvox("a", &["del", "gone"]);
    let before = folder.json("a", &["get", "", "--prefix"]);
    let revision = before["header"]["revision"].as_i64().expect("a revision");
    folder.volvox("a", &["snapshot", "save", "file"]);
    let hashed = hashes(base, revision);

    let base = free_ports();
    let restored = folder.json("b", &["restore", "file", "--port-base", &base.to_string()]);
    assert_eq!(restored["revision"], revision);
    folder.owns("b");
    folder.volvox("b", &["up", "--detach"]);
    let after = folder.json("b", &["get", "", "--prefix"]);
    assert_eq!(after["kvs"], before["kvs"]);
    assert_eq!(after["header"]["revision"], revision);
    assert_ne!(after["header"]["cluster_id"], before["header"]["cluster_id"]);
    assert_eq!(hashes(base, revision), hashed, "the history is the same on every node of both clusters");
    assert_eq!(folder.json("b", &["get", "k", "--rev", "2"])["kvs"][0]["value"], "MQ==");
    let remaining = folder.json("b", &["lease", "ttl", &format!("{lease:x}")]);
    assert!(remaining["grantedTTL"] == 600 || remaining["granted-ttl"] == 600, "{remaining}");
    folder.volvox("b", &["put", "k", "3"]);

    // It is a cluster like any other: it stops, resumes, and loses nothing.
    folder.volvox("b", &["down"]);
    folder.volvox("b", &["up", "--detach"]);
    assert_eq!(folder.volvox("b", &["get", "k"]), "k\n3\n");
    let text = folder.refused("b", &["restore", "file"]);
    assert!(text.contains("already holds a cluster"), "{text}");
}

#[test]
fn a_database_of_etcd_becomes_a_cluster_with_the_same_history() {
    let mut folder = Folder::new("database");
    let base = folder.up("a");
    for (key, value) in [("k", "1"), ("k", "2"), ("gone", "1"), ("k", "3")] {
        folder.volvox("a", &["put", key, value]);
    }
    folder.volvox("a", &["del", "gone"]);
    folder.volvox("a", &["compact", "3"]);
    folder.volvox("a", &["snapshot", "save", "file"]);
    folder.volvox("a", &["snapshot", "export", "file", "database"]);
    let before = folder.json("a", &["get", "", "--prefix"]);
    let revision = before["header"]["revision"].as_i64().expect("a revision");
    let status = folder.json("a", &["snapshot", "status", "database"]);
    assert_eq!((&status["revision"], &status["totalKey"]), (&revision.into(), &1.into()));
    let hashed = hashes(base, revision);

    let base = free_ports();
    let restored = folder.json("b", &["snapshot", "restore", "database", "--port-base", &base.to_string()]);
    assert_eq!(restored["revision"], revision);
    folder.owns("b");
    folder.volvox("b", &["up", "--detach"]);
    assert_eq!(folder.json("b", &["get", "", "--prefix"])["kvs"], before["kvs"]);
    assert_eq!(hashes(base, revision), hashed, "the history is the same on every node of both clusters");
    assert_eq!(folder.json("b", &["get", "k", "--rev", "4"])["kvs"][0]["value"], "Mg==");
    assert!(folder.refused("b", &["get", "k", "--rev", "2"]).contains("compacted"));
    folder.volvox("b", &["put", "k", "4"]);
}

#[test]
fn what_is_no_whole_snapshot_is_refused_and_leaves_nothing() {
    let mut folder = Folder::new("refuse");
    folder.up("a");
    folder.volvox("a", &["put", "k", "value"]);
    folder.volvox("a", &["snapshot", "save", "file"]);
    let file = fs::read(folder.path("file")).expect("the snapshot");
    let refused = |bytes: &[u8]| {
        fs::write(folder.path("bad"), bytes).expect("the folder can be written");
        let text = folder.refused("b", &["snapshot", "restore", "bad"]);
        assert!(!folder.path("b").join("cluster.toml").exists() && !folder.path("b").join("n1").exists());
        text
    };
    let mut damaged = file.clone();
    damaged[300] ^= 1;
    assert!(refused(&damaged).contains("the database is damaged, its hash is wrong"));
    assert!(refused(&file[..file.len() - 1]).contains("it was cut"));
    assert!(refused(b"something else").contains("not a snapshot of volvox"));
    let mut bbolt = vec![0; 8192];
    bbolt[16..20].copy_from_slice(&0xed0c_daed_u32.to_le_bytes());
    assert!(refused(&bbolt).contains("the database has no hash at its end"));
    bbolt.extend_from_slice(&[0; 32]);
    assert!(refused(&bbolt).contains("its hash is wrong"));
    folder.volvox("a", &["snapshot", "export", "file", "database"]);
    let database = fs::read(folder.path("database")).expect("the database");
    assert!(folder.refused("a", &["snapshot", "export", "file", "database"]).contains("already exists"));
    let bare = &database[..database.len() - 32];
    assert!(refused(bare).contains("--skip-hash-check"));
    fs::write(folder.path("cut"), &bare[..bare.len() - 4096]).expect("the folder can be written");
    let text = folder.refused("b", &["restore", "cut", "--skip-hash-check"]);
    assert!(text.contains("the database is cut"), "{text}");
    let text = folder.refused("b", &["restore", "nothing"]);
    assert!(text.contains("cannot open the snapshot nothing"), "{text}");
}
