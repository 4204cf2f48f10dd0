//! Runs a scenario of a chapter from a seed.

use super::{End, Judge, Prepared, Ran, Request, RequestError, damages, vain};
use crate::chapter::{Cell, World};
use crate::scenario::{Planned, Whom};
use crate::shell::{Carried, Shell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use volvox_core::erased::{AnyCommand, AnyMessage, AnyProcess};
use volvox_core::{Duration, Encode, Fault, Instant, NodeId, Rng, Scheduled};
use volvox_sim::{Builder, Happening, NodeState, Recorder, Simulation, Stop, TraceRing, What};

/// The most steps of a scenario: more than a person can follow.
const STEPS_MAX: u64 = 5_000_000;
/// After everything healed, liveness properties have at least this long to be fulfilled.
const GRACE_MIN: Duration = Duration::from_secs(10);
/// After everything has healed a run continues for at least this part of its span.
const SETTLES: u32 = 20;
/// Alarms with tokens from here on are commands of the scenario.
const FIRST_COMMAND: u64 = 1;

/// Runs a scenario in the simulated world.
///
/// # Errors
/// When the request does not fit the chapter. A property that breaks is not an error: see [`Ran::is_good`].
pub fn simulate(shell: &'static dyn Shell, request: &Request) -> Result<Ran, RequestError> {
    let prepared = Prepared::new(shell, request)?;
    let (planned, last) = prepared.plan(&mut Rng::new(request.seed).split(u64::MAX));
    let commands = commands_of(shell, &prepared, &planned)?;
    let recorder = (request.moments_max > 0).then(|| Recorder::new(request.moments_max));
    let ring = (request.trace_lines > 0).then(|| TraceRing::new(request.trace_lines));
    let builder = builder(shell, request, &prepared, &prepared.faults).record(recorder.as_ref()).trace(ring.as_ref());
    let mut run = Run::new(shell, builder, commands.clone(), recorder);
    let (stop, healed) = run.both_parts(&prepared, last);
    let mut in_vain = std::mem::take(&mut run.in_vain);
    let chain = run.sim.chain();
    in_vain.extend(vain::faults(&run.sim, &prepared, |faults| {
        let mut again = Run::new(shell, self::builder(shell, request, &prepared, faults), commands.clone(), None);
        let _ = again.both_parts(&prepared, last);
        again.sim.chain() == chain
    }));
    let mut ran = run.told(request, &prepared, stop, healed);
    ran.in_vain = in_vain;
    ran.trace = ring.map(|ring| ring.lines()).unwrap_or_default();
    Ok(ran)
}

/// The world of a scenario, in which these things go wrong.
fn builder(
    shell: &'static dyn Shell,
    request: &Request,
    prepared: &Prepared,
    faults: &[Scheduled],
) -> Builder<AnyProcess> {
    let Prepared { settings, scenario, .. } = prepared;
    Builder::<AnyProcess>::new(request.seed, settings.nodes, shell.config(settings))
        .network(scenario.network)
        .clocks(scenario.clocks)
        .schedule(faults.iter().cloned())
        .leader(move |process| shell.is_leader(process))
        .message_bytes(bytes_of)
        .carrier(Rc::new(Carried(shell)))
        .steps_max(STEPS_MAX)
}

/// The commands with their moments, read by the protocol.
fn commands_of(
    shell: &dyn Shell,
    prepared: &Prepared,
    planned: &[Planned<'_>],
) -> Result<Vec<(Duration, Whom, AnyCommand)>, RequestError> {
    let read = |planned: &Planned<'_>| {
        let command = shell.command(planned.text).map_err(|error| {
            prepared.scenario.error(planned.place, format!("{} does not know this command: {error}", shell.card().id))
        })?;
        Ok((planned.at, planned.whom, command))
    };
    planned.iter().map(read).collect()
}

fn bytes_of(message: &AnyMessage) -> usize {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes.len()
}

struct Run {
    shell: &'static dyn Shell,
    sim: Simulation<AnyProcess>,
    judge: Judge,
    commands: Vec<(Duration, Whom, AnyCommand)>,
    /// Commands for a leader, while no node leads.
    waiting: VecDeque<usize>,
    recorder: Option<Recorder>,
    states: BTreeMap<NodeId, NodeState>,
    /// Commands that no node received.
    in_vain: Vec<String>,
}

impl Run {
    fn new(
        shell: &'static dyn Shell,
        builder: Builder<AnyProcess>,
        commands: Vec<(Duration, Whom, AnyCommand)>,
        recorder: Option<Recorder>,
    ) -> Run {
        Run {
            shell,
            sim: builder.build(),
            judge: Judge::new(shell),
            commands,
            waiting: VecDeque::new(),
            recorder,
            states: BTreeMap::new(),
            in_vain: Vec::new(),
        }
    }

    /// The scenario, and, if something is broken then, the time after everything healed.
    fn both_parts(&mut self, prepared: &Prepared, last: Duration) -> (Stop, Option<Instant>) {
        let claimed = self.shell.faults(&prepared.settings);
        let starts_again = claimed.weights.crash + claimed.weights.crash_all + claimed.weights.crash_without_disk > 0;
        let span = prepared.scenario.span;
        let mut stop = self.part(span, last, false);
        let mut healed = None;
        if self.is_damaged(starts_again) && !matches!(stop, Stop::Violated | Stop::StepsMax) {
            healed = Some(self.sim.now());
            self.heal(starts_again);
            let settles = self.sim.now().since(Instant::ZERO) + span / SETTLES;
            stop = self.part(span.max(GRACE_MIN), settles, true);
        }
        let unheard = self.waiting.iter().map(|number| format!("{}: no leader", self.commands[*number].2));
        self.in_vain.extend(unheard);
        (stop, healed)
    }

    /// Runs until the work is done, but not before `last`, and for at most `span`. When everything was healed, also what
    /// must hold at the end is an end.
    fn part(&mut self, span: Duration, last: Duration, is_healed: bool) -> Stop {
        let Run { shell, sim, judge, commands, waiting, recorder, states, in_vain } = self;
        if sim.now() == Instant::ZERO {
            for (number, (at, ..)) in commands.iter().enumerate() {
                sim.alarm(*at, number as u64 + FIRST_COMMAND);
            }
        }
        let last = Instant::ZERO + last;
        let mut steps = sim.statistics().steps;
        let stop = sim.run_until(span, |sim| {
            while let Some(happened) = sim.next_happened() {
                match happened.what {
                    Happening::Event(event) => judge.event(happened.node, &event),
                    Happening::Alarm(token) => waiting.push_back((token - FIRST_COMMAND) as usize),
                    Happening::Started(_) | Happening::Stopped(_) => {}
                }
            }
            ask(*shell, sim, commands, waiting, in_vain);
            // Time passes also without a step, and then nothing has changed.
            let is_news = std::mem::replace(&mut steps, sim.statistics().steps) != steps;
            if !is_news && sim.now() < last {
                return false;
            }
            let nodes: Vec<(NodeId, &AnyProcess)> = sim.live().collect();
            if let Some(recorder) = recorder {
                record_states(*shell, recorder, sim.now(), &nodes, states);
            }
            if let Some((property, text)) = judge.always(sim.now(), &nodes) {
                if let Some(recorder) = recorder {
                    recorder.add(
                        sim.now(),
                        NodeId(0),
                        What::Broken { property: property.to_string(), text: text.clone() },
                    );
                }
                sim.report(NodeId(0), property, text);
                return true;
            }
            let may_end = sim.now() >= last && waiting.is_empty();
            may_end && (judge.is_done(&nodes) || (is_healed && judge.could_end(&nodes)))
        });
        if sim.violation().is_some() { Stop::Violated } else { stop }
    }

    /// Whether something is broken that healing makes whole: what was said to be wrong since the last time that all was
    /// healed, nodes that stand still, and nodes that are down where they start again.
    fn is_damaged(&self, starts_again: bool) -> bool {
        let applied = self.sim.applied_faults();
        let since = applied.iter().rev().take_while(|scheduled| scheduled.fault != Fault::Heal);
        let is_broken = since.into_iter().any(|scheduled| {
            damages(&scheduled.fault) && !matches!(scheduled.fault, Fault::Crash { .. } | Fault::Pause(_))
        });
        let is_paused = self.sim.live().any(|(id, _)| !self.sim.is_running(id));
        let is_down = self.sim.live().count() < self.sim.ids().count();
        is_broken || is_paused || (is_down && starts_again)
    }

    fn heal(&mut self, starts_again: bool) {
        if let Some(recorder) = &self.recorder {
            recorder.add(self.sim.now(), NodeId(0), What::Healed);
        }
        if starts_again {
            return self.sim.revive();
        }
        self.sim.heal();
        let paused: Vec<NodeId> = self.sim.live().map(|(id, _)| id).filter(|id| !self.sim.is_running(*id)).collect();
        for id in paused {
            self.sim.apply_fault(&Fault::Resume(id));
        }
    }

    fn told(mut self, request: &Request, prepared: &Prepared, stop: Stop, healed: Option<Instant>) -> Ran {
        let card = self.shell.card();
        let nodes: Vec<(NodeId, &AnyProcess)> = self.sim.live().collect();
        if stop != Stop::Violated {
            let broken = self.judge.at_end(self.sim.now(), &nodes);
            if let (Some(recorder), Some((property, text))) = (&self.recorder, broken) {
                recorder.add(self.sim.now(), NodeId(0), What::Broken { property: property.to_string(), text });
            }
        }
        let logs = logs(self.shell, &nodes);
        let (properties, events) = self.judge.verdict();
        Ran {
            chapter: card.id,
            title: card.title,
            roles: roles(self.shell, prepared.settings.nodes),
            logs,
            world: World::Simulated,
            found_in: None,
            seed: request.seed,
            nodes: prepared.settings.nodes,
            without: prepared.settings.without,
            end: match stop {
                Stop::Done => End::Done,
                Stop::Idle => End::Idle,
                Stop::Deadline => End::Deadline,
                Stop::Violated => End::Broken,
                Stop::StepsMax => End::StepsMax,
            },
            took: self.sim.now(),
            statistics: self.sim.statistics().clone(),
            events,
            faults: self.sim.applied_faults().to_vec(),
            in_vain: Vec::new(),
            healed,
            properties,
            left_out: prepared.left_out,
            chain: Some(self.sim.chain()),
            recording: self.recorder.map(|recorder| recorder.recording()),
            draw_from: prepared.draw_from(request),
            trace: Vec::new(),
        }
    }
}

/// The fixed role of each node; nothing if all are alike.
pub(crate) fn roles(shell: &dyn Shell, nodes: u64) -> Vec<&'static str> {
    (1..=nodes).map(|id| shell.role(NodeId(id), nodes)).collect()
}

