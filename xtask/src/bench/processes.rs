//! The operating system's figures about processes: their time, their memory, and other load.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Linux's clock ticks of processor time per second.
const CLOCK_TICKS: f64 = 100.0;

/// The load of others that is tolerated, in cores: a machine is never wholly idle.
pub const FOREIGN_CORES_MAX: f64 = 0.1;

/// How many names of others are printed.
const NAMES_MAX: usize = 5;

/// The load averages of the machine.
pub fn load_average() -> Result<String> {
    let text = std::fs::read_to_string("/proc/loadavg").context("cannot read /proc/loadavg")?;
    Ok(text.split(' ').take(3).collect::<Vec<_>>().join(" "))
}

/// User and system time of a process so far.
pub fn processor_seconds(pid: u32) -> Result<f64> {
    let stat = Stat::read(pid).with_context(|| format!("process {pid} has ended"))?;
    Ok(stat.own_ticks as f64 / CLOCK_TICKS)
}

/// Resident memory of a process: `VmRSS`.
pub fn resident_mib(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line
        .and_then(|line| line.trim().strip_suffix(" kB"))
        .and_then(|number| number.parse().ok())
        .with_context(|| format!("{path} has no VmRSS"))?;
    Ok(kib / 1024.0)
}

/// One line of `/proc/PID/stat` (proc(5)).
struct Stat {
    name: String,
    parent: u32,
    /// Of the process itself.
    own_ticks: u64,
    /// With those of its children that have ended: a compiler that lives for a second is seen through its parent.
    all_ticks: u64,
}

impl Stat {
    fn read(pid: u32) -> Option<Stat> {
        Stat::parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(text: &str) -> Option<Stat> {
        // The name is in parentheses and may contain anything.
        let (name, rest) = (text.get(text.find('(')? + 1..text.rfind(')')?)?, &text[text.rfind(')')? + 1..]);
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
        let own_ticks = number(11)? + number(12)?;
        let all_ticks = own_ticks + number(13)? + number(14)?;
        Some(Stat { name: name.to_owned(), parent: u32::try_from(number(1)?).ok()?, own_ticks, all_ticks })
    }
}

/// Watches all processes that do not belong to the measurement.
pub struct Foreigners {
    begun: Instant,
    before: BTreeMap<u32, u64>,
    ours: Vec<u32>,
}

/// The load of other processes meanwhile.
#[derive(Clone, Debug, Default)]
pub struct Strangers {
    /// Cores that they kept busy on average.
    pub cores: f64,
    /// Their names and processes, the busiest first.
    pub names: Vec<String>,
}

impl Strangers {
    /// Their names, the busiest first.
    pub fn names(&self) -> String {
        self.names.join(", ")
    }
}

impl Foreigners {
    /// Begins to watch. This process, its parent, its children and `members` do not count as others.
    pub fn start(members: &[u32]) -> Result<Foreigners> {
        let mut ours = members.to_vec();
        let mut ancestor = std::process::id();
        while ancestor > 1 {
            ours.push(ancestor);
            ancestor = Stat::read(ancestor).map_or(0, |stat| stat.parent);
        }
        let before = all_processes()?.into_iter().map(|(pid, stat)| (pid, stat.all_ticks)).collect();
        Ok(Foreigners { begun: Instant::now(), before, ours })
    }

    /// Their load over this time.
    pub fn after(self, time: Duration) -> Result<Strangers> {
        std::thread::sleep(time);
        self.stop()
    }

    /// Their load since the start.
    pub fn stop(self) -> Result<Strangers> {
        let own = std::process::id();
        let mut busy = Vec::new();
        for (pid, stat) in all_processes()? {
            // Kernel threads do not count as strangers: 2 is their parent.
            if pid == 2 || stat.parent == 2 || stat.parent == own || self.ours.contains(&pid) {
                continue;
            }
            let ticks = stat.all_ticks.saturating_sub(self.before.get(&pid).copied().unwrap_or(0));
            if ticks > 0 {
                busy.push((ticks, stat.name, pid));
            }
        }
        busy.sort_by(|one, other| other.cmp(one));
        let seconds = busy.iter().map(|(ticks, ..)| *ticks).sum::<u64>() as f64 / CLOCK_TICKS;
        let names = busy.into_iter().take(NAMES_MAX).map(|(_, name, pid)| format!("{name} {pid}")).collect();
        Ok(Strangers { cores: seconds / self.begun.elapsed().as_secs_f64().max(f64::EPSILON), names })
    }
}

fn all_processes() -> Result<Vec<(u32, Stat)>> {
    let entries = std::fs::read_dir("/proc").context("cannot read /proc")?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(pids.filter_map(|pid| Some((pid, Stat::read(pid)?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_parent_are_found_behind_any_name() {
        let stat = Stat::parse("42 (a) b) S 7 2 3 4 5 6 7 8 9 10 100 20 3 4 20 0").unwrap();
        assert_eq!((stat.name.as_str(), stat.parent, stat.own_ticks, stat.all_ticks), ("a) b", 7, 120, 127));
        assert!(Stat::parse("42 (a").is_none());
    }

    #[test]
    fn this_process_is_no_stranger_and_has_memory() {
        let watched = Foreigners::start(&[]).unwrap();
        assert!(watched.ours.contains(&std::process::id()));
        let own = format!(" {}", std::process::id());
        assert!(!watched.stop().unwrap().names().split(", ").any(|name| name.ends_with(&own)));
        assert!(resident_mib(std::process::id()).unwrap() > 0.5);
        assert!(resident_mib(u32::MAX).is_err());
    }
}
