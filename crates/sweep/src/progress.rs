//! The liveness properties after everything healed, seen from outside.

use crate::driver::{Run, World};
use crate::membership::newest;
use crate::operations::Operation;
use volvox_core::NodeId;
use volvox_store::DeleteRangeRequest;

impl Run {
    /// Whether everything is well again; asks what must be asked to find out.
    pub(crate) fn check_healed(&mut self, world: &mut World) -> bool {
        self.send_probes(world);
        self.probed.values().all(|answered| *answered) && self.missing(world).is_none()
    }

    /// The unfinished parts, for people.
    pub(crate) fn what_is_missing(&self, world: &World) -> String {
        let unanswered: Vec<NodeId> =
            self.probed.iter().filter(|(_, answered)| !**answered).map(|(node, _)| *node).collect();
        let missing = self.missing(world).unwrap_or_default();
        if unanswered.is_empty() { missing } else { format!("no write was acknowledged by {unanswered:?}; {missing}") }
    }

    /// Each member is asked to write something until it has.
    fn send_probes(&mut self, world: &mut World) {
        if self.probed.values().all(|answered| *answered) {
            return;
        }
        let Some((_, replica)) = newest(world) else { return };
        // A learner serves no writes.
        let voters = replica.members().list().into_iter().filter(|member| !member.is_learner);
        let members: Vec<NodeId> = voters.map(|member| member.id).collect();
        self.probed.retain(|node, _| members.contains(node));
        for node in members {
            let answered = self.probed.get(&node).copied().unwrap_or(false);
            let asking = self.asked.values().any(|asked| asked.node == node && asked.client == usize::MAX);
            if !answered && !asking && world.is_running(node) {
                match self.alarm {
                    Some(full) => self.make_room(world, node, full),
                    None => self.probe(world, node),
                }
            }
        }
    }

    /// The quota is used up: an operator deletes all, compacts, and clears the alarm.
    fn make_room(&mut self, world: &mut World, node: NodeId, full: NodeId) {
        // The search for an order knows nothing of a delete of all keys: it comes when the last register was answered.
        if self.asked.values().any(|asked| asked.register.is_some()) {
            return;
        }
        self.room_made = (self.room_made + 1) % 3;
        let operation = match self.room_made {
            1 => Operation::Delete(DeleteRangeRequest { key: "\0".into(), range_end: "\0".into(), prev_kv: false }),
            2 => Operation::Compact(self.floor),
            _ => Operation::ClearAlarm(full),
        };
        self.ask(world, usize::MAX, node, operation);
    }

    pub(crate) fn on_probe_answered(&mut self, node: NodeId, operation: &Operation) {
        if self.healing && matches!(operation, Operation::Put(_)) {
            self.probed.insert(node, true);
        }
    }

    fn missing(&self, world: &World) -> Option<String> {
        if self.membership.changes == 0 {
            return Some("the members have not changed yet".to_string());
        }
        if !self.is_settled(world) {
            let (id, replica) = newest(world)?;
            let configuration = replica.raft().configuration();
            let members = replica.members().list();
            return Some(format!("{id} has the configuration {configuration}, and the members {members:?}"));
        }
        let (_, newest) = newest(world)?;
        let frontier = self.truth.borrow().frontier();
        for member in newest.members().list() {
            let applied = world.node(member.id).map_or(0, |replica| replica.applied().0);
            if applied < frontier {
                return Some(format!("{} has applied {applied} of {frontier}", member.id));
            }
        }
        let truth = self.truth.borrow();
        for stream in &self.streams {
            for watcher in &stream.watchers {
                if !watcher.has_all(&truth, truth.revision()) {
                    let revision = truth.revision();
                    return Some(format!("a watcher of {:?} lacks events up to {revision}: {watcher:?}", stream.node));
                }
            }
        }
        (!self.asked.is_empty()).then(|| format!("{} questions have no answer", self.asked.len()))
    }
}
