//! A check, and the verbs of checks: each runs `etcdctl` against one node, logs the command and the answer, and says
//! what it expected when it is disappointed.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::child::{self, Output, Speaker};

/// No single command takes longer; etcdctl itself gives up after 5 s.
const COMMAND_LIMIT: Duration = Duration::from_secs(20);

/// The longest wait for an expected output.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Answers longer than this are cut in the log.
const LOG_ANSWER_CHARACTERS_MAX: usize = 2000;

/// One named thing that a client must find, at any node.
pub struct Check {
    /// The text in the table.
    pub name: &'static str,
    /// Fails with what was expected and what came.
    pub run: fn(&Node) -> Result<()>,
}

/// One node as a check sees it, with keys of its own so that checks do not meet.
pub struct Node {
    etcdctl: PathBuf,
    endpoints: Vec<String>,
    number: usize,
    prefix: String,
    folder: PathBuf,
}

impl Node {
    /// Node `number` of the cluster, counted from one, for the check `name`.
    pub fn new(etcdctl: &Path, endpoints: &[String], number: usize, name: &str, folder: &Path) -> Result<Self> {
        let slug: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let node = Self {
            etcdctl: etcdctl.to_path_buf(),
            endpoints: endpoints.to_vec(),
            number,
            prefix: format!("{slug}/n{number}/"),
            folder: folder.to_path_buf(),
        };
        node.write_log(&format!("\n=== {name}, node {number}\n"))?;
        Ok(node)
    }

    /// A key that no other check and no other node uses; `key("")` is the prefix of all of them.
    pub fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The endpoint of this node.
    pub fn endpoint(&self) -> &str {
        &self.endpoints[self.number - 1]
    }

    /// The endpoints of all nodes.
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// The same check's keys, through each of the other nodes.
    pub fn others(&self) -> impl Iterator<Item = Node> {
        (1..=self.endpoints.len()).filter(|number| *number != self.number).map(|number| Node {
            etcdctl: self.etcdctl.clone(),
            endpoints: self.endpoints.clone(),
            number,
            prefix: self.prefix.clone(),
            folder: self.folder.clone(),
        })
    }

