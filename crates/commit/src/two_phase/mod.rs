//! Two-phase commit with recovery (Gray 1978; Bernstein, Hadzilacos and Goodman 1987, chapter 7).
//!
//! # The problem
//!
//! A transfer takes money from an account on one node and puts it into one on another. Both must happen, or neither:
//! also when a node dies in the middle and comes back, and when messages are lost. Each node can do its part, or undo
//! it, by itself; what no node can do by itself is to know what the others do. "Just do it, everywhere" fails at the
//! first crash between two sends.
//!
//! # The idea
//!
//! First ask, then tell. In the **first phase** the coordinator asks every participant whether it *can* commit. A
//! participant that says yes has written down all that it needs to commit, even after a crash, and gives away its right
//! to abort by itself: it is **uncertain** from now on. In the **second phase** the coordinator decides, commit if all
//! said yes and abort otherwise, writes that down, and tells. The moment at which "committed" is on the coordinator's disk
//! is the moment at which the transaction is committed.
//!
//! What is on a disk decides what happens after a crash:
//!
//! | found in the log | then |
//! |---|---|
//! | coordinator: begun, no more | it is aborted. *Presumed abort*: an abort needs no record of its own |
//! | coordinator: committed | it is committed: tell those who have not acknowledged |
//! | coordinator: committed, ended | all know; nobody will ask |
//! | participant: nothing | it has not voted, so it may abort |
//! | participant: prepared | it is uncertain: ask |
//! | participant: decided | it is over |
//!
//! Who is uncertain for too long asks everybody, not only the coordinator: **cooperative termination**. Whoever knows the
//! decision says it. Whoever has not voted aborts, which then is the decision. Whoever is uncertain itself is silent.
//! If all are uncertain and the coordinator is dead, they wait: two-phase commit **blocks**. No protocol that survives
//! partitions avoids that (Skeen and Stonebraker 1983); three-phase commit trades it for a belief in time.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Vote-req 1.3 (30)` | can you commit the third transaction of node 1, whose content is 30? |
//! | `Yes`, `No` | I can, and am bound by it; I cannot |
//! | `Begin 2.1 (30)` | a participant begins a transaction, and votes yes on it |
//! | `Commit`, `Abort` | the decision |
//! | `Ack` | I have written down the commit; forget me |
//! | `Decision-req` | I voted yes and know no more; do you? |
//!
//! Without failures three rounds and 3n messages for n participants, acknowledgements apart (claim Q-ACP-1). A participant
//! may begin a transaction itself: its `Begin` is its yes, and one request is saved (Gray and Lamport 2006, section 3.2;
//! claim Q-ACP-5). The coordinator may be a participant, too, with [`Config::is_colocated`].
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
//! *AC3.* The coordinator writes "committed" only when every participant's yes has arrived, and nobody else decides to
//! commit: all other commits are repeated from somebody.
//!
//! *AC1.* Say somebody aborts what is committed. Whoever aborts is the coordinator, when it presumes; or a participant
//! that has not voted yes; or somebody who was told. The coordinator presumes abort only while "committed" is not on its
//! disk, and once it has told an abort it never begins that transaction again: "begun" is on its disk before. A
//! participant that aborts without having voted writes that down before it tells, and never votes yes afterwards, so not
//! all vote yes. Who voted yes has "prepared" on its disk before the yes leaves, and so knows it after every crash.
//! And the coordinator forgets a commit, after which it would presume abort, only when nobody is left who could ask.
//!
//! *Those who commit commit the same content.* A participant is bound to a name, and votes yes again when it is asked about
//! that name again. So no two transactions may have one name. The request leaves before "begun" is on the coordinator's
//! disk, and a crash in between leaves no trace of the transaction but a participant that is bound to it. Numbers that go on
//! behind the last one in the log would give its name to the next transaction: the participant, asked about content 2, says
//! yes for content 1, and all votes are there (script `01-one-name-for-two`). So a name is a [`Serial`]: its boot was counted
//! on the disk before the process started, and a later boot cannot give it again. That is enough, and no block of numbers is
//! reserved on the disk, because the coordinator promises nothing by a name. Whatever an earlier boot began and did not
//! commit is aborted, whether a record of it is left or not: a participant that is bound to a lost name asks, and the
//! coordinator, which finds no commit, answers with an abort and never begins that name again.
//!
//! *It ends* when the coordinator, or one who decided, and who is uncertain, are up for long enough and hear one another.
//!
//! # Caveats
//!
//! - **It blocks.** The window is from a participant's yes to the decision's arrival: two message delays and one write. A
//!   coordinator that dies inside of it holds everybody up, with all their locks, until it is repaired (claim Q-ACP-7).
//!   Where that cannot be borne, replicate the coordinator: Paxos Commit, or decisions in a log of Raft.
//! - Outcomes are remembered for the last [`OUTCOMES_MAX`] transactions. About older ones a participant says nothing, and
//!   votes no; only the coordinator then helps who is uncertain.
//! - Presumed abort, as R* has it, writes nothing before the commit record. Here "begun" is written, and an abort waits for
//!   it. Since names are not given twice, the coordinator's own transactions do not need that record; those that a
//!   participant begins do: an abort that was told must find the door shut when a late `Begin` arrives after a crash.
//! - A coordinator whose disk is lost has lost its commits, and its count of boots with them: it is not covered.
//! - The log is not cut. A store that runs this would put the two tables into its checkpoints.
//! - Each rule of [`Rule`] can be taken out, to see what it is for.
//!
//! # References
//!
//! - J. Gray: *Notes on data base operating systems*, 1978, section 5.8.3.3.
//! - P. Bernstein, V. Hadzilacos, N. Goodman: *Concurrency control and recovery in database systems*, 1987, sections 7.3
//!   (the problem), 7.4 (the protocol, cooperative termination, what is written down, costs).
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

