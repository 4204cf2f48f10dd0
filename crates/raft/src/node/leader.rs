//! Leader: takes proposals, replicates, commits (Raft 5.3, 5.4).

use super::read::LeaderReads;
use super::transfer::Transfer;
use super::{Raft, Role, Server};
use crate::configuration::{Configuration, Member};
use crate::entry::{ENTRIES_MAX, ENTRY_BYTES_MAX, Entry, Payload};
use crate::index::{Index, Term};
use crate::interface::{Event, Refusal, Ticket, Timer};
use crate::message::Body;
use crate::planted::{self, Bug};
use crate::progress::{Mode, Progress, Verdict};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{Bytes, Context, Position};

/// The state that only a leader needs.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Leader {
    /// Every other member.
    pub progress: BTreeMap<Member, Progress>,
    /// The index of its first entry: once that is committed, the leader knows what is committed (Raft 8).
    pub first_entry: Index,
    /// Counts heartbeats.
    pub round: u64,
    pub reads: LeaderReads,
    pub transfer: Option<Transfer>,
    /// Whether a member is served that the configuration in force does not name.
    pub has_leavers: bool,
    /// The weight of the entries that are appended and not committed.
    uncommitted_weight: usize,
}

impl Leader {
    pub fn followers(&self) -> impl Iterator<Item = (Member, Index, bool)> {
        self.progress.iter().map(|(member, progress)| (*member, progress.matched, progress.is_active))
    }
}

impl Raft {
    pub(super) fn become_leader(&mut self, cx: &mut Context<'_, Raft>) {
        let server = &mut self.server;
        assert!(server.vote == Some(server.me), "{} leads without its own vote", server.me);
        let before = server.log.last_index();
        let uncommitted_weight = server.log.between(server.commit, before).map(Entry::weight).sum();
        let leader = Leader {
            progress: BTreeMap::new(),
            first_entry: before.next(),
            round: 0,
            reads: LeaderReads::default(),
            transfer: None,
            has_leavers: false,
            uncommitted_weight,
        };
        self.leave_role(Role::Leader(leader), cx);
        cx.set_timer(Timer::Heartbeat, self.server.config.heartbeat);
        cx.set_timer(Timer::Election, self.server.config.election_timeout);
        self.follow_configuration(before.next());
        // Raft 8: a no-op before anything else. It informs all members of the new leader at once, and commits entries
        // left by earlier terms, which must not be committed by counting (Raft 5.4.2). The first entry of all is the
        // initial configuration of the cluster, so that the log contains all that a later member needs (thesis 4.4).
        let first = match before {
            Index::ZERO => Payload::Configuration(self.server.configuration().clone()),
            _ => Payload::Empty,
        };
        self.append_as_leader(first, cx);
    }

    /// Keeps one [`Progress`] for each member of a configuration that is in force or not yet finally replaced, and for
    /// no other: a leaving member that is reachable learns of it, and does not campaign forever.
    pub(super) fn follow_configuration(&mut self, next: Index) {
        let Role::Leader(leader) = &mut self.role else { return };
        let server = &self.server;
        let members: BTreeSet<Member> =
            server.membership.in_doubt(server.commit).flat_map(Configuration::members).collect();
        leader.has_leavers = members.len() > server.configuration().members().len();
        leader.progress.retain(|member, _| members.contains(member));
        for member in members.into_iter().filter(|member| *member != server.me) {
            leader.progress.entry(member).or_insert_with(|| Progress::new(next));
        }
    }

    pub(super) fn on_propose(&mut self, ticket: Ticket, data: Bytes, cx: &mut Context<'_, Raft>) {
        match self.propose(data, cx) {
            Ok(index) => cx.emit(Event::Proposed { ticket, index, term: self.server.term }),
            Err(reason) => self.server.refuse(ticket, reason, cx),
        }
    }

    /// Appends data to the log of this leader, and returns where, for a parent that decides in the same step: the same as
    /// [`Command::Propose`](crate::Command::Propose) without a ticket. The fate of the entry is decided when its index
    /// commits: see [`Event::Proposed`].
    ///
    /// # Errors
    /// Why nothing was appended.
    pub fn propose(&mut self, data: Bytes, cx: &mut Context<'_, Raft>) -> Result<Index, Refusal> {
        let Role::Leader(leader) = &self.role else {
            return Err(self.not_leader());
        };
        if leader.transfer.is_some() {
            // Thesis 3.10: otherwise the receiver might never catch up.
            return Err(Refusal::Transferring);
        }
        let is_full = leader.uncommitted_weight > 0
            && leader.uncommitted_weight + data.len() > self.server.config.proposals_bytes_max;
        if is_full || data.len() > ENTRY_BYTES_MAX {
            return Err(Refusal::TooMany);
        }
        Ok(self.append_as_leader(Payload::Data(data), cx))
    }

