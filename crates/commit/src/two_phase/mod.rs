//! Two-phase commit with recovery (Gray 1978; Bernstein, Hadzilacos and Goodman 1987, chapter 7).
//!
//! # The problem
//!
//! A transfer takes money from an account on one node and puts it into an account on another. Both must happen, or
//! neither, even if a node crashes halfway and restarts, and if messages are lost. Each node can do its part, or undo
//! it, by itself; but no node knows by itself what the others do. "Just do it, everywhere" fails at the first crash
//! between two sends.
//!
//! # The idea
//!
//! First ask, then decide. In the **first phase** the coordinator asks every participant whether it *can* commit. A
//! participant that says yes has persisted all that it needs to commit, even after a crash, and gives up its right to
//! abort unilaterally: it is **uncertain** from now on. In the **second phase** the coordinator decides, commit if all
//! said yes and abort otherwise, persists the decision, and announces it. The transaction is committed at the moment at
//! which "committed" is on the coordinator's disk.
//!
//! The records on the disk determine what happens after a crash:
//!
//! | in the log | action |
//! |---|---|
//! | coordinator: begun, no more | abort. *Presumed abort*: an abort needs no record of its own |
//! | coordinator: committed | commit: tell the participants that have not acknowledged |
//! | coordinator: committed, ended | none: all participants know |
//! | participant: nothing | it may abort, since it has not voted |
//! | participant: prepared | ask: it is uncertain |
//! | participant: decided | none |
//!
//! A participant that is uncertain for too long asks all nodes, not only the coordinator: **cooperative termination**.
//! A node that knows the decision replies with it. A participant that has not voted aborts, which then is the decision.
//! One that is uncertain itself does not reply. If all are uncertain and the coordinator is dead, they wait: two-phase
//! commit **blocks**. No protocol that survives partitions avoids that (Skeen and Stonebraker 1983); three-phase commit
//! avoids it by relying on bounds on delay.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Vote-req 1.3 (30)` | can you commit the third transaction of node 1, whose content is 30? |
//! | `Yes`, `No` | I can, and am bound by it; I cannot |
//! | `Begin 2.1 (30)` | a participant begins a transaction, and votes yes on it |
//! | `Commit`, `Abort` | the decision |
//! | `Ack` | I have persisted the commit; forget me |
//! | `Decision-req` | I voted yes and do not know the outcome; do you? |
//!
//! Without failures it takes three rounds and 3n messages for n participants, not counting acknowledgements (claim
//! Q-ACP-1). A participant may begin a transaction itself: its `Begin` is its yes, and one request is saved (Gray and
//! Lamport 2006, section 3.2; claim Q-ACP-5). The coordinator may also be a participant, with [`Config::is_colocated`].
//!
//! # A run
//!
//! ```text
//!   n1 coordinates                 n2                            n3
//!   begin 1.1
//!    |--- Vote-req 1.1 ----------->|                             |
//!    |--- Vote-req 1.1 ------------------------------------------>|
//!    |                             | writes: prepared            | writes: prepared
//!    |<----------------- Yes 1.1 --|                             |
//!    |<------------------------------------------------ Yes 1.1 --|
//!    | writes: committed           |                             |   from here on it is committed
//!    |--- Commit 1.1 ------------->|                             |
//!    |--- Commit 1.1 -----X        | writes: decided commit      |   lost
//!    |<----------------- Ack 1.1 --|                             |
//!    ~  n1 dies                    ~                             ~   n3 is uncertain, and waits
//!                                  |<---------- Decision-req 1.1 --|
//!                                  |--- Commit 1.1 -------------->| writes: decided commit
//! ```
//!
//! # Why it is safe
//!
//! *AC3.* The coordinator writes "committed" only when every participant's yes has arrived, and no other node decides
//! to commit: all other commits are repetitions of its decision.
//!
//! *AC1.* Suppose a node aborts a committed transaction. That node is the coordinator, which presumes abort; or a
//! participant that has not voted yes; or a node that received the abort from another. The coordinator presumes abort
//! only while "committed" is not on its disk, and once it has announced an abort it never begins that transaction
//! again: "begun" is on its disk before. A participant that aborts without having voted persists that before it
//! replies, and never votes yes afterwards, so not all vote yes. A participant that voted yes has "prepared" on its
//! disk before the yes leaves, and so knows it after every crash. And the coordinator forgets a commit, after which it
//! would presume abort, only when no participant is left that could ask.
//!
//! *All nodes that commit a transaction commit the same content.* A participant is bound to a name, and votes yes again
//! when it is asked about that name again. So no two transactions may have one name. The request leaves before "begun"
//! is on the coordinator's disk, and a crash in between leaves no trace of the transaction except a participant that is
//! bound to it. Numbers that continued after the last one in the log would reuse its name for the next transaction: the
//! participant, asked about content 2, says yes for content 1, and all votes are complete (script
//! `01-one-name-for-two`). So a name is a [`Serial`]: its boot was counted on the disk before the process started, and
//! a later boot cannot reuse it. That is enough, and no block of numbers is reserved on the disk, because the
//! coordinator promises nothing by a name. Every transaction that an earlier boot began and did not commit is aborted,
//! whether or not a record of it is left: a participant that is bound to a lost name asks, and the coordinator, which
//! finds no commit, answers with an abort and never begins that name again.
//!
//! *Termination*: all decide once the uncertain participants and either the coordinator or a node that knows the
//! decision are up and connected for long enough.
//!
//! # Caveats
//!
//! - **It blocks.** The window is from a participant's yes to the decision's arrival: two message delays and one write.
//!   A coordinator that crashes within it blocks all participants, with all their locks, until it is repaired (claim
//!   Q-ACP-7). Where that is unacceptable, replicate the coordinator: Paxos Commit, or decisions in a log of Raft.
//! - Outcomes are kept for the last [`OUTCOMES_MAX`] transactions. About older ones a participant does not reply, and
//!   votes no; then only the coordinator helps an uncertain participant.
//! - Presumed abort, as in R*, writes nothing before the commit record. Here "begun" is written, and an abort waits for
//!   it. Since names are never reused, the coordinator's own transactions do not need that record; those that a
//!   participant begins do: after an announced abort, a late `Begin` that arrives after a crash must be refused.
//! - A coordinator whose disk is lost has lost its commits, and its count of boots with them: it is not covered.
//! - The log is not truncated. A store that runs this would put the two tables into its checkpoints.
//! - Each rule of [`Rule`] can be removed, to see what it is for.
//!
//! # References
//!
//! - J. Gray: *Notes on data base operating systems*, 1978, section 5.8.3.3.
//! - P. Bernstein, V. Hadzilacos, N. Goodman: *Concurrency control and recovery in database systems*, 1987, sections 7.3
//!   (the problem), 7.4 (the protocol, cooperative termination, records, costs).
//! - C. Mohan, B. Lindsay, R. Obermarck: *Transaction management in the R\* distributed database management system*, TODS
//!   11(4), 1986, section 3: presumed abort.
//! - J. Gray, L. Lamport: *Consensus on transaction commit*, TODS 31(1), 2006, section 3.
//! - D. Skeen, M. Stonebraker: *A formal model of crash recovery in a distributed system*, 1983.

