//! Manifests: what every package inherits, a README beside each, a lock file of registries only, and features that exist
//! for tests alone kept out of what is shipped.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::Finding;
use super::tree::Tree;

/// Keys of `[package]` that come from the workspace.
const INHERITED: [&str; 4] = ["version", "edition", "rust-version", "license"];

/// Features that exist so that tests can break something.
const TEST_ONLY: [&str; 1] = ["planted-bugs"];

/// Sections whose dependencies reach a shipped or a tested binary.
const SECTIONS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// The missing parts of each package's manifest and folder.
pub fn findings(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (folder, file) in tree.manifests() {
        if !tree.exists(&format!("{folder}/README.md")) {
            findings.push(Finding::new(
                &file.path,
                1,
                format!("{folder} has no README.md"),
                "say in five lines what it is for and where to begin reading",
            ));
        }
        let table = match parse(tree, &file.path) {
            Ok(table) => table,
            Err(finding) => {
                findings.push(*finding);
                continue;
            }
        };
        for key in INHERITED {
            if !inherits(table.get("package").and_then(|package| package.get(key))) {
                findings.push(Finding::new(
                    &file.path,
                    1,
                    format!("`{key}` is not the workspace's"),
                    format!("write `{key}.workspace = true`"),
                ));
            }
        }
        if folder.starts_with("chapters/") && !builds_quickly(tree, &table) {
            findings.push(Finding::new(
                &file.path,
                1,
                "a release compiles this family at the level of the services",
                "give it a line in `[profile.release.package]` of the root manifest",
            ));
        }
        if !inherits(table.get("lints")) {
            findings.push(Finding::new(
                &file.path,
                1,
                "the lints are not the workspace's",
                "write `[lints]` with `workspace = true`",
            ));
        }
    }
    findings
}

/// Whether the release profile of the workspace compiles this package at level 1.
fn builds_quickly(tree: &Tree, table: &Table) -> bool {
    let name = table.get("package").and_then(|package| package.get("name")).and_then(Value::as_str);
    let Ok(root) = parse(tree, "Cargo.toml") else { return false };
    let packages = root.get("profile").and_then(|profile| profile.get("release")?.get("package"));
    let level = packages.zip(name).and_then(|(packages, name)| packages.get(name)?.get("opt-level"));
    level.and_then(Value::as_integer) == Some(1)
}

/// Sources in the lock file that are neither this checkout nor a package registry.
pub fn lock_findings(tree: &Tree) -> Vec<Finding> {
    let Some(file) = tree.file("Cargo.lock") else {
        return vec![Finding::new("Cargo.lock", 1, "there is no lock file", "commit the one that cargo wrote")];
    };
    let foreign = |line: &str| line.starts_with("source = ") && !line.starts_with("source = \"registry+");
    let instead = "depend on a published version: a build needs package registries and no other network";
    file.lines()
        .filter(|(_, line)| foreign(line))
        .map(|(number, line)| Finding::new(&file.path, number, format!("`{line}`"), instead))
        .collect()
}

/// Ways by which a test-only feature would get into a build that did not ask for it.
pub fn feature_findings(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files().filter(|file| file.path.ends_with("Cargo.toml")) {
        let Ok(table) = parse(tree, &file.path) else { continue };
        for feature in default_features(&table) {
            if is_test_only(&feature) {
                findings.push(finding(&file.path, &format!("`default` reaches `{feature}`")));
            }
        }
        for dependencies in dependency_tables(&table) {
            for (name, value) in dependencies {
                let features =
                    value.get("features").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
                for feature in features.filter(|feature| is_test_only(feature)) {
                    findings.push(finding(&file.path, &format!("the dependency on `{name}` switches `{feature}` on")));
                }
            }
        }
    }
    findings
}

fn finding(path: &str, what: &str) -> Finding {
    Finding::new(path, 1, what, "leave it to the command that wants it: `cargo ... --features planted-bugs`")
}

/// Whether `feature`, or the feature of a dependency that it names (`raft/planted-bugs`), is for tests only.
fn is_test_only(feature: &str) -> bool {
    TEST_ONLY.contains(&feature.rsplit('/').next().unwrap_or(feature))
}

/// Everything that `default` switches on, through the features of this package.
fn default_features(table: &Table) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec!["default".to_string()];
    while let Some(feature) = waiting.pop() {
        let members = table.get("features").and_then(|features| features.get(&feature)).and_then(Value::as_array);
        for member in members.into_iter().flatten().filter_map(Value::as_str) {
            if reached.insert(member.to_string()) {
                waiting.push(member.to_string());
            }
        }
    }
    reached
}

