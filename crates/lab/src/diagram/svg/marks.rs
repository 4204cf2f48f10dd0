//! Marks of nodes: symbols on their lifelines, and words beside them.

use super::space::{Area, BOLD, Face, PLAIN, width_of};
use super::{BAD, GOOD, LEFT, LINES_MAX, Picture, QUIET, escaped};
use crate::diagram::{Mark, Step};
use std::fmt::Write;

/// A piece of a line: its words, how they look, and their attributes.
pub(super) struct Piece {
    text: String,
    face: Face,
    style: &'static str,
}

const GOOD_BOLD: &str = "fill=\"#007a58\" font-weight=\"bold\"";
const BAD_BOLD: &str = "fill=\"#c0182b\" font-weight=\"bold\"";
const HIGH: f64 = 18.0;
/// The distance of words from the lifeline.
const BESIDE: f64 = 13.0;

impl Picture<'_> {
    /// The marks of a step, in lines that fit beside a node.
    pub(super) fn lines_of(&self, step: &Step) -> Vec<Vec<Piece>> {
        let shows_timer = step.marks.iter().any(Mark::decides) || !step.sent.is_empty();
        let room = self.spacing - 40.0;
        let mut lines: Vec<Vec<Piece>> = Vec::new();
        let mut used = f64::MAX;
        for mark in &step.marks {
            let (text, face, style) = match mark {
                Mark::Started => ("starts again".to_string(), BOLD, GOOD_BOLD),
                Mark::Stopped => ("crashes".to_string(), BOLD, BAD_BOLD),
                Mark::Paused => ("paused".to_string(), PLAIN, "fill=\"#c0182b\""),
                Mark::Resumed => ("resumes".to_string(), PLAIN, "fill=\"#007a58\""),
                Mark::Command(text) => (text.clone(), BOLD, "font-weight=\"bold\""),
                Mark::Event(text) => (text.clone(), BOLD, GOOD_BOLD),
                Mark::State(text) if text.is_empty() => continue,
                Mark::State(text) => (format!("[{text}]"), PLAIN, "fill=\"#8e3a80\""),
                Mark::Record(text) => (format!("\u{25aa} {text}"), PLAIN, "fill=\"#7a6a00\""),
                Mark::Note(text) => (format!("({text})"), PLAIN, "fill=\"#707070\" font-style=\"italic\""),
                Mark::Timer(text) if shows_timer => (format!("\u{25f7} {text}"), PLAIN, "fill=\"#707070\""),
                Mark::Timer(_) => continue,
            };
            let mut wrapped = Picture::wrapped(&text, face, room);
            if wrapped.len() > LINES_MAX {
                wrapped.truncate(LINES_MAX);
                wrapped[LINES_MAX - 1].push('…');
            }
            for text in wrapped {
                let width = width_of(&text, face) + width_of(" ", PLAIN);
                if used + width > room {
                    lines.push(Vec::new());
                    used = 0.0;
                }
                used += width;
                lines.last_mut().expect("a line was begun").push(Piece { text, face, style });
            }
        }
        lines
    }

    /// How much room the lines of a step need beside its node.
    pub(super) fn widest(&self, step: &Step) -> f64 {
        self.lines_of(step).iter().map(|line| width_of_pieces(line) + 2.0 * BESIDE).fold(0.0, f64::max)
    }

    pub(super) fn marks(&mut self, row: usize, step: &Step) {
        let Some(column) = self.diagram.column(step.node) else { return };
        let (x, y) = (self.x(column), self.ys[row]);
        self.symbols(step, x, y);
        let lines = self.lines_of(step);
        if lines.is_empty() {
            return;
        }
        let widths: Vec<f64> = lines.iter().map(|line| width_of_pieces(line)).collect();
        let high = HIGH * lines.len() as f64;
        // Where the block begins, seen from the moment: beside it, below it, above it.
        let tops = [-9.0, 4.0, 2.0 - high, 10.0, -9.0 - high / 2.0, 18.0, -8.0 - high];
        let widest = widths.iter().copied().fold(0.0, f64::max) + 2.0 * BESIDE;
        let part = Area { left: x - widest, top: y - high - 30.0, right: x + widest, bottom: y + high + 30.0 };
        let near = self.near(part, None);
        let mut best: Option<(f64, f64, bool, f64)> = None;
        for (place, top) in tops.into_iter().enumerate() {
            for is_left in [false, true] {
                let areas = areas(x, y + top, &widths, is_left);
                let covered: f64 = areas.iter().map(|area| near.covered(area)).sum();
                let crossed: f64 = areas.iter().map(|area| near.crossed(area)).sum();
                let lives = areas.iter().filter(|area| self.is_over_a_life(area)).count() as f64;
                let outside = areas.iter().map(|area| (LEFT - area.left).max(0.0)).fold(0.0, f64::max);
                let above = (self.top - 14.0 - (y + top)).max(0.0);
                let aside = 5.0 * place as f64 + if is_left { 3.0 } else { 0.0 };
                let cost = 40.0 * covered + 4.0 * crossed + 150.0 * lives + 1_000.0 * (outside + above) + aside;
                if best.is_none_or(|(least, ..)| cost < least) {
                    best = Some((cost, top, is_left, covered));
                }
            }
        }
        let Some((_, top, is_left, covered)) = best else { return };
        if covered > 6.0 {
            self.crowded.push(row);
        }
        self.taken.extend(areas(x, y + top, &widths, is_left));
        let (x, anchor) = if is_left { (x - BESIDE, "end") } else { (x + BESIDE, "start") };
        for (number, line) in lines.iter().enumerate() {
            let foot = y + top + HIGH * number as f64 + 14.0;
            let pieces: Vec<String> =
                line.iter().map(|piece| format!("<tspan {}>{}</tspan>", piece.style, escaped(&piece.text))).collect();
            let _ = write!(
                self.text,
                "<text x=\"{x:.1}\" y=\"{foot:.1}\" text-anchor=\"{anchor}\" class=\"mark\">{}</text>",
                pieces.join(" ")
            );
        }
    }

    fn symbols(&mut self, step: &Step, x: f64, y: f64) {
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
                Mark::Timer(_) if !step.sent.is_empty() => {
                    format!(
                        "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"#fff\" stroke=\"{QUIET}\" stroke-width=\"2\"/>"
                    )
                }
                _ => continue,
            };
            self.text += &shape;
        }
    }
}

fn width_of_pieces(line: &[Piece]) -> f64 {
    let blanks = width_of(" ", PLAIN) * line.len().saturating_sub(1) as f64;
    line.iter().map(|piece| width_of(&piece.text, piece.face)).sum::<f64>() + blanks
}

fn areas(x: f64, top: f64, widths: &[f64], is_left: bool) -> Vec<Area> {
    let area = |(number, width): (usize, &f64)| {
        let (left, right) = if is_left { (x - BESIDE - width, x - BESIDE) } else { (x + BESIDE, x + BESIDE + width) };
        let top = top + HIGH * number as f64;
        Area { left, top: top + 1.0, right, bottom: top + HIGH - 1.0 }
    };
    widths.iter().enumerate().map(area).collect()
}
