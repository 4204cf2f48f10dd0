//! The questions of load balancers and operators: is this member alive, is it ready (book/src/etcd.md#14).

use volvox_replica::View;
use volvox_store::AlarmType;

/// The health of a member, as far as it is known without asking the cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Health {
    /// Nothing speaks against it, and nothing else needs to be asked.
    Healthy,
    /// A linearizable read decides: see [`crate::Request::Confirm`].
    Confirm,
    /// An alarm is on.
    Alarm(AlarmType),
    /// No leader is known.
    NoLeader,
}

/// The health of a member: alarms, then the leader, then a read. `excludes` names alarms that do not count.
pub fn health(view: &View, excludes: impl Fn(AlarmType) -> bool, serializable: bool) -> Health {
    if let Some(alarm) = view.store.alarms().map(|alarm| alarm.alarm).find(|alarm| !excludes(*alarm)) {
        return Health::Alarm(alarm);
    }
    if serializable {
        // The view is there: a local read cannot fail.
        return Health::Healthy;
    }
    if view.status.leader.is_none() { Health::NoLeader } else { Health::Confirm }
}

/// One check of a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Check {
    /// The data of members do not differ.
    DataCorruption,
    /// Its own state can be read.
    SerializableRead,
    /// The state of the cluster can be read.
    LinearizableRead,
    /// It has a vote.
    NonLearner,
}

impl Check {
    /// The checks of a member that lives.
    pub const ALIVE: &'static [Check] = &[Check::SerializableRead];

    /// The checks of a member that is ready for requests.
    pub const READY: &'static [Check] =
        &[Check::DataCorruption, Check::SerializableRead, Check::LinearizableRead, Check::NonLearner];

    /// The verdict of a view about it.
    pub fn verdict(self, view: &View) -> Verdict {
        match self {
            Check::DataCorruption if view.store.has_alarm(AlarmType::Corrupt) => Verdict::Corrupt,
            Check::NonLearner if view.status.is_learner => Verdict::Learner,
            Check::LinearizableRead => Verdict::Confirm,
            Check::DataCorruption | Check::NonLearner | Check::SerializableRead => Verdict::Passed,
        }
    }
}

/// The outcome of a check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It passed.
    Passed,
    /// A linearizable read decides: see [`crate::Request::Confirm`].
    Confirm,
    /// The alarm about differing data is on.
    Corrupt,
    /// This member is a learner.
    Learner,
}
