//! `volvox lab run`.

use super::terminal::say;
use super::{code, limits, terminal};
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use volvox_chapters::REGISTRY;
use volvox_core::{Instant, Scheduled};
use volvox_lab::diagram::{self, Detail, Diagram, Format, View, Window};
use volvox_lab::exploring::{self, Exploring};
use volvox_lab::live::{self, LiveNode};
use volvox_lab::scenario::{Scenario, span_of};
use volvox_lab::shell::{Carried, Shell};
use volvox_lab::study::{self, Ran, Request};

/// The most steps that a diagram shows.
const MOMENTS_MAX: usize = 200_000;
/// The most lines of a trace that are printed; of a longer trace, its end.
const TRACE_LINES_MAX: usize = 1_000_000;

/// The interval between progress lines of a live run.
const PROGRESS_EVERY_NS: u64 = 200_000_000;

/// The run, and how to show it.
#[derive(Args, Debug)]
pub struct RunArguments {
    /// The protocol; `volvox lab list` names them
    pub protocol: String,
    /// The seed of all random choices
    #[arg(long, default_value_t = 1, value_parser = seed, allow_negative_numbers = true)]
    pub seed: u64,
    /// The number of nodes [default: the scenario's]
    #[arg(long, value_parser = count, allow_negative_numbers = true)]
    pub nodes: Option<u64>,
    /// A fault, such as 'partition 1,2|3 @ 40ms' or 'crash leader @ 1s', in place of the scenario's faults; may be
    /// repeated
    #[arg(long = "fault", value_name = "FAULT", value_parser = fault)]
    pub faults: Vec<Scheduled>,
    /// Remove a rule of the protocol, to see what it is for; `volvox lab show` names them. Where the scenario breaks
    /// nothing without it, the shortest run is drawn that does, as the checker finds it
    #[arg(long, value_name = "RULE")]
    pub without: Option<String>,
    /// A scenario to use instead of the chapter's
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// Run it in the live world: real sockets and files, one OS process per node
    #[arg(long)]
    pub live: bool,
    /// Draw the run as a space-time diagram: one column per node, time downwards, messages as arrows
    #[arg(long)]
    pub diagram: bool,
    /// Omit nothing from the drawing, and draw every arrow on its own line: also messages of the underlying channel,
    /// remarks, and rounds in which nothing is decided
    #[arg(long)]
    pub all_messages: bool,
    #[command(flatten)]
    pub picture: PictureArguments,
    /// Print the trace: a line for each input of a node, and for each of its effects
    #[arg(long, conflicts_with = "live")]
    pub trace: bool,
    /// Write the run as a log with vector clocks for ShiViz; its first line is the
    /// expression that reads it
    #[arg(long, value_name = "FILE")]
    pub shiviz: Option<PathBuf>,
}

/// How to draw a picture.
#[derive(Args, Debug)]
pub struct PictureArguments {
    /// Write the drawing as an SVG picture to this file
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Draw nothing before this time, such as 240ms
    #[arg(long, value_name = "T", value_parser = moment)]
    pub from: Option<Instant>,
    /// Draw nothing after this time
    #[arg(long, value_name = "T", value_parser = moment)]
    pub to: Option<Instant>,
    /// The aspect ratio of the picture, 16:9 or 4:3, for a slide [default: as large as needed]
    #[arg(long, value_name = "W:H", requires = "svg")]
    pub size: Option<Format>,
}

impl PictureArguments {
    /// Refuses contradictory arguments before anything is run.
    ///
    /// # Errors
    /// When `--from` is not before `--to`, or the file cannot be written.
    pub fn check(&self) -> Result<()> {
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from >= to
        {
            bail!("--from {from} is not before --to {to}: nothing would be drawn");
        }
        self.svg.as_deref().map_or(Ok(()), check_writable)
    }

    /// The part of a run that is drawn.
    pub fn view(&self, is_all: bool) -> View {
        let detail = if is_all { Detail::Everything } else { Detail::Protocol };
        View { detail, window: Window { from: self.from, to: self.to } }
    }

