//! NTP: the time from many servers, some of which are slow, and some of which are wrong.
//!
//! # The problem
//!
//! [Cristian's client](crate::cristian) believes one server, and one answer. On the Internet answers wait in queues, longer
//! in one direction than in the other; servers fail; and some are wrong by hours without knowing it.
//!
//! # The idea
//!
//! NTP works in four steps, each of which solves one of these problems.
//!
//! 1. *Exchange.* Four readings, two by each clock, give the offset of the server's clock and the delay of the
//!    messages, without the server's handling time. The true offset is within half the delay of the measured one.
//! 2. *Filter* ([`filter`]). Of the last eight exchanges with one server, the one with the least delay is believed: it
//!    waited least in queues.
//! 3. *Select* ([`selection`]). Servers are believed if their intervals intersect where those of a majority do; the
//!    best of these are averaged.
//! 4. *Discipline* ([`discipline`]). Small offsets are slewed, large ones stepped if they last, impossible ones reported.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Request` | T1: what time is it? |
//! | `Response` | T1 again, T2: when the request arrived, T3: when this leaves |
//!
//! On the wire both are the same 48 bytes ([`packet`]), and a [`translator`] mediates between the process and foreign
//! servers.
//!
//! # A run
//!
//! ```text
//!   client                                     server, 100 ahead
//!   T1 = 1000 | Request ------- 10 -------------> | T2 = 1110
//!             |                                   |    5 of handling
//!   T4 = 1045 | <------------- 30 ---- Response --| T3 = 1115
//!
//!   theta = ((T2 - T1) + (T3 - T4)) / 2 = (110 + 70) / 2 = 90
//!   delta = (T4 - T1) - (T3 - T2)       = 45 - 5         = 40
//!   100 lies within 90 +- 20; the error is (10 - 30) / 2, half of what the ways differ by
//! ```
//!
//! # Why it is safe
//!
//! With a delay of f forward and b back, T2 - T1 = offset + f and T3 - T4 = offset - b. So theta = offset + (f - b) /
//! 2, and delta = f + b: since neither way is negative, the error is at most delta / 2, for every split. T1 identifies
//! the exchange: an answer with another origin is not used, nor is a second copy.
//!
//! The interval of a correct server contains the true offset, so the intervals of all correct servers intersect. Where
//! the intervals of more than half of all servers intersect, and as many midpoints lie, at least one server is correct
//! while fewer than half are wrong; the chosen offset lies in its interval, and so does the true one.
//!
//! # Caveats
//!
//! - Textbooks sometimes take the absolute value of theta. The sign is needed: it says whether to slow the clock down
//!   or to speed it up ([`Rule::Sign`]).
//! - Textbooks sometimes take the sample of least delay "from N servers". That rule filters samples of *one* server
//!   ([`Rule::Filter`]); between servers the intersection protects ([`Rule::Select`]).
//! - Offsets are kept relative to the machine's own clock, which is never set, so a sample stays valid when the clock
//!   above it is slewed, and no correction is made twice. T1 and T4 are read from it: a client need not reveal its
//!   time.
//! - Its only assumption about time is a clock that runs evenly between T1 and T4: the bound holds for every split of
//!   every delay, so the network promises neither a least delay nor a greatest that a model could withdraw. The checked
//!   model in which answers arrive after the next request holds. The one without any clock has no T1, and its first
//!   step fails.
//! - There is no frequency loop, no strata and no authentication here. The clock drifts freely between two polls,
//!   within the 15 parts in a million that the bounds allow for.
//! - A client decides once [`Config::sane`] servers have answered. This number must exceed that of the falsetickers;
//!   otherwise one that answers alone is believed.
//!
//! # References
//!
//! RFC 5905: section 7.3 (packet), 8 (exchange and its checks), 10 (clock filter), 11.2 (selection, cluster, combine), 11.3
//! (discipline). D. Mills: *Internet time synchronization*, 1991. K. Marzullo: *Maintaining the time in a distributed system*,
//! 1984.

