//! The models under stateright.

use crate::paxos::{Message, Node, SERVERS};
use crate::two_phase::{Action, TwoPhase};
use crate::{CLIENTS, MANAGERS};
use stateright::actor::{Actor, ActorModel, Envelope, Id, Network, Out};
use stateright::semantics::register::{Register, RegisterOp, RegisterRet};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester};
use stateright::{Checker, Expectation, Model, Property};
use std::borrow::Cow;
use volvox_check::{Model as _, Steps};
use volvox_core::NodeId;

pub fn two_phase(threads: usize) -> u64 {
    let checker = Words(TwoPhase::new(MANAGERS)).checker().threads(threads).spawn_bfs().join();
    checker.assert_properties();
    checker.unique_state_count() as u64
}

/// The model with one word per state. An action carries the state that it leads to, so that nothing is computed twice.
struct Words(TwoPhase);

/// Collects what is possible.
struct Collected<'a>(&'a mut Vec<(Action, u64)>);

impl Steps<TwoPhase> for Collected<'_> {
    fn step(&mut self, action: Action, next: u64) {
        self.0.push((action, next));
    }

    fn lazy(&mut self, _: u128, action: &dyn Fn() -> Action, next: &dyn Fn() -> u64) {
        self.0.push((action(), next()));
    }

    fn fail(&mut self, action: Action, why: String) {
        panic!("{action}: {why}");
    }
}

impl Model for Words {
    type State = u64;
    type Action = (Action, u64);

    fn init_states(&self) -> Vec<u64> {
        self.0.initial()
    }

    fn actions(&self, state: &u64, actions: &mut Vec<(Action, u64)>) {
        self.0.next(state, &mut Collected(actions));
    }

    fn next_state(&self, _: &u64, (_, next): (Action, u64)) -> Option<u64> {
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Words>> {
        vec![Property::always("consistent", |model: &Words, state: &u64| model.0.is_consistent(*state))]
    }
}

type Tester = LinearizabilityTester<Id, Register<char>>;

pub fn paxos(threads: usize) -> u64 {
    let checker = ActorModel::<Role, (), Tester>::new((), LinearizabilityTester::new(Register('\0')))
        .actors((0..SERVERS + CLIENTS).map(|_| Role))
        .init_network(Network::new_unordered_nonduplicating([]))
        .property(Expectation::Always, "linearizable", |_, state| state.history.serialized_history().is_some())
        .record_msg_in(record_answers)
        .record_msg_out(record_requests)
        .checker()
        .threads(threads)
        .spawn_bfs()
        .join();
    checker.assert_properties();
    checker.unique_state_count() as u64
}

/// A node of the shared protocol; which one, its name says.
#[derive(Clone)]
struct Role;

fn name_of(id: Id) -> NodeId {
    NodeId(u64::from(usize::from(id) as u32) + 1)
}

fn id_of(name: NodeId) -> Id {
    Id::from(name.0 as usize - 1)
}

impl Actor for Role {
    type Msg = Message;
    type State = Node;
    type Timer = ();
    type Random = ();
    type Storage = ();

    fn on_start(&self, id: Id, _: &Option<()>, out: &mut Out<Role>) -> Node {
        let node = Node::of(name_of(id));
        if let Some((to, request)) = node.first_request() {
            out.send(id_of(to), request);
        }
        node
    }

    fn on_msg(&self, _: Id, state: &mut Cow<'_, Node>, from: Id, message: Message, out: &mut Out<Role>) {
        if !state.ignores(&message) {
            state.to_mut().on_heard(name_of(from), message, |to, message| out.send(id_of(to), message));
        }
    }
}

fn record_requests(_: &(), history: &Tester, envelope: Envelope<&Message>) -> Option<Tester> {
    let operation = match envelope.msg {
        Message::Put(_, value) => RegisterOp::Write(*value),
        Message::Get(_) => RegisterOp::Read,
        _ => return None,
    };
    let mut history = history.clone();
    history.on_invoke(envelope.src, operation).expect("one operation at a time");
    Some(history)
}

fn record_answers(_: &(), history: &Tester, envelope: Envelope<&Message>) -> Option<Tester> {
    let answer = match envelope.msg {
        Message::PutOk(_) => RegisterRet::WriteOk,
        Message::GetOk(_, value) => RegisterRet::ReadOk(*value),
        _ => return None,
    };
    let mut history = history.clone();
    history.on_return(envelope.dst, answer).expect("an answer to an operation");
    Some(history)
}
