//! The summary of a run, for people and for programs.

use super::{End, Held, Ran};
use crate::chapter::World;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use volvox_core::When;
use volvox_sim::{Counts, Statistics};

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline())?;
        if self.world == World::Live {
            write!(f, ", live: one OS process per node")?;
        }
        let statistics = &self.statistics;
        writeln!(f, "\n\n{:<11}{}, {}", "time", self.took, ended(self.end))?;
        let own = statistics.kinds.iter().map(|(_, count)| count).sum();
        listed(f, "messages", &counted(own, &statistics.kinds))?;
        if statistics.carrier_kinds.iter().next().is_some() {
            let carriers = statistics.carrier_kinds.iter().map(|(_, count)| count).sum();
            listed(f, "of the channel", &counted(carriers, &statistics.carrier_kinds))?;
        }
        writeln!(f, "{:<11}{}", "delivered", statistics.delivered)?;
        writeln!(f, "{:<11}{}", "lost", lost(statistics))?;
        if statistics.duplicated > 0 {
            writeln!(f, "{:<11}{}", "duplicated", statistics.duplicated)?;
        }
        let events: Vec<String> = self.events.iter().map(|(word, count)| format!("{word} {count}")).collect();
        listed(f, "events", &if events.is_empty() { "none".to_string() } else { events.join(", ") })?;
        if statistics.records > 0 {
            write!(f, "{:<11}{}", "records", statistics.records)?;
            // How a live node batches them is its own choice.
            if statistics.batches > 0 {
                write!(f, " in {} writes", statistics.batches)?;
            }
            writeln!(f)?;
        }
        let faults: Vec<String> = self.faults.iter().map(ToString::to_string).collect();
        listed(f, "faults", &if faults.is_empty() { "none".to_string() } else { faults.join("; ") })?;
        for vain in &self.in_vain {
            writeln!(f, "{:<11}had no effect: {vain}", "")?;
        }
        if let Some(healed) = self.healed {
            writeln!(f, "{:<11}{healed}", "healed")?;
        }
        if self.left_out > 0 {
            writeln!(f, "{:<11}{} statements of the scenario, for nodes that do not exist", "left out", self.left_out)?;
        }
        writeln!(f)?;
        for (property, held) in &self.properties {
            let when = if property.when == When::Always { "always" } else { "at the end" };
            match held {
                Held::Yes => writeln!(f, "  holds     {} ({when})", property.name)?,
                Held::No { at, text } => writeln!(f, "  BROKEN    {} ({when}): {at}: {text}", property.name)?,
                Held::NotAsked => writeln!(f, "  not evaluated {} ({when})", property.name)?,
            }
        }
        if let (Some(rule), true) = (self.without, self.is_good()) {
            let chapter = self.chapter;
            writeln!(f, "\nnothing broke without {rule} in this run: `volvox lab check {chapter} --without {rule}`")?;
            writeln!(f, "explores all runs of a small instance, `volvox lab sweep {chapter} --without {rule}` tries")?;
            writeln!(f, "many of a large one")?;
        }
        Ok(())
    }
}

/// The widest line of a summary, where words allow it: it fits a slide.
const COLUMNS: usize = 80;
/// The first character of the second column.
const INDENT: usize = 11;

/// A name and a list, over as many lines as it needs; no item is broken.
fn listed(f: &mut fmt::Formatter<'_>, name: &str, list: &str) -> fmt::Result {
    write!(f, "{name:<INDENT$}")?;
    let mut used = INDENT.max(name.chars().count());
    if used > INDENT {
        write!(f, " ")?;
        used += 1;
    }
    for (place, item) in list.split_inclusive([',', ';']).map(str::trim).enumerate() {
        let length = item.chars().count();
        match place {
            0 => {}
            _ if used + 1 + length > COLUMNS => {
                write!(f, "\n{:INDENT$}", "")?;
                used = INDENT;
            }
            _ => {
                write!(f, " ")?;
                used += 1;
            }
        }
        write!(f, "{item}")?;
        used += length;
    }
    writeln!(f)
}

impl Ran {
    /// The run as one document.
    pub fn document(&self) -> Value {
        let statistics = &self.statistics;
        let properties = self.properties.iter().map(|(property, held)| {
            let (held, text) = match held {
                Held::Yes => (Some(true), None),
                Held::No { at, text } => (Some(false), Some(format!("{at}: {text}"))),
                Held::NotAsked => (None, None),
            };
            let when = if property.when == When::Always { "always" } else { "at the end" };
            json!({ "name": property.name, "source": property.source, "when": when, "held": held, "text": text })
        });
        json!({
            "protocol": self.chapter,
            "seed": self.seed,
            "nodes": self.nodes,
            "without": self.without,
            "world": match self.world {
                World::Simulated => "simulated",
                World::Checked => "checked",
                World::Live => "live",
            },
            "model": self.found_in.map(|found| found.model),
            "ended": ended(self.end),
            "nanoseconds": self.took.0,
            "messages": map(&statistics.kinds),
            "channel": map(&statistics.carrier_kinds),
            "sent": statistics.sent,
            "delivered": statistics.delivered,
            "lost": map_of(losses(statistics)),
            "duplicated": statistics.duplicated,
            "timers": statistics.timers,
            "commands": statistics.commands,
            "events": self.events.iter().copied().collect::<BTreeMap<_, _>>(),
            "notes": map(&statistics.notes),
            "records": statistics.records,
            "faults": self.faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "in_vain": self.in_vain,
            "happened": self.happened(),
            "healed": self.healed.map(|at| at.0),
            "left_out": self.left_out,
            "properties": properties.collect::<Vec<_>>(),
            "good": self.is_good(),
            "chain": self.chain.map(|chain| format!("{chain:016x}")),
        })
    }
}

fn ended(end: End) -> &'static str {
    match end {
        End::Done => "the work is done",
        End::Idle => "nothing is left to happen",
        End::Deadline => "the time is over",
        End::Broken => "a property broke",
        End::StepsMax => "too many steps: a storm",
    }
}

fn counted(total: u64, counts: &Counts) -> String {
    let kinds: Vec<String> = counts.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    match kinds.is_empty() {
        true => "none".to_string(),
        false => format!("{total}: {}", kinds.join(", ")),
    }
}

fn losses(statistics: &Statistics) -> [(&'static str, u64); 7] {
    [
        ("by chance", statistics.dropped_lost),
        ("corrupt", statistics.dropped_corrupt),
        ("queue full", statistics.dropped_full),
        ("partition", statistics.dropped_partition),
        ("link broken", statistics.dropped_broken),
        ("node down", statistics.dropped_down),
        ("no such node", statistics.dropped_unknown),
    ]
}

fn lost(statistics: &Statistics) -> String {
    let parts = losses(statistics).into_iter().filter(|(_, count)| *count > 0);
    let parts: Vec<String> = parts.map(|(why, count)| format!("{why} {count}")).collect();
    match parts.is_empty() {
        true => "0".to_string(),
        false => format!("{}: {}", statistics.dropped(), parts.join(", ")),
    }
}

fn map(counts: &Counts) -> BTreeMap<&'static str, u64> {
    counts.iter().collect()
}

fn map_of<const N: usize>(pairs: [(&'static str, u64); N]) -> BTreeMap<&'static str, u64> {
    pairs.into_iter().filter(|(_, count)| *count > 0).collect()
}
