//! SWIM in the simulator, by hand, and on the wire.

mod paper;
mod survival;
mod wire;

use volvox_membership::swim::{Config, Swim};

#[test]
fn scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/swim");
    volvox_sim::script::check_folder::<Swim>(folder, |_, _| Config {
        out_of_step: false,
        relays: 1,
        ..Config::default()
    });
}
