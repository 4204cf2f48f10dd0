//! Follower: answers leaders and candidates (Raft 5.2, 5.3).

use super::read::FollowerReads;
use super::{Raft, Role};
use crate::configuration::Member;
use crate::entry::Entry;
use crate::index::{Index, NUMBER_MAX, Term};
use crate::interface::Timer;
use crate::message::Body;
use crate::planted::{self, Bug};
use alloc::vec::Vec;
use core::mem;
use volvox_core::{Context, Position};

/// The state that only a follower needs.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Follower {
    pub leader: Option<Member>,
    /// The last acknowledgement.
    answered: Index,
    pub reads: FollowerReads,
}

impl Raft {
    /// Becomes a follower in `term`, or of another leader.
    pub(super) fn become_follower(&mut self, term: Term, leader: Option<Member>, cx: &mut Context<'_, Raft>) {
        if term > self.server.term {
            self.server.set_term(term, None, cx);
        }
        self.server.heard_at = None;
        let next = Role::Follower(Follower { leader, ..Follower::default() });
        self.leave_role(next, cx);
        self.server.arm_election(cx);
    }

    /// Ends the previous role, and informs those that wait for its answers.
    pub(super) fn leave_role(&mut self, next: Role, cx: &mut Context<'_, Raft>) {
        match mem::replace(&mut self.role, next) {
            Role::Follower(follower) => self.server.refuse_follower_reads(follower.reads, cx),
            Role::Candidate(_) => {}
            Role::Leader(leader) => {
                cx.cancel_timer(Timer::Heartbeat);
                self.server.refuse_leader_reads(leader, cx);
            }
        }
    }

    /// Handles a message that only the leader of the current term sends. Returns whether to continue with it.
    pub(super) fn follow(&mut self, from: Member, cx: &mut Context<'_, Raft>) -> bool {
        match &self.role {
            Role::Follower(Follower { leader: Some(leader), .. }) if *leader == from => {}
            // Election safety (Raft 5.2): a term has one leader. A second claimant is not believed.
            Role::Follower(Follower { leader: Some(_), .. }) | Role::Leader(_) => {
                cx.note("ignored: a second leader in the term", from.node.0);
                return false;
            }
            Role::Follower(_) | Role::Candidate(_) => self.become_follower(self.server.term, Some(from), cx),
        }
        self.server.hear_leader(cx);
        true
    }

    /// Whether this member heard from a leader within the minimum election timeout, or is one (thesis 4.2.3).
    pub(super) fn hears_leader(&self, cx: &Context<'_, Raft>) -> bool {
        let config = &self.server.config;
        config.check_quorum
            && match &self.role {
                Role::Leader(_) => true,
                Role::Follower(follower) => {
                    follower.leader.is_some()
                        && self.server.heard_at.is_some_and(|at| cx.now().since(at) < config.election_timeout)
                }
                Role::Candidate(_) => false,
            }
    }

    pub(super) fn on_pre_vote(&self, from: Member, last_index: Index, last_term: Term, cx: &mut Context<'_, Raft>) {
        // Thesis 9.6: a yes promises nothing and is not persisted.
        let granted = self.server.log.is_covered_by(last_index, last_term);
        self.server.send(from, Body::PreVoteReply { granted }, cx);
    }

    pub(super) fn on_vote(&mut self, from: Member, last_index: Index, last_term: Term, cx: &mut Context<'_, Raft>) {
        let server = &mut self.server;
        // Raft 5.2: one vote per term, first come first served.
        let is_free = server.vote.is_none() || server.vote == Some(from);
        // Raft 5.4.1: a candidate whose log lacks a committed entry cannot win.
        let is_covered = server.log.is_covered_by(last_index, last_term) || planted::is(Bug::CandidateLogNotCompared);
        // Thesis 9.6: a pre-candidate has only asked. Its vote is free, and a candidate that is ahead of it may need it.
        let only_asks = matches!(&self.role, Role::Candidate(candidate) if candidate.is_asking());
        let granted = is_free && is_covered && (only_asks || matches!(self.role, Role::Follower(_)));
        if !granted {
            return server.send(from, Body::VoteReply { granted }, cx);
        }
        if only_asks {
            // It no longer wants to win: a late answer must not take it past the term in which it votes.
            self.become_follower(self.server.term, None, cx);
        }
        let server = &mut self.server;
        if server.vote.is_none() {
            server.set_term(server.term, Some(from), cx);
        }
        server.arm_election(cx);
        if planted::is(Bug::VoteNotSynced) {
            return server.send_after(Position::NONE, from, Body::VoteReply { granted }, cx);
        }
        server.send(from, Body::VoteReply { granted }, cx);
    }

