//! A chapter in the simulated world: one run of a scenario, judged and reported.
//!
//! | file | what |
//! |---|---|
//! | `simulate` | runs a scenario of a chapter from a seed |
//! | `judge` | evaluates the properties at every moment |
//! | `summary` | the summary, for people and for programs |
//! | `export` | the events of a run, for programs and for ShiViz |
//! | `breaking` | the shortest run that breaks without a rule, told as a run |
//! | `vain` | faults without effect, and why |
//!
//! A run has two parts. The first is the scenario: commands and faults, until everything is done or its time is over.
//! If something is broken then (a link, a disk, a node), everything heals, and the second part is the time in which
//! liveness properties must be fulfilled; crashed nodes restart if the chapter claims to survive that. Safety
//! properties are evaluated after every step, the others at the end.

mod breaking;
mod export;
mod judge;
mod simulate;
mod summary;
mod vain;

pub use breaking::{FoundIn, breaking_run, models_of};
pub use export::SHIVIZ_PARSER;
pub(crate) use judge::Judge;
pub use simulate::simulate as run;
pub(crate) use simulate::{logs, roles};

use crate::chapter::{Cell, Settings, World};
use crate::scenario::{Planned, Scenario, ScenarioError, Whom};
use crate::shell::{PropertyCard, Shell};
use std::fmt;
use volvox_core::fault::Target;
use volvox_core::vocabulary::nearest;
use volvox_core::{Duration, Fault, Instant, NodeId, Rng, Scheduled};
use volvox_sim::{Recording, Statistics};

/// The parameters of a run.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The seed.
    pub seed: u64,
    /// How many nodes; what the scenario says, or the chapter, when not given.
    pub nodes: Option<u64>,
    /// Faults in place of the scenario's; those of the scenario when there are none.
    pub faults: Vec<Scheduled>,
    /// A rule to remove.
    pub without: Option<String>,
    /// Another scenario than the chapter's.
    pub scenario: Option<Scenario>,
    /// The most events recorded for a diagram; 0 for none.
    pub moments_max: usize,
    /// How many lines of the trace are kept, the last ones; none when 0.
    pub trace_lines: usize,
}

/// Why a run could not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// The chapter has no such removable rule.
    Rule {
        /// The chapter.
        chapter: &'static str,
        /// The requested name.
        rule: String,
        /// The existing names.
        known: Vec<&'static str>,
    },
    /// The chapter does not run with this many nodes.
    Nodes {
        /// The chapter.
        chapter: &'static str,
        /// The requested number.
        nodes: u64,
        /// The fewest.
        least: u64,
        /// The most.
        most: u64,
    },
    /// A fault names a node that does not exist.
    Fault {
        /// The fault.
        fault: String,
        /// The node.
        node: NodeId,
        /// How many there are.
        nodes: u64,
    },
    /// A fault that no world of the chapter knows: it has no disk that could fail.
    NoRecords {
        /// The chapter.
        chapter: &'static str,
        /// The fault.
        fault: String,
    },
    /// The scenario is wrong.
    Scenario(Box<ScenarioError>),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestError::Rule { chapter, rule, known } if known.is_empty() => {
                write!(f, "{chapter} has no removable rule; {rule:?} was requested")
            }
            RequestError::Rule { chapter, rule, known } => {
                write!(f, "{chapter} has no removable rule {rule:?}")?;
                if let Some(near) = nearest(rule, known.iter().copied()) {
                    write!(f, "; did you mean {near}?")?;
                }
                write!(f, "; it has {}", known.join(", "))
            }
            RequestError::Nodes { chapter, nodes, least, most } => {
                write!(f, "{chapter} runs with {least} to {most} nodes, not with {nodes}")
            }
            RequestError::Fault { fault, node, nodes } => {
                write!(f, "fault {fault:?}: there is no {node}; nodes are n1 to n{nodes}")
            }
            RequestError::NoRecords { chapter, fault } => {
                write!(f, "fault {fault:?}: {chapter} writes no records, so no disk of it can fail")
            }
            RequestError::Scenario(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RequestError {}

impl From<ScenarioError> for RequestError {
    fn from(error: ScenarioError) -> RequestError {
        RequestError::Scenario(Box::new(error))
    }
}

/// The verdict on a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// It held whenever it was evaluated.
    Yes,
    /// It did not.
    No {
        /// The time.
        at: Instant,
        /// The reason.
        text: String,
    },
    /// The run ended before it could be evaluated.
    NotAsked,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The work was done.
    Done,
    /// Nothing was left to happen.
    Idle,
    /// Its time was over.
    Deadline,
    /// A property broke.
    Broken,
    /// Too many steps: a storm.
    StepsMax,
}

