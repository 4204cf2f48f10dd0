//! Which modules are a chapter's own: read from the cards, without building anything.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use volvox_core::vocabulary::nearest;

/// Modules of a protocol that are no rules of it: what must hold, tests, foreign formats, bugs planted on purpose.
const NOT_RULES: [&str; 6] = ["properties", "invariants", "tests", "packet", "translator", "planted"];

/// A protocol that can be mutated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chapter {
    /// Its name: `leases`.
    pub id: String,
    /// The family: a folder below `chapters/`.
    pub family: String,
    /// The crate of the protocol: a folder below `crates/`.
    pub package: String,
    /// Its own modules: paths from the folder `src` of that crate, with their texts.
    pub modules: Vec<(String, String)>,
}

/// Every chapter of a protocol, family by family.
pub fn all(root: &Path) -> Result<Vec<Chapter>> {
    let mut chapters = Vec::new();
    for family in sorted(&root.join("chapters"))? {
        let (folder, name) = (root.join("chapters").join(&family), family.clone());
        for file in sorted(&folder.join("src"))?.iter().filter(|file| file.ends_with(".rs")) {
            let text = fs::read_to_string(folder.join("src").join(file))?;
            let Some((id, package, path)) = card(&text) else { continue };
            let modules = modules(&root.join("crates").join(&package).join("src"), &path)?;
            chapters.push(Chapter { id, family: name.clone(), package, modules });
        }
    }
    if chapters.is_empty() {
        bail!("there is no chapter of a protocol below {}", root.join("chapters").display());
    }
    Ok(chapters)
}

/// The chapter of this name; else the nearest is named.
pub fn named(all: &[Chapter], id: &str) -> Result<Chapter> {
    if let Some(chapter) = all.iter().find(|chapter| chapter.id == id) {
        return Ok(chapter.clone());
    }
    let known: Vec<&str> = all.iter().map(|chapter| chapter.id.as_str()).collect();
    match nearest(id, known.iter().copied()) {
        Some(near) => bail!("there is no protocol `{id}`; did you mean {near}?"),
        None => bail!("there is no protocol `{id}`; there are: {}", known.join(", ")),
    }
}

/// The name, the crate and the source that the card of a chapter names; nothing where the source is no protocol's.
fn card(text: &str) -> Option<(String, String, String)> {
    let quoted = |mark: &str| Some(text.split_once(mark)?.1.split_once('"')?.0.to_string());
    let source = quoted("    source: include_str!(\"../../../crates/")?;
    let (package, path) = source.split_once("/src/")?;
    Some((quoted("found!(\"")?, package.to_string(), path.to_string()))
}

/// The module of this path with those below it: the whole crate, where it is the crate's root.
fn modules(src: &Path, path: &str) -> Result<Vec<(String, String)>> {
    let folder = match path {
        "lib.rs" => String::new(),
        _ => path.strip_suffix("/mod.rs").or(path.strip_suffix(".rs")).unwrap_or(path).to_string(),
    };
    let mut paths = vec![path.to_string()];
    below(src, &folder, &mut paths)?;
    paths.sort();
    paths.dedup();
    let is_rule = |path: &String| !path.split(['/', '.']).any(|part| NOT_RULES.contains(&part));
    let read = |path: String| {
        let text = fs::read_to_string(src.join(&path)).with_context(|| format!("cannot read {path}"))?;
        Ok((path, text))
    };
    paths.into_iter().filter(is_rule).map(read).collect()
}

fn below(src: &Path, folder: &str, paths: &mut Vec<String>) -> Result<()> {
    if !src.join(folder).is_dir() {
        return Ok(());
    }
    for name in sorted(&src.join(folder))? {
        let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        if src.join(&path).is_dir() {
            below(src, &path, paths)?;
        } else if path.ends_with(".rs") {
            paths.push(path);
        }
    }
    Ok(())
}

fn sorted(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
