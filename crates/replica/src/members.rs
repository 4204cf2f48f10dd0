//! The members of the cluster as its users see them: names, URLs, and who has a vote.
//!
//! This table is replicated state, changed by entries of the log. Which (node, incarnation) pairs vote in consensus
//! follows from it: the leader brings the Raft configuration into line, step by step (see `reconcile`).

use crate::error::Error;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use volvox_core::{Decode, DecodeError, Encode, NodeId, Reader};

/// The most learners.
pub const LEARNERS_MAX: usize = 1;
/// The most members; each voter costs every write a message.
pub const MEMBERS_MAX: usize = 32;
/// The most URLs of a member, and their greatest length.
const URLS_MAX: usize = 16;
const URL_BYTES_MAX: usize = 1024;
/// All URLs of one kind of a member, and its name: so that the whole table fits a part of a checkpoint.
const URLS_BYTES_MAX: usize = 8 << 10;
const NAME_BYTES_MAX: usize = 1024;
/// How many of those that were removed are remembered. Ids only rise, so an older one does not return either.
const REMOVED_MAX: usize = 1024;

/// One member.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Member {
    /// The node.
    pub id: NodeId,
    /// Its name; empty until it has started.
    pub name: String,
    /// The addresses for its peers.
    pub peer_urls: Vec<String>,
    /// Its addresses for clients; empty until it has started.
    pub client_urls: Vec<String>,
    /// Without a vote.
    pub is_learner: bool,
}

/// A change of the table.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum MemberAction {
    /// The first entry of a cluster: its members. Ignored when there are members already.
    Bootstrap(Vec<Member>),
    /// A new member; its id is the next that was never used.
    Add {
        /// The addresses for its peers.
        peer_urls: Vec<String>,
        /// Whether it is a learner.
        is_learner: bool,
    },
    /// Removes a member; its id never returns.
    Remove(NodeId),
    /// Other peer URLs.
    Update(NodeId, Vec<String>),
    /// A learner gets its vote.
    Promote(NodeId),
    /// A started member publishes its name and the addresses for clients.
    Publish {
        /// The member.
        id: NodeId,
        /// Its name.
        name: String,
        /// Its addresses for clients.
        client_urls: Vec<String>,
    },
}

impl MemberAction {
    /// Whether a client asks for it. The others are what members do by themselves.
    pub fn is_of_a_client(&self) -> bool {
        !matches!(self, MemberAction::Bootstrap(_) | MemberAction::Publish { .. })
    }
}

/// All members, present and past.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Members {
    table: BTreeMap<NodeId, Member>,
    removed: BTreeSet<NodeId>,
    last_id: u64,
}

impl Members {
    /// The table of a cluster that is formed of these members.
    pub fn formed_of(members: &[Member]) -> Members {
        let mut formed = Members::default();
        let bounded = |member: &&Member| {
            are_attributes_bounded(&member.name, &member.client_urls) && are_bounded(&member.peer_urls)
        };
        for member in members.iter().filter(bounded).take(MEMBERS_MAX) {
            formed.last_id = formed.last_id.max(member.id.0);
            formed.table.insert(member.id, member.clone());
        }
        formed
    }

    /// The members, sorted by id.
    pub fn list(&self) -> Vec<Member> {
        self.table.values().cloned().collect()
    }

