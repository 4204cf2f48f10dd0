//! Cristian's algorithm: setting a clock from a time server.
//!
//! # The problem
//!
//! One machine has a good clock. Others want to show the same time, over a network whose delays vary and have no upper
//! bound. An answer that says 12:00:00 is outdated when it arrives, by an unknown amount.
//!
//! # The idea
//!
//! The client knows how long the whole round trip took, by its own clock. The answer was written somewhere in between;
//! if nothing more is known, the midpoint is the best estimate, and half the round trip bounds its error. If no message
//! is faster than `min`, the ends of the interval can be excluded as well. The client discards a slow round trip and
//! asks again: the answer is as precise as required, but arrives only with some probability.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Request #n` | what time is it? |
//! | `Reply #n` | the server's time when this left, and how long the request waited there |
//!
//! # A run
//!
//! ```text
//!   client                                 server
//!   T0 = 10.000 | Request #1 ----------------> |
//!               |                              | I = 2 ms of handling
//!               | <---- Reply #1 12.004, 2 ms  |
//!   T1 = 10.012 | round trip 12 - 2 = 10 ms, half of it 5 ms:
//!               | the server shows 12.009 now, give or take 5 ms - min
//!               | the clock is behind by 1.997 s: it runs faster for a while
//! ```
//!
//! # Why it is safe
//!
//! The reply was in flight for at least `min`, and for at most the round trip less the `min` of the request. So when it
//! arrives, the server's clock shows something between `C + min` and `C + (T1 - T0 - I) - min`; the middle of that is
//! `C + (T1 - T0 - I) / 2`, and it is off by at most `(T1 - T0 - I) / 2 - min`. T0 and T1 are both read from the
//! client's clock, so its offset does not matter, only its rate in between. Where both clocks drift by rho at most, and
//! D is half the round trip without the handling, the bound is `D (1 + 2 rho) - min` (Cristian's theorem, section 4, to
//! the first order of rho); the properties here omit that term, and are evaluated where clocks do not drift.
//!
//! A reply is compared with the T0 of the request that it answers. A reply to a request from before a crash would be
//! compared with a T0 that is younger than itself: the round trip would look short, and the estimate precise. So a
//! request has a number that the client never reuses, even after a restart (a [`Serial`]). An old request binds no node
//! to anything, so that is enough, and the client persists nothing.
//!
//! # Caveats
//!
//! - Textbooks often set the clock *to* the time in the answer; that leaves out half the round trip ([`Rule::Half`]).
//! - The bound on the error holds only as long as no message is faster than `min`. The guess is exact when both ways take
//!   the same time, and a lasting asymmetry cannot be seen from the ends.
//! - The algorithm makes three assumptions about time, each with a checked model that withdraws it. Without any clock
//!   there is no T0, and the first step fails: a protocol that measures delays cannot run at all. Without `min` the
//!   bound on the error breaks. Without an upper bound on delays no clock is set wrongly; but none may be set, since
//!   answers later than 2U are not used.
//! - A client whose disk is lost counts its boots from 1 again, and may then use a reply to a request of its lost
//!   incarnation.
//! - The client believes a single server. For servers that are wrong or fail see [NTP](crate::ntp).
//! - Contact is made with probability 1 - (1 - q)^k in k tries, q being the chance of a round trip of at most 2U.
//! - The clocks drift on: two that drift by at most rho drift apart at 2 rho, and must be set again every pi / (2 rho)
//!   to stay within pi of one another.
//!
//! # References
//!
//! F. Cristian: *Probabilistic clock synchronization*, Distributed Computing 3, 1989: section 3 (reading a remote clock),
//! section 4 (the interval, and retries), section 5 (adjusting gradually).

mod message;
mod properties;

pub use crate::software_clock::Readings as History;
pub use message::{Command, Event, Message, Timer};
pub use properties::properties;

use crate::software_clock::{Reading, SLEW_PPM, SoftwareClock};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::convert::Infallible;
use volvox_core::time::nanos;
use volvox_core::{Boot, Context, Duration, Instant, NodeId, Process, Serial, Serials, rules};

