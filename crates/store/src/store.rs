//! The state machine: commands in, replies and events out.

use crate::access::{Access, Identity};
use crate::auth::change::AuthCommand;
use crate::checks::{LEASE_TTL_SECONDS_MAX, has_put};
use crate::command::{Command, Reply};
use crate::compaction::Pass;
use crate::error::Error;
use crate::lease::{Lease, lease_key};
use crate::request::*;
use crate::response::*;
use crate::stepwise::Pending;
use crate::view::View;
use crate::writer::Writer;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// The configuration of a store. None of it affects the application of a command: members may differ in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoreConfig {
    /// How many bytes may be in use; 0: 2 GiB; negative: no limit. See [`View::exceeds_quota`].
    pub quota_bytes: i64,
    /// Operations in one level of a transaction. See [`crate::checks::check_txn`].
    pub max_txn_ops: usize,
}

impl Default for StoreConfig {
    fn default() -> StoreConfig {
        StoreConfig { quota_bytes: 0, max_txn_ops: 128 }
    }
}

/// The key-value store.
#[derive(Clone)]
pub struct Store {
    config: StoreConfig,
    state: View,
    /// Of the commands applied since they were last taken.
    pub(crate) changes: Vec<Change>,
    /// The compaction in progress.
    pub(crate) pass: Option<Pass>,
    /// The large delete in progress.
    pub(crate) pending: Option<Pending>,
    /// The buffer in which records are encoded; empty between commands.
    pub(crate) scratch: Vec<u8>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store {{ state: {:?}, compacting: {} }}", self.state, self.pass.is_some())
    }
}

impl Store {
    /// An empty store.
    pub fn new(config: StoreConfig) -> Store {
        Store::with_state(config, View::default())
    }

    pub(crate) fn with_state(config: StoreConfig, state: View) -> Store {
        Store { config, state, changes: Vec::new(), pass: None, pending: None, scratch: Vec::new() }
    }

    /// Its configuration.
    pub fn config(&self) -> StoreConfig {
        self.config
    }

    /// A view of the current state, in constant time.
    pub fn view(&self) -> View {
        self.state.clone()
    }

    /// The current state, for a brief look.
    pub fn state(&self) -> &View {
        &self.state
    }

    pub(crate) fn state_mut(&mut self) -> &mut View {
        &mut self.state
    }

    /// The revision of the store.
    pub fn revision(&self) -> i64 {
        self.state.revision
    }

    /// History below this revision is gone; -1 before any compaction.
    pub fn compacted(&self) -> i64 {
        self.state.compacted
    }

    /// Takes the changes that the commands applied since the last call made, oldest first. `previous` is filled in
    /// every event that replaced a pair. Call it after each batch: the list grows until then.
    pub fn take_events(&mut self) -> Vec<Change> {
        core::mem::take(&mut self.changes)
    }

    /// Applies a command of the cluster itself, which may do everything.
    ///
    /// # Errors
    /// As [`Store::apply_for`].
    ///
    /// # Panics
    /// As [`Store::apply_for`].
    pub fn apply(&mut self, command: &Command) -> Result<Reply, Error> {
        self.apply_for(&Identity::Cluster, command)
    }

    /// Applies a command on behalf of a caller. Every member that applies the same commands of the same callers in the same
    /// order gives the same answers.
    ///
    /// # Errors
    /// A refused command changed nothing, on any member.
    ///
    /// # Panics
    /// While a large delete is in progress.
    pub fn apply_for(&mut self, identity: &Identity, command: &Command) -> Result<Reply, Error> {
        assert!(self.pending.is_none(), "another command is half applied");
        self.state.applied += 1;
        self.check_alarms(command)?;
        self.state.authorize(identity, Access::Write(command))?;
        match command {
            Command::Put(put) => self.put(put).map(Reply::Put),
            Command::DeleteRange(delete) => self.delete_range(delete).map(Reply::DeleteRange),
            Command::Txn(txn) => self.txn(txn).map(Reply::Txn),
            Command::Compact(compact) => self.compact(*compact).map(Reply::Compact),
            Command::LeaseGrant(grant) => self.lease_grant(*grant).map(Reply::LeaseGrant),
            Command::LeaseRevoke(revoke) => self.lease_revoke(revoke.id).map(Reply::LeaseRevoke),
            Command::LeaseExpire(ids) => Ok(Reply::LeaseExpire(self.lease_expire(ids))),
            Command::LeaseCheckpoint(list) => Ok(Reply::LeaseCheckpoint(self.lease_checkpoint(list))),
            Command::Alarm(request) => Ok(Reply::Alarm(self.alarm(*request))),
            Command::Auth(command) => self.auth(command).map(Reply::Auth),
        }
    }

    /// The restrictions of alarms. Without space nothing may grow; if members differ nothing may change.
    pub(crate) fn check_alarms(&self, command: &Command) -> Result<(), Error> {
        if self.state.alarms.is_empty() {
            return Ok(());
        }
        let changes = !matches!(command, Command::LeaseCheckpoint(_) | Command::Alarm(_) | Command::Auth(_));
        if changes && self.state.has_alarm(AlarmType::Corrupt) {
            return Err(Error::Corrupt);
        }
        let grows = match command {
            Command::Put(_) | Command::LeaseGrant(_) => true,
            Command::Txn(txn) => has_put(txn),
            _ => false,
        };
        if grows && self.state.has_alarm(AlarmType::NoSpace) {
            return Err(Error::NoSpace);
        }
        Ok(())
    }

