//! The bytes of users and roles in a checkpoint, and of the commands that change them in the log.

use crate::auth::change::AuthCommand;
use crate::auth::{AUTH_BYTES_MAX, Auth, PERMISSIONS_OF_A_ROLE_MAX, Permission, PermissionKind, ROLES_MAX, Role};
use crate::auth::{USERS_MAX, User};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use volvox_core::{Decode, DecodeError, Encode, Reader};

impl Encode for Permission {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.kind.number() as u8);
        self.key.encode(out);
        self.range_end.encode(out);
    }
}

impl Decode for Permission {
    fn decode(input: &mut Reader<'_>) -> Result<Permission, DecodeError> {
        let number = input.u8()?;
        let kind = PermissionKind::of_number(i32::from(number));
        let kind = kind.ok_or(DecodeError::Unknown("kind of permission", u64::from(number)))?;
        Ok(Permission { kind, key: Decode::decode(input)?, range_end: Decode::decode(input)? })
    }
}

impl Encode for Auth {
    fn encode(&self, out: &mut Vec<u8>) {
        self.enabled.encode(out);
        self.revision.encode(out);
        (self.users.len() as u64).encode(out);
        for (name, user) in &self.users {
            name.encode(out);
            user.password.encode(out);
            (user.roles.len() as u64).encode(out);
            for role in &user.roles {
                role.encode(out);
            }
        }
        (self.roles.len() as u64).encode(out);
        for (name, role) in &self.roles {
            name.encode(out);
            role.permissions.encode(out);
        }
    }
}

impl Decode for Auth {
    fn decode(input: &mut Reader<'_>) -> Result<Auth, DecodeError> {
        let mut auth = Auth { enabled: Decode::decode(input)?, revision: Decode::decode(input)?, ..Auth::default() };
        for _ in 0..bounded(input, USERS_MAX)? {
            let (name, password): (String, _) = (Decode::decode(input)?, Decode::decode(input)?);
            let mut user = User { password, ..User::default() };
            for _ in 0..bounded(input, ROLES_MAX)? {
                user.roles.insert(Decode::decode(input)?);
            }
            auth.bytes += user.size(&name);
            if auth.users.insert(name, Arc::new(user)).is_some() {
                return Err(DecodeError::Invalid("a user twice"));
            }
        }
        for _ in 0..bounded(input, ROLES_MAX)? {
            let (name, permissions): (String, Vec<Permission>) = (Decode::decode(input)?, Decode::decode(input)?);
            let in_order = permissions.is_sorted_by(|left, right| left.key <= right.key);
            if permissions.len() > PERMISSIONS_OF_A_ROLE_MAX || !in_order {
                return Err(DecodeError::Invalid("the permissions of a role"));
            }
            let role = Role::new(permissions);
            auth.bytes += role.size(&name);
            if auth.roles.insert(name, Arc::new(role)).is_some() {
                return Err(DecodeError::Invalid("a role twice"));
            }
        }
        if auth.bytes > AUTH_BYTES_MAX { Err(DecodeError::TooLong) } else { Ok(auth) }
    }
}

fn bounded(input: &mut Reader<'_>, most: usize) -> Result<usize, DecodeError> {
    let count = input.count()?;
    if count > most { Err(DecodeError::TooLong) } else { Ok(count) }
}

impl Encode for AuthCommand {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            AuthCommand::Enable => out.push(0),
            AuthCommand::Disable => out.push(1),
            AuthCommand::Authenticate { name, checked_revision, token } => {
                out.push(2);
                name.encode(out);
                checked_revision.encode(out);
                token.encode(out);
            }
            AuthCommand::UserAdd { name, password } => {
                out.push(3);
                name.encode(out);
                password.encode(out);
            }
            AuthCommand::UserDelete { name } => text(4, name, out),
            AuthCommand::UserChangePassword { name, password } => {
                text(5, name, out);
                password.encode(out);
            }
            AuthCommand::UserGrantRole { name, role } => {
                text(6, name, out);
                role.encode(out);
            }
            AuthCommand::UserRevokeRole { name, role } => {
                text(7, name, out);
                role.encode(out);
            }
            AuthCommand::RoleAdd { name } => text(8, name, out),
            AuthCommand::RoleDelete { name } => text(9, name, out),
            AuthCommand::RoleGrantPermission { name, permission } => {
                text(10, name, out);
                permission.encode(out);
            }
            AuthCommand::RoleRevokePermission { name, key, range_end } => {
                text(11, name, out);
                key.encode(out);
                range_end.encode(out);
            }
        }
    }
}

fn text(tag: u8, name: &str, out: &mut Vec<u8>) {
    out.push(tag);
    name.encode(out);
}

impl Decode for AuthCommand {
    fn decode(input: &mut Reader<'_>) -> Result<AuthCommand, DecodeError> {
        let tag = input.u8()?;
        let name = match tag {
            0 => return Ok(AuthCommand::Enable),
            1 => return Ok(AuthCommand::Disable),
            2..=11 => Decode::decode(input)?,
            other => return Err(DecodeError::Unknown("auth command", u64::from(other))),
        };
        Ok(match tag {
            2 => {
                let (checked_revision, token) = (Decode::decode(input)?, Decode::decode(input)?);
                AuthCommand::Authenticate { name, checked_revision, token }
            }
            3 => AuthCommand::UserAdd { name, password: Decode::decode(input)? },
            4 => AuthCommand::UserDelete { name },
            5 => AuthCommand::UserChangePassword { name, password: Decode::decode(input)? },
            6 => AuthCommand::UserGrantRole { name, role: Decode::decode(input)? },
            7 => AuthCommand::UserRevokeRole { name, role: Decode::decode(input)? },
            8 => AuthCommand::RoleAdd { name },
            9 => AuthCommand::RoleDelete { name },
            10 => AuthCommand::RoleGrantPermission { name, permission: Decode::decode(input)? },
            _ => {
                let (key, range_end) = (Decode::decode(input)?, Decode::decode(input)?);
                AuthCommand::RoleRevokePermission { name, key, range_end }
            }
        })
    }
}
