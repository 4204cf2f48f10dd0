//! The replicated log of each node at the end: a strip of boxes, one box per entry, one colour per term.

use super::space::{Face, width_of};
use super::{COLOURS, LEFT, Picture, QUIET, escaped};
use std::fmt::Write;

const HIGH: f64 = 46.0;
const SMALL: Face = Face { size: 14.0, is_bold: false };
/// The gap between two nodes.
const APART: f64 = 12.0;

impl Picture<'_> {
    /// The strips, and their end.
    pub(super) fn logs(&self, right: f64, top: f64) -> (String, f64) {
        let logs: Vec<_> = self.diagram.logs.iter().filter(|(_, cells)| !cells.is_empty()).collect();
        let cells = || logs.iter().flat_map(|(_, cells)| cells);
        let Some(wide) = cells().map(|cell| width_of(&cell.text, SMALL) + 16.0).reduce(f64::max) else {
            return (String::new(), top);
        };
        let wide = wide.max(58.0);
        let room = ((right - LEFT) / wide) as usize;
        let mut out = String::new();
        let mut y = top + 30.0;
        let _ = write!(
            out,
            "<text x=\"{LEFT:.1}\" y=\"{y:.1}\" fill=\"{QUIET}\" class=\"mark\">the logs at the end: index and term of each \
             entry; filled when its node knows that it is committed</text>"
        );
        y += 14.0;
        for (node, cells) in &logs {
            let _ = write!(
                out,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" font-weight=\"bold\" class=\"mark\">{node}</text>",
                LEFT - 14.0,
                y + HIGH / 2.0 + 6.0
            );
            // The newest entries are the ones that differ.
            let skipped = cells.len().saturating_sub(room.max(1));
            for (place, cell) in cells[skipped..].iter().enumerate() {
                let (x, colour) = (LEFT + wide * place as f64, COLOURS[cell.term as usize % COLOURS.len()]);
                let (fill, dash) = if cell.is_committed { ("0.22", "") } else { ("0", " stroke-dasharray=\"5 4\"") };
                let head = format!("{} t{}", cell.index, cell.term);
                let _ = write!(
                    out,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{HIGH:.1}\" fill=\"{colour}\" \
                     fill-opacity=\"{fill}\" stroke=\"{colour}\" stroke-width=\"2\"{dash}/>\
                     <text x=\"{:.1}\" y=\"{:.1}\" class=\"time\" font-weight=\"bold\" text-anchor=\"middle\">{head}</text>\
                     <text x=\"{:.1}\" y=\"{:.1}\" class=\"time\" text-anchor=\"middle\">{}</text>",
                    x + wide / 2.0,
                    y + 18.0,
                    x + wide / 2.0,
                    y + 38.0,
                    escaped(&cell.text)
                );
            }
            if skipped > 0 {
                let _ = write!(
                    out,
                    "<text x=\"{:.1}\" y=\"{:.1}\" class=\"time\" fill=\"{QUIET}\" text-anchor=\"end\">{skipped} before</text>",
                    LEFT - 14.0,
                    y + HIGH - 2.0
                );
            }
            y += HIGH + APART;
        }
        (out, y)
    }
}
