//! `volvox lab claim`.

use super::code;
use super::run::check_writable;
use super::terminal::{self, say};
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use volvox_chapters::REGISTRY;
use volvox_core::vocabulary::nearest;
use volvox_lab::catalogue::{Catalogue, ClaimRow};
use volvox_lab::claim::{self, Claim, Row, Verdict};

/// The arguments of `lab claim`.
#[derive(Args, Debug)]
#[group(skip)]
pub struct ClaimArguments {
    /// The claims, such as Q-MTX-3, or an entry, such as eight-fallacies, for all of its claims
    #[arg(value_name = "ID")]
    pub claims: Vec<String>,
    /// Measure every claim
    #[arg(long, conflicts_with = "claims")]
    pub all: bool,
    /// Measure each claim also with its protocol broken, and see it fail
    #[arg(long)]
    pub broken: bool,
    /// Write the pictures of claims that have one to this folder
    #[arg(long, value_name = "FOLDER")]
    pub svg: Option<PathBuf>,
}

/// Measures.
///
/// # Errors
/// When there is no such claim, or a picture cannot be written.
pub fn measure(arguments: &ClaimArguments, json: bool) -> Result<ExitCode> {
    let known = known();
    if arguments.claims.is_empty() && !arguments.all {
        let names: Vec<&str> = known.keys().copied().collect();
        bail!("which claim? --all measures every one; there are: {}", names.join(", "));
    }
    let wanted: Vec<&str> = if arguments.all {
        known.keys().copied().collect()
    } else {
        arguments.claims.iter().map(|id| named(id, &known)).collect::<Result<Vec<_>>>()?.concat()
    };
    arguments.svg.as_deref().map_or(Ok(()), prepare)?;
    let (mut documents, mut plots, mut counts) = (Vec::new(), Vec::new(), Counts::default());
    for id in &wanted {
        let (protocol, claim) = &known[id];
        terminal::progress(json, &format!("{id}: {}", claim.text));
        let rows = (claim.measure)();
        terminal::progress(json, "");
        let verdict = Verdict::of(&rows);
        counts.add(verdict);
        let broken = arguments.broken.then(|| (claim.measure_broken)());
        let is_caught = broken.as_ref().map(|rows| Verdict::of(rows) == Verdict::Fails);
        counts.wrong += usize::from(is_caught == Some(false));
        if let (Some(folder), Some(plot)) = (&arguments.svg, claim.plot) {
            plots.push(write_plot(folder, id, &plot(&rows))?);
        }
        if json {
            documents.push(claim_document(protocol, claim, &rows, broken.as_deref()));
            continue;
        }
        say(format_args!("{id}: {} ({protocol})\n", claim.text));
        print_table(&rows);
        say(format_args!("    {id} {}\n", verdict.sentence()));
        if let Some(rows) = &broken {
            let text = if is_caught == Some(true) { "it fails, as expected" } else { "it still holds: WRONG" };
            say(format_args!("\n    broken ({}): {text}\n", claim.breakage));
            print_table(rows);
        }
        say("\n");
    }
    if arguments.svg.is_some() && !json {
        match plots.is_empty() {
            true => say(format_args!("none of these has a picture\n")),
            false => say(format_args!("pictures: {}\n", plots.join(", "))),
        }
    }
    let not_yet = not_yet(&known);
    if json {
        let not_yet: Vec<&str> = not_yet.iter().map(|row| row.id).collect();
        say(format_args!("{}\n", json!({ "claims": documents, "not_yet": not_yet, "failed": counts.wrong })));
    } else if arguments.all {
        not_yet.iter().for_each(|row| say(format_args!("{}: not yet ({})\n", row.id, row.about)));
        let of_catalogue = known.keys().filter(|id| Catalogue::get().claim(id).is_some()).count();
        let others = Catalogue::get().claims.len() - of_catalogue - not_yet.len();
        say(format_args!("and {others} claims of the catalogue on subjects that are not built yet\n"));
        say(format_args!("\n{} claims measured: {counts}\n", wanted.len()));
    }
    Ok(code(counts.wrong == 0))
}

/// How many claims came to which verdict.
#[derive(Default)]
struct Counts {
    holds: usize,
    given: usize,
    consistent: usize,
    wrong: usize,
}

