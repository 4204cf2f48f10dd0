//! The log that an operator reads: both ends report a wrong cluster, at most once per second.
#![allow(clippy::disallowed_methods)]

mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::{options, start, until};
use tracing_subscriber::fmt::MakeWriter;
use volvox_core::NodeId;
use volvox_disk::SimulatedDirectory;
use volvox_net::NodeOptions;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no poison").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Lines;
    fn make_writer(&'a self) -> Lines {
        self.clone()
    }
}

impl Lines {
    fn count(&self, words: &[&str]) -> usize {
        let text = String::from_utf8_lossy(&self.0.lock().expect("no poison")).into_owned();
        text.lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
    }
}

#[test]
fn a_wrong_cluster_is_logged_at_both_ends_and_not_too_often() {
    let lines = Lines::default();
    tracing_subscriber::fmt().with_ansi(false).with_writer(lines.clone()).init();
    let mut eager = options(1);
    eager.limits.backoff_max = Duration::from_millis(20);
    let one = start(eager, SimulatedDirectory::new(1));
    let two = start(NodeOptions { cluster: 0xbad, ..options(2) }, SimulatedDirectory::new(2));
    let began = Instant::now();
    one.handle.set_peer(NodeId(2), two.address());
    until("many attempts", || two.handle.counters().connections_refused > 40);
    let seconds = began.elapsed().as_secs() as usize;
    let dialling = lines.count(&["WARN", "node=n1", "peer=n2", "wrong cluster"]);
    let accepting = lines.count(&["WARN", "node=n2", "a connection was refused", "wrong cluster"]);
    assert!((1..=seconds + 1).contains(&dialling), "{dialling} lines in {seconds} s");
    assert!((1..=seconds + 1).contains(&accepting), "{accepting} lines in {seconds} s");
}
