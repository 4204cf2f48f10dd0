//! Three-phase commit (Skeen 1981; Bernstein, Hadzilacos and Goodman 1987, 7.5).
//!
//! # The problem
//!
//! Two-phase commit blocks: a participant that voted yes and receives nothing may neither commit, because another node
//! may have voted no, nor abort, because another may have committed. It waits, with its locks, until the coordinator is
//! repaired. Can the living nodes decide without the dead ones?
//!
//! # The idea
//!
//! They can if no node ever commits while a living node is still **uncertain**: then a node that finds only uncertain
//! ones may abort. So between the votes and the commit comes a third phase. The coordinator first informs every node
//! that all voted yes (**pre-commit**), and commits only when every node has acknowledged that, or is dead.
//!
//! When the coordinator is silent for longer than any message takes, it is dead: the system is *synchronous*, and the
//! protocol depends on that. The next participant by id is **elected**, asks the others for their states, and decides
//! (the termination rules TR1 to TR4 of 7.5):
//!
//! | it finds | then |
//! |---|---|
//! | an aborted node | abort |
//! | a committed node | commit |
//! | only uncertain nodes | abort: no node can have committed |
//! | a pre-committed node | pre-commit the uncertain first, then commit |
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Vote-req 1.1`, `Yes`, `No` | as in two-phase commit |
//! | `Pre-commit 1.1`, `Ack` | all voted yes; I know it |
//! | `Commit`, `Abort` | the decision |
//! | `Elect 1.1` | the coordinator is dead; take over |
//! | `State-req 1.1`, `State 1.1 uncertain` | what is your state? |
//! | `Decision-req 1.1`, `Recovering 1.1` | I restarted; what is the outcome? I restarted, too |
//!
//! Without failures 5 rounds and 5n messages for n participants (claim Q-ACP-4); an abort takes 3 rounds, as before.
//!
//! # A run
//!
//! ```text
//!   n1 coordinates                 n2                            n3
//!    |--- Vote-req -------------->|                              |
//!    |--- Vote-req --------------------------------------------->|
//!    |<-------------------- Yes --|                              |
//!    |<--------------------------------------------------- Yes --|
//!    |--- Pre-commit ------------>|                              |
//!    ~ n1 dies                    | pre-committed                ~ uncertain
//!                                 |                              |   3 delays of silence: n1 is dead
//!                                 |<--------------------- Elect --|
//!                                 |--- State-req ---------------->|
//!                                 |<---------- State uncertain ---|
//!                                 |--- Pre-commit --------------->| pre-committed
//!                                 |<----------------------- Ack --|
//!                                 |--- Commit ------------------->|
//! ```
//!
//! # Why it is safe
//!
//! *No living node is uncertain when a node commits.* A coordinator that commits has sent a pre-commit to all nodes and
//! waited for their acknowledgements, or for longer than those take; a node that has not answered is dead. So a later
//! coordinator finds no uncertain node beside a committed one, dead or alive, and its rules lead to the same decision:
//! if a node committed, all nodes that it finds are pre-committed or committed. If a node aborted, only a coordinator
//! that found no aborted node makes others pre-commit; and it would have found that one, since a living node answers in
//! time.
//!
//! *Two never coordinate at once*, because a node that is silent for the time-out is dead, and the ids determine the
//! next. The time-outs, in multiples of [`Config::delay`]: an answer takes two; a node that serves its coordinator
//! hears from it within three (it may collect for two, and a message takes one more); a node that asked another to take
//! over hears from it within two.
//!
//! A node that restarts does not take part in what it missed: it asks for the outcome. If *every* node crashed, and
//! none had persisted a decision, none was ever announced; then the transaction is aborted.
//!
//! # Caveats
//!
//! - **It is not safe in an asynchronous world, nor across a partition.** Textbooks call it "non-blocking"; this is
//!   true for node crashes, reliable links and known bounds on delay, and only then. Partition the network between a
//!   pre-committed and an uncertain node, and each side believes the other to be dead: one commits, the other aborts.
//!   Try `volvox lab run three-phase-commit --fault 'partition 1,2|3 @ 40ms' --diagram`. A late message has the same
//!   effect as a partition. That is why databases prefer to block, or replicate the coordinator.
//! - A decision is accepted from any member.
//! - A transaction's name is safe without a count of boots: the coordinator persists it before it asks, so a restart
//!   finds every name that any node has seen. That costs the write that two-phase commit saves.
//! - Outcomes are kept for the last [`OUTCOMES_MAX`] transactions, and the log is not truncated.
//!
//! # References
//!
//! - D. Skeen: *Nonblocking commit protocols*, SIGMOD 1981.
//! - P. Bernstein, V. Hadzilacos, N. Goodman: *Concurrency control and recovery in database systems*, 1987, section 7.5:
//!   the protocol, termination rules, election by name, costs; total failure.
//! - D. Skeen, M. Stonebraker: *A formal model of crash recovery in a distributed system*, 1983: no protocol survives
//!   partitions without blocking.

