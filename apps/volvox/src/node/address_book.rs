//! Keeps the addresses of the peers in line with the members of the cluster.
//!
//! A joining node replays history: at first its table of members is an old one, without the members that it was
//! configured to join. It must not forget those, or no node could send it the rest. Ids only rise, so a member newer
//! than all in the table is not in it yet; a member that is older and not in it was removed.

//! A removed member stays in the address book while consensus counts it, and a little longer, until it has learned that
//! it may leave: of two members, the one that stays cannot commit that without the other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use volvox_core::NodeId;
use volvox_net::NodeHandle;
use volvox_replica::{Member, Replica};

/// The time within which a member that is no longer counted learns of it, if it can be reached at all.
const FAREWELL: Duration = Duration::from_secs(5);

/// The members that must be reachable.
#[derive(Clone, Default)]
pub struct Table {
    ids: BTreeSet<NodeId>,
    /// The addresses of members, `host:port`.
    addresses: Vec<(NodeId, String)>,
}

impl Table {
    /// The ids of the members, and of those that consensus still counts.
    pub fn new(members: &[Member], leaving: &[NodeId]) -> Table {
        let address = |member: &Member| {
            let (_, address) = member.peer_urls.first()?.split_once("://")?;
            Some((member.id, address.trim_end_matches('/').to_owned()))
        };
        Table {
            ids: members.iter().map(|member| member.id).chain(leaving.iter().copied()).collect(),
            addresses: members.iter().filter_map(address).collect(),
        }
    }
}

/// Follows the members until the node ends.
pub async fn follow(handle: NodeHandle<Replica>, mut tables: watch::Receiver<Table>) {
    let me = handle.life().node;
    let told = handle.peers().into_iter().map(|peer| peer.id).collect();
    let mut book = Book { told, named: BTreeSet::new(), leaving: BTreeMap::new() };
    loop {
        let next = book.leaving.values().min().copied();
        let leaver_is_due = async {
            match next {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = tables.changed() => if changed.is_err() { return },
            () = leaver_is_due => {}
        }
        let table = tables.borrow_and_update().clone();
        for (id, address) in table.addresses.iter().filter(|(id, _)| *id != me) {
            handle.set_peer(*id, address.as_str());
        }
        for gone in book.turn(&table.ids, Instant::now()) {
            handle.remove_peer(gone);
        }
    }
}

/// The entries of the address book, and why each is in it.
struct Book {
    /// Configured when the node started.
    told: BTreeSet<NodeId>,
    /// Named by the last table.
    named: BTreeSet<NodeId>,
    /// Removed, and forgotten at that time.
    leaving: BTreeMap<NodeId, Instant>,
}

impl Book {
    /// Takes the current table, and returns the members to forget.
    fn turn(&mut self, table: &BTreeSet<NodeId>, now: Instant) -> Vec<NodeId> {
        let newest = table.last().copied();
        let removed = |id: &&NodeId| !table.contains(id) && newest.is_some_and(|newest| **id < newest);
        let mut gone: BTreeSet<NodeId> = self.told.iter().filter(removed).copied().collect();
        gone.extend(self.named.difference(table));
        self.told.retain(|id| !gone.contains(id));
        self.named.clone_from(table);
        self.leaving.retain(|id, _| !table.contains(id));
        self.leaving.extend(gone.into_iter().map(|id| (id, now + FAREWELL)));
        self.leaving.extract_if(.., |_, due| *due <= now).map(|(id, _)| id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[u64]) -> BTreeSet<NodeId> {
        ids.iter().map(|id| NodeId(*id)).collect()
    }

    /// Shows the tables one after the other, an hour apart, and each once more before the next.
    fn forgotten(told: &[u64], tables: &[&[u64]]) -> Vec<Vec<u64>> {
        let mut book = Book { told: ids(told), named: BTreeSet::new(), leaving: BTreeMap::new() };
        let mut now = Instant::now();
        let mut forgotten = Vec::new();
        for table in tables {
            assert_eq!(book.turn(&ids(table), now), [], "no address is forgotten at once");
            now += Duration::from_secs(3600);
            forgotten.push(book.turn(&ids(table), now).into_iter().map(|id| id.0).collect());
        }
        forgotten
    }

    #[test]
    fn who_joins_keeps_the_present_members_while_it_replays_the_past() {
        let tables: [&[u64]; 7] =
            [&[1, 2, 3], &[1, 2, 3, 4], &[2, 3, 4], &[2, 3, 4, 5], &[3, 4, 5], &[3, 4, 5, 6], &[4, 5, 6]];
        let expected: [&[u64]; 7] = [&[], &[], &[1], &[], &[2], &[], &[3]];
        assert_eq!(forgotten(&[3, 4, 5], &tables), expected);
    }

    #[test]
    fn who_restarts_with_old_flags_forgets_who_was_removed_meanwhile() {
        assert_eq!(forgotten(&[1, 2, 3], &[&[3, 4, 5], &[3, 4]]), [vec![1, 2], vec![5]]);
    }

    #[test]
    fn who_comes_back_into_the_table_is_kept() {
        let mut book = Book { told: ids(&[2]), named: BTreeSet::new(), leaving: BTreeMap::new() };
        let now = Instant::now();
        book.turn(&ids(&[1, 2]), now);
        book.turn(&ids(&[1]), now);
        book.turn(&ids(&[1, 2]), now);
        assert_eq!(book.turn(&ids(&[1, 2]), now + 2 * FAREWELL), []);
    }
}
