//! The Berkeley algorithm: clocks that agree with one another, without a reference.
//!
//! # The problem
//!
//! Consider a room of machines without a radio clock. No machine knows the time, and the right time matters less than
//! agreement: a file made on one machine and used on another must not be younger than its copy.
//!
//! # The idea
//!
//! One machine, the master, asks all others what their clocks show, estimates how far each is ahead of its own, and takes
//! the average. Then it sends each machine a correction: not the time, which would be outdated on arrival, but a
//! *delta*, which does not age. Clocks that are far from the others are excluded from the average, so that a broken one
//! moves no other; it receives its delta nevertheless.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Poll r` | round r: what does your clock show? |
//! | `Clock r` | my clock's reading |
//! | `Adjust r` | slew your clock towards the average, by this much |
//!
//! # A run
//!
//! ```text
//!   n1, master, 3:00         n2, 3:25          n3, 2:50
//!     | Poll ----------------> | ---------------> |
//!     | <------- Clock 3:25 -- |                  |
//!     | <--------------------------- Clock 2:50 --|
//!     |  offsets 0, +25, -10: average +5 min      |
//!     |  itself +5: 3:05       |                  |
//!     | Adjust -20 ----------> | 3:05             |
//!     | Adjust +15 -----------------------------> | 3:05
//! ```
//!
//! # Why it is safe
//!
//! An offset is estimated as in [Cristian's algorithm](crate::cristian): half the round trip is added to the slave's
//! reading, and the error is at most e, half the longest round trip that is used less `min`. After a round each clock
//! shows the average, up to its own error: any two are within 2e, and drift apart at 2 rho from then on.
//!
//! *The average stays within gamma + e of a good clock*, while the good clocks agree within gamma and are more than
//! half of those that answer. For it is the average of the largest set within gamma, which is at least as large as the
//! good clocks together, so one of them is in it. A clock that is further than gamma from the set has no weight. A
//! broken clock inside the set has some: of m clocks, each broken one moves the average by up to gamma/m, so it need
//! **not** lie among the good ones (with gamma 20 ms: 0, +1 and -1 ms are good, and a broken +19 ms moves their average
//! from 0 to +4.75 ms).
//!
//! *Where that is too much*, the f greatest and the f least offsets are dropped, and the rest is averaged
//! ([`Config::trimmed`]; Welch and Lynch 1988). Of 2f+1 clocks or more with at most f wrong ones, each that is left has a good
//! clock at or below it and one at or above it, so their average lies among the good ones. For clocks that show different
//! times to different readers, more than 3f are needed; here one master reads them all.
//!
//! A delta belongs to one round and is applied once, by the node for which it was computed: a slave remembers which
//! round it answered last.
//!
//! # Caveats
//!
//! - This is *internal* synchronisation: all clocks agree, and may be wrong together.
//! - Textbooks often average the clocks' *readings*. Without half the round trip that average is biased late
//!   ([`Rule::Compensation`]).
//! - The algorithm makes three assumptions about time, as does Cristian's, each with a checked model that withdraws it.
//!   Without any clock nothing can be measured, and the first step fails. Without `min` clocks may be further apart
//!   than 2e. Without an upper bound on delays the clocks that are set are within 2e, and some are not set at all.
//! - A clock that is being slewed reports its target, so that a correction in progress is not made twice.
//! - A dead master is not replaced here: that takes an election. A restarted master continues, with rounds that no
//!   earlier boot named ([`Rule::Unique`]).
//! - Only clocks that *answer* count: where most of these are broken, and agree with one another, they are the largest
//!   set.
//! - Each round moves the average by up to e. Over many rounds all clocks wander, together.
//!
//! # References
//!
//! R. Gusella, S. Zatti: *The accuracy of the clock synchronization achieved by TEMPO in Berkeley UNIX 4.3BSD*, IEEE
//! Transactions on Software Engineering 15(7), 1989: section II (the algorithm), section III (the fault-tolerant average).
//! J. Welch, N. Lynch: *A new fault-tolerant algorithm for clock synchronization*, Information and Computation 77(1), 1988.

