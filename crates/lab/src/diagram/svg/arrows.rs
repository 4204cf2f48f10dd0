//! Messages: arrows from the moment of sending to that of receipt, with labels where there is room.

use super::space::{Area, BOLD, Line, SIZE, along, width_of};
use super::{BAD, Picture, escaped};
use crate::diagram::{Step, fitted, lines_of_text};
use std::fmt::Write;

/// How long the head of an arrow is.
const HEAD: f64 = 12.0;

/// A label, placed.
struct Label {
    middle: (f64, f64),
    lines: Vec<String>,
    areas: Vec<Area>,
    /// How much it is in the way, and how much of that is over other texts.
    cost: f64,
    covered: f64,
}

impl Picture<'_> {
    /// Remembers where the arrow of a message goes.
    pub(super) fn way(&mut self, message: usize, end: f64, is_lost: bool) {
        let envelope = &self.diagram.messages[message];
        let Some((from, to)) = self.diagram.column(envelope.from).zip(self.diagram.column(envelope.to)) else { return };
        let begins = self.begins.get(&message).copied();
        let (x1, mut y1) = (self.x(from), begins.unwrap_or_else(|| self.y(self.diagram.sent_at[message])));
        let (mut x2, mut y2) = (self.x(to), end);
        match is_lost {
            // Lost when it was sent: it goes part of the way.
            true if y2 <= y1 => y2 = y1 + 26.0,
            // Received in a line that was moved up.
            false if y2 <= y1 => y1 = y2 - 14.0,
            _ => {}
        }
        let towards = (x2 - x1).signum();
        let (x0, y0) = (x2, y2);
        x2 -= towards * if is_lost { self.spacing * 0.3 } else { 8.0 };
        if is_lost {
            y2 = y1 + (y0 - y1) * (x2 - x1) / (x0 - x1);
        }
        self.ways.insert(message, Line { from: (x1, y1), to: (x2, y2) });
        if !is_lost {
            // The head of the arrow, which words beside the node would hide.
            let (near, far) = (x2 - towards * HEAD, x2);
            let (left, right) = (near.min(far), near.max(far));
            self.taken.push(Area { left, top: y2 - 4.0, right, bottom: y2 + 4.0 });
        }
    }

    /// Arrows that begin or end at one node: a common label is written once, at the longest of them.
    pub(super) fn arrows(&mut self, row: usize, steps: &[Step]) {
        let messages = &self.diagram.messages;
        let length = |id: &usize| messages[*id].from.0.abs_diff(messages[*id].to.0);
        let mut received: Vec<usize> = steps.iter().filter_map(|step| step.received).collect();
        received.sort_by_key(|id| std::cmp::Reverse(length(id)));
        let mut said: Vec<&str> = Vec::new();
        for id in received {
            let text = messages[id].text.as_str();
            self.arrow(row, id, None, !said.contains(&text));
            said.push(text);
        }
    }

    pub(super) fn arrow(&mut self, row: usize, message: usize, lost: Option<&str>, is_labelled: bool) {
        let envelope = &self.diagram.messages[message];
        let Some(way) = self.ways.get(&message).copied() else { return };
        let colour = if lost.is_some() { BAD } else { self.colour_of(&envelope.kind) };
        let (dash, marker) = match lost {
            Some(_) => (" stroke-dasharray=\"7 5\"", String::new()),
            None => ("", format!(" marker-end=\"url(#head{})\"", &colour[1..])),
        };
        let ((x1, y1), (x2, y2)) = (way.from, way.to);
        let _ = write!(
            self.arrows,
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\" \
             stroke-width=\"2\"{dash}{marker}/>"
        );
        if lost.is_some() {
            let _ = write!(
                self.arrows,
                "<path d=\"M{:.1} {:.1} l14 14 m0 -14 l-14 14\" stroke=\"{BAD}\" stroke-width=\"3\" fill=\"none\"/>",
                x2 - 7.0,
                y2 - 7.0
            );
        }
        if is_labelled {
            let copy = if envelope.is_copy { " (again)" } else { "" };
            let why = lost.map(|why| format!(" ({why})")).unwrap_or_default();
            let text = format!("{}{copy}{why}", envelope.text);
            self.label(row, message, way, &text, colour);
        }
    }

    /// The label of an arrow, along it, where there is room: near its free end, where the arrows of one sender, or those
    /// to one receiver, are apart.
    fn label(&mut self, row: usize, message: usize, way: Line, text: &str, colour: &str) {
        let room = (way.length() - 24.0).max(90.0);
        let lines = lines_along(text, room);
        let near = self.near(around(way), Some(message));
        let mut best: Option<Label> = None;
        for share in [0.62, 0.38, 0.5, 0.7, 0.3, 0.56, 0.44, 0.78, 0.22] {
            for is_below in [false, true] {
                let label = self.try_label(&near, way, share, is_below, lines.clone());
                if best.as_ref().is_none_or(|best| label.cost < best.cost) {
                    best = Some(label);
                }
            }
        }
        let Some(label) = best else { return };
        if label.covered > 6.0 {
            self.crowded.push(row);
        }
        let ((dx, dy), (x, y)) = (direction(way), label.middle);
        #[allow(clippy::disallowed_methods, reason = "the slope of a label: its last digits decide nothing")]
        let angle = dy.atan2(dx).to_degrees();
        let _ = write!(
            self.text,
            "<g transform=\"rotate({angle:.1} {x:.1} {y:.1})\" text-anchor=\"middle\" class=\"label\" fill=\"{colour}\">"
        );
        for (number, line) in label.lines.iter().enumerate() {
            let _ =
                write!(self.text, "<text x=\"{x:.1}\" y=\"{:.1}\">{}</text>", y + 18.0 * number as f64, escaped(line));
        }
        self.text += "</g>";
        self.taken.extend(label.areas);
    }

    fn try_label(&self, near: &Near, way: Line, share: f64, is_below: bool, lines: Vec<String>) -> Label {
        let (dx, dy) = direction(way);
        let (x, y) = way.at(share);
        // Across the arrow: the first line is above it, or all are below.
        let lift = if is_below { 15.0 } else { -6.0 - 18.0 * (lines.len() - 1) as f64 };
        let middle = (x - dy * lift, y + dx * lift);
        let mut areas: Vec<Area> = Vec::new();
        for (number, line) in lines.iter().enumerate() {
            let down = 18.0 * number as f64;
            areas.extend(along((middle.0 - dy * down, middle.1 + dx * down), width_of(line, BOLD), (dx, dy)));
        }
        let covered: f64 = areas.iter().map(|area| near.covered(area)).sum();
        let crossed: f64 = areas.iter().map(|area| near.crossed(area)).sum();
        let lives = areas.iter().filter(|area| self.is_over_a_life(area)).count() as f64;
        let outside = areas.iter().filter(|area| area.left < super::LEFT || area.top < self.top - 20.0).count() as f64;
        let cost = 40.0 * covered + 3.0 * crossed + 14.0 * lives + 800.0 * outside + if is_below { 8.0 } else { 0.0 };
        Label { middle, lines, areas, cost, covered }
    }

    /// The boxes in a part of the page, except one arrow.
    pub(super) fn near(&self, part: Area, but: Option<usize>) -> Near {
        let taken = self.taken.iter().filter(|taken| taken.shared(&part) > 0.0).copied().collect();
        let others = self.ways.iter().filter(|(message, _)| Some(**message) != but).map(|(_, way)| *way);
        let others = others.chain(self.bars.iter().copied());
        Near { taken, ways: others.filter(|way| part.crossed_by(way) > 0.0).collect() }
    }

    pub(super) fn is_over_a_life(&self, area: &Area) -> bool {
        (0..self.diagram.nodes.len()).map(|column| self.x(column)).any(|x| area.left < x && x < area.right)
    }
}

