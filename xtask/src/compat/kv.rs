//! `put`, `get` and `del` with all their options.

use anyhow::{Result, ensure};

use super::check::{Check, Node, lines, number, same};

/// The largest request that a server takes unless told otherwise, in bytes.
const REQUEST_BYTES_MAX: usize = 3 << 19;

pub const CHECKS: &[Check] = &[
    Check { name: "put", run: put },
    Check { name: "put: refusals", run: put_refused },
    Check { name: "put: values of 1 MiB, and too large ones", run: large_values },
    Check { name: "get", run: get },
    Check { name: "get: what another node acknowledged", run: get_after_put_elsewhere },
    Check { name: "get: ranges", run: ranges },
    Check { name: "get: --prefix, --from-key", run: prefixes },
    Check { name: "get: --limit", run: limits },
    Check { name: "get: --rev", run: revisions },
    Check { name: "get: --sort-by, --order", run: sorting },
    Check { name: "get: --keys-only, --print-value-only", run: parts },
    Check { name: "get: --count-only", run: counts },
    Check { name: "get: -w json", run: documents },
    Check { name: "del", run: delete },
    Check { name: "del: --prefix, --from-key, ranges", run: delete_many },
];

fn put(node: &Node) -> Result<()> {
    let key = node.key("k");
    node.expect(&["put", &key, "one"], "OK\n")?;
    node.expect(&["put", &key, "two", "--prev-kv"], &lines(&["OK", &key, "one"]))?;
    node.expect(&["put", &key, "--ignore-value"], "OK\n")?;
    node.expect(&["get", &key], &lines(&[&key, "two"]))?;
    let output = node.said(&["put", &key], "from standard input")?;
    same("put of standard input", output.stdout.as_str(), "OK\n")?;
    node.expect(&["get", &key], &lines(&[&key, "from standard input"]))?;
    node.expect(&["put", &key, "--", "-minus"], "OK\n")?;
    node.expect(&["get", &key], &lines(&[&key, "-minus"]))?;
    node.expect(&["put", &key, ""], "OK\n")?;
    node.expect(&["get", &key], &lines(&[&key, ""]))
}

fn put_refused(node: &Node) -> Result<()> {
    node.refused(&["put", "", "value"], "etcdserver: key is not provided")?;
    let key = node.key("missing");
    node.refused(&["put", &key, "--ignore-value"], "etcdserver: key not found")?;
    node.refused(&["put", &key, "value", "--lease", "1234567"], "etcdserver: requested lease not found")?;
    node.expect(&["get", &key], "")
}

fn large_values(node: &Node) -> Result<()> {
    let (key, value) = (node.key("large"), "v".repeat(1 << 20));
    same("put of 1 MiB", node.said(&["put", &key], &value)?.stdout.as_str(), "OK\n")?;
    for reader in node.others() {
        let found = reader.ask(&["get", &key, "--print-value-only"])?;
        ensure!(found.trim_end() == value, "node answers {} bytes of {}", found.trim_end().len(), value.len());
    }
    let output = node.said(&["put", &key], &"v".repeat(REQUEST_BYTES_MAX))?;
    ensure!(output.stderr.contains("Error: etcdserver: request is too large"), "expected a refusal: {}", output.stderr);
    let found = node.ask(&["get", &key, "--print-value-only"])?;
    same("the value after the refusal", found.trim_end().len(), value.len())
}

fn get(node: &Node) -> Result<()> {
    let (key, missing) = (node.key("κλειδί"), node.key("missing"));
    node.put(&key, "τιμή 🜁")?;
    node.expect(&["get", &key], &lines(&[&key, "τιμή 🜁"]))?;
    node.expect(&["get", &key, "--consistency=l"], &lines(&[&key, "τιμή 🜁"]))?;
    node.expect(&["get", &missing], "")?;
    node.expect(&["get", &missing, "--consistency=s"], "")?;
    // A serializable read may be stale, but not forever.
    node.until(|| node.expect(&["get", &key, "--consistency=s"], &lines(&[&key, "τιμή 🜁"])))
}

fn get_after_put_elsewhere(node: &Node) -> Result<()> {
    let key = node.key("k");
    for round in 0..3 {
        for writer in node.others() {
            let value = format!("{round} from {}", writer.endpoint());
            writer.put(&key, &value)?;
            node.expect(&["get", &key], &lines(&[&key, &value]))?;
        }
        let value = format!("{round} from here");
        node.put(&key, &value)?;
        for reader in node.others() {
            reader.expect(&["get", &key], &lines(&[&key, &value]))?;
        }
    }
    Ok(())
}

/// Puts `a` to `e` with values that sort the other way round, `c` twice.
fn alphabet(node: &Node) -> Result<Vec<String>> {
    let keys: Vec<_> = ["a", "b", "c", "d", "e"].iter().map(|name| node.key(name)).collect();
    node.put(&keys[2], "first")?;
    for (key, value) in keys.iter().zip(["v5", "v4", "v3", "v2", "v1"]) {
        node.put(key, value)?;
    }
    Ok(keys)
}

