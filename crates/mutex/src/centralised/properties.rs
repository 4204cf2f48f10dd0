//! The properties of mutual exclusion by a coordinator.

use super::{Centralised, History};
use crate::section::{first_come_first_served, mutual_exclusion, no_starvation, no_unrequested_entry};
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::Property;

const SOURCE: &str = "van Steen and Tanenbaum, 6.3; MTX-01";

/// The properties of the protocol.
pub fn properties() -> Vec<Property<Centralised, History>> {
    vec![mutual_exclusion(SOURCE), first_come_first_served(SOURCE), no_unrequested_entry(SOURCE), no_starvation(SOURCE)]
}
