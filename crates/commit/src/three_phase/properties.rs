//! The properties of three-phase commit.

use super::{History, ThreePhase};
use crate::transaction;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use volvox_core::{Picture, Property, When};

/// The properties.
pub fn properties() -> Vec<Property<ThreePhase, History>> {
    let mut properties = transaction::properties::<ThreePhase>();
    properties.push(Property {
        name: "termination",
        source: "AC5; Bernstein, Hadzilacos, Goodman 1987, 7.5",
        when: When::AtEnd,
        holds: termination,
    });
    properties
}

/// Every node that takes part in a transaction and is up eventually knows its outcome.
fn termination(picture: &Picture<'_, ThreePhase, History>) -> Result<(), String> {
    for (id, node) in picture.nodes {
        if let Some(transaction) = node.undecided().next() {
            return Err(format!("{id} does not know the outcome of {transaction}"));
        }
    }
    Ok(())
}
