//! The caller of a request (book/src/etcd.md#9.4): from what its door knows to an identity that the store can judge.
//!
//! A door checks what needs no state of the cluster: the signature of a token, a certificate. A simple token is looked up
//! here. Its login went through the log, so a member that has not applied that entry yet waits for it, and only then calls
//! the token invalid.

use crate::error::Error;
use crate::request::Credentials;
use volvox_replica::{Token, View};
use volvox_store::{Identity, UserIdentity};

/// The caller, as far as a view knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Identified {
    /// It is this one.
    Known(Identity),
    /// It is this one, and its token was not used for a while: the replica must know, or the token expires.
    Returned(Identity, Token),
    /// Its token is of an entry that this member has not applied.
    NotYet,
}

/// Identifies a caller. Nothing is asked of it while auth is off.
pub(crate) fn identify(view: &View, credentials: &Credentials) -> Result<Identified, Error> {
    let auth = view.store.auth();
    if !auth.is_enabled() {
        return Ok(Identified::Known(Identity::Anonymous));
    }
    let user = |name: &str, auth_revision| Identity::User(UserIdentity { name: name.into(), auth_revision });
    match credentials {
        Credentials::None => Ok(Identified::Known(Identity::Anonymous)),
        Credentials::Invalid => Err(Error::InvalidToken),
        Credentials::Signed(identity) => Ok(Identified::Known(Identity::User(identity.clone()))),
        Credentials::Certificate(name) => Ok(Identified::Known(user(name, auth.revision()))),
        Credentials::Token(token) => match view.tokens.find(token) {
            Some((name, false)) => Ok(Identified::Known(user(name, auth.revision()))),
            Some((name, true)) => Ok(Identified::Returned(user(name, auth.revision()), token.clone())),
            None if token.index().is_some_and(|index| index.0 > view.status.applied_index) => Ok(Identified::NotYet),
            None => Err(Error::InvalidToken),
        },
    }
}

/// The same for a caller that has waited, and whose use of its token is known.
pub(crate) fn identify_now(view: &View, credentials: &Credentials) -> Result<Identity, Error> {
    match identify(view, credentials)? {
        Identified::Known(identity) | Identified::Returned(identity, _) => Ok(identity),
        Identified::NotYet => Err(Error::InvalidToken),
    }
}
