//! The table of permissions (book/src/etcd.md#9.6): every request as root, as a user with the range and one without, with a
//! user that was identified before roles changed, with a token that is not known, and with none.

use std::sync::Arc;
use volvox_core::{NodeId, Process};
use volvox_replica::{Config, MemberRequest, Replica, Reply, Request as ReplicaRequest, Token, View};
use volvox_service::{AuthRead, Body, Caller, Credentials, Error, Limits, Next, Request, admit};
use volvox_store::*;

const LEASE: i64 = 7;

/// Root; `in` may read and write [a, c); `out` may read and write x. The key a has a lease.
fn store() -> Store {
    let mut store = Store::new(StoreConfig::default());
    let name = String::from;
    let grant = |role: &str, key: &str, range_end: &str| {
        let kind = PermissionKind::ReadWrite;
        let permission = Some(Permission { kind, key: key.into(), range_end: range_end.into() });
        AuthCommand::RoleGrantPermission { name: role.into(), permission }
    };
    let mut commands = Vec::new();
    for user in ["root", "in", "out"] {
        commands.push(AuthCommand::UserAdd { name: name(user), password: Some("hash".into()) });
        commands.push(AuthCommand::RoleAdd { name: name(user) });
        commands.push(AuthCommand::UserGrantRole { name: name(user), role: name(user) });
    }
    commands.extend([grant("in", "a", "c"), grant("out", "x", ""), AuthCommand::Enable]);
    let lease = Command::LeaseGrant(LeaseGrantRequest { ttl: 60, id: LEASE });
    let put = Command::Put(PutRequest { key: "a".into(), lease: LEASE, ..PutRequest::default() });
    for command in [lease, put].into_iter().chain(commands.into_iter().map(Command::Auth)) {
        store.apply(&command).unwrap_or_else(|error| panic!("{command}: {error}"));
    }
    store
}

fn view(store: &Store) -> Arc<View> {
    let id = NodeId(3);
    let config = Config::new(volvox_raft::Config::default(), 0xc1, Vec::new(), id);
    let mut view = Replica::new(id, &[id], &config).view();
    view.store = store.view();
    view.status.leader = Some(id);
    Arc::new(view)
}

/// Carries a request to its end, with the store in the place of a replica.
fn carry(credentials: Credentials, request: Request) -> Result<(), Error> {
    let mut store = store();
    let caller = Caller { credentials, ..Caller::default() };
    let mut next = admit(view(&store), &caller, request, &Limits::default())?;
    loop {
        next = match next {
            // The pairs of a range are read by its door.
            Next::Answer(answer) => {
                return if let Body::Range(reading) = answer.body { reading.whole().map(drop) } else { Ok(()) };
            }
            Next::Ask(call, request) => {
                let reply = answer(&mut store, &Identity::Anonymous, request);
                call.on_reply(view(&store), reply)?
            }
            Next::CheckPassword(call, hash) => call.on_password(hash.as_slice() == b"hash")?,
        };
    }
}

fn answer(store: &mut Store, identity: &Identity, request: ReplicaRequest) -> Result<Reply, volvox_replica::Error> {
    Ok(match request {
        ReplicaRequest::Write(command) => {
            let reply = store.apply_for(identity, &command).map_err(volvox_replica::Error::Store)?;
            match (command, reply) {
                (Command::Auth(AuthCommand::Authenticate { token, .. }), volvox_store::Reply::Auth(response)) => {
                    Reply::Authenticated { response, token: Some(Token::new(&token)) }
                }
                (_, reply) => Reply::Written(reply),
            }
        }
        ReplicaRequest::ForUser { user, request } => return answer(store, &Identity::User(user), *request),
        ReplicaRequest::Member(_) => {
            let denied = store.state().authorize(identity, Access::AsRoot);
            denied.map_err(volvox_replica::Error::Store)?;
            Reply::Members { added: None, members: Vec::new() }
        }
        ReplicaRequest::Read => Reply::ReadReady,
        ReplicaRequest::LeaseKeepAlive { .. } => Reply::KeptAlive { ttl: 60 },
        ReplicaRequest::LeaseTimeToLive { lease } => {
            Reply::TimeToLive { ttl: 60, granted_ttl: 60, keys: store.state().lease_keys(lease) }
        }
        ReplicaRequest::MoveLeader { .. } => Reply::LeaderMoved,
        ReplicaRequest::UseToken { .. } => Reply::TokenUsed,
    })
}

fn user(name: &str) -> Credentials {
    Credentials::Certificate(name.into())
}

/// A user whose signed token is of the revision before the last change.
fn stale(name: &str) -> Credentials {
    let auth_revision = store().state().auth().revision() - 1;
    Credentials::Signed(UserIdentity { name: name.into(), auth_revision })
}

