//! Nodes: their lines of life, what they are, and what happens at them.

use super::{BAD, BOLD, GOOD, LEFT, LETTER, Picture, STATES_MAX, TOP, escaped};
use crate::diagram::{Mark, Row, Step};
use std::fmt::Write;

impl Picture<'_> {
    /// The line of each node: coloured by what the node is, broken while it is down.
    pub(super) fn lives(&mut self) {
        for (column, node) in self.diagram.nodes.iter().enumerate() {
            let x = self.x(column);
            let _ = write!(
                self.text,
                "<text x=\"{x:.1}\" y=\"{:.1}\" font-size=\"24\" font-weight=\"bold\" text-anchor=\"middle\">{node}</text>",
                TOP - 22.0
            );
            let (mut from, mut is_down, mut state) = (TOP - 10.0, false, String::new());
            for (place, row) in self.diagram.rows.iter().enumerate() {
                let marks = row.steps().iter().filter(|step| step.node == *node).flat_map(|step| &step.marks);
                let (mut next_down, mut next_state) = (is_down, state.clone());
                for mark in marks {
                    match mark {
                        Mark::Stopped => (next_down, next_state) = (true, String::new()),
                        Mark::Started => next_down = false,
                        Mark::State(text) => next_state.clone_from(text),
                        _ => {}
                    }
                }
                if (next_down, &next_state) != (is_down, &state) {
                    self.life(x, from, self.ys[place], is_down, &state);
                    (from, is_down, state) = (self.ys[place], next_down, next_state);
                }
            }
            self.life(x, from, self.bottom - 36.0, is_down, &state);
        }
    }

    fn life(&mut self, x: f64, from: f64, to: f64, is_down: bool, state: &str) {
        let style = if is_down { "stroke=\"#b0b0b0\" stroke-dasharray=\"3 7\"" } else { "stroke=\"#303030\"" };
        let _ = write!(
            self.lines,
            "<line x1=\"{x:.1}\" y1=\"{from:.1}\" x2=\"{x:.1}\" y2=\"{to:.1}\" {style} stroke-width=\"2\"/>"
        );
        // `leader t3` has the colour of `leader`; what is only a number has none.
        let is_word = |word: &&str| word.chars().all(|letter| letter.is_alphabetic() || letter == '-');
        if let Some(word) = state.split_whitespace().next().filter(is_word) {
            let place = match self.states.iter().position(|known| known == word) {
                Some(place) => place,
                None if self.states.len() >= STATES_MAX => return,
                None => {
                    self.states.push(word.to_string());
                    self.states.len() - 1
                }
            };
            let _ = write!(
                self.lines,
                "<rect x=\"{:.1}\" y=\"{from:.1}\" width=\"10\" height=\"{:.1}\" fill=\"{}\" fill-opacity=\"0.45\"/>",
                x - 5.0,
                to - from,
                state_colour(place)
            );
        }
    }

    /// Shades the time in which the network is cut.
    pub(super) fn partitions(&mut self) {
        let mut from: Option<f64> = None;
        let end = self.bottom - 36.0;
        for (place, row) in self.diagram.rows.iter().enumerate() {
            let Row::Bar { text, .. } = row else { continue };
            if text.starts_with("partition") {
                from.get_or_insert(self.ys[place]);
            } else if (text == "heal" || text == "everything heals")
                && let Some(from) = from.take()
            {
                self.band(from, self.ys[place]);
            }
        }
        if let Some(from) = from {
            self.band(from, end);
        }
    }

    fn band(&mut self, from: f64, to: f64) {
        let _ = write!(
            self.bands,
            "<rect x=\"{:.1}\" y=\"{from:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{BAD}\" fill-opacity=\"0.06\"/>",
            LEFT,
            self.right() - LEFT,
            to - from
        );
    }

    pub(super) fn marks(&mut self, step: &Step, y: f64) {
        let Some(column) = self.diagram.column(step.node) else { return };
        let x = self.x(column);
        for mark in &step.marks {
            let shape = match mark {
                Mark::Command(_) => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"6\" fill=\"#000\"/>"),
                Mark::Event(_) => {
                    format!("<path d=\"M{x:.1} {:.1} l7 7 l-7 7 l-7 -7 z\" fill=\"{GOOD}\" stroke=\"#fff\"/>", y - 7.0)
                }
                Mark::Stopped => format!(
                    "<path d=\"M{:.1} {:.1} l18 18 m0 -18 l-18 18\" stroke=\"{BAD}\" stroke-width=\"5\" fill=\"none\"/>",
                    x - 9.0,
                    y - 9.0
                ),
                Mark::Started => format!("<path d=\"M{x:.1} {:.1} l9 15 l-18 0 z\" fill=\"{GOOD}\"/>", y - 9.0),
                Mark::Paused | Mark::Resumed => format!(
                    "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"14\" height=\"6\" fill=\"#fff\" stroke=\"{BAD}\" stroke-width=\"2\"/>",
                    x - 7.0,
                    y - 3.0
                ),
                _ => continue,
            };
            self.text += &shape;
        }
        // An arrow that comes from the right wants the room on the right.
        let sender = step.received.and_then(|id| self.diagram.column(self.diagram.messages[id].from));
        let is_left = sender.is_some_and(|sender| sender > column) && column > 0;
        let below = if sender.is_some_and(|sender| sender > column) && column == 0 { 15.0 } else { 0.0 };
        for (number, line) in self.lines_of(step).into_iter().enumerate() {
            let y = y + 5.0 + below + 18.0 * number as f64;
            let length: usize = line.iter().map(|(text, _)| text.chars().count() + 1).sum();
            let half = length as f64 * LETTER / 2.0;
            let (x, anchor, middle) =
                if is_left { (x - 13.0, "end", x - 13.0 - half) } else { (x + 13.0, "start", x + 13.0 + half) };
            let mut x = x;
            let ordered: Vec<_> = if is_left { line.iter().rev().collect() } else { line.iter().collect() };
            for (text, style) in ordered {
                let _ = write!(
                    self.text,
                    "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" class=\"mark\" {style}>{}</text>",
                    escaped(text)
                );
                let letter = if style.contains("bold") { BOLD } else { LETTER };
                let width = letter * text.chars().count() as f64 + 6.0;
                x += if is_left { -width } else { width };
            }
            self.taken.push((middle, y - 5.0, half, 9.0));
        }
    }
}

pub(super) fn state_colour(place: usize) -> &'static str {
    const STATES: [&str; STATES_MAX] = ["#e69f00", "#009e73", "#56b4e9", "#cc79a7", "#f0e442", "#999999"];
    STATES[place % STATES.len()]
}
