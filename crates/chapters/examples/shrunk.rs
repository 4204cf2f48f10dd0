//! The table of counterexamples: how short each violation becomes.
//!
//! ```text
//! cargo run -p volvox-chapters --release --example shrunk [-- [--show] PROTOCOL...]
//! ```
//! Removes every rule of every chapter in turn, sweeps seeds until a property breaks, and shrinks the failure; `--show`
//! prints it. The counterexamples of the checker follow, which are shortest by construction.

#![allow(clippy::disallowed_methods, reason = "the duration is only printed for people")]

use std::time::Instant;
use volvox_chapters::REGISTRY;
use volvox_lab::shrink::{self, SweepRequest};

/// The number of seeds after which the sweep for a rule gives up.
const SEEDS_MAX: u64 = 20_000;

fn main() {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let shows = words.iter().any(|word| word == "--show");
    words.retain(|word| word != "--show");
    let is_wanted = |id: &str| words.is_empty() || words.iter().any(|word| word == id);
    let mut lengths = Vec::new();
    println!(
        "{:<22} {:<22} {:>6} {:>9} {:>9} {:>8} {:>7} {:>8}  breaks",
        "protocol", "without", "seeds", "decisions", "actions", "left", "events", "seconds"
    );
    for shell in REGISTRY.chapters() {
        let card = shell.card();
        for rule in card.rules.iter().filter(|_| is_wanted(card.id)) {
            let begun = Instant::now();
            let request =
                SweepRequest { seeds: SEEDS_MAX, without: Some(rule.name.to_string()), ..SweepRequest::default() };
            let report =
                shrink::sweep(shell, &request, &|_, _| {}).unwrap_or_else(|error| panic!("{}: {error}", card.id));
            let seconds = begun.elapsed().as_secs_f64();
            print!("{:<22} {:<22} {:>6} ", card.id, rule.name, report.seeds);
            match report.found.first() {
                Some(found) => {
                    lengths.push(found.events);
                    let (decisions, actions) = (found.decisions.0, found.actions.0);
                    let by_hand = if found.text.is_some() { "" } else { " (only its decisions)" };
                    println!(
                        "{decisions:>9} {actions:>9} {:>8} {:>7} {seconds:>8.1}  {}{by_hand}",
                        found.actions.1, found.events, found.breach.property
                    );
                    if let Some(text) = found.text.as_ref().filter(|_| shows) {
                        println!("\n{text}");
                    }
                }
                None => println!("{:>9} {:>9} {:>8} {:>7} {seconds:>8.1}  nothing", "-", "-", "-", "-"),
            }
        }
    }
    println!("\n{:<22} {:<58} {:>7} {:>8}  breaks", "protocol", "model", "events", "seconds");
    for shell in REGISTRY.chapters() {
        let id = shell.card().id;
        for model in shell.models().into_iter().filter(|_| is_wanted(id)) {
            let Some((property, _)) = model.expects.counterexample() else { continue };
            let explored = (model.explore)();
            let seconds = explored.took.as_secs_f64();
            let Some(found) = explored.found else { panic!("{id}, {}: nothing is found", model.name) };
            lengths.push(found.actions.len());
            println!("{id:<22} {:<58} {:>7} {seconds:>8.1}  {property}", model.name, found.actions.len());
        }
    }
    lengths.sort_unstable();
    println!("events: {lengths:?}");
    let (count, median) = (lengths.len(), lengths.get(lengths.len() / 2).copied().unwrap_or_default());
    println!(
        "\n{count} counterexamples, median {median} events, longest {}",
        lengths.last().copied().unwrap_or_default()
    );
}
