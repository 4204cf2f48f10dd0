//! A case of a sweep: commands, faults and random choices, drawn from a stream of decisions, and run in the simulator.

use super::Breach;
use super::stream::Stream;
use crate::chapter::Settings;
use crate::scenario::{Scenario, Whom};
use crate::shell::{Properties, PropertyCard, Shell};
use crate::study::{Prepared, Request, RequestError};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use volvox_core::erased::{AnyCommand, AnyHistory, AnyProcess};
use volvox_core::fault::{DiskFault, LinkFault, Target};
use volvox_core::time::nanos;
use volvox_core::{Duration, Fault, Instant, NodeId, Picture, Rng, When};
use volvox_sim::script::{Course, Journal, Order};
use volvox_sim::{Builder, FaultPlan, FaultWeights, Happening, Latency, Simulation, Stop};

/// The most steps of a case: more than a person can follow.
const STEPS_MAX: u64 = 300_000;
/// More actions than this are not recorded.
const ACTIONS_MAX: usize = 400_000;
/// More faults in one case would hide one another.
const FAULTS_MAX: u64 = 24;
/// The time after everything has healed in which liveness properties must be fulfilled.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// The common part of all cases of a sweep.
pub(super) struct Terms {
    pub shell: &'static dyn Shell,
    pub settings: Settings,
    pub scenario: Scenario,
    /// The scenario's commands, and the latest moment of them.
    commands: Vec<(Duration, Whom, AnyCommand)>,
    plan: FaultPlan,
    /// The latest moment of a command or fault.
    until: Duration,
}

/// One case.
pub(super) struct Case {
    /// Latencies, jitter and the random behaviour of links and disks.
    pub seed: u64,
    commands: Vec<(Duration, Whom, AnyCommand)>,
    /// Each fault with its moment and duration.
    faults: Vec<(Duration, Fault, Duration)>,
}

/// The properties of the chapter, sorted by the time of their evaluation.
pub(super) struct Asked {
    pub properties: Box<dyn Properties>,
    pub cards: Vec<PropertyCard>,
    always: Vec<usize>,
    at_end: Vec<usize>,
}

impl Asked {
    pub fn of(shell: &dyn Shell) -> Asked {
        let properties = shell.properties();
        let cards = properties.cards();
        let (always, at_end) = (0..cards.len()).partition(|number: &usize| cards[*number].when == When::Always);
        Asked { properties, cards, always, at_end }
    }
}

/// The outcome of a case.
pub(super) struct Outcome {
    pub breach: Option<Breach>,
    pub steps: u64,
    /// The actions, and the number of them before everything healed.
    pub course: Option<(Course<AnyProcess>, usize)>,
}

impl Terms {
    /// # Errors
    /// When the chapter has no such rule, or does not run with this many nodes.
    pub fn new(shell: &'static dyn Shell, nodes: Option<u64>, without: Option<String>) -> Result<Terms, RequestError> {
        let request = Request { nodes, without, ..Request::default() };
        let prepared = Prepared::new(shell, &request)?;
        let (planned, _) = prepared.plan(&mut Rng::new(0));
        let read = |text: &str, place| {
            let known = shell.command(text);
            known.map_err(|error| prepared.scenario.error(place, format!("no command of {}: {error}", shell.card().id)))
        };
        let commands = planned.iter().map(|one| Ok((one.at, one.whom, read(one.text, one.place)?)));
        let commands: Vec<_> = commands.collect::<Result<_, RequestError>>()?;
        let plan = shell.faults(&prepared.settings);
        let last = commands.iter().map(|(at, ..)| *at).max().unwrap_or_default();
        let until = plan.until.min(Duration::from_secs(5)).max(last * 2).max(Duration::from_millis(50));
        let Prepared { settings, scenario, .. } = prepared;
        Ok(Terms { shell, settings, scenario, commands, plan, until })
    }

    /// Whether crashed nodes restart.
    pub fn starts_again(&self) -> bool {
        let weights = &self.plan.weights;
        weights.crash + weights.crash_all + weights.crash_without_disk + weights.disk_flip + weights.disk_tear > 0
    }

    /// The order of links, as far as the chapter relies on it.
    pub fn order(&self) -> Order {
        let (network, weights) = (&self.scenario.network, &self.plan.weights);
        let slow = if weights.slow > 0 { self.plan.link } else { LinkFault::default() };
        let reorders = network.fault.reorder_ppm + slow.reorder_ppm > 0;
        let loses = network.fault.loss_ppm + network.fault.corrupt_ppm + slow.loss_ppm + slow.corrupt_ppm > 0;
        match () {
            () if !network.ordered || reorders => Order::Free,
            () if loses || weights.partition + weights.cut > 0 => Order::Lossy,
            () => Order::Strict,
        }
    }

