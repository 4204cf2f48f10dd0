//! A world without faults or external inputs.

use super::action::{Action, What, Which, WhichTimer};
use super::world::World;
use volvox_core::{Duration, NodeId, Process};

/// The number of actions after which a world does not come to rest.
const REST_ACTIONS_MAX: usize = 1_000_000;
/// The delay of a message while a world rests.
const REST_STEP: Duration = Duration::from_millis(1);

impl<P: Process> World<P> {
    /// Lets time pass without faults: messages arrive within a millisecond, disks sync, timers fire when they are due.
    /// Ends when nothing is left to happen, after this span, or when `done` returns true; it is called after each
    /// action. Nodes that are down stay down.
    pub fn rest(&mut self, span: Duration, mut done: impl FnMut(&mut World<P>, &Action<P>) -> bool) {
        let end = self.now() + span;
        let mut left = REST_ACTIONS_MAX;
        while self.now() < end && left > 0 {
            let unsynced: Vec<NodeId> = self.ids().filter(|id| self.has_unsynced(*id)).collect();
            let links: Vec<_> = self.under_way().map(|(from, to, queue)| (from, to, queue.len())).collect();
            let timers = self.timers();
            let is_busy = !unsynced.is_empty() || !links.is_empty();
            let next = match timers.first() {
                _ if is_busy => self.now() + REST_STEP,
                Some((due, _, _)) => (*due).max(self.now()),
                None => return,
            };
            let due = timers.into_iter().take_while(|(due, _, _)| *due <= next);
            let fires = due.map(|(_, node, timer)| What::Fire { node, timer: WhichTimer::Exactly(timer) });
            let syncs = unsynced.into_iter().map(|node| What::Sync { node, through: None });
            let arrivals = links.into_iter().flat_map(|(from, to, count)| {
                (0..count).map(move |_| What::Deliver { from, to, which: Which::Oldest })
            });
            let mut passes = vec![What::Wait];
            passes.extend(syncs.chain(arrivals));
            let actions = fires.map(Action::now).chain(passes.into_iter().map(|what| Action {
                at: next.min(end),
                what,
                choices: Vec::new(),
            }));
            for action in actions.collect::<Vec<_>>() {
                left = left.saturating_sub(1);
                // A timer that was cancelled meanwhile does not fire.
                if self.act(&action).is_ok() && done(self, &action) {
                    return;
                }
            }
        }
    }
}
