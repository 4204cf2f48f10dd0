//! The properties of the token ring.

use super::{Epoch, History, Message, TokenRing};
use crate::section::{mutual_exclusion, no_starvation, no_unrequested_entry};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{NodeId, Picture, Property, When};

/// The properties that need a bound on delay.
pub fn properties() -> Vec<Property<TokenRing, History>> {
    const SOURCE: &str = "Le Lann 1977; MTX-04";
    vec![mutual_exclusion(SOURCE), one_token_per_epoch(), no_unrequested_entry(SOURCE), no_starvation(SOURCE)]
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

/// Queries of observers.
impl TokenRing {
    /// The greatest epoch that this node knows: it refuses older tokens.
    pub fn known(&self) -> Epoch {
        self.epoch
    }

    /// The last message to a neighbour that has not acknowledged it.
    pub fn awaits(&self) -> Option<(NodeId, Message)> {
        self.unanswered.as_ref().map(|what| (what.to, what.message))
    }

    /// The nodes that this one believes to be dead.
    pub fn believed_dead(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.dead.iter().copied()
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
