//! `volvox lab script` and `volvox lab replay`: replays a script and judges the run.

use super::run::PictureArguments;
use super::terminal::say;
use super::{code, terminal};
use anyhow::{Context, Result, anyhow};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use volvox_chapters::REGISTRY;
use volvox_lab::diagram::{self, Diagram};
use volvox_lab::shrink::{self, protocol_of};

/// The size of the largest file that is read.
const BYTES_MAX: u64 = 4 << 20;
/// The most lines of a script: more than a person writes, and few enough to replay.
const LINES_MAX: usize = 50_000;

/// The format of a script, for `--help`.
const FORMAT: &str = "\
A script is a text. Its header says what runs:

  protocol ricart-agrawala       one that `volvox lab list` names
  nodes 3                        how many; the protocol's own number when not said
  without order                  a rule to remove; none unless given
  property mutual exclusion      what is asked, by its name in `volvox lab show P`
  seed 1                         where jitter comes from
  links free                     free: any message may be next; lossy: one that arrives leaves those before it lost;
                                 strict: only the oldest arrives

Behind it each line with > lets one thing happen; lines with # are prose, and all others are what followed, which is
rewritten. Every node has started.

  > command n1 enter             asks a node, in the protocol's own words
  > deliver                      everything in flight now arrives
  > deliver n1->n2               the oldest message of this link arrives
  > deliver n1->n2 Reply         the oldest of this kind; `#2` is the second oldest
  > drop n1->n2, duplicate n1->n2   it is lost; it is in flight twice
  > timer n1 Election            this timer fires, and time advances to its moment
  > timeout n1                   the timer of n1 that is due first
  > wait 20ms                    time passes, and timers fire
  > rest 10s                     time passes as in a good world, until nothing is left to happen
  > settle                       disks sync and messages arrive, until nothing moves
  > sync n1                      what n1 persisted is durable
  > crash n1, start n1           its process ends; it starts with what its disk kept
  > crash n1 without disk        its disk is gone as well
  > clock n1 +200ms              its wall clock jumps
  > choose n1 2 0                what its next choices are answered

`volvox lab step P` writes such a script while you choose, and `volvox lab sweep P --save FILE` writes what it found.";

/// The arguments of `lab script`.
#[derive(Args, Debug)]
#[command(after_long_help = FORMAT)]
pub struct ScriptArguments {
    /// A script, written by hand, by `volvox lab step` or by `volvox lab sweep P --save FILE`
    pub file: PathBuf,
    /// Draw the run
    #[arg(long)]
    pub diagram: bool,
    /// Omit nothing from the drawing
    #[arg(long)]
    pub all_messages: bool,
    #[command(flatten)]
    pub picture: PictureArguments,
}

/// Replays a script.
///
/// # Errors
/// When the file cannot be read or is not a script, or when a step in it cannot happen.
pub fn run(arguments: &ScriptArguments, json: bool) -> Result<ExitCode> {
    let name = arguments.file.display();
    arguments.picture.check()?;
    let text = read(arguments)?;
    let in_file = |error: shrink::ReplayError| anyhow!("{name}: {error}");
    let shell = REGISTRY.find(protocol_of(&text).map_err(in_file)?)?;
    let replayed = shrink::replay(shell, &text).map_err(in_file)?;
    let diagram =
        Diagram::of_script(shell, shell.card().title, &replayed, &arguments.picture.view(arguments.all_messages));
    if json {
        let breach =
            replayed.breach.as_ref().map(|breach| json!({ "property": breach.property, "reason": breach.text }));
        say(format_args!("{}\n", json!({ "protocol": shell.card().id, "broken": breach, "script": replayed.text })));
    } else {
        // The picture shows the same as the text.
        match arguments.diagram {
            true => say(format_args!("{}\n", diagram::terminal(&diagram, terminal::paper()))),
            false => say(format_args!("{}\n\n", replayed.text.trim_end())),
        }
        match &replayed.breach {
            Some(breach) => say(format_args!("{} is broken: {}\n", breach.property, breach.text)),
            None => say("the property holds\n"),
        }
    }
    arguments.picture.write(&diagram)?;
    Ok(code(replayed.breach.is_none()))
}

fn read(arguments: &ScriptArguments) -> Result<String> {
    let name = arguments.file.display();
    let length = std::fs::metadata(&arguments.file).with_context(|| format!("cannot read {name}"))?.len();
    if length > BYTES_MAX {
        return Err(anyhow!("{name}: a script of {length} bytes; {BYTES_MAX} at most"));
    }
    let bytes = std::fs::read(&arguments.file).with_context(|| format!("cannot read {name}"))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let line =
            1 + error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        anyhow!("{name}: line {line}: these bytes are not text")
    })?;
    match text.lines().count() {
        lines if lines > LINES_MAX => Err(anyhow!("{name}: a script of {lines} lines; {LINES_MAX} at most")),
        _ => Ok(text),
    }
}
