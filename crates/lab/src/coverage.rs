//! How much of the catalogue is done, as computed by the tests.
//!
//! A chapter is *done* when its scenario ran and every property held, its golden scripts are there, every model came to
//! what it must come to, every claim held, and every breakage made its claim fail. The test of each family does all of it and
//! compares the outcome with its `coverage.txt`, which is what the command line reads: nobody declares anything.
//! `UPDATE_COVERAGE=1 cargo test -p volvox-chapters-FAMILY` writes the file again.

use crate::chapter::World;
use crate::model::Expects;
use crate::registry::Family;
use crate::shell::Shell;
use crate::study::{self, Request};
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A group of the catalogue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Group {
    /// The letters of its rows.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// How many rows it has.
    pub rows: usize,
}

/// The groups of the catalogue, in its order: the index at its end, counted.
pub const GROUPS: [Group; 30] = [
    Group { id: "FND", name: "foundations", rows: 20 },
    Group { id: "COM", name: "communication", rows: 24 },
    Group { id: "SRV", name: "server concurrency", rows: 9 },
    Group { id: "NET", name: "network stack", rows: 16 },
    Group { id: "ARC", name: "architectures", rows: 20 },
    Group { id: "TIM", name: "time", rows: 13 },
    Group { id: "ORD", name: "order and causality", rows: 10 },
    Group { id: "MTX", name: "mutual exclusion", rows: 6 },
    Group { id: "LCK", name: "locks and leases", rows: 3 },
    Group { id: "ELE", name: "election", rows: 5 },
    Group { id: "MEM", name: "membership, failure detection, gossip", rows: 11 },
    Group { id: "OVL", name: "overlay and lookup", rows: 17 },
    Group { id: "NAM", name: "naming", rows: 11 },
    Group { id: "RTE", name: "routing", rows: 10 },
    Group { id: "REP", name: "replication and consistency", rows: 37 },
    Group { id: "TXN", name: "transactions and isolation", rows: 17 },
    Group { id: "ACP", name: "atomic commitment", rows: 6 },
    Group { id: "CON", name: "consensus", rows: 12 },
    Group { id: "MSG", name: "messaging and patterns", rows: 19 },
    Group { id: "STO", name: "storage systems", rows: 21 },
    Group { id: "PRC", name: "processing systems", rows: 13 },
    Group { id: "CLU", name: "cluster management", rows: 9 },
    Group { id: "VIR", name: "virtualisation", rows: 4 },
    Group { id: "DEP", name: "deployment", rows: 5 },
    Group { id: "LED", name: "ledgers", rows: 6 },
    Group { id: "SEC", name: "security", rows: 12 },
    Group { id: "RES", name: "resilience", rows: 11 },
    Group { id: "CPT", name: "compatibility", rows: 5 },
    Group { id: "OBS", name: "observability", rows: 3 },
    Group { id: "EXA", name: "named examples", rows: 10 },
];

/// Claims of the catalogue whose subject is built, or is to be built next, with what each is about.
pub const CLAIMS: [(&str, &str); 47] = [
    ("Q-FND-3", "at-least-once cost"),
    ("Q-FND-4", "fallacy 1: success without retry"),
    ("Q-TIM-1", "resynchronisation interval"),
    ("Q-TIM-2", "Cristian's bound"),
    ("Q-TIM-3", "NTP's bound"),
    ("Q-TIM-4", "Berkeley, the worked example"),
    ("Q-TIM-5", "Berkeley in the field"),
    ("Q-TIM-6", "the filter of least delay"),
    ("Q-TIM-7", "slewing"),
    ("Q-TIM-8", "TrueTime"),
    ("Q-TIM-9", "accuracy by mode"),
    ("Q-ORD-1", "totally ordered multicast"),
    ("Q-ORD-2", "size of vector clocks"),
    ("Q-ORD-3", "false order of Lamport clocks"),
    ("Q-ORD-4", "growth of siblings"),
    ("Q-ORD-5", "Chandy-Lamport"),
    ("Q-ORD-6", "time of a snapshot"),
    ("Q-MTX-1", "centralised"),
    ("Q-MTX-2", "Lamport"),
    ("Q-MTX-3", "Ricart-Agrawala"),
    ("Q-MTX-4", "token ring"),
    ("Q-MTX-7", "Ricart-Agrawala with a crash"),
    ("Q-MTX-8", "traffic of leases"),
    ("Q-ELE-1", "bully, worst"),
    ("Q-ELE-2", "bully, best"),
    ("Q-ELE-3", "ring with a list"),
    ("Q-ELE-4", "Chang-Roberts"),
    ("Q-ELE-5", "wireless, one initiator"),
    ("Q-ELE-6", "wireless, availability"),
    ("Q-MEM-1", "SWIM, first detection"),
    ("Q-MEM-2", "SWIM, load"),
    ("Q-MEM-3", "SWIM, false detections a period"),
    ("Q-MEM-4", "SWIM, dissemination"),
    ("Q-MEM-5", "SWIM, suspicion"),
    ("Q-ACP-1", "2PC without failures"),
    ("Q-ACP-2", "2PC with failures"),
    ("Q-ACP-3", "2PC, decentralised and linear"),
    ("Q-ACP-4", "3PC"),
    ("Q-ACP-5", "2PC, as Gray and Lamport count"),
    ("Q-ACP-6", "Paxos Commit, co-located"),
    ("Q-ACP-7", "the window in which 2PC blocks"),
    ("Q-ACP-8", "2PC over replicated groups"),
    ("Q-CON-1", "Paxos, cold"),
    ("Q-CON-2", "Multi-Paxos and Raft, steady"),
    ("Q-CON-3", "Raft's election"),
    ("Q-CON-4", "the least downtime"),
    ("Q-CON-5", "ZooKeeper's election"),
];

