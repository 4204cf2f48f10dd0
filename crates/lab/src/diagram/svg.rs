//! The diagram as a picture, fit for a slide: true arrows, large letters, a legend.
//!
//! Time goes downwards, but not evenly: what happens at moments close to one another is drawn apart, so that it can be
//! read, and long silences are short. The order of moments is kept.

use super::{Diagram, LeftOut, Mark, Row, Step, Tone, fitted, lines_of_text};
use std::collections::BTreeMap;
use std::fmt::Write;
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

    /// The line of each node: coloured by what the node is, broken while it is down.
    fn lives(&mut self) {
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
    fn partitions(&mut self) {
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

    fn marks(&mut self, step: &Step, y: f64) {
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

    /// Arrows that begin or end at one node: what they say alike is said once, at the longest of them.
    fn arrows(&mut self, steps: &[Step], end: f64) {
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

    fn arrow(&mut self, message: usize, end: f64, lost: Option<&str>, is_labelled: bool) {
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

    fn bar(&mut self, y: f64, text: &str, tone: Tone) {
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

    fn gap(&mut self, y: f64, from: Instant, to: Instant, left_out: &LeftOut) {
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

    fn times(&mut self) {
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

    fn finish(self) -> String {
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

fn state_colour(place: usize) -> &'static str {
    const STATES: [&str; STATES_MAX] = ["#e69f00", "#009e73", "#56b4e9", "#cc79a7", "#f0e442", "#999999"];
    STATES[place % STATES.len()]
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
