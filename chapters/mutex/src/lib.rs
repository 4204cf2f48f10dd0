//! Chapters of the family `mutex`: cards, scenarios, models and claims of its protocols.
#![forbid(unsafe_code)]

mod centralised;
mod entries;
mod lamport_mutex;
mod leases;
mod leases_claims;
mod leases_worlds;
mod maekawa;
mod ricart_agrawala;
mod suzuki_kasami;
mod token_ring;
mod token_ring_claims;

use volvox_lab::registry::{Family, protocol};

/// The family, with one line per chapter.
pub static FAMILY: Family = Family {
    name: "mutex",
    entries: &[
        protocol::<centralised::Centralised>(),
        protocol::<lamport_mutex::LamportMutex>(),
        protocol::<ricart_agrawala::RicartAgrawala>(),
        protocol::<maekawa::Maekawa>(),
        protocol::<token_ring::TokenRing>(),
        protocol::<suzuki_kasami::SuzukiKasami>(),
        protocol::<leases::Leases>(),
    ],
    evidence: include_str!("../evidence.txt"),
    coverage: include_str!("../coverage.txt"),
    never: include_str!("../never.txt"),
};