/// The report of a run.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The chapter.
    pub chapter: &'static str,
    /// Its title.
    pub title: &'static str,
    /// The fixed role of each node; empty if all are alike.
    pub roles: Vec<&'static str>,
    /// The replicated log of each node at the end, where the protocol has one.
    pub logs: Vec<(NodeId, Vec<Cell>)>,
    /// The world in which it ran.
    pub world: World,
    /// The model whose counterexample it is, where it is no run of a scenario.
    pub found_in: Option<FoundIn>,
    /// The seed.
    pub seed: u64,
    /// How many nodes.
    pub nodes: u64,
    /// The removed rule.
    pub without: Option<&'static str>,
    /// The end of the run.
    pub end: End,
    /// How long it took, in the world's time.
    pub took: Instant,
    /// The counts.
    pub statistics: Statistics,
    /// Events by their kind, in the order in which they first came.
    pub events: Vec<(&'static str, u64)>,
    /// Faults that happened.
    pub faults: Vec<Scheduled>,
    /// Faults and commands without effect, and why.
    pub in_vain: Vec<String>,
    /// When everything healed, if something was broken.
    pub healed: Option<Instant>,
    /// The verdict on each property.
    pub properties: Vec<(PropertyCard, Held)>,
    /// The parts of the scenario that were left out, because there are fewer nodes.
    pub left_out: usize,
    /// The hash over all inputs and effects of processes, if one seed gives one run.
    pub chain: Option<u64>,
    /// The run as data.
    pub recording: Option<Recording>,
    /// The beginning of a diagram unless another moment is given.
    pub draw_from: Option<Instant>,
    /// The lines of the trace, as many as were asked for.
    pub trace: Vec<String>,
}

impl Ran {
    /// Whether every property held.
    pub fn is_good(&self) -> bool {
        self.properties.iter().all(|(_, held)| *held == Held::Yes)
    }

    /// The head of a summary: the chapter, how many nodes, and where the run comes from.
    pub fn headline(&self) -> String {
        let mut text = format!("{}: {} nodes", self.title, self.nodes);
        match &self.found_in {
            Some(found) => text += &format!(", the shortest run of the model {:?}", found.model),
            None => text += &format!(", seed {}", self.seed),
        }
        if let Some(rule) = self.without {
            text += &format!(", without {rule}");
        }
        text
    }

    /// The first property that did not hold, with what is wrong.
    pub fn broken(&self) -> Option<(&PropertyCard, &str)> {
        self.properties.iter().find_map(|(card, held)| match held {
            Held::No { text, .. } => Some((card, text.as_str())),
            _ => None,
        })
    }
}

/// A request that fits its chapter.
pub(crate) struct Prepared {
    pub settings: Settings,
    pub scenario: Scenario,
    pub faults: Vec<Scheduled>,
    pub left_out: usize,
}

impl Prepared {
    /// The beginning of a diagram: as the scenario says, unless something else goes wrong than it says.
    pub fn draw_from(&self, request: &Request) -> Option<Instant> {
        let from = self.scenario.draw_from.filter(|_| request.faults.is_empty());
        from.map(|from| Instant::ZERO + from)
    }

