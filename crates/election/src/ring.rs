//! Election on a ring, with a list.
//!
//! # The problem
//!
//! Nodes stand in a ring, each knows the order, and a message goes to the next. The leader is dead; so may others be. All who
//! are alive are to agree on the highest name among them.
//!
//! # The idea
//!
//! Whoever notices sends a list with its own name to its **successor**. Everybody adds its name and passes the list on. When
//! it is back at the **initiator** it has been everywhere: the highest name on it leads. Then that is sent round once more, so
//! that all learn it, and who is alive.
//!
//! A successor that does not acknowledge in time is dead, and is **skipped**. Several may notice at once; each list makes its
//! own round, all come to the same result, and each costs 2N messages.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Election 1.1 [1 2]` | the first election that n1 began has been at n1 and n2 |
//! | `Coordinator 1.1 n3 [1 2 3]` | its result: n3 leads; these are alive |
//! | `Ack 1.1` | I have it |
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
//! *One election has one result.* The initiator alone closes it, once, and the result is a function of the list.
//!
//! *All follow the same in the end.* A list that has made its round has been with everybody who was alive all that time. Lists
//! that are under way together may differ by somebody who has just come back. Then a result is announced that is lower than a
//! node that is alive, or than the leader that a node has just learned, and whoever sees that begins again:
//! at once, or when its own election is over.
//!
//! *It ends.* A list whose holder dies is lost, and the initiator, which knows how long a round takes, begins again. A list
//! whose initiator dies comes to somebody who is on it already, who drops it and begins its own.
//!
//! # Caveats
//!
//! - The course notes leave out the second round: without it (rule `announce`) only the initiator knows the result. And they
//!   do not say what happens at a dead successor (rule `skip`).
//! - Who is dead is told by time. A late acknowledgement means a list that goes two ways at once; the initiator takes the one
//!   that is back first (rule `once`), so a result stays one, but may miss somebody who is alive.
//! - Elections are numbered, and the number is on the disk before the list leaves: the result of an election before a crash
//!   must not be taken for that of one after it.
//!
//! # References
//!
//! - G. Le Lann: *Distributed systems: towards a formal approach*, 1977: a list of names on a ring.
//! - A. Tanenbaum, M. van Steen: *Distributed systems*, section on election algorithms: the ring algorithm, with two rounds.

mod codec;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use volvox_core::{Context, Duration, History, NodeId, Picture, Position, Process, Property, Restored, When};

pub use crate::event::Command;

/// So many nodes a ring has at most.
pub const RING_MAX: usize = 1_024;

/// So many messages a node waits to see acknowledged; more are not passed on.
const PASSING_MAX: usize = 256;

/// What is fixed for the life of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// No message takes longer, with the write that it waits for.
    pub delay: Duration,
    /// No step takes as long.
    pub processing: Duration,
    /// A rule that is taken out, to see what it was for.
    pub without: Option<Rule>,
}

impl Default for Config {
    fn default() -> Config {
        Config { delay: Duration::from_millis(10), processing: Duration::from_millis(2), without: None }
    }
}

/// The rules that can be taken out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rule {
    /// Who does not acknowledge is skipped; without it a dead node ends every election.
    Skip,
    /// The result is sent round; without it the initiator alone knows it.
    Announce,
    /// The initiator closes an election once; without it a list that went two ways gives two results.
    Once,
    /// Who is above the result, or knows somebody above, begins again; without it some may follow who does not lead.
    Doubt,
}

impl Rule {
    /// The rule of this name.
    pub fn named(name: &str) -> Option<Rule> {
        Some(match name {
            "skip" => Rule::Skip,
            "announce" => Rule::Announce,
            "once" => Rule::Once,
            "doubt" => Rule::Doubt,
            _ => return None,
        })
    }
}

/// The name of an election: the first that node 1 began prints as `1.1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Election {
    /// Who began it.
    pub initiator: NodeId,
    /// Which of those that it began, from 1.
    pub number: u64,
}

/// Which of the two rounds of an election.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Round {
    /// The list is made.
    Election,
    /// The result is told.
    Coordinator,
}

