//! Leases (Gray and Cheriton 1989) and fencing tokens.
//!
//! # The problem
//!
//! A lock whose holder crashes is lost forever, and a lock that is taken from a merely slow holder is held twice. From
//! outside, a dead node and a slow one look alike.
//!
//! # The idea
//!
//! A **lease** is a lock for a *term*: grantor and holder count the time, each by its own clock, and neither needs the other
//! to know that the term is over. Clocks need not agree about the time, only about durations: each runs fast or slow by
//! at most a bound (*drift*). The holder must be the first to believe that the term is over. So
//!
//! - the holder counts from when it **sent** its request, the grantor from when it granted, which is later;
//! - the holder stops after `term * (1 - drift) / (1 + drift)`, less a margin for itself: what a slow clock shows when a fast
//!   one shows the term;
//! - a grantor that restarts after a crash waits for a term before it grants: it may have granted just before.
//!
//! A grant is matched with the request that it answers, and with no other. So a request has a number that is never
//! reused, even after a restart of the client (a [`Serial`](volvox_core::Serial)).
//!
//! Two problems no clock can solve. A write that was sent in time may *arrive* late, and a holder that is suspended (a
//! pause, a page fault) does not look at its clock. So each lease has a **fencing token**, greater than those of all
//! leases before it; each write carries it; and the store refuses a token that is smaller than one that it has seen. A
//! client that holds no lease and asks for one gets a new token, even if the grantor still counts it as the holder: it
//! may have released the lease, or have crashed, and its messages under the old token do not belong to the new lease.
//!
//! # The messages
//!
//! n1 is the grantor, n2 the store, all others are clients.
//!
//! | message | from, to | says |
//! |---|---|---|
//! | `Acquire r` | client, grantor | I hold no lease; give it to me; my request r |
//! | `Extend r token t` | client, grantor | I hold the lease t; give me more time; my request r |
//! | `Granted r token t` | grantor, client | yours for a term, counted from your request r |
//! | `Busy r` | grantor, client | not now: another client has it, or your lease is over |
//! | `Release token t` | client, grantor | I no longer need the lease t |
//! | `Write token t` | client, store | write |
//! | `Written`, `Rejected` | store, client | done; a later holder has written, and its token is |
//!
//! # A run
//!
//! ```text
//!   n1 grantor            n2 store              n3                      n4
//!    |<----------------- Acquire r1 -------------|                       |
//!    |------------ Granted r1 token 1 ---------->| holds                 |
//!    |                      |    ... Write 1 ----|                       |
//!    |                      |     (it is late)  ended                    |
//!   its term ends           |                    |                       |
//!    |<-------------------------------------------------- Acquire r1 ----|
//!    |----------------------------- Granted r1 token 2 ----------------->| holds
//!    |                      |<--------------------------- Write 2 -------|
//!    |                      | stored 2           |                       |
//!    |            Write 1 ->|                    |                       |
//!    |                      |---- Rejected 2 --->|                       |
//! ```
//!
//! # Why it is safe
//!
//! *Mutual exclusion.* Let the grantor grant at g the request that was sent at s <= g. By true time its term lasts at
//! least term / (1 + drift), to the end of that at g; the holder's lasts at most (term * (1 - drift) / (1 + drift)) /
//! (1 - drift), from s. These are equal, and s <= g. The same holds for an extension, with a later s and g.
//!
//! Three old messages could break this, and none does. A *grant* that answers an older request than the last, of this
//! boot or of an earlier one, is ignored: its s differs, and so does its number. A *release* frees only the lease of
//! its token, and the lease that the client requested after it has another. A *request* that arrives late, or twice,
//! gains its sender nothing: one older than the last granted is ignored, and the same one is answered again without an
//! extension. If its sender no longer holds a lease, it may be granted one that it ignores; that lease makes the others
//! wait for a term, and does no other harm.
//!
//! *Writes are ordered by token*, whatever clocks do: the store compares, and nothing else is needed. Tokens grow
//! because the grantor writes each down before it grants. This is an order between leases, not between writes of one
//! lease: writes under one token are stored in the order in which they arrive.
//!
//! # Caveats
//!
//! - Mutual exclusion needs the drift bound, and a holder that acts on time: **timers fire when they are due**. A
//!   process that was suspended wakes with its lease, and handles waiting messages before its timer; the token protects
//!   against that.
//! - The resource that the lease protects must check the token. A store that cannot compare is not protected. A store
//!   that compares is protected once it has seen the later token: until the new holder's first write, a late write of
//!   the old one is still stored, as if it had arrived in time.
//! - A lease that is kept keeps the others waiting until it is released: it ends by itself only where its client is gone.
//! - Term, drift bound and margin are configured alike on all nodes; the term of a grant is not sent.
//! - A node whose disk is lost is not covered: the store and the grantor forget tokens, and a client's boots start
//!   over, and with them the numbers of its requests. Messages may be lost: a client that hears nothing asks again when
//!   the lease that it asked for would be over.
//! - This covers half of Gray and Cheriton's paper. Their leases are on *cached data*: many clients hold one for
//!   reading at the same time; a writer asks each of them for approval, and waits until the lease of an absent one is
//!   over; a short term keeps that wait short, and a long one saves extensions. Here one client holds the lease, as in
//!   Chubby, and nothing is cached.
//!
//! # References
//!
//! C. Gray, D. Cheriton: *Leases: an efficient fault-tolerant mechanism for distributed file cache consistency*, SOSP
//! 1989: section 2 (the mechanism), 3 (how long a term), 5 (clocks), 7.
//! M. Burrows: *The Chubby lock service for loosely-coupled distributed systems*, OSDI 2006, sections 2.2 and 2.4: the
//! lock generation number, which grows whenever the lock goes from free to held, and the *sequencer* that carries it.
//! M. Kleppmann: *How to do distributed locking*, 2016: the name *fencing token*, and the paused holder of the third script.

