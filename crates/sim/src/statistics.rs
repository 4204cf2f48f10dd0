//! The counters of a run.

use std::fmt;

/// Counts by a short fixed name, in the order in which the names first came up.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Counts(Vec<(&'static str, u64)>);

impl Counts {
    /// Counts one more.
    pub fn add(&mut self, name: &'static str) {
        self.add_many(name, 1);
    }

    /// Counts this many more.
    pub fn add_many(&mut self, name: &'static str, more: u64) {
        // The same literal usually has the same address; otherwise the text decides.
        match self.0.iter_mut().find(|(known, _)| std::ptr::eq(*known, name) || *known == name) {
            Some((_, count)) => *count += more,
            None => self.0.push((name, more)),
        }
    }

    /// How often `name` came up.
    pub fn of(&self, name: &str) -> u64 {
        self.0.iter().find(|(known, _)| *known == name).map_or(0, |(_, count)| *count)
    }

    /// All names with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().copied()
    }

    /// Adds what another run counted.
    pub fn absorb(&mut self, other: &Counts) {
        for (name, more) in other.iter() {
            match self.0.iter_mut().find(|(known, _)| *known == name) {
                Some((_, count)) => *count += more,
                None => self.0.push((name, more)),
            }
        }
    }
}

/// The counters of a run.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Steps of all processes.
    pub steps: u64,
    /// Messages handed to the network.
    pub sent: u64,
    /// Messages handled.
    pub delivered: u64,
    /// Messages by kind, as sent; without those of a carrier, if the world knows one.
    pub kinds: Counts,
    /// Messages that the carrier sent for itself.
    pub carrier_kinds: Counts,
    /// Copies that the network made.
    pub duplicated: u64,
    /// Messages that the network reordered.
    pub reordered: u64,
    /// Lost by chance.
    pub dropped_lost: u64,
    /// Damaged by chance, and dropped by the checksum.
    pub dropped_corrupt: u64,
    /// Dropped because the link's queue was full.
    pub dropped_full: u64,
    /// Dropped at a partition.
    pub dropped_partition: u64,
    /// Lost because one end crashed.
    pub dropped_broken: u64,
    /// Arrived at a node that is down.
    pub dropped_down: u64,
    /// Sent to a node that does not exist.
    pub dropped_unknown: u64,
    /// Timers that fired.
    pub timers: u64,
    /// Commands handled.
    pub commands: u64,
    /// Events emitted.
    pub events: u64,
    /// Records written.
    pub records: u64,
    /// Batches begun.
    pub batches: u64,
    /// Batches whose sync returned.
    pub syncs: u64,
    /// Notes by text: how often each rare path ran.
    pub notes: Counts,
    /// Faults applied, by their verb.
    pub faults: Counts,
    /// Restarts that found lost records.
    pub lost_storages: u64,
}

impl Statistics {
    /// All messages that were not handled.
    pub fn dropped(&self) -> u64 {
        self.dropped_lost
            + self.dropped_corrupt
            + self.dropped_full
            + self.dropped_partition
            + self.dropped_broken
            + self.dropped_down
            + self.dropped_unknown
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} steps: {} messages sent, {} delivered, {} timers, {} commands; {} events",
            self.steps, self.sent, self.delivered, self.timers, self.commands, self.events
        )?;
        writeln!(
            f,
            "dropped {}: lost {}, corrupt {}, queue full {}, partition {}, broken link {}, node down {}, unknown {}",
            self.dropped(),
            self.dropped_lost,
            self.dropped_corrupt,
            self.dropped_full,
            self.dropped_partition,
            self.dropped_broken,
            self.dropped_down,
            self.dropped_unknown
        )?;
        writeln!(f, "{} records in {} batches, {} syncs", self.records, self.batches, self.syncs)?;
        for (title, counts) in [("messages", &self.kinds), ("notes", &self.notes), ("faults", &self.faults)] {
            let texts: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
            if !texts.is_empty() {
                writeln!(f, "{title}: {}", texts.join(", "))?;
            }
        }
        Ok(())
    }
}
