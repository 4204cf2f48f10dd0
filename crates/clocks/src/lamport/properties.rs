//! The properties of Lamport clocks.

use super::{Lamport, Time};
use crate::happened_before::{History, clock_condition, distinct_stamps, partial_order};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{Picture, Property, When};

/// The properties.
pub fn properties() -> Vec<Property<Lamport, History<Time>>> {
    vec![
        Property {
            name: "partial order",
            source: "Lamport 1978, The partial ordering; ORD-01",
            when: When::Always,
            holds: partial_order,
        },
        Property {
            name: "clock condition",
            source: "Lamport 1978, the clock condition; ORD-02",
            when: When::Always,
            holds: clock_condition,
        },
        Property {
            name: "total order",
            source: "Lamport 1978, Ordering the events totally; ORD-02",
            when: When::Always,
            holds: distinct_stamps,
        },
        Property {
            name: "event counting",
            source: "Raynal and Singhal 1996, Scalar time; ORD-02",
            when: When::Always,
            holds: event_counting,
        },
    ]
}

/// The count of an event is the number of events in the longest chain of causes that ends with it, because clocks advance by one:
/// one more than the greatest count of its direct causes.
fn event_counting(picture: &Picture<'_, Lamport, History<Time>>) -> Result<(), String> {
    for (node, event, causes) in picture.history.newest_with_causes() {
        let longest = causes.map(|cause| cause.stamp.count).max().unwrap_or(0) + 1;
        if event.stamp.count != longest {
            return Err(format!("{node}: {event}, but the longest chain of events that ends here has {longest}"));
        }
    }
    Ok(())
}
