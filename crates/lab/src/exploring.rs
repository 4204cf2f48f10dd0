//! The limits and progress of an exploration, set by the caller and not by the model.
//!
//! A model is a function without arguments that builds its system and explores it at once. The caller's settings reach
//! [`explore`](crate::model::explore) on the same thread, for the duration of the call.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use volvox_check::Progress;
use volvox_core::erased::AnyProcess;
use volvox_sim::Carrier;

/// Receives the progress of an exploration.
pub type Tell = Arc<dyn Fn(&Progress) + Send + Sync>;

/// The caller's settings for an exploration.
#[derive(Clone, Default)]
pub struct Exploring {
    /// At most this many states; by default the model's limit.
    pub states_max: Option<u64>,
    /// At most this many bytes of memory, by the checker's own estimate.
    pub bytes_max: Option<u64>,
    /// Receives the progress.
    pub progress: Option<Tell>,
    /// Ends the exploration soon once it is set.
    pub cancel: Option<&'static AtomicBool>,
    /// How the chapter of the model shows a run, where its counterexample is to be drawn.
    pub shown: Option<Shown>,
}

/// How a chapter shows a run.
#[derive(Clone)]
pub struct Shown {
    /// Tells the protocol's own messages and timers from those of a layer beneath it.
    pub carrier: Rc<dyn Carrier<AnyProcess>>,
    /// The state of a node, in a word or two.
    pub state_of: Rc<dyn Fn(&AnyProcess) -> String>,
}

thread_local! {
    static CURRENT: RefCell<Exploring> = RefCell::new(Exploring::default());
}

/// Does `work`, in which every exploration on this thread goes as far as `exploring` says.
pub fn with<T>(exploring: Exploring, work: impl FnOnce() -> T) -> T {
    let before = CURRENT.replace(exploring);
    let done = work();
    CURRENT.replace(before);
    done
}

/// The settings of the current caller.
pub(crate) fn current() -> Exploring {
    CURRENT.with_borrow(Clone::clone)
}
