//! Clients: each has one open request at a time, always to the same node, and waits for the answer up to its own limit.

use crate::driver::{LIMITS, Run, Wake, World, caller, view_of};
use crate::linearizability::{Action, Operation as RegisterOperation};
use crate::operations::{Asked, Operation, check_read, check_read_txn, check_written};
use crate::run::unanswered;
use crate::workload::{Known, is_register, number_of};
use std::sync::Arc;
use volvox_core::{Bytes, Duration, NodeId};
use volvox_replica::{Command, Error as ReplicaError, MemberRequest, Reply, Request as ReplicaRequest, Ticket, View};
use volvox_service::{Answer, Body, Call, Error, Next, admit};
use volvox_store::{Error as StoreError, RangeRequest, RangeResponse, Reply as StoreReply, ResponseOp};

/// The time within which a replica must answer every request: five seconds, two election timeouts, and the delay of a
/// late timer.
const ANSWER_TIME_MAX: Duration = Duration::from_millis(6_700);

impl Run {
    /// A client has thought enough.
    pub(crate) fn on_client(&mut self, world: &mut World, client: usize) {
        let node = self.clients[client].node;
        if self.clients[client].busy.is_some() || self.healing {
            return;
        }
        if world.node(node).is_none() {
            return self.wake_between(world, 50, 300, Wake::Client(client));
        }
        let voters: Vec<NodeId> = world.ids().filter(|id| *id != node).collect();
        let other = voters[self.rng.below(voters.len() as u64) as usize];
        let known = Known { client, revision: self.floor, other, alarm: self.alarm };
        let operation = self.workload.draw(known);
        self.ask(world, client, node, operation);
    }

    /// Asks the door of a node: the service admits the request, and answers it or says what to ask of the replica.
    pub(crate) fn ask(&mut self, world: &mut World, client: usize, node: NodeId, operation: Operation) {
        let Some(view) = view_of(world, node) else {
            return self.think(world, client);
        };
        if let Operation::Revoke(lease) = &operation {
            self.truth.borrow_mut().leases.on_revoke(*lease);
        }
        let request = operation.request(self.workload.seed());
        let (at, floor) = (world.now(), self.floor);
        let mut asked = Asked { client, node, at, floor, operation, register: None, call: None };
        match admit(Arc::clone(&view), &caller(client), request, &LIMITS) {
            Ok(Next::Ask(call, request)) => {
                asked.register = self.note_register(world, &asked.operation);
                self.send(world, asked, call, request);
            }
            Ok(Next::CheckPassword(..)) => unreachable!("no client of this workload logs in"),
            Ok(Next::Answer(answer)) => {
                if let Err(text) = self.on_answer(world, &view, &asked, answer) {
                    world.report(node, "answers to clients", format!("{:?}: {text}", asked.operation));
                }
                self.think(world, client);
            }
            Err(error) => {
                self.on_refused(world, &asked, error);
                self.think(world, client);
            }
        }
    }

    /// Passes a request on to the replica, and waits for its reply.
    fn send(&mut self, world: &mut World, asked: Asked, call: Call, request: ReplicaRequest) {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        if let Some(client) = self.clients.get_mut(asked.client) {
            client.busy = Some(ticket);
        }
        world.command(asked.node, Command::Request { ticket, request });
        self.asked.insert(ticket, Asked { call: Some(call), ..asked });
        let patient = self.rng.below(3) == 0;
        let most = if patient { 2 * ANSWER_TIME_MAX } else { Duration::from_secs(3) };
        let patience = Duration::from_millis(self.rng.between(200, most.as_millis() as u64));
        self.wake(world, if patient { patience.max(ANSWER_TIME_MAX) } else { patience }, Wake::Patience(ticket));
    }

    fn think(&mut self, world: &mut World, client: usize) {
        if client < self.clients.len() {
            let thinking = self.shape.thinking;
            let span = Duration::from_nanos(thinking.draw(&mut self.rng));
            self.wake(world, span, Wake::Client(client));
        }
    }

    /// The replica replied.
    pub(crate) fn on_reply(
        &mut self,
        world: &mut World,
        node: NodeId,
        ticket: Ticket,
        result: Result<Reply, ReplicaError>,
    ) -> Result<(), String> {
        let Some(view) = view_of(world, node) else {
            // The last that a process told before its disk took it away: the door died with it.
            self.give_up(world, ticket);
            return Ok(());
        };
        let Some(mut asked) = self.asked.remove(&ticket) else {
            return Ok(());
        };
        if let Some(client) = self.clients.get_mut(asked.client) {
            client.busy = None;
        }
        let call = asked.call.take().expect("it was admitted");
        let checked = match call.on_reply(Arc::clone(&view), result) {
            Ok(Next::Ask(call, request)) => {
                self.counts.add("lease ids chosen again");
                self.send(world, asked, call, request);
                return Ok(());
            }
            Ok(Next::Answer(answer)) => self.on_answer(world, &view, &asked, answer),
            Ok(Next::CheckPassword(..)) | Err(Error::UnfitReply) => Err("has a reply that does not fit".to_string()),
            Err(error) => {
                self.on_refused(world, &asked, error);
                Ok(())
            }
        };
        self.think(world, asked.client);
        checked.map_err(|text| format!("{:?}, asked at {}: {text}", asked.operation, asked.at))
    }

