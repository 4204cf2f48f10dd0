//! The properties of the protocol of Ricart and Agrawala.

use super::{Event, History};
use crate::section::{mutual_exclusion, no_starvation, no_unrequested_entry};
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{Process, Property};

/// The properties of the protocol itself, or of a process that runs it over a channel.
pub fn properties<P: Process<Event = Event>>() -> Vec<Property<P, History>> {
    vec![
        mutual_exclusion("Ricart and Agrawala 1981, 3.1; MTX-03"),
        no_unrequested_entry("Ricart and Agrawala 1981, section 2; MTX-03"),
        no_starvation("Ricart and Agrawala 1981, 3.2 and 3.3; MTX-03"),
    ]
}
