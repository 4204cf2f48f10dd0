//! Restores a member from the records that survived (Raft figure 2, "persistent state").

use super::server::Server;
use super::snapshot::is_checkpoint_part;
use super::{Raft, Role};
use crate::index::Index;
use crate::log::Log;
use crate::node::membership::Membership;
use crate::record::{Record, SnapshotMeta};
use volvox_core::{Context, Part, Position, Restored, decode_all};

impl Server {
    pub(super) fn on_restore(&mut self, restored: Restored<Record>) {
        match restored {
            Restored::Part(part) => self.restore_part(part),
            Restored::CheckpointEnd { .. } => {}
            Restored::Record { position, record } => self.restore_record(position, record),
        }
    }

    fn restore_part(&mut self, part: Part) {
        if !is_checkpoint_part(&part) {
            self.checkpoint_data = self.config.alone.then_some(part.data);
            return;
        }
        // The disk has verified its records: one that does not decode was not written by this program.
        let meta: SnapshotMeta = decode_all(&part.data).expect("a checkpoint part that this version wrote");
        assert!(self.log.last_index() == Index::ZERO, "a checkpoint part after records");
        self.log = Log::behind(meta.index, meta.term, Position::NONE);
        self.membership = Membership::new(meta.index, meta.configuration.clone());
        self.commit = meta.index;
        self.applied = meta.index;
        self.checkpoint = meta;
    }

    fn restore_record(&mut self, position: Position, record: Record) {
        match record {
            Record::Hard { term, vote, commit } => {
                assert!(term >= self.term, "the restored term falls from {} to {term}", self.term);
                self.term = term;
                self.vote = vote;
                self.hard_position = position;
                if !self.is_void {
                    self.commit = self.commit.max(commit);
                }
            }
            Record::Rests { index } => self.is_void = index > self.checkpoint.index,
            Record::Void => self.is_void = false,
            Record::Entries { .. } if self.is_void => {}
            Record::Entries { entries, commit } => {
                // Records may reach back before the checkpoint; entries that it covers are skipped.
                let checkpoint = self.checkpoint.index;
                for entry in entries.into_iter().filter(|entry| entry.index > checkpoint) {
                    if entry.index <= self.log.last_index() {
                        self.log.truncate_from(entry.index);
                        self.membership.truncate_from(entry.index);
                    }
                    self.keep(entry, position);
                }
                self.commit = self.commit.max(commit);
            }
        }
    }
}

impl Raft {
    pub(super) fn start(&mut self, cx: &mut Context<'_, Raft>) {
        let server = &mut self.server;
        assert!(server.me.node == cx.id(), "{} runs as {}", server.me.node, cx.id());
        assert!(matches!(self.role, Role::Follower(_)), "started twice");
        // A record names a commit index only after the records that hold the entries up to it.
        assert!(server.commit <= server.log.last_index(), "committed entries are missing: {}", server.commit);
        if server.is_void {
            server.is_void = false;
            cx.persist(Record::Void);
        }
        server.verified = server.commit;
        server.log.persisted(cx.last_position());
        server.give_committed(cx);
        let is_only_voter = server.configuration().is_quorum(|member| member == server.me) && server.may_campaign();
        server.arm_election(cx);
        if is_only_voter {
            // No other member could be the leader: no need to wait for one.
            return self.campaign(cx);
        }
        if self.server.is_joining() {
            self.ask_to_join(cx);
        }
    }
}