pub mod discipline;
pub mod filter;
mod message;
pub mod packet;
mod properties;
pub mod selection;
pub mod translator;

pub use crate::software_clock::Readings as History;
pub use discipline::Thresholds;
pub use message::{Command, Event, Message, Timer};
pub use packet::Packet;
pub use properties::properties;
pub use translator::Translator;

use crate::software_clock::{Reading, SLEW_PPM, SoftwareClock};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::convert::Infallible;
use discipline::{Discipline, Verdict};
use filter::{Register, Sample};
use selection::{Candidate, combine, intersection, survivors};
use volvox_core::{Context, Duration, Instant, NodeId, Process, rules};

/// The configuration, fixed for a run. The first members are the servers, all others clients of each of them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// The number of servers among the members.
    pub servers: usize,
    /// The number of servers that must have answered before a client decides.
    pub sane: usize,
    /// The interval at which a client asks.
    pub poll: Duration,
    /// How many times it asks in total; `None` for no end.
    pub polls: Option<u64>,
    /// The treatment of large offsets.
    pub thresholds: Thresholds,
    /// How fast clocks are slewed.
    pub slew_ppm: u32,
    /// The least uncertainty of a server, in nanoseconds. Reading clocks adds errors that the delay does not show:
    /// correct servers, over links of microseconds, would seem to contradict each other. RFC 5905 counts half of five
    /// milliseconds (MINDISP, A.5.5.2), ntpd one (`mindist`); 0 is right where clocks are read without error.
    pub distance_min_ns: u64,
    /// By how much each member's clock is wrong at its start, in nanoseconds; those not named are right.
    pub starts_off_ns: Vec<i64>,
    /// The rule to remove, to see what it is for.
    pub without: Option<Rule>,
}

rules! {
    /// The removable rules.
    pub enum Rule of Config;
    Sign = "sign": "the offset has a sign" / "a clock that is ahead runs away",
    Origin = "origin": "an answer must return the T1 of the open request" / "late answers look fast",
    Filter = "filter": "of the samples of one server the one of least delay is believed" / "the newest is believed",
    Select = "select": "only servers that agree with a majority are believed" / "one falseticker moves the clock",
    Slew = "slew": "small offsets are slewed" / "time runs backward",
}

impl Default for Config {
    /// Three servers of which one may be wrong, asked every 64 seconds.
    fn default() -> Config {
        Config {
            servers: 3,
            sane: 2,
            poll: Duration::from_secs(64),
            polls: None,
            thresholds: Thresholds::default(),
            slew_ppm: SLEW_PPM,
            distance_min_ns: 0,
            starts_off_ns: Vec::new(),
            without: None,
        }
    }
}

/// A client's knowledge about a server.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Association {
    /// T1 of the open request.
    asked: Option<i64>,
    register: Register,
}

/// The last choice of a client.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Chosen {
    /// The lead of the time over this machine's own clock.
    pub ahead_ns: i64,
    /// The servers from which it was chosen.
    pub candidates: Vec<Candidate>,
}

/// A server, or a client of all servers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Ntp {
    id: NodeId,
    members: Vec<NodeId>,
    config: Config,
    clock: SoftwareClock,
    /// On a client: its knowledge about each server, how many times it has asked, its choice, and what it waits for.
    associations: BTreeMap<NodeId, Association>,
    polled: u64,
    chosen: Option<Chosen>,
    discipline: Discipline,
}

impl Process for Ntp {
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Infallible;
    type Command = Command;
    type Event = Event;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> Ntp {
        let servers = members.iter().take(config.servers);
        let is_server = servers.clone().any(|server| *server == id);
        let known = servers.filter(|_| !is_server).map(|server| (*server, Association::default()));
        Ntp {
            id,
            members: members.to_vec(),
            config: config.clone(),
            clock: SoftwareClock::default(),
            associations: known.collect(),
            polled: 0,
            chosen: None,
            discipline: Discipline::default(),
        }
    }