/// The callers that are served beside root: all, users, users with the range, or none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Needs {
    Nothing,
    User,
    Range,
    Root,
}

fn requests() -> Vec<(&'static str, Request, Needs)> {
    let range = RangeRequest { key: "a".into(), range_end: "c".into(), ..RangeRequest::default() };
    let put = PutRequest { key: "b".into(), ..PutRequest::default() };
    let put_previous = PutRequest { prev_kv: true, ..put.clone() };
    let put_lease = PutRequest { lease: LEASE, ..put.clone() };
    let delete = DeleteRangeRequest { key: "a".into(), range_end: "c".into(), prev_kv: true };
    let compare = Compare { key: "a".into(), ..Compare::default() };
    let by_compare = TxnRequest { compare: vec![compare], ..TxnRequest::default() };
    let by_branch = TxnRequest { failure: vec![RequestOp::Put(put.clone())], ..TxnRequest::default() };
    let nested = TxnRequest { success: vec![RequestOp::Txn(by_branch.clone())], ..TxnRequest::default() };
    let read_only = TxnRequest { success: vec![RequestOp::Range(range.clone())], ..TxnRequest::default() };
    let serializable = RangeRequest { serializable: true, ..range.clone() };
    let alarm = |action| Request::Alarm(AlarmRequest { action, member_id: 1, alarm: AlarmType::NoSpace });
    let role = || String::from("new");
    vec![
        ("Range", Request::Range(range), Needs::Range),
        ("Range, serializable", Request::Range(serializable), Needs::Range),
        ("Watch", Request::Watch { key: "a".into(), range_end: "c".into() }, Needs::Range),
        ("Put", Request::Put(put), Needs::Range),
        ("Put with prev_kv", Request::Put(put_previous), Needs::Range),
        ("Put with a lease", Request::Put(put_lease), Needs::Range),
        ("DeleteRange", Request::DeleteRange(delete), Needs::Range),
        ("Txn, a compare", Request::Txn(by_compare), Needs::Range),
        ("Txn, the branch that does not run", Request::Txn(by_branch), Needs::Range),
        ("Txn, nested", Request::Txn(nested), Needs::Range),
        ("Txn, read only", Request::Txn(read_only), Needs::Range),
        ("Compact", Request::Compact(CompactionRequest { revision: 2, physical: false }), Needs::Root),
        ("LeaseGrant", Request::LeaseGrant { wish: LeaseGrantRequest { ttl: 60, id: 0 }, seed: 1 }, Needs::User),
        ("LeaseRevoke", Request::LeaseRevoke(LeaseRevokeRequest { id: LEASE }), Needs::Range),
        ("LeaseKeepAlive", Request::LeaseKeepAlive { lease: LEASE }, Needs::Range),
        ("LeaseTimeToLive", Request::LeaseTimeToLive { lease: LEASE, keys: false }, Needs::User),
        ("LeaseTimeToLive with keys", Request::LeaseTimeToLive { lease: LEASE, keys: true }, Needs::Range),
        ("LeaseLeases", Request::Leases, Needs::Range),
        ("MemberList", Request::Members { linearizable: true }, Needs::User),
        ("MemberList, serializable", Request::Members { linearizable: false }, Needs::User),
        ("MemberRemove", Request::Member(MemberRequest::Remove { id: NodeId(9) }), Needs::Root),
        ("Alarm, list", alarm(AlarmAction::Get), Needs::User),
        ("Alarm, raise", alarm(AlarmAction::Activate), Needs::Root),
        ("Alarm, clear", alarm(AlarmAction::Deactivate), Needs::Root),
        ("Status", Request::Status, Needs::User),
        ("Defragment", Request::Defragment, Needs::Root),
        ("Hash", Request::Hash, Needs::Root),
        ("HashKV", Request::HashKv { revision: 0 }, Needs::Root),
        ("Snapshot", Request::Snapshot, Needs::Root),
        ("MoveLeader", Request::MoveLeader { to: NodeId(1) }, Needs::Root),
        ("AuthEnable", Request::Auth(AuthCommand::Enable), Needs::Root),
        ("AuthDisable", Request::Auth(AuthCommand::Disable), Needs::Root),
        ("AuthStatus", Request::AuthRead(AuthRead::Status), Needs::Root),
        ("UserList", Request::AuthRead(AuthRead::Users), Needs::Root),
        ("RoleList", Request::AuthRead(AuthRead::Roles), Needs::Root),
        // Its own user and its own role: `in` may see them, `out` may not.
        ("UserGet", Request::AuthRead(AuthRead::User("in".into())), Needs::Range),
        ("RoleGet", Request::AuthRead(AuthRead::Role("in".into())), Needs::Range),
        ("RoleAdd", Request::Auth(AuthCommand::RoleAdd { name: role() }), Needs::Root),
        ("UserAdd", Request::Auth(AuthCommand::UserAdd { name: role(), password: None }), Needs::Root),
        ("UserDelete", Request::Auth(AuthCommand::UserDelete { name: "out".into() }), Needs::Root),
        ("Authenticate", Request::Authenticate { name: "in".into(), letters: "letters".into() }, Needs::Nothing),
        ("a stream that opens", Request::Contact, Needs::Nothing),
        ("a health check", Request::Confirm, Needs::Nothing),
    ]
}

