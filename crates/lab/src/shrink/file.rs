//! A shrunk counterexample as a text: what `volvox lab replay FILE` runs, and what a person reads.
//!
//! ```text
//! # Mutual exclusion after Ricart and Agrawala, without order: two are inside at the same time.
//! protocol ricart-agrawala
//! nodes 3
//! without order
//! property mutual exclusion
//! seed 7
//! links free
//!
//! > command n1 enter
//! 0.000ms n1 -> n2 Request 1
//! ```
//! Behind the header it is a script ([`volvox_sim::script`]): lines with `>` happen, the others are the results. `seed`
//! determines jitter; `links` is the order of links: `free`, `lossy` (a message that arrives makes those sent before it
//! lost) or `strict`.

use super::Breach;
use super::follow::{Field, property_of};
use crate::chapter::{Cell, Settings};
use crate::shell::{Carried, Shell};
use crate::study::logs;
use std::fmt;
use std::fmt::Write;
use std::rc::Rc;
use volvox_core::erased::AnyProcess;
use volvox_core::{NodeId, When};
use volvox_sim::script::{Action, Order, Runner};
use volvox_sim::{Moment, Recording, What};

/// The longest text that is read.
const TEXT_MAX: usize = 4 << 20;

/// A replayed counterexample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The text, with what happens now below each line.
    pub text: String,
    /// The violation, and its reason; nothing if the named property held.
    pub breach: Option<Breach>,
    /// The run as data, for a diagram.
    pub recording: Recording,
    /// How many nodes there are.
    pub nodes: u64,
    /// The replicated log of each node at the end, where the protocol has one.
    pub logs: Vec<(NodeId, Vec<Cell>)>,
}

/// Why a text cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayError {
    /// The line, from 1.
    pub line: usize,
    /// The reason.
    pub problem: String,
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

impl std::error::Error for ReplayError {}

/// The chapter that a counterexample belongs to.
///
/// # Errors
/// When the text does not say so.
pub fn protocol_of(text: &str) -> Result<&str, ReplayError> {
    let header = text.lines().take_while(|line| !line.starts_with('>'));
    let named = header.filter_map(|line| line.strip_prefix("protocol ")).map(str::trim).next();
    named.ok_or(ReplayError { line: 1, problem: "expected `protocol NAME` before the first command".to_string() })
}

/// Replays a counterexample of this chapter.
///
/// # Errors
/// When the text is not a counterexample, or a step in it cannot happen.
pub fn replay(shell: &'static dyn Shell, text: &str) -> Result<Replayed, ReplayError> {
    let at = |line: usize| move |problem: String| ReplayError { line: line + 1, problem };
    if text.len() > TEXT_MAX {
        return Err(at(0)(format!("a text of {} bytes; {TEXT_MAX} at most", text.len())));
    }
    let field = read_header(shell, text)?;
    let world =
        field.started(field.unstarted(&field.settings).recorded(Rc::new(Carried(shell)), |node| shell.state(node)));
    let mut runner = Runner::over(world.traced(), Rc::new(|text| shell.command(text)));
    let mut history = field.properties.history();
    let (mut after, mut breach) = (String::new(), None);
    let mut is_script = false;
    for (number, line) in text.lines().enumerate() {
        let command = line.strip_prefix('>');
        is_script |= command.is_some();
        if is_script && command.is_none() && !line.is_empty() && !line.starts_with('#') {
            continue;
        }
        // Writing to a string does not fail.
        let _ = writeln!(after, "{line}");
        let Some(command) = command else { continue };
        if breach.is_some() {
            return Err(at(number)(format!("{} is broken before this", field.name())));
        }
        after.push_str(&runner.line(command.trim()).map_err(|error| at(number)(error.to_string()))?);
        let world = runner.world().expect("it runs over one");
        field.take_events(world, &mut history);
        if field.property.as_ref().is_some_and(|(_, property)| property.when == When::Always) {
            breach = field.ask(world, &history);
        }
    }
    let world = runner.world().expect("it runs over one");
    if breach.is_none() {
        breach = field.ask(world, &history);
    }
    let mut recording = world.recording();
    if let (Some(breach), Some((_, property))) = (&breach, &field.property) {
        let what = What::Broken { property: property.name.to_string(), text: breach.text.clone() };
        recording.moments.push(Moment { at: world.now(), node: NodeId(0), what });
    }
    let live: Vec<_> = world.live().collect();
    let logs = logs(shell, &live);
    Ok(Replayed { text: after, breach, recording, nodes: field.settings.nodes, logs })
}

