//! Single-decree Paxos in the simulator, by hand, and on the wire.

mod paper;
mod survival;
mod wire;

use volvox_paxos::single::{Config, Paxos};

#[test]
fn scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/paxos");
    volvox_sim::script::check_folder::<Paxos>(folder, |_, _| Config::default());
}
