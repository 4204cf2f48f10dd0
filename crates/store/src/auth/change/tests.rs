use super::*;
use crate::auth::PermissionKind;
use volvox_core::{Encode, decode_all};

fn add_user(name: &str) -> AuthCommand {
    AuthCommand::UserAdd { name: name.into(), password: Some("hash".into()) }
}

fn grant_role(name: &str, role: &str) -> AuthCommand {
    AuthCommand::UserGrantRole { name: name.into(), role: role.into() }
}

fn grant(kind: PermissionKind, key: &str, range_end: &str) -> AuthCommand {
    let permission = Permission { kind, key: key.into(), range_end: range_end.into() };
    AuthCommand::RoleGrantPermission { name: "r".into(), permission: Some(permission) }
}

fn authenticate(name: &str, checked_revision: u64) -> AuthCommand {
    AuthCommand::Authenticate { name: name.into(), checked_revision, token: String::new() }
}

/// Auth with these commands applied, all of which succeed.
fn with(commands: &[AuthCommand]) -> Auth {
    let mut auth = Auth::default();
    for command in commands {
        auth.apply(command).unwrap_or_else(|error| panic!("{command}: {error}"));
    }
    auth
}

fn enabled() -> Auth {
    with(&[add_user("root"), grant_role("root", "root"), AuthCommand::Enable])
}

#[test]
fn root_must_exist_and_be_root_before_auth_is_enabled() {
    let mut auth = Auth::default();
    assert_eq!(auth.apply(&AuthCommand::Enable), Err(Error::RootUserMissing));
    auth.apply(&add_user("root")).expect("it is new");
    assert_eq!(auth.apply(&AuthCommand::Enable), Err(Error::RootRoleMissing));
    // The role root need not have been created.
    auth.apply(&grant_role("root", "root")).expect("granted");
    let revision = auth.revision();
    assert_eq!((auth.apply(&AuthCommand::Enable), auth.apply(&AuthCommand::Enable)), (Ok(()), Ok(())));
    assert!(auth.is_enabled() && auth.revision() == revision, "enabling is no change of permissions");
    auth.apply(&AuthCommand::Disable).expect("allowed");
    assert!(!auth.is_enabled() && auth.revision() == revision + 1);
    auth.apply(&AuthCommand::Disable).expect("allowed");
    assert_eq!(auth.revision(), revision + 1, "nothing changed");
}

#[test]
fn root_cannot_be_made_powerless_while_auth_is_on() {
    let root = || String::from("root");
    let mut auth = enabled();
    auth.apply(&AuthCommand::RoleAdd { name: root() }).expect("it is created as any other");
    for command in [
        AuthCommand::UserDelete { name: root() },
        AuthCommand::RoleDelete { name: root() },
        AuthCommand::UserRevokeRole { name: root(), role: root() },
    ] {
        assert_eq!(auth.apply(&command), Err(Error::InvalidAuthManagement), "{command}");
    }
    auth.apply(&AuthCommand::Disable).expect("allowed");
    auth.apply(&AuthCommand::UserDelete { name: root() }).expect("allowed while auth is off");
}

#[test]
fn each_mistake_has_its_error_and_changes_nothing() {
    let name = |name: &str| String::from(name);
    let mut auth = with(&[add_user("u"), AuthCommand::RoleAdd { name: name("r") }]);
    let before = auth.clone();
    let user_role = |user: &str, role: &str| AuthCommand::UserRevokeRole { name: user.into(), role: role.into() };
    let long = "n".repeat(NAME_BYTES_MAX + 1);
    let revoke = AuthCommand::RoleRevokePermission { name: name("r"), key: "k".into(), range_end: Bytes::new() };
    for (command, error) in [
        (add_user(""), Error::UserEmpty),
        (add_user("u"), Error::UserExists),
        (add_user(&long), Error::NameTooLong),
        (AuthCommand::UserDelete { name: name("x") }, Error::UserNotFound),
        (AuthCommand::UserChangePassword { name: name("x"), password: "p".into() }, Error::UserNotFound),
        (grant_role("x", "r"), Error::UserNotFound),
        (grant_role("u", "x"), Error::RoleNotFound),
        (user_role("x", "r"), Error::UserNotFound),
        (user_role("u", "r"), Error::RoleNotGranted),
        (AuthCommand::RoleAdd { name: name("") }, Error::RoleEmpty),
        (AuthCommand::RoleAdd { name: name("r") }, Error::RoleExists),
        (AuthCommand::RoleAdd { name: long.clone() }, Error::NameTooLong),
        (AuthCommand::RoleDelete { name: name("x") }, Error::RoleNotFound),
        (AuthCommand::RoleGrantPermission { name: name("r"), permission: None }, Error::PermissionNotGiven),
        (grant(PermissionKind::Read, "b", "a"), Error::InvalidAuthManagement),
        (revoke, Error::PermissionNotGranted),
        (authenticate("u", 1), Error::AuthNotEnabled),
    ] {
        assert_eq!(auth.apply(&command), Err(error), "{command}");
        assert_eq!(auth, before, "{command}");
    }
}