/// What nodes send one another.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// The first round.
    Election {
        /// Of which election.
        election: Election,
        /// Where it has been.
        list: Vec<NodeId>,
    },
    /// The second round.
    Coordinator {
        /// Of which election.
        election: Election,
        /// Who leads.
        leader: NodeId,
        /// Who is alive.
        list: Vec<NodeId>,
    },
    /// The predecessor need not try another.
    Ack {
        /// Of which election.
        election: Election,
        /// Of which round.
        round: Round,
    },
}

/// This election, and all before it, were begun here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Begun {
    /// Its number.
    pub number: u64,
}

/// What a node tells the outside: an election has a result.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Elected {
    /// Which election.
    pub election: Election,
    /// Who leads.
    pub leader: NodeId,
}

/// The timers of a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// The acknowledgement of the successor would be here.
    Ack(Election, Round),
    /// The round would be over.
    Round,
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
    /// Its own election, and which round that is in.
    own: Option<Round>,
    /// Since that began it has learned a result that cannot be right.
    doubts: bool,
    /// What it has passed on and nobody has acknowledged: whom it tried last, by the place behind this node.
    passing: BTreeMap<(Election, Round), (usize, Message)>,
    /// The last result that it has learned of each initiator.
    learned: BTreeMap<NodeId, u64>,
}

impl Process for Ring {
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Begun;
    type Command = Command;
    type Event = Elected;
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

    fn on_restore(&mut self, restored: Restored<Begun>) {
        if let Restored::Record { record, .. } = restored {
            self.last_number = record.number;
        }
    }

    /// Nobody leads yet, or it was dead: an election either way.
    fn on_start(&mut self, cx: &mut Context<'_, Ring>) {
        self.begin_election(cx);
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Ring>) {
        if !self.is_believable(from, &message) {
            return cx.note("ignored: from or about somebody unknown", from.0);
        }
        match message {
            Message::Election { election, list } => {
                // Nothing that was written here is revealed.
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
            return cx.note("an election is under way", 0);
        }
        self.begin_election(cx);
    }

    fn view(&self) {}
}

impl Ring {
    fn begin_election(&mut self, cx: &mut Context<'_, Ring>) {
        self.last_number += 1;
        cx.persist(Begun { number: self.last_number });
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
            if is_open || self.config.without == Some(Rule::Once) {
                self.close(election, list, cx);
            } else {
                cx.note("closed already", election.number);
            }
        } else if list.contains(&self.id) {
            // It went past its initiator, which is dead.
            if self.own.is_none() {
                self.begin_election(cx);
            }
        } else {
            self.leader = None;
            list.push(self.id);
            self.pass(Message::Election { election, list }, cx);
        }
    }

    /// The list has been everywhere.
    fn close(&mut self, election: Election, list: Vec<NodeId>, cx: &mut Context<'_, Ring>) {
        let leader = list.iter().copied().max().unwrap_or(self.id);
        self.learn(election, leader, cx);
        if self.config.without == Some(Rule::Announce) {
            self.own = None;
            return cx.cancel_timer(Timer::Round);
        }
        self.own = Some(Round::Coordinator);
        cx.set_timer(Timer::Round, self.round_time());
        self.pass(Message::Coordinator { election, leader, list }, cx);
    }

    fn on_coordinator(&mut self, election: Election, leader: NodeId, list: Vec<NodeId>, cx: &mut Context<'_, Ring>) {
        if election.initiator == self.id {
            if self.own == Some(Round::Coordinator) && election == self.own_election() {
                self.own = None;
                cx.cancel_timer(Timer::Round);
                if self.doubts {
                    self.begin_election(cx);
                }
            }
            return;
        }
        if self.learned.get(&election.initiator).is_some_and(|number| *number >= election.number) {
            // It went past its initiator, which is dead: all have learned it.
            return cx.note("learned already", election.number);
        }
        let doubts = self.id > leader || self.leader.is_some_and(|known| known > leader);
        self.learn(election, leader, cx);
        self.pass(Message::Coordinator { election, leader, list }, cx);
        if !doubts || self.config.without == Some(Rule::Doubt) {
            return;
        }
        match self.own {
            None => self.begin_election(cx),
            // Its own result may have been round before this one.
            Some(_) => self.doubts = true,
        }
    }

    fn learn(&mut self, election: Election, leader: NodeId, cx: &mut Context<'_, Ring>) {
        self.learned.insert(election.initiator, election.number);
        self.leader = Some(leader);
        cx.emit(Elected { election, leader });
    }

