//! What the terminal can show.

use std::io::{IsTerminal, Write};
use std::process::{Command, Stdio};
use volvox_lab::diagram::Paper;

/// When nothing says how wide the paper is.
const COLUMNS: usize = 100;
const COLUMNS_MAX: usize = 400;

/// What diagrams are drawn on: as wide as the terminal or as `COLUMNS` says, coloured on a terminal unless `NO_COLOR`
/// is set (<https://no-color.org>).
pub fn paper() -> Paper {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let columns = said.or_else(terminal_columns).unwrap_or(COLUMNS).clamp(1, COLUMNS_MAX);
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Paper { columns, is_coloured: std::io::stdout().is_terminal() && !refused }
}

/// Prints. Nobody reads on who closed the pipe: `volvox lab list | head` ends well.
pub fn say(text: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    if write!(out, "{text}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// `stty` asks the terminal that is its standard input, and prints rows and columns.
fn terminal_columns() -> Option<usize> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    let output = Command::new("stty").arg("size").stdin(Stdio::inherit()).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()?.split_whitespace().nth(1)?.parse().ok().filter(|columns| *columns > 0)
}

/// On a terminal, says in one line what takes a while, until the next line takes its place.
pub fn progress(json: bool, text: &str) {
    if !json && std::io::stdout().is_terminal() {
        say(format_args!("\r\x1b[K{text}"));
    }
}
