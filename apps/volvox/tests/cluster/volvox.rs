//! Runs the program.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A folder for clusters. Every cluster in it is stopped, and the folder removed, when this is dropped.
pub struct Folder {
    path: PathBuf,
    clusters: Vec<String>,
}

impl Folder {
    pub fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("volvox-cli-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("the temporary folder can be written");
        Folder { path, clusters: Vec::new() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn command(&self, data: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_volvox"));
        command.current_dir(&self.path).env_remove("VOLVOX_ENDPOINTS").args(["--data", data]).args(arguments);
        command
    }

    /// Runs the program about the cluster `data`, whatever comes of it.
    pub fn try_volvox(&self, data: &str, arguments: &[&str]) -> Output {
        self.command(data, arguments).output().expect("the program runs")
    }

    /// Runs the program for a reader that takes one line and goes; that line, and what it complains about.
    pub fn head(&self, data: &str, arguments: &[&str]) -> (String, Output) {
        let mut child =
            self.command(data, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
        let mut line = String::new();
        BufReader::with_capacity(1, child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        (line, child.wait_with_output().expect("it ends"))
    }

    /// Begins to run the program, and lets it run.
    pub fn begin(&self, data: &str, arguments: &[&str]) -> Child {
        self.command(data, arguments).stdout(Stdio::null()).spawn().expect("the program runs")
    }

    /// Runs the program; what it says.
    pub fn volvox(&self, data: &str, arguments: &[&str]) -> String {
        let output = self.try_volvox(data, arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "volvox --data {data} {}: {stderr}", arguments.join(" "));
        String::from_utf8(output.stdout).expect("text")
    }

    /// Runs the program, which must refuse; what it says.
    pub fn refused(&self, data: &str, arguments: &[&str]) -> String {
        let output = self.try_volvox(data, arguments);
        assert!(!output.status.success(), "volvox --data {data} {} succeeded", arguments.join(" "));
        String::from_utf8(output.stderr).expect("text")
    }

    pub fn json(&self, data: &str, arguments: &[&str]) -> Value {
        let said = self.volvox(data, &[&["--json"], arguments].concat());
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{}: {error}: {said}", arguments.join(" ")))
    }

    /// Starts three nodes, and waits until they are ready.
    pub fn up(&mut self, data: &str) -> u16 {
        let base = free_ports();
        self.clusters.push(data.to_owned());
        self.volvox(data, &["up", "--port-base", &base.to_string(), "--detach"]);
        base
    }

    /// To be stopped at the end.
    pub fn owns(&mut self, data: &str) {
        self.clusters.push(data.to_owned());
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        for data in &self.clusters {
            self.try_volvox(data, &["down"]);
        }
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Free ports for three nodes. Tests run side by side in one process and in several: each begins elsewhere.
pub fn free_ports() -> u16 {
    static NEXT: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(0);
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    loop {
        let turn = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let base = 14_000 + (std::process::id() as u16 % 50 * 100 + turn * 40) % 5_000;
        if (0..3).all(|node| (0..3).all(|offset| free(base + 10 * node + offset))) {
            return base;
        }
        assert!(turn < 500, "no free ports");
    }
}

/// Waits until something is so.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    // No message ever arrives here: this is a pause between two checks.
    let (_silent, pause) = std::sync::mpsc::channel::<()>();
    while !is_so() {
        assert!(Instant::now() < deadline, "not after 30 s: {what}");
        let _ = pause.recv_timeout(Duration::from_millis(20));
    }
}

/// The pid of a node.
pub fn pid(data: &Path, node: u64) -> Option<String> {
    let text = std::fs::read_to_string(data.join(format!("n{node}/process"))).ok()?;
    Some(text.split_whitespace().next()?.to_owned())
}
