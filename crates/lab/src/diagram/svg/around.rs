//! What stands around the arrows: faults and their ends, silences, times, the legend, the page.

use super::lives::state_colour;
use super::{BAD, COLOURS, GOOD, LEFT, LETTER, Picture, escaped};
use crate::diagram::{LeftOut, Row, Tone};
use std::collections::BTreeMap;
use std::fmt::Write;
use volvox_core::Instant;

impl Picture<'_> {
    pub(super) fn bar(&mut self, y: f64, text: &str, tone: Tone) {
        let (colour, width) = match tone {
            Tone::Bad => (BAD, 3.0),
            Tone::Good => (GOOD, 3.0),
            Tone::Broken => (BAD, 8.0),
        };
        let right = self.right();
        let _ = write!(
            self.lines,
            "<line x1=\"{LEFT:.1}\" y1=\"{y:.1}\" x2=\"{right:.1}\" y2=\"{y:.1}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>"
        );
        let room = ((right - LEFT - 20.0) / 11.4) as usize;
        let text: String = text.chars().take(room).collect();
        let half = text.chars().count() as f64 * 5.7 + 10.0;
        let middle = right - half;
        let _ = write!(
            self.text,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"26\" rx=\"4\" fill=\"{colour}\"/>\
             <text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#fff\" class=\"bar\">{}</text>",
            middle - half,
            y - 13.0,
            2.0 * half,
            y + 5.5,
            escaped(&text)
        );
        self.taken.push((middle, y, half, 13.0));
    }

    pub(super) fn gap(&mut self, y: f64, from: Instant, to: Instant, left_out: &LeftOut) {
        let mut text = format!("{:.1} ms", to.since(from).as_secs_f64() * 1e3);
        if !left_out.is_empty() {
            text += &format!(": {left_out}");
        }
        let right = self.right();
        let _ = write!(
            self.lines,
            "<rect x=\"{LEFT:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"18\" fill=\"#fff\" fill-opacity=\"0.85\"/>\
             <line x1=\"{LEFT:.1}\" y1=\"{y:.1}\" x2=\"{right:.1}\" y2=\"{y:.1}\" stroke=\"#a0a0a0\" stroke-dasharray=\"2 6\"/>",
            y - 9.0,
            right - LEFT
        );
        let _ = write!(
            self.text,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#606060\" class=\"mark\">{}</text>",
            right - 4.0,
            y - 5.0,
            escaped(&text)
        );
    }

    pub(super) fn times(&mut self) {
        let mut last = f64::MIN;
        for (row, y) in self.diagram.rows.iter().zip(&self.ys) {
            if *y - last < 17.0 || matches!(row, Row::Gap { .. }) {
                continue;
            }
            last = *y;
            let _ = write!(
                self.text,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#808080\" class=\"time\">{}</text>",
                LEFT - 14.0,
                y + 5.0,
                row.at()
            );
        }
    }

    /// The legend, and where it ends.
    fn legend(&self) -> (String, f64) {
        let mut legend = String::new();
        let mut x = LEFT;
        let y = self.bottom + 6.0;
        for (place, state) in self.states.iter().enumerate() {
            let _ = write!(
                legend,
                "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"14\" height=\"18\" fill=\"{}\" fill-opacity=\"0.45\"/>\
                 <text x=\"{:.1}\" y=\"{y:.1}\" class=\"mark\">{}</text>",
                y - 14.0,
                state_colour(place),
                x + 20.0,
                escaped(state)
            );
            x += 44.0 + LETTER * state.chars().count() as f64;
        }
        if self.diagram.is_cut {
            let _ = write!(
                legend,
                "<text x=\"{:.1}\" y=\"{y:.1}\" class=\"mark\" text-anchor=\"end\">and so on</text>",
                self.right()
            );
        }
        let marks = [("#000", "asked from outside"), (GOOD, "told to the outside"), (BAD, "lost, or crashed")];
        for (colour, text) in marks {
            let _ = write!(
                legend,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"6\" fill=\"{colour}\"/><text x=\"{:.1}\" y=\"{y:.1}\" class=\"mark\">{text}</text>",
                x + 7.0,
                y - 5.0,
                x + 20.0
            );
            x += 44.0 + LETTER * text.chars().count() as f64;
        }
        (legend, x)
    }

    pub(super) fn finish(self) -> String {
        let (legend, legend_ends) = self.legend();
        // What stands beside the last line of life may be wider than the space between two.
        let texts_end = self.taken.iter().map(|(middle, _, half, _)| middle + half).fold(legend_ends, f64::max);
        let note = &self.diagram.left_out;
        let notes_end = LEFT + LETTER * note.chars().count() as f64;
        let below = if note.is_empty() { 30.0 } else { 56.0 };
        let (width, height) = ((self.right() + 30.0).max(texts_end.max(notes_end) + 10.0), self.bottom + below);
        let note_at = self.bottom + 36.0;
        let note = escaped(note);
        let mut heads = BTreeMap::new();
        for colour in COLOURS {
            heads.insert(
                colour,
                format!(
                    "<marker id=\"head{}\" viewBox=\"0 0 10 10\" refX=\"8\" refY=\"5\" markerWidth=\"7\" markerHeight=\"7\" \
                     orient=\"auto\"><path d=\"M0 0 L10 5 L0 10 z\" fill=\"{colour}\"/></marker>",
                    &colour[1..]
                ),
            );
        }
        let heads: String = heads.into_values().collect();
        let Picture { bands, lines, arrows, text, .. } = &self;
        let title = escaped(&self.diagram.title);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
             height=\"{height:.0}\" font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\">\
             <title>{title}</title><defs>{heads}</defs>\
             <style>.mark{{font-size:16px}} .label{{font-size:16px;font-weight:bold}} .bar{{font-size:17px;font-weight:bold}} .time{{font-size:14px}}</style>\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\
             <text x=\"{LEFT:.1}\" y=\"44\" font-size=\"28\" font-weight=\"bold\">{title}</text>\
             {bands}{lines}{arrows}{text}{legend}\
             <text x=\"{LEFT:.1}\" y=\"{note_at:.1}\" fill=\"#606060\" class=\"mark\">{note}</text></svg>\n"
        )
    }
}
