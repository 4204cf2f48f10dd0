//! Frees what a compaction made unreachable, a little at a time.
//!
//! A compaction takes effect at once, when its command is applied: reads below the compaction point are refused. The
//! memory is freed afterwards by a *pass* over the sealed segments, oldest first, a bounded number of records per step.
//! A segment that loses records is rewritten; small neighbours are joined. A segment that loses none stays the same
//! object with the same number, so the next checkpoint does not write it again.
//!
//! The progress of a pass is local to each member: no answer depends on it. The order matters: a tombstone is removed
//! only after every older version of its key; otherwise a restart in between would resurrect a deleted key.

use crate::log::{SEGMENT_RECORDS, Segment, SegmentId};
use crate::store::Store;
use alloc::sync::Arc;
use alloc::vec::Vec;
use volvox_core::Bytes;

/// A compaction in progress.
#[derive(Clone)]
pub(crate) struct Pass {
    /// The number of this compaction.
    generation: u64,
    /// Up to which revision it drops.
    revision: i64,
    /// The next segment to look at.
    at: usize,
}

impl Store {
    /// Begins the pass of the newest compaction, unless one is in progress: that one is finished first, so that
    /// frequent compactions cannot prevent it from ever finishing.
    pub(crate) fn start_pass(&mut self) {
        let state = self.state();
        if self.pass.is_none() && state.compactions > 0 {
            self.pass = Some(Pass { generation: state.compactions, revision: state.compacted, at: 0 });
        }
    }

    /// Whether memory is still to be freed.
    pub fn is_compacting(&self) -> bool {
        self.pass.is_some()
    }

    /// Examines about `budget` records (at least one segment) and frees those no longer needed. Returns whether there
    /// is more to do.
    pub fn compact_step(&mut self, budget: usize) -> bool {
        if self.is_applying() {
            // The copy that it works in would bring back what is freed here.
            return self.is_compacting();
        }
        let mut left = budget;
        while let Some(mut pass) = self.pass.take() {
            match self.compact_segment(&mut pass) {
                Some(looked_at) => {
                    self.pass = Some(pass);
                    match left.checked_sub(looked_at) {
                        Some(rest) if rest > 0 => left = rest,
                        _ => return true,
                    }
                }
                // The pass is through. Another compaction may have come meanwhile.
                None if self.state().compactions > pass.generation => self.start_pass(),
                None => {}
            }
        }
        false
    }

    /// Compacts one segment; how many records it had. `None` when there is none left.
    fn compact_segment(&mut self, pass: &mut Pass) -> Option<usize> {
        let segment = Arc::clone(self.state().log.segment(pass.at)?);
        if segment.first().main > pass.revision {
            return None;
        }
        let looked_at = segment.len();
        let kept = self.keep(&segment, pass);
        if kept.iter().all(|kept| *kept) {
            pass.at += 1;
        } else if kept.iter().any(|kept| *kept) {
            let id = SegmentId { generation: pass.generation, ..segment.id() };
            let rewritten = build(id, kept_records(&segment, &kept));
            self.state_mut().log.replace(pass.at, 1, Some(rewritten));
            pass.at += 1;
        } else {
            self.state_mut().log.replace(pass.at, 1, None);
            return Some(looked_at);
        }
        self.join_with_previous(pass);
        Some(looked_at)
    }

    /// The records that stay. Keys whose last record is removed leave the index.
    fn keep(&mut self, segment: &Segment, pass: &Pass) -> Vec<bool> {
        let mut kept = Vec::with_capacity(SEGMENT_RECORDS);
        for found in segment.records_from(0) {
            let survives = self.state().survives(found.key(), &found.record, pass.revision);
            kept.push(survives);
            if found.record.tombstone && !survives {
                let gone = |slot: &crate::view::Slot| slot.revision == found.record.revision;
                if self.state().index.get(found.key()).is_some_and(gone) {
                    self.state_mut().index.remove(found.key());
                }
            }
        }
        kept
    }

    /// Joins the segment just looked at with the one before it, when both are small.
    fn join_with_previous(&mut self, pass: &mut Pass) {
        let log = &self.state().log;
        let Some(left) = pass.at.checked_sub(2) else { return };
        let (Some(first), Some(second)) = (log.segment(left), log.segment(left + 1)) else { return };
        if first.fits_with(second) {
            let id = SegmentId { first: first.id().first, last: second.id().last, generation: pass.generation };
            let joined = build(id, [first.data().as_slice(), second.data().as_slice()].concat());
            self.state_mut().log.replace(left, 2, Some(joined));
            pass.at -= 1;
        }
    }
}

fn kept_records(segment: &Segment, kept: &[bool]) -> Vec<u8> {
    let mut data = Vec::with_capacity(segment.byte_length());
    for (slot, kept) in kept.iter().enumerate() {
        if *kept {
            data.extend_from_slice(segment.encoded(slot));
        }
    }
    data
}

fn build(id: SegmentId, data: Vec<u8>) -> Segment {
    Segment::new(id, Bytes::from(data)).expect("records were checked before, and kept in order")
}
