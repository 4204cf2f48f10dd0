//! Nodes: their heads and lifelines.

use super::space::{Area, Face, PLAIN, width_of};
use super::{BAD, LEFT, Picture, QUIET, STATES_MAX, escaped};
use crate::diagram::{Mark, Row};
use std::fmt::Write;

impl Picture<'_> {
    /// The lifeline of each node: coloured by its state, broken while it is down.
    pub(super) fn lives(&mut self) {
        for (column, node) in self.diagram.nodes.iter().enumerate() {
            let x = self.x(column);
            self.head(column, &node.to_string());
            let begin = self.diagram.begin.get(column).cloned().unwrap_or_default();
            self.begin_state(x, &begin.state);
            let (mut from, mut is_down, mut state) = (self.top - 10.0, begin.is_down, begin.state);
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
            self.life(x, from, self.bottom, is_down, &state);
        }
    }

    /// The name of a node, and its fixed role.
    fn head(&mut self, column: usize, name: &str) {
        const NAME: Face = Face { size: 24.0, is_bold: true };
        let (x, role) = (self.x(column), self.diagram.role(column));
        let foot = self.top - 22.0 - self.roles_high - self.begins_high;
        let _ = write!(
            self.text,
            "<text x=\"{x:.1}\" y=\"{foot:.1}\" font-size=\"24\" font-weight=\"bold\" text-anchor=\"middle\">{name}</text>"
        );
        self.around(x, foot, width_of(name, NAME), 20.0);
        if !role.is_empty() {
            let foot = self.top - 20.0 - self.begins_high;
            let role_wide = width_of(role, PLAIN);
            let role = escaped(role);
            let _ = write!(
                self.text,
                "<text x=\"{x:.1}\" y=\"{foot:.1}\" fill=\"{QUIET}\" text-anchor=\"middle\" class=\"mark\">{role}</text>"
            );
            self.around(x, foot, role_wide, 13.0);
        }
    }

    /// The state of a node before the first row.
    fn begin_state(&mut self, x: f64, state: &str) {
        if state.is_empty() {
            return;
        }
        let (text, foot) = (format!("[{state}]"), self.top - 20.0);
        let wide = width_of(&text, PLAIN);
        let text = escaped(&text);
        let _ = write!(self.text, "<text x=\"{x:.1}\" y=\"{foot:.1}\" fill=\"#8e3a80\" class=\"mark\">{text}</text>");
        self.around(x + wide / 2.0, foot, wide, 13.0);
    }

    /// Remembers a text by its middle and foot.
    fn around(&mut self, x: f64, foot: f64, wide: f64, high: f64) {
        self.taken.push(Area { left: x - wide / 2.0, top: foot - high, right: x + wide / 2.0, bottom: foot + 4.0 });
    }

    fn life(&mut self, x: f64, from: f64, to: f64, is_down: bool, state: &str) {
        let style = if is_down { "stroke=\"#b0b0b0\" stroke-dasharray=\"3 7\"" } else { "stroke=\"#303030\"" };
        let _ = write!(
            self.lines,
            "<line x1=\"{x:.1}\" y1=\"{from:.1}\" x2=\"{x:.1}\" y2=\"{to:.1}\" {style} stroke-width=\"2\"/>"
        );
        // `leader t3` has the colour of `leader`; a mere number has none.
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
        let end = self.bottom;
        for (place, row) in self.diagram.rows.iter().enumerate() {
            let Row::Bar { cuts: Some(cuts), .. } = row else { continue };
            if *cuts {
                from.get_or_insert(self.ys[place]);
            } else if let Some(from) = from.take() {
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
}

pub(super) fn state_colour(place: usize) -> &'static str {
    const STATES: [&str; STATES_MAX] = ["#e69f00", "#009e73", "#56b4e9", "#cc79a7", "#f0e442", "#999999"];
    STATES[place % STATES.len()]
}