/// The boxes in a part of the page.
pub(super) struct Near {
    taken: Vec<Area>,
    ways: Vec<Line>,
}

impl Near {
    /// How much of a box is written on already.
    pub fn covered(&self, area: &Area) -> f64 {
        self.taken.iter().map(|taken| taken.shared(area)).sum()
    }

    /// How much of the arrows goes through a box.
    pub fn crossed(&self, area: &Area) -> f64 {
        self.ways.iter().map(|way| area.crossed_by(way)).sum()
    }
}

/// The part of the page in which the label of an arrow may be.
fn around(way: Line) -> Area {
    const WIDE: f64 = 120.0;
    const HIGH: f64 = 60.0;
    Area {
        left: way.from.0.min(way.to.0) - WIDE,
        top: way.from.1.min(way.to.1) - HIGH,
        right: way.from.0.max(way.to.0) + WIDE,
        bottom: way.from.1.max(way.to.1) + HIGH,
    }
}

/// One line if it fits, else two; what does not fit then ends with a sign that there was more.
fn lines_along(text: &str, room: f64) -> Vec<String> {
    let letters = (room / (0.56 * SIZE * 1.13)) as usize;
    let fits = |lines: &Vec<String>| lines.iter().all(|line| width_of(line, BOLD) <= room);
    if width_of(text, BOLD) <= room {
        return vec![text.to_string()];
    }
    for letters in (8..=letters + 6).rev() {
        if let Some(lines) = lines_of_text(text, letters, 2).filter(fits) {
            return lines;
        }
    }
    let short = (8..=letters).rev().map(|letters| fitted(text, letters));
    short.into_iter().find(|text| width_of(text, BOLD) <= room).map_or_else(Vec::new, |text| vec![text])
}

/// The direction in which a text along an arrow is read.
fn direction(way: Line) -> (f64, f64) {
    let length = way.length().max(1.0);
    let (dx, dy) = ((way.to.0 - way.from.0) / length, (way.to.1 - way.from.1) / length);
    if dx < 0.0 { (-dx, -dy) } else { (dx, dy) }
}
