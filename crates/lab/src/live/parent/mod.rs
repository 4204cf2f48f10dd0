//! Plays a scenario with real processes.
// This is the outside world: it waits with the system's clock.
#![allow(clippy::disallowed_methods)]

mod faults;
mod reports;

use super::observed::{Observation, machine_clock};
use super::running::{Folder, Heard, Running};
use super::shadow::Shadows;
use super::{LiveError, LiveNode, NODES_MAX, Progress, is_interrupted};
use crate::chapter::World;
use crate::scenario::Whom;
use crate::shell::Shell;
use crate::study::{End, Prepared, Ran, Request, damages, logs, roles};
use faults::{faults_line, losses};
use std::collections::{BTreeMap, BinaryHeap};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use volvox_core::fault::{DiskFault, LinkFault};
use volvox_core::{Duration, Fault, Instant, NodeId, Rng, Scheduled};

/// How long a line may take from a node to its parent: it waits this long for others that were reported before it.
const LAG: Duration = Duration::from_millis(250);
/// When nothing happened for this long and no timer is set, nothing more will.
const QUIET: Duration = Duration::from_millis(400);
/// This long after the last command or fault all nodes have received it, and its consequences are in progress. A
/// protocol with heartbeats is never quiet, so a run does not wait for quiet.
const SETTLED: Duration = Duration::from_secs(1);
/// How long nodes may take to start, and to stop.
const PATIENCE: Duration = Duration::from_secs(20);
/// After everything healed, liveness properties have at least this long to be fulfilled.
const GRACE_MIN: Duration = Duration::from_secs(3);

/// Runs a scenario with one OS process per node; `spawn` makes the command that calls [`super::node`] with what it is
/// given; `tell` receives the progress several times a second.
///
/// # Errors
/// When the request does not fit the chapter or the live world, or the machine refuses.
pub fn run(
    shell: &'static dyn Shell,
    request: &Request,
    spawn: &dyn Fn(&LiveNode) -> Command,
    tell: &dyn Fn(&Progress),
) -> Result<Ran, LiveError> {
    let card = shell.card();
    if !card.worlds.contains(&World::Live) {
        return Err(LiveError::NotLive(format!("{} is not declared to run live", card.id)));
    }
    let prepared = Prepared::new(shell, request)?;
    if prepared.settings.nodes > NODES_MAX {
        let text = format!("{} nodes, but a live run has at most {NODES_MAX}", prepared.settings.nodes);
        return Err(LiveError::NotLive(text));
    }
    if let Some(fault) = prepared.faults.iter().find(|fault| !is_live(&fault.fault)) {
        return Err(LiveError::NotLive(format!("'{fault}' is not a fault of the live world")));
    }
    let folder = Folder::new()?;
    let mut run = Run::new(shell, request, &prepared, &folder.0, (spawn, tell))?;
    let starts_again = {
        let weights = shell.faults(&prepared.settings).weights;
        weights.crash + weights.crash_all + weights.crash_without_disk > 0
    };
    let span = prepared.scenario.span;
    let mut end = run.part(span, None)?;
    let mut healed = None;
    if end != End::Broken && run.is_damaged(starts_again) {
        healed = Some(run.now());
        run.heal(starts_again)?;
        end = run.part(GRACE_MIN.max(span), Some(span / 20))?;
    }
    run.finish(request, &prepared, end, healed)
}

/// The faults of a live node.
fn is_live(fault: &Fault) -> bool {
    match fault {
        Fault::Slow(_, _, link) => {
            *link == LinkFault { delay: link.delay, loss_ppm: link.loss_ppm, ..LinkFault::default() }
        }
        Fault::Drift(..) | Fault::Disk(_, DiskFault::Flip | DiskFault::Tear) => false,
        _ => true,
    }
}

enum Act {
    Ask(Whom, String),
    Fault(Fault),
}

