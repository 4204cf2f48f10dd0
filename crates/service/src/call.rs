//! A request from its admission to its answer.

use crate::admission;
use crate::answer::{Answer, Body, Header, Problem};
use crate::error::Error;
use crate::planted::{self, Bug};
use crate::reading::{Hashing, Reading};
use crate::request::{Caller, Limits, Request};
use alloc::sync::Arc;
use alloc::vec::Vec;
use volvox_core::Rng;
use volvox_replica::{Error as ReplicaError, Reply, Request as ReplicaRequest, View};
use volvox_store::{
    AlarmAction, AlarmMember, AlarmRequest, AlarmType, Command, Error as StoreError, LeaseGrantRequest, RangeRequest,
    RequestOp, TxnRequest, checks,
};

/// How many ids the server tries for a lease: 63 bits rarely meet one that is in use.
const ID_ATTEMPTS: u32 = 8;

/// The next step of a request.
#[derive(Debug)]
pub enum Next {
    /// It is answered.
    Answer(Answer),
    /// The replica must be asked this; its reply, with the view that is loaded after it, goes to [`Call::on_reply`].
    Ask(Call, ReplicaRequest),
}

/// A request that waits for the replica. It holds no view: nothing older than the reply can answer it.
#[derive(Clone, Debug)]
pub struct Call {
    waits: Waits,
    limits: Limits,
}

/// The use of the reply.
#[derive(Clone, Debug)]
enum Waits {
    /// The view is new enough for this read.
    Read(Read),
    /// The store's answer is the answer.
    Write,
    /// The same, unless the id that the server chose is in use.
    Grant {
        ttl: i64,
        ids: Rng,
        attempts_left: u32,
    },
    /// The header is that of the time before the renewal (book/src/etcd.md#6.3).
    KeepAlive {
        lease: i64,
        header: Header,
    },
    TimeToLive {
        lease: i64,
        keys: bool,
    },
    Member,
    MoveLeader,
}

/// A read of a view.
#[derive(Clone, Debug)]
enum Read {
    Range(RangeRequest),
    Txn(TxnRequest),
    Alarms(AlarmType),
    Members,
    Nothing,
}

/// Admits a request, and says what comes next. `view` is the newest one.
///
/// # Errors
/// Why it is refused; nothing was done.
pub fn admit(view: Arc<View>, caller: &Caller, request: Request, limits: &Limits) -> Result<Next, Error> {
    admission::check(&view, caller, &request, limits)?;
    let limits = *limits;
    let write = |command| Ok(Next::Ask(Call { waits: Waits::Write, limits }, ReplicaRequest::Write(command)));
    match request {
        Request::Range(range) if range.serializable => Read::Range(range).answer(view, &limits),
        Request::Range(range) => Ok(Read::Range(range).ask(limits)),
        Request::Txn(txn) if !checks::is_read_only(&txn) => write(Command::Txn(txn)),
        Request::Txn(txn) if accepts_old_state(&txn) => Read::Txn(txn).answer(view, &limits),
        Request::Txn(txn) => Ok(Read::Txn(txn).ask(limits)),
        Request::Put(put) => write(Command::Put(put)),
        Request::DeleteRange(delete) => write(Command::DeleteRange(delete)),
        Request::Compact(compaction) => write(Command::Compact(compaction)),
        Request::LeaseRevoke(revoke) => write(Command::LeaseRevoke(revoke)),
        Request::LeaseGrant { wish, seed } => grant(&wish, seed, limits),
        Request::LeaseKeepAlive { lease } => {
            let waits = Waits::KeepAlive { lease, header: Header::newest(&view) };
            Ok(Next::Ask(Call { waits, limits }, ReplicaRequest::LeaseKeepAlive { lease }))
        }
        Request::LeaseTimeToLive { lease, keys } => {
            let call = Call { waits: Waits::TimeToLive { lease, keys }, limits };
            Ok(Next::Ask(call, ReplicaRequest::LeaseTimeToLive { lease }))
        }
        Request::Alarm(AlarmRequest { action: AlarmAction::Get, alarm, .. }) => Ok(Read::Alarms(alarm).ask(limits)),
        Request::Alarm(request) => write(Command::Alarm(request)),
        Request::Member(request) => {
            Ok(Next::Ask(Call { waits: Waits::Member, limits }, ReplicaRequest::Member(request)))
        }
        Request::Members { linearizable: true } => Ok(Read::Members.ask(limits)),
        Request::Members { linearizable: false } => Read::Members.answer(view, &limits),
        Request::MoveLeader { to } => {
            Ok(Next::Ask(Call { waits: Waits::MoveLeader, limits }, ReplicaRequest::MoveLeader { to }))
        }
        Request::Confirm => Ok(Read::Nothing.ask(limits)),
        Request::Leases
        | Request::Status
        | Request::Defragment
        | Request::Hash
        | Request::HashKv { .. }
        | Request::Snapshot
        | Request::Contact => Ok(Next::Answer(of_this_member(view, &request, &limits))),
    }
}

