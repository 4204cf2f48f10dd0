//! Whether a caller may do something (book/src/etcd.md#9.6): one function, [`View::authorize`].
//!
//! A read is authorised against the very view that answers it. A write is authorised when it is applied, against the state
//! at that point of the log: between its proposal and there, a permission may have been revoked.

use crate::auth::change::AuthCommand;
use crate::auth::{Auth, User};
use crate::command::Command;
use crate::error::Error;
use crate::key_range::KeyRange;
use crate::request::{AlarmAction, Compare, DeleteRangeRequest, PutRequest, RequestOp, TxnRequest};
use crate::view::View;
use alloc::string::String;
use alloc::vec::Vec;
use volvox_core::{Decode, DecodeError, Encode, Reader};

/// The caller of a request.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Identity {
    /// The cluster itself: the end of a lease, an alarm of a member.
    Cluster,
    /// A client that did not say who it is.
    #[default]
    Anonymous,
    /// A user.
    User(UserIdentity),
}

/// A user, as its token or certificate names it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UserIdentity {
    /// The name.
    pub name: String,
    /// The revision of users and roles at which it was identified. Permissions of an older one are not given.
    pub auth_revision: u64,
}

impl Encode for UserIdentity {
    fn encode(&self, out: &mut Vec<u8>) {
        self.name.encode(out);
        self.auth_revision.encode(out);
    }
}

impl Decode for UserIdentity {
    fn decode(input: &mut Reader<'_>) -> Result<UserIdentity, DecodeError> {
        Ok(UserIdentity { name: Decode::decode(input)?, auth_revision: Decode::decode(input)? })
    }
}

