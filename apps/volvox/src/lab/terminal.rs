//! The width and colours of the terminal.

use std::io::{IsTerminal, Write};
use std::process::{Command, Stdio};
use volvox_lab::diagram::Paper;

/// The width when neither the terminal nor `COLUMNS` gives one.
const COLUMNS: usize = 100;
const COLUMNS_MAX: usize = 400;

/// The canvas of diagrams: as wide as the terminal or `COLUMNS`, coloured on a terminal unless `NO_COLOR` is set
/// (<https://no-color.org>).
pub fn paper() -> Paper {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let columns = said.or_else(terminal_columns).unwrap_or(COLUMNS).clamp(1, COLUMNS_MAX);
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Paper { columns, is_coloured: std::io::stdout().is_terminal() && !refused }
}

/// Prints to standard output; ignores a closed pipe, so that `volvox lab list | head` ends well.
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

/// Shows progress in one line of a terminal, which the next line overwrites.
pub fn progress(json: bool, text: &str) {
    if !json && std::io::stdout().is_terminal() {
        say(format_args!("\r\x1b[K{text}"));
    }
}