    /// The members, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.table.values()
    }

    /// One member.
    pub fn get(&self, id: NodeId) -> Option<&Member> {
        self.table.get(&id)
    }

    /// Whether the cluster has been formed.
    pub fn is_formed(&self) -> bool {
        !self.table.is_empty()
    }

    /// Whether this node was a member once.
    pub fn was_removed(&self, id: NodeId) -> bool {
        self.removed.contains(&id)
    }

    /// Applies one change; returns the member it added, if it added one.
    ///
    /// # Errors
    /// Those of book/src/etcd.md#7.2; nothing is changed then.
    pub fn apply(&mut self, action: &MemberAction) -> Result<Option<Member>, Error> {
        match action {
            MemberAction::Bootstrap(members) => self.bootstrap(members),
            MemberAction::Add { peer_urls, is_learner } => self.add(peer_urls, *is_learner).map(Some),
            MemberAction::Remove(id) => self.remove(*id),
            MemberAction::Update(id, peer_urls) => self.update(*id, peer_urls),
            MemberAction::Promote(id) => self.promote(*id),
            MemberAction::Publish { id, name, client_urls } => {
                if !are_attributes_bounded(name, client_urls) {
                    return Err(Error::BadPeerUrls);
                }
                let member = self.table.get_mut(id).ok_or(Error::MemberNotFound)?;
                member.name.clone_from(name);
                member.client_urls.clone_from(client_urls);
                Ok(None)
            }
        }
    }

    fn bootstrap(&mut self, members: &[Member]) -> Result<Option<Member>, Error> {
        if !self.is_formed() && self.removed.is_empty() {
            *self = Members::formed_of(members);
        }
        Ok(None)
    }

    fn add(&mut self, peer_urls: &[String], is_learner: bool) -> Result<Member, Error> {
        check_peer_urls(peer_urls)?;
        self.check_urls_free(peer_urls, None)?;
        if is_learner && self.table.values().filter(|member| member.is_learner).count() >= LEARNERS_MAX {
            return Err(Error::TooManyLearners);
        }
        if self.table.len() >= MEMBERS_MAX {
            return Err(Error::Unhealthy);
        }
        if !is_learner {
            self.check_started(None, 1)?;
        }
        self.last_id = self.last_id.checked_add(1).ok_or(Error::MemberExists)?;
        let member = Member {
            id: NodeId(self.last_id),
            name: String::new(),
            peer_urls: peer_urls.to_vec(),
            client_urls: Vec::new(),
            is_learner,
        };
        self.table.insert(member.id, member.clone());
        Ok(member)
    }

    fn remove(&mut self, id: NodeId) -> Result<Option<Member>, Error> {
        let member = self.table.get(&id).ok_or(Error::MemberNotFound)?;
        if !member.is_learner {
            self.check_started(Some(id), 0)?;
        }
        self.table.remove(&id);
        self.removed.insert(id);
        if self.removed.len() > REMOVED_MAX {
            self.removed.pop_first();
        }
        Ok(None)
    }

    fn update(&mut self, id: NodeId, peer_urls: &[String]) -> Result<Option<Member>, Error> {
        check_peer_urls(peer_urls)?;
        if !self.table.contains_key(&id) {
            return Err(Error::MemberNotFound);
        }
        self.check_urls_free(peer_urls, Some(id))?;
        if let Some(member) = self.table.get_mut(&id) {
            member.peer_urls = peer_urls.to_vec();
        }
        Ok(None)
    }

    fn promote(&mut self, id: NodeId) -> Result<Option<Member>, Error> {
        let member = self.table.get(&id).ok_or(Error::MemberNotFound)?;
        if !member.is_learner {
            return Err(Error::NotLearner);
        }
        // The learner itself has started: it caught up, or the leader would have refused.
        let voters = self.table.values().filter(|member| !member.is_learner);
        let (count, started) =
            voters.fold((1, 1), |(n, up), member| (n + 1, up + usize::from(!member.name.is_empty())));
        if started < count / 2 + 1 {
            return Err(Error::NotEnoughStarted);
        }
        if let Some(member) = self.table.get_mut(&id) {
            member.is_learner = false;
        }
        Ok(None)
    }

    fn check_urls_free(&self, peer_urls: &[String], except: Option<NodeId>) -> Result<(), Error> {
        let taken = self
            .table
            .values()
            .filter(|member| Some(member.id) != except)
            .any(|member| member.peer_urls.iter().any(|url| peer_urls.contains(url)));
        if taken { Err(Error::PeerUrlExists) } else { Ok(()) }
    }

    /// The strict check (book/src/etcd.md#7.2): the voters that have started must be a quorum of the voters after the
    /// change; one started voter may grow to two.
    fn check_started(&self, without: Option<NodeId>, more: usize) -> Result<(), Error> {
        let voters = || self.table.values().filter(|member| !member.is_learner && Some(member.id) != without);
        let started = voters().filter(|member| !member.name.is_empty()).count();
        let after = voters().count() + more;
        if started == 1 && after == 2 {
            return Ok(());
        }
        if started < after / 2 + 1 { Err(Error::NotEnoughStarted) } else { Ok(()) }
    }
}

/// Whether a member's name and URLs are not too long.
pub fn are_attributes_bounded(name: &str, client_urls: &[String]) -> bool {
    name.len() <= NAME_BYTES_MAX && are_bounded(client_urls)
}

fn are_bounded(urls: &[String]) -> bool {
    urls.len() <= URLS_MAX
        && urls.iter().all(|url| url.len() <= URL_BYTES_MAX)
        && urls.iter().map(String::len).sum::<usize>() <= URLS_BYTES_MAX
}

