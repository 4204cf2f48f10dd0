//! Lines on standard output.

use std::fmt::Display;
use std::io::Write;

/// Prints a line. A reader that has closed the pipe (`volvox up --detach | head -1`) does not want it, and ends nothing.
pub fn say(line: impl Display) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
