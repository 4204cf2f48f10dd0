//! The cost of building: wall and CPU time, which depend on the load; so they are measured in pairs, with the load
//! beside them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::figures::Figures;
use crate::cargo;
use crate::workspace::Workspace;

/// The edited file, the family whose test it is in, and the chapter.
const EDITS: [(&str, &str, &str); 3] = [
    ("crates/mutex/src/token_ring.rs", "mutex", "token-ring"),
    ("crates/paxos/src/single/process.rs", "paxos", "paxos"),
    ("crates/raft/src/node/leader.rs", "raft", "raft"),
];

/// From the touch of a protocol's file to its family's test: built, and the chapter's own part of it ended.
pub fn edits(workspace: &Workspace, figures: &mut Figures) -> Result<()> {
    for (file, family, chapter) in EDITS {
        let package = format!("volvox-chapters-{family}");
        let test = |no_run: bool| {
            let mut command = cargo::offline(workspace, &["test", "--quiet", "--package", &package]);
            command.args(no_run.then_some("--no-run")).env("CHAPTER", chapter);
            cargo::run(&mut command)
        };
        test(true)?;
        let path = workspace.root().join(file);
        let now = std::time::SystemTime::now();
        let touched = std::fs::File::options().append(true).open(&path).and_then(|file| file.set_modified(now));
        touched.with_context(|| format!("cannot touch {}", path.display()))?;
        let begun = Instant::now();
        test(true)?;
        figures.set(&format!("{chapter}: an edit is compiled and linked, ms"), millis(begun.elapsed()));
        let begun = Instant::now();
        test(false)?;
        figures.set(&format!("{chapter}: its test has ended, ms after that"), millis(begun.elapsed()));
    }
    Ok(())
}

/// Cold builds of the binary, alternating with those of another revision.
pub fn cold(workspace: &Workspace, arguments: &[&str], figures: &mut Figures) -> Result<()> {
    let (mut against, mut pairs) = (None, 1);
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match (*word, words.next()) {
            ("--against", Some(revision)) => against = Some(*revision),
            ("--pairs", Some(count)) => pairs = count.parse().context("--pairs takes a number")?,
            _ => bail!("usage: cargo xtask weight build [--against REV] [--pairs N]"),
        }
    }
    let folder = workspace.volvox_release().with_file_name("weight");
    std::fs::create_dir_all(&folder)?;
    let other = against.map(|revision| Checkout::of(workspace, &folder, revision)).transpose()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..pairs {
        ours.push(build(workspace.root(), &folder)?);
        if let Some(other) = &other {
            theirs.push(build(&other.0, &folder)?);
        }
    }
    tell("cold release build", &mut ours, figures);
    if let Some(revision) = against {
        tell(&format!("cold release build of {revision}"), &mut theirs, figures);
        let share = median(&mut ours, |took| took.wall) * 1_000 / median(&mut theirs, |took| took.wall).max(1);
        figures.set(&format!("cold release build beside {revision}, per mille of its wall time"), share);
    }
    Ok(())
}

/// Another revision, in a folder that is removed at the end.
struct Checkout(PathBuf);

impl Checkout {
    fn of(workspace: &Workspace, folder: &Path, revision: &str) -> Result<Checkout> {
        let path = folder.join(format!("checkout-{}", std::process::id()));
        let mut clone = Command::new("git");
        clone.args(["clone", "--quiet", "--no-checkout"]).arg(workspace.root()).arg(&path);
        let checkout = Checkout(path);
        for mut command in [clone, {
            let mut command = Command::new("git");
            command.arg("-C").arg(&checkout.0).args(["checkout", "--quiet", revision]);
            command
        }] {
            let status = command.status().context("cannot run git")?;
            if !status.success() {
                bail!("git ended with {status}");
            }
        }
        Ok(checkout)
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[derive(Clone, Copy)]
struct Took {
    wall: u64,
    cpu: u64,
}

fn build(root: &Path, folder: &Path) -> Result<Took> {
    let target = folder.join("cold");
    if target.exists() {
        std::fs::remove_dir_all(&target)?;
    }
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--quiet", "--release", "--locked", "--package", "volvox"]).current_dir(root);
    command.env("CARGO_TARGET_DIR", &target).env("CARGO_NET_OFFLINE", "true");
    let (begun, cpu) = (Instant::now(), children_cpu()?);
    cargo::run(&mut command)?;
    let took = Took { wall: millis(begun.elapsed()), cpu: children_cpu()? - cpu };
    println!("{}: {} s, {} CPU-seconds", root.display(), took.wall / 1_000, took.cpu / 1_000);
    Ok(took)
}

fn tell(name: &str, took: &mut [Took], figures: &mut Figures) {
    figures.set(&format!("{name}, ms"), median(took, |took| took.wall));
    figures.set(&format!("{name}, CPU ms"), median(took, |took| took.cpu));
}

fn median(took: &mut [Took], of: impl Fn(&Took) -> u64) -> u64 {
    took.sort_by_key(|took| of(took));
    took.get(took.len() / 2).map_or(0, of)
}

/// User time of all children that were waited for, in milliseconds; the kernel counts hundredths of a second.
fn children_cpu() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/stat").context("cannot read /proc/self/stat")?;
    let after_name = text.rsplit(')').next().unwrap_or_default();
    // Counted behind the name: the state is the third field of the line, children's user time the sixteenth.
    let ticks = after_name.split_whitespace().nth(13).and_then(|ticks| ticks.parse::<u64>().ok());
    Ok(ticks.context("no CPU time in /proc/self/stat")? * 10)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
