//! The diagram as text, for a terminal.
//!
//! ```text
//!              n1                 n2                 n3
//!   5.000ms    * enter            |                  |
//!   8.112ms    |--- Request 1 --->|                  |
//! ```
//! A message is drawn when it arrives, as an arrow from the column of its sender, with the moment of sending where there
//! is room: several that are under way at once stay legible. Boxes are drawn with the characters for boxes.

use super::{Diagram, LeftOut, Mark, Row, Step, Tone, fitted, lines_of_text};
use std::fmt::Write;
use volvox_core::Instant;

/// What is drawn on.
#[derive(Clone, Copy, Debug)]
pub struct Paper {
    /// How many characters fit on a line.
    pub columns: usize,
    /// Whether there are colours.
    pub is_coloured: bool,
}

const TIME: usize = 12;
const COLUMN_MIN: usize = 4;
const COLUMN_MAX: usize = 30;
/// What somebody asked or told takes so many lines at most, where there is room for words.
const LINES_MAX: usize = 2;
const WORDS_MIN: usize = 10;

/// Draws.
pub fn terminal(diagram: &Diagram, paper: Paper) -> String {
    let count = diagram.nodes.len();
    let room = paper.columns.saturating_sub(TIME);
    if count == 0 || room / count < COLUMN_MIN {
        let needed = TIME + count * COLUMN_MIN;
        return format!(
            "{count} nodes need {needed} columns, and there are {}: --svg FILE draws any number\n",
            paper.columns
        );
    }
    let width = (room / count).min(COLUMN_MAX);
    let mut sheet = Sheet { diagram, paper, width, line: Vec::new(), out: String::new(), lives: vec![Life::Up; count] };
    sheet.head();
    let rows = seen(&diagram.rows);
    let mut rows = rows.iter().peekable();
    let mut shown: Option<Instant> = None;
    while let Some(row) = rows.next() {
        match row {
            Row::Step(step) => {
                // What several nodes do at one moment without a message is one row.
                let mut steps = vec![step];
                while step.received.is_none()
                    && let Some(Row::Step(next)) = rows.peek()
                    && next.received.is_none()
                    && next.at == step.at
                    && steps.iter().all(|other| other.node != next.node)
                {
                    steps.push(next);
                    rows.next();
                }
                sheet.steps(&steps, &mut shown);
            }
            Row::Together { at, steps } => sheet.together(*at, steps, row.by_node(), &mut shown),
            Row::Lost { at, message, why } => sheet.lost(*at, *message, why, &mut shown),
            Row::Bar { at, text, tone } => sheet.bar(*at, text, *tone, &mut shown),
            Row::Gap { from, to, left_out } => sheet.gap(*from, *to, left_out, &mut shown),
        }
    }
    if diagram.is_cut {
        sheet.out += "and so on\n";
    }
    if !diagram.left_out.is_empty() {
        sheet.note(&diagram.left_out);
    }
    sheet.out
}

/// The rows of which something is written here. A step that only sends is seen where its messages arrive; the silences
/// before and after it are one.
fn seen(rows: &[Row]) -> Vec<Row> {
    let mut seen: Vec<Row> = Vec::new();
    for row in rows {
        match (row, seen.last_mut()) {
            (Row::Step(step), _) if step.received.is_none() && step.marks.is_empty() => {}
            (Row::Gap { to, left_out, .. }, Some(Row::Gap { to: end, left_out: before, .. })) => {
                *end = *to;
                before.add(left_out);
            }
            _ => seen.push(row.clone()),
        }
    }
    seen
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Up,
    Down,
    Paused,
}

/// Select graphic rendition, ECMA-48.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ink {
    Plain,
    Dim,
    Bold,
    Red,
    Green,
    Yellow,
    Cyan,
    Magenta,
    Alarm,
}

impl Ink {
    fn code(self) -> &'static str {
        match self {
            Ink::Plain => "0",
            Ink::Dim => "2",
            Ink::Bold => "1",
            Ink::Red => "31",
            Ink::Green => "32",
            Ink::Yellow => "33",
            Ink::Cyan => "36",
            Ink::Magenta => "1;35",
            Ink::Alarm => "1;37;41",
        }
    }
}

struct Sheet<'a> {
    diagram: &'a Diagram,
    paper: Paper,
    width: usize,
    line: Vec<(char, Ink)>,
    out: String,
    lives: Vec<Life>,
}

