//! `lock` and `elect`: owning a name while this client lives.

use std::ffi::{OsStr, OsString};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use clap::Args;
use serde_json::json;

use super::cluster::{Cluster, Repeat};
use super::keep_alive::{Ended, keep_alive};
use super::keys::print_pair;
use super::lease::{grant, revoke};
use super::output::Printer;
use super::ownership::{Place, join_queue, owner, queue_prefix, wait_for_turn};
use super::span::{argument_bytes, prefix_end};
use super::subscription::{Interest, Subscription};
use super::{EXIT_INTERRUPTED, Interruption, base64, document, interrupted};

/// The arguments of `lock`.
#[derive(Args, Debug)]
pub struct LockArguments {
    name: OsString,
    /// Run this command while holding the lock; it is killed if the lock is lost
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    /// The lock is released this many seconds after this client dies
    #[arg(long = "ttl", default_value_t = 10, value_name = "SECONDS")]
    ttl_s: i64,
}

/// The arguments of `elect`.
#[derive(Args, Debug)]
pub struct ElectArguments {
    name: OsString,
    /// The value to announce as the leader
    #[arg(required_unless_present = "listen", conflicts_with = "listen")]
    value: Option<OsString>,
    /// Only print the leader and every change of leader
    #[arg(long)]
    listen: bool,
    /// Another candidate takes over this many seconds after this client dies
    #[arg(long = "ttl", default_value_t = 60, value_name = "SECONDS")]
    ttl_s: i64,
}

pub async fn lock(cluster: &Cluster, out: &mut Printer, arguments: LockArguments) -> Result<ExitCode> {
    let LockArguments { name, command, ttl_s } = arguments;
    let mut interruption = Interruption::listen();
    let hold = async |lease: i64| {
        let turn = take_turn(cluster, name.as_bytes(), lease, Bytes::new());
        let place = tokio::select! {
            place = turn => place?,
            () = interruption.happened() => return Ok(ExitCode::from(EXIT_INTERRUPTED)),
        };
        if let Some((program, rest)) = command.split_first() {
            return run_command(program, rest, &place).await;
        }
        if out.json() {
            let (key, revision) = (base64::encode(&place.key), place.revision);
            out.document(&json!({ "key": key, "revision": revision, "lease": lease }))?;
        } else {
            out.line(&place.key)?;
            out.flush()?;
        }
        interruption.happened().await;
        Ok(ExitCode::SUCCESS)
    };
    under_lease(cluster, "lock", ttl_s, hold).await
}

async fn run_command(program: &OsStr, rest: &[OsString], place: &Place) -> Result<ExitCode> {
    let mut child = tokio::process::Command::new(program)
        .args(rest)
        .env("ETCD_LOCK_KEY", OsStr::from_bytes(&place.key))
        .env("ETCD_LOCK_REV", place.revision.to_string())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("lock: cannot run {}", program.display()))?;
    // The terminal sends Ctrl-C to the command as well: its exit status becomes ours.
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

pub async fn elect(cluster: &Cluster, out: &mut Printer, arguments: ElectArguments) -> Result<ExitCode> {
    let name = arguments.name.as_bytes();
    let Some(value) = arguments.value else {
        return tokio::select! {
            result = listen(cluster, out, name) => result,
            () = interrupted() => Ok(ExitCode::from(EXIT_INTERRUPTED)),
        };
    };
    let value = argument_bytes(&value);
    let mut interruption = Interruption::listen();
    let lead = async |lease: i64| {
        let place = tokio::select! {
            place = take_turn(cluster, name, lease, value.clone()) => place?,
            () = interruption.happened() => return Ok(ExitCode::from(EXIT_INTERRUPTED)),
        };
        if out.json() {
            out.document(&json!({
                "key": base64::encode(&place.key), "value": base64::encode(&value),
                "revision": place.revision, "lease": lease,
            }))?;
        } else {
            out.line(&place.key)?;
            out.line(&value)?;
            out.flush()?;
        }
        interruption.happened().await;
        Ok(ExitCode::SUCCESS)
    };
    under_lease(cluster, "elect", arguments.ttl_s, lead).await
}

async fn take_turn(cluster: &Cluster, name: &[u8], lease: i64, value: Bytes) -> Result<Place> {
    let place = join_queue(cluster, name, lease, value).await?;
    wait_for_turn(cluster, name, &place).await?;
    Ok(place)
}

/// Runs `body` while a new lease is kept alive, and revokes the lease afterwards.
async fn under_lease(
    cluster: &Cluster,
    what: &str,
    ttl_s: i64,
    body: impl AsyncFnOnce(i64) -> Result<ExitCode>,
) -> Result<ExitCode> {
    // A lease granted twice does no harm: the unused one expires.
    let lease = grant(cluster, ttl_s, 0, Repeat::Safe).await?;
    let go_on = |_: &_| Ok(ControlFlow::Continue(()));
    let outcome = tokio::select! {
        outcome = body(lease.id) => outcome,
        ended = keep_alive(cluster, lease.id, lease.ttl, go_on) => Err(lease_lost(what, ended)),
    };
    let revoked = revoke(cluster, lease.id).await;
    let outcome = outcome?;
    revoked.with_context(|| format!("{what}: cannot release it now; it becomes free after {} s", lease.ttl))?;
    Ok(outcome)
}

fn lease_lost(what: &str, ended: Result<Ended>) -> anyhow::Error {
    match ended {
        Ok(Ended::Unrenewed) => anyhow!(
            "{what}: no endpoint renewed the lease within its time to live; what it protects may \
             belong to another one now"
        ),
        Ok(Ended::Gone | Ended::Enough) => anyhow!(
            "{what}: the lease expired or was revoked; what it protects may belong to another \
             one now"
        ),
        Err(error) => error.context(format!("{what}: the lease cannot be kept alive")),
    }
}

/// Prints the leader and every change of leader.
async fn listen(cluster: &Cluster, out: &mut Printer, name: &[u8]) -> Result<ExitCode> {
    let prefix = queue_prefix(name);
    let (mut leader, revision) = owner(cluster, name).await?;
    let interest =
        Interest { range_end: prefix_end(&prefix), key: prefix, start_revision: revision + 1, prev_kv: false };
    let mut subscription = Subscription::new(cluster, interest);
    let mut printed = None;
    loop {
        if let Some(pair) = &leader {
            let identity = Some((pair.key.clone(), pair.mod_revision));
            if identity != printed {
                printed = identity;
                if out.json() {
                    out.document(&json!({ "kv": document::key_value(pair) }))?;
                } else {
                    print_pair(out, pair)?;
                    out.flush()?;
                }
            }
        }
        subscription.next().await?;
        (leader, _) = owner(cluster, name).await?;
    }
}
