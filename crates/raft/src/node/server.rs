//! The state of a member in every role (Raft figure 2, "state on all servers").

use super::Raft;
use super::membership::Membership;
use super::snapshot::Receiving;
use crate::configuration::{Configuration, Member};
use crate::entry::{ENTRIES_BYTES_MAX, Entry, Payload};
use crate::index::{Index, Term};
use crate::interface::{COMMITTED_BYTES_MAX, COMMITTED_ENTRIES_MAX, Config, Event, Refusal, Ticket, Timer};
use crate::log::Log;
use crate::message::{Body, Message};
use crate::record::{Record, SnapshotMeta};
use alloc::vec::Vec;
use core::time::Duration;
use volvox_core::time::nanos;
use volvox_core::{Bytes, Context, Incarnation, Instant, NodeId, Position};

/// The state of a member in every role.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Server {
    pub me: Member,
    /// The nodes that the world started with, which a member without a configuration can ask.
    pub known_nodes: Vec<NodeId>,
    pub config: Config,
    pub term: Term,
    pub vote: Option<Member>,
    /// The position of the record with `term` and `vote`: messages that reveal them must wait for it.
    pub hard_position: Position,
    pub log: Log,
    pub membership: Membership,
    pub commit: Index,
    /// The last entry given to the parent.
    pub applied: Index,
    /// While restoring: whether the records depend on a snapshot that is missing.
    pub is_void: bool,
    /// The last index at which the log is known to agree with that of the current leader.
    pub verified: Index,
    pub checkpoint: SnapshotMeta,
    /// The data of the checkpoint, if no parent keeps it.
    pub checkpoint_data: Option<Bytes>,
    pub receiving: Option<Receiving>,
    /// When the last message from the leader arrived; only kept if `check_quorum` needs it.
    pub heard_at: Option<Instant>,
    /// The current election timeout.
    pub patience: Duration,
    /// Whether the timer that sends what this turn gathers is set.
    pub gathers: bool,
    /// A transfer that this member began, and that the next leader will conclude.
    pub handover: Option<(Ticket, NodeId)>,
}

impl Server {
    pub fn new(id: NodeId, members: &[NodeId], config: &Config) -> Server {
        assert!(config.incarnation != Incarnation(0), "incarnation 0 names a node that never started");
        assert!(!config.election_timeout.is_zero() && !config.heartbeat.is_zero(), "time-outs of zero");
        assert!(config.append_bytes_max <= ENTRIES_BYTES_MAX / 2, "messages that no receiver would take");
        let initial = config.initial.clone().unwrap_or_default();
        Server {
            me: Member { node: id, incarnation: config.incarnation },
            known_nodes: members.to_vec(),
            config: config.clone(),
            term: Term::ZERO,
            vote: None,
            hard_position: Position::NONE,
            log: Log::default(),
            membership: Membership::new(Index::ZERO, initial.clone()),
            commit: Index::ZERO,
            applied: Index::ZERO,
            is_void: false,
            verified: Index::ZERO,
            checkpoint: SnapshotMeta { configuration: initial, ..SnapshotMeta::default() },
            checkpoint_data: None,
            receiving: None,
            heard_at: None,
            patience: config.election_timeout,
            gathers: false,
            handover: None,
        }
    }

    pub fn configuration(&self) -> &Configuration {
        self.membership.active()
    }

    /// Whether this member may campaign: it must be a voter, in this incarnation, of the configuration in force, or of
    /// one that is not yet finally replaced. A server that holds the uncommitted entry of its own removal may be the
    /// only one with a log long enough to be elected; it does not count its own vote (thesis 4.2.2).
    pub fn may_campaign(&self) -> bool {
        self.membership.in_doubt(self.commit).any(|configuration| configuration.votes(self.me))
    }

    /// Whether this node has yet to join: it holds nothing, and no configuration that it knows names it.
    pub fn is_joining(&self) -> bool {
        self.log.last_index() == Index::ZERO && !self.configuration().names(self.me)
    }

    /// Adopts another term or casts this term's vote, and persists it before any other node learns of it.
    pub fn set_term(&mut self, term: Term, vote: Option<Member>, cx: &mut Context<'_, Raft>) {
        assert!(term >= self.term, "{term} after {}", self.term);
        assert!(term > self.term || self.vote.is_none() || self.vote == vote, "a second vote in {term}");
        if term > self.term {
            // Leader completeness (Raft 5.4.3): a leader has every committed entry.
            self.verified = self.commit;
            self.receiving = None;
        }
        self.term = term;
        self.vote = vote;
        self.persist_hard(cx);
    }

    pub fn persist_hard(&mut self, cx: &mut Context<'_, Raft>) {
        self.hard_position = cx.persist(Record::Hard { term: self.term, vote: self.vote, commit: self.commit });
    }

