//! Asks the properties.

use super::Held;
use crate::chapter::Chapter;
use crate::registry::PropertyCard;
use volvox_core::{History, Instant, NodeId, Picture, Property, When};

/// The properties of a chapter, what they remember, and what became of them.
pub(crate) struct Judge<C: Chapter> {
    properties: Vec<Property<C::Process, C::History>>,
    held: Vec<Held>,
    history: C::History,
    events: Vec<(String, u64)>,
}

impl<C: Chapter> Judge<C> {
    pub fn new() -> Judge<C> {
        let properties = C::properties();
        let held = vec![Held::NotAsked; properties.len()];
        Judge { properties, held, history: C::History::default(), events: Vec::new() }
    }

    /// A node told something.
    pub fn event(&mut self, node: NodeId, event: &<C::Process as volvox_core::Process>::Event) {
        self.history.on_event(node, event);
        let text = event.to_string();
        // `entered`, `delivers 3 of n1`: the first word that is one; what is only numbers has none.
        let is_word = |word: &&str| word.chars().all(|letter| letter.is_alphabetic() || letter == '-');
        let word = text.split_whitespace().find(is_word).unwrap_or("told");
        match self.events.iter_mut().find(|(known, _)| known == word) {
            Some((_, count)) => *count += 1,
            None => self.events.push((word.to_string(), 1)),
        }
    }

    /// Asks what must hold in every state; the property that does not, with what is wrong.
    pub fn always(&mut self, at: Instant, nodes: &[(NodeId, &C::Process)]) -> Option<(&'static str, String)> {
        self.ask(When::Always, at, nodes)
    }

    /// Asks what must hold at the end.
    pub fn at_end(&mut self, at: Instant, nodes: &[(NodeId, &C::Process)]) -> Option<(&'static str, String)> {
        self.ask(When::AtEnd, at, nodes)
    }

    fn ask(&mut self, when: When, at: Instant, nodes: &[(NodeId, &C::Process)]) -> Option<(&'static str, String)> {
        let picture = Picture { nodes, history: &self.history };
        let mut first = None;
        for (property, held) in self.properties.iter().zip(&mut self.held) {
            if property.when != when || matches!(held, Held::No { .. }) {
                continue;
            }
            match (property.holds)(&picture) {
                Ok(()) => *held = Held::Yes,
                Err(text) => {
                    *held = Held::No { at, text: text.clone() };
                    first.get_or_insert((property.name, text));
                }
            }
        }
        first
    }

    /// Whether what must hold at the end would hold if this were it.
    pub fn could_end(&self, nodes: &[(NodeId, &C::Process)]) -> bool {
        let picture = Picture { nodes, history: &self.history };
        let at_end = self.properties.iter().filter(|property| property.when == When::AtEnd);
        at_end.into_iter().all(|property| (property.holds)(&picture).is_ok())
    }

    /// Whether the run has done its work.
    pub fn is_done(&self, nodes: &[(NodeId, &C::Process)]) -> bool {
        C::is_done(&Picture { nodes, history: &self.history })
    }

    /// What became of each property, and the events by their first word.
    pub fn verdict(self) -> Verdict {
        let cards = self.properties.iter().map(PropertyCard::of);
        (cards.zip(self.held).collect(), self.events)
    }
}

/// What became of each property, and how often each event was told.
pub(crate) type Verdict = (Vec<(PropertyCard, Held)>, Vec<(String, u64)>);
