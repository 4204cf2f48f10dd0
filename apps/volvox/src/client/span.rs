//! Keys and ranges of keys, as arguments.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use bytes::Bytes;
use clap::Args;

/// One key or a range of keys.
#[derive(Args, Debug)]
pub struct Span {
    key: OsString,
    /// The end of a range of keys (exclusive)
    #[arg(conflicts_with_all = ["prefix", "from_key"])]
    range_end: Option<OsString>,
    /// All keys that begin with KEY
    #[arg(long, conflicts_with = "from_key")]
    prefix: bool,
    /// All keys greater than or equal to KEY
    #[arg(long)]
    from_key: bool,
}

impl Span {
    /// `key` and `range_end` as the protocol encodes them.
    pub fn bounds(&self) -> (Bytes, Bytes) {
        let mut key = argument_bytes(&self.key);
        let everything_from = Bytes::from_static(&[0]);
        let whole = key.is_empty() && (self.prefix || self.from_key);
        let range_end = if self.from_key || whole {
            everything_from.clone()
        } else if self.prefix {
            prefix_end(&key)
        } else {
            self.range_end.as_deref().map(argument_bytes).unwrap_or_default()
        };
        if whole {
            // Empty keys do not exist; the smallest one is a single zero byte.
            key = everything_from;
        }
        (key, range_end)
    }
}

/// The first key after all keys that begin with `prefix`; the byte 0 means there is none.
pub fn prefix_end(prefix: &[u8]) -> Bytes {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Bytes::from(end);
        }
    }
    Bytes::from_static(&[0])
}

/// Returns the bytes of an argument: keys and values need not be text.
pub fn argument_bytes(argument: &OsStr) -> Bytes {
    Bytes::copy_from_slice(argument.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(key: &str, end: Option<&str>, prefix: bool, from_key: bool) -> (Bytes, Bytes) {
        let span = Span { key: key.into(), range_end: end.map(Into::into), prefix, from_key };
        span.bounds()
    }

    fn pair(key: &'static [u8], end: &'static [u8]) -> (Bytes, Bytes) {
        (Bytes::from_static(key), Bytes::from_static(end))
    }

    #[test]
    fn one_key_a_range_a_prefix_and_the_rest() {
        assert_eq!(span("k", None, false, false), pair(b"k", b""));
        assert_eq!(span("a", Some("c"), false, false), pair(b"a", b"c"));
        assert_eq!(span("k", None, true, false), pair(b"k", b"l"));
        assert_eq!(span("k", None, false, true), pair(b"k", b"\0"));
        assert_eq!(span("", None, true, false), pair(b"\0", b"\0"));
        assert_eq!(span("", None, false, true), pair(b"\0", b"\0"));
    }

    #[test]
    fn the_end_of_a_prefix_carries() {
        assert_eq!(prefix_end(b"a\xff"), Bytes::from_static(b"b"));
        assert_eq!(prefix_end(b"a\x00"), Bytes::from_static(b"a\x01"));
        assert_eq!(prefix_end(b"\xff\xff"), Bytes::from_static(b"\0"));
    }
}
