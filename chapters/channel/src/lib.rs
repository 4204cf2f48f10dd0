//! Chapters of the family `channel`: cards, scenarios, models and claims of its protocols.
#![forbid(unsafe_code)]

mod channels;
mod sliding_windows;

use volvox_lab::registry::{Family, shell};

/// The family. One line a chapter.
pub static FAMILY: Family = Family {
    name: "channel",
    chapters: &[shell::<channels::Channels>(), shell::<sliding_windows::SlidingWindows>()],
    coverage: include_str!("../coverage.txt"),
};
