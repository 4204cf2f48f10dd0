//! Joins rows that belong together in one line.
//!
//! The messages of one step to several nodes are one line with an arrow to each of them; so are the answers that a node
//! receives one after the other, and equal events of several nodes without a message. This omits nothing: every arrow
//! and every mark is drawn.
//!
//! ```text
//!   a  |---- Vote --->|              |          a  |---- Vote --->+---- Vote --->|
//!   b  |---- Vote ----+------------->|
//! ```
//! A row moves past another only if neither is at the node of the other, and neither receives the other's message. Such
//! rows could have happened in either order without any node noticing (Lamport 1978), so the causal order is drawn
//! correctly: only the time is that of one of them. Nothing moves past a fault, and nothing moves far.

use super::rounds::Rounds;
use super::{Mark, Row, Step};
use volvox_core::{Duration, Instant};
use volvox_sim::Envelope;

/// How many rows ahead a partner is searched for.
const ROWS_AHEAD: usize = 64;
/// A row moves this many times as far as the median message is in flight.
const DELAYS_MAX: u32 = 2;

/// The common part of two rows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bond {
    /// Both receive messages of one step.
    Broadcast,
    /// Both are at one node, and receive one kind of message from different nodes.
    Answers,
    /// Different nodes emit the same event.
    Chorus,
}

/// Joins rows, and returns how many now share a line.
pub(super) fn together(rows: &mut Vec<Row>, (messages, sent_at): (&[Envelope], &[Instant]), rounds: &Rounds) -> usize {
    let reach = median_delay(rows, sent_at) * DELAYS_MAX;
    let folding = Folding { messages, sent_at, rounds, reach };
    for bond in [Bond::Broadcast, Bond::Answers, Bond::Chorus] {
        folding.pass(rows, bond);
    }
    rows.iter().map(|row| if let Row::Together { steps, .. } = row { steps.len() } else { 0 }).sum()
}

fn median_delay(rows: &[Row], sent_at: &[Instant]) -> Duration {
    let received = rows.iter().flat_map(Row::steps).filter_map(|step| Some((step.at, sent_at[step.received?])));
    let mut delays: Vec<Duration> = received.map(|(at, sent)| at.since(sent)).collect();
    delays.sort_unstable();
    delays.get(delays.len() / 2).copied().unwrap_or_default()
}

struct Folding<'a> {
    messages: &'a [Envelope],
    sent_at: &'a [Instant],
    rounds: &'a Rounds,
    reach: Duration,
}

impl Folding<'_> {
    fn pass(&self, rows: &mut Vec<Row>, bond: Bond) {
        let mut place = 0;
        while place < rows.len() {
            match self.partner(rows, place, bond) {
                Some((other, is_earlier)) => {
                    let partner = rows.remove(other);
                    let at = if is_earlier { rows[place].at() } else { partner.at() };
                    let mut steps = rows[place].steps().to_vec();
                    steps.extend_from_slice(partner.steps());
                    let joined = Row::Together { at, steps };
                    if is_earlier {
                        rows[place] = joined;
                    } else {
                        rows.insert(other, joined);
                        rows.remove(place);
                    }
                }
                None => place += 1,
            }
        }
    }

    /// The next row that shares a line with this one, and whether it moves up or this one moves down.
    fn partner(&self, rows: &[Row], place: usize, bond: Bond) -> Option<(usize, bool)> {
        let first = rows[place].steps();
        if first.is_empty() || !first.iter().all(may_move) {
            return None;
        }
        for other in place + 1..rows.len().min(place + 1 + ROWS_AHEAD) {
            let row = &rows[other];
            let is_far = row.at().since(rows[place].at()) > self.reach;
            if is_far || matches!(row, Row::Bar { .. } | Row::Gap { .. }) {
                return None;
            }
            let between = &rows[place + 1..other];
            if let Row::Step(step) = row
                && may_move(step)
                && self.is_bound(first, step, bond)
            {
                if self.moves_up(step, between, rows[place].at()) {
                    return Some((other, true));
                }
                if bond == Bond::Answers && first.iter().all(|step| self.moves_down(step, between)) {
                    return Some((other, false));
                }
            }
            // Answers are in one line if nothing comes between them.
            if bond == Bond::Answers && row.steps().iter().any(|step| step.node == first[0].node) {
                return None;
            }
        }
        None
    }

    fn is_bound(&self, first: &[Step], next: &Step, bond: Bond) -> bool {
        let round = |step: &Step| step.received.and_then(|id| self.rounds.round(id));
        let sender = |step: &Step| step.received.map(|id| (self.messages[id].from, &self.messages[id].kind));
        let (lead, nodes_differ) = (&first[0], first.iter().all(|step| step.node != next.node));
        match bond {
            Bond::Broadcast => {
                nodes_differ && round(lead).is_some() && first.iter().all(|step| round(step) == round(next))
            }
            Bond::Answers => {
                let (Some((_, kind)), Some((from, other_kind))) = (sender(lead), sender(next)) else { return false };
                let is_one_node = first.iter().all(|step| step.node == next.node);
                let senders_differ = first.iter().all(|step| sender(step).is_some_and(|(other, _)| other != from));
                is_one_node && senders_differ && kind == other_kind
            }
            Bond::Chorus => {
                let tells = |step: &Step| step.received.is_none() && !step.marks.is_empty();
                nodes_differ && tells(lead) && tells(next) && lead.marks == next.marks
            }
        }
    }

    /// Whether no node could tell if the step had happened before these.
    fn moves_up(&self, step: &Step, between: &[Row], to: Instant) -> bool {
        let is_sent = step.received.is_none_or(|id| self.sent_at[id] <= to);
        is_sent
            && between
                .iter()
                .flat_map(Row::steps)
                .all(|other| other.node != step.node && step.received.is_none_or(|id| !other.sent.contains(&id)))
    }

    /// Whether no node could tell if the step had happened after these.
    fn moves_down(&self, step: &Step, between: &[Row]) -> bool {
        between.iter().all(|row| match row {
            Row::Lost { message, .. } => !step.sent.contains(message),
            row => row
                .steps()
                .iter()
                .all(|other| other.node != step.node && other.received.is_none_or(|id| !step.sent.contains(&id))),
        })
    }
}

