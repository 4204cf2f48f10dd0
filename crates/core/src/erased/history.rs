//! A history of events, without its type.

use alloc::boxed::Box;
use core::any::{Any, type_name};
use core::hash::{Hash, Hasher};

/// The operations of every history that need no type.
trait HistoryValue: Any + Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn as_any_mut(&mut self) -> &mut dyn Any;
    fn is_same(&self, other: &dyn Any) -> bool;
    fn hash_history(&self, hasher: &mut dyn Hasher);
    fn clone_history(&self) -> Box<dyn HistoryValue>;
}

impl<H: Clone + Eq + Hash + Send + Sync + 'static> HistoryValue for H {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn is_same(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<H>() == Some(self)
    }

    fn hash_history(&self, mut hasher: &mut dyn Hasher) {
        self.hash(&mut hasher);
    }

    fn clone_history(&self) -> Box<dyn HistoryValue> {
        Box::new(self.clone())
    }
}

/// A history of any type, of the events of all nodes.
pub struct AnyHistory(Box<dyn HistoryValue>);

impl AnyHistory {
    /// Forgets the type of a history.
    pub fn of<H: Clone + Eq + Hash + Send + Sync + 'static>(history: H) -> AnyHistory {
        AnyHistory(Box::new(history))
    }

    /// The history.
    ///
    /// # Panics
    /// When it is not an `H`.
    pub fn expect<H: 'static>(&self) -> &H {
        let history = (*self.0).as_any().downcast_ref();
        history.unwrap_or_else(|| panic!("an erased history is not the expected {}", type_name::<H>()))
    }

    /// The history, mutably.
    ///
    /// # Panics
    /// When it is not an `H`.
    pub fn expect_mut<H: 'static>(&mut self) -> &mut H {
        let history = (*self.0).as_any_mut().downcast_mut();
        history.unwrap_or_else(|| panic!("an erased history is not the expected {}", type_name::<H>()))
    }
}

impl Clone for AnyHistory {
    fn clone(&self) -> AnyHistory {
        AnyHistory((*self.0).clone_history())
    }
}

impl PartialEq for AnyHistory {
    fn eq(&self, other: &AnyHistory) -> bool {
        (*self.0).is_same((*other.0).as_any())
    }
}

impl Eq for AnyHistory {}

impl Hash for AnyHistory {
    fn hash<S: Hasher>(&self, state: &mut S) {
        (*self.0).hash_history(state);
    }
}
