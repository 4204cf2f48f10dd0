//! A global state: a list of numbers.

use super::bytes::heap_bytes;
use super::network::{ANY, LinkOrder, envelope_of};
use super::{Checked, System};
use crate::model::share;
use std::hash::Hash;
use std::sync::atomic::Ordering;
use volvox_core::{NodeId, fingerprint_of};

/// A state of a [`System`]: the numbers of its node states, the rest of its budgets, the number of its history, and the
/// messages in flight. [`System::view`] shows their meaning.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    /// The sum of the shares of all parts.
    pub(super) sum: u128,
    pub(super) words: Box<[u32]>,
}

impl State {
    /// Its size, including the overhead of an allocation.
    pub(super) fn bytes(&self) -> u64 {
        const ALLOCATION: usize = 16;
        (size_of::<State>() + size_of_val(&*self.words) + ALLOCATION) as u64
    }
}

/// The layout of the words: nodes, budgets, history, network.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub nodes: usize,
    pub budgets: usize,
}

impl Layout {
    pub fn history(self) -> usize {
        self.nodes + self.budgets
    }

    pub fn network(self) -> usize {
        self.history() + 1
    }
}

/// The shares of nodes, budgets and the history differ by their places; those of messages have places above.
const HISTORY_PLACE: u64 = 2 << 32;
const BUDGETS_PLACE: u64 = 1 << 32;

pub(super) fn node_share(index: usize, fingerprint: u128) -> u128 {
    share(index as u64, fingerprint)
}

pub(super) fn budget_share(budget: usize, left: u32) -> u128 {
    if left == ANY { 0 } else { share(BUDGETS_PLACE + budget as u64, u128::from(left)) }
}

pub(super) fn history_share(fingerprint: u128) -> u128 {
    share(HISTORY_PLACE, fingerprint)
}

/// A step before it is computed, as its changes.
pub(super) struct Draft<'a> {
    pub state: &'a State,
    pub node: Option<(usize, u32)>,
    /// The place in the network of the consumed message.
    pub used: Option<usize>,
    pub sends: &'a [u32],
    pub history: u32,
    pub budget: Option<usize>,
}

impl<P: Checked, H: Clone + Eq + Hash + Send + Sync> System<P, H> {
    pub(super) fn layout(&self) -> Layout {
        Layout { nodes: self.ids.len(), budgets: self.budgets.len() }
    }

