//! The coverage of the catalogue, as computed by the tests.
//!
//! An entry is *sound* when its scenario ran and every property held, its golden scripts exist, every model had the
//! expected result, every claim held, every breakage made its claim fail, and a reader has questions to answer. A sound
//! entry *meets* a demand of a row when the evidence that its family names for it passed; a row is *done* when all its
//! demands are met, by whichever entries. The test of each family computes both and compares them with its
//! `coverage.txt`, which the command line reads: nothing is merely declared. `UPDATE=1 cargo test -p
//! volvox-chapters-FAMILY` rewrites the file, and the pinned counts of models.

use crate::catalogue::{Catalogue, Demand, DemandKind};
use crate::chapter::{self, World};
use crate::diagram::{Diagram, Row, Tone};
use crate::evidence::{self, Evidence, Shown};
use crate::exploring::{self, Exploring};
use crate::model::{CheckedModel, Expects, Explored};
use crate::never::{self, Never};
use crate::pinned;
use crate::questions;
use crate::recorded::{Line, read};
use crate::registry::{Entry, Family, Registry};
use crate::shell::{Carried, Shell};
use crate::study::{self, Request};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use volvox_check::Exercised;

/// The state of a row of the catalogue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The entries that claim it.
    pub entries: Vec<String>,
    /// Its unmet demands.
    pub open: Vec<Demand>,
}

impl Standing {
    /// Whether all demands are met.
    pub fn is_done(&self) -> bool {
        !self.entries.is_empty() && !self.open.iter().any(|demand| demand.is_asked())
    }
}

/// The state of this row according to these lines. `None` if it is not in the catalogue.
pub fn standing(lines: &[Line], id: &str, catalogue: &Catalogue) -> Option<Standing> {
    let row = catalogue.mechanism(id)?;
    let claimed = || lines.iter().filter(|line| line.met.iter().any(|(mechanism, _)| mechanism == id));
    let met: BTreeSet<&str> = claimed()
        .filter(|line| line.is_sound)
        .flat_map(|line| &line.met)
        .filter(|(mechanism, _)| mechanism == id)
        .flat_map(|(_, demands)| demands.iter().map(String::as_str))
        .collect();
    let open = row.demands.iter().copied().filter(|demand| !met.contains(demand.name)).collect();
    Some(Standing { entries: claimed().map(|line| line.id.clone()).collect(), open })
}

/// The mechanisms of this group that are done.
pub fn done_of(lines: &[Line], group: &str, catalogue: &Catalogue) -> Vec<String> {
    let is_done = |id: &str| standing(lines, id, catalogue).is_some_and(|standing| standing.is_done());
    catalogue.rows_of(group).map(|row| row.id).filter(|id| is_done(id)).map(str::to_string).collect()
}

/// The evidence that the families name for this row: with the entry that it belongs to.
pub fn evidence_of(registry: Registry, id: &str) -> Vec<Shown> {
    let all = registry.0.iter().filter_map(|family| evidence::read(family.evidence, Catalogue::get()).ok());
    all.flatten().filter(|shown| shown.mechanism == id).collect()
}

/// The outcome of everything that makes an entry sound.
struct Outcome {
    line: Line,
    wrong: Vec<String>,
    /// Models whose count differs from the pinned one, with nothing else wrong.
    moved: Vec<pinned::Moved>,
    passed: BTreeSet<Evidence>,
    /// The words and faults that some model showed.
    happened: Exercised,
    /// Counterexamples that were found: each shows that something breaks, and nothing that holds.
    refuting: BTreeSet<Evidence>,
}

/// Runs everything that makes an entry sound; returns the outcome, and what is wrong.
pub fn compute(entry: Entry, shown: &[Shown]) -> (Line, Vec<String>) {
    let outcome = outcome(entry, shown);
    (outcome.line, outcome.wrong)
}

fn outcome(entry: Entry, shown: &[Shown]) -> Outcome {
    let card = entry.card();
    let id = card.id.to_string();
    let line = Line { id, golden: 0, models: 0, claims: 0, is_sound: false, met: Vec::new() };
    let (passed, refuting) = (BTreeSet::new(), BTreeSet::new());
    let mut outcome =
        Outcome { line, wrong: Vec::new(), moved: Vec::new(), passed, refuting, happened: Exercised::default() };
    if let Entry::Protocol(shell) = entry {
        chapter(shell, &mut outcome);
    }
    models(entry, &mut outcome);
    claims(entry, &mut outcome);
    for green in evidence::recorded_clients() {
        outcome.passed.insert(Evidence::Compat(green.client));
    }
    for mechanism in card.mechanisms {
        let met = meets(mechanism, shown, &mut outcome);
        outcome.line.met.push(((*mechanism).to_string(), met));
    }
    for foreign in shown.iter().filter(|shown| !card.mechanisms.contains(&shown.mechanism.as_str())) {
        outcome.wrong.push(format!("evidence.txt: it does not claim {}", foreign.mechanism));
    }
    outcome.line.is_sound = outcome.wrong.is_empty();
    outcome
}