mod coordinator;
mod message;
mod participant;
mod properties;

pub use crate::transaction::{Command, Event, History};
pub use message::{Message, Phase, Record, Timer};
pub use properties::properties;

use crate::transaction::{Content, Decision, Transaction};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use volvox_core::{Context, Duration, NodeId, Process, Restored, Serial, rules};

/// The most transactions in progress at one coordinator; more are refused.
pub const UNDER_WAY_MAX: usize = 64;

/// The most outcomes that a node remembers.
pub const OUTCOMES_MAX: usize = 1_024;

/// The configuration, fixed for the life of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// The bound on message delay, including the write that a message waits for.
    pub delay: Duration,
    /// The rule to remove, to see what it is for.
    pub without: Option<Rule>,
}

impl Default for Config {
    fn default() -> Config {
        Config { delay: Duration::from_millis(20), without: None }
    }
}

rules! {
    /// The removable rules.
    pub enum Rule of Config;
    PreCommit = "pre-commit": "every node learns that all voted yes before any commits" /
        "living nodes abort what a dead node committed",
    Acks = "acks": "the coordinator commits only when every node has learned it" /
        "it commits while a node is still uncertain",
    Again = "again": "a new coordinator makes the uncertain nodes pre-commit before it commits" /
        "two crashes leave an uncertain node beside a committed one",
    Unanimity = "unanimity": "the coordinator proceeds when all have voted yes" / "it commits at the first yes",
}

/// One node: the first member is the coordinator, the others are participants.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ThreePhase {
    id: NodeId,
    config: Config,
    members: BTreeSet<NodeId>,
    /// The last transaction that this node began.
    last_number: u64,
    parts: BTreeMap<Transaction, Part>,
    /// The number up to which outcomes may have been discarded.
    forgotten: Option<Serial>,
    refuses_next: bool,
}

/// A node's knowledge about a transaction.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Part {
    phase: Phase,
    content: Content,
    /// Its current coordinator. All nodes before that one, by id, are dead.
    coordinator: NodeId,
    /// The answers that it collects while it is the coordinator.
    collecting: Option<Collecting>,
    /// If it crashed meanwhile: the other nodes that did, as far as it knows.
    recovering: Option<BTreeSet<NodeId>>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Collecting {
    Votes { missing: BTreeSet<NodeId> },
    Acks { missing: BTreeSet<NodeId> },
    States { missing: BTreeSet<NodeId>, known: BTreeMap<NodeId, Phase> },
}

impl Process for ThreePhase {
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;
    type Command = Command;
    type Event = Event;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> ThreePhase {
        ThreePhase {
            id,
            config: *config,
            members: members.iter().copied().collect(),
            last_number: 0,
            parts: BTreeMap::new(),
            forgotten: None,
            refuses_next: false,
        }
    }

    fn on_restore(&mut self, restored: Restored<Record>) {
        let Restored::Record { record, .. } = restored else { return };
        match record {
            Record::Entered(transaction, content) => {
                if transaction.origin == self.id {
                    self.last_number = self.last_number.max(transaction.number.count);
                }
                let mut part = Part::uncertain(transaction, content);
                part.recovering = Some(BTreeSet::new());
                self.keep(transaction, part);
            }
            Record::Decided(transaction, decision) => self.keep(transaction, Part::decided(transaction, decision)),
        }
    }

