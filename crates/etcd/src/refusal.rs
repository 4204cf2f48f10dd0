//! etcd's words for what the service refuses (book/src/etcd.md#11): its clients distinguish errors by their texts, byte for
//! byte, and by gRPC's codes. No other part of the server knows them.

use crate::grpc::{Code, Status};
use volvox_replica::Error as ReplicaError;
use volvox_replica::watch::Refusal as WatchRefusal;
use volvox_service::Error;
use volvox_store::Error as StoreError;

impl From<Error> for Status {
    fn from(error: Error) -> Status {
        let (code, text) = match error {
            Error::Store(error) => return error.into(),
            Error::Replica(error) => return error.into(),
            Error::Learner => (Code::FailedPrecondition, "etcdserver: rpc not supported for learner"),
            Error::MalformedCaller => (Code::InvalidArgument, "etcdserver: invalid client api version"),
            Error::NoLeader => (Code::Unavailable, NO_LEADER),
            Error::InvalidToken => (Code::Unauthenticated, "etcdserver: invalid auth token"),
            Error::UnfitReply => (Code::Internal, "volvox: the replica's answer does not match the request"),
        };
        Status::new(code, text)
    }
}

/// No leader is known.
pub(crate) const NO_LEADER: &str = "etcdserver: no leader";
const COMPACTED: &str = "etcdserver: mvcc: required revision has been compacted";
const TOO_MANY_REQUESTS: &str = "etcdserver: too many requests";

impl From<ReplicaError> for Status {
    fn from(error: ReplicaError) -> Status {
        let (code, text) = match error {
            ReplicaError::Store(error) => return error.into(),
            ReplicaError::NoLeader => (Code::Unavailable, NO_LEADER),
            ReplicaError::LeaderChanged => (Code::Unavailable, "etcdserver: leader changed"),
            ReplicaError::Timeout => (Code::Unavailable, "etcdserver: request timed out"),
            ReplicaError::TimeoutLeaderFailure => {
                (Code::Unavailable, "etcdserver: request timed out, possibly due to previous leader failure")
            }
            ReplicaError::Unhealthy => (Code::Unavailable, "etcdserver: unhealthy cluster"),
            ReplicaError::Stopped => (Code::Unavailable, "etcdserver: server stopped"),
            ReplicaError::TooManyRequests => (Code::ResourceExhausted, TOO_MANY_REQUESTS),
            ReplicaError::TooLarge => (Code::InvalidArgument, "etcdserver: request is too large"),
            ReplicaError::BadPeerUrls => (Code::InvalidArgument, "etcdserver: given member URLs are invalid"),
            ReplicaError::TransferTimeout => {
                (Code::Unknown, "etcdserver: request timed out, leader transfer took too long")
            }
            ReplicaError::MemberNotFound => (Code::NotFound, "etcdserver: member not found"),
            ReplicaError::NotLeader => (Code::FailedPrecondition, "etcdserver: not leader"),
            ReplicaError::BadTransferee => (Code::FailedPrecondition, "etcdserver: bad leader transferee"),
            ReplicaError::MemberExists => (Code::FailedPrecondition, "etcdserver: member ID already exist"),
            ReplicaError::PeerUrlExists => (Code::FailedPrecondition, "etcdserver: Peer URLs already exists"),
            ReplicaError::NotLearner => (Code::FailedPrecondition, "etcdserver: can only promote a learner member"),
            ReplicaError::LearnerNotReady => {
                (Code::FailedPrecondition, "etcdserver: can only promote a learner member which is in sync with leader")
            }
            ReplicaError::TooManyLearners => {
                (Code::FailedPrecondition, "etcdserver: too many learner members in cluster")
            }
            ReplicaError::NotEnoughStarted => {
                (Code::FailedPrecondition, "etcdserver: re-configuration failed due to not enough started members")
            }
        };
        Status::new(code, text)
    }
}

