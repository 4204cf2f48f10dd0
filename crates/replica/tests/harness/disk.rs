//! A disk that performs its operations in order, and loses the unfinished ones at a power failure.

use std::collections::{BTreeMap, VecDeque};
use volvox_core::{Bytes, Decode, Encode, Part, Position, Restored, decode_all};
use volvox_replica::Record;

#[derive(Default)]
pub struct Disk {
    waiting: VecDeque<Operation>,
    /// Encoded records, so that a restored record was really encoded and decoded.
    records: Vec<(Position, Vec<u8>)>,
    parts: BTreeMap<u64, Bytes>,
    checkpoint: Option<(Position, Vec<u64>)>,
    /// The last record that is written.
    written: Position,
    /// Records overtake pieces of checkpoints, which then wait here, each with the records before it. They are not
    /// reported as durable for that.
    pub records_overtake: bool,
    steps: VecDeque<(Position, Operation)>,
}

pub enum Operation {
    Record(Position, Record),
    Part(Part),
    Done { covers: Position, parts: Vec<u64> },
}

impl Disk {
    pub fn push(&mut self, operation: Operation) {
        self.waiting.push_back(operation);
    }

    pub fn pending(&self) -> usize {
        self.waiting.len() + self.steps.len()
    }

    /// Performs the first `count` operations; returns how far the records are durable.
    pub fn sync(&mut self, count: usize) -> Position {
        let mut left = count;
        while left > 0 {
            let Some(operation) = self.waiting.pop_front() else { break };
            left -= 1;
            let is_step = !matches!(operation, Operation::Record(..));
            if is_step && self.records_overtake {
                self.steps.push_back((self.written, operation));
            } else {
                self.carry_out(operation);
            }
        }
        for _ in 0..left {
            let Some((_, step)) = self.steps.pop_front() else { break };
            self.carry_out(step);
        }
        let is_done = |(_, step): &&(Position, Operation)| matches!(step, Operation::Done { .. });
        self.steps.iter().find(is_done).map_or(self.written, |(after, _)| *after)
    }

    fn carry_out(&mut self, operation: Operation) {
        match operation {
            Operation::Record(position, record) => {
                assert_eq!(position, self.written.next(), "positions have gaps");
                self.written = position;
                self.records.push((position, record.to_bytes()));
            }
            Operation::Part(part) => {
                let old = self.parts.insert(part.number, part.data.clone());
                assert!(old.is_none_or(|old| old == part.data), "part {} was restored with other content", part.number);
            }
            Operation::Done { covers, parts } => {
                assert!(covers <= self.written, "covers records that were never written");
                assert!(self.checkpoint.as_ref().is_none_or(|(before, _)| *before <= covers), "covers less");
                self.records.retain(|(position, _)| *position > covers);
                self.parts.retain(|number, _| parts.contains(number));
                assert_eq!(self.parts.len(), parts.len(), "a part was never written");
                self.checkpoint = Some((covers, parts));
            }
        }
    }

    pub fn crash(&mut self, kept: usize) {
        self.sync(kept);
        self.waiting.clear();
        self.steps.clear();
    }

    pub fn restore(&self) -> (Position, Vec<Restored<Record>>) {
        let mut restored = Vec::new();
        if let Some((covers, parts)) = &self.checkpoint {
            for number in parts {
                restored.push(Restored::Part(Part { number: *number, data: self.parts[number].clone() }));
            }
            restored.push(Restored::CheckpointEnd { covers: *covers });
        }
        restored.extend(
            self.records
                .iter()
                .map(|(position, record)| Restored::Record { position: *position, record: decode::<Record>(record) }),
        );
        (self.written, restored)
    }
}

fn decode<T: Decode>(bytes: &[u8]) -> T {
    decode_all(bytes).expect("reads what it wrote")
}
