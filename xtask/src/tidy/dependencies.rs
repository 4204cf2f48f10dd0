//! The dependency table of ARCHITECTURE.md against the manifests: what a crate may depend on is decided there, in the
//! open, and a manifest that says something else does not pass.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use super::Finding;
use super::manifests;
use super::tree::{PURE, Tree};

/// The file with the table.
const PAGE: &str = "ARCHITECTURE.md";

/// The line above the table.
const MARK: &str = "<!-- tidy: dependencies -->";

/// Crates that any crate may use in its tests, beside what it may use anyway: the worlds of test and the pure crates.
const FOR_TESTS: [&str; 3] = ["sim", "check", "conformance"];

/// One row of the table.
struct Row {
    line: usize,
    ours: BTreeSet<String>,
    foreign: Foreign,
}

/// The third-party packages that a crate may use.
enum Foreign {
    Any,
    Only(BTreeSet<String>),
}

/// The differences between manifests and table.
pub fn findings(tree: &Tree) -> Vec<Finding> {
    let (rows, mut findings) = match read_table(tree) {
        Ok(rows) => (rows, Vec::new()),
        Err(finding) => return vec![*finding],
    };
    let folders: BTreeMap<String, &str> =
        tree.manifests().map(|(folder, file)| (name_of(folder), file.path.as_str())).collect();
    for (name, path) in &folders {
        match rows.get(name) {
            None => findings.push(Finding::new(
                path,
                1,
                format!("`{name}` is not in the table of {PAGE}"),
                "add its row: what it may depend on, and why it exists",
            )),
            Some(row) => findings.extend(check_crate(tree, name, path, row)),
        }
    }
    for (name, row) in &rows {
        if !folders.contains_key(name) {
            findings.push(Finding::new(
                PAGE,
                row.line,
                format!("the table names `{name}`, and there is no such crate"),
                "remove the row",
            ));
        }
    }
    findings
}

fn check_crate(tree: &Tree, name: &str, path: &str, row: &Row) -> Vec<Finding> {
    let Ok(table) = manifests::parse(tree, path) else { return Vec::new() };
    let mut findings = Vec::new();
    let mut used = BTreeSet::new();
    for package in section(&table, "dependencies").chain(section(&table, "build-dependencies")) {
        match package.strip_prefix("volvox-") {
            Some(ours) if !row.ours.contains(ours) => {
                let instead = format!("do without, or change the table of {PAGE} and say there why");
                findings.push(Finding::new(path, 1, format!("`{name}` may not depend on `{ours}`"), instead));
            }
            Some(ours) => {
                used.insert(ours.to_string());
            }
            None => {
                if let Foreign::Only(allowed) = &row.foreign
                    && !allowed.contains(package)
                {
                    let instead = format!("do without, or add it to the row of `{name}` in {PAGE} and say there why");
                    findings.push(Finding::new(
                        path,
                        1,
                        format!("`{name}` may not use the package `{package}`"),
                        instead,
                    ));
                }
            }
        }
    }
    for ours in row.ours.difference(&used) {
        findings.push(Finding::new(
            PAGE,
            row.line,
            format!("the table lets `{name}` depend on `{ours}`, and it does not"),
            "remove it from the row",
        ));
    }
    for package in section(&table, "dev-dependencies") {
        let Some(ours) = package.strip_prefix("volvox-") else { continue };
        if !row.ours.contains(ours) && !FOR_TESTS.contains(&ours) && !PURE.contains(&ours) {
            findings.push(Finding::new(
                path,
                1,
                format!("the tests of `{name}` may not use `{ours}`"),
                "test it in tests/, or in the simulated world",
            ));
        }
    }
    findings
}

/// The packages that a section of a manifest names, those of targets included.
fn section<'a>(table: &'a Table, name: &'a str) -> impl Iterator<Item = &'a str> {
    let targets = table
        .get("target")
        .and_then(Value::as_table)
        .into_iter()
        .flat_map(|targets| targets.values().filter_map(Value::as_table));
    std::iter::once(table)
        .chain(targets)
        .filter_map(move |root| root.get(name)?.as_table())
        .flatten()
        .map(|(key, value)| value.get("package").and_then(Value::as_str).unwrap_or(key))
}

fn name_of(folder: &str) -> String {
    let name = folder.rsplit('/').next().unwrap_or(folder);
    if folder.starts_with("chapters/") { format!("chapters-{name}") } else { name.to_string() }
}

