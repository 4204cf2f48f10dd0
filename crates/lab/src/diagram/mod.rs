//! Space-time diagrams: one column per node, time downwards, messages as arrows between them.
//!
//! A recording becomes rows (`row.rs`), and rows become text for a terminal ([`terminal`]) or a picture for a slide
//! ([`svg`]). Lamport drew the first of these in 1978, with time upwards.
//!
//! A run of a second can hold a thousand heartbeats that show nothing. When there are more rows than a reader wants,
//! those in which nothing is decided are summarised in one line: how many rounds and messages of which kind in how much
//! time (`dull.rs`). A message stays if a visible step sent it, or if it causes a visible step. Remarks are then
//! removed as well, and events that only repeat the state beside them (`hidden.rs`); and rows that belong together
//! share a line (`fold.rs`). The carrier's own messages are never shown. The amount omitted is stated below the
//! diagram; [`Detail::Everything`] omits nothing, and draws every arrow on its own line.

mod dull;
mod fold;
mod hidden;
mod left_out;
mod moments;
mod rounds;
mod routine;
mod row;
mod svg;
mod terminal;
mod text;
mod window;

pub use left_out::LeftOut;
pub use row::{Mark, Row, Step, Tone};
pub use svg::{Drawn, Format, FormatError, drawn, svg};
pub use terminal::{Paper, terminal};
pub use window::{Begin, Window};

use crate::chapter::Cell;
use crate::model::Found;
use crate::shell::Shell;
use crate::shrink::Replayed;
use crate::study::{Ran, roles};
use hidden::Hidden;
use moments::{rows_of, with_pauses};
use rounds::Rounds;
use text::{fitted, lines_of_text};
use volvox_core::{Instant, NodeId};
use volvox_sim::{Envelope, Recording, What};

/// More rows than these are more than a reader wants.
const ROWS_WANTED: usize = 60;
/// With more than these, only rows near a fault, a command or a crash are shown.
const ROWS_MAX: usize = 400;
/// Rows beyond this many are not drawn; only a run with hundreds of faults has as many.
const ROWS_DRAWN_MAX: usize = 10 * ROWS_MAX;

/// The part of a run that is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct View {
    /// The level of detail.
    pub detail: Detail,
    /// Of which time.
    pub window: Window,
}

impl View {
    /// The detail at which the whole protocol run is shown.
    pub const PROTOCOL: View = View { detail: Detail::Protocol, window: Window::ALL };
}

/// The texts above and below a diagram.
#[derive(Clone, Default, Debug)]
pub struct Heading {
    /// The title.
    pub title: String,
    /// The columns.
    pub nodes: Vec<NodeId>,
    /// The fixed role of each node; empty if all are alike.
    pub roles: Vec<&'static str>,
    /// The replicated log of each node at the end, where there is one.
    pub logs: Vec<(NodeId, Vec<Cell>)>,
}

/// How much is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detail {
    /// The events of the protocol that a reader wants to see.
    Protocol,
    /// All that was recorded.
    Everything,
}

/// A run as rows.
#[derive(Clone, Debug)]
pub struct Diagram {
    /// The title.
    pub title: String,
    /// The columns.
    pub nodes: Vec<NodeId>,
    /// The fixed role of each node; empty if all are alike.
    pub roles: Vec<&'static str>,
    /// The state of each node before the first row.
    pub begin: Vec<Begin>,
    /// The replicated log of each node at the end.
    pub logs: Vec<(NodeId, Vec<Cell>)>,
    /// From the first to the last.
    pub rows: Vec<Row>,
    /// The messages that rows name by their place.
    pub messages: Vec<Envelope>,
    /// When each message was sent.
    pub sent_at: Vec<Instant>,
    /// The omitted parts, in words; empty if nothing was omitted.
    pub left_out: String,
    /// Whether the diagram is truncated.
    pub is_cut: bool,
}

impl Diagram {
    /// The diagram of a run that was recorded.
    pub fn of(ran: &Ran) -> Option<Diagram> {
        Diagram::with(ran, &View::PROTOCOL)
    }