impl Sheet<'_> {
    fn head(&mut self) {
        self.blank();
        for (place, node) in self.diagram.nodes.clone().into_iter().enumerate() {
            self.put(self.x(place), &node.to_string(), Ink::Bold);
        }
        self.end();
    }

    /// The place of a node's line.
    fn x(&self, column: usize) -> usize {
        TIME + column * self.width
    }

    fn blank(&mut self) {
        self.line = vec![(' ', Ink::Plain); TIME + self.diagram.nodes.len() * self.width];
    }

    /// A line with the time, unless it is the same as above, and every node's line of life.
    fn begin(&mut self, at: Instant, shown: &mut Option<Instant>) {
        self.lives_only();
        if shown.replace(at) != Some(at) {
            self.put(0, &format!("{:>10}", at.to_string()), Ink::Dim);
        }
    }

    fn lives_only(&mut self) {
        self.blank();
        for place in 0..self.lives.len() {
            let (line, ink) = match self.lives[place] {
                Life::Up => ('│', Ink::Plain),
                Life::Paused => ('┊', Ink::Yellow),
                Life::Down => (' ', Ink::Plain),
            };
            let x = self.x(place);
            self.line[x] = (line, ink);
        }
    }

    fn put(&mut self, x: usize, text: &str, ink: Ink) {
        for (offset, letter) in text.chars().enumerate() {
            if let Some(cell) = self.line.get_mut(x + offset) {
                *cell = (letter, ink);
            }
        }
    }

    fn end(&mut self) {
        while self.line.last().is_some_and(|(letter, _)| *letter == ' ') {
            self.line.pop();
        }
        let mut ink = Ink::Plain;
        for (letter, next) in &self.line {
            if self.paper.is_coloured && *next != ink {
                let reset = if ink == Ink::Plain { "" } else { "\x1b[0m" };
                let _ = match next {
                    Ink::Plain => write!(self.out, "{reset}"),
                    _ => write!(self.out, "{reset}\x1b[{}m", next.code()),
                };
                ink = *next;
            }
            self.out.push(*letter);
        }
        if self.paper.is_coloured && ink != Ink::Plain {
            self.out += "\x1b[0m";
        }
        self.out.push('\n');
    }

    fn steps(&mut self, steps: &[&Step], shown: &mut Option<Instant>) {
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
    fn marks(
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
    fn marks_of(&mut self, step: &Step) -> Vec<(String, Ink)> {
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

    fn receipt(&mut self, step: &Step, message: usize, shown: &mut Option<Instant>) {
        let envelope = &self.diagram.messages[message];
        let (from, to) = (envelope.from, envelope.to);
        let Some((from, to)) = self.diagram.column(from).zip(self.diagram.column(to)) else { return };
        let mut marks = self.marks_of(step);
        self.begin(step.at, shown);
        self.arrow(from, to, message, None);
        // Right of an arrow that comes from the left there is room.
        if to > from {
            self.beside(to, &mut marks);
        }
        self.end();
        self.marks(step.at, vec![(to, marks)], shown, false);
    }

    /// Marks to the right of a line of life at which an arrow ends.
    fn beside(&mut self, column: usize, marks: &mut Vec<(String, Ink)>) {
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

    /// An arrow from column to column; one that is lost ends in a cross.
    fn arrow(&mut self, from: usize, to: usize, message: usize, lost: Option<&str>) {
        let ink = if lost.is_some() { Ink::Red } else { Ink::Plain };
        let (a, b) = (self.x(from), self.x(to));
        let (low, high) = (a.min(b), a.max(b));
        for x in low + 1..high {
            let crosses = (x - TIME).is_multiple_of(self.width) && self.line[x].0 != ' ';
            self.line[x] = (if crosses { '┼' } else { '─' }, ink);
        }
        if self.lives[from] == Life::Up {
            self.line[a] = (if b > a { '├' } else { '┤' }, ink);
        }
        let head = if b > a { b - 1 } else { b + 1 };
        self.line[head] = match (lost.is_some(), b > a) {
            (true, _) => ('✗', ink),
            (false, true) => ('▶', ink),
            (false, false) => ('◀', ink),
        };
        self.label(low, high, message, lost, ink);
    }

    /// The label of an arrow, in the gap beside its sender if it fits there, else over all of the arrow.
    fn label(&mut self, low: usize, high: usize, message: usize, lost: Option<&str>, ink: Ink) {
        let envelope = &self.diagram.messages[message];
        let starts_low = self.diagram.column(envelope.from).is_some_and(|column| self.x(column) == low);
        let copy = if envelope.is_copy { " (again)" } else { "" };
        let text = format!("{}{copy}", envelope.text);
        let timed = match lost {
            Some(why) => format!("{text} ({why})"),
            None => format!("{text} @{}", brief(self.diagram.sent_at[message])),
        };
        let gap = self.width.saturating_sub(5);
        let all = (high - low).saturating_sub(5);
        let (text, room) = match () {
            () if timed.chars().count() <= gap => (timed, gap),
            () if lost.is_some() && timed.chars().count() <= all => (timed, all),
            () if text.chars().count() <= gap => (text, gap),
            () if timed.chars().count() <= all => (timed, all),
            () if text.chars().count() <= all => (text, all),
            () => (envelope.kind.chars().take(gap).collect(), gap),
        };
        let length = text.chars().count();
        if length == 0 {
            return;
        }
        let x = if starts_low { low + 3 + (room - length) / 2 } else { high - 2 - room + (room - length) / 2 };
        self.put(x - 1, &format!(" {text} "), ink);
    }

    /// Several steps in one line: all arrows have one end in common, or there is none.
    fn together(&mut self, at: Instant, steps: &[Step], nodes: Vec<Step>, shown: &mut Option<Instant>) {
        let mut marks: Vec<(usize, Vec<(String, Ink)>)> = Vec::new();
        for step in &nodes {
            let Some(column) = self.diagram.column(step.node) else { continue };
            let of_node = self.marks_of(step);
            marks.push((column, of_node));
        }
        let received: Vec<usize> = steps.iter().filter_map(|step| step.received).collect();
        if received.is_empty() {
            return self.marks(at, marks, shown, false);
        }
        self.begin(at, shown);
        if let Some(fan) = Fan::of(self.diagram, &received) {
            self.fan(&fan);
            // Right of the last column of the fan there is room.
            let last = fan.peers.iter().map(|(column, _)| *column).chain([fan.hub]).max();
            if let Some((column, marks)) = marks.iter_mut().find(|(column, _)| Some(*column) == last) {
                self.beside(*column, marks);
            }
        }
        self.end();
        self.marks(at, marks, shown, false);
    }

    fn fan(&mut self, fan: &Fan) {
        let low = fan.peers.iter().map(|(column, _)| *column).chain([fan.hub]).min().unwrap_or(fan.hub);
        let high = fan.peers.iter().map(|(column, _)| *column).chain([fan.hub]).max().unwrap_or(fan.hub);
        for x in self.x(low) + 1..self.x(high) {
            let crosses = (x - TIME).is_multiple_of(self.width) && self.line[x].0 != ' ';
            self.line[x].0 = if crosses { '┼' } else { '─' };
        }
        for (column, _) in &fan.peers {
            // From which column, and to which.
            let (from, to) = if fan.is_broadcast { (fan.hub, *column) } else { (*column, fan.hub) };
            let (from_x, to_x) = (self.x(from), self.x(to));
            let is_passed = from_x != self.x(low) && from_x != self.x(high) && from == fan.hub;
            if self.lives[from] == Life::Up && !is_passed {
                self.line[from_x].0 = if to > from { '├' } else { '┤' };
            }
            let (head, letter) = if to > from { (to_x - 1, '▶') } else { (to_x + 1, '◀') };
            self.line[head].0 = letter;
        }
        self.fan_labels(fan);
    }

    /// What all say alike is said once on each side, in as many of the spaces between the columns as it needs; what
    /// they say differently stands beside each of the nodes.
    fn fan_labels(&mut self, fan: &Fan) {
        let room = self.width.saturating_sub(5);
        let message = |id: usize| &self.diagram.messages[id];
        let text_of = |id: usize| {
            let copy = if message(id).is_copy { " (again)" } else { "" };
            format!("{}{copy}", message(id).text)
        };
        let first = text_of(fan.peers[0].1);
        let are_alike = fan.peers.iter().all(|(_, id)| text_of(*id) == first);
        let mut labels: Vec<(usize, String)> = Vec::new();
        for is_right in [false, true] {
            let peers: Vec<_> = fan.peers.iter().filter(|(column, _)| (*column > fan.hub) == is_right).collect();
            let Some(furthest) = peers.iter().map(|(column, _)| column.abs_diff(fan.hub)).max() else { continue };
            let begin = if is_right { fan.hub } else { fan.hub - furthest };
            let or_kind = |text: String, id: usize| {
                if text.chars().count() <= room { text } else { message(id).kind.clone() }
            };
            if !are_alike {
                // The space on the side of the hub.
                let beside = |column: usize| if is_right { column - 1 } else { column };
                labels.extend(peers.iter().map(|(column, id)| (beside(*column), or_kind(text_of(*id), *id))));
                continue;
            }
            let mut parts = lines_of_text(&first, room.max(1), furthest);
            if parts.len() == 1 {
                parts = vec![or_kind(first.clone(), peers[0].1)];
            }
            // Nearest to the node at which all meet.
            let start = if is_right { begin } else { begin + furthest - parts.len() };
            labels.extend(parts.into_iter().enumerate().map(|(place, part)| (start + place, part)));
        }
        for (space, text) in labels {
            let text: String = text.chars().take(room).collect();
            let length = text.chars().count();
            if length > 0 {
                self.put(self.x(space) + 2 + (room - length) / 2, &format!(" {text} "), Ink::Plain);
            }
        }
    }

    fn lost(&mut self, at: Instant, message: usize, why: &str, shown: &mut Option<Instant>) {
        let envelope = &self.diagram.messages[message];
        let Some((from, to)) = self.diagram.column(envelope.from).zip(self.diagram.column(envelope.to)) else { return };
        self.begin(at, shown);
        self.arrow(from, to, message, Some(why));
        self.end();
    }

    fn bar(&mut self, at: Instant, text: &str, tone: Tone, shown: &mut Option<Instant>) {
        let (fill, ink) = match tone {
            Tone::Bad => ('━', Ink::Yellow),
            Tone::Good => ('━', Ink::Green),
            Tone::Broken => ('█', Ink::Alarm),
        };
        self.blank();
        if shown.replace(at) != Some(at) {
            self.put(0, &format!("{:>10}", at.to_string()), Ink::Dim);
        }
        let end = self.line.len();
        for cell in &mut self.line[TIME..end] {
            *cell = (fill, ink);
        }
        let room = end - TIME;
        let mut lines = wrapped(text, room.saturating_sub(6)).into_iter();
        self.put(TIME + 2, &format!(" {} ", lines.next().unwrap_or_default()), ink);
        self.end();
        for line in lines {
            self.blank();
            self.put(TIME + 3, &line, ink);
            self.end();
        }
    }

    /// A line below the diagram.
    fn note(&mut self, text: &str) {
        let room = self.paper.columns.saturating_sub(TIME);
        for line in wrapped(text, room) {
            self.line = vec![(' ', Ink::Plain); self.paper.columns];
            self.put(TIME, &line, Ink::Dim);
            self.end();
        }
    }

    fn gap(&mut self, from: Instant, to: Instant, left_out: &LeftOut, shown: &mut Option<Instant>) {
        self.lives_only();
        for cell in &mut self.line {
            if cell.0 == '│' {
                *cell = ('┆', Ink::Dim);
            }
        }
        let span = to.since(from);
        let mut text = format!("{:.1} ms", span.as_secs_f64() * 1e3);
        if !left_out.is_empty() {
            text += &format!(": {left_out}");
        }
        let text = format!(" {} ", fitted(&text, self.line.len().saturating_sub(TIME + 5)));
        self.put(0, &format!("{:>10}", "..."), Ink::Dim);
        self.put(TIME + 2, &text, Ink::Dim);
        self.end();
        *shown = None;
    }
}

/// Arrows from one node to several, or from several to one.
struct Fan {
    /// The column at which all begin, or end.
    hub: usize,
    is_broadcast: bool,
    /// The column at the other end of each, and its message.
    peers: Vec<(usize, usize)>,
}

impl Fan {
    fn of(diagram: &Diagram, received: &[usize]) -> Option<Fan> {
        let ends = |id: usize| {
            let envelope = &diagram.messages[id];
            diagram.column(envelope.from).zip(diagram.column(envelope.to))
        };
        let all: Vec<(usize, (usize, usize))> =
            received.iter().map(|id| Some((*id, ends(*id)?))).collect::<Option<_>>()?;
        let (_, (from, to)) = *all.first()?;
        let is_broadcast = all.iter().all(|(_, (other, _))| *other == from);
        let hub = if is_broadcast { from } else { to };
        let peers = all.iter().map(|(id, (from, to))| (if is_broadcast { *to } else { *from }, *id)).collect();
        Some(Fan { hub, is_broadcast, peers })
    }
}

fn is_symbol(text: &str) -> bool {
    text.starts_with(['●', '◷', '◆', '✖', '▲', '◌', '▪', '│'])
}

/// The milliseconds of a moment, with as many digits as tell something.
fn brief(at: Instant) -> String {
    let text = format!("{:.3}", at.0 as f64 / 1e6);
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("one line at least");
        if last.is_empty() {
            *last = fitted(word, room.max(8));
        } else if last.chars().count() + 1 + word.chars().count() <= room {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_string());
        }
    }
    lines
}
