//! Users, roles and permissions (book/src/etcd.md#9): replicated state, equal on all members.
//!
//! A user has roles, a role has permissions for ranges of keys. The state has a revision of its own, which rises with each
//! change of what a caller may do: a request that was admitted under an older one is refused when it is applied.
//! [`crate::access`] decides by this state; commands change it in [`change`].
//!
//! Everything is bounded, because every member holds it in memory and a checkpoint contains it: see the limits below.

pub mod change;
pub mod codec;
pub mod permission;

use crate::checks::UNBOUNDED;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use permission::Spans;
pub use permission::{Permission, PermissionKind};
use volvox_core::Bytes;

/// The user that must exist before auth is enabled, and that may do everything.
pub const ROOT: &str = "root";

/// The longest name of a user or role.
pub const NAME_BYTES_MAX: usize = 4096;
/// The longest hash of a password; bcrypt's have 60 bytes.
pub const PASSWORD_HASH_BYTES_MAX: usize = 256;
/// How many users there may be.
pub const USERS_MAX: usize = 16 << 10;
/// How many roles there may be.
pub const ROLES_MAX: usize = 16 << 10;
/// How many permissions a role may have.
pub const PERMISSIONS_OF_A_ROLE_MAX: usize = 4096;
/// How many bytes all names, hashes and keys may have together: a checkpoint writes them in one step.
pub const AUTH_BYTES_MAX: usize = 4 << 20;

/// The overhead of an entry beside its names and keys.
const ENTRY_BYTES: usize = 16;

/// Users, roles, and whether they matter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Auth {
    enabled: bool,
    revision: u64,
    users: BTreeMap<String, Arc<User>>,
    roles: BTreeMap<String, Arc<Role>>,
    /// The bytes of all entries.
    bytes: usize,
}

/// A user.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct User {
    /// The bcrypt hash of the password; `None`: the user is known by a certificate only.
    pub password: Option<Bytes>,
    /// The names of its roles.
    pub roles: BTreeSet<String>,
}

/// A role.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Role {
    permissions: Vec<Permission>,
    /// The keys that may be read, and those that may be written: derived from the permissions.
    read: Spans,
    write: Spans,
}

impl Default for Auth {
    fn default() -> Auth {
        Auth { enabled: false, revision: 1, users: BTreeMap::new(), roles: BTreeMap::new(), bytes: 0 }
    }
}

impl Auth {
    /// Whether callers are checked at all.
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Rises with each change of users, roles and permissions, and when auth is disabled.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// A user.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name).map(|user| &**user)
    }

    /// A role.
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.get(name).map(|role| &**role)
    }

    /// All users by name.
    pub fn users(&self) -> impl Iterator<Item = (&str, &User)> {
        self.users.iter().map(|(name, user)| (name.as_str(), &**user))
    }

    /// All roles by name.
    pub fn roles(&self) -> impl Iterator<Item = (&str, &Role)> {
        self.roles.iter().map(|(name, role)| (name.as_str(), &**role))
    }

    /// The permissions of a role. Those of the root role are not its own: it may do everything.
    pub fn permissions_of(&self, name: &str) -> Option<Vec<Permission>> {
        let role = self.role(name)?;
        if name != ROOT {
            return Some(role.permissions.clone());
        }
        let (key, range_end) = (Bytes::new(), Bytes::from(UNBOUNDED));
        Some(Vec::from([Permission { kind: PermissionKind::ReadWrite, key, range_end }]))
    }

    /// The roles of a user that exist.
    pub(crate) fn roles_of<'a>(&'a self, user: &'a User) -> impl Iterator<Item = &'a Role> + Clone {
        user.roles.iter().filter_map(|name| self.role(name))
    }
}

impl User {
    /// Whether the user has the role that may do everything.
    pub fn is_root(&self) -> bool {
        self.roles.contains(ROOT)
    }

    fn size(&self, name: &str) -> usize {
        let roles: usize = self.roles.iter().map(|role| ENTRY_BYTES + role.len()).sum();
        ENTRY_BYTES + name.len() + self.password.as_ref().map_or(0, |password| password.len()) + roles
    }
}

impl Role {
    /// A role with these permissions.
    pub fn new(permissions: Vec<Permission>) -> Role {
        let (read, write) = (Spans::of(&permissions, false), Spans::of(&permissions, true));
        Role { permissions, read, write }
    }

    /// Its permissions, sorted by key.
    pub fn permissions(&self) -> &[Permission] {
        &self.permissions
    }

    pub(crate) fn spans(&self, write: bool) -> &Spans {
        if write { &self.write } else { &self.read }
    }

    fn size(&self, name: &str) -> usize {
        let permissions = self.permissions.iter().map(|one| ENTRY_BYTES + one.key.len() + one.range_end.len());
        ENTRY_BYTES + name.len() + permissions.sum::<usize>()
    }
}
