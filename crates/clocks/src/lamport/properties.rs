//! The properties of Lamport clocks.

use super::{Lamport, Time};
use crate::happened_before::{History, clock_condition, distinct_stamps, partial_order};
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{Property, When};

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
    ]
}
