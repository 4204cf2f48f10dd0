//! The evidence that a row of the catalogue is met: for each demand of the row, the test, model, claim or script that
//! shows it.
//!
//! A family keeps it in its `evidence.txt`, beside its chapters:
//!
//! ```text
//! ricart-agrawala MTX-03
//!   sim = scenario
//!   check = model three nodes, two entries each
//!   live = test volvox lab every_chapter_whose_row_asks_for_it_runs_live
//!   breaks equal stamps = model without tie-break; script 01-a-tie.txt
//! ```
//!
//! A demanded claim is met by the claim of the same name, and needs no line. A demand without a line is *open*.

use crate::catalogue::{Catalogue, Demand, DemandKind, Mechanism};
use std::fmt;

/// One piece of evidence.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Evidence {
    /// The scenario of the chapter: every property held in it.
    Scenario,
    /// The model of this name had the expected result.
    Model(String),
    /// This claim held, and failed when it was broken.
    Claim(String),
    /// The golden script of this name, which the test of the protocol compares.
    Script(String),
    /// A test of the gate. Tidy finds it in the sources, and fails when it is gone.
    Test {
        /// Its package.
        package: String,
        /// Its program: the name of a file or folder below `tests`, or `lib`.
        program: String,
        /// Its function.
        name: String,
    },
    /// A check of `cargo xtask compat`, whose last run without a fault is recorded in `tests/compat/green.txt`.
    Compat(String),
}

impl Evidence {
    /// Reads what [`Display`](fmt::Display) writes.
    pub fn read(text: &str) -> Option<Evidence> {
        let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
        let named = || (!rest.is_empty()).then(|| rest.to_string());
        match kind {
            "scenario" => rest.is_empty().then_some(Evidence::Scenario),
            "model" => named().map(Evidence::Model),
            "claim" => named().map(Evidence::Claim),
            "script" => named().map(Evidence::Script),
            "compat" => named().map(Evidence::Compat),
            "test" => {
                let words: Vec<&str> = rest.split_whitespace().collect();
                let [package, program, name] = words[..] else { return None };
                let [package, program, name] = [package, program, name].map(str::to_string);
                Some(Evidence::Test { package, program, name })
            }
            _ => None,
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Evidence::Scenario => f.write_str("scenario"),
            Evidence::Model(name) => write!(f, "model {name}"),
            Evidence::Claim(id) => write!(f, "claim {id}"),
            Evidence::Script(name) => write!(f, "script {name}"),
            Evidence::Test { package, program, name } => write!(f, "test {package} {program} {name}"),
            Evidence::Compat(client) => write!(f, "compat {client}"),
        }
    }
}

/// The evidence of an entry for a row: its demands, each with its evidence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// The entry.
    pub entry: String,
    /// The row.
    pub mechanism: String,
    /// By the name of a demand.
    pub demands: Vec<(String, Vec<Evidence>)>,
}

impl Shown {
    /// The evidence for this demand, all of which must pass. `None` if there is none, and the demand is open.
    pub fn of(&self, demand: Demand) -> Option<Vec<Evidence>> {
        let written = self.demands.iter().find(|(name, _)| name == demand.name).map(|(_, evidence)| evidence.clone());
        let claim = || (demand.kind == DemandKind::Claim).then(|| vec![Evidence::Claim(demand.name.to_string())]);
        written.or_else(claim)
    }
}

/// Reads an `evidence.txt`.
///
/// # Errors
/// Names the malformed line, the unknown row, or a demand that the row does not make.
pub fn read(text: &str, catalogue: &Catalogue) -> Result<Vec<Shown>, String> {
    let mut all: Vec<Shown> = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let read = match line.strip_prefix("  ") {
            Some(line) => demand(line, all.last_mut(), catalogue),
            None => heading(line, catalogue).map(|shown| all.push(shown)),
        };
        read.map_err(|what| format!("evidence.txt:{}: {what}", number + 1))?;
    }
    Ok(all)
}

fn heading(line: &str, catalogue: &Catalogue) -> Result<Shown, String> {
    let (entry, mechanism) =
        line.split_once(' ').ok_or_else(|| format!("expected an entry and a mechanism, found {line:?}"))?;
    row(mechanism, catalogue)?;
    Ok(Shown { entry: entry.to_string(), mechanism: mechanism.to_string(), demands: Vec::new() })
}

/// The row of this identifier, if an entry may claim it.
///
/// # Errors
/// When it is not in the catalogue, or the catalogue does not define its demands.
pub fn row<'a>(id: &str, catalogue: &'a Catalogue) -> Result<&'a Mechanism, String> {
    let Some(row) = catalogue.mechanism(id) else {
        return Err(format!(
            "the catalogue has no {id}; the nearest is {}. A mechanism without a row has a name but no identifier",
            catalogue.nearest(id)
        ));
    };
    if row.demands.is_empty() {
        return Err(format!("catalogue.txt does not yet define the demands of {id}, so nothing can meet it"));
    }
    Ok(row)
}

