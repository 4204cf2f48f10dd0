//! `volvox lab show`: prints an entry, a row of the catalogue with the evidence for each of its demands, or a claim.

use super::questions;
use super::terminal::say;
use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;
use volvox_chapters::REGISTRY;
use volvox_core::When;
use volvox_lab::ask::{Bound, Range};
use volvox_lab::catalogue::{Catalogue, ClaimRow, Demand, DemandKind, Mechanism};
use volvox_lab::chapter::{Golden, World};
use volvox_lab::coverage::{evidence_of, standing};
use volvox_lab::evidence::{Evidence, recorded_clients};
use volvox_lab::model::Expects;
use volvox_lab::prose;
use volvox_lab::reading::Reading;
use volvox_lab::recorded::Line;
use volvox_lab::registry::{Entry, Experiment};
use volvox_lab::shell::Shell;

/// The arguments of `lab show`.
#[derive(Args, Debug)]
pub struct ShowArguments {
    /// An entry, such as raft; a row of the catalogue, such as MTX-03; or a claim, such as Q-MTX-3. `volvox lab list`
    /// names the entries
    #[arg(value_name = "ID")]
    pub id: String,
    /// Show the whole module
    #[arg(long)]
    pub source: bool,
    /// Show the golden scripts as well: runs with the effects of each message
    #[arg(long)]
    pub scripts: bool,
}

