//! The properties of the protocol of Suzuki and Kasami.

use super::{History, SuzukiKasami};
use crate::section::{mutual_exclusion, no_starvation, no_unrequested_entry};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{Picture, Property, When};

/// The properties of the protocol.
pub fn properties() -> Vec<Property<SuzukiKasami, History>> {
    vec![
        mutual_exclusion("Suzuki and Kasami 1985, 4.1"),
        Property {
            name: "one token",
            source: "Suzuki and Kasami 1985, 4.1",
            when: When::Always,
            holds: one_has_the_token,
        },
        no_unrequested_entry("Suzuki and Kasami 1985, section 2"),
        no_starvation("Suzuki and Kasami 1985, 4.3"),
    ]
}

/// At most one node has the token; it may also be in flight.
fn one_has_the_token(picture: &Picture<'_, SuzukiKasami, History>) -> Result<(), String> {
    let holders = picture.nodes.iter().filter(|(_, node)| node.token().is_some());
    let holders: Vec<String> = holders.map(|(id, _)| id.to_string()).collect();
    if holders.len() < 2 { Ok(()) } else { Err(format!("{} have the token at once", holders.join(" and "))) }
}
