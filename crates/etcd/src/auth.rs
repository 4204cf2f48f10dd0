//! The service Auth (book/src/etcd.md#9).

use crate::backend::Backend;
use crate::context::{Door, header_message, message, unexpected};
use crate::grpc::{Content, Status};
use crate::password::token_letters;
use crate::proto::authpb;
use crate::proto::etcdserverpb as pb;
use volvox_core::Bytes;
use volvox_service::{Answer, AuthRead, Body, Caller, Header, Next, Request};
use volvox_store::{AuthCommand, Error as StoreError, Permission, PermissionKind, Reply as Written};

/// Answers with a message that has nothing but a header.
macro_rules! headers {
    ($($(#[$doc:meta])* $name:ident($request:ty) -> $response:ident = $command:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) async fn $name<B: Backend>(
            door: &Door<B>,
            caller: &Caller,
            request: $request,
        ) -> Result<Content, Status> {
            let command: fn($request) -> AuthCommand = $command;
            let header = header_message(change(door, caller, command(request)).await?);
            Ok(message(&pb::$response { header }))
        }
    )*};
}

headers! {
    /// Turns auth on.
    enable(pb::AuthEnableRequest) -> AuthEnableResponse = |_| AuthCommand::Enable;
    /// Turns auth off.
    disable(pb::AuthDisableRequest) -> AuthDisableResponse = |_| AuthCommand::Disable;
    /// Removes a user.
    user_delete(pb::AuthUserDeleteRequest) -> AuthUserDeleteResponse =
        |request| AuthCommand::UserDelete { name: request.name };
    /// Gives a user a role.
    user_grant_role(pb::AuthUserGrantRoleRequest) -> AuthUserGrantRoleResponse =
        |request| AuthCommand::UserGrantRole { name: request.user, role: request.role };
    /// Takes a role from a user.
    user_revoke_role(pb::AuthUserRevokeRoleRequest) -> AuthUserRevokeRoleResponse =
        |request| AuthCommand::UserRevokeRole { name: request.name, role: request.role };
    /// Adds a role.
    role_add(pb::AuthRoleAddRequest) -> AuthRoleAddResponse = |request| AuthCommand::RoleAdd { name: request.name };
    /// Removes a role.
    role_delete(pb::AuthRoleDeleteRequest) -> AuthRoleDeleteResponse =
        |request| AuthCommand::RoleDelete { name: request.role };
    /// Takes a permission from a role.
    role_revoke_permission(pb::AuthRoleRevokePermissionRequest) -> AuthRoleRevokePermissionResponse =
        |request| AuthCommand::RoleRevokePermission {
            name: request.role,
            key: Bytes::from(&request.key[..]),
            range_end: Bytes::from(&request.range_end[..]),
        };
}

async fn change<B: Backend>(door: &Door<B>, caller: &Caller, command: AuthCommand) -> Result<Header, Status> {
    match door.call(caller, Request::Auth(command)).await? {
        Answer { header, body: Body::Written(Written::Auth(_)) } => Ok(header),
        other => Err(unexpected(&other.body)),
    }
}

/// Adds a user. The password is hashed here, and only the hash goes on.
pub(crate) async fn user_add<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    request: pb::AuthUserAddRequest,
) -> Result<Content, Status> {
    let has_none = request.options.is_some_and(|options| options.no_password);
    let password = if has_none { None } else { Some(door.passwords.hash(request.password).await?) };
    let header = header_message(change(door, caller, AuthCommand::UserAdd { name: request.name, password }).await?);
    Ok(message(&pb::AuthUserAddResponse { header }))
}

/// Replaces a password.
pub(crate) async fn user_change_password<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    request: pb::AuthUserChangePasswordRequest,
) -> Result<Content, Status> {
    let password = door.passwords.hash(request.password).await?;
    let command = AuthCommand::UserChangePassword { name: request.name, password };
    let header = header_message(change(door, caller, command).await?);
    Ok(message(&pb::AuthUserChangePasswordResponse { header }))
}