fn ranges(node: &Node) -> Result<()> {
    let keys = alphabet(node)?;
    node.expect(&["get", &keys[1], &keys[3]], &lines(&[&keys[1], "v4", &keys[2], "v3"]))?;
    node.expect(&["get", &keys[3], &keys[1]], "")?;
    node.expect(&["get", &keys[1], &keys[1]], "")?;
    node.expect(&["get", &node.key("bb"), &node.key("d!")], &lines(&[&keys[2], "v3", &keys[3], "v2"]))
}

fn prefixes(node: &Node) -> Result<()> {
    let keys = alphabet(node)?;
    let all: Vec<&str> =
        keys.iter().map(String::as_str).zip(["v5", "v4", "v3", "v2", "v1"]).flat_map(|(k, v)| [k, v]).collect();
    node.expect(&["get", &node.key(""), "--prefix"], &lines(&all))?;
    node.expect(&["get", &node.key("nothing"), "--prefix"], "")?;
    node.expect(&["get", &keys[3], "--from-key", "--limit", "2"], &lines(&[&keys[3], "v2", &keys[4], "v1"]))?;
    let everything = node.ask(&["get", "", "--prefix", "--keys-only"])?;
    for key in &keys {
        ensure!(everything.lines().any(|line| line == key), "`get '' --prefix` misses {key}");
    }
    Ok(())
}

fn limits(node: &Node) -> Result<()> {
    let keys = alphabet(node)?;
    let all = node.key("");
    node.expect(&["get", &all, "--prefix", "--limit", "2"], &lines(&[&keys[0], "v5", &keys[1], "v4"]))?;
    let page = node.json(&["get", &all, "--prefix", "--limit", "2"])?;
    same("more", page.pointer("/more").and_then(|more| more.as_bool()), Some(true))?;
    same("count", number(&page, "/count")?, 5)?;
    let last = node.json(&["get", &all, "--prefix", "--limit", "5"])?;
    same("more of the whole", last.pointer("/more").and_then(|more| more.as_bool()), None)?;
    let pages = node.ask(&["get", &keys[2], &node.key("f"), "--limit", "2", "--keys-only"])?;
    same("the next page", pages, lines(&[&keys[2], "", &keys[3], ""]))
}

fn revisions(node: &Node) -> Result<()> {
    let key = node.key("k");
    node.put(&key, "one")?;
    let first = node.revision()?;
    node.put(&key, "two")?;
    node.expect(&["del", &key], "1\n")?;
    node.put(&key, "three")?;
    let at = |offset: i64| (first + offset).to_string();
    node.expect(&["get", &key, "--rev", &at(-1)], "")?;
    node.expect(&["get", &key, "--rev", &at(0)], &lines(&[&key, "one"]))?;
    node.expect(&["get", &key, "--rev", &at(1)], &lines(&[&key, "two"]))?;
    node.expect(&["get", &key, "--rev", &at(2)], "")?;
    node.expect(&["get", &node.key(""), "--prefix", "--rev", &at(1)], &lines(&[&key, "two"]))?;
    let document = node.json(&["get", &key])?;
    same("create_revision", number(&document, "/kvs/0/create_revision")?, first + 3)?;
    same("version", number(&document, "/kvs/0/version")?, 1)?;
    node.refused(&["get", &key, "--rev", &at(1000)], "etcdserver: mvcc: required revision is a future revision")
}

fn sorting(node: &Node) -> Result<()> {
    let keys = alphabet(node)?;
    let orders: [(&str, &str, [usize; 5]); 9] = [
        ("key", "ASCEND", [0, 1, 2, 3, 4]),
        ("key", "DESCEND", [4, 3, 2, 1, 0]),
        ("value", "ASCEND", [4, 3, 2, 1, 0]),
        ("value", "DESCEND", [0, 1, 2, 3, 4]),
        ("create", "ASCEND", [2, 0, 1, 3, 4]),
        ("create", "DESCEND", [4, 3, 1, 0, 2]),
        ("modify", "ASCEND", [0, 1, 2, 3, 4]),
        ("modify", "DESCEND", [4, 3, 2, 1, 0]),
        ("version", "DESCEND", [2, 0, 1, 3, 4]),
    ];
    for (by, order, expected) in orders {
        let asked = ["get", &node.key(""), "--prefix", "--keys-only", "--sort-by", by, "--order", order];
        let found = node.ask(&asked)?;
        let mut found: Vec<_> = found.lines().filter(|line| !line.is_empty()).collect();
        let mut expected: Vec<_> = expected.iter().map(|index| keys[*index].as_str()).collect();
        if by == "version" {
            // Four of the five have the same version, and nothing says in which order those come.
            found[1..].sort_unstable();
            expected[1..].sort_unstable();
        }
        same(&format!("--sort-by {by} --order {order}"), found, expected)?;
    }
    let asked = ["get", &node.key(""), "--prefix", "--sort-by", "value", "--order", "ASCEND", "--limit", "1"];
    node.expect(&asked, &lines(&[&keys[4], "v1"]))
}

