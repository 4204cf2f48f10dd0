//! `volvox lab claim`.

use super::code;
use super::terminal::say;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use volvox_chapters::REGISTRY;
use volvox_lab::claim::Claim;
use volvox_lab::coverage::CLAIMS;
use volvox_lab::shell::Shell;
use volvox_lab::spelling::nearest;

/// How many claims the catalogue has.
const CATALOGUE_CLAIMS: usize = 201;

/// What is measured.
#[derive(Args, Debug)]
#[group(skip)]
pub struct ClaimArguments {
    /// Which claims, such as Q-MTX-3
    #[arg(value_name = "ID")]
    pub claims: Vec<String>,
    /// Every claim
    #[arg(long, conflicts_with = "claims")]
    pub all: bool,
    /// Measure each with its protocol broken as well, and see it fail
    #[arg(long)]
    pub broken: bool,
    /// Write the pictures of claims that have one into this folder
    #[arg(long, value_name = "FOLDER")]
    pub svg: Option<PathBuf>,
}

/// Measures.
///
/// # Errors
/// When there is no such claim, or a picture cannot be written.
pub fn claim(arguments: &ClaimArguments, json: bool) -> Result<ExitCode> {
    let shells = REGISTRY.chapters().collect::<Vec<_>>();
    let known = known(&shells);
    if arguments.claims.is_empty() && !arguments.all {
        let names: Vec<&str> = known.keys().copied().collect();
        bail!("which claim? --all measures every one; there are: {}", names.join(", "));
    }
    let wanted: Vec<&str> = if arguments.all {
        known.keys().copied().collect()
    } else {
        arguments.claims.iter().map(|id| named(id, &known)).collect::<Result<_>>()?
    };
    let (mut documents, mut plots, mut wrong) = (Vec::new(), Vec::new(), 0);
    for id in &wanted {
        let (protocol, claim) = &known[id];
        progress(json, &format!("{id}: {}", claim.text));
        let rows = (claim.measure)();
        progress(json, "");
        let holds = !rows.is_empty() && rows.iter().all(|row| row.holds());
        wrong += usize::from(!holds);
        let broken = arguments.broken.then(|| (claim.measure_broken)());
        let is_caught = broken.as_ref().map(|rows| rows.iter().any(|row| !row.holds()));
        wrong += usize::from(is_caught == Some(false));
        if let (Some(folder), Some(plot)) = (&arguments.svg, claim.plot) {
            plots.push(write_plot(folder, id, &plot(&rows))?);
        }
        if json {
            documents.push(claim_document(protocol, claim, &rows, is_caught));
            continue;
        }
        say(format_args!("{id}: {} ({protocol})\n", claim.text));
        rows.iter().for_each(|row| say(format_args!("    {row}\n")));
        if let Some(is_caught) = is_caught {
            let text = if is_caught { "it fails, as it must" } else { "it holds all the same: WRONG" };
            say(format_args!("    broken ({}): {text}\n", claim.breakage));
        }
    }
    if arguments.svg.is_some() && !json {
        match plots.is_empty() {
            true => say(format_args!("none of these has a picture\n")),
            false => say(format_args!("pictures: {}\n", plots.join(", "))),
        }
    }
    let not_yet: Vec<&(&str, &str)> = CLAIMS.iter().filter(|(id, _)| !known.contains_key(id)).collect();
    if json {
        let not_yet: Vec<&str> = not_yet.iter().map(|(id, _)| *id).collect();
        say(format_args!("{}\n", json!({ "claims": documents, "not_yet": not_yet, "failed": wrong })));
    } else if arguments.all {
        say(format_args!("\n"));
        not_yet.iter().for_each(|(id, about)| say(format_args!("{id}: not yet ({about})\n")));
        let others = CATALOGUE_CLAIMS - known.len() - not_yet.len();
        say(format_args!("and {others} claims of the catalogue whose subject is not built yet\n"));
        say(format_args!(
            "\n{} claims measured, {}\n",
            wanted.len(),
            if wrong == 0 { "all hold".to_string() } else { format!("{wrong} FAIL") }
        ));
    }
    Ok(code(wrong == 0))
}

/// All claims by id, with their protocols.
fn known(shells: &[&'static dyn Shell]) -> BTreeMap<&'static str, (&'static str, Claim)> {
    let claims = shells.iter().flat_map(|shell| {
        let protocol = shell.card().id;
        shell.claims().into_iter().map(move |claim| (claim.id, (protocol, claim)))
    });
    claims.collect()
}

fn named(id: &str, known: &BTreeMap<&'static str, (&'static str, Claim)>) -> Result<&'static str> {
    let upper = id.to_uppercase();
    if let Some((id, _)) = known.get_key_value(upper.as_str()) {
        return Ok(id);
    }
    if let Some((id, about)) = CLAIMS.iter().find(|(id, _)| *id == upper) {
        bail!("{id} ({about}) is not measured yet");
    }
    match nearest(id, known.keys().copied()) {
        Some(near) => bail!("there is no claim {id:?}; did you mean {near}?"),
        None => bail!("there is no claim {id:?}; `volvox lab claim --all` measures every one"),
    }
}

fn claim_document(protocol: &str, claim: &Claim, rows: &[volvox_lab::claim::Row], is_caught: Option<bool>) -> Value {
    let lines = rows.iter().map(|row| {
        json!({
            "label": row.label, "expected": row.expected, "measured": row.measured, "unit": row.unit,
            "over": row.over, "tolerance": format!("{:?}", row.tolerance), "holds": row.holds(),
        })
    });
    json!({
        "id": claim.id,
        "protocol": protocol,
        "text": claim.text,
        "rows": lines.collect::<Vec<_>>(),
        "holds": !rows.is_empty() && rows.iter().all(|row| row.holds()),
        "breakage": claim.breakage,
        "fails_when_broken": is_caught,
    })
}

fn write_plot(folder: &Path, id: &str, picture: &str) -> Result<String> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let file = folder.join(format!("{id}.svg"));
    std::fs::write(&file, picture).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file.display().to_string())
}
