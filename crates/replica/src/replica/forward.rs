//! The leader's side of a write: the proposals that it accepts from others, and its own.
//!
//! A frame may be duplicated. This leader's decision on a forwarded proposal is final for its whole term: the second
//! copy is dropped silently, whether the first was proposed or refused. Otherwise a client that received a refusal
//! could see its write happen.

use super::Replica;
use crate::message::{Message, Refusal};
use crate::proposal::{Action, Proposal, Window};
use volvox_core::{Bytes, Context, NodeId, Position, decode_shared};
use volvox_raft::{Refusal as RaftRefusal, RoleKind, Term};
use volvox_store::Command as StoreCommand;

/// The forwarded proposals that a leader has decided on in one term.
#[derive(Clone, Debug, Default)]
pub(super) struct Decided {
    term: Term,
    window: Window,
}

impl Replica {
    /// Another member forwards a write of its client.
    pub(super) fn on_forward(
        &mut self,
        from: NodeId,
        sequence: u64,
        term: Term,
        data: Bytes,
        cx: &mut Context<'_, Replica>,
    ) {
        let Ok(proposal) = decode_shared::<Proposal>(&data) else {
            return cx.note("a forwarded proposal does not decode", 0);
        };
        let honest = proposal.origin.node == from && proposal.origin.sequence == sequence;
        if !honest || data.len() > self.config.request_bytes_max {
            return cx.note("a forwarded proposal is not its sender's, or too large", sequence);
        }
        if is_for_the_leader(&proposal.action)
            || (self.machine.members().is_formed() && self.machine.members().get(from).is_none())
        {
            return cx.note("a forwarded proposal that its sender may not make", sequence);
        }
        let refused = if self.consensus.raft().role() == RoleKind::Leader && self.consensus.raft().term() == term {
            self.decide(&proposal, data, cx)
        } else {
            Some(None)
        };
        if let Some(error) = refused {
            // A refusal reveals nothing that a disk must keep.
            cx.send_after(Position::NONE, from, Message::Refused { sequence, term: term.0, error });
        }
    }

    /// Proposes a forwarded proposal, or returns why not; `Some(None)`: not now.
    fn decide(&mut self, proposal: &Proposal, data: Bytes, cx: &mut Context<'_, Replica>) -> Option<Option<Refusal>> {
        if self.decided.term != self.consensus.raft().term() {
            self.decided = Decided { term: self.consensus.raft().term(), window: Window::default() };
        }
        if self.decided.window.refuses(&proposal.origin) {
            cx.note("a second copy of a proposal", proposal.origin.sequence);
            return None;
        }
        let outcome = match self.check_member_action(&proposal.action, cx.now()) {
            Err(refusal) => Some(Some(refusal)),
            Ok(()) => match self.propose(data, cx) {
                Ok(()) => None,
                Err(RaftRefusal::TooMany) => Some(Some(Refusal::TooManyRequests)),
                // Leadership is being handed over: that may fail, and then the proposal is accepted.
                Err(_) => return Some(None),
            },
        };
        self.decided.window.admit(&proposal.origin);
        if outcome.is_none() {
            self.on_proposed(&proposal.action);
        }
        outcome
    }

    /// The entries that this leader appended have already been taken into account by its clock.
    fn on_proposed(&mut self, action: &Action) {
        if let Action::Store(StoreCommand::LeaseRevoke(revoke)) = action {
            self.on_lease_ending(revoke.id);
        }
    }

    /// Proposes an action that is valid only in this term, now or never. Returns whether it was proposed.
    pub(super) fn propose_now(&mut self, action: Action, cx: &mut Context<'_, Replica>) -> bool {
        if !self.boot.is_durable() || self.consensus.raft().role() != RoleKind::Leader {
            return false;
        }
        let sequence = self.writes.take_sequence();
        let origin = self.origin(sequence);
        self.propose(Proposal { origin, identity: self.own_identity(), action }.to_shared(), cx).is_ok()
    }

    /// Appends to the log of this leader.
    pub(super) fn propose(&mut self, data: Bytes, cx: &mut Context<'_, Replica>) -> Result<(), RaftRefusal> {
        self.with_raft(cx, |raft, cx| raft.propose(data, cx)).map(drop)
    }
}

/// Only the leader may propose consequences of its own clock: a lease has expired by the clock of one leader in one
/// term. The next leader has restarted the lease's full time, and may have renewed it.
fn is_for_the_leader(action: &Action) -> bool {
    matches!(action, Action::Store(StoreCommand::LeaseExpire(_) | StoreCommand::LeaseCheckpoint(_)))
}
