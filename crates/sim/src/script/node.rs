//! One node of a world that is driven by hand, and its disk.

use crate::clock::Clock;
use crate::storage::Write;
use std::collections::{BTreeMap, VecDeque};
use volvox_core::{
    Boot, Environment, FlatMap, Incarnation, Instant, NodeId, Outbox, Part, Position, Process, Restored, Rng,
};

#[derive(Clone)]
pub(super) struct Node<P: Process> {
    pub members: Vec<NodeId>,
    /// `None` while it is down.
    pub process: Option<P>,
    pub environment: Environment,
    pub incarnation: Incarnation,
    /// The last start of its process in this incarnation; zero before the first.
    pub boot: Boot,
    pub clock: Clock,
    /// Counts the starts of the process.
    pub run: u32,
    /// The timers that are set, with their deadlines on the node's monotonic clock.
    pub timers: FlatMap<P::Timer, Instant>,
    pub disk: Disk<P::Record>,
    pub outbox: Outbox<Outgoing<P>>,
    /// The prepared answers to the next choices.
    pub answers: Vec<u32>,
}

#[derive(Clone)]
pub(super) enum Outgoing<P: Process> {
    Send(NodeId, P::Message),
    Emit(P::Event),
}

impl<P: Process> Node<P> {
    pub fn new(id: NodeId, members: &[NodeId], wall: i64, drift_ppm: i32) -> Node<P> {
        let incarnation = Incarnation::FIRST;
        Node {
            members: members.to_vec(),
            process: None,
            environment: Environment::new(id, incarnation, Position::NONE, &Rng::new(0)),
            incarnation,
            boot: Boot(0),
            clock: Clock::new(wall, drift_ppm),
            run: 0,
            timers: FlatMap::new(),
            disk: Disk::default(),
            outbox: Outbox::new(Position::NONE),
            answers: Vec::new(),
        }
    }
}

/// A disk that performs its operations in order on command, and loses the unfinished ones at a power failure.
#[derive(Clone)]
pub(super) struct Disk<R> {
    /// Written but not synced.
    waiting: VecDeque<Write<R>>,
    records: VecDeque<(Position, R)>,
    parts: BTreeMap<u64, Part>,
    checkpoint: Option<(Position, Vec<u64>)>,
    /// The last record that is durable.
    durable: Position,
}

impl<R> Default for Disk<R> {
    fn default() -> Disk<R> {
        Disk {
            waiting: VecDeque::new(),
            records: VecDeque::new(),
            parts: BTreeMap::new(),
            checkpoint: None,
            durable: Position::NONE,
        }
    }
}

impl<R: Clone> Disk<R> {
    pub fn push(&mut self, write: Write<R>) {
        self.waiting.push_back(write);
    }

    /// The last record that is durable.
    pub fn durable(&self) -> Position {
        self.durable
    }

    pub fn is_synced(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Syncs what was written up to a record, and pieces of checkpoints before the next record. Returns what is
    /// durable.
    pub fn sync(&mut self, through: Position) -> Position {
        while let Some(write) = self.waiting.pop_front() {
            match write {
                Write::Record(position, record) if position <= through => {
                    self.durable = position;
                    self.records.push_back((position, record));
                }
                Write::Record(..) => {
                    self.waiting.push_front(write);
                    break;
                }
                Write::Part(part) => {
                    self.parts.insert(part.number, part);
                }
                Write::CheckpointDone { covers, parts } => {
                    self.parts.retain(|number, _| parts.contains(number));
                    while self.records.front().is_some_and(|(position, _)| *position <= covers) {
                        self.records.pop_front();
                    }
                    self.checkpoint = Some((covers, parts));
                }
            }
        }
        self.durable
    }

    /// The power fails. Records up to `through` had reached the disk, synced or not.
    pub fn crash(&mut self, through: Position) {
        if through > self.durable {
            self.sync(through);
        }
        self.waiting.clear();
    }

    /// Reads everything back; returns the last record's position.
    pub fn restore(&self, mut give: impl FnMut(Restored<R>)) -> Position {
        if let Some((covers, parts)) = &self.checkpoint {
            for part in parts.iter().filter_map(|number| self.parts.get(number)) {
                give(Restored::Part(part.clone()));
            }
            give(Restored::CheckpointEnd { covers: *covers });
        }
        for (position, record) in &self.records {
            give(Restored::Record { position: *position, record: record.clone() });
        }
        self.durable
    }
}
