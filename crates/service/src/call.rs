//! A request from its admission to its answer.

use crate::admission;
use crate::answer::{Answer, Body, Header, Problem};
use crate::error::Error;
use crate::identify::{Identified, identify, identify_now};
use crate::login::{Login, Step};
use crate::permission;
use crate::planted::{self, Bug};
use crate::reading::{Hashing, Reading};
use crate::request::{AuthRead, Caller, Credentials, Limits, Request};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use volvox_core::{Bytes, Rng};
use volvox_replica::{Error as ReplicaError, Reply, Request as ReplicaRequest, View};
use volvox_store::{
    Access, AlarmAction, AlarmMember, AlarmRequest, AlarmType, Auth, Command, Error as StoreError, Identity,
    LeaseGrantRequest, RangeRequest, RequestOp, TxnRequest, checks,
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
    /// The password of the caller must be compared with this hash; the result goes to [`Call::on_password`].
    CheckPassword(Call, Bytes),
}

/// A request that waits for the replica. It holds no view: nothing older than the reply can answer it.
#[derive(Clone, Debug)]
pub struct Call {
    waits: Waits,
    limits: Limits,
}

/// A caller and its limits, as they accompany a request.
#[derive(Clone, Copy)]
struct Asker<'a> {
    credentials: &'a Credentials,
    limits: Limits,
}

/// The use of the reply.
#[derive(Clone, Debug)]
pub(crate) enum Waits {
    /// The view is new enough to know the caller, or the use of its token is known.
    Identity(Request, Credentials),
    /// The view is new enough for this read.
    Read(Read, Credentials),
    /// The store's answer is the answer.
    Write,
    /// The same, unless the id that the server chose is in use.
    Grant {
        ttl: i64,
        ids: Rng,
        attempts_left: u32,
        identity: Identity,
    },
    /// The header is that of the time before the renewal (book/src/etcd.md#6.3).
    KeepAlive {
        lease: i64,
        header: Header,
    },
    TimeToLive {
        lease: i64,
        keys: bool,
        credentials: Credentials,
    },
    Member,
    MoveLeader,
    /// The view is new enough to read the hash of a password.
    LoginRead(Login),
    /// The password is compared.
    Password(Login),
    /// The login goes through the log.
    Login(Login),
}

/// A read of a view.
#[derive(Clone, Debug)]
pub(crate) enum Read {
    Auth(AuthRead),
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
    let (credentials, limits) = (&caller.credentials, *limits);
    if permission::is_for_all(&request) {
        return begin(view, &Identity::Anonymous, Asker { credentials, limits }, request);
    }
    let ask = |request, what| {
        let waits = Waits::Identity(request, credentials.clone());
        Ok(Next::Ask(Call::of(waits, limits), what))
    };
    match identify(&view, credentials)? {
        Identified::Known(identity) => begin(view, &identity, Asker { credentials, limits }, request),
        Identified::Returned(_, token) => ask(request, ReplicaRequest::UseToken { token }),
        Identified::NotYet => ask(request, ReplicaRequest::Read),
    }
}