rules! {
    /// The removable rules.
    pub enum Rule of Config;
    Half = "half": "half of the round trip is added to the time in the answer" / "clocks are late by the delay of the reply",
    Handling = "handling": "the server's handling time is not part of the round trip" /
        "clocks are ahead by half of it",
    Limit = "limit": "a round trip of more than 2U is not used" / "the error has no bound",
    Number = "number": "a reply is compared with the request of its number" / "late replies look fast",
    Unique = "unique": "no request has the number of an earlier boot of its client" /
        "a reply to a request from before a crash looks fast",
    Slew = "slew": "clocks are slewed, not stepped" / "time runs backward",
}

/// The configuration, fixed for a run. The first member is the server, all others are its clients.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// 2U: the longest round trip that is used.
    pub round_trip_max: Duration,
    /// `min`: the least delay of a message.
    pub delay_min: Duration,
    /// The time after which a client without a usable answer asks again.
    pub pause: Duration,
    /// k: how many times it asks before it gives up until the next synchronisation.
    pub tries: u32,
    /// The time from one synchronisation to the next; `None` for a single one.
    pub every: Option<Duration>,
    /// How long a request waits at the server.
    pub handling: Duration,
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
            round_trip_max: Duration::from_millis(12),
            delay_min: Duration::from_millis(1),
            pause: Duration::from_millis(25),
            tries: 5,
            every: Some(Duration::from_secs(50)),
            handling: Duration::ZERO,
            slew_ppm: SLEW_PPM,
            starts_off_ns: Vec::new(),
            without: None,
        }
    }
}

/// A client's estimate from an answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Estimate {
    /// The lead of the server's clock over this machine's own.
    pub ahead_ns: i64,
    /// T1 - T0 - I.
    pub round_trip: Duration,
}

/// The server, or a client of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Cristian {
    id: NodeId,
    server: NodeId,
    members: Vec<NodeId>,
    config: Config,
    clock: SoftwareClock,
    /// On a client: the serials of its requests; the open request, with T0; the tries left.
    numbers: Serials,
    asked: Option<(Serial, Instant)>,
    tries_left: u32,
    estimate: Option<Estimate>,
    /// On the server: the request of each client that is being handled, at most one, and since when.
    handling: BTreeMap<NodeId, (Serial, Instant)>,
}

impl Process for Cristian {
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Infallible;
    type Command = Command;
    type Event = Event;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> Cristian {
        Cristian {
            id,
            server: members[0],
            members: members.to_vec(),
            config: config.clone(),
            clock: SoftwareClock::default(),
            numbers: Serials::default(),
            asked: None,
            tries_left: 0,
            estimate: None,
            handling: BTreeMap::new(),
        }
    }

    fn on_start(&mut self, cx: &mut Context<'_, Cristian>) {
        let place = self.members.iter().position(|member| *member == self.id).unwrap_or(usize::MAX);
        let off_ns = self.config.starts_off_ns.get(place).copied().unwrap_or(0);
        self.clock = SoftwareClock::new(cx.wall(), cx.now(), off_ns, self.config.slew_ppm);
        cx.emit(Event::Started(self.reading(cx.now())));
        if self.id != self.server {
            let is_unique = self.config.keeps(Rule::Unique);
            self.numbers = Serials::of(if is_unique { cx.boot() } else { Boot::FIRST });
        }
        self.synchronise(cx);
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Cristian>) {
        self.follow_machine(cx);
        match message {
            Message::Request { number } if self.id == self.server && self.members.contains(&from) => {
                self.on_request(from, number, cx);
            }
            Message::Reply { number, time, handling } if self.id != self.server && from == self.server => {
                self.on_reply(number, time, handling, cx);
            }
            _ => cx.note("ignored: not for this role", from.0),
        }
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut Context<'_, Cristian>) {
        let asks_anew = self.follow_machine(cx);
        match timer {
            Timer::Handled(client) => self.reply(client, cx),
            Timer::Again | Timer::Try if asks_anew => {}
            Timer::Again => self.synchronise(cx),
            Timer::Try if self.tries_left > 0 => self.ask(cx),
            Timer::Try => {
                self.asked = None;
                cx.emit(Event::NoContact);
                self.wait(cx);
            }
        }
    }

    fn on_command(&mut self, command: Command, cx: &mut Context<'_, Cristian>) {
        self.follow_machine(cx);
        match command {
            Command::Sync => self.synchronise(cx),
            Command::Show => cx.emit(Event::Shows(self.reading(cx.now()))),
        }
    }