    /// Draws a case. Zeros draw the simplest one: no command and no fault.
    pub fn draw(&self, stream: &mut Stream) -> Case {
        let seed = stream.draw(1 << 20);
        let mut commands = Vec::new();
        let is_spread = stream.often(1, 2);
        let stretched = stream.draw(1_000);
        let last = self.commands.iter().map(|(at, ..)| nanos(*at)).max().unwrap_or(0).max(1);
        for (at, whom, command) in &self.commands {
            if !stream.often(15, 16) {
                continue;
            }
            // In order, stretched over the time that is available; or at any moment.
            let most = last + (nanos(self.until) - last) * stretched / 1_000;
            let ordered = (u128::from(nanos(*at)) * u128::from(most) / u128::from(last)) as u64;
            let at = if is_spread { self.moment(stream) } else { Duration::from_nanos(ordered) };
            add_in_order(&mut commands, (at, *whom, command.clone()));
        }
        while !self.commands.is_empty() && (commands.len() as u64) < 200 && stream.often(7, 8) {
            let (_, _, command) = &self.commands[stream.draw(self.commands.len() as u64) as usize];
            let whom = Whom::Node(NodeId(1 + stream.draw(self.settings.nodes)));
            add_in_order(&mut commands, (self.moment(stream), whom, command.clone()));
        }
        let faults = Drawing { terms: self, down: Vec::new(), damaged: Vec::new() }.faults(stream);
        Case { seed, commands, faults }
    }

    /// A moment, in steps of 100 microseconds.
    fn moment(&self, stream: &mut Stream) -> Duration {
        Duration::from_micros(100) * stream.draw(nanos(self.until) / 100_000) as u32
    }

    /// Runs a case; records its course on request.
    pub fn run(&self, case: &Case, asked: &Asked, written: bool) -> Outcome {
        let journal = written.then(|| Journal::new(ACTIONS_MAX));
        let mut healed_at = None;
        let ran = catch_unwind(AssertUnwindSafe(|| {
            let mut sim = self.build(case, journal.as_ref());
            let mut watch = Watch {
                shell: self.shell,
                asked,
                history: asked.properties.history(),
                commands: &case.commands,
                waiting: VecDeque::new(),
                steps: 0,
            };
            let (until, end) = (self.until.max(self.scenario.span), GRACE.max(self.scenario.span));
            let mut stop = sim.run_until(until, |sim| watch.look(sim, until));
            if stop != Stop::Violated {
                healed_at = journal.as_ref().map(Journal::len);
                if self.starts_again() {
                    sim.revive();
                } else {
                    sim.heal();
                    sim.ids().collect::<Vec<_>>().into_iter().for_each(|id| sim.apply_fault(&Fault::Resume(id)));
                }
                stop = sim.run_until(end, |sim| watch.look(sim, Duration::ZERO));
            }
            let breach = match sim.violation() {
                Some(violation) => {
                    Some(Breach { property: violation.invariant.to_string(), text: violation.text.clone() })
                }
                None if stop == Stop::StepsMax => None,
                None => watch.at_end(&sim),
            };
            (breach, sim.statistics().steps)
        }));
        let (breach, steps) = ran.unwrap_or_else(|panic| (Some(Breach::of_panic(panic.as_ref())), 0));
        let course = journal.map(|journal| journal.course()).filter(|course| !course.is_cut);
        let course = course.map(|course| {
            let healed_at = healed_at.unwrap_or(course.actions.len());
            (course, healed_at)
        });
        Outcome { breach, steps, course }
    }

    fn build(&self, case: &Case, journal: Option<&Journal<AnyProcess>>) -> Simulation<AnyProcess> {
        let shell = self.shell;
        let mut sim = Builder::<AnyProcess>::new(case.seed, self.settings.nodes, shell.config(&self.settings))
            .network(self.scenario.network)
            .clocks(self.scenario.clocks)
            .leader(move |process| shell.is_leader(process))
            .steps_max(STEPS_MAX)
            .without_hash_chain()
            .journal(journal)
            .build();
        for (number, (at, ..)) in case.commands.iter().enumerate() {
            sim.alarm(*at, number as u64);
        }
        for (at, fault, lasting) in &case.faults {
            sim.fault_for(*at, fault.clone(), *lasting);
        }
        sim
    }
}

/// Draws faults that the chapter claims to survive.
struct Drawing<'t> {
    terms: &'t Terms,
    /// The interval in which a node is out of service.
    down: Vec<(Duration, Duration, NodeId)>,
    damaged: Vec<NodeId>,
}

