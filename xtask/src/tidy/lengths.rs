//! Lengths of files and functions, by ratchet: what is longer than the limit is listed in `xtask/ratchet.txt` with its
//! length and a reason, and the number there may only go down.

use std::collections::BTreeMap;

use super::tree::Tree;
use super::{Finding, circles, english};

/// Lines of a file of tests.
const TEST_FILE_LINES_MAX: usize = 600;

/// Lines of any other file, its own test module not counted. One that is longer is listed, and has 600 at most.
const FILE_LINES_MAX: usize = 400;

/// No file has more, listed or not.
const LISTED_FILE_LINES_MAX: usize = 600;

/// Lines of a function, from the word `fn` to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;

/// The list of exceptions: `path lines reason`, or `path::function lines reason`.
const RATCHET: &str = "xtask/ratchet.txt";

/// An exception in the list.
struct Allowance {
    line: usize,
    lines: usize,
    reason: String,
}

/// Files and functions that are too long, and allowances that are not needed.
pub fn findings(tree: &Tree) -> Vec<Finding> {
    let (mut allowances, mut findings) = read_list(tree);
    for (name, (lines, at, limit)) in measure(tree) {
        let path = name.split("::").next().unwrap_or(&name);
        let is_file = name == path;
        match allowances.remove(&name) {
            Some(_) if is_file && lines > LISTED_FILE_LINES_MAX => {
                let what = format!(
                    "{name} has {lines} lines, more than the {LISTED_FILE_LINES_MAX} that a listed file may have"
                );
                findings.push(Finding::new(path, at, what, "split it where a reader would look for the second part"));
            }
            None if lines > limit => {
                let what = format!("{name} has {lines} lines, more than {limit}");
                findings.push(Finding::new(path, at, what, "split it where a reader would look for the second part"));
            }
            Some(allowed) if lines <= limit => {
                let what = format!("{name} has {lines} lines and needs no exception any more");
                findings.push(Finding::new(RATCHET, allowed.line, what, "remove its line"));
            }
            Some(allowed) if lines < allowed.lines => {
                let what = format!("{name} has {lines} lines, the list still allows {}", allowed.lines);
                findings.push(Finding::new(RATCHET, allowed.line, what, format!("lower the number to {lines}")));
            }
            Some(allowed) if lines > allowed.lines => {
                let what = format!("{name} grew to {lines} lines, {} are allowed", allowed.lines);
                findings.push(Finding::new(path, at, what, "split it; the numbers in the list only go down"));
            }
            _ => {}
        }
    }
    for (name, allowed) in allowances {
        findings.push(Finding::new(RATCHET, allowed.line, format!("there is no {name}"), "remove its line"));
    }
    findings
}

/// The lines that the list needs today; the reasons are for a person to write.
pub fn proposal(tree: &Tree) -> String {
    let (allowances, _) = read_list(tree);
    let long = measure(tree).into_iter().filter(|(_, (lines, _, limit))| lines > limit);
    let line = |(name, (lines, _, _)): (String, (usize, usize, usize))| {
        let reason = allowances.get(&name).map_or("", |allowed| allowed.reason.as_str());
        format!("{name} {lines} {reason}\n")
    };
    long.map(line).collect()
}

/// Every file and function by name, with its length, its line and its limit; of functions of one name the longest counts.
fn measure(tree: &Tree) -> BTreeMap<String, (usize, usize, usize)> {
    let mut lengths: BTreeMap<String, (usize, usize, usize)> = BTreeMap::new();
    for (file, source) in tree.sources() {
        let tests_only = source.test.iter().all(|test| *test);
        let lines = if tests_only { source.test.len() } else { source.test.iter().filter(|test| !**test).count() };
        let limit = if tests_only { TEST_FILE_LINES_MAX } else { FILE_LINES_MAX };
        lengths.insert(file.path.clone(), (lines, 1, limit));
        for function in &source.functions {
            let entry =
                lengths.entry(format!("{}::{}", file.path, function.name)).or_insert((0, 1, FUNCTION_LINES_MAX));
            let lines = function.last - function.first + 1;
            if lines > entry.0 {
                *entry = (lines, function.first, FUNCTION_LINES_MAX);
            }
        }
    }
    lengths
}