    fn on_start(&mut self, cx: &mut Context<'_, Ntp>) {
        let off_ns = self.starts_off_ns(self.id);
        self.clock = SoftwareClock::new(cx.wall(), cx.now(), off_ns, self.config.slew_ppm);
        cx.emit(Event::Started(self.reading(cx.now())));
        if !self.is_server() {
            self.poll(cx);
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Ntp>) {
        self.follow_machine(cx);
        match message {
            // A step takes no time, so a request is answered when it arrives. A real server reads its clock twice.
            Message::Request { t1 } if self.is_server() && self.members.contains(&from) => {
                let now = self.clock.read(cx.now());
                cx.send(from, Message::Response { t1, t2: now, t3: now });
            }
            Message::Response { t1, t2, t3 } => self.on_response(from, t1, t2, t3, cx),
            Message::Request { .. } => cx.note("ignored: not a server", from.0),
        }
    }

    fn on_timer(&mut self, Timer::Poll: Timer, cx: &mut Context<'_, Ntp>) {
        self.follow_machine(cx);
        self.poll(cx);
    }

    fn on_command(&mut self, command: Command, cx: &mut Context<'_, Ntp>) {
        self.follow_machine(cx);
        match command {
            Command::Show => cx.emit(Event::Shows(self.reading(cx.now()))),
            Command::Poll if self.is_server() => cx.note("is a server", 0),
            Command::Poll => self.poll(cx),
        }
    }

    fn view(&self) {}
}

impl Ntp {
    /// After an operator has set the machine's clock, the samples say nothing of it: they are discarded, as after a step of its own (RFC 5905,
    /// section 11.2.3), and no answer in flight is waited for.
    fn follow_machine(&mut self, cx: &mut Context<'_, Ntp>) {
        let Some(by_ns) = self.clock.follow(cx.wall(), cx.now()) else { return };
        cx.emit(Event::ClockSet { by_ns, reading: self.reading(cx.now()) });
        self.associations.values_mut().for_each(|association| *association = Association::default());
        self.chosen = None;
    }

    fn poll(&mut self, cx: &mut Context<'_, Ntp>) {
        let t1 = self.clock.machine(cx.now());
        for (server, association) in &mut self.associations {
            association.asked = Some(t1);
            cx.send(*server, Message::Request { t1 });
        }
        self.polled += 1;
        if self.config.polls.is_none_or(|most| self.polled < most) {
            cx.set_timer(Timer::Poll, self.config.poll);
        }
    }

    fn on_response(&mut self, from: NodeId, t1: i64, t2: i64, t3: i64, cx: &mut Context<'_, Ntp>) {
        let (now, t4) = (cx.now(), self.clock.machine(cx.now()));
        let Some(association) = self.associations.get_mut(&from) else {
            return cx.note("ignored: not a server of this client", from.0);
        };
        let Some(asked) = association.asked else { return cx.note("ignored: nothing was asked", from.0) };
        if asked != t1 && self.config.keeps(Rule::Origin) {
            return cx.note("ignored: not what was asked", from.0);
        }
        let Some(mut sample) = Sample::of(asked, t2, t3, t4, now) else {
            return cx.note("ignored: four readings that contradict one another", from.0);
        };
        if !self.config.keeps(Rule::Sign) {
            let offset = sample.ahead_ns.saturating_sub(self.clock.ahead());
            sample.ahead_ns = self.clock.ahead().saturating_add(offset.saturating_abs());
        }
        association.asked = None;
        association.register.push(sample);
        self.choose(cx);
    }

