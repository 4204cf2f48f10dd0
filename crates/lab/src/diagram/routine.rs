//! A protocol at rest: steps that recur while nothing happens from outside.
//!
//! A circulating token, or a probe in every period, decides something in each step, but shows nothing new. After each
//! external event (a command, a fault, a crash, a violated property) a step is shown the first times that it occurs,
//! and later ones like it are summarised in one line until the next external event. So a fault is never folded away,
//! nor are its consequences.

use super::left_out::{DULL_MIN, LeftOut};
use super::rounds::Rounds;
use super::row::{Mark, Row, Step};
use std::collections::BTreeMap;
use volvox_core::Instant;
use volvox_sim::Envelope;

/// How often a step is shown after each external event.
const SHOWN: usize = 2;
/// Diagrams with more rows than this omit routine steps.
const ROWS_WITH_ROUTINE: usize = 100;

/// Rows without routine steps; if there are still more than `rows_max`, also without rows that are far from any new
/// event.
pub(super) fn without_routine(
    mut rows: Vec<Row>,
    messages: (&[Envelope], &[Instant]),
    rounds: &Rounds,
    rows_max: usize,
) -> Vec<Row> {
    if rows.len() > ROWS_WITH_ROUTINE {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        rows = leave_out(rows, messages, rounds, |row| {
            if is_news(row) {
                seen.clear();
                return false;
            }
            let Row::Step(step) = row else { return false };
            let times = seen.entry(likeness(step, messages.0)).or_default();
            *times += 1;
            *times > SHOWN
        });
    }
    if rows.len() > rows_max {
        let news = rows.iter().filter(|row| is_news(row)).count();
        // The first rows count as new.
        let near = (rows_max / (news + 1)).saturating_sub(2).max(4);
        let mut since = 0;
        rows = leave_out(rows, messages, rounds, |row| {
            since = if is_news(row) { 0 } else { since + 1 };
            since > near
        });
    }
    rows
}

/// Whether the row has an input from outside, or a violation.
pub(super) fn is_news(row: &Row) -> bool {
    let is_outside =
        |mark: &Mark| matches!(mark, Mark::Started | Mark::Stopped | Mark::Paused | Mark::Resumed | Mark::Command(_));
    matches!(row, Row::Bar { .. }) || row.steps().iter().any(|step| step.marks.iter().any(is_outside))
}

/// The form of a step, which is equal for steps that differ only in their numbers.
fn likeness(step: &Step, messages: &[Envelope]) -> String {
    let mut likeness = format!("{} ", step.node);
    if let Some(id) = step.received {
        likeness += &format!("{} {} ", messages[id].from, messages[id].kind);
    }
    for id in &step.sent {
        likeness += &format!("{} {} ", messages[*id].to, messages[*id].kind);
    }
    for mark in &step.marks {
        let text = match mark {
            Mark::Timer(text) | Mark::Event(text) | Mark::State(text) | Mark::Record(text) => text.as_str(),
            _ => "",
        };
        for letter in text.chars() {
            match letter.is_ascii_digit() {
                true if likeness.ends_with('#') => {}
                true => likeness.push('#'),
                false => likeness.push(letter),
            }
        }
        likeness.push('/');
    }
    likeness
}

fn leave_out(
    rows: Vec<Row>,
    messages: (&[Envelope], &[Instant]),
    rounds: &Rounds,
    mut goes: impl FnMut(&Row) -> bool,
) -> Vec<Row> {
    let mut kept = Vec::new();
    let mut gone: Vec<Row> = Vec::new();
    let close = |gone: &mut Vec<Row>, kept: &mut Vec<Row>| {
        if gone.len() < DULL_MIN {
            return kept.append(gone);
        }
        let mut left_out = LeftOut::default();
        gone.iter().for_each(|row| left_out.row(row, messages, rounds));
        let (from, to) = (gone[0].at(), gone[gone.len() - 1].at());
        kept.push(Row::Gap { from, to, left_out });
        gone.clear();
    };
    for row in rows {
        if goes(&row) {
            gone.push(row);
        } else {
            close(&mut gone, &mut kept);
            kept.push(row);
        }
    }
    close(&mut gone, &mut kept);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use volvox_core::NodeId;

    fn step(at: u64, node: u64, marks: Vec<Mark>) -> Row {
        let step = Step { at: Instant(at), node: NodeId(node), received: None, marks, sent: Vec::new() };
        Row::Step(step)
    }

    fn folded(rows: Vec<Row>) -> Vec<Row> {
        without_routine(rows, (&[], &[]), &Rounds::default(), 400)
    }

    #[test]
    fn a_step_that_comes_again_is_told_in_one_line_until_there_is_news() {
        let mut rows: Vec<Row> =
            (0..200).map(|turn| step(turn, 1 + turn % 3, vec![Mark::Event(format!("holds {turn}"))])).collect();
        rows.push(step(200, 2, vec![Mark::Stopped]));
        rows.extend((201..260).map(|turn| step(turn, 1, vec![Mark::Event(format!("holds {turn}"))])));
        let kept = folded(rows);
        let shown: Vec<u64> = kept.iter().filter(|row| matches!(row, Row::Step(_))).map(|row| row.at().0).collect();
        // Twice at each node; the crash starts over.
        assert_eq!(shown[..6], [0, 1, 2, 3, 4, 5]);
        assert!(shown.contains(&200) && shown.contains(&201) && shown.contains(&202) && !shown.contains(&203));
        assert!(matches!(kept.last(), Some(Row::Gap { from: Instant(203), to: Instant(259), .. })), "{kept:?}");
    }

    #[test]
    fn where_too_much_is_new_what_is_near_to_the_news_stays() {
        let text = |turn: u64| "x".repeat(1 + turn as usize % 997);
        let mut rows: Vec<Row> = (0..900).map(|turn| step(turn, 1, vec![Mark::Event(text(turn))])).collect();
        rows.push(step(900, 1, vec![Mark::Stopped]));
        rows.push(step(901, 2, vec![Mark::Event("alone".to_string())]));
        let kept = folded(rows);
        assert!(kept.len() <= 400, "{}", kept.len());
        assert!(kept.iter().any(|row| row.at() == Instant(900)) && kept.iter().any(|row| row.at() == Instant(901)));
    }
}