    pub(super) fn network_of<'s>(&self, state: &'s State) -> &'s [u32] {
        &state.words[self.layout().network()..]
    }

    pub(super) fn intern_history(&self, history: H) -> u32 {
        self.histories.intern(fingerprint_of(&history), || {
            self.histories.add_bytes(heap_bytes(&history));
            history
        })
    }

    /// A state from its words, its sum computed in full.
    pub(super) fn state_of(&self, words: Vec<u32>) -> State {
        let layout = self.layout();
        let mut sum = self.network_share(&words[layout.network()..]);
        for (index, node) in words[..layout.nodes].iter().enumerate() {
            sum = sum.wrapping_add(node_share(index, self.nodes.fingerprint(*node)));
        }
        for (budget, left) in words[layout.nodes..layout.history()].iter().enumerate() {
            sum = sum.wrapping_add(budget_share(budget, *left));
        }
        sum = sum.wrapping_add(history_share(self.histories.fingerprint(words[layout.history()])));
        State { sum, words: words.into() }
    }

    /// The fingerprint of the state after a step: the old sum, and the shares of the changes.
    pub(super) fn sum_of(&self, draft: &Draft<'_>, scratch: &mut Vec<u32>) -> u128 {
        let (state, layout) = (draft.state, self.layout());
        let mut sum = state.sum;
        if let Some((index, node)) = draft.node {
            let old = self.nodes.fingerprint(state.words[index]);
            sum = sum.wrapping_sub(node_share(index, old));
            sum = sum.wrapping_add(node_share(index, self.nodes.fingerprint(node)));
        }
        if let Some(budget) = draft.budget {
            let left = state.words[layout.nodes + budget];
            if left != ANY {
                sum = sum.wrapping_sub(budget_share(budget, left)).wrapping_add(budget_share(budget, left - 1));
            }
        }
        let history = state.words[layout.history()];
        if draft.history != history {
            sum = sum.wrapping_sub(history_share(self.histories.fingerprint(history)));
            sum = sum.wrapping_add(history_share(self.histories.fingerprint(draft.history)));
        }
        if draft.used.is_none() && draft.sends.is_empty() {
            return sum;
        }
        let network = self.network_of(state);
        // A multiset needs only the added and removed messages, unless a queue could be full.
        let fits = draft.sends.is_empty() || network.len() + draft.sends.len() <= self.network.queue_max;
        if self.network.order == LinkOrder::Unordered && fits {
            let used = draft.used.map_or(0, |used| self.flight_share(network[used]));
            let sends = draft.sends.iter().map(|send| self.flight_share(*send)).fold(0u128, u128::wrapping_add);
            return sum.wrapping_sub(used).wrapping_add(sends);
        }
        scratch.clear();
        self.network_after(draft, scratch, true);
        sum.wrapping_sub(self.network_share(network)).wrapping_add(self.network_share(scratch))
    }

    /// Appends the network after the step. Each step is drafted once and built at most once: `counts` says whether what
    /// full queues drop is counted.
    fn network_after(&self, draft: &Draft<'_>, words: &mut Vec<u32>, counts: bool) {
        let (start, network) = (words.len(), self.network_of(draft.state));
        match draft.used {
            Some(used) => {
                words.extend_from_slice(&network[..used]);
                words.extend_from_slice(&network[used + 1..]);
            }
            None => words.extend_from_slice(network),
        }
        for send in draft.sends {
            if !self.push(words, start, *send) && counts {
                self.dropped[self.link_of(*send) as usize].fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Makes the step.
    pub(super) fn build(&self, draft: &Draft<'_>, sum: u128) -> State {
        let layout = self.layout();
        let used = usize::from(draft.used.is_some());
        let mut words = Vec::with_capacity(draft.state.words.len() + draft.sends.len() - used);
        words.extend_from_slice(&draft.state.words[..layout.network()]);
        self.network_after(draft, &mut words, false);
        if let Some((index, node)) = draft.node {
            words[index] = node;
        }
        if let Some(budget) = draft.budget {
            let left = &mut words[layout.nodes + budget];
            *left -= u32::from(*left != ANY);
        }
        words[layout.history()] = draft.history;
        State { sum, words: words.into() }
    }

    /// The meaning of a state.
    pub fn view<'a>(&'a self, state: &'a State) -> View<'a, P, H> {
        View { system: self, state }
    }
}

/// A view of a state, for properties.
pub struct View<'a, P: Checked, H> {
    system: &'a System<P, H>,
    state: &'a State,
}

// Not derived: that would ask for a process that can be copied.
impl<P: Checked, H> Clone for View<'_, P, H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: Checked, H> Copy for View<'_, P, H> {}

impl<'a, P: Checked, H: Clone + Eq + Hash + Send + Sync> View<'a, P, H> {
    /// A node; `None` while it is down, and for an unknown id.
    pub fn node(&self, id: NodeId) -> Option<&'a P> {
        let index = self.system.ids.iter().position(|one| *one == id)?;
        self.system.nodes.get(self.state.words[index]).node.process.as_ref()
    }

    /// The nodes that run.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &'a P)> + '_ {
        self.system.ids.iter().filter_map(|id| Some((*id, self.node(*id)?)))
    }

    /// The records of a node after its checkpoint, and how many of them are durable.
    pub fn records(&self, id: NodeId) -> (&'a [P::Record], usize) {
        let Some(index) = self.system.ids.iter().position(|one| *one == id) else { return (&[], 0) };
        let disk = &self.system.nodes.get(self.state.words[index]).node.disk;
        (&disk.records, (disk.durable.0 - disk.covers.0) as usize)
    }

    /// Whether a timer of a running node is set.
    pub fn is_set(&self, id: NodeId, timer: P::Timer) -> bool {
        let index = self.system.ids.iter().position(|one| *one == id);
        index.is_some_and(|index| self.system.nodes.get(self.state.words[index]).node.timers.contains_key(&timer))
    }

    /// The observer's history of all events so far.
    pub fn history(&self) -> &'a H {
        self.system.histories.get(self.state.words[self.system.layout().history()])
    }

    /// The messages in flight: sender, receiver, content.
    pub fn in_flight(&self) -> impl Iterator<Item = (NodeId, NodeId, &'a P::Message)> + '_ {
        self.system.network_of(self.state).iter().map(|flight| {
            let envelope = self.system.envelopes.get(envelope_of(*flight));
            (self.system.ids[envelope.from], self.system.ids[envelope.to], &envelope.message)
        })
    }

    /// How often a command, given to [`System::command`] as the n-th, counted from 0, may still be used.
    pub fn commands_left(&self, command: usize) -> u32 {
        self.state.words[self.system.ids.len() + self.system.command_budget(command)]
    }
}
