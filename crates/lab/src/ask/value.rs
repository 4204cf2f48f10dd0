//! The types of bounds: numbers, and enums whose values are words of the command line.

use crate::check::Network;

/// A type that a bound may have.
pub trait Value: Copy {
    /// The words, where values are words.
    const WORDS: &'static [&'static str] = &[];

    /// The value of this number, or at this place of the words.
    fn of_number(number: u64) -> Self;

    /// The number of this value, or its place in the words.
    fn number(self) -> u64;
}

impl Value for u64 {
    fn of_number(number: u64) -> u64 {
        number
    }

    fn number(self) -> u64 {
        self
    }
}

impl Value for u32 {
    fn of_number(number: u64) -> u32 {
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    fn number(self) -> u64 {
        u64::from(self)
    }
}

impl Value for usize {
    fn of_number(number: u64) -> usize {
        usize::try_from(number).unwrap_or(usize::MAX)
    }

    fn number(self) -> u64 {
        self as u64
    }
}

/// Declares an enum whose values are words of the command line.
///
/// ```
/// volvox_lab::words! {
///     /// The fate of a node that crashed.
///     pub enum Crashed { Stays = "stays", Returns = "returns" }
/// }
/// ```
#[macro_export]
macro_rules! words {
    ($(#[$attribute:meta])* $visibility:vis enum $name:ident {
        $($(#[$note:meta])* $variant:ident = $word:literal),+ $(,)?
    }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        $visibility enum $name {
            $($(#[$note])* #[doc = concat!("`", $word, "`")] $variant),+
        }

        impl $crate::ask::Value for $name {
            const WORDS: &'static [&'static str] = &[$($word),+];

            fn of_number(number: u64) -> $name {
                [$($name::$variant),+][number as usize]
            }

            fn number(self) -> u64 {
                self as u64
            }
        }
    };
}

words! {
    /// In which order the messages of a link arrive.
    pub enum Order { Fifo = "fifo", Unordered = "unordered" }
}

impl Order {
    /// Links that keep this order, or none.
    pub fn network(self) -> Network {
        match self {
            Order::Fifo => Network::ordered(),
            Order::Unordered => Network::unordered(),
        }
    }
}

words! {
    /// The fate of a node that crashed.
    pub enum Crashed { Stays = "stay", Returns = "return" }
}

words! {
    /// When records are durable.
    pub enum Disks { Prompt = "prompt", Late = "late" }
}
