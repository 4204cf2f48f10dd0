//! A leader that is asked to stop hands over first.

use crate::volvox::{Folder, pid, wait_until};

/// The client port of the leader's place among the endpoints, and the term.
fn leader(folder: &Folder) -> Option<(u64, u64)> {
    let status = folder.try_volvox("a", &["--json", "status"]);
    let document: serde_json::Value = serde_json::from_slice(&status.stdout).ok()?;
    let members = document["members"].as_array()?;
    let leader = members.iter().find(|member| member["role"] == "leader")?;
    Some((leader["ID"].as_u64()?, leader["raftTerm"].as_u64()?))
}

#[test]
fn a_leader_that_is_told_to_stop_hands_over() {
    let mut folder = Folder::new("shutdown");
    folder.up("a");
    let mut first = None;
    wait_until("a node leads", || {
        first = leader(&folder);
        first.is_some()
    });
    let (old, term) = first.expect("just found");
    let process = pid(&folder.path("a"), old).expect("the leader runs");
    let killed = std::process::Command::new("kill").args(["-TERM", &process]).status().expect("kill runs");
    assert!(killed.success());
    wait_until("another node leads", || leader(&folder).is_some_and(|(now, _)| now != old));
    let (_, later) = leader(&folder).expect("just found");
    assert_eq!(later, term + 1, "one handover, no election that failed");
    let log = std::fs::read_to_string(folder.path("a").join(format!("n{old}.log"))).expect("the log of the node");
    assert!(log.contains("hands leadership over to"), "{log}");
}
