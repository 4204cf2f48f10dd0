//! Golden scripts: the inputs of a cluster, and every line of the trace that follows.
//!
//! A script in `tests/scripts` is prose, commands and what they printed. A line that begins with `>` is a command, one
//! that begins with `#` is prose, all others are output. `UPDATE=1 cargo test -p volvox-replica --test replica scripts`
//! rewrites the output: commit it only if you understand the change.
//!
//! Printed are the messages of replicas, the answers to clients and doors, and notes. The messages of consensus are in
//! the scripts of `volvox-raft`; `show KIND ...` prints some of it here too.
//!
//! | command | what it does |
//! |---|---|
//! | `cluster 3 [checkpoint BYTES] [quota BYTES]` | starts that many members; n1 leads |
//! | `n1 put #1 k v [lease 7]`, `n1 delete #1 k [END]`, `n1 compact #1 5` | writes |
//! | `n1 read #1`, `n1 get k` | asks whether a read is linearizable now; prints what the node's view holds |
//! | `n1 grant #1 7 10`, `n1 revoke #1 7`, `n1 keep-alive #1 7`, `n1 ttl #1 7` | leases |
//! | `n1 open 1`, `n1 credit 1 5`, `n1 watch 1 k END from 3`, `n1 progress 1` | watch streams |
//! | `n1 add #1 n4 [learner]`, `n1 remove #1 n3`, `n1 promote #1 n4`, `n1 move #1 n2` | members |
//! | `n1 disarm #1 n2` | clears the alarm of a member |
//! | `join n4` | starts a node that was added |
//! | `elapse 50ms`, `settle` | time passes; disks sync and messages arrive until nothing moves |
//! | `hold KIND ...` | messages of these kinds stay on their links from here on; `hold` lets all go |
//! | `deliver n1->n2 KIND`, `lose n1->n2 KIND`, `double n1->n2 KIND` | the first message of that kind arrives, is lost, arrives twice |
//! | `crash n1`, `start n1`, `lose-disk n1` | losing unsynced records; again; as a new incarnation |
//! | `partition 1,2|3`, `heal` | cuts links; mends them |
//! | `elect n2` | its time-out fires until it leads |
//! | `members n1` | one line per member, and the voters |
//! | `quietly COMMAND` | runs it and prints nothing |

use crate::harness::{Cluster, config, id};
use std::fmt::Write as _;
use std::path::Path;
use volvox_core::{Bytes, Duration, Fault, NodeId};
use volvox_replica::{Command, MemberRequest, Request, StreamId, Ticket, WatchCommand, WatchCreate};
use volvox_store::{
    AlarmAction, AlarmRequest, AlarmType, Command as StoreCommand, CompactionRequest, DeleteRangeRequest,
    LeaseGrantRequest, LeaseRevokeRequest, PutRequest,
};

struct Runner {
    cluster: Cluster,
    held: Vec<String>,
    shown: Vec<String>,
}

impl Runner {
    fn new() -> Runner {
        Runner { cluster: Cluster::new(0, |_| {}), held: Vec::new(), shown: Vec::new() }
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
            ["cluster", count, ref options @ ..] => self.form(number(count) as u64, options),
            ["elapse", span] => {
                let held: Vec<&str> = self.held.iter().map(String::as_str).collect();
                self.cluster.elapse_but(millis(span), &held);
            }
            ["settle"] => {
                let held: Vec<&str> = self.held.iter().map(String::as_str).collect();
                self.cluster.settle_but(&held);
            }
            ["hold", ref kinds @ ..] => self.held = kinds.iter().map(|kind| (*kind).to_string()).collect(),
            ["show", ref kinds @ ..] => self.shown = kinds.iter().map(|kind| format!(" {kind} ")).collect(),
            ["deliver", name, kind] => self.deliver(name, kind, 1),
            ["double", name, kind] => self.deliver(name, kind, 2),
            ["lose", name, kind] => self.deliver(name, kind, 0),
            ["crash", name] => self.cluster.crash(node(name)),
            ["start", name] => self.cluster.start(node(name)),
            ["lose-disk", name] => self.cluster.node(node(name)).lose_disk(),
            ["elect", name] => self.cluster.elect(node(name)),
            ["join", name] => self.cluster.add(node(name), config(node(name)), node(name)),
            ["partition", ..] => self.partition(line),
            ["heal"] => self.cluster.cut.clear(),
            ["members", name] => self.members(node(name), &mut out),
            [name, "get", key] => {
                let value = self.cluster.value(node(name), key);
                writeln!(out, "{}", value.unwrap_or("(no such key)".into())).expect("writes to memory");
            }
            [name, ref words @ ..] => {
                let command = command(words).unwrap_or_else(|| panic!("no command: {line}"));
                self.cluster.command(node(name), command);
            }
            [] => panic!("no command"),
        }
        for line in std::mem::take(&mut self.cluster.trace) {
            if self.is_worth(&line) {
                writeln!(out, "{line}").expect("writes to memory");
            }
        }
        out
    }

    fn is_worth(&self, line: &str) -> bool {
        const WORTH: [&str; 6] = [" Forward ", " Refused ", " LeaseAsk ", " LeaseAnswer ", " event ", " note "];
        let is_worth = WORTH.iter().any(|word| line.contains(word)) && !line.contains(" note ignored");
        is_worth || self.shown.iter().any(|word| line.contains(word.as_str()))
    }

    fn form(&mut self, count: u64, options: &[&str]) {
        let options: Vec<(&str, i64)> = options.chunks(2).map(|pair| (pair[0], number(pair[1]))).collect();
        self.cluster = Cluster::led_by_n1(count, |config| {
            for (option, value) in &options {
                match *option {
                    "checkpoint" => config.checkpoint_log_bytes = *value as u64,
                    "quota" => config.quota_bytes = *value,
                    _ => panic!("no such option: {option}"),
                }
            }
        });
        self.cluster.trace.clear();
    }

    fn deliver(&mut self, name: &str, kind: &str, times: usize) {
        let (from, to) = name.split_once("->").unwrap_or_else(|| panic!("no link: {name}"));
        let (from, to) = (node(from), node(to));
        let message = self.cluster.take(from, to, kind);
        (0..times).for_each(|_| self.cluster.hand_over(from, to, message.clone()));
    }

    fn partition(&mut self, line: &str) {
        match line.parse::<Fault>().unwrap_or_else(|error| panic!("{line}: {error}")) {
            Fault::Partition(groups) => {
                let groups: Vec<Vec<u64>> =
                    groups.iter().map(|group| group.iter().map(|node| node.0).collect()).collect();
                self.cluster.groups(&groups.iter().map(Vec::as_slice).collect::<Vec<_>>());
            }
            other => panic!("no partition: {other}"),
        }
    }

    fn members(&self, node: u64, out: &mut String) {
        let replica = self.cluster.replica(node);
        for member in replica.member_list() {
            let role = if member.is_learner { "learner" } else { "voter" };
            let name = if member.name.is_empty() { "unstarted" } else { &member.name };
            writeln!(out, "{} {role} {name}", member.id).expect("writes to memory");
        }
        writeln!(out, "{}", replica.raft().configuration()).expect("writes to memory");
    }
}

