//! The catalogue of mechanisms, as data: its groups, rows and claims, and the demands of each row on an entry that
//! claims it.
//!
//! `catalogue.txt` beside this crate's manifest is the only place that defines a row, a claim or a demand. An entry
//! cannot claim a row without demands: first *done* must be defined for that row.

use std::fmt;
use std::sync::OnceLock;
use volvox_core::vocabulary::edits;

/// A group of the catalogue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// The letters of its rows.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
}

/// A mechanism: one row of the catalogue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mechanism {
    /// Its identifier: `MTX-03`.
    pub id: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// The worlds in which it must be shown: `sim`, `check`, `live`.
    pub worlds: Vec<&'static str>,
    /// Its demands; empty until they are defined.
    pub demands: Vec<Demand>,
}

/// A claim of the catalogue: a number of the textbook.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimRow {
    /// Its identifier: `Q-MTX-3`.
    pub id: &'static str,
    /// Its subject.
    pub about: &'static str,
}

/// The kind of a demand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DemandKind {
    /// It is shown in this world.
    World,
    /// A safety property: something bad never happens.
    Safe,
    /// A liveness property: something good eventually happens.
    Live,
    /// A counterexample must be found.
    Breaks,
    /// A number is measured.
    Claim,
    /// A foreign client uses it.
    Client,
    /// A foreign client would use it, but its interface is not built yet: shown as open, and not required.
    ClientWithoutDoor,
}

/// One thing that a row demands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Demand {
    /// Its kind.
    pub kind: DemandKind,
    /// Its name, used once in a row: `sim`, `mutual exclusion`, `Q-MTX-3`, `etcdctl`.
    pub name: &'static str,
}

impl Demand {
    /// Whether the row is done only if it is met.
    pub fn is_asked(self) -> bool {
        self.kind != DemandKind::ClientWithoutDoor
    }
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            DemandKind::World => "world",
            DemandKind::Safe => "safe",
            DemandKind::Live => "live",
            DemandKind::Breaks => "breaks",
            DemandKind::Claim => "claim",
            DemandKind::Client | DemandKind::ClientWithoutDoor => "client",
        };
        write!(f, "{kind:<7} {}", self.name)
    }
}

/// The whole catalogue, in order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Catalogue {
    /// Its groups.
    pub groups: Vec<Group>,
    /// Its rows.
    pub mechanisms: Vec<Mechanism>,
    /// Its claims.
    pub claims: Vec<ClaimRow>,
}

impl Catalogue {
    /// The catalogue with which this crate was built.
    pub fn get() -> &'static Catalogue {
        static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
        CATALOGUE
            .get_or_init(|| Catalogue::read(include_str!("../catalogue.txt")).expect("its test reads catalogue.txt"))
    }

    /// Parses the format that the head of `catalogue.txt` describes.
    ///
    /// # Errors
    /// Names the malformed line.
    pub fn read(text: &'static str) -> Result<Catalogue, String> {
        let mut catalogue = Catalogue::default();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let known = match line.strip_prefix("  ") {
                Some(demand) => catalogue.mechanisms.last_mut().and_then(|row| row.demand(demand)),
                None => catalogue.row(line),
            };
            known.ok_or_else(|| format!("line {}: malformed: {line}", number + 1))?;
        }
        Ok(catalogue)
    }

    fn row(&mut self, line: &'static str) -> Option<()> {
        let (id, rest) = line.split_once(' ')?;
        if id == "group" {
            let (id, name) = rest.split_once(' ')?;
            self.groups.push(Group { id, name });
        } else if id.starts_with("Q-") {
            self.claims.push(ClaimRow { id, about: rest });
        } else {
            let (title, worlds) = rest.rsplit_once(" | ")?;
            let worlds: Vec<_> = worlds.split_whitespace().collect();
            let is_world = |world: &&str| ["sim", "check", "live"].contains(world);
            worlds.iter().all(is_world).then_some(())?;
            self.mechanisms.push(Mechanism { id, title, worlds, demands: Vec::new() });
        }
        Some(())
    }

    /// The row of this identifier.
    pub fn mechanism(&self, id: &str) -> Option<&Mechanism> {
        self.mechanisms.iter().find(|row| row.id == id)
    }

    /// The claim of this identifier.
    pub fn claim(&self, id: &str) -> Option<&ClaimRow> {
        self.claims.iter().find(|row| row.id == id)
    }

    /// The rows of a group.
    pub fn rows_of(&self, group: &str) -> impl Iterator<Item = &Mechanism> {
        self.mechanisms.iter().filter(move |row| row.id.split_once('-').is_some_and(|(letters, _)| letters == group))
    }

    /// Whether a measurement may have this identifier: a claim of the catalogue, or a part of a row, such as `FND-06.3`.
    pub fn has_measurement(&self, id: &str) -> bool {
        let part = |id: &str| id.split_once('.').map(|(row, number)| (row.to_string(), number.parse::<u8>()));
        self.claim(id).is_some()
            || part(id).is_some_and(|(row, number)| self.mechanism(&row).is_some() && number.is_ok())
    }

    /// The identifier with the fewest edits from an unknown one.
    pub fn nearest(&self, id: &str) -> &'static str {
        let known = self.mechanisms.iter().map(|row| row.id).chain(self.claims.iter().map(|row| row.id));
        known.min_by_key(|known| edits(&id.to_uppercase(), known)).expect("the catalogue has rows")
    }
}

