//! A fair run without the goal: a path to a component, and a cycle in it forever.

use super::graph::{Edge, Graph, OUTSIDE};
use crate::model::{Collected, Model};
use crate::path::{CounterexampleOf, Run};
use crate::report::Broken;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A run as vertices of the graph: a path, then a cycle, which begins and ends where the path ends. An empty cycle
/// stays there forever.
pub struct Lasso {
    way: Vec<Edge>,
    first: u32,
    cycle: Vec<Edge>,
}

/// Finds a fair run that begins in one of `sources` and stays among the states `without_goal`.
pub fn find<M: Model>(graph: &Graph<M>, without_goal: &[bool], sources: &[u32]) -> Option<Lasso> {
    let search = Search::from(graph, without_goal, sources);
    let fair = graph
        .components(&search.is_reached)
        .into_iter()
        .filter(|component| is_fair(graph, component))
        .min_by_key(|component| component[0])?;
    // The state that was found first is the nearest to an initial one.
    let entry = fair[0];
    let inside: BTreeSet<u32> = fair.into_iter().collect();
    let (first, way) = search.way_to(graph, entry);
    Some(Lasso { way, first, cycle: round(graph, &inside, entry) })
}

/// The states that are reached without the goal, with their predecessors.
struct Search {
    is_reached: Vec<bool>,
    came_by: BTreeMap<u32, (u32, Edge)>,
}

impl Search {
    fn from<M: Model>(graph: &Graph<M>, without_goal: &[bool], sources: &[u32]) -> Search {
        let mut search = Search { is_reached: vec![false; graph.states.len()], came_by: BTreeMap::new() };
        let mut queue: VecDeque<u32> = sources.iter().copied().collect();
        sources.iter().for_each(|at| search.is_reached[*at as usize] = true);
        while let Some(at) = queue.pop_front() {
            for edge in graph.edges(at).iter().filter(|edge| edge.to != OUTSIDE) {
                let to = edge.to as usize;
                if without_goal[to] && !search.is_reached[to] {
                    search.is_reached[to] = true;
                    search.came_by.insert(edge.to, (at, *edge));
                    queue.push_back(edge.to);
                }
            }
        }
        search
    }

    /// The initial state and the steps to `entry`: as found in the graph up to a source, then without the goal.
    fn way_to<M: Model>(&self, graph: &Graph<M>, entry: u32) -> (u32, Vec<Edge>) {
        let mut way = Vec::new();
        let mut at = entry;
        while let Some((from, edge)) = self.came_by.get(&at) {
            way.push(*edge);
            at = *from;
        }
        while !graph.is_initial(at as usize) {
            let parent = graph.parents[at as usize];
            let edge =
                graph.edges(parent).iter().find(|edge| edge.to == at).expect("a parent has an edge to its child");
            way.push(*edge);
            at = parent;
        }
        way.reverse();
        (at, way)
    }
}

/// The relation of a component to a class of fairness.
#[derive(Default)]
struct Offer {
    /// The number of its states in which an action of the class is possible.
    possible_in: usize,
    is_taken_inside: bool,
}

fn offers<M: Model>(graph: &Graph<M>, component: &BTreeSet<u32>) -> BTreeMap<u32, Offer> {
    let mut offers: BTreeMap<u32, Offer> = BTreeMap::new();
    for at in component {
        let classes: BTreeSet<u32> = classes_of(graph, *at).collect();
        for class in classes {
            offers.entry(class).or_default().possible_in += 1;
        }
        for edge in graph.edges(*at).iter().filter(|edge| edge.class != 0 && component.contains(&edge.to)) {
            offers.entry(edge.class).or_default().is_taken_inside = true;
        }
    }
    offers
}

fn classes_of<M: Model>(graph: &Graph<M>, at: u32) -> impl Iterator<Item = u32> + '_ {
    graph.edges(at).iter().map(|edge| edge.class).filter(|class| *class != 0)
}

fn is_fair<M: Model>(graph: &Graph<M>, component: &[u32]) -> bool {
    let component: BTreeSet<u32> = component.iter().copied().collect();
    offers(graph, &component).values().all(|offer| offer.is_taken_inside || offer.possible_in < component.len())
}

/// A cycle inside a fair component that treats every class fairly: it passes a state where the class is not possible,
/// or takes a step of it.
fn round<M: Model>(graph: &Graph<M>, component: &BTreeSet<u32>, entry: u32) -> Vec<Edge> {
    let mut cycle: Vec<Edge> = Vec::new();
    let mut at = entry;
    for (class, offer) in offers(graph, component) {
        let passes = |state: u32| !classes_of(graph, state).any(|one| one == class);
        let is_served = passes(entry) || cycle.iter().any(|edge| edge.class == class || passes(edge.to));
        if is_served {
            continue;
        }
        if offer.possible_in < component.len() {
            at = walk(graph, component, at, &mut cycle, passes);
        } else {
            let inside = |edge: &&Edge| edge.class == class && component.contains(&edge.to);
            at = walk(graph, component, at, &mut cycle, |state| graph.edges(state).iter().any(|edge| inside(&edge)));
            let edge = graph.edges(at).iter().find(inside).expect("the walk ends where there is one");
            cycle.push(*edge);
            at = edge.to;
        }
    }
    walk(graph, component, at, &mut cycle, |state| state == entry);
    cycle
}

/// Extends `cycle` by the shortest path inside to a state for which `is_goal` holds.
fn walk<M: Model>(
    graph: &Graph<M>,
    component: &BTreeSet<u32>,
    from: u32,
    cycle: &mut Vec<Edge>,
    is_goal: impl Fn(u32) -> bool,
) -> u32 {
    let mut came_by: BTreeMap<u32, (u32, Edge)> = BTreeMap::new();
    let mut queue = VecDeque::from([from]);
    while let Some(at) = queue.pop_front() {
        if is_goal(at) {
            let mut way = Vec::new();
            let mut back = at;
            while back != from {
                let (before, edge) = came_by[&back];
                way.push(edge);
                back = before;
            }
            cycle.extend(way.into_iter().rev());
            return at;
        }
        for edge in graph.edges(at).iter().filter(|edge| component.contains(&edge.to)) {
            if edge.to != from && !came_by.contains_key(&edge.to) {
                came_by.insert(edge.to, (at, *edge));
                queue.push_back(edge.to);
            }
        }
    }
    unreachable!("states of a component reach one another")
}

impl Lasso {
    /// The run with its actions, which the graph does not keep.
    pub fn tell<M: Model>(&self, model: &M, graph: &Graph<M>, name: &str) -> CounterexampleOf<M> {
        let initial = graph.states[self.first as usize].clone();
        let mut steps: Vec<(M::Action, M::State)> = Vec::new();
        for edge in self.way.iter().chain(&self.cycle) {
            let before = steps.last().map_or(&initial, |(_, state)| state);
            let wanted = model.fingerprint(&graph.states[edge.to as usize]);
            let step = Collected::of(model, before)
                .steps
                .into_iter()
                .filter(|(action, next)| {
                    model.fingerprint(next) == wanted && model.fairness(action).is_some() == (edge.class != 0)
                })
                .min_by_key(|(action, _)| model.describe_action(action))
                .expect("a model has the same steps every time it is asked");
            steps.push(step);
        }
        let run: Run<M> = Run { initial, steps, failed: None, cycle_from: Some(self.way.len()) };
        run.told(model, name.to_string(), Broken::Liveness)
    }
}
