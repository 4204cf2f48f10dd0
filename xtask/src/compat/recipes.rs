//! `lock`, `elect` and `make-mirror`: what etcdctl builds from leases, transactions and watches.

use anyhow::{Result, ensure};

use super::check::{Check, Node, PATIENCE, lines, same};

pub const CHECKS: &[Check] = &[
    Check { name: "lock: with a command", run: lock_command },
    Check { name: "lock: mutual exclusion", run: lock_order },
    Check { name: "lock: a dead holder's lease ends", run: lock_expiry },
    Check { name: "elect: campaign and observe", run: elect },
    Check { name: "make-mirror", run: mirror },
];

fn lock_command(node: &Node) -> Result<()> {
    let name = node.key("lock");
    let said = node.ask(&["lock", &name, "--", "sh", "-c", "echo $ETCD_LOCK_KEY; echo $ETCD_LOCK_REV"])?;
    let mut words = said.lines();
    ensure!(words.next().is_some_and(|key| key.starts_with(&format!("{name}/"))), "no key of the lock in {said:?}");
    let revision: i64 = words.next().unwrap_or("").parse()?;
    ensure!(revision > 0 && revision <= node.revision()?, "{revision} is not a revision of the lock");
    let output = node.said(&["lock", &name, "--", "sh", "-c", "exit 3"], "")?;
    same("the command's exit code", output.status.code(), Some(3))?;
    node.expect(&["get", &name, "--prefix"], "")
}

/// How many wait for the lock or hold it.
fn contenders(node: &Node, name: &str) -> Result<i64> {
    node.count(&[name, "--prefix"])
}

fn lock_order(node: &Node) -> Result<()> {
    let name = node.key("lock");
    let mut first = node.start(&["lock", &name], "")?;
    first.hear(PATIENCE, |heard| !heard.is_empty())?;
    let other = node.others().next().unwrap_or_else(|| unreachable!("a cluster of three"));
    let mut second = other.start(&["lock", &name], "")?;
    node.until(|| same("contenders", contenders(node, &name)?, 2))?;
    same("what the second says while the first holds", second.heard().to_vec(), Vec::new())?;
    first.interrupt(PATIENCE)?;
    let key = second.hear(PATIENCE, |heard| !heard.is_empty())?[0].clone();
    node.expect(&["get", &name, "--prefix", "--keys-only"], &lines(&[&key, ""]))?;
    second.interrupt(PATIENCE)?;
    node.until(|| same("contenders after both", contenders(node, &name)?, 0))
}

fn lock_expiry(node: &Node) -> Result<()> {
    let name = node.key("lock");
    let mut first = node.start(&["lock", &name, "--ttl", "2"], "")?;
    first.hear(PATIENCE, |heard| !heard.is_empty())?;
    let mut second = node.start(&["lock", &name, "--ttl", "2"], "")?;
    node.until(|| same("contenders", contenders(node, &name)?, 2))?;
    // Dropping kills it: no client releases the lock, only its lease does.
    drop(first);
    second.hear(PATIENCE, |heard| !heard.is_empty())?;
    second.interrupt(PATIENCE)?;
    Ok(())
}

fn elect(node: &Node) -> Result<()> {
    let name = node.key("election");
    let mut leader = node.start(&["elect", &name, "first"], "")?;
    let key = leader.hear(PATIENCE, |heard| heard.len() >= 2)?[0].clone();
    ensure!(key.starts_with(&format!("{name}/")), "{key} is no key of the election");
    same("the proclaimed value", leader.heard()[1].as_str(), "first")?;
    let mut observer = node.start(&["elect", "--listen", &name], "")?;
    let seen = observer.hear(PATIENCE, |heard| heard.len() >= 2)?.to_vec();
    same("what an observer sees", seen, vec![key, "first".to_string()])?;
    let other = node.others().next().unwrap_or_else(|| unreachable!("a cluster of three"));
    let mut follower = other.start(&["elect", &name, "second"], "")?;
    node.until(|| same("candidates", contenders(node, &name)?, 2))?;
    same("what the second candidate says", follower.heard().to_vec(), Vec::new())?;
    leader.interrupt(PATIENCE)?;
    same("the next leader", follower.hear(PATIENCE, |heard| heard.len() >= 2)?[1].as_str(), "second")?;
    let seen = observer.hear(PATIENCE, |heard| heard.len() >= 4)?;
    same("what the observer sees then", seen[3].as_str(), "second")?;
    follower.interrupt(PATIENCE)?;
    Ok(())
}

fn mirror(node: &Node) -> Result<()> {
    let (from, to) = (node.key("from/"), node.key("to/"));
    for name in ["a", "b"] {
        node.put(&format!("{from}{name}"), name)?;
    }
    let other = node.others().next().unwrap_or_else(|| unreachable!("a cluster of three"));
    let _mirror = node.start(&["make-mirror", other.endpoint(), "--prefix", &from, "--dest-prefix", &to], "")?;
    let mirrored = |name: &str| (format!("{to}{name}"), name.to_string());
    let holds = |names: &[&str]| -> Result<()> {
        let expected: Vec<_> = names.iter().map(|name| mirrored(name)).flat_map(|(key, value)| [key, value]).collect();
        let expected: Vec<_> = expected.iter().map(String::as_str).collect();
        node.expect(&["get", &to, "--prefix"], &lines(&expected))
    };
    node.until(|| holds(&["a", "b"]))?;
    node.put(&format!("{from}c"), "c")?;
    node.until(|| holds(&["a", "b", "c"]))?;
    node.expect(&["del", &format!("{from}a")], "1\n")?;
    node.until(|| holds(&["b", "c"]))
}
