//! The copy of the workspace in which a family is mutated: links to every crate but the protocol's own, which is written with
//! its mutants in it, and the driver that tries them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use toml::Table;

use super::chapters::Chapter;
use super::sites::Site;
use super::weave::{SWITCH, Woven, weave};
use crate::workspace::Workspace;

/// The driver, with the names of the family and of the protocol's crate to be filled in.
const DRIVER: &str = include_str!("driver.rs.txt");

/// Mutants that do not compile are left out, and the rest is built again, at most this often.
const BUILDS_MAX: usize = 8;

/// For our own crates: models decide how long a trial takes. Foreign ones are those of every other build.
const OPT_LEVEL: i64 = 2;

/// A crate of protocols that is mutated.
pub struct Package<'s> {
    /// Its folder below `crates/`.
    pub name: String,
    /// The changes in it.
    pub sites: Vec<(u32, &'s Site)>,
}

/// Mutants, built.
pub struct Built {
    /// The program that tries them.
    pub driver: PathBuf,
    /// Mutants that do not compile.
    pub refused: BTreeSet<u32>,
}

/// Builds a copy of the workspace in which every site of these crates is behind its number, as far as the crates of these
/// chapters need it: one copy for all, so that what they share is built once.
pub fn build(workspace: &Workspace, packages: &[Package], wanted: &[Chapter]) -> Result<Built> {
    let folder = workspace.target().join("mutants");
    lay_out(workspace.root(), &folder, packages)?;
    write_driver(&folder.join("driver"), wanted)?;
    let mut refused = BTreeSet::new();
    for _ in 0..BUILDS_MAX {
        let mut woven = BTreeMap::new();
        for package in packages {
            write_sources(workspace.root(), &folder, package, &refused, &mut woven)?;
        }
        let wrong = compile(workspace, &folder, &woven)?;
        if wrong.is_empty() {
            let driver = workspace.target().join("debug").join("mutants-driver");
            return Ok(Built { driver, refused });
        }
        refused.extend(wrong);
    }
    bail!("the mutants do not compile after {BUILDS_MAX} builds")
}

/// Links and manifests: all but the sources that are mutated.
fn lay_out(root: &Path, folder: &Path, packages: &[Package]) -> Result<()> {
    let is_mutated = |name: &std::ffi::OsStr| packages.iter().any(|package| *name == *package.name);
    for group in ["crates", "chapters"] {
        fs::create_dir_all(folder.join(group))?;
        for entry in fs::read_dir(root.join(group))? {
            let name = entry?.file_name();
            if group == "chapters" || !is_mutated(&name) {
                link(&root.join(group).join(&name), &folder.join(group).join(&name))?;
            }
        }
    }
    for package in packages {
        let (from, to) = (root.join("crates").join(&package.name), folder.join("crates").join(&package.name));
        fs::create_dir_all(to.join("src"))?;
        for entry in fs::read_dir(&from)? {
            let entry = entry?;
            if entry.file_name() != "src" {
                link(&entry.path(), &to.join(entry.file_name()))?;
            }
        }
    }
    let text = fs::read_to_string(root.join("Cargo.toml"))?;
    let mut manifest: Table = text.parse().context("the manifest of the workspace")?;
    let workspace = manifest.get_mut("workspace").and_then(toml::Value::as_table_mut).context("a workspace")?;
    workspace.insert("members".to_string(), toml::Value::Array(vec!["driver".into()]));
    workspace.remove("default-members");
    let dev =
        manifest.get_mut("profile").and_then(|profile| profile.get_mut("dev")).and_then(toml::Value::as_table_mut);
    let dev = dev.context("a profile `dev`")?;
    dev.insert("opt-level".to_string(), OPT_LEVEL.into());
    dev.insert("debug".to_string(), false.into());
    put(&folder.join("Cargo.toml"), &manifest.to_string())?;
    if !folder.join("Cargo.lock").exists() {
        fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
    }
    Ok(())
}

/// The program that tries mutants: it names the crates of these chapters, and their families.
fn write_driver(folder: &Path, wanted: &[Chapter]) -> Result<()> {
    let packages: BTreeSet<&str> = wanted.iter().map(|chapter| chapter.package.as_str()).collect();
    let families: BTreeSet<&str> = wanted.iter().map(|chapter| chapter.family.as_str()).collect();
    let mut manifest =
        "[package]\nname = \"mutants-driver\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n\
                        volvox-lab.workspace = true\n"
            .to_string();
    packages.iter().for_each(|name| manifest += &format!("volvox-{name}.workspace = true\n"));
    families.iter().for_each(|name| manifest += &format!("volvox-chapters-{name}.workspace = true\n"));
    put(&folder.join("Cargo.toml"), &manifest)?;
    let activate = |name: &&str| format!("    volvox_{name}::mutant::activate(number);\n");
    let activated: String = packages.iter().map(activate).collect();
    let listed: String = families.iter().map(|name| format!("    &volvox_chapters_{name}::FAMILY,\n")).collect();
    let driver = DRIVER.replace("    // {{activate}}\n", &activated).replace("    // {{families}}\n", &listed);
    put(&folder.join("src/main.rs"), &driver)
}