mod coordinator;
mod message;
mod participant;
mod properties;

pub use crate::transaction::{Command, Event, History};
pub use message::{Message, Record, Timer};
pub use properties::properties;

use crate::transaction::{Content, Decision, Transaction, Vote};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use volvox_core::{Boot, Context, Duration, NodeId, Position, Process, Restored, Serial, Serials, rules};

/// The most transactions in progress at one coordinator; more are refused.
pub const UNDER_WAY_MAX: usize = 64;

/// The most outcomes that a participant keeps.
pub const OUTCOMES_MAX: usize = 1_024;

/// The configuration, fixed for the life of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// How long the coordinator waits for votes before it aborts.
    pub vote_timeout: Duration,
    /// How long a participant is uncertain before it asks, and asks again.
    pub decision_timeout: Duration,
    /// How long the coordinator waits for acknowledgements before it resends the decision.
    pub ack_timeout: Duration,
    /// Whether the coordinator is a participant.
    pub is_colocated: bool,
    /// A rule to remove, to see what it is for.
    pub without: Option<Rule>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            vote_timeout: Duration::from_millis(60),
            decision_timeout: Duration::from_millis(80),
            ack_timeout: Duration::from_millis(200),
            is_colocated: false,
            without: None,
        }
    }
}

rules! {
    /// The removable rules.
    pub enum Rule of Config;
    Prepared = "prepared": "a participant persists that it is prepared before it votes yes" /
        "a restart forgets the promise",
    Committed = "committed": "the coordinator persists a commit before it sends it" /
        "a restart presumes abort",
    Unanimity = "unanimity": "the coordinator commits when all have voted yes" / "it commits at the first yes",
    Uncertain = "uncertain": "a participant that voted yes does not decide unilaterally" / "its timeout ends in an abort",
    Refusal = "refusal": "a participant that aborted never votes yes later" / "a late request is answered with yes",
    Acknowledged = "acknowledged": "the coordinator forgets a commit when all have acknowledged it" /
        "the last participant to ask hears abort",
    Unique = "unique": "no name is used twice, even after a crash" /
        "numbers continue after the last one in the log, and two transactions commit as one",
}

