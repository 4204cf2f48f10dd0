//! The explicit graph of a model, and its strongly connected components.

use crate::model::{Collected, Model};
use crate::progress::Ended;
use crate::search::Search;
use crate::watch::{Done, Watch};
use std::collections::{BTreeMap, BTreeSet};

/// The target of an edge that leaves the bounds of the model.
pub const OUTSIDE: u32 = u32::MAX;

/// A step of the graph.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Edge {
    pub to: u32,
    /// The class of fairness, numbered from 1; 0 for an action that may be postponed forever.
    pub class: u32,
}

/// All states and steps, states in the order of a breadth-first search.
pub struct Graph<M: Model> {
    pub states: Vec<M::State>,
    /// From where each state was found first; itself for an initial state.
    pub parents: Vec<u32>,
    edges: Vec<Edge>,
    /// The first edge of each state; one more at the end.
    starts: Vec<usize>,
}

/// After how many states limits are looked at.
const REPORT_EVERY: usize = 256;

/// The memory of a state besides itself and its edges: its place in the index, and the marks of the search for
/// components.
const AROUND_STATE: u64 = 96;

/// The last report of a growing graph.
#[derive(Default)]
struct Reported {
    looked_behind: usize,
    states: usize,
    edges: usize,
}

impl Reported {
    fn since<M: Model>(&mut self, graph: &Graph<M>, model: &M, looked_behind: usize) -> Done {
        let states: u64 = graph.states[self.states..].iter().map(|state| model.state_bytes(state) + AROUND_STATE).sum();
        let edges = (graph.edges.len() - self.edges) as u64;
        let done = Done {
            looked_behind: (looked_behind - self.looked_behind) as u64,
            states: (graph.states.len() - self.states) as u64,
            transitions: edges,
            bytes: states + edges * size_of::<Edge>() as u64,
            released: 0,
        };
        *self = Reported { looked_behind, states: graph.states.len(), edges: graph.edges.len() };
        done
    }
}

impl<M: Model> Graph<M> {
    /// The graph of a model, or the limit that is met before it is complete. `bytes` becomes the most that it took.
    pub fn build(search: &Search<'_, '_, M>, bytes: &mut u64) -> Result<Graph<M>, Ended> {
        let (model, watch) = (search.model, Watch::new(search.limits, true));
        let mut graph = Graph { states: Vec::new(), parents: Vec::new(), edges: Vec::new(), starts: Vec::new() };
        let (mut index, mut classes) = (BTreeMap::new(), BTreeMap::new());
        graph.begin(model, &mut index);
        let mut reported = Reported::default();
        for at in 0.. {
            if at % REPORT_EVERY == 0 || at == graph.states.len() {
                watch.report(reported.since(&graph, model, at), model, 0);
                *bytes = watch.bytes_most().max(*bytes);
                if let Some(limit) = watch.must_end() {
                    return Err(limit);
                }
            }
            if at == graph.states.len() {
                break;
            }
            graph.expand(model, at, &mut index, &mut classes);
            if graph.states.len() as u64 > search.limits.states_max {
                return Err(Ended::StatesMax);
            }
        }
        graph.starts.push(graph.edges.len());
        Ok(graph)
    }

    /// Of initial states that differ by names alone, one.
    fn begin(&mut self, model: &M, index: &mut BTreeMap<u128, u32>) {
        let mut orbits = BTreeSet::new();
        for state in model.initial() {
            if orbits.insert(model.canonical(&state)) && model.within(&state) {
                let at = self.states.len() as u32;
                index.insert(model.fingerprint(&state), at);
                self.parents.push(at);
                self.states.push(state);
            }
        }
    }

    /// The steps out of a state, and the states that they lead to for the first time.
    fn expand(&mut self, model: &M, at: usize, index: &mut BTreeMap<u128, u32>, classes: &mut BTreeMap<u64, u32>) {
        self.starts.push(self.edges.len());
        let mut steps: Vec<(u128, Option<u64>, M::State)> = Collected::of(model, &self.states[at])
            .steps
            .into_iter()
            .map(|(action, next)| (model.fingerprint(&next), model.fairness(&action), next))
            .collect();
        // The order of a model's steps may differ from run to run; that of fingerprints does not.
        steps.sort_by_key(|(fingerprint, class, _)| (*fingerprint, *class));
        for (fingerprint, class, next) in steps {
            let count = classes.len() as u32 + 1;
            let class = class.map_or(0, |class| *classes.entry(class).or_insert(count));
            let to = match index.get(&fingerprint) {
                Some(to) => *to,
                None if !model.within(&next) => OUTSIDE,
                None => {
                    let to = self.states.len() as u32;
                    index.insert(fingerprint, to);
                    self.parents.push(at as u32);
                    self.states.push(next);
                    to
                }
            };
            self.edges.push(Edge { to, class });
        }
    }

    /// Whether a state is initial.
    pub fn is_initial(&self, at: usize) -> bool {
        self.parents[at] as usize == at
    }

    /// The steps out of a state.
    pub fn edges(&self, at: u32) -> &[Edge] {
        &self.edges[self.starts[at as usize]..self.starts[at as usize + 1]]
    }

    /// The strongly connected components of the states for which `is_in` holds, each in ascending order (Tarjan 1972,
    /// without recursion: paths are longer than stacks).
    pub fn components(&self, is_in: &[bool]) -> Vec<Vec<u32>> {
        const NEW: u32 = u32::MAX;
        let count = self.states.len();
        let mut number = vec![NEW; count];
        let mut low = vec![0u32; count];
        let mut is_stacked = vec![false; count];
        let (mut stack, mut calls, mut components) = (Vec::new(), Vec::new(), Vec::new());
        let mut counter = 0;
        for root in (0..count as u32).filter(|at| is_in[*at as usize]) {
            if number[root as usize] != NEW {
                continue;
            }
            calls.push((root, 0usize));
            while let Some((at, edge)) = calls.last_mut() {
                let (here, next_edge) = (*at as usize, *edge);
                if next_edge == 0 && number[here] == NEW {
                    (number[here], low[here]) = (counter, counter);
                    counter += 1;
                    stack.push(*at);
                    is_stacked[here] = true;
                }
                if let Some(step) = self.edges(*at).get(next_edge) {
                    *edge += 1;
                    let to = step.to;
                    if to == OUTSIDE || !is_in[to as usize] {
                        continue;
                    }
                    if number[to as usize] == NEW {
                        calls.push((to, 0));
                    } else if is_stacked[to as usize] {
                        low[here] = low[here].min(number[to as usize]);
                    }
                    continue;
                }
                calls.pop();
                if let Some((caller, _)) = calls.last() {
                    low[*caller as usize] = low[*caller as usize].min(low[here]);
                }
                if low[here] == number[here] {
                    let begin = stack.iter().rposition(|one| *one as usize == here).expect("the root is on the stack");
                    let mut component = stack.split_off(begin);
                    component.iter().for_each(|one| is_stacked[*one as usize] = false);
                    component.sort_unstable();
                    components.push(component);
                }
            }
        }
        components
    }
}
