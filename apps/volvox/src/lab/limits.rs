//! The limits of an exploration when no flag sets them, and its progress on a terminal.
//!
//! A model that a reader asks for may be larger than the machine. It must end with what was explored until then, and not
//! when the kernel ends it, so the limit is less than the free memory, which Linux tells; elsewhere the greatest default holds.

use super::terminal::say;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;
use volvox_lab::check::Progress;
use volvox_lab::exploring::{self, Exploring};

/// The least time between two lines of progress, in milliseconds.
const PROGRESS_EVERY: u64 = 200;

/// The most: a machine for development has more.
const MOST_MIB: u64 = 8_192;

/// The default, in MiB.
pub fn default_mib() -> u64 {
    let free = [available(), left_in_group()].into_iter().flatten().min();
    free.map_or(MOST_MIB, |free| (free / 3 * 2).clamp(1, MOST_MIB))
}

/// The memory that the kernel would give without swapping.
fn available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib >> 10)
}

/// The memory that the group of a container has left.
fn left_in_group() -> Option<u64> {
    let read = |name: &str| -> Option<u64> {
        std::fs::read_to_string(Path::new("/sys/fs/cgroup").join(name)).ok()?.trim().parse().ok()
    };
    Some(read("memory.max")?.saturating_sub(read("memory.current")?) >> 20)
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Ends every exploration soon.
pub fn interrupt() {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// Whether explorations have to end.
pub fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// An exploration that shows its progress on a terminal, and ends when it is interrupted.
pub fn watched(json: bool, name: String) -> Exploring {
    let begun = Instant::now();
    let told = AtomicU64::new(0);
    let is_shown = !json && std::io::stdout().is_terminal();
    let tell: Option<exploring::Tell> = is_shown.then(|| {
        let tell = move |progress: &Progress| {
            let elapsed = begun.elapsed();
            let now = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
            let last = told.load(Ordering::Relaxed);
            if now >= last + PROGRESS_EVERY && told.swap(now, Ordering::Relaxed) == last {
                say(format_args!("\r\x1b[K{name}: {}", progress.line(elapsed)));
            }
        };
        Arc::new(tell) as exploring::Tell
    });
    Exploring { progress: tell, cancel: Some(&INTERRUPTED), ..Exploring::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_less_than_what_is_free() {
        let mib = default_mib();
        assert!((1..=MOST_MIB).contains(&mib));
        assert!(available().is_none_or(|free| mib <= free.max(1)), "{mib} MiB of {:?}", available());
    }
}
