//! `cargo xtask mutants`: what the properties, negatives, claims and scripts of a chapter do not notice when its protocol is
//! changed.
//!
//! | file | what |
//! |---|---|
//! | `chapters` | which modules are a chapter's own |
//! | `by_hand` | mutants that persons wrote |
//! | `sites`, `operators` | where they can be changed, and how |
//! | `unreached` | the branches that no run with every rule meets |
//! | `weave` | a source with all mutants in it, each behind its number |
//! | `copy` | the workspace in which that is built, once a chapter |
//! | `trial` | each mutant in an OS process, the cheapest check first |
//! | `report` | `benches/mutants/`: one file per chapter, `RESULTS.md`, and `verdicts.toml`, which persons write |
//!
//! Outside the gate: minutes a chapter.

mod by_hand;
mod calls;
mod chapters;
mod copy;
mod operators;
mod report;
mod sites;
#[cfg(test)]
mod tests;
mod trial;
mod unreached;
mod weave;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::child;
use crate::workspace::Workspace;
use chapters::Chapter;
use operators::Operator;
use report::{Fate, Judgement, Kind, Results, Tried};
use sites::Site;
use trial::Until;

/// How many mutants of a chapter are tried when nothing is said.
const SAMPLE: usize = 40;

/// At most one survivor in this many mutants is called equivalent.
const EQUIVALENT_ONE_IN: usize = 6;
/// At most this share of the mutants is missed.
const MISSED_PERCENT_MAX: usize = 5;

const USAGE: &str = "usage: cargo xtask mutants [CHAPTER...] [--sample N] [--seed S] [--only TEXT]";

/// The arguments.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Request {
    /// Chapters; all when there are none.
    chapters: Vec<String>,
    sample: usize,
    seed: u64,
    /// Only mutants whose line in the report has this text; then nothing is written.
    only: Option<String>,
}

impl Request {
    fn read(arguments: &[String]) -> Result<Request> {
        let mut request = Request { chapters: Vec::new(), sample: SAMPLE, seed: 1, only: None };
        let mut words = arguments.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} takes a value; {USAGE}"));
            match word {
                "--sample" => request.sample = number(value()?)? as usize,
                "--seed" => request.seed = number(value()?)?,
                "--only" => request.only = Some(value()?.to_string()),
                "--help" | "-h" => bail!("{USAGE}"),
                _ if word.starts_with('-') => bail!("there is no flag `{word}`; {USAGE}"),
                _ => request.chapters.push(word.to_string()),
            }
        }
        if request.sample == 0 {
            bail!("--sample 0 tries nothing");
        }
        Ok(request)
    }
}

fn number(text: &str) -> Result<u64> {
    text.parse().ok().with_context(|| format!("`{text}` is no number; {USAGE}"))
}

/// `cargo xtask mutants [CHAPTER...] [--sample N] [--seed S] [--only TEXT]`.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let request = Request::read(arguments)?;
    let all = chapters::all(workspace.root())?;
    let mut wanted = Vec::new();
    for id in &request.chapters {
        wanted.push(chapters::named(&all, id)?);
    }
    if wanted.is_empty() {
        wanted.clone_from(&all);
    }
    let judgements = report::judgements(workspace.root())?;
    let mutants = Mutants::find(workspace, &all)?;
    println!("{} places to change; building", mutants.sites.len());
    let built = copy::build(workspace, &mutants.packages(), &wanted)?;
    let mut over = Vec::new();
    for chapter in &wanted {
        let Some(results) = mutants.try_out(workspace, &built, chapter, &request)? else { continue };
        tell(&results, &judgements);
        if request.only.is_none() {
            report::write(workspace.root(), &results, &judgements)?;
            over.extend(beyond_the_bars(&results, &judgements));
        }
    }
    if !over.is_empty() {
        bail!("{}", over.join("\n"));
    }
    Ok(())
}

/// Everything that can be changed, by number, with the chapter that it belongs to.
struct Mutants {
    sites: BTreeMap<u32, (Chapter, Site)>,
}

impl Mutants {
    /// A crate has the mutants of all of its chapters, whichever are tried: so it is built once.
    fn find(workspace: &Workspace, all: &[Chapter]) -> Result<Mutants> {
        let mut sites = BTreeMap::new();
        for chapter in all {
            for site in by_hand::of(workspace.root(), chapter)?.into_iter().chain(sites::find(&chapter.modules)?) {
                sites.insert(sites.len() as u32 + 1, (chapter.clone(), site));
            }
        }
        Ok(Mutants { sites })
    }

