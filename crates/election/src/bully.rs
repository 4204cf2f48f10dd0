//! The bully algorithm (Garcia-Molina 1982).
//!
//! # The problem
//!
//! Some node must lead. When it crashes, the others have to agree on another, and when it restarts, on the first one
//! again.
//!
//! # The idea
//!
//! The highest id that is alive leads. A node that suspects the leader sends `Election` to every node with a higher id.
//! A node that receives `Election` answers, which means "leave that to me", and asks the nodes above itself. A node
//! that receives no answer within the time that an answer may take is the highest alive, and announces itself to all
//! nodes below: `Coordinator`. A node that received an answer, but no coordinator in time, starts over. A node that
//! restarts begins an election, too: if it is the highest, it takes the lead from the current leader. Hence the name.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Election` | is a higher node alive? |
//! | `Answer` | I am alive; leave that to me |
//! | `Coordinator n3` | n3 leads |
//!
//! If the lowest survivor notices the crash, N^2 - N - 1 messages (claim Q-ELE-1); if the highest does, N - 2 and one
//! to the dead node (Q-ELE-2).
//!
//! # A run
//!
//! ```text
//!   n1                  n2                  n3                  n4, the leader, is dead
//!   suspects
//!    |--- Election ----->|                   |
//!    |--- Election ------------------------->|
//!    |--- Election -------------------------------------------- x
//!    |<------- Answer ---|--- Election ----->|
//!    |                   |--- Election ------------------------ x
//!    |<--------------------------- Answer ---|--- Election ---- x
//!    |                   |<------- Answer ---|
//!    |                   |                   |  2 delays: no answer
//!    |<------------------|<-- Coordinator ---|
//!    |                   |                   |  1 delay: all have heard; n3 leads
//! ```
//!
//! # Why it is safe
//!
//! *At most one leader*, if no message takes longer than [`Config::delay`] and no step longer than [`Config::processing`].
//! Let c take office. It has waited for answers for T = 2 delays and a step, so no higher node was alive when asked. It
//! has announced itself and waited for another delay and a step, so all lower nodes that are alive have received the
//! announcement, and follow. A higher node may restart meanwhile; its announcement arrives at c before c takes office,
//! and then c follows.
//!
//! *Termination: all eventually follow the leader.* Consider n1, which receives `Coordinator n2` and `Coordinator n3`.
//! They came over different links, so the older of the two may arrive last, and n1 would follow n2 forever. Therefore a
//! node that has announced a leader, itself or another, and learns of a new one announces that one to the nodes below
//! as well: after its older announcement, on the same FIFO link (rule `hand-over`). After announcing itself it does so
//! until it has announced another, whatever it has begun meanwhile. After announcing another, and after its start (it
//! does not know what it announced before it crashed), it does so for as long as that announcement may arrive after one
//! from another node: two delays and a step.
//!
//! # Caveats
//!
//! - **Without bounds on time there may be two leaders.** A late answer is as bad as none. The checker finds this in a
//!   few steps. Real systems number leaders by terms, and ask a majority: see Raft.
//! - Textbooks often say that if any node answers, "it" becomes the leader. It does not: it takes over the *election*. The
//!   highest alive wins.
//! - A node waits one delay longer than the textbook says before it takes office. Without that (rule `office`), a node
//!   that restarts leads beside the one that it replaces until the announcement has arrived. Garcia-Molina first makes
//!   all nodes stop, and asks twice more (section IV); this is cheaper, and costs no message.
//! - Detecting a dead leader is the task of a failure detector: here, of the command `suspect`.
//!
//! # References
//!
//! - H. Garcia-Molina: *Elections in a distributed computing system*, IEEE Transactions on Computers C-31(1), 1982.
//! - G. Coulouris and others: *Distributed systems*, 5th edition 2011, section 15.3: T = 2 T_trans + T_process.

mod properties;

pub use crate::event::{Command, Event};
pub use properties::properties;

use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;
use volvox_core::{Context, Duration, NodeId, Process, payload, rules};

