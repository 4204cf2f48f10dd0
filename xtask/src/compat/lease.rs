//! `lease`: keys that live as long as a client keeps them alive.

use anyhow::{Context, Result, ensure};

use super::check::{Check, Node, PATIENCE, lines, same};

pub const CHECKS: &[Check] = &[
    Check { name: "lease: grant, timetolive, list", run: grant },
    Check { name: "lease: revoke", run: revoke },
    Check { name: "lease: keep-alive", run: keep_alive },
    Check { name: "lease: at any node", run: any_node },
    Check { name: "lease: expiry", run: expiry },
    Check { name: "lease: put moves a key", run: moves },
    Check { name: "lease: refusals", run: refusals },
];

/// Grants a lease, and answers its hexadecimal name.
fn grant_lease(node: &Node, ttl_s: u32) -> Result<String> {
    let said = node.ask(&["lease", "grant", &ttl_s.to_string()])?;
    let id = said.split_whitespace().nth(1).context("no lease in the answer")?.to_string();
    same("the answer", said, format!("lease {id} granted with TTL({ttl_s}s)\n"))?;
    ensure!(id.chars().all(|c| c.is_ascii_hexdigit()), "{id} is no lease");
    Ok(id)
}

/// Checks what `timetolive --keys` says; the time that remains is at most a few seconds less than granted.
fn lives(node: &Node, id: &str, ttl_s: u32, keys: &str) -> Result<()> {
    let said = node.ask(&["lease", "timetolive", id, "--keys"])?;
    let (start, end) =
        (format!("lease {id} granted with TTL({ttl_s}s), remaining("), format!("s), attached keys([{keys}])\n"));
    let remaining = said
        .strip_prefix(&start)
        .and_then(|rest| rest.strip_suffix(&end))
        .and_then(|number| number.parse::<u32>().ok());
    let remaining = remaining.with_context(|| format!("expected {start:?}, a number and {end:?}, found {said:?}"))?;
    ensure!(remaining <= ttl_s && remaining + 10 >= ttl_s, "{remaining} s remain of {ttl_s}");
    Ok(())
}

fn grant(node: &Node) -> Result<()> {
    let (a, b) = (node.key("a"), node.key("b"));
    let id = grant_lease(node, 120)?;
    lives(node, &id, 120, "")?;
    node.expect(&["put", &b, "v", "--lease", &id], "OK\n")?;
    node.expect(&["put", &a, "v", "--lease", &id], "OK\n")?;
    let said = node.ask(&["lease", "timetolive", &id, "--keys"])?;
    // The order of the keys is not promised.
    ensure!(said.contains(&format!("[{a} {b}]")) || said.contains(&format!("[{b} {a}]")), "not both keys: {said}");
    let list = node.ask(&["lease", "list"])?;
    ensure!(list.starts_with("found ") && list.lines().any(|line| line == id), "{id} is not in the list {list:?}");
    let kept = node.json(&["get", &a])?;
    let number = i64::from_str_radix(&id, 16)?;
    same("the lease of the key", kept.pointer("/kvs/0/lease").and_then(|lease| lease.as_i64()), Some(number))?;
    node.expect(&["put", &a, "w", "--ignore-lease"], "OK\n")?;
    let kept = node.json(&["get", &a])?;
    same("the lease after --ignore-lease", kept.pointer("/kvs/0/lease").and_then(|lease| lease.as_i64()), Some(number))
}

fn revoke(node: &Node) -> Result<()> {
    let (a, b, free) = (node.key("a"), node.key("b"), node.key("free"));
    let id = grant_lease(node, 120)?;
    for key in [&a, &b] {
        node.expect(&["put", key, "v", "--lease", &id], "OK\n")?;
    }
    node.put(&free, "stays")?;
    let before = node.revision()?;
    node.expect(&["lease", "revoke", &id], &format!("lease {id} revoked\n"))?;
    node.expect(&["get", &node.key(""), "--prefix"], &lines(&[&free, "stays"]))?;
    same("the revision: both keys went in one", node.revision()?, before + 1)?;
    node.expect(&["lease", "timetolive", &id], &format!("lease {id} already expired\n"))
}

