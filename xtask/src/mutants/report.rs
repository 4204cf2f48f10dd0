//! The results of mutants: a file per chapter, and one page over all.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::sites::Name;

/// How a mutant ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// A property that must hold is broken.
    Property,
    /// A model that must break without a rule, or by a breakage, does not.
    Negative,
    /// A measured number is another.
    Claim,
    /// An assertion failed.
    Assertion,
    /// Nothing noticed it, and something came to no end within its limits.
    Undecided,
    /// Nothing noticed it.
    Survived,
}

impl Fate {
    /// The fate that the driver calls so.
    pub fn named(word: &str) -> Result<Fate> {
        Ok(match word {
            "property" => Fate::Property,
            "negative" => Fate::Negative,
            "claim" => Fate::Claim,
            "assertion" => Fate::Assertion,
            _ => bail!("the driver speaks of `{word}`"),
        })
    }

    /// Whether something noticed it.
    pub fn is_killed(self) -> bool {
        !matches!(self, Fate::Undecided | Fate::Survived)
    }
}

/// The result of a trial.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// How it ended.
    pub fate: Fate,
    /// The last check that was done: the one that noticed it, if one did.
    pub by: String,
    /// Its message.
    pub text: String,
    /// Checks that came out otherwise, and do not count: another number of states, no end.
    pub remarks: Vec<String>,
}

/// A mutant that was tried.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tried {
    /// Its name.
    pub name: Name,
    /// The line, from 1, at that commit.
    pub line: usize,
    /// The original text.
    pub original: String,
    /// The mutated text.
    pub mutated: String,
    /// How it ended.
    pub fate: Fate,
    /// Which check noticed it, and what it said.
    pub by: String,
    /// The differences that do not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// All that was tried of a chapter.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Results {
    /// The chapter.
    pub chapter: String,
    /// When, as `2026-11-30`.
    pub date: String,
    /// At which commit; `+` behind it where the tree had changes.
    pub commit: String,
    /// From which the sample was drawn.
    pub seed: u64,
    /// How many mutants there are.
    pub mutants: usize,
    /// How many more do not compile.
    pub not_compiling: usize,
    /// Those that were tried.
    pub tried: Vec<Tried>,
}

/// A person's verdict on a survivor.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Judgement {
    /// The chapter.
    pub chapter: String,
    /// The mutant, by its name.
    pub mutant: String,
    /// The change: a verdict about another text is void.
    pub original: String,
    /// The verdict.
    pub verdict: Kind,
    /// Why, in a sentence.
    pub reason: String,
}

/// The kind of a survivor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// No run can tell it from the original.
    Equivalent,
    /// Something should have noticed it.
    Missed,
}

#[derive(Default, Deserialize)]
struct Judgements {
    #[serde(default)]
    survivor: Vec<Judgement>,
}

/// The folder of results.
pub fn folder(root: &Path) -> PathBuf {
    root.join("benches/mutants")
}

/// The verdicts of persons: `verdicts.toml`.
pub fn judgements(root: &Path) -> Result<Vec<Judgement>> {
    let path = folder(root).join("verdicts.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let judgements: Judgements = toml::from_str(&text).with_context(|| path.display().to_string())?;
    Ok(judgements.survivor)
}

/// The verdict on a mutant, if there is one about this text.
pub fn judgement<'j>(chapter: &str, tried: &Tried, all: &'j [Judgement]) -> Option<&'j Judgement> {
    let name = tried.name.to_string();
    all.iter().find(|one| one.chapter == chapter && one.mutant == name && one.original == tried.original)
}

/// Writes the file of a chapter, and the page over all.
pub fn write(root: &Path, results: &Results, judgements: &[Judgement]) -> Result<()> {
    let path = folder(root).join(format!("{}.toml", results.chapter));
    let head = "# Written by `cargo xtask mutants`; what is said of survivors is in verdicts.toml.\n";
    fs::write(&path, head.to_string() + &toml::to_string(results)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder(root))? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "toml")
            && path.file_stem().is_some_and(|name| name != "verdicts" && name != "by-hand")
        {
            let results: Results =
                toml::from_str(&fs::read_to_string(&path)?).with_context(|| path.display().to_string())?;
            all.insert(results.chapter.clone(), results);
        }
    }
    fs::write(folder(root).join("RESULTS.md"), page(&all, judgements))?;
    Ok(())
}

const HEAD: &str = "# Mutants

Written by `cargo xtask mutants`; [CONTRIBUTING.md](../../CONTRIBUTING.md#mutants) says how to run it and how to read this page.
A mutant is *killed* when a property breaks, when something that must break does not, when a measured claim misses, or when an
assertion fails. Another number of states, or another output, kills nothing. A mutant is *undecided* when a check came to no
end and no other one noticed it; it is judged as every other survivor, and counted again in a column of its own.

";

/// The page over all chapters.
pub fn page(all: &BTreeMap<String, Results>, judgements: &[Judgement]) -> String {
    let mut text = HEAD.to_string();
    text += "| protocol | date | commit | seed | mutants | tried | property | negative | claim | assertion | equivalent | missed | not judged | undecided |\n";
    text += "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n";
    let mut survivors = String::new();
    for results in all.values() {
        let Results { chapter, date, commit, seed, mutants, tried, .. } = results;
        let of = |fate: Fate| tried.iter().filter(|one| one.fate == fate).count();
        let alive = || tried.iter().filter(|one| !one.fate.is_killed());
        let said = |kind: Option<Kind>| {
            alive().filter(|one| judgement(chapter, one, judgements).map(|said| said.verdict) == kind).count()
        };
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| {chapter} | {date} | {commit} | {seed} | {mutants} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            tried.len(),
            of(Fate::Property),
            of(Fate::Negative),
            of(Fate::Claim),
            of(Fate::Assertion),
            said(Some(Kind::Equivalent)),
            said(Some(Kind::Missed)),
            said(None),
            of(Fate::Undecided),
        );
        if alive().next().is_some() {
            let _ = write!(survivors, "\n## {chapter}\n\n");
        }
        alive().for_each(|one| survivors += &survivor(chapter, one, judgements));
    }
    text + &survivors
}

/// A survivor, as the page and the terminal tell it.
pub fn survivor(chapter: &str, tried: &Tried, judgements: &[Judgement]) -> String {
    let Tried { name, line, original, mutated, fate, remarks, .. } = tried;
    let mutated = if mutated.is_empty() { "(left out)" } else { mutated };
    let mut text = format!("- `{name}` (line {line}): `{original}` becomes `{mutated}`\n");
    if *fate == Fate::Undecided {
        text += "  - undecided: a check came to no end within its limits\n";
    }
    remarks.iter().for_each(|remark| text += &format!("  - {remark}\n"));
    match judgement(chapter, tried, judgements) {
        Some(Judgement { verdict: Kind::Equivalent, reason, .. }) => text += &format!("  - **equivalent**: {reason}\n"),
        Some(Judgement { verdict: Kind::Missed, reason, .. }) => text += &format!("  - **missed**: {reason}\n"),
        None => text += "  - **not judged**\n",
    }
    text
}
