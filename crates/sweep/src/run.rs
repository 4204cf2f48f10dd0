//! One seed: thirty simulated seconds of load and faults, then everything heals and progress is demanded.

use crate::driver::{Run, Wake, World};
use crate::linearizability::{self, Action, Verdict};
use crate::log_disk::Disks;
use crate::rare::RarePaths;
use crate::shape::{LOAD, Shape};
use crate::truth::Truth;
use std::cell::RefCell;
use std::rc::Rc;
use volvox_core::{Bytes, Duration, NodeId};
use volvox_raft::RoleKind;
use volvox_raft::invariants::Observer;
use volvox_replica::{Event, Replica, Ticket};
use volvox_sim::script::Journal;
use volvox_sim::{Builder, Counts, Happening, Stop, TraceRing};

/// Faults are over, and everything must be well again after this long.
const PROGRESS: Duration = Duration::from_secs(40);
/// The limit of steps per register in the search for a linearizable order.
const SEARCH_STEPS: u64 = 400_000;

/// The counts of one seed's run.
#[derive(Clone, Debug)]
pub struct Report {
    /// The hash over everything that happened.
    pub chain: u64,
    /// The steps of all nodes.
    pub steps: u64,
    /// How often each rare path ran, and other numbers.
    pub counts: Counts,
}

/// Runs one seed.
///
/// # Errors
/// With the property that does not hold, and how that was seen.
pub fn run(seed: u64, nodes: u64, trace: Option<&TraceRing>) -> Result<Report, String> {
    run_shape(seed, Shape::draw(seed, nodes), trace, None)
}

/// Runs one seed of another shape, and writes its course down.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_shape(
    seed: u64,
    shape: Shape,
    trace: Option<&TraceRing>,
    journal: Option<&Journal<Replica>>,
) -> Result<Report, String> {
    let truth = Rc::new(RefCell::new(Truth::default()));
    let rare = Rc::new(RefCell::new(RarePaths::default()));
    let observer = Rc::new(RefCell::new(Observer::new()));
    let disks = Disks::default();
    let builder = build(seed, &shape, &truth, &rare, &observer, &disks);
    let mut world = builder.trace(trace).journal(journal).build();
    let rng = world.rng(1);
    let mut run = Run::new(shape, rng, truth, rare, observer, disks);
    run.begin(&mut world);
    let stop = world.run_until(LOAD, |world| run.react(world));
    verdict(&run, &world, stop)?;
    run.heal(&mut world);
    let stop = world.run_until(PROGRESS, |world| run.react(world) || run.healed);
    verdict(&run, &world, stop)?;
    if stop != Stop::Done {
        let missing = run.what_is_missing(&world);
        return Err(format!("{}: no progress {PROGRESS:?} after everything healed: {missing}", world.now()));
    }
    run.check_end(&mut world)?;
    Ok(run.report(&world))
}

fn verdict(run: &Run, world: &World, stop: Stop) -> Result<(), String> {
    if let Some(problem) = run.disks.problem() {
        return Err(problem);
    }
    match world.violation() {
        Some(violation) => Err(violation.to_string()),
        None if stop == Stop::Idle => Err("the world stands still".to_string()),
        None => Ok(()),
    }
}

fn build(
    seed: u64,
    shape: &Shape,
    truth: &Rc<RefCell<Truth>>,
    rare: &Rc<RefCell<RarePaths>>,
    observer: &Rc<RefCell<Observer>>,
    disks: &Disks,
) -> Builder<Replica> {
    let (disks, disk_model, is_lean) = (disks.clone(), shape.disk.clone(), shape.is_lean);
    let (rare, truth) = (Rc::clone(rare), Rc::clone(truth));
    let observer = Rc::clone(observer);
    let builder = Builder::new(seed, shape.nodes, shape.config(NodeId(0))).sync(shape.disk.sync);
    // Without another storage disks keep whole records.
    let builder = if is_lean { builder } else { builder.storage(move |id| disks.make(id, &disk_model, seed)) };
    builder
        .config_by_life(Shape::config_of_life)
        .network(shape.network)
        .clocks(shape.clocks)
        .faults(shape.faults.clone())
        .start_within(Duration::from_millis(300))
        .leader(|replica: &Replica| replica.raft().role() == RoleKind::Leader)
        .invariant("raft", move |world, id| {
            let Some(replica) = world.node(id) else { return Ok(()) };
            observer.borrow_mut().observe(replica.raft()).map_err(|violation| violation.to_string())
        })
        .invariant("equal replicas", move |world, id| {
            let Some(replica) = world.node(id) else { return Ok(()) };
            rare.borrow_mut().observe(id, replica);
            truth.borrow_mut().observe(id, replica, world.now())
        })
}

