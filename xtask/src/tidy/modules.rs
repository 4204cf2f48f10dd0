//! Modules: every source file is declared by its parent, every name is specific, and a crate lays its modules out in one
//! way: `x.rs` beside the folder `x`, or `x/mod.rs` in it.

use std::collections::BTreeMap;

use super::Finding;
use super::manifests;
use super::tree::Tree;

/// Names under which everything fits and nothing is found.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "common", "helpers", "misc", "shared"];

/// Files that no module names, modules whose name says nothing, and modules that are laid out as few others of their crate.
pub fn findings(tree: &Tree) -> Vec<Finding> {
    let mut findings = layouts(tree);
    for (file, _) in tree.sources() {
        let Some((folder, name)) = file.path.rsplit_once('/') else { continue };
        let stem = name.trim_end_matches(".rs");
        let module = if stem == "mod" { folder.rsplit('/').next().unwrap_or(folder) } else { stem };
        if EMPTY_NAMES.contains(&module) {
            let instead = "name it after what it knows, or move each part to where it is used";
            findings.push(Finding::new(&file.path, 1, format!("a module called `{module}`"), instead));
        }
        if let Some(package) = folder.strip_suffix("/tests")
            && is_closed(tree, package)
            && !has_program(tree, package, stem)
        {
            let instead = format!("say `mod {stem};` in {folder}/main.rs, or make it a program in the manifest");
            findings.push(Finding::new(&file.path, 1, "no program of tests names this file: it never runs", instead));
        }
        if let Some(parents) = parents(folder, stem)
            && !parents.iter().any(|parent| declares(tree, parent, module))
        {
            let parent = parents.iter().find(|parent| tree.exists(parent)).unwrap_or(&parents[0]);
            let instead = format!("say `mod {module};` in {parent}, or remove the file");
            findings.push(Finding::new(&file.path, 1, "no module names this file, so it is never compiled", instead));
        }
    }
    findings
}

/// Modules with files of their own, where a crate has both layouts: those of the rarer one, `x/mod.rs` when both are as
/// frequent.
fn layouts(tree: &Tree) -> Vec<Finding> {
    let mut crates: BTreeMap<&str, (Vec<&str>, Vec<&str>)> = BTreeMap::new();
    for (file, _) in tree.sources() {
        let Some((package, inside)) = file.path.split_once("/src/") else { continue };
        let (inner, beside) = crates.entry(package).or_default();
        if inside.ends_with("/mod.rs") {
            inner.push(&file.path);
        } else if tree.exists(file.path.trim_end_matches(".rs")) {
            beside.push(&file.path);
        }
    }
    let mut findings = Vec::new();
    for (inner, beside) in crates.into_values().filter(|(inner, beside)| !inner.is_empty() && !beside.is_empty()) {
        let is_inner_rarer = inner.len() <= beside.len();
        for path in if is_inner_rarer { inner } else { beside } {
            let stem = path.trim_end_matches("/mod.rs").trim_end_matches(".rs");
            let instead = if is_inner_rarer { format!("{stem}.rs") } else { format!("{stem}/mod.rs") };
            let what = "most modules with files of their own are laid out the other way in this crate";
            findings.push(Finding::new(path, 1, what, format!("move it to {instead}")));
        }
    }
    findings
}

/// Whether a package lists its programs of tests, and cargo looks for no others.
fn is_closed(tree: &Tree, package: &str) -> bool {
    let table = manifests::parse(tree, &format!("{package}/Cargo.toml")).ok();
    table.and_then(|table| table.get("package")?.get("autotests")?.as_bool()) == Some(false)
}

/// Whether the program of tests of a package is this file, or declares it as a module.
fn has_program(tree: &Tree, package: &str, stem: &str) -> bool {
    let path = format!("tests/{stem}.rs");
    manifests::programs_of_tests(tree, package).iter().any(|(_, root)| *root == path)
        || declares(tree, &format!("{package}/tests/main.rs"), stem)
}

