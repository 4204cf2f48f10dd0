//! The one fault vocabulary, parsed and printed only here.
//!
//! ```text
//! partition 1,2|3            no message crosses between the nodes left and right of the bar
//! partition 1->3             node 3 receives nothing from node 1
//! slow 1->2 delay 50ms loss 1%   also: duplicate 1% reorder 1% corrupt 1% bandwidth 100000 (bytes per second)
//! pause 2 | resume 2         suspend the process, resume it
//! crash 2 | crash 2 without disk | crash leader | start 2
//! skew 2 +200ms              the wall clock jumps
//! drift 2 100ppm             both clocks run fast (or slow: -100ppm)
//! disk 2 full|slow 20ms|failsync|flip|tear|ok
//! heal                       every network, clock and disk fault ends
//! ```
//! In a schedule, `@ 40ms` follows.

use crate::identity::NodeId;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use core::time::Duration;

/// A fault, or the end of one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Groups of nodes that receive only one another's messages. A node in no group receives all messages.
    Partition(Vec<Vec<NodeId>>),
    /// The second node receives nothing from the first.
    Cut(NodeId, NodeId),
    /// A bad link, in one direction.
    Slow(NodeId, NodeId, LinkFault),
    /// The process is suspended; its sockets stay open.
    Pause(NodeId),
    /// The process continues.
    Resume(NodeId),
    /// The process dies.
    Crash {
        /// The node.
        who: Target,
        /// Whether its disk is gone as well.
        without_disk: bool,
    },
    /// A dead process starts again.
    Start(NodeId),
    /// The wall clock jumps by this many milliseconds.
    Skew(NodeId, i64),
    /// Both clocks run fast by this many parts in a million.
    Drift(NodeId, i32),
    /// The disk misbehaves.
    Disk(NodeId, DiskFault),
    /// Every network, clock and disk fault ends.
    Heal,
}

/// The node that a crash hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// This node.
    Node(NodeId),
    /// The leader at that time.
    Leader,
}

/// The behaviour of a link towards messages in one direction. Rates are parts in a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct LinkFault {
    /// Added to the latency.
    pub delay: Duration,
    /// Dropped.
    pub loss_ppm: u32,
    /// Delivered twice.
    pub duplicate_ppm: u32,
    /// Delivered late enough to be overtaken.
    pub reorder_ppm: u32,
    /// A bit is flipped; a checksum detects it.
    pub corrupt_ppm: u32,
    /// Bytes per second; 0 means no limit.
    pub bandwidth: u64,
}

/// The behaviour of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DiskFault {
    /// No space is left.
    Full,
    /// Every sync takes this much longer.
    Slow(Duration),
    /// The next sync fails.
    FailSync,
    /// A bit at rest flips.
    Flip,
    /// The next crash tears the write in progress.
    Tear,
    /// The disk works again.
    Ok,
}

/// A fault and its time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scheduled {
    /// The fault.
    pub fault: Fault,
    /// The time since the start of the run.
    pub at: Duration,
}

/// Why a text is not a fault, with the byte at which parsing stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultError {
    /// The byte offset in the text.
    pub column: usize,
    /// The expected text.
    pub expected: String,
}

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: expected {}", self.column + 1, self.expected)
    }
}

impl core::error::Error for FaultError {}

impl FromStr for Fault {
    type Err = FaultError;
    fn from_str(text: &str) -> Result<Fault, FaultError> {
        let mut words = Words { text, at: 0 };
        let fault = words.fault()?;
        words.end()?;
        Ok(fault)
    }
}

impl FromStr for Scheduled {
    type Err = FaultError;
    fn from_str(text: &str) -> Result<Scheduled, FaultError> {
        let mut words = Words { text, at: 0 };
        let fault = words.fault()?;
        let at = if words.accept("@") { words.duration()? } else { Duration::ZERO };
        words.end()?;
        Ok(Scheduled { fault, at })
    }
}

struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    fn peek(&self) -> (usize, &'a str) {
        let rest = &self.text[self.at..];
        let start = self.at + (rest.len() - rest.trim_start().len());
        let word = self.text[start..].split_whitespace().next().unwrap_or("");
        (start, word)
    }

    fn next(&mut self) -> &'a str {
        let (start, word) = self.peek();
        self.at = start + word.len();
        word
    }

    fn accept(&mut self, wanted: &str) -> bool {
        let found = self.peek().1 == wanted;
        if found {
            self.next();
        }
        found
    }

    fn expected<T>(&self, what: &str) -> Result<T, FaultError> {
        Err(FaultError { column: self.peek().0, expected: what.to_string() })
    }

    fn read<T>(&mut self, what: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, FaultError> {
        match parse(self.peek().1) {
            Some(value) => {
                self.next();
                Ok(value)
            }
            None => self.expected(what),
        }
    }

    fn end(&mut self) -> Result<(), FaultError> {
        if self.peek().1.is_empty() { Ok(()) } else { self.expected("the end") }
    }

    fn node(&mut self) -> Result<NodeId, FaultError> {
        self.read("a node, such as 2", node)
    }

    fn duration(&mut self) -> Result<Duration, FaultError> {
        self.read("a time, such as 40ms", duration)
    }

    fn fault(&mut self) -> Result<Fault, FaultError> {
        const VERBS: &str = "partition, slow, pause, resume, crash, start, skew, drift, disk or heal";
        let verb = self.peek().1;
        if !VERBS.split([',', ' ']).any(|known| known == verb && known != "or" && !known.is_empty()) {
            return self.expected(VERBS);
        }
        self.next();
        Ok(match verb {
            "partition" => self.partition()?,
            "slow" => self.slow()?,
            "pause" => Fault::Pause(self.node()?),
            "resume" => Fault::Resume(self.node()?),
            "crash" => {
                let who = self.read("a node or 'leader'", |word| match word {
                    "leader" => Some(Target::Leader),
                    other => node(other).map(Target::Node),
                })?;
                let without_disk = self.accept("without");
                if without_disk && !self.accept("disk") {
                    return self.expected("'disk' after 'without'");
                }
                Fault::Crash { who, without_disk }
            }
            "start" => Fault::Start(self.node()?),
            "skew" => Fault::Skew(self.node()?, self.read("a signed time, such as +200ms", signed_millis)?),
            "drift" => Fault::Drift(
                self.node()?,
                self.read("a rate, such as 100ppm", |word| word.strip_suffix("ppm")?.parse().ok())?,
            ),
            "disk" => Fault::Disk(self.node()?, self.disk()?),
            _ => Fault::Heal,
        })
    }

    fn partition(&mut self) -> Result<Fault, FaultError> {
        self.read("groups such as 1,2|3, or a one-way cut such as 1->3", |word| {
            if let Some((from, to)) = word.split_once("->") {
                return Some(Fault::Cut(node(from)?, node(to)?));
            }
            let groups: Option<Vec<Vec<NodeId>>> =
                word.split('|').map(|group| group.split(',').map(node).collect()).collect();
            groups.filter(|groups| groups.len() > 1).map(Fault::Partition)
        })
    }

    fn slow(&mut self) -> Result<Fault, FaultError> {
        let (from, to) = self.read("a link such as 1->2", |word| {
            let (from, to) = word.split_once("->")?;
            Some((node(from)?, node(to)?))
        })?;
        let mut link = LinkFault::default();
        loop {
            match self.peek().1 {
                "delay" => {
                    self.next();
                    link.delay = self.duration()?;
                }
                "loss" => link.loss_ppm = self.rate()?,
                "duplicate" => link.duplicate_ppm = self.rate()?,
                "reorder" => link.reorder_ppm = self.rate()?,
                "corrupt" => link.corrupt_ppm = self.rate()?,
                "bandwidth" => {
                    self.next();
                    link.bandwidth = self
                        .read("bytes per second, such as 100000", |word| word.parse().ok().filter(|rate| *rate > 0))?;
                }
                "" | "@" if link != LinkFault::default() => return Ok(Fault::Slow(from, to, link)),
                _ => return self.expected("delay, loss, duplicate, reorder, corrupt or bandwidth"),
            }
        }
    }

    fn rate(&mut self) -> Result<u32, FaultError> {
        self.next();
        self.read("a rate between 0% and 100%, such as 1% or 0.5%", percent)
    }

    fn disk(&mut self) -> Result<DiskFault, FaultError> {
        let fault = self.read("full, slow, failsync, flip, tear or ok", |word| {
            Some(match word {
                "full" => DiskFault::Full,
                "slow" => DiskFault::Slow(Duration::ZERO),
                "failsync" => DiskFault::FailSync,
                "flip" => DiskFault::Flip,
                "tear" => DiskFault::Tear,
                "ok" => DiskFault::Ok,
                _ => return None,
            })
        })?;
        Ok(match fault {
            DiskFault::Slow(_) => DiskFault::Slow(self.duration()?),
            other => other,
        })
    }
}

fn node(word: &str) -> Option<NodeId> {
    word.strip_prefix('n').unwrap_or(word).parse().ok().filter(|id| *id > 0).map(NodeId)
}

fn duration(word: &str) -> Option<Duration> {
    for (unit, nanos) in [("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000u64)] {
        if let Some(number) = word.strip_suffix(unit)
            && let Ok(number) = number.parse::<u64>()
        {
            return number.checked_mul(nanos).map(Duration::from_nanos);
        }
    }
    None
}

fn signed_millis(word: &str) -> Option<i64> {
    let (sign, rest) = match word.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, word.strip_prefix('+').unwrap_or(word)),
    };
    let millis = i64::try_from(duration(rest)?.as_millis()).ok()?;
    Some(sign * millis)
}