fn link(to: &Path, at: &Path) -> Result<()> {
    if fs::read_link(at).is_ok_and(|there| there == to) {
        return Ok(());
    }
    if at.symlink_metadata().is_ok() {
        fs::remove_file(at).with_context(|| format!("{} is in the way", at.display()))?;
    }
    std::os::unix::fs::symlink(to, at).with_context(|| format!("cannot link {}", at.display()))
}

/// Writes a file, unless it has this text already: what did not change is not built again.
fn put(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Writes the sources of a crate, with the mutants that are not refused; adds those that have some to `woven`, by their path.
fn write_sources(
    root: &Path,
    folder: &Path,
    package: &Package,
    refused: &BTreeSet<u32>,
    woven: &mut BTreeMap<String, Woven>,
) -> Result<()> {
    let src = format!("crates/{}/src", package.name);
    let mut folders = vec![PathBuf::new()];
    while let Some(below) = folders.pop() {
        for entry in fs::read_dir(root.join(&src).join(&below))? {
            let entry = entry?;
            let path = below.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.to_string_lossy().into_owned();
            let is_here = |(number, site): &&(u32, &Site)| site.name.file == name && !refused.contains(number);
            let here: Vec<(u32, &Site)> = package.sites.iter().filter(is_here).copied().collect();
            let mut file = weave(&fs::read_to_string(entry.path())?, &here);
            if name == "lib.rs" {
                // The switch stands behind everything else, so that places keep theirs.
                file.text += SWITCH;
            }
            put(&folder.join(&src).join(&path), &file.text)?;
            woven.insert(format!("{src}/{name}"), file);
        }
    }
    Ok(())
}

/// Builds the copy; returns the mutants that do not compile.
fn compile(workspace: &Workspace, folder: &Path, woven: &BTreeMap<String, Woven>) -> Result<BTreeSet<u32>> {
    let mut cargo = workspace.cargo(&["build", "--quiet", "--offline", "--keep-going", "--message-format=json"]);
    cargo.arg("--manifest-path").arg(folder.join("driver/Cargo.toml"));
    cargo.arg("--target-dir").arg(workspace.target());
    let output = cargo.stdin(Stdio::null()).stderr(Stdio::piped()).output().context("cannot start cargo")?;
    if output.status.success() {
        return Ok(BTreeSet::new());
    }
    let (mut wrong, mut unknown) = (BTreeSet::new(), String::new());
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
        let message = &message["message"];
        if message["level"] != "error" {
            continue;
        }
        let spans = message["spans"].as_array().map(Vec::as_slice).unwrap_or_default();
        let owners = owners(spans, woven);
        if owners.is_empty() && !spans.is_empty() {
            unknown += message["rendered"].as_str().unwrap_or_default();
        }
        wrong.extend(owners);
    }
    if wrong.is_empty() {
        bail!("the copy does not compile:\n{unknown}{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(wrong)
}

/// The mutants that an error is about: those around its place, else around one that it mentions, else of its lines.
fn owners(spans: &[Value], woven: &BTreeMap<String, Woven>) -> Vec<u32> {
    type Find = fn(&Woven, std::ops::Range<usize>) -> Vec<u32>;
    let found = |is_wanted: fn(&Value) -> bool, find: Find| -> Vec<u32> {
        let of = |span: &Value| {
            let file = span["file_name"].as_str().unwrap_or_default();
            let byte = |key: &str| span[key].as_u64().unwrap_or_default() as usize;
            let its = woven.iter().find(|(path, _)| file.ends_with(path.as_str()));
            its.map(|(_, file)| find(file, byte("byte_start")..byte("byte_end"))).unwrap_or_default()
        };
        spans.iter().filter(|span| is_wanted(span)).flat_map(of).collect()
    };
    let is_primary = |span: &Value| span["is_primary"] == true;
    type IsWanted = fn(&Value) -> bool;
    let stages: [(IsWanted, Find); 3] =
        [(is_primary, Woven::around), (|_| true, Woven::around), (is_primary, Woven::on_lines)];
    let owners = stages.into_iter().map(|(is_wanted, find)| found(is_wanted, find)).find(|owners| !owners.is_empty());
    owners.unwrap_or_else(|| between(spans, woven))
}

/// The mutants between the first and the last place that an error mentions: a `return` that goes on may make a borrow last.
fn between(spans: &[Value], woven: &BTreeMap<String, Woven>) -> Vec<u32> {
    let byte = |span: &Value, key: &str| span[key].as_u64().unwrap_or_default() as usize;
    let Some(file) = spans.first().and_then(|span| span["file_name"].as_str()) else { return Vec::new() };
    let here = || spans.iter().filter(|span| span["file_name"] == file);
    let start = here().map(|span| byte(span, "byte_start")).min().unwrap_or_default();
    let end = here().map(|span| byte(span, "byte_end")).max().unwrap_or_default();
    let its = woven.iter().find(|(path, _)| file.ends_with(path.as_str()));
    its.map(|(_, file)| file.on_lines(start..end)).unwrap_or_default()
}
