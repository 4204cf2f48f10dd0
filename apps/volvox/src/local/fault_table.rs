//! Which fault works in which world: decided here, and printed from here.

use volvox_core::Fault;
use volvox_core::fault::{DiskFault, LinkFault};

/// How a live cluster comes by a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Live {
    /// A signal, a start, or a removed folder: from outside of the process.
    Process,
    /// The receiving nodes drop or delay messages; kept in the manifest.
    Network,
    /// The node's wall clock is moved; kept in the manifest.
    Clock,
    /// Between the node and its log; kept in the manifest.
    Disk,
    /// Ends the others.
    End,
}

/// How a live cluster comes by this fault; `None`: only the simulator knows it.
pub fn live(fault: &Fault) -> Option<Live> {
    match fault {
        Fault::Partition(_) | Fault::Cut(..) => Some(Live::Network),
        Fault::Slow(_, _, link) => {
            let as_far_as_live = LinkFault { delay: link.delay, loss_ppm: link.loss_ppm, ..LinkFault::default() };
            (*link == as_far_as_live).then_some(Live::Network)
        }
        Fault::Pause(_) | Fault::Resume(_) | Fault::Crash { .. } | Fault::Start(_) => Some(Live::Process),
        Fault::Skew(..) => Some(Live::Clock),
        Fault::Drift(..) => None,
        Fault::Disk(_, DiskFault::Full | DiskFault::Slow(_) | DiskFault::FailSync | DiskFault::Ok) => Some(Live::Disk),
        Fault::Disk(_, DiskFault::Flip | DiskFault::Tear) => None,
        Fault::Heal => Some(Live::End),
    }
}

/// A fault of every sort, and what it does. The simulator has all of them: the vocabulary is its own.
const SORTS: [(&str, &str); 22] = [
    ("partition 1,2|3", "nobody left of the bar hears anybody right of it, and the reverse"),
    ("partition 1->3", "3 hears nothing from 1"),
    ("slow 1->2 delay 50ms", "messages come late"),
    ("slow 1->2 loss 1%", "messages are lost"),
    ("slow 1->2 duplicate 1%", "messages come twice"),
    ("slow 1->2 reorder 1%", "messages overtake one another"),
    ("slow 1->2 corrupt 1%", "bits flip on the way; a checksum sees it"),
    ("slow 1->2 bandwidth 100000", "so many bytes a second"),
    ("pause 2", "the process stands still; its sockets stay"),
    ("resume 2", "it goes on"),
    ("crash 2", "the process dies; also 'crash leader'"),
    ("crash 2 without disk", "and its folder is gone"),
    ("start 2", "a dead process starts again"),
    ("skew 2 +200ms", "the wall clock jumps"),
    ("drift 2 100ppm", "both clocks run fast, or slow with -100ppm"),
    ("disk 2 full", "no space is left"),
    ("disk 2 slow 20ms", "every sync takes so much longer"),
    ("disk 2 failsync", "the next sync fails, and the node stops itself"),
    ("disk 2 flip", "a bit at rest flips"),
    ("disk 2 tear", "the next crash tears the write that is under way"),
    ("disk 2 ok", "the disk is well again"),
    ("heal", "every fault of network, clock and disk ends; live, who is paused goes on"),
];

/// The table, in Markdown that reads well on a terminal.
pub fn table() -> String {
    let mut table = String::from(
        "| fault                        | simulator | live    | what happens\n\
         |------------------------------|-----------|---------|-------------\n",
    );
    for (text, what) in SORTS {
        let fault: Fault = text.parse().expect("a test reads every line");
        let how = match live(&fault) {
            None => "-",
            Some(Live::Process) => "process",
            Some(Live::Network) => "network",
            Some(Live::Clock) => "clock",
            Some(Live::Disk) => "disk",
            Some(Live::End) => "yes",
        };
        // A bar ends a cell in Markdown.
        let cell = format!("`{}`", text.replace('|', "\\|"));
        table += &format!("| {cell:<28} | yes       | {how:<7} | {what}\n");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which sort a fault is of: does not compile when the vocabulary has grown.
    fn sort(fault: &Fault) -> usize {
        match fault {
            Fault::Partition(_) => 0,
            Fault::Cut(..) => 1,
            Fault::Slow(_, _, link) if !link.delay.is_zero() => 2,
            Fault::Slow(_, _, link) if link.loss_ppm > 0 => 3,
            Fault::Slow(_, _, link) if link.duplicate_ppm > 0 => 4,
            Fault::Slow(_, _, link) if link.reorder_ppm > 0 => 5,
            Fault::Slow(_, _, link) if link.corrupt_ppm > 0 => 6,
            Fault::Slow(..) => 7,
            Fault::Pause(_) => 8,
            Fault::Resume(_) => 9,
            Fault::Crash { without_disk: false, .. } => 10,
            Fault::Crash { without_disk: true, .. } => 11,
            Fault::Start(_) => 12,
            Fault::Skew(..) => 13,
            Fault::Drift(..) => 14,
            Fault::Disk(_, DiskFault::Full) => 15,
            Fault::Disk(_, DiskFault::Slow(_)) => 16,
            Fault::Disk(_, DiskFault::FailSync) => 17,
            Fault::Disk(_, DiskFault::Flip) => 18,
            Fault::Disk(_, DiskFault::Tear) => 19,
            Fault::Disk(_, DiskFault::Ok) => 20,
            Fault::Heal => 21,
        }
    }

    #[test]
    fn the_table_has_every_sort_of_fault_once() {
        for (index, (text, _)) in SORTS.iter().enumerate() {
            let fault: Fault = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(sort(&fault), index, "{text}");
        }
    }

    #[test]
    fn the_readme_shows_this_table() {
        let readme = include_str!("../../README.md");
        assert!(readme.contains(&table()), "apps/volvox/README.md must contain:\n{}", table());
    }
}