    fn on_answer(&mut self, world: &mut World, view: &View, asked: &Asked, answer: Answer) -> Result<(), String> {
        self.counts.add("requests answered");
        if asked.client == usize::MAX {
            self.on_probe_answered(asked.node, &asked.operation);
        }
        let Answer { header, body } = answer;
        if header.member != asked.node.0 || header.cluster != view.status.cluster {
            return Err(format!("is answered in the name of another member: {header:?}"));
        }
        match (&asked.operation, body) {
            (_, Body::Written(reply)) => {
                let revision = check_written(&self.truth.borrow(), asked, &reply)?;
                self.floor = self.floor.max(revision);
                self.on_written(world, asked, &reply)?;
            }
            (Operation::Read(request), Body::Range(reading)) => {
                self.counts.add(if request.serializable { "serializable reads" } else { "linearizable reads" });
                if reading.is_long() {
                    self.counts.add("reads in turns");
                }
                let response = check_read(&self.truth.borrow(), &view.store, header.revision, reading, asked.floor)?;
                if !request.serializable {
                    self.floor = self.floor.max(header.revision);
                    self.on_read(world, asked, request, response);
                }
            }
            (Operation::ReadTxn(txn), Body::Txn(response)) => {
                self.counts.add("transactions that only read");
                check_read_txn(&self.truth.borrow(), txn, &response, asked.floor)?;
            }
            (Operation::KeepAlive(lease), Body::KeptAlive { lease: answered, ttl }) if *lease == answered => {
                if ttl > 0 {
                    self.truth.borrow_mut().leases.on_alive(*lease, asked.at, ttl)?;
                } else {
                    self.counts.add("keep-alives of ended leases refused");
                    self.workload.lost_lease(asked.client);
                }
            }
            (Operation::TimeToLive(lease), Body::TimeToLive { lease: answered, .. }) if *lease == answered => {}
            (Operation::MoveLeader(_), Body::Done) => self.counts.add("leaderships transferred"),
            (Operation::Member(request), Body::Members { added, .. }) => {
                let (request, added) = (request.clone(), added.map(|member| member.id));
                self.on_members_changed(world, &request, added);
            }
            (_, other) => return Err(format!("is answered by {other:?}")),
        }
        Ok(())
    }

    fn on_written(&mut self, world: &World, asked: &Asked, reply: &StoreReply) -> Result<(), String> {
        match (&asked.operation, reply) {
            (Operation::Put(put), _) => self.finish_register(world, asked, &put.key, Some(&put.value), None),
            (Operation::Delete(delete), StoreReply::DeleteRange(reply)) => {
                self.finish_register(world, asked, &delete.key, None, Some(reply.deleted > 0));
            }
            (Operation::CompareAndSet { key, value, .. }, StoreReply::Txn(reply)) => {
                let seen = match reply.responses.first() {
                    Some(ResponseOp::Range(range)) => range.kvs.first().map(|pair| pair.value.clone()),
                    _ => Some(value.clone()),
                };
                self.finish_register(world, asked, key, seen.as_ref(), Some(reply.succeeded));
            }
            (Operation::Grant(wish), StoreReply::LeaseGrant(reply)) => {
                self.truth.borrow_mut().leases.on_alive(reply.id, asked.at, reply.ttl)?;
                if wish.id == 0 {
                    self.counts.add("lease ids chosen");
                    self.workload.granted(asked.client, reply.id);
                }
            }
            (Operation::Compact(_), _) => self.counts.add("compactions"),
            (Operation::ClearAlarm(_), _) => {
                self.alarm = None;
                self.counts.add("quota alarms cleared");
            }
            _ => {}
        }
        Ok(())
    }

    /// Counts a request that was refused.
    pub(crate) fn count_refusal(&mut self, error: Error) {
        self.counts.add(match error {
            Error::Store(StoreError::NoSpace) => "refused for want of space",
            Error::Store(_) => "refused by the store",
            Error::Learner => "refused by a learner",
            Error::NoLeader => "refused without a leader",
            Error::Replica(ReplicaError::TooManyRequests) => "refused: too many requests",
            Error::Replica(ReplicaError::Timeout | ReplicaError::TimeoutLeaderFailure) => "timed out",
            _ => "refused otherwise",
        });
    }

