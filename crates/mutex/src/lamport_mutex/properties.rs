//! The properties of Lamport's mutual exclusion.

use super::{Event, History, LamportMutex, Stamp};
use crate::section::{mutual_exclusion, no_starvation, no_unrequested_entry};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{Picture, Process, Property, When};

/// How a property finds the protocol inside the running process: it may run over a channel.
pub trait Within<P> {
    /// The protocol itself.
    fn within(process: &P) -> &LamportMutex;
}

/// The protocol runs by itself.
pub struct Itself;

impl Within<LamportMutex> for Itself {
    fn within(process: &LamportMutex) -> &LamportMutex {
        process
    }
}

/// The properties of the protocol itself, or of a process that runs it over a channel.
pub fn properties<P: Process<Event = Event>, W: Within<P>>() -> Vec<Property<P, History>> {
    vec![
        mutual_exclusion("Lamport 1978, condition I; MTX-02"),
        Property {
            name: "timestamp order",
            source: "Lamport 1978, rule 5 and condition II by the clock condition; MTX-02",
            when: When::Always,
            holds: is_in_order::<P, W>,
        },
        no_unrequested_entry("Lamport 1978, rules 1 and 5; MTX-02"),
        no_starvation("Lamport 1978, condition III; MTX-02"),
    ]
}

/// The request of the node inside comes before every other that waits, and before every other that will be made: then
/// no later entry has a smaller stamp.
fn is_in_order<P, W: Within<P>>(picture: &Picture<'_, P, History>) -> Result<(), String> {
    let nodes = || picture.nodes.iter().map(|(_, process)| W::within(process));
    let requests = || nodes().filter_map(LamportMutex::request);
    for inside in nodes().filter(|node| node.inside).filter_map(LamportMutex::request) {
        if let Some(earlier) = requests().find(|request| *request < inside) {
            return Err(format!("{inside} is inside, but the earlier request {earlier} waits"));
        }
        let next = |node: &LamportMutex| Stamp { time: node.clock + 1, node: node.id };
        if let Some(earlier) = nodes().filter(|node| node.request().is_none()).map(next).find(|next| *next < inside) {
            return Err(format!(
                "{inside} is inside, but {} may still make the earlier request {earlier}",
                earlier.node
            ));
        }
    }
    Ok(())
}
