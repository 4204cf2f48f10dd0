//! `endpoint`, `alarm`, `defrag`, `snapshot`, `compaction`, and what compaction means to readers and watchers.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::check::{Check, Node, PATIENCE, lines, number, same};

pub const CHECKS: &[Check] = &[
    Check { name: "version", run: version },
    Check { name: "endpoint health", run: health },
    Check { name: "endpoint status", run: status },
    Check { name: "endpoint status --cluster", run: cluster_status },
    Check { name: "endpoint hashkv", run: hash },
    Check { name: "alarm list, alarm disarm", run: alarms },
    Check { name: "defrag", run: defragment },
    Check { name: "snapshot save", run: snapshot },
    Check { name: "compaction", run: compaction },
    Check { name: "compaction: ends watches of the past", run: compaction_and_watches },
    Check { name: "endpoint hashkv after compaction", run: hash },
];

fn version(node: &Node) -> Result<()> {
    node.expect(&["version"], "etcdctl version: 3.5.1\nAPI version: 3.5\n")
}

/// The line of a healthy endpoint, without the time that it took.
fn is_healthy(line: &str, endpoint: &str) -> bool {
    line.strip_prefix(endpoint)
        .is_some_and(|rest| rest.starts_with(" is healthy: successfully committed proposal: took = "))
}

fn health(node: &Node) -> Result<()> {
    let said = node.said(&["endpoint", "health"], "")?;
    let text = format!("{}{}", said.stdout, said.stderr);
    ensure!(said.status.success() && text.lines().any(|line| is_healthy(line, node.endpoint())), "not healthy: {text}");
    let said = node.said(&["endpoint", "health", "--cluster"], "")?;
    let text = format!("{}{}", said.stdout, said.stderr);
    for endpoint in node.endpoints() {
        let endpoint = format!("http://{endpoint}");
        ensure!(text.lines().any(|line| is_healthy(line, &endpoint)), "{endpoint} is not healthy: {text}");
    }
    let document = node.json(&["endpoint", "health"])?;
    same("health", document.pointer("/0/health").and_then(Value::as_bool), Some(true))
}

fn status(node: &Node) -> Result<()> {
    let document = node.json(&["endpoint", "status"])?;
    let status = document.pointer("/0/Status").context("no status")?;
    same("Endpoint", document.pointer("/0/Endpoint").and_then(Value::as_str), Some(node.endpoint()))?;
    for field in ["/header/cluster_id", "/header/member_id", "/header/raft_term", "/leader", "/raftIndex", "/raftTerm"]
    {
        ensure!(
            status.pointer(field).and_then(Value::as_u64).is_some_and(|value| value > 0),
            "{field} is missing: {status}"
        );
    }
    ensure!(number(status, "/raftAppliedIndex")? <= number(status, "/raftIndex")?, "applied beyond the log: {status}");
    ensure!(number(status, "/dbSizeInUse")? <= number(status, "/dbSize")?, "more in use than there is: {status}");
    let version = status.pointer("/version").and_then(Value::as_str).unwrap_or("");
    let numbers: Vec<_> = version.split('.').map(str::parse::<u32>).collect();
    ensure!(
        numbers.len() == 3 && numbers.iter().all(Result::is_ok) && version >= "3.5",
        "version {version:?} is not 3.5 or later"
    );
    let text = node.ask(&["endpoint", "status"])?;
    ensure!(text.starts_with(&format!("{}, ", node.endpoint())) && text.lines().count() == 1, "not one line: {text:?}");
    let table = node.ask(&["endpoint", "status", "-w", "table"])?;
    ensure!(table.contains("IS LEADER") && table.contains(node.endpoint()), "no table: {table}");
    Ok(())
}

fn cluster_status(node: &Node) -> Result<()> {
    node.until(|| {
        let document = node.json(&["endpoint", "status", "--cluster"])?;
        let all = document.as_array().context("no list")?;
        same("endpoints", all.len(), node.endpoints().len())?;
        let values = |pointer: &str| -> Vec<u64> {
            let mut values: Vec<_> = all.iter().filter_map(|one| one.pointer(pointer)?.as_u64()).collect();
            values.sort_unstable();
            values.dedup();
            values
        };
        let (leaders, members) = (values("/Status/leader"), values("/Status/header/member_id"));
        same("members that the nodes say they are", members.len(), node.endpoints().len())?;
        same("leaders that they follow", leaders.len(), 1)?;
        ensure!(members.contains(&leaders[0]), "the leader {leaders:?} is not one of {members:?}");
        same("clusters that they belong to", values("/Status/header/cluster_id").len(), 1)?;
        same("terms that they are in", values("/Status/raftTerm").len(), 1)
    })
}

