//! Logins: which tokens this node knows, and what ends them.

use super::Replica;
use crate::request::{Reply, Ticket};
use crate::tokens::{Token, Tokens};
use alloc::sync::Arc;
use volvox_core::{Context, Instant};
use volvox_raft::Index;
use volvox_store::{AuthCommand, AuthResponse, Identity, Reply as StoreReply};

/// The tokens of this node. Readers share them.
#[derive(Clone, Default)]
pub(super) struct Sessions {
    tokens: Arc<Tokens>,
}

impl Sessions {
    /// The same for readers.
    pub fn tokens(&self) -> &Arc<Tokens> {
        &self.tokens
    }

    /// The process starts with a log up to `last`.
    pub fn start(&mut self, last: Index) {
        Arc::make_mut(&mut self.tokens).start(last);
    }

    /// A snapshot replaced the state: the end of a user may be among what it passed over.
    pub fn on_replaced(&mut self) {
        Arc::make_mut(&mut self.tokens).clear();
    }
}

impl Replica {
    /// A change of users and roles was applied.
    pub(super) fn on_auth_changed(&mut self, command: &AuthCommand, response: AuthResponse, index: Index) -> Reply {
        let tokens = &mut self.sessions.tokens;
        match command {
            AuthCommand::Authenticate { name, token, .. } => {
                let token = Arc::make_mut(tokens).add(token, index, name);
                return Reply::Authenticated { response, token };
            }
            AuthCommand::UserDelete { name } | AuthCommand::UserChangePassword { name, .. } => {
                Arc::make_mut(tokens).forget_user(name);
            }
            AuthCommand::Disable => Arc::make_mut(tokens).clear(),
            _ => {}
        }
        Reply::Written(StoreReply::Auth(response))
    }

    /// A client used its token.
    pub(super) fn on_token_used(&mut self, ticket: Ticket, token: &Token, cx: &mut Context<'_, Replica>) {
        Arc::make_mut(&mut self.sessions.tokens).on_used(token);
        self.reply(ticket, Ok(Reply::TokenUsed), cx);
    }

    pub(super) fn expire_tokens(&mut self, now: Instant) {
        if let Some(epoch) = self.sessions.tokens.new_epoch(now, self.config.token_ttl) {
            Arc::make_mut(&mut self.sessions.tokens).on_epoch(epoch);
        }
    }

    /// The caller of what this node does by itself. While auth is off it need not be named: members of an older version,
    /// which know no callers, read the entry as well.
    pub(super) fn own_identity(&self) -> Identity {
        if self.machine.store().state().auth().is_enabled() { Identity::Cluster } else { Identity::Anonymous }
    }
}
