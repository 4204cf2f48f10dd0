//! `volvox lab list`: the coverage of the catalogue.

use super::show::document;
use super::terminal::say;
use anyhow::Result;
use serde_json::{Value, json};
use std::process::ExitCode;
use volvox_chapters::REGISTRY;
use volvox_lab::catalogue::Catalogue;
use volvox_lab::coverage::{done_of, standing};
use volvox_lab::recorded::Line;
use volvox_lab::registry::Entry;

/// Prints the coverage, and the entries.
///
/// # Errors
/// When entries depend on one another in a cycle.
pub fn list(json: bool) -> Result<ExitCode> {
    let (all, lines) = (REGISTRY.in_reading_order()?, REGISTRY.recorded());
    let catalogue = Catalogue::get();
    let done: usize = catalogue.groups.iter().map(|group| done_of(&lines, group.id, catalogue).len()).sum();
    let of = catalogue.mechanisms.len();
    if json {
        let groups = catalogue.groups.iter().map(|group| {
            let (done, of) = (done_of(&lines, group.id, catalogue), catalogue.rows_of(group.id).count());
            json!({ "group": group.id, "name": group.name, "done": done.len(), "of": of, "mechanisms": done })
        });
        let groups: Vec<Value> = groups.collect();
        let protocols: Vec<Value> =
            all.iter().filter(|entry| entry.protocol().is_some()).map(|entry| document(*entry, &lines)).collect();
        let entries: Vec<Value> = all.iter().map(|entry| document(*entry, &lines)).collect();
        let document = json!({ "done": done, "of": of, "groups": groups, "protocols": protocols, "entries": entries });
        say(format_args!("{document}\n"));
        return Ok(ExitCode::SUCCESS);
    }
    let cells: Vec<[String; 4]> = all.iter().map(|entry| cells(*entry, &lines)).collect();
    let heads = ["entry", "level", "needs", "mechanisms"].map(str::to_string);
    let wide = |column: usize| {
        cells.iter().chain([&heads]).map(|cells| cells[column].chars().count()).max().unwrap_or_default()
    };
    let widths: [usize; 4] = std::array::from_fn(wide);
    let line = |number: &str, cells: &[String; 4], title: &str| {
        let columns = cells.iter().zip(widths).map(|(cell, wide)| format!("{cell:<wide$}  "));
        say(format_args!("{number:>2}  {}{title}\n", columns.collect::<String>()));
    };
    line("", &heads, "what");
    for (place, (entry, cells)) in all.iter().zip(&cells).enumerate() {
        let kind = if entry.protocol().is_some() { "" } else { entry.kind() };
        let kind = if kind.is_empty() { String::new() } else { format!(" ({kind})") };
        line(&(place + 1).to_string(), cells, &format!("{}{kind}", entry.card().title));
    }
    say(format_args!("\n{:<44} done of\n", "mechanisms of the catalogue"));
    let mut others = Vec::new();
    for group in &catalogue.groups {
        let (done, of) = (done_of(&lines, group.id, catalogue).len(), catalogue.rows_of(group.id).count());
        if done == 0 {
            others.push(format!("{} {of}", group.id));
            continue;
        }
        say(format_args!("  {:<4} {:<37} {done:>4} {of:>2}  {}\n", group.id, group.name, bar(done, of)));
    }
    say(format_args!("  {:<42} {done:>4} {of}\n", "all"));
    say(format_args!("\nnone yet of: {}\n", others.join(", ")));
    say(format_args!(
        "each entry needs only those before it; the level is the reading time. `volvox lab show ID` prints an entry or a \
         row, and its open demands; `volvox lab questions ID` prints its questions; `volvox lab run P --diagram` draws a run\n"
    ));
    Ok(ExitCode::SUCCESS)
}

/// The cells of an entry: its name, its level, the entries that it needs, and its mechanisms.
fn cells(entry: Entry, lines: &[Line]) -> [String; 4] {
    let card = entry.card();
    let needs = if card.reading.needs.is_empty() { "-".to_string() } else { card.reading.needs.join(", ") };
    [card.id.to_string(), card.reading.level.to_string(), needs, mechanisms(entry, lines)]
}

/// The rows that an entry covers; a row that is not done is marked.
fn mechanisms(entry: Entry, lines: &[Line]) -> String {
    let is_done = |id: &str| standing(lines, id, Catalogue::get()).is_some_and(|standing| standing.is_done());
    let told = |id: &&str| if is_done(id) { id.to_string() } else { format!("{id} (open)") };
    entry.card().mechanisms.iter().map(told).collect::<Vec<_>>().join(" ")
}

fn bar(done: usize, of: usize) -> String {
    "#".repeat(done) + &".".repeat(of - done.min(of))
}