/// The most transactions that one coordinator has under way; more are refused.
pub const UNDER_WAY_MAX: usize = 64;

/// The most outcomes that a participant remembers.
pub const OUTCOMES_MAX: usize = 1_024;

/// What is fixed for the life of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// How long the coordinator waits for votes before it aborts.
    pub vote_timeout: Duration,
    /// How long a participant is uncertain before it asks, and asks again.
    pub decision_timeout: Duration,
    /// How long the coordinator waits for acknowledgements before it tells again.
    pub ack_timeout: Duration,
    /// Whether the coordinator is a participant.
    pub is_colocated: bool,
    /// A rule that is taken out, to see what it was for.
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
    /// The rules that can be taken out.
    pub enum Rule of Config;
    Prepared = "prepared": "a participant writes down that it is prepared before it votes yes" /
        "a restart forgets the promise",
    Committed = "committed": "the coordinator writes down a commit before it sends it" /
        "a restart presumes abort",
    Unanimity = "unanimity": "the coordinator commits when all have voted yes" / "the first yes commits",
    Uncertain = "uncertain": "a participant that voted yes does not decide alone" / "its timeout ends in an abort",
    Refusal = "refusal": "a participant that said abort never votes yes later" / "a late request is answered yes",
    Acknowledged = "acknowledged": "the coordinator forgets a commit when all have acknowledged it" /
        "the last participant to ask hears abort",
    Unique = "unique": "no name is given twice, also after a crash" /
        "numbers go on behind the last that the log kept, and two transactions commit as one",
}

/// One node: the first member coordinates, the others take part.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TwoPhase {
    id: NodeId,
    config: Config,
    coordinator: NodeId,
    members: BTreeSet<NodeId>,
    participants: BTreeSet<NodeId>,
    /// The numbers of the transactions that this node begins.
    numbers: Serials,
    /// Coordinator: what is under way, and commits that are not acknowledged.
    coordinating: BTreeMap<Transaction, Coordinating>,
    /// Coordinator: the greatest number of each origin that was begun or refused.
    begun: BTreeMap<NodeId, Serial>,
    /// Participant: who voted yes or decided.
    participating: BTreeMap<Transaction, Participating>,
    /// Participant: of each origin, up to which number outcomes may have been forgotten.
    forgotten: BTreeMap<NodeId, Serial>,
    refuses_next: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Coordinating {
    /// Who has not voted yet.
    Voting { missing: BTreeSet<NodeId>, content: Content },
    /// Who has not acknowledged yet.
    Committed { missing: BTreeSet<NodeId>, content: Content },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Participating {
    /// It voted yes on this, and knows no decision.
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
        let committed = self.coordinating.iter().filter_map(|(transaction, coordinating)| match coordinating {
            Coordinating::Committed { content, .. } => Some((*transaction, *content)),
            Coordinating::Voting { .. } => None,
        });
        let committed: Vec<(Transaction, Content)> = committed.collect();
        for (transaction, content) in committed {
            // What the disk kept of the last life may not have been told.
            cx.emit(Event::Begun(transaction, self.participants.len() as u64));
            if self.takes_part() {
                cx.emit(Event::Voted(transaction, Vote::Yes, content));
            }
            cx.emit(Event::Decided(transaction, Decision::Commit));
            self.tell_commit(transaction, cx);
        }
        for (transaction, content) in self.bound() {
            cx.emit(Event::Voted(transaction, Vote::Yes, content));
            cx.set_timer(Timer::Decision(transaction), self.config.decision_timeout);
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, TwoPhase>) {
        let transaction = message.transaction();
        if !self.members.contains(&from) || !self.members.contains(&transaction.origin) {
            return cx.note("from or about somebody unknown", from.0);
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
        self.bound().map(|(transaction, _)| transaction)
    }

    /// The same, each with the content that it voted yes on.
    fn bound(&self) -> impl Iterator<Item = (Transaction, Content)> + '_ {
        self.participating.iter().filter_map(|(transaction, state)| match state {
            Participating::Uncertain(content) => Some((*transaction, *content)),
            Participating::Decided(_) => None,
        })
    }

    /// What this node, as a participant, knows to be decided.
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

    /// Where that rule is taken out: the log may have lost the last number that was given.
    fn numbers_of_log(&self) -> Serials {
        let own = self.participating.keys().filter(|transaction| transaction.origin == self.id);
        let last = own.map(|transaction| transaction.number).chain(self.begun.get(&self.id).copied()).max();
        last.map_or(Serials::of(Boot::FIRST), Serials::behind)
    }
}

impl TwoPhase {
    /// The newest transaction, in a word: `uncertain`, `committed`.
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

/// Before anything that is written down: what waits for this waits for nothing.
const NOTHING: Position = Position::NONE;
