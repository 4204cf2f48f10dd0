//! `volvox lab list` and `volvox lab show`.

use super::terminal::say;
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;
use volvox_chapters::REGISTRY;
use volvox_core::When;
use volvox_lab::chapter::World;
use volvox_lab::coverage::{GROUPS, Line, done_of};
use volvox_lab::model::Expects;
use volvox_lab::shell::Shell;

/// Which chapter is shown.
#[derive(Args, Debug)]
pub struct ShowArguments {
    /// Which protocol; `volvox lab list` names them
    pub protocol: String,
    /// Show all of the module
    #[arg(long)]
    pub source: bool,
}

/// Prints the coverage, and the protocols.
///
/// # Errors
/// Never; the signature is that of the other commands.
pub fn list(json: bool) -> Result<ExitCode> {
    let (all, lines) = (REGISTRY.chapters().collect::<Vec<_>>(), REGISTRY.recorded());
    let done: usize = GROUPS.iter().map(|group| done_of(&lines, group.id).len()).sum();
    let of: usize = GROUPS.iter().map(|group| group.rows).sum();
    if json {
        let groups = GROUPS.iter().map(|group| {
            let done = done_of(&lines, group.id);
            json!({ "group": group.id, "name": group.name, "done": done.len(), "of": group.rows, "mechanisms": done })
        });
        let groups: Vec<Value> = groups.collect();
        let protocols: Vec<Value> = all.iter().map(|shell| document(*shell, &lines)).collect();
        say(format_args!("{}\n", json!({ "done": done, "of": of, "groups": groups, "protocols": protocols })));
        return Ok(ExitCode::SUCCESS);
    }
    say(format_args!("{:<24} {:<10} {:<24} what\n", "protocol", "state", "mechanisms"));
    for shell in &all {
        let card = shell.card();
        let state = if is_done(&lines, card.id) { "done" } else { "open" };
        say(format_args!("{:<24} {state:<10} {:<24} {}\n", card.id, card.mechanisms.join(" "), card.title));
    }
    say(format_args!("\n{:<44} done of\n", "mechanisms of the catalogue"));
    for group in GROUPS {
        let done = done_of(&lines, group.id);
        if !done.is_empty() {
            say(format_args!(
                "  {:<4} {:<37} {:>4} {:>2}  {}\n",
                group.id,
                group.name,
                done.len(),
                group.rows,
                bar(done.len(), group.rows)
            ));
        }
    }
    let others: Vec<String> = GROUPS
        .iter()
        .filter(|group| done_of(&lines, group.id).is_empty())
        .map(|group| format!("{} {}", group.id, group.rows))
        .collect();
    say(format_args!("  {:<42} {done:>4} {of}\n", "all"));
    say(format_args!("\nnone yet of: {}\n", others.join(", ")));
    say(format_args!("`volvox lab show P` tells a chapter, `volvox lab run P --diagram` draws a run of it\n"));
    Ok(ExitCode::SUCCESS)
}

/// Prints a chapter.
///
/// # Errors
/// When there is no such protocol.
pub fn show(arguments: &ShowArguments, json: bool) -> Result<ExitCode> {
    let shell = REGISTRY.find(&arguments.protocol)?;
    let card = shell.card();
    if json {
        say(format_args!("{}\n", document(shell, &REGISTRY.recorded())));
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.source {
        say(format_args!("{}", card.source));
        return Ok(ExitCode::SUCCESS);
    }
    say(format_args!("{} ({})\n{}\n\n", card.title, card.mechanisms.join(", "), card.reference));
    // The prose of a module is its header.
    for line in card.source.lines().take_while(|line| line.starts_with("//!")) {
        say(format_args!("{}\n", line.trim_start_matches("//!").strip_prefix(' ').unwrap_or("")));
    }
    let nodes = card.nodes;
    let (least, most) = (nodes.least, nodes.most);
    say(format_args!("\nIt runs with {least} to {most} nodes, and with {} when nothing is said.\n", nodes.default));
    say(format_args!("\n# What must hold\n\n"));
    for property in shell.properties().cards() {
        say(format_args!("- {} ({}): {}\n", property.name, when(property.when), property.source));
    }
    if !card.rules.is_empty() {
        say(format_args!("\n# Rules that can be taken out (--without RULE)\n\n"));
        card.rules.iter().for_each(|rule| say(format_args!("- {}: {}\n", rule.name, rule.text)));
    }
    let models = shell.models();
    if !models.is_empty() {
        say(format_args!("\n# What is explored (volvox lab check {})\n\n", card.id));
        models
            .iter()
            .for_each(|model| say(format_args!("- {}: {}; {}\n", model.name, model.text, expected(model.expects))));
    }
    let claims = shell.claims();
    if !claims.is_empty() {
        say(format_args!("\n# What is measured (volvox lab claim)\n\n"));
        claims.iter().for_each(|claim| say(format_args!("- {}: {}\n", claim.id, claim.text)));
    }
    say(format_args!("\n# The scenario (volvox lab run {} --diagram)\n\n{}\n", card.id, card.scenario.trim_end()));
    for golden in card.golden {
        say(format_args!("\n# The golden script {}\n\n{}\n", golden.name, golden.text.trim_end()));
    }
    Ok(ExitCode::SUCCESS)
}

fn document(shell: &dyn Shell, lines: &[Line]) -> Value {
    let card = shell.card();
    let properties = shell
        .properties()
        .cards()
        .into_iter()
        .map(|property| json!({ "name": property.name, "when": when(property.when), "source": property.source }));
    let rules = card.rules.iter().map(|rule| json!({ "name": rule.name, "text": rule.text }));
    let models = shell
        .models()
        .into_iter()
        .map(|model| json!({ "name": model.name, "text": model.text, "expects": expected(model.expects) }));
    let claims = shell.claims().into_iter().map(|claim| json!({ "id": claim.id, "text": claim.text }));
    let worlds = card.worlds.iter().map(|world| match world {
        World::Simulated => "simulated",
        World::Checked => "checked",
        World::Live => "live",
    });
    json!({
        "id": card.id,
        "title": card.title,
        "mechanisms": card.mechanisms,
        "worlds": worlds.collect::<Vec<_>>(),
        "reference": card.reference,
        "nodes": { "least": card.nodes.least, "most": card.nodes.most, "default": card.nodes.default },
        "properties": properties.collect::<Vec<_>>(),
        "rules": rules.collect::<Vec<_>>(),
        "models": models.collect::<Vec<_>>(),
        "claims": claims.collect::<Vec<_>>(),
        "golden": card.golden.iter().map(|golden| golden.name).collect::<Vec<_>>(),
        "done": is_done(lines, card.id),
    })
}

fn is_done(lines: &[Line], id: &str) -> bool {
    lines.iter().any(|line| line.id == id && line.is_done)
}

fn when(when: When) -> &'static str {
    match when {
        When::Always => "always",
        When::AtEnd => "at the end",
    }
}

fn expected(expects: Expects) -> String {
    match expects {
        Expects::Holds { states } => format!("holds in {states} states"),
        Expects::Counterexample { property, steps } => format!("breaks \"{property}\" in {steps} steps"),
    }
}

fn bar(done: usize, of: usize) -> String {
    "#".repeat(done) + &".".repeat(of - done.min(of))
}