    fn on_refused(&mut self, world: &World, asked: &Asked, error: Error) {
        self.count_refusal(error);
        if error == Error::Store(StoreError::NoSpace) {
            // An operator lists the alarms, and clears what is there: also that of a member that was removed.
            let listed = world.node(asked.node).and_then(|replica| replica.store().state().alarms().next());
            self.alarm = Some(listed.map_or(asked.node, |alarm| NodeId(alarm.member_id)));
        }
        let lost = matches!(asked.operation, Operation::Grant(_)) || error == Error::Store(StoreError::LeaseNotFound);
        if lost {
            self.workload.lost_lease(asked.client);
        }
        if !error.is_definite() {
            return;
        }
        self.refused.extend(asked.operation.values());
        if let (Some(place), Some(key)) = (asked.register, register_of(&asked.operation)) {
            // It certainly had no effect: it counts as a read without an answer.
            let operations = self.registers.get_mut(&key).expect("its register");
            operations[place].action = Action::Read(0);
        }
    }

    /// The client stops waiting; its request may still take effect.
    pub(crate) fn on_patience_over(&mut self, world: &mut World, ticket: Ticket) -> Result<(), String> {
        let Some(asked) = self.asked.get(&ticket) else {
            return Ok(());
        };
        let (node, at) = (asked.node, asked.at);
        let since = self.troubled.get(&node).copied().unwrap_or_default().max(at);
        if world.now().since(since) >= ANSWER_TIME_MAX && world.is_running(node) {
            return Err(format!("{:?}, asked at {at}, has no answer", asked.operation));
        }
        self.counts.add("clients that lost patience");
        world.command(node, Command::Forget { ticket });
        self.give_up(world, ticket);
        Ok(())
    }

    /// No client will ever receive the answer.
    pub(crate) fn give_up(&mut self, world: &mut World, ticket: Ticket) {
        let Some(asked) = self.asked.remove(&ticket) else {
            return;
        };
        if let Some(client) = self.clients.get_mut(asked.client) {
            client.busy = None;
        }
        if matches!(asked.operation, Operation::Grant(_)) {
            self.workload.lost_lease(asked.client);
        }
        self.think(world, asked.client);
    }

    fn on_read(&mut self, world: &World, asked: &Asked, request: &RangeRequest, response: Option<RangeResponse>) {
        if let (Some(_), Some(response)) = (asked.register, response) {
            let value = response.kvs.first().map(|pair| pair.value.clone());
            self.finish_register(world, asked, &request.key, value.as_ref(), None);
        }
    }

    /// An operation on a register goes into its history when it is asked.
    fn note_register(&mut self, world: &World, operation: &Operation) -> Option<usize> {
        let key = register_of(operation)?;
        let number = |value: &Bytes| number_of(value);
        let action = match operation {
            Operation::Put(put) => Action::Write(number(&put.value)),
            Operation::Delete(_) => Action::Delete(None),
            Operation::CompareAndSet { expected, value, .. } => {
                let expected = expected.as_ref().map_or(0, number);
                Action::CompareAndSet { expected, new: number(value), succeeded: None }
            }
            _ => Action::Read(0),
        };
        let history = self.registers.entry(key).or_default();
        history.push(RegisterOperation { action: unanswered(action), invoked: world.now().0, answered: None });
        Some(history.len() - 1)
    }

    /// It was answered: this value is there now, and this was the verdict.
    fn finish_register(
        &mut self,
        world: &World,
        asked: &Asked,
        key: &Bytes,
        value: Option<&Bytes>,
        verdict: Option<bool>,
    ) {
        let Some(place) = asked.register else { return };
        self.workload.saw(key, value.cloned());
        let operation = &mut self.registers.get_mut(key).expect("its register")[place];
        operation.answered = Some(world.now().0);
        operation.action = match operation.action {
            Action::Read(_) => Action::Read(value.map_or(0, |value| number_of(value))),
            Action::Delete(_) => Action::Delete(verdict),
            Action::CompareAndSet { expected, new, .. } => Action::CompareAndSet { expected, new, succeeded: verdict },
            write @ Action::Write(_) => write,
        };
    }

    /// Asks a node to write something, to see that it works.
    pub(crate) fn probe(&mut self, world: &mut World, node: NodeId) {
        let operation = self.workload.probe(node);
        self.ask(world, usize::MAX, node, operation);
    }

    /// Asks about the members.
    pub(crate) fn ask_members(&mut self, world: &mut World, node: NodeId, request: MemberRequest) {
        self.ask(world, usize::MAX, node, Operation::Member(request));
    }
}

fn register_of(operation: &Operation) -> Option<Bytes> {
    let key = match operation {
        Operation::Put(put) => &put.key,
        Operation::Delete(delete) if delete.range_end.is_empty() => &delete.key,
        Operation::CompareAndSet { key, .. } => key,
        Operation::Read(read) if !read.serializable && read.range_end.is_empty() => &read.key,
        _ => return None,
    };
    is_register(key).then(|| key.clone())
}