mod average;
mod message;
mod properties;

pub use average::{largest_agreeing, mean_within, without_extremes};
pub use message::{Command, Event, Message, Timer};
pub use properties::{History, among_the_good, properties};

use crate::software_clock::{Reading, SLEW_PPM, SoftwareClock};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::convert::Infallible;
use volvox_core::time::nanos;
use volvox_core::{Boot, Context, Duration, Instant, NodeId, Process, Serial, Serials, rules};

rules! {
    /// The removable rules.
    pub enum Rule of Config;
    Compensation = "compensation": "half of the round trip is added to a slave's answer" /
        "the average is late by the delay of the answer",
    Bound = "bound": "answers that took too long are not used" / "the error has no bound",
    Round = "round": "answers and deltas belong to a round" / "late ones look fast",
    Unique = "unique": "no round has the name of one of an earlier boot of the master" /
        "a clock that was read for a round of a dead boot is used in this one",
    Gamma = "gamma": "clocks that are far from the others have no weight" /
        "one broken clock moves all, however far",
    Delta = "delta": "the master sends a delta" / "it sends a time, which is outdated on arrival",
    Slew = "slew": "clocks are slewed, not stepped" / "time runs backward",
}

/// The configuration, fixed for a run. The first member is the master.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// The time from the end of one round to the next.
    pub every: Duration,
    /// The number of rounds; `None` for no end.
    pub rounds: Option<u64>,
    /// The longest round trip that is used.
    pub round_trip_max: Duration,
    /// `min`: the least delay of a message.
    pub delay_min: Duration,
    /// The largest difference of clocks that agree.
    pub gamma: Duration,
    /// With how many wrong clocks the average must cope by dropping as many at each end (Welch and Lynch 1988); `None` takes
    /// the clocks that agree within `gamma` instead.
    pub trimmed: Option<usize>,
    /// How fast clocks are slewed.
    pub slew_ppm: u32,
    /// By how much each member's clock is wrong at its start, in nanoseconds; those not named are right.
    pub starts_off_ns: Vec<i64>,
    /// The rule to remove.
    pub without: Option<Rule>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            every: Duration::from_secs(240),
            rounds: None,
            round_trip_max: Duration::from_millis(10),
            delay_min: Duration::ZERO,
            gamma: Duration::from_millis(500),
            trimmed: None,
            slew_ppm: SLEW_PPM,
            starts_off_ns: Vec::new(),
            without: None,
        }
    }
}

impl Config {
    /// e: the largest error of an estimate.
    pub fn error_max(&self) -> Duration {
        (self.round_trip_max / 2).saturating_sub(self.delay_min)
    }
}

/// A round in progress, at the master.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Polling {
    since: Instant,
    /// The lead of each answering clock over the master's.
    offsets: BTreeMap<NodeId, i64>,
}

/// The master, or a slave of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Berkeley {
    id: NodeId,
    members: Vec<NodeId>,
    config: Config,
    clock: SoftwareClock,
    /// Of the master: the names of its rounds. The rounds of a restarted master are later ones, so slaves answer it.
    rounds: Serials,
    /// The master's current round; on a slave, the one that it answered last.
    round: Option<Serial>,
    /// The round whose delta was applied last.
    adjusted: Option<Serial>,
    polling: Option<Polling>,
}

impl Process for Berkeley {
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Infallible;
    type Command = Command;
    type Event = Event;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> Berkeley {
        Berkeley {
            id,
            members: members.to_vec(),
            config: config.clone(),
            clock: SoftwareClock::default(),
            rounds: Serials::default(),
            round: None,
            adjusted: None,
            polling: None,
        }
    }

