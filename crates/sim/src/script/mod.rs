//! A world driven by hand, and scripts that drive it.
//!
//! The [`Simulation`](crate::Simulation) decides everything from a seed. In a [`World`] nothing happens by itself: links
//! hold what was sent, timers do not run, disks sync when told. A person who wants to see one particular run writes it
//! as a script; a counterexample of the checker is such a run; and a failing run of the simulator, once recorded, can
//! be shrunk and still be replayed.
//!
//! # Scripts
//! A line that begins with `>` is a command, one that begins with `#` is prose, an empty line stays empty, and all
//! others are output: the lines of the trace ([`volvox_core::trace`]) that the command above them caused. So a script
//! is a test that reads like a story:
//!
//! ```text
//! # Node 1 asks both others, and enters when both have replied.
//! > cluster 3
//! > command n1 enter
//! 0.000ms n1 -> n2 Request 1
//! 0.000ms n1 -> n3 Request 1
//! > deliver
//! 0.000ms n2 -> n1 Reply
//! 0.000ms n3 -> n1 Reply
//! ```
//!
//! | command | what it does |
//! |---|---|
//! | `cluster 3` | creates a new world: nodes n1 to n3, which start at once; with `down` at the end they do not |
//! | `command n1 enter` | sends a command to a node, in the protocol's own words |
//! | `deliver` | everything in flight arrives, link by link |
//! | `deliver n1->n2` | the oldest message of this link arrives |
//! | `deliver n1->n2 Reply`, `deliver n1->n2 #2` | the oldest of this kind; the second oldest |
//! | `drop n1->n2`, `duplicate n1->n2` | it is lost; it is duplicated; kind or place as with `deliver` |
//! | `settle` | disks sync and messages arrive, until nothing moves |
//! | `timer n1 Election` | this timer fires, by the name that the trace gives it; the clock advances to its moment |
//! | `timeout n1` | the timer of n1 that is due first fires |
//! | `wait 20ms` | time passes: timers fire in the order in which they are due, and nothing else happens |
//! | `rest 10s` | time passes without faults: messages take 1 ms, disks sync, timers fire, until nothing is left to do |
//! | `sync n1`, `sync n1 p3` | its records are durable; up to this record |
//! | `crash n1` | the process ends; unsynced records are lost, and so are messages in flight to it |
//! | `crash n1 keeping p3`, `crash n1 without disk` | the disk has written up to p3; the disk is lost |
//! | `start n1` | a node that is down starts with what its disk kept |
//! | `choose n1 2 0` | the answers to its next calls of `choose`; otherwise 0 |
//! | `clock n1 +200ms`, `clock n1 100ppm` | its wall clock jumps; both its clocks run fast |
//! | `at 12ms deliver n1->n2` | any of these for one node or link, not before this moment |
//! | `quietly settle` | does it and prints nothing |
//! | `hide timer Heartbeat` | lines with one of these words are not printed from here on |
//!
//! # As data
//! [`World::act`] performs one [`Action`], or reports why it is [`Impossible`] and changes nothing: a search for a
//! shorter run skips impossible actions. [`read_action`] parses a printed action. A [`Journal`] records a run of the
//! simulator as the [`Course`] that a world can replay, and [`reduce`] shrinks it as long as it violates the same
//! property.
//!
//! # Caveats
//! A message that is not delivered is not lost: it stays in flight forever. To keep a link FIFO, deliver its oldest
//! message. Jitter comes from a fixed seed, so that a script prints the same every time.

mod action;
mod breach;
mod journal;
mod ledger;
mod node;
mod recorded;
mod reduce;
mod rest;
mod setting;
mod step;
mod text;
mod world;

pub use action::{Action, Keeps, What, Which, WhichTimer};
pub use breach::{Breach, PANIC};
pub use journal::{Course, Journal, Setup};
pub use reduce::{Test, events, reduce};
pub use setting::{Clockwork, Order};
pub use text::{Runner, ScriptError, duration, read_action};
pub use world::{Impossible, World};

use std::fmt::Display;
use std::path::Path;
use std::rc::Rc;
use std::str::FromStr;
use volvox_core::{Incarnation, NodeId, Process};

/// The environment variable with which [`check_folder`] rewrites the scripts.
pub const UPDATE: &str = "UPDATE";

/// Runs a script; returns it with its current output.
///
/// # Panics
/// When a command cannot be parsed or executed; the message names the line.
pub fn run<P>(text: &str, config_of: impl Fn(NodeId, Incarnation) -> P::Config + 'static) -> String
where
    P: Process<Command: FromStr<Err: Display>> + 'static,
{
    text::rerun::<P>(text, Rc::new(config_of)).unwrap_or_else(|(line, error)| panic!("line {line}: {error}"))
}

/// Runs every script (`*.txt`) in a folder, in the order of their names, and compares its output with the file.
/// `UPDATE=1` rewrites the output: commit it only if you understand the change.
///
/// # Panics
/// When the output of a script differs, a script cannot be executed, or the folder has none.
pub fn check_folder<P>(path: impl AsRef<Path>, config_of: impl Fn(NodeId, Incarnation) -> P::Config + 'static)
where
    P: Process<Command: FromStr<Err: Display>> + 'static,
{
    let (folder, config_of) = (path.as_ref(), Rc::new(config_of));
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|file| file.expect("a file of the folder").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    assert!(!paths.is_empty(), "there are no scripts in {}", folder.display());
    for path in paths {
        let name = path.display();
        let before = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let after = text::rerun::<P>(&before, Rc::clone(&config_of) as Rc<_>);
        let after = after.unwrap_or_else(|(line, error)| panic!("{name}:{line}: {error}"));
        if before == after {
            continue;
        }
        if std::env::var_os(UPDATE).is_some() {
            std::fs::write(&path, after).unwrap_or_else(|error| panic!("{name}: {error}"));
        } else {
            panic!("{name}{}\n{UPDATE}=1 writes what is, if you understand why", difference(&before, &after));
        }
    }
}

/// The first lines that differ, with a few that do not.
fn difference(before: &str, after: &str) -> String {
    const AROUND: usize = 4;
    let (was, is): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let first = was.iter().zip(&is).take_while(|(was, is)| was == is).count();
    let show = |sign: char, lines: &[&str]| -> String {
        let shown = lines.iter().skip(first).take(AROUND).map(|line| format!("\n{sign} {line}"));
        shown.collect::<String>()
    };
    let before: String = was[first.saturating_sub(AROUND)..first].iter().map(|line| format!("\n  {line}")).collect();
    format!(":{}: the script says (-), and it is (+){before}{}{}", first + 1, show('-', &was), show('+', &is))
}