/// What the tests found of one chapter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// The chapter.
    pub id: String,
    /// The mechanisms that it covers.
    pub mechanisms: Vec<String>,
    /// How many golden scripts.
    pub golden: usize,
    /// How many models came to what they must.
    pub models: usize,
    /// How many claims held, and failed when broken.
    pub claims: usize,
    /// Whether everything passed.
    pub is_done: bool,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line { id, mechanisms, golden, models, claims, is_done } = self;
        let verdict = if *is_done { "done" } else { "open" };
        write!(f, "{id} {} golden={golden} models={models} claims={claims} {verdict}", mechanisms.join(","))
    }
}

/// Reads what [`Line`] prints; lines that are none are left out.
pub fn read(text: &str) -> Vec<Line> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let (id, mechanisms) = (words.next()?, words.next()?);
        let mut number = |name: &str| words.next()?.strip_prefix(name)?.strip_prefix('=')?.parse().ok();
        let (golden, models, claims) = (number("golden")?, number("models")?, number("claims")?);
        let is_done = words.next()? == "done";
        let mechanisms = mechanisms.split(',').map(str::to_string).collect();
        Some(Line { id: id.to_string(), mechanisms, golden, models, claims, is_done })
    };
    text.lines().filter(|line| !line.starts_with('#')).filter_map(line).collect()
}

/// The mechanisms that are done, each once, of this group.
pub fn done_of(lines: &[Line], group: &str) -> Vec<String> {
    let done = lines.iter().filter(|line| line.is_done).flat_map(|line| &line.mechanisms);
    let mut done: Vec<String> =
        done.filter(|id| id.strip_prefix(group).is_some_and(|rest| rest.starts_with('-'))).cloned().collect();
    done.sort();
    done.dedup();
    done
}

/// Does everything that makes a chapter done; returns what came of it, and what is wrong.
pub fn compute(shell: &'static dyn Shell) -> (Line, Vec<String>) {
    let card = shell.card();
    let mut wrong = Vec::new();
    match study::run(shell, &Request { seed: 1, ..Request::default() }) {
        Err(error) => wrong.push(format!("scenario: {error}")),
        Ok(ran) if !ran.is_good() => wrong.push(format!("scenario: a property does not hold:\n{ran}")),
        Ok(ran) if ran.statistics.delivered == 0 => wrong.push("scenario: nothing happens in it".to_string()),
        Ok(_) => {}
    }
    if card.golden.is_empty() || card.golden.iter().any(|golden| golden.text.trim().is_empty()) {
        wrong.push("golden: a script is missing or empty".to_string());
    }
    let models = models(shell, &mut wrong);
    let claims = claims(shell, &mut wrong);
    let mechanisms = card.mechanisms.iter().map(ToString::to_string).collect();
    let id = card.id.to_string();
    (Line { id, mechanisms, golden: card.golden.len(), models, claims, is_done: wrong.is_empty() }, wrong)
}

