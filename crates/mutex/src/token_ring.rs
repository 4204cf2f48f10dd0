//! Mutual exclusion by a token that goes round (Le Lann 1977).
//!
//! # The problem
//!
//! N nodes share something that only one at a time may use. If there is one *token* only, and the node that has it may enter,
//! one at a time is inside, without any further word. But a token can get lost, with a message or with the node that holds
//! it; and a node that makes a new one may find that the old one was only slow.
//!
//! # The idea
//!
//! The nodes form a ring, by their names. The token goes round; the node that has it enters **at most once**, and passes it
//! on. So far this is Le Lann. What follows, but for the claim itself, is of this module.
//!
//! Each token has an **epoch**. A node that misses the token for long sends a *claim* round the ring, with a greater epoch.
//! A node that sees the claim lets go of any older token, *after it has left*, and from then on **refuses older tokens**.
//! When the claim is back, no node holds or takes an older token any more, and its sender makes a new one.
//!
//! What is passed is answered. A neighbour that does not answer, several times, is taken for dead and skipped.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Token e` | the token: you may enter, once |
//! | `Claim e` | I miss it: let go of older ones, pass this on, and I make a new one |
//! | `Received e` | I live, and have what you sent |
//!
//! A wait costs 0 to N-1 passes. An entry costs one pass when all want in, and any number when none does; a pass is two
//! messages, since each is answered.
//!
//! # A run
//!
//! ```text
//!   n1                 n2                 n3
//!   has 1.n1            |                  |
//!    |--- Token 1.n1 ---X  lost            |
//!    |  no answer       |                  |
//!    |--- Claim 2.n1 -->|--- Claim 2.n1 -->|     both now refuse 1.n1
//!    |<------------------ Claim 2.n1 ------|
//!   makes 2.n1          |                  |
//!    |--- Token 2.n1 -->|                  |
//!    |                 entered             |
//! ```
//! (The answers are left out.) Were the token 1.n1 not lost but slow, it would be refused wherever it arrives.
//!
//! # Why it is safe
//!
//! *One token of an epoch.* An epoch has its maker's name in it; the maker writes it down before any node hears of it, so
//! it makes none twice, in no life. A token is never sent again: when it is not answered, a claim is.
//!
//! *Mutual exclusion*, as long as no live node is skipped. When a claim is back, it was at every node. From that moment on
//! each refuses older tokens, also after a crash: **every node that saw the claim wrote its epoch down**, not its maker alone,
//! or one that returns would take the old token that is still under way. And a node that was inside let the claim wait until
//! it had left; of several claims that wait, the greatest goes on, since the others are refused wherever that one was.
//!
//! *No starvation.* A node that misses the token makes one, in the end; a token in the ring comes to every node.
//!
//! # Caveats
//!
//! - **No message arrives twice.** A second copy of a token is a second token; over links that double, run it over
//!   `volvox-channel`.
//! - "The token can get lost" and "make a new one" are not enough: without the epoch, a slow token and a timeout are two
//!   holders (rule `epoch`).
//! - **A live node that is skipped may be inside.** Dead and slow cannot be told apart without a bound on time: with such
//!   a bound (answers come in time) one at a time is inside; without, two may be, with tokens of different epochs. Then
//!   the shared thing must compare them and refuse the older: the epoch is a fencing number ([`crate::leases`]). Two
//!   tokens of *one* epoch there never are.
//! - A node that comes back after a crash is skipped until it misses the token and claims: a claim always visits its sender.
//! - The disk must keep what was written: a node that forgets its epochs may make one twice, or take an older token (rules
//!   `memory` and `memory-of-followers`).
//!
//! # References
//!
//! G. Le Lann: *Distributed systems: towards a formal approach*, IFIP Congress 1977: the ring, the lost token, and a
//! ballot over the ring that makes a new one. E. Chang, R. Roberts: CACM 22(5), 1979, for that ballot.

mod message;
mod properties;

