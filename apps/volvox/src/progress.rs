//! How far long work has come: one line on a terminal, nothing in a pipe.

use std::io::IsTerminal;

use tokio::time::{Duration, Instant};

/// The line is rewritten this often.
const PROGRESS_PAUSE: Duration = Duration::from_millis(200);

/// The progress line: shown on a terminal, not in a pipe.
pub struct Progress {
    shown: bool,
    is_terminal: bool,
    next: Instant,
}

impl Progress {
    /// A progress line that shows nothing yet.
    pub fn new() -> Progress {
        let is_terminal = std::io::stderr().is_terminal();
        Progress { shown: false, is_terminal, next: Instant::now() + PROGRESS_PAUSE }
    }

    /// Shows from time to time the progress and the rest.
    pub fn show(&mut self, received: u64, remaining: u64) {
        if !self.is_terminal || Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + PROGRESS_PAUSE;
        self.shown = true;
        let total = (received + remaining).max(1);
        eprint!("\r{:3} % of {} KiB", received * 100 / total, total / 1024);
    }

    /// Clears the line.
    pub fn clear(&mut self) {
        if self.shown {
            eprint!("\r{:30}\r", "");
        }
    }
}
