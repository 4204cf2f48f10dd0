//! `volvox lab check`.

use super::code;
use super::run::{PictureArguments, check_writable, when_interrupted};
use super::terminal::{self, say};
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;
use volvox_chapters::REGISTRY;
use volvox_core::vocabulary::nearest;
use volvox_lab::diagram::{self, Diagram};
use volvox_lab::exploring::{self, Exploring};
use volvox_lab::model::{CheckedModel, Expects, Explored, Found};
use volvox_lab::registry::Entry;
use volvox_lab::shell::{Carried, Shell};

/// The default limit of an exploration's memory: a development machine has more.
const MEMORY_MIB: u64 = 8_192;

/// The least time between two lines of progress, in milliseconds.
const PROGRESS_EVERY: u64 = 200;

/// Which models and protocols `lab check` explores, and within which bounds.
#[derive(Args, Debug)]
#[group(skip)]
pub struct CheckArguments {
    /// The protocol; `volvox lab list` names them
    pub protocol: Option<String>,
    /// Explore every model of every protocol
    #[arg(long, conflicts_with = "protocol")]
    pub all: bool,
    /// Explore only models whose name contains this
    #[arg(long, value_name = "WORDS")]
    pub model: Option<String>,
    /// Print each counterexample step by step
    #[arg(long)]
    pub trace: bool,
    /// Draw the counterexample
    #[arg(long)]
    pub diagram: bool,
    /// Write the counterexample as a script with its trace to this file
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    #[command(flatten)]
    pub picture: PictureArguments,
    /// Stop at this many states
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub states: Option<u64>,
    /// Stop at this much memory in MiB, by the checker's own estimate
    #[arg(long, value_name = "MIB", default_value_t = MEMORY_MIB, value_parser = clap::value_parser!(u64).range(1..))]
    pub memory: u64,
}

impl CheckArguments {
    /// Whether a counterexample is requested, of which only one can be drawn.
    fn wants_one(&self) -> bool {
        self.diagram || self.picture.svg.is_some() || self.save.is_some()
    }
}

/// Explores.
///
/// # Errors
/// When there is no such protocol or model, or a file cannot be written.
pub fn check(arguments: &CheckArguments, json: bool) -> Result<ExitCode> {
    let chosen = chosen(arguments)?;
    arguments.picture.check()?;
    arguments.save.as_deref().map_or(Ok(()), check_writable)?;
    // An interrupted exploration still prints what it has explored.
    when_interrupted(|| INTERRUPTED.store(true, Ordering::Relaxed));
    let begun = Instant::now();
    let mut total = Total::default();
    if !json {
        say(format_args!("{:<62} {:>10} {:>6} {:>8}  verdict\n", "model", "states", "depth", "time"));
    }
    let mut is_written = false;
    for (entry, model) in &chosen {
        let id = entry.card().id;
        let explored = explored(arguments, json, id, entry.protocol(), model);
        let verdict = explored.verdict(model.expects);
        total.add(&explored, verdict.is_err());
        if json {
            total.documents.push(document(id, model, &explored, &verdict));
        } else {
            print(id, model, &explored, &verdict, arguments);
        }
        if let (Some(found), Some(shell), false) = (&explored.found, entry.protocol(), is_written) {
            is_written = keep(arguments, json, shell, model, found)?;
        }
        if is_interrupted() {
            break;
        }
    }
    if arguments.wants_one() && !is_written {
        bail!("nothing drawn or written: no explored model has a counterexample that can be followed by hand");
    }
    let is_good = total.wrong == 0;
    total.say(json, begun.elapsed().as_secs_f64());
    Ok(code(is_good))
}

type Chosen = Vec<(Entry, CheckedModel)>;