fn keep_alive(node: &Node) -> Result<()> {
    let id = grant_lease(node, 3)?;
    let line = format!("lease {id} keepalived with TTL(3)");
    node.expect(&["lease", "keep-alive", &id, "--once"], &format!("{line}\n"))?;
    let key = node.key("k");
    node.expect(&["put", &key, "v", "--lease", &id], "OK\n")?;
    // One renewal a second: after five, the lease has outlived its three seconds.
    let mut renewing = node.start(&["lease", "keep-alive", &id], "")?;
    renewing.hear(PATIENCE, |heard| heard.iter().filter(|said| **said == line).count() >= 5)?;
    node.expect(&["get", &key], &lines(&[&key, "v"]))
}

fn any_node(node: &Node) -> Result<()> {
    let (id, key) = (grant_lease(node, 120)?, node.key("k"));
    for other in node.others() {
        // A lease is known everywhere once a read at that node has seen the grant's revision.
        other.revision()?;
        other.expect(&["put", &key, "v", "--lease", &id], "OK\n")?;
        other.expect(&["lease", "keep-alive", &id, "--once"], &format!("lease {id} keepalived with TTL(120)\n"))?;
        lives(&other, &id, 120, &key)?;
        ensure!(other.ask(&["lease", "list"])?.lines().any(|line| line == id), "{id} is not listed");
    }
    let last = node.others().last().context("there is one node only")?;
    last.expect(&["lease", "revoke", &id], &format!("lease {id} revoked\n"))?;
    node.expect(&["get", &key], "")
}

fn expiry(node: &Node) -> Result<()> {
    let (id, key) = (grant_lease(node, 2)?, node.key("k"));
    let first = (node.revision()? + 1).to_string();
    node.expect(&["put", &key, "v", "--lease", &id], "OK\n")?;
    let mut watch = node.start(&["watch", &key, "--rev", &first], "")?;
    let heard = watch.hear(PATIENCE, |heard| heard.len() >= 6)?;
    same(
        "the events",
        heard.iter().map(String::as_str).collect::<Vec<_>>(),
        vec!["PUT", &key, "v", "DELETE", &key, ""],
    )?;
    node.expect(&["get", &key], "")?;
    node.expect(&["lease", "timetolive", &id], &format!("lease {id} already expired\n"))?;
    let list = node.ask(&["lease", "list"])?;
    ensure!(list.lines().all(|line| line != id), "{id} expired and is listed: {list:?}");
    Ok(())
}

fn moves(node: &Node) -> Result<()> {
    let (first, second, key) = (grant_lease(node, 120)?, grant_lease(node, 120)?, node.key("k"));
    node.expect(&["put", &key, "v", "--lease", &first], "OK\n")?;
    node.expect(&["put", &key, "v", "--lease", &second], "OK\n")?;
    node.expect(&["lease", "revoke", &first], &format!("lease {first} revoked\n"))?;
    node.expect(&["get", &key], &lines(&[&key, "v"]))?;
    lives(node, &second, 120, &key)?;
    node.put(&key, "free")?;
    node.expect(&["lease", "revoke", &second], &format!("lease {second} revoked\n"))?;
    node.expect(&["get", &key], &lines(&[&key, "free"]))
}

fn refusals(node: &Node) -> Result<()> {
    let unknown = "000000001234abcd";
    node.refused(&["lease", "revoke", unknown], "failed to revoke lease (etcdserver: requested lease not found)")?;
    node.refused(&["lease", "keep-alive", unknown, "--once"], "etcdserver: requested lease not found")?;
    node.refused(&["put", &node.key("k"), "v", "--lease", unknown], "etcdserver: requested lease not found")?;
    node.expect(&["lease", "timetolive", unknown], &format!("lease {unknown} already expired\n"))?;
    let too_long = "failed to grant lease (etcdserver: too large lease TTL)";
    node.refused(&["lease", "grant", "9000000001"], too_long)?;
    // Less than the least is raised to it: two seconds.
    let said = node.ask(&["lease", "grant", "1"])?;
    ensure!(said.ends_with(" granted with TTL(2s)\n"), "expected the least TTL of 2 s, found {said:?}");
    Ok(())
}
