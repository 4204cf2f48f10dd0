//! Election on a ring where only the highest name gets round (Chang and Roberts 1979).
//!
//! # The problem
//!
//! As on every ring: each node can send to its successor only, and all are to agree on the highest name. No node fails. The
//! list that goes round in [`crate::ring`] grows with the ring; can the message be one name?
//!
//! # The idea
//!
//! Whoever begins sends its own name. A node that gets a **higher** name than its own passes it on. One that gets a **lower**
//! name sends its own instead, or, if it has sent one already, **swallows** it. So no name gets past a higher one, and the
//! only name that comes back to its owner is the highest. That one leads, and tells it in a second round.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Election n3` | n3 is the highest so far |
//! | `Elected n3` | n3 leads |
//!
//! One initiator costs 3N - 1 messages at most: N - 1 until the highest hears of it, N for the round of its name, N to tell.
//! When all begin at once it depends on the order of the ring: N(N+1)/2 + N when it descends, and N H_N + N on average, where
//! H_N = 1 + 1/2 + ... + 1/N (claim Q-ELE-4).
//!
//! # A run
//!
//! ```text
//!   ring: n1 -> n3 -> n2 -> n1;  n1 begins
//!   n1 -> n3   Election n1      n3 is higher: sends its own
//!   n3 -> n2   Election n3      n2 is lower: passes it on
//!   n2 -> n1   Election n3      so does n1
//!   n1 -> n3   Election n3      its own name: n3 leads
//!   n3 -> n2   Elected n3
//!   n2 -> n1   Elected n3
//!   n1 -> n3   Elected n3       back: all know
//! ```
//!
//! # Why it is safe
//!
//! A name that comes back has passed every node, and each was lower. There is only one such name (paper, section 3). It does
//! come back, since nobody swallows it; and if anybody begins, the highest is sent at the latest when something reaches it.
//!
//! # Caveats
//!
//! - **Nobody fails and nothing is lost.** A dead node on the ring ends it. That, and new elections, are [`crate::ring`]'s.
//! - **Links keep the order.** Without that only the highest leads all the same, but who has learned the result and begins
//!   again may not learn of it a second time: its name overtakes the result, and the next node, which still takes part in
//!   the election before, swallows it. The checker finds it in eleven steps on a ring of four.
//!
//! # References
//!
//! - E. Chang, R. Roberts: *An improved algorithm for decentralized extrema-finding in circular configurations of processes*,
//!   CACM 22(5), 1979.

pub use crate::event::{Command, Event};

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;
use volvox_core::{
    Context, Decode, DecodeError, Encode, MessageKind, NodeId, Picture, Process, Property, Reader, When,
};

/// What is fixed for the life of a node.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Config {
    /// The order of the ring; empty for that of the members.
    pub ring: Vec<NodeId>,
    /// A rule that is taken out, to see what it was for.
    pub without: Option<Rule>,
}

/// The rules that can be taken out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rule {
    /// Nobody passes a lower name on; without it every name comes back, and every owner leads.
    Swallow,
    /// A node that gets a lower name sends its own; without it the highest may never be sent.
    Replace,
    /// The result is told; without it the others never learn it.
    Tell,
}

impl Rule {
    /// The rule of this name.
    pub fn named(name: &str) -> Option<Rule> {
        Some(match name {
            "swallow" => Rule::Swallow,
            "replace" => Rule::Replace,
            "tell" => Rule::Tell,
            _ => return None,
        })
    }
}

/// What a node sends to its successor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// The highest name so far.
    Election(NodeId),
    /// Who leads.
    Elected(NodeId),
}

/// One node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ChangRoberts {
    id: NodeId,
    without: Option<Rule>,
    successor: NodeId,
    /// It has sent its own name or a higher one.
    participates: bool,
    leader: Option<NodeId>,
}

impl Process for ChangRoberts {
    type Config = Config;
    type Message = Message;
    type Timer = Infallible;
    type Record = Infallible;
    type Command = Command;
    type Event = Event;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> ChangRoberts {
        let ring = if config.ring.is_empty() { members } else { config.ring.as_slice() };
        let place = ring.iter().position(|node| *node == id).unwrap_or(0);
        let successor = ring.get((place + 1) % ring.len().max(1)).copied().unwrap_or(id);
        ChangRoberts { id, without: config.without, successor, participates: false, leader: None }
    }