/// The configuration, fixed for the life of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// The bound on message delay.
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
    Patience = "patience": "a node that asks waits for answers" / "the lowest node leads as well as the highest",
    Office = "office": "an elected node takes office when all nodes know of it" / "two nodes lead for a moment",
    TakeOver = "take-over": "a node that answers takes over the election" / "all nodes wait for another, forever",
    HandOver = "hand-over": "a node that announced a leader and learns of another announces that one, too" /
        "some node follows a node that is not the leader",
}

/// The messages between nodes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// To every node above: is any of you alive?
    Election,
    /// To a node below: yes, leave that to me.
    Answer,
    /// To every node below: this node leads.
    Coordinator {
        /// The leader.
        leader: NodeId,
    },
}

payload! { Message: "message of the bully algorithm";
    0 Election               => "Election",
    1 Answer                 => "Answer",
    2 Coordinator { leader } => "Coordinator {leader}",
}

/// The timers of a node; at most one of the first three runs at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// T: an answer would have arrived.
    Answer,
    /// T': the coordinator would have announced itself.
    Coordinator,
    /// Every node below has received the announcement.
    Office,
    /// The last announcement has arrived, and so has every older one that it may have overtaken.
    Arrived,
}

payload! { Timer; Answer, Coordinator, Office, Arrived }

/// One node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Bully {
    id: NodeId,
    config: Config,
    higher: Vec<NodeId>,
    lower: Vec<NodeId>,
    role: Role,
    /// Whether this node has announced itself, and no other leader since.
    has_announced: bool,
    /// Whether this node's announcement of another node, or one from its previous boot, may still arrive after one from
    /// another node.
    in_announce_window: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Role {
    Following(NodeId),
    /// It asks the nodes above.
    Asking,
    /// A node above takes over.
    Waiting,
    /// It has announced itself.
    Elected,
    Leading,
}

impl Process for Bully {
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Infallible;
    type Command = Command;
    type Event = Event;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> Bully {
        let (mut lower, mut higher) = (Vec::new(), Vec::new());
        for member in members.iter().filter(|member| **member != id) {
            if *member > id { higher.push(*member) } else { lower.push(*member) }
        }
        Bully {
            id,
            config: *config,
            higher,
            lower,
            role: Role::Asking,
            has_announced: false,
            in_announce_window: false,
        }
    }

    /// Either no node leads yet, or this one was dead: it begins an election in both cases.
    fn on_start(&mut self, cx: &mut Context<'_, Bully>) {
        // It may have announced itself just before it crashed.
        self.open_announce_window(cx);
        self.begin_election(cx);
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Bully>) {
        match message {
            Message::Election if self.lower.contains(&from) => self.on_election(from, cx),
            Message::Answer if self.role == Role::Asking && self.higher.contains(&from) => self.on_answer(cx),
            Message::Answer => cx.note("an answer to nothing", from.0),
            Message::Coordinator { leader } if self.higher.contains(&leader) => self.on_coordinator(leader, cx),
            Message::Coordinator { leader } if self.lower.contains(&leader) => self.on_coordinator_below(cx),
            _ => cx.note("ignored: not from or about a node of that kind", from.0),
        }
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut Context<'_, Bully>) {
        match (timer, self.role) {
            (Timer::Answer, Role::Asking) => self.become_elected(cx),
            (Timer::Coordinator, Role::Waiting) => self.begin_election(cx),
            (Timer::Office, Role::Elected) => self.become_leader(cx),
            (Timer::Arrived, _) => self.in_announce_window = false,
            _ => unreachable!("{timer:?} fires at a node that is {:?}", self.role),
        }
    }

    fn on_command(&mut self, Command::Suspect: Command, cx: &mut Context<'_, Bully>) {
        match self.role {
            Role::Following(_) => self.begin_election(cx),
            Role::Leading => cx.note("leads itself", 0),
            Role::Asking | Role::Waiting | Role::Elected => cx.note("an election is in progress", 0),
        }
    }

    fn view(&self) {}
}

