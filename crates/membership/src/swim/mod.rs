//! SWIM: group membership and failure detection, at a cost per member that does not grow with the group.
//!
//! # The problem
//!
//! Members of a group want to know which others are alive: all should soon detect a crashed member, and none should
//! accuse a living one. If every member sends heartbeats to every other, the load grows with the square of the group;
//! and on links that lose one message in ten, a few lost heartbeats look like a crash.
//!
//! # The idea
//!
//! Detection and dissemination are separate. *Detection*: once per *protocol period* each member probes one other with
//! a `Ping`. When no `Ack` arrives in time it asks K others to probe for it (`PingReq`), so that neither a lost message
//! nor a bad link between the two decides. If none of them succeeds by the end of the period, the target is
//! *suspected*. A suspect that is alive learns of it and *refutes*, with an *incarnation number* that only it may
//! raise; one that does not within a time limit is declared faulty. *Dissemination*: updates spread like an infection,
//! on pings and acks that are sent anyway; each member forwards each update a number of times that grows with the
//! logarithm of the group.
//!
//! The target is the next of a list in random order, reshuffled after each pass: so every member is probed by every
//! other again within 2n-1 periods, not only on average, where n is the length of the list (section 4.3). Here these
//! are the other members, so in a group of N it is 2(N-1)-1.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Ping` | are you alive? (for itself, or for a member that asked) |
//! | `PingReq m` | ping `m` for me |
//! | `Ack` | I am alive; or, forwarded: `m` is |
//! | `Join`, `Members` | admit me; these members are known |
//! | `News` | an update by itself: only where dissemination is by multicast (section 3) |
//!
//! `Ping`, `PingReq` and `Ack` carry a few updates: `n4 alive 1`, `n4 suspect 0`, `n4 faulty`. Of two updates about one
//! member the stronger prevails (section 4.2): a greater incarnation is stronger; of one incarnation, `suspect` is stronger
//! than `alive`; and `faulty` is stronger than either.
//!
//! # A run
//!
//! ```text
//!     n1                    n2                    n3                    n4
//!      |-- Ping ------------------------------------------------------->X  dead
//!      |   no ack in time    |                     |
//!      |-- PingReq n4 ------>|                     |
//!      |                     |-- Ping ----------------------------------X
//!   end of the period: n4 is suspected             |
//!      |-- Ping, n4 suspect 0 -------------------->|   learns it
//!      |<-- Ack -----------------------------------|
//!      |                     |<-- Ping, n4 suspect 0    learns it
//!   no `n4 alive 1` is heard: the limit is over
//!   n4 is faulty             |-- Ping, n4 faulty -->|
//! ```
//!
//! # Why it is right
//!
//! *Completeness.* A dead member answers no probe. Every member that believes it to be alive probes it once per pass,
//! suspects it, and receives no refutation.
//!
//! *Monotonic views, which converge.* The strength of updates is a total order, and a member keeps the strongest that
//! it received: in whatever order updates arrive, and however often, the result is their maximum. Only the member
//! itself creates an `alive` update that is stronger than `suspect`.
//!
//! *Accuracy* depends on time: a living member is declared faulty only if its refutation does not arrive within the
//! limit. On links with bounded delays and few losses it does; in an asynchronous system nothing can guarantee it
//! (Fischer, Lynch and Paterson 1985), and models in the laboratory show both.
//!
//! # Caveats
//!
//! - **False accusations** grow with loss: the claims measure them. Without suspicion a group under 10 % loss falls apart.
//! - `faulty` is final for one *life* of a member. A living member that is declared faulty learns of it from any member
//!   that pings it or answers it ([`Config::tells_the_accused`]), and rejoins as a new one, with a greater life
//!   ([`Config::rejoins`]). The paper leaves this to the application. Both can be switched off, to measure the paper's
//!   protocol.
//! - Groups that are partitioned for longer than the limit declare one another faulty, and no longer ping one another:
//!   they stay two groups until a member pings or joins across.
//! - In an asynchronous system heartbeats and probes detect nothing with certainty; textbooks often list "heartbeats
//!   detect liveness" without saying so.
//!
//! # References
//!
//! A. Das, I. Gupta, A. Motivala: *SWIM: Scalable Weakly-consistent Infection-style Process Group Membership Protocol*,
//! DSN 2002. Sections are cited from it. A. Dadgar, J. Phillips, J. Currey: *Lifeguard: Local Health Awareness for More
//! Accurate Failure Detection*, 2018: its "buddy system" has a member that pings a suspect inform the suspect. Here a
//! member that answers the ping of a suspect informs it as well.