/// The test of a family: does everything that makes its chapters done, on all cores, and compares the outcome with the
/// `coverage.txt` in `folder`; `tell` hears of each chapter as it is done. `CHAPTER=ricart-agrawala` looks at one only; `UPDATE_COVERAGE=1` writes the file again.
///
/// # Panics
/// When something is wrong, or is not what the file says.
pub fn check_family(family: &'static Family, folder: &str, tell: &(dyn Fn(String) + Sync)) {
    let only = std::env::var("CHAPTER").ok();
    let found = computed(family, only.as_deref(), tell);
    let lines: Vec<Line> = found.iter().map(|(line, _)| line.clone()).collect();
    let wrong: Vec<String> =
        found.iter().flat_map(|(line, wrong)| wrong.iter().map(|text| format!("{}: {text}", line.id))).collect();
    if only.is_none() && std::env::var_os("UPDATE_COVERAGE").is_some() {
        let head: String =
            family.coverage.lines().filter(|line| line.starts_with('#')).map(|line| format!("{line}\n")).collect();
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(format!("{folder}/coverage.txt"), head + &text).expect("coverage.txt is written");
    } else if only.is_none() {
        assert_eq!(
            lines,
            read(family.coverage),
            "coverage.txt is not what was computed; UPDATE_COVERAGE=1 writes it again.\n{}",
            wrong.join("\n")
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The chapters are shared out to as many threads as there are cores: the test of one is mostly a model that runs.
fn computed(family: &'static Family, only: Option<&str>, tell: &(dyn Fn(String) + Sync)) -> Vec<(Line, Vec<String>)> {
    let all: Vec<_> = family.chapters.iter().filter(|shell| only.is_none_or(|only| shell.card().id == only)).collect();
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(shell) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (line, wrong) = compute(**shell);
                    tell(wrong.iter().fold(line.to_string(), |text, wrong| text + "\n    " + wrong));
                    found.lock().expect("no thread panics with the lock").push((line, wrong));
                }
            });
        }
    });
    let mut found = found.into_inner().expect("no thread panicked");
    found.sort_by_key(|(line, _)| all.iter().position(|shell| shell.card().id == line.id));
    found
}

fn models(shell: &'static dyn Shell, wrong: &mut Vec<String>) -> usize {
    let card = shell.card();
    let models = shell.models();
    if models.is_empty() && card.worlds.contains(&World::Checked) {
        wrong.push("models: it is said to be checked, and has none".to_string());
    }
    let negatives = models.iter().filter(|model| matches!(model.expects, Expects::Counterexample { .. })).count();
    if card.worlds.contains(&World::Checked) && negatives < card.rules.len() {
        wrong.push(format!("models: {} rules, and {negatives} models in which something breaks", card.rules.len()));
    }
    let mut good = 0;
    for model in models {
        match (model.explore)().verdict(model.expects) {
            Ok(()) => good += 1,
            Err(text) => wrong.push(format!("model {:?}: {text}", model.name)),
        }
    }
    good
}

fn claims(shell: &'static dyn Shell, wrong: &mut Vec<String>) -> usize {
    let mut good = 0;
    for claim in shell.claims() {
        let before = wrong.len();
        let rows = (claim.measure)();
        if rows.is_empty() {
            wrong.push(format!("claim {}: nothing was measured", claim.id));
        }
        for row in rows.iter().filter(|row| !row.holds()) {
            wrong.push(format!("claim {}: {row}", claim.id));
        }
        if (claim.measure_broken)().iter().all(crate::claim::Row::holds) {
            wrong.push(format!("claim {}: it holds although {}", claim.id, claim.breakage));
        }
        good += usize::from(wrong.len() == before);
    }
    good
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_groups_make_up_the_catalogue() {
        assert_eq!(GROUPS.iter().map(|group| group.rows).sum::<usize>(), 365);
    }

    #[test]
    fn a_line_is_read_back_as_printed() {
        let text = "# prose\nricart-agrawala MTX-03 golden=1 models=8 claims=2 done\nlocks LCK-01,MTX-06 golden=0 models=0 claims=0 open\nnonsense\n";
        let lines = read(text);
        let printed: Vec<String> = lines.iter().map(ToString::to_string).collect();
        assert_eq!(printed, text.lines().skip(1).take(2).collect::<Vec<_>>());
        assert_eq!(done_of(&lines, "MTX"), ["MTX-03"]);
        assert!(done_of(&lines, "LCK").is_empty() && done_of(&lines, "MT").is_empty());
    }
}
