//! Summarises rows without a decision in one line.
//!
//! A row stays if it shows a mark that decides something, if its message was sent by such a row, if its message is of a
//! kind that is rare in this run, or if it belongs to the first round of its kind. So does the first message that is
//! lost on a link for each reason; the rest of the losses are counted.

use super::left_out::{DULL_MIN, LeftOut};
use super::rounds::Rounds;
use super::routine::is_news;
use super::row::{Mark, Row};
use std::collections::{BTreeMap, BTreeSet};
use volvox_core::Instant;
use volvox_sim::Envelope;

/// This many rows after a fault or a command are never omitted.
const NEAR_NEWS: usize = 3;
/// Joins rows without a decision.
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

/// Whether an input from outside comes here, or came a few rows before: its consequences stay.
fn is_near_news(row: &Row, since: &mut usize) -> bool {
    if is_news(row) {
        *since = 0;
    } else {
        *since += 1;
    }
    *since <= NEAR_NEWS && !matches!(row, Row::Gap { .. })
}

/// The first message of each kind, with all messages of its round.
fn firsts(messages: &[Envelope], rounds: &Rounds) -> BTreeSet<usize> {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, message) in messages.iter().enumerate() {
        kinds.entry(&message.kind).or_insert(id);
    }
    let first_rounds: BTreeSet<usize> = kinds.values().filter_map(|id| rounds.round(*id)).collect();
    let in_a_first = |id: &usize| rounds.round(*id).is_some_and(|round| first_rounds.contains(&round));
    (0..messages.len()).filter(in_a_first).chain(kinds.values().copied()).collect()
}
