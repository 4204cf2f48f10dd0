//! Ranges of keys that a role may read or write (book/src/etcd.md#9.5).

use crate::auth::{Auth, User};
use crate::checks::UNBOUNDED;
use crate::key_range::{KeyRange, RangeEnd};
use alloc::vec::Vec;
use volvox_core::Bytes;

/// The accesses that a permission allows; the numbers are the protocol's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PermissionKind {
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Both.
    ReadWrite,
}

impl PermissionKind {
    /// The number in the protocol.
    pub fn number(self) -> i32 {
        match self {
            PermissionKind::Read => 0,
            PermissionKind::Write => 1,
            PermissionKind::ReadWrite => 2,
        }
    }

    /// The kind with this number in the protocol.
    pub fn of_number(number: i32) -> Option<PermissionKind> {
        [PermissionKind::Read, PermissionKind::Write, PermissionKind::ReadWrite]
            .into_iter()
            .find(|kind| kind.number() == number)
    }

    fn allows(self, write: bool) -> bool {
        self == PermissionKind::ReadWrite || (self == PermissionKind::Write) == write
    }
}

/// A permission of a role.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Permission {
    /// The accesses that it allows.
    pub kind: PermissionKind,
    /// The first key, or the only one.
    pub key: Bytes,
    /// The end of the range, as in a request.
    pub range_end: Bytes,
}

impl Permission {
    /// Whether its range selects anything.
    pub fn is_valid(&self) -> bool {
        if self.range_end.as_slice() == UNBOUNDED {
            return true;
        }
        !self.key.is_empty() && (self.range_end.is_empty() || self.key < self.range_end)
    }
}

/// Disjoint intervals in order: ranges that overlap or touch are one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Spans(Vec<Span>);

#[derive(Clone, PartialEq, Eq, Debug)]
struct Span {
    begin: Bytes,
    end: End,
}

/// Exclusive. Nothing is greater than no bound.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum End {
    Below(Bytes),
    Unbounded,
}

impl End {
    fn is_behind(&self, key: &[u8]) -> bool {
        match self {
            End::Below(bound) => key < bound.as_slice(),
            End::Unbounded => true,
        }
    }
}

impl Spans {
    pub fn of(permissions: &[Permission], write: bool) -> Spans {
        let mut all: Vec<Span> = permissions.iter().filter(|one| one.kind.allows(write)).map(span_of).collect();
        all.sort_by(|left, right| left.begin.cmp(&right.begin));
        let mut merged: Vec<Span> = Vec::new();
        for span in all {
            match merged.last_mut() {
                Some(last) if last.end.is_behind(&span.begin) || last.end == End::Below(span.begin.clone()) => {
                    last.end = last.end.clone().max(span.end);
                }
                _ => merged.push(span),
            }
        }
        Spans(merged)
    }

    /// The end of the interval that contains this key.
    fn end_around(&self, key: &[u8]) -> Option<&End> {
        let after = self.0.partition_point(|span| span.begin.as_slice() <= key);
        let span = self.0.get(after.checked_sub(1)?)?;
        span.end.is_behind(key).then_some(&span.end)
    }
}

fn span_of(permission: &Permission) -> Span {
    let end = match permission.range_end.as_slice() {
        // The first key behind it.
        [] => End::Below(Bytes::from([permission.key.as_slice(), &[0]].concat())),
        UNBOUNDED => End::Unbounded,
        _ => End::Below(permission.range_end.clone()),
    };
    Span { begin: permission.key.clone(), end }
}

impl Auth {
    /// Whether the roles of a user together cover a range: one interval, after merging, must contain all of it. A range
    /// without an upper bound is covered only by an interval without one.
    pub(crate) fn covers(&self, user: &User, range: &KeyRange<'_>, write: bool) -> bool {
        let roles = self.roles_of(user);
        let furthest = |at: &[u8]| roles.clone().filter_map(|role| role.spans(write).end_around(at)).max();
        let mut reached = furthest(range.begin);
        // Each turn goes to the end of an interval, and that of the next one is behind it.
        loop {
            let bound = match reached {
                None => return false,
                Some(End::Unbounded) => return true,
                Some(End::Below(bound)) => bound,
            };
            match range.end {
                RangeEnd::Single => return true,
                RangeEnd::Below(end) if bound.as_slice() >= end => return true,
                _ => reached = furthest(bound),
            }
        }
    }
}

#[cfg(test)]
mod tests;
