//! Mutual exclusion by a circulating token (Le Lann 1977).
//!
//! # The problem
//!
//! N nodes share a resource that only one at a time may use. If there is only one *token*, and only the node that has
//! it may enter, at most one node is inside, without any further message. But a token can get lost, with a message or
//! with the node that holds it; and a node that creates a new one may find that the old one was only slow.
//!
//! # The idea
//!
//! The nodes form a ring, by their names. The token circulates; the node that has it enters **at most once**, and
//! passes it on. So far this is Le Lann. The rest, except for the claim itself, is this module's.
//!
//! Each token has an **epoch**. A node that has missed the token for too long sends a *claim* round the ring, with a
//! greater epoch. A node that sees the claim discards any older token, *after it has left*, and from then on **refuses
//! older tokens**. When the claim returns, no node holds or accepts an older token any more, and its sender creates a
//! new one.
//!
//! Every message is acknowledged. A neighbour that repeatedly does not answer is believed to be dead, and skipped.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Token e` | the token: you may enter, once |
//! | `Claim e` | I miss it: discard older ones, forward this, and I create a new one |
//! | `Received e` | I am alive, and received what you sent |
//!
//! A wait costs 0 to N-1 passes. An entry costs one pass when all nodes want to enter, and any number when none does; a
//! pass is two messages, since each is acknowledged.
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
//! (The acknowledgements are omitted.) If the token 1.n1 were not lost but slow, every node would refuse it.
//!
//! # Why it is safe
//!
//! *One token per epoch.* An epoch contains its creator's name; the creator persists it before any node learns of it,
//! so it never creates one twice, even after a crash. A token is never retransmitted: if it is not acknowledged, a
//! claim is sent.
//!
//! *Mutual exclusion*, as long as no live node is skipped. A claim that returns has visited every node. From that
//! moment on each refuses older tokens, even after a crash: **every node that saw the claim wrote its epoch down**, not
//! only its creator; otherwise a node that restarts would accept the old token that is still in flight. And a node that
//! was inside held the claim until it had left; of several waiting claims the greatest is forwarded, since nodes that
//! it has visited refuse the others.
//!
//! *No starvation.* A node that misses the token eventually creates one; a token in the ring reaches every node.
//!
//! # Caveats
//!
//! - **No message may arrive twice.** A second copy of a token is a second token; where links duplicate messages, run
//!   it over `volvox-channel`.
//! - "Create a new one" is not enough when a token gets lost: without the epoch, a slow token and a timeout lead to two
//!   holders (rule `epoch`).
//! - **A live node that is skipped may be inside.** Dead and slow cannot be told apart without a bound on time: with
//!   such a bound (answers arrive in time) at most one node is inside; without it two may be, with tokens of different
//!   epochs. Then the shared resource must compare them and refuse the older: the epoch is a fencing token
//!   ([`crate::leases`]). There are never two tokens of *one* epoch.
//! - A node that restarts after a crash is skipped until it misses the token and claims: a claim always visits its
//!   sender.
//! - The disk must keep what was written: a node that forgets its epochs may create one twice, or accept an older token
//!   (rules `memory` and `memory-of-followers`).
//!
//! # References
//!
//! G. Le Lann: *Distributed systems: towards a formal approach*, IFIP Congress 1977: the ring, the lost token, and a
//! ballot over the ring that creates a new one. E. Chang, R. Roberts: CACM 22(5), 1979, for that ballot.

mod message;
mod properties;

pub use crate::section::{Command, Event, History};
pub use message::{Epoch, Message, Record, Timer};
pub use properties::{one_token_per_epoch, properties};

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use volvox_core::{Context, Duration, NodeId, Process, Restored, rules};

/// The greatest epoch that is accepted: a greater one would leave no room to count.
const EPOCH_NUMBER_MAX: u64 = 1 << 62;

/// The most entries that may wait at one node.
const WAITING_MAX: u32 = 1_024;

