//! Election on a ring in which only the highest id completes a round (Chang and Roberts 1979).
//!
//! # The problem
//!
//! Each node of the ring can send only to its successor, and all have to agree on the highest id. No node fails. The
//! list that circulates in [`crate::ring`] grows with the ring; can the message be a single id?
//!
//! # The idea
//!
//! An initiator sends its own id. A node that receives an id **higher** than its own forwards it. A node that receives
//! a **lower** one sends its own instead, or, if it has already sent one, **discards** it. So no id gets past a higher
//! one, and the only id that returns to its owner is the highest. That node leads, and announces it in a second round.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Election n3` | n3 is the highest so far |
//! | `Elected n3` | n3 leads |
//!
//! One initiator costs at most 3N - 1 messages: N - 1 until the highest learns of the election, N for the round of its
//! id, N to announce it. When all begin at once the cost depends on the order of the ring: N(N+1)/2 + N when it
//! descends, and N H_N + N on average, where H_N = 1 + 1/2 + ... + 1/N (claim Q-ELE-4).
//!
//! # A run
//!
//! ```text
//!   ring: n1 -> n3 -> n2 -> n1;  n1 begins
//!   n1 -> n3   Election n1      n3 is higher: sends its own
//!   n3 -> n2   Election n3      n2 is lower: passes it on
//!   n2 -> n1   Election n3      so does n1
//!   n1 -> n3   Election n3      its own id: n3 leads
//!   n3 -> n2   Elected n3
//!   n2 -> n1   Elected n3
//!   n1 -> n3   Elected n3       back: all know
//! ```
//!
//! # Why it is safe
//!
//! *Agreement.* An id that returns to its owner has passed every other node, and each was lower. There is only one such
//! id (paper, section 3). *Termination.* The highest id does return, since no node discards it; and once any node has
//! begun, the highest is sent at the latest when a message reaches its owner.
//!
//! # Caveats
//!
//! - **No node fails and no message is lost.** A dead node breaks the ring. [`crate::ring`] handles crashes and new
//!   elections.
//! - **Links are FIFO.** Without that still only the highest leads, but a node that has learned the result and begins
//!   another election may not learn that one's result: its id overtakes the first result, and the next node, which
//!   still takes part in the first election, discards it. The checker finds it in eleven steps on a ring of four.
//!
//! # References
//!
//! - E. Chang, R. Roberts: *An improved algorithm for decentralized extrema-finding in circular configurations of processes*,
//!   CACM 22(5), 1979.

mod properties;

pub use crate::event::{Command, Event};
pub use properties::{History, properties};

use alloc::vec::Vec;
use core::convert::Infallible;
use volvox_core::{Context, NodeId, Process, payload, rules};

/// The configuration, fixed for the life of a node.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Config {
    /// The order of the ring; if empty, that of the members.
    pub ring: Vec<NodeId>,
    /// The rule to remove, to see what it is for.
    pub without: Option<Rule>,
}

rules! {
    /// The removable rules.
    pub enum Rule of Config;
    Swallow = "swallow": "no node forwards a lower id" / "every id returns, and every owner leads",
    Replace = "replace": "a node that receives a lower id sends its own" / "the highest may never be sent",
    Tell = "tell": "the leader announces the result" / "the others never learn it",
}

/// The messages to a node's successor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// The highest id so far.
    Election(NodeId),
    /// The leader.
    Elected(NodeId),
}

payload! { Message: "message of Chang and Roberts";
    0 Election(highest) => "Election {highest}",
    1 Elected(leader)   => "Elected {leader}",
}

/// One node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ChangRoberts {
    id: NodeId,
    config: Config,
    successor: NodeId,
    /// Whether this node has sent its own id or a higher one.
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
        ChangRoberts { id, config: config.clone(), successor, participates: false, leader: None }
    }

    fn on_start(&mut self, _: &mut Context<'_, ChangRoberts>) {}

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, ChangRoberts>) {
        match message {
            Message::Election(highest) => self.on_election(highest, cx),
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
    fn on_election(&mut self, highest: NodeId, cx: &mut Context<'_, ChangRoberts>) {
        if highest == self.id {
            self.become_leader(cx);
            if self.config.keeps(Rule::Tell) {
                cx.send(self.successor, Message::Elected(self.id));
            }
        } else if highest > self.id || !self.config.keeps(Rule::Swallow) {
            self.participates = true;
            cx.send(self.successor, Message::Election(highest));
        } else if self.participates || !self.config.keeps(Rule::Replace) {
            cx.note("swallowed", highest.0);
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

    /// The leader, as far as this node knows.
    pub fn leader(&self) -> Option<NodeId> {
        self.leader
    }

    /// Whether this node has sent an id and does not know the result.
    pub fn participates(&self) -> bool {
        self.participates
    }
}

impl ChangRoberts {
    /// Its role, in a word, and the leader that it follows; nothing where it knows of no election.
    pub fn standing(&self) -> (&'static str, Option<NodeId>) {
        match self.leader {
            _ if self.participates => ("takes part", None),
            Some(leader) if leader == self.id => ("leads", None),
            Some(leader) => ("follows", Some(leader)),
            None => ("", None),
        }
    }
}