    /// To the successor.
    fn pass(&mut self, message: Message, cx: &mut Context<'_, Ring>) {
        let key = message.key();
        if self.successors.is_empty() {
            return self.is_back(message, cx);
        }
        if self.passing.len() >= PASSING_MAX {
            return cx.note("dropped: too many elections", PASSING_MAX as u64);
        }
        cx.send(self.successors[0], message.clone());
        self.passing.insert(key, (0, message));
        cx.set_timer(Timer::Ack(key.0, key.1), self.answer_time());
    }

    /// The successor that was tried last is dead: the one behind it.
    fn skip_successor(&mut self, election: Election, round: Round, cx: &mut Context<'_, Ring>) {
        let Some((place, message)) = self.passing.remove(&(election, round)) else { return };
        if self.config.without == Some(Rule::Skip) {
            return cx.note("the successor is dead", self.successors[place].0);
        }
        let place = place + 1;
        if place == self.successors.len() {
            return self.is_back(message, cx);
        }
        cx.send(self.successors[place], message.clone());
        self.passing.insert((election, round), (place, message));
        cx.set_timer(Timer::Ack(election, round), self.answer_time());
    }

    /// All others are dead, so the next of this node is this node.
    fn is_back(&mut self, message: Message, cx: &mut Context<'_, Ring>) {
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

    /// A message, a step, an acknowledgement.
    fn answer_time(&self) -> Duration {
        self.config.delay * 2 + self.config.processing
    }

    /// A round in which all others are dead or slow.
    fn round_time(&self) -> Duration {
        self.answer_time() * (self.successors.len() as u32 + 1)
    }

    /// Who leads, as far as this node knows.
    pub fn leader(&self) -> Option<NodeId> {
        self.leader
    }

    /// Whether this node leads, as far as it knows.
    pub fn is_leading(&self) -> bool {
        self.leader == Some(self.id)
    }

    /// Whether an election of its own is under way.
    pub fn is_electing(&self) -> bool {
        self.own.is_some()
    }
}

impl Message {
    fn key(&self) -> (Election, Round) {
        match self {
            Message::Election { election, .. } => (*election, Round::Election),
            Message::Coordinator { election, .. } => (*election, Round::Coordinator),
            Message::Ack { election, round } => (*election, *round),
        }
    }
}

/// What was told: the result of each election, and one that was told twice and differently.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Results {
    leaders: BTreeMap<Election, NodeId>,
    differs: Option<(Election, NodeId, NodeId)>,
}

impl History<Ring> for Results {
    fn on_event(&mut self, _: NodeId, event: &Elected) {
        let known = *self.leaders.entry(event.election).or_insert(event.leader);
        if known != event.leader {
            self.differs = Some((event.election, known, event.leader));
        }
    }
}

/// What must hold.
pub fn properties() -> Vec<Property<Ring, Results>> {
    vec![
        Property {
            name: "one election has one result",
            source: "ELE-02, E-safe",
            when: When::Always,
            holds: |picture| match picture.history.differs {
                Some((election, one, other)) => Err(format!("{election} elects {one} and {other}")),
                None => Ok(()),
            },
        },
        Property {
            name: "all follow one who is alive",
            source: "ELE-02, E-live",
            when: When::AtEnd,
            holds: all_follow,
        },
    ]
}

/// Of those that are up.
fn all_follow(picture: &Picture<'_, Ring, Results>) -> Result<(), String> {
    let Some(leader) = picture.nodes.first().map(|(_, node)| node.leader()) else { return Ok(()) };
    if !picture.nodes.iter().any(|(id, _)| Some(*id) == leader) {
        return Err(format!("{leader:?} leads"));
    }
    match picture.nodes.iter().find(|(_, node)| node.leader() != leader) {
        Some((id, node)) => Err(format!("for {id} {:?} leads, for others {leader:?}", node.leader())),
        None => Ok(()),
    }
}

impl fmt::Display for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.leader, self.own) {
            (Some(leader), _) if leader == self.id => f.write_str("leads"),
            (Some(leader), _) => write!(f, "follows {leader}"),
            (None, Some(_)) => f.write_str("elects"),
            (None, None) => Ok(()),
        }
    }
}
