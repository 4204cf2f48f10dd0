//! The properties of vector clocks.

use super::{Vector, VectorClock};
use crate::happened_before::{History, clock_condition, distinct_stamps, partial_order, strong_clock_condition};
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{Property, When};

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
    ]
}
