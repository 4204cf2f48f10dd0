//! Equal nodes: states that differ only by their names are one.
//!
//! The representative of an orbit is the permutation with the least fingerprint. Renamed parts are remembered, so a
//! permutation costs a few look-ups for each part of the state.

use super::arena::Memo;
use super::network::{LinkOrder, age_of, envelope_of, flight};
use super::node::{Held, Node};
use super::state::{State, budget_share, history_share, node_share};
use super::{CRASHES, Checked, System};
use std::hash::Hash;
use volvox_core::{NodeId, Process};

/// The most permutations: those of five nodes.
const PERMUTATIONS_MAX: usize = 120;

/// A renaming of nodes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Names {
    pairs: Vec<(NodeId, NodeId)>,
}

impl Names {
    /// The new name of a node; its own where it has none.
    pub fn of(&self, id: NodeId) -> NodeId {
        self.pairs.iter().find(|(old, _)| *old == id).map_or(id, |(_, new)| *new)
    }
}

/// A process whose nodes can be renamed, wherever they are named: in its state, and in all that it sends and keeps.
/// Lists sorted by name must be sorted again. Values without names need no renaming.
pub trait Symmetric: Process {
    /// The process with other names, including its own.
    fn renamed(&self, names: &Names) -> Self;

    /// A message with other names.
    fn rename_message(message: &Self::Message, names: &Names) -> Self::Message {
        let _ = names;
        message.clone()
    }

    /// A timer with other names.
    fn rename_timer(timer: Self::Timer, names: &Names) -> Self::Timer {
        let _ = names;
        timer
    }

    /// A record with other names.
    fn rename_record(record: &Self::Record, names: &Names) -> Self::Record {
        let _ = names;
        record.clone()
    }

    /// An event with other names.
    fn rename_event(event: &Self::Event, names: &Names) -> Self::Event {
        let _ = names;
        event.clone()
    }
}

/// The symmetry of a system.
pub(super) struct Symmetry<P: Checked, H> {
    permutations: Vec<Permutation>,
    rename_node: fn(&Node<P>, &Permutation) -> Node<P>,
    rename_message: fn(&P::Message, &Names) -> P::Message,
    rename_history: fn(&H, &Names) -> H,
    nodes: Memo,
    envelopes: Memo,
    histories: Memo,
}

pub(super) struct Permutation {
    names: Names,
    /// The new name of each node.
    places: Vec<usize>,
    /// The new index of each command.
    commands: Vec<usize>,
}

impl<P: Checked, H: Clone + Eq + Hash + Send + Sync> Symmetry<P, H> {
    pub fn new(system: &System<P, H>, groups: &[&[NodeId]], rename_history: fn(&H, &Names) -> H) -> Symmetry<P, H>
    where
        P: Symmetric,
    {
        let mut all = vec![(0..system.ids.len()).collect::<Vec<usize>>()];
        for group in groups {
            let members: Vec<usize> = group.iter().map(|id| system.index_of(*id)).collect();
            let arrangements = arrangements(&members);
            let place = |places: &Vec<usize>, arrangement: &Vec<usize>| {
                let mut places = places.clone();
                members.iter().zip(arrangement).for_each(|(from, to)| places[*from] = *to);
                places
            };
            all = all.iter().flat_map(|places| arrangements.iter().map(|one| place(places, one))).collect();
            assert!(all.len() <= PERMUTATIONS_MAX, "more than {PERMUTATIONS_MAX} permutations");
        }
        let permutations = all
            .into_iter()
            .map(|places| {
                let pairs = places.iter().enumerate().map(|(from, to)| (system.ids[from], system.ids[*to])).collect();
                let commands = commands_under(system, &places);
                Permutation { names: Names { pairs }, places, commands }
            })
            .collect();
        Symmetry {
            permutations,
            rename_node,
            rename_message: P::rename_message,
            rename_history,
            nodes: Memo::new(),
            envelopes: Memo::new(),
            histories: Memo::new(),
        }
    }

