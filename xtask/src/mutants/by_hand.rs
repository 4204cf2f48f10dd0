//! Mutants that persons wrote, beyond what an operator makes: `benches/mutants/by-hand.toml`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::chapters::Chapter;
use super::operators::Operator;
use super::report;
use super::sites::{Name, Site};

/// A mutant in the file.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    chapter: String,
    /// The mutant, in words.
    title: String,
    file: String,
    /// An expression, or a statement with its semicolon.
    original: String,
    /// Which of several such texts in the file, from 1.
    nth: Option<usize>,
    instead: String,
}

#[derive(Deserialize)]
struct File {
    mutant: Vec<Written>,
}

/// Those of this chapter.
pub fn of(root: &Path, chapter: &Chapter) -> Result<Vec<Site>> {
    let path = report::folder(root).join("by-hand.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let file: File = toml::from_str(&text).with_context(|| path.display().to_string())?;
    file.mutant.iter().filter(|written| written.chapter == chapter.id).map(|written| site(written, chapter)).collect()
}

fn site(written: &Written, chapter: &Chapter) -> Result<Site> {
    let Written { title, file, original, instead, .. } = written;
    let Some((_, text)) = chapter.modules.iter().find(|(path, _)| path == file) else {
        bail!("by-hand.toml: {file} is no module of {}", chapter.id);
    };
    let places: Vec<usize> = text.match_indices(original.as_str()).map(|(at, _)| at).collect();
    let start = match (written.nth, &places[..]) {
        (None, [one]) | (Some(1), [one, ..]) => *one,
        (Some(nth), _) if nth > 0 && nth <= places.len() => places[nth - 1],
        _ => bail!("by-hand.toml: {file} has {} times `{original}`: say which, nth = 1 or more", places.len()),
    };
    let name = Name { file: file.clone(), function: title.clone(), operator: Operator::ByHand, ordinal: 1 };
    let (line, range) = (text[..start].matches('\n').count() + 1, start..start + original.len());
    Ok(Site { name, line, range, is_statement: original.ends_with(';'), instead: instead.clone() })
}
