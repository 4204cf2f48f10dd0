//! Passwords and random letters: what costs time, or chance, outside the simulation (book/src/etcd.md#9.2).
//!
//! A bcrypt hash takes tens of milliseconds on purpose. It is computed on a thread of its own, a few at a time; a client that
//! sends more passwords than can be compared is refused early, and no other client waits for it.

use crate::grpc::{Code, Status};
use bcrypt::Version;
use tokio::sync::Semaphore;
use volvox_certificates::provider;
use volvox_core::Bytes;
use volvox_replica::Error as ReplicaError;

/// How many hashes are computed at a time.
const RUNNING_MAX: usize = 2;
/// How many wait for that.
const WAITING_MAX: usize = 256;
/// bcrypt does not see what is behind.
const PASSWORD_BYTES_MAX: usize = 72;
/// Letters of a token; 52 to the power of 16 are 91 bits.
const TOKEN_LETTERS: usize = 16;
const LETTERS: &[u8; 52] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Hashes and compares passwords.
pub(crate) struct Passwords {
    running: Semaphore,
    waiting: Semaphore,
    cost: u32,
}

impl Passwords {
    /// `cost` is that of new hashes: each step up doubles the time.
    pub(crate) fn new(cost: u32) -> Passwords {
        Passwords { running: Semaphore::new(RUNNING_MAX), waiting: Semaphore::new(WAITING_MAX), cost }
    }

    /// The hash of a new password.
    pub(crate) async fn hash(&self, password: String) -> Result<Bytes, Status> {
        if password.len() > PASSWORD_BYTES_MAX {
            return Err(Status::new(Code::Unknown, "bcrypt: password length exceeds 72 bytes"));
        }
        let cost = self.cost;
        // The version that etcd writes.
        let hashed = self.run(move || bcrypt::hash_with_result(password, cost)).await?;
        let hashed = hashed.map_err(|error| Status::with(Code::Internal, format!("volvox: bcrypt: {error}")))?;
        Ok(Bytes::from(hashed.format_for_version(Version::TwoA).as_str()))
    }

    /// Whether a password is the one of a hash. Bytes that are no hash of bcrypt fit no password.
    pub(crate) async fn matches(&self, password: String, hash: Vec<u8>) -> Result<bool, Status> {
        self.run(move || {
            let hash = std::str::from_utf8(&hash).ok();
            hash.is_some_and(|hash| bcrypt::verify(password, hash).unwrap_or(false))
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Status> {
        let busy = || Status::from(ReplicaError::TooManyRequests);
        let _waiting = self.waiting.try_acquire().map_err(|_| busy())?;
        let _running = self.running.acquire().await.map_err(|_| busy())?;
        tokio::task::spawn_blocking(work).await.map_err(|_| busy())
    }
}

/// The random letters of a token.
pub(crate) fn token_letters() -> Result<String, Status> {
    let mut letters = String::with_capacity(TOKEN_LETTERS);
    while letters.len() < TOKEN_LETTERS {
        let mut chance = [0; 2 * TOKEN_LETTERS];
        let filled = provider().secure_random.fill(&mut chance);
        filled.map_err(|_| Status::new(Code::Internal, "volvox: no random numbers"))?;
        // Every letter is equally likely: what is behind the last multiple of their number is not used.
        let used = chance.iter().filter(|byte| usize::from(**byte) < 256 / LETTERS.len() * LETTERS.len());
        let missing = TOKEN_LETTERS - letters.len();
        letters.extend(used.take(missing).map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])));
    }
    Ok(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_fits_its_password_and_no_other() {
        let passwords = Passwords::new(4);
        let hash = passwords.hash("secret".to_owned()).await.expect("hashed");
        assert!(hash.starts_with(b"$2a$04$") && hash.len() == 60, "{hash:?}");
        assert_eq!(passwords.matches("secret".to_owned(), hash.to_vec()).await, Ok(true));
        assert_eq!(passwords.matches("Secret".to_owned(), hash.to_vec()).await, Ok(false));
        assert_eq!(passwords.matches(String::new(), b"no hash".to_vec()).await, Ok(false));
        let empty = passwords.hash(String::new()).await.expect("an empty password is accepted");
        assert_eq!(passwords.matches(String::new(), empty.to_vec()).await, Ok(true));
    }

    #[tokio::test]
    async fn a_password_that_bcrypt_would_cut_is_refused() {
        let passwords = Passwords::new(4);
        assert!(passwords.hash("x".repeat(72)).await.is_ok());
        let refused = passwords.hash("x".repeat(73)).await.unwrap_err();
        assert_eq!(refused.message, "bcrypt: password length exceeds 72 bytes");
    }

    #[test]
    fn tokens_are_letters_and_differ() {
        let (one, other) = (token_letters().expect("chance"), token_letters().expect("chance"));
        assert!(one.len() == 16 && one.bytes().all(|byte| byte.is_ascii_alphabetic()) && one != other);
    }
}