    /// The least fingerprint among all renamings of a state.
    pub fn canonical(&self, system: &System<P, H>, state: &State) -> u128 {
        assert!(
            self.permutations[0].commands.len() == system.alphabet.len(),
            "commands were added after the symmetry was declared"
        );
        (0..self.permutations.len()).map(|at| self.renamed_sum(system, state, at)).min().expect("the identity is one")
    }

    fn renamed_sum(&self, system: &System<P, H>, state: &State, at: usize) -> u128 {
        let (permutation, layout) = (&self.permutations[at], system.layout());
        let mut sum = 0u128;
        for (index, node) in state.words[..layout.nodes].iter().enumerate() {
            let renamed = self.nodes.get_or((*node, at as u32), || {
                system.intern_node((self.rename_node)(&system.nodes.get(*node).node, permutation))
            });
            let place = permutation.places[index];
            sum = sum.wrapping_add(node_share(place, system.nodes.fingerprint(renamed)));
        }
        let first_command = CRASHES + 1 + system.timer_budgets.len();
        for (budget, left) in state.words[layout.nodes..layout.history()].iter().enumerate() {
            let place = match budget.checked_sub(first_command) {
                Some(command) => first_command + permutation.commands[command],
                None => budget,
            };
            sum = sum.wrapping_add(budget_share(place, *left));
        }
        let history = state.words[layout.history()];
        let history = self.histories.get_or((history, at as u32), || {
            system.intern_history((self.rename_history)(system.histories.get(history), &permutation.names))
        });
        sum = sum.wrapping_add(history_share(system.histories.fingerprint(history)));
        let mut network: Vec<u32> = system.network_of(state).iter().map(|one| self.renamed(system, *one, at)).collect();
        match system.network.order {
            // Stable: the order on each link stays.
            LinkOrder::Ordered => network.sort_by_key(|one| system.link_of(*one)),
            LinkOrder::Unordered | LinkOrder::Duplicating => network.sort_unstable(),
        }
        sum.wrapping_add(system.network_share(&network))
    }

    fn renamed(&self, system: &System<P, H>, one: u32, at: usize) -> u32 {
        let permutation = &self.permutations[at];
        let renamed = self.envelopes.get_or((envelope_of(one), at as u32), || {
            let envelope = system.envelopes.get(envelope_of(one));
            let message = (self.rename_message)(&envelope.message, &permutation.names);
            system.intern_envelope(permutation.places[envelope.from], permutation.places[envelope.to], message)
        });
        flight(renamed, age_of(one))
    }
}

fn rename_node<P: Checked + Symmetric>(node: &Node<P>, permutation: &Permutation) -> Node<P> {
    let names = &permutation.names;
    assert!(node.disk.checkpoint.is_empty(), "a checkpoint is bytes, in which no node can be renamed");
    let mut renamed = node.clone();
    renamed.index = permutation.places[node.index];
    renamed.process = node.process.as_ref().map(|process| process.renamed(names));
    renamed.timers = node.timers.iter().map(|(timer, left)| (P::rename_timer(timer.clone(), names), *left)).collect();
    renamed.disk.records = node.disk.records.iter().map(|record| P::rename_record(record, names)).collect();
    for (_, held) in &mut renamed.gate {
        *held = match held {
            Held::Send(to, message) => Held::Send(names.of(*to), P::rename_message(message, names)),
            Held::Emit(event) => Held::Emit(P::rename_event(event, names)),
        };
    }
    renamed
}

/// The new index of each command when nodes are renamed: that of the same command of the node with the new name.
fn commands_under<P: Checked, H>(system: &System<P, H>, places: &[usize]) -> Vec<usize> {
    let moved = |(index, command): &(usize, P::Command)| {
        let here = system.alphabet.iter().position(|other| other.0 == places[*index] && other.1 == *command);
        here.expect("equal nodes are given equal commands")
    };
    system.alphabet.iter().map(moved).collect()
}

/// All orders of some items.
fn arrangements(items: &[usize]) -> Vec<Vec<usize>> {
    let Some((first, rest)) = items.split_first() else { return vec![Vec::new()] };
    let mut all = Vec::new();
    for arrangement in arrangements(rest) {
        for place in 0..=arrangement.len() {
            let mut with = arrangement.clone();
            with.insert(place, *first);
            all.push(with);
        }
    }
    all
}
