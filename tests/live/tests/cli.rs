//! The contract of the command line, over the built program: book/src/command-line.md.

// The built program lives in real time.

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use volvox_live::cluster::LiveCluster;
use volvox_live::live_node::block_on;
use volvox_live::program::{cluster, free_ports, program};
use volvox_live::wait::{PATIENCE, until};

fn said(cluster: &LiveCluster, arguments: &[&str]) -> String {
    cluster.volvox(arguments).expect("it works").trim_end().to_owned()
}

/// With `--json`: exactly one document.
fn document(cluster: &LiveCluster, arguments: &[&str]) -> Value {
    let text = said(cluster, &[&["--json"][..], arguments].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?} said {text:?}: {error}"))
}

fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !matches!(rest.split_whitespace().next(), None | Some("Z" | "X")))
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
}

fn processes(cluster: &LiveCluster) -> Vec<u32> {
    cluster.nodes().map(|id| cluster.process(id).expect("it has a process")).collect()
}

#[test]
fn a_cluster_stops_and_resumes_with_its_data() {
    let cluster = cluster("resume", 3, &[]);
    assert_eq!(said(&cluster, &["put", "greeting", "hello"]), "OK");
    let before = processes(&cluster);
    assert!(said(&cluster, &["down"]).contains("stopped 3 of 3 nodes"));
    assert!(before.iter().all(|pid| !is_running(*pid)), "all have ended when down returns");
    assert!(said(&cluster, &["down"]).contains("stopped 0 of 3 nodes"), "again: nothing to do is not an error");
    let up = said(&cluster, &["up", "--detach"]);
    assert!(up.ends_with("ready") && up.contains("try: "), "{up}");
    assert_eq!(said(&cluster, &["get", "greeting"]), "greeting\nhello");
    assert_eq!(said(&cluster, &["put", "greeting", "again"]), "OK", "ready means that a put succeeds");
    let running = processes(&cluster);
    let again = document(&cluster, &["up", "--detach"]);
    assert_eq!(again["ready"], true);
    assert_eq!(processes(&cluster), running, "up on a running cluster starts nothing twice");
}

#[test]
fn nodes_are_killed_started_paused_and_resumed() {
    let cluster = cluster("signals", 3, &[]);
    let leader = block_on(cluster.leader()).expect("a node leads").to_string();
    let id: u64 = leader.parse().expect("a number");
    let pid = cluster.process(id).expect("it runs");
    said(&cluster, &["kill", &leader]);
    assert!(!is_running(pid), "gone when kill returns");
    said(&cluster, &["put", "while-dead", "1"]);
    assert!(!said(&cluster, &["up", "--detach", "--json"]).is_empty());
    said(&cluster, &["kill", "2"]);
    said(&cluster, &["start", "2"]);
    until("all are there", || block_on(cluster.wait_whole(Duration::from_millis(100))).is_ok());

    said(&cluster, &["pause", "3"]);
    let paused = cluster.process(3).expect("it has a process");
    let state = || std::fs::read_to_string(format!("/proc/{paused}/stat")).expect("still there");
    until("it stands still", || state().rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T')));
    assert_eq!(said(&cluster, &["put", "while-paused", "1"]), "OK");
    said(&cluster, &["resume", "3"]);
    block_on(cluster.wait_whole(PATIENCE)).expect("it catches up");
    let serializable = cluster.client_port(3).to_string();
    let output = Command::new(program())
        .args(["--endpoints", &format!("127.0.0.1:{serializable}"), "get", "while-paused"])
        .output()
        .expect("runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "while-paused\n1");
    said(&cluster, &["pause", "1"]);
    assert!(said(&cluster, &["down"]).contains("stopped 3 of 3"), "a paused node is stopped too");
}

#[test]
fn faults_act_are_listed_and_survive_restarts() {
    let cluster = cluster("weather", 3, &[]);
    assert_eq!(document(&cluster, &["fault", "list"]), Value::Array(Vec::new()));
    said(&cluster, &["slow", "1", "2", "--delay", "50ms"]);
    said(&cluster, &["partition", "1,2", "3"]);
    let faults = ["slow 1->2 delay 50ms", "slow 2->1 delay 50ms", "partition 1,2|3"];
    assert_eq!(document(&cluster, &["fault", "list"]), serde_json::json!(faults));
    assert_eq!(said(&cluster, &["fault", "list"]).lines().collect::<Vec<_>>(), faults);
    // Node 3 reaches no other node: it has no leader soon, and still none after a restart.
    let alone = || block_on(cluster.status(3)).is_some_and(|status| status["leader"].is_null());
    until("node 3 is alone", alone);
    said(&cluster, &["kill", "3"]);
    said(&cluster, &["start", "3"]);
    until("node 3 has its faults again", || {
        block_on(cluster.status(3)).is_some_and(|status| status["faults"] == serde_json::json!(faults))
    });
    assert_eq!(said(&cluster, &["put", "majority", "1"]), "OK");
    assert!(alone(), "a restart does not heal");
    said(&cluster, &["down"]);
    said(&cluster, &["up", "--detach"]);
    assert_eq!(document(&cluster, &["fault", "list"]), serde_json::json!(faults), "nor does stopping everything");
    said(&cluster, &["heal"]);
    assert_eq!(said(&cluster, &["fault", "list"]), "");
    block_on(cluster.wait_whole(PATIENCE)).expect("healed");
}

#[test]
fn keys_are_written_read_deleted_and_tried() {
    let cluster = cluster("keys", 1, &[]);
    for (key, value) in [("a/1", "one"), ("a/2", "two"), ("b", "three")] {
        assert_eq!(said(&cluster, &["put", key, value]), "OK");
    }
    assert_eq!(said(&cluster, &["get", "a/", "--prefix"]), "a/1\none\na/2\ntwo");
    assert_eq!(said(&cluster, &["del", "a/", "--prefix"]), "2");
    assert_eq!(said(&cluster, &["get", "a/", "--prefix"]), "");
    assert_eq!(said(&cluster, &["get", "a/1", "--rev", "2"]), "a/1\none");
    let file = cluster.data().join("txn");
    std::fs::write(&file, "value(\"b\") = \"three\"\n\nput b \"four\"\nget b\n\nput b \"five\"\n\n").expect("written");
    let file = file.to_str().expect("plain");
    let lines = said(&cluster, &["txn", file]);
    assert!(lines.starts_with("SUCCESS") && lines.contains("four"), "{lines}");
    assert!(said(&cluster, &["txn", file]).starts_with("FAILURE"));
    assert_eq!(said(&cluster, &["get", "b"]), "b\nfive");
    assert!(said(&cluster, &["compact", "4"]).contains("compacted revision 4"));
    let output = cluster.output(&["get", "b", "--rev", "2"]).expect("runs");
    assert!(String::from_utf8_lossy(&output.stderr).contains("required revision has been compacted"), "{output:?}");
}

/// A process of the test's own, killed at its end whatever happens.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(mut command: Command) -> (Running, impl Iterator<Item = String>) {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        (Running(child), output.lines().map(|line| line.expect("text")))
    }

    fn wait(mut self) -> std::process::ExitStatus {
        let mut status = None;
        until("the command ends", || {
            status = self.0.try_wait().expect("ours");
            status.is_some()
        });
        status.expect("it has ended")
    }
}

