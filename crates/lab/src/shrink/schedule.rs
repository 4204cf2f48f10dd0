//! Counterexamples of the checker, replayed by the world that is driven by hand.
//!
//! The checker decides on states and never runs a system twice; this world runs one system and knows no states. When both
//! end in equal processes, what was explored is what happens.

use crate::check::AnySystem;
use crate::exploring::Shown;
use std::fmt::Write;
use volvox_check::{Durability, Schedule, State, What as Decision};
use volvox_core::erased::{AnyConfig, AnyMessage, AnyProcess};
use volvox_core::time::nanos;
use volvox_core::{FlatMap, Instant, NodeId};
use volvox_sim::script::{Action, Clockwork, Impossible, Keeps, What, Which, WhichTimer, World};

/// A schedule that was carried out by hand.
pub(crate) struct Followed {
    /// The end of the schedule.
    pub world: World<AnyProcess>,
    /// Whether all of it could happen.
    pub is_whole: bool,
    /// Its actions as a script, each with what followed from it.
    pub script: String,
}

/// Carries out a schedule of the checker by hand, as far as it can happen.
pub(crate) fn follow(system: &AnySystem, schedule: &Schedule<AnyProcess>, shown: Option<Shown>) -> Followed {
    let ids = system.ids();
    let configs: FlatMap<NodeId, AnyConfig> = ids.iter().map(|id| (*id, system.config(*id))).collect();
    let mut world =
        World::<AnyProcess>::new(ids.len() as u64, move |id, _| configs[&id].clone()).clockwork(match system.time() {
            Some(_) => Clockwork::Modelled { keeps_wall_clocks: system.is_keeping_wall_clocks() },
            None => Clockwork::Stopped,
        });
    if system.when_durable() != Durability::Separate {
        world = world.prompt_disks();
    }
    if !system.is_ordered() {
        world = world.links_survive();
    }
    if let Some(Shown { carrier, state_of }) = shown {
        world = world.recorded(carrier, move |node| state_of(node));
    }
    let mut following = Following { world: world.traced(), script: String::new(), now: Instant::ZERO };
    let is_whole = following.all(system, schedule).is_ok();
    Followed { world: following.world, is_whole, script: following.script }
}

/// Whether a world that followed a schedule has processes equal to those of `state`.
pub(crate) fn is_same(system: &AnySystem, world: &World<AnyProcess>, state: &State) -> bool {
    system.ids().iter().all(|id| {
        let now = world.clocks(*id).map_or(Instant::ZERO, |(now, _)| now);
        system.is_same(state, *id, world.node(*id), now)
    })
}

struct Following {
    world: World<AnyProcess>,
    script: String,
    now: Instant,
}

impl Following {
    fn all(&mut self, system: &AnySystem, schedule: &Schedule<AnyProcess>) -> Result<(), Impossible> {
        for ((id, answers), drift) in system.ids().iter().zip(&schedule.starts).zip(&schedule.drifts_ppm) {
            if *drift != 0 {
                self.act(What::Clock { node: *id, jump: 0, drift_ppm: Some(*drift) }, &[])?;
            }
            self.act(What::Start { node: *id }, answers)?;
        }
        let tick = system.time().map_or(0, |timed| nanos(timed.tick));
        schedule.actions.iter().try_for_each(|action| self.decision(&action.what, &action.choices, tick))
    }

    fn act(&mut self, what: What<AnyProcess>, choices: &[u32]) -> Result<(), Impossible> {
        let action = Action { at: self.now, what, choices: choices.to_vec() };
        let name = self.named(&action);
        self.world.act(&action)?;
        // In every run the nodes start first, without a line of the script.
        if !matches!(action.what, What::Start { .. }) || self.script.contains('>') {
            let _ = writeln!(self.script, "> {name}");
        }
        for line in self.world.take_lines() {
            let _ = writeln!(self.script, "{line}");
        }
        Ok(())
    }

    /// The action with its message named as a person would.
    fn named(&self, action: &Action<AnyProcess>) -> Action<AnyProcess> {
        let mut named = action.clone();
        if let What::Deliver { from, to, which } | What::Drop { from, to, which } | What::Duplicate { from, to, which } =
            &mut named.what
            && let Some(place) = self.world.place(*from, *to, which)
        {
            *which = self.world.name(*from, *to, place);
        }
        named
    }

    /// Exactly the named message, not a similar one.
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