fn hash(node: &Node) -> Result<()> {
    node.put(&node.key("k"), "v")?;
    let here = node.ask(&["endpoint", "hashkv"])?;
    let number_of = here.trim_end().strip_prefix(&format!("{}, ", node.endpoint())).map(str::parse::<u32>);
    ensure!(matches!(number_of, Some(Ok(_))), "expected an endpoint and a hash, found {here:?}");
    // All at one revision: those who have not applied it yet refuse it, and soon have.
    let revision = node.revision()?.to_string();
    let document = node.until(|| node.json(&["endpoint", "hashkv", "--cluster", "--rev", &revision]))?;
    let all = document.as_array().context("no list")?;
    same("endpoints", all.len(), node.endpoints().len())?;
    let hashes: Vec<_> = all.iter().map(|one| number(one, "/HashKV/hash")).collect::<Result<_>>()?;
    let compacted: Vec<_> = all.iter().map(|one| number(one, "/HashKV/compact_revision")).collect::<Result<_>>()?;
    ensure!(hashes.windows(2).all(|pair| pair[0] == pair[1]) && hashes[0] != 0, "the hashes differ: {document}");
    ensure!(compacted.windows(2).all(|pair| pair[0] == pair[1]), "the compactions differ: {document}");
    node.put(&node.key("k"), "w")?;
    let later = node.json(&["endpoint", "hashkv"])?;
    ensure!(number(&later, "/0/HashKV/hash")? != hashes[0], "a put does not change the hash: {later}");
    Ok(())
}

fn alarms(node: &Node) -> Result<()> {
    node.expect(&["alarm", "list"], "")?;
    node.expect(&["alarm", "disarm"], "")
}

fn defragment(node: &Node) -> Result<()> {
    let key = node.key("k");
    node.put(&key, "v")?;
    let said = node.said(&["defrag"], "")?;
    let text = format!("{}{}", said.stdout, said.stderr);
    let line = format!("Finished defragmenting etcd member[{}]", node.endpoint());
    ensure!(said.status.success() && text.lines().any(|found| found == line), "expected {line:?}, found {text:?}");
    let said = node.said(&["defrag", "--cluster"], "")?;
    let text = format!("{}{}", said.stdout, said.stderr);
    same(
        "members that finished",
        text.matches("Finished defragmenting etcd member[http://").count(),
        node.endpoints().len(),
    )?;
    node.expect(&["get", &key], &lines(&[&key, "v"]))
}

fn snapshot(node: &Node) -> Result<()> {
    let (file, key) = (node.file("snapshot"), node.key("marker"));
    node.put(&key, "a value that can be recognised")?;
    let path = file.to_string_lossy();
    node.expect(&["snapshot", "save", &path], &format!("Snapshot saved at {path}\n"))?;
    let bytes = std::fs::read(&file).with_context(|| format!("cannot read {path}"))?;
    // An image in blocks of 512, and the 32 bytes of its SHA-256 behind it.
    same("the size modulo 512", bytes.len() % 512, 32)?;
    ensure!(bytes.len() > 512, "{} bytes are not an image", bytes.len());
    let marker = b"a value that can be recognised";
    ensure!(bytes.windows(marker.len()).any(|window| window == marker), "the snapshot does not hold what was put");
    Ok(())
}

const COMPACTED: &str = "etcdserver: mvcc: required revision has been compacted";

fn compaction(node: &Node) -> Result<()> {
    let key = node.key("k");
    for value in ["one", "two", "three"] {
        node.put(&key, value)?;
    }
    let now = node.revision()?;
    let at = |offset: i64| (now + offset).to_string();
    node.expect(&["compaction", &at(-1)], &format!("compacted revision {}\n", now - 1))?;
    node.refused(&["get", &key, "--rev", &at(-2)], COMPACTED)?;
    node.expect(&["get", &key, "--rev", &at(-1)], &lines(&[&key, "two"]))?;
    node.expect(&["get", &key], &lines(&[&key, "three"]))?;
    node.refused(&["compaction", &at(-1)], COMPACTED)?;
    node.refused(&["compaction", &at(1000)], "etcdserver: mvcc: required revision is a future revision")?;
    node.expect(&["compaction", &at(0), "--physical"], &format!("compacted revision {now}\n"))?;
    node.expect(&["get", &key, "--rev", &at(0)], &lines(&[&key, "three"]))?;
    for other in node.others() {
        // Each node compacts when it applies the entry; a linearizable read waits for that.
        other.revision()?;
        other.refused(&["get", &key, "--rev", &at(-1)], COMPACTED)?;
    }
    let document = node.json(&["get", &key])?;
    same("the version after compaction", number(&document, "/kvs/0/version")?, 3)
}

fn compaction_and_watches(node: &Node) -> Result<()> {
    let key = node.key("k");
    let first = node.revision()? + 1;
    node.put(&key, "one")?;
    node.put(&key, "two")?;
    let mut running = node.start(&["watch", &key, "--rev", &first.to_string()], "")?;
    running.hear(PATIENCE, |heard| heard.len() >= 6)?;
    node.expect(&["compaction", &(first + 1).to_string()], &format!("compacted revision {}\n", first + 1))?;
    let late = node.said(&["watch", &key, "--rev", &first.to_string()], "")?;
    ensure!(!late.status.success(), "a watch of a compacted revision continues");
    let text = format!("{}{}", late.stdout, late.stderr);
    ensure!(text.contains(&format!("watch was canceled ({COMPACTED})")), "expected {COMPACTED:?}, found {text:?}");
    // A watcher that has already seen those events is not disturbed.
    node.put(&key, "three")?;
    let heard = running.hear(PATIENCE, |heard| heard.len() >= 9)?;
    same("the running watch", heard[8].as_str(), "three")
}