impl Run {
    fn begin(&mut self, world: &mut World) {
        for client in 0..self.clients.len() {
            self.wake_between(world, 100, 1_500, Wake::Client(client));
        }
        self.begin_streams(world);
        let (members, damage) = (self.shape.members_every, self.shape.damage_every);
        let first = Duration::from_nanos(members.draw(&mut self.rng)).min(Duration::from_secs(4));
        self.wake(world, first, Wake::Members);
        let first = Duration::from_nanos(damage.draw(&mut self.rng));
        self.wake(world, first, Wake::Damage);
        let first = Duration::from_nanos(self.shape.power_cut_every.draw(&mut self.rng));
        self.wake(world, first, Wake::PowerCut);
        self.wake(world, Duration::from_millis(100), Wake::Look);
    }

    /// Takes in what happened; says whether the run must end.
    fn react(&mut self, world: &mut World) -> bool {
        let moment = self.rare.borrow_mut().moment.take();
        if let Some(moment) = moment {
            self.on_moment(world, moment);
        }
        while let Some(happened) = world.next_happened() {
            let result = match happened.what {
                Happening::Event(event) => self.on_event(world, happened.node, event),
                Happening::Started(_) => {
                    self.troubled.insert(happened.node, world.now());
                    self.damage_started(happened.node);
                    Ok(())
                }
                Happening::Stopped(error) => {
                    if let Some(error) = error {
                        self.counts.add(match error {
                            volvox_sim::StorageError::Full => "nodes stopped by a full disk",
                            volvox_sim::StorageError::SyncFailed => "nodes stopped by a failed sync",
                        });
                    }
                    self.on_stopped(world, happened.node);
                    Ok(())
                }
                Happening::Alarm(token) => match self.wakes.remove(&token) {
                    Some(wake) => self.on_wake(world, wake),
                    None => Ok(()),
                },
            };
            if let Err(text) = result {
                world.report(happened.node, "answers to clients", text);
                return true;
            }
        }
        false
    }

    fn on_event(&mut self, world: &mut World, node: NodeId, event: Event) -> Result<(), String> {
        match event {
            Event::Reply { ticket, result } => self.on_reply(world, node, ticket, result),
            Event::Watch { stream, response } => self.on_watch_response(node, stream, &response),
            Event::Removed => {
                self.wake_between(world, 10, 3_000, Wake::Retire(node));
                Ok(())
            }
            Event::LeaderChanged { .. } => {
                self.observe_leader(world, node);
                Ok(())
            }
            Event::MembersChanged { .. } => Ok(()),
        }
    }

    fn on_wake(&mut self, world: &mut World, wake: Wake) -> Result<(), String> {
        match wake {
            Wake::Client(client) => self.on_client(world, client),
            Wake::Patience(ticket) => return self.on_patience_over(world, ticket),
            Wake::Stream(stream) => self.look_after_stream(world, stream),
            Wake::Members => self.change_members(world),
            Wake::Damage => self.damage_a_disk(world),
            Wake::PowerCut => self.cut_power(world),
            Wake::Strike(strike) => self.strike(world, strike),
            Wake::LieEnds(node) => self.end_lie(world, node),
            Wake::Retire(node) => self.retire(world, node),
            Wake::Look => return self.look(world),
        }
        Ok(())
    }

