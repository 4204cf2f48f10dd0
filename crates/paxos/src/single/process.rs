//! One process in all three roles: proposer, acceptor and learner (section 2.5).

use super::message::{Ballot, Command, Event, Message, Record, Value};
use super::{Config, Learning, Rule};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use volvox_core::{Context, Duration, NodeId, Process, Restored, payload};

/// The state of an acceptor, all of which is on the disk.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Acceptor {
    /// The promised ballot: nothing older is accepted any more.
    pub promised: Option<Ballot>,
    /// The newest accepted proposal.
    pub accepted: Option<(Ballot, Value)>,
}

/// The phase of a proposer's ballot.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Attempt {
    /// Phase 1: the acceptors that promised, and what each had accepted.
    Preparing {
        /// The ballot.
        ballot: Ballot,
        /// By acceptor, including its own.
        promises: BTreeMap<NodeId, Option<(Ballot, Value)>>,
    },
    /// Phase 2: the value was sent, and learners count.
    Accepting {
        /// The ballot.
        ballot: Ballot,
        /// The value.
        value: Value,
    },
}

/// The only timer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// No decision in time: begin the next ballot, or ask the distinguished proposer again.
    Retry,
}

payload! { Timer; Retry }

/// A process of single-decree Paxos.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Paxos {
    id: NodeId,
    config: Config,
    members: Vec<NodeId>,
    acceptor: Acceptor,
    /// Proposer: the value that it was asked to propose; the first request is kept.
    wish: Option<Value>,
    /// Proposer: the newest ballot reported by a refusal.
    seen: Option<Ballot>,
    attempt: Option<Attempt>,
    /// Learner: the newest proposal that each acceptor is known to have accepted.
    heard: BTreeMap<NodeId, (Ballot, Value)>,
    chosen: Option<Value>,
}

impl Process for Paxos {
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;
    type Command = Command;
    type Event = Event;
    /// The chosen value, if this process knows it.
    type View = Option<Value>;

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> Paxos {
        Paxos {
            id,
            config: config.clone(),
            members: members.to_vec(),
            acceptor: Acceptor::default(),
            wish: None,
            seen: None,
            attempt: None,
            heard: BTreeMap::new(),
            chosen: None,
        }
    }

    fn on_restore(&mut self, restored: Restored<Record>) {
        let Restored::Record { record, .. } = restored else { return };
        match record {
            Record::Promised(ballot) => self.acceptor.promised = Some(ballot),
            Record::Accepted(ballot, value) => {
                self.acceptor = Acceptor { promised: Some(ballot), accepted: Some((ballot, value)) };
            }
        }
    }

    fn on_start(&mut self, _: &mut Context<'_, Paxos>) {}

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Paxos>) {
        if !self.members.contains(&from) {
            return cx.note("ignored: not a member", from.0);
        }
        match message {
            Message::Request(value) => self.on_request(from, Some(value), cx),
            Message::Inquire => self.on_request(from, None, cx),
            Message::Prepare(ballot) => self.on_prepare(from, ballot, cx),
            Message::Promise(ballot, accepted) => self.on_promise(from, ballot, accepted, cx),
            Message::Accept(ballot, value) => self.on_accept(from, ballot, value, cx),
            Message::Accepted(ballot, value) => self.on_accepted(from, ballot, value, cx),
            Message::Refused(ballot, promised) => self.on_refused(ballot, promised, cx),
            Message::Chosen(value) => self.learn(value, cx),
        }
    }

    fn on_timer(&mut self, Timer::Retry: Timer, cx: &mut Context<'_, Paxos>) {
        self.pursue(cx);
    }

    fn on_command(&mut self, command: Command, cx: &mut Context<'_, Paxos>) {
        match command {
            Command::Propose(value) => {
                cx.emit(Event::Proposed(value));
                self.wish.get_or_insert(value);
                if self.attempt.is_none() {
                    self.pursue(cx);
                }
            }
            Command::Learn if self.chosen.is_none() && self.attempt.is_none() => self.pursue(cx),
            Command::Learn => cx.note("knows it, or is about to", 0),
        }
    }

    fn view(&self) -> Option<Value> {
        self.chosen
    }
}

/// Proposer.
impl Paxos {
    /// Begins a ballot for its value, or to learn what was chosen; where only another process may begin ballots, asks
    /// that one repeatedly until it knows.
    fn pursue(&mut self, cx: &mut Context<'_, Paxos>) {
        if self.chosen.is_some() {
            return;
        }
        match self.config.distinguished {
            Some(proposer) if proposer != self.id => {
                cx.send(proposer, self.wish.map_or(Message::Inquire, Message::Request));
                self.set_retry(cx);
            }
            _ => self.begin_ballot(cx),
        }
    }

