//! Every chapter's nodes restart in the middle of a question, over links on which old messages linger.
//!
//! A number that names a question must not restart with the process: an answer to a question of a dead boot would be mistaken
//! for an answer to one of this boot. No protocol is believed to keep that rule because its author says so. The test of each
//! family runs [`check_family`]: for every protocol, many seeds of [`volvox_sim::restarts`] with the protocol's own
//! commands and configuration, and all of its properties: those that always hold after each step, and those that hold at
//! the end after a good rest.
//!
//! # A declaration is not a way out
//!
//! Some papers assume that no process fails, or that one node stays up. Such a chapter says so in one
//! place, [`Chapter::restarts`](crate::chapter::Chapter::restarts), and the test holds it to that:
//!
//! - a property that is excluded must break in some seed, or the declaration is refused as not needed;
//! - the reason must be words of the module's prose, where a reader of the protocol meets them;
//! - every other property must hold all the same;
//! - nodes that are said to stay up must do so: without it something breaks;
//! - a rule that is said to be needed for restarts must be missed when it is removed.

use crate::chapter::Settings;
use crate::registry::{Entry, Family};
use crate::restarts::Restarts;
use crate::shell::{AnyPicture, Properties, Shell};
use std::collections::BTreeMap;
use volvox_core::erased::{AnyCommand, AnyHistory, AnyProcess};
use volvox_core::{Duration, NodeId, Rng, When};
use volvox_sim::script::{Action, Order, What, World};

/// How many runs of each chapter.
const SEEDS: u64 = 60;
/// How many things happen in a run before the world is left alone.
const STEPS: u32 = 500;
/// How long the world is left alone, and good, before it is asked what must hold at the end.
const REST: Duration = Duration::from_secs(20);
/// How many nodes a run has, where the chapter allows so few.
const NODES: u64 = 4;

/// The results of the runs of one chapter.
struct Survey {
    /// How many times a node restarted while a message from or to it was in flight.
    amid_a_question: u32,
    /// The properties that broke, each with its first seed and what was wrong.
    broken: BTreeMap<&'static str, (u64, String)>,
}

impl Survey {
    /// The first property that broke and is not excluded.
    fn unexpected(&self, promise: &Restarts) -> Option<&'static str> {
        self.broken.keys().copied().find(|property| !promise.excludes(property))
    }
}