mod client;
mod grantor;
mod message;
mod properties;

pub use message::{Command, Event, Message, Record, Timer};
pub use properties::{History, fencing, mutual_exclusion, properties, tokens_grow};

use client::{Client, Wish};
use grantor::Grantor;
use volvox_core::{Boot, Context, Duration, NodeId, Process, Restored, Serials, rules};

/// The greatest token that is accepted: a greater one would leave no room to count.
const TOKEN_MAX: u64 = 1 << 62;

/// The configuration, fixed for the life of a node and the same on all.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// The duration of a lease, by the grantor's clock.
    pub term: Duration,
    /// The drift bound: each clock runs fast or slow by at most this many parts in a million.
    pub drift_ppm: u32,
    /// How much earlier a holder stops, to allow for delays of its own scheduling.
    pub margin: Duration,
    /// How long a client that was refused waits before it asks again.
    pub retry: Duration,
    /// How long before the end of its lease a client that keeps it asks for more time.
    pub renew_before: Duration,
    /// A rule to remove, to see what it is for.
    pub without: Option<Rule>,
}

rules! {
    /// The removable rules.
    pub enum Rule of Config;
    Fencing = "fencing": "the store refuses a token smaller than one that it has seen" / "late writes are stored",
    DriftMargin = "drift-margin": "the holder's term is shorter, by the drift" /
        "a slow holder outlasts a fast grantor",
    FromSend = "from-send": "the holder counts from its request" / "it counts from the grant, which took time to arrive",
    WaitOut = "wait-out": "a grantor that restarts waits for a term" / "it grants a lease that is still held",
    Unique = "unique": "no request has the number of an earlier boot of its client" /
        "each boot counts from 1, and believes a grant to an earlier one",
    NewToken = "new-token": "a holder that requests the lease as if it held none gets a new token" /
        "it gets an extension under the old one, and a late release ends the lease that was requested after it",
}

/// One node, with its role.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Leases {
    config: Config,
    grantor: NodeId,
    store: NodeId,
    role: Role,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Role {
    Grantor(Grantor),
    Store {
        /// The greatest token that has written to the store.
        seen: u64,
    },
    Client(Client),
}

impl Process for Leases {
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;
    type Command = Command;
    type Event = Event;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> Leases {
        let grantor = members.iter().copied().min().unwrap_or(id);
        let store = members.iter().copied().filter(|member| *member != grantor).min().unwrap_or(id);
        let role = if id == grantor {
            Role::Grantor(Grantor::default())
        } else if id == store {
            Role::Store { seen: 0 }
        } else {
            Role::Client(Client::default())
        };
        Leases { config: *config, grantor, store, role }
    }

    fn on_restore(&mut self, restored: Restored<Record>) {
        let Restored::Record { record, .. } = restored else { return };
        match (&mut self.role, record) {
            (Role::Grantor(grantor), Record::Given(token)) => grantor.token = grantor.token.max(token),
            (Role::Store { seen }, Record::Seen(token)) => *seen = (*seen).max(token),
            _ => {}
        }
    }

