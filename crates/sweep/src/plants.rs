//! The ten planted bugs, by name. Only with the feature `planted-bugs`, which nothing that is shipped has.

use volvox_raft::planted as raft;
use volvox_replica::planted as replica;

/// The names of all planted bugs.
pub fn names() -> impl Iterator<Item = &'static str> {
    raft::BUGS.iter().map(|(name, _)| *name).chain(replica::BUGS.iter().map(|(name, _)| *name))
}

/// Plants a bug in everything that runs on this thread, or none.
///
/// # Panics
/// When there is no bug of this name.
pub fn plant(name: Option<&str>) {
    let of_raft = raft::BUGS.iter().find(|(known, _)| Some(*known) == name).map(|(_, bug)| *bug);
    let of_replica = replica::BUGS.iter().find(|(known, _)| Some(*known) == name).map(|(_, bug)| *bug);
    assert!(name.is_none() || of_raft.is_some() || of_replica.is_some(), "no bug is called {name:?}");
    raft::plant(of_raft);
    replica::plant(of_replica);
}
