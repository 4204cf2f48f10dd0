//! The progress of an exploration, and whether it has to end.
//!
//! Threads report batch by batch, so a single state pays nothing. A batch takes milliseconds: a limit on memory or a
//! cancellation is noticed that late.

use crate::model::Model;
use crate::progress::{Ended, Progress};
use crate::questions::Limits;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// The work since the last report.
#[derive(Clone, Copy, Default)]
pub struct Done {
    /// States expanded.
    pub looked_behind: u64,
    /// States found, within the bounds.
    pub states: u64,
    pub transitions: u64,
    /// The memory of the found states, and of those that were released.
    pub bytes: u64,
    pub released: u64,
}

/// The gauges of one exploration.
pub struct Watch<'e, 'm> {
    limits: &'e Limits<'m>,
    is_liveness: bool,
    looked_behind: AtomicU64,
    states: AtomicU64,
    transitions: AtomicU64,
    depth: AtomicU32,
    /// The memory of the kept states, and the most memory in total at any report.
    bytes: AtomicU64,
    bytes_most: AtomicU64,
    is_full: AtomicBool,
}

impl<'e, 'm> Watch<'e, 'm> {
    pub fn new(limits: &'e Limits<'m>, is_liveness: bool) -> Watch<'e, 'm> {
        Watch {
            limits,
            is_liveness,
            looked_behind: AtomicU64::new(0),
            states: AtomicU64::new(0),
            transitions: AtomicU64::new(0),
            depth: AtomicU32::new(0),
            bytes: AtomicU64::new(0),
            bytes_most: AtomicU64::new(0),
            is_full: AtomicBool::new(false),
        }
    }

    /// Why the exploration has to end now, if it has to.
    pub fn must_end(&self) -> Option<Ended> {
        if self.limits.cancel.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
            return Some(Ended::Cancelled);
        }
        self.is_full.load(Ordering::Relaxed).then_some(Ended::BytesMax)
    }

    /// Takes a report; `table` is what the table takes.
    pub fn report<M: Model>(&self, done: Done, model: &M, table: usize) {
        self.states.fetch_add(done.states, Ordering::Relaxed);
        self.transitions.fetch_add(done.transitions, Ordering::Relaxed);
        let kept = self.bytes.fetch_add(done.bytes, Ordering::Relaxed) + done.bytes;
        self.bytes.fetch_sub(done.released, Ordering::Relaxed);
        let bytes = kept + table as u64 + model.bytes();
        self.bytes_most.fetch_max(bytes, Ordering::Relaxed);
        if bytes > self.limits.bytes_max {
            self.is_full.store(true, Ordering::Relaxed);
        }
        let before = self.looked_behind.fetch_add(done.looked_behind, Ordering::Relaxed);
        if before / Progress::EVERY != (before + done.looked_behind) / Progress::EVERY {
            self.tell();
        }
    }

    /// The memory of released states.
    pub fn release(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The memory of the kept states.
    pub fn kept(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub fn at_depth(&self, depth: u32) {
        self.depth.store(depth, Ordering::Relaxed);
    }

    pub fn tell(&self) {
        if let Some(tell) = &self.limits.progress {
            let states = self.states.load(Ordering::Relaxed);
            tell(&Progress {
                states,
                transitions: self.transitions.load(Ordering::Relaxed),
                depth: self.depth.load(Ordering::Relaxed),
                waiting: states.saturating_sub(self.looked_behind.load(Ordering::Relaxed)),
                bytes: self.bytes_most.load(Ordering::Relaxed),
                is_liveness: self.is_liveness,
            });
        }
    }

    /// The most memory in total at any report.
    pub fn bytes_most(&self) -> u64 {
        self.bytes_most.load(Ordering::Relaxed)
    }
}