#[test]
fn a_password_that_was_checked_at_another_revision_is_checked_again() {
    let mut auth = enabled();
    auth.apply(&add_user("u")).expect("it is new");
    let checked = auth.revision();
    assert_eq!(auth.apply(&authenticate("u", checked)), Ok(()));
    assert_eq!(auth.apply(&authenticate("x", checked)), Err(Error::AuthenticationFailed));
    auth.apply(&AuthCommand::UserChangePassword { name: "u".into(), password: "new".into() }).expect("it is there");
    assert_eq!(auth.apply(&authenticate("u", checked)), Err(Error::AuthOldRevision));
}

#[test]
fn a_user_without_a_password_never_gets_one() {
    let mut auth = enabled();
    auth.apply(&AuthCommand::UserAdd { name: "c".into(), password: None }).expect("it is new");
    auth.apply(&AuthCommand::UserChangePassword { name: "c".into(), password: "p".into() }).expect("it is there");
    assert_eq!(auth.user("c").expect("it is there").password, None);
    assert_eq!(auth.apply(&authenticate("c", auth.revision())), Err(Error::AuthenticationFailed));
}

#[test]
fn a_permission_for_the_same_range_is_replaced_and_others_are_sorted_by_key() {
    let role = AuthCommand::RoleAdd { name: "r".into() };
    let mut auth = with(&[
        role,
        grant(PermissionKind::Read, "b", ""),
        grant(PermissionKind::Read, "a", "c"),
        grant(PermissionKind::Read, "a", ""),
        grant(PermissionKind::Write, "b", ""),
    ]);
    let listed = |auth: &Auth| -> Vec<(PermissionKind, String, String)> {
        let role = auth.role("r").expect("it is there");
        role.permissions().iter().map(|one| (one.kind, one.key.to_string(), one.range_end.to_string())).collect()
    };
    let expected = |kind, key: &str, end: &str| (kind, String::from(key), String::from(end));
    assert_eq!(
        listed(&auth),
        [
            expected(PermissionKind::Read, "a", "c"),
            expected(PermissionKind::Read, "a", ""),
            expected(PermissionKind::Write, "b", ""),
        ]
    );
    let revoke = AuthCommand::RoleRevokePermission { name: "r".into(), key: "a".into(), range_end: "c".into() };
    auth.apply(&revoke).expect("exactly this one is granted");
    assert_eq!(auth.apply(&revoke), Err(Error::PermissionNotGranted));
    assert_eq!(listed(&auth).len(), 2);
}

#[test]
fn a_deleted_role_is_removed_from_its_users() {
    let mut auth = with(&[add_user("u"), AuthCommand::RoleAdd { name: "r".into() }, grant_role("u", "r")]);
    let revision = auth.revision();
    auth.apply(&grant_role("u", "r")).expect("granting it again succeeds");
    assert_eq!(auth.revision(), revision, "and changes nothing");
    auth.apply(&AuthCommand::RoleDelete { name: "r".into() }).expect("it is there");
    assert!(auth.user("u").expect("it is there").roles.is_empty());
    assert_eq!(auth.revision(), revision + 1);
}

#[test]
fn its_size_is_bounded_and_counted_exactly() {
    let mut auth = Auth::default();
    let permission = |number: usize| {
        let key = Bytes::from(alloc::format!("{number:0>1000}").as_str());
        let permission = Some(Permission { kind: PermissionKind::Read, key, range_end: Bytes::new() });
        AuthCommand::RoleGrantPermission { name: alloc::format!("r{}", number / 1000), permission }
    };
    for number in 0.. {
        if number % 1000 == 0 {
            auth.apply(&AuthCommand::RoleAdd { name: alloc::format!("r{}", number / 1000) }).expect("it fits");
        }
        match auth.apply(&permission(number)) {
            Ok(()) => assert!(number * 1000 <= AUTH_BYTES_MAX),
            Err(error) => {
                assert_eq!(error, Error::NoSpace);
                break;
            }
        }
    }
    let copy: Auth = decode_all(&auth.to_bytes()).expect("what is encoded is decoded");
    assert_eq!(copy, auth, "the count of bytes included");
    auth.apply(&AuthCommand::RoleDelete { name: "r0".into() }).expect("it is there");
    auth.apply(&permission(1000 + AUTH_BYTES_MAX)).expect_err("its role does not exist");
    let copy: Auth = decode_all(&auth.to_bytes()).expect("what is encoded is decoded");
    assert_eq!(copy, auth);
}
