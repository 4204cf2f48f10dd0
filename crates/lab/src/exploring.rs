//! How far an exploration goes, and who hears of it: said by whoever explores a model, and not by the model.
//!
//! A model is a function without arguments that builds its system and explores it at once. What its caller has to say
//! reaches [`explore`](crate::model::explore) on the same thread, for the time of the call.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use volvox_check::Progress;
use volvox_core::erased::AnyProcess;
use volvox_sim::Carrier;

/// Hears how far an exploration has come.
pub type Tell = Arc<dyn Fn(&Progress) + Send + Sync>;

/// What a caller says of an exploration.
#[derive(Clone, Default)]
pub struct Exploring {
    /// At most this many states; what the model says when not given.
    pub states_max: Option<u64>,
    /// At most this many bytes of memory, by the checker's own estimate.
    pub bytes_max: Option<u64>,
    /// Hears of the progress.
    pub progress: Option<Tell>,
    /// Ends the exploration soon once it is set.
    pub cancel: Option<&'static AtomicBool>,
    /// How the chapter of the model shows a run, where its counterexample is to be drawn.
    pub shown: Option<Shown>,
}

/// How a chapter shows a run.
#[derive(Clone)]
pub struct Shown {
    /// What of its messages and timers is the protocol's own.
    pub carrier: Rc<dyn Carrier<AnyProcess>>,
    /// What a node is, in a word or two.
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

/// What the caller of the model at hand has said.
pub(crate) fn current() -> Exploring {
    CURRENT.with_borrow(Clone::clone)
}
