//! Chapters of the family `channel`: cards, scenarios, models and claims of its protocols.
#![forbid(unsafe_code)]

mod channels;
mod diary;
mod sliding_windows;

use volvox_lab::registry::{Family, protocol};

/// The family, with one line per chapter.
pub static FAMILY: Family = Family {
    name: "channel",
    entries: &[protocol::<channels::Channels>(), protocol::<sliding_windows::SlidingWindows>()],
    evidence: include_str!("../evidence.txt"),
    coverage: include_str!("../coverage.txt"),
    never: include_str!("../never.txt"),
};
