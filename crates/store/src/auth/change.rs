//! The commands that change users and roles, and their rules (book/src/etcd.md#9.2).

use crate::auth::{
    AUTH_BYTES_MAX, Auth, NAME_BYTES_MAX, PASSWORD_HASH_BYTES_MAX, PERMISSIONS_OF_A_ROLE_MAX, Permission, ROLES_MAX,
    ROOT, Role, USERS_MAX, User,
};
use crate::error::Error;
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use volvox_core::Bytes;

/// A change of users and roles. Passwords are hashed by the member that receives the request, so that all store the same
/// bytes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum AuthCommand {
    /// Callers are checked from now on.
    Enable,
    /// Callers are no longer checked.
    Disable,
    /// Gives a user whose password was checked a token.
    Authenticate {
        /// The user.
        name: String,
        /// The revision of users and roles when the password was checked: at another one it must be checked again.
        checked_revision: u64,
        /// The random part of the token; empty when the member signs its tokens.
        token: String,
    },
    /// Adds a user.
    UserAdd {
        /// Its name.
        name: String,
        /// The hash of its password, or none.
        password: Option<Bytes>,
    },
    /// Removes a user.
    UserDelete {
        /// The user.
        name: String,
    },
    /// Replaces a password.
    UserChangePassword {
        /// The user.
        name: String,
        /// The hash of the new password.
        password: Bytes,
    },
    /// Gives a user a role.
    UserGrantRole {
        /// The user.
        name: String,
        /// The role.
        role: String,
    },
    /// Takes a role from a user.
    UserRevokeRole {
        /// The user.
        name: String,
        /// The role.
        role: String,
    },
    /// Adds a role without permissions.
    RoleAdd {
        /// Its name.
        name: String,
    },
    /// Removes a role, also from all users.
    RoleDelete {
        /// The role.
        name: String,
    },
    /// Adds a permission to a role, or replaces the kind of that for the same range.
    RoleGrantPermission {
        /// The role.
        name: String,
        /// The permission; a request may lack it.
        permission: Option<Permission>,
    },
    /// Takes a permission from a role.
    RoleRevokePermission {
        /// The role.
        name: String,
        /// The first key of the permission.
        key: Bytes,
        /// The end of its range.
        range_end: Bytes,
    },
}

/// The short form for traces: no hash, no token.
impl fmt::Display for AuthCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AuthCommand::Enable => f.write_str("auth-enable"),
            AuthCommand::Disable => f.write_str("auth-disable"),
            AuthCommand::Authenticate { name, checked_revision, .. } => {
                write!(f, "authenticate {name} at {checked_revision}")
            }
            AuthCommand::UserAdd { name, .. } => write!(f, "user-add {name}"),
            AuthCommand::UserDelete { name } => write!(f, "user-delete {name}"),
            AuthCommand::UserChangePassword { name, .. } => write!(f, "user-password {name}"),
            AuthCommand::UserGrantRole { name, role } => write!(f, "user-grant {name} {role}"),
            AuthCommand::UserRevokeRole { name, role } => write!(f, "user-revoke {name} {role}"),
            AuthCommand::RoleAdd { name } => write!(f, "role-add {name}"),
            AuthCommand::RoleDelete { name } => write!(f, "role-delete {name}"),
            AuthCommand::RoleGrantPermission { name, permission: None } => write!(f, "role-grant {name}"),
            AuthCommand::RoleGrantPermission { name, permission: Some(given) } => {
                write!(f, "role-grant {name} {:?} [{}, {})", given.kind, given.key, given.range_end)
            }
            AuthCommand::RoleRevokePermission { name, key, range_end } => {
                write!(f, "role-revoke {name} [{key}, {range_end})")
            }
        }
    }
}