impl Field {
    /// The name of what must break.
    pub fn name(&self) -> &'static str {
        self.property.as_ref().map_or(super::PANIC, |(_, property)| property.name)
    }

    /// The text of a counterexample; `breach` is what is wrong in the end.
    pub fn text(&self, actions: &[Action<AnyProcess>], breach: &Breach) -> String {
        let (card, settings) = (self.shell.card(), &self.settings);
        let mut text = String::new();
        let without = settings.without.map(|rule| format!(", without {rule}")).unwrap_or_default();
        let what = breach.text.lines().next().unwrap_or_default();
        // Writing to a string does not fail.
        let _ = writeln!(text, "# {}{without}: {what}", card.title);
        let _ = writeln!(text, "protocol {}\nnodes {}", card.id, settings.nodes);
        if let Some(rule) = settings.without {
            let _ = writeln!(text, "without {rule}");
        }
        let order = ORDERS.iter().find(|(_, order)| *order == self.order).map_or("free", |(name, _)| name);
        let _ = writeln!(text, "property {}\nseed {}\nlinks {order}\n", self.name(), self.seed);
        let mut is_up: Vec<bool> = vec![true; settings.nodes as usize];
        for action in self.named(actions) {
            use volvox_sim::script::What;
            match action.what {
                What::Crash { node, .. } => is_up[node.0 as usize - 1] = false,
                What::Start { node } => is_up[node.0 as usize - 1] = true,
                _ => {}
            }
            if !action.choices.is_empty()
                && let Some(node) = chooser(&action)
            {
                let answers: Vec<String> = action.choices.iter().map(ToString::to_string).collect();
                let _ = writeln!(text, "> choose {node} {}", answers.join(" "));
            }
            let _ = writeln!(text, "> {action}");
        }
        if let Some(rest) = self.rest {
            for (place, _) in is_up.iter().enumerate().filter(|(_, is_up)| !**is_up && self.starts_again) {
                let _ = writeln!(text, "> start n{}", place + 1);
            }
            let _ = writeln!(text, "> rest {}s", rest.as_secs());
        }
        text
    }
}

fn chooser(action: &Action<AnyProcess>) -> Option<volvox_core::NodeId> {
    use volvox_sim::script::What;
    match action.what {
        What::Start { node } | What::Command { node, .. } | What::Fire { node, .. } | What::Sync { node, .. } => {
            Some(node)
        }
        What::Deliver { to, .. } => Some(to),
        _ => None,
    }
}

const ORDERS: [(&str, Order); 3] = [("free", Order::Free), ("lossy", Order::Lossy), ("strict", Order::Strict)];

fn read_header(shell: &'static dyn Shell, text: &str) -> Result<Field, ReplayError> {
    let (card, properties) = (shell.card(), shell.properties());
    let mut settings = Settings { nodes: card.nodes.default, without: None };
    let (mut seed, mut order, mut property) = (1, Order::Free, None);
    let header = text.lines().enumerate().take_while(|(_, line)| !line.starts_with('>'));
    for (number, line) in header.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#')) {
        let wrong = |expected: String| ReplayError { line: number + 1, problem: format!("expected {expected}") };
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match word {
            "protocol" if rest == card.id => {}
            "protocol" => return Err(wrong(format!("protocol {}", card.id))),
            "nodes" => {
                let range = card.nodes.least..=card.nodes.most;
                let count = rest.parse().ok().filter(|count| range.contains(count));
                settings.nodes = count.ok_or_else(|| wrong(format!("nodes {} to {}", range.start(), range.end())))?;
            }
            "without" => {
                let rule = card.rules.iter().find(|rule| rule.name == rest);
                let known = || card.rules.iter().map(|rule| rule.name).collect::<Vec<_>>().join(", ");
                settings.without = Some(rule.ok_or_else(|| wrong(format!("a rule, one of: {}", known())))?.name);
            }
            "property" => {
                let known = || properties.cards().iter().map(|one| one.name).collect::<Vec<_>>().join(", ");
                let found = property_of(properties.as_ref(), rest);
                property = Some(found.ok_or_else(|| wrong(format!("a property, one of: {}", known())))?);
            }
            "seed" => seed = rest.parse().map_err(|_| wrong("a number".to_string()))?,
            "links" => {
                let found = ORDERS.iter().find(|(name, _)| *name == rest);
                order = found.ok_or_else(|| wrong("links free, lossy or strict".to_string()))?.1;
            }
            _ => return Err(wrong("protocol, nodes, without, property, seed, links, or a command with >".to_string())),
        }
    }
    let property = property.ok_or(ReplayError { line: 1, problem: "expected `property NAME`".to_string() })?;
    Ok(Field {
        shell,
        properties,
        settings,
        seed,
        order,
        property,
        rest: None,
        starts_again: false,
        is_controlled: false,
    })
}