const DENIED: Error = Error::Store(volvox_store::Error::PermissionDenied);
const NO_USER: Error = Error::Store(volvox_store::Error::UserEmpty);
const OLD: Error = Error::Store(volvox_store::Error::AuthOldRevision);

#[test]
fn every_request_needs_what_the_table_says() {
    for (what, request, needs) in requests() {
        let as_caller = |credentials| carry(credentials, request.clone());
        assert_eq!(as_caller(user("root")), Ok(()), "{what} as root");
        let with_range = if needs == Needs::Root { Err(DENIED) } else { Ok(()) };
        assert_eq!(as_caller(user("in")), with_range, "{what} with the range");
        let without = if matches!(needs, Needs::Nothing | Needs::User) { Ok(()) } else { Err(DENIED) };
        assert_eq!(as_caller(user("out")), without, "{what} without the range");
        let is_free = needs == Needs::Nothing;
        assert_eq!(as_caller(Credentials::None), if is_free { Ok(()) } else { Err(NO_USER) }, "{what} without a user");
        let bad_token = if is_free { Ok(()) } else { Err(Error::InvalidToken) };
        let unknown = Credentials::Token(Token::new("letters.0"));
        assert_eq!(as_caller(unknown), bad_token, "{what} with an unknown token");
        assert_eq!(as_caller(Credentials::Invalid), bad_token, "{what} with a bad signature");
    }
}

/// Only what concerns keys is compared with the revision of users and roles, as in etcd.
#[test]
fn a_caller_that_was_identified_before_roles_changed_must_log_in_again() {
    for (what, request, needs) in requests() {
        let concerns_keys = needs == Needs::Range && !matches!(request, Request::AuthRead(_));
        let expected = match needs {
            Needs::Root => Err(DENIED),
            _ if concerns_keys => Err(OLD),
            _ => Ok(()),
        };
        assert_eq!(carry(stale("in"), request), expected, "{what}");
    }
}

#[test]
fn everything_is_allowed_while_auth_is_off() {
    let mut store = store();
    store.apply(&Command::Auth(AuthCommand::Disable)).expect("allowed");
    for credentials in [Credentials::None, Credentials::Invalid, Credentials::Token(Token::new("letters.99"))] {
        let caller = Caller { credentials, ..Caller::default() };
        let next = admit(view(&store), &caller, Request::Status, &Limits::default());
        assert!(matches!(next, Ok(Next::Answer(_))), "{next:?}");
    }
}

/// A member may be asked with a token whose login it has not applied yet.
#[test]
fn a_token_of_an_entry_that_is_not_applied_here_is_waited_for() {
    let store = store();
    let caller = Caller { credentials: Credentials::Token(Token::new("letters.5")), ..Caller::default() };
    let put = Request::Put(PutRequest { key: "a".into(), ..PutRequest::default() });
    let next = admit(view(&store), &caller, put, &Limits::default());
    let Ok(Next::Ask(call, ReplicaRequest::Read)) = next else { panic!("{next:?}") };
    let refused = call.on_reply(view(&store), Ok(Reply::ReadReady));
    assert_eq!(refused.unwrap_err(), Error::InvalidToken, "it is not known after the wait either");
}

#[test]
fn a_login_is_tried_again_when_users_change_under_it() {
    let mut store = store();
    let login = Request::Authenticate { name: "in".into(), letters: "letters".into() };
    let mut next = admit(view(&store), &Caller::default(), login, &Limits::default()).expect("it is admitted");
    let mut checks = 0;
    loop {
        next = match next {
            Next::CheckPassword(call, hash) => {
                checks += 1;
                if checks == 1 {
                    let change = AuthCommand::UserChangePassword { name: "in".into(), password: "new".into() };
                    store.apply(&Command::Auth(change)).expect("it is there");
                }
                let expected: &[u8] = if checks == 1 { b"hash" } else { b"new" };
                assert_eq!(hash.as_slice(), expected);
                call.on_password(true).expect("it goes on")
            }
            Next::Ask(call, request) => {
                let reply = answer(&mut store, &Identity::Anonymous, request);
                call.on_reply(view(&store), reply).expect("it goes on")
            }
            Next::Answer(answer) => {
                assert!(matches!(answer.body, Body::Authenticated { .. }), "{answer:?}");
                break;
            }
        };
    }
    assert_eq!(checks, 2);
}