/// Begins a request whose caller is known.
fn begin(view: Arc<View>, identity: &Identity, asker: Asker<'_>, request: Request) -> Result<Next, Error> {
    view.store.authorize(identity, permission::to_admit(&request))?;
    let limits = asker.limits;
    let write =
        |command| Ok(Next::Ask(Call::of(Waits::Write, limits), for_user(identity, ReplicaRequest::Write(command))));
    match request {
        Request::Range(range) if range.serializable => Read::Range(range).answer(view, asker),
        Request::Range(range) => Ok(Read::Range(range).ask(asker)),
        Request::Txn(txn) if !checks::is_read_only(&txn) => write(Command::Txn(txn)),
        Request::Txn(txn) if accepts_old_state(&txn) => Read::Txn(txn).answer(view, asker),
        Request::Txn(txn) => Ok(Read::Txn(txn).ask(asker)),
        Request::Put(put) => write(Command::Put(put)),
        Request::DeleteRange(delete) => write(Command::DeleteRange(delete)),
        Request::Compact(compaction) => write(Command::Compact(compaction)),
        Request::LeaseRevoke(revoke) => write(Command::LeaseRevoke(revoke)),
        Request::LeaseGrant { wish, seed } => grant(&wish, seed, identity, limits),
        Request::LeaseKeepAlive { lease } => {
            let waits = Waits::KeepAlive { lease, header: Header::newest(&view) };
            Ok(Next::Ask(Call::of(waits, limits), ReplicaRequest::LeaseKeepAlive { lease }))
        }
        Request::LeaseTimeToLive { lease, keys } => {
            let waits = Waits::TimeToLive { lease, keys, credentials: asker.credentials.clone() };
            Ok(Next::Ask(Call::of(waits, limits), ReplicaRequest::LeaseTimeToLive { lease }))
        }
        Request::Alarm(AlarmRequest { action: AlarmAction::Get, alarm, .. }) => Ok(Read::Alarms(alarm).ask(asker)),
        Request::Alarm(request) => write(Command::Alarm(request)),
        Request::Auth(command) => write(Command::Auth(command)),
        Request::AuthRead(read) => Ok(Read::Auth(read).ask(asker)),
        Request::Authenticate { name, letters } => Ok(login_step(Login::begin(name, letters), limits)),
        Request::Member(request) => {
            let request = for_user(identity, ReplicaRequest::Member(request));
            Ok(Next::Ask(Call::of(Waits::Member, limits), request))
        }
        Request::Members { linearizable: true } => Ok(Read::Members.ask(asker)),
        Request::Members { linearizable: false } => Read::Members.answer(view, asker),
        Request::MoveLeader { to } => {
            Ok(Next::Ask(Call::of(Waits::MoveLeader, limits), ReplicaRequest::MoveLeader { to }))
        }
        Request::Confirm => Ok(Read::Nothing.ask(asker)),
        Request::Leases
        | Request::Status
        | Request::Defragment
        | Request::Hash
        | Request::HashKv { .. }
        | Request::Snapshot
        | Request::Watch { .. }
        | Request::Contact => Ok(Next::Answer(of_this_member(view, &request, &limits))),
    }
}

