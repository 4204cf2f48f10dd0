//! Consensus as a child of the replica, and the events that it left.

use super::Replica;
use crate::message::{Message, Record, Timer};
use alloc::vec::Vec;
use volvox_core::{Context, NodeId, Position, Process, Restored, Scratch};
use volvox_raft::{Config, Event, Raft, Record as RaftRecord};

/// Consensus.
#[derive(Clone)]
pub(super) struct Consensus {
    raft: Raft,
    /// Its events stay here until they are handled.
    scratch: Scratch<Raft>,
    /// The buffer of the events that were handled last.
    spare: Vec<(Event, Position)>,
}

impl Consensus {
    pub fn new(id: NodeId, members: &[NodeId], config: &Config) -> Consensus {
        Consensus { raft: Raft::new(id, members, config), scratch: Scratch::default(), spare: Vec::new() }
    }

    pub fn raft(&self) -> &Raft {
        &self.raft
    }

    pub fn on_restore(&mut self, restored: Restored<RaftRecord>) {
        self.raft.on_restore(restored);
    }

    /// The events that wait; `None` when there are none. The buffer comes back by [`Consensus::recycle`].
    pub fn take_events(&mut self) -> Option<Vec<(Event, Position)>> {
        if self.scratch.events.is_empty() {
            return None;
        }
        Some(core::mem::replace(&mut self.scratch.events, core::mem::take(&mut self.spare)))
    }

    /// Takes back the buffer of events that were handled.
    pub fn recycle(&mut self, mut events: Vec<(Event, Position)>) {
        events.clear();
        self.spare = events;
    }
}

impl Replica {
    /// Runs one step of consensus; its events wait until [`Replica::settle`].
    pub(super) fn with_raft<T>(
        &mut self,
        cx: &mut Context<'_, Replica>,
        step: impl FnOnce(&mut Raft, &mut Context<'_, Raft>) -> T,
    ) -> T {
        let Consensus { raft, scratch, .. } = &mut self.consensus;
        cx.scope(scratch, |cx| step(raft, cx), Message::Raft, Timer::Raft, Record::Raft)
    }
}
