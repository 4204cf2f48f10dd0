//! A leader's knowledge about one follower, and the flow control to it.
//!
//! A follower is first *probed*: one message at a time, until it is known where the logs agree. Then entries are
//! *replicated* in a pipeline: `next` advances as messages leave, not as they are acknowledged, and a window bounds
//! what is in flight. A follower that needs entries which are gone receives a *snapshot*.
//!
//! Nothing here has a timer of its own. From time to time a heartbeat is *marked* with what was sent before it. Links
//! are FIFO, so if a follower answers the mark without having received what was sent before it, a message was lost, and
//! the leader resends from there. On a link that reorders, a message may be sent twice, which does no harm.

use crate::index::Index;
use crate::record::SnapshotMeta;
use alloc::collections::VecDeque;

/// How many parts of a snapshot may be in flight to one follower.
pub(crate) const PARTS_IN_FLIGHT_MAX: u32 = 4;

/// One follower as the leader sees it (Raft figure 2, `nextIndex` and `matchIndex`).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Progress {
    /// The last index at which its durable log agrees with the leader's.
    pub matched: Index,
    /// The next index to send.
    pub next: Index,
    /// The last entry that was sent.
    pub sent: Index,
    /// The commit index last sent to it.
    pub told_commit: Index,
    /// The mode of replication.
    pub mode: Mode,
    /// Whether it has answered since the quorum was last checked (thesis 6.2).
    pub is_active: bool,
    /// The last heartbeat that it answered.
    pub round: u64,
    mark: Option<Mark>,
}

/// The mode of replication to a follower.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Mode {
    /// Searches where the logs agree, with at most one probe in flight.
    Probe {
        /// Whether a probe is in flight.
        is_waiting: bool,
    },
    /// Sends entries as they are appended, within the window.
    Replicate(Window),
    /// Sends a snapshot.
    Snapshot(Sending),
}

/// The messages with entries that are in flight.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Window {
    /// The last index and the weight of each.
    messages: VecDeque<(Index, usize)>,
    weight: usize,
}

/// A snapshot in transfer.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Sending {
    /// The snapshot, once the parent has chosen.
    pub meta: Option<SnapshotMeta>,
    /// The number of parts; 0 until the first is available.
    pub total: u32,
    /// The parts before this one have arrived.
    pub arrived: u32,
    /// The parts before this one were requested from the parent.
    pub asked: u32,
    /// The parts before this one were sent.
    pub sent: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Mark {
    round: u64,
    /// The progress sent before the mark: an index, or a number of parts.
    sent: u64,
}

/// The meaning of an answer to a marked heartbeat.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Nothing new.
    Nothing,
    /// Everything sent before the mark has arrived.
    Arrived,
    /// Something that was sent before the mark has not.
    Lost,
}

impl Progress {
    /// A new follower; the first guess is that it has everything before `next`.
    pub fn new(next: Index) -> Progress {
        Progress {
            matched: Index::ZERO,
            next,
            sent: Index::ZERO,
            told_commit: Index::ZERO,
            mode: Mode::Probe { is_waiting: false },
            is_active: false,
            round: 0,
            mark: None,
        }
    }

    /// Whether entries may be sent to it now.
    pub fn may_send(&self, messages_max: usize, bytes_max: usize) -> bool {
        match &self.mode {
            Mode::Probe { is_waiting } => !is_waiting,
            Mode::Replicate(window) => !window.is_full(messages_max, bytes_max),
            Mode::Snapshot(_) => false,
        }
    }

    /// A message with entries up to `last` leaves; without entries `last` is the entry before them.
    pub fn on_sent(&mut self, last: Index, weight: usize) {
        self.sent = last;
        match &mut self.mode {
            Mode::Probe { is_waiting } => {
                *is_waiting = true;
                self.mark = None;
            }
            Mode::Replicate(window) => {
                self.next = last.next();
                window.add(last, weight);
            }
            Mode::Snapshot(_) => unreachable!("entries for a follower that is sent a snapshot"),
        }
    }

    /// Records that everything up to `matched` is durable there. Returns whether that is new.
    pub fn on_matched(&mut self, matched: Index, log_base: Index) -> bool {
        let is_new = matched > self.matched;
        self.matched = self.matched.max(matched);
        match &mut self.mode {
            Mode::Replicate(window) => {
                window.free(matched);
                self.next = self.next.max(self.matched.next());
            }
            // A late acknowledgement, from before the probe, does not answer it.
            Mode::Probe { .. } if matched >= self.next.previous() => self.replicate_from(self.matched.next()),
            Mode::Snapshot(_) if self.matched >= log_base => self.replicate_from(self.matched.next()),
            // It has this snapshot, but the log now begins after it: it needs another one.
            Mode::Snapshot(sending) if sending.meta.as_ref().is_some_and(|meta| meta.index <= matched) => {
                self.send_snapshot();
            }
            Mode::Probe { .. } | Mode::Snapshot(_) => {}
        }
        is_new
    }

    /// The heartbeat `round` leaves.
    pub fn on_heartbeat_sent(&mut self, round: u64) {
        if self.mark.is_none() {
            self.mark = Some(Mark { round, sent: self.sent_so_far() });
        }
    }