    /// Another process requests a proposal of this value, or only wants to learn what was chosen.
    fn on_request(&mut self, from: NodeId, value: Option<Value>, cx: &mut Context<'_, Paxos>) {
        if let Some(chosen) = self.chosen {
            return cx.send(from, Message::Chosen(chosen));
        }
        if self.config.distinguished != Some(self.id) {
            return cx.note("ignored: another process proposes", 0);
        }
        self.wish = self.wish.or(value);
        if self.attempt.is_none() {
            self.begin_ballot(cx);
        }
    }

    /// Phase 1a. Its own acceptor promises first, and the request leaves once that record is durable: so every ballot
    /// that any process has seen is on this disk, and is not reused after a restart.
    fn begin_ballot(&mut self, cx: &mut Context<'_, Paxos>) {
        let newest = self.seen.max(self.acceptor.promised);
        let ballot = Ballot { round: newest.map_or(0, |ballot| ballot.round) + 1, node: self.id };
        let accepted = self.promise(ballot, cx);
        self.attempt = Some(Attempt::Preparing { ballot, promises: BTreeMap::from([(self.id, accepted)]) });
        cx.broadcast(&self.members, Message::Prepare(ballot));
        self.set_retry(cx);
        self.propose_to_majority(cx);
    }

    fn on_promise(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        accepted: Option<(Ballot, Value)>,
        cx: &mut Context<'_, Paxos>,
    ) {
        match &mut self.attempt {
            Some(Attempt::Preparing { ballot: mine, promises }) if *mine == ballot => {
                promises.insert(from, accepted);
                self.propose_to_majority(cx);
            }
            _ => cx.note("ignored: a promise that is not needed", 0),
        }
    }

    /// Phase 2a, once a majority has promised.
    fn propose_to_majority(&mut self, cx: &mut Context<'_, Paxos>) {
        let Some(Attempt::Preparing { ballot, promises }) = &self.attempt else { return };
        if promises.len() < self.quorum() {
            return;
        }
        let ballot = *ballot;
        let newest = promises.values().flatten().max_by_key(|(accepted, _)| *accepted).map(|(_, value)| *value);
        let free = match newest {
            // A value that may have been chosen is kept (P2c, section 2.2).
            Some(value) if self.config.keeps(Rule::AdoptNewest) => Some(value),
            _ => self.wish.or(newest),
        };
        let Some(value) = free else {
            self.attempt = None;
            cx.cancel_timer(Timer::Retry);
            return cx.note("nothing was chosen yet", 0);
        };
        self.attempt = Some(Attempt::Accepting { ballot, value });
        cx.broadcast(&self.members, Message::Accept(ballot, value));
        // Its own acceptor may have promised a newer ballot meanwhile.
        match self.accept(ballot, value, cx) {
            Ok(()) => self.on_accepted(self.id, ballot, value, cx),
            Err(promised) => self.on_refused(ballot, promised, cx),
        }
    }

    /// Abandons the ballot at the first refusal, as section 2.2 allows, though a majority may still promise and accept
    /// it: that costs a ballot, and never safety.
    fn on_refused(&mut self, ballot: Ballot, promised: Ballot, cx: &mut Context<'_, Paxos>) {
        let mine = match &self.attempt {
            Some(Attempt::Preparing { ballot, .. } | Attempt::Accepting { ballot, .. }) => *ballot,
            None => return cx.note("ignored: refused what was given up", 0),
        };
        if mine != ballot {
            return cx.note("ignored: refused what was given up", 0);
        }
        self.seen = self.seen.max(Some(promised));
        if !self.config.keeps(Rule::Backoff) {
            return self.begin_ballot(cx);
        }
        self.attempt = None;
        self.set_retry(cx);
    }

    fn set_retry(&self, cx: &mut Context<'_, Paxos>) {
        let span = volvox_core::time::nanos(self.config.backoff_max);
        let pause = if self.config.keeps(Rule::Backoff) { cx.rng().between(0, span) } else { 0 };
        cx.set_timer(Timer::Retry, self.config.patience + Duration::from_nanos(pause));
    }
}

/// Acceptor.
impl Paxos {
    fn on_prepare(&mut self, from: NodeId, ballot: Ballot, cx: &mut Context<'_, Paxos>) {
        if ballot.node != from {
            return cx.note("ignored: a ballot of another process", from.0);
        }
        if let Some(value) = self.chosen {
            return cx.send(from, Message::Chosen(value));
        }
        match self.acceptor.promised {
            // Only for a newer ballot (section 2.2). A copy of a request that was answered is no reason to abandon it.
            Some(promised) if promised > ballot => cx.send(from, Message::Refused(ballot, promised)),
            Some(promised) if promised == ballot => cx.note("ignored: promised already", ballot.round),
            _ => {
                let accepted = self.promise(ballot, cx);
                cx.send(from, Message::Promise(ballot, accepted));
            }
        }
    }

