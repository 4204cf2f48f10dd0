//! The simple tokens of this node (book/src/etcd.md#9.3): the clients that logged in, and were seen lately.
//!
//! A login goes through the log, so every member learns its token: random letters that the member with the client chose, a
//! dot, and the index of the entry. A token is no replicated state. Each member keeps it in memory, forgets it a while after
//! its last use *there*, and has none after a restart; a client then logs in again.
//!
//! An entry that was in the log when the node started gives no token: it may be of long ago, and its token expired or its
//! password changed since. Nor does a snapshot: it may have passed over the end of a user.
//!
//! Time is cut into epochs, a quarter of the time to live each. The first use of a token in an epoch is reported, so most
//! uses cost nothing; a token is forgotten in the fifth epoch after its last one.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;
use volvox_core::Instant;
use volvox_core::time::nanos;
use volvox_raft::Index;

/// How many tokens a node keeps; the least recently used one makes room.
pub const TOKENS_MAX: usize = 16 << 10;
/// The longest random part of a token.
const LETTERS_MAX: usize = 64;
/// How many epochs a token lives after that of its last use.
const EPOCHS: u32 = 4;

/// A token. Its text is a secret: it is shown to its owner only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Token(Arc<str>);

impl Token {
    /// The token with this text.
    pub fn new(text: &str) -> Token {
        Token(Arc::from(text))
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The entry that made it, if the text has the form of a token.
    pub fn index(&self) -> Option<Index> {
        self.0.rsplit_once('.').and_then(|(_, index)| index.parse().ok()).map(Index)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({:?})", self.index())
    }
}

/// The tokens of a node.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    sessions: BTreeMap<Token, Session>,
    epoch: u64,
    /// Entries up to here give no token.
    blind: Index,
}

/// The owner of a token.
#[derive(Clone, Debug)]
pub struct Session {
    user: Arc<str>,
    /// The epoch of its last use.
    used: u64,
}

impl Tokens {
    /// The owner of a token, and whether its use must be reported.
    pub fn find(&self, token: &Token) -> Option<(&str, bool)> {
        let session = self.sessions.get(token)?;
        Some((&session.user, session.used < self.epoch))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// The process starts with a log up to here.
    pub(crate) fn start(&mut self, last: Index) {
        self.blind = last;
    }

    /// A user logged in by the entry at `index`. An empty `letters` asks for no token.
    pub(crate) fn add(&mut self, letters: &str, index: Index, user: &str) -> Option<Token> {
        if letters.is_empty() || letters.len() > LETTERS_MAX || index <= self.blind {
            return None;
        }
        if self.sessions.len() >= TOKENS_MAX {
            let oldest = self.sessions.iter().min_by_key(|(_, session)| session.used).map(|(token, _)| token.clone());
            oldest.map(|token| self.sessions.remove(&token));
        }
        let token = Token(alloc::format!("{letters}.{}", index.0).into());
        self.sessions.insert(token.clone(), Session { user: user.into(), used: self.epoch });
        Some(token)
    }

    /// A token was used.
    pub(crate) fn on_used(&mut self, token: &Token) {
        if let Some(session) = self.sessions.get_mut(token) {
            session.used = self.epoch;
        }
    }

    /// The epoch that has begun by now, if it is a new one.
    pub(crate) fn new_epoch(&self, now: Instant, ttl: Duration) -> Option<u64> {
        let epoch = nanos(now.since(Instant::ZERO)) / nanos(ttl / EPOCHS).max(1);
        (epoch > self.epoch).then_some(epoch)
    }

    /// An epoch begins.
    pub(crate) fn on_epoch(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.sessions.retain(|_, session| session.used + u64::from(EPOCHS) >= epoch);
    }

    /// A user is gone, or has another password.
    pub(crate) fn forget_user(&mut self, user: &str) {
        self.sessions.retain(|_, session| &*session.user != user);
    }

    /// Nothing is known any more about who logged in.
    pub(crate) fn clear(&mut self) {
        self.sessions.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(8);

    fn at(tokens: &mut Tokens, seconds: u64) {
        if let Some(epoch) = tokens.new_epoch(Instant::ZERO + Duration::from_secs(seconds), TTL) {
            tokens.on_epoch(epoch);
        }
    }

    #[test]
    fn a_token_lives_for_its_time_after_its_last_use_and_little_longer() {
        let mut tokens = Tokens::default();
        let token = tokens.add("letters", Index(7), "u").expect("a token");
        assert_eq!(token.text(), "letters.7");
        assert_eq!(token.index(), Some(Index(7)));
        assert_eq!(tokens.find(&token), Some(("u", false)), "it was just used");
        at(&mut tokens, 5);
        assert_eq!(tokens.find(&token), Some(("u", true)), "the first use of an epoch is reported");
        tokens.on_used(&token);
        assert_eq!(tokens.find(&token), Some(("u", false)));
        at(&mut tokens, 13);
        assert!(tokens.find(&token).is_some(), "8 s since its last use have just passed");
        at(&mut tokens, 16);
        assert!(tokens.find(&token).is_none());
    }

    #[test]
    fn a_token_ends_with_its_user() {
        let mut tokens = Tokens::default();
        let token = tokens.add("a", Index(1), "u").expect("a token");
        let other = tokens.add("a", Index(2), "v").expect("a token");
        tokens.forget_user("u");
        assert!(tokens.find(&token).is_none() && tokens.find(&other).is_some());
        tokens.clear();
        assert!(tokens.is_empty());
    }

    #[test]
    fn entries_from_before_the_start_give_no_token() {
        let mut tokens = Tokens::default();
        tokens.start(Index(5));
        assert_eq!(tokens.add("a", Index(5), "u"), None);
        assert!(tokens.add("a", Index(6), "u").is_some());
        assert_eq!(tokens.add("", Index(7), "u"), None, "the member signs its tokens");
    }

    #[test]
    fn the_least_recently_used_token_makes_room() {
        let mut tokens = Tokens::default();
        let first = tokens.add("a", Index(1), "u").expect("a token");
        let second = tokens.add("a", Index(2), "u").expect("a token");
        at(&mut tokens, 2);
        tokens.on_used(&first);
        for index in 3..=TOKENS_MAX as u64 + 1 {
            tokens.add("a", Index(index), "u").expect("a token");
        }
        assert_eq!(tokens.len(), TOKENS_MAX);
        assert!(tokens.find(&first).is_some() && tokens.find(&second).is_none());
    }

    #[test]
    fn its_text_is_not_printed() {
        assert_eq!(alloc::format!("{:?}", Token::new("secret.7")), "Token(Some(7))");
        assert_eq!(Token::new("secret").index(), None);
    }
}