pub use crate::section::{Command, Event, History};
pub use message::{Epoch, Message, Record, Timer};
pub use properties::{one_token_per_epoch, properties};

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use volvox_core::{Context, Duration, NodeId, Process, Restored, rules};

/// A greater epoch is not believed: it would leave no room to count.
const EPOCH_NUMBER_MAX: u64 = 1 << 62;

/// The most entries that may wait at one node.
const WAITING_MAX: u32 = 1_024;

/// What is fixed for the life of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// How long a node stays inside.
    pub stay: Duration,
    /// How long a node that does not want in keeps the token, so that an idle ring does not spin.
    pub rest: Duration,
    /// Within this a live neighbour answers; if not always, [`Config::tries`] makes up for it.
    pub answer_within: Duration,
    /// A claim that is not answered this many times: the neighbour is dead.
    pub tries: u32,
    /// After so long without a token it is lost: longer than the token needs around a ring in which everybody enters.
    pub patience: Duration,
    /// A rule that is taken out, to see what it was for.
    pub without: Option<Rule>,
}

rules! {
    /// The rules that can be taken out.
    pub enum Rule of Config;
    Epoch = "epoch": "a token older than an epoch that is known is refused" / "every token is taken, and two are inside",
    LeaveFirst = "leave-first": "a claim waits until the node inside has left" /
        "the claim goes on at once, and two are inside",
    Memory = "memory": "epochs are remembered over a crash" / "a node makes the same epoch twice",
    MemoryOfFollowers = "memory-of-followers": "the epochs of other nodes' claims are remembered, too" /
        "a node that returns takes an older token",
}

/// One node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TokenRing {
    id: NodeId,
    config: Config,
    /// All nodes, in the order of the ring.
    ring: Vec<NodeId>,
    /// The greatest known; older tokens are refused.
    epoch: Epoch,
    /// The token, while it is here.
    token: Option<Epoch>,
    inside: bool,
    /// A claim that waits until this node has left.
    waiting_claim: Option<Epoch>,
    /// Whether this node's claim, of [`TokenRing::epoch`], is on its way round.
    claiming: bool,
    /// What was sent to the neighbour and not answered.
    unanswered: Option<Unanswered>,
    /// Who did not answer, and was not heard from since.
    dead: BTreeSet<NodeId>,
    /// Entries that were asked for.
    waiting: u32,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Unanswered {
    to: NodeId,
    message: Message,
    tries: u32,
}

impl Process for TokenRing {
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;
    type Command = Command;
    type Event = Event;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> TokenRing {
        let ring: BTreeSet<NodeId> = members.iter().copied().chain([id]).collect();
        TokenRing {
            id,
            config: *config,
            ring: ring.into_iter().collect(),
            epoch: Epoch::default(),
            token: None,
            inside: false,
            waiting_claim: None,
            claiming: false,
            unanswered: None,
            dead: BTreeSet::new(),
            waiting: 0,
        }
    }

    fn on_restore(&mut self, restored: Restored<Record>) {
        if let Restored::Record { record: Record::Known { epoch }, .. } = restored
            && self.remembers(epoch)
        {
            self.epoch = self.epoch.max(epoch);
        }
    }

    fn on_start(&mut self, cx: &mut Context<'_, Self>) {
        cx.emit(Event::Started);
        // The first token is made by the first of the ring, in its first life.
        if self.epoch == Epoch::default() && self.ring.first() == Some(&self.id) {
            let first = self.next_epoch();
            self.adopt(first, cx);
            self.take(first, cx);
        } else {
            cx.set_timer(Timer::Missing, self.config.patience);
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        let epoch = message.epoch();
        if !self.ring.contains(&from) || !self.ring.contains(&epoch.by) || epoch.number > EPOCH_NUMBER_MAX {
            return cx.note("ignored: from or of no member, or an epoch beyond belief", from.0);
        }
        self.dead.remove(&from);
        match message {
            Message::Token { epoch } => self.on_token(from, epoch, cx),
            Message::Claim { epoch } => self.on_claim(from, epoch, cx),
            Message::Received { epoch } => self.on_received(from, epoch, cx),
        }
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut Context<'_, Self>) {
        match timer {
            Timer::Leave => self.on_leave(cx),
            Timer::Rest => self.pass_on(cx),
            Timer::Unanswered => self.on_unanswered(cx),
            Timer::Missing => self.claim(cx),
        }
    }

    fn on_command(&mut self, Command::Enter: Command, cx: &mut Context<'_, Self>) {
        if self.waiting >= WAITING_MAX {
            return cx.note("refused: too many entries wait", u64::from(self.waiting));
        }
        cx.emit(Event::Asked);
        self.waiting += 1;
        if self.token.is_some() && !self.inside {
            self.enter(cx);
        }
    }

    fn view(&self) {}
}

impl TokenRing {
    /// Whether it is in the critical section.
    pub fn is_inside(&self) -> bool {
        self.inside
    }

