//! The reports of the nodes, in the order in which their steps happened.
//!
//! Each node reports its steps through a pipe of its own, so the report of a receipt may be read before that of the sending.
//! A system judged in between would be none that ever was: no cut without the cause of an event is consistent.

use super::{LAG, PATIENCE, Run};
use crate::live::LiveError;
use crate::live::observed::{Observation, machine_clock};
use crate::live::running::Heard;
use std::collections::BTreeSet;
use volvox_core::{Instant, NodeId};

/// On an overloaded machine a receipt waits this many times as long as other reports for that of the sending, which an
/// earlier boot of the sender may never have made.
const LAGS_OF_A_RECEIPT: u64 = 20;

impl Run<'_> {
    pub(super) fn hear(&mut self, node: NodeId, told: Observation) {
        self.count += 1;
        self.waiting.push(Heard { at: told.at, number: self.count, node, told });
    }

    /// Reads the reports of all nodes to their ends, after their inputs were closed. A paused node does not end.
    pub(super) fn hear_the_rest(&mut self) {
        let deadline = std::time::Instant::now() + PATIENCE;
        let mut speaking: BTreeSet<NodeId> = self.running.keys().copied().collect();
        speaking.retain(|node| !self.running[node].is_paused && !self.ended.contains(node));
        while !speaking.is_empty() {
            match self.heard.recv_timeout(deadline.saturating_duration_since(std::time::Instant::now())) {
                Ok((node, Some(told))) => self.hear(node, told),
                Ok((node, None)) => {
                    speaking.remove(&node);
                }
                Err(_) => return,
            }
        }
    }

    /// Replays the reports before this moment.
    pub(super) fn follow(&mut self, before: u64) -> Result<(), LiveError> {
        while self.waiting.peek().is_some_and(|heard| heard.at <= before) && self.shadows.broken.is_none() {
            let Some(heard) = self.waiting.pop() else { break };
            let waits_until = heard.at.saturating_add(LAGS_OF_A_RECEIPT * LAG.as_nanos() as u64);
            if machine_clock() < waits_until && self.shadows.is_early(heard.node, &heard.told) {
                self.waiting.push(heard);
                break;
            }
            let Heard { at, node, told, .. } = heard;
            self.last_input = machine_clock();
            // Reports that a node wrote before it was killed, and that arrive later, belong to a life that is over.
            let is_start = ["part", "covers", "record", "start"].iter().any(|verb| told.input.starts_with(verb));
            if !is_start && !self.shadows.up().iter().any(|(up, _)| *up == node) {
                continue;
            }
            let moment = Instant(at.saturating_sub(self.began));
            if self.shadows.follow(node, &told, moment).is_none() {
                let problem = format!("reported an input that its shadow cannot follow: {}", told.input);
                return Err(LiveError::Node { node, problem });
            }
        }
        Ok(())
    }
}