impl Mechanism {
    fn demand(&mut self, line: &'static str) -> Option<()> {
        // The worlds of the header come first.
        if self.demands.is_empty() {
            self.demands.extend(self.worlds.iter().map(|&name| Demand { kind: DemandKind::World, name }));
        }
        let (kind, name) = line.split_once(' ')?;
        let (kind, names) = match kind {
            "safe" => (DemandKind::Safe, vec![name]),
            "live" => (DemandKind::Live, vec![name]),
            "breaks" => (DemandKind::Breaks, vec![name]),
            "claim" => (DemandKind::Claim, name.split_whitespace().collect()),
            "client" => match name.strip_suffix(", no door yet") {
                Some(name) => (DemandKind::ClientWithoutDoor, vec![name]),
                None => (DemandKind::Client, vec![name]),
            },
            _ => return None,
        };
        let is_plain = |name: &&str| !name.contains(" = ") && !name.contains(';');
        names.iter().all(is_plain).then_some(())?;
        self.demands.extend(names.into_iter().map(|name| Demand { kind, name }));
        Some(())
    }

    /// The demand of this name.
    pub fn demanded(&self, name: &str) -> Option<Demand> {
        self.demands.iter().copied().find(|demand| demand.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_whole() {
        let catalogue = Catalogue::read(include_str!("../catalogue.txt")).expect("every line is known");
        assert_eq!((catalogue.groups.len(), catalogue.mechanisms.len(), catalogue.claims.len()), (30, 365, 201));
        let in_groups: usize = catalogue.groups.iter().map(|group| catalogue.rows_of(group.id).count()).sum();
        assert_eq!(in_groups, 365, "every row belongs to a group");
        for row in &catalogue.mechanisms {
            let mut names: Vec<&str> = row.demands.iter().map(|demand| demand.name).collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{}: a demand is named twice: {names:?}", row.id);
            for demand in row.demands.iter().filter(|demand| demand.kind == DemandKind::Claim) {
                assert!(catalogue.claim(demand.name).is_some(), "{}: there is no claim {}", row.id, demand.name);
            }
        }
    }

    #[test]
    fn a_line_that_is_none_is_refused_with_its_number() {
        let error = Catalogue::read("group MTX mutual exclusion\nMTX-03 Ricart-Agrawala sim\n").unwrap_err();
        assert_eq!(error, "line 2: malformed: MTX-03 Ricart-Agrawala sim");
        assert!(Catalogue::read("MTX-03 R | sim moon\n").is_err());
        assert!(Catalogue::read("MTX-03 R | sim\n  sometimes mutual exclusion\n").is_err());
        assert!(Catalogue::read("  safe mutual exclusion\n").is_err());
    }

    #[test]
    fn a_row_demands_its_worlds_and_a_client_without_a_door_is_not_asked_for() {
        let text = "ACP-02 2PC | sim live\n  client psql, no door yet\n  safe AC1\n  claim Q-ACP-1 Q-ACP-2\n";
        let catalogue = Catalogue::read(text).unwrap();
        let demands: Vec<_> = catalogue.mechanisms[0].demands.iter().map(|one| (one.name, one.is_asked())).collect();
        let names =
            [("sim", true), ("live", true), ("psql", false), ("AC1", true), ("Q-ACP-1", true), ("Q-ACP-2", true)];
        assert_eq!(demands, names);
    }

    #[test]
    fn an_unknown_identifier_has_a_nearest_one() {
        let catalogue = Catalogue::get();
        assert_eq!(catalogue.nearest("MTX-33"), "MTX-03");
        assert_eq!(catalogue.nearest("Q-MTX-33"), "Q-MTX-3");
        assert!(catalogue.mechanism(catalogue.nearest("XYZ-99")).is_some());
        assert!(catalogue.has_measurement("FND-06.3") && catalogue.has_measurement("Q-MTX-3"));
        assert!(!catalogue.has_measurement("FND-99.3") && !catalogue.has_measurement("FND-06.x"));
    }
}
