//! Counterexamples of the checker, replayed by the world that is driven by hand.
//!
//! The checker decides on states and never runs a system twice; this world runs one system and knows no states. When both
//! end in equal processes, what was explored is what happens.

use crate::check::AnySystem;
use crate::exploring::{Interpreter, Judged};
use std::fmt::Write;
use std::rc::Rc;
use volvox_check::{Durability, Schedule, State, What as Decision};
use volvox_core::erased::{AnyCommand, AnyConfig, AnyMessage, AnyProcess};
use volvox_core::time::nanos;
use volvox_core::{FlatMap, Instant, NodeId};
use volvox_sim::script::{Action, Clockwork, Impossible, Keeps, What, Which, WhichTimer, World};
use volvox_sim::{Carrier, What as Happened};

/// A schedule that was carried out by hand.
pub(crate) struct Followed {
    /// The end of the schedule.
    pub world: World<AnyProcess>,
    /// Whether all of it could happen.
    pub is_whole: bool,
    /// The judgement of the chapter, where one is given whose process it is.
    pub judged: Option<Judged>,
    /// Its actions as a script, each with what followed from it.
    pub script: String,
    /// The trace, without the actions.
    pub trace: String,
}

/// Carries out a schedule of the checker by hand, as far as it can happen; from `cycle_from` on it repeats itself.
pub(crate) fn follow(
    system: &AnySystem,
    schedule: &Schedule<AnyProcess>,
    cycle_from: Option<usize>,
    interpreter: Option<Rc<dyn Interpreter>>,
) -> Followed {
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
    let mut following = Following::new(world, interpreter.clone());
    let is_whole = following.all(system, schedule, cycle_from).is_ok();
    followed(following, is_whole, interpreter)
}

/// Starts nodes, asks them this, and delivers the oldest message of each of these links, one after the other.
pub(crate) fn deliver(
    nodes: u64,
    config: &AnyConfig,
    commands: &[(NodeId, AnyCommand)],
    links: &[(NodeId, NodeId)],
    interpreter: Option<Rc<dyn Interpreter>>,
    cycle_from: Option<usize>,
) -> Followed {
    let config = config.clone();
    let world = World::<AnyProcess>::new(nodes, move |_, _| config.clone()).clockwork(Clockwork::Stopped);
    let mut following = Following::new(world.prompt_disks(), interpreter.clone());
    let is_whole = following.deliveries(commands, links, cycle_from).is_ok();
    followed(following, is_whole, interpreter)
}

fn followed(following: Following, is_whole: bool, interpreter: Option<Rc<dyn Interpreter>>) -> Followed {
    let Following { mut world, script, .. } = following;
    let judged = interpreter.and_then(|interpreter| interpreter.judge(&mut world));
    let lines = script.lines().filter(|line| !line.starts_with('>'));
    let trace = lines.map(|line| format!("{line}\n")).collect();
    Followed { world, is_whole, judged, script, trace }
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
    fn new(mut world: World<AnyProcess>, interpreter: Option<Rc<dyn Interpreter>>) -> Following {
        if let Some(interpreter) = interpreter {
            let carrier: Rc<dyn Carrier<AnyProcess>> = interpreter.clone();
            world = world.recorded(carrier, move |node| interpreter.state(node));
        }
        Following { world: world.traced(), script: String::new(), now: Instant::ZERO }
    }

    fn deliveries(
        &mut self,
        commands: &[(NodeId, AnyCommand)],
        links: &[(NodeId, NodeId)],
        cycle_from: Option<usize>,
    ) -> Result<(), Impossible> {
        for node in self.world.ids().collect::<Vec<_>>() {
            self.act(What::Start { node }, &[])?;
        }
        for (node, command) in commands {
            self.act(What::Command { node: *node, command: command.clone() }, &[])?;
        }
        for (number, (from, to)) in links.iter().enumerate() {
            if cycle_from == Some(number) {
                self.world.enter_for_all(Happened::Repeats);
            }
            self.act(What::Deliver { from: *from, to: *to, which: Which::Oldest }, &[])?;
        }
        Ok(())
    }

    fn all(
        &mut self,
        system: &AnySystem,
        schedule: &Schedule<AnyProcess>,
        cycle_from: Option<usize>,
    ) -> Result<(), Impossible> {
        for ((id, answers), drift) in system.ids().iter().zip(&schedule.starts).zip(&schedule.drifts_ppm) {
            if *drift != 0 {
                self.act(What::Clock { node: *id, jump: 0, drift_ppm: Some(*drift) }, &[])?;
            }
            self.act(What::Start { node: *id }, answers)?;
        }
        let tick = system.time().map_or(0, |timed| nanos(timed.tick));
        for (number, action) in schedule.actions.iter().enumerate() {
            if cycle_from == Some(number) {
                self.world.enter_for_all(Happened::Repeats);
            }
            self.decision(&action.what, &action.choices, tick)?;
        }
        Ok(())
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