impl Drawing<'_> {
    fn faults(mut self, stream: &mut Stream) -> Vec<(Duration, Fault, Duration)> {
        let plan = &self.terms.plan;
        let kinds = kinds(&plan.weights);
        let total: u64 = kinds.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut faults = Vec::new();
        for _ in 0..FAULTS_MAX {
            if total == 0 || !stream.often(9, 10) {
                break;
            }
            let mut drawn = stream.draw(total);
            let kind = kinds.iter().find(|(_, weight)| match drawn.checked_sub(u64::from(*weight)) {
                Some(rest) => {
                    drawn = rest;
                    false
                }
                None => true,
            });
            let kind = kind.expect("a kind with a weight").0;
            let at = plan.from.min(self.terms.until) + self.terms.moment(stream);
            let lasting = span(plan.lasting, stream);
            self.one(kind, at, lasting, stream, &mut faults);
        }
        in_order(&mut faults);
        faults
    }

    fn one(
        &mut self,
        kind: &'static str,
        at: Duration,
        lasting: Duration,
        stream: &mut Stream,
        faults: &mut Vec<(Duration, Fault, Duration)>,
    ) {
        let (plan, count) = (&self.terms.plan, self.terms.settings.nodes);
        let node = NodeId(1 + stream.draw(count));
        let other = NodeId(1 + (node.0 + stream.draw(count - 1)) % count);
        let mut within = |most: u64| stream.draw(most + 1);
        let fault = match kind {
            "partition" => {
                let groups = within((1 << count) - 3) + 1;
                let (left, right) = (1..=count).map(NodeId).partition(|id| groups >> (id.0 - 1) & 1 == 1);
                Fault::Partition(vec![left, right])
            }
            "cut" => Fault::Cut(node, other),
            "slow" => Fault::Slow(
                node,
                other,
                LinkFault {
                    delay: Duration::from_micros(within(nanos(plan.link.delay) / 1_000)),
                    loss_ppm: within(plan.link.loss_ppm.into()) as u32,
                    duplicate_ppm: within(plan.link.duplicate_ppm.into()) as u32,
                    reorder_ppm: within(plan.link.reorder_ppm.into()) as u32,
                    corrupt_ppm: within(plan.link.corrupt_ppm.into()) as u32,
                    bandwidth: 0,
                },
            ),
            "skew" => Fault::Skew(node, signed(within(2 * plan.skew_max.as_millis() as u64))),
            "drift" => Fault::Drift(node, signed(within(2 * u64::from(plan.drift_ppm_max))) as i32),
            "disk slow" => {
                let by = within(nanos(plan.slow_disk_max) / 1_000);
                Fault::Disk(node, DiskFault::Slow(Duration::from_micros(by)))
            }
            "crash all" => {
                let crashes = (1..=count).map(|id| (at, crash(NodeId(id), false), Duration::from_millis(500)));
                return faults.extend(crashes);
            }
            _ => return self.affliction(kind, node, at, lasting, faults),
        };
        faults.push((at, fault, lasting));
    }

    /// A fault that makes a node unavailable for a while, unless too many are.
    fn affliction(
        &mut self,
        kind: &'static str,
        node: NodeId,
        at: Duration,
        lasting: Duration,
        faults: &mut Vec<(Duration, Fault, Duration)>,
    ) {
        let (plan, minority) = (&self.terms.plan, (self.terms.settings.nodes as usize - 1) / 2);
        let overlapping = self.down.iter().copied().filter(|(from, to, _)| *from < at + lasting && at < *to);
        let (same, others): (Vec<_>, Vec<_>) = overlapping.partition(|(_, _, id)| *id == node);
        if !same.is_empty() || others.len() >= plan.down_max.unwrap_or(minority) {
            return;
        }
        let damages = matches!(kind, "crash without disk" | "disk flip");
        let is_new = !self.damaged.contains(&node);
        if damages && is_new && self.damaged.len() >= plan.damaged_max.unwrap_or(minority) {
            return;
        }
        if damages && is_new {
            self.damaged.push(node);
        }
        self.down.push((at, at + lasting, node));
        let disk = |fault| (at, Fault::Disk(node, fault), lasting);
        match kind {
            "pause" => faults.push((at, Fault::Pause(node), lasting)),
            "crash" => faults.push((at, crash(node, false), lasting)),
            "crash without disk" => faults.push((at, crash(node, true), lasting)),
            "disk full" => faults.push(disk(DiskFault::Full)),
            "disk fail sync" => faults.push(disk(DiskFault::FailSync)),
            "disk flip" => faults.extend([(at, crash(node, false), lasting), disk(DiskFault::Flip)]),
            _ => faults.extend([disk(DiskFault::Tear), (at, crash(node, false), lasting)]),
        }
    }
}

fn crash(node: NodeId, without_disk: bool) -> Fault {
    Fault::Crash { who: Target::Node(node), without_disk }
}

