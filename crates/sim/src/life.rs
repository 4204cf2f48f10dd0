//! Starts, stops, pauses and restarts of nodes.

use crate::clock::Clock;
use crate::event::{Happening, Input, Pending};
use crate::node::{Cold, Node};
use crate::recording::What;
use crate::simulation::Simulation;
use crate::storage::{Recovery, StorageError};
use std::collections::VecDeque;
use std::rc::Rc;
use volvox_core::{Boot, Duration, Environment, Incarnation, NodeId, Outbox, Position, Process, Rng, WhichBoot};

/// The boot before the first.
const NEVER_STARTED: Boot = Boot(0);

impl<P: Process + 'static> Simulation<P> {
    /// Adds a node that knows these members, with true clocks. It is down until it is started.
    ///
    /// # Panics
    /// When the node already exists.
    pub fn add_node(&mut self, id: NodeId, members: &[NodeId], config: P::Config) {
        self.insert_node(id, Rc::from(members), config, self.wall_start, 0);
    }

    pub(crate) fn insert_node(
        &mut self,
        id: NodeId,
        members: Rc<[NodeId]>,
        config: P::Config,
        wall_origin: i64,
        drift_ppm: i32,
    ) {
        let place = match self.directory.binary_search_by_key(&id, |(known, _)| *known) {
            Ok(_) => panic!("{id} exists already"),
            Err(place) => place,
        };
        let index = self.nodes.len() as u32;
        self.directory.insert(place, (id, index));
        let incarnation = Incarnation::FIRST;
        self.nodes.push(Node {
            process: None,
            environment: Environment::new(id, incarnation, Position::NONE, &Rng::new(self.seed)),
            clock: Clock::new(wall_origin, drift_ppm),
            stalled: false,
            run: 0,
            recent_link: (u32::MAX, 0),
            links: Vec::new(),
            timers: Vec::new(),
            durability: None,
        });
        self.cold.push(Cold {
            id,
            config,
            members,
            incarnation,
            boot: NEVER_STARTED,
            paused: false,
            waiting: VecDeque::new(),
            wall_origin,
            drift_origin_ppm: drift_ppm,
            damaged: false,
        });
        self.journal_node(index, wall_origin, drift_ppm);
    }

    /// Ends all faults, and draws no more: heals the world, resumes paused nodes, starts those that are down. Scheduled
    /// faults still come.
    pub fn revive(&mut self) {
        self.planner = None;
        self.heal();
        for index in 0..self.nodes.len() as u32 {
            self.resume_node(index);
            self.start_node(index);
        }
    }

    /// The storage of a damaged or erased node no longer counts against the budget of drawn faults.
    pub fn storage_recovered(&mut self, id: NodeId) {
        let index = self.expect(id);
        self.cold[index as usize].damaged = false;
    }

    pub(crate) fn start_node(&mut self, index: u32) {
        let node = &mut self.nodes[index as usize];
        if node.process.is_some() {
            return;
        }
        let cold = &mut self.cold[index as usize];
        node.run += 1;
        cold.boot = cold.boot.next();
        let by_life = &self.config_by_life;
        let new_process = |cold: &Cold<P>| match by_life {
            Some(make) => P::new(cold.id, &cold.members, &make(&cold.config, cold.id, cold.incarnation)),
            None => P::new(cold.id, &cold.members, &cold.config),
        };
        let mut process = new_process(cold);
        let (mut last, mut is_lost) = (Position::NONE, false);
        if let Some(durability) = &mut node.durability {
            match durability.storage.restore(&mut |restored| process.on_restore(restored)) {
                Recovery::Intact { last: found } => last = found,
                Recovery::Lost => {
                    self.statistics.lost_storages += 1;
                    cold.incarnation = Incarnation(cold.incarnation.0 + 1);
                    cold.boot = Boot::FIRST;
                    cold.damaged = true;
                    durability.storage.format(cold.incarnation);
                    process = new_process(cold);
                    is_lost = true;
                }
            }
            durability.outbox = Outbox::new(last);
            durability.written = last;
        }
        let chance = Rng::new(self.seed).split(u64::from(node.run));
        node.environment = Environment::new(cold.id, cold.incarnation, last, &chance);
        node.environment.boot = WhichBoot::Known(cold.boot);
        node.clock.restart(self.now);
        node.process = Some(process);
        let (id, incarnation) = (cold.id, cold.incarnation);
        self.journal_restored(index, (!is_lost).then_some(last));
        self.tell(id, Happening::Started(incarnation));
        self.run_step(index, Input::Start);
    }

    /// The process crashes, by itself or because of its disk's `error`.
    pub(crate) fn stop_node(&mut self, index: u32, error: Option<StorageError>) {
        let linger_max = 2 * self.links.network.latency.draw(&mut self.life_rng) + 1;
        let linger = self.now + self.life_rng.below(linger_max);
        if self.nodes[index as usize].process.take().is_none() {
            return;
        }
        self.journal_stopped(index);
        let node = &mut self.nodes[index as usize];
        node.timers.clear();
        node.stalled = false;
        if let Some(durability) = &mut node.durability {
            durability.batch.clear();
            durability.syncing = false;
            durability.asks_again = false;
            durability.outbox = Outbox::new(Position::NONE);
            durability.storage.crash(&mut self.disk_rng);
        }
        let cold = &mut self.cold[index as usize];
        cold.paused = false;
        cold.waiting.clear();
        let id = cold.id;
        self.links.break_links(index, linger);
        if let Some(error) = error {
            self.trace_text(format_args!("{id} stops: {error}"));
        }
        self.record_stopped(index);
        self.tell(id, Happening::Stopped(error));
    }

    /// The disk of a node that is down is replaced by an empty one. The count of starts was on the old disk, so the new
    /// incarnation begins with the first boot.
    pub(crate) fn erase_storage(&mut self, index: u32) {
        let cold = &mut self.cold[index as usize];
        cold.incarnation = Incarnation(cold.incarnation.0 + 1);
        cold.boot = NEVER_STARTED;
        cold.damaged = true;
        if let Some(durability) = &mut self.nodes[index as usize].durability {
            durability.storage.format(cold.incarnation);
        }
        self.journal_restored(index, None);
    }

    pub(crate) fn pause_node(&mut self, index: u32) {
        let node = &mut self.nodes[index as usize];
        if node.process.is_some() {
            node.stalled = true;
            self.cold[index as usize].paused = true;
            self.record(index, || What::Paused);
        }
    }

    pub(crate) fn resume_node(&mut self, index: u32) {
        if std::mem::take(&mut self.cold[index as usize].paused) {
            let run = self.nodes[index as usize].run;
            self.schedule(Duration::ZERO, Pending::Wake { node: index, run });
            self.record(index, || What::Resumed);
        }
    }
}
