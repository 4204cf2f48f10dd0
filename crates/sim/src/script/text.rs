//! Scripts: lines of text, parsed and executed.

use super::action::{Action, Keeps, What, Which, WhichTimer};
use super::world::{Impossible, World};
use std::fmt;
use std::fmt::{Display, Write};
use std::rc::Rc;
use std::str::FromStr;
use volvox_core::{Duration, Incarnation, Instant, NodeId, Position, Process};

/// The number of rounds of syncs and deliveries after which nodes do not come to rest.
const ROUNDS_MAX: usize = 10_000;
/// The number of timers firing in one wait that indicates a mistake.
const TIMERS_MAX: usize = 100_000;

/// Why a line of a script cannot be executed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ScriptError {
    /// The line is not a line of a script; what was expected.
    Unreadable(String),
    /// The action is impossible.
    Impossible(Impossible),
    /// Nodes send and sync without end.
    Restless,
    /// There are no nodes yet: the first line is `cluster 3`.
    NoCluster,
}

impl Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScriptError::Unreadable(expected) => write!(f, "expected {expected}"),
            ScriptError::Impossible(why) => write!(f, "{why}"),
            ScriptError::Restless => f.write_str("the nodes do not come to rest"),
            ScriptError::NoCluster => f.write_str("there are no nodes yet: begin with `cluster 3`"),
        }
    }
}

impl std::error::Error for ScriptError {}

impl From<Impossible> for ScriptError {
    fn from(why: Impossible) -> ScriptError {
        ScriptError::Impossible(why)
    }
}

fn unreadable<T>(expected: impl Into<String>) -> Result<T, ScriptError> {
    Err(ScriptError::Unreadable(expected.into()))
}

type ConfigOf<P> = Rc<dyn Fn(NodeId, Incarnation) -> <P as Process>::Config>;

/// Parses a command of the protocol, or returns what is wrong with it.
pub type ReadCommand<P> = Rc<dyn Fn(&str) -> Result<<P as Process>::Command, String>>;

fn parsed<P: Process<Command: FromStr<Err: Display>>>(text: &str) -> Result<P::Command, String> {
    text.parse().map_err(|error: <P::Command as FromStr>::Err| error.to_string())
}

/// Runs a script, line by line.
pub struct Runner<P: Process> {
    /// `None` if the world is given, and no other may be created.
    config_of: Option<ConfigOf<P>>,
    world: Option<World<P>>,
    read_command: ReadCommand<P>,
    /// Lines that contain one of these words are not printed.
    hidden: Vec<String>,
}

impl<P: Process<Command: FromStr<Err: Display>> + 'static> Runner<P> {
    /// A script without a world: `cluster` creates one, with nodes of these configurations.
    pub fn new(config_of: ConfigOf<P>) -> Runner<P> {
        Runner { config_of: Some(config_of), world: None, read_command: Rc::new(parsed::<P>), hidden: Vec::new() }
    }
}

impl<P: Process + 'static> Runner<P> {
    /// A script over an existing, traced world.
    pub fn over(world: World<P>, read_command: ReadCommand<P>) -> Runner<P> {
        Runner { config_of: None, world: Some(world), read_command, hidden: Vec::new() }
    }

    /// The world, once there is one.
    pub fn world(&mut self) -> Option<&mut World<P>> {
        self.world.as_mut()
    }

    /// Executes a command after `>`; returns the lines that it caused.
    ///
    /// # Errors
    /// When it cannot be parsed, or is impossible.
    pub fn line(&mut self, line: &str) -> Result<String, ScriptError> {
        let (line, is_quiet) = match line.strip_prefix("quietly ") {
            Some(rest) => (rest.trim_start(), true),
            None => (line, false),
        };
        self.carry_out(line)?;
        let lines = self.world.as_mut().map(World::take_lines).unwrap_or_default();
        let mut text = String::new();
        for line in lines.iter().filter(|_| !is_quiet).filter(|line| !self.is_hidden(line)) {
            text.push_str(line);
            text.push('\n');
        }
        Ok(text)
    }

    fn is_hidden(&self, line: &str) -> bool {
        line.split_whitespace().any(|word| self.hidden.iter().any(|hidden| hidden == word))
    }

    fn carry_out(&mut self, line: &str) -> Result<(), ScriptError> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["cluster", count, ref rest @ ..] => return self.cluster(count, rest),
            ["hide", ref words @ ..] => {
                self.hidden = words.iter().map(ToString::to_string).collect();
                return Ok(());
            }
            _ => {}
        }
        let world = self.world.as_mut().ok_or(ScriptError::NoCluster)?;
        match words[..] {
            ["deliver"] => {
                deliver_all(world)?;
            }
            ["settle"] => settle(world)?,
            ["rest", span] => world.rest(duration(span)?, |_, _| false),
            ["wait", span] => wait(world, duration(span)?)?,
            ["choose", node, ref answers @ ..] if !answers.is_empty() => {
                let answers: Option<Vec<u32>> = answers.iter().map(|answer| answer.parse().ok()).collect();
                let Some(answers) = answers else { return unreadable("answers, such as `choose n1 2`") };
                world.choose(node_id(node)?, answers)?;
            }
            _ => {
                let action = read_action(world, line, &*self.read_command)?;
                world.act(&action)?;
            }
        }
        Ok(())
    }

    fn cluster(&mut self, count: &str, rest: &[&str]) -> Result<(), ScriptError> {
        let Some(count) = count.parse().ok().filter(|count| (1..=1_000).contains(count)) else {
            return unreadable("a number of nodes, from 1 to 1000");
        };
        let Some(config_of) = self.config_of.clone() else {
            return unreadable("a command for the existing nodes");
        };
        let mut world = World::new(count, move |id, incarnation| config_of(id, incarnation)).traced();
        match rest {
            [] => {
                for id in world.ids().collect::<Vec<_>>() {
                    world.act(&Action::now(What::Start { node: id }))?;
                }
            }
            ["down"] => {}
            _ => return unreadable("nothing or `down` after the number of nodes"),
        }
        self.world = Some(world);
        Ok(())
    }
}

