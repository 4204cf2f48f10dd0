//! Single-decree Paxos (Lamport 2001) behind a register that is written once, with clients that write and then read:
//! the roles, messages and observation of the example of stateright 0.31, so that the counts are comparable.
//!
//! Nodes 1 to 3 are servers, each proposer and acceptor; the rest are clients. A client writes its own value through
//! one server, and once that is decided reads through the next. The observer keeps the history of operations, and
//! whether it is linearizable.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use volvox_check::{Network, System};
use volvox_core::{Context, MessageKind, NodeId, Process};

pub const SERVERS: u64 = 3;
const MAJORITY: usize = 2;

type Ballot = (u32, NodeId);
/// A value, with the client that requested it and the request's number.
type Proposal = (u64, NodeId, char);
type Accepted = Option<(Ballot, Proposal)>;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Message {
    Put(u64, char),
    Get(u64),
    PutOk(u64),
    GetOk(u64, char),
    Prepare(Ballot),
    Prepared(Ballot, Accepted),
    Accept(Ballot, Proposal),
    Accepted(Ballot),
    Decided(Ballot, Proposal),
}

/// The start and the end of a client's operation.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    Write(char),
    Read,
    Written,
    ReadBack(char),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Never {}

macro_rules! shown_as_debugged {
    ($($name:ty),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self:?}")
            }
        }
    )*};
}
shown_as_debugged!(Message, Event, Never);

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Put(..) => "Put",
            Message::Get(_) => "Get",
            Message::PutOk(_) => "PutOk",
            Message::GetOk(..) => "GetOk",
            Message::Prepare(_) => "Prepare",
            Message::Prepared(..) => "Prepared",
            Message::Accept(..) => "Accept",
            Message::Accepted(_) => "Accepted",
            Message::Decided(..) => "Decided",
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Node {
    Server(Server),
    Client { index: u64, awaiting: Option<u64>, operations: u64 },
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Server {
    id: NodeId,
    ballot: Ballot,
    proposal: Option<Proposal>,
    prepares: BTreeMap<NodeId, Accepted>,
    accepts: BTreeSet<NodeId>,
    accepted: Accepted,
    is_decided: bool,
}

impl Process for Node {
    type Config = ();
    type Message = Message;
    type Timer = ();
    type Record = Never;
    type Command = Never;
    type Event = Event;
    type View = ();

    fn new(id: NodeId, _: &[NodeId], (): &()) -> Node {
        Node::of(id)
    }

    fn on_start(&mut self, cx: &mut Context<'_, Node>) {
        if let Some((to, request)) = self.first_request() {
            tell(&request, cx);
            cx.send(to, request);
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Node>) {
        if self.ignores(&message) {
            return;
        }
        if let Node::Client { .. } = self {
            tell(&message, cx);
        }
        self.on_heard(from, message, |to, message| {
            if let Message::Get(_) = message {
                tell(&message, cx);
            }
            cx.send(to, message);
        });
    }

    fn on_timer(&mut self, (): (), _: &mut Context<'_, Node>) {}

    fn on_command(&mut self, command: Never, _: &mut Context<'_, Node>) {
        match command {}
    }

    fn view(&self) {}
}

/// The observer learns of operations when clients send requests and when they get answers.
fn tell(message: &Message, cx: &mut Context<'_, Node>) {
    match message {
        Message::Put(_, value) => cx.emit(Event::Write(*value)),
        Message::Get(_) => cx.emit(Event::Read),
        Message::PutOk(_) => cx.emit(Event::Written),
        Message::GetOk(_, value) => cx.emit(Event::ReadBack(*value)),
        _ => {}
    }
}

/// The protocol, independent of the checker: the benchmark also runs it under another one.
impl Node {
    /// Servers first, then clients.
    pub fn of(id: NodeId) -> Node {
        if id.0 > SERVERS {
            return Node::Client { index: id.0 - 1, awaiting: Some(id.0 - 1), operations: 1 };
        }
        Node::Server(Server {
            id,
            ballot: (0, NodeId(1)),
            proposal: None,
            prepares: BTreeMap::new(),
            accepts: BTreeSet::new(),
            accepted: None,
            is_decided: false,
        })
    }

    /// A client's first request, and its receiver.
    pub fn first_request(&self) -> Option<(NodeId, Message)> {
        let Node::Client { index, .. } = self else { return None };
        let value = char::from(b'A' + (*index - SERVERS) as u8);
        Some((NodeId(*index % SERVERS + 1), Message::Put(*index, value)))
    }

    /// Whether a message changes nothing and is not answered.
    pub fn ignores(&self, message: &Message) -> bool {
        match self {
            Node::Server(server) => server.ignores(message),
            Node::Client { awaiting, .. } => match message {
                Message::PutOk(request) | Message::GetOk(request, _) => *awaiting != Some(*request),
                _ => true,
            },
        }
    }

    /// A message that is not ignored.
    pub fn on_heard(&mut self, from: NodeId, message: Message, mut send: impl FnMut(NodeId, Message)) {
        match self {
            Node::Server(server) => server.on_heard(from, message, send),
            Node::Client { index, awaiting, operations } => {
                *awaiting = None;
                if let Message::PutOk(_) = message {
                    let next = (*operations + 1) * *index;
                    *awaiting = Some(next);
                    send(NodeId((*index + *operations) % SERVERS + 1), Message::Get(next));
                }
                *operations += 1;
            }
        }
    }
}

impl Server {
    fn ignores(&self, message: &Message) -> bool {
        match message {
            Message::Get(_) => !self.is_decided,
            _ if self.is_decided => true,
            Message::Put(..) => self.proposal.is_some(),
            Message::Prepare(ballot) => *ballot <= self.ballot,
            Message::Prepared(ballot, _) | Message::Accepted(ballot) => *ballot != self.ballot,
            Message::Accept(ballot, _) => *ballot < self.ballot,
            Message::Decided(..) => false,
            Message::PutOk(_) | Message::GetOk(..) => true,
        }
    }

    fn on_heard(&mut self, from: NodeId, message: Message, mut send: impl FnMut(NodeId, Message)) {
        let me = self.id;
        let broadcast = |message: Message, send: &mut dyn FnMut(NodeId, Message)| {
            (1..=SERVERS).map(NodeId).filter(|peer| *peer != me).for_each(|peer| send(peer, message.clone()));
        };
        match message {
            Message::Get(request) => {
                let (_, (_, _, value)) = self.accepted.expect("what is decided was accepted");
                send(from, Message::GetOk(request, value));
            }
            Message::Put(request, value) => {
                self.proposal = Some((request, from, value));
                self.ballot = (self.ballot.0 + 1, self.id);
                // A server prepares and accepts its own ballots without a message.
                self.prepares = [(self.id, self.accepted)].into();
                self.accepts.clear();
                broadcast(Message::Prepare(self.ballot), &mut send);
            }
            Message::Prepare(ballot) => {
                self.ballot = ballot;
                send(from, Message::Prepared(ballot, self.accepted));
            }
            Message::Prepared(ballot, accepted) => {
                self.prepares.insert(from, accepted);
                if self.prepares.len() == MAJORITY {
                    // A value that may already have been decided must be proposed again: the one of the highest ballot.
                    let highest = self.prepares.values().max().copied().flatten().map(|(_, proposal)| proposal);
                    let proposal = highest.or(self.proposal).expect("a node that prepares proposes");
                    self.proposal = Some(proposal);
                    self.accepted = Some((ballot, proposal));
                    self.accepts.insert(self.id);
                    broadcast(Message::Accept(ballot, proposal), &mut send);
                }
            }
            Message::Accept(ballot, proposal) => {
                self.ballot = ballot;
                self.accepted = Some((ballot, proposal));
                send(from, Message::Accepted(ballot));
            }
            Message::Accepted(ballot) => {
                self.accepts.insert(from);
                if self.accepts.len() == MAJORITY {
                    self.is_decided = true;
                    let proposal = self.proposal.expect("an accepted proposer proposed");
                    broadcast(Message::Decided(ballot, proposal), &mut send);
                    send(proposal.1, Message::PutOk(proposal.0));
                }
            }
            Message::Decided(ballot, proposal) => {
                self.ballot = ballot;
                self.accepted = Some((ballot, proposal));
                self.is_decided = true;
            }
            Message::PutOk(_) | Message::GetOk(..) => {}
        }
    }
}

/// How many operations of each other client were complete when an operation began.
type Before = BTreeMap<NodeId, usize>;

/// The operations of all clients, with their real-time order only.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct History {
    completed: BTreeMap<NodeId, Vec<(Before, Event, Event)>>,
    in_flight: BTreeMap<NodeId, (Before, Event)>,
    /// Whether some order of the operations explains it: computed once per history.
    pub is_linearizable: bool,
}

impl History {
    pub fn new() -> History {
        History { completed: BTreeMap::new(), in_flight: BTreeMap::new(), is_linearizable: true }
    }

    pub fn observe(&mut self, client: NodeId, event: &Event) {
        match event {
            Event::Write(_) | Event::Read => {
                let others = self.completed.iter().filter(|(other, _)| **other != client);
                let before = others.map(|(other, done)| (*other, done.len())).collect();
                self.in_flight.insert(client, (before, event.clone()));
            }
            Event::Written | Event::ReadBack(_) => {
                let (before, began) = self.in_flight.remove(&client).expect("what ends began");
                self.completed.entry(client).or_default().push((before, began, event.clone()));
            }
        }
        self.is_linearizable = self.has_order(&mut BTreeMap::new(), '\0');
    }

    /// Tries every order that respects real time, operation by operation.
    fn has_order(&self, done: &mut BTreeMap<NodeId, usize>, value: char) -> bool {
        let count = |done: &BTreeMap<NodeId, usize>, client: &NodeId| done.get(client).copied().unwrap_or(0);
        if self.completed.iter().all(|(client, all)| count(done, client) >= all.len()) {
            return true;
        }
        let clients: BTreeSet<NodeId> = self.completed.keys().chain(self.in_flight.keys()).copied().collect();
        for client in clients {
            let at = count(done, &client);
            let completed = self.completed.get(&client).map_or(&[][..], Vec::as_slice);
            let (before, began, ended) = match completed.get(at) {
                Some((before, began, ended)) => (before, began, Some(ended)),
                // An operation in progress may already have taken effect.
                None if at == completed.len() => match self.in_flight.get(&client) {
                    Some((before, began)) => (before, began, None),
                    None => continue,
                },
                None => continue,
            };
            let after = match (began, ended) {
                _ if before.iter().any(|(other, all)| count(done, other) < *all) => continue,
                (Event::Write(new), _) => *new,
                (_, Some(Event::ReadBack(read))) if *read != value => continue,
                _ => value,
            };
            done.insert(client, at + 1);
            let found = self.has_order(done, after);
            done.insert(client, at);
            if found {
                return true;
            }
        }
        false
    }
}

/// The model for a number of clients.
pub fn paxos(clients: u64) -> System<Node, History> {
    System::observed(SERVERS + clients, (), History::new(), History::observe)
        .network(Network::unordered().keep_ignored().queue_max(64))
}