impl Counts {
    fn add(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Holds => self.holds += 1,
            Verdict::Given => self.given += 1,
            Verdict::Consistent => self.consistent += 1,
            Verdict::Fails => self.wrong += 1,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { holds, given, consistent, wrong } = self;
        write!(
            f,
            "{holds} hold, {given} hold given an input that was not measured, {consistent} are consistent and not \
             reproduced, "
        )?;
        if *wrong == 0 { write!(f, "none fails") } else { write!(f, "{wrong} FAIL") }
    }
}

/// The rows of a claim, indented.
fn print_table(rows: &[Row]) {
    claim::table(rows).lines().for_each(|line| say(format_args!("    {line}\n")));
}

/// All claims by id, with their entries.
fn known() -> BTreeMap<&'static str, (&'static str, Claim)> {
    let claims = REGISTRY.entries().flat_map(|entry| {
        let id = entry.card().id;
        entry.claims().into_iter().map(move |claim| (claim.id, (id, claim)))
    });
    claims.collect()
}

/// Claims that no entry measures, in the groups in which some claim is measured.
fn not_yet(known: &BTreeMap<&'static str, (&'static str, Claim)>) -> Vec<&'static ClaimRow> {
    let group = |id: &'static str| id.rsplit_once('-').map_or(id, |(group, _)| group);
    let begun = |row: &&ClaimRow| known.keys().any(|id| group(id) == group(row.id));
    Catalogue::get().claims.iter().filter(|row| !known.contains_key(row.id)).filter(begun).collect()
}

/// The claim with this identifier, or all claims of the entry with this name.
fn named(id: &str, known: &BTreeMap<&'static str, (&'static str, Claim)>) -> Result<Vec<&'static str>> {
    let upper = id.to_uppercase();
    if let Some((id, _)) = known.get_key_value(upper.as_str()).or_else(|| known.get_key_value(id)) {
        return Ok(vec![id]);
    }
    if let Ok(entry) = REGISTRY.entry(id) {
        let claims: Vec<&str> = entry.claims().iter().map(|claim| claim.id).collect();
        if claims.is_empty() {
            bail!("{id} measures nothing; `volvox lab show {id}` prints its evidence");
        }
        return Ok(claims);
    }
    if let Some(row) = Catalogue::get().claim(&upper) {
        bail!("{} ({}) is not measured yet", row.id, row.about);
    }
    match nearest(id, known.keys().copied()) {
        Some(near) => bail!("there is no claim {id:?}; did you mean {near}?"),
        None => bail!("there is no claim {id:?}; `volvox lab claim --all` measures every one"),
    }
}

fn claim_document(protocol: &str, claim: &Claim, rows: &[Row], broken: Option<&[Row]>) -> Value {
    json!({
        "id": claim.id,
        "protocol": protocol,
        "text": claim.text,
        "rows": rows_document(rows),
        "verdict": verdict_word(Verdict::of(rows)),
        "holds": Verdict::of(rows) != Verdict::Fails,
        "breakage": claim.breakage,
        "fails_when_broken": broken.map(|rows| Verdict::of(rows) == Verdict::Fails),
        "rows_when_broken": broken.map(rows_document),
    })
}

fn rows_document(rows: &[Row]) -> Value {
    let document = |row: &Row| {
        let measured = (row.verdict() != Verdict::Given).then_some(row.measured);
        json!({
            "label": row.label, "expected": row.expected, "measured": measured, "unit": row.unit, "over": row.over,
            "tolerance": row.tolerance.to_string(), "verdict": verdict_word(row.verdict()), "holds": row.holds(),
        })
    };
    rows.iter().map(document).collect()
}

/// A verdict as programs read it.
fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::Given => "input",
        Verdict::Consistent => "consistent",
        Verdict::Fails => "fails",
    }
}

/// Makes the folder of the pictures, before anything is measured.
fn prepare(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create the folder {}", folder.display()))?;
    check_writable(&folder.join("picture.svg"))
}

fn write_plot(folder: &Path, id: &str, picture: &str) -> Result<String> {
    let file = folder.join(format!("{id}.svg"));
    std::fs::write(&file, picture).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file.display().to_string())
}
