//! The vocabulary of a protocol, declared once: the kinds, the text, the binary form and the parser of its words.
//!
//! A protocol declares its messages, records, timers, commands and events as plain enums, which a reader and rustdoc
//! see. One table below each enum says everything else about its variants, and the compiler refuses a table that
//! forgets one:
//!
//! ```
//! # extern crate alloc;
//! use volvox_core::{commands, payload, rules};
//!
//! /// The messages between nodes.
//! #[derive(Clone, PartialEq, Eq, Hash, Debug)]
//! pub enum Message {
//!     /// The sender wants to enter.
//!     Request {
//!         /// Its Lamport clock.
//!         sequence_number: u64,
//!     },
//!     /// The receiver may enter.
//!     Reply,
//! }
//!
//! payload! { Message: "Ricart-Agrawala message";
//!     1 Request { sequence_number } => "Request {sequence_number}",
//!     2 Reply                       => "Reply",
//! }
//!
//! /// The commands to a node.
//! #[derive(Clone, PartialEq, Eq, Hash, Debug)]
//! pub enum Command {
//!     /// Enter the critical section once.
//!     Enter,
//! }
//!
//! commands! { Command;
//!     Enter = "enter",
//! }
//!
//! /// The configuration, fixed for the life of a node.
//! pub struct Config {
//!     /// The rule to remove, to see what it is for.
//!     pub without: Option<Rule>,
//! }
//!
//! rules! {
//!     /// The removable rules.
//!     pub enum Rule of Config;
//!     Order = "order": "a node that is behind waits for the reply" / "every node replies at once, and two are inside",
//! }
//!
//! assert_eq!(Message::Request { sequence_number: 3 }.to_string(), "Request 3");
//! assert_eq!("enter".parse(), Ok(Command::Enter));
//! assert_eq!(Rule::named("order"), Some(Rule::Order));
//! assert!(!Config { without: Some(Rule::Order) }.keeps(Rule::Order));
//! ```
//!
//! | macro | generates |
//! |---|---|
//! | [`payload!`](crate::payload) | [`Kinds`], `Display`, [`Encode`](crate::Encode) and [`Decode`](crate::Decode) |
//! | [`numbers!`](crate::numbers) | the same for a number with a bound, and `FromStr` |
//! | [`commands!`](crate::commands) | [`Kinds`], `Display` and `FromStr`, with [`CommandError`] |
//! | [`rules!`](crate::rules) | the enum of the rules, their names and sentences, and `Config::keeps` |

mod command;
mod kinds;
mod line;
mod number;
mod payload;
mod rule;
mod spelling;
#[cfg(test)]
mod tests;

pub use command::{CommandError, Holes};
pub use kinds::{JoinedKinds, Kinds};
pub use line::Line;
pub use payload::{Bounded, decode_at_most};
pub use rule::RuleCard;
pub use spelling::{edits, nearest};

/// The names that the macros use in other crates.
#[doc(hidden)]
pub mod expansion {
    pub use alloc::vec;
    pub use alloc::vec::Vec;
}
