//! Mutual exclusion by a token that is asked for, after Suzuki and Kasami (1985).
//!
//! # The problem
//!
//! N nodes share a resource that only one at a time may use. Where every node is asked, an entry costs 2(N-1) messages, even
//! if the same node enters again and again and no other wants to. A token that circulates in a ring costs messages while
//! no node wants to enter at all. Can a node that is alone in its interest enter for nothing?
//!
//! # The idea
//!
//! A node may enter while it has the **token**, and the token stays where it is until another node asks for it. No node
//! knows where it is, so a request goes to **all**. The holder sends the token, once it has left the critical section: N
//! messages per entry, or none where the node has the token already.
//!
//! A request that is remembered by every node becomes outdated as soon as it is served. So requests are numbered per node,
//! and the token carries for each node the number of the last request that was **served**, and a **queue** of the nodes that
//! wait. Node j waits if the greatest number that was received from j is greater than the one in the token.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Request n` | I want to enter, for the n-th time |
//! | `Token (..) queue` | enter; these requests were served, and these nodes are next |
//!
//! # A run
//!
//! ```text
//!   n1, token                n2                       n3
//!    |                         |                       enter
//!    |<---------------- Request 1 ----------------------|
//!    |                         |<----- Request 1 -------|    n2 remembers it
//!    |----------------- Token (0,0,0) ----------------->|
//!    |                       enter                     entered
//!    |<------ Request 1 -------|------ Request 1 ------>|    n3 is inside: n2 waits
//!    |                         |                       left
//!    |                         |<---- Token (0,0,1) ----|    n2's request 1 is not served; n3's is
//!    |                       entered                    |
//! ```
//!
//! # Why it is safe
//!
//! *Mutual exclusion* (paper, section 4.1): one node creates the token, no node copies it, and only its holder is inside.
//!
//! *No starvation* (section 4.3): a request arrives at all nodes, so at the holder, or at the node to which the token is in
//! flight. A holder that is idle sends the token at once. One that is inside appends the request to the queue when it
//! leaves, and a queue is served in order: at most N-1 entries come before.
//!
//! # Caveats
//!
//! - **Every message must arrive exactly once.** The order does not matter: an old request has a smaller number. A lost
//!   token is lost forever, and a second copy of it is a second token. Where links break, run the protocol over
//!   `volvox-channel`.
//! - One crash may take the token with it. To create another takes an election and an epoch: [`crate::token_ring`]. A node
//!   that returns has forgotten the token and its own numbers, so that it may wait forever, and the others with it. A first
//!   node that returns *without its disk* would create a second token.
//! - The token is as long as the list of nodes.
//!
//! # References
//!
//! I. Suzuki, T. Kasami: *A distributed mutual exclusion algorithm*, ACM TOCS 3(4), 1985. K. Raymond: *A tree-based algorithm
//! for distributed mutual exclusion*, ACM TOCS 7(1), 1989: nodes that know in which direction the token is, log N messages.

mod properties;

pub use crate::section::{Command, Event, History};
pub use properties::properties;

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;
use volvox_core::{Boot, Context, Duration, NodeId, Process, payload, rules};

/// The most entries that may wait at one node.
const WAITING_MAX: u32 = 1_024;

/// The configuration, fixed for the life of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// How long a node stays inside.
    pub stay: Duration,
    /// A rule to remove, to see what it is for.
    pub without: Option<Rule>,
}

rules! {
    /// The removable rules.
    pub enum Rule of Config;
    Keep = "keep": "the token stays until its holder has left" / "it is sent from the inside, and two nodes are inside",
    Broadcast = "broadcast": "a request goes to all nodes" / "it goes to one, which may not have the token, and is lost",
    Remember = "remember": "a node without the token remembers requests" / "a request that misses the token is lost",
    Served = "served": "the token carries which requests were served" /
        "it goes to a node that no longer waits, and the others wait forever",
    Pass = "pass": "a node that leaves sends the token to the next in the queue" / "those who wait do so forever",
}

/// The token: permission to enter.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Token {
    /// LN: the number of the last served request of each node, in the order of the members.
    served: Vec<u64>,
    /// Q: the nodes that wait, the next one first.
    queue: Vec<NodeId>,
}

payload! { struct Token { served, queue } }

/// `(0,2,1) n2 n1`: what was served, and the queue.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, number) in self.served.iter().enumerate() {
            write!(f, "{}{number}", if place == 0 { "(" } else { "," })?;
        }
        f.write_str(")")?;
        self.queue.iter().try_for_each(|node| write!(f, " {node}"))
    }
}

/// The messages between two nodes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// I want to enter.
    Request {
        /// Counts the sender's requests.
        number: u64,
    },
    /// Enter.
    Token {
        /// The token itself, which the sender no longer has.
        token: Token,
    },
}

payload! { Message: "Suzuki-Kasami message";
    1 Request { number } => "Request {number}",
    2 Token { token }    => "Token {token}",
}

/// The timers of a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// The stay inside is over.
    Leave,
}

payload! { Timer; Leave }

/// The state of a node with respect to the critical section.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Place {
    /// It does not want to enter.
    Outside,
    /// It has sent a request and waits for the token.
    Waiting,
    /// It is inside.
    Inside,
}