    /// Appends one entry and replicates it in the same step: the followers' disks work while the leader's does
    /// (thesis 10.2.1). The leader counts itself when its own disk is done.
    pub(super) fn append_as_leader(&mut self, payload: Payload, cx: &mut Context<'_, Raft>) -> Index {
        let Role::Leader(leader) = &mut self.role else { unreachable!("only a leader appends") };
        let (term, index) = (self.server.term, self.server.log.last_index().next());
        let changes_configuration = matches!(payload, Payload::Configuration(_));
        let entry = Entry { term, index, payload };
        leader.uncommitted_weight += entry.weight();
        self.server.append(vec![entry], cx);
        if changes_configuration {
            self.follow_configuration(index);
        }
        self.send_soon(cx);
        index
    }

    pub(super) fn replicate_to_all(&mut self, cx: &mut Context<'_, Raft>) {
        let Role::Leader(leader) = &mut self.role else { return };
        for (member, progress) in &mut leader.progress {
            replicate(&self.server, *member, progress, cx);
        }
    }

    fn replicate_to(&mut self, to: Member, cx: &mut Context<'_, Raft>) {
        let Role::Leader(leader) = &mut self.role else { return };
        if let Some(progress) = leader.progress.get_mut(&to) {
            replicate(&self.server, to, progress, cx);
        }
    }

    fn replicate_soon_to(&mut self, to: Member, cx: &mut Context<'_, Raft>) {
        if self.server.config.gather { self.send_soon(cx) } else { self.replicate_to(to, cx) }
    }

    /// The progress of the sender of an answer; `None`, with a note, when the answer does not count.
    pub(super) fn progress_of(&mut self, from: Member, cx: &mut Context<'_, Raft>) -> Option<&mut Progress> {
        let progress = match &mut self.role {
            Role::Leader(leader) => leader.progress.get_mut(&from),
            Role::Follower(_) | Role::Candidate(_) => None,
        };
        if progress.is_none() {
            cx.note("ignored: an unexpected answer", from.node.0);
        }
        progress
    }

    pub(super) fn on_appended(&mut self, from: Member, matched: Index, cx: &mut Context<'_, Raft>) {
        let (last, base) = (self.server.log.last_index(), self.server.log.base_index());
        let Some(progress) = self.progress_of(from, cx) else { return };
        if matched > last {
            return cx.note("ignored: acknowledges what was never sent", matched.0);
        }
        progress.is_active = true;
        if progress.on_matched(matched, base) {
            self.advance_commit(cx);
            self.continue_transfer(from, cx);
        }
        self.replicate_soon_to(from, cx);
        self.want_parts(from, cx);
    }

    /// The logs differ before the entries sent: goes back, one term at a time (Raft 5.3).
    pub(super) fn on_conflict(
        &mut self,
        from: Member,
        prev_index: Index,
        conflict_term: Term,
        conflict_index: Index,
        cx: &mut Context<'_, Raft>,
    ) {
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(progress) = leader.progress.get_mut(&from) else { return };
        progress.is_active = true;
        let is_answer = match &progress.mode {
            Mode::Probe { is_waiting } => *is_waiting && prev_index == progress.next.previous(),
            Mode::Replicate(_) => prev_index > progress.matched && prev_index < progress.next,
            Mode::Snapshot(_) => false,
        };
        if !is_answer {
            return cx.note("ignored: refuses what was not asked", prev_index.0);
        }
        if prev_index <= progress.matched {
            // A late answer; or the follower has lost what it acknowledged, and asking more often than heartbeats do
            // will not help.
            return cx.note("ignored: refuses what it acknowledged", prev_index.0);
        }
        // A term that the leader also has agrees up to the leader's last entry of it, or less far; another term is
        // skipped.
        let agreed = match conflict_term {
            Term::ZERO => conflict_index.previous(),
            term => {
                let agreed = self.server.log.last_of_term_at_most(term, prev_index);
                match self.server.log.term_at(agreed) == Some(term) {
                    true => agreed,
                    false => agreed.min(conflict_index.previous()),
                }
            }
        };
        progress.probe_from(agreed.min(prev_index.previous()).next());
        self.replicate_to(from, cx);
    }

    pub(super) fn on_heartbeat_timer(&mut self, cx: &mut Context<'_, Raft>) {
        if let Role::Leader(_) = &self.role {
            self.send_heartbeats(cx);
            cx.set_timer(Timer::Heartbeat, self.server.config.heartbeat);
        }
    }

    /// Sends a heartbeat to all. Returns the round that the answers will name.
    pub(super) fn send_heartbeats(&mut self, cx: &mut Context<'_, Raft>) -> u64 {
        let Role::Leader(leader) = &mut self.role else { unreachable!("only a leader sends heartbeats") };
        leader.round += 1;
        let round = leader.round;
        for (member, progress) in &mut leader.progress {
            progress.on_heartbeat_sent(round);
            let commit = self.server.commit.min(progress.matched);
            // Waits for nothing: the leader's term is durable since its election, and what it commits is durable on a
            // quorum.
            self.server.send_after(Position::NONE, *member, Body::Heartbeat { commit, round }, cx);
        }
        round
    }

