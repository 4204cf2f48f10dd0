//! From fair-loss links to reliable FIFO ones, one layer at a time.
//!
//! # The problem
//!
//! A *fair-loss* link loses, repeats and reorders; it only does not lose forever what is sent forever. Programs want to
//! be written for more: that everything arrives, once, in order. What exactly has to be added, and what does each
//! addition cost?
//!
//! # The idea
//!
//! Each layer is a parent of the process above it, and repairs one thing. The process above knows nothing of it, so
//! layers stack by type: `Stubborn<Perfect<Fifo<Talk>>>`, the lowest outside.
//!
//! | layer | adds | promises | still allows |
//! |---|---|---|---|
//! | none: fair loss | | no word is invented | loss, repetition, any order |
//! | [`Stubborn`] | sends again until acknowledged | what is said is heard | repetition, any order |
//! | [`Perfect`] | numbers; refuses what it handed up before | once | any order |
//! | [`Fifo`] | numbers; keeps what comes early | in order | |
//!
//! # The messages
//!
//! | message | of | says |
//! |---|---|---|
//! | `Try 3 ...` | [`Stubborn`] | the third message to you; I shall repeat it until you say that you have it |
//! | `Ack 3` | [`Stubborn`] | I have the third |
//! | `once 3 ...` | [`Perfect`] | do not hand this up if you did before |
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
//! *Nothing is invented*: each layer hands up only what came from below, and fair-loss links invent nothing. *What is said
//! is heard*: a message is repeated until an acknowledgement arrives, and that is sent only for what arrived; fair loss
//! lets one of the repetitions through, and one of the acknowledgements. *Once*: a number is handed up when it is seen
//! for the first time, and numbers are not used again. *In order*: number n + 1 is handed up right after n.
//!
//! # Caveats
//!
//! - In Cachin's stubborn links a message is repeated forever. Here an acknowledgement ends it; so the same process works
//!   as a remote call that is repeated until it is answered, and measures what that costs (Q-FND-3, Q-FND-4).
//! - Each layer has a number of its own, although one would do for all three: [`Fifo`] could refuse what was handed up
//!   before by its own numbers, and the layer below it exists for those who need no order. Every message is acknowledged by
//!   itself. [`Channel`](crate::Channel), which protocols run on in production, does the same in one process: one
//!   number, one cumulative acknowledgement, and a window. It also does what is left out here: it outlives the lives of
//!   its ends. A node that starts again begins its numbers anew, and is not heard by these layers.
//! - Numbers here never wrap. With few bits for them there must be a window, and it cannot be large: [`crate::arq`].
//! - What a peer may make a layer keep is bounded ([`WAITING_MAX`]). Beyond, the newest is dropped with a note, and the
//!   layers above miss it forever.
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

/// How many messages to one peer may wait for the oldest of them, and how many early ones of one peer are kept.
pub const WAITING_MAX: u64 = 65_536;

/// The whole stack over a process.
pub type Reliable<P> = Stubborn<Perfect<Fifo<P>>>;

/// What is fixed in a layer over something with configuration `C`. Each layer takes what concerns it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Config<C> {
    /// What is above.
    pub child: C,
    /// How long the sender waits for an acknowledgement.
    pub repeat_after: Duration,
    /// After how many repetitions the sender gives up; `None` for never.
    pub repetitions_max: Option<u32>,
    /// The rule to remove, to see what it is for.
    pub without: Option<Rule>,
}

rules! {
    /// The removable rules.
    pub enum Rule of Config<C>;
    Repetition = "repetition": "a message that is not acknowledged is sent again" / "a lost message is never heard",
    Once = "once": "a message that was handed up is not handed up again, by either layer that could tell" /
        "a repetition is heard",
    Order = "order": "a message that comes early waits" / "it is heard before its turn",
}

impl<C: Default> Default for Config<C> {
    fn default() -> Config<C> {
        Config { child: C::default(), repeat_after: Duration::from_millis(20), repetitions_max: None, without: None }
    }
}

impl<C> Config<C> {
    /// The configuration of the whole stack over a process with this one: the same for every layer.
    pub fn stack(&self) -> Config<Config<Config<C>>>
    where
        C: Clone,
    {
        self.over(self.over(self.clone()))
    }

    /// The same, over something else.
    pub fn over<D>(&self, child: D) -> Config<D> {
        let Config { repeat_after, repetitions_max, without, .. } = *self;
        Config { child, repeat_after, repetitions_max, without }
    }
}
