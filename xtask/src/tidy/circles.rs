//! Circles of imports between the files of one crate, by ratchet: an inherent circle is listed in `xtask/ratchet.txt`
//! as `circle:<its first file> files reason`, and the number of its files only goes down.
//!
//! In a circle no file can be read, tested or moved without the others. Usually one type is in the wrong file: it
//! belongs into a file of its own, below all that name it. A module and what lies inside it are one room, so an import
//! between a file and one above it in the tree of modules makes no circle, and neither does a re-exported name.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::imports::Imports;
use super::tree::Tree;

/// The list of exceptions, shared with the lengths.
const RATCHET: &str = "xtask/ratchet.txt";

/// The start of this rule's lines in the list.
pub const PREFIX: &str = "circle:";

/// The place of a module in its crate: `[]` is the root.
type Place = Vec<String>;

/// The files of one crate, as modules.
#[derive(Default)]
struct Crate {
    modules: BTreeMap<Place, (String, Imports)>,
}

/// Files that import one another, and the names by which they do.
struct Circle {
    /// In the order of their paths.
    files: Vec<String>,
    ties: Vec<String>,
}

/// Circles that the list does not allow, and unneeded allowances.
pub fn findings(tree: &Tree) -> Vec<Finding> {
    let (mut allowances, mut findings) = read_list(tree);
    for circle in circles(tree) {
        let (first, count) = (&circle.files[0], circle.files.len());
        let what = format!("{count} files import one another: {}", circle.ties.join(", "));
        let instead = "move what they share into a file below them, which imports none of them";
        match allowances.remove(first) {
            Some((_, allowed, _)) if allowed == count => {}
            Some((line, allowed, _)) if allowed > count => {
                let what = format!("the circle of {first} has {count} files, the list still allows {allowed}");
                findings.push(Finding::new(RATCHET, line, what, format!("lower the number to {count}")));
            }
            _ => findings.push(Finding::new(first, 1, what, instead)),
        }
    }
    for (first, (line, ..)) in allowances {
        findings.push(Finding::new(RATCHET, line, format!("{first} begins no circle"), "remove its line"));
    }
    findings
}

/// The lines that the list needs today.
pub fn proposal(tree: &Tree) -> String {
    let (allowances, _) = read_list(tree);
    let line = |circle: Circle| {
        let reason = allowances.get(&circle.files[0]).map_or("", |(_, _, reason)| reason);
        format!("{PREFIX}{} {} {reason}\n", circle.files[0], circle.files.len())
    };
    circles(tree).into_iter().map(line).collect()
}

/// By the first file of a circle: the line of the list, how many files are allowed, and the reason.
type Allowances<'a> = BTreeMap<String, (usize, usize, &'a str)>;

fn read_list(tree: &Tree) -> (Allowances<'_>, Vec<Finding>) {
    let (mut allowances, mut findings) = (BTreeMap::new(), Vec::new());
    let Some(file) = tree.file(RATCHET) else { return (allowances, findings) };
    for (number, line) in file.lines() {
        let Some(rest) = line.strip_prefix(PREFIX) else { continue };
        let mut words = rest.splitn(3, ' ');
        let (name, count) = (words.next().unwrap_or(""), words.next().and_then(|word| word.parse().ok()));
        match (count, words.next().map(str::trim)) {
            (Some(count), Some(reason)) if !reason.is_empty() => {
                allowances.insert(name.to_string(), (number, count, reason));
            }
            _ => findings.push(Finding::new(
                RATCHET,
                number,
                "not a file, a number and a reason",
                format!("write `{PREFIX}path files reason`"),
            )),
        }
    }
    (allowances, findings)
}

fn circles(tree: &Tree) -> Vec<Circle> {
    let mut crates: BTreeMap<&str, Crate> = BTreeMap::new();
    for (file, source) in tree.sources() {
        let Some((package, inside)) = file.path.split_once("/src/") else { continue };
        if inside.starts_with("bin/") || source.test.iter().all(|test| *test) {
            continue;
        }
        let code: Vec<&str> = source.lines().map(|(_, line, test)| if test { "" } else { line }).collect();
        let module = (file.path.clone(), Imports::read(&code.join("\n")));
        crates.entry(package).or_default().modules.insert(place(inside), module);
    }
    crates.values().flat_map(Crate::circles).collect()
}

