//! The bodies in the simulated world, over many seeds.

use volvox_conformance::{Simulated, channel, echoes, raft};

#[test]
fn echoes_conform() {
    for seed in 0..50 {
        echoes::body(&mut Simulated::new(seed, &echoes::cluster()));
    }
}

#[test]
fn channel_conforms() {
    for seed in 0..50 {
        channel::body(&mut Simulated::new(seed, &channel::cluster()));
    }
}

#[test]
fn raft_conforms() {
    for seed in 0..50 {
        raft::body(&mut Simulated::new(seed, &raft::cluster()));
    }
}