/// The files that may declare the module of `folder/stem.rs`; `None` when cargo finds it by itself.
fn parents(folder: &str, stem: &str) -> Option<Vec<String>> {
    let (above, own) = folder.rsplit_once('/')?;
    let (folder, root) = if stem == "mod" { (above, above.rsplit('/').next()?) } else { (folder, own) };
    let automatic = ["bin", "tests", "benches", "examples", "fuzz_targets"];
    let is_root = root == "src" && matches!(stem, "lib" | "main");
    if is_root || stem == "build" || (automatic.contains(&root) && stem != "mod") || !folder.contains("src") {
        return None;
    }
    if root == "src" {
        return Some(vec![format!("{folder}/lib.rs"), format!("{folder}/main.rs")]);
    }
    Some(vec![format!("{folder}/mod.rs"), format!("{folder}.rs")])
}

/// Whether the file at `path` says `mod module;`, or names a file by an attribute, which is not followed.
fn declares(tree: &Tree, path: &str, module: &str) -> bool {
    let Some(source) = tree.file(path).and_then(|file| file.source.as_ref()) else { return false };
    let end = format!("mod {module};");
    source.code.iter().map(|line| line.trim()).any(|line| {
        line.strip_suffix(&end).is_some_and(|before| before.is_empty() || before.ends_with(' '))
            || line.starts_with("#[path")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)]) -> Vec<String> {
        findings(&Tree::of(files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn named_files_pass() {
        let files = [
            ("crates/x/src/lib.rs", "pub mod a;\n#[cfg(test)]\nmod tests;\n"),
            ("crates/x/src/a.rs", "pub(crate) mod b;\nmod c;\n"),
            ("crates/x/src/a/b.rs", ""),
            ("crates/x/src/a/c.rs", "mod d;\n"),
            ("crates/x/src/a/c/d.rs", ""),
            ("crates/x/src/tests.rs", ""),
            ("crates/x/src/bin/tool.rs", ""),
            ("crates/x/tests/whole.rs", ""),
            ("crates/x/build.rs", ""),
        ];
        assert!(check(&files).is_empty(), "{:?}", check(&files));
    }

    #[test]
    fn a_file_that_nobody_names_fails() {
        let found = check(&[
            ("crates/x/src/lib.rs", "// mod a;\nmod ab;\n"),
            ("crates/x/src/ab.rs", ""),
            ("crates/x/src/a.rs", ""),
        ]);
        assert!(found.len() == 1 && found[0].starts_with("crates/x/src/a.rs:1: no module names"), "{found:?}");
    }

    #[test]
    fn a_crate_has_one_layout_and_the_rarer_one_fails() {
        let lib = ("crates/x/src/lib.rs", "mod a;\nmod b;\nmod c;\n");
        let (a, b) = (("crates/x/src/a.rs", "mod z;\n"), ("crates/x/src/b/mod.rs", "mod z;\n"));
        let (az, bz) = (("crates/x/src/a/z.rs", ""), ("crates/x/src/b/z.rs", ""));
        let found = check(&[lib, a, az, b, bz, ("crates/x/src/c.rs", "")]);
        assert!(
            found.len() == 1 && found[0].starts_with("crates/x/src/b/mod.rs:1") && found[0].ends_with("src/b.rs"),
            "{found:?}"
        );
        let (c, cz) = (("crates/x/src/c/mod.rs", "mod z;\n"), ("crates/x/src/c/z.rs", ""));
        let found = check(&[lib, a, az, b, bz, c, cz]);
        assert!(
            found.len() == 1 && found[0].starts_with("crates/x/src/a.rs:1") && found[0].ends_with("src/a/mod.rs"),
            "{found:?}"
        );
        assert!(check(&[lib, b, bz, c, cz, ("crates/x/src/a.rs", "")]).is_empty());
    }

    #[test]
    fn a_test_that_no_program_names_fails() {
        let manifest = "[package]\nautotests = false\n[[test]]\nname = \"x\"\npath = \"tests/main.rs\"\n";
        let found = check(&[
            ("crates/x/Cargo.toml", manifest),
            ("crates/x/tests/main.rs", "mod a;\n"),
            ("crates/x/tests/a.rs", ""),
            ("crates/x/tests/b.rs", ""),
        ]);
        assert!(found.len() == 1 && found[0].starts_with("crates/x/tests/b.rs:1: no program"), "{found:?}");
    }

    #[test]
    fn empty_names_fail() {
        let found = check(&[("crates/x/src/lib.rs", "mod utils;\n"), ("crates/x/src/utils/mod.rs", "")]);
        assert!(found.len() == 1 && found[0].contains("a module called `utils`"), "{found:?}");
    }
}