    fn on_start(&mut self, cx: &mut Context<'_, Berkeley>) {
        let place = self.members.iter().position(|member| *member == self.id).unwrap_or(usize::MAX);
        let off_ns = self.config.starts_off_ns.get(place).copied().unwrap_or(0);
        self.clock = SoftwareClock::new(cx.wall(), cx.now(), off_ns, self.config.slew_ppm);
        cx.emit(Event::Started(self.reading(cx.now())));
        if self.is_master() {
            let is_unique = self.config.keeps(Rule::Unique);
            self.rounds = Serials::of(if is_unique { cx.boot() } else { Boot::FIRST });
            self.begin_round(cx);
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Berkeley>) {
        self.follow_machine(cx);
        let from_master = Some(&from) == self.members.first() && !self.is_master();
        match message {
            Message::Poll(round) if from_master => self.on_poll(from, round, cx),
            Message::Adjust(round, by_ns) if from_master => self.on_adjust(round, by_ns, cx),
            Message::Clock(round, time) if self.is_master() && self.members.contains(&from) => {
                self.on_clock(from, round, time, cx);
            }
            _ => cx.note("ignored: not for this role", from.0),
        }
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut Context<'_, Berkeley>) {
        let begins_anew = self.follow_machine(cx);
        match timer {
            Timer::Close if begins_anew => {}
            Timer::Next => self.begin_round(cx),
            Timer::Close => self.end_round(cx),
        }
    }

    fn on_command(&mut self, command: Command, cx: &mut Context<'_, Berkeley>) {
        self.follow_machine(cx);
        match command {
            Command::Show => cx.emit(Event::Shows(self.reading(cx.now()))),
            Command::Poll if self.is_master() && self.polling.is_none() => self.begin_round(cx),
            Command::Poll => cx.note("already polling, or not the master", 0),
        }
    }

    fn view(&self) {}
}

impl Berkeley {
    /// After an operator has set the machine's clock, no round has set this one yet; a round in progress compares with a
    /// clock that is gone, so a master begins another.
    fn follow_machine(&mut self, cx: &mut Context<'_, Berkeley>) -> bool {
        let Some(by_ns) = self.clock.follow(cx.wall(), cx.now()) else { return false };
        cx.emit(Event::ClockSet { by_ns, reading: self.reading(cx.now()) });
        self.adjusted = None;
        let begins_anew = self.polling.is_some();
        if begins_anew {
            self.begin_round(cx);
        }
        begins_anew
    }

    fn begin_round(&mut self, cx: &mut Context<'_, Berkeley>) {
        let round = self.rounds.issue();
        self.round = Some(round);
        self.polling = Some(Polling { since: cx.now(), offsets: BTreeMap::new() });
        cx.broadcast(&self.members, Message::Poll(round));
        let patience = if self.config.keeps(Rule::Bound) { 1 } else { 4 };
        cx.set_timer(Timer::Close, self.config.round_trip_max * patience);
    }

    fn on_poll(&mut self, from: NodeId, round: Serial, cx: &mut Context<'_, Berkeley>) {
        // A copy of the poll would be answered from a clock that was already adjusted in this round.
        if self.round.is_some_and(|last| round < last) || self.adjusted.is_some_and(|last| round <= last) {
            return cx.note("ignored: of a finished round", round.count);
        }
        self.round = Some(round);
        cx.send(from, Message::Clock(round, self.clock.settled(cx.now())));
    }

    fn on_clock(&mut self, from: NodeId, round: Serial, time: i64, cx: &mut Context<'_, Berkeley>) {
        let is_stale = self.round != Some(round) && self.config.keeps(Rule::Round);
        let (now, mine) = (cx.now(), self.clock.settled(cx.now()));
        let Some(polling) = self.polling.as_mut().filter(|_| !is_stale) else {
            return cx.note("ignored: of a finished round", round.count);
        };
        let took = now.since(polling.since);
        // After a stall, waiting messages are handled before the timer that would have closed the round.
        if took > self.config.round_trip_max && self.config.keeps(Rule::Bound) {
            return cx.note("not used: the round trip took too long", round.count);
        }
        let half = match self.config.without {
            Some(Rule::Compensation) => 0,
            _ => nanos(took) / 2,
        };
        let offset = time.saturating_add_unsigned(half).saturating_sub(mine);
        // Of two answers the first took less time, and is more precise.
        polling.offsets.entry(from).or_insert(offset);
        if polling.offsets.len() + 1 == self.members.len() {
            cx.cancel_timer(Timer::Close);
            self.end_round(cx);
        }
    }