#[test]
fn a_watch_prints_changes_old_and_new_until_interrupted() {
    let cluster = cluster("watch", 1, &[]);
    said(&cluster, &["put", "w/1", "old"]);
    let (watch, mut lines) = Running::start(cluster.command(&["watch", "w/", "--prefix", "--rev", "2"]));
    let mut expect = |wanted: &[&str]| {
        for line in wanted {
            assert_eq!(lines.next().expect("another line"), *line);
        }
    };
    expect(&["PUT", "w/1", "old"]);
    said(&cluster, &["put", "w/2", "new"]);
    expect(&["PUT", "w/2", "new"]);
    said(&cluster, &["del", "w/1"]);
    expect(&["DELETE", "w/1"]);
    interrupt(&watch.0);
    assert_eq!(watch.wait().code(), Some(130), "as shells count an interrupt");
}

#[test]
fn leases_and_locks_are_held_and_given_back() {
    let cluster = cluster("leases", 1, &[]);
    let granted = said(&cluster, &["lease", "grant", "60"]);
    let id = granted.split_whitespace().nth(1).expect("lease ID granted").to_owned();
    said(&cluster, &["put", "leased", "1", "--lease", &id]);
    assert!(said(&cluster, &["lease", "list"]).contains(&id));
    let ttl = said(&cluster, &["lease", "ttl", &id]);
    assert!(ttl.contains("60s") && ttl.contains("remaining"), "{ttl}");
    said(&cluster, &["lease", "revoke", &id]);
    assert_eq!(said(&cluster, &["get", "leased"]), "");

    // One holds the lock until it is interrupted; the other waits, then runs its command.
    let (first, mut lines) = Running::start(cluster.command(&["lock", "door"]));
    assert!(lines.next().expect("its key").starts_with("door/"));
    let (second, mut output) = Running::start(cluster.command(&["lock", "door", "--", "echo", "held"]));
    until("both are in the queue", || said(&cluster, &["get", "door/", "--prefix", "--count-only"]).contains('2'));
    interrupt(&first.0);
    first.wait();
    assert_eq!(output.next().as_deref(), Some("held"));
    assert!(second.wait().success());
    assert_eq!(cluster.output(&["lock", "door", "--", "false"]).expect("runs").status.code(), Some(1), "passed on");
    assert_eq!(said(&cluster, &["get", "door/", "--prefix", "--keys-only"]), "", "no client is left in line");
}

