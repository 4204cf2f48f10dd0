//! Messages: one arrow, or the arrows of one line that have an end in common.

use super::paper::TIME;
use super::sheet::{Ink, Life, Sheet};
use crate::diagram::{Diagram, Step};
use volvox_core::Instant;

impl Sheet<'_> {
    pub(super) fn receipt(&mut self, step: &Step, message: usize, shown: &mut Option<Instant>) {
        let mut marks = self.marks_of(step);
        let Some((from, to)) = self.ends(message) else { return };
        let label = self.label(step.at, shown, message, None);
        self.begin(step.at, shown);
        self.arrow(from, to, label, false);
        // Right of an arrow that comes from the left there is room.
        if to > from {
            self.beside(to, &mut marks);
        }
        self.end();
        self.marks(step.at, vec![(to, marks)], shown, false);
    }

    pub(super) fn lost(&mut self, at: Instant, message: usize, why: &str, shown: &mut Option<Instant>) {
        let Some((from, to)) = self.ends(message) else { return };
        let label = self.label(at, shown, message, Some(why));
        self.begin(at, shown);
        self.arrow(from, to, label, true);
        self.end();
    }

    fn ends(&self, message: usize) -> Option<(usize, usize)> {
        let envelope = &self.diagram.messages[message];
        self.diagram.column(envelope.from).zip(self.diagram.column(envelope.to))
    }

    /// An arrow from column to column; one that is lost ends in a cross.
    fn arrow(&mut self, from: usize, to: usize, label: Option<(String, usize)>, is_lost: bool) {
        let ink = if is_lost { Ink::Red } else { Ink::Plain };
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
        self.line[head] = match (is_lost, b > a) {
            (true, _) => ('✗', ink),
            (false, true) => ('▶', ink),
            (false, false) => ('◀', ink),
        };
        if let Some((text, room)) = label {
            let length = text.chars().count();
            let x = if a == low { low + 3 + (room - length) / 2 } else { high - 2 - room + (room - length) / 2 };
            self.put(x - 1, &format!(" {text} "), ink);
        }
    }

    /// The label of an arrow and its room: in the gap beside its sender if it fits there, else over all of the arrow.
    /// A label that fits nowhere has the line above the arrow.
    fn label(
        &mut self,
        at: Instant,
        shown: &mut Option<Instant>,
        message: usize,
        lost: Option<&str>,
    ) -> Option<(String, usize)> {
        let (from, to) = self.ends(message)?;
        let text = self.said(message);
        let timed = match lost {
            Some(why) => format!("{text} ({why})"),
            None => format!("{text} @{}", self.diagram.sent_at[message].to_string().trim_end_matches("ms")),
        };
        let gap = self.width.saturating_sub(5);
        let all = (self.x(from).abs_diff(self.x(to))).saturating_sub(5);
        let fits = |text: &str, room: usize| text.chars().count() <= room;
        match () {
            () if fits(&timed, gap) => Some((timed, gap)),
            () if lost.is_some() && fits(&timed, all) => Some((timed, all)),
            () if lost.is_none() && fits(&text, gap) => Some((text, gap)),
            () if fits(&timed, all) => Some((timed, all)),
            () if lost.is_none() && fits(&text, all) => Some((text, all)),
            () => {
                let (text, ink) = if lost.is_some() { (timed, Ink::Red) } else { (text, Ink::Plain) };
                // Left of the arrow, whichever way it goes: there the text has the most room.
                self.wide(at, shown, from.min(to), &text, ink);
                None
            }
        }
    }

    fn said(&self, message: usize) -> String {
        let envelope = &self.diagram.messages[message];
        format!("{}{}", envelope.text, if envelope.is_copy { " (again)" } else { "" })
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
        let Some(fan) = Fan::of(self.diagram, &received) else { return };
        let is_short = |(_, id): &(usize, usize)| self.said(*id).chars().count() <= self.width.saturating_sub(5);
        if !fan.peers.iter().all(is_short) {
            // A label is never split: then each arrow has a line.
            return self.one_by_one(at, steps, marks, shown);
        }
        self.begin(at, shown);
        self.fan(&fan);
        // Right of the last column of the fan there is room.
        let last = fan.peers.iter().map(|(column, _)| *column).chain([fan.hub]).max();
        if let Some((column, marks)) = marks.iter_mut().find(|(column, _)| Some(*column) == last) {
            self.beside(*column, marks);
        }
        self.end();
        self.marks(at, marks, shown, false);
    }

    fn one_by_one(
        &mut self,
        at: Instant,
        steps: &[Step],
        marks: Vec<(usize, Vec<(String, Ink)>)>,
        shown: &mut Option<Instant>,
    ) {
        let mut said: Vec<String> = Vec::new();
        for message in steps.iter().filter_map(|step| step.received) {
            let Some((from, to)) = self.ends(message) else { continue };
            // The common part of all labels is written once.
            let text = self.said(message);
            let label = if said.contains(&text) { None } else { self.label(at, shown, message, None) };
            said.push(text);
            self.begin(at, shown);
            self.arrow(from, to, label, false);
            self.end();
        }
        self.marks(at, marks, shown, false);
    }

    /// From the hub, the line drops down on each receiver; to the hub, the lines of all senders run together.
    fn fan(&mut self, fan: &Fan) {
        let low = fan.peers.iter().map(|(column, _)| *column).chain([fan.hub]).min().unwrap_or(fan.hub);
        let high = fan.peers.iter().map(|(column, _)| *column).chain([fan.hub]).max().unwrap_or(fan.hub);
        for x in self.x(low) + 1..self.x(high) {
            let crosses = (x - TIME).is_multiple_of(self.width) && self.line[x].0 != ' ';
            self.line[x].0 = if crosses { '┼' } else { '─' };
        }
        let hub = self.x(fan.hub);
        let (left, right) = (low < fan.hub, high > fan.hub);
        if self.lives[fan.hub] == Life::Up {
            self.line[hub].0 = match (left, right) {
                (true, true) => '┼',
                (true, false) => '┤',
                _ => '├',
            };
        }
        for (column, _) in &fan.peers {
            let x = self.x(*column);
            self.line[x].0 = match (fan.is_broadcast, *column == low, *column == high) {
                (true, ..) => '▼',
                (false, true, _) => '└',
                (false, _, true) => '┘',
                (false, ..) => '┴',
            };
        }
        if !fan.is_broadcast {
            if left {
                self.line[hub - 1].0 = '▶';
            }
            if right {
                self.line[hub + 1].0 = '◀';
            }
        }
        self.fan_labels(fan);
    }

    /// The common part of all labels is written once on each side, beside the hub; the differences are written beside
    /// each node.
    fn fan_labels(&mut self, fan: &Fan) {
        let room = self.width.saturating_sub(5);
        let first = self.said(fan.peers[0].1);
        let are_alike = fan.peers.iter().all(|(_, id)| self.said(*id) == first);
        let mut labels: Vec<(usize, String)> = Vec::new();
        for is_right in [false, true] {
            let peers: Vec<_> = fan.peers.iter().filter(|(column, _)| (*column > fan.hub) == is_right).collect();
            if peers.is_empty() {
                continue;
            }
            if are_alike {
                labels.push((if is_right { fan.hub } else { fan.hub - 1 }, first.clone()));
                continue;
            }
            // The space on the side of the hub.
            let beside = |column: usize| if is_right { column - 1 } else { column };
            labels.extend(peers.iter().map(|(column, id)| (beside(*column), self.said(*id))));
        }
        for (space, text) in labels {
            let length = text.chars().count();
            self.put(self.x(space) + 2 + (room - length) / 2, &format!(" {text} "), Ink::Plain);
        }
    }
}

/// Arrows from one node to several, or from several to one.
struct Fan {
    /// The column at which all arrows begin, or end.
    hub: usize,
    is_broadcast: bool,
    /// The column at the other end of each arrow, and its message.
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
