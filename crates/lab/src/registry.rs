//! What the command line sees of a chapter: its type is gone, and everything is derived.
//!
//! The registry is the only place where protocols lose their types: seventy protocols times three worlds of generics
//! would not compile in time anywhere else. A chapter is registered by one line in [`crate::chapters::all`].

use crate::chapter::{Card, Carrier, Chapter};
use crate::chapters;
use crate::claim::Claim;
use crate::live::{self, LiveError, LiveNode};
use crate::model::CheckedModel;
use crate::shrink::{self, ReplayError, Replayed, SweepReport, SweepRequest};
use crate::study::{self, Ran, Request, RequestError};
use std::fmt;
use std::marker::PhantomData;
use std::process::Command;
use volvox_core::{Property, When};

/// A property, without what decides it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PropertyCard {
    /// Its name.
    pub name: &'static str,
    /// Where it stands.
    pub source: &'static str,
    /// When it is asked.
    pub when: When,
}

impl PropertyCard {
    /// The card of a property.
    pub fn of<P, H>(property: &Property<P, H>) -> PropertyCard {
        PropertyCard { name: property.name, source: property.source, when: property.when }
    }
}

/// A chapter whose type is gone.
pub trait Study: Send + Sync {
    /// What is known without running it.
    fn card(&self) -> &'static Card;

    /// What carries its messages.
    fn carrier(&self) -> Carrier;

    /// What must hold.
    fn properties(&self) -> Vec<PropertyCard>;

    /// The small instances that are explored.
    fn models(&self) -> Vec<CheckedModel>;

    /// The numbers of the textbook that are measured.
    fn claims(&self) -> Vec<Claim>;

    /// Runs a scenario in the simulated world.
    ///
    /// # Errors
    /// When the request does not fit the chapter. A property that breaks is no error: see [`Ran::is_good`].
    fn run(&self, request: &Request) -> Result<Ran, RequestError>;

    /// Runs seeds of drawn commands and faults, and makes shorter what fails; `progress` hears how many seeds are done,
    /// and how many failed.
    ///
    /// # Errors
    /// When the request does not fit the chapter.
    fn sweep(
        &self,
        request: &SweepRequest,
        progress: &(dyn Fn(u64, usize) + Sync),
    ) -> Result<SweepReport, RequestError>;

    /// Runs a scenario with one operating system process a node; `spawn` makes the command that runs
    /// [`Study::live_node`] with what it is given.
    ///
    /// # Errors
    /// When the request does not fit the chapter or the live world, or the machine refuses.
    fn live(&self, request: &Request, spawn: &dyn Fn(&LiveNode) -> Command) -> Result<Ran, LiveError>;

    /// Is one node of a live run, until standard input ends.
    ///
    /// # Errors
    /// When the node cannot be opened, or its log fails.
    fn live_node(&self, node: &LiveNode) -> Result<(), LiveError>;

    /// Follows a counterexample of this chapter that was made shorter.
    ///
    /// # Errors
    /// When the text is none, or something in it cannot happen.
    fn replay(&self, text: &str) -> Result<Replayed, ReplayError>;
}

/// The study of a chapter: one line of the registry.
pub fn study<C: Chapter>() -> Box<dyn Study> {
    Box::new(Of::<C>(PhantomData))
}

struct Of<C>(PhantomData<fn() -> C>);

impl<C: Chapter> Study for Of<C> {
    fn card(&self) -> &'static Card {
        C::card()
    }

    fn carrier(&self) -> Carrier {
        C::carrier()
    }

    fn properties(&self) -> Vec<PropertyCard> {
        C::properties().iter().map(PropertyCard::of).collect()
    }

    fn models(&self) -> Vec<CheckedModel> {
        C::models()
    }

    fn claims(&self) -> Vec<Claim> {
        C::claims()
    }

    fn run(&self, request: &Request) -> Result<Ran, RequestError> {
        study::simulate::<C>(request)
    }

    fn sweep(
        &self,
        request: &SweepRequest,
        progress: &(dyn Fn(u64, usize) + Sync),
    ) -> Result<SweepReport, RequestError> {
        shrink::sweep::<C>(request, progress)
    }

    fn live(&self, request: &Request, spawn: &dyn Fn(&LiveNode) -> Command) -> Result<Ran, LiveError> {
        live::live::<C>(request, spawn)
    }

    fn live_node(&self, node: &LiveNode) -> Result<(), LiveError> {
        live::node::<C>(node)
    }

    fn replay(&self, text: &str) -> Result<Replayed, ReplayError> {
        shrink::replay::<C>(text)
    }
}

/// The chapter of this name.
///
/// # Errors
/// When there is none: with what there is, the nearest first.
pub fn find(id: &str) -> Result<Box<dyn Study>, Unknown> {
    let mut all = chapters::all();
    match all.iter().position(|study| study.card().id == id) {
        Some(place) => Ok(all.swap_remove(place)),
        None => Err(Unknown { name: id.to_string(), known: all.iter().map(|study| study.card().id).collect() }),
    }
}

/// There is no chapter of this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// What was asked for.
    pub name: String,
    /// What there is.
    pub known: Vec<&'static str>,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no protocol {:?}", self.name)?;
        match nearest(&self.name, self.known.iter().copied()) {
            Some(near) => write!(f, "; did you mean {near}? `volvox lab list` names all"),
            None => write!(f, "; `volvox lab list` names all"),
        }
    }
}

impl std::error::Error for Unknown {}

/// Which of these somebody meant who wrote `word`: the one with the fewest edits, when these are few.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let near = known.map(|name| (edits(&word, &name.to_lowercase()), name)).min()?;
    let is_part = word.len() >= 3 && near.1.to_lowercase().contains(&word);
    (is_part || near.0 <= 2.max(word.chars().count() / 3)).then_some(near.1)
}

/// How many letters must be put in, taken out or replaced (Levenshtein 1966); two exchanged neighbours count as one.
fn edits(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().take(64).collect(), to.chars().take(64).collect());
    let mut rows = vec![vec![0; to.len() + 1]; from.len() + 1];
    for i in 0..=from.len() {
        for j in 0..=to.len() {
            rows[i][j] = match (i, j) {
                (0, _) => j,
                (_, 0) => i,
                _ => {
                    let replaced = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
                    let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                    if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                        best = best.min(rows[i - 2][j - 2] + 1);
                    }
                    best
                }
            };
        }
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        let known = ["ricart-agrawala", "token-ring", "two-phase-commit", "three-phase-commit", "raft"];
        let near = |word: &str| nearest(word, known.into_iter());
        assert_eq!(near("ricart-agrawla"), Some("ricart-agrawala"));
        assert_eq!(near("Token-Rign"), Some("token-ring"));
        assert_eq!(near("two-fase-comit"), Some("two-phase-commit"));
        assert_eq!(near("rfat"), Some("raft"));
        assert_eq!(nearest("q-mtx-33", ["Q-MTX-3", "Q-ORD-1"].into_iter()), Some("Q-MTX-3"));
        assert_eq!(near("kubernetes"), None);
        assert_eq!((edits("", "abc"), edits("kitten", "sitting"), edits("ab", "ba")), (3, 3, 1));
    }
}
