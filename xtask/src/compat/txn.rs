//! `txn`: compare, then one of two lists of requests, as etcdctl reads them from standard input.

use anyhow::{Result, ensure};

use super::check::{Check, Node, lines, number, same};

/// Requests in a transaction, at most.
const OPERATIONS_MAX: usize = 128;

pub const CHECKS: &[Check] = &[
    Check { name: "txn: success and failure", run: branches },
    Check { name: "txn: every comparison", run: comparisons },
    Check { name: "txn: reads its own writes, one revision", run: own_writes },
    Check { name: "txn: refusals", run: refusals },
];

/// Runs a transaction and answers what it said; blank lines end the comparisons and each list.
fn transact(node: &Node, compares: &[String], success: &[String], failure: &[String]) -> Result<String> {
    let list = |of: &[String]| of.iter().map(|line| format!("{line}\n")).collect::<String>();
    let input = format!("{}\n{}\n{}\n", list(compares), list(success), list(failure));
    let output = node.said(&["txn"], &input)?;
    ensure!(output.status.success(), "the transaction {input:?} failed: {}", output.stderr);
    Ok(output.stdout)
}

fn branches(node: &Node) -> Result<()> {
    let key = node.key("k");
    let compare = [format!("val(\"{key}\") = \"yes\"")];
    let (success, failure) = ([format!("put {key} again"), format!("get {key}")], [format!("put {key} yes")]);
    same("a missing key", transact(node, &compare, &success, &failure)?, lines(&["FAILURE", "", "OK"]))?;
    let found = transact(node, &compare, &success, &failure)?;
    same("an equal value", found, lines(&["SUCCESS", "", "OK", "", &key, "again"]))?;
    let delete = [format!("del {key}"), format!("get {key}")];
    let found = transact(node, &compare, &success, &delete)?;
    same("a deletion", found, lines(&["FAILURE", "", "1", ""]))?;
    same("no comparison at all", transact(node, &[], &failure, &success)?, lines(&["SUCCESS", "", "OK"]))?;
    for reader in node.others() {
        reader.expect(&["get", &key], &lines(&[&key, "yes"]))?;
    }
    Ok(())
}

/// All but `lease(...)`: etcdctl 3.5.1 panics on it before it sends a request.
fn comparisons(node: &Node) -> Result<()> {
    let (key, missing) = (node.key("k"), node.key("missing"));
    node.put(&key, "m")?;
    let created = node.revision()?;
    node.put(&key, "n")?;
    let modified = node.revision()?;
    let cases = [
        (format!("val(\"{key}\") = \"n\""), true),
        (format!("val(\"{key}\") > \"m\""), true),
        (format!("val(\"{key}\") < \"n\""), false),
        (format!("val(\"{key}\") != \"n\""), false),
        (format!("ver(\"{key}\") = \"2\""), true),
        (format!("ver(\"{key}\") < \"2\""), false),
        (format!("ver(\"{key}\") > \"1\""), true),
        (format!("version(\"{missing}\") = \"0\""), true),
        (format!("version(\"{missing}\") != \"0\""), false),
        (format!("create(\"{key}\") = \"{created}\""), true),
        (format!("create(\"{missing}\") = \"0\""), true),
        (format!("c(\"{key}\") > \"{created}\""), false),
        (format!("mod(\"{key}\") = \"{modified}\""), true),
        (format!("m(\"{key}\") < \"{modified}\""), false),
        (format!("val(\"{missing}\") != \"x\""), false),
    ];
    for (compare, expected) in cases {
        let found = transact(node, std::slice::from_ref(&compare), &[], &[])?;
        same(&compare, found.trim_end(), if expected { "SUCCESS" } else { "FAILURE" })?;
    }
    let both = [format!("val(\"{key}\") = \"n\""), format!("ver(\"{key}\") = \"9\"")];
    same("one of two holds", transact(node, &both, &[], &[])?.trim_end().to_string(), "FAILURE".to_string())
}

fn own_writes(node: &Node) -> Result<()> {
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| node.key(name));
    node.put(&b, "2")?;
    node.put(&c, "3")?;
    let (before, all) = (node.revision()?, node.key(""));
    let operations = [format!("put {a} 1"), format!("get {all} --prefix"), format!("del {b} {d}"), format!("get {c}")];
    let found = transact(node, &[], &operations, &[])?;
    same("the answer", found, lines(&["SUCCESS", "", "OK", "", &a, "1", &b, "2", &c, "3", "", "2", ""]))?;
    same("the revision", node.revision()?, before + 1)?;
    let document = node.json(&["get", &all, "--prefix"])?;
    same("keys left", number(&document, "/count")?, 1)?;
    same("the revision of the put", number(&document, "/kvs/0/mod_revision")?, before + 1)?;
    let read = transact(node, &[], &[format!("get {a}")], &[])?;
    same("a transaction that only reads", read, lines(&["SUCCESS", "", &a, "1"]))?;
    same("the revision after it", node.revision()?, before + 1)
}

fn refusals(node: &Node) -> Result<()> {
    let refused = |operations: &[String], error: &str| -> Result<()> {
        let output = node.said(&["txn"], &format!("\n{}\n\n\n", operations.join("\n")))?;
        ensure!(!output.status.success(), "{operations:?} were not refused");
        let found = output.stderr.lines().any(|line| line == format!("Error: {error}"));
        ensure!(found, "expected {error:?}, found {:?}", output.stderr);
        Ok(())
    };
    let key = node.key("k");
    let twice = [format!("put {key} 1"), format!("put {key} 2")];
    refused(&twice, "etcdserver: duplicate key given in txn request")?;
    let many: Vec<_> = (0..=OPERATIONS_MAX).map(|index| format!("put {} v", node.key(&index.to_string()))).collect();
    refused(&many, "etcdserver: too many operations in txn request")?;
    node.expect(&["get", &node.key(""), "--prefix"], "")?;
    let found = transact(node, &[], &many[..OPERATIONS_MAX], &[])?;
    same("as many as are allowed", found.lines().filter(|line| *line == "OK").count(), OPERATIONS_MAX)
}
