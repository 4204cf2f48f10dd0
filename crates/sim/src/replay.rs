//! The report of a failing run: one line that replays it, and the last lines of its trace.
//!
//! Formatting costs many times what a step costs, so a run keeps no text. A failing run is repeated from its seed with
//! the trace on.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// The last lines of a trace. A clone shares the ring, so its holder can read it even after a panic destroyed the
/// simulation.
#[derive(Clone, Debug)]
pub struct TraceRing {
    lines: Rc<RefCell<VecDeque<String>>>,
    lines_max: usize,
}

impl TraceRing {
    /// A ring that keeps the last `lines_max` lines.
    pub fn new(lines_max: usize) -> TraceRing {
        TraceRing { lines: Rc::default(), lines_max }
    }

    /// The lines, oldest first.
    pub fn lines(&self) -> Vec<String> {
        self.lines.borrow().iter().cloned().collect()
    }

    pub(crate) fn push(&self, line: String) {
        let mut lines = self.lines.borrow_mut();
        if lines.len() >= self.lines_max {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// A seed whose run failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// The reason.
    pub reason: String,
    /// The one line that replays it.
    pub replay: String,
    /// The last lines of the trace.
    pub trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "{}", self.reason)?;
        write!(f, "replay: {}", self.replay)
    }
}

impl std::error::Error for Failure {}

/// Runs `body` with a seed; if it fails or panics, runs it again with a ring of `trace_lines` to fill, and reports how
/// to replay it: `command --seed N`. `body` gives the ring to [`Builder::trace`](crate::Builder::trace).
///
/// Where panics abort (every shipped profile), a panic is not caught: install a hook that prints the replay line.
///
/// # Errors
/// When the run failed.
pub fn run_seed<T>(
    command: &str,
    seed: u64,
    trace_lines: usize,
    body: impl Fn(u64, Option<&TraceRing>) -> Result<T, String>,
) -> Result<T, Failure> {
    let reason = match attempt(|| body(seed, None)) {
        Ok(value) => return Ok(value),
        Err(reason) => reason,
    };
    let ring = TraceRing::new(trace_lines);
    let again = attempt(|| body(seed, Some(&ring)).map(|_| ()));
    let reason = match again {
        Err(second) if second == reason => reason,
        other => format!("{reason}\nbut a second run gave {other:?}: this program is not deterministic"),
    };
    Err(Failure { seed, reason, replay: format!("{command} --seed {seed}"), trace: ring.lines() })
}

fn attempt<T>(body: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result,
        Err(panic) => Err(match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
            (Some(text), _) => format!("panic: {text}"),
            (_, Some(text)) => format!("panic: {text}"),
            _ => "panic".to_string(),
        }),
    }
}
