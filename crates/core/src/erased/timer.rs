//! Timers without their types.

use alloc::boxed::Box;
use core::any::{Any, type_name};
use core::cmp::Ordering;
use core::fmt;
use core::fmt::Debug;
use core::hash::{Hash, Hasher};

/// The operations of every timer that need no type.
trait TimerValue: Any + Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn order(&self, other: &dyn Any) -> Ordering;
    fn hash_timer(&self, hasher: &mut dyn Hasher);
    fn debug_timer(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
    fn clone_timer(&self) -> Box<dyn TimerValue>;
}

impl<T: Clone + Ord + Hash + Debug + Send + Sync + 'static> TimerValue for T {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn order(&self, other: &dyn Any) -> Ordering {
        match other.downcast_ref::<T>() {
            Some(other) => self.cmp(other),
            None => panic!("a {} is compared with a timer of another process", type_name::<T>()),
        }
    }

    fn hash_timer(&self, mut hasher: &mut dyn Hasher) {
        self.hash(&mut hasher);
    }

    fn debug_timer(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(self, f)
    }

    fn clone_timer(&self) -> Box<dyn TimerValue> {
        Box::new(self.clone())
    }
}

/// A timer of any process.
pub struct AnyTimer(Box<dyn TimerValue>);

impl AnyTimer {
    /// Erases the type of a timer.
    pub fn of<T: Clone + Ord + Hash + Debug + Send + Sync + 'static>(timer: T) -> AnyTimer {
        AnyTimer(Box::new(timer))
    }

    /// The timer, if it is a `T`.
    pub fn find<T: 'static>(&self) -> Option<&T> {
        (*self.0).as_any().downcast_ref()
    }

    /// The timer.
    ///
    /// # Panics
    /// When it is not a `T`.
    pub fn get<T: 'static>(&self) -> &T {
        self.find().unwrap_or_else(|| panic!("an erased timer is not the expected {}", type_name::<T>()))
    }
}

impl Clone for AnyTimer {
    fn clone(&self) -> AnyTimer {
        AnyTimer((*self.0).clone_timer())
    }
}

impl PartialEq for AnyTimer {
    fn eq(&self, other: &AnyTimer) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for AnyTimer {}

impl PartialOrd for AnyTimer {
    fn partial_cmp(&self, other: &AnyTimer) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for AnyTimer {
    fn cmp(&self, other: &AnyTimer) -> Ordering {
        (*self.0).order((*other.0).as_any())
    }
}

impl Hash for AnyTimer {
    fn hash<S: Hasher>(&self, state: &mut S) {
        (*self.0).hash_timer(state);
    }
}

impl Debug for AnyTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (*self.0).debug_timer(f)
    }
}
