//! The registry: one module and one line a protocol.
// The unit tests of this crate make one chapter only; see `all`.
#![cfg_attr(test, allow(dead_code))]

mod berkeley;
mod bully;
mod centralised;
mod chandy_lamport;
mod chang_roberts;
mod channels;
mod cristian;
mod entries;
mod lamport_clocks;
mod lamport_mutex;
mod leases;
mod ntp;
mod paxos;
mod paxos_duel;
mod raft;
mod raft_claims;
mod raft_member;
mod ricart_agrawala;
mod ring_election;
mod sliding_windows;
mod swim;
mod swim_claims;
mod synchronous;
mod three_phase_commit;
mod token_ring;
mod total_order_multicast;
mod true_clocks;
mod two_phase_commit;
mod vector_clocks;

use crate::registry::{Study, study};

/// Every chapter, in the order of the catalogue. One line each: `study::<ricart_agrawala::RicartAgrawala>(),`.
#[cfg(not(test))]
pub fn all() -> Vec<Box<dyn Study>> {
    vec![
        study::<lamport_mutex::LamportMutex>(),
        study::<token_ring::TokenRing>(),
        study::<centralised::Centralised>(),
        study::<ricart_agrawala::RicartAgrawala>(),
        study::<leases::Leases>(),
        study::<bully::BullyAlgorithm>(),
        study::<ring_election::RingElection>(),
        study::<chang_roberts::ChangRoberts>(),
        study::<two_phase_commit::TwoPhaseCommit>(),
        study::<three_phase_commit::ThreePhaseCommit>(),
        study::<paxos::Paxos>(),
        study::<raft::Raft>(),
        study::<swim::Swim>(),
        study::<lamport_clocks::LamportClocks>(),
        study::<vector_clocks::VectorClocks>(),
        study::<total_order_multicast::TotalOrderMulticast>(),
        study::<chandy_lamport::ChandyLamport>(),
        study::<cristian::CristiansAlgorithm>(),
        study::<channels::Channels>(),
        study::<sliding_windows::SlidingWindows>(),
        study::<berkeley::BerkeleyAlgorithm>(),
        study::<ntp::NtpExchange>(),
    ]
}

/// One of them: each chapter is made for three worlds, and the unit tests would make all of them a second time.
#[cfg(test)]
pub fn all() -> Vec<Box<dyn Study>> {
    vec![study::<ricart_agrawala::RicartAgrawala>()]
}
