//! The common part of the chapters on mutual exclusion: nodes that are asked to enter, and when they do.

use std::ops::RangeInclusive;
use volvox_core::erased::Erasable;
use volvox_core::fault::LinkFault;
use volvox_core::{Duration, NodeId};
use volvox_lab::check::{Checker, System};
use volvox_lab::claim::{Row, Tolerance};
use volvox_lab::plans;
use volvox_lab::sim::{Builder, FaultPlan, FaultWeights, Happening, Latency, Simulation};
use volvox_mutex::section::{Command, Event, History};

/// Nodes 1 to `nodes`, without any command.
pub fn quiet<P>(nodes: u64, config: P::Config) -> System<P, History>
where
    P: Erasable<Command = Command, Event = Event>,
{
    System::with_history(nodes, config)
}

/// Asks these nodes to enter this many times.
pub fn asked<P: Erasable<Command = Command>>(
    system: System<P, History>,
    nodes: impl IntoIterator<Item = u64>,
    entries: u32,
) -> System<P, History> {
    nodes.into_iter().fold(system, |system, node| system.command(NodeId(node), Command::Enter, entries))
}

/// The reason why no run has this many crashes: a node that crashed stays down, and one must be left.
pub fn more_crashes_than_others(nodes: u64, crashes: u32) -> Option<String> {
    (u64::from(crashes) >= nodes)
        .then(|| format!("--nodes {nodes} and --crashes {crashes} contradict one another: one node at least stays up"))
}

/// The reason why this many nodes cannot ask.
pub fn more_askers_than_nodes(nodes: u64, askers: u64) -> Option<String> {
    (askers > nodes)
        .then(|| format!("--nodes {nodes} and --askers {askers} contradict one another: only nodes are asked"))
}

/// Every requested entry is eventually granted, or the node crashes: counted from outside, by commands and events, so
/// that an entry which the node itself has forgotten is missed.
pub fn no_starvation<'m, P: Erasable<Command = Command, Event = Event>>(
    checker: Checker<'m, System<P, History>>,
    nodes: u64,
) -> Checker<'m, System<P, History>> {
    (1..=nodes).map(NodeId).fold(checker, |checker, id| {
        checker.leads_to(
            "no starvation",
            move |world, state| world.view(state).history().waits(id),
            move |world, state| {
                let view = world.view(state);
                view.node(id).is_none() || !view.history().waits(id)
            },
        )
    })
}

/// The delay of every message where claims are measured.
pub const DELAY: Duration = Duration::from_millis(1);

/// Nodes that have just started, over links on which every message takes [`DELAY`].
pub fn simulation<P: Erasable>(nodes: u64, config: P::Config) -> Simulation<P> {
    let mut sim = Builder::new(7, nodes, config).latency(Latency::Constant(DELAY)).build();
    let _ = sim.run_for(Duration::from_micros(1));
    sim
}

/// The events of a node, with their times.
pub type Told = (Duration, NodeId, Event);

/// The events since the last call.
pub fn told<P: Erasable<Event = Event>>(sim: &mut Simulation<P>) -> Vec<Told> {
    sim.happened()
        .filter_map(|one| match one.what {
            Happening::Event(event) => Some((Duration::from_nanos(one.at.0), one.node, event)),
            _ => None,
        })
        .collect()
}

/// Asks these nodes once, all at the same moment; then ten seconds pass.
pub fn round<P>(sim: &mut Simulation<P>, nodes: RangeInclusive<u64>) -> Vec<Told>
where
    P: Erasable<Event = Event, Command = Command>,
{
    for node in nodes {
        sim.command(NodeId(node), Command::Enter);
    }
    let _ = sim.run_for(Duration::from_secs(10));
    told(sim)
}

/// The number of occurrences of an event.
pub fn count(told: &[Told], event: Event) -> u64 {
    told.iter().filter(|(_, _, one)| *one == event).count() as u64
}

/// The times from each exit to the next entry, in message delays.
fn handovers(told: &[Told]) -> Vec<f64> {
    let mut left = None;
    let mut delays = Vec::new();
    for (at, _, event) in told {
        match event {
            Event::Left => left = Some(*at),
            Event::Entered => {
                if let Some(left) = left.take() {
                    delays.push((*at - left).as_secs_f64() / DELAY.as_secs_f64());
                }
            }
            _ => {}
        }
    }
    delays
}

/// A mean that must be met exactly.
pub fn exactly(label: impl Into<String>, expected: f64, measured: f64, unit: &'static str, over: String) -> Row {
    Row { label: label.into(), expected, measured, tolerance: Tolerance::Exact, unit, over }
}

/// The mean; 0 for an empty list.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |sum, value| sum + value) / values.len().max(1) as f64
}

/// The measurement of many nodes that want to enter at once.
pub struct FullLoad {
    /// How often a node entered.
    pub entries: u64,
    /// The messages per entry.
    pub messages: f64,
    /// The times from each exit to the next entry, in message delays.
    pub delays: Vec<f64>,
}

/// `askers` of nodes 1 to `nodes` want to enter at once, ten times.
pub fn full_load<P>(nodes: u64, askers: RangeInclusive<u64>, config: P::Config) -> FullLoad
where
    P: Erasable<Event = Event, Command = Command>,
{
    let mut sim = simulation::<P>(nodes, config);
    let rounds: Vec<Vec<Told>> = (0..10).map(|_| round(&mut sim, askers.clone())).collect();
    let entries: u64 = rounds.iter().map(|told| count(told, Event::Entered)).sum();
    let messages = sim.statistics().sent as f64 / entries.max(1) as f64;
    FullLoad { entries, messages, delays: rounds.iter().flat_map(|told| handovers(told)).collect() }
}

/// The messages per entry and the delays from an exit to the next entry of a [`full_load`], where both are known exactly.
pub fn costs_at_full_load<P>(
    nodes: u64,
    askers: RangeInclusive<u64>,
    config: P::Config,
    expected_messages: f64,
    expected_delays: f64,
) -> Vec<Row>
where
    P: Erasable<Event = Event, Command = Command>,
{
    let FullLoad { entries, messages, delays } = full_load::<P>(nodes, askers, config);
    let label = format!("N={nodes}, at full load");
    vec![
        exactly(&label, expected_messages, messages, "messages per entry", format!("{entries} entries")),
        exactly(
            &label,
            expected_delays,
            mean(&delays),
            "message delays from exit to entry",
            format!("{} handovers", delays.len()),
        ),
    ]
}

/// Slow links, and nodes that pause. Nothing is lost, and order is kept.
pub fn slow_links_and_pauses() -> FaultPlan {
    FaultPlan {
        weights: FaultWeights { slow: 4, pause: 2, skew: 1, drift: 1, ..FaultWeights::NONE },
        link: LinkFault { delay: Duration::from_millis(50), ..LinkFault::default() },
        ..plans::until(500, (2, 20), (5, 50))
    }
}

/// The same on links that reorder messages.
pub fn overtaking_and_pauses() -> FaultPlan {
    let plan = slow_links_and_pauses();
    FaultPlan { link: LinkFault { reorder_ppm: 300_000, ..plan.link }, ..plan }
}
