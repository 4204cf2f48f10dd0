//! The way of a password (book/src/etcd.md#9.2): the hash is read from a view of the whole cluster's state, compared outside,
//! and the login is applied only if users and roles are still what they were when it was read.

use crate::answer::{Answer, Body, Header};
use crate::call::{Call, Next, Waits};
use crate::error::Error;
use crate::request::Limits;
use alloc::string::String;
use volvox_core::Bytes;
use volvox_replica::{Request as ReplicaRequest, Token, View};
use volvox_store::{AuthCommand, AuthResponse, Command, Error as StoreError, UserIdentity};

/// How often a password is compared before the client is told that users and roles change too often.
const ATTEMPTS: u32 = 8;

/// A login in progress.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    name: String,
    letters: String,
    attempts_left: u32,
    /// The revision of users and roles to which the hash belongs.
    revision: u64,
}

impl Login {
    pub fn new(name: String, letters: String) -> Login {
        Login { name, letters, attempts_left: ATTEMPTS, revision: 0 }
    }

    /// Asks for a view that no earlier change of users and roles is missing from.
    pub fn ask(self, limits: Limits) -> Next {
        Next::Ask(Call::of(Waits::LoginRead(self), limits), ReplicaRequest::Read)
    }

    /// The view is there: its hash must be compared with the password.
    pub fn check(mut self, view: &View, limits: Limits) -> Result<Next, Error> {
        let auth = view.store.auth();
        if !auth.is_enabled() {
            return Err(StoreError::AuthNotEnabled.into());
        }
        let user = auth.user(&self.name).ok_or(StoreError::AuthenticationFailed)?;
        let hash: Bytes = user.password.clone().ok_or(StoreError::PasswordNotSet)?;
        self.revision = auth.revision();
        Ok(Next::CheckPassword(Call::of(Waits::Password(self), limits), hash))
    }

    /// The password was compared.
    pub fn on_password(self, is_right: bool, limits: Limits) -> Result<Next, Error> {
        if !is_right {
            return Err(StoreError::AuthenticationFailed.into());
        }
        let command = AuthCommand::Authenticate {
            name: self.name.clone(),
            checked_revision: self.revision,
            token: self.letters.clone(),
        };
        let request = ReplicaRequest::Write(Command::Auth(command));
        Ok(Next::Ask(Call::of(Waits::Login(self), limits), request))
    }

    /// Users or roles changed in between.
    pub fn again(self, limits: Limits) -> Result<Next, Error> {
        if self.attempts_left <= 1 {
            return Err(StoreError::AuthOldRevision.into());
        }
        Ok(Login { attempts_left: self.attempts_left - 1, ..self }.ask(limits))
    }

    /// The login was applied.
    pub fn answer(self, view: &View, response: AuthResponse, token: Option<Token>) -> Result<Answer, Error> {
        // A login of a member that does not sign its tokens and gave none was overtaken: by a restart, or by a snapshot.
        if token.is_none() && !self.letters.is_empty() {
            return Err(Error::InvalidToken);
        }
        let user = UserIdentity { name: self.name, auth_revision: response.auth_revision };
        Ok(Answer { header: Header::at(view, response.revision), body: Body::Authenticated { user, token } })
    }
}
