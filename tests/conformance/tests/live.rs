//! The bodies over real sockets and real files.

use volvox_conformance::{Live, channel, echoes, raft};

#[test]
fn echoes_conform() {
    echoes::body(&mut Live::new(&echoes::cluster()));
}

#[test]
fn channel_conforms() {
    channel::body(&mut Live::new(&channel::cluster()));
}

#[test]
fn raft_conforms() {
    raft::body(&mut Live::new(&raft::cluster()));
}