fn read_list(tree: &Tree) -> (BTreeMap<String, Allowance>, Vec<Finding>) {
    let (mut allowances, mut findings) = (BTreeMap::new(), Vec::new());
    let Some(file) = tree.file(RATCHET) else { return (allowances, findings) };
    for (number, line) in file.lines() {
        let is_of_another_rule = [english::PREFIX, circles::PREFIX].iter().any(|prefix| line.starts_with(prefix));
        if line.trim().is_empty() || line.starts_with('#') || is_of_another_rule {
            continue;
        }
        let mut words = line.splitn(3, ' ');
        let (name, lines, reason) =
            (words.next(), words.next().and_then(|word| word.parse().ok()), words.next().unwrap_or("").trim());
        match (name, lines) {
            (Some(name), Some(lines)) if !reason.is_empty() => {
                allowances.insert(name.to_string(), Allowance { line: number, lines, reason: reason.to_string() });
            }
            _ => findings.push(Finding::new(
                RATCHET,
                number,
                "not a path, a number and a reason",
                "write `path[::function] lines reason`",
            )),
        }
    }
    (allowances, findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long_function(lines: usize) -> String {
        format!("fn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2))
    }

    fn check(list: &str, text: &str) -> Vec<String> {
        let tree = Tree::of(&[("crates/x/src/lib.rs", text), (RATCHET, list)]);
        findings(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_function_over_the_limit_fails_and_one_at_the_limit_passes() {
        assert!(check("", &long_function(70)).is_empty());
        let found = check("", &long_function(71));
        assert!(found.len() == 1 && found[0].contains("lib.rs:1: crates/x/src/lib.rs::long has 71 lines"), "{found:?}");
    }

    #[test]
    fn a_file_over_the_limit_fails_but_its_tests_do_not_count() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "// a line\n".repeat(300));
        assert!(check("", &("// a line\n".repeat(400) + &tests)).is_empty());
        let found = check("", &("// a line\n".repeat(401) + &tests));
        assert!(found.len() == 1 && found[0].contains("has 401 lines, more than 400"), "{found:?}");
    }

    #[test]
    fn a_listed_file_has_600_lines_at_most_and_so_has_a_file_of_tests() {
        let lines = |count| "// a line\n".repeat(count);
        assert!(check("crates/x/src/lib.rs 600 a table\n", &lines(600)).is_empty());
        let found = check("crates/x/src/lib.rs 601 a table\n", &lines(601));
        assert!(found.len() == 1 && found[0].contains("that a listed file may have"), "{found:?}");
        let test = |count| findings(&Tree::of(&[("crates/x/tests/all.rs", &lines(count))]));
        assert!(test(600).is_empty() && test(601).len() == 1);
    }

    #[test]
    fn the_ratchet_only_goes_down() {
        let text = long_function(80);
        assert!(check("crates/x/src/lib.rs::long 80 a flat table\n", &text).is_empty());
        assert!(check("crates/x/src/lib.rs::long 90 a flat table\n", &text)[0].contains("lower the number to 80"));
        assert!(
            check("crates/x/src/lib.rs::long 75 a flat table\n", &text)[0].contains("grew to 80 lines, 75 are allowed")
        );
        assert!(
            check("crates/x/src/lib.rs::long 80 a flat table\n", &long_function(60))[0].contains("needs no exception")
        );
        assert!(check("crates/x/src/gone.rs 500 a table\n", "")[0].contains("there is no crates/x/src/gone.rs"));
        assert!(check("crates/x/src/lib.rs 700\n", "")[0].contains("and a reason"));
    }

    #[test]
    fn the_proposal_keeps_the_reasons() {
        let text = long_function(80);
        let tree = Tree::of(&[
            ("crates/x/src/lib.rs", text.as_str()),
            (RATCHET, "crates/x/src/lib.rs::long 90 a flat table\n"),
        ]);
        assert_eq!(proposal(&tree), "crates/x/src/lib.rs::long 80 a flat table\n");
    }
}
