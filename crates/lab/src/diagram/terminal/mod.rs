//! The diagram as text, for a terminal.
//!
//! ```text
//!              n1                 n2                 n3
//!   5.000ms    * enter            |                  |
//!   8.112ms    |--- Request 1 --->|                  |
//! ```
//! A message is drawn when it arrives, as an arrow from the column of its sender, with the moment of sending where there
//! is room: several that are in flight at once stay legible. Messages from one node to several drop down on each of
//! them from one line, so that they do not read as a relay; answers of several run together to one head. A text that is
//! wider than its place has a line of its own. Boxes are drawn with the characters for boxes.

mod arrows;
mod bars;
mod logs;
mod marks;
mod paper;
mod sheet;

use super::{Diagram, Row};
pub use paper::Paper;
use paper::TIME;
use sheet::{Life, Sheet};
use volvox_core::Instant;

/// With fewer letters per node, nothing is legible.
const COLUMN_MIN: usize = 8;
const COLUMN_MAX: usize = 30;
/// A command or an event takes at most this many lines of its column; otherwise it has its own line.
const LINES_MAX: usize = 2;

/// Draws.
pub fn terminal(diagram: &Diagram, paper: Paper) -> String {
    let count = diagram.nodes.len();
    let room = paper.columns.saturating_sub(TIME);
    if count == 0 || room / count < COLUMN_MIN {
        let needed = TIME + count * COLUMN_MIN;
        return format!(
            "{count} nodes need {needed} columns, but there are {}: use --svg FILE, which draws any number\n",
            paper.columns
        );
    }
    let width = (room / count).min(COLUMN_MAX);
    let is_down = |column: usize| diagram.begin.get(column).is_some_and(|begin| begin.is_down);
    let lives = (0..count).map(|column| if is_down(column) { Life::Down } else { Life::Up }).collect();
    let mut sheet = Sheet { diagram, paper, width, line: Vec::new(), out: String::new(), lives };
    sheet.head();
    let mut shown: Option<Instant> = None;
    sheet.begin_states(&mut shown);
    let rows = seen(&diagram.rows);
    let mut rows = rows.iter().peekable();
    while let Some(row) = rows.next() {
        match row {
            Row::Step(step) => {
                // Steps of several nodes at one moment without a message are one row.
                let mut steps = vec![step];
                while step.received.is_none()
                    && let Some(Row::Step(next)) = rows.peek()
                    && next.received.is_none()
                    && next.at == step.at
                    && steps.iter().all(|other| other.node != next.node)
                {
                    steps.push(next);
                    rows.next();
                }
                sheet.steps(&steps, &mut shown);
            }
            Row::Together { at, steps } => sheet.together(*at, steps, row.by_node(), &mut shown),
            Row::Lost { at, message, why } => sheet.lost(*at, *message, why, &mut shown),
            Row::Bar { at, text, tone, .. } => sheet.bar(*at, text, *tone, &mut shown),
            Row::Gap { from, to, left_out } => sheet.gap(*from, *to, left_out, &mut shown),
        }
    }
    if diagram.is_cut {
        sheet.out += "and so on\n";
    }
    sheet.logs();
    if !diagram.left_out.is_empty() {
        sheet.note(&diagram.left_out);
    }
    sheet.out
}

/// The rows that are written here. A step that only sends is visible where its messages arrive; the silences before and
/// after it are joined.
fn seen(rows: &[Row]) -> Vec<Row> {
    let mut seen: Vec<Row> = Vec::new();
    for row in rows {
        match (row, seen.last_mut()) {
            (Row::Step(step), _) if step.received.is_none() && step.marks.is_empty() => {}
            (Row::Gap { to, left_out, .. }, Some(Row::Gap { to: end, left_out: before, .. })) => {
                *end = *to;
                before.add(left_out);
            }
            _ => seen.push(row.clone()),
        }
    }
    seen
}