    /// Handles the answer to the heartbeat `round` of a follower that holds the leader's entries up to `verified`.
    pub fn on_heartbeat_answered(&mut self, round: u64, verified: Index) -> Verdict {
        self.is_active = true;
        self.round = self.round.max(round);
        let Some(mark) = self.mark.filter(|mark| round >= mark.round) else { return Verdict::Nothing };
        self.mark = None;
        let arrived = match &self.mode {
            Mode::Snapshot(sending) => u64::from(sending.arrived),
            Mode::Probe { .. } | Mode::Replicate(_) => verified.0,
        };
        if arrived < mark.sent { Verdict::Lost } else { Verdict::Arrived }
    }

    /// Something was lost: continues from what it holds.
    pub fn resume(&mut self, verified: Index) {
        match &mut self.mode {
            Mode::Snapshot(sending) => {
                sending.asked = sending.arrived;
                sending.sent = sending.arrived;
            }
            // It restarted, and has not compared with this log what it acknowledged: only an append lets it, and perhaps
            // there is none to come.
            _ if verified < self.matched => self.probe_from(self.matched.next()),
            // It verified nothing since it started: ask again where the logs agree.
            _ if verified == Index::ZERO => self.probe_from(self.next),
            _ => self.replicate_from(verified.max(self.matched).next()),
        }
    }

    /// Asks again whether the logs agree before `next`.
    pub fn probe_from(&mut self, next: Index) {
        self.next = next.max(self.matched.next());
        self.change(Mode::Probe { is_waiting: false });
    }

    /// The logs agree before `next`: opens the pipeline.
    pub fn replicate_from(&mut self, next: Index) {
        self.next = next;
        self.sent = next.previous();
        self.change(Mode::Replicate(Window::default()));
    }

    /// The entries that it needs are gone: begins with a snapshot.
    pub fn send_snapshot(&mut self) {
        self.change(Mode::Snapshot(Sending::default()));
    }

    fn change(&mut self, mode: Mode) {
        self.mode = mode;
        self.mark = None;
    }

    fn sent_so_far(&self) -> u64 {
        match &self.mode {
            Mode::Snapshot(sending) => u64::from(sending.sent),
            Mode::Probe { .. } | Mode::Replicate(_) => self.sent.0,
        }
    }
}

impl Window {
    fn is_full(&self, messages_max: usize, weight_max: usize) -> bool {
        self.messages.len() >= messages_max || self.weight >= weight_max
    }

    fn add(&mut self, last: Index, weight: usize) {
        if weight > 0 {
            self.messages.push_back((last, weight));
            self.weight += weight;
        }
    }

    fn free(&mut self, matched: Index) {
        while let Some((_, weight)) = self.messages.front().filter(|(last, _)| *last <= matched) {
            self.weight -= weight;
            self.messages.pop_front();
        }
    }
}

impl Sending {
    /// The next part to ask of the parent, when the window has room.
    pub fn next_part(&self) -> Option<u32> {
        let end = if self.total == 0 { 1 } else { self.total.min(self.arrived + PARTS_IN_FLIGHT_MAX) };
        (self.asked < end).then_some(self.asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replicating() -> Progress {
        let mut progress = Progress::new(Index(5));
        progress.on_sent(Index(5), 100);
        assert!(!progress.may_send(2, 1_000), "one probe at a time");
        assert!(progress.on_matched(Index(5), Index(0)));
        progress
    }

    #[test]
    fn the_window_bounds_messages_and_bytes() {
        let mut progress = replicating();
        progress.on_sent(Index(6), 100);
        assert!(progress.may_send(2, 1_000));
        progress.on_sent(Index(8), 100);
        assert!(!progress.may_send(2, 1_000) && progress.may_send(3, 1_000) && !progress.may_send(3, 200));
        progress.on_matched(Index(7), Index(0));
        assert!(progress.may_send(2, 1_000), "the first message is acknowledged");
        assert_eq!(progress.next, Index(9));
    }

    #[test]
    fn an_answered_mark_finds_what_was_lost() {
        let mut progress = replicating();
        progress.on_sent(Index(6), 100);
        progress.on_heartbeat_sent(1);
        progress.on_sent(Index(7), 100);
        progress.on_heartbeat_sent(2);
        // The mark stands at round 1: only entry 6 was sent before it.
        assert_eq!(progress.on_heartbeat_answered(1, Index(6)), Verdict::Arrived);
        progress.on_heartbeat_sent(3);
        assert_eq!(progress.on_heartbeat_answered(2, Index(6)), Verdict::Nothing, "asked before the mark");
        assert_eq!(progress.on_heartbeat_answered(3, Index(6)), Verdict::Lost);
        progress.resume(Index(6));
        assert_eq!(progress.next, Index(7));
    }

    #[test]
    fn a_restarted_follower_is_probed_again() {
        let mut progress = replicating();
        progress.on_sent(Index(9), 100);
        progress.on_heartbeat_sent(1);
        assert_eq!(progress.on_heartbeat_answered(1, Index(0)), Verdict::Lost);
        progress.resume(Index(0));
        assert_eq!(progress.mode, Mode::Probe { is_waiting: false });
        assert!(progress.next > progress.matched);
    }

    #[test]
    fn parts_are_asked_for_within_their_window() {
        let mut sending = Sending::default();
        assert_eq!(sending.next_part(), Some(0), "how many there are is not known before the first");
        sending.asked = 1;
        assert_eq!(sending.next_part(), None);
        sending.total = 6;
        sending.asked = PARTS_IN_FLIGHT_MAX;
        assert_eq!(sending.next_part(), None);
        sending.arrived = 1;
        assert_eq!(sending.next_part(), Some(PARTS_IN_FLIGHT_MAX));
    }
}
