//! Golden scripts: the inputs of a cluster, and every line of the trace that follows.
//!
//! A script in `tests/scripts` is prose, commands and what they printed. A line that begins with `>` is a command, one that
//! begins with `#` is prose, all others are output. `UPDATE=1 cargo test -p volvox-raft --test raft scripts` rewrites the
//! output: commit it only if you understand the change.
//!
//! | command | what it does |
//! |---|---|
//! | `cluster 3 [pre-vote off] [check-quorum off] [keep 0]` | starts that many voters; `keep` is `log_keep_bytes` |
//! | `add n4` | starts a node that no other knows |
//! | `n1 propose #1 "a"` and all other commands of raft | asks a member |
//! | `timeout n1`, `heartbeat n1` | its timer fires |
//! | `elapse 50ms` | time passes: timers fire, and everything settles after each |
//! | `settle` | disks sync and messages arrive until nothing moves |
//! | `deliver [n1->n2] [count]`, `drop n1->n2` | messages arrive, or are lost |
//! | `sync n1` | what its disk was given is durable |
//! | `crash n1`, `start n1`, `lose-disk n1` | with all that was not synced; again; as a new incarnation |
//! | `partition 1,2|3`, `heal` | cuts links; mends them |
//! | `checkpoint n1` | its parent makes a checkpoint of what it applied |
//! | `status` | one line per member |
//! | `quietly COMMAND` | does it and prints nothing |
//! | `hide Heartbeat ...` | messages of these kinds are not printed from here on |

use crate::harness::Cluster;
use std::fmt::Write as _;
use std::path::Path;
use volvox_core::{Duration, Fault, NodeId, Process};
use volvox_raft::{Command, Config, Timer};

struct Runner {
    cluster: Cluster,
    config: Config,
    /// Kinds of messages that are not printed.
    hidden: Vec<String>,
}

impl Runner {
    fn new() -> Runner {
        let mut cluster = Cluster::empty(1);
        cluster.trace = Some(Vec::new());
        Runner { cluster, config: Config::default(), hidden: Vec::new() }
    }