    /// Writes the picture if one is requested.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, diagram: &Diagram) -> Result<()> {
        let Some(file) = &self.svg else { return Ok(()) };
        let drawn = diagram::drawn(diagram, self.size.unwrap_or(Format::Free));
        if !drawn.is_legible {
            eprintln!("the text is small on a slide: show a part of the run with --from and --to");
        }
        write_file(file, &drawn.svg)
    }
}

/// Parses a time within a run.
///
/// # Errors
/// When the text is not a time.
fn moment(text: &str) -> Result<Instant, String> {
    span_of(text).map(|span| Instant::ZERO + span).ok_or_else(|| "expected a time such as 240ms or 2s".to_string())
}

/// Refuses a file that cannot be written, before any work; leaves no empty file behind.
///
/// # Errors
/// When it cannot be written.
pub fn check_writable(file: &Path) -> Result<()> {
    let is_new = !file.exists();
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .with_context(|| format!("cannot write {}", file.display()))?;
    if is_new {
        std::fs::remove_file(file).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// Writes a file.
///
/// # Errors
/// When it cannot be written.
pub fn write_file(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// Parses a number of nodes; the protocol decides which numbers it accepts.
///
/// # Errors
/// When the text is not a number.
pub fn count(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "expected a whole number such as 3; `volvox lab show P` prints the range".to_string())
}

/// Parses a seed.
///
/// # Errors
/// When it is not a number.
pub fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("expected a whole number from 0 to {}, such as 7", u64::MAX))
}

/// Parses a fault with its time.
///
/// # Errors
/// When the text is not a fault: names the place and what was expected there.
pub fn fault(text: &str) -> Result<Scheduled, String> {
    text.parse::<Scheduled>()
        .map_err(|error| format!("{error}\n  {text}\n  {:>column$}", "^", column = error.column + 1))
}

/// Runs.
///
/// # Errors
/// When an argument is invalid, or a file cannot be read or written.
pub fn run(arguments: &RunArguments, json: bool) -> Result<ExitCode> {
    let shell = REGISTRY.find(&arguments.protocol)?;
    arguments.picture.check()?;
    arguments.shiviz.as_deref().map_or(Ok(()), check_writable)?;
    let scenario = arguments.scenario.as_deref().map(read_scenario).transpose()?;
    let is_recorded = arguments.diagram || arguments.picture.svg.is_some() || arguments.shiviz.is_some() || json;
    let request = Request {
        seed: arguments.seed,
        nodes: arguments.nodes,
        faults: arguments.faults.clone(),
        without: arguments.without.clone(),
        scenario,
        moments_max: if is_recorded { MOMENTS_MAX } else { 0 },
        trace_lines: if arguments.trace { TRACE_LINES_MAX } else { 0 },
    };
    let ran = if arguments.live {
        // The nodes end as well, and no folder is left behind.
        when_interrupted(live::interrupt);
        let last = Cell::new(None);
        let tell = |progress: &live::Progress| {
            let at = progress.at.0 / PROGRESS_EVERY_NS;
            if last.replace(Some(at)) != Some(at) {
                terminal::progress(json, &progress.to_string());
            }
        };
        let ran = live::run(shell, &request, &node_command, &tell);
        terminal::progress(json, "");
        ran?
    } else {
        study::run(shell, &request)?
    };
    let is_own_scenario = !arguments.live && arguments.scenario.is_none() && arguments.faults.is_empty();
    if let (Some(rule), true, true) = (ran.without, is_own_scenario, ran.is_good())
        && let Some(shortest) = shortest(shell, rule, json)
    {
        if let (Some(found), false) = (shortest.found_in, json) {
            say(format_args!(
                "the scenario breaks nothing without {rule}, with seed {}: this is the shortest run that does, found by the \
                 checker in {} steps, among {} states\n\n",
                arguments.seed, found.steps, found.states
            ));
        }
        return show(&shortest, arguments, json);
    }
    show(&ran, arguments, json)
}

