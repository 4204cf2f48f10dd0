//! The book: what it includes exists, what it counts is so.

use std::fs;
use std::path::{Path, PathBuf};

fn book() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/src")
}

/// The lines between the anchors of a file, without those that are empty.
fn anchored(text: &str, anchor: &str) -> Vec<String> {
    let inside = text.lines().skip_while(|line| line.trim() != format!("// ANCHOR: {anchor}")).skip(1);
    let lines = inside.take_while(|line| line.trim() != format!("// ANCHOR_END: {anchor}"));
    lines.filter(|line| !line.trim().is_empty()).map(String::from).collect()
}

/// The file and the anchor of every inclusion on a page.
fn inclusions(page: &str) -> Vec<(String, String)> {
    let starts = page.split("{{#include ").skip(1);
    let insides = starts.map(|rest| rest.split("}}").next().expect("split gives one"));
    insides.map(|inside| inside.split_once(':').expect("an anchor")).map(|(f, a)| (f.into(), a.into())).collect()
}

/// Every page in a folder and below.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of the book");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { pages(&path) } else { vec![path] }).collect()
}

#[test]
fn every_page_is_in_the_summary_and_every_inclusion_is_there() {
    let summary = fs::read_to_string(book().join("SUMMARY.md")).expect("a summary");
    let mut included = 0;
    for path in pages(&book()) {
        let name = path.strip_prefix(book()).expect("a page of the book").to_str().expect("a name").to_string();
        if name == "SUMMARY.md" {
            continue;
        }
        assert!(summary.contains(&format!("({name})")), "{name} is not in SUMMARY.md");
        for (file, anchor) in inclusions(&fs::read_to_string(&path).expect("a page")) {
            let text = fs::read_to_string(book().join(&file)).unwrap_or_else(|error| panic!("{name}: {file}: {error}"));
            assert!(!anchored(&text, &anchor).is_empty(), "{name}: {file} has no anchor {anchor}");
            included += 1;
        }
    }
    assert!(included >= 4, "{included} inclusions");
}

#[test]
fn the_first_protocol_takes_eighty_lines_in_three_worlds() {
    let code = include_str!("first_protocol.rs");
    let lines: usize =
        ["message", "protocol", "worlds", "checked"].iter().map(|anchor| anchored(code, anchor).len()).sum();
    assert_eq!(lines, 80, "the chapter says eighty");
}