    /// Checks what can be checked without running anything.
    pub fn new(shell: &dyn Shell, request: &Request) -> Result<Prepared, RequestError> {
        let card = shell.card();
        let own = match &request.scenario {
            Some(scenario) => scenario.clone(),
            None => Scenario::parse(&format!("{}.txt", card.id), card.scenario)?,
        };
        let nodes = request.nodes.or(own.nodes).unwrap_or(card.nodes.default);
        if !(card.nodes.least..=card.nodes.most).contains(&nodes) {
            let (least, most) = (card.nodes.least, card.nodes.most);
            return Err(RequestError::Nodes { chapter: card.id, nodes, least, most });
        }
        let without = match &request.without {
            None => None,
            Some(name) => match card.rules.iter().find(|rule| rule.name == name.as_str()) {
                Some(rule) => Some(rule.name),
                None => {
                    let known = card.rules.iter().map(|rule| rule.name).collect();
                    return Err(RequestError::Rule { chapter: card.id, rule: name.clone(), known });
                }
            },
        };
        // A scenario that was written for more nodes than are asked for is played without those that are not there.
        let is_cut = request.nodes.is_some() && own.nodes.unwrap_or(card.nodes.default) > nodes;
        let mut left_out = 0;
        let mut scenario = own.clone();
        scenario.asked.retain(|asked| {
            let fits = !is_cut || !matches!(asked.whom.0, Whom::Node(id) if id.0 > nodes);
            left_out += usize::from(!fits);
            fits
        });
        for asked in &scenario.asked {
            if let (Whom::Node(id), place) = asked.whom
                && id.0 > nodes
            {
                return Err(own.error(place, format!("there is no {id}; nodes are n1 to n{nodes}")).into());
            }
        }
        let mut faults = Vec::new();
        // A caller that names faults wants to see only those.
        let own_faults = if request.faults.is_empty() { scenario.faults.as_slice() } else { &[] };
        for (fault, place) in own_faults {
            match named(&fault.fault).into_iter().find(|id| id.0 > nodes) {
                None => faults.push(fault.clone()),
                Some(_) if is_cut => left_out += 1,
                Some(id) => {
                    return Err(own.error(*place, format!("there is no {id}; nodes are n1 to n{nodes}")).into());
                }
            }
        }
        for fault in &request.faults {
            if let Some(node) = named(&fault.fault).into_iter().find(|id| id.0 > nodes) {
                return Err(RequestError::Fault { fault: fault.to_string(), node, nodes });
            }
            if matches!(fault.fault, Fault::Disk(..)) && shell.universe().records.is_empty() {
                return Err(RequestError::NoRecords { chapter: card.id, fault: fault.to_string() });
            }
            faults.push(fault.clone());
        }
        faults.sort_by_key(|fault| fault.at);
        Ok(Prepared { settings: Settings { nodes, without }, scenario, faults, left_out })
    }

    /// The commands in order, and when the last command or fault comes.
    pub fn plan(&self, rng: &mut Rng) -> (Vec<Planned<'_>>, Duration) {
        let commands = self.scenario.commands(self.settings.nodes, rng);
        let moments = commands.iter().map(|planned| planned.at).chain(self.faults.iter().map(|fault| fault.at));
        let last = moments.max().unwrap_or(Duration::ZERO);
        (commands, last)
    }
}

/// The nodes that a fault names.
fn named(fault: &Fault) -> Vec<NodeId> {
    match fault {
        Fault::Partition(groups) => groups.concat(),
        Fault::Cut(from, to) | Fault::Slow(from, to, _) => vec![*from, *to],
        Fault::Crash { who: Target::Node(id), .. } => vec![*id],
        Fault::Pause(id)
        | Fault::Resume(id)
        | Fault::Start(id)
        | Fault::Skew(id, _)
        | Fault::Drift(id, _)
        | Fault::Disk(id, _) => vec![*id],
        Fault::Crash { who: Target::Leader, .. } | Fault::Heal => Vec::new(),
    }
}

/// Whether something stays broken until it is healed: clocks that are wrong are a condition, and not a damage.
pub(crate) fn damages(fault: &Fault) -> bool {
    !matches!(fault, Fault::Skew(..) | Fault::Drift(..) | Fault::Heal | Fault::Resume(_) | Fault::Start(_))
}
