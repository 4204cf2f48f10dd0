//! The way of a password (book/src/etcd.md#9.2): the hash is read from a view of the whole cluster's state, compared outside,
//! and the login is applied only if users and roles are still what they were when it was read.

use crate::answer::{Answer, Body, Header};
use crate::error::Error;
use alloc::string::String;
use volvox_core::Bytes;
use volvox_replica::{Token, View};
use volvox_store::{AuthCommand, AuthResponse, Command, Error as StoreError, UserIdentity};

/// How often a password is compared before its client is refused, because users and roles change too often.
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

/// The next step of a login.
#[derive(Debug)]
pub(crate) enum Step {
    /// A view is needed that no earlier change of users and roles is missing from.
    View(Login),
    /// This hash must be compared with the password.
    Password(Login, Bytes),
    /// This command must be applied.
    Apply(Login, Command),
}

impl Login {
    pub fn begin(name: String, letters: String) -> Step {
        Step::View(Login { name, letters, attempts_left: ATTEMPTS, revision: 0 })
    }

    /// The view is there: its hash must be compared with the password.
    pub fn check(mut self, view: &View) -> Result<Step, Error> {
        let auth = view.store.auth();
        if !auth.is_enabled() {
            return Err(StoreError::AuthNotEnabled.into());
        }
        let user = auth.user(&self.name).ok_or(StoreError::AuthenticationFailed)?;
        let hash: Bytes = user.password.clone().ok_or(StoreError::PasswordNotSet)?;
        self.revision = auth.revision();
        Ok(Step::Password(self, hash))
    }

    /// The password was compared.
    pub fn on_password(self, is_right: bool) -> Result<Step, Error> {
        if !is_right {
            return Err(StoreError::AuthenticationFailed.into());
        }
        let command = AuthCommand::Authenticate {
            name: self.name.clone(),
            checked_revision: self.revision,
            token: self.letters.clone(),
        };
        Ok(Step::Apply(self, Command::Auth(command)))
    }

    /// Users or roles changed in between.
    pub fn again(self) -> Result<Step, Error> {
        if self.attempts_left <= 1 {
            return Err(StoreError::AuthOldRevision.into());
        }
        Ok(Step::View(Login { attempts_left: self.attempts_left - 1, ..self }))
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