/// A peer URL is `http` or `https`, a host and a port, and nothing after it (book/src/etcd.md#7.2).
///
/// # Errors
/// [`Error::BadPeerUrls`] when one is not, or there is none.
pub fn check_peer_urls(urls: &[String]) -> Result<(), Error> {
    let good = |url: &String| {
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        let Some((host, port)) = rest.and_then(|rest| rest.rsplit_once(':')) else {
            return false;
        };
        !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok()
    };
    if urls.is_empty() || !are_bounded(urls) || !urls.iter().all(good) { Err(Error::BadPeerUrls) } else { Ok(()) }
}

impl Encode for Member {
    fn encode(&self, out: &mut Vec<u8>) {
        self.id.encode(out);
        self.name.encode(out);
        self.peer_urls.encode(out);
        self.client_urls.encode(out);
        self.is_learner.encode(out);
    }
}

impl Decode for Member {
    fn decode(input: &mut Reader<'_>) -> Result<Member, DecodeError> {
        Ok(Member {
            id: Decode::decode(input)?,
            name: Decode::decode(input)?,
            peer_urls: Decode::decode(input)?,
            client_urls: Decode::decode(input)?,
            is_learner: Decode::decode(input)?,
        })
    }
}

impl Encode for MemberAction {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            MemberAction::Bootstrap(members) => {
                out.push(0);
                members.encode(out);
            }
            MemberAction::Add { peer_urls, is_learner } => {
                out.push(1);
                peer_urls.encode(out);
                is_learner.encode(out);
            }
            MemberAction::Remove(id) => {
                out.push(2);
                id.encode(out);
            }
            MemberAction::Update(id, peer_urls) => {
                out.push(3);
                id.encode(out);
                peer_urls.encode(out);
            }
            MemberAction::Promote(id) => {
                out.push(4);
                id.encode(out);
            }
            MemberAction::Publish { id, name, client_urls } => {
                out.push(5);
                id.encode(out);
                name.encode(out);
                client_urls.encode(out);
            }
        }
    }
}

impl Decode for MemberAction {
    fn decode(input: &mut Reader<'_>) -> Result<MemberAction, DecodeError> {
        Ok(match input.u8()? {
            0 => MemberAction::Bootstrap(Decode::decode(input)?),
            1 => MemberAction::Add { peer_urls: Decode::decode(input)?, is_learner: Decode::decode(input)? },
            2 => MemberAction::Remove(Decode::decode(input)?),
            3 => MemberAction::Update(Decode::decode(input)?, Decode::decode(input)?),
            4 => MemberAction::Promote(Decode::decode(input)?),
            5 => MemberAction::Publish {
                id: Decode::decode(input)?,
                name: Decode::decode(input)?,
                client_urls: Decode::decode(input)?,
            },
            other => return Err(DecodeError::Unknown("member action", u64::from(other))),
        })
    }
}

impl Encode for Members {
    fn encode(&self, out: &mut Vec<u8>) {
        self.list().encode(out);
        self.removed.iter().copied().collect::<Vec<NodeId>>().encode(out);
        self.last_id.encode(out);
    }
}

impl Decode for Members {
    fn decode(input: &mut Reader<'_>) -> Result<Members, DecodeError> {
        let list: Vec<Member> = Decode::decode(input)?;
        let removed: Vec<NodeId> = Decode::decode(input)?;
        if list.len() > MEMBERS_MAX || removed.len() > REMOVED_MAX {
            return Err(DecodeError::TooLong);
        }
        Ok(Members {
            table: list.into_iter().map(|member| (member.id, member)).collect(),
            removed: removed.into_iter().collect(),
            last_id: Decode::decode(input)?,
        })
    }
}

impl fmt::Display for MemberAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MemberAction::Bootstrap(members) => write!(f, "bootstrap {} members", members.len()),
            MemberAction::Add { peer_urls, is_learner } => write!(f, "add {peer_urls:?} learner={is_learner}"),
            MemberAction::Remove(id) => write!(f, "remove {id}"),
            MemberAction::Update(id, urls) => write!(f, "update {id} {urls:?}"),
            MemberAction::Promote(id) => write!(f, "promote {id}"),
            MemberAction::Publish { id, name, .. } => write!(f, "publish {id} {name}"),
        }
    }
}
