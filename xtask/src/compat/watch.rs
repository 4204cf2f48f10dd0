//! `watch`: live and from the past, with previous values, over ranges, several on one stream.

use anyhow::{Result, ensure};

use crate::child::Speaker;

use super::check::{Check, Node, PATIENCE, same};

pub const CHECKS: &[Check] = &[
    Check { name: "watch: live", run: live },
    Check { name: "watch: what other nodes write", run: from_other_nodes },
    Check { name: "watch: --rev", run: from_the_past },
    Check { name: "watch: --prev-kv", run: previous_values },
    Check { name: "watch: --prefix, ranges", run: ranges },
    Check { name: "watch: -- command", run: commands },
    Check { name: "watch: --interactive, progress", run: interactive },
    Check { name: "watch: -w json", run: documents },
];

/// Waits until the watch has said `expected`, and nothing else.
fn hears(watch: &mut Speaker, expected: &[&str]) -> Result<()> {
    let heard = watch.hear(PATIENCE, |heard| heard.len() >= expected.len())?;
    same("the events", heard.iter().map(String::as_str).collect::<Vec<_>>(), expected.to_vec())
}

/// Puts `key` until the watch reports it, so that later events arrive live; returns the number of lines that this took.
fn until_awake(node: &Node, watch: &mut Speaker, key: &str) -> Result<usize> {
    node.until(|| {
        node.put(key, "awake?")?;
        ensure!(!watch.heard().is_empty(), "the watch has not heard of any put yet");
        Ok(())
    })?;
    // The last put has been acknowledged, and its event is the last of its kind: a marker tells when all have come.
    node.put(key, "awake")?;
    Ok(watch.hear(PATIENCE, |heard| heard.last().is_some_and(|line| line == "awake"))?.len())
}

fn live(node: &Node) -> Result<()> {
    let key = node.key("k");
    let mut watch = node.start(&["watch", &key], "")?;
    let awake = until_awake(node, &mut watch, &key)?;
    node.put(&key, "one")?;
    node.put(&node.key("other"), "unheard")?;
    node.put(&key, "two")?;
    node.expect(&["del", &key], "1\n")?;
    node.put(&key, "three")?;
    let expected = ["PUT", &key, "one", "PUT", &key, "two", "DELETE", &key, "", "PUT", &key, "three"];
    let heard = watch.hear(PATIENCE, |heard| heard.len() >= awake + expected.len())?;
    same("the events", heard[awake..].iter().map(String::as_str).collect::<Vec<_>>(), expected.to_vec())
}

fn from_other_nodes(node: &Node) -> Result<()> {
    let key = node.key("k");
    let mut watch = node.start(&["watch", &key], "")?;
    let mut heard = until_awake(node, &mut watch, &key)?;
    for writer in node.others() {
        let value = format!("from {}", writer.endpoint());
        writer.put(&key, &value)?;
        heard += 3;
        let last = watch.hear(PATIENCE, |lines| lines.len() >= heard)?.last().cloned();
        same("the event", last, Some(value))?;
    }
    Ok(())
}

/// Writes a small history, and answers the revision of its first event.
fn history(node: &Node) -> Result<(String, String)> {
    let key = node.key("k");
    let first = node.revision()? + 1;
    node.put(&key, "one")?;
    node.put(&key, "two")?;
    node.expect(&["del", &key], "1\n")?;
    node.put(&key, "three")?;
    Ok((key, first.to_string()))
}

fn from_the_past(node: &Node) -> Result<()> {
    let (key, first) = history(node)?;
    let mut watch = node.start(&["watch", &key, "--rev", &first], "")?;
    let expected = ["PUT", &key, "one", "PUT", &key, "two", "DELETE", &key, "", "PUT", &key, "three"];
    hears(&mut watch, &expected)?;
    node.put(&key, "now")?;
    hears(&mut watch, &[&expected[..], &["PUT", &key, "now"]].concat())?;
    for other in node.others() {
        hears(&mut other.start(&["watch", &key, "--rev", &first], "")?, &expected)?;
    }
    // A future revision: no event before it arrives.
    let future = node.revision()? + 2;
    let mut watch = node.start(&["watch", &key, "--rev", &future.to_string()], "")?;
    node.put(&key, "before")?;
    node.put(&key, "at")?;
    hears(&mut watch, &["PUT", &key, "at"])
}