#[test]
fn json_is_one_document_everywhere() {
    let cluster = cluster("json", 3, &[]);
    let status = document(&cluster, &["status"]);
    let members = status["members"].as_array().expect("a list");
    assert_eq!(members.len(), 3, "{status}");
    assert_eq!(members.iter().filter(|member| member["role"] == "leader").count(), 1, "{status}");
    assert!(members.iter().all(|member| member["healthy"] == true), "{status}");
    assert_eq!(document(&cluster, &["members"])["members"].as_array().map(Vec::len), Some(3));
    assert!(document(&cluster, &["put", "k", "v"])["header"]["revision"].as_i64() >= Some(2));
    let got = document(&cluster, &["get", "k"]);
    assert_eq!((&got["count"], &got["kvs"][0]["value"]), (&1.into(), &"dg==".into()), "{got}");
    assert_eq!(document(&cluster, &["del", "k"])["deleted"], 1);
    let lease = document(&cluster, &["lease", "grant", "60"]);
    assert_eq!(lease["TTL"], 60);
    document(&cluster, &["lease", "list"]);
    let snapshot = cluster.data().join("snapshot");
    document(&cluster, &["snapshot", "save", snapshot.to_str().expect("plain")]);
    for command in [&["pause", "3"][..], &["resume", "3"], &["kill", "3"], &["start", "3"], &["partition", "1,2", "3"]]
    {
        document(&cluster, command);
    }
    assert_eq!(document(&cluster, &["fault", "list"]), serde_json::json!(["partition 1,2|3"]));
    document(&cluster, &["heal"]);
    document(&cluster, &["compact", "2"]);
    document(&cluster, &["down"]);
}

#[test]
fn people_see_members_by_name() {
    let cluster = cluster("people", 3, &[]);
    until("every member has said its name", || {
        let members = said(&cluster, &["members"]);
        (1..=3).all(|id| members.contains(&format!("n{id}"))) && !members.contains("unstarted")
    });
    let status = said(&cluster, &["status"]);
    for column in ["ENDPOINT", "ROLE", "TERM", "REVISION", "HEALTH"] {
        assert!(status.contains(column), "{status}");
    }
    assert_eq!(status.lines().filter(|line| line.contains("leader")).count(), 1, "{status}");
}

#[test]
fn no_signal_goes_to_a_stranger() {
    let cluster = cluster("stranger", 1, &[]);
    said(&cluster, &["kill", "1"]);
    // The pid of the dead node now belongs to another process, which started at another time.
    let stranger = Running(Command::new("sleep").arg("600").spawn().expect("sleep runs"));
    let file = cluster.data().join("n1").join("process");
    let old = std::fs::read_to_string(&file).expect("there is one");
    let started = old.split_whitespace().nth(1).expect("a start time").to_owned();
    std::fs::write(&file, format!("{} {started}\n", stranger.0.id())).expect("written");
    for command in ["kill", "pause", "resume"] {
        let output = cluster.output(&[command, "1"]).expect("runs");
        assert!(String::from_utf8_lossy(&output.stderr).contains("is not running"), "{output:?}");
    }
    assert!(said(&cluster, &["down"]).contains("stopped 0 of 1"));
    let state = std::fs::read_to_string(format!("/proc/{}/stat", stranger.0.id())).expect("still there");
    assert!(state.contains(") S"), "it sleeps on: {state}");
}

#[test]
fn an_interrupt_of_up_stops_every_node_whoever_started_it() {
    let data = std::env::temp_dir().join(format!("volvox-foreground-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&data);
    let base = free_ports().to_string();
    let mut up = Command::new(program());
    up.arg("--data").arg(&data).args(["up", "--nodes", "3", "--port-base", &base]);
    let (up, lines) = Running::start(up);
    let mut lines = lines.inspect(|line| println!("{line}"));
    assert!(lines.any(|line| line == "ready"));
    let process = |id: u64| -> Option<u32> {
        let text = std::fs::read_to_string(data.join(format!("n{id}/process"))).ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    let volvox = |arguments: &[&str]| Command::new(program()).arg("--data").arg(&data).args(arguments).output();
    // Node 2 is not up's child any more, and is stopped all the same.
    assert!(volvox(&["kill", "2"]).expect("runs").status.success());
    assert!(volvox(&["start", "2"]).expect("runs").status.success());
    let running: Vec<u32> = (1..=3).map(|id| process(id).expect("it runs")).collect();
    assert!(running.iter().all(|pid| is_running(*pid)));
    interrupt(&up.0);
    assert!(lines.any(|line| line == "stopping"));
    assert!(up.wait().success());
    assert!(running.iter().all(|pid| !is_running(*pid)), "{running:?}");
    std::fs::remove_dir_all(&data).expect("ours");
}

#[test]
fn values_come_from_standard_input_and_variables_name_the_cluster() {
    let cluster = cluster("input", 1, &[]);
    let mut command = Command::new(program());
    command.env("VOLVOX_ENDPOINTS", format!("127.0.0.1:{}", cluster.client_port(1))).args(["put", "k"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("starts");
    child.stdin.take().expect("piped").write_all(b"from a pipe").expect("taken");
    assert!(child.wait().expect("ends").success());
    assert_eq!(said(&cluster, &["get", "k"]), "k\nfrom a pipe");
}
