//! The diagram of a script: of a counterexample that was made short, or of a golden script.
//!
//! A script says what the world does (`> deliver n1->n2 Reply`) and below it what followed, in the lines of the trace.
//! Both together are a run. What a script says in one word (`settle`) cannot be drawn, and is left out.

use super::{Detail, Diagram};
use crate::chapter::Carrier;
use std::collections::BTreeMap;
use volvox_core::{Fault, Instant, NodeId};
use volvox_sim::{Envelope, Moment, Recording, What};

/// The diagram of a script as `volvox lab replay` prints it. `None` when it does not say how many nodes there are.
pub fn of_script(
    title: &str,
    text: &str,
    broken: Option<(&'static str, &str)>,
    carrier: Carrier,
    detail: Detail,
) -> Option<Diagram> {
    let mut reader =
        Reader { carrier, recording: Recording::default(), now: Instant::ZERO, under_way: BTreeMap::new(), open: None };
    let mut count: Option<u64> = None;
    for line in text.lines() {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["nodes", number] | [">", "cluster", number, ..] => count = number.parse().ok(),
            [">", ref words @ ..] => {
                let rest = line.trim_start().trim_start_matches('>').trim_start();
                reader.command(words, rest);
            }
            [at, node, ref words @ ..] if !words.is_empty() => reader.output(at, node, words),
            _ => {}
        }
    }
    if let Some((property, text)) = broken {
        let text = text.to_string();
        reader.push(NodeId(0), What::Broken { property, text });
    }
    let count = count.filter(|count| (1..=1_000).contains(count))?;
    let nodes = (1..=count).map(NodeId).collect();
    Some(Diagram::from_recording(title.to_string(), nodes, &reader.recording, carrier, detail))
}

struct Reader {
    carrier: Carrier,
    recording: Recording,
    now: Instant,
    under_way: BTreeMap<(NodeId, NodeId), Vec<usize>>,
    /// What the last command made happen: it happened when its first output says.
    open: Option<usize>,
}

impl Reader {
    fn push(&mut self, node: NodeId, what: What) {
        self.recording.moments.push(Moment { at: self.now, node, what });
    }

    fn command(&mut self, words: &[&str], rest: &str) {
        let (words, rest) = match words {
            ["at", moment, words @ ..] => {
                self.now = instant(moment).unwrap_or(self.now).max(self.now);
                (words, rest.split_once(moment).map_or("", |(_, rest)| rest.trim_start()))
            }
            words => (words, rest),
        };
        self.open = None;
        let begun = self.recording.moments.len();
        match words {
            ["deliver" | "drop", link, which @ ..] => {
                let Some(ends) = link_of(link) else { return };
                let Some(message) = self.take(ends, which.first().copied()) else { return };
                let what = if words[0] == "drop" { What::Lost(message, "lost") } else { What::Delivered(message) };
                self.push(ends.1, what);
            }
            ["duplicate", link, ..] => {
                let Some(ends) = link_of(link) else { return };
                let Some(first) = self.under_way.get(&ends).and_then(|queue| queue.first().copied()) else { return };
                let copy = Envelope { is_copy: true, ..self.recording.messages[first].clone() };
                self.send(ends, copy);
            }
            [verb, node, ..] => {
                let Some(node) = node_of(node) else { return };
                let said = rest.splitn(3, ' ').nth(2).unwrap_or("").to_string();
                let what = match *verb {
                    "command" => What::Command(said),
                    "timer" => What::Timer(said),
                    "timeout" => What::Timer("timeout".to_string()),
                    "crash" => What::Stopped,
                    "start" => What::Started(volvox_core::Incarnation::FIRST),
                    "clock" => match rest.replacen("clock", "skew", 1).parse::<Fault>() {
                        Ok(fault) => What::Fault(fault),
                        Err(_) => return,
                    },
                    _ => return,
                };
                if what == What::Stopped {
                    // A node that died has lived: what starts it is a start again.
                    self.recording.moments.insert(0, started(node));
                }
                self.push(node, what);
            }
            _ => {}
        }
        self.open = (self.recording.moments.len() > begun).then(|| self.recording.moments.len() - 1);
    }

    fn output(&mut self, at: &str, node: &str, words: &[&str]) {
        let (Some(at), Some(node)) = (instant(at), node_of(node)) else { return };
        self.now = at.max(self.now);
        if let Some(open) = self.open.take() {
            self.recording.moments[open].at = self.now;
        }
        let said = |words: &[&str]| {
            let ends = match words {
                [.., "after", position] if position.starts_with('p') => words.len() - 2,
                _ => words.len(),
            };
            words[..ends].join(" ")
        };
        match words {
            ["->", to, message @ ..] => {
                let (Some(to), text) = (node_of(to), said(message)) else { return };
                // A script names a message by what is carried.
                let carried = self.carrier.message(&text).unwrap_or(&text);
                let kind = carried.split_whitespace().next().unwrap_or_default().to_string();
                self.send((node, to), Envelope { from: node, to, kind, text, is_copy: false });
            }
            ["event", event @ ..] => self.push(node, What::Event(said(event))),
            ["persist", _, record @ ..] => self.push(node, What::Persisted(said(record))),
            ["note", note @ ..] => self.push(node, What::Note(said(note))),
            _ => {}
        }
    }

    fn send(&mut self, ends: (NodeId, NodeId), envelope: Envelope) {
        let id = self.recording.messages.len();
        self.recording.messages.push(envelope);
        self.push(ends.0, What::Sent(id));
        self.under_way.entry(ends).or_default().push(id);
    }

