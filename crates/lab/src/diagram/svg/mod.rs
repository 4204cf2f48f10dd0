//! The diagram as a picture, fit for a slide: true arrows, large letters, a legend.
//!
//! Time goes downwards, but not evenly: what happens at moments close to one another is drawn apart, so that it can be
//! read, and long silences are short. The order of moments is kept.

mod around;
mod arrows;
mod lives;

use super::{Diagram, Mark, Row, Step, lines_of_text};
use crate::plot::escaped;
use std::collections::BTreeMap;
use volvox_core::Instant;

const LEFT: f64 = 118.0;
const TOP: f64 = 116.0;
const LINE: f64 = 25.0;
/// How wide letters are, with some air: what the widest usual typeface needs.
const LETTER: f64 = 8.8;
const BOLD: f64 = 10.4;
/// The most that a silence takes.
const SILENCE_MAX: f64 = 60.0;
/// What somebody asked or told takes so many lines at most.
const LINES_MAX: usize = 2;
/// More states than these have no colour: nobody would tell them apart.
const STATES_MAX: usize = 6;

/// Colours that are told apart also by those who see few (after Okabe and Ito), dark enough for text on white.
const COLOURS: [&str; 7] = ["#0060a8", "#b85000", "#007a58", "#8e3a80", "#7a6a00", "#3a3a3a", "#2f8fc4"];
const BAD: &str = "#c0182b";
const GOOD: &str = "#007a58";

/// Draws.
pub fn svg(diagram: &Diagram) -> String {
    let mut picture = Picture::new(diagram);
    picture.rows();
    picture.finish()
}

struct Picture<'a> {
    diagram: &'a Diagram,
    spacing: f64,
    /// Where each row is, and where each moment.
    ys: Vec<f64>,
    scale: Vec<(Instant, f64)>,
    /// Where each message begins whose sending is shown.
    begins: BTreeMap<usize, f64>,
    bottom: f64,
    /// Drawn from back to front.
    bands: String,
    lines: String,
    arrows: String,
    text: String,
    /// The boxes of what is written: x, y of the middle, half width, half height.
    taken: Vec<(f64, f64, f64, f64)>,
    kinds: Vec<String>,
    states: Vec<String>,
}

impl<'a> Picture<'a> {
    fn new(diagram: &'a Diagram) -> Picture<'a> {
        let count = diagram.nodes.len().max(1) as f64;
        let spacing = (1400.0 / count).clamp(150.0, 320.0);
        let mut kinds: Vec<String> = Vec::new();
        for message in &diagram.messages {
            if !kinds.contains(&message.kind) {
                kinds.push(message.kind.clone());
            }
        }
        let mut picture = Picture {
            diagram,
            spacing,
            ys: Vec::new(),
            scale: Vec::new(),
            begins: BTreeMap::new(),
            bottom: TOP,
            bands: String::new(),
            lines: String::new(),
            arrows: String::new(),
            text: String::new(),
            taken: Vec::new(),
            kinds,
            states: Vec::new(),
        };
        picture.lay_out();
        picture
    }

    /// Where each row is: apart enough to be read, and further where more time passes.
    fn lay_out(&mut self) {
        let rows = &self.diagram.rows;
        let spans = rows.windows(2).map(|pair| pair[1].at().since(pair[0].at()).as_secs_f64());
        let mut spans: Vec<f64> = spans.filter(|span| *span > 0.0).collect();
        spans.sort_by(f64::total_cmp);
        let typical = spans.get(spans.len() / 2).copied().unwrap_or(1.0).max(1e-9);
        let mut y = TOP + 8.0;
        let mut before: Option<&Row> = None;
        for row in rows {
            if let Some(before) = before {
                let passed = row.at().since(before.at()).as_secs_f64();
                let by_time = (LINE * passed / typical).min(SILENCE_MAX);
                y += by_time.max(self.apart(before, row));
            }
            self.ys.push(y);
            self.scale.push((row.at(), y));
            for step in row.steps() {
                self.begins.extend(step.sent.iter().map(|message| (*message, y)));
            }
            if let Row::Gap { to, .. } = row {
                y += LINE;
                self.scale.push((*to, y));
            }
            before = Some(row);
        }
        self.bottom = y + 60.0;
    }

    fn apart(&self, before: &Row, row: &Row) -> f64 {
        match (before, row) {
            (Row::Step(a), Row::Step(b)) if a.at == b.at && a.node != b.node && b.received.is_none() => 0.0,
            (Row::Bar { .. }, _) | (_, Row::Bar { .. }) => 1.5 * LINE,
            (Row::Gap { .. }, _) => 0.5 * LINE,
            (Row::Step(_), _) => LINE * (self.height(before).max(1) as f64),
            // Arrows that lie above one another are as many lines.
            (Row::Together { steps, .. }, _) => LINE * (self.height(before).max(steps.len().min(3)) as f64),
            _ => LINE,
        }
    }

    /// How many lines of text a row has.
    fn height(&self, row: &Row) -> usize {
        row.by_node().iter().map(|step| self.lines_of(step).len()).max().unwrap_or(0)
    }

    fn x(&self, column: usize) -> f64 {
        LEFT + self.spacing * (column as f64 + 0.35)
    }

    fn right(&self) -> f64 {
        LEFT + self.spacing * self.diagram.nodes.len() as f64
    }

    /// The height of a moment.
    fn y(&self, at: Instant) -> f64 {
        let after = self.scale.partition_point(|(moment, _)| *moment < at);
        match (after.checked_sub(1).and_then(|before| self.scale.get(before)), self.scale.get(after)) {
            (_, Some((moment, y))) if *moment == at => *y,
            (Some((from, low)), Some((to, high))) => {
                let share = at.since(*from).as_secs_f64() / to.since(*from).as_secs_f64().max(1e-9);
                low + share * (high - low)
            }
            (Some((_, y)), None) | (None, Some((_, y))) => *y,
            (None, None) => TOP,
        }
    }

    fn colour_of(&self, kind: &str) -> &'static str {
        let place = self.kinds.iter().position(|known| *known == kind).unwrap_or(0);
        COLOURS[place % COLOURS.len()]
    }

