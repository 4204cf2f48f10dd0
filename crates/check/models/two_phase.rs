//! `TwoPhase` of the TLA+ examples as a raw model: tests, the example and the benchmark share it.
//!
//! A state is one word: two bits for each resource manager, two for the transaction manager, then the set of prepared
//! managers (as the transaction manager knows it) and that of messages, which are never removed.

use std::fmt;
use volvox_check::{Model, Steps, share};

/// The specification for a number of resource managers, 14 at most.
pub struct TwoPhase {
    managers: u32,
}

/// The constants of the specification, in the two bits of a resource or transaction manager.
const WORKING: u64 = 0;
const PREPARED: u64 = 1;
const COMMITTED: u64 = 2;
const ABORTED: u64 = 3;
const MANAGERS_MAX: u32 = 14;

/// The actions of the specification, by their names there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    TmCommit,
    TmAbort,
    TmRcvPrepared(u32),
    RmPrepare(u32),
    RmChooseToAbort(u32),
    RmRcvCommitMsg(u32),
    RmRcvAbortMsg(u32),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl TwoPhase {
    /// The specification for this many resource managers.
    pub fn new(managers: u32) -> TwoPhase {
        assert!(managers <= MANAGERS_MAX, "a state is one word");
        TwoPhase { managers }
    }

    fn manager(&self, state: u64, manager: u32) -> u64 {
        state >> (2 * manager) & 3
    }

    fn tm(&self, state: u64) -> u64 {
        state >> (2 * self.managers) & 3
    }

    fn tm_prepared(&self, manager: u32) -> u64 {
        1 << (2 * self.managers + 2 + manager)
    }

    fn msg_prepared(&self, manager: u32) -> u64 {
        1 << (3 * self.managers + 2 + manager)
    }

    fn msg_commit(&self) -> u64 {
        1 << (4 * self.managers + 2)
    }

    fn msg_abort(&self) -> u64 {
        1 << (4 * self.managers + 3)
    }

    /// `TCConsistent`: it is not the case that one committed and another aborted.
    pub fn is_consistent(&self, state: u64) -> bool {
        let has = |wanted| (0..self.managers).any(|manager| self.manager(state, manager) == wanted);
        !(has(COMMITTED) && has(ABORTED))
    }

    #[allow(dead_code, reason = "not every user of this file calls it")]
    pub fn all_committed(&self, state: u64) -> bool {
        (0..self.managers).all(|manager| self.manager(state, manager) == COMMITTED)
    }

    #[allow(dead_code, reason = "not every user of this file calls it")]
    pub fn all_aborted(&self, state: u64) -> bool {
        (0..self.managers).all(|manager| self.manager(state, manager) == ABORTED)
    }
}

impl Model for TwoPhase {
    type State = u64;
    type Action = Action;

    fn initial(&self) -> Vec<u64> {
        vec![0]
    }

    fn fingerprint(&self, state: &u64) -> u128 {
        share(0, u128::from(*state))
    }

    fn describe_action(&self, action: &Action) -> String {
        action.to_string()
    }

    fn next<S: Steps<TwoPhase>>(&self, state: &u64, steps: &mut S) {
        let state = *state;
        let mut go = |action: Action, next: u64| steps.lazy(self.fingerprint(&next), &|| action, &|| next);
        let set_tm = |to: u64| state & !(3 << (2 * self.managers)) | to << (2 * self.managers);
        if self.tm(state) == WORKING {
            if (0..self.managers).all(|manager| state & self.tm_prepared(manager) != 0) {
                go(Action::TmCommit, set_tm(COMMITTED) | self.msg_commit());
            }
            go(Action::TmAbort, set_tm(ABORTED) | self.msg_abort());
        }
        for manager in 0..self.managers {
            let set = |to: u64| state & !(3 << (2 * manager)) | to << (2 * manager);
            if self.tm(state) == WORKING && state & self.msg_prepared(manager) != 0 {
                go(Action::TmRcvPrepared(manager), state | self.tm_prepared(manager));
            }
            if self.manager(state, manager) == WORKING {
                go(Action::RmPrepare(manager), set(PREPARED) | self.msg_prepared(manager));
                go(Action::RmChooseToAbort(manager), set(ABORTED));
            }
            if state & self.msg_commit() != 0 {
                go(Action::RmRcvCommitMsg(manager), set(COMMITTED));
            }
            if state & self.msg_abort() != 0 {
                go(Action::RmRcvAbortMsg(manager), set(ABORTED));
            }
        }
    }
}
