//! The kinds of words.

use core::convert::Infallible;

/// A value that is of one of a few kinds, each with a short fixed name such as `Append`.
///
/// A world counts by kind, a fault selects by kind, and a checker reports which kinds never occurred. All payloads and
/// timers of a protocol have kinds: [`payload!`](crate::payload) and [`commands!`](crate::commands) write this trait.
pub trait Kinds {
    /// All kinds, in the order of the variants. Empty where the trait is implemented by hand without a list.
    const KINDS: &'static [&'static str] = &[];

    /// The kind of this value: one of [`Kinds::KINDS`].
    fn kind(&self) -> &'static str;
}

/// For a protocol that has no such word.
impl Kinds for Infallible {
    const KINDS: &'static [&'static str] = &[];

    fn kind(&self) -> &'static str {
        match *self {}
    }
}

/// The most kinds that a type may have, those of its child included.
const KINDS_MAX: usize = 64;

/// The kinds of a type whose variants carry values with kinds of their own.
#[derive(Clone, Copy, Debug)]
pub struct JoinedKinds {
    names: [&'static str; KINDS_MAX],
    count: usize,
}

impl JoinedKinds {
    /// Concatenates lists.
    ///
    /// # Panics
    /// At compile time, when there are more than 64 kinds.
    pub const fn of(lists: &[&[&'static str]]) -> JoinedKinds {
        let (mut names, mut count) = ([""; KINDS_MAX], 0);
        let mut list = 0;
        while list < lists.len() {
            let mut place = 0;
            while place < lists[list].len() {
                assert!(count < KINDS_MAX, "too many kinds");
                names[count] = lists[list][place];
                count += 1;
                place += 1;
            }
            list += 1;
        }
        JoinedKinds { names, count }
    }

    /// All of them.
    pub const fn as_slice(&self) -> &[&'static str] {
        self.names.split_at(self.count).0
    }
}
