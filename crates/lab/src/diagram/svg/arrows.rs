//! Messages: arrows from the moment of sending to that of receipt, with labels where there is room.

use super::{BAD, LETTER, Picture, escaped};
use crate::diagram::{Step, fitted};
use std::fmt::Write;

impl Picture<'_> {
    /// Arrows that begin or end at one node: what they say alike is said once, at the longest of them.
    pub(super) fn arrows(&mut self, steps: &[Step], end: f64) {
        let messages = &self.diagram.messages;
        let length = |id: &usize| messages[*id].from.0.abs_diff(messages[*id].to.0);
        let mut received: Vec<usize> = steps.iter().filter_map(|step| step.received).collect();
        received.sort_by_key(|id| std::cmp::Reverse(length(id)));
        let mut said: Vec<&str> = Vec::new();
        for id in received {
            let text = messages[id].text.as_str();
            self.arrow(id, end, None, !said.contains(&text));
            said.push(text);
        }
    }

    pub(super) fn arrow(&mut self, message: usize, end: f64, lost: Option<&str>, is_labelled: bool) {
        let envelope = &self.diagram.messages[message];
        let Some((from, to)) = self.diagram.column(envelope.from).zip(self.diagram.column(envelope.to)) else { return };
        let begins = self.begins.get(&message).copied();
        let (x1, y1) = (self.x(from), begins.unwrap_or_else(|| self.y(self.diagram.sent_at[message])));
        let (mut x2, mut y2) = (self.x(to), end);
        if y2 <= y1 {
            // Lost when it was sent: it goes part of the way.
            y2 = y1 + 26.0;
        }
        let towards = (x2 - x1).signum();
        x2 -= towards * if lost.is_some() { self.spacing * 0.3 } else { 8.0 };
        let colour = if lost.is_some() { BAD } else { self.colour_of(&envelope.kind) };
        let (dash, marker) = match lost {
            Some(_) => (" stroke-dasharray=\"7 5\"", String::new()),
            None => ("", format!(" marker-end=\"url(#head{})\"", &colour[1..])),
        };
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
        if !is_labelled {
            return;
        }
        let mut label = envelope.text.clone();
        if envelope.is_copy {
            label += " (again)";
        }
        self.label((x1, y1), (x2, y2), &label, colour);
    }

    /// The label of an arrow, along it, where there is room: near the receiver, where arrows of one sender are apart.
    fn label(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), text: &str, colour: &str) {
        let text = fitted(text, 28);
        let half = text.chars().count() as f64 * LETTER / 2.0;
        let gap = (self.spacing * 0.5 / (x2 - x1).abs().max(1.0)).min(0.5);
        let places = [1.0 - gap, gap, 1.0 - gap * 0.8, gap * 0.8, 0.5, 1.0 - gap * 1.3, gap * 1.3, 0.35, 0.65];
        let above = |share: f64| (x1 + share * (x2 - x1), y1 + share * (y2 - y1) - 7.0);
        let overlap = |(x, y): (f64, f64)| -> f64 {
            let boxes = self.taken.iter().map(|(tx, ty, tw, th)| {
                let wide = (half + tw - (x - tx).abs()).max(0.0);
                let high = (8.0 + th - (y - ty).abs()).max(0.0);
                wide * high
            });
            boxes.sum()
        };
        let best = places.into_iter().map(above).min_by(|a, b| overlap(*a).total_cmp(&overlap(*b)));
        let (x, y) = best.unwrap_or((x1, y1));
        #[allow(clippy::disallowed_methods, reason = "the slope of a label: its last digits decide nothing")]
        let mut angle = (y2 - y1).atan2(x2 - x1).to_degrees();
        if angle.abs() > 90.0 {
            angle -= 180.0 * angle.signum();
        }
        let _ = write!(
            self.text,
            "<g transform=\"rotate({angle:.1} {x:.1} {y:.1})\" text-anchor=\"middle\" class=\"label\">\
             <text x=\"{x:.1}\" y=\"{y:.1}\" stroke=\"#fff\" stroke-width=\"5\">{0}</text>\
             <text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{colour}\">{0}</text></g>",
            escaped(&text)
        );
        self.taken.push((x, y, half, 8.0));
    }
}
