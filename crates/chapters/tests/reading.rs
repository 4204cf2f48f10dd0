//! The reading order: the registry has one, and the page of the book is that one. `UPDATE=1` writes the page again.

use std::path::Path;
use volvox_chapters::REGISTRY;
use volvox_lab::registry::Entry;

/// The row of an entry in the book.
fn row(entry: Entry) -> String {
    let card = entry.card();
    let reading = card.reading;
    let needs = if reading.needs.is_empty() { "-".to_string() } else { reading.needs.join(", ") };
    let name = match card.questions {
        "" => card.id.to_string(),
        _ => format!("[{0}](questions/{0}.md)", card.id),
    };
    format!("| {name} | {needs} | {} | {} |", reading.level, reading.teaches)
}

#[test]
fn every_entry_stands_after_all_that_it_needs() {
    let order = REGISTRY.in_reading_order().unwrap_or_else(|error| panic!("{error}"));
    let names: Vec<&str> = order.iter().map(|entry| entry.card().id).collect();
    assert_eq!(names.len(), REGISTRY.entries().count(), "an entry is missing, or stands twice: {names:?}");
    for (place, entry) in order.iter().enumerate() {
        let card = entry.card();
        for needed in card.reading.needs {
            let at = names.iter().position(|name| name == needed);
            assert!(at.is_some_and(|at| at < place), "{} stands before {needed}, which it needs", card.id);
        }
        assert!(!card.reading.teaches.is_empty(), "{} teaches nothing", card.id);
    }
}

#[test]
fn the_page_of_the_book_is_that_order() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/src/reading-order.md");
    let page = std::fs::read_to_string(&file).expect("the page");
    let order = REGISTRY.in_reading_order().expect("an order");
    let wanted: Vec<String> = order.into_iter().map(row).collect();
    let (head, rest) = page.split_once("|---|---|---|---|\n").expect("a table");
    let end = rest.lines().position(|line| !line.starts_with('|')).expect("text after the table");
    let rows: Vec<&str> = rest.lines().take(end).collect();
    if std::env::var_os("UPDATE").is_some() {
        let tail: Vec<&str> = rest.lines().skip(end).collect();
        let text = format!("{head}|---|---|---|---|\n{}\n{}\n", wanted.join("\n"), tail.join("\n"));
        std::fs::write(&file, text).expect("the page is written");
        return;
    }
    assert_eq!(rows, wanted, "UPDATE=1 cargo test -p volvox-chapters writes the table again");
}
