//! What is written on: lines of letters with their inks, and every node's line of life.

use super::{Paper, TIME};
use crate::diagram::Diagram;
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
    pub(super) fn head(&mut self) {
        self.blank();
        for (place, node) in self.diagram.nodes.clone().into_iter().enumerate() {
            self.put(self.x(place), &node.to_string(), Ink::Bold);
        }
        self.end();
    }

    /// The place of a node's line.
    pub(super) fn x(&self, column: usize) -> usize {
        TIME + column * self.width
    }

    pub(super) fn blank(&mut self) {
        self.line = vec![(' ', Ink::Plain); TIME + self.diagram.nodes.len() * self.width];
    }

    /// A line with the time, unless it is the same as above, and every node's line of life.
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
