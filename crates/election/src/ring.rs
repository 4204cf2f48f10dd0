//! Election on a ring, with a list.
//!
//! # The problem
//!
//! Nodes form a ring whose order each of them knows, and a message goes to the next node. The leader is dead, and
//! others may be. All nodes that are alive have to agree on the highest id among them.
//!
//! # The idea
//!
//! A node that notices sends a list with its own id to its **successor**. Every node adds its id and forwards the list.
//! When the list returns to the **initiator** it has visited every node: the highest id on it leads. The result
//! circulates in a second round, so that all learn it, and which nodes are alive.
//!
//! A successor that does not acknowledge in time is dead, and is **skipped**. Several nodes may notice at once; each
//! list makes its own round, all lead to the same result, and each costs 2N messages.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Election 1.1 [1 2]` | the first election of n1 has visited n1 and n2 |
//! | `Coordinator 1.1 n3 [1 2 3]` | its result: n3 leads; these nodes are alive |
//! | `Ack 1.1` | received |
//!
//! N `Election` and N `Coordinator` (claim Q-ELE-3), an `Ack` for each, and a wait for each dead node.
//!
//! # A run
//!
//! ```text
//!   n1                     n2                     n3                     n4 is dead
//!   suspects
//!    |-- Election [1] ---->|                      |
//!    |                     |-- Election [1 2] --->|
//!    |                     |                      |-- Election [1 2 3] -- x
//!    |                     |                      |   no acknowledgement: skip
//!    |<--------------------------- Election [1 2 3] --|
//!    |-- Coordinator n3 -->|-- Coordinator n3 --->|
//!    |<----------------------------- Coordinator n3 --|
//! ```
//!
//! # Why it is safe
//!
//! *Agreement: one election has one result.* The initiator alone closes it, once, and the result is a function of the list.
//!
//! *Termination: all eventually follow the same node.* A list that has completed its round has visited every node that
//! was alive throughout. Concurrent lists may differ by a node that has just restarted. Then a result is announced that
//! is lower than a living node, or than the leader that a node has just learned, and a node that notices this begins
//! another election: at once, or when its own is over.
//!
//! *Each election ends.* A list whose holder crashes is lost, and the initiator, which knows how long a round takes,
//! begins another. A list whose initiator crashes reaches a node that is already on it, which drops it and begins its
//! own.
//!
//! # Caveats
//!
//! - Textbooks often omit the second round: without it (rule `announce`) only the initiator knows the result. Nor do
//!   they say what happens at a dead successor (rule `skip`).
//! - A dead node is detected by a timeout. After a late acknowledgement a list travels two ways at once; the initiator
//!   uses the one that returns first (rule `once`), so there is one result, but it may miss a node that is alive.
//! - Elections are numbered, and the number is durable before the list leaves: the result of an election before a crash
//!   must not be mistaken for that of one after it.
//!
//! # References
//!
//! - G. Le Lann: *Distributed systems: towards a formal approach*, 1977: a list of names on a ring.
//! - A. Tanenbaum, M. van Steen: *Distributed systems*, section on election algorithms: the ring algorithm, with two rounds.

mod message;
mod properties;

pub use crate::event::Command;
pub use message::{Election, Event, Message, Record, Round, Timer};
pub use properties::{History, properties};

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{Context, Duration, NodeId, Position, Process, Restored, rules};

/// The most nodes on a ring.
pub const RING_MAX: usize = 1_024;

/// The most messages at one node that wait for an acknowledgement; further ones are not forwarded.
const PASSING_MAX: usize = 256;

/// The configuration, fixed for the life of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// The bound on message delay, including the write that a message waits for.
    pub delay: Duration,
    /// The bound on the duration of a step.
    pub processing: Duration,
    /// The rule to remove, to see what it is for.
    pub without: Option<Rule>,
}

impl Default for Config {
    fn default() -> Config {
        Config { delay: Duration::from_millis(10), processing: Duration::from_millis(2), without: None }
    }
}

rules! {
    /// The removable rules.
    pub enum Rule of Config;
    Skip = "skip": "a successor that does not acknowledge is skipped" / "a dead node ends every election",
    Announce = "announce": "the result is announced in a second round" / "only the initiator knows it",
    Once = "once": "the initiator closes an election once" / "a list that travels two ways gives two results",
    Doubt = "doubt": "a node above the result, or one that knows such a node, begins another election" /
        "some nodes follow a node that does not lead",
}

