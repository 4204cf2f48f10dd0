//! The promise of a chapter for nodes that restart in the middle of a question: [`restart_survey`](crate::restart_survey) tests
//! it.

use volvox_core::NodeId;

/// The promise of a protocol whose nodes restart in the middle of a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Restarts {
    /// The nodes that never restart, and why.
    pub(crate) stay_up: Option<(&'static [NodeId], &'static str)>,
    /// The properties that are not promised, and why.
    pub(crate) excluded: (&'static [&'static str], &'static str),
    /// The rules without one of which something breaks.
    pub(crate) needed: &'static [&'static str],
}

impl Restarts {
    /// Every property holds, whichever nodes restart, over links that keep no order.
    pub const TOLERATED: Restarts = Restarts { stay_up: None, excluded: (&[], ""), needed: &[] };

    /// Every property but these: an assumption excludes them, in words of the module's prose.
    pub const fn excluding(self, properties: &'static [&'static str], because: &'static str) -> Restarts {
        Restarts { excluded: (properties, because), ..self }
    }

    /// These nodes never restart: an assumption, in words of the module's prose.
    pub const fn while_up(self, nodes: &'static [NodeId], because: &'static str) -> Restarts {
        Restarts { stay_up: Some((nodes, because)), ..self }
    }

    /// Without one of these rules, something breaks.
    pub const fn by_rules(self, needed: &'static [&'static str]) -> Restarts {
        Restarts { needed, ..self }
    }

    /// The assumptions, each with what it is for, in words.
    pub fn assumptions(&self) -> Vec<(String, &'static str)> {
        let stay_up = self.stay_up.map(|(nodes, because)| {
            let nodes: Vec<String> = nodes.iter().map(NodeId::to_string).collect();
            (format!("{} does not restart", nodes.join(", ")), because)
        });
        let (properties, because) = self.excluded;
        let excluded = (!properties.is_empty()).then(|| (format!("no promise of {}", properties.join(", ")), because));
        stay_up.into_iter().chain(excluded).collect()
    }

    pub(crate) fn excludes(&self, property: &str) -> bool {
        self.excluded.0.contains(&property)
    }
}