/// Commands, starts and crashes keep their own time.
fn may_move(step: &Step) -> bool {
    let is_fixed =
        |mark: &Mark| matches!(mark, Mark::Started | Mark::Stopped | Mark::Paused | Mark::Resumed | Mark::Command(_));
    !step.marks.iter().any(is_fixed)
}

#[cfg(test)]
mod tests {
    use super::super::{Diagram, Heading, Paper, View, terminal};
    use super::*;
    use volvox_core::NodeId;
    use volvox_sim::{Moment, Recording, What};

    /// A run made by hand: times are in milliseconds.
    #[derive(Default)]
    struct Run(Recording);

    impl Run {
        fn moment(&mut self, at: u64, node: u64, what: What) {
            self.0.moments.push(Moment { at: Instant(at * 1_000_000), node: NodeId(node), what });
        }

        fn sends(&mut self, at: u64, from: u64, to: &[u64], text: &str) -> Vec<usize> {
            let begin = self.0.messages.len();
            for to in to {
                let kind = text.split(' ').next().unwrap_or_default().to_string();
                let text = text.to_string();
                let carried = Some(text.clone());
                let envelope = Envelope { from: NodeId(from), to: NodeId(*to), kind, text, carried, is_copy: false };
                self.0.messages.push(envelope);
                self.moment(at, from, What::Sent(self.0.messages.len() - 1));
            }
            (begin..self.0.messages.len()).collect()
        }

        fn receives(&mut self, at: u64, message: usize) {
            let to = self.0.messages[message].to.0;
            self.moment(at, to, What::Delivered(message));
        }

        fn tells(&mut self, at: u64, node: u64, text: &str) {
            self.moment(at, node, What::Event(text.to_string()));
        }

        /// The rows, folded, and how many steps share lines.
        fn folded(&self) -> (Vec<Row>, usize) {
            let mut rows = super::super::moments::rows_of(&self.0);
            let rounds = Rounds::of(&rows, &self.0.messages);
            let sent_at = self.sent_at();
            let shared = together(&mut rows, (&self.0.messages, &sent_at), &rounds);
            (rows, shared)
        }

        fn sent_at(&self) -> Vec<Instant> {
            let sent = |id| self.0.moments.iter().find(|moment| moment.what == What::Sent(id)).map(|moment| moment.at);
            (0..self.0.messages.len()).map(|id| sent(id).unwrap_or_default()).collect()
        }

        fn drawn(&self, columns: usize) -> String {
            let nodes = (1..=4).map(NodeId).collect();
            let heading = Heading { title: "by hand".to_string(), nodes, ..Heading::default() };
            let diagram = Diagram::from_recording(heading, &self.0, &View::PROTOCOL);
            terminal(&diagram, Paper { columns, is_coloured: false })
        }
    }

    /// The number of steps in each line with several.
    fn shared(rows: &[Row]) -> Vec<usize> {
        rows.iter()
            .filter_map(|row| if let Row::Together { steps, .. } = row { Some(steps.len()) } else { None })
            .collect()
    }

