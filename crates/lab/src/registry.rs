//! All entries of the laboratory, by family; a value that programs pass.
//!
//! Not every mechanism is a protocol of its own, so an entry is one of three kinds. A *protocol chapter* is a protocol with
//! its worlds ([`crate::chapter`]). An *experiment* is a measurement, or a small model, over existing processes. A
//! *service row* is realised by the product itself, and shown by named tests of the gate.

use crate::chapter::Chapter;
use crate::claim::Claim;
use crate::model::CheckedModel;
use crate::never::{self, Never};
use crate::reading::{self, Reading, Unordered};
use crate::recorded::{self, Line};
use crate::shell::Shell;
use std::fmt;
use volvox_core::vocabulary::nearest;

pub use crate::shell::shell;

/// The description of an entry of any kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntryCard {
    /// Its name on the command line: `ricart-agrawala`.
    pub id: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// The mechanisms of the catalogue that it covers: `MTX-03`. None where the catalogue has no row.
    pub mechanisms: &'static [&'static str],
    /// The paper that it follows, with sections.
    pub reference: &'static str,
    /// The entries that a reader needs first, the reading time, and the lesson.
    pub reading: Reading,
    /// Its questions: a page of the book (`include_str!`), in the form of [`questions`](crate::questions).
    pub questions: &'static str,
    /// A source (`include_str!`) whose prose header is the chapter.
    pub source: &'static str,
}

impl EntryCard {
    /// Whether a measurement is named after this entry, `maekawa.1`, because the catalogue has no row for its mechanism.
    pub fn names(&self, measurement: &str) -> bool {
        self.mechanisms.is_empty() && measurement.strip_prefix(self.id).is_some_and(|rest| rest.starts_with('.'))
    }
}

/// Measurements or small models over existing processes.
#[derive(Clone, Copy)]
pub struct Experiment {
    /// Its card.
    pub card: EntryCard,
    /// Its parameters: the name of each, and its value with its unit.
    pub parameters: &'static [(&'static str, &'static str)],
    /// Its claims, each with a breakage.
    pub claims: &'static [Claim],
    /// Its models.
    pub models: &'static [CheckedModel],
}

/// An entry of the laboratory.
#[derive(Clone, Copy)]
pub enum Entry {
    /// A protocol, in the worlds.
    Protocol(&'static dyn Shell),
    /// Measurements or small models over existing processes.
    Experiment(&'static Experiment),
    /// The properties of the product itself, shown by tests of the gate.
    Service(&'static EntryCard),
}

/// The entry of a chapter: one line of its family.
pub const fn protocol<C: Chapter>() -> Entry {
    Entry::Protocol(shell::<C>())
}

impl Entry {
    /// Its card, known without running it.
    pub fn card(self) -> EntryCard {
        match self {
            Entry::Protocol(shell) => {
                let card = shell.card();
                let crate::chapter::Card { id, title, mechanisms, reference, reading, questions, source, .. } = *card;
                EntryCard { id, title, mechanisms, reference, reading, questions, source }
            }
            Entry::Experiment(experiment) => experiment.card,
            Entry::Service(card) => *card,
        }
    }

    /// Its kind, in a word.
    pub fn kind(self) -> &'static str {
        match self {
            Entry::Protocol(_) => "protocol",
            Entry::Experiment(_) => "experiment",
            Entry::Service(_) => "service",
        }
    }

    /// The chapter, if it is one of a protocol.
    pub fn protocol(self) -> Option<&'static dyn Shell> {
        match self {
            Entry::Protocol(shell) => Some(shell),
            Entry::Experiment(_) | Entry::Service(_) => None,
        }
    }

    /// Its models.
    pub fn models(self) -> Vec<CheckedModel> {
        match self {
            Entry::Protocol(shell) => shell.models(),
            Entry::Experiment(experiment) => experiment.models.to_vec(),
            Entry::Service(_) => Vec::new(),
        }
    }

    /// Its claims.
    pub fn claims(self) -> Vec<Claim> {
        match self {
            Entry::Protocol(shell) => shell.claims(),
            Entry::Experiment(experiment) => experiment.claims.to_vec(),
            Entry::Service(_) => Vec::new(),
        }
    }
}

/// The entries of one family: a crate below `chapters/`.
#[derive(Clone, Copy)]
pub struct Family {
    /// The name of its folder.
    pub name: &'static str,
    /// Its entries, in the order in which a reader may take them.
    pub entries: &'static [Entry],
    /// The evidence for the demands of the catalogue: its `evidence.txt`.
    pub evidence: &'static str,
    /// The results of its test for each entry: its `coverage.txt`.
    pub coverage: &'static str,
    /// The gaps in the models of each chapter, with reasons: its `never.txt`.
    pub never: &'static str,
}

/// Every family. The one value of this type is in the crate `chapters`.
#[derive(Clone, Copy)]
pub struct Registry(pub &'static [&'static Family]);

