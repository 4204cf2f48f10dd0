//! Why a request was refused. A refused request changed nothing, on any member.

use core::fmt;

/// The caller's mistake, or the obstacle. The words and numbers of a foreign protocol belong to its door.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Error {
    /// The request names no key. The caller must name one.
    EmptyKey,
    /// A put is to keep the value or lease of a missing key, or an operation of a transaction is empty.
    KeyNotFound,
    /// A put is to keep the value but gives one.
    ValueProvided,
    /// A put is to keep the lease but gives one.
    LeaseProvided,
    /// A transaction is too large. The caller must split it.
    TooManyOperations,
    /// A transaction writes a key twice.
    DuplicateKey,
    /// A sort order or target that does not exist.
    InvalidSortOption,
    /// The revision is gone. The caller must start from a newer one.
    Compacted,
    /// The revision does not exist yet.
    FutureRevision,
    /// The quota is used up. The operator must compact or delete, then clear the alarm.
    NoSpace,
    /// The lease does not exist, or no longer exists. The caller must grant a new one.
    LeaseNotFound,
    /// The lease exists. The caller must choose another id.
    LeaseExists,
    /// The requested time to live is too long.
    LeaseTtlTooLarge,
    /// The data of members differ. The operator must find out which are correct.
    Corrupt,
    /// Auth cannot be enabled: there is no user root.
    RootUserMissing,
    /// Auth cannot be enabled: the user root lacks the role root.
    RootRoleMissing,
    /// Auth is off.
    AuthNotEnabled,
    /// There is no such user, or its password is another one.
    AuthenticationFailed,
    /// The user has no password: it is known by a certificate only.
    PasswordNotSet,
    /// No user is named: by the request, or by its caller, who must log in.
    UserEmpty,
    /// The user exists.
    UserExists,
    /// There is no such user.
    UserNotFound,
    /// No role is named.
    RoleEmpty,
    /// The role exists.
    RoleExists,
    /// There is no such role.
    RoleNotFound,
    /// The user does not have the role.
    RoleNotGranted,
    /// The request lacks the permission.
    PermissionNotGiven,
    /// The role does not have the permission.
    PermissionNotGranted,
    /// The change would make root powerless, or the range of a permission selects nothing.
    InvalidAuthManagement,
    /// The name of a user or role, or the hash of a password, is too long.
    NameTooLong,
    /// The caller may not do this.
    PermissionDenied,
    /// Users or roles changed since the caller was identified. The caller must log in again.
    AuthOldRevision,
}

impl Error {
    /// Every error, for tables and tests.
    pub const ALL: [Error; 32] = [
        Error::EmptyKey,
        Error::KeyNotFound,
        Error::ValueProvided,
        Error::LeaseProvided,
        Error::TooManyOperations,
        Error::DuplicateKey,
        Error::InvalidSortOption,
        Error::Compacted,
        Error::FutureRevision,
        Error::NoSpace,
        Error::LeaseNotFound,
        Error::LeaseExists,
        Error::LeaseTtlTooLarge,
        Error::Corrupt,
        Error::RootUserMissing,
        Error::RootRoleMissing,
        Error::AuthNotEnabled,
        Error::AuthenticationFailed,
        Error::PasswordNotSet,
        Error::UserEmpty,
        Error::UserExists,
        Error::UserNotFound,
        Error::RoleEmpty,
        Error::RoleExists,
        Error::RoleNotFound,
        Error::RoleNotGranted,
        Error::PermissionNotGiven,
        Error::PermissionNotGranted,
        Error::InvalidAuthManagement,
        Error::NameTooLong,
        Error::PermissionDenied,
        Error::AuthOldRevision,
    ];
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::EmptyKey => "the request names no key",
            Error::KeyNotFound => "there is no such key",
            Error::ValueProvided => "a put that keeps the value gives one",
            Error::LeaseProvided => "a put that keeps the lease gives one",
            Error::TooManyOperations => "the transaction has too many operations",
            Error::DuplicateKey => "the transaction writes a key twice",
            Error::InvalidSortOption => "there is no such sort order or target",
            Error::Compacted => "the revision is compacted",
            Error::FutureRevision => "the revision is in the future",
            Error::NoSpace => "the quota is used up",
            Error::LeaseNotFound => "there is no such lease",
            Error::LeaseExists => "the lease exists",
            Error::LeaseTtlTooLarge => "the time to live is too long",
            Error::Corrupt => "the data of members differ",
            Error::RootUserMissing => "there is no user root",
            Error::RootRoleMissing => "the user root lacks the role root",
            Error::AuthNotEnabled => "auth is off",
            Error::AuthenticationFailed => "there is no such user, or its password is another one",
            Error::PasswordNotSet => "the user has no password",
            Error::UserEmpty => "no user is named",
            Error::UserExists => "the user exists",
            Error::UserNotFound => "there is no such user",
            Error::RoleEmpty => "no role is named",
            Error::RoleExists => "the role exists",
            Error::RoleNotFound => "there is no such role",
            Error::RoleNotGranted => "the user does not have the role",
            Error::PermissionNotGiven => "the request lacks the permission",
            Error::PermissionNotGranted => "the role does not have the permission",
            Error::InvalidAuthManagement => "the change of users or roles is invalid",
            Error::NameTooLong => "a name is too long",
            Error::PermissionDenied => "the caller may not do this",
            Error::AuthOldRevision => "users or roles changed since the caller was identified",
        })
    }
}

impl core::error::Error for Error {}
