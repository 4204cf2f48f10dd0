//! Candidate: asks for votes (Raft 5.2), after asking whether it would get them (thesis 9.6).

use super::{Raft, Role};
use crate::configuration::Member;
use crate::message::Body;
use alloc::collections::BTreeMap;
use volvox_core::{Context, Position};

/// The state that only a candidate needs.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Candidate {
    stage: Stage,
    /// The members that answered, and whether with yes.
    votes: BTreeMap<Member, bool>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Stage {
    /// Asks whether it would be elected; the term stays.
    Asking,
    /// Campaigns. Its own vote counts once the record at this position is durable: until then it could lose it and vote
    /// for another candidate in the same term.
    Campaigning(Position),
}

impl Candidate {
    pub fn is_asking(&self) -> bool {
        self.stage == Stage::Asking
    }
}

impl Raft {
    pub(super) fn campaign(&mut self, cx: &mut Context<'_, Raft>) {
        if self.server.config.pre_vote { self.become_pre_candidate(cx) } else { self.become_candidate(false, cx) }
    }

    /// Asks first: an isolated server would otherwise return with a later term and depose a leader that all others
    /// follow.
    fn become_pre_candidate(&mut self, cx: &mut Context<'_, Raft>) {
        let votes = [(self.server.me, true)].into_iter().collect();
        self.leave_role(Role::Candidate(Candidate { stage: Stage::Asking, votes }), cx);
        self.server.arm_election(cx);
        let (last_index, last_term) = (self.server.log.last_index(), self.server.log.last_term());
        self.ask_voters(&Body::PreVote { last_index, last_term }, cx);
        self.count_votes(cx);
    }

    /// Begins a term and asks for votes. `transfer` means that the leader asked for it.
    pub(super) fn become_candidate(&mut self, transfer: bool, cx: &mut Context<'_, Raft>) {
        let server = &mut self.server;
        assert!(server.may_campaign(), "{} campaigns without a vote", server.me);
        server.set_term(server.term.next(), Some(server.me), cx);
        let stage = Stage::Campaigning(server.hard_position);
        self.leave_role(Role::Candidate(Candidate { stage, votes: BTreeMap::new() }), cx);
        self.server.arm_election(cx);
        let (last_index, last_term) = (self.server.log.last_index(), self.server.log.last_term());
        self.ask_voters(&Body::Vote { last_index, last_term, transfer }, cx);
    }

    fn ask_voters(&self, body: &Body, cx: &mut Context<'_, Raft>) {
        for voter in self.server.configuration().all_voters() {
            self.server.send(voter, body.clone(), cx);
        }
    }

    pub(super) fn on_own_vote_persisted(&mut self, through: Position, cx: &mut Context<'_, Raft>) {
        let Role::Candidate(candidate) = &mut self.role else { return };
        if let Stage::Campaigning(position) = candidate.stage
            && position <= through
            && candidate.votes.insert(self.server.me, true).is_none()
        {
            self.count_votes(cx);
        }
    }

    pub(super) fn on_vote_reply(&mut self, from: Member, to_question: bool, granted: bool, cx: &mut Context<'_, Raft>) {
        let Role::Candidate(candidate) = &mut self.role else {
            return cx.note("ignored: an answer after the election", from.node.0);
        };
        if candidate.is_asking() != to_question || !self.server.membership.active().votes(from) {
            return cx.note("ignored: an answer that does not count", from.node.0);
        }
        candidate.votes.entry(from).or_insert(granted);
        self.count_votes(cx);
    }

    fn count_votes(&mut self, cx: &mut Context<'_, Raft>) {
        let Role::Candidate(candidate) = &self.role else { return };
        let configuration = self.server.configuration();
        let is_won = configuration.is_quorum(|member| candidate.votes.get(&member) == Some(&true));
        let is_lost = !configuration.is_quorum(|member| candidate.votes.get(&member) != Some(&false));
        match (is_won, candidate.is_asking()) {
            (true, true) => self.become_candidate(false, cx),
            (true, false) => self.become_leader(cx),
            (false, _) if is_lost => self.become_follower(self.server.term, None, cx),
            (false, _) => {}
        }
    }
}