    fn put(&mut self, request: &PutRequest) -> Result<PutResponse, Error> {
        crate::checks::check_put(request)?;
        self.state.check_put_now(request)?;
        let mut writer = Writer::new(&mut self.state, &mut self.scratch);
        let response = writer.put(request);
        writer.finish(&mut self.changes);
        Ok(response)
    }

    fn delete_range(&mut self, request: &DeleteRangeRequest) -> Result<DeleteRangeResponse, Error> {
        crate::checks::check_delete_range(request)?;
        let mut writer = Writer::new(&mut self.state, &mut self.scratch);
        let response = writer.delete_range(request);
        writer.finish(&mut self.changes);
        Ok(response)
    }

    fn txn(&mut self, request: &TxnRequest) -> Result<TxnResponse, Error> {
        // How many operations are allowed is each member's own setting, and was checked before the proposal.
        crate::checks::check_txn(request, usize::MAX)?;
        let choice = self.state.choose(request);
        self.state.check_choice(request, &choice)?;
        let mut writer = Writer::new(&mut self.state, &mut self.scratch);
        let response = writer.txn(request, &choice);
        let revision = writer.finish(&mut self.changes);
        Ok(TxnResponse { revision, ..response })
    }

    fn compact(&mut self, request: CompactionRequest) -> Result<CompactionResponse, Error> {
        if request.revision <= self.state.compacted {
            return Err(Error::Compacted);
        }
        if request.revision > self.state.revision {
            return Err(Error::FutureRevision);
        }
        self.state.compacted = request.revision;
        self.state.compactions += 1;
        // A pass looks at sealed segments only.
        self.state.log.seal();
        self.start_pass();
        Ok(CompactionResponse { revision: self.state.revision })
    }

    fn lease_grant(&mut self, request: LeaseGrantRequest) -> Result<LeaseGrantResponse, Error> {
        if request.ttl > LEASE_TTL_SECONDS_MAX {
            return Err(Error::LeaseTtlTooLarge);
        }
        // A proposer never leaves the choice of an id to the members; 0 would mean "none" in a put.
        if request.id == 0 {
            return Err(Error::LeaseNotFound);
        }
        let key = lease_key(request.id);
        if self.state.leases.get(&key).is_some() {
            return Err(Error::LeaseExists);
        }
        self.state.leases.insert(&key, Lease { id: request.id, granted_ttl: request.ttl, remaining_ttl: 0 });
        Ok(LeaseGrantResponse { revision: self.state.revision, id: request.id, ttl: request.ttl })
    }

    fn lease_revoke(&mut self, id: i64) -> Result<LeaseRevokeResponse, Error> {
        if self.state.lease(id).is_none() {
            return Err(Error::LeaseNotFound);
        }
        self.end_lease(id);
        Ok(LeaseRevokeResponse { revision: self.state.revision })
    }

    fn lease_expire(&mut self, ids: &[i64]) -> LeaseRevokeResponse {
        for id in ids {
            // Revoked or expired meanwhile: the leader proposed it before it saw that.
            if self.state.lease(*id).is_some() {
                self.end_lease(*id);
            }
        }
        LeaseRevokeResponse { revision: self.state.revision }
    }

    /// Deletes the keys of a lease, in key order, in one revision; then the lease.
    fn end_lease(&mut self, id: i64) {
        let keys = self.state.lease_keys(id);
        let mut writer = Writer::new(&mut self.state, &mut self.scratch);
        for key in keys {
            let before = writer.delete(&key);
            assert!(before.is_some_and(|pair| pair.lease == id), "attachments follow the newest versions");
        }
        writer.finish(&mut self.changes);
        self.state.leases.remove(&lease_key(id));
    }

    fn lease_checkpoint(&mut self, list: &[LeaseCheckpoint]) -> LeaseRevokeResponse {
        for checkpoint in list {
            if let Some(lease) = self.state.lease(checkpoint.id) {
                let remaining_ttl = checkpoint.remaining_ttl.clamp(0, lease.granted_ttl.max(0));
                self.state.leases.insert(&lease_key(lease.id), Lease { remaining_ttl, ..lease });
            }
        }
        LeaseRevokeResponse { revision: self.state.revision }
    }

    fn auth(&mut self, command: &AuthCommand) -> Result<AuthResponse, Error> {
        Arc::make_mut(&mut self.state.auth).apply(command)?;
        Ok(AuthResponse { revision: self.state.revision, auth_revision: self.state.auth.revision() })
    }

    fn alarm(&mut self, request: AlarmRequest) -> AlarmResponse {
        let member = AlarmMember { member_id: request.member_id, alarm: request.alarm };
        let alarms = match request.action {
            AlarmAction::Get => {
                let wanted = |member: &AlarmMember| request.alarm == AlarmType::None || member.alarm == request.alarm;
                self.state.alarms().filter(wanted).collect()
            }
            AlarmAction::Activate if request.alarm != AlarmType::None => {
                Arc::make_mut(&mut self.state.alarms).insert(member);
                Vec::from([member])
            }
            AlarmAction::Deactivate if Arc::make_mut(&mut self.state.alarms).remove(&member) => Vec::from([member]),
            _ => Vec::new(),
        };
        AlarmResponse { revision: self.state.revision, alarms }
    }
}
