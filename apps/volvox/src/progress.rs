//! How far long work has come: one line on a terminal, nothing in a pipe.

use std::io::IsTerminal;

use tokio::time::{Duration, Instant};

/// The line is written anew this often.
const PROGRESS_PAUSE: Duration = Duration::from_millis(200);

/// One line on a terminal, nothing in a pipe.
pub struct Progress {
    shown: bool,
    is_terminal: bool,
    next: Instant,
}

impl Progress {
    /// Nothing is shown yet.
    pub fn new() -> Progress {
        let is_terminal = std::io::stderr().is_terminal();
        Progress { shown: false, is_terminal, next: Instant::now() + PROGRESS_PAUSE }
    }

    /// How much is done, and how much is left, now and then.
    pub fn show(&mut self, received: u64, remaining: u64) {
        if !self.is_terminal || Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + PROGRESS_PAUSE;
        self.shown = true;
        let total = (received + remaining).max(1);
        eprint!("\r{:3} % of {} KiB", received * 100 / total, total / 1024);
    }

    /// The work is over.
    pub fn clear(&mut self) {
        if self.shown {
            eprint!("\r{:30}\r", "");
        }
    }
}
