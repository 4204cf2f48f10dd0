//! Summarises rows in which nothing is decided in one line.
//!
//! A row stays when it shows a mark that decides something, when what it receives was sent by such a row, when its message
//! is of a kind that is rare in this run, and when it belongs to the first round of its kind. So does the first message
//! that is lost on a link for each reason; the rest of the losses are counted.

use super::{Mark, Row};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use volvox_core::{Instant, NodeId};
use volvox_sim::Envelope;

/// This many rows in which nothing is decided are summarised in one line.
pub(super) const DULL_MIN: usize = 4;
/// This many rows after a fault or a command are never omitted.
const NEAR_NEWS: usize = 3;
/// Fewer rounds than these are not called rounds.
const ROUNDS_MIN: usize = 2;

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

    /// What names the round of a message, if it was sent to several.
    pub fn round(&self, message: usize) -> Option<usize> {
        self.of.get(&message).copied()
    }
}

/// The summary that replaces rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Messages by kind, received or lost, in the order in which they came.
    pub kinds: Vec<(String, usize)>,
    /// The lost of them, by reason.
    pub lost: Vec<(&'static str, usize)>,
    /// The nodes that sent to several at once, and the times.
    pub rounds: BTreeSet<(NodeId, Instant)>,
    /// Steps in which nothing was received.
    pub steps: usize,
}

impl LeftOut {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty() && self.steps == 0
    }

    /// Tells of both.
    pub fn add(&mut self, other: &LeftOut) {
        for (kind, count) in &other.kinds {
            count_in(&mut self.kinds, kind.clone(), *count);
        }
        for (why, count) in &other.lost {
            count_in(&mut self.lost, *why, *count);
        }
        self.rounds.extend(&other.rounds);
        self.steps += other.steps;
    }

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

fn count_in<K: PartialEq>(counts: &mut Vec<(K, usize)>, key: K, more: usize) {
    match counts.iter_mut().find(|(known, _)| *known == key) {
        Some((_, count)) => *count += more,
        None => counts.push((key, more)),
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some((node, _)), true) = (self.rounds.first(), self.rounds.len() >= ROUNDS_MIN) {
            write!(f, "{} rounds of ", self.rounds.len())?;
            match self.rounds.iter().all(|(other, _)| other == node) {
                true => write!(f, "{node}: ")?,
                false => write!(f, "several: ")?,
            }
        }
        let kinds: Vec<String> = self.kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        write!(f, "{}", kinds.join(", "))?;
        if kinds.is_empty() {
            write!(f, "{} {} like those before", self.steps, if self.steps == 1 { "step" } else { "steps" })?;
        }
        for (place, (why, count)) in self.lost.iter().enumerate() {
            write!(f, "{}{count} lost ({why})", if place == 0 { "; " } else { ", " })?;
        }
        Ok(())
    }
}

/// Joins rows in which nothing is decided.
pub(super) fn without_the_dull(
    rows: Vec<Row>,
    (messages, sent_at): (&[Envelope], &[Instant]),
    rounds: &Rounds,
) -> Vec<Row> {
    let mut seen_sent = BTreeSet::new();
    for step in rows.iter().flat_map(Row::steps) {
        if step.marks.iter().any(Mark::decides) {
            seen_sent.extend(step.sent.iter().copied());
        }
    }
    let firsts = firsts(messages, rounds);
    let mut frequency: BTreeMap<&str, usize> = BTreeMap::new();
    for message in messages {
        *frequency.entry(&message.kind).or_default() += 1;
    }
    let is_rare = |id: usize| frequency[messages[id].kind.as_str()] * 8 <= messages.len();
    let stays = |id: usize| seen_sent.contains(&id) || is_rare(id) || firsts.contains(&id);
    let mut known_losses = BTreeSet::new();
    let mut since_news = NEAR_NEWS;
    let mut is_dull = |row: &Row| match row {
        _ if is_near_news(row, &mut since_news) => false,
        Row::Step(step) => !step.marks.iter().any(Mark::decides) && step.received.is_none_or(|id| !stays(id)),
        Row::Lost { message, why, .. } => {
            let (from, to) = (messages[*message].from, messages[*message].to);
            !known_losses.insert((from, to, *why)) && !stays(*message)
        }
        Row::Together { .. } | Row::Bar { .. } | Row::Gap { .. } => false,
    };
    let mut kept = Vec::new();
    let mut dull: Vec<Row> = Vec::new();
    let leave_out = |dull: &mut Vec<Row>, kept: &mut Vec<Row>| {
        if dull.len() < DULL_MIN {
            return kept.append(dull);
        }
        let mut left_out = LeftOut::default();
        for row in dull.iter() {
            left_out.row(row, (messages, sent_at), rounds);
        }
        let (from, to) = (dull[0].at(), dull[dull.len() - 1].at());
        kept.push(Row::Gap { from, to, left_out });
        dull.clear();
    };
    for row in rows {
        if is_dull(&row) {
            dull.push(row);
        } else {
            leave_out(&mut dull, &mut kept);
            kept.push(row);
        }
    }
    leave_out(&mut dull, &mut kept);
    kept
}

/// Whether something comes from outside here, or came a few rows before: what follows from it stays.
fn is_near_news(row: &Row, since: &mut usize) -> bool {
    if super::routine::is_news(row) {
        *since = 0;
    } else {
        *since += 1;
    }
    *since <= NEAR_NEWS && !matches!(row, Row::Gap { .. })
}

/// The first message of each kind, with all that was sent in its round.
fn firsts(messages: &[Envelope], rounds: &Rounds) -> BTreeSet<usize> {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, message) in messages.iter().enumerate() {
        kinds.entry(&message.kind).or_insert(id);
    }
    let first_rounds: BTreeSet<usize> = kinds.values().filter_map(|id| rounds.round(*id)).collect();
    let in_a_first = |id: &usize| rounds.round(*id).is_some_and(|round| first_rounds.contains(&round));
    (0..messages.len()).filter(in_a_first).chain(kinds.values().copied()).collect()
}
