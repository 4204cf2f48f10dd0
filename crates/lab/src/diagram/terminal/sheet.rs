//! The drawing area: lines of characters with their colours, and every node's lifeline.

use super::paper::{Paper, TIME};
use crate::diagram::{Diagram, fitted};
use std::fmt::Write;
use volvox_core::Instant;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Up,
    Down,
    Paused,
}

/// Select graphic rendition, ECMA-48.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
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

pub(super) struct Sheet<'a> {
    pub diagram: &'a Diagram,
    pub paper: Paper,
    pub width: usize,
    pub line: Vec<(char, Ink)>,
    pub out: String,
    pub lives: Vec<Life>,
}
impl Sheet<'_> {
    /// The names and roles of the nodes.
    pub(super) fn head(&mut self) {
        let count = self.diagram.nodes.len();
        let named = |place: usize| match self.diagram.role(place) {
            "" => self.diagram.nodes[place].to_string(),
            role => format!("{} {role}", self.diagram.nodes[place]),
        };
        // Where not all fit side by side, the roles have a line of their own.
        let is_one_line = (0..count).all(|place| named(place).chars().count() < self.width);
        self.blank();
        for place in 0..count {
            let text = if is_one_line { named(place) } else { self.diagram.nodes[place].to_string() };
            self.put(self.x(place), &text, Ink::Bold);
        }
        self.end();
        if !is_one_line {
            self.blank();
            for place in 0..count {
                self.put(self.x(place), &fitted(self.diagram.role(place), self.width - 1), Ink::Dim);
            }
            self.end();
        }
    }

    /// A line for a text wider than its column: it covers other lifelines, up to the edge of the page.
    pub(super) fn wide(&mut self, at: Instant, shown: &mut Option<Instant>, column: usize, text: &str, ink: Ink) {
        self.begin(at, shown);
        self.line.resize(self.line.len().max(self.paper.columns), (' ', Ink::Plain));
        let text = fitted(text, self.paper.columns - TIME - 2);
        let length = text.chars().count();
        let begin = if is_symbol(&text) { self.x(column) } else { self.x(column) + 2 };
        let x = begin.min(self.paper.columns - length);
        self.put(x, &text, ink);
        for beside in [x.checked_sub(1), Some(x + length)].into_iter().flatten() {
            if self.line.get(beside).is_some_and(|(letter, _)| *letter == '│') && beside != self.x(column) {
                self.line[beside].0 = ' ';
            }
        }
        self.end();
    }

    /// The column of a node's lifeline.
    pub(super) fn x(&self, column: usize) -> usize {
        TIME + column * self.width
    }

    pub(super) fn blank(&mut self) {
        self.line = vec![(' ', Ink::Plain); TIME + self.diagram.nodes.len() * self.width];
    }

    /// A line with the time, unless it is the same as above, and every node's lifeline.
    pub(super) fn begin(&mut self, at: Instant, shown: &mut Option<Instant>) {
        self.lives_only();
        if shown.replace(at) != Some(at) {
            self.put(0, &format!("{:>10}", at.to_string()), Ink::Dim);
        }
    }

    pub(super) fn lives_only(&mut self) {
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

    pub(super) fn put(&mut self, x: usize, text: &str, ink: Ink) {
        for (offset, letter) in text.chars().enumerate() {
            if let Some(cell) = self.line.get_mut(x + offset) {
                *cell = (letter, ink);
            }
        }
    }

    pub(super) fn end(&mut self) {
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
}

/// Whether a text begins with a symbol, which is drawn on the line of life itself.
pub(super) fn is_symbol(text: &str) -> bool {
    text.starts_with(['●', '◷', '◆', '✖', '▲', '◌', '▪', '│'])
}
