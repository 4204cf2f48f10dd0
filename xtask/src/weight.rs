//! `cargo xtask weight`: the build cost of the program, and what each chapter adds to it.
//!
//! | command | what it measures | how long |
//! |---|---|---|
//! | `weight` | lines of LLVM IR and stripped bytes, which are exact, and what 150 chapters would take | a release build |
//! | `weight edit` | from the edit of one protocol file to its family's test, built and ended | minutes |
//! | `weight build [--against REV] [--pairs N]` | cold release builds, alternating with another revision | an hour |
//!
//! Each writes its figures into `benches/weight/figures.txt`, with date, commit and load, and rewrites `RESULTS.md`
//! beside it. The exact figures are ratchets: `weight` fails, and so does tidy, when one has grown beyond
//! `benches/weight/ratchet.txt`.

mod builds;
mod figures;
mod lines;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo;
use crate::workspace::Workspace;
use figures::Figures;

pub use figures::broken_ratchets;

/// How many chapters the catalogue is expected to take.
const CHAPTERS_EXPECTED: u64 = 150;

const USAGE: &str = "usage: cargo xtask weight [edit | build [--against REV] [--pairs N]]";

/// `cargo xtask weight`.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut figures = Figures::read(workspace)?;
    match words[..] {
        [] => exact(workspace, &mut figures)?,
        ["edit"] => builds::edits(workspace, &mut figures)?,
        ["build", ref rest @ ..] => builds::cold(workspace, rest, &mut figures)?,
        _ => bail!("{USAGE}"),
    }
    figures.write()
}

/// Lines and bytes: the same on every machine of one toolchain.
fn exact(workspace: &Workspace, figures: &mut Figures) -> Result<()> {
    let folder = workspace.volvox_release().with_file_name("weight");
    let families = families(workspace)?;
    let chapters: u64 = families.values().sum();
    let mut total = 0;
    for (family, count) in &families {
        let lines = lines::of_package(workspace, &folder, &format!("volvox-chapters-{family}"))?;
        println!("{family:<12} {count:>2} chapters {lines:>9} lines of IR");
        total += lines;
    }
    figures.set("laboratory, lines of IR", lines::of_package(workspace, &folder, "volvox-lab")?);
    figures.set("average chapter, lines of IR", total / chapters);
    let whole = stripped_bytes(workspace, &folder, &[])?;
    let bare = stripped_bytes(workspace, &folder, &["--no-default-features", "--features", "mimalloc"])?;
    let average = whole.saturating_sub(bare) / chapters;
    figures.set("chapters", chapters);
    figures.set("binary, stripped bytes", whole);
    figures.set("binary without chapters, stripped bytes", bare);
    figures.set("average chapter, stripped bytes", average);
    figures.set("binary with 150 chapters, stripped bytes", bare + CHAPTERS_EXPECTED * average);
    figures.check_ratchets()
}

/// The families, and how many chapters each has: lines of its `coverage.txt`.
fn families(workspace: &Workspace) -> Result<BTreeMap<String, u64>> {
    let mut families = BTreeMap::new();
    let chapters = workspace.root().join("chapters");
    for entry in std::fs::read_dir(&chapters).with_context(|| format!("cannot list {}", chapters.display()))? {
        let entry = entry?;
        let Ok(coverage) = std::fs::read_to_string(entry.path().join("coverage.txt")) else { continue };
        families.insert(entry.file_name().to_string_lossy().into_owned(), entries(&coverage));
    }
    if families.is_empty() {
        bail!("there is no family below {}", chapters.display());
    }
    Ok(families)
}

/// How many entries a `coverage.txt` lists: the lines below an entry, which name its mechanisms, are indented.
fn entries(coverage: &str) -> u64 {
    coverage.lines().filter(|line| !line.starts_with(['#', ' ']) && !line.is_empty()).count() as u64
}

/// Builds the binary for a release, and counts what is left of it without symbols.
fn stripped_bytes(workspace: &Workspace, folder: &Path, flags: &[&str]) -> Result<u64> {
    let mut build = cargo::offline(workspace, &["build", "--release", "--package", "volvox"]);
    cargo::run(build.args(flags).env("CARGO_TARGET_DIR", folder))?;
    let (binary, stripped) = (folder.join("release/volvox"), folder.join("stripped"));
    let status = Command::new("strip").arg("-o").args([&stripped, &binary]).status().context("cannot run strip")?;
    if !status.success() {
        bail!("strip ended with {status}");
    }
    Ok(std::fs::metadata(&stripped)?.len())
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_entry_is_counted_once_however_many_mechanisms_it_covers() {
        let coverage = "# prose\nntp golden=2 models=9 claims=2 sound\n  TIM-04 sim\n  TIM-07 sim; live\n\nswim golden=1 models=4 claims=0 sound\n";
        assert_eq!(super::entries(coverage), 2);
    }
}
