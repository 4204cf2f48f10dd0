//! Citations of sources and pages resolve in the repository: mechanisms and claims have an anchor in the catalogue,
//! decisions have a page, and an anchor of a page of the book is on that page.

use std::collections::BTreeSet;

use super::Finding;
use super::links::has_anchor;
use super::tree::{File, Tree};

/// The folder of the mechanisms and the claims.
const CATALOGUE: &str = "book/src/catalogue/";

/// Words that look like the id of a mechanism but are not.
const OTHER_PREFIXES: [&str; 4] = ["CRC", "ISO", "SHA", "UTF"];

/// Citations that lead nowhere.
pub fn findings(tree: &Tree) -> Vec<Finding> {
    let anchors = anchors(tree);
    let is_searched = |file: &&File| [".rs", ".md", ".txt", ".toml"].iter().any(|end| file.path.ends_with(end));
    let mut findings = Vec::new();
    for file in tree.files().filter(is_searched) {
        for (number, line) in file.lines() {
            let line = citing_part(file, number, line);
            for id in ids(line).filter(|id| !anchors.contains(*id)) {
                let what = format!("`{id}` is not in the catalogue");
                findings.push(Finding::new(&file.path, number, what, format!("cite an anchor of {CATALOGUE}")));
            }
            for what in dead_pages(tree, line) {
                findings.push(Finding::new(&file.path, number, what, "cite a page and an anchor that exist"));
            }
        }
    }
    findings
}

/// Every `<a id="...">` of the catalogue.
fn anchors(tree: &Tree) -> BTreeSet<&str> {
    let pages = tree.files().filter(|file| file.path.starts_with(CATALOGUE));
    pages.flat_map(File::lines).flat_map(|(_, line)| line.split("<a id=\"").skip(1)).map(until_quote).collect()
}

fn until_quote(rest: &str) -> &str {
    rest.split('"').next().unwrap_or(rest)
}

/// The part of a line whose citations must resolve. Tests may name in code what does not exist, never in comments.
fn citing_part<'a>(file: &File, number: usize, line: &'a str) -> &'a str {
    let is_test = file.source.as_ref().is_some_and(|source| source.test.get(number - 1) == Some(&true));
    if is_test { line.find("//").map_or("", |at| &line[at..]) } else { line }
}

/// The ids of mechanisms (`MTX-03`) and of claims (`Q-MTX-3`) in a line.
fn ids(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).filter(|word| is_mechanism(word) || is_claim(word))
}

fn is_mechanism(word: &str) -> bool {
    word.split_once('-').is_some_and(|(group, number)| {
        is_group(group) && number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn is_claim(word: &str) -> bool {
    let group_and_number = word.strip_prefix("Q-").and_then(|rest| rest.split_once('-'));
    group_and_number.is_some_and(|(group, number)| {
        is_group(group) && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn is_group(word: &str) -> bool {
    word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_uppercase()) && !OTHER_PREFIXES.contains(&word)
}

/// Pages of `decisions/` and of `book/src/` that a line names and that do not exist.
fn dead_pages(tree: &Tree, line: &str) -> Vec<String> {
    let mut dead = Vec::new();
    for (at, _) in line.match_indices("decisions/") {
        let number: String = line[at + "decisions/".len()..].chars().take_while(char::is_ascii_digit).collect();
        let page = format!("decisions/{number}-");
        if number.len() == 4 && !tree.files().any(|file| file.path.starts_with(&page)) {
            dead.push(format!("there is no decision {number}"));
        }
    }
    for (at, _) in line.match_indices("book/src/") {
        let of_a_name = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '#');
        let cited: String = line[at..].chars().take_while(of_a_name).collect();
        let cited = cited.trim_end_matches(['.', '#']);
        let (path, anchor) = cited.split_once('#').map_or((cited, None), |(path, anchor)| (path, Some(anchor)));
        match (tree.exists(path), anchor) {
            (false, _) => dead.push(format!("there is no {path}")),
            (true, Some(anchor)) if !has_anchor(tree, path, anchor) => dead.push(format!("{path} has no `#{anchor}`")),
            _ => {}
        }
    }
    dead
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Workspace;

    fn check(path: &str, text: &str) -> Vec<String> {
        let tree = Tree::of(&[
            (path, text),
            ("book/src/catalogue/mtx.md", "<a id=\"MTX-03\"></a>\n\n| <a id=\"Q-MTX-3\"></a>Q-MTX-3 |\n"),
            ("book/src/etcd.md", "<a id=\"5.2\"></a>\n\n## 5.2 Create\n"),
            ("decisions/0001-process.md", ""),
        ]);
        findings(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_there_may_be_cited() {
        let text =
            "/// MTX-03, claim Q-MTX-3; decisions/0001, (book/src/etcd.md#5.2). CRC-32, UTF-16, book/src/etcd.md.\n";
        assert!(check("crates/a/src/lib.rs", text).is_empty(), "{:?}", check("crates/a/src/lib.rs", text));
    }

    #[test]
    fn what_is_not_there_is_found_with_its_line() {
        let found = check("a.md", "fine\nMTX-04 and Q-MTX-4\n");
        assert!(found.len() == 2 && found[0].starts_with("a.md:2: `MTX-04` is not in the catalogue"), "{found:?}");
        assert_eq!(check("a.rs", "const X: &str = \"XYZ-99\";\n").len(), 1);
        assert!(check("a.md", "see decisions/0002\n")[0].contains("there is no decision 0002"));
        assert!(check("a.md", "see book/src/etcd.md#5.9.\n")[0].contains("book/src/etcd.md has no `#5.9`"));
        assert!(check("a.md", "see book/src/gone.md\n")[0].contains("there is no book/src/gone.md"));
    }

    #[test]
    fn a_test_may_name_what_does_not_exist_but_its_comments_may_not() {
        assert!(check("crates/a/tests/a.rs", "let refused = show(\"XYZ-99\");\n").is_empty());
        assert_eq!(check("crates/a/tests/a.rs", concat!("/", "/ as XYZ-99 says\n")).len(), 1);
    }

    #[test]
    fn the_catalogue_has_every_row() {
        let tree = Tree::load(Workspace::locate().unwrap().root()).unwrap();
        let anchors = anchors(&tree);
        let count = |is: fn(&str) -> bool| anchors.iter().filter(|anchor| is(anchor)).count();
        assert_eq!((count(is_mechanism), count(is_claim)), (365, 202));
    }
}