/// The configuration, fixed for the life of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// How long a node stays inside.
    pub stay: Duration,
    /// How long a node that does not want to enter keeps the token, so that an idle ring does not spin.
    pub rest: Duration,
    /// The time within which a live neighbour answers, if not always; [`Config::tries`] compensates.
    pub answer_within: Duration,
    /// The number of unanswered claims after which the neighbour is believed to be dead.
    pub tries: u32,
    /// The time without a token after which it is believed to be lost: longer than one round in which every node
    /// enters.
    pub patience: Duration,
    /// A rule to remove, to see what it is for.
    pub without: Option<Rule>,
}

rules! {
    /// The removable rules.
    pub enum Rule of Config;
    Epoch = "epoch": "a token older than a known epoch is refused" / "every token is accepted, and two nodes are inside",
    LeaveFirst = "leave-first": "a claim waits until the node inside has left" /
        "the claim is forwarded at once, and two nodes are inside",
    Memory = "memory": "epochs survive a crash" / "a node creates the same epoch twice",
    MemoryOfFollowers = "memory-of-followers": "the epochs of other nodes' claims survive a crash, too" /
        "a node that restarts accepts an older token",
}

/// One node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TokenRing {
    id: NodeId,
    config: Config,
    /// All nodes, in the order of the ring.
    ring: Vec<NodeId>,
    /// The greatest known epoch; older tokens are refused.
    epoch: Epoch,
    /// The token, while this node has it.
    token: Option<Epoch>,
    inside: bool,
    /// A claim that waits until this node has left.
    waiting_claim: Option<Epoch>,
    /// Whether this node's claim, with [`TokenRing::epoch`], is circulating.
    claiming: bool,
    /// The message that was sent to the neighbour and not acknowledged.
    unanswered: Option<Unanswered>,
    /// The nodes that did not answer, and have been silent since.
    dead: BTreeSet<NodeId>,
    /// Requested entries.
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
        // The first node of the ring creates the first token, in its first boot.
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
            return cx.note("ignored: not of a member, or epoch out of range", from.0);
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
    /// Whether this node is in the critical section.
    pub fn is_inside(&self) -> bool {
        self.inside
    }

    /// Whether this node has asked and is not inside yet.
    pub fn is_waiting(&self) -> bool {
        self.waiting > 0 && !self.inside
    }

    /// The token, while this node has it.
    pub fn token(&self) -> Option<Epoch> {
        self.token
    }

    /// Whether this node misses the token and claims to create a new one.
    pub fn is_claiming(&self) -> bool {
        self.claiming
    }

    /// The greatest epoch that this node knows, or will adopt once it has left.
    pub fn newest(&self) -> Epoch {
        self.waiting_claim.unwrap_or_default().max(self.epoch)
    }

    /// Whether this claim waits until the node has left.
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
        // Only a live node that was skipped can be inside here: it continues with the newer token.
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

    /// A token is never retransmitted: it may have arrived, and its acknowledgement be lost. A new epoch resolves this.
    fn on_unanswered(&mut self, cx: &mut Context<'_, Self>) {
        let Some(Unanswered { to, message, tries }) = self.unanswered.take() else { return };
        match message {
            Message::Claim { epoch } if epoch == self.epoch && tries < self.config.tries => {
                self.transmit(Unanswered { to, message, tries: tries + 1 }, cx);
            }
            Message::Claim { epoch } if epoch == self.epoch => {
                cx.note("believed to be dead", to.0);
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
            // Only if a rule was removed: the node discarded its token before it left.
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

    /// From here on older tokens are refused, and this node's token is discarded.
    fn adopt(&mut self, epoch: Epoch, cx: &mut Context<'_, Self>) {
        assert!(epoch > self.epoch, "{epoch} is not above {}", self.epoch);
        self.epoch = epoch;
        cx.persist(Record::Known { epoch });
        self.token = None;
        self.claiming = false;
        cx.cancel_timer(Timer::Rest);
        cx.set_timer(Timer::Missing, self.config.patience);
    }

    /// Sends a claim to the next node of the ring; if there is no other node, the claim has already returned.
    fn send_round(&mut self, epoch: Epoch, cx: &mut Context<'_, Self>) {
        match self.next(epoch.by) {
            Some(to) => self.transmit(Unanswered { to, message: Message::Claim { epoch }, tries: 1 }, cx),
            None => self.take(epoch, cx),
        }
    }

    /// The next node of the ring that is not believed to be dead; `alive` certainly is not.
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
