//! Marks on the lifeline of a node, and beside it.

use super::LINES_MAX;
use super::sheet::{Ink, Life, Sheet, is_symbol};
use crate::diagram::{Mark, Step, lines_of_text};
use volvox_core::Instant;

impl Sheet<'_> {
    /// The states of nodes before the first row, where a diagram begins within a run.
    pub(super) fn begin_states(&mut self, shown: &mut Option<Instant>) {
        let Some(first) = self.diagram.rows.first() else { return };
        let begins = self.diagram.begin.iter().enumerate().filter(|(_, begin)| !begin.state.is_empty());
        let marks = begins.map(|(column, begin)| (column, vec![(format!("[{}]", begin.state), Ink::Magenta)]));
        let marks: Vec<_> = marks.collect();
        self.marks(first.at(), marks, shown, false);
    }

    pub(super) fn steps(&mut self, steps: &[&Step], shown: &mut Option<Instant>) {
        if let [step] = steps
            && let Some(message) = step.received
        {
            return self.receipt(step, message, shown);
        }
        let marks: Vec<(usize, Vec<(String, Ink)>)> = steps
            .iter()
            .filter_map(|step| Some((self.diagram.column(step.node)?, self.marks_of(step))))
            .filter(|(_, marks)| !marks.is_empty())
            .collect();
        self.marks(steps[0].at, marks, shown, false);
    }

    /// Marks of several nodes, side by side; the rest goes to the lines below.
    pub(super) fn marks(
        &mut self,
        at: Instant,
        mut marks: Vec<(usize, Vec<(String, Ink)>)>,
        shown: &mut Option<Instant>,
        is_begun: bool,
    ) {
        let mut is_begun = is_begun;
        while marks.iter().any(|(_, marks)| !marks.is_empty()) {
            if !std::mem::take(&mut is_begun) {
                // A mark wider than its column has its own line.
                let width = self.width;
                let is_wide = |(text, _): &(String, Ink)| offset(text) + text.chars().count() > width - 1;
                if let Some((column, marks)) = marks.iter_mut().find(|(_, marks)| marks.first().is_some_and(&is_wide)) {
                    let (text, ink) = marks.remove(0);
                    let column = *column;
                    self.wide(at, shown, column, &text, ink);
                    continue;
                }
                self.begin(at, shown);
            }
            for (column, marks) in &mut marks {
                self.cell(*column, marks);
            }
            self.end();
        }
    }

    /// As many marks as fit beside the line of a node.
    fn cell(&mut self, column: usize, marks: &mut Vec<(String, Ink)>) {
        let x = self.x(column);
        let mut used = 0;
        while let Some((text, ink)) = marks.first() {
            let length = text.chars().count();
            // The first mark of a line is on the lifeline, the others beside it.
            let at = if used == 0 { offset(text) } else { (used + 1).max(2) };
            if at + length > self.width - 1 {
                // A mark that does not fit waits for a line of its own.
                return;
            }
            self.put(x + at, &text.clone(), *ink);
            used = at + length;
            marks.remove(0);
        }
    }

    /// The marks of a step besides the message that it received.
    pub(super) fn marks_of(&mut self, step: &Step) -> Vec<(String, Ink)> {
        let place = self.diagram.column(step.node);
        let shows_timer = step.marks.iter().any(Mark::decides) || !step.sent.is_empty();
        let mut marks = Vec::new();
        for mark in &step.marks {
            let life = match mark {
                Mark::Stopped => Some(Life::Down),
                Mark::Started | Mark::Resumed => Some(Life::Up),
                Mark::Paused => Some(Life::Paused),
                _ => None,
            };
            if let (Some(life), Some(place)) = (life, place) {
                self.lives[place] = life;
            }
            let (text, ink) = match mark {
                Mark::Started => ("▲ starts again".to_string(), Ink::Green),
                Mark::Stopped => ("✖ crashed".to_string(), Ink::Red),
                Mark::Paused => ("◌ paused".to_string(), Ink::Yellow),
                Mark::Resumed => ("│ resumes".to_string(), Ink::Yellow),
                Mark::Command(text) => (format!("● {text}"), Ink::Cyan),
                Mark::Timer(text) if shows_timer => (format!("◷ {text}"), Ink::Dim),
                Mark::Timer(_) => continue,
                Mark::Event(text) => (format!("◆ {text}"), Ink::Green),
                Mark::State(text) if text.is_empty() => ("[-]".to_string(), Ink::Magenta),
                Mark::State(text) => (format!("[{text}]"), Ink::Magenta),
                Mark::Record(text) => (format!("▪ {text}"), Ink::Yellow),
                Mark::Note(text) => (format!("({text})"), Ink::Dim),
            };
            // Lines after the first are beside the lifeline.
            match lines_of_text(&text, self.width.saturating_sub(3), LINES_MAX) {
                Some(lines) => marks.extend(lines.into_iter().map(|line| (line, ink))),
                None => marks.push((text, ink)),
            }
        }
        marks
    }

    /// Marks to the right of a lifeline at which an arrow ends.
    pub(super) fn beside(&mut self, column: usize, marks: &mut Vec<(String, Ink)>) {
        let mut x = self.x(column) + 2;
        let end = self.x(column) + self.width;
        while let Some((text, ink)) = marks.first() {
            let length = text.chars().count();
            if x + length >= end {
                return;
            }
            self.put(x, &text.clone(), *ink);
            x += length + 1;
            marks.remove(0);
        }
    }
}

/// The distance of a line's first mark from the lifeline.
fn offset(text: &str) -> usize {
    if is_symbol(text) { 0 } else { 2 }
}