/// The place of the module whose file is `inside` the folder `src`.
fn place(inside: &str) -> Place {
    let mut parts: Place = inside.trim_end_matches(".rs").split('/').map(str::to_string).collect();
    let is_root = parts.len() == 1 && matches!(parts[0].as_str(), "lib" | "main");
    if is_root || parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

impl Crate {
    fn circles(&self) -> Vec<Circle> {
        let arrows: BTreeMap<&Place, BTreeMap<Place, String>> =
            self.modules.keys().map(|from| (from, self.arrows_of(from))).collect();
        let reached: BTreeMap<&Place, BTreeSet<&Place>> =
            self.modules.keys().map(|from| (from, reach(from, &arrows))).collect();
        let mut told: BTreeSet<&Place> = BTreeSet::new();
        let mut circles = Vec::new();
        for from in self.modules.keys() {
            let circle: Vec<&Place> = reached[from].iter().copied().filter(|to| reached[to].contains(from)).collect();
            if circle.is_empty() || told.contains(from) {
                continue;
            }
            told.extend(&circle);
            let mut files: Vec<String> = circle.iter().map(|place| self.modules[*place].0.clone()).collect();
            files.sort();
            let inside = |from: &Place| arrows[from].iter().filter(|(to, _)| circle.contains(to)).collect::<Vec<_>>();
            let tie = |from: &Place, to: &Place, name: &str| format!("{} -> {} ({name})", from.join("/"), to.join("/"));
            let ties = circle.iter().flat_map(|from| inside(from).into_iter().map(|(to, name)| tie(from, to, name)));
            circles.push(Circle { files, ties: ties.collect() });
        }
        circles
    }

    /// The modules that `from` imports, each with one of the names. Those above and below it are left out.
    fn arrows_of(&self, from: &Place) -> BTreeMap<Place, String> {
        let (_, imports) = &self.modules[from];
        let uses = imports.uses.iter().filter(|import| !import.is_public || imports.says(&import.alias));
        let mut arrows = BTreeMap::new();
        for path in
            uses.map(|import| import.path.clone()).chain(imports.paths.iter().map(|path| self.unfold(from, path)))
        {
            let Some(to) = self.absolute(from, &path).map(|path| self.owner(&path, 0)) else { continue };
            let is_inside = to.starts_with(from) || from.starts_with(&to);
            if !is_inside {
                arrows.insert(to, path.last().cloned().unwrap_or_default());
            }
        }
        arrows
    }

    /// A path that begins with an imported module, from the root of that import on.
    fn unfold(&self, from: &Place, path: &[String]) -> Vec<String> {
        let (_, imports) = &self.modules[from];
        let import = imports.uses.iter().find(|import| import.alias == path[0] && !import.is_public);
        match import {
            Some(import) => [&import.path, &path[1..]].concat(),
            None => path.to_vec(),
        }
    }

    /// A path from the root of the crate on; `None` where it leads out of the crate.
    fn absolute(&self, from: &Place, path: &[String]) -> Option<Place> {
        match path.first()?.as_str() {
            "crate" => Some(path[1..].to_vec()),
            "self" => Some([from, &path[1..]].concat()),
            "super" => {
                let ups = path.iter().take_while(|word| *word == "super").count();
                let above = from.len().checked_sub(ups)?;
                Some([&from[..above], &path[ups..]].concat())
            }
            child => {
                let inside = [from.as_slice(), &[child.to_string()]].concat();
                self.modules.contains_key(&inside).then(|| [from, path].concat())
            }
        }
    }

    /// The module in which what a path names is written: names that are handed on are followed.
    fn owner(&self, path: &[String], depth: usize) -> Place {
        let mut known = 0;
        while known < path.len() && self.modules.contains_key(&path[..=known]) {
            known += 1;
        }
        let module = path[..known].to_vec();
        let handed_on = path.get(known).zip(self.modules.get(&module)).and_then(|(name, (_, imports))| {
            let import = imports.uses.iter().find(|import| import.is_public && import.alias == *name)?;
            self.absolute(&module, &[&import.path, &path[known + 1..]].concat())
        });
        match handed_on {
            Some(path) if depth < 8 => self.owner(&path, depth + 1),
            _ => module,
        }
    }
}

/// Every module that can be reached from `from` over one arrow or more.
fn reach<'a>(from: &'a Place, arrows: &'a BTreeMap<&'a Place, BTreeMap<Place, String>>) -> BTreeSet<&'a Place> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        let next = arrows.get(at).into_iter().flat_map(BTreeMap::keys);
        open.extend(next.filter(|to| reached.insert(*to)));
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &str, files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> = files.iter().map(|(path, text)| (format!("crates/x/src/{path}"), *text)).collect();
        let mut files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        files.push((RATCHET, list));
        findings(&Tree::of(&files)).iter().map(ToString::to_string).collect()
    }

    const PAIR: [(&str, &str); 3] = [
        ("lib.rs", "mod a;\nmod b;\npub use b::B;\n"),
        ("a.rs", "use crate::b::B;\npub struct A(B);\n"),
        ("b.rs", "pub struct B;\nfn f() -> super::a::A { loop {} }\n"),
    ];

    #[test]
    fn two_files_that_import_one_another_fail() {
        let found = check("", &PAIR);
        assert!(
            found.len() == 1 && found[0].starts_with("crates/x/src/a.rs:1: 2 files import one another"),
            "{found:?}"
        );
        assert!(found[0].contains("a -> b (B), b -> a (A)"), "{found:?}");
    }

    #[test]
    fn a_longer_circle_over_a_name_that_is_handed_on_fails() {
        let files = [
            ("lib.rs", "mod a;\nmod b;\nmod c;\npub use c::C;\n"),
            ("a.rs", "use crate::b;\nfn f() { b::g(); }\n"),
            ("b.rs", "use crate::{C};\npub fn g() {}\n"),
            ("c.rs", "use super::a::f;\npub struct C;\n"),
        ];
        let found = check("", &files);
        assert!(found.len() == 1 && found[0].contains("3 files"), "{found:?}");
    }

    #[test]
    fn a_parent_and_its_children_tests_and_other_crates_make_no_circle() {
        let files = [
            ("lib.rs", "mod a;\nmod d;\n"),
            ("a.rs", "mod b;\nmod c;\npub use b::B;\nuse c::C;\npub struct A(C);\n"),
            ("a/b.rs", "use super::A;\npub struct B(A);\n"),
            ("a/c.rs", "pub struct C;\n#[cfg(test)]\nmod tests {\n    use super::super::b::B;\n}\n"),
            ("d.rs", "use std::fmt;\nuse crate::a::B;\n"),
        ];
        assert!(check("", &files).is_empty(), "{:?}", check("", &files));
    }

    #[test]
    fn the_list_allows_a_circle_and_only_goes_down() {
        assert!(check("circle:crates/x/src/a.rs 2 one type in two files\n", &PAIR).is_empty());
        let found = check("circle:crates/x/src/a.rs 3 one type in three files\n", &PAIR);
        assert!(found.len() == 1 && found[0].contains("lower the number to 2"), "{found:?}");
        let found = check("circle:crates/x/src/a.rs 2\n", &PAIR);
        assert!(found.iter().any(|text| text.contains("and a reason")), "{found:?}");
        let found = check("circle:crates/x/src/a.rs 2 none\n", &PAIR[..2]);
        assert!(found.len() == 1 && found[0].contains("begins no circle"), "{found:?}");
    }

    #[test]
    fn the_proposal_keeps_the_reasons() {
        let mut files: Vec<_> = PAIR.iter().map(|(path, text)| (format!("crates/x/src/{path}"), *text)).collect();
        files.push((RATCHET.to_string(), "circle:crates/x/src/a.rs 4 one type\n"));
        let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        assert_eq!(proposal(&Tree::of(&files)), "circle:crates/x/src/a.rs 2 one type\n");
    }
}