/// One node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Ring {
    id: NodeId,
    config: Config,
    /// The others, from the successor on.
    successors: Vec<NodeId>,
    leader: Option<NodeId>,
    last_number: u64,
    /// Its own election, with its current round.
    own: Option<Round>,
    /// Whether it has learned a wrong result since its own election began.
    doubts: bool,
    /// The messages that were forwarded and not acknowledged, with the node tried last, by its distance on the ring.
    passing: BTreeMap<(Election, Round), (usize, Message)>,
    /// The number of the last result learned from each initiator.
    learned: BTreeMap<NodeId, u64>,
}

impl Process for Ring {
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;
    type Command = Command;
    type Event = Event;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> Ring {
        let place = members.iter().position(|member| *member == id).unwrap_or(0);
        let others = members.iter().cycle().skip(place + 1).take(members.len().saturating_sub(1));
        Ring {
            id,
            config: *config,
            successors: others.copied().collect(),
            leader: None,
            last_number: 0,
            own: None,
            doubts: false,
            passing: BTreeMap::new(),
            learned: BTreeMap::new(),
        }
    }

    fn on_restore(&mut self, restored: Restored<Record>) {
        if let Restored::Record { record, .. } = restored {
            self.last_number = record.number;
        }
    }

    /// Either no node leads yet, or this one was dead: it begins an election in both cases.
    fn on_start(&mut self, cx: &mut Context<'_, Ring>) {
        self.begin_election(cx);
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Ring>) {
        if !self.is_believable(from, &message) {
            return cx.note("ignored: from or about an unknown node", from.0);
        }
        match message {
            Message::Election { election, list } => {
                // The message reveals nothing that was written here.
                cx.send_after(Position::NONE, from, Message::Ack { election, round: Round::Election });
                self.on_election(election, list, cx);
            }
            Message::Coordinator { election, leader, list } => {
                cx.send_after(Position::NONE, from, Message::Ack { election, round: Round::Coordinator });
                self.on_coordinator(election, leader, list, cx);
            }
            Message::Ack { election, round } => {
                if self.passing.remove(&(election, round)).is_some() {
                    cx.cancel_timer(Timer::Ack(election, round));
                }
            }
        }
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut Context<'_, Ring>) {
        match timer {
            Timer::Ack(election, round) => self.skip_successor(election, round, cx),
            Timer::Round => {
                cx.note("the round was not ended", 0);
                self.begin_election(cx);
            }
        }
    }

    fn on_command(&mut self, Command::Suspect: Command, cx: &mut Context<'_, Ring>) {
        if self.own.is_some() {
            return cx.note("an election is in progress", 0);
        }
        self.begin_election(cx);
    }

    fn view(&self) {}
}

impl Ring {
    fn begin_election(&mut self, cx: &mut Context<'_, Ring>) {
        self.last_number += 1;
        cx.persist(Record { number: self.last_number });
        self.leader = None;
        self.doubts = false;
        self.own = Some(Round::Election);
        cx.set_timer(Timer::Round, self.round_time());
        let list = vec![self.id];
        self.pass(Message::Election { election: self.own_election(), list }, cx);
    }

    fn on_election(&mut self, election: Election, mut list: Vec<NodeId>, cx: &mut Context<'_, Ring>) {
        if election.initiator == self.id {
            let is_open = self.own == Some(Round::Election) && election == self.own_election();
            if is_open || !self.config.keeps(Rule::Once) {
                self.close(election, list, cx);
            } else {
                cx.note("closed already", election.number);
            }
        } else if list.contains(&self.id) {
            // The list has passed its initiator, which is dead.
            if self.own.is_none() {
                self.begin_election(cx);
            }
        } else {
            self.leader = None;
            list.push(self.id);
            self.pass(Message::Election { election, list }, cx);
        }
    }

    /// The list has visited every node.
    fn close(&mut self, election: Election, list: Vec<NodeId>, cx: &mut Context<'_, Ring>) {
        let leader = list.iter().copied().max().unwrap_or(self.id);
        self.learn(election, leader, cx);
        if !self.config.keeps(Rule::Announce) {
            self.own = None;
            return cx.cancel_timer(Timer::Round);
        }
        self.own = Some(Round::Coordinator);
        cx.set_timer(Timer::Round, self.round_time());
        self.pass(Message::Coordinator { election, leader, list }, cx);
    }

