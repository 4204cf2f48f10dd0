//! Rounds: the messages that one step of a node sends to several.

use super::left_out::{LeftOut, count_in};
use super::row::Row;
use std::collections::BTreeMap;
use volvox_core::Instant;
use volvox_sim::Envelope;

/// The messages that one step of a node sent to several, of one kind.
#[derive(Default)]
pub(super) struct Rounds {
    /// The first message of the round to which a message belongs.
    of: BTreeMap<usize, usize>,
}

impl Rounds {
    /// Statistics of all rows, before any is omitted.
    pub fn of(rows: &[Row], messages: &[Envelope]) -> Rounds {
        let mut of = BTreeMap::new();
        for step in rows.iter().flat_map(Row::steps) {
            let mut kinds: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
            for id in &step.sent {
                kinds.entry(&messages[*id].kind).or_default().push(*id);
            }
            let to_several = |ids: &&Vec<usize>| ids.iter().any(|id| messages[*id].to != messages[ids[0]].to);
            for ids in kinds.values().filter(to_several) {
                of.extend(ids.iter().map(|id| (*id, ids[0])));
            }
        }
        Rounds { of }
    }

    /// The key of a message's round, if it was sent to several nodes.
    pub fn round(&self, message: usize) -> Option<usize> {
        self.of.get(&message).copied()
    }
}

impl LeftOut {
    /// Counts what a row shows.
    pub(super) fn row(&mut self, row: &Row, (messages, sent_at): (&[Envelope], &[Instant]), rounds: &Rounds) {
        if let Row::Lost { why, .. } = row {
            count_in(&mut self.lost, *why, 1);
        }
        if let Row::Gap { left_out, .. } = row {
            self.add(left_out);
        }
        self.steps += row.steps().iter().filter(|step| step.received.is_none()).count();
        let lost = if let Row::Lost { message, .. } = row { Some(*message) } else { None };
        for id in row.steps().iter().filter_map(|step| step.received).chain(lost) {
            count_in(&mut self.kinds, messages[id].kind.clone(), 1);
            if rounds.round(id).is_some() {
                self.rounds.insert((messages[id].from, sent_at[id]));
            }
        }
    }
}
