//! The models that are explored, those of a chapter or one that a reader asks for; and the verdict on them.

use super::CheckArguments;
use anyhow::{Context, Result, bail};
use volvox_chapters::REGISTRY;
use volvox_core::vocabulary::nearest;
use volvox_lab::ask::Question;
use volvox_lab::chapter::Rule;
use volvox_lab::model::{Expects, Explored};
use volvox_lab::registry::Entry;
use volvox_lab::shell::Shell;
use volvox_lab::study::RequestError;

/// A model to explore.
pub struct Task {
    /// The entry.
    pub id: &'static str,
    /// Its chapter, if it is one.
    pub shell: Option<&'static dyn Shell>,
    /// The name of the model, or what was asked.
    pub name: String,
    /// Its text.
    pub text: &'static str,
    /// The pinned result, where there is one.
    pub expects: Option<Expects>,
    /// The question, where the model is not one of the chapter's own.
    pub question: Option<Question>,
    /// Explores it.
    pub explore: Box<dyn Fn() -> Explored>,
}

impl Task {
    /// The removed rule.
    pub fn without(&self) -> Option<&'static str> {
        self.expects.and_then(Expects::rule).or_else(|| self.question.as_ref()?.without)
    }

    /// The arguments of `volvox lab check` that explore it again.
    pub fn arguments(&self) -> String {
        let Some(question) = &self.question else { return format!("{} --model {:?}", self.id, self.name) };
        let bounds: Vec<String> = question.values().map(|(name, value)| format!(" --{name} {value}")).collect();
        let without = question.without.map_or(String::new(), |rule| format!(" --without {rule}"));
        format!("{}{}{without}", self.id, bounds.concat())
    }
}

/// The models that the command line chooses.
///
/// # Errors
/// When there is no such protocol, model, rule or bound, or what was asked contradicts itself.
pub fn chosen(arguments: &CheckArguments) -> Result<Vec<Task>> {
    let asked = arguments.bounds.asked();
    let entries = match &arguments.protocol {
        Some(id) if !asked.is_empty() => return Ok(vec![asked_for(id, arguments, &asked)?]),
        Some(id) => vec![with_models(id)?],
        None if arguments.all => REGISTRY.entries().collect(),
        None => bail!("which protocol? `volvox lab list` names them; --all explores every one"),
    };
    let without = arguments.without.as_deref().map(|name| rule(entries[0], name)).transpose()?;
    let mut tasks: Vec<Task> = entries.into_iter().flat_map(own).collect();
    if let Some(rule) = without {
        tasks.retain(|task| task.without() == Some(rule.name));
    }
    let Some(words) = &arguments.model else { return Ok(tasks) };
    let names: Vec<String> = tasks.iter().map(|task| task.name.clone()).collect();
    tasks.retain(|task| task.name.contains(words.as_str()));
    match nearest(words, names.iter().map(String::as_str)) {
        _ if !tasks.is_empty() => Ok(tasks),
        Some(near) => bail!("no model is called {words:?}; did you mean {near:?}?"),
        None => bail!("no model is called {words:?}; there are: {}", names.join(", ")),
    }
}

/// The models of an entry.
fn own(entry: Entry) -> impl Iterator<Item = Task> {
    entry.models().into_iter().map(move |model| Task {
        id: entry.card().id,
        shell: entry.protocol(),
        name: model.name.to_string(),
        text: model.text,
        expects: Some(model.expects),
        question: None,
        explore: Box::new(model.explore),
    })
}

/// The model with these bounds.
fn asked_for(id: &str, arguments: &CheckArguments, asked: &[(&str, &str)]) -> Result<Task> {
    if arguments.model.is_some() {
        bail!(
            "--model names one of the chapter's own models, whose bounds are fixed: leave out --{}, or it",
            asked[0].0
        );
    }
    let entry = with_models(id)?;
    let without = arguments.without.as_deref().map(|name| rule(entry, name)).transpose()?;
    let Some((shell, asking)) = entry.protocol().and_then(|shell| Some((shell, shell.asking()?))) else {
        bail!("{id} has its own models only, and none that takes bounds; `volvox lab check {id}` explores them");
    };
    let question = asking.question(asked, without.map(|rule| rule.name)).with_context(|| id.to_string())?;
    let again = question.clone();
    Ok(Task {
        id: entry.card().id,
        shell: Some(shell),
        name: question.to_string(),
        text: "asked for on the command line",
        expects: None,
        question: Some(question),
        explore: Box::new(move || again.explore()),
    })
}

/// The rule of this name.
fn rule(entry: Entry, name: &str) -> Result<Rule> {
    let (chapter, rules) = (entry.card().id, entry.protocol().map_or(&[][..], |shell| shell.card().rules));
    let found = rules.iter().find(|rule| rule.name == name).copied();
    let known = || rules.iter().map(|rule| rule.name).collect();
    Ok(found.ok_or_else(|| RequestError::Rule { chapter, rule: name.to_string(), known: known() })?)
}

/// The entry of this name, if it has something to explore.
fn with_models(id: &str) -> Result<Entry> {
    let entry = REGISTRY.entry(id)?;
    if entry.models().is_empty() && entry.protocol().is_none() {
        bail!(
            "{id} has no model to explore, since its kind is {}; `volvox lab show {id}` prints its evidence",
            entry.kind()
        );
    }
    Ok(entry)
}

/// The result of an exploration.
pub enum Verdict {
    /// The pinned result; of a question, that everything holds.
    Good(String),
    /// Another result than the pinned one; of a question, that a property is broken.
    Bad(String),
    /// The question is not decided, for this reason.
    Open(String),
}

impl Verdict {
    /// The verdict on what was explored.
    pub fn of(task: &Task, explored: &Explored) -> Verdict {
        let broken = |property: &str, steps: usize| format!("\"{property}\" in {steps} steps");
        let found = explored.found.as_ref().map(|found| broken(&found.property, found.actions.len()));
        match (task.expects, found) {
            (Some(expects), found) => match (explored.verdict(expects), found) {
                (Err(text), _) => Verdict::Bad(format!("WRONG: {text}")),
                (Ok(()), None) => Verdict::Good("holds".to_string()),
                (Ok(()), Some(found)) => Verdict::Good(format!("as expected, breaks {found}")),
            },
            (None, Some(found)) => Verdict::Bad(format!("BROKEN: {found}")),
            (None, None) => match explored.decided() {
                Ok(()) => Verdict::Good(format!("holds: {}", explored.asked.join(", "))),
                Err(why) => Verdict::Open(why),
            },
        }
    }

    /// In words.
    pub fn text(&self) -> &str {
        match self {
            Verdict::Good(text) | Verdict::Bad(text) | Verdict::Open(text) => text,
        }
    }

    /// In one word, for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Good(_) => "good",
            Verdict::Bad(_) => "bad",
            Verdict::Open(_) => "undecided",
        }
    }
}