    fn packages(&self) -> Vec<copy::Package<'_>> {
        let names: BTreeSet<&str> = self.sites.values().map(|(chapter, _)| chapter.package.as_str()).collect();
        let package = |name: &str| {
            let sites = self.sites.iter().filter(|(_, (chapter, _))| chapter.package == name);
            copy::Package { name: name.to_string(), sites: sites.map(|(number, (_, site))| (*number, site)).collect() }
        };
        names.into_iter().map(package).collect()
    }

    /// Tries a sample of the mutants of a chapter, after those that were written by hand.
    fn try_out(
        &self,
        workspace: &Workspace,
        built: &copy::Built,
        chapter: &Chapter,
        request: &Request,
    ) -> Result<Option<Results>> {
        let own = self.sites.iter().filter(|(_, (one, _))| one.id == chapter.id);
        let (refused, mut own): (Vec<_>, Vec<_>) =
            own.map(|(number, (_, site))| (*number, site)).partition(|(number, _)| built.refused.contains(number));
        let is_by_hand = |site: &Site| site.name.operator == Operator::ByHand;
        if let Some((_, site)) = refused.iter().find(|(_, site)| is_by_hand(site)) {
            bail!("by-hand.toml: `{}` does not compile", site.name.function);
        }
        let by_hand = own.iter().filter(|(_, site)| is_by_hand(site)).count();
        let mutants = own.len() - by_hand;
        if own.is_empty() {
            println!("{}: nothing to change", chapter.id);
            return Ok(None);
        }
        // By name, so that an edit elsewhere leaves the sample as it is.
        own.sort_by_key(|(_, site)| (!is_by_hand(site), draw(request.seed, &site.name.to_string())));
        let checks = trial::baseline(&built.driver, &chapter.id)?;
        let seconds: f64 = checks.iter().map(|check| check.took.as_secs_f64()).sum();
        let (id, not_compiling) = (&chapter.id, refused.len());
        println!(
            "{id}: {mutants} mutants, {not_compiling} more do not compile; {} checks, {seconds:.1} s",
            checks.len()
        );
        let mut tried = Vec::new();
        for (number, site) in own.into_iter().take(by_hand + request.sample) {
            let one = untried(site, chapter);
            let shown = format!("{} (line {}): `{}` -> `{}`", one.name, one.line, one.original, one.mutated);
            if request.only.as_ref().is_some_and(|only| !shown.contains(only)) {
                continue;
            }
            let until = if is_by_hand(site) { Until::PropertyBroken } else { Until::Noticed };
            let verdict = trial::trial(&built.driver, id, number, &checks, until)?;
            let by = match verdict.fate.is_killed() {
                true => format!("{}: {}", verdict.by, one_line(&verdict.text)),
                false => String::new(),
            };
            println!("{:>9}  {shown}  {by}", format!("{:?}", verdict.fate).to_lowercase());
            let remarks = verdict.remarks.iter().map(|remark| one_line(remark)).collect();
            tried.push(Tried { fate: verdict.fate, by, remarks, ..one });
        }
        let date = said_by(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
        let (chapter, commit, seed) = (id.clone(), commit(workspace)?, request.seed);
        Ok(Some(Results { chapter, date, commit, seed, mutants, not_compiling, tried }))
    }
}

/// A mutant as the report tells it, before it is tried.
fn untried(site: &Site, chapter: &Chapter) -> Tried {
    let text = chapter.modules.iter().find(|(path, _)| *path == site.name.file).map_or("", |(_, text)| text);
    Tried {
        name: site.name.clone(),
        line: site.line,
        original: one_line(&text[site.range.clone()]),
        mutated: one_line(&site.instead),
        fate: Fate::Undecided,
        by: String::new(),
        remarks: Vec::new(),
    }
}

fn tell(results: &Results, judgements: &[Judgement]) {
    let alive: Vec<&Tried> = results.tried.iter().filter(|one| !one.fate.is_killed()).collect();
    alive.iter().for_each(|one| print!("{}", report::survivor(&results.chapter, one, judgements)));
    println!("{}: {} tried, {} not noticed", results.chapter, results.tried.len(), alive.len());
}

/// The faults of these results: more survivors than allowed, or some without a verdict.
fn beyond_the_bars(results: &Results, judgements: &[Judgement]) -> Vec<String> {
    let Results { chapter, tried, .. } = results;
    let alive = || tried.iter().filter(|one: &&Tried| matches!(one.fate, Fate::Survived | Fate::Undecided));
    let said = |kind: Option<Kind>| {
        alive().filter(|one| report::judgement(chapter, one, judgements).map(|said| said.verdict) == kind).count()
    };
    let mut over = Vec::new();
    let (equivalent, missed, unjudged) = (said(Some(Kind::Equivalent)), said(Some(Kind::Missed)), said(None));
    if equivalent * EQUIVALENT_ONE_IN > tried.len() {
        over.push(format!(
            "{chapter}: {equivalent} of {} are called equivalent, where one in {EQUIVALENT_ONE_IN} may be",
            tried.len()
        ));
    }
    if missed * 100 > tried.len() * MISSED_PERCENT_MAX {
        over.push(format!("{chapter}: {missed} of {} are missed, where {MISSED_PERCENT_MAX} % may be", tried.len()));
    }
    let by_hand = tried.iter().filter(|one| one.name.operator == Operator::ByHand);
    over.extend(
        by_hand
            .filter(|one| one.fate != Fate::Property)
            .map(|one| format!("{chapter}: no property breaks by the mutant written by hand: {}", one.name.function)),
    );
    if unjudged > 0 {
        over.push(format!("{chapter}: of {unjudged} survivors benches/mutants/verdicts.toml says nothing"));
    }
    over
}

/// A number that a seed draws for a name (FNV-1a, then the mixer of SplitMix64).
fn draw(seed: u64, name: &str) -> u64 {
    let bytes = seed.to_le_bytes().into_iter().chain(name.bytes());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// The text in one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn commit(workspace: &Workspace) -> Result<String> {
    let git = |arguments: &[&str]| said_by(Command::new("git").args(arguments).current_dir(workspace.root()));
    let changes = git(&["status", "--porcelain", "--", "crates", "chapters"])?;
    Ok(git(&["rev-parse", "--short", "HEAD"])? + if changes.is_empty() { "" } else { "+" })
}

fn said_by(command: &mut Command) -> Result<String> {
    let output = child::capture(command, std::time::Duration::from_secs(60))?;
    if !output.status.success() {
        bail!("`{}` failed: {}", child::show(command), output.stderr);
    }
    Ok(output.stdout.trim().to_string())
}