    fn on_coordinator(&mut self, election: Election, leader: NodeId, list: Vec<NodeId>, cx: &mut Context<'_, Ring>) {
        if election.initiator == self.id {
            // The result of its newest election, which has closed; it may arrive twice.
            if election == self.own_election() {
                self.own = None;
                cx.cancel_timer(Timer::Round);
                if self.doubts {
                    self.begin_election(cx);
                }
            }
            return;
        }
        if self.learned.get(&election.initiator).is_some_and(|number| *number >= election.number) {
            // The result has passed its initiator, which is dead: all have learned it.
            return cx.note("learned already", election.number);
        }
        let doubts = self.id > leader || self.leader.is_some_and(|known| known > leader);
        self.learn(election, leader, cx);
        self.pass(Message::Coordinator { election, leader, list }, cx);
        if !doubts || !self.config.keeps(Rule::Doubt) {
            return;
        }
        match self.own {
            None => self.begin_election(cx),
            // Its own result may have completed its round before this one.
            Some(_) => self.doubts = true,
        }
    }

    fn learn(&mut self, election: Election, leader: NodeId, cx: &mut Context<'_, Ring>) {
        self.learned.insert(election.initiator, election.number);
        self.leader = Some(leader);
        cx.emit(Event { election, leader });
    }

    /// Sends to the successor.
    fn pass(&mut self, message: Message, cx: &mut Context<'_, Ring>) {
        let key = message.key();
        if self.successors.is_empty() {
            return self.on_round_complete(message, cx);
        }
        if self.passing.len() >= PASSING_MAX {
            return cx.note("dropped: too many elections", PASSING_MAX as u64);
        }
        cx.send(self.successors[0], message.clone());
        self.passing.insert(key, (0, message));
        cx.set_timer(Timer::Ack(key.0, key.1), self.answer_time());
    }

    /// The successor that was tried last is dead: tries the one after it.
    fn skip_successor(&mut self, election: Election, round: Round, cx: &mut Context<'_, Ring>) {
        let Some((place, message)) = self.passing.remove(&(election, round)) else { return };
        if !self.config.keeps(Rule::Skip) {
            return cx.note("the successor is dead", self.successors[place].0);
        }
        let place = place + 1;
        if place == self.successors.len() {
            return self.on_round_complete(message, cx);
        }
        cx.send(self.successors[place], message.clone());
        self.passing.insert((election, round), (place, message));
        cx.set_timer(Timer::Ack(election, round), self.answer_time());
    }

    /// All others are dead, so this node is its own successor.
    fn on_round_complete(&mut self, message: Message, cx: &mut Context<'_, Ring>) {
        match message {
            Message::Election { election, list } => self.on_election(election, list, cx),
            Message::Coordinator { election, leader, list } => self.on_coordinator(election, leader, list, cx),
            Message::Ack { .. } => {}
        }
    }

    fn is_believable(&self, from: NodeId, message: &Message) -> bool {
        let is_member = |node: NodeId| node == self.id || self.successors.contains(&node);
        let (list, leader) = match message {
            Message::Election { list, .. } => (list.as_slice(), None),
            Message::Coordinator { list, leader, .. } => (list.as_slice(), Some(*leader)),
            Message::Ack { .. } => (&[][..], None),
        };
        let distinct: BTreeSet<NodeId> = list.iter().copied().collect();
        is_member(from)
            && is_member(message.key().0.initiator)
            && distinct.len() == list.len()
            && distinct.iter().all(|node| is_member(*node))
            && leader.is_none_or(|leader| distinct.contains(&leader))
    }

    fn own_election(&self) -> Election {
        Election { initiator: self.id, number: self.last_number }
    }

    /// The time of a message, a step and an acknowledgement.
    fn answer_time(&self) -> Duration {
        self.config.delay * 2 + self.config.processing
    }

    /// The time of a round in which all others are dead or slow.
    fn round_time(&self) -> Duration {
        self.answer_time() * (self.successors.len() as u32 + 1)
    }

    /// The leader, as far as this node knows.
    pub fn leader(&self) -> Option<NodeId> {
        self.leader
    }

    /// Whether this node leads, as far as it knows.
    pub fn is_leading(&self) -> bool {
        self.leader == Some(self.id)
    }

    /// Whether an election of its own is in progress.
    pub fn is_electing(&self) -> bool {
        self.own.is_some()
    }
}

impl Ring {
    /// Its role, in a word, and the leader that it follows; nothing where it knows of no election.
    pub fn standing(&self) -> (&'static str, Option<NodeId>) {
        match (self.leader, self.own) {
            (Some(leader), _) if leader == self.id => ("leads", None),
            (Some(leader), _) => ("follows", Some(leader)),
            (None, Some(_)) => ("elects", None),
            (None, None) => ("", None),
        }
    }
}
