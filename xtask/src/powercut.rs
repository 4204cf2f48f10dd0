//! `cargo xtask powercut`: a thousand power cuts of three live nodes; the driver is `tests/live`.

use crate::child;
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use std::time::Duration;

/// A thousand images take well under a minute.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// Builds the driver as it would be shipped, and cuts the power.
///
/// # Errors
/// When it does not build, or an acknowledged write was not found.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let mut command =
        workspace.cargo(&["run", "--release", "-q", "-p", "volvox-live", "--bin", "volvox-powercut", "--"]);
    let status = child::stream(command.args(arguments), LIMIT, |_| {})?;
    if !status.success() {
        bail!("a guarantee was violated; it is printed above");
    }
    Ok(())
}
