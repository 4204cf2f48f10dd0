//! The timers of one node, ordered by deadline. A process sets some dozens at most; thousands would need a heap.

use volvox_core::{FlatMap, Instant};

/// At most one deadline per timer.
pub(crate) struct Timers<T> {
    deadlines: FlatMap<T, Instant>,
    order: FlatMap<(Instant, T), ()>,
}

impl<T: Clone + Ord> Timers<T> {
    pub(crate) fn new() -> Timers<T> {
        Timers { deadlines: FlatMap::new(), order: FlatMap::new() }
    }

    /// Starts or restarts a timer.
    pub(crate) fn set(&mut self, timer: T, deadline: Instant) {
        if let Some(before) = self.deadlines.insert(timer.clone(), deadline) {
            self.order.remove(&(before, timer.clone()));
        }
        self.order.insert((deadline, timer), ());
    }

    /// Stops a timer.
    pub(crate) fn cancel(&mut self, timer: &T) {
        if let Some(before) = self.deadlines.remove(timer) {
            self.order.remove(&(before, timer.clone()));
        }
    }

    /// Takes a timer if its deadline still is exactly this moment.
    pub(crate) fn take(&mut self, timer: &T, deadline: Instant) -> bool {
        let is_set = self.deadlines.get(timer) == Some(&deadline);
        if is_set {
            self.cancel(timer);
        }
        is_set
    }

    /// The deadline of the next timer.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.order.first().map(|((deadline, _), ())| *deadline)
    }

    /// Takes the first timer that is due at `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<T> {
        let ((deadline, timer), ()) = self.order.first()?;
        if *deadline > now {
            return None;
        }
        let timer = timer.clone();
        self.cancel(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_fires_once_at_its_last_deadline() {
        let mut timers = Timers::new();
        timers.set('a', Instant(10));
        timers.set('b', Instant(20));
        timers.set('a', Instant(30));
        timers.set('c', Instant(5));
        timers.cancel(&'c');
        timers.set('d', Instant(7));
        assert!(!timers.take(&'d', Instant(6)) && timers.take(&'d', Instant(7)) && !timers.take(&'d', Instant(7)));
        assert_eq!(timers.next_deadline(), Some(Instant(20)));
        assert_eq!(timers.pop_due(Instant(19)), None);
        assert_eq!(timers.pop_due(Instant(40)), Some('b'));
        assert_eq!(timers.pop_due(Instant(40)), Some('a'));
        assert_eq!(timers.pop_due(Instant(40)), None);
        assert_eq!(timers.next_deadline(), None);
    }
}