    /// What is seen of a step, in lines that fit beside a node.
    fn lines_of(&self, step: &Step) -> Vec<Vec<(String, String)>> {
        let shows_timer = step.marks.iter().any(Mark::decides) || !step.sent.is_empty();
        let room = ((self.spacing - 30.0) / LETTER) as usize;
        let mut lines: Vec<Vec<(String, String)>> = Vec::new();
        let mut used = usize::MAX;
        for mark in &step.marks {
            let (text, style) = match mark {
                Mark::Started => ("starts again".to_string(), format!("fill=\"{GOOD}\" font-weight=\"bold\"")),
                Mark::Stopped => ("crashes".to_string(), format!("fill=\"{BAD}\" font-weight=\"bold\"")),
                Mark::Paused => ("paused".to_string(), format!("fill=\"{BAD}\"")),
                Mark::Resumed => ("goes on".to_string(), format!("fill=\"{GOOD}\"")),
                Mark::Command(text) => (text.clone(), "font-weight=\"bold\"".to_string()),
                Mark::Event(text) => (text.clone(), format!("fill=\"{GOOD}\" font-weight=\"bold\"")),
                Mark::State(text) if text.is_empty() => continue,
                Mark::State(text) => (format!("[{text}]"), "fill=\"#8e3a80\"".to_string()),
                Mark::Record(text) => (format!("\u{25aa} {text}"), "fill=\"#7a6a00\"".to_string()),
                Mark::Note(text) => (format!("({text})"), "fill=\"#808080\" font-style=\"italic\"".to_string()),
                Mark::Timer(text) if shows_timer => (text.clone(), "fill=\"#808080\"".to_string()),
                Mark::Timer(_) => continue,
            };
            let most = if matches!(mark, Mark::Command(_) | Mark::Event(_)) { LINES_MAX } else { 1 };
            for text in lines_of_text(&text, room.max(4), most) {
                let length = text.chars().count() + 1;
                if used.saturating_add(length) > room {
                    lines.push(Vec::new());
                    used = 0;
                }
                used += length;
                lines.last_mut().expect("a line was begun").push((text, style.clone()));
            }
        }
        lines
    }

    fn rows(&mut self) {
        self.lives();
        self.partitions();
        let rows = &self.diagram.rows;
        // Marks first: arrows look for room between them.
        for (place, row) in rows.iter().enumerate() {
            let y = self.ys[place];
            match row {
                Row::Step(_) | Row::Together { .. } => row.by_node().iter().for_each(|step| self.marks(step, y)),
                Row::Bar { text, tone, .. } => self.bar(y, text, *tone),
                Row::Gap { from, to, left_out } => self.gap(y, *from, *to, left_out),
                Row::Lost { .. } => {}
            }
        }
        for (place, row) in rows.iter().enumerate() {
            let y = self.ys[place];
            match row {
                Row::Step(Step { received: Some(message), .. }) => self.arrow(*message, y, None, true),
                Row::Together { steps, .. } => self.arrows(steps, y),
                Row::Lost { message, why, .. } => self.arrow(*message, y, Some(why), true),
                _ => {}
            }
        }
        self.times();
    }
}
