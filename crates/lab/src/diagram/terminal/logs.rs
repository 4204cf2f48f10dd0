//! The logs of the nodes at the end, one box per entry.

use super::paper::TIME;
use super::sheet::{Ink, Sheet};
use crate::chapter::Cell;
use volvox_core::NodeId;

impl Sheet<'_> {
    /// A strip for each node, below the diagram: `1:t1 #1 a`, in double bars when it is committed.
    pub(super) fn logs(&mut self) {
        let logs: Vec<(NodeId, Vec<Cell>)> =
            self.diagram.logs.iter().filter(|(_, cells)| !cells.is_empty()).cloned().collect();
        if logs.is_empty() {
            return;
        }
        self.note("the logs at the end, index:term and content of each entry; ║ committed, │ not yet:");
        let width = logs.iter().flat_map(|(_, cells)| cells).map(|cell| said(cell).chars().count()).max().unwrap_or(0);
        let fitting = (self.paper.columns.saturating_sub(TIME + 6) / (width + 3)).max(1);
        for (node, cells) in logs {
            let mut line = format!("{:<4}", node.to_string());
            // The newest entries are the ones that differ.
            let skipped = cells.len().saturating_sub(fitting);
            if skipped > 0 {
                line.push('…');
            }
            for cell in &cells[skipped..] {
                let bar = if cell.is_committed { '║' } else { '│' };
                line += &format!("{bar}{:<width$}{bar} ", said(cell));
            }
            self.line = vec![(' ', Ink::Plain); self.paper.columns];
            self.put(TIME, line.trim_end(), Ink::Plain);
            self.end();
        }
    }
}

fn said(cell: &Cell) -> String {
    format!("{}:t{} {}", cell.index, cell.term, cell.text).trim_end().to_string()
}
