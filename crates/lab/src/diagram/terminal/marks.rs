//! What happens at a node: marks on its line of life, and beside it.

use super::sheet::{Ink, Life, Sheet};
use super::{LINES_MAX, WORDS_MIN};
use crate::diagram::{Mark, Step, fitted, lines_of_text};
use volvox_core::Instant;

impl Sheet<'_> {
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

    /// Marks of several nodes, side by side; what does not fit goes to the lines below.
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
            let room = (self.width - 1).saturating_sub(used);
            let length = text.chars().count();
            if used > 0 && length > room {
                return;
            }
            // The first mark of a line stands on the line of life, the others beside it.
            let at = if used == 0 && is_symbol(text) { x } else { x + 1 + used.max(1) };
            let text = fitted(text, self.width.saturating_sub(1 + at - x));
            used = at - x + text.chars().count();
            self.put(at, &text, *ink);
            marks.remove(0);
        }
    }

    /// What is seen of a step beside the message that it received.
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
                Mark::Resumed => ("│ goes on".to_string(), Ink::Yellow),
                Mark::Command(text) => (format!("● {text}"), Ink::Cyan),
                Mark::Timer(text) if shows_timer => (format!("◷ {text}"), Ink::Dim),
                Mark::Timer(_) => continue,
                Mark::Event(text) => (format!("◆ {text}"), Ink::Green),
                Mark::State(text) if text.is_empty() => ("[-]".to_string(), Ink::Magenta),
                Mark::State(text) => (format!("[{text}]"), Ink::Magenta),
                Mark::Record(text) => (format!("▪ {text}"), Ink::Yellow),
                Mark::Note(text) => (format!("({text})"), Ink::Dim),
            };
            let room = self.width.saturating_sub(3);
            match mark {
                Mark::Command(_) | Mark::Event(_) if room >= WORDS_MIN => {
                    marks.extend(lines_of_text(&text, room, LINES_MAX).into_iter().map(|line| (line, ink)));
                }
                _ => marks.push((text, ink)),
            }
        }
        marks
    }

    /// Marks to the right of a line of life at which an arrow ends.
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

fn is_symbol(text: &str) -> bool {
    text.starts_with(['●', '◷', '◆', '✖', '▲', '◌', '▪', '│'])
}