    /// Selects among all servers that answered, and acts on the result.
    fn choose(&mut self, cx: &mut Context<'_, Ntp>) {
        let now = cx.now();
        let candidates: Vec<Candidate> = self
            .associations
            .iter()
            .filter_map(|(server, association)| {
                let best = self.believed(*server)?;
                let jitter_ns = association.register.jitter_ns();
                let (ahead_ns, distance_ns) = (best.ahead_ns, best.distance_ns(now).max(self.config.distance_min_ns));
                Some(Candidate { server: *server, ahead_ns, distance_ns, jitter_ns })
            })
            .collect();
        if candidates.len() < self.config.sane {
            return cx.note("not enough servers have answered", candidates.len() as u64);
        }
        let everything = Some((i64::MIN, i64::MAX));
        let range = if self.config.keeps(Rule::Select) { intersection(&candidates) } else { everything };
        let kept = range.map(|range| survivors(&candidates, range)).unwrap_or_default();
        let Some(ahead_ns) = combine(&kept) else {
            return cx.emit(Event::NoMajority { heard: candidates.len() });
        };
        let offset = ahead_ns.saturating_sub(self.clock.ahead());
        self.set(offset, kept.len(), candidates.len(), cx);
        self.chosen = Some(Chosen { ahead_ns, candidates });
    }

    fn set(&mut self, by_ns: i64, survivors: usize, heard: usize, cx: &mut Context<'_, Ntp>) {
        let now = cx.now();
        match self.discipline.judge(by_ns, now, &self.config.thresholds) {
            Verdict::Slew => {
                let before = self.reading(now);
                if self.config.keeps(Rule::Slew) {
                    self.clock.adjust(by_ns, now);
                } else {
                    self.clock.step(by_ns, now);
                }
                cx.emit(Event::Slewed { by_ns, survivors, heard, before, after: self.reading(now) });
            }
            Verdict::Step => {
                self.clock.step(by_ns, now);
                cx.emit(Event::Stepped { by_ns, after: self.reading(now) });
            }
            Verdict::Wait => cx.note("too far to slew: waits whether it lasts", by_ns.unsigned_abs()),
            Verdict::Panic => cx.emit(Event::Panicked { by_ns }),
        }
    }

    fn reading(&self, now: Instant) -> Reading {
        Reading { machine: self.clock.machine(now), clock: self.clock.read(now) }
    }

    /// The clock of this node.
    pub fn clock(&self) -> &SoftwareClock {
        &self.clock
    }

    /// Whether this node is a server.
    pub fn is_server(&self) -> bool {
        self.associations.is_empty()
    }

    /// The last choice of a client.
    pub fn chosen(&self) -> Option<&Chosen> {
        self.chosen.as_ref()
    }

    /// Whether a client has requests left, or waits for a response.
    pub fn is_asking(&self) -> bool {
        let more = self.config.polls.is_none_or(|most| self.polled < most);
        !self.is_server() && (more || self.associations.values().any(|one| one.asked.is_some()))
    }

    /// The samples of each server, oldest first.
    pub fn registers(&self) -> impl Iterator<Item = (NodeId, &[Sample])> {
        self.associations.iter().map(|(server, association)| (*server, association.register.samples()))
    }

    /// The believed sample of a server.
    pub fn believed(&self, server: NodeId) -> Option<&Sample> {
        let register = &self.associations.get(&server)?.register;
        if self.config.keeps(Rule::Filter) { register.best() } else { register.samples().last() }
    }

    /// By how much the clock of a member is wrong at its start.
    pub(crate) fn starts_off_ns(&self, member: NodeId) -> i64 {
        let place = self.members.iter().position(|one| *one == member).unwrap_or(usize::MAX);
        self.config.starts_off_ns.get(place).copied().unwrap_or(0)
    }
}

impl volvox_core::History<Ntp> for History {
    fn on_event(&mut self, node: NodeId, event: &Event) {
        match event {
            // A reading after a setting is compared with none before it.
            Event::Started(reading) | Event::ClockSet { reading, .. } => self.begin(node, *reading),
            Event::Shows(reading) => self.push(node, *reading),
            Event::Slewed { before, after, .. } => {
                self.push(node, *before);
                self.push(node, *after);
            }
            Event::Stepped { after, .. } => self.begin(node, *after),
            Event::NoMajority { .. } | Event::Panicked { .. } => {}
        }
    }
}
