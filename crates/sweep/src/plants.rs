//! The planted bugs, by name. Only with the feature `planted-bugs`, which nothing that is shipped has.

use volvox_raft::planted as raft;
use volvox_replica::planted as replica;
use volvox_service::planted as service;

/// The names of all planted bugs.
pub fn names() -> impl Iterator<Item = &'static str> {
    of_replicas().chain(service::BUGS.iter().map(|(name, _)| *name))
}

/// The names of those in what replicas do. A course that is followed by hand holds what replicas are asked, so these are the
/// ones that show there.
pub fn of_replicas() -> impl Iterator<Item = &'static str> {
    raft::BUGS.iter().map(|(name, _)| *name).chain(replica::BUGS.iter().map(|(name, _)| *name))
}

/// Plants a bug in everything that runs on this thread, or none.
///
/// # Panics
/// When there is no bug of this name.
pub fn plant(name: Option<&str>) {
    let of_raft = raft::BUGS.iter().find(|(known, _)| Some(*known) == name).map(|(_, bug)| *bug);
    let of_replica = replica::BUGS.iter().find(|(known, _)| Some(*known) == name).map(|(_, bug)| *bug);
    let of_service = service::BUGS.iter().find(|(known, _)| Some(*known) == name).map(|(_, bug)| *bug);
    let is_known = of_raft.is_some() || of_replica.is_some() || of_service.is_some();
    assert!(name.is_none() || is_known, "no bug is called {name:?}");
    raft::plant(of_raft);
    replica::plant(of_replica);
    service::plant(of_service);
}
