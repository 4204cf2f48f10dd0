//! `volvox lab run`.

use super::terminal::say;
use super::{code, terminal};
use anyhow::{Context, Result, anyhow};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use volvox_chapters::REGISTRY;
use volvox_core::Scheduled;
use volvox_lab::diagram::{self, Detail, Diagram};
use volvox_lab::live::{self, LiveNode};
use volvox_lab::scenario::Scenario;
use volvox_lab::study::{self, Ran, Request};

/// More moments than any diagram shows.
const MOMENTS_MAX: usize = 200_000;

/// What is run, and how it is shown.
#[derive(Args, Debug)]
pub struct RunArguments {
    /// Which protocol; `volvox lab list` names them
    pub protocol: String,
    /// From which everything is drawn
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many nodes; what the scenario says when not given
    #[arg(long, value_parser = count, allow_negative_numbers = true)]
    pub nodes: Option<u64>,
    /// Something that goes wrong, such as 'partition 1,2|3 @ 40ms' or 'crash leader @ 1s', in place of what goes wrong in
    /// the scenario; may be given often
    #[arg(long = "fault", value_name = "FAULT", value_parser = fault)]
    pub faults: Vec<Scheduled>,
    /// Take a rule of the protocol out, to see what it was for; `volvox lab show` names them
    #[arg(long, value_name = "RULE")]
    pub without: Option<String>,
    /// Another scenario than the chapter's
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// Run it in the live world: real sockets and files, one operating system process a node
    #[arg(long)]
    pub live: bool,
    /// Draw what happens: a column a node, time downwards, messages as arrows
    #[arg(long)]
    pub diagram: bool,
    /// Leave nothing out of the drawing, and draw every arrow in a line of its own: also what only carries the messages,
    /// remarks, and rounds in which nothing is decided
    #[arg(long)]
    pub all_messages: bool,
    /// Draw it as a picture
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// Reads how many nodes there are; which numbers a protocol takes is for the protocol to say.
///
/// # Errors
/// When it is no number.
pub fn count(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| "expected a whole number such as 3; `volvox lab show P` says from where to where".to_string())
}

/// Reads a fault with its moment.
///
/// # Errors
/// When it is none: with the place and what was expected there.
pub fn fault(text: &str) -> Result<Scheduled, String> {
    text.parse::<Scheduled>()
        .map_err(|error| format!("{error}\n  {text}\n  {:>column$}", "^", column = error.column + 1))
}

/// Runs.
///
/// # Errors
/// When an argument makes no sense, or a file cannot be read or written.
pub fn run(arguments: &RunArguments, json: bool) -> Result<ExitCode> {
    let shell = REGISTRY.find(&arguments.protocol)?;
    let scenario = arguments.scenario.as_deref().map(read_scenario).transpose()?;
    let is_drawn = arguments.diagram || arguments.svg.is_some();
    let request = Request {
        seed: arguments.seed,
        nodes: arguments.nodes,
        faults: arguments.faults.clone(),
        without: arguments.without.clone(),
        scenario,
        moments_max: if is_drawn { MOMENTS_MAX } else { 0 },
    };
    let ran = if arguments.live {
        // The nodes end too, and no folder is left behind.
        when_interrupted(live::interrupt);
        live::run(shell, &request, &node_command)?
    } else {
        study::run(shell, &request)?
    };
    show(&ran, arguments, json)
}

/// Prints a run, and draws it where that is asked for. The picture is last: when it cannot be written, the run is told.
fn show(ran: &Ran, arguments: &RunArguments, json: bool) -> Result<ExitCode> {
    let detail = detail(arguments.all_messages);
    let diagram = Diagram::with(ran, detail);
    if json {
        say(format_args!("{}\n", ran.document()));
    } else {
        if let (Some(diagram), true) = (&diagram, arguments.diagram) {
            say(format_args!("{}\n", diagram::terminal(diagram, terminal::paper())));
        }
        say(format_args!("{ran}"));
    }
    if let (Some(diagram), Some(file)) = (&diagram, &arguments.svg) {
        std::fs::write(file, diagram::svg(diagram)).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(code(ran.is_good()))
}

/// How much a diagram shows.
pub fn detail(is_all: bool) -> Detail {
    if is_all { Detail::Everything } else { Detail::Protocol }
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

/// Is one node of a live run.
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
    // Its message is the place in the file, with the line: nothing to add.
    Scenario::parse(&file.display().to_string(), &text).map_err(|error| anyhow!("{error}"))
}