fn parts(node: &Node) -> Result<()> {
    let keys = alphabet(node)?;
    let all = node.key("");
    let names: Vec<_> = keys.iter().flat_map(|key| [key.as_str(), ""]).collect();
    node.expect(&["get", &all, "--prefix", "--keys-only"], &lines(&names))?;
    node.expect(&["get", &all, "--prefix", "--print-value-only"], &lines(&["v5", "v4", "v3", "v2", "v1"]))?;
    let document = node.json(&["get", &keys[0], "--keys-only"])?;
    same("a value with --keys-only", document.pointer("/kvs/0/value").and_then(|value| value.as_str()), None)?;
    let hexadecimal: String = keys[0].bytes().map(|byte| format!("\\x{byte:02x}")).collect();
    node.expect(&["get", &keys[0], "--hex"], &lines(&[&hexadecimal, "\\x76\\x35"]))
}

fn counts(node: &Node) -> Result<()> {
    let keys = alphabet(node)?;
    same("all", node.count(&[&node.key(""), "--prefix"])?, 5)?;
    same("a range", node.count(&[&keys[1], &keys[3]])?, 2)?;
    same("one", node.count(&[&keys[0]])?, 1)?;
    same("none", node.count(&[&node.key("missing")])?, 0)?;
    same("with a limit", node.count(&[&node.key(""), "--prefix", "--limit", "2"])?, 5)?;
    let before = node.revision()?;
    node.expect(&["del", &keys[0], &keys[3]], "3\n")?;
    same("after a deletion", node.count(&[&node.key(""), "--prefix"])?, 2)?;
    same("before it", node.count(&[&node.key(""), "--prefix", "--rev", &before.to_string()])?, 5)?;
    let fields = node.ask(&["get", &node.key(""), "--prefix", "--count-only", "-w", "fields"])?;
    ensure!(!fields.contains("\"Key\""), "a count carries keys: {fields}");
    Ok(())
}

fn documents(node: &Node) -> Result<()> {
    let key = node.key("k");
    let before = node.revision()?;
    node.put(&key, "one")?;
    node.put(&key, "two")?;
    let document = node.json(&["get", &key])?;
    same("revision", number(&document, "/header/revision")?, before + 2)?;
    same("create_revision", number(&document, "/kvs/0/create_revision")?, before + 1)?;
    same("mod_revision", number(&document, "/kvs/0/mod_revision")?, before + 2)?;
    same("version", number(&document, "/kvs/0/version")?, 2)?;
    same("value", document.pointer("/kvs/0/value").and_then(|value| value.as_str()), Some("dHdv"))?;
    same("count", number(&document, "/count")?, 1)?;
    for field in ["cluster_id", "member_id", "raft_term"] {
        let value = document.pointer(&format!("/header/{field}")).and_then(|value| value.as_u64()).unwrap_or(0);
        ensure!(value != 0, "{field} is zero in {document}");
    }
    let written = node.json(&["put", &key, "three"])?;
    same("the revision of a put", number(&written, "/header/revision")?, before + 3)
}

fn delete(node: &Node) -> Result<()> {
    let (key, missing) = (node.key("k"), node.key("missing"));
    node.put(&key, "value")?;
    node.expect(&["del", &key, "--prev-kv"], &lines(&["1", &key, "value"]))?;
    node.expect(&["get", &key], "")?;
    let before = node.revision()?;
    node.expect(&["del", &key], "0\n")?;
    node.expect(&["del", &missing], "0\n")?;
    same("the revision after deletions of nothing", node.revision()?, before)?;
    node.refused(&["del", ""], "etcdserver: key is not provided")
}

fn delete_many(node: &Node) -> Result<()> {
    let keys = alphabet(node)?;
    let before = node.revision()?;
    node.expect(&["del", &keys[1], &keys[3], "--prev-kv"], &lines(&["2", &keys[1], "v4", &keys[2], "v3"]))?;
    same("the revision after a deletion of two", node.revision()?, before + 1)?;
    node.expect(&["del", &node.key(""), "--prefix"], "3\n")?;
    node.expect(&["get", &node.key(""), "--prefix"], "")?;
    // Keys above every other of this script, so that --from-key deletes no other check's.
    let high = format!("~~~/{}", node.key(""));
    for name in ["a", "b", "c"] {
        node.put(&format!("{high}{name}"), "v")?;
    }
    node.expect(&["del", &format!("{high}b"), "--from-key"], "2\n")?;
    node.expect(&["del", &format!("{high}a")], "1\n")
}
