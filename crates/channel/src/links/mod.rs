//! From fair-loss links to reliable FIFO ones, one layer at a time.
//!
//! # The problem
//!
//! A *fair-loss* link loses, duplicates and reorders messages; but a message that is sent forever eventually arrives.
//! Programs need more: that every message arrives, once, in order. What exactly has to be added, and what does each
//! addition cost?
//!
//! # The idea
//!
//! Each layer is a parent of the process above it, and adds one guarantee. The process above is unaware of it, so
//! layers stack by type: `Stubborn<Perfect<Fifo<Talk>>>`, the lowest outside.
//!
//! | layer | adds | guarantees | still allows |
//! |---|---|---|---|
//! | none: fair loss | | no creation | loss, duplication, any order |
//! | [`Stubborn`] | retransmits until acknowledged | reliable delivery | duplication, any order |
//! | [`Perfect`] | numbers; refuses what it has already delivered | no duplication | any order |
//! | [`Fifo`] | numbers; buffers early messages | FIFO order | |
//!
//! # The messages
//!
//! | message | of | says |
//! |---|---|---|
//! | `Try 3 ...` | [`Stubborn`] | the third message to you; I retransmit it until you acknowledge it |
//! | `Ack 3` | [`Stubborn`] | I have received the third |
//! | `once 3 ...` | [`Perfect`] | do not deliver this twice |
//! | `place 3 ...` | [`Fifo`] | this comes after the second |
//!
//! # A run
//!
//! ```text
//!   n1 says a, b                                     n2
//!     | Try 1 once 1 place 1 a ------X  lost           |
//!     | Try 2 once 2 place 2 b ----------------------> | Perfect: new. Fifo: 2 comes too early, kept
//!     | <------------------------------X ----- Ack 2   |   (lost)
//!     |  no answer: again                              |
//!     | Try 1 once 1 place 1 a ----------------------> | new; its turn: hears a, b
//!     | Try 2 once 2 place 2 b ----------------------> | Perfect: handed up before
//!     | <------------------------------ Ack 1, Ack 2   |
//! ```
//!
//! # Why it is safe
//!
//! *No creation*: each layer delivers only what came from below, and fair-loss links create nothing. *Reliable
//! delivery*: a message is retransmitted until an acknowledgement arrives, which is sent only for a message that
//! arrived; fair loss eventually lets one of the copies through, and one of the acknowledgements. *No duplication*: a
//! number is delivered when it is seen for the first time, and numbers are not reused. *FIFO order*: number n + 1 is
//! delivered right after n.
//!
//! # Caveats
//!
//! - In Cachin's stubborn links a message is retransmitted forever. Here an acknowledgement ends it; so the same
//!   process works as a remote call that is retried until it is answered, and measures the cost of that (Q-FND-3,
//!   Q-FND-4).
//! - Each layer has a number of its own, although one would do for all three: [`Fifo`] could refuse duplicates by its
//!   own numbers, and the layer below it exists for processes that need no order. Every message is acknowledged
//!   individually. [`Channel`](crate::Channel), which protocols run on in production, does the same in one process: one
//!   number, one cumulative acknowledgement, and a window. It also survives restarts of its ends, which these layers do
//!   not: a node that restarts begins its numbers at 1, and these layers ignore it.
//! - Numbers here never wrap. Short numbers need a window, and a small one: [`crate::arq`].
//! - The messages that a peer can make a layer buffer are bounded ([`WAITING_MAX`]). Beyond the bound the newest is
//!   dropped with a note, and the layers above never receive it.
//!
//! # References
//!
//! Cachin, Guerraoui, Rodrigues: *Introduction to Reliable and Secure Distributed Programming* (2011): 2.4.2 fair-loss,
//! 2.4.3 stubborn (algorithm 2.1), 2.4.4 perfect links (algorithm 2.2); 3.9 FIFO order.

pub mod fifo;
mod layer;
pub mod perfect;
pub mod stubborn;

pub use fifo::Fifo;
pub use perfect::Perfect;
pub use stubborn::Stubborn;

pub(crate) use layer::pass_on;

use volvox_core::{Duration, rules};

/// How many messages to one peer may wait for the oldest of them, and how many early ones from one peer are buffered.
pub const WAITING_MAX: u64 = 65_536;

/// The whole stack over a process.
pub type Reliable<P> = Stubborn<Perfect<Fifo<P>>>;

/// The configuration of a layer over a process with configuration `C`. Each layer takes the part that concerns it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Config<C> {
    /// The configuration of the process above.
    pub child: C,
    /// How long the sender waits for an acknowledgement.
    pub repeat_after: Duration,
    /// The number of retransmissions after which the sender gives up; `None` for never.
    pub repetitions_max: Option<u32>,
    /// The rule to remove, to see what it is for.
    pub without: Option<Rule>,
}

rules! {
    /// The removable rules.
    pub enum Rule of Config<C>;
    Repetition = "repetition": "an unacknowledged message is retransmitted" / "a lost message never arrives",
    Once = "once": "a delivered message is not delivered again, by either layer that could tell" /
        "a duplicate is delivered",
    Order = "order": "a message that arrives early waits" / "it is delivered before its turn",
}

impl<C: Default> Default for Config<C> {
    fn default() -> Config<C> {
        Config { child: C::default(), repeat_after: Duration::from_millis(20), repetitions_max: None, without: None }
    }
}

impl<C> Config<C> {
    /// The configuration of the whole stack over a process with this configuration: the same for every layer.
    pub fn stack(&self) -> Config<Config<Config<C>>>
    where
        C: Clone,
    {
        self.over(self.over(self.clone()))
    }

    /// The same layer configuration over another process.
    pub fn over<D>(&self, child: D) -> Config<D> {
        let Config { repeat_after, repetitions_max, without, .. } = *self;
        Config { child, repeat_after, repetitions_max, without }
    }
}