/// Delivers everything in flight, link by link; returns whether there was anything.
fn deliver_all<P: Process>(world: &mut World<P>) -> Result<bool, ScriptError> {
    let links: Vec<_> = world.under_way().map(|(from, to, queue)| (from, to, queue.len())).collect();
    for (from, to, count) in &links {
        for _ in 0..*count {
            world.act(&Action::now(What::Deliver { from: *from, to: *to, which: Which::Oldest }))?;
        }
    }
    Ok(!links.is_empty())
}

fn settle<P: Process>(world: &mut World<P>) -> Result<(), ScriptError> {
    for _ in 0..ROUNDS_MAX {
        let unsynced: Vec<NodeId> = world.ids().filter(|id| world.has_unsynced(*id)).collect();
        for node in &unsynced {
            world.act(&Action::now(What::Sync { node: *node, through: None }))?;
        }
        if !deliver_all(world)? && unsynced.is_empty() {
            return Ok(());
        }
    }
    Err(ScriptError::Restless)
}

/// Lets time pass; timers fire in the order in which they are due.
fn wait<P: Process>(world: &mut World<P>, span: Duration) -> Result<(), ScriptError> {
    let end = world.now() + span;
    for _ in 0..TIMERS_MAX {
        let Some((_, node, timer)) = world.timers().into_iter().next().filter(|(due, _, _)| *due <= end) else {
            world.act(&Action { at: end, what: What::Wait, choices: Vec::new() })?;
            return Ok(());
        };
        world.act(&Action::now(What::Fire { node, timer: WhichTimer::Exactly(timer) }))?;
    }
    Err(ScriptError::Restless)
}

/// Parses one action, as [`Action`] prints it. Timers are those set in `world`, by name.
///
/// # Errors
/// When the text is not an action.
pub fn read_action<P: Process>(
    world: &World<P>,
    line: &str,
    read_command: &dyn Fn(&str) -> Result<P::Command, String>,
) -> Result<Action<P>, ScriptError> {
    let (at, line) = match line.strip_prefix("at ") {
        Some(rest) => {
            let (moment, rest) = rest.trim_start().split_once(' ').unwrap_or((rest.trim(), ""));
            (Instant::ZERO + duration(moment)?, rest.trim_start())
        }
        None => (Instant::ZERO, line),
    };
    Ok(Action { at, what: read_what(world, line, read_command)?, choices: Vec::new() })
}

