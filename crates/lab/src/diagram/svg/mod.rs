//! The diagram as a picture, fit for a slide: true arrows, large letters, a legend.
//!
//! Time goes downwards, but not evenly: what happens at moments close to one another is drawn apart, so that it can be
//! read, and long silences are short. The order of moments is kept.
//!
//! No text overlaps another: texts look for room beside lifelines and along arrows ([`space`]), and if there is none
//! the rows are moved apart and everything is placed again.

mod around;
mod arrows;
mod legend;
mod lives;
mod logs;
mod marks;
mod space;

use super::{Diagram, Row, Step, lines_of_text};
use crate::plot::escaped;
use space::{Area, Face, Line, PLAIN, width_of};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use volvox_core::Instant;

const LEFT: f64 = 118.0;
const TITLE: f64 = 46.0;
const LINE: f64 = 25.0;
/// A line of the heads below the names of the nodes.
const HEAD_LINE: f64 = 18.0;
/// The most that a silence takes.
const SILENCE_MAX: f64 = 60.0;
/// A command or an event takes at most this many lines.
const LINES_MAX: usize = 3;
/// The number of coloured states: more could not be told apart.
const STATES_MAX: usize = 6;
/// How often rows are moved apart before a picture is accepted as it is.
const ATTEMPTS_MAX: usize = 16;
/// The distance between lifelines, at least and at most.
const SPACING: (f64, f64) = (170.0, 340.0);
/// The same on a slide, which is wider than most runs are.
const SLIDE_SPACING_MAX: f64 = 620.0;
/// Letters that are smaller on a slide of 1,600 points are not read in the last row.
const LEGIBLE: f64 = 10.0;

/// Colours that are distinguishable with colour blindness (after Okabe and Ito), dark enough for text on white.
const COLOURS: [&str; 7] = ["#0060a8", "#b85000", "#007a58", "#8e3a80", "#7a6a00", "#3a3a3a", "#2f8fc4"];
const BAD: &str = "#c0182b";
const GOOD: &str = "#007a58";
const QUIET: &str = "#606060";

/// The aspect ratio of a picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// As it needs.
    Free,
    /// A slide of 16 to 9.
    Wide,
    /// A slide of 4 to 3.
    Standard,
}

impl Format {
    fn size(self) -> Option<(f64, f64)> {
        match self {
            Format::Free => None,
            Format::Wide => Some((1_600.0, 900.0)),
            Format::Standard => Some((1_600.0, 1_200.0)),
        }
    }
}

/// Why a text names no format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FormatError;

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected 16:9 or 4:3, the formats of slides")
    }
}

impl std::error::Error for FormatError {}

impl FromStr for Format {
    type Err = FormatError;
    fn from_str(text: &str) -> Result<Format, FormatError> {
        match text {
            "16:9" => Ok(Format::Wide),
            "4:3" => Ok(Format::Standard),
            _ => Err(FormatError),
        }
    }
}

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// Its text.
    pub svg: String,
    /// Whether its letters are large enough for its format; otherwise a part of the time is shown better.
    pub is_legible: bool,
}

/// Draws.
pub fn svg(diagram: &Diagram) -> String {
    drawn(diagram, Format::Free).svg
}

/// Draws in a format.
pub fn drawn(diagram: &Diagram, format: Format) -> Drawn {
    let count = diagram.nodes.len().max(1) as f64;
    let spacing = (1_400.0 / count).clamp(SPACING.0, SPACING.1);
    let picture = placed(diagram, spacing);
    let Some((width, height)) = format.size() else { return picture.finish(None) };
    let (used, high) = picture.size();
    if used / high >= width / height {
        return picture.finish(Some((width, height)));
    }
    // Too high: what is wider has more room for its texts, and fills the slide.
    let wider = spacing * (high * width / height) / used;
    placed(diagram, wider.min(SLIDE_SPACING_MAX)).finish(Some((width, height)))
}

