//! `member`: the members of the cluster, and changes of them. Nothing is started at the added addresses.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::check::{Check, Node, lines, same};

pub const CHECKS: &[Check] = &[
    Check { name: "member list", run: list },
    Check { name: "member add --learner, promote, remove", run: learner },
    Check { name: "member add, remove", run: voter },
    Check { name: "member update", run: update },
    Check { name: "member: refusals", run: refusals },
];

/// An address where no process listens: the discard port of an address that is never a node of this cluster.
const NO_LISTENER: &str = "http://127.0.0.1:9";

/// The rows of `member list`, each split into its cells.
fn members(node: &Node) -> Result<Vec<Vec<String>>> {
    let text = node.ask(&["member", "list"])?;
    Ok(text.lines().map(|line| line.split(", ").map(str::to_string).collect()).collect())
}

/// The id of the member whose peers reach it at `peer`.
fn member_at(node: &Node, peer: &str) -> Result<String> {
    let row = members(node)?.into_iter().find(|row| row.get(3).is_some_and(|cell| cell == peer));
    Ok(row.with_context(|| format!("no member at {peer}"))?[0].clone())
}

fn list(node: &Node) -> Result<()> {
    let rows = members(node)?;
    same("members", rows.len(), 3)?;
    for row in &rows {
        ensure!(row.len() == 6, "not six cells: {row:?}");
        ensure!(u64::from_str_radix(&row[0], 16).is_ok_and(|id| id > 0), "{} is not an id", row[0]);
        same("state", row[1].as_str(), "started")?;
        ensure!(!row[2].is_empty(), "a started member without a name: {row:?}");
        ensure!(row[3].starts_with("http://127.0.0.1:"), "{} is no peer URL", row[3]);
        same("learner", row[5].as_str(), "false")?;
    }
    let mut clients: Vec<_> = rows.iter().map(|row| row[4].clone()).collect();
    clients.sort();
    let mut expected: Vec<_> = node.endpoints().iter().map(|endpoint| format!("http://{endpoint}")).collect();
    expected.sort();
    same("client URLs", clients, expected)?;
    let document = node.json(&["member", "list"])?;
    let ids: Vec<_> = document
        .pointer("/members")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|member| member.pointer("/ID")?.as_u64())
        .collect();
    same("ids of both forms", ids, rows.iter().filter_map(|row| u64::from_str_radix(&row[0], 16).ok()).collect())
}

/// Checks the output of `member add`, and returns the new member's id.
fn add(node: &Node, name: &str, flags: &[&str]) -> Result<String> {
    let peers = format!("--peer-urls={NO_LISTENER}");
    let arguments = [&["member", "add", name, &peers], flags].concat();
    // Right after another change the cluster may say that it is not ready for the next; it soon is.
    let said = node.until(|| node.ask(&arguments))?;
    let mut found = said.lines();
    let first: Vec<_> = found.next().unwrap_or("").split_whitespace().collect();
    let ["Member", id, "added", "to", "cluster", cluster] = first.as_slice() else {
        anyhow::bail!("unexpected answer {said:?}");
    };
    ensure!([id, cluster].iter().all(|text| u64::from_str_radix(text, 16).is_ok()), "no ids in {said:?}");
    same("an empty line", found.next(), Some(""))?;
    same("the name", found.next(), Some(format!("ETCD_NAME=\"{name}\"").as_str()))?;
    let cluster =
        found.next().and_then(|line| line.strip_prefix("ETCD_INITIAL_CLUSTER=\"")?.strip_suffix('"')).unwrap_or("");
    same("members in the initial cluster", cluster.split(',').count(), 4)?;
    ensure!(
        cluster.split(',').any(|member| member == format!("{name}={NO_LISTENER}")),
        "not in the initial cluster: {cluster}"
    );
    same("the peers", found.next(), Some(format!("ETCD_INITIAL_ADVERTISE_PEER_URLS=\"{NO_LISTENER}\"").as_str()))?;
    same("the state", found.next(), Some("ETCD_INITIAL_CLUSTER_STATE=\"existing\""))?;
    Ok((*id).to_string())
}

fn remove(node: &Node, id: &str) -> Result<()> {
    let said = node.until(|| node.ask(&["member", "remove", id]))?;
    ensure!(said.starts_with(&format!("Member {id:>16} removed from cluster ")), "unexpected answer {said:?}");
    same("members after the removal", members(node)?.len(), 3)
}

/// The member is listed by every node as not started, and writes continue.
fn is_listed(node: &Node, id: &str, learner: bool) -> Result<()> {
    for other in node.others() {
        let rows = members(&other)?;
        let row = rows.iter().find(|row| row[0] == id).with_context(|| format!("{id} is not listed"))?;
        let expected: Vec<_> =
            [id, "unstarted", "", NO_LISTENER, "", if learner { "true" } else { "false" }].map(str::to_string).to_vec();
        same("the row", row.clone(), expected)?;
    }
    let key = node.key("written meanwhile");
    node.put(&key, id)?;
    node.expect(&["get", &key], &lines(&[&key, id]))
}

fn learner(node: &Node) -> Result<()> {
    let id = add(node, "n4", &["--learner"])?;
    let listed = is_listed(node, &id, true);
    let refused = node.refused(
        &["member", "promote", &id],
        "etcdserver: can only promote a learner member which is in sync with leader",
    );
    // Removed before anything is judged, so that one failure does not become many.
    remove(node, &id)?;
    listed.and(refused)
}

fn voter(node: &Node) -> Result<()> {
    let id = add(node, "n5", &[])?;
    let listed = is_listed(node, &id, false);
    remove(node, &id)?;
    listed?;
    node.refused(&["member", "remove", &id], "etcdserver: member not found")
}

fn update(node: &Node) -> Result<()> {
    let before = members(node)?;
    let row =
        before.iter().find(|row| row[4] == format!("http://{}", node.endpoint())).context("this node is not listed")?;
    let peers = format!("--peer-urls={}", row[3]);
    let said = node.ask(&["member", "update", &row[0], &peers])?;
    ensure!(said.starts_with(&format!("Member {:>16} updated in cluster ", row[0])), "unexpected answer {said:?}");
    same("the members", members(node)?, before.clone())?;
    same("the member at its peer URL", member_at(node, &row[3])?, row[0].clone())
}

fn refusals(node: &Node) -> Result<()> {
    node.refused(&["member", "remove", "1234abcd"], "etcdserver: member not found")?;
    node.refused(&["member", "promote", "1234abcd"], "etcdserver: member not found")?;
    node.refused(
        &["member", "update", "1234abcd", &format!("--peer-urls={NO_LISTENER}")],
        "etcdserver: member not found",
    )?;
    let rows = members(node)?;
    let voter = rows.iter().find(|row| row[1] == "started").context("no member has started")?;
    node.refused(&["member", "promote", &voter[0]], "etcdserver: can only promote a learner member")?;
    let taken = format!("--peer-urls={}", voter[3]);
    node.refused(&["member", "add", "n6", "--learner", &taken], "etcdserver: Peer URLs already exists")?;
    same("members", members(node)?.len(), 3)
}
