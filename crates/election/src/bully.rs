//! The bully algorithm (Garcia-Molina 1982).
//!
//! # The problem
//!
//! Some node must be in charge. It dies; the others are to agree on another, and when it comes back, on it again.
//!
//! # The idea
//!
//! The highest name that is alive leads. Who suspects the leader asks all that are higher: `Election`. Whoever is alive
//! among them answers, which means "leave that to me", and asks those above itself. Who hears no answer for as long as an
//! answer may take is the highest alive, and says so to all below: `Coordinator`. Who was promised that somebody else takes
//! over, and hears of no coordinator in time, begins again. Who comes back from the dead asks, too: if it is the highest it
//! takes the lead away from whoever has it. Hence the name.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Election` | is anybody higher alive? |
//! | `Answer` | I am; leave that to me |
//! | `Coordinator n3` | n3 leads |
//!
//! When the lowest of the survivors notices, N^2 - N - 1 messages (claim Q-ELE-1); when the highest does, N - 2 and one to the
//! dead (Q-ELE-2).
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
//!    |                   |                   |  2 delays: nobody
//!    |<------------------|<-- Coordinator ---|
//!    |                   |                   |  1 delay: all have heard; n3 leads
//! ```
//!
//! # Why it is safe
//!
//! *One leads at a time*, if no message takes longer than [`Config::delay`] and no step longer than [`Config::processing`].
//! Say c takes office. It has waited for answers for T = 2 delays and a step, so nobody higher was alive when asked. It has
//! announced itself and waited for a delay and a step more, so all below that are alive have heard, and follow. Somebody
//! higher may come back meanwhile; its announcement arrives at c before it takes office itself, and then c follows.
//!
//! *All follow it in the end.* A node that has spoken of a leader, itself or another, and hears of a new one passes that on to
//! those below, behind what it said before on the same link; otherwise the two could arrive in the wrong order, and somebody
//! follow who follows. It does so whatever it has begun meanwhile: after it announced itself, until it has told of
//! another; after that, and after it has started (it does not know what it said before it died), as long as its words may
//! arrive behind somebody else's: two delays and a step.
//!
//! # Caveats
//!
//! - **Without bounds on time there may be two leaders.** A late answer is as good as none. The checker finds it in a few
//!   steps. Real systems give leaders terms, and ask a majority: see Raft.
//! - Course notes say that if anybody answers, "it" becomes the leader. It does not: it takes over the *election*. The
//!   highest alive wins.
//! - Who takes office waits one delay longer than the textbook says. Without that (rule `office`), one who comes back leads
//!   beside the one whom it replaces until the announcement has arrived. Garcia-Molina makes all stop first, and asks
//!   twice more (his section IV); this is cheaper, and costs no message.
//! - Who notices that a leader is dead is the business of a failure detector: here, of the command `suspect`.
//!
//! # References
//!
//! - H. Garcia-Molina: *Elections in a distributed computing system*, IEEE Transactions on Computers C-31(1), 1982.
//! - G. Coulouris and others: *Distributed systems*, 5th edition 2011, section 15.3: T = 2 T_trans + T_process.

pub use crate::event::{Command, Event};

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;
use volvox_core::{
    Context, Decode, DecodeError, Duration, Encode, MessageKind, NodeId, Picture, Process, Property, Reader, When,
};

/// What is fixed for the life of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// No message takes longer.
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
    /// Who asks waits for answers; without it it leads at once.
    Patience,
    /// Who has announced itself takes office when all have heard; without it at once.
    Office,
    /// Who answers takes over the election; without it nobody does.
    TakeOver,
    /// Who spoke of a leader and hears of another passes that on; without it those below may follow the wrong one.
    HandOver,
}

impl Rule {
    /// The rule of this name.
    pub fn named(name: &str) -> Option<Rule> {
        Some(match name {
            "patience" => Rule::Patience,
            "office" => Rule::Office,
            "take-over" => Rule::TakeOver,
            "hand-over" => Rule::HandOver,
            _ => return None,
        })
    }
}

/// What nodes send one another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// To those above: is anybody alive?
    Election,
    /// To one below: yes, leave that to me.
    Answer,
    /// To those below: this one leads.
    Coordinator {
        /// Who.
        leader: NodeId,
    },
}

/// The timers of a node; of the first three one at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// T: an answer would have come.
    Answer,
    /// T': the coordinator would have said so.
    Coordinator,
    /// Everybody has heard.
    Office,
    /// What was said of another, or in the life before, has arrived, and so has whatever it overtook.
    Arrived,
}

