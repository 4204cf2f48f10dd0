//! NTP: the time from many servers, some of which are slow, and some of which are wrong.
//!
//! # The problem
//!
//! [Cristian's client](crate::cristian) believes one server, and one answer. On the Internet answers wait in queues, longer
//! in one direction than in the other; servers die; and some are wrong, by hours, and do not know it.
//!
//! # The idea
//!
//! In four steps, each of which takes away one of these troubles.
//!
//! 1. *Exchange.* Four readings, two by each clock, give the offset of the server's clock and the delay of the messages,
//!    without what the server spent. The true offset lies within half the delay of it.
//! 2. *Filter* ([`filter`]). Of the last eight exchanges with one server, the one with the least delay is believed: it has
//!    waited least in queues.
//! 3. *Select* ([`selection`]). Among servers, those are believed whose intervals meet where those of a majority do; of
//!    these the best are averaged.
//! 4. *Discipline* ([`discipline`]). Small offsets are slewed, large ones stepped if they last, impossible ones reported.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Request` | T1: what time is it? |
//! | `Response` | T1 again, T2: when the request came, T3: when this leaves |
//!
//! On the wire both are the same 48 bytes ([`packet`]), and a [`translator`] stands between the process and foreign servers
//! that speak nothing else.
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
//! With a way of f forward and b back, T2 - T1 = offset + f and T3 - T4 = offset - b. So theta = offset + (f - b) / 2, and
//! delta = f + b: since neither way is negative, the error is at most delta / 2, for every split. T1 names the exchange: an
//! answer whose origin is another is not used, nor is one that comes twice.
//!
//! A server that is right has the truth in its interval, so the intervals of all that are right meet. Where those of more
//! than half of all meet, and the midpoints of as many lie, at least one is right while fewer than half are wrong; what is
//! chosen lies in its interval, and so does the truth.
//!
//! # Caveats
//!
//! - Textbooks sometimes take the absolute value of theta. The sign is needed: it says whether to slow down or to hurry
//!   ([`Rule::Sign`]).
//! - Textbooks sometimes take the sample of least delay "from N servers". That rule filters samples of *one* server
//!   ([`Rule::Filter`]); between servers it is the intersection that protects ([`Rule::Select`]).
//! - Offsets are kept relative to the machine's own clock, which is never set, so a sample stays true when the clock above it
//!   is slewed, and no correction is made twice. T1 and T4 are read from it: a client need not reveal its time.
//! - Of time it asks for a clock that runs evenly between T1 and T4, and for nothing else: the bound holds for every split of
//!   every delay, so there is no promise of the network to withdraw, neither a least delay nor a greatest. The checked model
//!   in which answers are later than the next question holds. The one without any time has no T1, and its first step fails.
//! - There is no frequency loop, no strata and no authentication here. The clock drifts between two polls as it will, within
//!   the 15 parts in a million that are allowed for.
//! - A client decides when it has heard [`Config::sane`] servers. It must be more than the falsetickers, or one of them that
//!   is heard alone is believed.
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

/// What is fixed for a run. The first members are the servers, all others clients of each of them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// How many of the members are servers.
    pub servers: usize,
    /// How many a client must have heard before it decides.
    pub sane: usize,
    /// The interval at which a client asks.
    pub poll: Duration,
    /// How many times it asks in all; `None` for no end.
    pub polls: Option<u64>,
    /// What is done about large offsets.
    pub thresholds: Thresholds,
    /// How fast clocks are slewed.
    pub slew_ppm: u32,
    /// No server is taken to be more certain than that, in nanoseconds. Clocks and the reading of them are never quite what
    /// the delay alone tells: servers that are right, over links of microseconds, would seem to contradict each other. RFC
    /// 5905 counts half of five milliseconds (MINDISP, A.5.5.2), ntpd one (`mindist`); nothing is needed where clocks are
    /// read without error.
    pub distance_min_ns: u64,
    /// By how much each member's clock is wrong at its start, in nanoseconds; those not named are right.
    pub starts_off_ns: Vec<i64>,
    /// The rule that is taken out, to see what it is for.
    pub without: Option<Rule>,
}

rules! {
    /// The rules that can be taken out.
    pub enum Rule of Config;
    Sign = "sign": "the offset has a sign" / "a clock that is ahead runs away",
    Origin = "origin": "an answer must give back the T1 of the question that waits" / "late answers look fast",
    Filter = "filter": "of the samples of one server the one of least delay is believed" / "the newest is",
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

/// What a client knows of a server.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Association {
    /// T1 of the question that waits for an answer.
    asked: Option<i64>,
    register: Register,
}

/// What a client has chosen last.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Chosen {
    /// How far the time is ahead of this machine's own clock.
    pub ahead_ns: i64,
    /// What it was chosen from.
    pub candidates: Vec<Candidate>,
}

/// A server, or a client of all servers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Ntp {
    id: NodeId,
    members: Vec<NodeId>,
    config: Config,
    clock: SoftwareClock,
    /// Of a client: what it knows of each server, how many times it asked, what it chose, what it waits for.
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
        match message {
            // A step takes no time, so a request is answered when it comes. A real server reads its clock twice.
            Message::Request { t1 } if self.is_server() && self.members.contains(&from) => {
                let now = self.clock.read(cx.now());
                cx.send(from, Message::Response { t1, t2: now, t3: now });
            }
            Message::Response { t1, t2, t3 } => self.on_response(from, t1, t2, t3, cx),
            Message::Request { .. } => cx.note("ignored: is no server", from.0),
        }
    }

    fn on_timer(&mut self, Timer::Poll: Timer, cx: &mut Context<'_, Ntp>) {
        self.poll(cx);
    }

    fn on_command(&mut self, command: Command, cx: &mut Context<'_, Ntp>) {
        match command {
            Command::Show => cx.emit(Event::Shows(self.reading(cx.now()))),
            Command::Poll if self.is_server() => cx.note("is a server", 0),
            Command::Poll => self.poll(cx),
        }
    }

    fn view(&self) {}
}

impl Ntp {
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
            return cx.note("ignored: no server of this client", from.0);
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

    /// Selection among all servers that were heard, and what is done about the result.
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
            return cx.note("has not heard enough servers", candidates.len() as u64);
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

    /// Its clock.
    pub fn clock(&self) -> &SoftwareClock {
        &self.clock
    }

    /// Whether it is a server.
    pub fn is_server(&self) -> bool {
        self.associations.is_empty()
    }

    /// What a client has chosen last.
    pub fn chosen(&self) -> Option<&Chosen> {
        self.chosen.as_ref()
    }

    /// Whether a client has questions to ask yet, or waits for an answer to one.
    pub fn is_asking(&self) -> bool {
        let more = self.config.polls.is_none_or(|most| self.polled < most);
        !self.is_server() && (more || self.associations.values().any(|one| one.asked.is_some()))
    }

    /// The samples of each server, oldest first.
    pub fn registers(&self) -> impl Iterator<Item = (NodeId, &[Sample])> {
        self.associations.iter().map(|(server, association)| (*server, association.register.samples()))
    }

    /// The sample of a server that is believed.
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
            Event::Started(reading) => self.begin(node, *reading),
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