impl Bully {
    fn begin_election(&mut self, cx: &mut Context<'_, Bully>) {
        self.role = Role::Asking;
        cx.broadcast(&self.higher, Message::Election);
        if !self.config.keeps(Rule::Patience) {
            cx.broadcast(&self.lower, Message::Coordinator { leader: self.id });
            return self.become_leader(cx);
        }
        if self.higher.is_empty() {
            return self.become_elected(cx);
        }
        cx.set_timer(Timer::Answer, self.answer_time());
    }

    fn on_election(&mut self, from: NodeId, cx: &mut Context<'_, Bully>) {
        cx.send(from, Message::Answer);
        if self.config.keeps(Rule::TakeOver) && matches!(self.role, Role::Following(_) | Role::Leading) {
            self.begin_election(cx);
        }
    }

    fn on_answer(&mut self, cx: &mut Context<'_, Bully>) {
        self.role = Role::Waiting;
        cx.cancel_timer(Timer::Answer);
        // The highest node alive has received this question or an earlier one after a delay, and may wait for T itself;
        // then a delay follows.
        cx.set_timer(Timer::Coordinator, self.answer_time() + self.config.delay * 2 + self.config.processing);
    }

    /// No node above is alive.
    fn become_elected(&mut self, cx: &mut Context<'_, Bully>) {
        self.role = Role::Elected;
        self.has_announced = true;
        cx.broadcast(&self.lower, Message::Coordinator { leader: self.id });
        if !self.config.keeps(Rule::Office) {
            return self.become_leader(cx);
        }
        cx.set_timer(Timer::Office, self.config.delay + self.config.processing);
    }

    /// The nodes below will receive an announcement from this node.
    fn open_announce_window(&mut self, cx: &mut Context<'_, Bully>) {
        if !self.lower.is_empty() && !self.higher.is_empty() {
            self.in_announce_window = true;
            // One delay until it has arrived; an announcement that it overtook was sent earlier, and arrives within
            // another delay.
            cx.set_timer(Timer::Arrived, self.config.delay * 2 + self.config.processing);
        }
    }

    fn become_leader(&mut self, cx: &mut Context<'_, Bully>) {
        self.role = Role::Leading;
        cx.emit(Event::Leads);
    }

    fn on_coordinator(&mut self, leader: NodeId, cx: &mut Context<'_, Bully>) {
        let was = core::mem::replace(&mut self.role, Role::Following(leader));
        match was {
            Role::Following(_) | Role::Leading => {}
            Role::Asking => cx.cancel_timer(Timer::Answer),
            Role::Waiting => cx.cancel_timer(Timer::Coordinator),
            Role::Elected => cx.cancel_timer(Timer::Office),
        }
        if was != self.role {
            cx.emit(Event::Follows(leader));
        }
        let has_followers = self.has_announced || self.in_announce_window;
        if was != self.role && has_followers && self.config.keeps(Rule::HandOver) {
            // After this node's own announcement, which may arrive after that of the leader.
            self.has_announced = false;
            cx.broadcast(&self.lower, Message::Coordinator { leader });
            self.open_announce_window(cx);
        }
    }

    /// A lower node leads although this one is alive.
    fn on_coordinator_below(&mut self, cx: &mut Context<'_, Bully>) {
        if matches!(self.role, Role::Following(_) | Role::Leading) {
            self.begin_election(cx);
        }
    }

    /// T: a question, a step, an answer.
    fn answer_time(&self) -> Duration {
        self.config.delay * 2 + self.config.processing
    }

    /// Whether this node leads.
    pub fn is_leading(&self) -> bool {
        self.role == Role::Leading
    }

    /// The leader, as far as this node knows.
    pub fn leader(&self) -> Option<NodeId> {
        match self.role {
            Role::Following(leader) => Some(leader),
            Role::Leading => Some(self.id),
            Role::Asking | Role::Waiting | Role::Elected => None,
        }
    }
}

impl fmt::Display for Bully {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.role {
            Role::Following(leader) => write!(f, "follows {leader}"),
            Role::Asking => f.write_str("asks"),
            Role::Waiting => f.write_str("waits"),
            Role::Elected => f.write_str("elected"),
            Role::Leading => f.write_str("leads"),
        }
    }
}