impl Auth {
    /// Applies a command whose caller may give it. A refused command changes nothing.
    pub(crate) fn apply(&mut self, command: &AuthCommand) -> Result<(), Error> {
        match command {
            AuthCommand::Enable => self.enable(),
            AuthCommand::Disable => {
                self.revision += u64::from(self.enabled);
                self.enabled = false;
                Ok(())
            }
            AuthCommand::Authenticate { name, checked_revision, .. } => self.authenticate(name, *checked_revision),
            AuthCommand::UserAdd { name, password } => self.user_add(name, password.as_ref()),
            AuthCommand::UserDelete { name } => self.user_delete(name),
            AuthCommand::UserChangePassword { name, password } => self.user_change_password(name, password),
            AuthCommand::UserGrantRole { name, role } => self.user_grant_role(name, role),
            AuthCommand::UserRevokeRole { name, role } => self.user_revoke_role(name, role),
            AuthCommand::RoleAdd { name } => self.role_add(name),
            AuthCommand::RoleDelete { name } => self.role_delete(name),
            AuthCommand::RoleGrantPermission { name, permission } => {
                self.role_grant_permission(name, permission.as_ref())
            }
            AuthCommand::RoleRevokePermission { name, key, range_end } => {
                self.role_revoke_permission(name, key, range_end)
            }
        }
    }

    fn enable(&mut self) -> Result<(), Error> {
        if !self.enabled {
            let root = self.user(ROOT).ok_or(Error::RootUserMissing)?;
            if !root.is_root() {
                return Err(Error::RootRoleMissing);
            }
            self.enabled = true;
        }
        Ok(())
    }

    /// The password was checked outside, at a revision that must still be the present one.
    fn authenticate(&self, name: &str, checked_revision: u64) -> Result<(), Error> {
        if !self.enabled {
            return Err(Error::AuthNotEnabled);
        }
        if checked_revision != self.revision {
            return Err(Error::AuthOldRevision);
        }
        let user = self.user(name).filter(|user| user.password.is_some());
        user.map(drop).ok_or(Error::AuthenticationFailed)
    }

    fn user_add(&mut self, name: &str, password: Option<&Bytes>) -> Result<(), Error> {
        if name.is_empty() {
            return Err(Error::UserEmpty);
        }
        if self.users.contains_key(name) {
            return Err(Error::UserExists);
        }
        check_name(name)?;
        check_password(password)?;
        self.put_user(name, User { password: password.cloned(), roles: BTreeSet::new() })
    }

    fn user_delete(&mut self, name: &str) -> Result<(), Error> {
        if self.enabled && name == ROOT {
            return Err(Error::InvalidAuthManagement);
        }
        let user = self.users.remove(name).ok_or(Error::UserNotFound)?;
        self.bytes -= user.size(name);
        self.revision += 1;
        Ok(())
    }

    fn user_change_password(&mut self, name: &str, password: &Bytes) -> Result<(), Error> {
        let user = self.user(name).ok_or(Error::UserNotFound)?.clone();
        check_password(Some(password))?;
        // A user without a password stays one.
        let password = user.password.is_some().then(|| password.clone());
        self.put_user(name, User { password, ..user })
    }

    fn user_grant_role(&mut self, name: &str, role: &str) -> Result<(), Error> {
        let mut user = self.user(name).ok_or(Error::UserNotFound)?.clone();
        if role != ROOT && self.role(role).is_none() {
            return Err(Error::RoleNotFound);
        }
        if !user.roles.insert(role.to_string()) {
            return Ok(());
        }
        self.put_user(name, user)
    }

    fn user_revoke_role(&mut self, name: &str, role: &str) -> Result<(), Error> {
        if self.enabled && name == ROOT && role == ROOT {
            return Err(Error::InvalidAuthManagement);
        }
        let mut user = self.user(name).ok_or(Error::UserNotFound)?.clone();
        if !user.roles.remove(role) {
            return Err(Error::RoleNotGranted);
        }
        self.put_user(name, user)
    }