/// One node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SuzukiKasami {
    members: Vec<NodeId>,
    /// Its own index in the members.
    own: usize,
    config: Config,
    place: Place,
    /// RN: the greatest number of a request of each node, in the order of the members.
    requested: Vec<u64>,
    /// The token, while this node has it.
    token: Option<Token>,
    /// Entries requested while one is in progress.
    waiting: u32,
}

impl Process for SuzukiKasami {
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Infallible;
    type Command = Command;
    type Event = Event;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> SuzukiKasami {
        SuzukiKasami {
            members: members.to_vec(),
            own: members.iter().position(|member| *member == id).expect("a node is a member"),
            config: *config,
            place: Place::Outside,
            requested: vec![0; members.len()],
            token: None,
            waiting: 0,
        }
    }

    fn on_start(&mut self, cx: &mut Context<'_, Self>) {
        cx.emit(Event::Started);
        // The first node creates the token, in its first boot.
        if self.own == 0 && cx.boot() == Boot::FIRST {
            self.token = Some(Token { served: vec![0; self.members.len()], queue: Vec::new() });
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        let Some(sender) = self.members.iter().position(|member| *member == from) else {
            return cx.note("ignored: not from a member", from.0);
        };
        match message {
            Message::Request { number } => self.on_request(sender, number, cx),
            Message::Token { token } => self.on_token(token, cx),
        }
    }

    fn on_timer(&mut self, Timer::Leave: Timer, cx: &mut Context<'_, Self>) {
        assert!(self.place == Place::Inside, "{} leaves, and is not inside", self.members[self.own]);
        self.place = Place::Outside;
        cx.emit(Event::Left);
        self.pass_to_next(cx);
        if self.waiting > 0 {
            self.waiting -= 1;
            self.ask(cx);
        }
    }

    fn on_command(&mut self, Command::Enter: Command, cx: &mut Context<'_, Self>) {
        if self.waiting >= WAITING_MAX {
            return cx.note("refused: too many entries wait", u64::from(self.waiting));
        }
        cx.emit(Event::Asked);
        if self.place == Place::Outside {
            self.ask(cx);
        } else {
            self.waiting += 1;
        }
    }

    fn view(&self) {}
}

impl SuzukiKasami {
    /// The state of this node.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The token, if this node has it.
    pub fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    fn ask(&mut self, cx: &mut Context<'_, Self>) {
        self.requested[self.own] += 1;
        if self.token.is_some() {
            return self.enter(cx);
        }
        self.place = Place::Waiting;
        let others = self.members.iter().filter(|member| **member != self.members[self.own]).copied();
        let asked: BTreeSet<NodeId> =
            if self.config.keeps(Rule::Broadcast) { others.collect() } else { others.take(1).collect() };
        cx.broadcast(&asked, Message::Request { number: self.requested[self.own] });
    }

    fn enter(&mut self, cx: &mut Context<'_, Self>) {
        self.place = Place::Inside;
        cx.emit(Event::Entered);
        cx.set_timer(Timer::Leave, self.config.stay);
    }

    fn on_request(&mut self, from: usize, number: u64, cx: &mut Context<'_, Self>) {
        if self.token.is_none() && !self.config.keeps(Rule::Remember) {
            return cx.note("forgets a request", number);
        }
        self.requested[from] = self.requested[from].max(number);
        let is_free = self.place == Place::Outside || !self.config.keeps(Rule::Keep);
        let is_sent = is_free && self.token.as_ref().is_some_and(|token| self.is_waiting(from, token));
        if let Some(token) = self.token.take_if(|_| is_sent) {
            cx.send(self.members[from], Message::Token { token });
        }
    }

    /// Whether this node knows of a request of that node which was not served.
    fn is_waiting(&self, node: usize, token: &Token) -> bool {
        let served = if self.config.keeps(Rule::Served) { token.served[node] } else { 0 };
        self.requested[node] > served
    }

    fn on_token(&mut self, mut token: Token, cx: &mut Context<'_, Self>) {
        if token.served.len() != self.members.len() {
            return cx.note("ignored: not a token of these members", token.served.len() as u64);
        }
        // A node that has returned may find itself in the queue.
        let own = self.members[self.own];
        token.queue.retain(|node| *node != own && self.members.contains(node));
        self.token = Some(token);
        if self.place == Place::Waiting {
            self.enter(cx);
        }
    }

    /// Exit: the own request was served, and the nodes that wait are appended to the queue.
    fn pass_to_next(&mut self, cx: &mut Context<'_, Self>) {
        let Some(mut token) = self.token.take() else { return cx.note("leaves without the token", 0) };
        token.served[self.own] = self.requested[self.own];
        for (place, node) in self.members.iter().enumerate() {
            if place != self.own && self.is_waiting(place, &token) && !token.queue.contains(node) {
                token.queue.push(*node);
            }
        }
        if token.queue.is_empty() || !self.config.keeps(Rule::Pass) {
            self.token = Some(token);
        } else {
            let next = token.queue.remove(0);
            cx.send(next, Message::Token { token });
        }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config { stay: Duration::from_millis(10), without: None }
    }
}