    /// Appends the next entries to the log and the disk.
    pub fn append(&mut self, entries: Vec<Entry>, cx: &mut Context<'_, Raft>) {
        assert!(!entries.is_empty(), "appends nothing");
        let since = self.membership.active_since();
        // The record takes the list; the log shares the data of its entries.
        let position = cx.last_position().next();
        for entry in &entries {
            self.keep(entry.clone(), position);
        }
        let persisted = cx.persist(Record::Entries { entries, commit: self.commit });
        assert!(persisted == position, "a record at {persisted} instead of {position}");
        if self.membership.active_since() != since {
            cx.emit(Event::ConfigurationChanged { configuration: self.configuration().clone(), committed: false });
        }
    }

    /// Adds an entry that the record at `position` holds.
    pub fn keep(&mut self, entry: Entry, position: Position) {
        if let Payload::Configuration(configuration) = &entry.payload {
            // Raft 6: a server uses the latest configuration in its log, whether or not it is committed.
            self.membership.append(entry.index, configuration.clone());
        }
        self.log.push(entry, position);
    }

    /// Drops the entries from `index` on, and with them the configurations that they put in force (Raft 6).
    pub fn truncate_from(&mut self, index: Index, cx: &mut Context<'_, Raft>) {
        assert!(index > self.commit, "truncates the committed entry {index}");
        self.log.truncate_from(index);
        if self.membership.truncate_from(index) {
            let configuration = self.configuration().clone();
            cx.emit(Event::ConfigurationChanged { configuration, committed: false });
        }
    }

    /// Entries up to `index` are committed: gives them to the parent.
    pub fn commit_to(&mut self, index: Index, cx: &mut Context<'_, Raft>) {
        assert!(index <= self.log.last_index(), "commits {index} beyond the log");
        if index <= self.commit {
            return;
        }
        self.commit = index;
        self.give_committed(cx);
    }

    /// Gives the parent the committed entries that it has not received yet.
    pub fn give_committed(&mut self, cx: &mut Context<'_, Raft>) {
        while self.applied < self.commit {
            let left = usize::try_from(self.commit.0 - self.applied.0).unwrap_or(usize::MAX);
            let count_max = left.min(COMMITTED_ENTRIES_MAX);
            let entries = self.log.slice(self.applied.next(), count_max, COMMITTED_BYTES_MAX);
            let last = entries.last().expect("committed entries are in the log").index;
            let configurations = self.membership.between(self.applied, last);
            // Waits for nothing: a committed entry is durable on a quorum, which need not include this member.
            cx.emit_after(Position::NONE, Event::Committed { entries });
            for configuration in configurations {
                cx.emit_after(Position::NONE, Event::ConfigurationChanged { configuration, committed: true });
            }
            self.applied = last;
        }
    }

    pub fn meta_at(&self, index: Index) -> SnapshotMeta {
        assert!(index <= self.commit, "{index} is not committed");
        assert!(index >= self.checkpoint.index, "{index} is behind the checkpoint at {}", self.checkpoint.index);
        if index == self.checkpoint.index {
            return self.checkpoint.clone();
        }
        let term = self.log.term_at(index).expect("committed entries behind the checkpoint are in the log");
        SnapshotMeta { index, term, configuration: self.membership.at(index).clone() }
    }

    /// Sends once everything persisted so far is durable.
    pub fn send(&self, to: Member, body: Body, cx: &mut Context<'_, Raft>) {
        self.send_after(cx.last_position(), to, body, cx);
    }

    /// Sends once the records up to `after` are durable.
    pub fn send_after(&self, after: Position, to: Member, body: Body, cx: &mut Context<'_, Raft>) {
        if self.can_reach(to) {
            let message = Message { from: self.me.incarnation, to: to.incarnation, term: self.term, body };
            cx.send_after(after, to.node, message);
        }
    }

    /// Incarnation 0 never started; another incarnation of this node is gone.
    pub fn can_reach(&self, member: Member) -> bool {
        member.incarnation != Incarnation(0) && member.node != self.me.node
    }

    pub fn refuse(&self, ticket: Ticket, reason: Refusal, cx: &mut Context<'_, Raft>) {
        // Waits for nothing: it reports that nothing was done.
        cx.emit_after(Position::NONE, Event::Refused { ticket, reason });
    }

    /// Restarts the election timeout, drawn in `[T, 2T)`, so that split votes are rare (Raft 5.2).
    pub fn arm_election(&mut self, cx: &mut Context<'_, Raft>) {
        let base = self.config.election_timeout;
        let jitter = cx.rng().below(nanos(base).max(1));
        self.patience = base + Duration::from_nanos(jitter);
        cx.set_timer(Timer::Election, self.patience);
    }

    /// Records a message from the leader. If there is a clock, the timer is left alone and checks the clock when it
    /// fires: under load it would be restarted thousands of times per second.
    pub fn hear_leader(&mut self, cx: &mut Context<'_, Raft>) {
        if self.config.check_quorum {
            self.heard_at = Some(cx.now());
        } else {
            self.arm_election(cx);
        }
    }

    /// The remaining election timeout, if a message from a leader arrived since the timer was set.
    pub fn patience_left(&self, cx: &Context<'_, Raft>) -> Option<Duration> {
        let heard_at = self.heard_at?;
        self.patience.checked_sub(cx.now().since(heard_at)).filter(|left| !left.is_zero())
    }
}