    /// Entries of the leader (Raft 5.3, figure 2 "AppendEntries RPC").
    pub(super) fn on_append(
        &mut self,
        from: Member,
        (prev_index, prev_term): (Index, Term),
        entries: Vec<Entry>,
        commit: Index,
        cx: &mut Context<'_, Raft>,
    ) {
        let server = &mut self.server;
        if !is_run_behind(prev_index, prev_term, &entries, server.term) {
            return cx.note("ignored: impossible entries", prev_index.0);
        }
        // Entries up to the base are committed: the leader's are the same (Raft 5.4.3).
        if prev_index >= server.log.base_index() && server.log.term_at(prev_index) != Some(prev_term) {
            return self.refuse_append(from, prev_index, cx);
        }
        let last = Index(prev_index.0 + entries.len() as u64);
        let is_news = !entries.is_empty() || last > server.verified;
        let known = entries.iter().take_while(|entry| is_known(&server.log, entry)).count();
        if known < entries.len() {
            let first_new = entries[known].index;
            if first_new <= server.commit.max(server.verified) && first_new <= server.log.last_index() {
                return cx.note("ignored: another entry where one is settled", first_new.0);
            }
            if first_new <= server.log.last_index() {
                // Raft 5.3: an existing entry conflicts with a new one: delete it and all that follow it.
                server.truncate_from(first_new, cx);
            }
            server.append(entries.into_iter().skip(known).collect(), cx);
        }
        server.verified = server.verified.max(last);
        server.commit_to(commit.min(last), cx);
        // An announcement of a commit index that verifies nothing new needs no answer; a lost answer is made good by
        // the next heartbeat's.
        if is_news && last <= server.log.durable() {
            server.send(from, Body::Appended { matched: last }, cx);
        } else if is_news && planted::is(Bug::AckBeforeFsync) {
            server.send_after(Position::NONE, from, Body::Appended { matched: last }, cx);
        }
    }

    /// The disk has progressed: one acknowledgement for all entries that one sync made durable. An entry that a
    /// majority has acknowledged must not be lost (Raft figure 2: "updated on stable storage before responding").
    pub(super) fn acknowledge(&mut self, cx: &mut Context<'_, Raft>) {
        let Role::Follower(follower) = &mut self.role else { return };
        let server = &self.server;
        let matched = server.verified.min(server.log.durable());
        if let Some(leader) = follower.leader
            && matched > follower.answered
        {
            follower.answered = matched;
            // Waits for the term, and no longer for the entries.
            server.send_after(server.hard_position, leader, Body::Appended { matched }, cx);
        }
    }

    fn refuse_append(&mut self, from: Member, prev_index: Index, cx: &mut Context<'_, Raft>) {
        let log = &self.server.log;
        let (conflict_term, conflict_index) = match log.term_at(prev_index) {
            Some(term) => (term, log.first_of_term_at(prev_index)),
            None => (Term::ZERO, log.last_index().next()),
        };
        self.server.send(from, Body::Conflict { prev_index, conflict_term, conflict_index }, cx);
    }

    pub(super) fn on_heartbeat(&mut self, from: Member, commit: Index, round: u64, cx: &mut Context<'_, Raft>) {
        let server = &mut self.server;
        server.commit_to(commit.min(server.verified), cx);
        let verified = server.verified;
        let durable = verified.min(server.log.durable());
        // Waits for the term only: `verified` promises nothing, and `durable` is on the disk already. A read must not
        // wait for the disk.
        let reply = Body::HeartbeatReply { round, verified, durable };
        server.send_after(server.hard_position, from, reply, cx);
    }

    /// No message from a leader for too long.
    pub(super) fn on_election_timer(&mut self, cx: &mut Context<'_, Raft>) {
        if let Role::Leader(_) = &self.role {
            return self.on_check_quorum(cx);
        }
        if let Some(left) = self.server.patience_left(cx) {
            return cx.set_timer(Timer::Election, left);
        }
        if self.server.may_campaign() {
            return self.campaign(cx);
        }
        self.become_follower(self.server.term, None, cx);
        self.ask_to_join(cx);
    }
}

/// Whether the entries follow `prev` without gaps, with terms that never decrease and are not in the future.
fn is_run_behind(prev_index: Index, prev_term: Term, entries: &[Entry], term: Term) -> bool {
    if prev_index.0 > NUMBER_MAX || prev_term > term {
        return false;
    }
    let mut last = (prev_index, prev_term);
    for entry in entries {
        let follows = entry.index == last.0.next() && entry.term >= last.1 && entry.term > Term::ZERO;
        if !follows || entry.term > term {
            return false;
        }
        last = (entry.index, entry.term);
    }
    true
}

fn is_known(log: &crate::log::Log, entry: &Entry) -> bool {
    entry.index <= log.base_index() || log.term_at(entry.index) == Some(entry.term)
}