    /// Every now and then: which nodes do not run, which leases end without a leader, and whether hashes agree.
    fn look(&mut self, world: &mut World) -> Result<(), String> {
        let now = world.now();
        let ids: Vec<NodeId> = world.ids().collect();
        for id in &ids {
            if !world.is_running(*id) {
                self.troubled.insert(*id, now);
            }
        }
        let mut truth = self.truth.borrow_mut();
        if !world.live().any(|(_, replica)| replica.raft().role() == RoleKind::Leader) {
            truth.leases.on_no_leader(now);
        }
        if self.rng.below(10) == 0 {
            for (id, replica) in world.live() {
                truth.compare_hash(id, replica.store().state())?;
            }
        }
        drop(truth);
        self.damage_look(world);
        if self.healing {
            self.healed = self.check_healed(world);
        }
        self.wake(world, Duration::from_millis(100), Wake::Look);
        Ok(())
    }

    fn on_stopped(&mut self, world: &mut World, node: NodeId) {
        self.troubled.insert(node, world.now());
        self.truth.borrow_mut().forget(node);
        self.rare.borrow_mut().forget(node);
        // Its storage may have begun another life at the same moment.
        let life = world.incarnation(node).map_or(0, |life| life.0);
        for incarnation in [life.saturating_sub(1), life] {
            self.observer.borrow_mut().crashed(volvox_raft::Member::new(node.0, incarnation));
        }
        let lost: Vec<Ticket> =
            self.asked.iter().filter(|(_, asked)| asked.node == node).map(|(ticket, _)| *ticket).collect();
        for ticket in lost {
            self.give_up(world, ticket);
        }
        self.interrupt_streams(node);
        self.leaderless.remove(&node);
    }

    /// All faults end, and the only further requests check that the service works.
    fn heal(&mut self, world: &mut World) {
        self.healing = true;
        for node in world.ids().collect::<Vec<_>>() {
            self.disks.lie(node, false);
        }
        world.revive();
        for (id, _) in world.live() {
            self.probed.insert(id, false);
        }
    }

    /// Everything that is checked once, at the end.
    fn check_end(&mut self, world: &mut World) -> Result<(), String> {
        let mut truth = self.truth.borrow_mut();
        for (id, replica) in world.live() {
            if replica.members().get(id).is_some() {
                truth.compare_hash(id, replica.store().state())?;
            }
        }
        for value in &self.refused {
            if let Some(revision) = truth.written_at(value) {
                return Err(format!("a write was refused for sure, and happened at {revision}: {}", short(value)));
            }
        }
        for (key, operations) in &self.registers {
            match linearizability::check(operations, SEARCH_STEPS) {
                Verdict::Linearizable => self.counts.add("registers found linearizable"),
                Verdict::Undecided => self.counts.add("registers undecided"),
                Verdict::Violated { longest } => {
                    let mut sorted = operations.clone();
                    sorted.sort_by_key(|operation| operation.invoked);
                    let around = &sorted[longest.saturating_sub(8)..sorted.len().min(longest + 8)];
                    return Err(format!(
                        "register {key} is not linearizable; at most {longest} fit; there: {around:#?}"
                    ));
                }
            }
        }
        Ok(())
    }

    fn report(&self, world: &World) -> Report {
        let mut counts = self.counts.clone();
        let statistics = world.statistics();
        counts.absorb(&statistics.notes);
        counts.absorb(&self.disks.counts());
        counts.absorb(&self.rare.borrow().counts());
        let (expired, in_election) = self.truth.borrow().leases.expired();
        counts.add_many("leases expired", expired);
        counts.add_many("leases expired during an election", in_election);
        counts.add_many("revisions", self.truth.borrow().revision() as u64);
        Report { chain: world.chain(), steps: statistics.steps, counts }
    }
}

/// Not the whole of a large value.
pub(crate) fn short(value: &Bytes) -> String {
    value.slice(0..value.len().min(20)).to_string()
}

/// The effect of an unanswered operation on a register.
pub(crate) fn unanswered(action: Action) -> Action {
    match action {
        Action::Delete(_) => Action::Delete(None),
        Action::CompareAndSet { expected, new, .. } => Action::CompareAndSet { expected, new, succeeded: None },
        other => other,
    }
}