    /// Whether it asked and is not inside yet.
    pub fn is_waiting(&self) -> bool {
        self.waiting > 0 && !self.inside
    }

    /// The token, while it is here.
    pub fn token(&self) -> Option<Epoch> {
        self.token
    }

    /// Whether it misses the token and claims to make a new one.
    pub fn is_claiming(&self) -> bool {
        self.claiming
    }

    /// The greatest epoch that it knows, or has yet to follow once it has left.
    pub fn newest(&self) -> Epoch {
        self.waiting_claim.unwrap_or_default().max(self.epoch)
    }

    /// Whether this claim waits until it has left.
    pub fn is_held_up_by(&self, claim: Epoch) -> bool {
        self.waiting_claim == Some(claim)
    }

    fn on_token(&mut self, from: NodeId, epoch: Epoch, cx: &mut Context<'_, Self>) {
        cx.send(from, Message::Received { epoch });
        if epoch < self.epoch && self.config.keeps(Rule::Epoch) {
            return cx.note("refused: a token of an old epoch", epoch.number);
        }
        if epoch > self.epoch {
            self.adopt(epoch, cx);
        }
        self.take(epoch, cx);
    }

    fn take(&mut self, epoch: Epoch, cx: &mut Context<'_, Self>) {
        self.token = Some(epoch);
        self.claiming = false;
        self.unanswered = None;
        cx.cancel_timer(Timer::Unanswered);
        cx.cancel_timer(Timer::Missing);
        // Inside is only who was skipped though it lives: it goes on with the newer token.
        if self.waiting > 0 && !self.inside {
            self.enter(cx);
        } else if !self.inside {
            cx.set_timer(Timer::Rest, self.config.rest);
        }
    }

    fn enter(&mut self, cx: &mut Context<'_, Self>) {
        self.waiting -= 1;
        self.inside = true;
        cx.cancel_timer(Timer::Rest);
        cx.emit(Event::Entered);
        cx.set_timer(Timer::Leave, self.config.stay);
    }

    fn on_leave(&mut self, cx: &mut Context<'_, Self>) {
        assert!(self.inside, "{} leaves, and is not inside", self.id);
        self.inside = false;
        cx.emit(Event::Left);
        match self.waiting_claim.take() {
            Some(claim) if claim > self.epoch => self.follow(claim, cx),
            _ => self.pass_on(cx),
        }
    }

    fn pass_on(&mut self, cx: &mut Context<'_, Self>) {
        let Some(epoch) = self.token else { return };
        let Some(next) = self.next(self.id) else {
            return cx.set_timer(Timer::Rest, self.config.rest);
        };
        self.token = None;
        cx.set_timer(Timer::Missing, self.config.patience);
        self.transmit(Unanswered { to: next, message: Message::Token { epoch }, tries: 1 }, cx);
    }

    fn transmit(&mut self, what: Unanswered, cx: &mut Context<'_, Self>) {
        cx.send(what.to, what.message);
        cx.set_timer(Timer::Unanswered, self.config.answer_within);
        self.unanswered = Some(what);
    }