mod message;
mod process;
mod properties;
mod standing;

pub use message::{Command, Event, Message, Timer, UPDATES_MAX};
pub use process::Swim;
pub use properties::{History, no_living_member_is_faulty, no_living_member_is_suspected, properties};
pub use standing::{Standing, Update, Verdict};

use volvox_core::{Duration, NodeId, rules};

/// The most members that a member keeps in its list, including dead ones.
pub const MEMBERS_MAX: usize = 1_024;

/// The configuration, fixed for the life of a member.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// The protocol period T' (section 3.1).
    pub period: Duration,
    /// How long to wait for a direct ack before others are asked.
    pub ack_timeout: Duration,
    /// K: the number of others that are asked.
    pub relays: u32,
    /// How long a suspect has to refute (section 4.2).
    pub suspicion: Duration,
    /// Each member forwards each update lambda times ln(N + 1) times, the logarithm rounded up (section 4.1).
    pub lambda: u32,
    /// The most updates that one message carries; at most [`UPDATES_MAX`].
    pub updates_max: usize,
    /// How updates spread.
    pub dissemination: Dissemination,
    /// Whether each member begins its periods at its own random time.
    pub out_of_step: bool,
    /// Whether a member that is believed suspect or faulty learns this from any other with which it exchanges messages.
    pub tells_the_accused: bool,
    /// Whether a living member that was declared faulty rejoins as a new one. Otherwise it is out.
    pub rejoins: bool,
    /// The member to ask for the list of members; `None`: all nodes of the world are members from the beginning.
    pub contact: Option<NodeId>,
    /// Pings are numbered modulo this: an ack that is this many periods late would be mistaken for a new one.
    pub numbers: u32,
    /// The rule to remove, to see what it is for.
    pub without: Option<Rule>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            period: Duration::from_millis(200),
            ack_timeout: Duration::from_millis(60),
            relays: 3,
            suspicion: Duration::from_millis(1_000),
            lambda: 3,
            updates_max: 6,
            dissemination: Dissemination::Piggyback,
            out_of_step: true,
            tells_the_accused: true,
            rejoins: true,
            contact: None,
            numbers: 1 << 16,
            without: None,
        }
    }
}

impl Config {
    /// The configuration for a group of this many: a suspect has three times ln N periods, the logarithm rounded up, in
    /// which an update reaches every member and a refutation returns (the setting of the paper's experiments, section
    /// 5; claim Q-MEM-4).
    pub fn for_group(nodes: u64) -> Config {
        let config = Config::default();
        let periods = 3 * process::natural_logarithm(nodes.clamp(2, MEMBERS_MAX as u64));
        Config { suspicion: config.period * periods, ..config }
    }
}

/// How updates spread.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Dissemination {
    /// Piggybacked on pings and acks (section 4.1).
    Piggyback,
    /// A member that makes an observation multicasts it to all others, once (section 3.2).
    Multicast,
}

rules! {
    /// The removable rules.
    pub enum Rule of Config;
    Relays = "relays": "others are asked to probe before a member is accused" / "one lost message leads to an accusation",
    Suspicion = "suspicion": "the accused has time to refute" / "it is declared faulty at once",
    Incarnation = "incarnation": "a member that refutes raises its incarnation number" /
        "the refutation is weaker than the accusation",
    Precedence = "precedence": "the stronger update prevails" / "the latest prevails, and views go back and forth",
    RoundRobin = "round-robin": "targets come from a shuffled list" /
        "each target is drawn independently, and a dead member may never be drawn",
    Limit = "limit": "an update is forwarded a limited number of times" / "it is forwarded forever",
}