fn read_what<P: Process>(
    world: &World<P>,
    line: &str,
    read_command: &dyn Fn(&str) -> Result<P::Command, String>,
) -> Result<What<P>, ScriptError> {
    let words: Vec<&str> = line.split_whitespace().collect();
    Ok(match words[..] {
        ["command", name, ref rest @ ..] => {
            let node = node_id(name)?;
            let text = behind(line, if rest.is_empty() { "" } else { name });
            match read_command(text) {
                Ok(command) => What::Command { node, command },
                Err(error) => return unreadable(format!("a command of the protocol: {error}")),
            }
        }
        ["deliver", name, ref rest @ ..] => {
            let (from, to) = link(name)?;
            What::Deliver { from, to, which: which(rest)? }
        }
        ["drop", name, ref rest @ ..] => {
            let (from, to) = link(name)?;
            What::Drop { from, to, which: which(rest)? }
        }
        ["duplicate", name, ref rest @ ..] => {
            let (from, to) = link(name)?;
            What::Duplicate { from, to, which: which(rest)? }
        }
        ["timer", name, _, ..] => {
            let node = node_id(name)?;
            let wanted = behind(line, name);
            let timers = world.timers();
            let mut set = timers.iter().filter(|(_, of, _)| *of == node).map(|(_, _, timer)| timer);
            match set.find(|timer| format!("{timer:?}") == wanted) {
                Some(timer) => What::Fire { node, timer: WhichTimer::Exactly(timer.clone()) },
                None => return Err(Impossible::NoTimer(node).into()),
            }
        }
        ["timeout", name] => What::Fire { node: node_id(name)?, timer: WhichTimer::Earliest },
        ["sync", name] => What::Sync { node: node_id(name)?, through: None },
        ["sync", name, through] => What::Sync { node: node_id(name)?, through: Some(position(through)?) },
        ["crash", name] => What::Crash { node: node_id(name)?, keeps: Keeps::Durable },
        ["crash", name, "without", "disk"] => What::Crash { node: node_id(name)?, keeps: Keeps::Nothing },
        ["crash", name, "keeping", through] => {
            What::Crash { node: node_id(name)?, keeps: Keeps::Through(position(through)?) }
        }
        ["start", name] => What::Start { node: node_id(name)? },
        ["clock", name, ref changes @ ..] if !changes.is_empty() => {
            let (mut jump, mut drift_ppm) = (0, None);
            for change in changes {
                match change.strip_suffix("ppm").and_then(|ppm| ppm.parse().ok()) {
                    Some(ppm) => drift_ppm = Some(ppm),
                    None => jump = signed(change)?,
                }
            }
            What::Clock { node: node_id(name)?, jump, drift_ppm }
        }
        ["wait"] => What::Wait,
        _ => {
            return unreadable(
                "cluster, command, deliver, settle, drop, duplicate, timer, timeout, wait, sync, crash, start, choose, \
                 clock or hide",
            );
        }
    })
}

/// The text after the first occurrence of a word, or after the first word if it is empty.
fn behind<'l>(line: &'l str, word: &str) -> &'l str {
    let rest = line.split_once(' ').map_or("", |(_, rest)| rest);
    rest.split_once(word).map_or("", |(_, rest)| rest).trim()
}

fn which<M>(rest: &[&str]) -> Result<Which<M>, ScriptError> {
    match rest {
        [] => Ok(Which::Oldest),
        [word] => match word.strip_prefix('#') {
            Some(place) => match place.parse::<usize>().ok().filter(|place| *place > 0) {
                Some(place) => Ok(Which::Place(place - 1)),
                None => unreadable("a place, such as #2 for the second oldest"),
            },
            None => Ok(Which::Kind(word.to_string())),
        },
        _ => unreadable("nothing, a kind of message, or a place such as #2"),
    }
}

fn node_id(word: &str) -> Result<NodeId, ScriptError> {
    match word.strip_prefix('n').and_then(|number| number.parse().ok()) {
        Some(number) => Ok(NodeId(number)),
        None => unreadable(format!("a node such as n1, and not {word}")),
    }
}

fn link(word: &str) -> Result<(NodeId, NodeId), ScriptError> {
    match word.split_once("->") {
        Some((from, to)) => Ok((node_id(from)?, node_id(to)?)),
        None => unreadable(format!("a link such as n1->n2, and not {word}")),
    }
}

fn position(word: &str) -> Result<Position, ScriptError> {
    match word.strip_prefix('p').and_then(|number| number.parse().ok()) {
        Some(number) => Ok(Position(number)),
        None => unreadable(format!("a position such as p3, and not {word}")),
    }
}

/// Parses a span such as `20ms`.
///
/// # Errors
/// When the text is not a span.
pub fn duration(word: &str) -> Result<Duration, ScriptError> {
    for (unit, nanos) in [("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000u64)] {
        let number = word.strip_suffix(unit).and_then(|number| number.parse::<u64>().ok());
        if let Some(nanos) = number.and_then(|number| number.checked_mul(nanos)) {
            return Ok(Duration::from_nanos(nanos));
        }
    }
    unreadable(format!("a time such as 20ms, and not {word}"))
}

fn signed(word: &str) -> Result<i64, ScriptError> {
    let (sign, span) = match word.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, word.strip_prefix('+').unwrap_or(word)),
    };
    let nanos = i64::try_from(duration(span)?.as_nanos()).unwrap_or(i64::MAX);
    Ok(sign * nanos)
}

/// The script with its current output.
pub(super) fn rerun<P>(text: &str, config_of: ConfigOf<P>) -> Result<String, (usize, ScriptError)>
where
    P: Process<Command: FromStr<Err: Display>> + 'static,
{
    let mut runner = Runner::<P>::new(config_of);
    let mut after = String::new();
    for (number, line) in text.lines().enumerate() {
        let is_output = !(line.is_empty() || line.starts_with('#') || line.starts_with('>'));
        if is_output {
            continue;
        }
        // Writing to a string does not fail.
        let _ = writeln!(after, "{line}");
        if let Some(command) = line.strip_prefix('>') {
            after.push_str(&runner.line(command.trim()).map_err(|error| (number + 1, error))?);
        }
    }
    Ok(after)
}
