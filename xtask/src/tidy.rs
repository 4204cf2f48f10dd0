//! Tidy: the rules that no compiler checks. It is a command and a test, reads every file of the checkout once, and
//! reports findings, each with its place and with what to do instead.
//!
//! A rule is a function from the [`Tree`] to findings, so each is tested on a small tree written in the test itself.

mod banned;
mod circles;
mod citations;
mod dependencies;
mod english;
mod evidence;
mod imports;
mod lengths;
mod links;
mod manifests;
mod modules;
mod purity;
mod source;
mod tree;
mod weight;
mod words;

use std::fmt;

use anyhow::{Result, bail};

use crate::workspace::Workspace;
use tree::Tree;

/// One breach of a house rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, relative to the root.
    pub path: String,
    /// The line, counted from one.
    pub line: usize,
    /// The problem.
    pub what: String,
    /// The remedy.
    pub instead: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self { path: path.to_string(), line, what: what.into(), instead: instead.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}; instead: {}", self.path, self.line, self.what, self.instead)
    }
}

/// A rule of the house.
type Rule = fn(&Tree) -> Vec<Finding>;

/// Every rule, by name.
const RULES: &[(&str, Rule)] = &[
    ("lengths of files and functions", lengths::findings),
    ("banned calls", banned::findings),
    ("modules", modules::findings),
    ("circles of imports", circles::findings),
    ("purity", purity::findings),
    ("dependency table", dependencies::findings),
    ("manifests", manifests::findings),
    ("lock file", manifests::lock_findings),
    ("test-only features", manifests::feature_findings),
    ("links", links::findings),
    ("evidence", evidence::findings),
    ("words", words::findings),
    ("citations", citations::findings),
    ("English", english::findings),
    ("weight", weight::findings),
];

/// `cargo xtask tidy [--ratchet]`: checks, or prints the lines that the list of exceptions needs today.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    if arguments.iter().any(|argument| argument == "--ratchet") {
        let tree = Tree::load(workspace.root())?;
        print!("{}{}{}", lengths::proposal(&tree), circles::proposal(&tree), english::proposal(&tree));
        return Ok(());
    }
    check(workspace)
}

/// Runs every rule over the checkout and fails with all findings.
pub fn check(workspace: &Workspace) -> Result<()> {
    let tree = Tree::load(workspace.root())?;
    let findings = all_findings(&tree);
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("tidy has {} findings", findings.len());
    }
    println!("tidy: {} rules hold over {} files", RULES.len(), tree.files().count());
    Ok(())
}

fn all_findings(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<_> = RULES.iter().flat_map(|(_, rule)| rule(tree)).collect();
    findings.sort();
    findings.dedup();
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checkout_is_tidy() {
        let findings = all_findings(&Tree::load(Workspace::locate().unwrap().root()).unwrap());
        let text: Vec<_> = findings.iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "{} findings:\n{}", text.len(), text.join("\n"));
    }

    #[test]
    fn a_finding_says_where_what_and_what_instead() {
        let finding = Finding::new("crates/raft/src/node.rs", 7, "`HashMap` in a pure crate", "use BTreeMap");
        assert_eq!(finding.to_string(), "crates/raft/src/node.rs:7: `HashMap` in a pure crate; instead: use BTreeMap");
    }
}