fn chosen(arguments: &CheckArguments) -> Result<Chosen> {
    let entries = match &arguments.protocol {
        Some(id) => vec![with_models(id)?],
        None if arguments.all => REGISTRY.entries().collect(),
        None => bail!("which protocol? `volvox lab list` names them; --all explores every one"),
    };
    let all = entries.into_iter().flat_map(|entry| entry.models().into_iter().map(move |model| (entry, model)));
    let all: Chosen = all.collect();
    let Some(words) = &arguments.model else { return Ok(all) };
    let names: Vec<&str> = all.iter().map(|(_, model)| model.name).collect();
    let found: Chosen = all.iter().filter(|(_, model)| model.name.contains(words.as_str())).copied().collect();
    match nearest(words, names.iter().copied()) {
        _ if !found.is_empty() => Ok(found),
        Some(near) => bail!("no model is called {words:?}; did you mean {near:?}?"),
        None => bail!("no model is called {words:?}; there are: {}", names.join(", ")),
    }
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

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

fn explored(
    arguments: &CheckArguments,
    json: bool,
    id: &str,
    shell: Option<&'static dyn Shell>,
    model: &CheckedModel,
) -> Explored {
    let name = format!("{id}: {}", model.name);
    let begun = Instant::now();
    let told = AtomicU64::new(0);
    let is_shown = !json && std::io::stdout().is_terminal();
    let tell: Option<exploring::Tell> = is_shown.then(|| {
        let name = name.clone();
        let tell = move |progress: &volvox_lab::check::Progress| {
            let elapsed = begun.elapsed();
            let now = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
            let last = told.load(Ordering::Relaxed);
            if now >= last + PROGRESS_EVERY && told.swap(now, Ordering::Relaxed) == last {
                say(format_args!("\r\x1b[K{name}: {}", progress.line(elapsed)));
            }
        };
        Arc::new(tell) as exploring::Tell
    });
    terminal::progress(json, &name);
    let exploring = Exploring {
        states_max: arguments.states,
        bytes_max: Some(arguments.memory << 20),
        progress: tell,
        cancel: Some(&INTERRUPTED),
        shown: shell.filter(|_| arguments.wants_one()).map(|shell| Carried(shell).shown()),
    };
    let explored = exploring::with(exploring, model.explore);
    terminal::progress(json, "");
    explored
}

#[derive(Default)]
struct Total {
    documents: Vec<Value>,
    states: u64,
    count: usize,
    wrong: usize,
    outside: u64,
    collision_bits: Option<u32>,
}

impl Total {
    fn add(&mut self, explored: &Explored, is_wrong: bool) {
        self.states += explored.states;
        self.count += 1;
        self.wrong += usize::from(is_wrong);
        self.outside += explored.outside;
        let bits = explored.collision_bits;
        self.collision_bits = Some(self.collision_bits.map_or(bits, |least| least.min(bits)));
    }

    fn say(self, json: bool, seconds: f64) {
        let Total { documents, states, count, wrong, outside, collision_bits } = self;
        if json {
            let summary = json!({
                "models": documents, "states": states, "states_at_bounds": outside, "seconds": seconds,
                "collision_below_2_to_minus": collision_bits, "failed": wrong,
            });
            return say(format_args!("{summary}\n"));
        }
        let models = if count == 1 { "model" } else { "models" };
        let verdict = match wrong {
            0 => "all as expected".to_string(),
            1 => "one is NOT as expected".to_string(),
            _ => format!("{wrong} are NOT as expected"),
        };
        say(format_args!("\n{count} {models}, {states} states, {seconds:.1} s: {verdict}\n"));
        if outside > 0 {
            say(format_args!("{outside} states at the bounds of their models were not explored further\n"));
        }
        if let Some(bits) = collision_bits {
            say(format_args!("the chance that two states were confused is below 2^-{bits} in each model\n"));
        }
    }
}

fn print(
    id: &str,
    model: &CheckedModel,
    explored: &Explored,
    verdict: &Result<(), String>,
    arguments: &CheckArguments,
) {
    let is_told = arguments.trace || arguments.model.is_some();
    let text = match (verdict, &explored.found) {
        (Err(text), _) => format!("WRONG: {text}"),
        (Ok(()), None) => "holds".to_string(),
        (Ok(()), Some(found)) => format!("as expected, breaks \"{}\" in {} steps", found.property, found.actions.len()),
    };
    let name = format!("{id}: {}", model.name);
    let seconds = explored.took.as_secs_f64();
    say(format_args!("{name:<62} {:>10} {:>6} {seconds:>6.1} s  {text}\n", explored.states, explored.depth));
    // A counterexample is valid whatever was cut; a property that holds, holds for what was explored.
    if explored.found.is_none() {
        explored.caveats().iter().for_each(|caveat| say(format_args!("      {caveat}\n")));
    }
    if let Some(found) = &explored.found
        && is_told
    {
        for (number, action) in found.actions.iter().enumerate() {
            if found.cycle_from == Some(number) {
                say(format_args!("      and from here on, in a cycle:\n"));
            }
            say(format_args!("  {:>3}. {action}\n", number + 1));
        }
        say(format_args!("\n"));
        found.trace.lines().for_each(|line| say(format_args!("       {line}\n")));
    }
}

/// Draws and writes a counterexample as requested; returns whether it could.
fn keep(
    arguments: &CheckArguments,
    json: bool,
    shell: &'static dyn Shell,
    model: &CheckedModel,
    found: &Found,
) -> Result<bool> {
    let Expects::Counterexample { property, .. } = model.expects else { return Ok(false) };
    if !arguments.wants_one() || found.script.is_empty() {
        return Ok(false);
    }
    let diagram = Diagram::of_counterexample(shell, model, found, &arguments.picture.view(false));
    if arguments.diagram && !json {
        say(format_args!("\n{}\n", diagram::terminal(&diagram, terminal::paper())));
    }
    arguments.picture.write(&diagram)?;
    if let Some(file) = &arguments.save {
        let (card, nodes) = (shell.card(), found.nodes);
        let text = format!(
            "# {}, {}: {property} is broken\n# in the model's own configuration, which `volvox lab check {} --model {:?}` \
             explores\nprotocol {}\nnodes {nodes}\n\n{}",
            card.title, model.name, card.id, model.name, card.id, found.script
        );
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(true)
}

fn document(id: &str, model: &CheckedModel, explored: &Explored, verdict: &Result<(), String>) -> Value {
    let found = explored.found.as_ref().map(|found| {
        json!({
            "property": found.property, "actions": found.actions, "cycle_from": found.cycle_from, "trace": found.trace,
            "script": found.script,
        })
    });
    json!({
        "protocol": id,
        "model": model.name,
        "text": model.text,
        "states": explored.states,
        "depth": explored.depth,
        "seconds": explored.took.as_secs_f64(),
        "ended": format!("{:?}", explored.ended),
        "states_at_bounds": explored.outside,
        "overflowed": explored.overflowed,
        "liveness_within_bounds": explored.budgets,
        "collision_below_2_to_minus": explored.collision_bits,
        "never_happened": explored.never,
        "bytes": explored.bytes,
        "counterexample": found,
        "as_expected": verdict.is_ok(),
        "wrong": verdict.as_ref().err(),
    })
}
