//! One of etcd's flags, and its meaning here.

/// One flag of etcd 3.6.
#[derive(Debug)]
pub struct Flag {
    /// Without dashes.
    pub name: &'static str,
    /// The kind of its value.
    pub kind: Kind,
    /// The value that etcd takes without it.
    pub default: &'static str,
    /// The meaning here.
    pub meaning: Meaning,
}

/// The kind of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `true` or `false`; the flag alone means true.
    Switch,
    /// Anything.
    Text,
    /// An integer.
    Number,
    /// Go's notation of a duration: `1m30s`.
    Time,
}

/// The meaning of a flag here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meaning {
    /// It means what it means in etcd.
    Same,
    /// Always so here, whatever it says: accepted silently.
    Given,
    /// It has no effect: one line of warning with this reason, unless it says what etcd's default says.
    Unused(&'static str),
    /// Refused with this reason, unless it says what etcd's default says.
    Refused(&'static str),
    /// The old name of another flag.
    Renamed(&'static str),
}
