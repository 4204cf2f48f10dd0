//! Faults on a running cluster: kept, healed, refused.

use crate::volvox::{Folder, pid, wait_until};
use serde_json::json;

#[test]
fn faults_are_kept_told_and_healed() {
    let mut folder = Folder::new("faults");
    folder.up("a");
    folder.volvox("a", &["skew", "2", "+200ms"]);
    folder.volvox("a", &["skew", "2", "-500ms"]);
    folder.volvox("a", &["fault", "disk 1 slow 1ms"]);
    folder.volvox("a", &["fault", "slow", "1->2", "delay", "1ms"]);
    let kept = json!(["skew 2 -300ms", "disk 1 slow 1ms", "slow 1->2 delay 1ms"]);
    assert_eq!(folder.json("a", &["fault", "list"]), kept);
    folder.volvox("a", &["put", "k", "1"]);
    folder.volvox("a", &["kill", "2"]);
    folder.volvox("a", &["start", "2"]);
    assert_eq!(folder.json("a", &["fault", "list"]), kept, "faults survive a restart");
    folder.volvox("a", &["heal"]);
    assert_eq!(folder.json("a", &["fault", "list"]), json!([]));
    for text in ["drift 1 5ppm", "disk 1 tear", "slow 1->2 reorder 1%"] {
        let said = folder.refused("a", &["fault", text]);
        assert!(said.contains("works in the simulator only"), "{said}");
    }
    let said = folder.refused("a", &["fault", "disk 4 full"]);
    assert!(said.contains("there is no node 4"), "{said}");
}

#[test]
fn a_failed_sync_stops_a_node_once() {
    let mut folder = Folder::new("failsync");
    folder.up("a");
    folder.volvox("a", &["fault", "disk 3 failsync"]);
    let process = pid(&folder.path("a"), 3).expect("node 3 runs");
    let is_running =
        || std::fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    wait_until("node 3 stops itself", || {
        folder.volvox("a", &["put", "k", "1"]);
        !is_running()
    });
    folder.volvox("a", &["start", "3"]);
    folder.volvox("a", &["put", "k", "2"]);
    wait_until("node 3 is well", || folder.json("a", &["status"])["healthy"] == 3);
    assert_eq!(folder.json("a", &["fault", "list"]), json!([]));
}