/// The test of a family: every protocol keeps what it promises of restarts; `tell` hears of each.
///
/// # Panics
/// When one does not, with the seed.
pub fn check_family(family: &Family, tell: &(dyn Fn(String) + Sync)) {
    let only = std::env::var("CHAPTER").ok();
    let mut wrong = Vec::new();
    for shell in family.entries.iter().copied().filter_map(Entry::protocol) {
        let id = shell.card().id;
        if only.as_ref().is_none_or(|only| only == id) {
            wrong.extend(check(shell, tell).into_iter().map(|text| format!("{id}: {text}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The faults of a chapter or its declaration.
fn check(shell: &'static dyn Shell, tell: &(dyn Fn(String) + Sync)) -> Vec<String> {
    let (card, promise) = (shell.card(), shell.restarts());
    let survey = survey(shell, &promise, None, tell);
    tell(format!("{}: {} restarts amid a question in {SEEDS} seeds", card.id, survey.amid_a_question));
    let mut wrong = Vec::new();
    if u64::from(survey.amid_a_question) < SEEDS {
        wrong.push("hardly any message was in flight when nodes restarted: these runs show nothing".to_string());
    }
    for (property, (seed, what)) in survey.broken.iter().filter(|(property, _)| !promise.excludes(property)) {
        wrong.push(format!("seed {seed}: {property}: {what}"));
    }
    for property in promise.excluded.0 {
        match survey.broken.get(property) {
            Some((seed, what)) => tell(format!("  excluded: {property}, as in seed {seed}: {what}")),
            None => wrong.push(format!("{property} is excluded, and breaks in no seed: the exclusion is not needed")),
        }
    }
    let prose = prose(card.source);
    for (assumption, because) in promise.assumptions() {
        if !prose.contains(because) {
            wrong.push(format!("{assumption}, because {because:?}: the prose of the module does not say so"));
        }
    }
    let mut must_break = |changed: &Restarts, without, why: &str| {
        if self::survey(shell, changed, without, tell).unexpected(&promise).is_none() {
            wrong.push(format!("{why}, and nothing more breaks without that"));
        }
    };
    if promise.stay_up.is_some() {
        must_break(&Restarts { stay_up: None, ..promise }, None, "some nodes are said to stay up");
    }
    for rule in promise.needed {
        must_break(&promise, Some(rule), &format!("the rule {rule} is said to be needed"));
    }
    wrong
}

/// The header of a module as running text.
fn prose(source: &str) -> String {
    let words = source.lines().map_while(|line| line.strip_prefix("//!")).flat_map(str::split_whitespace);
    words.collect::<Vec<_>>().join(" ")
}

fn survey(
    shell: &'static dyn Shell,
    promise: &Restarts,
    without: Option<&'static str>,
    tell: &(dyn Fn(String) + Sync),
) -> Survey {
    let nodes = shell.card().nodes;
    let settings = Settings { nodes: NODES.clamp(nodes.least, nodes.most), without };
    let mut survey = Survey { amid_a_question: 0, broken: BTreeMap::new() };
    for seed in 0..SEEDS {
        let _told = SeedOfPanic { tell, chapter: shell.card().id, seed };
        let (amid_a_question, broken) = run(shell, promise, &settings, seed);
        survey.amid_a_question += amid_a_question;
        for (property, what) in broken {
            survey.broken.entry(property).or_insert((seed, what));
        }
    }
    survey
}

/// Names the run in which a process panicked.
struct SeedOfPanic<'a> {
    tell: &'a (dyn Fn(String) + Sync),
    chapter: &'static str,
    seed: u64,
}

impl Drop for SeedOfPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            (self.tell)(format!("{}, seed {}: a process panicked", self.chapter, self.seed));
        }
    }
}

/// One run: how many times a node restarted amid a question, and what broke first of each property.
fn run(
    shell: &'static dyn Shell,
    promise: &Restarts,
    settings: &Settings,
    seed: u64,
) -> (u32, BTreeMap<&'static str, String>) {
    let mut rng = Rng::new(seed);
    let commands = commands(shell, settings.nodes, &mut rng);
    let restarts = volvox_sim::restarts::Restarts {
        nodes: settings.nodes,
        order: Order::Free,
        stay_up: promise.stay_up.map_or(&[], |(nodes, _)| nodes),
        commands: &commands,
        steps: STEPS,
    };
    let config = shell.config(settings);
    let mut world: World<AnyProcess> = restarts.world(seed, move |_, _| config.clone());
    let mut judge = Judge::new(shell);
    judge.start_all(&mut world);
    let mut amid_a_question = 0;
    for _ in 0..restarts.steps {
        let next = restarts.next(&mut rng, &world);
        amid_a_question += u32::from(next.is_amid_a_question);
        // An impossible action does not happen: a command to a node that is down, a sync of nothing.
        if world.act(&next.action).is_ok() {
            judge.ask(When::Always, &mut world);
        }
    }
    judge.start_all(&mut world);
    world.rest(REST, |world, _| {
        judge.ask(When::Always, world);
        false
    });
    judge.ask(When::AtEnd, &mut world);
    (amid_a_question, judge.broken)
}

/// Commands of every form to every node, with values that are drawn.
fn commands(shell: &'static dyn Shell, nodes: u64, rng: &mut Rng) -> Vec<(NodeId, AnyCommand)> {
    const A_FORM: u32 = 2;
    let mut commands = Vec::new();
    for form in shell.forms() {
        for node in 1..=nodes {
            commands.extend((0..A_FORM).map(|_| (NodeId(node), filled(shell, form, nodes, rng))));
        }
    }
    commands
}

/// A command of this form: values are drawn until the protocol reads it.
fn filled(shell: &'static dyn Shell, form: &str, nodes: u64, rng: &mut Rng) -> AnyCommand {
    const TRIES_MAX: u32 = 10_000;
    for _ in 0..TRIES_MAX {
        let mut text = String::new();
        for (place, part) in form.split('{').enumerate() {
            match part.split_once('}') {
                Some((_, words)) if place > 0 => text = text + &value(nodes, rng) + words,
                _ => text += part,
            }
        }
        if let Ok(command) = shell.command(&text) {
            return command;
        }
    }
    panic!("no value that was tried fits the command `{form}`")
}

/// A value as protocols have them: a number, a node, a word, a ticket, bytes.
fn value(nodes: u64, rng: &mut Rng) -> String {
    let number = rng.between(1, nodes);
    match rng.below(5) {
        0 => number.to_string(),
        1 => format!("n{number}"),
        2 => format!("#{number}"),
        3 => format!("\"{number}\""),
        _ => "word".to_string(),
    }
}

/// Remembers what nodes told, and asks what must hold.
struct Judge {
    properties: Box<dyn Properties>,
    /// The properties with their places, and when each is asked.
    cards: Vec<(usize, &'static str, When)>,
    history: AnyHistory,
    broken: BTreeMap<&'static str, String>,
}

impl Judge {
    fn new(shell: &'static dyn Shell) -> Judge {
        let properties = shell.properties();
        let cards = properties.cards().iter().enumerate().map(|(place, card)| (place, card.name, card.when)).collect();
        Judge { cards, history: properties.history(), properties, broken: BTreeMap::new() }
    }

    /// Starts every node that is down.
    fn start_all(&mut self, world: &mut World<AnyProcess>) {
        let down: Vec<NodeId> = world.ids().filter(|id| world.node(*id).is_none()).collect();
        for node in down {
            world.act(&Action::now(What::Start { node })).expect("a node that is down starts");
            self.ask(When::Always, world);
        }
    }

    /// Asks those properties that must hold then and have not broken yet.
    fn ask(&mut self, when: When, world: &mut World<AnyProcess>) {
        for (node, event) in world.take_told() {
            self.properties.observe(&mut self.history, node, &event);
        }
        let is_asked = |name: &&'static str, at: When| at == when && !self.broken.contains_key(*name);
        let asked: Vec<_> = self.cards.iter().filter(|(_, name, at)| is_asked(name, *at)).copied().collect();
        let places: Vec<usize> = asked.iter().map(|(place, ..)| *place).collect();
        let nodes: Vec<_> = world.live().collect();
        let answers = self.properties.ask(&places, &AnyPicture { nodes: &nodes, history: &self.history });
        for ((_, name, _), answer) in asked.into_iter().zip(answers) {
            if let Err(what) = answer {
                self.broken.insert(name, format!("{what} (at {})", world.now()));
            }
        }
    }
}