    fn end_round(&mut self, cx: &mut Context<'_, Berkeley>) {
        let (Some(polling), Some(round)) = (self.polling.take(), self.round) else { return };
        let mut offsets: Vec<i64> = polling.offsets.values().copied().chain([0]).collect();
        match self.average(&mut offsets) {
            Some((average, of)) => {
                cx.emit(Event::Averaged { of, answered: offsets.len(), by_ns: average });
                self.adjust_all(round, average, &polling.offsets, cx);
            }
            None => cx.note("too few clocks answered for an average", offsets.len() as u64),
        }
        if self.config.rounds.is_none_or(|most| round.count < most) {
            cx.set_timer(Timer::Next, self.config.every);
        }
    }

    /// Tells each slave its delta to the average, and applies the master's own.
    fn adjust_all(
        &mut self,
        round: Serial,
        average: i64,
        offsets: &BTreeMap<NodeId, i64>,
        cx: &mut Context<'_, Berkeley>,
    ) {
        for (slave, offset) in offsets {
            let delta = average.saturating_sub(*offset);
            let told = match self.config.without {
                Some(Rule::Delta) => self.clock.settled(cx.now()).saturating_add(average),
                _ => delta,
            };
            cx.send(*slave, Message::Adjust(round, told));
        }
        self.adjust(round, average, cx);
    }

    /// The average of these offsets, and how many of them are in it.
    fn average(&self, offsets: &mut [i64]) -> Option<(i64, usize)> {
        let (low, high, of) = match self.config.trimmed {
            Some(wrong) => without_extremes(offsets, wrong)?,
            None if self.config.keeps(Rule::Gamma) => largest_agreeing(offsets, nanos(self.config.gamma))?,
            None => largest_agreeing(offsets, u64::MAX)?,
        };
        Some((mean_within(offsets, low, high), of))
    }

    fn on_adjust(&mut self, round: Serial, told: i64, cx: &mut Context<'_, Berkeley>) {
        let is_stale = self.round != Some(round) || self.adjusted == Some(round);
        if is_stale && self.config.keeps(Rule::Round) {
            return cx.note("ignored: a delta for another time", round.count);
        }
        let by_ns = match self.config.without {
            Some(Rule::Delta) => told.saturating_sub(self.clock.settled(cx.now())),
            _ => told,
        };
        self.adjust(round, by_ns, cx);
    }

    fn adjust(&mut self, round: Serial, by_ns: i64, cx: &mut Context<'_, Berkeley>) {
        let before = self.reading(cx.now());
        if self.config.without == Some(Rule::Slew) {
            self.clock.step(by_ns, cx.now());
        } else {
            self.clock.adjust(by_ns, cx.now());
        }
        self.adjusted = Some(round);
        cx.emit(Event::Adjusted { by_ns, before, after: self.reading(cx.now()) });
    }

    fn reading(&self, now: Instant) -> Reading {
        Reading { machine: self.clock.machine(now), clock: self.clock.read(now) }
    }

    /// The clock of this node.
    pub fn clock(&self) -> &SoftwareClock {
        &self.clock
    }

    /// Whether this node is the master.
    pub fn is_master(&self) -> bool {
        self.members.first() == Some(&self.id)
    }

    /// The round that it began or answered last.
    pub fn round(&self) -> Option<Serial> {
        self.round
    }

    /// The round whose delta it applied last.
    pub fn adjusted(&self) -> Option<Serial> {
        self.adjusted
    }

    /// Whether the master has rounds left, or one in progress.
    pub fn is_busy(&self) -> bool {
        // A round whose average could not be taken is over all the same.
        let held = self.round.map_or(0, |round| round.count - u64::from(self.polling.is_some()));
        self.is_master() && self.config.rounds.is_none_or(|most| held < most)
    }
}