    fn view(&self) {}
}

impl Cristian {
    /// After an operator has set the machine's clock, a client's estimate is void, and it asks again.
    fn follow_machine(&mut self, cx: &mut Context<'_, Cristian>) -> bool {
        let Some(by_ns) = self.clock.follow(cx.wall(), cx.now()) else { return false };
        cx.emit(Event::ClockSet { by_ns, reading: self.reading(cx.now()) });
        self.estimate = None;
        self.synchronise(cx);
        true
    }

    fn on_request(&mut self, from: NodeId, number: Serial, cx: &mut Context<'_, Cristian>) {
        self.handling.insert(from, (number, cx.now()));
        if self.config.handling.is_zero() {
            self.reply(from, cx);
        } else {
            cx.set_timer(Timer::Handled(from), self.config.handling);
        }
    }

    fn reply(&mut self, client: NodeId, cx: &mut Context<'_, Cristian>) {
        let Some((number, since)) = self.handling.remove(&client) else { return };
        let handling = nanos(cx.now().since(since));
        cx.send(client, Message::Reply { number, time: self.clock.read(cx.now()), handling });
    }

    fn synchronise(&mut self, cx: &mut Context<'_, Cristian>) {
        if self.id != self.server {
            self.tries_left = self.config.tries;
            self.ask(cx);
        }
    }

    fn ask(&mut self, cx: &mut Context<'_, Cristian>) {
        self.tries_left = self.tries_left.saturating_sub(1);
        let number = self.numbers.issue();
        self.asked = Some((number, cx.now()));
        cx.send(self.server, Message::Request { number });
        cx.set_timer(Timer::Try, self.config.pause);
    }

    fn on_reply(&mut self, number: Serial, time: i64, handling: u64, cx: &mut Context<'_, Cristian>) {
        let now = cx.now();
        let Some((asked, since)) = self.asked else { return cx.note("ignored: nothing was asked", number.count) };
        if asked != number && self.config.keeps(Rule::Number) {
            return cx.note("ignored: answers an older request", number.count);
        }
        let took = now.since(since);
        let Some(round_trip) = took.checked_sub(Duration::from_nanos(handling)) else {
            return cx.note("ignored: handled for longer than the round trip", number.count);
        };
        if took > self.config.round_trip_max && self.config.keeps(Rule::Limit) {
            return cx.note("not used: the round trip took too long", number.count);
        }
        let under_way = match self.config.without {
            Some(Rule::Half) => 0,
            Some(Rule::Handling) => nanos(took) / 2,
            _ => nanos(round_trip) / 2,
        };
        let server_shows = time.saturating_add_unsigned(under_way);
        self.estimate = Some(Estimate { ahead_ns: server_shows.saturating_sub(self.clock.machine(now)), round_trip });
        self.set(server_shows.saturating_sub(self.clock.settled(now)), round_trip, cx);
        self.asked = None;
        cx.cancel_timer(Timer::Try);
        self.wait(cx);
    }

    fn set(&mut self, by_ns: i64, round_trip: Duration, cx: &mut Context<'_, Cristian>) {
        let before = self.reading(cx.now());
        if self.config.keeps(Rule::Slew) {
            self.clock.adjust(by_ns, cx.now());
        } else {
            self.clock.step(by_ns, cx.now());
        }
        cx.emit(Event::Adjusted { by_ns, round_trip, before, after: self.reading(cx.now()) });
    }

    fn wait(&self, cx: &mut Context<'_, Cristian>) {
        if let Some(every) = self.config.every {
            cx.set_timer(Timer::Again, every);
        }
    }

    fn reading(&self, now: Instant) -> Reading {
        Reading { machine: self.clock.machine(now), clock: self.clock.read(now) }
    }

    /// The clock of this node.
    pub fn clock(&self) -> &SoftwareClock {
        &self.clock
    }

    /// The estimate from the last answer that it used.
    pub fn estimate(&self) -> Option<Estimate> {
        self.estimate
    }

    /// Whether this node is the server.
    pub fn is_server(&self) -> bool {
        self.id == self.server
    }

    /// Whether this node waits for an answer.
    pub fn is_asking(&self) -> bool {
        self.asked.is_some()
    }
}
