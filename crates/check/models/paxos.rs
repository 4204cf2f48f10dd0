//! Single-decree Paxos (Lamport 2001) behind a register that is written once, with clients that write and then read:
//! the roles, messages and observation of the example of stateright 0.31, so that the counts are comparable.
//!
//! Nodes 1 to 3 are servers, each proposer and acceptor; the rest are clients. A client writes a value of its own through
//! one server, and once that is decided reads through the next. The observer keeps the history of operations, and whether
//! it is linearizable.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use volvox_check::{Network, System};
use volvox_core::{Context, MessageKind, NodeId, Process};

pub const SERVERS: u64 = 3;
const MAJORITY: usize = 2;

type Ballot = (u32, NodeId);
/// A value, and who asked for it under which number.
type Proposal = (u64, NodeId, char);
type Accepted = Option<(Ballot, Proposal)>;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
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

/// What a client began and ended.
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
        if id.0 > SERVERS {
            return Node::Client { index: id.0 - 1, awaiting: None, operations: 0 };
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

    fn on_start(&mut self, cx: &mut Context<'_, Node>) {
        if let Node::Client { index, awaiting, operations } = self {
            let value = char::from(b'A' + (*index - SERVERS) as u8);
            (*awaiting, *operations) = (Some(*index), 1);
            cx.emit(Event::Write(value));
            cx.send(NodeId(*index % SERVERS + 1), Message::Put(*index, value));
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Node>) {
        match self {
            Node::Server(server) => server.on_message(from, message, cx),
            Node::Client { index, awaiting, operations } => match message {
                Message::PutOk(request) if *awaiting == Some(request) => {
                    let next = (*operations + 1) * *index;
                    cx.emit(Event::Written);
                    cx.emit(Event::Read);
                    cx.send(NodeId((*index + *operations) % SERVERS + 1), Message::Get(next));
                    (*awaiting, *operations) = (Some(next), *operations + 1);
                }
                Message::GetOk(request, value) if *awaiting == Some(request) => {
                    cx.emit(Event::ReadBack(value));
                    (*awaiting, *operations) = (None, *operations + 1);
                }
                _ => {}
            },
        }
    }

    fn on_timer(&mut self, (): (), _: &mut Context<'_, Node>) {}

    fn on_command(&mut self, command: Never, _: &mut Context<'_, Node>) {
        match command {}
    }

    fn view(&self) {}
}

impl Server {
    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Node>) {
        let peers: Vec<NodeId> = (1..=SERVERS).map(NodeId).collect();
        if self.is_decided {
            if let (Message::Get(request), Some((_, (_, _, value)))) = (message, self.accepted) {
                cx.send(from, Message::GetOk(request, value));
            }
            return;
        }
        match message {
            Message::Put(request, value) if self.proposal.is_none() => {
                self.proposal = Some((request, from, value));
                self.prepares.clear();
                self.accepts.clear();
                self.ballot = (self.ballot.0 + 1, self.id);
                self.prepares.insert(self.id, self.accepted);
                cx.broadcast(&peers, Message::Prepare(self.ballot));
            }
            Message::Prepare(ballot) if self.ballot < ballot => {
                self.ballot = ballot;
                cx.send(from, Message::Prepared(ballot, self.accepted));
            }
            Message::Prepared(ballot, accepted) if ballot == self.ballot => {
                self.prepares.insert(from, accepted);
                if self.prepares.len() == MAJORITY {
                    // What may have been decided already has to be proposed again: that of the highest ballot.
                    let highest = self.prepares.values().max().copied().flatten().map(|(_, proposal)| proposal);
                    let proposal = highest.or(self.proposal).expect("whoever prepares proposes");
                    self.proposal = Some(proposal);
                    self.accepted = Some((ballot, proposal));
                    self.accepts.insert(self.id);
                    cx.broadcast(&peers, Message::Accept(ballot, proposal));
                }
            }
            Message::Accept(ballot, proposal) if self.ballot <= ballot => {
                self.ballot = ballot;
                self.accepted = Some((ballot, proposal));
                cx.send(from, Message::Accepted(ballot));
            }
            Message::Accepted(ballot) if ballot == self.ballot => {
                self.accepts.insert(from);
                if self.accepts.len() == MAJORITY {
                    self.is_decided = true;
                    let proposal = self.proposal.expect("whoever is accepted proposed");
                    cx.broadcast(&peers, Message::Decided(ballot, proposal));
                    cx.send(proposal.1, Message::PutOk(proposal.0));
                }
            }
            Message::Decided(ballot, proposal) => {
                self.ballot = ballot;
                self.accepted = Some((ballot, proposal));
                self.is_decided = true;
            }
            _ => {}
        }
    }
}

/// How many operations of each other client were complete when an operation began.
type Before = BTreeMap<NodeId, usize>;

/// The operations of all clients: what real time says about their order, and no more.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct History {
    completed: BTreeMap<NodeId, Vec<(Before, Event, Event)>>,
    in_flight: BTreeMap<NodeId, (Before, Event)>,
    /// Whether some order of the operations explains it: asked once for each history.
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
                // What is under way may have taken effect already.
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
