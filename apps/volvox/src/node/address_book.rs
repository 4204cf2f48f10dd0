//! Keeps the addresses of the peers in line with the members of the cluster.
//!
//! A node that joins replays history: at first the table of members is that of long ago, without those that it was told
//! to join. It must not forget them then, or nobody could tell it the rest. Ids only rise, so whoever is newer than
//! everybody in the table is not known to it yet; whoever is older, and not in it, was removed.

use std::collections::BTreeSet;
use tokio::sync::watch;
use volvox_core::NodeId;
use volvox_net::NodeHandle;
use volvox_replica::{Member, Replica};

/// Follows the members until the node ends.
pub async fn follow(handle: NodeHandle<Replica>, mut members: watch::Receiver<Vec<Member>>) {
    let me = handle.life().node;
    let mut book = Book { told: handle.peers().into_iter().map(|peer| peer.id).collect(), named: BTreeSet::new() };
    while members.changed().await.is_ok() {
        let members = members.borrow_and_update().clone();
        for member in members.iter().filter(|member| member.id != me) {
            let address = member.peer_urls.first().and_then(|url| url.split_once("://"));
            if let Some((_, address)) = address {
                handle.set_peer(member.id, address.trim_end_matches('/'));
            }
        }
        for gone in book.turn(&members.iter().map(|member| member.id).collect()) {
            handle.remove_peer(gone);
        }
    }
}

/// Who is in the address book, and why.
struct Book {
    /// The node was told of them when it started.
    told: BTreeSet<NodeId>,
    /// The last table named them.
    named: BTreeSet<NodeId>,
}

impl Book {
    /// The table is another one now: says who has left.
    fn turn(&mut self, table: &BTreeSet<NodeId>) -> Vec<NodeId> {
        let newest = table.last().copied();
        let removed = |id: &&NodeId| !table.contains(id) && newest.is_some_and(|newest| **id < newest);
        let mut gone: BTreeSet<NodeId> = self.told.iter().filter(removed).copied().collect();
        gone.extend(self.named.difference(table));
        self.told.retain(|id| !gone.contains(id));
        self.named.clone_from(table);
        gone.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[u64]) -> BTreeSet<NodeId> {
        ids.iter().map(|id| NodeId(*id)).collect()
    }

    #[test]
    fn who_joins_keeps_the_present_members_while_it_replays_the_past() {
        let mut book = Book { told: ids(&[3, 4, 5]), named: BTreeSet::new() };
        assert_eq!(book.turn(&ids(&[1, 2, 3])), []);
        assert_eq!(book.turn(&ids(&[1, 2, 3, 4])), []);
        assert_eq!(book.turn(&ids(&[2, 3, 4])), [NodeId(1)]);
        assert_eq!(book.turn(&ids(&[2, 3, 4, 5])), []);
        assert_eq!(book.turn(&ids(&[3, 4, 5])), [NodeId(2)]);
        assert_eq!(book.turn(&ids(&[3, 4, 5, 6])), []);
        assert_eq!(book.turn(&ids(&[4, 5, 6])), [NodeId(3)]);
    }

    #[test]
    fn who_restarts_with_old_flags_forgets_who_was_removed_meanwhile() {
        let mut book = Book { told: ids(&[1, 2, 3]), named: BTreeSet::new() };
        assert_eq!(book.turn(&ids(&[3, 4, 5])), [NodeId(1), NodeId(2)]);
        assert_eq!(book.turn(&ids(&[3, 4])), [NodeId(5)], "the newest may leave too");
    }
}
