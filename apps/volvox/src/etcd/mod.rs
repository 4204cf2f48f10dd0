//! `volvox etcd`, and the program called `etcd`: a member that is started with etcd's flags.
//!
//! Process managers, manifests and test frameworks start etcd by its flags, wait for lines of its log, and judge its
//! exit codes. All of that is here; behind it is one node, as `volvox node` runs it.
//!
//! | part | content |
//! |---|---|
//! | `flag`, `flag_table`, `flags` | every flag, Go's syntax, and what each means here |
//! | `sources`, `config_file` | the command line, `ETCD_*`, and `--config-file` |
//! | `settings`, `urls` | the checks of etcd, and the way to the settings of a node |
//! | `membership` | the identity of this member in its cluster |
//! | `self_signed` | the certificates of `--auto-tls` and `--peer-auto-tls` |
//! | `zap_log` | the log |

mod config_file;
mod flag;
mod flag_table;
mod flags;
mod help;
mod membership;
mod self_signed;
mod settings;
mod sources;
mod urls;
mod zap_log;

use crate::node;
use crate::print::say;
use anyhow::{Context, Result};
use settings::Plan;
use sources::Values;
use std::path::Path;
use std::process::ExitCode;
use zap_log::LogSettings;

/// The exit code of a wrong command line, as Go's package `flag` has it.
const SYNTAX: u8 = 2;

/// The arguments for etcd, if this is `volvox etcd ...` or the program is called `etcd`.
pub fn arguments(words: &[String]) -> Option<&[String]> {
    let (program, rest) = words.split_first()?;
    if Path::new(program).file_name().is_some_and(|name| name == "etcd") {
        return Some(rest);
    }
    rest.split_first().filter(|(command, _)| *command == "etcd").map(|(_, rest)| rest)
}

/// Runs a member until it is asked to stop.
pub fn main(words: &[String]) -> ExitCode {
    if let Some(command @ ("grpc-proxy" | "gateway")) = words.first().map(String::as_str) {
        eprintln!("etcd {command} is not supported: clients connect to the members");
        return ExitCode::from(SYNTAX);
    }
    let parsed = match flags::parse(words) {
        Ok(parsed) => parsed,
        Err(error) => {
            eprintln!("{error}\n{}", help::USAGE);
            return ExitCode::from(SYNTAX);
        }
    };
    if parsed.help {
        say(help::text());
        return ExitCode::SUCCESS;
    }
    if parsed.given.get("version").is_some_and(|value| flags::switch(value) == Some(true)) {
        say(help::version());
        return ExitCode::SUCCESS;
    }
    let checked = match parsed.rest.first() {
        Some(word) => Err(anyhow::anyhow!("{word:?} is not a valid flag")),
        None => Values::merge(parsed.given, std::env::vars()).and_then(|values| {
            let log = log_settings(&values)?;
            Ok((values, log))
        }),
    };
    let (values, log) = match checked {
        Ok(checked) => checked,
        Err(error) => return fatal_before_log("failed to verify flags", &error),
    };
    if let Err(error) = log.start() {
        return fatal_before_log("failed to open the log", &error);
    }
    for line in &values.warnings {
        tracing::warn!("{line}");
    }
    let plan = match Plan::new(&values) {
        Ok(plan) => plan,
        Err(error) => return fatal("failed to verify flags", &error),
    };
    start(plan, &values).unwrap_or_else(|error| fatal("discovery failed", &error))
}

fn log_settings(values: &Values) -> Result<LogSettings> {
    LogSettings::new(
        values.text("logger"),
        values.text("log-format"),
        values.text("log-level"),
        &values.list("log-outputs"),
    )
}

fn start(plan: Plan, values: &Values) -> Result<ExitCode> {
    let configuration = serde_json::Value::Object(values.document()).to_string();
    tracing::info!(
        configuration,
        "etcd-version" = volvox_etcd::VERSION,
        "server-version" = env!("CARGO_PKG_VERSION"),
        "starting an etcd server"
    );
    let tls = plan.peer_tls(values)?;
    let membership = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(membership::of_member(&plan.member_folder(), &plan.initial, tls.as_ref()))?;
    tracing::info!(
        "member-id" = format!("{:x}", membership.id),
        "cluster-id" = format!("{:x}", membership.cluster),
        "initial-cluster-state" = if membership.is_new { "new" } else { "existing" },
        "starting local member"
    );
    node::run::serve(plan.settings(values, membership, tls)?)
}

/// Says in the log why the program ends; etcd's exit code for it.
fn fatal(what: &str, error: &anyhow::Error) -> ExitCode {
    tracing::error!(target: zap_log::FATAL, error = format!("{error:#}"), "{what}");
    ExitCode::FAILURE
}

/// The same before the flags of the log are known: in the default form.
fn fatal_before_log(what: &str, error: &anyhow::Error) -> ExitCode {
    match LogSettings::new("zap", "json", "info", &[]).and_then(|log| log.start()) {
        Ok(()) => fatal(what, error),
        Err(_) => {
            eprintln!("etcd: {what}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_called_etcd_takes_its_flags_alone() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let taken = |line: &str| arguments(&words(line)).map(<[String]>::to_vec);
        assert_eq!(taken("/usr/bin/etcd --name a"), Some(words("--name a")));
        assert_eq!(taken("volvox etcd --name a"), Some(words("--name a")));
        assert_eq!(taken("etcd"), Some(Vec::new()));
        assert_eq!(taken("volvox node --name etcd"), None);
        assert_eq!(taken("volvox"), None);
    }
}