    fn on_start(&mut self, cx: &mut Context<'_, Self>) {
        cx.emit(Event::Started);
        match &mut self.role {
            Role::Grantor(grantor) if grantor.token > 0 && self.config.keeps(Rule::WaitOut) => {
                grantor.waits_out = true;
                cx.set_timer(Timer::Term, self.config.term);
            }
            Role::Client(client) => {
                let is_unique = self.config.keeps(Rule::Unique);
                client.requests = Serials::of(if is_unique { cx.boot() } else { Boot::FIRST });
            }
            Role::Grantor(_) | Role::Store { .. } => {}
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        if let Some(token) = message.token().filter(|token| *token > TOKEN_MAX) {
            return cx.note("ignored: a token out of range", token);
        }
        let config = self.config;
        match (&mut self.role, message) {
            (Role::Grantor(grantor), Message::Acquire { request }) => grantor.on_acquire(from, request, &config, cx),
            (Role::Grantor(grantor), Message::Extend { request, token }) => {
                grantor.on_extend(from, request, token, &config, cx);
            }
            (Role::Grantor(grantor), Message::Release { token }) => grantor.on_release(from, token, cx),
            (Role::Store { seen }, Message::Write { token }) => on_write(seen, from, token, &config, cx),
            (Role::Client(_), Message::Granted { request, token }) if from == self.grantor => {
                self.on_granted(request, token, cx);
            }
            (Role::Client(client), Message::Busy { request }) if from == self.grantor => {
                client.on_busy(request, &config, cx);
            }
            (Role::Client(_), Message::Written { .. }) if from == self.store => {}
            (Role::Client(_), Message::Rejected { token }) if from == self.store => {
                cx.note("fenced off by token", token)
            }
            _ => cx.note("ignored: not for this node, or from the wrong sender", from.0),
        }
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut Context<'_, Self>) {
        match (&mut self.role, timer) {
            (Role::Grantor(grantor), Timer::Term) => (grantor.granted, grantor.waits_out) = (None, false),
            (Role::Client(_), Timer::End(request)) => self.on_end(request, cx),
            (Role::Client(_), Timer::Renew | Timer::Retry) => self.ask_if_wished(cx),
            (_, timer) => panic!("a timer of another role: {timer:?}"),
        }
    }

    fn on_command(&mut self, command: Command, cx: &mut Context<'_, Self>) {
        let Role::Client(client) = &mut self.role else {
            return cx.note("refused: clients do that", 0);
        };
        match command {
            Command::Acquire => self.wish(Wish::Once, cx),
            Command::Keep => self.wish(Wish::Keep, cx),
            Command::Write => match client.lease {
                Some(lease) => cx.send(self.store, Message::Write { token: lease.token }),
                None => cx.note("refused: it holds no lease", 0),
            },
            Command::Release => self.release(cx),
        }
    }

    fn view(&self) {}
}

impl Leases {
    /// The token of the lease that this client holds.
    pub fn holds(&self) -> Option<u64> {
        match &self.role {
            Role::Client(client) => client.lease.map(|lease| lease.token),
            _ => None,
        }
    }

    /// Whether this client wants the lease and has none.
    pub fn waits(&self) -> bool {
        matches!(&self.role, Role::Client(client) if client.wish != Wish::Nothing && client.lease.is_none())
    }

    /// On a client: the number of its requests since it started.
    pub fn requests(&self) -> u64 {
        match &self.role {
            Role::Client(client) => client.requests.issued(),
            _ => 0,
        }
    }

    /// On the grantor: the client to which the lease is granted, by the grantor's clock.
    pub fn granted_to(&self) -> Option<NodeId> {
        match &self.role {
            Role::Grantor(grantor) => grantor.granted.map(|(holder, _)| holder),
            _ => None,
        }
    }

    /// On the store: the greatest token that has written.
    pub fn seen(&self) -> Option<u64> {
        match self.role {
            Role::Store { seen } => Some(seen),
            _ => None,
        }
    }
}

fn on_write(seen: &mut u64, from: NodeId, token: u64, config: &Config, cx: &mut Context<'_, Leases>) {
    if token < *seen && config.keeps(Rule::Fencing) {
        cx.emit(Event::Rejected { token, seen: *seen });
        return cx.send(from, Message::Rejected { token: *seen });
    }
    if token > *seen {
        *seen = token;
        cx.persist(Record::Seen(token));
    }
    cx.emit(Event::Stored { token });
    cx.send(from, Message::Written { token });
}

impl Config {
    /// How long a holder believes in its lease, by its own clock, counted from its request.
    pub fn holder_term(&self) -> Duration {
        let drift = if self.keeps(Rule::DriftMargin) { u128::from(self.drift_ppm.min(999_999)) } else { 0 };
        let nanos = self.term.as_nanos() * (1_000_000 - drift) / (1_000_000 + drift);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)).saturating_sub(self.margin)
    }
}

impl Message {
    fn token(&self) -> Option<u64> {
        match *self {
            Message::Acquire { .. } | Message::Busy { .. } => None,
            Message::Extend { token, .. }
            | Message::Granted { token, .. }
            | Message::Release { token }
            | Message::Write { token }
            | Message::Written { token }
            | Message::Rejected { token } => Some(token),
        }
    }
}

impl Default for Config {
    fn default() -> Config {
        let ms = Duration::from_millis;
        let (term, margin, retry, renew_before) = (ms(100), ms(1), ms(20), ms(30));
        Config { term, drift_ppm: 1_000, margin, retry, renew_before, without: None }
    }
}