/// The thing that a caller wants to do.
#[derive(Clone, Copy, Debug)]
pub enum Access<'a> {
    /// Something that every caller may do.
    Anything,
    /// Something that every user may do.
    AsUser,
    /// Something that only users with the root role may do.
    AsRoot,
    /// Reads or watches the keys from `key` to `range_end`, as a request names them.
    Read(&'a [u8], &'a [u8]),
    /// Runs a transaction.
    Txn(&'a TxnRequest),
    /// Changes the store, or users and roles.
    Write(&'a Command),
    /// Renews a lease.
    LeaseRenew(i64),
    /// Lists the keys of a lease.
    LeaseKeys(i64),
    /// Lists all leases.
    Leases,
    /// Reads a user.
    User(&'a str),
    /// Reads a role.
    Role(&'a str),
}

impl View {
    /// Users and roles.
    pub fn auth(&self) -> &Auth {
        &self.auth
    }

    /// Decides whether a caller may do something; everything is allowed while auth is off.
    ///
    /// # Errors
    /// [`Error::UserEmpty`], [`Error::AuthOldRevision`], [`Error::UserNotFound`], [`Error::PermissionDenied`].
    pub fn authorize(&self, identity: &Identity, access: Access<'_>) -> Result<(), Error> {
        if !self.auth.is_enabled() || *identity == Identity::Cluster {
            return Ok(());
        }
        let caller = Caller { view: self, user: if let Identity::User(user) = identity { Some(user) } else { None } };
        match access {
            Access::Anything => Ok(()),
            Access::AsUser => caller.is_user(),
            Access::AsRoot => caller.is_root(),
            Access::Read(key, range_end) => caller.may(key, range_end, false),
            Access::Txn(txn) => caller.may_txn(txn),
            Access::Write(command) => caller.may_write(command),
            Access::LeaseRenew(lease) => {
                caller.is_user()?;
                caller.may_lease(lease, true)
            }
            Access::LeaseKeys(lease) => {
                caller.is_user()?;
                caller.may_lease(lease, false)
            }
            Access::Leases => {
                caller.is_user()?;
                self.leases().try_for_each(|lease| caller.may_lease(lease.id, false))
            }
            Access::User(name) => {
                let is_own = caller.user.is_some_and(|user| user.name == name);
                caller.is_root().or_else(|error| if is_own { Ok(()) } else { Err(error) })
            }
            Access::Role(name) => {
                let has_it = caller.account().is_some_and(|user| user.roles.contains(name));
                caller.is_root().or_else(|error| if has_it { Ok(()) } else { Err(error) })
            }
        }
    }
}

/// The caller, in the state in which it is judged.
#[derive(Clone, Copy)]
struct Caller<'a> {
    view: &'a View,
    user: Option<&'a UserIdentity>,
}

impl<'a> Caller<'a> {
    fn account(&self) -> Option<&'a User> {
        self.view.auth.user(&self.user?.name)
    }

    /// A user of any name: its token or certificate was accepted.
    fn is_user(&self) -> Result<(), Error> {
        self.user.map(drop).ok_or(Error::UserEmpty)
    }

    fn is_root(&self) -> Result<(), Error> {
        self.is_user()?;
        let account = self.account().ok_or(Error::UserNotFound)?;
        if account.is_root() { Ok(()) } else { Err(Error::PermissionDenied) }
    }

    fn may(&self, key: &[u8], range_end: &[u8], write: bool) -> Result<(), Error> {
        let user = self.user.ok_or(Error::UserEmpty)?;
        if user.auth_revision < self.view.auth.revision() {
            return Err(Error::AuthOldRevision);
        }
        let account = self.account().ok_or(Error::PermissionDenied)?;
        let covers = account.is_root() || self.view.auth.covers(account, &KeyRange::new(key, range_end), write);
        if covers { Ok(()) } else { Err(Error::PermissionDenied) }
    }

    fn may_write(&self, command: &Command) -> Result<(), Error> {
        match command {
            Command::Put(put) => self.may_put(put),
            Command::DeleteRange(delete) => self.may_delete(delete),
            Command::Txn(txn) => self.may_txn(txn),
            Command::LeaseGrant(_) => self.is_user(),
            Command::LeaseRevoke(revoke) => {
                self.is_user()?;
                self.may_lease(revoke.id, true)
            }
            Command::Alarm(alarm) if alarm.action == AlarmAction::Get => self.is_user(),
            Command::Auth(AuthCommand::Authenticate { .. }) => Ok(()),
            Command::Compact(_) | Command::Alarm(_) | Command::Auth(_) => self.is_root(),
            // The cluster's own.
            Command::LeaseExpire(_) | Command::LeaseCheckpoint(_) => Ok(()),
        }
    }

    fn may_put(&self, put: &PutRequest) -> Result<(), Error> {
        self.may(&put.key, &[], true)?;
        // A user who could not revoke the lease must not attach a key to it.
        if put.lease != 0 {
            self.may_lease(put.lease, true)?;
        }
        if put.prev_kv { self.may(&put.key, &[], false) } else { Ok(()) }
    }

    fn may_delete(&self, delete: &DeleteRangeRequest) -> Result<(), Error> {
        self.may(&delete.key, &delete.range_end, true)?;
        if delete.prev_kv { self.may(&delete.key, &delete.range_end, false) } else { Ok(()) }
    }

    /// Both branches, whichever will run: the answer says which one ran.
    fn may_txn(&self, txn: &TxnRequest) -> Result<(), Error> {
        for Compare { key, range_end, .. } in &txn.compare {
            self.may(key, range_end, false)?;
        }
        for op in txn.success.iter().chain(&txn.failure) {
            match op {
                RequestOp::Range(range) => self.may(&range.key, &range.range_end, false)?,
                RequestOp::Put(put) => self.may_put(put)?,
                RequestOp::DeleteRange(delete) => self.may_delete(delete)?,
                RequestOp::Txn(inner) => self.may_txn(inner)?,
                RequestOp::Empty => {}
            }
        }
        Ok(())
    }

    /// All keys that are attached to a lease.
    fn may_lease(&self, lease: i64, write: bool) -> Result<(), Error> {
        if self.is_root().is_ok() {
            return Ok(());
        }
        self.view.lease_keys(lease).iter().try_for_each(|key| self.may(key, &[], write))
    }
}