fn demand(line: &str, shown: Option<&mut Shown>, catalogue: &Catalogue) -> Result<(), String> {
    let shown = shown.ok_or_else(|| format!("{line:?} belongs to no entry"))?;
    let (name, evidence) =
        line.split_once(" = ").ok_or_else(|| format!("expected DEMAND = EVIDENCE, found {line:?}"))?;
    if row(&shown.mechanism, catalogue)?.demanded(name).is_none() {
        return Err(format!("{} demands no {name:?}", shown.mechanism));
    }
    if shown.demands.iter().any(|(known, _)| known == name) {
        return Err(format!("{name:?} is listed twice"));
    }
    let read = |text: &str| Evidence::read(text).ok_or_else(|| format!("{text:?} is not evidence"));
    let evidence = evidence.split("; ").map(read).collect::<Result<Vec<_>, _>>()?;
    shown.demands.push((name.to_string(), evidence));
    Ok(())
}

/// The last clean run of a foreign client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Green {
    /// The client.
    pub client: String,
    /// Its version.
    pub version: String,
    /// When: `2026-11-30`.
    pub date: String,
    /// The commit.
    pub commit: String,
}

impl fmt::Display for Green {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Green { client, version, date, commit } = self;
        write!(f, "{client} {version} {date} {commit}")
    }
}

/// The content of `tests/compat/green.txt`, written by `cargo xtask compat --record`.
pub fn recorded_clients() -> Vec<Green> {
    clients(include_str!("../../../tests/compat/green.txt"))
}

fn clients(text: &str) -> Vec<Green> {
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [client, version, date, commit] = words[..] else { return None };
        let [client, version, date, commit] = [client, version, date, commit].map(str::to_string);
        Some(Green { client, version, date, commit })
    };
    text.lines().filter(|line| !line.starts_with('#')).filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = "MTX-03 Ricart-Agrawala | sim check\n  safe mutual exclusion\n  claim Q-MTX-3\nMTX-05 Voting | sim\nQ-MTX-3 Ricart-Agrawala\n";

    fn read_here(text: &str) -> Result<Vec<Shown>, String> {
        read(text, &Catalogue::read(ROW).unwrap())
    }

    #[test]
    fn evidence_is_read_back_as_written() {
        let text = "scenario; model three nodes; claim Q-MTX-3; script 01-a.txt; test volvox-raft paper figure_8; compat etcdctl";
        let read: Vec<Evidence> = text.split("; ").map(|one| Evidence::read(one).unwrap()).collect();
        assert_eq!(read.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "), text);
        for wrong in ["", "scenario x", "model", "test volvox-raft paper", "hope"] {
            assert_eq!(Evidence::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_has_no_line_is_open_but_for_a_claim() {
        let all =
            read_here("ricart-agrawala MTX-03\n  sim = scenario\n  mutual exclusion = model a; model b\n").unwrap();
        let catalogue = Catalogue::read(ROW).unwrap();
        let of = |name: &str| all[0].of(catalogue.mechanisms[0].demanded(name).unwrap());
        assert_eq!(of("sim"), Some(vec![Evidence::Scenario]));
        assert_eq!(of("mutual exclusion").map(|evidence| evidence.len()), Some(2));
        assert_eq!(of("check"), None);
        assert_eq!(of("Q-MTX-3"), Some(vec![Evidence::Claim("Q-MTX-3".to_string())]));
    }

    #[test]
    fn what_the_catalogue_lacks_is_refused() {
        for (text, message) in [
            ("r MTX-33\n", "evidence.txt:1: the catalogue has no MTX-33; the nearest is MTX-03."),
            ("r MTX-05\n", "evidence.txt:1: catalogue.txt does not yet define the demands of MTX-05"),
            ("r MTX-03\n  termination = scenario\n", "evidence.txt:2: MTX-03 demands no \"termination\""),
            ("r MTX-03\n  sim = hope\n", "evidence.txt:2: \"hope\" is not evidence"),
            ("r MTX-03\n  sim = scenario\n  sim = scenario\n", "evidence.txt:3: \"sim\" is listed twice"),
            ("  sim = scenario\n", "evidence.txt:1: \"sim = scenario\" belongs to no entry"),
        ] {
            let error = read_here(text).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn a_record_of_a_client_has_four_words() {
        let found = clients("# client version date commit\netcdctl 3.5.1 2026-11-30 e962999\netcdctl NOT RUN\n");
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), ["etcdctl 3.5.1 2026-11-30 e962999"]);
    }
}
