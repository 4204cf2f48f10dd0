//! The critical section as the outside sees it, the same for every protocol of this crate.
//!
//! A node is asked to [`Enter`]; it tells [`Section::Asked`], in time [`Section::Entered`], and after its stay
//! [`Section::Left`]. What must hold is said over these events alone, so that it holds of a protocol by itself, and of
//! one that runs over a channel, by the same lines.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use volvox_core::{History, NodeId, Picture, Process, Property, When};

/// The command: enter the critical section once, when it may be, and leave it again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Enter;

/// The text is not a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotEnter;

impl fmt::Display for Enter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("enter")
    }
}

impl FromStr for Enter {
    type Err = NotEnter;

    fn from_str(text: &str) -> Result<Enter, NotEnter> {
        if text == "enter" { Ok(Enter) } else { Err(NotEnter) }
    }
}

impl fmt::Display for NotEnter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the only command is `enter`")
    }
}

impl core::error::Error for NotEnter {}

/// What a node tells of its way through the critical section.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Section {
    /// A life of the node begins: outside, and asking for nothing. Only told by protocols whose nodes may come back.
    Started,
    /// It will enter once more than it has.
    Asked,
    /// It waits, and at most this many entries by others come before its own. Only told by protocols that promise it.
    Queued(u64),
    /// It is inside.
    Entered,
    /// It is outside again.
    Left,
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Section::Started => "started",
            Section::Asked => "asked",
            Section::Queued(ahead) => return write!(f, "queued {ahead}"),
            Section::Entered => "entered",
            Section::Left => "left",
        })
    }
}

/// Who is inside, and who asked and was not.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Sections {
    inside: BTreeSet<NodeId>,
    /// How often each asked and did not enter yet; no node with zero.
    waiting: BTreeMap<NodeId, u64>,
    /// How many entries by others each was promised at most, less those that came since.
    ahead: BTreeMap<NodeId, u64>,
    /// A node that was promised less than came before it.
    passed: Option<NodeId>,
}

impl Sections {
    /// Whether nobody is inside, and nobody waits.
    pub fn is_quiet(&self) -> bool {
        self.inside.is_empty() && self.waiting.is_empty()
    }

    /// Whether entries that this node was asked for are still to come.
    pub fn waits(&self, node: NodeId) -> bool {
        self.waiting.contains_key(&node)
    }
}

impl<P: Process<Event = Section>> History<P> for Sections {
    fn on_event(&mut self, node: NodeId, event: &Section) {
        match event {
            Section::Started => {
                self.inside.remove(&node);
                self.waiting.remove(&node);
                self.ahead.remove(&node);
            }
            Section::Queued(ahead) => {
                self.ahead.insert(node, *ahead);
            }
            Section::Asked => *self.waiting.entry(node).or_default() += 1,
            Section::Entered => {
                self.inside.insert(node);
                self.ahead.remove(&node);
                for (waiting, ahead) in &mut self.ahead {
                    match ahead.checked_sub(1) {
                        Some(less) => *ahead = less,
                        None => self.passed = Some(*waiting),
                    }
                }
                match self.waiting.get_mut(&node) {
                    Some(waiting) if *waiting > 1 => *waiting -= 1,
                    _ => {
                        self.waiting.remove(&node);
                    }
                }
            }
            Section::Left => {
                self.inside.remove(&node);
            }
        }
    }
}

/// Mutual exclusion: of the nodes that are up, one at most is inside. Who died inside is inside no longer.
pub fn one_at_a_time<P: Process<Event = Section>>(source: &'static str) -> Property<P, Sections> {
    Property { name: "one at a time", source, when: When::Always, holds: is_one_at_a_time }
}

/// No starvation: every node that asked and is up has entered when all is over.
pub fn who_asks_enters<P: Process<Event = Section>>(source: &'static str) -> Property<P, Sections> {
    Property { name: "who asks enters", source, when: When::AtEnd, holds: has_nobody_waiting }
}

/// A node that waits sees no more entries by others than it was promised.
pub fn first_come_first_served<P: Process<Event = Section>>(source: &'static str) -> Property<P, Sections> {
    Property { name: "first come, first served", source, when: When::Always, holds: keeps_promised_places }
}

fn keeps_promised_places<P: Process<Event = Section>>(picture: &Picture<'_, P, Sections>) -> Result<(), String> {
    match picture.history.passed {
        None => Ok(()),
        Some(node) => Err(format!("more nodes entered before {node} than it was promised")),
    }
}

fn is_one_at_a_time<P: Process<Event = Section>>(picture: &Picture<'_, P, Sections>) -> Result<(), String> {
    let inside: Vec<String> = up(picture).filter(|id| picture.history.inside.contains(id)).map(text).collect();
    if inside.len() < 2 { Ok(()) } else { Err(format!("{} are inside", inside.join(" and "))) }
}

fn has_nobody_waiting<P: Process<Event = Section>>(picture: &Picture<'_, P, Sections>) -> Result<(), String> {
    let waiting: Vec<String> = up(picture).filter(|id| picture.history.waiting.contains_key(id)).map(text).collect();
    if waiting.is_empty() { Ok(()) } else { Err(format!("{} asked and never entered", waiting.join(", "))) }
}

fn up<'a, P, H>(picture: &'a Picture<'_, P, H>) -> impl Iterator<Item = NodeId> + 'a {
    picture.nodes.iter().map(|(id, _)| *id)
}

fn text(id: NodeId) -> String {
    id.to_string()
}
