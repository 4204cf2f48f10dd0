//! The built program, found or built, and free ports.

use crate::cluster::LiveCluster;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// The range in which ports are searched: below those that the kernel gives to a request for any port.
const FIRST_PORT: u16 = 10_000;
const LAST_PORT: u16 = 31_000;
/// A cluster of six nodes has room in it.
const PORTS_A_CLUSTER: u16 = 60;

/// The `volvox` of the profile that this test was built with; built once, if need be. `VOLVOX_PROGRAM` names another.
///
/// # Panics
/// When it cannot be built.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| match std::env::var_os("VOLVOX_PROGRAM") {
        Some(path) => PathBuf::from(path),
        None => build(),
    })
}

/// A test runs from `target/<profile>/deps`; the program belongs two folders up. An old one must not be tested: cargo
/// knows whether it is.
fn build() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own file");
    let profile = test.ancestors().nth(2).expect("target/<profile>/deps/<test>");
    let is_release = profile.file_name().is_some_and(|name| name == "release");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "-q", "-p", "volvox"]).args(is_release.then_some("--release"));
    command.arg("--target-dir").arg(profile.parent().expect("a profile lies in the target folder"));
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo can be run");
    assert!(output.status.success(), "cargo build -p volvox: {}", String::from_utf8_lossy(&output.stderr));
    profile.join("volvox")
}

/// Runs the program without a cluster.
///
/// # Panics
/// When it cannot be run.
pub fn volvox(arguments: &[&str]) -> Output {
    Command::new(program()).args(arguments).output().expect("the program can be run")
}

/// A cluster for one test, on ports of its own, in a folder of its own.
///
/// # Panics
/// When it does not start.
pub fn cluster(name: &str, nodes: u64, node_flags: &[&str]) -> LiveCluster {
    LiveCluster::start(program(), name, nodes, free_ports(), node_flags).expect("the cluster starts")
}

/// The first of sixty free ports in a row, for `--port-base`.
///
/// # Panics
/// When none are left.
pub fn free_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let places = (LAST_PORT - FIRST_PORT) / PORTS_A_CLUSTER;
    // Each process begins elsewhere, so that tests that run side by side do not look at the same ports.
    let start = (std::process::id() % u32::from(places)) as u16;
    for _ in 0..places {
        let place = (start + 7 * NEXT.fetch_add(1, Ordering::Relaxed)) % places;
        let base = FIRST_PORT + place * PORTS_A_CLUSTER;
        let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if (0..6).flat_map(|node| (0..3).map(move |port| base + 10 * node + port)).all(free) {
            return base;
        }
    }
    panic!("no ports are free between {FIRST_PORT} and {LAST_PORT}")
}