/// One node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Bully {
    id: NodeId,
    config: Config,
    higher: Vec<NodeId>,
    lower: Vec<NodeId>,
    role: Role,
    /// It has announced itself, and not passed on since that another leads.
    has_stood_up: bool,
    /// What it said of another, or in the life before, may still overtake what others say.
    has_spoken: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Role {
    Following(NodeId),
    /// It asks those above.
    Asking,
    /// Somebody above takes over.
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
        Bully { id, config: *config, higher, lower, role: Role::Asking, has_stood_up: false, has_spoken: false }
    }

    /// Nobody leads yet, or it was dead: an election either way.
    fn on_start(&mut self, cx: &mut Context<'_, Bully>) {
        // Perhaps it stood up just before it died.
        self.speaks(cx);
        self.begin_election(cx);
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Bully>) {
        match message {
            Message::Election if self.lower.contains(&from) => self.on_election(from, cx),
            Message::Answer if self.role == Role::Asking && self.higher.contains(&from) => self.on_answer(cx),
            Message::Answer => cx.note("an answer to nothing", from.0),
            Message::Coordinator { leader } if self.higher.contains(&leader) => self.on_coordinator(leader, cx),
            Message::Coordinator { leader } if self.lower.contains(&leader) => self.on_coordinator_below(cx),
            _ => cx.note("ignored: from or about nobody of that kind", from.0),
        }
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut Context<'_, Bully>) {
        match (timer, self.role) {
            (Timer::Answer, Role::Asking) => self.stand_up(cx),
            (Timer::Coordinator, Role::Waiting) => self.begin_election(cx),
            (Timer::Office, Role::Elected) => self.become_leader(cx),
            (Timer::Arrived, _) => self.has_spoken = false,
            _ => unreachable!("{timer:?} fires at a node that is {:?}", self.role),
        }
    }

    fn on_command(&mut self, Command::Suspect: Command, cx: &mut Context<'_, Bully>) {
        match self.role {
            Role::Following(_) => self.begin_election(cx),
            Role::Leading => cx.note("leads itself", 0),
            Role::Asking | Role::Waiting | Role::Elected => cx.note("an election is under way", 0),
        }
    }

    fn view(&self) {}
}

impl Bully {
    fn begin_election(&mut self, cx: &mut Context<'_, Bully>) {
        self.role = Role::Asking;
        cx.broadcast(&self.higher, Message::Election);
        if self.config.without == Some(Rule::Patience) {
            cx.broadcast(&self.lower, Message::Coordinator { leader: self.id });
            return self.become_leader(cx);
        }
        if self.higher.is_empty() {
            return self.stand_up(cx);
        }
        cx.set_timer(Timer::Answer, self.answer_time());
    }

    fn on_election(&mut self, from: NodeId, cx: &mut Context<'_, Bully>) {
        cx.send(from, Message::Answer);
        let takes_over = self.config.without != Some(Rule::TakeOver);
        if takes_over && matches!(self.role, Role::Following(_) | Role::Leading) {
            self.begin_election(cx);
        }
    }

    fn on_answer(&mut self, cx: &mut Context<'_, Bully>) {
        self.role = Role::Waiting;
        cx.cancel_timer(Timer::Answer);
        // The highest alive has our question or an earlier one after a delay, and may wait for T itself; then a delay.
        cx.set_timer(Timer::Coordinator, self.answer_time() + self.config.delay * 2 + self.config.processing);
    }

    /// Nobody above is alive.
    fn stand_up(&mut self, cx: &mut Context<'_, Bully>) {
        self.role = Role::Elected;
        self.has_stood_up = true;
        cx.broadcast(&self.lower, Message::Coordinator { leader: self.id });
        if self.config.without == Some(Rule::Office) {
            return self.become_leader(cx);
        }
        cx.set_timer(Timer::Office, self.config.delay + self.config.processing);
    }

    /// Those below hear something from this node about a leader.
    fn speaks(&mut self, cx: &mut Context<'_, Bully>) {
        if !self.lower.is_empty() && !self.higher.is_empty() {
            self.has_spoken = true;
            // A delay until that has arrived; whatever overtook it was said before, and is here a delay later.
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
        let is_believed = self.has_stood_up || self.has_spoken;
        if was != self.role && is_believed && self.config.without != Some(Rule::HandOver) {
            // Behind what this node said itself: that may have been said, or arrive, after the announcement of the leader.
            self.has_stood_up = false;
            cx.broadcast(&self.lower, Message::Coordinator { leader });
            self.speaks(cx);
        }
    }

    /// Somebody below leads although this node is alive.
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

    /// Who leads, as far as this node knows.
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

/// What must hold.
pub fn properties() -> Vec<Property<Bully, ()>> {
    vec![
        Property {
            name: "one leads at a time",
            source: "E-safe; Garcia-Molina 1982, assertion 1",
            when: When::Always,
            holds: one_leads,
        },
        Property {
            name: "all follow one who leads",
            source: "E-live; Garcia-Molina 1982, assertion 2",
            when: When::AtEnd,
            holds: all_follow,
        },
    ]
}

fn one_leads(picture: &Picture<'_, Bully, ()>) -> Result<(), String> {
    let mut leaders = picture.nodes.iter().filter(|(_, node)| node.is_leading()).map(|(id, _)| *id);
    match (leaders.next(), leaders.next()) {
        (Some(one), Some(other)) => Err(format!("{one} and {other} lead")),
        _ => Ok(()),
    }
}

/// Of those that are up.
fn all_follow(picture: &Picture<'_, Bully, ()>) -> Result<(), String> {
    let leader = picture.nodes.iter().find(|(_, node)| node.is_leading()).map(|(id, _)| *id);
    match picture.nodes.iter().find(|(_, node)| leader.is_none() || node.leader() != leader) {
        Some((id, node)) => Err(format!("for {id} {:?} leads", node.leader())),
        None => Ok(()),
    }
}

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Election => "Election",
            Message::Answer => "Answer",
            Message::Coordinator { .. } => "Coordinator",
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Coordinator { leader } => write!(f, "Coordinator {leader}"),
            other => f.write_str(other.kind()),
        }
    }
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Message::Election => 0u8.encode(out),
            Message::Answer => 1u8.encode(out),
            Message::Coordinator { leader } => {
                2u8.encode(out);
                leader.encode(out);
            }
        }
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Message, DecodeError> {
        Ok(match input.u8()? {
            0 => Message::Election,
            1 => Message::Answer,
            2 => Message::Coordinator { leader: NodeId::decode(input)? },
            other => return Err(DecodeError::Unknown("message of the bully algorithm", u64::from(other))),
        })
    }
}