    fn on_received(&mut self, from: NodeId, epoch: Epoch, cx: &mut Context<'_, Self>) {
        let awaited = self.unanswered.as_ref();
        if awaited.is_some_and(|what| what.to == from && what.message.epoch() == epoch) {
            self.unanswered = None;
            cx.cancel_timer(Timer::Unanswered);
        }
    }

    /// A token is never sent again: it may have arrived, and its answer be lost. A new epoch settles it.
    fn on_unanswered(&mut self, cx: &mut Context<'_, Self>) {
        let Some(Unanswered { to, message, tries }) = self.unanswered.take() else { return };
        match message {
            Message::Claim { epoch } if epoch == self.epoch && tries < self.config.tries => {
                self.transmit(Unanswered { to, message, tries: tries + 1 }, cx);
            }
            Message::Claim { epoch } if epoch == self.epoch => {
                cx.note("taken for dead", to.0);
                self.dead.insert(to);
                self.send_round(epoch, cx);
            }
            Message::Token { epoch } if epoch == self.epoch => self.claim(cx),
            _ => {}
        }
    }

    fn claim(&mut self, cx: &mut Context<'_, Self>) {
        assert!(self.token.is_none(), "{} claims what it has", self.id);
        if self.inside {
            // Only where a rule was taken out: it let go of its token before it left.
            return cx.set_timer(Timer::Missing, self.config.patience);
        }
        let epoch = self.next_epoch();
        self.adopt(epoch, cx);
        self.claiming = true;
        self.send_round(epoch, cx);
    }

    fn on_claim(&mut self, from: NodeId, epoch: Epoch, cx: &mut Context<'_, Self>) {
        cx.send(from, Message::Received { epoch });
        self.dead.remove(&epoch.by);
        if epoch == self.epoch && epoch.by == self.id && self.claiming {
            self.take(epoch, cx);
        } else if epoch <= self.epoch {
            cx.note("ignored: a claim of an epoch that is known", epoch.number);
        } else if self.inside && self.config.keeps(Rule::LeaveFirst) {
            self.waiting_claim = self.waiting_claim.max(Some(epoch));
        } else {
            self.follow(epoch, cx);
        }
    }

    fn follow(&mut self, claim: Epoch, cx: &mut Context<'_, Self>) {
        self.adopt(claim, cx);
        self.send_round(claim, cx);
    }

    /// From here on older tokens are refused, and the one that is here is let go.
    fn adopt(&mut self, epoch: Epoch, cx: &mut Context<'_, Self>) {
        assert!(epoch > self.epoch, "{epoch} is no progress from {}", self.epoch);
        self.epoch = epoch;
        cx.persist(Record::Known { epoch });
        self.token = None;
        self.claiming = false;
        cx.cancel_timer(Timer::Rest);
        cx.set_timer(Timer::Missing, self.config.patience);
    }

    /// Sends a claim to the next of the ring; where there is nobody else, it is back already.
    fn send_round(&mut self, epoch: Epoch, cx: &mut Context<'_, Self>) {
        match self.next(epoch.by) {
            Some(to) => self.transmit(Unanswered { to, message: Message::Claim { epoch }, tries: 1 }, cx),
            None => self.take(epoch, cx),
        }
    }

    /// The next of the ring that is not taken for dead; `alive` certainly is not.
    fn next(&self, alive: NodeId) -> Option<NodeId> {
        let after = self.ring.iter().filter(|node| **node > self.id);
        let before = self.ring.iter().filter(|node| **node < self.id);
        after.chain(before).copied().find(|node| *node == alive || !self.dead.contains(node))
    }

    fn remembers(&self, epoch: Epoch) -> bool {
        match self.config.without {
            Some(Rule::Memory) => false,
            Some(Rule::MemoryOfFollowers) => epoch.by == self.id,
            _ => true,
        }
    }

    fn next_epoch(&self) -> Epoch {
        Epoch { number: self.epoch.number + 1, by: self.id }
    }
}

impl Default for Config {
    fn default() -> Config {
        let ms = Duration::from_millis;
        Config { stay: ms(10), rest: ms(20), answer_within: ms(15), tries: 3, patience: ms(300), without: None }
    }
}