/// Gives a role a permission.
pub(crate) async fn role_grant_permission<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    request: pb::AuthRoleGrantPermissionRequest,
) -> Result<Content, Status> {
    let permission = match request.perm {
        None => None,
        Some(given) => {
            // A kind that etcd does not know would be stored and allow nothing: it is refused.
            let kind = PermissionKind::of_number(given.perm_type).ok_or(StoreError::InvalidAuthManagement)?;
            let (key, range_end) = (Bytes::from(&given.key[..]), Bytes::from(&given.range_end[..]));
            Some(Permission { kind, key, range_end })
        }
    };
    let command = AuthCommand::RoleGrantPermission { name: request.name, permission };
    let header = header_message(change(door, caller, command).await?);
    Ok(message(&pb::AuthRoleGrantPermissionResponse { header }))
}

/// Whether auth is on.
pub(crate) async fn status<B: Backend>(door: &Door<B>, caller: &Caller) -> Result<Content, Status> {
    match door.call(caller, Request::AuthRead(AuthRead::Status)).await? {
        Answer { header, body: Body::AuthStatus { enabled, revision } } => {
            Ok(message(&pb::AuthStatusResponse { header: header_message(header), enabled, auth_revision: revision }))
        }
        other => Err(unexpected(&other.body)),
    }
}

/// The roles of a user.
pub(crate) async fn user_get<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    request: pb::AuthUserGetRequest,
) -> Result<Content, Status> {
    let (header, roles) = names(door, caller, AuthRead::User(request.name)).await?;
    Ok(message(&pb::AuthUserGetResponse { header: header_message(header), roles }))
}

/// All users.
pub(crate) async fn user_list<B: Backend>(door: &Door<B>, caller: &Caller) -> Result<Content, Status> {
    let (header, users) = names(door, caller, AuthRead::Users).await?;
    Ok(message(&pb::AuthUserListResponse { header: header_message(header), users }))
}

/// All roles.
pub(crate) async fn role_list<B: Backend>(door: &Door<B>, caller: &Caller) -> Result<Content, Status> {
    let (header, roles) = names(door, caller, AuthRead::Roles).await?;
    Ok(message(&pb::AuthRoleListResponse { header: header_message(header), roles }))
}

async fn names<B: Backend>(door: &Door<B>, caller: &Caller, read: AuthRead) -> Result<(Header, Vec<String>), Status> {
    match door.call(caller, Request::AuthRead(read)).await? {
        Answer { header, body: Body::Names(names) } => Ok((header, names)),
        other => Err(unexpected(&other.body)),
    }
}

/// The permissions of a role.
pub(crate) async fn role_get<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    request: pb::AuthRoleGetRequest,
) -> Result<Content, Status> {
    match door.call(caller, Request::AuthRead(AuthRead::Role(request.role))).await? {
        Answer { header, body: Body::Permissions(permissions) } => Ok(message(&pb::AuthRoleGetResponse {
            header: header_message(header),
            perm: permissions.iter().map(permission_message).collect(),
        })),
        other => Err(unexpected(&other.body)),
    }
}

/// A permission as a generated message.
pub(crate) fn permission_message(permission: &Permission) -> authpb::Permission {
    authpb::Permission {
        perm_type: permission.kind.number(),
        key: bytes::Bytes::copy_from_slice(&permission.key),
        range_end: bytes::Bytes::copy_from_slice(&permission.range_end),
    }
}

/// Logs in: the service says which hash the password must fit.
pub(crate) async fn authenticate<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    request: pb::AuthenticateRequest,
) -> Result<Content, Status> {
    let pb::AuthenticateRequest { name, password } = request;
    let mut next = door.begin(caller, Request::Authenticate { name, letters: token_letters()? })?;
    loop {
        next = match next {
            Next::Answer(Answer { header, body: Body::Authenticated { token: Some(token), .. } }) => {
                let token = token.text().to_owned();
                return Ok(message(&pb::AuthenticateResponse { header: header_message(header), token }));
            }
            Next::Answer(other) => return Err(unexpected(&other.body)),
            Next::Ask(call, request) => door.carry(call, request).await?,
            Next::CheckPassword(call, hash) => {
                let is_right = door.passwords.matches(password.clone(), hash.to_vec()).await?;
                call.on_password(is_right)?
            }
        }
    }
}