/// Moves rows apart until nothing overlaps.
fn placed(diagram: &Diagram, spacing: f64) -> Picture<'_> {
    let mut extra = vec![0.0; diagram.rows.len()];
    for attempt in 0.. {
        let mut picture = Picture::new(diagram, spacing, &extra);
        picture.rows();
        if picture.crowded.is_empty() || attempt >= ATTEMPTS_MAX {
            return picture;
        }
        for row in &picture.crowded {
            extra[*row] += 0.6 * LINE;
        }
    }
    unreachable!("it returns after the last attempt")
}

struct Picture<'a> {
    diagram: &'a Diagram,
    spacing: f64,
    /// Where the first line of life is: its words have room at its left, where no arrow goes.
    first: f64,
    top: f64,
    /// How high the lines of the heads are that say what nodes are, always and at the beginning.
    roles_high: f64,
    begins_high: f64,
    /// The place of each row, and of each moment.
    ys: Vec<f64>,
    scale: Vec<(Instant, f64)>,
    /// The beginning of each message whose sending is shown.
    begins: BTreeMap<usize, f64>,
    bottom: f64,
    /// Drawn from back to front.
    bands: String,
    lines: String,
    arrows: String,
    text: String,
    /// The boxes of what is written.
    taken: Vec<Area>,
    /// The arrows, by message.
    ways: BTreeMap<usize, Line>,
    /// The lines of faults, across the page.
    bars: Vec<Line>,
    /// Rows that have too little room.
    crowded: Vec<usize>,
    kinds: Vec<String>,
    states: Vec<String>,
}

impl<'a> Picture<'a> {
    fn new(diagram: &'a Diagram, spacing: f64, extra: &[f64]) -> Picture<'a> {
        let mut kinds: Vec<String> = Vec::new();
        let drawn = diagram.rows.iter().flat_map(|row| match row {
            Row::Lost { message, .. } => vec![*message],
            row => row.steps().iter().filter_map(|step| step.received).collect(),
        });
        for message in drawn.map(|id| &diagram.messages[id]) {
            if !kinds.contains(&message.kind) {
                kinds.push(message.kind.clone());
            }
        }
        let has_roles = diagram.roles.iter().any(|role| !role.is_empty());
        let has_begun = diagram.begin.iter().any(|begin| !begin.state.is_empty());
        let high = |is_there: bool| if is_there { HEAD_LINE } else { 0.0 };
        let mut picture = Picture {
            diagram,
            spacing,
            first: LEFT + 0.4 * spacing,
            top: 116.0 + high(has_roles) + high(has_begun),
            roles_high: high(has_roles),
            begins_high: high(has_begun),
            ys: Vec::new(),
            scale: Vec::new(),
            begins: BTreeMap::new(),
            bottom: 0.0,
            bands: String::new(),
            lines: String::new(),
            arrows: String::new(),
            text: String::new(),
            taken: Vec::new(),
            ways: BTreeMap::new(),
            bars: Vec::new(),
            crowded: Vec::new(),
            kinds,
            states: Vec::new(),
        };
        picture.first = picture.first.max(LEFT + picture.room_of_first());
        picture.lay_out(extra);
        picture
    }

    /// The room that the words of the first node need on its left.
    fn room_of_first(&self) -> f64 {
        let steps = self.diagram.rows.iter().flat_map(Row::by_node);
        let first = steps.filter(|step| self.diagram.column(step.node) == Some(0));
        first.map(|step| self.widest(&step)).fold(0.0, f64::max)
    }

    /// The place of each row: far enough apart to be legible, and further where more time passes.
    fn lay_out(&mut self, extra: &[f64]) {
        let rows = &self.diagram.rows;
        let spans = rows.windows(2).map(|pair| pair[1].at().since(pair[0].at()).as_secs_f64());
        let mut spans: Vec<f64> = spans.filter(|span| *span > 0.0).collect();
        spans.sort_by(f64::total_cmp);
        let typical = spans.get(spans.len() / 2).copied().unwrap_or(1.0).max(1e-9);
        let mut y = self.top + 8.0;
        let mut before: Option<&Row> = None;
        for (row, extra) in rows.iter().zip(extra) {
            if let Some(before) = before {
                let passed = row.at().since(before.at()).as_secs_f64();
                let by_time = (LINE * passed / typical).min(SILENCE_MAX);
                y += by_time.max(self.apart(before, row));
            }
            y += extra;
            self.ys.push(y);
            self.scale.push((row.at(), y));
            for step in row.steps() {
                self.begins.extend(step.sent.iter().map(|message| (*message, y)));
            }
            match row {
                Row::Gap { to, left_out, from } => {
                    y += 18.0 * (self.gap_lines(*from, *to, left_out).len() - 1) as f64;
                    self.scale.push((*to, y + LINE));
                }
                Row::Bar { text, .. } => y += 22.0 * (self.bar_lines(text).len() - 1) as f64,
                _ => {}
            }
            before = Some(row);
        }
        self.bottom = y + 24.0;
    }

    fn apart(&self, before: &Row, row: &Row) -> f64 {
        match (before, row) {
            (Row::Step(a), Row::Step(b)) if a.at == b.at && a.node != b.node && b.received.is_none() => 0.0,
            (Row::Bar { .. }, _) | (_, Row::Bar { .. }) => 1.5 * LINE,
            (Row::Gap { .. }, _) => LINE,
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
        self.first + self.spacing * column as f64
    }

    fn right(&self) -> f64 {
        self.first + self.spacing * (self.diagram.nodes.len() as f64 - 0.6)
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
            (Some((_, y)), None) => *y,
            // Before the first row: it comes from above.
            (None, _) => self.top - 8.0,
        }
    }

    fn colour_of(&self, kind: &str) -> &'static str {
        let place = self.kinds.iter().position(|known| *known == kind).unwrap_or(0);
        COLOURS[place % COLOURS.len()]
    }