    /// A file that this check may write.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{}-{name}", self.prefix.replace('/', "-")))
    }

    /// Runs the command and answers whatever it said.
    pub fn said(&self, arguments: &[&str], input: &str) -> Result<Output> {
        let output = child::capture_with_input(&mut self.command(arguments), input, COMMAND_LIMIT)?;
        let cut = |text: &str| text.chars().take(LOG_ANSWER_CHARACTERS_MAX).collect::<String>();
        let ended = if output.status.success() { String::new() } else { format!("({})\n", output.status) };
        let shown = cut(&child::show(&self.command(arguments)));
        self.write_log(&format!("$ {shown}\n{}{}{ended}", cut(&output.stdout), cut(&output.stderr)))?;
        Ok(output)
    }

    /// Runs the command, which must succeed, and answers its standard output.
    pub fn ask(&self, arguments: &[&str]) -> Result<String> {
        let output = self.said(arguments, "")?;
        ensure!(output.status.success(), "`{}` failed: {}", words(arguments), output.stderr.trim());
        Ok(output.stdout)
    }

    /// Runs the command, which must succeed and say exactly `expected`.
    pub fn expect(&self, arguments: &[&str], expected: &str) -> Result<()> {
        let found = self.ask(arguments)?;
        ensure!(found == expected, "`{}`: expected {expected:?}, found {found:?}", words(arguments));
        Ok(())
    }

    /// Runs the command, which must fail with the line `Error: <error>`.
    pub fn refused(&self, arguments: &[&str], error: &str) -> Result<()> {
        let output = self.said(arguments, "")?;
        let (line, found) = (format!("Error: {error}"), output.stderr.trim());
        ensure!(!output.status.success(), "`{}` succeeded, and should fail with {error:?}", words(arguments));
        ensure!(found.lines().any(|said| said == line), "`{}`: expected {line:?}, found {found:?}", words(arguments));
        Ok(())
    }

    /// Runs the command with `-w json`, and answers the document.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        let arguments = [arguments, &["-w", "json"]].concat();
        let text = self.ask(&arguments)?;
        serde_json::from_str(&text).with_context(|| format!("`{}` answered no JSON: {text:?}", words(&arguments)))
    }

    /// Puts a value.
    pub fn put(&self, key: &str, value: &str) -> Result<()> {
        self.expect(&["put", key, value], "OK\n")
    }

    /// The revision of the store, by a linearizable read.
    pub fn revision(&self) -> Result<i64> {
        number(&self.json(&["get", &self.key("no such key")])?, "/header/revision")
    }

    /// How many keys a `get` with these arguments would find; etcdctl prints counts among the fields only.
    pub fn count(&self, arguments: &[&str]) -> Result<i64> {
        let text = self.ask(&[&["get"], arguments, &["--count-only", "-w", "fields"]].concat())?;
        let count = text.lines().find_map(|line| line.strip_prefix("\"Count\" : ")?.parse().ok());
        count.with_context(|| format!("no count in {text:?}"))
    }

    /// Starts a command that keeps printing.
    pub fn start(&self, arguments: &[&str], input: &str) -> Result<Speaker> {
        let mut command = self.command(arguments);
        self.write_log(&format!("$ {} &\n", child::show(&command)))?;
        Speaker::start(&mut command, input)
    }

    /// Tries until `attempt` succeeds; its last error when that takes longer than [`PATIENCE`].
    pub fn until<T>(&self, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match attempt() {
                Err(error) if Instant::now() > deadline => {
                    return Err(error.context(format!("still so after {PATIENCE:?}")));
                }
                Err(_) => {}
                done => return done,
            }
        }
    }

    /// Appends to the log of the run.
    pub fn write_log(&self, text: &str) -> Result<()> {
        let path = self.folder.join("commands.log");
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        Ok(file.write_all(text.as_bytes())?)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.etcdctl);
        command
            .args(["--endpoints", self.endpoint()])
            .args(arguments)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command
    }
}

/// The whole number at `pointer` of a document; absent means zero, as in every protobuf document.
pub fn number(document: &Value, pointer: &str) -> Result<i64> {
    match document.pointer(pointer) {
        None => Ok(0),
        Some(value) => value.as_i64().with_context(|| format!("{pointer} of {document} is not a whole number")),
    }
}

/// Lines as etcdctl prints them.
pub fn lines(of: &[&str]) -> String {
    of.iter().map(|line| format!("{line}\n")).collect()
}

/// Fails with what is not as expected.
pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<()> {
    if found != expected {
        bail!("{what}: expected {expected:?}, found {found:?}");
    }
    Ok(())
}

fn words(arguments: &[&str]) -> String {
    arguments.join(" ").chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_numbers_are_zero_and_wrong_ones_are_refused() {
        let document = serde_json::json!({ "header": { "revision": 7, "name": "x" } });
        assert_eq!(number(&document, "/header/revision").unwrap(), 7);
        assert_eq!(number(&document, "/count").unwrap(), 0);
        assert!(number(&document, "/header/name").is_err());
    }

    #[test]
    fn a_command_that_disappoints_says_what_was_expected() {
        let folder = std::env::temp_dir().join(format!("volvox-compat-test-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let node = Node::new(Path::new("echo"), &["here".to_string()], 1, "a check", &folder).unwrap();
        assert!(node.expect(&["get"], "--endpoints here get\n").is_ok());
        assert!(node.expect(&["get"], "x\n").unwrap_err().to_string().contains("expected \"x\\n\""));
        assert!(node.refused(&["get"], "no").unwrap_err().to_string().contains("should fail"));
        assert!(std::fs::read_to_string(folder.join("commands.log")).unwrap().contains("$ echo --endpoints here get"));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
