//! Gaps in the models of a chapter: words of its protocol that no model ever exercises, each with a reason.
//!
//! A property that holds says nothing about a message that no model ever sends. The words of a protocol are listed beside it,
//! and every model counts which of them it exercised; what is left over all models of a chapter is listed in its family's
//! `never.txt`, each with a reason, and the test of the family compares. So a new gap is seen, and an old one has an excuse
//! that a reader can judge. Branches count where they say themselves that they ran: by a note.

use crate::shell::Shell;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use volvox_check::{Exercised, Universe};

/// Something that no model of a chapter shows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Never {
    /// The chapter.
    pub entry: String,
    /// The word, with what it is: `message Release`, `fault loss`, `note ignored: not requested`.
    pub what: String,
    /// The reason. Empty where none is given yet.
    pub why: String,
}

/// Reads a `never.txt`: lines of `chapter | what | why`, prose behind `#`.
///
/// # Errors
/// When a line is none.
pub fn read(text: &str) -> Result<Vec<Never>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty());
    let read = lines.map(|(number, line)| {
        let mut parts = line.splitn(3, " | ").map(|part| part.trim().to_string());
        match (parts.next(), parts.next(), parts.next()) {
            (Some(entry), Some(what), Some(why)) => Ok(Never { entry, what, why }),
            _ => Err(format!("never.txt, line {}: expected `chapter | what | why`", number + 1)),
        }
    });
    read.collect()
}

/// The file with these lines, below the prose that it begins with.
pub fn print(before: &str, all: impl Iterator<Item = Never>) -> String {
    let comments = before.lines().take_while(|line| line.starts_with('#'));
    let text: String = comments.map(|line| format!("{line}\n")).collect();
    all.fold(text, |text, Never { entry, what, why }| format!("{text}{entry} | {what} | {why}\n"))
}

/// The words of a chapter that none of its models showed; the reasons are those that are known.
pub fn of(shell: &dyn Shell, happened: &Exercised, notes: &BTreeSet<String>, known: &[Never]) -> Vec<Never> {
    let notes: Vec<&str> = notes.iter().map(String::as_str).collect();
    let universe = Universe { notes: &notes, ..shell.universe() };
    let entry = shell.card().id;
    let why = |what: &str| {
        let found = known.iter().find(|never| never.entry == entry && never.what == what);
        found.map(|never| never.why.clone()).unwrap_or_default()
    };
    let all = happened.never(&universe).into_iter();
    all.map(|what| Never { entry: entry.to_string(), why: why(&what), what }).collect()
}

/// The texts of all notes of a protocol, as its source says them. The source of a chapter is the head of its module: the
/// file among the crates that says the same, with the files below it.
pub fn notes_of(source: &str, crates: &Path) -> BTreeSet<String> {
    let mut files = Vec::new();
    rust_files(crates, &mut files);
    let is_head = |file: &&PathBuf| fs::read_to_string(file).is_ok_and(|text| text == source);
    let Some(head) = files.iter().find(is_head) else { return BTreeSet::new() };
    let below = match head.file_stem().and_then(|stem| stem.to_str()) {
        Some("mod" | "lib") => head.parent().map(Path::to_path_buf),
        _ => Some(head.with_extension("")),
    };
    let is_part = |file: &&PathBuf| *file == head || below.as_ref().is_some_and(|folder| file.starts_with(folder));
    let parts = files.iter().filter(is_part).filter_map(|file| fs::read_to_string(file).ok());
    parts.flat_map(|text| notes_in(&text)).collect()
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    files.sort();
}

/// The literals behind `.note(`, without those of the tests below the code.
fn notes_in(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let calls = code.split(".note(").skip(1);
    let literals = calls.filter_map(|call| call.trim_start().strip_prefix('"')?.split('"').next());
    literals.map(str::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_back_as_printed_and_a_line_without_a_reason_is_no_line() {
        let text = "# prose\nleases | fault doubling | links do not double\nleases | note late: by a tick | \n";
        let read = read(text).unwrap();
        assert_eq!((read[0].what.as_str(), read[1].why.as_str()), ("fault doubling", ""));
        assert_eq!(print(text, read.into_iter()), text);
        assert_eq!(super::read("leases, fault").unwrap_err(), "never.txt, line 1: expected `chapter | what | why`");
    }

    #[test]
    fn the_notes_of_a_protocol_are_those_of_its_module() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let source = fs::read_to_string(crates.join("clocks/src/cristian.rs")).unwrap();
        let notes = notes_of(&source, &crates);
        assert!(notes.contains("ignored: answers an older request"), "{notes:?}");
        assert!(!notes.iter().any(|note| note.contains("is a server")), "those of another module: {notes:?}");
        assert_eq!(notes_in("cx.note(why, 0); cx.note(\n  \"a\", 1); #[cfg(test)] cx.note(\"b\", 0)"), ["a"]);
    }
}
