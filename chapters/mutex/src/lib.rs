//! Chapters of the family `mutex`: cards, scenarios, models and claims of its protocols.
#![forbid(unsafe_code)]

mod centralised;
mod entries;
mod lamport_mutex;
mod leases;
mod ricart_agrawala;
mod token_ring;

use volvox_lab::registry::{Family, shell};

/// The family. One line a chapter.
pub static FAMILY: Family = Family {
    name: "mutex",
    chapters: &[
        shell::<lamport_mutex::LamportMutex>(),
        shell::<token_ring::TokenRing>(),
        shell::<centralised::Centralised>(),
        shell::<ricart_agrawala::RicartAgrawala>(),
        shell::<leases::Leases>(),
    ],
    coverage: include_str!("../coverage.txt"),
};
