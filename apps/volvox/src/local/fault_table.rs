//! The table of faults by world: defined and printed here.

use volvox_core::Fault;
use volvox_core::fault::{DiskFault, LinkFault};

/// How a fault is injected into a live cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Live {
    /// From outside the process: a signal, a start, or a removed folder.
    Process,
    /// The receiving nodes drop or delay messages; kept in the manifest.
    Network,
    /// The node's wall clock is shifted; kept in the manifest.
    Clock,
    /// Between the node and its log; kept in the manifest.
    Disk,
    /// Ends the others.
    End,
}

/// How this fault is injected into a live cluster; `None` if only the simulator supports it.
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

/// One fault of every kind, and its effect. The simulator supports all of them: the vocabulary is its own.
const SORTS: [(&str, &str); 22] = [
    ("partition 1,2|3", "no message crosses between the nodes left and right of the bar"),
    ("partition 1->3", "node 3 receives nothing from node 1"),
    ("slow 1->2 delay 50ms", "messages are delayed"),
    ("slow 1->2 loss 1%", "messages are lost"),
    ("slow 1->2 duplicate 1%", "messages are duplicated"),
    ("slow 1->2 reorder 1%", "messages overtake one another"),
    ("slow 1->2 corrupt 1%", "bits flip on the way; a checksum detects it"),
    ("slow 1->2 bandwidth 100000", "at most this many bytes per second"),
    ("pause 2", "the process is suspended; its sockets stay open"),
    ("resume 2", "the process continues"),
    ("crash 2", "the process dies; also 'crash leader'"),
    ("crash 2 without disk", "the process dies, and its folder is removed"),
    ("start 2", "a dead process starts again"),
    ("skew 2 +200ms", "the wall clock jumps"),
    ("drift 2 100ppm", "both clocks run fast, or slow with -100ppm"),
    ("disk 2 full", "no space is left"),
    ("disk 2 slow 20ms", "every sync takes this much longer"),
    ("disk 2 failsync", "the next sync fails, and the node stops itself"),
    ("disk 2 flip", "a bit at rest flips"),
    ("disk 2 tear", "the next crash tears the write in progress"),
    ("disk 2 ok", "the disk works again"),
    ("heal", "all faults of network, clock and disk end; live, paused nodes resume"),
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

    /// The kind of a fault; an exhaustive match, so that it fails to compile when the vocabulary grows.
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
