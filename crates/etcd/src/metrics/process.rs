//! The operating system's figures about this process.

/// Resident memory, file descriptors, processor time; unreadable ones are omitted.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Process {
    /// Memory in use.
    pub resident_bytes: Option<u64>,
    /// Address space in use.
    pub virtual_bytes: Option<u64>,
    /// Open file descriptors.
    pub open_fds: Option<u64>,
    /// How many there may be.
    pub max_fds: Option<u64>,
    /// Processor time spent.
    pub cpu_seconds: Option<f64>,
    /// When the process began, in seconds since 1970.
    pub start_seconds: Option<f64>,
}

/// Linux counts processor time and start times in hundredths of a second, whatever the kernel was built with.
const TICKS_PER_SECOND: f64 = 100.0;
/// The page size of every platform that is served; a larger one only makes the number too small.
const PAGE_BYTES: u64 = 4096;

impl Process {
    /// Reads `/proc`, where there is one.
    pub fn read() -> Process {
        let stat = std::fs::read_to_string("/proc/self/stat").ok();
        // The second field is the name in parentheses, and may contain anything: count behind it.
        let fields: Vec<&str> = stat
            .as_deref()
            .and_then(|stat| stat.rsplit_once(')'))
            .map(|(_, rest)| rest.split_whitespace().collect())
            .unwrap_or_default();
        let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
        let ticks = |index: usize| number(index).map(|ticks| ticks as f64 / TICKS_PER_SECOND);
        Process {
            resident_bytes: number(21).map(|pages| pages * PAGE_BYTES),
            virtual_bytes: number(20),
            open_fds: std::fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as u64),
            max_fds: max_fds(),
            cpu_seconds: ticks(11).zip(ticks(12)).map(|(user, system)| user + system),
            start_seconds: ticks(19).zip(boot_seconds()).map(|(after, boot)| boot + after),
        }
    }
}

fn max_fds() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

fn boot_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_files_and_a_beginning() {
        let process = Process::read();
        assert!(process.resident_bytes.unwrap() > 100_000);
        assert!(process.open_fds.unwrap() >= 3);
        assert!(process.max_fds.unwrap() > process.open_fds.unwrap());
        assert!(process.start_seconds.unwrap() > 1_500_000_000.0);
        assert!(process.cpu_seconds.is_some());
    }
}
