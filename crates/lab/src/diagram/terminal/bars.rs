//! Lines across all columns: faults and their ends, silences, and notes below.

use super::paper::TIME;
use super::sheet::{Ink, Sheet};
use crate::diagram::{LeftOut, Tone, fitted};
use volvox_core::Instant;

impl Sheet<'_> {
    pub(super) fn bar(&mut self, at: Instant, text: &str, tone: Tone, shown: &mut Option<Instant>) {
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

    pub(super) fn gap(&mut self, from: Instant, to: Instant, left_out: &LeftOut, shown: &mut Option<Instant>) {
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

    /// A line below the diagram.
    pub(super) fn note(&mut self, text: &str) {
        let room = self.paper.columns.saturating_sub(TIME);
        for line in wrapped(text, room) {
            self.line = vec![(' ', Ink::Plain); self.paper.columns];
            self.put(TIME, &line, Ink::Dim);
            self.end();
        }
    }
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