/// The replicated logs of these nodes.
pub(crate) fn logs(shell: &dyn Shell, nodes: &[(NodeId, &AnyProcess)]) -> Vec<(NodeId, Vec<Cell>)> {
    nodes.iter().filter_map(|(id, process)| Some((*id, shell.log(process)?))).collect()
}

/// Gives the commands that are due. One for a leader waits until some node leads.
fn ask(
    shell: &dyn Shell,
    sim: &mut Simulation<AnyProcess>,
    commands: &[(Duration, Whom, AnyCommand)],
    waiting: &mut VecDeque<usize>,
    in_vain: &mut Vec<String>,
) {
    let mut tell = |sim: &mut Simulation<AnyProcess>, id: NodeId, command: &AnyCommand| {
        if sim.node(id).is_none() {
            in_vain.push(format!("{command} @ {}: {id} was down", sim.now()));
        }
        sim.command(id, command.clone());
    };
    for _ in 0..waiting.len() {
        let Some(number) = waiting.pop_front() else { return };
        let (_, whom, command) = &commands[number];
        match whom {
            Whom::Node(id) => tell(sim, *id, command),
            Whom::All => {
                let all: Vec<NodeId> = sim.ids().collect();
                all.into_iter().for_each(|id| tell(sim, id, command));
            }
            Whom::Leader => match sim.live().filter(|(_, process)| shell.is_leader(process)).last() {
                Some((id, _)) => tell(sim, id, command),
                None => waiting.push_back(number),
            },
        }
    }
}

fn record_states(
    shell: &dyn Shell,
    recorder: &Recorder,
    at: Instant,
    nodes: &[(NodeId, &AnyProcess)],
    states: &mut BTreeMap<NodeId, NodeState>,
) {
    states.retain(|id, _| nodes.iter().any(|(up, _)| up == id));
    for (id, process) in nodes {
        let state = shell.state(process);
        let before = states.entry(*id).or_default();
        if *before != state {
            before.clone_from(&state);
            recorder.add(at, *id, What::State(state));
        }
    }
}
