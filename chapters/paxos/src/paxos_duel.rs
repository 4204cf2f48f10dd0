//! Two proposers of Paxos that pre-empt one another forever, as a cycle.
//!
//! Ballots grow in every round, so a state of the system never recurs exactly. But the protocol only compares ballots
//! and adds one to rounds: states whose rounds differ by a constant behave alike. This model runs the production
//! process in a small world of its own, and counts rounds from the lowest one in use. There a duel is a cycle, which
//! the checker finds as a violation of liveness.

use std::fmt;
use volvox_check::{Checker, Model, Steps, hash_of};
use volvox_core::{Context, Effect, Environment, Incarnation, NodeId, Now, Position, Process, Rng};
use volvox_paxos::single::{Ballot, Command, Config, Message, Paxos, Rule, Value};

const NODES: u64 = 3;

/// The largest distance of rounds that is explored: a duel needs two.
const ROUNDS_APART_MAX: u64 = 2;

/// Nodes 1 and 2 propose, without a pause after a refusal. Nothing is lost, so that no timer need fire.
pub struct Duel {
    config: Config,
}

impl Default for Duel {
    fn default() -> Duel {
        Duel { config: Config { without: Some(Rule::Backoff), ..Config::default() } }
    }
}

/// All processes, and the messages in flight: sender, receiver, content.
#[derive(Clone, Hash)]
pub struct All {
    nodes: Vec<Paxos>,
    under_way: Vec<(NodeId, NodeId, Message)>,
}

/// A message arrives.
#[derive(Clone)]
pub struct Arrival {
    from: NodeId,
    to: NodeId,
    message: Message,
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {} {}", self.from, self.to, self.message)
    }
}

impl Duel {
    /// The command.
    pub fn checker(&self) -> Checker<'_, Duel> {
        Checker::new(self).eventually("termination", |_, state| state.nodes.iter().any(|node| node.chosen().is_some()))
    }
}

impl Model for Duel {
    type State = All;
    type Action = Arrival;

    /// Both proposers have received their command, and sent their first `Prepare`.
    fn initial(&self) -> Vec<All> {
        let members: Vec<NodeId> = (1..=NODES).map(NodeId).collect();
        let nodes = members.iter().map(|id| Paxos::new(*id, &members, &self.config)).collect();
        let mut all = All { nodes, under_way: Vec::new() };
        for id in [1, 2] {
            all.step(NodeId(id), |node, cx| node.on_command(Command::Propose(Value(id)), cx));
        }
        vec![all.normal()]
    }

    fn next<S: Steps<Duel>>(&self, state: &All, steps: &mut S) {
        for (place, (from, to, _)) in state.under_way.iter().enumerate() {
            // The oldest message of each link.
            if state.under_way[..place].iter().any(|(other, another, _)| (other, another) == (from, to)) {
                continue;
            }
            let mut next = state.clone();
            let (from, to, message) = next.under_way.remove(place);
            next.step(to, |node, cx| node.on_message(from, message.clone(), cx));
            steps.step(Arrival { from, to, message }, next.normal());
        }
    }

    fn describe_action(&self, arrival: &Arrival) -> String {
        arrival.to_string()
    }

    fn fingerprint(&self, state: &All) -> u128 {
        hash_of(state)
    }

    fn within(&self, state: &All) -> bool {
        state.rounds().is_none_or(|(low, high)| high - low <= ROUNDS_APART_MAX)
    }

    /// Every link eventually delivers.
    fn fairness(&self, arrival: &Arrival) -> Option<u64> {
        Some(arrival.from.0 * (NODES + 1) + arrival.to.0)
    }
}

impl All {
    fn step(&mut self, id: NodeId, step: impl FnOnce(&mut Paxos, &mut Context<'_, Paxos>)) {
        let mut environment = Environment::new(id, Incarnation::FIRST, Position::NONE, &Rng::new(0));
        environment.now = Now::Unknown;
        let mut effects = Vec::new();
        step(&mut self.nodes[id.0 as usize - 1], &mut Context::new(&mut environment, &mut effects));
        for effect in effects {
            if let Effect::Send { to, message, .. } = effect {
                self.under_way.push((id, to, message));
            }
        }
    }

    /// With rounds counted from the lowest, and messages ordered by their links; those of one link by age.
    fn normal(mut self) -> All {
        if let Some((low, _)) = self.rounds() {
            self.each_ballot(&mut |ballot| ballot.round -= low - 1);
        }
        self.under_way.sort_by_key(|(from, to, _)| (*from, *to));
        self
    }

    fn rounds(&self) -> Option<(u64, u64)> {
        let (mut low, mut high) = (u64::MAX, 0);
        self.clone().each_ballot(&mut |ballot| (low, high) = (low.min(ballot.round), high.max(ballot.round)));
        (low <= high).then_some((low, high))
    }

    fn each_ballot(&mut self, visit: &mut dyn FnMut(&mut Ballot)) {
        self.nodes.iter_mut().for_each(|node| node.each_ballot(visit));
        self.under_way.iter_mut().for_each(|(_, _, message)| message.each_ballot(visit));
    }
}