    fn on_start(&mut self, _: &mut Context<'_, ChangRoberts>) {}

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, ChangRoberts>) {
        match message {
            Message::Election(name) => self.on_election(name, cx),
            Message::Elected(leader) if leader == self.id => cx.note("all know", from.0),
            Message::Elected(leader) => {
                self.participates = false;
                self.leader = Some(leader);
                cx.emit(Event::Follows(leader));
                cx.send(self.successor, Message::Elected(leader));
            }
        }
    }

    fn on_timer(&mut self, timer: Infallible, _: &mut Context<'_, ChangRoberts>) {
        match timer {}
    }

    fn on_command(&mut self, Command::Suspect: Command, cx: &mut Context<'_, ChangRoberts>) {
        if self.successor == self.id {
            return self.become_leader(cx);
        }
        if self.participates {
            return cx.note("takes part already", 0);
        }
        self.participates = true;
        cx.send(self.successor, Message::Election(self.id));
    }

    fn view(&self) {}
}

impl ChangRoberts {
    fn on_election(&mut self, name: NodeId, cx: &mut Context<'_, ChangRoberts>) {
        if name == self.id {
            self.become_leader(cx);
            if self.without != Some(Rule::Tell) {
                cx.send(self.successor, Message::Elected(self.id));
            }
        } else if name > self.id || self.without == Some(Rule::Swallow) {
            self.participates = true;
            cx.send(self.successor, Message::Election(name));
        } else if self.participates || self.without == Some(Rule::Replace) {
            cx.note("swallowed", name.0);
        } else {
            self.participates = true;
            cx.send(self.successor, Message::Election(self.id));
        }
    }

    fn become_leader(&mut self, cx: &mut Context<'_, ChangRoberts>) {
        self.participates = false;
        self.leader = Some(self.id);
        cx.emit(Event::Leads);
    }

    /// Who leads, as far as this node knows.
    pub fn leader(&self) -> Option<NodeId> {
        self.leader
    }

    /// Whether it has sent a name and does not know the result.
    pub fn participates(&self) -> bool {
        self.participates
    }
}

impl fmt::Display for ChangRoberts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.leader {
            _ if self.participates => f.write_str("takes part"),
            Some(leader) if leader == self.id => f.write_str("leads"),
            Some(leader) => write!(f, "follows {leader}"),
            None => Ok(()),
        }
    }
}

/// What must hold.
pub fn properties() -> Vec<Property<ChangRoberts, ()>> {
    vec![
        Property {
            name: "only the highest leads",
            source: "E-safe; Chang and Roberts 1979, section 3",
            when: When::Always,
            holds: only_the_highest,
        },
        Property {
            name: "all follow the highest",
            source: "E-live; Chang and Roberts 1979, section 3",
            when: When::AtEnd,
            holds: all_follow,
        },
    ]
}

fn only_the_highest(picture: &Picture<'_, ChangRoberts, ()>) -> Result<(), String> {
    let highest = picture.nodes.iter().map(|(id, _)| *id).max();
    match picture.nodes.iter().find(|(_, node)| node.leader.is_some() && node.leader < highest) {
        Some((id, node)) => Err(format!("for {id} {:?} leads", node.leader)),
        None => Ok(()),
    }
}

/// If anybody has begun.
fn all_follow(picture: &Picture<'_, ChangRoberts, ()>) -> Result<(), String> {
    let highest = picture.nodes.iter().map(|(id, _)| *id).max();
    let has_begun = picture.nodes.iter().any(|(_, node)| node.participates || node.leader.is_some());
    match picture.nodes.iter().find(|(_, node)| has_begun && (node.leader != highest || node.participates)) {
        Some((id, node)) => Err(format!("for {id} {:?} leads", node.leader)),
        None => Ok(()),
    }
}

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Election(_) => "Election",
            Message::Elected(_) => "Elected",
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Election(name) => write!(f, "Election {name}"),
            Message::Elected(leader) => write!(f, "Elected {leader}"),
        }
    }
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        let (tag, name): (u8, &NodeId) = match self {
            Message::Election(name) => (0, name),
            Message::Elected(leader) => (1, leader),
        };
        tag.encode(out);
        name.encode(out);
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Message, DecodeError> {
        let tag = input.u8()?;
        let name = NodeId::decode(input)?;
        Ok(match tag {
            0 => Message::Election(name),
            1 => Message::Elected(name),
            other => return Err(DecodeError::Unknown("message of Chang and Roberts", u64::from(other))),
        })
    }
}