impl From<StoreError> for Status {
    fn from(error: StoreError) -> Status {
        let (code, text) = match error {
            StoreError::EmptyKey => (Code::InvalidArgument, "etcdserver: key is not provided"),
            StoreError::KeyNotFound => (Code::InvalidArgument, "etcdserver: key not found"),
            StoreError::ValueProvided => (Code::InvalidArgument, "etcdserver: value is provided"),
            StoreError::LeaseProvided => (Code::InvalidArgument, "etcdserver: lease is provided"),
            StoreError::TooManyOperations => (Code::InvalidArgument, "etcdserver: too many operations in txn request"),
            StoreError::DuplicateKey => (Code::InvalidArgument, "etcdserver: duplicate key given in txn request"),
            StoreError::InvalidSortOption => (Code::InvalidArgument, "etcdserver: invalid sort option"),
            StoreError::Compacted => (Code::OutOfRange, COMPACTED),
            StoreError::FutureRevision => {
                (Code::OutOfRange, "etcdserver: mvcc: required revision is a future revision")
            }
            StoreError::NoSpace => (Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded"),
            StoreError::LeaseNotFound => (Code::NotFound, "etcdserver: requested lease not found"),
            StoreError::LeaseExists => (Code::FailedPrecondition, "etcdserver: lease already exists"),
            StoreError::LeaseTtlTooLarge => (Code::OutOfRange, "etcdserver: too large lease TTL"),
            StoreError::Corrupt => (Code::DataLoss, "etcdserver: corrupt cluster"),
            StoreError::RootUserMissing => (Code::FailedPrecondition, "etcdserver: root user does not exist"),
            StoreError::RootRoleMissing => (Code::FailedPrecondition, "etcdserver: root user does not have root role"),
            StoreError::AuthNotEnabled => (Code::FailedPrecondition, "etcdserver: authentication is not enabled"),
            StoreError::AuthenticationFailed => {
                (Code::InvalidArgument, "etcdserver: authentication failed, invalid user ID or password")
            }
            StoreError::PasswordNotSet => {
                (Code::Unknown, "auth: authentication failed, password was given for no password user")
            }
            StoreError::UserEmpty => (Code::InvalidArgument, "etcdserver: user name is empty"),
            StoreError::UserExists => (Code::FailedPrecondition, "etcdserver: user name already exists"),
            StoreError::UserNotFound => (Code::FailedPrecondition, "etcdserver: user name not found"),
            StoreError::RoleEmpty => (Code::InvalidArgument, "etcdserver: role name is empty"),
            StoreError::RoleExists => (Code::FailedPrecondition, "etcdserver: role name already exists"),
            StoreError::RoleNotFound => (Code::FailedPrecondition, "etcdserver: role name not found"),
            StoreError::RoleNotGranted => (Code::FailedPrecondition, "etcdserver: role is not granted to the user"),
            StoreError::PermissionNotGiven => (Code::InvalidArgument, "etcdserver: permission not given"),
            StoreError::PermissionNotGranted => {
                (Code::FailedPrecondition, "etcdserver: permission is not granted to the role")
            }
            StoreError::InvalidAuthManagement => (Code::InvalidArgument, "etcdserver: invalid auth management"),
            StoreError::NameTooLong => (Code::InvalidArgument, "etcdserver: request is too large"),
            StoreError::PermissionDenied => (Code::PermissionDenied, "etcdserver: permission denied"),
            StoreError::AuthOldRevision => (Code::InvalidArgument, "etcdserver: revision of auth store is old"),
        };
        Status::new(code, text)
    }
}

/// The reason in the answer to a create request that is refused; for some of them etcd has no prefix.
pub(crate) fn cancel_reason(refusal: Option<WatchRefusal>) -> &'static str {
    match refusal {
        None => "",
        Some(WatchRefusal::Compacted) => COMPACTED,
        Some(WatchRefusal::EmptyRange) => "mvcc: watcher range is empty",
        Some(WatchRefusal::DuplicateId) => "mvcc: duplicate watch ID provided on the WatchStream",
        Some(WatchRefusal::TooMany) => TOO_MANY_REQUESTS,
        // Whole gRPC errors as text (book/src/etcd.md#5.2).
        Some(WatchRefusal::InvalidToken) => "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token",
        Some(WatchRefusal::Forbidden(StoreError::UserEmpty)) => {
            "rpc error: code = InvalidArgument desc = etcdserver: user name is empty"
        }
        Some(WatchRefusal::Forbidden(StoreError::AuthOldRevision)) => {
            "rpc error: code = InvalidArgument desc = etcdserver: revision of auth store is old"
        }
        Some(WatchRefusal::Forbidden(_)) => "rpc error: code = PermissionDenied desc = etcdserver: permission denied",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use volvox_store::Error as Store;

    /// The contract lists every text (book/src/etcd.md#11); of those that are etcd's, none may be misspelled.
    #[test]
    fn every_text_is_in_the_contract() {
        let contract = include_str!("../../../book/src/etcd.md").split_whitespace().collect::<Vec<_>>().join(" ");
        let store = Store::ALL.map(|error| Status::from(error).message);
        let service = [Error::Learner, Error::MalformedCaller, Error::NoLeader, Error::InvalidToken]
            .map(|error| Status::from(error).message);
        let replica = ReplicaError::ALL.map(|error| Status::from(error).message);
        for text in store.into_iter().chain(service).chain(replica) {
            let words =
                text.strip_prefix("etcdserver: ").or_else(|| text.strip_prefix("auth: ")).expect("etcd's prefix");
            assert!(contract.contains(words), "{text:?} is not in the contract");
        }
    }
}