struct Run<'a> {
    shell: &'static dyn Shell,
    request: &'a Request,
    folder: &'a Path,
    spawn: &'a dyn Fn(&LiveNode) -> Command,
    tell: &'a dyn Fn(&Progress),
    addresses: Vec<SocketAddr>,
    running: BTreeMap<NodeId, Running>,
    replaced: Vec<NodeId>,
    active: Vec<Fault>,
    applied: Vec<Scheduled>,
    /// Commands that no node heard, and faults that found nothing to change.
    in_vain: Vec<String>,
    shadows: Shadows,
    sender: Sender<(NodeId, Option<Observation>)>,
    heard: Receiver<(NodeId, Option<Observation>)>,
    waiting: BinaryHeap<Heard>,
    count: u64,
    /// Nodes whose output has ended, not yet handled.
    ended: Vec<NodeId>,
    /// When the last command was given, or the last fault made, on the machine's clock.
    last_act: u64,
    /// When the run began, on the machine's clock; and the last input.
    began: u64,
    last_input: u64,
    plan: Vec<(Duration, Act)>,
}

/// Makes the process of a node.
type Spawn<'a> = &'a dyn Fn(&LiveNode) -> Command;

impl<'a> Run<'a> {
    fn new(
        shell: &'static dyn Shell,
        request: &'a Request,
        prepared: &Prepared,
        folder: &'a Path,
        (spawn, tell): (Spawn<'a>, &'a dyn Fn(&Progress)),
    ) -> Result<Run<'a>, LiveError> {
        let settings = prepared.settings;
        let (planned, _) = prepared.plan(&mut Rng::new(request.seed).split(u64::MAX));
        let mut plan = Vec::new();
        for planned in &planned {
            if let Err(error) = shell.command(planned.text) {
                let problem = format!("{} does not know this command: {error}", shell.card().id);
                return Err(LiveError::Request(prepared.scenario.error(planned.place, problem).into()));
            }
            plan.push((planned.at, Act::Ask(planned.whom, planned.text.to_string())));
        }
        plan.extend(prepared.faults.iter().map(|fault| (fault.at, Act::Fault(fault.fault.clone()))));
        // Taken from the end.
        sort_from_the_end(&mut plan);
        let (sender, heard) = channel();
        let mut run = Run {
            shell,
            request,
            folder,
            spawn,
            tell,
            addresses: free_addresses(settings.nodes)?,
            running: BTreeMap::new(),
            replaced: Vec::new(),
            active: losses(prepared),
            applied: Vec::new(),
            in_vain: Vec::new(),
            shadows: Shadows::new(shell, settings, request.seed, request.moments_max),
            sender,
            heard,
            waiting: BinaryHeap::new(),
            count: 0,
            ended: Vec::new(),
            last_act: machine_clock(),
            began: machine_clock(),
            last_input: machine_clock(),
            plan,
        };
        for id in (1..=settings.nodes).map(NodeId) {
            run.start(id)?;
        }
        run.wait_for_starts()?;
        run.began = machine_clock();
        Ok(run)
    }

    /// The scenario begins when all nodes run. A node killed from another shell before that is down when it begins.
    fn wait_for_starts(&mut self) -> Result<(), LiveError> {
        let deadline = std::time::Instant::now() + PATIENCE;
        let mut awaited: Vec<NodeId> = self.running.keys().copied().collect();
        while let Some(first) = awaited.first() {
            match self.heard.recv_timeout(deadline.saturating_duration_since(std::time::Instant::now())) {
                Ok((node, Some(told))) => {
                    if told.input.starts_with("start ") {
                        awaited.retain(|awaited| *awaited != node);
                    }
                    self.hear(node, told);
                }
                Ok((node, None)) => {
                    awaited.retain(|awaited| *awaited != node);
                    let status = self.running.get_mut(&node).map(|running| running.child.wait());
                    if !status.is_some_and(|status| status.is_ok_and(|status| status.signal().is_some())) {
                        return Err(LiveError::Node { node, problem: "ended before it began".to_string() });
                    }
                    self.ended.push(node);
                }
                Err(_) => {
                    return Err(LiveError::Node { node: *first, problem: "did not start in time".to_string() });
                }
            }
        }
        Ok(())
    }

    fn now(&self) -> Instant {
        Instant(machine_clock().saturating_sub(self.began))
    }

    /// Starts the process of a node, and listens to it.
    fn start(&mut self, id: NodeId) -> Result<(), LiveError> {
        if self.running.contains_key(&id) {
            return Ok(());
        }
        let node = LiveNode {
            protocol: self.shell.card().id.to_string(),
            id,
            without: self.request.without.clone(),
            seed: self.request.seed,
            folder: self.folder.join(id.to_string()),
            addresses: self.addresses.clone(),
            is_replaced: self.replaced.contains(&id),
        };
        let mut command = (self.spawn)(&node);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(LiveError::machine(format!("starting the process of {id}")))?;
        let output = child.stdout.take().expect("it was asked for");
        let input = child.stdin.take();
        let sender = self.sender.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let Some(told) = line.ok().and_then(|line| Observation::read(&line)) else { break };
                if sender.send((id, Some(told))).is_err() {
                    return;
                }
            }
            let _ = sender.send((id, None));
        });
        let mut running = Running { child, input, is_paused: false };
        running.say(&faults_line(&self.active));
        self.running.insert(id, running);
        Ok(())
    }

    /// Plays and follows until the work is done, but not before the plan is, and for at most `span`. When everything was
    /// healed, also what must hold at the end is an end, once it had time to settle.
    fn part(&mut self, span: Duration, settles: Option<Duration>) -> Result<End, LiveError> {
        let until = self.now() + span;
        let settled = settles.map(|settles| self.now() + settles);
        self.last_input = machine_clock();
        self.last_act = machine_clock();
        loop {
            if is_interrupted() {
                return Err(LiveError::Interrupted);
            }
            while self.plan.last().is_some_and(|(at, _)| Instant::ZERO + *at <= self.now()) {
                let Some((_, act)) = self.plan.pop() else { break };
                self.act(act)?;
            }
            let next = self.plan.last().map_or(LAG, |(at, _)| (Instant::ZERO + *at).since(self.now()));
            match self.heard.recv_timeout(next.min(LAG / 4)) {
                Ok((node, Some(told))) => self.hear(node, told),
                Ok((node, None)) => self.ended.push(node),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => unreachable!("this keeps a sender"),
            }
            while let Some(node) = self.ended.pop() {
                self.found_dead(node)?;
            }
            self.follow(machine_clock().saturating_sub(LAG.as_nanos() as u64))?;
            (self.tell)(&Progress {
                at: self.now(),
                until,
                running: self.running.len(),
                nodes: self.addresses.len(),
                delivered: self.shadows.statistics.delivered,
                events: self.shadows.statistics.events,
            });
            if self.shadows.broken.is_some() {
                return Ok(End::Broken);
            }
            let is_told = machine_clock().saturating_sub(self.last_act) > SETTLED.as_nanos() as u64;
            let is_settled = self.plan.is_empty() && (self.waiting.is_empty() || is_told);
            let could_end = settled.is_some_and(|settled| self.now() >= settled && self.shadows.could_end());
            if is_settled && (self.shadows.is_done() || could_end) {
                return Ok(End::Done);
            }
            let quiet = machine_clock().saturating_sub(self.last_input) > QUIET.as_nanos() as u64;
            if is_settled && self.waiting.is_empty() && quiet && !self.shadows.has_timers() && self.active.is_empty() {
                return Ok(End::Idle);
            }
            if self.now() >= until {
                return Ok(End::Deadline);
            }
        }
    }

    fn act(&mut self, act: Act) -> Result<(), LiveError> {
        self.last_act = machine_clock();
        match act {
            Act::Ask(Whom::All, text) => {
                self.running.values_mut().for_each(|running| running.say(&format!("command {text}")));
            }
            Act::Ask(Whom::Node(id), text) => self.ask(id, &text),
            Act::Ask(Whom::Leader, text) => match self.leader() {
                Some(id) => self.ask(id, &text),
                // No node leads: ask again soon.
                None => {
                    let at = self.now().since(Instant::ZERO) + LAG;
                    let place = self.plan.partition_point(|(other, _)| *other > at);
                    self.plan.insert(place, (at, Act::Ask(Whom::Leader, text)));
                }
            },
            Act::Fault(fault) => self.fault(fault)?,
        }
        Ok(())
    }

    fn ask(&mut self, id: NodeId, text: &str) {
        match self.running.get_mut(&id) {
            Some(running) => running.say(&format!("command {text}")),
            None => self.in_vain.push(format!("{text} @ {}: {id} was down", self.now())),
        }
    }

    fn leader(&self) -> Option<NodeId> {
        let up = self.shadows.up();
        up.iter()
            .rev()
            .find(|(id, process)| self.running.contains_key(id) && self.shell.is_leader(process))
            .map(|(id, _)| *id)
    }

    fn finish(
        mut self,
        request: &Request,
        prepared: &Prepared,
        end: End,
        healed: Option<Instant>,
    ) -> Result<Ran, LiveError> {
        // Closing its input is what ends a node.
        for running in self.running.values_mut() {
            running.input = None;
        }
        let ends = self.now();
        self.hear_the_rest();
        if end != End::Broken {
            self.follow(self.began + ends.0)?;
            self.shadows.judge_end(ends);
        }
        let deadline = std::time::Instant::now() + PATIENCE;
        for running in self.running.values_mut() {
            while matches!(running.child.try_wait(), Ok(None)) && std::time::Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        self.running.clear();
        for (at, act) in self.plan.iter().rev() {
            if let Act::Fault(fault) = act {
                let scheduled = Scheduled { fault: fault.clone(), at: *at };
                self.in_vain.push(format!("{scheduled}: the run was over at {ends}"));
            }
        }
        let takes_messages = |fault: &Fault| matches!(fault, Fault::Slow(..) | Fault::Partition(_) | Fault::Cut(..));
        let links_lose = self.applied.iter().any(|scheduled| takes_messages(&scheduled.fault));
        self.shadows.lose_the_rest(ends, links_lose || !losses(prepared).is_empty());
        for scheduled in &self.applied {
            self.shadows.statistics.faults.add(if damages(&scheduled.fault) { "damage" } else { "repair" });
        }
        let logs = logs(self.shell, &self.shadows.up());
        let Shadows { judge, statistics, mut recording, .. } = self.shadows;
        // Faults are reported at once, and the steps of nodes a while later.
        recording.sort();
        let (properties, events) = judge.verdict();
        let card = self.shell.card();
        Ok(Ran {
            chapter: card.id,
            title: card.title,
            roles: roles(self.shell, prepared.settings.nodes),
            logs,
            world: World::Live,
            found_in: None,
            seed: request.seed,
            nodes: prepared.settings.nodes,
            without: prepared.settings.without,
            end,
            took: ends,
            statistics,
            events,
            faults: self.applied,
            in_vain: self.in_vain,
            healed,
            properties,
            left_out: prepared.left_out,
            chain: None,
            recording: (request.moments_max > 0).then_some(recording),
            draw_from: None,
            trace: Vec::new(),
        })
    }
}

fn sort_from_the_end(plan: &mut [(Duration, Act)]) {
    plan.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
}

/// Ports that are free now; a node that starts again listens where it did.
fn free_addresses(count: u64) -> Result<Vec<SocketAddr>, LiveError> {
    let bound: Result<Vec<TcpListener>, _> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect();
    let bound = bound.map_err(LiveError::machine("finding free ports"))?;
    let addresses: Result<Vec<SocketAddr>, _> = bound.iter().map(TcpListener::local_addr).collect();
    addresses.map_err(LiveError::machine("finding free ports"))
}