fn chapter(shell: &'static dyn Shell, outcome: &mut Outcome) {
    let (card, wrong) = (shell.card(), &mut outcome.wrong);
    match study::run(shell, &Request { seed: 1, ..Request::default() }) {
        Err(error) => wrong.push(format!("scenario: {error}")),
        Ok(ran) if !ran.is_good() => wrong.push(format!("scenario: a property does not hold:\n{ran}")),
        Ok(ran) if ran.statistics.delivered == 0 => wrong.push("scenario: nothing happens in it".to_string()),
        Ok(_) => {
            outcome.passed.insert(Evidence::Scenario);
        }
    }
    let said = [("title", card.title), ("reference", card.reference), ("source", card.source)];
    wrong.extend(said.iter().filter(|(_, text)| text.is_empty()).map(|(name, _)| format!("card: it has no {name}")));
    if card.golden.is_empty() || card.golden.iter().any(|golden| golden.text.trim().is_empty()) {
        wrong.push("golden: a script is missing or empty".to_string());
    }
    match questions::read(card.questions) {
        Err(error) => wrong.push(format!("questions: {error}")),
        Ok(all) if all.len() < questions::LEAST => {
            wrong.push(format!("questions: {}, where {} are the least", all.len(), questions::LEAST));
        }
        Ok(_) => {}
    }
    outcome.line.golden = card.golden.len();
    outcome.passed.extend(card.golden.iter().map(|golden| Evidence::Script(golden.name.to_string())));
    let models = shell.models();
    let unshown = |rule: &&chapter::Rule| !models.iter().any(|model| model.expects.rule() == Some(rule.name));
    let unshown: Vec<&str> = card.rules.iter().filter(unshown).map(|rule| rule.name).collect();
    if card.worlds.contains(&World::Checked) && models.is_empty() {
        wrong.push("models: the entry claims the world `check`, and has none".to_string());
    } else if card.worlds.contains(&World::Checked) && !unshown.is_empty() {
        wrong.push(format!("models: none shows what these rules are for: {}", unshown.join(", ")));
    }
    let unknown = |model: &&CheckedModel| {
        model.expects.rule().is_some_and(|rule| !card.rules.iter().any(|known| known.name == rule))
    };
    wrong.extend(models.iter().filter(unknown).map(|model| format!("model {:?}: there is no such rule", model.name)));
}

fn models(entry: Entry, outcome: &mut Outcome) {
    let mut drawn = BTreeSet::new();
    for model in entry.models() {
        let interpreter = entry.protocol().map(|shell| Carried(shell).interpreter());
        let exploring = Exploring { interpreter, is_recorded: true, ..Exploring::default() };
        let explored = exploring::with(exploring, model.explore);
        outcome.happened.absorb(&explored.happened);
        if let (Some(shell), Some(rule)) = (entry.protocol(), model.expects.rule())
            && is_drawn(shell, &model, &explored)
        {
            drawn.insert(rule);
        }
        if let Err(text) = explored.verdict(model.expects) {
            outcome.wrong.push(format!("model {:?}: {text}", model.name));
            outcome.moved.extend(moved(entry, &model, &explored));
            continue;
        }
        outcome.line.models += 1;
        let evidence = Evidence::Model(model.name.to_string());
        if model.expects.counterexample().is_some() {
            outcome.refuting.insert(evidence.clone());
        }
        outcome.passed.insert(evidence);
    }
    let rules = entry.protocol().map_or(&[][..], |shell| shell.card().rules);
    for rule in rules.iter().filter(|rule| !drawn.contains(rule.name)) {
        let name = rule.name;
        outcome.wrong.push(format!("rule {name}: `volvox lab run --without {name}` has no run to draw that breaks"));
    }
}

/// Whether the counterexample of a model is a run that can be drawn: something is done in it, and it ends in what is broken.
fn is_drawn(shell: &dyn Shell, model: &CheckedModel, explored: &Explored) -> bool {
    let Some(ran) = study::breaking_run(shell, model, explored) else { return false };
    let Some(diagram) = Diagram::of(&ran) else { return false };
    let is_broken = diagram.rows.iter().any(|row| matches!(row, Row::Bar { tone: Tone::Broken, .. }));
    let is_shown = diagram.rows.iter().any(|row| !row.steps().is_empty());
    is_broken && is_shown && !ran.is_good()
}

