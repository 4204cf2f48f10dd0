//! The protocols of this crate, in the simulated world and message by message.

mod centralised;
mod lamport_mutex;
mod leases;
mod maekawa;
mod ricart_agrawala;
mod suzuki_kasami;
mod token_ring;
