//! The properties of Maekawa's algorithm.

use super::{Event, History};
use crate::section::{mutual_exclusion, no_starvation, no_unrequested_entry};
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{Process, Property};

/// The properties of the protocol itself, or of a process that runs it over a channel.
pub fn properties<P: Process<Event = Event>>() -> Vec<Property<P, History>> {
    vec![
        mutual_exclusion("Maekawa 1985, section 4"),
        no_unrequested_entry("Maekawa 1985, section 3"),
        no_starvation("Sanders 1987"),
    ]
}
