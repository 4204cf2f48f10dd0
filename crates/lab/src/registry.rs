//! What the command line sees of a chapter: its type is gone, and everything is derived.
//!
//! The registry is the only place where protocols lose their types: seventy protocols times three worlds of generics
//! would not compile in time anywhere else. A chapter is registered by one line in [`crate::chapters::all`].

use crate::chapter::{Card, Chapter};
use crate::claim::Claim;
use crate::model::CheckedModel;
use std::marker::PhantomData;
use volvox_core::When;

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

/// A chapter whose type is gone.
pub trait Study: Send + Sync {
    /// What is known without running it.
    fn card(&self) -> &'static Card;

    /// What must hold.
    fn properties(&self) -> Vec<PropertyCard>;

    /// The small instances that are explored.
    fn models(&self) -> Vec<CheckedModel>;

    /// The numbers of the textbook that are measured.
    fn claims(&self) -> Vec<Claim>;
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

    fn properties(&self) -> Vec<PropertyCard> {
        let properties = C::properties();
        properties
            .iter()
            .map(|property| PropertyCard { name: property.name, source: property.source, when: property.when })
            .collect()
    }

    fn models(&self) -> Vec<CheckedModel> {
        C::models()
    }

    fn claims(&self) -> Vec<Claim> {
        C::claims()
    }
}
