//! A member that a process manager starts with etcd's flags.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// The program under the name `etcd`, in a folder.
pub fn etcd(folder: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_volvox"));
    command.arg0("etcd").current_dir(folder).args(flags);
    command
}

/// Runs it to its end.
pub fn run(folder: &Path, flags: &[&str]) -> Output {
    etcd(folder, flags).output().expect("the program runs")
}

/// A running member; killed when this is dropped.
pub struct Member {
    child: Child,
    lines: Receiver<String>,
    pub log: Vec<String>,
}

impl Member {
    pub fn start(mut command: Command) -> Member {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the program runs");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, lines) = channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Member { child, lines, log: Vec::new() }
    }

    /// Waits for a line with this text.
    pub fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("no {text:?} in the log:\n{}", self.log.join("\n"));
            };
            self.log.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    pub fn is_ready(&mut self) {
        self.wait_for(r#""msg":"ready to serve client requests""#);
    }

    /// SIGTERM, and the exit code.
    pub fn stop(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
        self.child.wait().expect("it ends").code()
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