    pub(super) fn on_heartbeat_reply(
        &mut self,
        from: Member,
        round: u64,
        verified: Index,
        durable: Index,
        cx: &mut Context<'_, Raft>,
    ) {
        let (last, base) = (self.server.log.last_index(), self.server.log.base_index());
        let Role::Leader(leader) = &mut self.role else { return };
        let rounds_sent = leader.round;
        let Some(progress) = self.progress_of(from, cx) else { return };
        if round > rounds_sent || verified > last || durable > verified {
            return cx.note("ignored: answers what was never asked", round);
        }
        match progress.on_heartbeat_answered(round, verified) {
            Verdict::Nothing => {}
            Verdict::Lost => progress.resume(verified),
            Verdict::Arrived => {
                if let Mode::Probe { is_waiting: true } = progress.mode {
                    progress.replicate_from(verified.max(progress.matched).next());
                }
            }
        }
        // This makes up for a lost acknowledgement.
        if durable > progress.matched && progress.on_matched(durable, base) {
            self.advance_commit(cx);
        }
        self.continue_transfer(from, cx);
        self.confirm_reads(cx);
        self.replicate_soon_to(from, cx);
        self.want_parts(from, cx);
    }

    /// Commits the entries that are durable on a quorum.
    pub(super) fn advance_commit(&mut self, cx: &mut Context<'_, Raft>) {
        let Role::Leader(leader) = &mut self.role else { return };
        let server = &mut self.server;
        let index = server.configuration().quorum_index(|member| match leader.progress.get(&member) {
            Some(progress) => progress.matched,
            None if member == server.me => server.log.durable(),
            None => Index::ZERO,
        });
        if index <= server.commit {
            return;
        }
        // Raft 5.4.2 and figure 8: an entry of an earlier term may be on a majority and still be replaced. Counting
        // commits only entries of this term; with them it commits all before them.
        if server.log.term_at(index) != Some(server.term) && !planted::is(Bug::OldTermCommittedByCounting) {
            return;
        }
        let committed: usize = server.log.between(server.commit, index).map(Entry::weight).sum();
        assert!(committed <= leader.uncommitted_weight, "commits more than was appended");
        leader.uncommitted_weight -= committed;
        server.commit_to(index, cx);
        self.send_soon(cx);
        self.on_configuration_committed(cx);
    }

    /// A leader that received answers from no quorum for an election timeout steps down (thesis 6.2): its clients
    /// should find another.
    pub(super) fn on_check_quorum(&mut self, cx: &mut Context<'_, Raft>) {
        let Role::Leader(leader) = &mut self.role else { return };
        let server = &self.server;
        let is_quorum = server.configuration().is_quorum(|member| {
            member == server.me || leader.progress.get(&member).is_some_and(|progress| progress.is_active)
        });
        if server.config.check_quorum && !is_quorum {
            cx.note("steps down: hears no quorum", 0);
            return self.become_follower(self.server.term, None, cx);
        }
        for progress in leader.progress.values_mut() {
            progress.is_active = false;
        }
        cx.set_timer(Timer::Election, self.server.config.election_timeout);
        self.ask_again_for_parts(cx);
    }
}

/// Sends a follower the entries that its window admits, and a new commit index at once.
fn replicate(server: &Server, to: Member, progress: &mut Progress, cx: &mut Context<'_, Raft>) {
    if !server.can_reach(to) {
        return;
    }
    let config = &server.config;
    while progress.may_send(config.in_flight_messages_max, config.in_flight_bytes_max) {
        let is_probe = matches!(progress.mode, Mode::Probe { .. });
        let prev_index = progress.next.previous();
        if server.log.term_at(prev_index).is_none() {
            progress.send_snapshot();
            return super::snapshot::want_parts_for(server, to, progress, cx);
        }
        let entries = server.log.slice(progress.next, ENTRIES_MAX, config.append_bytes_max);
        if entries.is_empty() && !is_probe {
            break;
        }
        append(server, to, progress, entries, cx);
    }
    // Not if the window is full and the log before it is gone: then a snapshot will carry it.
    let can_tell = matches!(progress.mode, Mode::Replicate(_)) && progress.next > server.log.base_index();
    if can_tell && progress.told_commit < server.commit {
        append(server, to, progress, Vec::new(), cx);
    }
}

fn append(server: &Server, to: Member, progress: &mut Progress, entries: Vec<Entry>, cx: &mut Context<'_, Raft>) {
    let prev_index = progress.next.previous();
    let prev_term = server.log.term_at(prev_index).expect("the entry before what is sent is known");
    let last = Index(prev_index.0 + entries.len() as u64);
    progress.on_sent(last, entries.iter().map(Entry::weight).sum());
    progress.told_commit = server.commit;
    let body = Body::Append { prev_index, prev_term, entries, commit: server.commit };
    // Waits for nothing (thesis 10.2.1): entries may be on the followers' disks before they are on the leader's. If the
    // leader crashes first, they are entries of its term that it need not remember: it can never lead that term again.
    server.send_after(Position::NONE, to, body, cx);
}
