//! The test programs of the workspace: built by cargo, run here, several at a time.
//!
//! Cargo runs one program after the other, and many wait more than they compute: live nodes for an election, foreign clients
//! for a deadline. The largest program comes first, because it tends to take longest.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::cargo::{self, STEP_LIMIT};
use crate::child::{self, Output};
use crate::tally::Tally;
use crate::workspace::Workspace;

/// One program takes no longer; one that does has hung.
const PROGRAM_LIMIT: Duration = Duration::from_secs(15 * 60);

/// How many of the slowest programs the summary names.
const SLOWEST: usize = 8;

/// A program of tests.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Program {
    path: PathBuf,
    /// The folder of its package, in which cargo starts it.
    folder: PathBuf,
    /// The arguments of `cargo test` that repeat it alone.
    arguments: Vec<String>,
}

/// The end of a program.
struct Run {
    program: Program,
    took: Duration,
    result: Result<Output>,
}

/// Builds the programs that `selection` names and runs all of them; the results go into the tally.
pub fn run(workspace: &Workspace, selection: &[&str], tally: &mut Tally) -> Result<()> {
    let programs = build(workspace, selection)?;
    if programs.is_empty() {
        bail!("`cargo {}` builds no program", selection.join(" "));
    }
    let at_once = thread::available_parallelism().map_or(1, usize::from);
    println!("running {} programs, {at_once} at a time", programs.len());
    let (queue, (ended, runs)) = (Mutex::new(VecDeque::from(programs)), mpsc::channel());
    let (mut times, mut failed, before) = (Vec::new(), Vec::new(), tally.passed);
    thread::scope(|scope| {
        for _ in 0..at_once {
            let (queue, ended) = (&queue, ended.clone());
            scope.spawn(move || {
                while let Some(program) = next(queue) {
                    // The receiver is gone once the step has failed for another reason.
                    let _ = ended.send(start(workspace, program));
                }
            });
        }
        drop(ended);
        for run in runs {
            let shown = format!("cargo test {}", run.program.arguments.join(" "));
            times.push((run.took, shown.clone()));
            if let Err(error) = report(&run, &shown, tally) {
                failed.push(format!("{error:#}\nrepeat: {shown}"));
            }
        }
    });
    println!("\n{}", slowest(times));
    if !failed.is_empty() {
        bail!("{}", failed.join("\n"));
    }
    if tally.passed == before {
        bail!("`cargo {}` ran no test at all", selection.join(" "));
    }
    Ok(())
}

fn next(queue: &Mutex<VecDeque<Program>>) -> Option<Program> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

fn start(workspace: &Workspace, program: Program) -> Run {
    let began = Instant::now();
    let mut command = Command::new(&program.path);
    command.current_dir(&program.folder).env("CARGO_MANIFEST_DIR", &program.folder).env("CARGO_NET_OFFLINE", "true");
    command.env("CARGO", workspace.cargo(&[]).get_program());
    let result = child::capture(&mut command, PROGRAM_LIMIT);
    Run { program, took: began.elapsed(), result }
}

/// Prints what a program said, as a whole: programs that run side by side do not mix their lines.
fn report(run: &Run, shown: &str, tally: &mut Tally) -> Result<()> {
    println!("\n-- {shown} ({:.1} s)", run.took.as_secs_f64());
    let output = run.result.as_ref().map_err(|error| anyhow!("{error:#}"))?;
    for line in output.stdout.lines().filter(|line| !line.is_empty()) {
        println!("{line}");
        tally.add_line(line);
    }
    if output.status.success() {
        return Ok(());
    }
    eprint!("{}", output.stderr);
    bail!("`{}` ended with {}", run.program.path.display(), output.status)
}

/// The table of the programs that took longest.
fn slowest(mut times: Vec<(Duration, String)>) -> String {
    times.sort_by_key(|(took, _)| Reverse(*took));
    let mut table = String::from("slowest programs\n");
    for (took, shown) in times.iter().take(SLOWEST) {
        table += &format!("{:>9.1}  {shown}\n", took.as_secs_f64());
    }
    table
}

