//! Cargo, as the commands of the gate run it.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::child;
use crate::workspace::Workspace;

/// No step takes longer; one that does has hung.
pub const STEP_LIMIT: Duration = Duration::from_secs(45 * 60);

/// Cargo with everything already fetched: network access is refused.
pub fn offline(workspace: &Workspace, arguments: &[&str]) -> Command {
    let mut command = workspace.cargo(arguments);
    command.env("CARGO_NET_OFFLINE", "true");
    command
}

/// Runs a command to its end with its output going through.
pub fn run(command: &mut Command) -> Result<()> {
    let status = child::stream(command, STEP_LIMIT, |_| {})?;
    if !status.success() {
        bail!("`{}` ended with {status}", child::show(command));
    }
    Ok(())
}
