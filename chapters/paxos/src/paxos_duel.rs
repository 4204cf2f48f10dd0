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

impl Arrival {
    /// From whom, to whom.
    pub fn link(&self) -> (NodeId, NodeId) {
        (self.from, self.to)
    }

    /// The same with this many rounds more.
    fn later(&self, rounds: u64) -> Arrival {
        let mut later = self.clone();
        later.message.each_ballot(&mut |ballot| ballot.round += rounds);
        later
    }
}

impl Duel {
    /// How each process is made.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The commands that the proposers get, before anything else.
    pub fn commands() -> impl Iterator<Item = (NodeId, Command)> {
        [1, 2].into_iter().map(|id| (NodeId(id), Command::Propose(Value(id))))
    }

    /// How many rounds are taken away from what comes of this arrival.
    fn taken_away(before: &All, arrival: &Arrival) -> u64 {
        before.after(arrival).and_then(|all| all.rounds()).map_or(0, |(low, _)| low - 1)
    }

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
        for (id, command) in Duel::commands() {
            all.step(id, |node, cx| node.on_command(command.clone(), cx));
        }
        vec![all.normal()]
    }

    fn next<S: Steps<Duel>>(&self, state: &All, steps: &mut S) {
        for (place, (from, to, _)) in state.under_way.iter().enumerate() {
            // The oldest message of each link.
            if state.under_way[..place].iter().any(|(other, another, _)| (other, another) == (from, to)) {
                continue;
            }
            let (from, to, message) = state.under_way[place].clone();
            let arrival = Arrival { from, to, message };
            let next = state.after(&arrival).expect("it is in flight");
            steps.step(arrival, next.normal());
        }
    }

    fn describe_action(&self, arrival: &Arrival) -> String {
        arrival.to_string()
    }

    /// With the rounds that the run really has.
    fn describe_run(&self, initial: &All, steps: &[(Arrival, All)]) -> Vec<String> {
        let (mut before, mut rounds) = (initial, 0);
        let mut lines = Vec::new();
        for (arrival, after) in steps {
            lines.push(arrival.later(rounds).to_string());
            rounds += Duel::taken_away(before, arrival);
            before = after;
        }
        lines
    }

    fn describe_cycle(&self, cycle: &[(Arrival, All)]) -> String {
        let mut rounds = 0;
        let mut before = cycle.last().map(|(_, state)| state);
        for (arrival, after) in cycle {
            rounds += before.map_or(0, |before| Duel::taken_away(before, arrival));
            before = Some(after);
        }
        format!("with rounds higher by {rounds}")
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
    /// The state after an arrival, if its message is in flight: of equal ones on a link, the oldest.
    fn after(&self, Arrival { from, to, message }: &Arrival) -> Option<All> {
        let mut next = self.clone();
        let is_it = |(one, other, text): &(NodeId, NodeId, Message)| (one, other, text) == (from, to, message);
        let place = next.under_way.iter().position(is_it)?;
        next.under_way.remove(place);
        next.step(*to, |node, cx| node.on_message(*from, message.clone(), cx));
        Some(next)
    }

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