    fn on_start(&mut self, cx: &mut Context<'_, ThreePhase>) {
        // Records from before the crash may not have been announced.
        let missed: Vec<Transaction> = self.undecided().collect();
        for transaction in missed {
            self.tell_entered(transaction, cx);
            self.ask_how_it_ended(transaction, cx);
        }
        for (transaction, part) in &self.parts {
            if let Phase::Decided(decision) = part.phase {
                cx.emit(Event::Decided(*transaction, decision));
            }
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, ThreePhase>) {
        let transaction = message.transaction();
        let is_begun_by_first = self.members.first() == Some(&transaction.origin);
        if !self.members.contains(&from) || !is_begun_by_first {
            return cx.note("ignored: from or about an unknown node", from.0);
        }
        if Some(transaction.number) <= self.forgotten && !self.parts.contains_key(&transaction) {
            return cx.note("ignored: about a discarded transaction", from.0);
        }
        match message {
            Message::VoteReq(_, content) => self.on_vote_req(from, transaction, content, cx),
            Message::Vote(_, vote) => self.on_vote(from, transaction, vote, cx),
            Message::PreCommit(_) => self.on_pre_commit(from, transaction, cx),
            Message::Ack(_) => self.on_ack(from, transaction, cx),
            Message::Decision(_, decision) => self.decide(transaction, decision, cx),
            Message::Elect(_) => self.on_elect(from, transaction, cx),
            Message::StateReq(_) => self.on_state_req(from, transaction, cx),
            Message::State(_, phase) => self.on_state(from, transaction, phase, cx),
            Message::DecisionReq(_) => self.on_decision_req(from, transaction, cx),
            Message::Recovering(_) => self.on_recovering(from, transaction, cx),
        }
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut Context<'_, ThreePhase>) {
        match timer {
            Timer::Answers(transaction) => self.on_answers_due(transaction, cx),
            Timer::Silence(transaction) => self.suspect_coordinator(transaction, cx),
            Timer::Recovery(transaction) => self.ask_how_it_ended(transaction, cx),
        }
    }

    fn on_command(&mut self, command: Command, cx: &mut Context<'_, ThreePhase>) {
        match command {
            Command::Refuse => self.refuses_next = true,
            Command::Begin if self.is_first() => self.begin(Content::default(), cx),
            Command::BeginWith(content) if self.is_first() => self.begin(content, cx),
            Command::Begin | Command::BeginWith(_) => cx.note("the first node begins", 0),
        }
    }

    fn view(&self) {}
}

impl ThreePhase {
    /// The transactions in which this node takes part and whose outcome it does not know.
    pub fn undecided(&self) -> impl Iterator<Item = Transaction> + '_ {
        let open = self.parts.iter().filter(|(_, part)| !matches!(part.phase, Phase::Decided(_)));
        open.map(|(transaction, _)| *transaction)
    }

    /// The state of a transaction at this node.
    pub fn phase(&self, transaction: Transaction) -> Option<Phase> {
        self.parts.get(&transaction).map(|part| part.phase)
    }

    /// Whether this node coordinates a transaction, as the first coordinator or an elected one.
    pub fn is_coordinating(&self) -> bool {
        self.parts.values().any(|part| part.collecting.is_some())
    }

    fn is_first(&self) -> bool {
        self.members.first() == Some(&self.id)
    }

    /// All but the first member.
    fn participants(&self) -> BTreeSet<NodeId> {
        self.members.iter().copied().skip(1).collect()
    }

    /// The others that are not dead as far as this node knows while it coordinates: all after it.
    fn behind(&self) -> BTreeSet<NodeId> {
        self.members.iter().copied().filter(|node| *node > self.id).collect()
    }

    /// Adds a transaction, and discards the oldest finished one when there is no more room.
    fn keep(&mut self, transaction: Transaction, part: Part) {
        self.parts.insert(transaction, part);
        while self.parts.len() > OUTCOMES_MAX {
            let is_over = |part: &Part| matches!(part.phase, Phase::Decided(_));
            let Some(oldest) = self.parts.iter().find(|(_, part)| is_over(part)).map(|(oldest, _)| *oldest) else {
                return;
            };
            self.parts.remove(&oldest);
            self.forgotten = self.forgotten.max(Some(oldest.number));
        }
    }
}

impl Part {
    fn uncertain(transaction: Transaction, content: Content) -> Part {
        Part { phase: Phase::Uncertain, content, coordinator: transaction.origin, collecting: None, recovering: None }
    }

    fn decided(transaction: Transaction, decision: Decision) -> Part {
        // A finished transaction needs no content: every participant bound to it has announced it.
        Part { phase: Phase::Decided(decision), ..Part::uncertain(transaction, Content::default()) }
    }
}

impl ThreePhase {
    /// The state of the newest transaction in one word.
    pub fn newest(&self) -> &'static str {
        match self.parts.last_key_value() {
            Some((_, part)) if part.recovering.is_some() => "recovering",
            Some((_, part)) => part.phase.word(),
            None => "",
        }
    }
}