/// One node: the first member is the coordinator, the others are participants.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TwoPhase {
    id: NodeId,
    config: Config,
    coordinator: NodeId,
    members: BTreeSet<NodeId>,
    participants: BTreeSet<NodeId>,
    /// The numbers of the transactions that this node begins.
    numbers: Serials,
    /// Coordinator: transactions in progress, and commits that are not acknowledged.
    coordinating: BTreeMap<Transaction, Coordinating>,
    /// Coordinator: the greatest number of each origin that was begun or refused.
    begun: BTreeMap<NodeId, Serial>,
    /// Participant: the transactions in which it voted yes or that are decided.
    participating: BTreeMap<Transaction, Participating>,
    /// Participant: for each origin, the number up to which outcomes may have been discarded.
    forgotten: BTreeMap<NodeId, Serial>,
    refuses_next: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Coordinating {
    /// The participants that have not voted yet.
    Voting { missing: BTreeSet<NodeId>, content: Content },
    /// The participants that have not acknowledged yet.
    Committed { missing: BTreeSet<NodeId>, content: Content },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Participating {
    /// It voted yes on this content, and knows no decision.
    Uncertain(Content),
    Decided(Decision),
}

impl Process for TwoPhase {
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;
    type Command = Command;
    type Event = Event;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> TwoPhase {
        let members: BTreeSet<NodeId> = members.iter().copied().collect();
        let coordinator = members.first().copied().unwrap_or(id);
        let takes_part = |node: &NodeId| config.is_colocated || *node != coordinator;
        TwoPhase {
            id,
            config: *config,
            coordinator,
            participants: members.iter().copied().filter(takes_part).collect(),
            members,
            numbers: Serials::default(),
            coordinating: BTreeMap::new(),
            begun: BTreeMap::new(),
            participating: BTreeMap::new(),
            forgotten: BTreeMap::new(),
            refuses_next: false,
        }
    }

    fn on_restore(&mut self, restored: Restored<Record>) {
        let Restored::Record { record, .. } = restored else { return };
        match record {
            Record::Begun(transaction) => self.note_begun(transaction),
            Record::Committed(transaction, content) => self.keep_committed(transaction, content),
            Record::Ended(transaction) => drop(self.coordinating.remove(&transaction)),
            Record::Prepared(transaction, content) => self.keep_uncertain(transaction, content),
            Record::Decided(transaction, decision) => self.remember(transaction, decision),
        }
    }

    fn on_start(&mut self, cx: &mut Context<'_, TwoPhase>) {
        self.numbers = if self.config.keeps(Rule::Unique) { Serials::of(cx.boot()) } else { self.numbers_of_log() };
        // Records from before the crash may not have been announced.
        let committed = self.coordinating.iter().filter_map(|(transaction, coordinating)| match coordinating {
            Coordinating::Committed { content, .. } => Some((*transaction, *content)),
            Coordinating::Voting { .. } => None,
        });
        let committed: Vec<(Transaction, Content)> = committed.collect();
        for (transaction, content) in committed {
            cx.emit(Event::Begun(transaction, self.participants.len() as u64));
            if self.takes_part() {
                cx.emit(Event::Voted(transaction, Vote::Yes, content));
            }
            cx.emit(Event::Decided(transaction, Decision::Commit));
            self.tell_commit(transaction, cx);
        }
        for (transaction, state) in &self.participating {
            match state {
                Participating::Uncertain(content) => {
                    cx.emit(Event::Voted(*transaction, Vote::Yes, *content));
                    cx.set_timer(Timer::Decision(*transaction), self.config.decision_timeout);
                }
                Participating::Decided(decision) => cx.emit(Event::Decided(*transaction, *decision)),
            }
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, TwoPhase>) {
        let transaction = message.transaction();
        if !self.members.contains(&from) || !self.members.contains(&transaction.origin) {
            return cx.note("from or about an unknown node", from.0);
        }
        let coordinates = self.id == self.coordinator;
        match message {
            Message::VoteReq(_, content) if from == self.coordinator => self.on_vote_req(transaction, content, cx),
            Message::Vote(_, vote) if coordinates => self.on_vote(from, transaction, vote, cx),
            Message::Begin(_, content) if coordinates => self.on_begin(from, transaction, content, cx),
            Message::Decision(_, decision) if !coordinates => {
                self.on_decision(from, transaction, decision, cx);
            }
            Message::DecisionReq(_) if coordinates => self.on_decision_req(from, transaction, cx),
            Message::DecisionReq(_) => self.on_decision_req_of_peer(from, transaction, cx),
            Message::Ack(_) if coordinates => self.on_ack(from, transaction, cx),
            _ => cx.note("not for this node", from.0),
        }
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut Context<'_, TwoPhase>) {
        match timer {
            Timer::Votes(transaction) => self.abort(transaction, None, cx),
            Timer::Acks(transaction) => self.tell_commit(transaction, cx),
            Timer::Decision(transaction) => self.ask_for_decision(transaction, cx),
        }
    }

    fn on_command(&mut self, command: Command, cx: &mut Context<'_, TwoPhase>) {
        match command {
            Command::Refuse => self.refuses_next = true,
            Command::Begin => self.begin_here(Content::default(), cx),
            Command::BeginWith(content) => self.begin_here(content, cx),
        }
    }

    fn view(&self) {}
}

impl TwoPhase {
    /// The transactions in which this node voted yes and knows no decision.
    pub fn uncertain(&self) -> impl Iterator<Item = Transaction> + '_ {
        let uncertain = self.participating.iter().filter(|(_, state)| matches!(state, Participating::Uncertain(_)));
        uncertain.map(|(transaction, _)| *transaction)
    }

    /// The decision that this node knows as a participant.
    pub fn decision(&self, transaction: Transaction) -> Option<Decision> {
        match self.participating.get(&transaction) {
            Some(Participating::Decided(decision)) => Some(*decision),
            _ => None,
        }
    }

    /// The transactions that this node, as coordinator, has not yet forgotten.
    pub fn coordinating(&self) -> impl Iterator<Item = Transaction> + '_ {
        self.coordinating.keys().copied()
    }

    /// Whether this node coordinates.
    pub fn is_coordinator(&self) -> bool {
        self.id == self.coordinator
    }

    /// Whether this node votes.
    pub fn takes_part(&self) -> bool {
        self.participants.contains(&self.id)
    }

    fn begin_here(&mut self, content: Content, cx: &mut Context<'_, TwoPhase>) {
        if self.id != self.coordinator {
            return self.begin_as_participant(content, cx);
        }
        let transaction = self.next_transaction();
        self.begin(transaction, content, None, cx);
    }

    fn next_transaction(&mut self) -> Transaction {
        Transaction { origin: self.id, number: self.numbers.issue() }
    }

    /// Only if that rule is removed: the log may have lost the last number that was used.
    fn numbers_of_log(&self) -> Serials {
        let own = self.participating.keys().filter(|transaction| transaction.origin == self.id);
        let last = own.map(|transaction| transaction.number).chain(self.begun.get(&self.id).copied()).max();
        last.map_or(Serials::of(Boot::FIRST), Serials::behind)
    }
}

impl TwoPhase {
    /// The state of the newest transaction in one word: `uncertain`, `committed`.
    pub fn newest(&self) -> &'static str {
        if let Some((_, coordinating)) = self.coordinating.last_key_value() {
            return match coordinating {
                Coordinating::Voting { .. } => "asking",
                Coordinating::Committed { .. } => "telling",
            };
        }
        match self.participating.last_key_value() {
            Some((_, Participating::Uncertain(_))) => "uncertain",
            Some((_, Participating::Decided(Decision::Commit))) => "committed",
            Some((_, Participating::Decided(Decision::Abort))) => "aborted",
            None => "",
        }
    }
}

/// Before the first record: an effect that waits for this waits for nothing.
const NOTHING: Position = Position::NONE;
