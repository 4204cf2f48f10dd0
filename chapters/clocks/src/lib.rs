//! Chapters of the family `clocks`: cards, scenarios, models and claims of its protocols.
#![forbid(unsafe_code)]

mod berkeley;
mod cristian;
mod lamport_clocks;
mod ntp;
mod true_clocks;
mod vector_clocks;

use volvox_lab::registry::{Family, shell};

/// The family. One line a chapter.
pub static FAMILY: Family = Family {
    name: "clocks",
    chapters: &[
        shell::<lamport_clocks::LamportClocks>(),
        shell::<vector_clocks::VectorClocks>(),
        shell::<cristian::CristiansAlgorithm>(),
        shell::<berkeley::BerkeleyAlgorithm>(),
        shell::<ntp::NtpExchange>(),
    ],
    coverage: include_str!("../coverage.txt"),
};
