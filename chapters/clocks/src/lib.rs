//! Chapters of the family `clocks`: cards, scenarios, models and claims of its protocols.
#![forbid(unsafe_code)]

mod berkeley;
mod berkeley_claims;
mod causality;
mod cristian;
mod cristian_claims;
mod lamport_clocks;
mod ntp;
mod ntp_claims;
mod telling;
mod true_clocks;
mod vector_clocks;

use volvox_lab::registry::{Family, protocol};

/// The family, with one line per chapter.
pub static FAMILY: Family = Family {
    name: "clocks",
    entries: &[
        protocol::<lamport_clocks::LamportClocks>(),
        protocol::<vector_clocks::VectorClocks>(),
        protocol::<cristian::CristiansAlgorithm>(),
        protocol::<berkeley::BerkeleyAlgorithm>(),
        protocol::<ntp::NtpExchange>(),
    ],
    evidence: include_str!("../evidence.txt"),
    coverage: include_str!("../coverage.txt"),
    never: include_str!("../never.txt"),
};
