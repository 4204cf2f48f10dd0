//! The properties of vector clocks.

use super::{Vector, VectorClock};
use crate::happened_before::{History, clock_condition, distinct_stamps, partial_order, strong_clock_condition};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{Picture, Property, When};

/// The properties.
pub fn properties() -> Vec<Property<VectorClock, History<Vector>>> {
    vec![
        Property {
            name: "partial order",
            source: "Lamport 1978, The partial ordering; ORD-01",
            when: When::Always,
            holds: partial_order,
        },
        Property {
            name: "clock condition",
            source: "Mattern 1988, section 6; ORD-04",
            when: When::Always,
            holds: clock_condition,
        },
        Property {
            name: "strong clock condition",
            source: "Mattern 1988, section 6; ORD-04",
            when: When::Always,
            holds: strong_clock_condition,
        },
        Property {
            name: "distinct timestamps",
            source: "Fidge 1988; ORD-04",
            when: When::Always,
            holds: distinct_stamps,
        },
        Property {
            name: "event counting",
            source: "Mattern 1988, section 6; ORD-04",
            when: When::Always,
            holds: event_counting,
        },
    ]
}

/// Every component of a timestamp is the number of events of its process in the causal past, the event itself included.
fn event_counting(picture: &Picture<'_, VectorClock, History<Vector>>) -> Result<(), String> {
    let Some((_, any)) = picture.nodes.first() else { return Ok(()) };
    for (node, event, counts) in picture.history.newest_with_counts() {
        for (member, counted) in any.members.iter().zip(&event.stamp.0) {
            let known = counts.get(member).copied().unwrap_or(0) as u64;
            if *counted != known {
                return Err(format!(
                    "{node}: {event} counts {counted} events of {member}, where {known} happened before"
                ));
            }
        }
    }
    Ok(())
}