/// The shortest run that breaks without this rule, of the first model of the chapter that shows one.
fn shortest(shell: &'static dyn Shell, rule: &'static str, json: bool) -> Option<Ran> {
    study::models_of(shell, rule).into_iter().find_map(|model| {
        let name = format!("{}: {}", shell.card().id, model.name);
        terminal::progress(json, &name);
        let bytes_max = Some(limits::default_mib().saturating_mul(1 << 20));
        let interpreter = Some(Carried(shell).interpreter());
        let exploring = Exploring { bytes_max, interpreter, is_recorded: true, ..limits::watched(json, name) };
        let explored = exploring::with(exploring, model.explore);
        terminal::progress(json, "");
        study::breaking_run(shell, &model, &explored)
    })
}

/// Prints a run, and draws it if asked to. Files come last, so that a run whose files cannot be written is still printed.
fn show(ran: &Ran, arguments: &RunArguments, json: bool) -> Result<ExitCode> {
    let diagram = Diagram::with(ran, &arguments.picture.view(arguments.all_messages));
    if json {
        say(format_args!("{}\n", ran.document()));
    } else {
        for line in &ran.trace {
            say(format_args!("{line}\n"));
        }
        if arguments.trace {
            say("\n");
        }
        if let (Some(diagram), true) = (&diagram, arguments.diagram) {
            say(format_args!("{}\n", diagram::terminal(diagram, terminal::paper())));
        }
        say(format_args!("{ran}"));
    }
    if let Some(diagram) = &diagram {
        arguments.picture.write(diagram)?;
    }
    if let Some(file) = &arguments.shiviz {
        write_file(file, &ran.shiviz())?;
    }
    Ok(code(ran.is_good()))
}

/// Calls `then` once at Ctrl-C, or when the process is asked to end.
pub fn when_interrupted(then: fn()) {
    use tokio::signal::unix::{SignalKind, signal};
    std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        let is_asked = runtime.block_on(async {
            let Ok(mut ended) = signal(SignalKind::terminate()) else { return false };
            tokio::select! {
                pressed = tokio::signal::ctrl_c() => pressed.is_ok(),
                _ = ended.recv() => true,
            }
        });
        if is_asked {
            then();
        }
    });
}

/// One node of a live run, which its parent starts.
#[derive(Args, Debug)]
pub struct NodeArguments {
    protocol: String,
    #[arg(long)]
    id: u64,
    #[arg(long)]
    without: Option<String>,
    #[arg(long)]
    seed: u64,
    #[arg(long)]
    folder: PathBuf,
    #[arg(long, value_delimiter = ',')]
    addresses: Vec<std::net::SocketAddr>,
    #[arg(long)]
    replaced: bool,
}

/// Runs one node of a live run.
///
/// # Errors
/// When the node cannot be opened, or its log fails.
pub fn node(arguments: NodeArguments) -> Result<ExitCode> {
    let NodeArguments { protocol, id, without, seed, folder, addresses, replaced } = arguments;
    let shell = REGISTRY.find(&protocol)?;
    let id = volvox_core::NodeId(id);
    live::node(shell, &LiveNode { protocol, id, without, seed, folder, addresses, is_replaced: replaced })?;
    Ok(ExitCode::SUCCESS)
}

/// The command line of one node: what `ps` shows.
fn node_command(node: &LiveNode) -> Command {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("volvox"));
    let addresses: Vec<String> = node.addresses.iter().map(ToString::to_string).collect();
    let mut command = Command::new(program);
    command.args(["lab", "node", &node.protocol, "--id", &node.id.0.to_string(), "--seed", &node.seed.to_string()]);
    command.arg("--folder").arg(&node.folder).args(["--addresses", &addresses.join(",")]);
    if let Some(rule) = &node.without {
        command.args(["--without", rule]);
    }
    if node.is_replaced {
        command.arg("--replaced");
    }
    command
}

fn read_scenario(file: &Path) -> Result<Scenario> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    // The error already names the place in the file, and shows the line.
    Scenario::parse(&file.display().to_string(), &text).map_err(|error| anyhow!("{error}"))
}
