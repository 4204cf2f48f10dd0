//! The properties of the token ring.

use super::{History, TokenRing};
use crate::section::{mutual_exclusion, no_starvation};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{Picture, Property, When};

/// The properties that need a bound on delay.
pub fn properties() -> Vec<Property<TokenRing, History>> {
    vec![mutual_exclusion("Le Lann 1977; MTX-04"), one_token_per_epoch(), no_starvation("Le Lann 1977; MTX-04")]
}

/// The property that also holds without a bound on delay: there are never two tokens of one epoch.
pub fn one_token_per_epoch() -> Property<TokenRing, History> {
    Property {
        name: "one token per epoch",
        source: "MTX-04, with fencing as in LCK-03",
        when: When::Always,
        holds: has_one_token_per_epoch,
    }
}

fn has_one_token_per_epoch(picture: &Picture<'_, TokenRing, History>) -> Result<(), String> {
    let mut holders = BTreeMap::new();
    for (id, node) in picture.nodes {
        if let Some(epoch) = node.token()
            && let Some(other) = holders.insert(epoch, *id)
        {
            return Err(format!("both {other} and {id} hold the token {epoch}"));
        }
    }
    Ok(())
}