/// Prints an entry, a row or a claim.
///
/// # Errors
/// When nothing has this name.
pub fn show(arguments: &ShowArguments, json: bool) -> Result<ExitCode> {
    let (catalogue, upper) = (Catalogue::get(), arguments.id.to_uppercase());
    if let Some(row) = catalogue.mechanism(&upper) {
        mechanism(row, json);
    } else if let Some(row) = catalogue.claim(&upper) {
        claim(row, json);
    } else if is_identifier(&upper) {
        bail!(
            "the catalogue has no {}; the nearest is {}. `volvox lab list` names every entry",
            arguments.id,
            catalogue.nearest(&upper)
        );
    } else {
        entry(REGISTRY.entry(&arguments.id)?, arguments, json)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether a name has the form of an identifier of the catalogue: `MTX-03`, `Q-MTX-3`.
fn is_identifier(text: &str) -> bool {
    let letters_and_number = text.trim_start_matches("Q-").split_once('-');
    letters_and_number.is_some_and(|(letters, number)| {
        letters.len() == 3
            && letters.chars().all(|letter| letter.is_ascii_uppercase())
            && number.chars().all(|digit| digit.is_ascii_digit())
    })
}

fn mechanism(row: &Mechanism, json: bool) {
    let (catalogue, lines) = (Catalogue::get(), REGISTRY.recorded());
    let standing = standing(&lines, row.id, catalogue).expect("it is of the catalogue");
    let evidence = |demand: Demand| -> Vec<(String, Evidence)> {
        let shown = evidence_of(REGISTRY, row.id).into_iter().filter(|shown| {
            let met = lines.iter().find(|line| line.id == shown.entry).map(|line| &line.met);
            met.is_some_and(|met| {
                met.iter().any(|(id, met)| id == row.id && met.iter().any(|name| name == demand.name))
            })
        });
        shown
            .flat_map(|shown| {
                shown.of(demand).unwrap_or_default().into_iter().map(move |one| (shown.entry.clone(), one))
            })
            .collect()
    };
    if json {
        let demands = row.demands.iter().map(|demand| {
            let evidence =
                evidence(*demand).into_iter().map(|(entry, one)| json!({ "entry": entry, "evidence": told(&one) }));
            json!({
                "kind": format!("{:?}", demand.kind).to_lowercase(), "name": demand.name, "asked": demand.is_asked(),
                "met": !standing.open.contains(demand), "evidence": evidence.collect::<Vec<_>>(),
            })
        });
        let document = json!({
            "id": row.id, "title": row.title, "worlds": row.worlds, "entries": standing.entries,
            "done": standing.is_done(), "demands": demands.collect::<Vec<_>>(),
        });
        return say(format_args!("{document}\n"));
    }
    let state = if standing.is_done() { "done" } else { "open" };
    say(format_args!("{} {}: {state}\n", row.id, row.title));
    if standing.entries.is_empty() {
        return say(format_args!(
            "no entry covers it yet; it must be shown in these worlds: {}\n",
            row.worlds.join(", ")
        ));
    }
    say(format_args!("covered by {}\n\n", standing.entries.join(", ")));
    for demand in &row.demands {
        say(format_args!("{demand}\n"));
        if standing.open.contains(demand) {
            let why = if demand.is_asked() {
                ""
            } else {
                ": there is no interface that it could use yet, so it is not required"
            };
            say(format_args!("        open{why}\n"));
        }
        evidence(*demand).iter().for_each(|(entry, one)| say(format_args!("        {} ({entry})\n", told(one))));
    }
}

/// The evidence in words; for a foreign client, when it last ran.
fn told(evidence: &Evidence) -> String {
    let green = recorded_clients().into_iter().find(|green| *evidence == Evidence::Compat(green.client.clone()));
    green.map_or_else(
        || evidence.to_string(),
        |green| format!("{evidence}: version {}, {}, commit {}", green.version, green.date, green.commit),
    )
}

fn claim(row: &ClaimRow, json: bool) {
    let measured = REGISTRY.entries().find_map(|entry| {
        let claim = entry.claims().into_iter().find(|claim| claim.id == row.id)?;
        Some((entry.card().id, claim))
    });
    let rows: Vec<&str> = Catalogue::get()
        .mechanisms
        .iter()
        .filter(|mechanism| mechanism.demanded(row.id).is_some_and(|demand| demand.kind == DemandKind::Claim))
        .map(|mechanism| mechanism.id)
        .collect();
    if json {
        let (entry, text) = measured.map_or((None, None), |(entry, claim)| (Some(entry), Some(claim.text)));
        let document = json!({ "id": row.id, "about": row.about, "mechanisms": rows, "entry": entry, "text": text });
        return say(format_args!("{document}\n"));
    }
    say(format_args!("{}: {}\n", row.id, row.about));
    if !rows.is_empty() {
        say(format_args!("required by {}\n", rows.join(", ")));
    }
    match measured {
        Some((entry, claim)) => say(format_args!(
            "measured by {entry}: {}\nbroken for the test: {}\n`volvox lab claim {}` measures it\n",
            claim.text, claim.breakage, row.id
        )),
        None => say(format_args!("open: not measured yet\n")),
    }
}

fn entry(entry: Entry, arguments: &ShowArguments, json: bool) -> Result<()> {
    let (card, lines) = (entry.card(), REGISTRY.recorded());
    if json {
        let mut document = document(entry, &lines);
        document["text"] = json!(prose::of(card.source));
        say(format_args!("{document}\n"));
        return Ok(());
    }
    if arguments.source {
        say(format_args!("{}", card.source));
        return Ok(());
    }
    let mechanisms = match card.mechanisms {
        [] => "not a row of the catalogue".to_string(),
        rows => rows.join(", "),
    };
    say(format_args!("{} ({}, {mechanisms})\n{}\n", card.title, entry.kind(), card.reference));
    before(entry);
    // The title is that of the card.
    let prose = prose::of(card.source);
    say(prose.split_once('\n').map_or("", |(_, rest)| rest).trim_start());
    match entry {
        Entry::Protocol(shell) => properties(shell),
        Entry::Experiment(experiment) => parameters(experiment),
        Entry::Service(_) => {}
    }
    let (models, claims) = (entry.models(), entry.claims());
    if !models.is_empty() {
        say(format_args!("\n# What is explored (volvox lab check {})\n\n", card.id));
        models
            .iter()
            .for_each(|model| say(format_args!("- {}: {}; {}\n", model.name, model.text, expected(model.expects))));
    }
    if let Some(asking) = entry.protocol().and_then(|shell| shell.asking()) {
        say(format_args!("\n# What may be asked (volvox lab check {} --BOUND VALUE ...)\n\n", card.id));
        asking.bounds().iter().for_each(|bound| say(format_args!("- {bound}\n")));
    }
    let never = REGISTRY.never(card.id);
    if !never.is_empty() {
        say(format_args!("\n# What none of its models shows, and why\n\n"));
        never.iter().for_each(|never| say(format_args!("- {}: {}\n", never.what, never.why)));
    }
    if !claims.is_empty() {
        say(format_args!("\n# What is measured (volvox lab claim {})\n\n", card.id));
        claims.iter().for_each(|claim| say(format_args!("- {}: {}\n", claim.id, claim.text)));
    }
    let questions = questions::of(entry)?;
    if !questions.is_empty() {
        say(format_args!("\n# Predict, then run (volvox lab questions {} --answers)\n", card.id));
        questions.iter().for_each(|one| say(format_args!("\n{}\n\n    volvox {}\n", one.text, one.command)));
    }
    if let Entry::Protocol(shell) = entry {
        let card = shell.card();
        say(format_args!("\n# The scenario (volvox lab run {} --diagram)\n\n{}\n", card.id, card.scenario.trim_end()));
        scripts(card.golden, arguments.scripts);
    }
    rows(entry, &lines);
    Ok(())
}

/// The golden scripts: their names, or all of them.
fn scripts(all: &[Golden], are_whole: bool) {
    let names: Vec<&str> = all.iter().map(|golden| golden.name).collect();
    say(format_args!("\n# Runs message by message (--scripts)\n\n{}\n", names.join(", ")));
    for golden in all.iter().filter(|_| are_whole) {
        say(format_args!("\n## {}\n\n{}\n", golden.name, golden.text.trim_end()));
    }
}

/// The entries that a reader needs before this one, the reading time, and the lesson.
fn before(entry: Entry) {
    let Reading { needs, level, teaches } = entry.card().reading;
    let needs = if needs.is_empty() { "no other chapter".to_string() } else { needs.join(", ") };
    say(format_args!("teaches {teaches}\nneeds {needs}; takes a reader one {level}\n\n"));
}

fn properties(shell: &dyn Shell) {
    let card = shell.card();
    let (least, most) = (card.nodes.least, card.nodes.most);
    say(format_args!("\nIt runs with {least} to {most} nodes, {} by default.\n", card.nodes.default));
    let forms: Vec<String> = shell.forms().iter().map(|form| format!("`{form}`")).collect();
    say(format_args!("A node is asked: {}.\n", forms.join(", ")));
    say(format_args!("\n# What must hold\n\n"));
    for property in shell.properties().cards() {
        say(format_args!("- {} ({}): {}\n", property.name, when(property.when), property.source));
    }
    for (assumption, because) in shell.restarts().assumptions() {
        say(format_args!("- when nodes restart in the middle of a question: {assumption} (\"{because}\")\n"));
    }
    if !card.rules.is_empty() {
        say(format_args!("\n# Rules that can be removed (--without RULE)\n\n"));
        card.rules.iter().for_each(|rule| say(format_args!("- {}: {}\n", rule.name, rule.text)));
    }
}

fn parameters(experiment: &Experiment) {
    say(format_args!("\n# Parameters\n\n"));
    experiment.parameters.iter().for_each(|(name, value)| say(format_args!("- {name}: {value}\n")));
}

/// The state of the rows that it covers.
fn rows(entry: Entry, lines: &[Line]) {
    let card = entry.card();
    if card.mechanisms.is_empty() {
        return;
    }
    say(format_args!("\n# The rows of the catalogue (volvox lab show ID)\n\n"));
    for id in card.mechanisms {
        let Some(standing) = standing(lines, id, Catalogue::get()) else { continue };
        let open: Vec<&str> = standing.open.iter().map(|demand| demand.name).collect();
        match (standing.is_done(), open.is_empty()) {
            (true, true) => say(format_args!("- {id}: done\n")),
            (true, false) => {
                say(format_args!("- {id}: done, except for what has no interface yet: {}\n", open.join("; ")))
            }
            (false, _) => say(format_args!("- {id}: open: {}\n", open.join("; "))),
        }
    }
}

/// An entry as a JSON document.
pub fn document(entry: Entry, lines: &[Line]) -> Value {
    let card = entry.card();
    let is_done = |id: &str| standing(lines, id, Catalogue::get()).is_some_and(|standing| standing.is_done());
    let models = entry
        .models()
        .into_iter()
        .map(|model| json!({ "name": model.name, "text": model.text, "expects": expected(model.expects) }));
    let claims = entry.claims().into_iter().map(|claim| json!({ "id": claim.id, "text": claim.text }));
    let mut document = json!({
        "id": card.id,
        "kind": entry.kind(),
        "title": card.title,
        "mechanisms": card.mechanisms,
        "reference": card.reference,
        "needs": card.reading.needs,
        "level": card.reading.level.to_string(),
        "teaches": card.reading.teaches,
        "models": models.collect::<Vec<_>>(),
        "claims": claims.collect::<Vec<_>>(),
        "sound": lines.iter().any(|line| line.id == card.id && line.is_sound),
        "done": card.mechanisms.iter().filter(|id| is_done(id)).collect::<Vec<_>>(),
    });
    match entry {
        Entry::Protocol(shell) => of_protocol(shell, &mut document),
        Entry::Experiment(experiment) => {
            let parameters = experiment.parameters.iter().map(|(name, value)| json!({ "name": name, "value": value }));
            document["parameters"] = parameters.collect();
        }
        Entry::Service(_) => {}
    }
    document
}

fn of_protocol(shell: &dyn Shell, document: &mut Value) {
    let card = shell.card();
    let properties = shell
        .properties()
        .cards()
        .into_iter()
        .map(|property| json!({ "name": property.name, "when": when(property.when), "source": property.source }));
    document["properties"] = properties.collect();
    document["rules"] = card.rules.iter().map(|rule| json!({ "name": rule.name, "text": rule.text })).collect();
    let worlds = card.worlds.iter().map(|world| match world {
        World::Simulated => "simulated",
        World::Checked => "checked",
        World::Live => "live",
    });
    document["worlds"] = worlds.collect();
    document["nodes"] = json!({ "least": card.nodes.least, "most": card.nodes.most, "default": card.nodes.default });
    let bounds = shell.asking().map(|asking| asking.bounds()).unwrap_or_default();
    document["bounds"] = bounds.iter().map(bound).collect();
    document["commands"] = shell.forms().into();
    let assumptions = shell.restarts().assumptions().into_iter();
    document["restarts"] =
        assumptions.map(|(assumption, because)| json!({ "assumption": assumption, "because": because })).collect();
    document["golden"] = card.golden.iter().map(|golden| golden.name).collect();
}

fn bound(bound: &Bound) -> Value {
    let Bound { name, text, range, default } = bound;
    match range {
        Range::Numbers { least, most, unit } => {
            json!({ "name": name, "text": text, "unit": unit, "least": least, "most": most, "default": default })
        }
        Range::Words(words) => {
            json!({ "name": name, "text": text, "words": words, "default": words[*default as usize] })
        }
    }
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
        Expects::Without { rule, property, steps } => {
            format!("shows the rule {rule}: breaks \"{property}\" in {steps} steps")
        }
    }
}
