//! Messages: one arrow, or the arrows of one line that have an end in common.

use super::TIME;
use super::sheet::{Ink, Life, Sheet};
use crate::diagram::{Diagram, Step, lines_of_text};
use crate::plot::number;
use volvox_core::Instant;

impl Sheet<'_> {
    pub(super) fn receipt(&mut self, step: &Step, message: usize, shown: &mut Option<Instant>) {
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

    pub(super) fn lost(&mut self, at: Instant, message: usize, why: &str, shown: &mut Option<Instant>) {
        let envelope = &self.diagram.messages[message];
        let Some((from, to)) = self.diagram.column(envelope.from).zip(self.diagram.column(envelope.to)) else { return };
        self.begin(at, shown);
        self.arrow(from, to, message, Some(why));
        self.end();
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
            None => format!("{text} @{}", number(self.diagram.sent_at[message].0 as f64 / 1e6)),
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
    pub(super) fn together(&mut self, at: Instant, steps: &[Step], nodes: Vec<Step>, shown: &mut Option<Instant>) {
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