/// Every table of dependencies: the package's, the workspace's, and those of targets.
fn dependency_tables(table: &Table) -> Vec<&Table> {
    let mut roots = vec![table];
    roots.extend(table.get("workspace").and_then(Value::as_table));
    let targets = table.get("target").and_then(Value::as_table);
    roots.extend(targets.into_iter().flat_map(|targets| targets.values().filter_map(Value::as_table)));
    roots.into_iter().flat_map(|root| SECTIONS.iter().filter_map(|section| root.get(*section)?.as_table())).collect()
}

fn inherits(value: Option<&Value>) -> bool {
    value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
}

/// The programs of tests that the manifest of a package lists: the name of each, and its root.
pub fn programs_of_tests(tree: &Tree, folder: &str) -> Vec<(String, String)> {
    let Ok(table) = parse(tree, &format!("{folder}/Cargo.toml")) else { return Vec::new() };
    let programs = table.get("test").and_then(Value::as_array).into_iter().flatten();
    let text = |one: &Value, key: &str| Some(one.get(key)?.as_str()?.to_string());
    programs.filter_map(|one| Some((text(one, "name")?, text(one, "path")?))).collect()
}

/// The manifest at `path`, or a finding that it is no TOML.
pub fn parse(tree: &Tree, path: &str) -> Result<Table, Box<Finding>> {
    let text = tree.file(path).and_then(|file| file.text.as_deref()).unwrap_or("");
    text.parse::<Table>().map_err(|error| {
        Box::new(Finding::new(path, 1, format!("no TOML: {}", error.message()), "fix it; cargo cannot read it either"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"volvox-x\"\nversion.workspace = true\nedition.workspace = true\n\
        rust-version.workspace = true\nlicense.workspace = true\n[lints]\nworkspace = true\n";

    fn shown(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_package_inherits_and_has_a_readme() {
        assert!(findings(&Tree::of(&[("crates/x/Cargo.toml", GOOD), ("crates/x/README.md", "# x\n")])).is_empty());
        let bad =
            GOOD.replace("edition.workspace = true", "edition = \"2021\"").replace("[lints]\nworkspace = true", "");
        let found = shown(&findings(&Tree::of(&[("crates/x/Cargo.toml", &bad)])));
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(
            found.iter().any(|line| line.contains("README")) && found.iter().any(|line| line.contains("`edition`")),
            "{found:?}"
        );
    }

    #[test]
    fn a_family_of_chapters_is_compiled_quickly() {
        let check = |root: &str| {
            let files = [("chapters/x/Cargo.toml", GOOD), ("chapters/x/README.md", "# x\n"), ("Cargo.toml", root)];
            shown(&findings(&Tree::of(&files))).iter().filter(|line| line.contains("level of the services")).count()
        };
        assert_eq!(check("[profile.release.package]\nvolvox-x.opt-level = 1\n"), 0);
        assert_eq!(check("[profile.release.package]\nvolvox-y.opt-level = 1\n"), 1);
    }

    #[test]
    fn the_lock_file_names_registries_only() {
        let lock = "source = \"registry+https://example\"\nsource = \"git+https://example/x\"\n";
        let found = shown(&lock_findings(&Tree::of(&[("Cargo.lock", lock)])));
        assert!(found.len() == 1 && found[0].starts_with("Cargo.lock:2:"), "{found:?}");
        assert_eq!(lock_findings(&Tree::of(&[])).len(), 1);
    }

    #[test]
    fn planted_bugs_are_never_on_by_themselves() {
        let check = |text: &str| shown(&feature_findings(&Tree::of(&[("crates/x/Cargo.toml", text)])));
        assert!(check("[features]\nplanted-bugs = [\"volvox-raft/planted-bugs\"]\n").is_empty());
        assert_eq!(
            check("[features]\ndefault = [\"extra\"]\nextra = [\"volvox-raft/planted-bugs\"]\nplanted-bugs = []\n")
                .len(),
            1
        );
        assert_eq!(
            check("[dependencies]\nvolvox-raft = { workspace = true, features = [\"planted-bugs\"] }\n").len(),
            1
        );
        assert_eq!(
            check("[target.'cfg(unix)'.dev-dependencies]\na = { version = \"1\", features = [\"planted-bugs\"] }\n")
                .len(),
            1
        );
    }
}