/// A change on behalf of its caller.
fn for_user(identity: &Identity, request: ReplicaRequest) -> ReplicaRequest {
    match identity {
        Identity::User(user) => ReplicaRequest::ForUser { user: user.clone(), request: Box::new(request) },
        Identity::Anonymous | Identity::Cluster => request,
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

fn grant(wish: &LeaseGrantRequest, seed: u64, identity: &Identity, limits: Limits) -> Result<Next, Error> {
    let ttl = checks::check_lease_grant(wish, limits.lease_ttl_seconds_min)?;
    if wish.id == 0 {
        return Ok(grant_by_chance(ttl, Rng::new(seed), ID_ATTEMPTS, identity.clone(), limits));
    }
    let command = Command::LeaseGrant(LeaseGrantRequest { ttl, id: wish.id });
    Ok(Next::Ask(Call::of(Waits::Write, limits), for_user(identity, ReplicaRequest::Write(command))))
}

/// Ids are positive and have 63 bits, so that those of different members and boots differ.
fn grant_by_chance(ttl: i64, mut ids: Rng, attempts: u32, identity: Identity, limits: Limits) -> Next {
    let id = ((ids.next_u64() >> 1) as i64).max(1);
    let command = Command::LeaseGrant(LeaseGrantRequest { ttl, id });
    let request = for_user(&identity, ReplicaRequest::Write(command));
    Next::Ask(Call::of(Waits::Grant { ttl, ids, attempts_left: attempts - 1, identity }, limits), request)
}

impl Call {
    pub(crate) fn of(waits: Waits, limits: Limits) -> Call {
        Call { waits, limits }
    }

    /// The password was compared, and was right or not.
    ///
    /// # Errors
    /// It was not; or nothing asked for it.
    pub fn on_password(self, is_right: bool) -> Result<Next, Error> {
        match self.waits {
            Waits::Password(login) => Ok(login_step(login.on_password(is_right)?, self.limits)),
            _ => Err(Error::UnfitReply),
        }
    }

    /// The replica replied; `view` was loaded after that.
    ///
    /// # Errors
    /// Why the request is refused; [`Error::is_definite`] says whether it certainly had no effect.
    pub fn on_reply(self, view: Arc<View>, result: Result<Reply, ReplicaError>) -> Result<Next, Error> {
        let limits = self.limits;
        let waits = match (self.waits, &result) {
            (Waits::Grant { ttl, ids, attempts_left, identity }, Err(ReplicaError::Store(StoreError::LeaseExists)))
                if attempts_left > 0 =>
            {
                return Ok(grant_by_chance(ttl, ids, attempts_left, identity, limits));
            }
            (Waits::Login(login), Err(ReplicaError::Store(StoreError::AuthOldRevision))) => {
                return Ok(login_step(login.again()?, limits));
            }
            (waits, _) => waits,
        };
        let answer = match (waits, result?) {
            (Waits::Identity(request, credentials), Reply::ReadReady | Reply::TokenUsed) => {
                let identity = identify_now(&view, &credentials)?;
                return begin(view, &identity, Asker { credentials: &credentials, limits }, request);
            }
            (Waits::Read(read, credentials), Reply::ReadReady) => {
                return read.answer(view, Asker { credentials: &credentials, limits });
            }
            (Waits::Write | Waits::Grant { .. }, Reply::Written(reply)) => {
                Answer { header: Header::at(&view, reply.revision()), body: Body::Written(reply) }
            }
            (Waits::KeepAlive { lease, header }, Reply::KeptAlive { ttl }) => {
                Answer { header, body: Body::KeptAlive { lease, ttl } }
            }
            (Waits::TimeToLive { lease, keys: wanted, credentials }, Reply::TimeToLive { ttl, granted_ttl, keys }) => {
                let keys = if wanted { keys } else { Vec::new() };
                may_list(&view, &credentials, &keys)?;
                Answer { header: Header::newest(&view), body: Body::TimeToLive { lease, ttl, granted_ttl, keys } }
            }
            (Waits::Member, Reply::Members { added, members }) => {
                Answer { header: Header::at(&view, 0), body: Body::Members { added, members: Arc::new(members) } }
            }
            (Waits::MoveLeader, Reply::LeaderMoved) => Answer { header: Header::newest(&view), body: Body::Done },
            (Waits::LoginRead(login), Reply::ReadReady) => return Ok(login_step(login.check(&view)?, limits)),
            (Waits::Login(login), Reply::Authenticated { response, token }) => login.answer(&view, response, token)?,
            _ => return Err(Error::UnfitReply),
        };
        Ok(Next::Answer(answer))
    }
}

/// Whether the caller may see the keys of a lease.
fn may_list(view: &View, credentials: &Credentials, keys: &[Bytes]) -> Result<(), Error> {
    let identity = identify_now(view, credentials)?;
    for key in keys {
        view.store.authorize(&identity, Access::Read(key, &[]))?;
    }
    Ok(())
}

impl Read {
    fn ask(self, asker: Asker<'_>) -> Next {
        Next::Ask(Call::of(Waits::Read(self, asker.credentials.clone()), asker.limits), ReplicaRequest::Read)
    }

    fn access(&self) -> Access<'_> {
        match self {
            Read::Range(range) => Access::Read(&range.key, &range.range_end),
            Read::Txn(txn) => Access::Txn(txn),
            Read::Auth(read) => read.access(),
            Read::Alarms(_) | Read::Members => Access::AsUser,
            Read::Nothing => Access::Anything,
        }
    }

    /// Answers from a view that is new enough, if its caller may see that: users and roles of the same view decide.
    fn answer(self, view: Arc<View>, asker: Asker<'_>) -> Result<Next, Error> {
        let access = self.access();
        if !matches!(access, Access::Anything) {
            view.store.authorize(&identify_now(&view, asker.credentials)?, access)?;
        }
        let header = Header::newest(&view);
        let answer = match self {
            Read::Range(range) => {
                Answer { header, body: Body::Range(Reading::new(view, range, asker.limits.pairs_a_turn)) }
            }
            Read::Txn(txn) => {
                let response = view.store.txn(&txn)?;
                Answer { header: Header::at(&view, response.revision), body: Body::Txn(response) }
            }
            Read::Auth(read) => Answer { header, body: read_auth(view.store.auth(), &read)? },
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

fn read_auth(auth: &Auth, read: &AuthRead) -> Result<Body, Error> {
    Ok(match read {
        AuthRead::Status => Body::AuthStatus { enabled: auth.is_enabled(), revision: auth.revision() },
        AuthRead::User(name) => {
            let user = auth.user(name).ok_or(StoreError::UserNotFound)?;
            Body::Names(user.roles.iter().cloned().collect())
        }
        AuthRead::Users => Body::Names(auth.users().map(|(name, _)| name.into()).collect()),
        AuthRead::Role(name) => Body::Permissions(auth.permissions_of(name).ok_or(StoreError::RoleNotFound)?),
        AuthRead::Roles => Body::Names(auth.roles().map(|(name, _)| name.into()).collect()),
    })
}

/// The way of a login goes on.
fn login_step(step: Step, limits: Limits) -> Next {
    match step {
        Step::View(login) => Next::Ask(Call::of(Waits::LoginRead(login), limits), ReplicaRequest::Read),
        Step::Password(login, hash) => Next::CheckPassword(Call::of(Waits::Password(login), limits), hash),
        Step::Apply(login, command) => Next::Ask(Call::of(Waits::Login(login), limits), ReplicaRequest::Write(command)),
    }
}