fn read_table(tree: &Tree) -> Result<BTreeMap<String, Row>, Box<Finding>> {
    let missing = || Box::new(Finding::new(PAGE, 1, "there is no dependency table", format!("put `{MARK}` above it")));
    let file = tree.file(PAGE).ok_or_else(missing)?;
    let mut lines =
        file.lines().skip_while(|(_, line)| line.trim() != MARK).skip(1).skip_while(|(_, line)| line.trim().is_empty());
    let header = lines.next().filter(|(_, line)| line.starts_with('|')).ok_or_else(missing)?;
    let mut rows = BTreeMap::new();
    for (number, line) in lines.skip(1).take_while(|(_, line)| line.starts_with('|')) {
        let cells: Vec<_> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        let [name, ours, foreign, ..] = cells.as_slice() else {
            let what = format!("not a row of the table that begins in line {}", header.0);
            return Err(Box::new(Finding::new(
                PAGE,
                number,
                what,
                "write `| crate | may depend on | packages of others | why |`",
            )));
        };
        let foreign = if *foreign == "any" { Foreign::Any } else { Foreign::Only(names(foreign)) };
        rows.insert(name.trim_matches('`').to_string(), Row { line: number, ours: names(ours), foreign });
    }
    Ok(rows)
}

/// A list such as `a, b`; a dash or nothing is the empty set.
fn names(cell: &str) -> BTreeSet<String> {
    cell.split(',')
        .map(|name| name.trim().trim_matches('`'))
        .filter(|name| !name.is_empty() && *name != "-")
        .map(str::to_string)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE_TEXT: &str = "# Architecture\n<!-- tidy: dependencies -->\n\n| crate | may depend on | packages of others |\n|---|---|---|\n\
        | `core` | - | - |\n| `raft` | `core` | - |\n| `net` | `core` | any |\n\nMore.\n";
    const CORE: &str = "[dependencies]\n";
    const NET: &str = "[dependencies]\nvolvox-core.workspace = true\ntokio.workspace = true\n";

    fn check(raft: &str, page: &str) -> Vec<String> {
        let tree = Tree::of(&[
            (PAGE, page),
            ("crates/core/Cargo.toml", CORE),
            ("crates/raft/Cargo.toml", raft),
            ("crates/net/Cargo.toml", NET),
        ]);
        findings(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_table_says_passes() {
        let raft = "[dependencies]\nvolvox-core.workspace = true\n[dev-dependencies]\nvolvox-sim.workspace = true\n";
        assert!(check(raft, PAGE_TEXT).is_empty(), "{:?}", check(raft, PAGE_TEXT));
    }

    #[test]
    fn what_it_does_not_say_fails() {
        let found = check("[dependencies]\nvolvox-core.workspace = true\nvolvox-net.workspace = true\n", PAGE_TEXT);
        assert!(found.len() == 1 && found[0].contains("`raft` may not depend on `net`"), "{found:?}");
        let found = check("[dependencies]\nvolvox-core.workspace = true\nbytes = \"1\"\n", PAGE_TEXT);
        assert!(found.len() == 1 && found[0].contains("may not use the package `bytes`"), "{found:?}");
        let found = check(
            "[dependencies]\nvolvox-core.workspace = true\n[dev-dependencies]\nvolvox-net.workspace = true\n",
            PAGE_TEXT,
        );
        assert!(found.len() == 1 && found[0].contains("the tests of `raft` may not use `net`"), "{found:?}");
        let found = check(
            "[dependencies]\nvolvox-core.workspace = true\nalias = { package = \"volvox-net\", path = \"../net\" }\n",
            PAGE_TEXT,
        );
        assert!(found.len() == 1 && found[0].contains("`raft` may not depend on `net`"), "{found:?}");
    }

    #[test]
    fn the_table_is_no_larger_than_the_truth() {
        let found = check("[dependencies]\n", PAGE_TEXT);
        assert!(found.len() == 1 && found[0].starts_with("ARCHITECTURE.md:7:"), "{found:?}");
        let page = PAGE_TEXT.replace("\n\nMore", "\n| `gone` | - | - |\n\nMore");
        let found = check("[dependencies]\nvolvox-core.workspace = true\n", &page);
        assert!(found.len() == 1 && found[0].contains("there is no such crate"), "{found:?}");
    }

    #[test]
    fn a_crate_without_a_row_and_a_page_without_a_table_fail() {
        let found = check(
            "[dependencies]\nvolvox-core.workspace = true\n",
            &PAGE_TEXT.replace("| `net` | `core` | any |\n", ""),
        );
        assert!(found.len() == 1 && found[0].contains("`net` is not in the table"), "{found:?}");
        assert!(check("", "# Architecture\n")[0].contains("there is no dependency table"));
    }
}
