//! Mistakes on the command line: each is refused with the attempt, the actual state and the remedy.

// The built program lives in real time.

use std::net::TcpListener;
use std::process::Output;
use volvox_live::program::{cluster, free_ports, program, volvox};

/// It failed, and said all of this on standard error.
fn refused(output: &Output, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "this should have failed; it said {said:?}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

fn folder(name: &str) -> String {
    let folder = std::env::temp_dir().join(format!("volvox-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder.to_str().expect("a temporary folder has a plain name").to_owned()
}

#[test]
fn other_nodes_or_ports_on_existing_data_are_refused_with_both_values() {
    let cluster = cluster("values", 1, &[]);
    let base = cluster.client_port(1);
    let other = (base + 1).to_string();
    for running in [true, false] {
        refused(&cluster.output(&["up", "--nodes", "5"]).expect("runs"), &["1 nodes", "5"]);
        let output = cluster.output(&["up", "--port-base", &other]).expect("runs");
        refused(&output, &[&base.to_string(), &other]);
        if running {
            cluster.volvox(&["down"]).expect("it runs");
        }
    }
}

#[test]
fn a_taken_port_is_named_before_anything_starts() {
    let (base, data) = (free_ports(), folder("taken"));
    let taken = base + 11;
    let _listener = TcpListener::bind(("127.0.0.1", taken)).expect("it was free");
    let up = ["--data", &data, "up", "--port-base", &base.to_string(), "--detach"];
    refused(&volvox(&up), &["node 2", &taken.to_string(), "--port-base"]);
    let down = volvox(&["--data", &data, "down"]);
    assert!(down.status.success() && String::from_utf8_lossy(&down.stdout).contains("stopped 0"), "{down:?}");
    std::fs::remove_dir_all(&data).expect("ours");
}

#[test]
fn a_node_alone_says_which_port_or_folder_is_taken() {
    let cluster = cluster("in-use", 1, &[]);
    let peer = format!("1=127.0.0.1:{}", cluster.client_port(1) + 1);
    let running = cluster.data().join("n1");
    let node = |folder: &std::path::Path, client: &str| {
        std::process::Command::new(program())
            .args(["node", "--id", "1", "--cluster", "7", "--initial-cluster", &peer, "--listen-client", client])
            .args(["--listen-peer", "127.0.0.1:0", "--listen-admin", "127.0.0.1:0", "--folder"])
            .arg(folder)
            .output()
            .expect("the program runs")
    };
    let client = format!("127.0.0.1:{}", cluster.client_port(1));
    let elsewhere = cluster.data().join("elsewhere");
    refused(&node(&elsewhere, &client), &["cannot listen for clients on", &client]);
    refused(&node(&running, "127.0.0.1:0"), &[running.to_str().expect("plain"), "in use"]);
    let answer = cluster.volvox(&["put", "k", "v"]).expect("the running node continues");
    assert_eq!(answer.trim(), "OK");
}

#[test]
fn commands_without_a_cluster_say_so() {
    let data = folder("nothing");
    let down = volvox(&["--data", &data, "down"]);
    assert!(down.status.success(), "{down:?}");
    assert!(String::from_utf8_lossy(&down.stdout).contains("there is no cluster in"), "{down:?}");
    for command in
        [&["kill", "1"][..], &["start", "1"], &["pause", "2"], &["resume", "2"], &["heal"], &["fault", "list"]]
    {
        let output = volvox(&[&["--data", &data][..], command].concat());
        refused(&output, &["there is no cluster in", "volvox up"]);
    }
    assert!(!std::path::Path::new(&data).exists(), "asking made no folder");
    let unused = format!("127.0.0.1:{}", free_ports());
    refused(&volvox(&["--endpoints", &unused, "--command-timeout", "1", "get", "k"]), &[&unused]);
}

#[test]
fn wrong_flags_are_explained() {
    refused(&volvox(&["node"]), &["--id"]);
    refused(&volvox(&["node", "--id", "1"]), &["--folder"]);
    let complete = ["node", "--id", "1", "--folder", "/nonexistent/x", "--cluster", "7"];
    refused(&volvox(&complete), &["--initial-cluster"]);
    let with = |flags: &[&str]| volvox(&[&complete[..], &["--initial-cluster", "1=127.0.0.1:2"], flags].concat());
    refused(&with(&["--election-timeout", "60"]), &["--election-timeout[60ms]", "--heartbeat-interval"]);
    refused(&with(&["--listen-admin", "0.0.0.0:1"]), &["loopback"]);
    refused(&with(&["--fault", "pause 2"]), &["--development"]);
    refused(&with(&["--fault", "sing 2", "--development"]), &["sing 2"]);
    refused(&with(&["--peer-ca", "x"]), &["--peer-cert", "--peer-key"]);
    refused(&volvox(&["node", "--config", "/nonexistent.toml"]), &["/nonexistent.toml"]);
    refused(&volvox(&["frobnicate"]), &["frobnicate", "help"]);
    refused(&volvox(&["up", "--nodes", "7"]), &["7", "1 to 6"]);
    refused(&volvox(&["up", "--nodes", "many"]), &["many"]);
    refused(&volvox(&["put"]), &["KEY"]);
}

#[test]
fn faults_that_cannot_be_are_refused() {
    let cluster = cluster("faults", 1, &[]);
    refused(&cluster.output(&["fault", "sing 2"]).expect("runs"), &["sing 2"]);
    refused(&cluster.output(&["fault", "partition 1|9"]).expect("runs"), &["no node 9"]);
    refused(&cluster.output(&["fault", "disk 1 tear"]).expect("runs"), &["simulator"]);
    refused(&cluster.output(&["kill", "4"]).expect("runs"), &["no node 4", "there are 1"]);
    refused(&cluster.output(&["start", "1"]).expect("runs"), &["is already running"]);
    assert_eq!(cluster.volvox(&["fault", "list"]).expect("runs").trim(), "");
    cluster.volvox(&["kill", "1"]).expect("it runs");
    refused(&cluster.output(&["kill", "1"]).expect("runs"), &["is not running", "volvox start 1"]);
}