/// 0, 1, -1, 2, -2 and so on.
fn signed(number: u64) -> i64 {
    let half = number.div_ceil(2) as i64;
    if number.is_multiple_of(2) { -half } else { half }
}

fn span(latency: Latency, stream: &mut Stream) -> Duration {
    let (low, high) = match latency {
        Latency::Constant(span) => return span,
        Latency::Uniform(low, high) => (low, high),
        Latency::Exponential { minimum, mean } => (minimum, minimum + mean * 2),
        _ => (Duration::from_millis(1), Duration::from_millis(500)),
    };
    low + Duration::from_micros(stream.draw((nanos(high) - nanos(low)) / 1_000 + 1))
}

fn kinds(weights: &FaultWeights) -> [(&'static str, u32); 14] {
    [
        ("partition", weights.partition),
        ("cut", weights.cut),
        ("slow", weights.slow),
        ("pause", weights.pause),
        ("crash", weights.crash),
        ("crash all", weights.crash_all),
        ("crash without disk", weights.crash_without_disk),
        ("skew", weights.skew),
        ("drift", weights.drift),
        ("disk slow", weights.disk_slow),
        ("disk full", weights.disk_full),
        ("disk fail sync", weights.disk_fail_sync),
        ("disk flip", weights.disk_flip),
        ("disk tear", weights.disk_tear),
    ]
}

/// Observes a run: gives the commands that are due, and evaluates the properties.
struct Watch<'c> {
    shell: &'static dyn Shell,
    asked: &'c Asked,
    history: AnyHistory,
    commands: &'c [(Duration, Whom, AnyCommand)],
    /// Commands for a leader, while no node leads.
    waiting: VecDeque<usize>,
    steps: u64,
}

impl Watch<'_> {
    /// Whether the work is done, if that can be known.
    fn look(&mut self, sim: &mut Simulation<AnyProcess>, not_before: Duration) -> bool {
        while let Some(happened) = sim.next_happened() {
            match happened.what {
                Happening::Event(event) => {
                    self.asked.properties.observe(&mut self.history, happened.node, &event);
                }
                Happening::Alarm(number) => self.waiting.push_back(number as usize),
                Happening::Started(_) | Happening::Stopped(_) => {}
            }
        }
        self.ask(sim);
        if std::mem::replace(&mut self.steps, sim.statistics().steps) == sim.statistics().steps {
            return false;
        }
        if let Some((property, text)) = self.broken(When::Always, sim) {
            sim.report(NodeId(0), property, text);
            return false;
        }
        let nodes: Vec<_> = sim.live().collect();
        sim.now() >= Instant::ZERO + not_before
            && self.waiting.is_empty()
            && self.asked.properties.is_done(&Picture { nodes: &nodes, history: &self.history })
    }

    fn ask(&mut self, sim: &mut Simulation<AnyProcess>) {
        for _ in 0..self.waiting.len() {
            let Some(number) = self.waiting.pop_front() else { return };
            let (_, whom, command) = &self.commands[number];
            match whom {
                Whom::Node(id) => sim.command(*id, command.clone()),
                Whom::All => {
                    sim.ids().collect::<Vec<_>>().into_iter().for_each(|id| sim.command(id, command.clone()));
                }
                Whom::Leader => match sim.live().filter(|(_, process)| self.shell.is_leader(process)).last() {
                    Some((id, _)) => sim.command(id, command.clone()),
                    None => self.waiting.push_back(number),
                },
            }
        }
    }

    fn at_end(&self, sim: &Simulation<AnyProcess>) -> Option<Breach> {
        let (property, text) = self.broken(When::AtEnd, sim)?;
        Some(Breach { property: property.to_string(), text })
    }

    /// The first property that does not hold, with the reason.
    fn broken(&self, when: When, sim: &Simulation<AnyProcess>) -> Option<(&'static str, String)> {
        let nodes: Vec<_> = sim.live().collect();
        let numbers = if when == When::Always { &self.asked.always } else { &self.asked.at_end };
        let answers = self.asked.properties.ask(numbers, &Picture { nodes: &nodes, history: &self.history });
        let broken = numbers.iter().zip(answers).find_map(|(number, answer)| Some((*number, answer.err()?)));
        broken.map(|(number, text)| (self.asked.cards[number].name, text))
    }
}

/// Adds a command after those of its moment.
fn add_in_order<T>(commands: &mut Vec<(Duration, Whom, T)>, command: (Duration, Whom, T)) {
    let place = commands.partition_point(|(at, ..)| *at <= command.0);
    commands.insert(place, command);
}

fn in_order(faults: &mut [(Duration, Fault, Duration)]) {
    faults.sort_by_key(|(at, ..)| *at);
}
