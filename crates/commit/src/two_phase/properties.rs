//! The properties of two-phase commit.

use super::{History, TwoPhase};
use crate::transaction;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use volvox_core::{Picture, Property, When};

/// The properties.
pub fn properties() -> Vec<Property<TwoPhase, History>> {
    let mut properties = transaction::properties::<TwoPhase>();
    properties.push(Property {
        name: "termination",
        source: "AC5; Bernstein, Hadzilacos, Goodman 1987, 7.3",
        when: When::AtEnd,
        holds: termination,
    });
    properties
}

/// Every node that voted yes in a transaction, and is up, eventually knows its outcome.
fn termination(picture: &Picture<'_, TwoPhase, History>) -> Result<(), String> {
    let uncertain = picture.nodes.iter().find_map(|(id, node)| Some((id, node.uncertain().next()?)));
    uncertain.map_or(Ok(()), |(id, transaction)| Err(format!("{id} does not know the outcome of {transaction}")))
}
