//! Pure crates stay pure: `no_std`, and the standard library comes in for their tests only.

use super::Finding;
use super::tree::{PURE, Tree};

/// The violations of purity in the crates of [`PURE`].
pub fn findings(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in PURE {
        let root = format!("crates/{name}/src/lib.rs");
        let Some(file) = tree.file(&root) else { continue };
        let Some(source) = &file.source else { continue };
        if !source.code.iter().any(|line| line.trim() == "#![no_std]") {
            findings.push(Finding::new(
                &root,
                1,
                "a pure crate without `#![no_std]`",
                "add it; tests say `#[cfg(test)] extern crate std;`",
            ));
        }
        findings.extend(extern_std(tree, &format!("crates/{name}/src/")));
    }
    findings
}

fn extern_std(tree: &Tree, folder: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, source) in tree.sources().filter(|(file, _)| file.path.starts_with(folder)) {
        let shipped = source.lines().zip(&source.planted).filter(|((_, _, test), planted)| !test && !**planted);
        for ((number, _, _), _) in shipped.filter(|((_, line, _), _)| line.contains("extern crate std")) {
            let instead =
                "write `#[cfg(test)]` on the line above it; what is shipped of a process has no standard library";
            findings.push(Finding::new(&file.path, number, "`extern crate std` outside tests", instead));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Vec<String> {
        findings(&Tree::of(&[("crates/raft/src/lib.rs", text)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_pure_crate_says_no_std() {
        assert!(check("#![no_std]\nextern crate alloc;\n").is_empty());
        assert_eq!(check("// #![no_std]\nextern crate alloc;\n").len(), 1);
    }

    #[test]
    fn std_comes_in_for_tests_only() {
        assert!(check("#![no_std]\n#[cfg(test)]\nextern crate std;\n").is_empty());
        let planted = "#![no_std]\n#[cfg(feature = \"planted-bugs\")]\nmod chosen {\n    extern crate std;\n}\n";
        assert!(check(planted).is_empty());
        let found = check("#![no_std]\nextern crate std;\n");
        assert!(found.len() == 1 && found[0].contains("lib.rs:2"), "{found:?}");
    }
}