    /// Runs one command; gives back what it printed.
    fn run(&mut self, line: &str) -> String {
        if let Some(command) = line.strip_prefix("quietly ") {
            self.run(command);
            return String::new();
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut out = String::new();
        match words[..] {
            ["cluster", count, ref options @ ..] => self.cluster(count, options),
            ["add", name] => {
                let known = self.cluster.nodes.len() as u64;
                self.cluster.add(node(name).0, Config { initial: None, ..self.config.clone() }, known);
            }
            ["timeout", name] => self.cluster.fire(node(name), Timer::Election),
            ["heartbeat", name] => self.cluster.fire(node(name), Timer::Heartbeat),
            ["elapse", span] => self.cluster.elapse(millis(span)),
            ["settle"] => self.cluster.settle(),
            ["deliver"] => {
                self.cluster.deliver_all();
            }
            ["deliver", link] => self.deliver(link, usize::MAX),
            ["deliver", link, count] => self.deliver(link, count.parse().expect("a count")),
            ["drop", name] => {
                self.cluster.links.remove(&link(name));
            }
            ["sync", name] => self.cluster.sync(node(name), usize::MAX),
            ["crash", name] => self.cluster.crash(node(name), 0),
            ["start", name] => self.cluster.start(node(name)),
            ["lose-disk", name] => self.cluster.lose_disk(node(name)),
            ["partition", ..] => self.partition(line),
            ["heal"] => self.cluster.cut.clear(),
            ["checkpoint", name] => self.cluster.checkpoint(node(name).0),
            ["hide", ref kinds @ ..] => self.hidden = kinds.iter().map(|kind| format!(" {kind} ")).collect(),
            ["status"] => self.status(&mut out),
            [name, ..] if name.starts_with('n') => {
                let command: Command = line[name.len()..].parse().unwrap_or_else(|error| panic!("{line}: {error}"));
                self.cluster.command(node(name).0, command);
            }
            _ => panic!("no command: {line}"),
        }
        assert!(self.cluster.violation.is_none(), "{line}: {}", self.cluster.violation.as_ref().expect("one"));
        let lines = self.cluster.trace.as_mut().expect("a trace is kept").drain(..);
        for line in lines.filter(|line| !self.hidden.iter().any(|kind| line.contains(kind.as_str()))) {
            writeln!(out, "{line}").expect("writes to memory");
        }
        out
    }

    fn cluster(&mut self, count: &str, options: &[&str]) {
        for option in options.chunks(2) {
            match option {
                ["pre-vote", "off"] => self.config.pre_vote = false,
                ["check-quorum", "off"] => self.config.check_quorum = false,
                ["keep", bytes] => self.config.log_keep_bytes = bytes.parse().expect("bytes"),
                _ => panic!("no such option: {option:?}"),
            }
        }
        let mut cluster = Cluster::new(count.parse().expect("a count"), 1, &self.config);
        cluster.trace = Some(Vec::new());
        self.cluster = cluster;
    }

    fn deliver(&mut self, name: &str, count: usize) {
        let (from, to) = link(name);
        let waiting = self.cluster.links.get(&(from, to)).map_or(0, |queue| queue.len());
        assert!(waiting > 0, "nothing is in flight from {from} to {to}");
        for _ in 0..waiting.min(count) {
            self.cluster.deliver_at(from, to, 0);
        }
    }

    fn partition(&mut self, line: &str) {
        match line.parse::<Fault>().unwrap_or_else(|error| panic!("{line}: {error}")) {
            Fault::Cut(from, to) => {
                self.cluster.cut.insert((from, to));
            }
            Fault::Partition(groups) => {
                for (from, from_group) in groups.iter().enumerate() {
                    for to_group in groups.iter().enumerate().filter(|(to, _)| *to != from).map(|(_, group)| group) {
                        let links = from_group.iter().flat_map(|from| to_group.iter().map(|to| (*from, *to)));
                        self.cluster.cut.extend(links);
                    }
                }
            }
            other => panic!("no partition: {other}"),
        }
    }

    fn status(&self, out: &mut String) {
        for raft in self.cluster.rafts() {
            let status = raft.view();
            let leader = status.leader.map_or("unknown".into(), |leader| leader.to_string());
            writeln!(
                out,
                "{} {} {} leader {leader} log {}..{} commit {} {}",
                raft.member(),
                status.role,
                status.term,
                raft.first_index(),
                status.last,
                status.commit,
                raft.configuration(),
            )
            .expect("writes to memory");
        }
    }
}

fn node(name: &str) -> NodeId {
    let number = name.strip_prefix('n').and_then(|number| number.parse().ok());
    NodeId(number.unwrap_or_else(|| panic!("no node: {name}")))
}

fn link(name: &str) -> (NodeId, NodeId) {
    let (from, to) = name.split_once("->").unwrap_or_else(|| panic!("no link: {name}"));
    (node(from), node(to))
}

fn millis(text: &str) -> Duration {
    let number = text.strip_suffix("ms").and_then(|number| number.parse().ok());
    Duration::from_millis(number.unwrap_or_else(|| panic!("no time, such as 50ms: {text}")))
}

/// The script as it reads when it is run now.
fn replay(script: &str) -> String {
    let mut runner = Runner::new();
    let mut text = String::new();
    for line in script.lines() {
        let is_output = !(line.is_empty() || line.starts_with('#') || line.starts_with('>'));
        if is_output {
            continue;
        }
        text.push_str(line);
        text.push('\n');
        if let Some(command) = line.strip_prefix('>') {
            text.push_str(&runner.run(command.trim()));
        }
    }
    text
}

#[test]
fn scripts_print_what_they_printed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut paths: Vec<_> =
        std::fs::read_dir(&folder).expect("the folder").map(|file| file.expect("a file").path()).collect();
    paths.sort();
    assert!(paths.len() >= 10, "scripts are missing in {}", folder.display());
    let update = std::env::var_os("UPDATE").is_some();
    for path in paths {
        let before = std::fs::read_to_string(&path).expect("a script");
        let after = replay(&before);
        if update {
            std::fs::write(&path, after).expect("writes the script");
            continue;
        }
        let differing = before.lines().zip(after.lines()).position(|(before, after)| before != after);
        if before != after {
            let at = differing.unwrap_or(before.lines().count().min(after.lines().count()));
            panic!(
                "{}:{}: was\n  {}\nis\n  {}\nUPDATE=1 writes what is, if you understand why",
                path.display(),
                at + 1,
                before.lines().nth(at).unwrap_or("(the end)"),
                after.lines().nth(at).unwrap_or("(the end)"),
            );
        }
    }
}
