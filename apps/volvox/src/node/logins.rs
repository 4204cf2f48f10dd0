//! The bounds of logins: the kind and the life of tokens, and the cost of a password's hash.

use anyhow::{Context, Result, bail};
use std::time::Duration;

/// A year: a longer life of a token is a mistake.
const TOKEN_TTL_SECONDS_MAX: u64 = 366 * 24 * 3600;

/// The checked bounds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Logins {
    /// A token lives for this long after its last use.
    pub token_ttl: Duration,
    /// The cost of a hash, as a power of two.
    pub bcrypt_cost: u32,
}

impl Logins {
    /// Checks what the flags say.
    ///
    /// # Errors
    /// When tokens of this kind are not served, or a number is out of range; names the flag.
    pub fn checked(kind: &str, token_ttl_seconds: i64, bcrypt_cost: i64) -> Result<Logins> {
        if !["simple", ""].contains(&kind) {
            bail!("--auth-token {kind:?}: tokens of this kind are not served; `simple` is");
        }
        let seconds = u64::try_from(token_ttl_seconds).ok().filter(|ttl| (1..=TOKEN_TTL_SECONDS_MAX).contains(ttl));
        let seconds = seconds.with_context(|| {
            format!("--auth-token-ttl {token_ttl_seconds} must be 1 to {TOKEN_TTL_SECONDS_MAX} seconds")
        })?;
        let bcrypt_cost = u32::try_from(bcrypt_cost)
            .ok()
            .filter(|cost| (4..=31).contains(cost))
            .with_context(|| format!("--bcrypt-cost {bcrypt_cost} must be 4 to 31"))?;
        Ok(Logins { token_ttl: Duration::from_secs(seconds), bcrypt_cost })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_checked_and_the_flag_is_named() {
        let good = Logins { token_ttl: Duration::from_secs(300), bcrypt_cost: 10 };
        assert_eq!(Logins::checked("simple", 300, 10).unwrap(), good);
        assert_eq!(Logins::checked("", 300, 10).unwrap(), good, "etcd too takes an empty kind for simple");
        for (kind, ttl, cost, flag) in [
            ("jwt,sign-method=RS256", 300, 10, "--auth-token "),
            ("simple", 0, 10, "--auth-token-ttl 0"),
            ("simple", i64::MAX, 10, "--auth-token-ttl"),
            ("simple", -1, 10, "--auth-token-ttl -1"),
            ("simple", 300, 3, "--bcrypt-cost 3"),
            ("simple", 300, 32, "--bcrypt-cost 32"),
        ] {
            let error = Logins::checked(kind, ttl, cost).unwrap_err().to_string();
            assert!(error.starts_with(flag), "{error}");
        }
    }
}
