//! Evaluates the properties.

use super::Held;
use crate::shell::{AnyPicture, Properties, PropertyCard, Shell};
use volvox_core::erased::{AnyEvent, AnyHistory, AnyProcess};
use volvox_core::{Instant, NodeId, Picture, When};

/// The properties of a chapter, their history, and their verdicts.
pub(crate) struct Judge {
    shell: &'static dyn Shell,
    properties: Box<dyn Properties>,
    cards: Vec<PropertyCard>,
    held: Vec<Held>,
    history: AnyHistory,
    events: Vec<(&'static str, u64)>,
}

impl Judge {
    pub fn new(shell: &'static dyn Shell) -> Judge {
        let properties = shell.properties();
        let (cards, history) = (properties.cards(), properties.history());
        Judge { shell, held: vec![Held::NotAsked; cards.len()], properties, cards, history, events: Vec::new() }
    }

    /// A node emitted an event.
    pub fn event(&mut self, node: NodeId, event: &AnyEvent) {
        self.properties.observe(&mut self.history, node, event);
        let kind = self.shell.event_kind(event);
        match self.events.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => self.events.push((kind, 1)),
        }
    }

    /// Evaluates the safety properties; returns the first violated one, with the reason.
    pub fn always(&mut self, at: Instant, nodes: &[(NodeId, &AnyProcess)]) -> Option<(&'static str, String)> {
        self.ask(When::Always, at, nodes)
    }

    /// Evaluates the final properties.
    pub fn at_end(&mut self, at: Instant, nodes: &[(NodeId, &AnyProcess)]) -> Option<(&'static str, String)> {
        self.ask(When::AtEnd, at, nodes)
    }

    fn ask(&mut self, when: When, at: Instant, nodes: &[(NodeId, &AnyProcess)]) -> Option<(&'static str, String)> {
        let is_asked =
            |number: &usize| self.cards[*number].when == when && !matches!(self.held[*number], Held::No { .. });
        let numbers: Vec<usize> = (0..self.cards.len()).filter(is_asked).collect();
        let answers = self.properties.ask(&numbers, &Picture { nodes, history: &self.history });
        let mut first = None;
        for (number, answer) in numbers.into_iter().zip(answers) {
            match answer {
                Ok(()) => self.held[number] = Held::Yes,
                Err(text) => {
                    self.held[number] = Held::No { at, text: text.clone() };
                    first.get_or_insert((self.cards[number].name, text));
                }
            }
        }
        first
    }

    /// Whether the properties of the end would hold now.
    pub fn could_end(&self, nodes: &[(NodeId, &AnyProcess)]) -> bool {
        let at_end = |number: &usize| self.cards[*number].when == When::AtEnd;
        let numbers: Vec<usize> = (0..self.cards.len()).filter(at_end).collect();
        self.properties.ask(&numbers, &self.picture(nodes)).iter().all(Result::is_ok)
    }

    /// Whether the run has done its work.
    pub fn is_done(&self, nodes: &[(NodeId, &AnyProcess)]) -> bool {
        self.properties.is_done(&self.picture(nodes))
    }

    fn picture<'a>(&'a self, nodes: &'a [(NodeId, &'a AnyProcess)]) -> AnyPicture<'a> {
        Picture { nodes, history: &self.history }
    }

    /// The verdict on each property, and the events by their kind.
    pub fn verdict(self) -> Verdict {
        (self.cards.into_iter().zip(self.held).collect(), self.events)
    }
}

/// The verdict on each property, and how often each event occurred.
pub(crate) type Verdict = (Vec<(PropertyCard, Held)>, Vec<(&'static str, u64)>);