    /// The oldest message of a link, the oldest of a kind, or the one at a place.
    fn take(&mut self, ends: (NodeId, NodeId), which: Option<&str>) -> Option<usize> {
        let queue = self.under_way.get_mut(&ends)?;
        let place = match which {
            None => 0,
            Some(which) => match which.strip_prefix('#').and_then(|place| place.parse::<usize>().ok()) {
                Some(place) => place.checked_sub(1)?,
                None => queue.iter().position(|id| self.recording.messages[*id].kind == which).unwrap_or(0),
            },
        };
        (place < queue.len()).then(|| queue.remove(place))
    }
}

fn started(node: NodeId) -> Moment {
    Moment { at: Instant::ZERO, node, what: What::Started(volvox_core::Incarnation::FIRST) }
}

fn node_of(word: &str) -> Option<NodeId> {
    word.strip_prefix('n')?.parse().ok().filter(|id| *id > 0).map(NodeId)
}

fn link_of(word: &str) -> Option<(NodeId, NodeId)> {
    let (from, to) = word.split_once("->")?;
    Some((node_of(from)?, node_of(to)?))
}

/// A moment as the trace prints it, `12.304ms`, or a span.
fn instant(word: &str) -> Option<Instant> {
    if let Some(span) = crate::scenario::span_of(word) {
        return Some(Instant::ZERO + span);
    }
    let (whole, fraction) = word.strip_suffix("ms")?.split_once('.')?;
    let micros: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000)?.checked_add(micros)?.checked_mul(1_000).map(Instant)
}

#[cfg(test)]
mod tests {
    use super::super::{Paper, terminal};
    use super::*;

    const SCRIPT: &str = "# Two are inside.\nprotocol ricart-agrawala\nnodes 2\n\n> command n1 enter\n\
        0.000ms n1 event asked\n0.000ms n1 -> n2 Request 1\n> at 3ms deliver n1->n2 Request\n3.000ms n2 -> n1 Reply after p4\n\
        > drop n2->n1\n> crash n2\n> start n2\n";

    #[test]
    fn a_script_is_drawn() {
        let broken = Some(("one at a time", "n1 and n2 are inside"));
        let diagram = drawn("two", SCRIPT, broken, Carrier::Network).expect("it has nodes");
        let text = terminal(&diagram, Paper { columns: 80, is_coloured: false });
        for wanted in
            ["● enter ◆ asked", "Request 1 @0", "▶│", "✗", "Reply (lost)", "✖ crashed", "▲ starts again", "BROKEN: one"]
        {
            assert!(text.contains(wanted), "no {wanted:?} in\n{text}");
        }
        assert!(text.contains("   3.000ms  ├"), "{text}");
        assert_eq!(instant("12.304ms"), Some(Instant(12_304_000)));
        assert_eq!((instant("12.3x"), instant("x.5ms")), (None, None));
    }

    fn drawn(title: &str, text: &str, broken: Option<(&'static str, &str)>, carrier: Carrier) -> Option<Diagram> {
        of_script(title, text, broken, carrier, Detail::Protocol)
    }

    #[test]
    fn what_a_channel_says_for_itself_is_left_out_and_counted() {
        let script = "nodes 2\n> command n1 enter\n0.000ms n1 -> n2 Hello s9\n> at 1ms deliver n1->n2\n\
            1.000ms n2 -> n1 Welcome s9->s9\n> at 2ms deliver n2->n1\n2.000ms n1 -> n2 Data s9->s9 #1 Request 7\n\
            > at 3ms deliver n1->n2 Request\n3.000ms n2 -> n1 Data s9->s9 #1 Ack 8\n3.000ms n2 -> n1 Ack s9->s9 #1\n\
            > at 4ms deliver n2->n1 Ack\n> at 10ms timer n1 Child(Leave)\n10.000ms n1 event left\n\
            > at 11ms timer n1 Repeat(n2)\n11.000ms n1 -> n2 Hello s9\n";
        let paper = Paper { columns: 80, is_coloured: false };
        let text = terminal(&drawn("t", script, None, Carrier::Channel).expect("it has nodes"), paper);
        for wanted in
            ["Request 7 @2", "Ack 8 @3", "◷ Leave ◆ left", "not shown: 2 Hello, 1 Welcome, 1 Ack of the channel"]
        {
            assert!(text.contains(wanted), "no {wanted:?} in\n{text}");
        }
        let hidden =
            text.lines().filter(|line| ["Hello", "Welcome", "Repeat", "s9"].iter().any(|word| line.contains(word)));
        assert_eq!(hidden.count(), 1, "{text}");
        let all = of_script("t", script, None, Carrier::Channel, Detail::Everything).expect("it has nodes");
        let all = terminal(&all, paper);
        assert!(all.contains("Hello s9") && all.contains("Welcome s9->s9") && !all.contains("not shown"), "{all}");
    }

    #[test]
    fn nonsense_is_left_out() {
        let text =
            "nodes 2\n> deliver n1->n9\n> crash\n> at soon command n1 x\n0.000ms n1\n7 n1 -> n2\n> deliver n1->n2 #0\n";
        assert!(drawn("t", text, None, Carrier::Network).is_some_and(|diagram| diagram.messages.is_empty()));
        assert!(drawn("t", "> command n1 enter\n", None, Carrier::Network).is_none());
    }
}
