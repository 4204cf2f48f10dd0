//! Commands that scripts run side by side, and pipes that close early.

use crate::volvox::{Folder, free_ports};

#[test]
fn commands_run_side_by_side_and_into_pipes_that_close() {
    let mut folder = Folder::new("scripts");
    let base = free_ports().to_string();
    folder.owns("a");
    let (line, output) = folder.head("a", &["up", "--port-base", &base, "--detach"]);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(line.starts_with("clients: ") && output.status.success() && complaint.is_empty(), "{line} {complaint}");
    for _ in 0..3 {
        let killed = ["1", "2"].map(|node| folder.begin("a", &["kill", node]));
        for mut child in killed {
            assert!(child.wait().expect("it ends").success(), "kill");
        }
        let started = ["1", "2"].map(|node| folder.begin("a", &["start", node]));
        for mut child in started {
            assert!(child.wait().expect("it ends").success(), "start");
        }
    }
    folder.volvox("a", &["put", "k", "v"]);
}