/// The correct count, if only the count is wrong.
fn moved(entry: Entry, model: &CheckedModel, explored: &Explored) -> Option<pinned::Moved> {
    let (from, to, expects) = match (model.expects, &explored.found) {
        (Expects::Holds { states }, None) => (states, explored.states, Expects::Holds { states: explored.states }),
        (expects, Some(found)) => {
            let (_, steps) = expects.counterexample()?;
            (steps as u64, found.actions.len() as u64, expects.in_steps(found.actions.len()))
        }
        _ => return None,
    };
    explored.verdict(expects).ok()?;
    Some(pinned::Moved { entry: entry.card().id, model: model.name, from, to })
}

fn claims(entry: Entry, outcome: &mut Outcome) {
    for claim in entry.claims() {
        let before = outcome.wrong.len();
        let mut wrong = |text: String| outcome.wrong.push(format!("claim {}: {text}", claim.id));
        if !entry.card().names(claim.id) && !Catalogue::get().has_measurement(claim.id) {
            let near = Catalogue::get().nearest(claim.id);
            wrong(format!("the catalogue has no such claim, and no such row; the nearest is {near}"));
        }
        let rows = (claim.measure)();
        if rows.is_empty() {
            wrong("nothing was measured".to_string());
        }
        rows.iter().filter(|row| !row.holds()).for_each(|row| wrong(row.to_string()));
        if (claim.measure_broken)().iter().all(crate::claim::Row::holds) {
            wrong(format!("it holds although {}", claim.breakage));
        }
        if outcome.wrong.len() == before {
            outcome.line.claims += 1;
            outcome.passed.insert(Evidence::Claim(claim.id.to_string()));
        }
    }
}

/// The demands of a row that this entry meets; named evidence that does not show a demand is an error.
fn meets(mechanism: &str, shown: &[Shown], outcome: &mut Outcome) -> Vec<String> {
    let row = match evidence::row(mechanism, Catalogue::get()) {
        Ok(row) => row,
        Err(text) => {
            outcome.wrong.push(text);
            return Vec::new();
        }
    };
    let Some(shown) = shown.iter().find(|shown| shown.mechanism == mechanism) else {
        outcome.wrong.push(format!("evidence.txt: there is no line for {mechanism}"));
        return Vec::new();
    };
    let mut met = Vec::new();
    for demand in &row.demands {
        let Some(evidence) = shown.of(*demand) else { continue };
        // A claim may be measured by another entry, and a client may not have run yet: then the demand is open.
        let is_here = shown.demands.iter().any(|(name, _)| name == demand.name)
            && !evidence.iter().any(|one| matches!(one, Evidence::Compat(_)));
        let bad: Vec<String> = evidence.iter().filter_map(|one| refusal(*demand, one, outcome)).collect();
        if bad.is_empty() {
            met.push(demand.name.to_string());
        } else if is_here {
            outcome.wrong.extend(bad.iter().map(|why| format!("evidence.txt: {mechanism}, {}: {why}", demand.name)));
        }
    }
    met
}

/// Why this evidence does not show that the demand is met, if so.
fn refusal(demand: Demand, evidence: &Evidence, outcome: &Outcome) -> Option<String> {
    // A test of the gate is not run here: tidy knows that it exists, and the gate that it passes.
    if !matches!(evidence, Evidence::Test { .. }) && !outcome.passed.contains(evidence) {
        return Some(format!("{evidence}: it does not exist, or it did not pass"));
    }
    let refutes = outcome.refuting.contains(evidence);
    match demand.kind {
        DemandKind::Breaks if matches!(evidence, Evidence::Model(_)) && !refutes => {
            Some(format!("{evidence} holds, but a counterexample is demanded"))
        }
        DemandKind::World | DemandKind::Safe | DemandKind::Live if refutes => {
            Some(format!("{evidence} is a counterexample, and does not show that anything holds"))
        }
        DemandKind::Client | DemandKind::ClientWithoutDoor
            if !matches!(evidence, Evidence::Test { .. } | Evidence::Compat(_)) =>
        {
            Some(format!("{evidence} is not a run of a foreign client"))
        }
        _ => None,
    }
}