/// Lets cargo build the programs; the largest comes first.
fn build(workspace: &Workspace, selection: &[&str]) -> Result<Vec<Program>> {
    let mut arguments = selection.to_vec();
    arguments.extend(["--no-run", "--message-format=json-render-diagnostics"]);
    let mut command = cargo::offline(workspace, &arguments);
    let mut programs = Vec::new();
    let status = child::listen(&mut command, STEP_LIMIT, |line| programs.extend(program(line)))?;
    if !status.success() {
        bail!("`{}` ended with {status}", child::show(&command));
    }
    let mut sized = Vec::new();
    for program in programs {
        let size = fs::metadata(&program.path).with_context(|| format!("no {}", program.path.display()))?.len();
        sized.push((size, program));
    }
    sized.sort_by_key(|(size, _)| Reverse(*size));
    Ok(sized.into_iter().map(|(_, program)| program).collect())
}

/// The program that a line of cargo announces, if it announces one with tests.
fn program(line: &str) -> Option<Program> {
    let message: Value = serde_json::from_str(line).ok()?;
    let path = message["executable"].as_str()?;
    if message["profile"]["test"] != true {
        return None;
    }
    let folder = Path::new(message["manifest_path"].as_str()?).parent()?.to_path_buf();
    let (target, name) = (&message["target"], message["target"]["name"].as_str()?);
    let package = message["package_id"].as_str().map(package)?;
    let mut arguments = vec!["-p".to_string(), package.to_string()];
    match target["kind"][0].as_str()? {
        "lib" => arguments.push("--lib".to_string()),
        kind => arguments.extend([format!("--{kind}"), name.to_string()]),
    }
    Some(Program { path: path.into(), folder, arguments })
}

/// The name in a package id: `path+file:///folder/name#0.1.0`, or `...#name@0.1.0` where the folder has another name.
fn package(id: &str) -> &str {
    let (address, end) = id.rsplit_once('#').unwrap_or((id, ""));
    end.split_once('@').map_or_else(|| address.rsplit('/').next().unwrap_or(address), |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_announces_programs_with_tests_and_much_else() {
        let line = r#"{"reason":"compiler-artifact","package_id":"path+file:///w/crates/net#volvox-net@0.1.0",
            "manifest_path":"/w/crates/net/Cargo.toml","target":{"kind":["test"],"name":"main"},
            "profile":{"test":true},"executable":"/t/debug/deps/main-1"}"#;
        let expected = Program {
            path: "/t/debug/deps/main-1".into(),
            folder: "/w/crates/net".into(),
            arguments: ["-p", "volvox-net", "--test", "main"].map(String::from).to_vec(),
        };
        assert_eq!(program(line), Some(expected));
        let of_library = program(&line.replace(r#"["test"]"#, r#"["lib"]"#)).unwrap();
        assert_eq!(of_library.arguments, ["-p", "volvox-net", "--lib"]);
        assert_eq!(program(&line.replace(r#""test":true"#, r#""test":false"#)), None);
        assert_eq!(program(&line.replace(r#""/t/debug/deps/main-1""#, "null")), None);
        assert_eq!(program("   Compiling volvox-net"), None);
    }

    #[test]
    fn a_package_is_named_by_its_id_or_by_its_folder() {
        assert_eq!(package("path+file:///w/apps/volvox#0.1.0"), "volvox");
        assert_eq!(package("path+file:///w/crates/net#volvox-net@0.1.0"), "volvox-net");
    }

    #[test]
    fn the_slowest_programs_are_named_with_their_seconds() {
        let times = (1..=10).map(|number| (Duration::from_secs(number), format!("cargo test -p p{number}"))).collect();
        let table = slowest(times);
        assert!(table.starts_with("slowest programs\n     10.0  cargo test -p p10\n"), "{table}");
        assert!(table.contains("p3") && !table.contains("-p p2\n"), "{table}");
    }
}