    /// n1 asks all, and all answer; each node that is asked emits an event.
    fn round(run: &mut Run, at: u64) {
        let asked = run.sends(at, 1, &[2, 3, 4], "Ask");
        let mut answers = Vec::new();
        for (place, id) in asked.into_iter().enumerate() {
            let (at, node) = (at + 5 + place as u64, place as u64 + 2);
            run.receives(at, id);
            run.tells(at, node, "asked");
            answers.extend(run.sends(at, node, &[1], "Answer yes"));
        }
        for (place, id) in answers.into_iter().enumerate() {
            run.receives(at + 11 + place as u64, id);
        }
    }

    #[test]
    fn a_broadcast_is_one_line_and_so_are_its_answers() {
        let mut run = Run::default();
        round(&mut run, 10);
        let (rows, steps) = run.folded();
        assert_eq!((shared(&rows), steps, rows.len()), (vec![3, 3], 6, 3), "{rows:?}");
        assert!(rows[1].steps().iter().all(|step| step.marks == [Mark::Event("asked".to_string())]));
    }

    #[test]
    fn what_a_node_did_in_between_keeps_its_place() {
        let mut run = Run::default();
        let asked = run.sends(10, 1, &[2, 3], "Ask");
        run.receives(15, asked[0]);
        run.tells(16, 3, "busy");
        run.receives(17, asked[1]);
        assert_eq!(shared(&run.folded().0), [0; 0], "n3 told that it was busy before it was asked");
    }

    #[test]
    fn nothing_moves_past_a_fault_or_far() {
        let mut run = Run::default();
        let asked = run.sends(10, 1, &[2, 3, 4], "Ask");
        run.receives(15, asked[0]);
        run.moment(16, 0, What::Fault("crash 2".parse().expect("a fault")));
        run.receives(17, asked[1]);
        run.receives(200, asked[2]);
        assert_eq!(shared(&run.folded().0), [0; 0]);
    }

    #[test]
    fn an_answer_that_made_something_happen_is_not_told_after_it() {
        let mut run = Run::default();
        let asked = run.sends(10, 1, &[2, 3], "Ask");
        run.receives(15, asked[0]);
        let first = run.sends(15, 2, &[1], "Answer");
        run.receives(20, first[0]);
        let thanks = run.sends(20, 1, &[3], "Thanks");
        run.receives(21, asked[1]);
        run.receives(24, thanks[0]);
        let second = run.sends(24, 3, &[1], "Answer");
        run.receives(25, second[0]);
        let (rows, _) = run.folded();
        let answers = rows.iter().flat_map(Row::steps).filter(|step| step.node == NodeId(1) && step.received.is_some());
        assert_eq!(answers.count(), 2);
        assert_eq!(shared(&rows), [2], "the question only: {rows:?}");
    }

    #[test]
    fn a_loss_and_a_crash_have_lines_of_their_own() {
        let mut run = Run::default();
        let asked = run.sends(10, 1, &[2, 3, 4], "Ask");
        run.receives(15, asked[0]);
        run.moment(16, 3, What::Stopped);
        run.moment(17, 3, What::Lost(asked[1], "down"));
        run.receives(18, asked[2]);
        let (rows, _) = run.folded();
        assert_eq!(shared(&rows), [2]);
        assert!(rows.iter().any(|row| matches!(row, Row::Lost { why: "down", .. })));
        assert!(rows.iter().any(|row| matches!(row, Row::Step(step) if step.marks == [Mark::Stopped])));
    }

    #[test]
    fn a_long_run_is_drawn_short_within_its_paper_and_always_alike() {
        let mut run = Run::default();
        for turn in 0..12 {
            round(&mut run, 10 + 100 * turn);
        }
        for columns in [44, 60, 100, 160] {
            let text = run.drawn(columns);
            assert_eq!(text, run.drawn(columns));
            assert!(text.lines().all(|line| line.chars().count() <= columns), "{text}");
        }
        let text = run.drawn(100);
        assert!(text.lines().any(|line| line.matches('▼').count() == 3), "three arrows in one line:\n{text}");
        assert!(text.contains('┴') && text.contains('┘'), "the answers run together:\n{text}");
        assert_eq!(text.matches("◆ asked").count(), 36, "every mark is drawn:\n{text}");
        assert!(text.contains("the moments of 72 steps that share lines"), "{text}");
    }

    #[test]
    fn rounds_in_which_nothing_is_decided_are_counted_but_the_first_is_drawn() {
        let mut run = Run::default();
        for turn in 0..20 {
            let beats = run.sends(100 * turn, 1, &[2, 3, 4], "Beat");
            run.receives(100 * turn + 5, beats[0]);
            run.receives(100 * turn + 6, beats[1]);
            run.moment(100 * turn + 7, 4, What::Lost(beats[2], "down"));
        }
        let text = run.drawn(100);
        assert!(text.contains("19 rounds of n1: 57 Beat; 19 lost (down)"), "{text}");
        assert!(text.contains('▼') && text.contains('✗'), "the first is drawn:\n{text}");
    }
}
