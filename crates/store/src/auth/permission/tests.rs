use super::*;
use crate::auth::Role;
use alloc::string::{String, ToString};
use alloc::sync::Arc;

fn permission(kind: PermissionKind, key: &str, range_end: &str) -> Permission {
    Permission { kind, key: key.into(), range_end: range_end.into() }
}

/// A user with one role for each list of permissions.
fn covers(roles: &[&[(PermissionKind, &str, &str)]], key: &str, range_end: &str, write: bool) -> bool {
    let mut auth = Auth::default();
    let mut user = User::default();
    for (number, list) in roles.iter().enumerate() {
        let name: String = number.to_string();
        let permissions = list.iter().map(|(kind, key, range_end)| permission(*kind, key, range_end)).collect();
        auth.roles.insert(name.clone(), Arc::new(Role::new(permissions)));
        user.roles.insert(name);
    }
    auth.covers(&user, &KeyRange::new(key.as_bytes(), range_end.as_bytes()), write)
}

use PermissionKind::{Read, ReadWrite, Write};

#[test]
fn a_key_is_covered_when_it_is_in_any_interval() {
    assert!(covers(&[&[(Read, "a", "")]], "a", "", false));
    assert!(!covers(&[&[(Read, "a", "")]], "a\0", "", false));
    assert!(covers(&[&[(Read, "a", "c")], &[(Read, "x", "")]], "x", "", false));
    assert!(!covers(&[&[(Read, "a", "c")]], "c", "", false));
    assert!(!covers(&[], "a", "", false));
}

#[test]
fn reading_and_writing_are_separate() {
    assert!(!covers(&[&[(Read, "a", "c")]], "a", "c", true));
    assert!(!covers(&[&[(Write, "a", "c")]], "a", "c", false));
    for write in [false, true] {
        assert!(covers(&[&[(ReadWrite, "a", "c")]], "a", "c", write));
        assert!(!covers(&[&[(Read, "a", "b"), (Write, "b", "c")]], "a", "c", write));
    }
}

#[test]
fn neighbouring_intervals_of_all_roles_are_merged() {
    assert!(covers(&[&[(Read, "a", "b"), (Read, "b", "c")]], "a", "c", false));
    assert!(covers(&[&[(Read, "a", "b")], &[(ReadWrite, "b", "c")]], "a", "c", false));
    assert!(covers(&[&[(Read, "c", "e"), (Read, "a", "b")], &[(Read, "b", "d")]], "a", "e", false));
    assert!(!covers(&[&[(Read, "a", "b")], &[(Read, "b\0", "c")]], "a", "c", false));
    // A key is the interval up to the first key behind it.
    assert!(covers(&[&[(Read, "a", ""), (Read, "a\0", "b")]], "a", "b", false));
}

#[test]
fn no_bound_is_covered_only_by_no_bound() {
    assert!(covers(&[&[(Read, "a", "\0")]], "b", "\0", false));
    assert!(covers(&[&[(Read, "", "\0")]], "\0", "\0", false));
    assert!(!covers(&[&[(Read, "a", "\u{7f}")]], "b", "\0", false));
    assert!(!covers(&[&[(Read, "b", "\0")]], "a", "\0", false));
    assert!(covers(&[&[(Read, "a", "c")], &[(Read, "c", "\0")]], "a", "\0", false));
}

#[test]
fn ranges_that_select_nothing_are_invalid() {
    let valid = |key, range_end| permission(Read, key, range_end).is_valid();
    assert!(valid("a", "") && valid("a", "b") && valid("a", "\0") && valid("", "\0"));
    assert!(!valid("", "") && !valid("", "b") && !valid("b", "a") && !valid("a", "a"));
}