    fn role_add(&mut self, name: &str) -> Result<(), Error> {
        if name.is_empty() {
            return Err(Error::RoleEmpty);
        }
        if self.roles.contains_key(name) {
            return Err(Error::RoleExists);
        }
        check_name(name)?;
        self.put_role(name, Role::default())
    }

    fn role_delete(&mut self, name: &str) -> Result<(), Error> {
        if self.enabled && name == ROOT {
            return Err(Error::InvalidAuthManagement);
        }
        let role = self.roles.remove(name).ok_or(Error::RoleNotFound)?;
        self.bytes -= role.size(name);
        for (user_name, user) in &mut self.users {
            if user.roles.contains(name) {
                let user = Arc::make_mut(user);
                self.bytes -= user.size(user_name);
                user.roles.remove(name);
                self.bytes += user.size(user_name);
            }
        }
        self.revision += 1;
        Ok(())
    }

    fn role_grant_permission(&mut self, name: &str, permission: Option<&Permission>) -> Result<(), Error> {
        let permission = permission.ok_or(Error::PermissionNotGiven)?;
        if !permission.is_valid() {
            return Err(Error::InvalidAuthManagement);
        }
        let role = self.role(name).ok_or(Error::RoleNotFound)?;
        let mut permissions = role.permissions().to_vec();
        match position(&permissions, &permission.key, &permission.range_end) {
            Some(at) => permissions[at].kind = permission.kind,
            None if permissions.len() >= PERMISSIONS_OF_A_ROLE_MAX => return Err(Error::NoSpace),
            None => {
                let at = permissions.partition_point(|other| other.key <= permission.key);
                permissions.insert(at, permission.clone());
            }
        }
        self.put_role(name, Role::new(permissions))
    }

    fn role_revoke_permission(&mut self, name: &str, key: &Bytes, range_end: &Bytes) -> Result<(), Error> {
        let role = self.role(name).ok_or(Error::RoleNotFound)?;
        let mut permissions: Vec<Permission> = role.permissions().to_vec();
        let at = position(&permissions, key, range_end).ok_or(Error::PermissionNotGranted)?;
        permissions.remove(at);
        self.put_role(name, Role::new(permissions))
    }

    fn put_user(&mut self, name: &str, user: User) -> Result<(), Error> {
        let before = self.user(name).map_or(0, |before| before.size(name));
        self.bytes = self.room_for(before, user.size(name), self.users.len(), USERS_MAX)?;
        self.users.insert(name.to_string(), Arc::new(user));
        self.revision += 1;
        Ok(())
    }

    fn put_role(&mut self, name: &str, role: Role) -> Result<(), Error> {
        let before = self.role(name).map_or(0, |before| before.size(name));
        self.bytes = self.room_for(before, role.size(name), self.roles.len(), ROLES_MAX)?;
        self.roles.insert(name.to_string(), Arc::new(role));
        self.revision += 1;
        Ok(())
    }

    /// The bytes of everything once an entry replaces that of `before` bytes.
    fn room_for(&self, before: usize, bytes: usize, entries: usize, entries_max: usize) -> Result<usize, Error> {
        let after = self.bytes - before + bytes;
        let grows = bytes > before;
        let is_full = (before == 0 && entries >= entries_max) || after > AUTH_BYTES_MAX;
        if grows && is_full { Err(Error::NoSpace) } else { Ok(after) }
    }
}

fn position(permissions: &[Permission], key: &Bytes, range_end: &Bytes) -> Option<usize> {
    permissions.iter().position(|other| other.key == *key && other.range_end == *range_end)
}

fn check_name(name: &str) -> Result<(), Error> {
    if name.len() > NAME_BYTES_MAX { Err(Error::NameTooLong) } else { Ok(()) }
}

fn check_password(password: Option<&Bytes>) -> Result<(), Error> {
    let is_long = password.is_some_and(|password| password.len() > PASSWORD_HASH_BYTES_MAX);
    if is_long { Err(Error::NameTooLong) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
