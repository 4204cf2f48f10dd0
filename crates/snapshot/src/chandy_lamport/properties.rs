//! The properties of snapshots of a bank, judged by the events alone, so that they are the same with and without a
//! channel.
//!
//! The observer sees what no branch sees: how much was sent and received on each channel at the moment at which a
//! branch recorded its state. That is the cut, and it is compared with the recorded state.

use super::{Event, SnapshotId};
use crate::bank::{self, Bank};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{NodeId, Picture, Process, Property, When};

/// A channel: from, to.
type Way = (NodeId, NodeId);

/// The event of a branch with snapshots taken over it.
pub type BankEvent = Event<Bank, bank::Message, bank::Event>;

/// The history of payments and recordings.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct History {
    opened: BTreeMap<NodeId, u64>,
    /// The branches that restarted after a crash.
    reopened: BTreeSet<NodeId>,
    /// The number of payments sent and received on each channel.
    sent: BTreeMap<Way, u64>,
    received: BTreeMap<Way, u64>,
    cuts: BTreeMap<SnapshotId, Cut>,
}

/// One snapshot.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Cut {
    /// The recorded balances.
    states: BTreeMap<NodeId, u64>,
    /// The number of payments that each had sent and received when it recorded its state.
    sent: BTreeMap<Way, u64>,
    received: BTreeMap<Way, u64>,
    /// The recorded channels: the number of payments, and their sum.
    channels: BTreeMap<Way, (u64, u64)>,
    complete: BTreeSet<NodeId>,
}

impl<P: Process<Event = BankEvent>> volvox_core::History<P> for History {
    fn on_event(&mut self, node: NodeId, event: &BankEvent) {
        match event {
            Event::Application(bank::Event::Opened(balance)) => {
                if self.opened.insert(node, *balance).is_some() {
                    self.reopened.insert(node);
                }
            }
            Event::Application(bank::Event::Paid { to, .. }) => *self.sent.entry((node, *to)).or_default() += 1,
            Event::Application(bank::Event::Received { from, .. }) => {
                *self.received.entry((*from, node)).or_default() += 1
            }
            Event::State { snapshot, state } => {
                let cut = self.cuts.entry(*snapshot).or_default();
                cut.states.insert(node, state.balance());
                let of = |counts: &BTreeMap<Way, u64>, end: fn(&Way) -> NodeId| -> Vec<(Way, u64)> {
                    counts.iter().filter(|(way, _)| end(way) == node).map(|(way, count)| (*way, *count)).collect()
                };
                cut.sent.extend(of(&self.sent, |way| way.0));
                cut.received.extend(of(&self.received, |way| way.1));
            }
            Event::Channel { snapshot, from, messages } => {
                let held = (messages.len() as u64, messages.iter().map(|payment| payment.0).sum());
                self.cuts.entry(*snapshot).or_default().channels.insert((*from, node), held);
            }
            Event::Complete(snapshot) => drop(self.cuts.entry(*snapshot).or_default().complete.insert(node)),
        }
    }
}

impl History {
    /// The number of snapshots begun.
    pub fn begun(&self) -> usize {
        self.cuts.len()
    }

    /// Whether a branch crashed and restarted.
    pub fn has_reopened(&self, branch: NodeId) -> bool {
        self.reopened.contains(&branch)
    }

    /// The number of snapshots that are complete everywhere.
    pub fn complete(&self) -> usize {
        self.cuts.values().filter(|cut| self.is_complete(cut)).count()
    }

    /// The number of payments recorded as in transit, in all snapshots.
    pub fn under_way(&self) -> u64 {
        self.cuts.values().flat_map(|cut| cut.channels.values()).map(|(count, _)| count).sum()
    }

    fn is_complete(&self, cut: &Cut) -> bool {
        cut.complete.len() == self.opened.len()
    }
}

impl Cut {
    /// The channels of which both ends are recorded: sent and received at those moments.
    fn ways(&self) -> impl Iterator<Item = (Way, u64, u64)> + '_ {
        let ways: BTreeSet<Way> = self.sent.keys().chain(self.received.keys()).copied().collect();
        let count = |counts: &BTreeMap<Way, u64>, way: &Way| counts.get(way).copied().unwrap_or(0);
        ways.into_iter()
            .filter(|(from, to)| self.states.contains_key(from) && self.states.contains_key(to))
            .map(move |way| (way, count(&self.sent, &way), count(&self.received, &way)))
    }
}

/// The properties of snapshots of a bank, with or without a channel.
pub fn properties<P: Process<Event = BankEvent>>() -> Vec<Property<P, History>> {
    vec![
        Property {
            name: "consistent cut",
            source: "Chandy and Lamport 1985, section 2; ORD-08",
            when: When::Always,
            holds: consistent,
        },
        Property {
            name: "channel states",
            source: "Chandy and Lamport 1985, section 3.2",
            when: When::Always,
            holds: channels_recorded,
        },
        Property { name: "conservation", source: "ORD-09", when: When::Always, holds: total_conserved },
        Property { name: "termination", source: "ORD-09", when: When::AtEnd, holds: all_complete },
    ]
}

fn consistent<P>(picture: &Picture<'_, P, History>) -> Result<(), String> {
    for (snapshot, cut) in &picture.history.cuts {
        if let Some(((from, to), sent, received)) = cut.ways().find(|(_, sent, received)| received > sent) {
            return Err(format!(
                "in snapshot {snapshot}, {to} received {received} payments of {from}, which sent {sent}"
            ));
        }
    }
    Ok(())
}

/// The recorded state of a channel is what was in transit there, and no part of a snapshot is complete without it.
fn channels_recorded<P>(picture: &Picture<'_, P, History>) -> Result<(), String> {
    for (snapshot, cut) in &picture.history.cuts {
        for ((from, to), sent, received) in cut.ways() {
            let under_way = sent.saturating_sub(received);
            match cut.channels.get(&(from, to)) {
                Some((recorded, _)) if *recorded != under_way => {
                    return Err(format!(
                        "in snapshot {snapshot}, {under_way} payments are in transit from {from} to {to}, but {recorded} are recorded"
                    ));
                }
                None if cut.complete.contains(&to) => {
                    return Err(format!("in snapshot {snapshot}, {to} is complete without the channel from {from}"));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn total_conserved<P>(picture: &Picture<'_, P, History>) -> Result<(), String> {
    let total: u64 = picture.history.opened.values().sum();
    for (snapshot, cut) in picture.history.cuts.iter().filter(|(_, cut)| picture.history.is_complete(cut)) {
        let balances: u64 = cut.states.values().sum();
        let under_way: u64 = cut.channels.values().map(|(_, sum)| sum).sum();
        if balances + under_way != total {
            return Err(format!(
                "snapshot {snapshot} records {balances} in branches and {under_way} in transit, but the total is {total}"
            ));
        }
    }
    Ok(())
}

fn all_complete<P>(picture: &Picture<'_, P, History>) -> Result<(), String> {
    match picture.history.cuts.iter().find(|(_, cut)| !picture.history.is_complete(cut)) {
        None => Ok(()),
        Some((snapshot, cut)) => Err(format!(
            "snapshot {snapshot} is complete in {} of {} branches",
            cut.complete.len(),
            picture.history.opened.len()
        )),
    }
}
