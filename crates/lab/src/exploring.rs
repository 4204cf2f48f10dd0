//! The limits and progress of an exploration, set by the caller and not by the model.
//!
//! A model is a function without arguments that builds its system and explores it at once. The caller's settings reach
//! [`explore`](crate::model::explore) on the same thread, for the duration of the call.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use volvox_check::{Naming, Progress, Universe};
use volvox_core::erased::AnyProcess;
use volvox_sim::script::World;
use volvox_sim::{Carrier, NodeState};

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
    /// The chapter of the model, which names the words of its protocol and judges its runs.
    pub interpreter: Option<Rc<dyn Interpreter>>,
    /// Whether a counterexample is to be drawn, as the chapter shows it.
    pub is_recorded: bool,
}

/// The chapter of a model, as an exploration needs it: it tells the protocol's own messages and timers from those of a layer
/// beneath it, and names its words.
pub trait Interpreter: Carrier<AnyProcess> + Naming<AnyProcess> {
    /// The kinds of all words of the protocol.
    fn universe(&self) -> Universe<'static>;

    /// The state of a node, in a word or two.
    fn state(&self, process: &AnyProcess) -> NodeState;

    /// Judges the end of a run; `None` when its processes are not those of the chapter.
    fn judge(&self, world: &mut World<AnyProcess>) -> Option<Judged>;
}

/// The judgement of a chapter on the end of a run.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Judged {
    /// The properties that must always hold, each with what is wrong where it is broken.
    pub properties: Vec<(&'static str, Result<(), String>)>,
    /// The events of the run by their kind, in the order in which they first came.
    pub events: Vec<(&'static str, u64)>,
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