    /// The diagram of a run that was recorded, as much of it as is wanted.
    pub fn with(ran: &Ran, view: &View) -> Option<Diagram> {
        let recording = ran.recording.as_ref()?;
        let title = ran.headline();
        let nodes = (1..=ran.nodes).map(NodeId).collect();
        let heading = Heading { title, nodes, roles: ran.roles.clone(), logs: ran.logs.clone() };
        let mut view = *view;
        let is_said = view.window.from.is_some() || view.detail == Detail::Everything;
        let begins = ran.draw_from.filter(|_| !is_said);
        view.window.from = view.window.from.or(begins);
        let mut diagram = Diagram::from_recording(heading, recording, &view);
        if let Some(begins) = begins {
            let apart = if diagram.left_out.is_empty() { "" } else { "; " };
            diagram.left_out += &format!("{apart}drawn from {begins} (--from 0ms draws all)");
        }
        Some(diagram)
    }

    /// The diagram of a script that was followed: a counterexample, or a run written by hand.
    pub fn of_script(shell: &dyn Shell, title: &str, replayed: &Replayed, view: &View) -> Diagram {
        let heading = Heading {
            title: title.to_string(),
            nodes: (1..=replayed.nodes).map(NodeId).collect(),
            roles: roles(shell, replayed.nodes),
            logs: replayed.logs.clone(),
        };
        Diagram::from_recording(heading, &replayed.recording, view)
    }

    /// The diagram of what an exploration found, which was followed by hand for this chapter.
    pub fn of_counterexample(shell: &dyn Shell, model: &str, found: &Found, view: &View) -> Diagram {
        let nodes = found.nodes as u64;
        let heading = Heading {
            title: format!("{}: {model}", shell.card().title),
            nodes: (1..=nodes).map(NodeId).collect(),
            roles: roles(shell, nodes),
            logs: Vec::new(),
        };
        Diagram::from_recording(heading, &found.recording, view)
    }

    /// The diagram of a recording.
    pub fn from_recording(heading: Heading, recording: &Recording, view: &View) -> Diagram {
        let mut hidden = Hidden::default();
        let recording = &match view.detail {
            Detail::Protocol => hidden.carrier(recording),
            Detail::Everything => recording.clone(),
        };
        let mut sent_at = vec![Instant::ZERO; recording.messages.len()];
        for moment in &recording.moments {
            if let What::Sent(id) = moment.what {
                sent_at[id] = moment.at;
            }
        }
        let mut rows = rows_of(recording);
        rows.retain(|row| !matches!(row, Row::Step(step) if step.shows_nothing()));
        let (mut rows, begin) = view.window.of(rows, &heading.nodes);
        let mut is_cut = recording.is_cut;
        if rows.len() > ROWS_WANTED && view.detail == Detail::Protocol {
            let rounds = Rounds::of(&rows, &recording.messages);
            let messages = (&recording.messages[..], &sent_at[..]);
            hidden.remarks(&mut rows);
            rows = dull::without_the_dull(rows, messages, &rounds);
            rows = routine::without_routine(rows, messages, &rounds, ROWS_MAX);
            hidden.sharing = fold::together(&mut rows, messages, &rounds);
        }
        let mut rows = with_pauses(rows);
        is_cut |= rows.len() > ROWS_DRAWN_MAX;
        rows.truncate(ROWS_DRAWN_MAX);
        let left_out = hidden.to_string();
        let Heading { title, nodes, roles, logs } = heading;
        // Logs are those of the end.
        let logs = if view.window.to.is_none() { logs } else { Vec::new() };
        let messages = recording.messages.clone();
        Diagram { title, nodes, roles, begin, logs, rows, messages, sent_at, left_out, is_cut }
    }

    /// The column of a node.
    pub fn column(&self, node: NodeId) -> Option<usize> {
        self.nodes.binary_search(&node).ok()
    }

    /// The fixed role of a node.
    fn role(&self, column: usize) -> &'static str {
        self.roles.get(column).copied().unwrap_or_default()
    }
}