    /// Text in lines that are at most this wide.
    fn wrapped(text: &str, face: Face, room: f64) -> Vec<String> {
        let mut letters = (room / (0.5 * face.size)) as usize;
        // Letters are not equally wide: try with fewer until all lines fit.
        while letters > 8 {
            if let Some(lines) = lines_of_text(text, letters, usize::MAX)
                && lines.iter().all(|line| width_of(line, face) <= room)
            {
                return lines;
            }
            letters -= 1;
        }
        vec![text.to_string()]
    }

    fn rows(&mut self) {
        self.lives();
        self.partitions();
        let rows = &self.diagram.rows;
        for (place, row) in rows.iter().enumerate() {
            let y = self.ys[place];
            match row {
                Row::Bar { text, tone, .. } => self.bar(y, text, *tone),
                Row::Gap { from, to, left_out } => self.gap(y, *from, *to, left_out),
                Row::Step(Step { received: Some(message), .. }) => self.way(*message, y, false),
                Row::Together { steps, .. } => {
                    steps.iter().filter_map(|step| step.received).for_each(|message| self.way(message, y, false));
                }
                Row::Lost { message, .. } => self.way(*message, y, true),
                Row::Step(_) => {}
            }
        }
        // Marks before labels: labels look for room between them.
        for (place, row) in rows.iter().enumerate() {
            row.by_node().iter().for_each(|step| self.marks(place, step));
        }
        for (place, row) in rows.iter().enumerate() {
            match row {
                Row::Step(Step { received: Some(message), .. }) => self.arrow(place, *message, None, true),
                Row::Together { steps, .. } => self.arrows(place, steps),
                Row::Lost { message, why, .. } => self.arrow(place, *message, Some(why), true),
                _ => {}
            }
        }
        self.times();
        self.crowded.sort_unstable();
        self.crowded.dedup();
    }
}