/// The answer of a member about itself, without consensus or a leader.
fn of_this_member(view: Arc<View>, request: &Request, limits: &Limits) -> Answer {
    let header = Header::newest(&view);
    let body = match request {
        Request::Leases => Body::Leases(view.store.leases().map(|lease| lease.id).collect()),
        Request::Status => {
            let leaderless = view.status.leader.is_none().then_some(Problem::NoLeader);
            let problems = leaderless.into_iter().chain(view.store.alarms().map(Problem::Alarm)).collect();
            Body::Status { view, problems }
        }
        Request::Hash => Body::Hash(Hashing::new(view, 0, limits.records_a_turn)),
        Request::HashKv { revision } => Body::Hash(Hashing::new(view, *revision, limits.records_a_turn)),
        Request::Snapshot => Body::Snapshot(view),
        _ => Body::Done,
    };
    Answer { header, body }
}

/// Whether a read-only transaction may be answered from the state of this member: every read in it accepts that.
fn accepts_old_state(txn: &TxnRequest) -> bool {
    let mut reads = txn.success.iter().chain(&txn.failure);
    if planted::is(Bug::TxnReadsOldState) {
        return reads.any(|op| matches!(op, RequestOp::Range(range) if range.serializable));
    }
    checks::is_serializable(txn)
}

fn grant(wish: &LeaseGrantRequest, seed: u64, limits: Limits) -> Result<Next, Error> {
    let ttl = checks::check_lease_grant(wish, limits.lease_ttl_seconds_min)?;
    if wish.id == 0 {
        return Ok(grant_by_chance(ttl, Rng::new(seed), ID_ATTEMPTS, limits));
    }
    let command = Command::LeaseGrant(LeaseGrantRequest { ttl, id: wish.id });
    Ok(Next::Ask(Call { waits: Waits::Write, limits }, ReplicaRequest::Write(command)))
}

/// Ids are positive and have 63 bits, so that those of different members and boots differ.
fn grant_by_chance(ttl: i64, mut ids: Rng, attempts: u32, limits: Limits) -> Next {
    let id = ((ids.next_u64() >> 1) as i64).max(1);
    let call = Call { waits: Waits::Grant { ttl, ids, attempts_left: attempts - 1 }, limits };
    Next::Ask(call, ReplicaRequest::Write(Command::LeaseGrant(LeaseGrantRequest { ttl, id })))
}

impl Call {
    /// The replica replied; `view` was loaded after that.
    ///
    /// # Errors
    /// Why the request is refused; [`Error::is_definite`] says whether it certainly had no effect.
    pub fn on_reply(self, view: Arc<View>, result: Result<Reply, ReplicaError>) -> Result<Next, Error> {
        if let Waits::Grant { ttl, ids, attempts_left } = &self.waits
            && *attempts_left > 0
            && result == Err(ReplicaError::Store(StoreError::LeaseExists))
        {
            return Ok(grant_by_chance(*ttl, ids.clone(), *attempts_left, self.limits));
        }
        let answer = match (self.waits, result?) {
            (Waits::Read(read), Reply::ReadReady) => return read.answer(view, &self.limits),
            (Waits::Write | Waits::Grant { .. }, Reply::Written(reply)) => {
                Answer { header: Header::at(&view, reply.revision()), body: Body::Written(reply) }
            }
            (Waits::KeepAlive { lease, header }, Reply::KeptAlive { ttl }) => {
                Answer { header, body: Body::KeptAlive { lease, ttl } }
            }
            (Waits::TimeToLive { lease, keys: wanted }, Reply::TimeToLive { ttl, granted_ttl, keys }) => {
                let keys = if wanted { keys } else { Vec::new() };
                Answer { header: Header::newest(&view), body: Body::TimeToLive { lease, ttl, granted_ttl, keys } }
            }
            (Waits::Member, Reply::Members { added, members }) => {
                Answer { header: Header::at(&view, 0), body: Body::Members { added, members: Arc::new(members) } }
            }
            (Waits::MoveLeader, Reply::LeaderMoved) => Answer { header: Header::newest(&view), body: Body::Done },
            _ => return Err(Error::UnfitReply),
        };
        Ok(Next::Answer(answer))
    }
}

impl Read {
    fn ask(self, limits: Limits) -> Next {
        Next::Ask(Call { waits: Waits::Read(self), limits }, ReplicaRequest::Read)
    }

    /// Answers from a view that is new enough.
    fn answer(self, view: Arc<View>, limits: &Limits) -> Result<Next, Error> {
        let header = Header::newest(&view);
        let answer = match self {
            Read::Range(range) => Answer { header, body: Body::Range(Reading::new(view, range, limits.pairs_a_turn)) },
            Read::Txn(txn) => {
                let response = view.store.txn(&txn)?;
                Answer { header: Header::at(&view, response.revision), body: Body::Txn(response) }
            }
            Read::Alarms(wanted) => {
                let is_wanted = |alarm: &AlarmMember| wanted == AlarmType::None || alarm.alarm == wanted;
                Answer { header, body: Body::Alarms(view.store.alarms().filter(is_wanted).collect()) }
            }
            // Headers of this service have no revision (book/src/etcd.md#7).
            Read::Members => {
                let members = Arc::clone(&view.members);
                Answer { header: Header::at(&view, 0), body: Body::Members { added: None, members } }
            }
            Read::Nothing => Answer { header, body: Body::Done },
        };
        Ok(Next::Answer(answer))
    }
}
