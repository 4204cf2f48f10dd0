//! The report of a failing run: one line that replays it, and the last lines of its trace.
//!
//! Formatting costs many times what a step costs, so a run keeps no text. A failing run is repeated from its seed with
//! the trace on.

use crate::simulation::Simulation;
use crate::step::Input;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use volvox_core::trace::Line;
use volvox_core::{EffectOf, Instant, Process};

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

    fn push(&self, line: String) {
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
    /// What is wrong.
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

impl<P: Process + 'static> Simulation<P> {
    pub(crate) fn trace_input(&self, index: u32, input: &Input<P>) {
        let id = self.cold[index as usize].id;
        match input {
            Input::Start => self.trace_text(format_args!("{id} starts as {}", self.cold[index as usize].incarnation)),
            Input::Message(from, message) => self.trace_text(format_args!("{id} <- {from} {message}")),
            Input::Timer(timer) => self.trace_text(format_args!("{id} timer {timer:?} fires")),
            Input::Command(command) => self.trace_text(format_args!("{id} command {command}")),
            Input::Persisted(through) => self.trace_text(format_args!("{id} durable through {through}")),
        }
    }

    pub(crate) fn trace_effect(&self, index: u32, effect: &EffectOf<P>) {
        if let Some(ring) = &self.trace {
            let node = self.cold[index as usize].id;
            ring.push(Line { at: Instant(self.now), node, effect }.to_string());
        }
    }

    pub(crate) fn trace_text(&self, text: fmt::Arguments<'_>) {
        if let Some(ring) = &self.trace {
            ring.push(format!("{} {text}", Instant(self.now)));
        }
    }
}