fn command(words: &[&str]) -> Option<Command> {
    let stream = |name: &str| StreamId(number(name) as u64);
    Some(match *words {
        ["open", name] => Command::Watch(WatchCommand::Open { stream: stream(name) }),
        ["credit", name, count] => {
            Command::Watch(WatchCommand::Credit { stream: stream(name), responses: number(count) as u32 })
        }
        ["progress", name] => Command::Watch(WatchCommand::Progress { stream: stream(name) }),
        ["cancel", name, watch_id] => {
            Command::Watch(WatchCommand::Cancel { stream: stream(name), watch_id: number(watch_id) })
        }
        ["watch", name, key, end, "from", revision] => {
            let (key, range_end, start_revision) = (key.into(), end.into(), number(revision));
            let create = WatchCreate { key, range_end, start_revision, ..WatchCreate::default() };
            Command::Watch(WatchCommand::Create { stream: stream(name), create })
        }
        ["forget", ticket] => Command::Forget { ticket: self::ticket(ticket) },
        [verb, ticket, ref words @ ..] => {
            Command::Request { ticket: self::ticket(ticket), request: request(verb, words)? }
        }
        _ => return None,
    })
}

fn request(verb: &str, words: &[&str]) -> Option<Request> {
    let put = |key: &str, value: &str, lease| {
        StoreCommand::Put(PutRequest { key: key.into(), value: value.into(), lease, ..PutRequest::default() })
    };
    let delete = |key: &str, range_end: Bytes| {
        StoreCommand::DeleteRange(DeleteRangeRequest { key: key.into(), range_end, prev_kv: false })
    };
    Some(match (verb, words) {
        ("put", [key, value]) => Request::Write(put(key, value, 0)),
        ("put", [key, value, "lease", lease]) => Request::Write(put(key, value, number(lease))),
        ("delete", [key]) => Request::Write(delete(key, Bytes::new())),
        ("delete", [key, end]) => Request::Write(delete(key, (*end).into())),
        ("compact", [revision]) => {
            let compact = CompactionRequest { revision: number(revision), physical: false };
            Request::Write(StoreCommand::Compact(compact))
        }
        ("read", []) => Request::Read,
        ("grant", [lease, ttl]) => {
            Request::Write(StoreCommand::LeaseGrant(LeaseGrantRequest { ttl: number(ttl), id: number(lease) }))
        }
        ("revoke", [lease]) => Request::Write(StoreCommand::LeaseRevoke(LeaseRevokeRequest { id: number(lease) })),
        ("keep-alive", [lease]) => Request::LeaseKeepAlive { lease: number(lease) },
        ("ttl", [lease]) => Request::LeaseTimeToLive { lease: number(lease) },
        ("disarm", [name]) => {
            let (member_id, alarm) = (node(name), AlarmType::NoSpace);
            Request::Write(StoreCommand::Alarm(AlarmRequest { action: AlarmAction::Deactivate, member_id, alarm }))
        }
        ("add", [name, learner @ ..]) => {
            let peer_urls = vec![format!("http://{name}:2380")];
            Request::Member(MemberRequest::Add { peer_urls, is_learner: learner == ["learner"] })
        }
        ("remove", [name]) => Request::Member(MemberRequest::Remove { id: id(node(name)) }),
        ("promote", [name]) => Request::Member(MemberRequest::Promote { id: id(node(name)) }),
        ("move", [name]) => Request::MoveLeader { to: NodeId(node(name)) },
        _ => return None,
    })
}

fn number(text: &str) -> i64 {
    text.parse().unwrap_or_else(|_| panic!("no number: {text}"))
}

fn ticket(text: &str) -> Ticket {
    Ticket(number(text.strip_prefix('#').unwrap_or_else(|| panic!("no ticket, such as #1: {text}"))) as u64)
}

fn node(name: &str) -> u64 {
    let number = name.strip_prefix('n').and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("no node: {name}"))
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
        if before != after {
            let differs = before.lines().zip(after.lines()).position(|(before, after)| before != after);
            let at = differs.unwrap_or(before.lines().count().min(after.lines().count()));
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
