//! Counterexamples of the checker, followed by the world that is driven by hand.
//!
//! The checker decides on states and never runs a system twice; this world runs one system and knows no states. When both
//! end in equal processes, what was explored is what happens.

use crate::check::AnySystem;
use volvox_check::{Durability, Schedule, State, What as Decision};
use volvox_core::erased::{AnyConfig, AnyMessage, AnyProcess};
use volvox_core::time::nanos;
use volvox_core::{FlatMap, Instant, NodeId};
use volvox_sim::script::{Action, Clockwork, Impossible, Keeps, What, Which, WhichTimer, World};

/// Carries out a schedule of the checker by hand; gives back the world that it ends in, and the actions.
///
/// # Errors
/// With the first action that cannot happen.
pub(crate) fn follow(
    system: &AnySystem,
    schedule: &Schedule<AnyProcess>,
) -> Result<(World<AnyProcess>, Vec<Action<AnyProcess>>), Impossible> {
    let ids = system.ids();
    let configs: FlatMap<NodeId, AnyConfig> = ids.iter().map(|id| (*id, system.config(*id))).collect();
    let mut world =
        World::<AnyProcess>::new(ids.len() as u64, move |id, _| configs[&id].clone()).clockwork(match system.time() {
            Some(_) => Clockwork::Modelled,
            None => Clockwork::Stopped,
        });
    if system.when_durable() != Durability::Separate {
        world = world.prompt_disks();
    }
    if !system.is_ordered() {
        world = world.links_survive();
    }
    let mut following = Following { world, actions: Vec::new(), now: Instant::ZERO };
    for ((id, answers), drift) in ids.iter().zip(&schedule.starts).zip(&schedule.drifts_ppm) {
        if *drift != 0 {
            following.act(What::Clock { node: *id, jump: 0, drift_ppm: Some(*drift) }, &[])?;
        }
        following.act(What::Start { node: *id }, answers)?;
    }
    let tick = system.time().map_or(0, |timed| nanos(timed.tick));
    for action in &schedule.actions {
        following.decision(&action.what, &action.choices, tick)?;
    }
    Ok((following.world, following.actions))
}

/// Whether a schedule that is followed by hand ends in processes equal to those of `state`.
pub(crate) fn ends_in(system: &AnySystem, schedule: &Schedule<AnyProcess>, state: &State) -> bool {
    let Ok((world, _)) = follow(system, schedule) else { return false };
    system.ids().iter().all(|id| {
        let now = world.clocks(*id).map_or(Instant::ZERO, |(now, _)| now);
        system.is_same(state, *id, world.node(*id), now)
    })
}

struct Following {
    world: World<AnyProcess>,
    actions: Vec<Action<AnyProcess>>,
    now: Instant,
}

impl Following {
    fn act(&mut self, what: What<AnyProcess>, choices: &[u32]) -> Result<(), Impossible> {
        let action = Action { at: self.now, what, choices: choices.to_vec() };
        self.world.act(&action)?;
        self.actions.push(action);
        Ok(())
    }

    /// The message that is meant, and no like one.
    fn exactly(&self, from: NodeId, to: NodeId, message: &AnyMessage) -> Result<Which<AnyMessage>, Impossible> {
        let queues = self.world.under_way().filter(|(one, other, _)| (*one, *other) == (from, to));
        let place = queues.into_iter().find_map(|(_, _, queue)| queue.iter().position(|one| one == message));
        place.map(Which::Place).ok_or(Impossible::NoMessage(from, to))
    }

    fn decision(&mut self, decision: &Decision<AnyProcess>, choices: &[u32], tick: u64) -> Result<(), Impossible> {
        match decision {
            Decision::Deliver { from, to, message, kept } => {
                let (from, to) = (*from, *to);
                if *kept {
                    let which = self.exactly(from, to, message)?;
                    self.act(What::Duplicate { from, to, which }, &[])?;
                }
                let which = self.exactly(from, to, message)?;
                self.act(What::Deliver { from, to, which }, choices)
            }
            Decision::Lose { from, to, message, .. } => {
                let which = self.exactly(*from, *to, message)?;
                self.act(What::Drop { from: *from, to: *to, which }, &[])
            }
            Decision::Fire { node, timer } => {
                self.act(What::Fire { node: *node, timer: WhichTimer::Exactly(timer.clone()) }, choices)
            }
            Decision::Command { node, command } => {
                self.act(What::Command { node: *node, command: command.clone() }, choices)
            }
            Decision::Sync { node, through } => self.act(What::Sync { node: *node, through: Some(*through) }, choices),
            Decision::Crash { node, keeps, silenced } => {
                self.act(What::Crash { node: *node, keeps: Keeps::Through(*keeps) }, &[])?;
                let sent = self.world.under_way().filter(|(from, ..)| *silenced && from == node);
                let sent: Vec<_> = sent.map(|(from, to, queue)| (from, to, queue.len())).collect();
                for (from, to, count) in sent {
                    for _ in 0..count {
                        self.act(What::Drop { from, to, which: Which::Oldest }, &[])?;
                    }
                }
                Ok(())
            }
            Decision::Start { node } | Decision::Restart { node } => self.act(What::Start { node: *node }, choices),
            Decision::Pass => {
                self.now = Instant(self.now.0 + tick);
                self.act(What::Wait, &[])
            }
        }
    }
}
