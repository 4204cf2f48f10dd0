//! An interactive run: lists what may happen next, takes the chosen step, and steps back.
//!
//! The world is that of a script ([`volvox_sim::script`]), and the chosen steps are a script, which can be saved, drawn
//! and replayed with `volvox lab script`.

use crate::chapter::Settings;
use crate::scenario::Whom;
use crate::shell::Shell;
use crate::shrink::{Replayed, replay};
use crate::study::{Prepared, Request, RequestError};
use std::collections::BTreeSet;
use std::rc::Rc;
use volvox_core::erased::{AnyHistory, AnyProcess};
use volvox_core::{Incarnation, NodeId, Picture, Rng, When};
use volvox_sim::script::{Action, Runner, What, World};

/// A possible next step: its script line, and a description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The line of a script, without its `>`.
    pub line: String,
    /// More about it: the whole message, when a timer is due. Empty if the line is enough.
    pub about: String,
}

/// An interactive run.
pub struct Walk {
    shell: &'static dyn Shell,
    settings: Settings,
    seed: u64,
    commands: Vec<String>,
    runner: Runner<AnyProcess>,
    history: AnyHistory,
    /// The chosen steps, each with its results.
    chosen: Vec<(String, String)>,
}

impl Walk {
    /// A run of a chapter, every node started.
    ///
    /// # Errors
    /// When the chapter has no such rule, or does not run with this many nodes.
    pub fn new(shell: &'static dyn Shell, request: &Request) -> Result<Walk, RequestError> {
        let prepared = Prepared::new(shell, request)?;
        let mut commands: Vec<String> = Vec::new();
        for planned in prepared.plan(&mut Rng::new(request.seed).split(u64::MAX)).0 {
            let nodes: Vec<u64> = match planned.whom {
                Whom::Node(id) => vec![id.0],
                Whom::All | Whom::Leader => (1..=prepared.settings.nodes).collect(),
            };
            for node in nodes {
                let command = format!("command n{node} {}", planned.text);
                if !commands.contains(&command) {
                    commands.push(command);
                }
            }
        }
        commands.truncate(COMMANDS_MAX);
        let (settings, seed) = (prepared.settings, request.seed);
        let (runner, history) = begin(shell, &settings, seed);
        Ok(Walk { shell, settings, seed, commands, runner, history, chosen: Vec::new() })
    }

    /// The possible next steps: messages, timers, disks, commands of the chapter's scenario, crashes and starts.
    pub fn choices(&mut self) -> Vec<Choice> {
        let commands = self.commands.clone();
        let world = self.world();
        let plain = |line: String| Choice { line, about: String::new() };
        let mut choices = Vec::new();
        for (from, to, queue) in world.under_way() {
            let mut seen = BTreeSet::new();
            for (place, message) in queue.iter().enumerate() {
                let which = world.name(from, to, place);
                if seen.insert(which.to_string()) {
                    choices.push(Choice { line: format!("deliver {from}->{to}{which}"), about: message.to_string() });
                }
            }
        }
        for (due, node, timer) in world.timers() {
            choices.push(Choice { line: format!("timer {node} {timer:?}"), about: format!("due at {due}") });
        }
        let ids: Vec<NodeId> = world.ids().collect();
        choices.extend(ids.iter().filter(|id| world.has_unsynced(**id)).map(|id| plain(format!("sync {id}"))));
        let is_up = |id: &NodeId| world.node(*id).is_some();
        let asked =
            commands.into_iter().filter(|line| ids.iter().any(|id| is_up(id) && line.contains(&format!(" {id} "))));
        choices.extend(asked.map(plain));
        choices.extend(ids.iter().map(|id| plain(format!("{} {id}", if is_up(id) { "crash" } else { "start" }))));
        choices
    }

    /// Performs one step, in the form of a script line; returns the results.
    ///
    /// # Errors
    /// When it cannot be parsed, or is impossible; then nothing changed.
    pub fn act(&mut self, line: &str) -> Result<String, String> {
        let followed = self.runner.line(line).map_err(|error| error.to_string())?;
        let properties = self.shell.properties();
        for (node, event) in self.world().take_told() {
            properties.observe(&mut self.history, node, &event);
        }
        self.chosen.push((line.to_string(), followed.clone()));
        Ok(followed)
    }

    /// Takes the last step back; `false` when there was none.
    pub fn back(&mut self) -> bool {
        if self.chosen.pop().is_none() {
            return false;
        }
        let lines: Vec<String> = std::mem::take(&mut self.chosen).into_iter().map(|(line, _)| line).collect();
        (self.runner, self.history) = begin(self.shell, &self.settings, self.seed);
        for line in lines {
            // It was possible before, and the world is the same again.
            let _ = self.act(&line);
        }
        true
    }

    /// The violated safety properties, each with the reason.
    pub fn broken(&mut self) -> Vec<(&'static str, String)> {
        let properties = self.shell.properties();
        let cards = properties.cards();
        let always: Vec<usize> = (0..cards.len()).filter(|number| cards[*number].when == When::Always).collect();
        let history = self.history.clone();
        let nodes: Vec<_> = self.world().live().collect();
        let answers = properties.ask(&always, &Picture { nodes: &nodes, history: &history });
        let broken =
            always.into_iter().zip(answers).filter_map(|(number, answer)| Some((cards[number].name, answer.err()?)));
        broken.collect()
    }

    /// The state of each node, in a word or two.
    pub fn states(&mut self) -> Vec<(NodeId, String)> {
        let shell = self.shell;
        let world = self.world();
        let states = world.ids().map(|id| match world.node(id) {
            None => (id, "down".to_string()),
            Some(process) => (id, shell.state(process).text),
        });
        states.collect()
    }

    /// The chosen steps, as a script that checks this property, or the first of the chapter.
    pub fn script(&mut self) -> String {
        let broken = self.broken().first().map(|(property, _)| *property);
        let cards = self.shell.properties().cards();
        let property = broken.or(cards.first().map(|card| card.name)).unwrap_or_default();
        let Settings { nodes, without } = self.settings;
        let mut text = format!("# {}, chosen step by step.\n", self.shell.card().title);
        text += &format!("protocol {}\nnodes {nodes}\n", self.shell.card().id);
        if let Some(rule) = without {
            text += &format!("without {rule}\n");
        }
        text += &format!("property {property}\nseed {}\nlinks free\n\n", self.seed);
        for (line, followed) in &self.chosen {
            text += &format!("> {line}\n{followed}");
        }
        text
    }

    /// The run so far, for a diagram. `None` if it cannot be replayed: something broke before the last step.
    pub fn replayed(&mut self) -> Option<Replayed> {
        let text = self.script();
        replay(self.shell, &text).ok()
    }

    fn world(&mut self) -> &mut World<AnyProcess> {
        self.runner.world().expect("it runs over one")
    }
}

/// More commands than these are not listed; any other can be typed.
const COMMANDS_MAX: usize = 24;

fn begin(shell: &'static dyn Shell, settings: &Settings, seed: u64) -> (Runner<AnyProcess>, AnyHistory) {
    let config = shell.config(settings);
    let config_of = move |_, _: Incarnation| config.clone();
    let mut world = World::<AnyProcess>::new(settings.nodes, config_of).seed(seed).traced();
    for node in world.ids().collect::<Vec<_>>() {
        world.act(&Action::now(What::Start { node })).expect("a node that is down starts");
    }
    let properties = shell.properties();
    let mut history = properties.history();
    for (node, event) in world.take_told() {
        properties.observe(&mut history, node, &event);
    }
    world.take_lines();
    (Runner::over(world, Rc::new(|text| shell.command(text))), history)
}