    /// Phase 1b: the promise, and what was accepted before it.
    fn promise(&mut self, ballot: Ballot, cx: &mut Context<'_, Paxos>) -> Option<(Ballot, Value)> {
        self.acceptor.promised = Some(ballot);
        if self.config.keeps(Rule::PromiseOnDisk) {
            cx.persist(Record::Promised(ballot));
        }
        self.acceptor.accepted
    }

    fn on_accept(&mut self, from: NodeId, ballot: Ballot, value: Value, cx: &mut Context<'_, Paxos>) {
        if ballot.node != from {
            return cx.note("ignored: a ballot of another process", from.0);
        }
        if let Err(promised) = self.accept(ballot, value, cx) {
            return cx.send(from, Message::Refused(ballot, promised));
        }
        match self.config.learning {
            Learning::Proposer => cx.send(from, Message::Accepted(ballot, value)),
            Learning::All => self.on_accepted(self.id, ballot, value, cx),
        }
    }

    /// Phase 2b: accepts, unless it promised a newer ballot, which it then reports.
    fn accept(&mut self, ballot: Ballot, value: Value, cx: &mut Context<'_, Paxos>) -> Result<(), Ballot> {
        if let Some(promised) = self.acceptor.promised
            && promised > ballot
            && self.config.keeps(Rule::PromiseKept)
        {
            return Err(promised);
        }
        self.acceptor = Acceptor { promised: Some(ballot), accepted: Some((ballot, value)) };
        if self.config.keeps(Rule::AcceptanceOnDisk) {
            cx.persist(Record::Accepted(ballot, value));
        }
        if self.config.learning == Learning::All {
            cx.broadcast(&self.members, Message::Accepted(ballot, value));
        }
        Ok(())
    }
}

/// Learner.
impl Paxos {
    fn on_accepted(&mut self, from: NodeId, ballot: Ballot, value: Value, cx: &mut Context<'_, Paxos>) {
        if self.chosen.is_some() {
            return;
        }
        let newest = self.heard.entry(from).or_insert((ballot, value));
        *newest = (*newest).max((ballot, value));
        // Acceptances of several ballots choose nothing, however many they are (section 2.3).
        let of_one = |heard: &&(Ballot, Value)| !self.config.keeps(Rule::SameBallot) || heard.0 == ballot;
        if self.heard.values().filter(of_one).count() < self.quorum() {
            return;
        }
        self.learn(value, cx);
        if self.config.learning == Learning::Proposer {
            cx.broadcast(&self.members, Message::Chosen(value));
        }
    }

    fn learn(&mut self, value: Value, cx: &mut Context<'_, Paxos>) {
        match self.chosen {
            None => {
                if self.attempt.is_some() || self.wish.is_some() {
                    cx.cancel_timer(Timer::Retry);
                }
                self.chosen = Some(value);
                (self.attempt, self.seen) = (None, None);
                self.heard.clear();
                cx.emit(Event::Chosen(value));
            }
            Some(known) if known != value => cx.note("informed of a different value", value.0),
            Some(_) => {}
        }
    }

    /// The size of a majority: two such sets share an acceptor.
    fn quorum(&self) -> usize {
        match self.config.keeps(Rule::Intersection) {
            true => self.members.len() / 2 + 1,
            false => (self.members.len() / 2).max(1),
        }
    }
}

/// Queries for observers.
impl Paxos {
    /// The state of its acceptor.
    pub fn acceptor(&self) -> &Acceptor {
        &self.acceptor
    }

    /// The phase of its proposer, while it has a ballot.
    pub fn attempt(&self) -> Option<&Attempt> {
        self.attempt.as_ref()
    }

    /// The first value that it was asked to propose.
    pub fn wish(&self) -> Option<Value> {
        self.wish
    }

    /// The chosen value, if it knows it.
    pub fn chosen(&self) -> Option<Value> {
        self.chosen
    }

    /// Shows every ballot in it to `visit`, which may change it: for models that count rounds from the lowest alive.
    /// Only the order and the distance of rounds matter to the protocol.
    pub fn each_ballot(&mut self, visit: &mut dyn FnMut(&mut Ballot)) {
        self.acceptor.promised.iter_mut().chain(&mut self.seen).for_each(&mut *visit);
        self.acceptor.accepted.iter_mut().for_each(|(ballot, _)| visit(ballot));
        self.heard.values_mut().for_each(|(ballot, _)| visit(ballot));
        match &mut self.attempt {
            Some(Attempt::Preparing { ballot, promises }) => {
                visit(ballot);
                promises.values_mut().flatten().for_each(|(ballot, _)| visit(ballot));
            }
            Some(Attempt::Accepting { ballot, .. }) => visit(ballot),
            None => {}
        }
    }
}