/// The tests of a family: all of its `tests/family.rs`. The one makes each entry sound ([`coverage::check_family`](check_family)),
/// the other restarts the nodes of each protocol in the middle of a question ([`crate::restarts`]).
#[macro_export]
macro_rules! test_family {
    ($family:path) => {
        #[test]
        fn every_chapter_is_what_the_coverage_says() {
            $crate::coverage::check_family(&$family, env!("CARGO_MANIFEST_DIR"), &|text| println!("{text}"));
        }

        #[test]
        fn every_protocol_keeps_what_it_promises_of_restarts() {
            $crate::restart_survey::check_family(&$family, &|text| println!("{text}"));
        }
    };
}

/// The test of a family: runs everything that makes its entries sound, on all cores, and compares the outcome with the
/// `coverage.txt` in `folder`; calls `tell` after each entry. `CHAPTER=ricart-agrawala` restricts it to one entry;
/// `UPDATE=1` rewrites the file, and each changed pinned count in the source of its chapter.
///
/// # Panics
/// When something is wrong, or differs from the file.
pub fn check_family(family: &'static Family, folder: &str, tell: &(dyn Fn(String) + Sync)) {
    let only = std::env::var("CHAPTER").ok();
    let shown = evidence::read(family.evidence, Catalogue::get()).unwrap_or_else(|error| panic!("{error}"));
    let known: BTreeSet<&str> = family.entries.iter().map(|entry| entry.card().id).collect();
    for shown in &shown {
        assert!(known.contains(shown.entry.as_str()), "evidence.txt: this family has no entry {:?}", shown.entry);
    }
    let found = computed(family, &shown, only.as_deref(), tell);
    let lines: Vec<&Line> = found.iter().map(|outcome| &outcome.line).collect();
    let wrong: Vec<String> = found
        .iter()
        .flat_map(|outcome| outcome.wrong.iter().map(|text| format!("{}: {text}", outcome.line.id)))
        .collect();
    let wrong = [wrong, check_never(family, folder, &found)].concat();
    if std::env::var_os("UPDATE").is_some() {
        let moved: Vec<_> = found.iter().flat_map(|outcome| &outcome.moved).copied().collect();
        let told = pinned::write(Path::new(folder), &moved).expect("the sources of the family can be written");
        told.into_iter().for_each(tell);
        assert!(moved.is_empty(), "pinned counts moved: review them with git diff, and run the test again");
    }
    if only.is_none() && std::env::var_os("UPDATE").is_some() {
        let comments = family.coverage.lines().filter(|line| line.starts_with('#'));
        let text: String = comments.map(|line| format!("{line}\n")).collect();
        let text = lines.iter().fold(text, |text, line| text + &format!("{line}\n"));
        std::fs::write(format!("{folder}/coverage.txt"), text).expect("coverage.txt is written");
    } else if only.is_none() {
        assert_eq!(
            lines,
            read(family.coverage).iter().collect::<Vec<_>>(),
            "coverage.txt differs from the computed coverage; UPDATE=1 rewrites it.\n{}",
            wrong.join("\n")
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Compares the gaps in the models of each chapter with the `never.txt` of its family, where each has a reason.
fn check_never(family: &'static Family, folder: &str, found: &[Outcome]) -> Vec<String> {
    let known = match never::read(family.never) {
        Ok(known) => known,
        Err(error) => return vec![error],
    };
    let chapters = || family.entries.iter().filter_map(|entry| entry.protocol());
    let mut now: Vec<Never> = Vec::new();
    for (shell, outcome) in chapters().flat_map(|shell| {
        found.iter().filter(move |outcome| outcome.line.id == shell.card().id).map(move |outcome| (shell, outcome))
    }) {
        let notes = never::notes_of(shell.card().source, &Path::new(folder).join("../../crates"));
        now.extend(never::of(shell, &outcome.happened, &notes, &known));
    }
    let looked_at = |id: &str| found.iter().any(|outcome| outcome.line.id == id);
    if std::env::var_os("UPDATE").is_some() {
        let others = known.iter().filter(|never| !looked_at(&never.entry)).cloned();
        let text = never::print(family.never, now.iter().cloned().chain(others));
        std::fs::write(format!("{folder}/never.txt"), text).expect("never.txt is written");
    }
    let has =
        |all: &[Never], one: &Never| all.iter().any(|other| (&other.entry, &other.what) == (&one.entry, &one.what));
    let mut wrong = Vec::new();
    for never in &now {
        let Never { entry, what, why } = never;
        if !has(&known, never) {
            wrong.push(format!("{entry}: {what} never happens in any model, and never.txt does not say why"));
        } else if why.is_empty() {
            wrong.push(format!("{entry}: never.txt gives no reason why {what} never happens"));
        }
    }
    for Never { entry, what, .. } in known.iter().filter(|never| looked_at(&never.entry) && !has(&now, never)) {
        wrong
            .push(format!("{entry}: never.txt says that {what} never happens, and it does, or there is no such thing"));
    }
    wrong
}

/// The entries are shared out to as many threads as there are cores: the test of one is mostly a model that runs.
fn computed(
    family: &'static Family,
    shown: &[Shown],
    only: Option<&str>,
    tell: &(dyn Fn(String) + Sync),
) -> Vec<Outcome> {
    let wanted = |entry: &&Entry| only.is_none_or(|only| entry.card().id == only);
    let all: Vec<Entry> = family.entries.iter().filter(wanted).copied().collect();
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(entry) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let id = entry.card().id;
                    let shown: Vec<Shown> = shown.iter().filter(|shown| shown.entry == id).cloned().collect();
                    let outcome = outcome(*entry, &shown);
                    tell(outcome.wrong.iter().fold(outcome.line.to_string(), |text, wrong| text + "\n    " + wrong));
                    found.lock().expect("no thread panics with the lock").push(outcome);
                }
            });
        }
    });
    let mut found = found.into_inner().expect("no thread panicked");
    found.sort_by_key(|outcome| all.iter().position(|entry| entry.card().id == outcome.line.id));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const CATALOGUE: &str = "MTX-03 Ricart-Agrawala | sim check\n  client zkCli, no door yet\n  safe mutual exclusion\n\
                             LCK-01 Locks | sim\n  live others wait: at most the term\n";

    fn line(met: &[&str], is_sound: bool) -> Line {
        let met = vec![("MTX-03".to_string(), met.iter().map(ToString::to_string).collect())];
        Line { id: "ricart-agrawala".to_string(), golden: 1, models: 8, claims: 2, is_sound, met }
    }

    #[test]
    fn a_line_is_read_back_as_printed() {
        let text = "# prose\nricart-agrawala golden=1 models=8 claims=2 sound\n  MTX-03 sim; mutual exclusion\n\
                    locks golden=0 models=0 claims=0 wrong\n  LCK-01 \nnonsense\n";
        let printed: Vec<String> = read(text).iter().map(ToString::to_string).collect();
        assert_eq!(printed.join("\n"), text.lines().skip(1).take(4).collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn a_row_is_done_when_all_that_it_asks_is_met_by_sound_entries() {
        let catalogue = Catalogue::read(CATALOGUE).unwrap();
        let is_done = |lines: &[Line]| standing(lines, "MTX-03", &catalogue).unwrap().is_done();
        assert!(is_done(&[line(&["sim", "check", "mutual exclusion"], true)]), "the client has no door");
        assert!(is_done(&[line(&["sim", "check"], true), line(&["mutual exclusion"], true)]), "by two entries");
        assert!(!is_done(&[line(&["sim", "check", "mutual exclusion"], false)]), "not sound");
        assert!(!is_done(&[line(&["sim", "check"], true)]) && !is_done(&[]));
        assert_eq!(done_of(&[line(&["sim", "check", "mutual exclusion"], true)], "MTX", &catalogue), ["MTX-03"]);
        assert!(done_of(&[line(&["sim"], true)], "MTX", &catalogue).is_empty());
        assert!(standing(&[], "MTX-99", &catalogue).is_none());
    }

    #[test]
    fn a_counterexample_shows_only_what_must_break() {
        let model = |name: &str| Evidence::Model(name.to_string());
        let outcome = Outcome {
            line: line(&[], true),
            wrong: Vec::new(),
            moved: Vec::new(),
            passed: [model("three nodes"), model("without order"), Evidence::Scenario].into(),
            refuting: [model("without order")].into(),
            happened: Exercised::default(),
        };
        let refusal = |kind, evidence: &Evidence| refusal(Demand { kind, name: "x" }, evidence, &outcome);
        assert_eq!(refusal(DemandKind::Safe, &model("three nodes")), None);
        assert_eq!(refusal(DemandKind::Breaks, &model("without order")), None);
        for (kind, evidence) in [
            (DemandKind::Safe, model("without order")),
            (DemandKind::World, model("without order")),
            (DemandKind::Breaks, model("three nodes")),
            (DemandKind::Live, model("four nodes")),
            (DemandKind::Client, Evidence::Scenario),
        ] {
            assert!(refusal(kind, &evidence).is_some(), "{kind:?} by {evidence}");
        }
    }
}
