//! A time window of a run.

use super::{Mark, Row};
use volvox_core::{Instant, NodeId};

/// The time window that is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// Not before this moment.
    pub from: Option<Instant>,
    /// Not after this moment.
    pub to: Option<Instant>,
}

/// The state of a node when a diagram begins.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Begin {
    /// Whether its process is down.
    pub is_down: bool,
    /// Its state, in a word or two.
    pub state: String,
}

impl Window {
    /// From the beginning to the end.
    pub const ALL: Window = Window { from: None, to: None };

    /// The rows of this window, and the state of each node when it begins.
    pub(super) fn of(self, rows: Vec<Row>, nodes: &[NodeId]) -> (Vec<Row>, Vec<Begin>) {
        let mut begin = vec![Begin::default(); nodes.len()];
        let mut shown = Vec::new();
        for row in rows {
            if self.from.is_none_or(|from| row.at() >= from) {
                if self.to.is_none_or(|to| row.at() <= to) {
                    shown.push(row);
                }
                continue;
            }
            for step in row.steps() {
                let Ok(column) = nodes.binary_search(&step.node) else { continue };
                for mark in &step.marks {
                    match mark {
                        Mark::Stopped => begin[column] = Begin { is_down: true, state: String::new() },
                        Mark::Started => begin[column].is_down = false,
                        Mark::State(text) => begin[column].state.clone_from(text),
                        _ => {}
                    }
                }
            }
        }
        (shown, begin)
    }
}