fn previous_values(node: &Node) -> Result<()> {
    let (key, first) = history(node)?;
    let mut watch = node.start(&["watch", &key, "--rev", &first, "--prev-kv"], "")?;
    let past =
        ["PUT", &key, "one", "PUT", &key, "one", &key, "two", "DELETE", &key, "two", &key, "", "PUT", &key, "three"];
    hears(&mut watch, &past)?;
    node.put(&key, "now")?;
    hears(&mut watch, &[&past[..], &["PUT", &key, "three", &key, "now"]].concat())
}

fn ranges(node: &Node) -> Result<()> {
    let keys: Vec<_> = ["a", "b", "c"].iter().map(|name| node.key(name)).collect();
    let first = (node.revision()? + 1).to_string();
    for key in &keys {
        node.put(key, "v")?;
    }
    let mut all = node.start(&["watch", &node.key(""), "--prefix", "--rev", &first], "")?;
    let mut half = node.start(&["watch", &keys[0], &keys[2], "--rev", &first], "")?;
    let mut beyond = node.start(&["watch", &keys[1], &node.key("zzz"), "--rev", &first], "")?;
    hears(&mut all, &["PUT", &keys[0], "v", "PUT", &keys[1], "v", "PUT", &keys[2], "v"])?;
    hears(&mut half, &["PUT", &keys[0], "v", "PUT", &keys[1], "v"])?;
    hears(&mut beyond, &["PUT", &keys[1], "v", "PUT", &keys[2], "v"])?;
    node.expect(&["del", &node.key(""), "--prefix"], "3\n")?;
    let deleted = |heard: &[String]| heard.iter().filter(|line| *line == "DELETE").count();
    let heard = all.hear(PATIENCE, |heard| heard.len() >= 18)?;
    same("deletions heard of the prefix", deleted(heard), 3)?;
    same("deletions heard of the range", deleted(half.hear(PATIENCE, |heard| heard.len() >= 12)?), 2)
}

fn commands(node: &Node) -> Result<()> {
    let (key, first) = history(node)?;
    let script = "echo event $ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY $ETCD_WATCH_VALUE";
    let mut watch = node.start(&["watch", &key, "--rev", &first, "--", "sh", "-c", script], "")?;
    let heard = watch.hear(PATIENCE, |heard| heard.iter().filter(|line| line.starts_with("event ")).count() == 4)?;
    let said: Vec<_> = heard.iter().filter(|line| line.starts_with("event ")).cloned().collect();
    let event = |kind: &str, value: &str| format!("event \"{kind}\" \"{key}\" \"{value}\"");
    same(
        "the commands' output",
        said,
        vec![event("PUT", "one"), event("PUT", "two"), event("DELETE", ""), event("PUT", "three")],
    )
}

fn interactive(node: &Node) -> Result<()> {
    let (a, b) = (node.key("a"), node.key("b"));
    let first = node.revision()? + 1;
    node.put(&a, "1")?;
    node.put(&b, "2")?;
    let input = format!("watch {a} --rev {first}\nwatch {b} --rev {first}\nprogress\n");
    let mut watch = node.start(&["watch", "--interactive"], &input)?;
    let has = |heard: &[String], key: &str, value: &str| heard.windows(3).any(|lines| lines == ["PUT", key, value]);
    watch.hear(PATIENCE, |heard| has(heard, &a, "1") && has(heard, &b, "2"))?;
    watch.hear(PATIENCE, |heard| heard.iter().any(|line| line.starts_with("progress notify: ")))?;
    node.put(&b, "3")?;
    node.put(&a, "4")?;
    watch.hear(PATIENCE, |heard| has(heard, &b, "3") && has(heard, &a, "4"))?;
    Ok(())
}

fn documents(node: &Node) -> Result<()> {
    let (key, first) = history(node)?;
    let mut watch = node.start(&["watch", &key, "--rev", &first, "--prev-kv", "-w", "json"], "")?;
    let mut events = Vec::new();
    let mut read = 0;
    while events.len() < 4 {
        let line = watch.hear(PATIENCE, |heard| heard.len() > read)?[read].clone();
        read += 1;
        let document: serde_json::Value = serde_json::from_str(&line)?;
        events.extend(document.pointer("/Events").and_then(|list| list.as_array()).cloned().unwrap_or_default());
    }
    let first: i64 = first.parse()?;
    for (event, offset) in events.iter().zip(0..) {
        same(
            "mod_revision",
            event.pointer("/kv/mod_revision").and_then(|number| number.as_i64()),
            Some(first + offset),
        )?;
    }
    same("the type of the deletion", events[2].pointer("/type").and_then(|kind| kind.as_i64()), Some(1))?;
    same("its previous value", events[2].pointer("/prev_kv/value").and_then(|value| value.as_str()), Some("dHdv"))
}