impl Registry {
    /// Every entry, family by family.
    pub fn entries(self) -> impl Iterator<Item = Entry> {
        self.0.iter().flat_map(|family| family.entries.iter().copied())
    }

    /// Every chapter of a protocol, family by family.
    pub fn chapters(self) -> impl Iterator<Item = &'static dyn Shell> {
        self.entries().filter_map(Entry::protocol)
    }

    /// Every entry, each after all that it needs.
    ///
    /// # Errors
    /// When an entry needs one that does not exist, or itself through others.
    pub fn in_reading_order(self) -> Result<Vec<Entry>, Unordered> {
        let names: Vec<&'static str> = self.entries().map(|entry| entry.card().id).collect();
        let needs = |name: &str| self.entry(name).map(|entry| entry.card().reading.needs).unwrap_or_default();
        let order = reading::sorted(&names, &needs)?;
        Ok(order.into_iter().filter_map(|name| self.entry(name).ok()).collect())
    }

    /// The entry of this name.
    ///
    /// # Errors
    /// When there is none: with what there is.
    pub fn entry(self, id: &str) -> Result<Entry, Unknown> {
        let found = self.entries().find(|entry| entry.card().id == id);
        found.ok_or_else(|| Unknown::Nothing {
            name: id.to_string(),
            known: self.entries().map(|entry| entry.card().id).collect(),
        })
    }

    /// The chapter of this name.
    ///
    /// # Errors
    /// When there is none, or the entry of this name is of another kind.
    pub fn find(self, id: &str) -> Result<&'static dyn Shell, Unknown> {
        let entry = self.entry(id)?;
        entry.protocol().ok_or_else(|| Unknown::NoProtocol { name: id.to_string(), kind: entry.kind() })
    }

    /// The gaps in the models of the chapter of this name, with reasons.
    pub fn never(self, id: &str) -> Vec<Never> {
        let all = self.0.iter().filter_map(|family| never::read(family.never).ok()).flatten();
        all.filter(|never| never.entry == id).collect()
    }

    /// The last recorded results of the tests of all families.
    pub fn recorded(self) -> Vec<Line> {
        self.0.iter().flat_map(|family| recorded::read(family.coverage)).collect()
    }
}

/// There is no entry of this name, or it cannot do what was requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// No entry has this name.
    Nothing {
        /// The requested name.
        name: String,
        /// The existing names.
        known: Vec<&'static str>,
    },
    /// There is one, and it has no nodes of its own that could run.
    NoProtocol {
        /// The unknown name.
        name: String,
        /// Its kind.
        kind: &'static str,
    },
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unknown::Nothing { name, known } => {
                write!(f, "there is no protocol {name:?}")?;
                match nearest(name, known.iter().copied()) {
                    Some(near) => write!(f, "; did you mean {near}? `volvox lab list` names all"),
                    None => write!(f, "; `volvox lab list` names all"),
                }
            }
            Unknown::NoProtocol { name, kind: "experiment" } => write!(
                f,
                "{name} is an experiment, not a protocol: it has no scenario to run; `volvox lab claim {name}` measures it"
            ),
            Unknown::NoProtocol { name, kind } => write!(
                f,
                "{name} is a {kind}, not a protocol: it has no scenario to run; `volvox lab show {name}` names the tests \
                 that show it"
            ),
        }
    }
}

impl std::error::Error for Unknown {}
