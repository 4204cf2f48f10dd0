//! Evidence: a test that an `evidence.txt` names is there. The gate runs every test, so one that is found has passed; one that was
//! renamed or removed shows nothing any more, and the row of the catalogue that it stood for would be done for nothing.

use super::Finding;
use super::manifests;
use super::tree::{File, Tree};

/// Tests that are named in the evidence of a family and that no program of tests has.
pub fn findings(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let families =
        tree.files().filter(|file| file.path.starts_with("chapters/") && file.path.ends_with("/evidence.txt"));
    for file in families {
        for (number, line) in file.lines().filter(|(_, line)| !line.starts_with('#')) {
            let Some((_, evidence)) = line.split_once(" = ") else { continue };
            for test in evidence.split("; ").filter_map(|one| one.strip_prefix("test ")) {
                if let Some(what) = missing(tree, test) {
                    let instead = "name a test that shows it, or take the line away: the demand is open";
                    findings.push(Finding::new(&file.path, number, what, instead));
                }
            }
        }
    }
    findings
}

/// The error in `PACKAGE PROGRAM NAME`, if any.
fn missing(tree: &Tree, test: &str) -> Option<String> {
    let words: Vec<&str> = test.split_whitespace().collect();
    let [package, program, name] = words[..] else {
        return Some(format!("`{test}` is not a package, program and name"));
    };
    let Some(folder) = folder_of(tree, package) else { return Some(format!("there is no package `{package}`")) };
    let files = sources_of(tree, &folder, program);
    if files.is_empty() {
        return Some(format!("`{package}` has no tests called `{program}`"));
    }
    let is_there = files.iter().any(|file| has_test(file, name));
    (!is_there).then(|| format!("`{package}`, `{program}`: there is no test `{name}`"))
}

fn folder_of(tree: &Tree, package: &str) -> Option<String> {
    let is_it = |path: &str| {
        let table = manifests::parse(tree, path).ok()?;
        Some(table.get("package")?.get("name")?.as_str()? == package)
    };
    tree.manifests().find(|(_, file)| is_it(&file.path) == Some(true)).map(|(folder, _)| folder.to_string())
}

/// The sources of a program of tests: its file or folder, and the modules beside it that its root names.
fn sources_of<'a>(tree: &'a Tree, folder: &str, program: &str) -> Vec<&'a File> {
    let below =
        |start: String| tree.files().filter(move |file| file.path.starts_with(&start) && file.path.ends_with(".rs"));
    if program == "lib" {
        return below(format!("{folder}/src/")).collect();
    }
    let listed = manifests::programs_of_tests(tree, folder).into_iter().find(|(name, _)| name == program);
    let root = listed.map_or_else(|| format!("tests/{program}.rs"), |(_, root)| root);
    let alone = tree.file(&format!("{folder}/{root}"));
    let mut files: Vec<&File> = below(format!("{folder}/tests/{program}/")).chain(alone).collect();
    if let Some(text) = alone.and_then(|file| file.text.as_deref()) {
        let modules = text.lines().filter_map(|line| line.trim().strip_prefix("mod ")?.strip_suffix(';'));
        for module in modules {
            files.extend(below(format!("{folder}/tests/{module}/")));
            files.extend(tree.file(&format!("{folder}/tests/{module}.rs")));
        }
    }
    files
}

/// Whether a function of this name is marked as a test.
fn has_test(file: &File, name: &str) -> bool {
    let Some(source) = file.source.as_ref() else { return false };
    let declared = [format!("fn {name}("), format!("fn {name}<")];
    source.code.iter().enumerate().any(|(index, line)| {
        declared.iter().any(|start| line.contains(start.as_str()))
            && source.code[..index].iter().rev().take_while(|line| !line.contains('}')).any(|line| is_mark(line))
    })
}

fn is_mark(line: &str) -> bool {
    line.contains("#[test]") || line.contains("#[tokio::test")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str) -> Vec<String> {
        let tree = Tree::of(&[
            ("chapters/raft/evidence.txt", &format!("# test nothing at all\nraft CON-08\n  safe = {line}\n")),
            ("crates/raft/Cargo.toml", "[package]\nname = \"volvox-raft\"\n"),
            ("crates/raft/tests/paper.rs", "mod theorem;\n#[test]\nfn figure_8() {}\n\nfn schedule() {}\n"),
            ("crates/raft/tests/theorem/mod.rs", "#[tokio::test(start_paused = true)]\nasync fn it_holds() {}\n"),
            (
                "crates/disk/Cargo.toml",
                "[package]\nname = \"volvox-disk\"\n[[test]]\nname = \"disk\"\npath = \"tests/main.rs\"\n",
            ),
            ("crates/disk/tests/main.rs", "mod crash;\n"),
            ("crates/disk/tests/crash.rs", "#[test]\nfn a_batch_is_whole() {}\n"),
            ("crates/raft/src/log.rs", "mod tests {\n    #[test]\n    fn is_empty() {}\n}\n"),
        ]);
        findings(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn tests_that_are_there_are_found() {
        assert_eq!(check("model two terms; test volvox-raft paper figure_8"), Vec::<String>::new());
        assert_eq!(check("test volvox-disk disk a_batch_is_whole"), Vec::<String>::new());
        assert_eq!(check("test volvox-raft paper it_holds; test volvox-raft lib is_empty"), Vec::<String>::new());
    }

    #[test]
    fn a_test_that_was_renamed_a_function_that_is_none_and_a_program_that_is_gone_are_findings() {
        for (line, what) in [
            ("test volvox-raft paper figure_9", "there is no test `figure_9`"),
            ("test volvox-raft paper schedule", "there is no test `schedule`"),
            ("test volvox-raft thesis figure_8", "`volvox-raft` has no tests called `thesis`"),
            ("test volvox-rift paper figure_8", "there is no package `volvox-rift`"),
            ("scenario; test volvox-raft paper", "is not a package, program and name"),
        ] {
            let found = check(line);
            assert!(found.len() == 1 && found[0].contains(what) && found[0].contains("evidence.txt:3"), "{found:?}");
        }
    }
}
