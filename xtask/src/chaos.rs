//! `cargo xtask chaos`: real faults on a real cluster under load; the driver is `tests/live`.

use crate::child;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::time::Duration;

/// All scenarios ten times take about eight minutes.
const LIMIT: Duration = Duration::from_secs(40 * 60);

/// Builds the program and the driver as they are shipped, and runs the faults.
///
/// # Errors
/// When something does not build, or a guarantee is violated.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let build = ["build", "--release", "-p", "volvox", "-p", "volvox-live"];
    let status = child::stream(&mut workspace.cargo(&build), LIMIT, |_| {})?;
    if !status.success() {
        bail!("cargo {} failed", build.join(" "));
    }
    let program = workspace.volvox_release();
    let driver = program.parent().context("the program lies in a folder")?.join("volvox-chaos");
    let mut command = std::process::Command::new(driver);
    command.arg(&program).args(arguments);
    let status = child::stream(&mut command, LIMIT, |_| {})?;
    if !status.success() {
        bail!("chaos found a violation; it is printed above");
    }
    Ok(())
}
