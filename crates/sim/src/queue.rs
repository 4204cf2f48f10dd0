//! The queue of future events, with ties broken by the order of scheduling.
//!
//! Keys of 16 bytes (time, sequence number, slot) are ordered; the events are in a slab, whose slots are reused. Most
//! keys are later than all keys before them, because links and timers have typical spans: those go to the end of a
//! *lane*, a plain queue, and never touch the heap. The rest goes into a 4-ary implicit heap, where the four children
//! of a key fill one cache line. Nothing is allocated once the buffers have grown.

use std::collections::VecDeque;

/// How many events may be scheduled in one run in total, and how many may be pending at a time.
const SEQUENCE_BITS: u32 = 40;
const SLOT_BITS: u32 = 24;

/// The lane of a rising key. Two kinds of events with different typical delays must not share a lane, since the longer
/// delay would keep the shorter one out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lane {
    Messages = 0,
    Timers = 1,
    Syncs = 2,
    /// No typical delay: directly into the heap.
    Rest = 3,
}

const LANES: usize = 3;

pub(crate) struct Queue<T> {
    lanes: [VecDeque<u128>; LANES],
    heap: Vec<u128>,
    slots: Vec<Slot<T>>,
    free: u32,
    sequence: u64,
    pending: usize,
}

enum Slot<T> {
    Taken(T),
    Free { next: u32 },
}

/// The initial capacity, so that a small run never grows a buffer.
const PENDING_TYPICAL: usize = 256;

const NO_SLOT: u32 = u32::MAX;

/// An event taken from the queue.
pub(crate) struct Due<T> {
    pub time: u64,
    pub what: T,
}

impl<T> Queue<T> {
    pub fn new() -> Queue<T> {
        Queue {
            lanes: std::array::from_fn(|_| VecDeque::with_capacity(PENDING_TYPICAL)),
            heap: Vec::with_capacity(PENDING_TYPICAL),
            slots: Vec::with_capacity(PENDING_TYPICAL),
            free: NO_SLOT,
            sequence: 0,
            pending: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.pending
    }

    pub fn push(&mut self, time: u64, lane: Lane, what: T) {
        let slot = self.store(what);
        self.sequence += 1;
        assert!(self.sequence < 1 << SEQUENCE_BITS, "more than 2^{SEQUENCE_BITS} events in one run");
        let key = u128::from(time) << 64 | u128::from(self.sequence << SLOT_BITS | u64::from(slot));
        self.pending += 1;
        match self.lanes.get_mut(lane as usize) {
            Some(lane) if lane.back().is_none_or(|last| *last < key) => lane.push_back(key),
            _ => self.sift_up(key),
        }
    }

    /// The time of the next event.
    pub fn next_time(&self) -> Option<u64> {
        self.first().map(|(key, _)| (key >> 64) as u64)
    }

    pub fn pop(&mut self) -> Option<Due<T>> {
        let (key, source) = self.first()?;
        match source {
            Source::Lane(lane) => {
                self.lanes[lane].pop_front();
            }
            Source::Heap => self.pop_heap(),
        }
        self.pending -= 1;
        let slot = (key as u64 & ((1 << SLOT_BITS) - 1)) as u32;
        let what = self.release(slot);
        Some(Due { time: (key >> 64) as u64, what })
    }

    fn first(&self) -> Option<(u128, Source)> {
        let mut best = (u128::MAX, Source::Heap);
        if let Some(key) = self.heap.first() {
            best.0 = *key;
        }
        for (index, lane) in self.lanes.iter().enumerate() {
            if let Some(key) = lane.front()
                && *key < best.0
            {
                best = (*key, Source::Lane(index));
            }
        }
        (best.0 != u128::MAX).then_some(best)
    }

    fn store(&mut self, what: T) -> u32 {
        if self.free == NO_SLOT {
            let slot = self.slots.len();
            assert!(slot < 1 << SLOT_BITS, "more than 2^{SLOT_BITS} events pending");
            self.slots.push(Slot::Taken(what));
            return slot as u32;
        }
        let slot = self.free;
        let place = &mut self.slots[slot as usize];
        let Slot::Free { next } = *place else { unreachable!("a free slot that is taken") };
        self.free = next;
        *place = Slot::Taken(what);
        slot
    }

    fn release(&mut self, slot: u32) -> T {
        let place = &mut self.slots[slot as usize];
        let Slot::Taken(what) = std::mem::replace(place, Slot::Free { next: self.free }) else {
            unreachable!("a key whose slot is free")
        };
        self.free = slot;
        what
    }

    fn sift_up(&mut self, key: u128) {
        let mut place = self.heap.len();
        self.heap.push(key);
        while place > 0 {
            let parent = (place - 1) / 4;
            if self.heap[parent] <= key {
                break;
            }
            self.heap[place] = self.heap[parent];
            place = parent;
        }
        self.heap[place] = key;
    }

    fn pop_heap(&mut self) {
        let Some(key) = self.heap.pop() else { return };
        let length = self.heap.len();
        if length == 0 {
            return;
        }
        let mut place = 0;
        loop {
            let first = place * 4 + 1;
            if first >= length {
                break;
            }
            let mut least = first;
            for child in first + 1..(first + 4).min(length) {
                if self.heap[child] < self.heap[least] {
                    least = child;
                }
            }
            if self.heap[least] >= key {
                break;
            }
            self.heap[place] = self.heap[least];
            place = least;
        }
        self.heap[place] = key;
    }
}

#[derive(Clone, Copy)]
enum Source {
    Lane(usize),
    Heap,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use volvox_core::Rng;

    #[test]
    fn events_leave_by_time_and_then_by_order_of_scheduling() {
        let mut rng = Rng::new(5);
        let mut queue = Queue::new();
        let mut oracle = BTreeSet::new();
        let mut now = 0;
        for round in 0..20_000u64 {
            if rng.below(5) < 3 {
                let time = now + if rng.below(2) == 0 { 10 } else { rng.below(30) };
                let lane = if rng.below(2) == 0 { Lane::Messages } else { Lane::Timers };
                queue.push(time, lane, round);
                oracle.insert((time, round));
            } else if let Some(due) = queue.pop() {
                assert_eq!(oracle.pop_first(), Some((due.time, due.what)));
                assert!(due.time >= now);
                now = due.time;
            }
            assert_eq!(queue.len(), oracle.len());
            assert_eq!(queue.next_time(), oracle.first().map(|(time, _)| *time));
        }
    }

    #[test]
    fn slots_are_used_again() {
        let mut queue = Queue::new();
        for round in 0..1_000 {
            queue.push(round, Lane::Messages, round);
            queue.push(round, Lane::Timers, round);
            assert!(queue.pop().is_some() && queue.pop().is_some());
        }
        assert_eq!(queue.slots.len(), 2);
    }
}