fn percent(word: &str) -> Option<u32> {
    let number = word.strip_suffix('%')?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.len() > 4 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let scaled: u32 = format!("{fraction:0<4}").parse().ok()?;
    whole.parse::<u32>().ok()?.checked_mul(10_000)?.checked_add(scaled).filter(|ppm| *ppm <= 1_000_000)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Partition(groups) => {
                let texts: Vec<String> = groups
                    .iter()
                    .map(|group| group.iter().map(|id| id.0.to_string()).collect::<Vec<_>>().join(","))
                    .collect();
                write!(f, "partition {}", texts.join("|"))
            }
            Fault::Cut(from, to) => write!(f, "partition {}->{}", from.0, to.0),
            Fault::Slow(from, to, link) => write!(f, "slow {}->{}{link}", from.0, to.0),
            Fault::Pause(id) => write!(f, "pause {}", id.0),
            Fault::Resume(id) => write!(f, "resume {}", id.0),
            Fault::Crash { who, without_disk } => {
                match who {
                    Target::Node(id) => write!(f, "crash {}", id.0)?,
                    Target::Leader => write!(f, "crash leader")?,
                }
                f.write_str(if *without_disk { " without disk" } else { "" })
            }
            Fault::Start(id) => write!(f, "start {}", id.0),
            Fault::Skew(id, millis) => write!(f, "skew {} {millis:+}ms", id.0),
            Fault::Drift(id, ppm) => write!(f, "drift {} {ppm}ppm", id.0),
            Fault::Disk(id, fault) => write!(f, "disk {} {fault}", id.0),
            Fault::Heal => write!(f, "heal"),
        }
    }
}

impl fmt::Display for LinkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.delay.is_zero() {
            write!(f, " delay {}", Span(self.delay))?;
        }
        let rates = [
            ("loss", self.loss_ppm),
            ("duplicate", self.duplicate_ppm),
            ("reorder", self.reorder_ppm),
            ("corrupt", self.corrupt_ppm),
        ];
        for (name, ppm) in rates.into_iter().filter(|(_, ppm)| *ppm > 0) {
            let fraction = format!("{:04}", ppm % 10_000);
            match fraction.trim_end_matches('0') {
                "" => write!(f, " {name} {}%", ppm / 10_000)?,
                digits => write!(f, " {name} {}.{digits}%", ppm / 10_000)?,
            }
        }
        if self.bandwidth > 0 {
            write!(f, " bandwidth {}", self.bandwidth)?;
        }
        Ok(())
    }
}

impl fmt::Display for DiskFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DiskFault::Full => write!(f, "full"),
            DiskFault::Slow(by) => write!(f, "slow {}", Span(*by)),
            DiskFault::FailSync => write!(f, "failsync"),
            DiskFault::Flip => write!(f, "flip"),
            DiskFault::Tear => write!(f, "tear"),
            DiskFault::Ok => write!(f, "ok"),
        }
    }
}

impl fmt::Display for Scheduled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} @ {}", self.fault, Span(self.at))
    }
}

struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        if nanos == 0 {
            return f.write_str("0s");
        }
        for (unit, size) in [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)] {
            if nanos >= size && nanos.is_multiple_of(size) {
                return write!(f, "{}{unit}", nanos / size);
            }
        }
        write!(f, "{nanos}ns")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_back_as_printed() {
        for text in [
            "partition 1,2|3",
            "partition 1->3",
            "slow 1->2 delay 50ms loss 1%",
            "slow 1->2 loss 0.5% duplicate 2% reorder 100% corrupt 0.0001% bandwidth 100000",
            "pause 2",
            "resume 2",
            "crash 2",
            "crash 2 without disk",
            "crash leader",
            "start 2",
            "skew 2 +200ms",
            "skew 2 -200ms",
            "drift 2 100ppm",
            "disk 2 full",
            "disk 2 slow 20ms",
            "disk 2 failsync",
            "disk 2 flip",
            "disk 2 tear",
            "disk 2 ok",
            "heal",
        ] {
            let fault: Fault = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(fault.to_string(), text);
        }
        let scheduled: Scheduled = "partition 1,2|3 @ 40ms".parse().expect("parses");
        assert_eq!(scheduled.to_string(), "partition 1,2|3 @ 40ms");
    }

    #[test]
    fn errors_point_at_the_column() {
        let error = "partition 1,2".parse::<Fault>().expect_err("one group");
        assert_eq!(error.column, 10);
        let error = "explode 1".parse::<Fault>().expect_err("unknown verb");
        assert!(error.to_string().contains("expected partition, slow"), "{error}");
        assert!("slow 1->2 loss 101%".parse::<Fault>().is_err());
        assert!("slow 1->2".parse::<Fault>().is_err());
        assert!("pause 0".parse::<Fault>().is_err());
        assert!("heal now".parse::<Fault>().is_err());
    }
}
