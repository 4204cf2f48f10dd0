//! `lease`: grant, revoke, keep-alive, list, ttl.

use std::ops::ControlFlow;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Subcommand;
use serde_json::json;
use volvox_etcd::proto::etcdserverpb::lease_client::LeaseClient;
use volvox_etcd::proto::etcdserverpb::{
    LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveResponse, LeaseLeasesRequest, LeaseRevokeRequest,
    LeaseTimeToLiveRequest, LeaseTimeToLiveResponse, ResponseHeader,
};

use super::base64;
use super::cluster::{Cluster, Repeat};
use super::document;
use super::keep_alive::{Ended, keep_alive};
use super::output::Printer;

/// Leases. IDs are hexadecimal, as printed.
#[derive(Subcommand, Debug)]
pub enum LeaseCommand {
    /// Grant a lease
    Grant {
        /// Time to live, in seconds
        #[arg(value_name = "TTL")]
        ttl_s: i64,
        /// The ID of the lease, chosen by the cluster if omitted
        #[arg(long, value_parser = parse_lease, default_value = "0", hide_default_value = true)]
        id: i64,
    },
    /// End a lease and delete its keys
    Revoke {
        #[arg(value_parser = parse_lease)]
        id: i64,
    },
    /// Renew a lease until Ctrl-C
    #[command(alias = "keepalive")]
    KeepAlive {
        #[arg(value_parser = parse_lease)]
        id: i64,
        /// Renew it only once
        #[arg(long)]
        once: bool,
    },
    /// List all leases
    List,
    /// Show the remaining time to live of a lease
    #[command(alias = "timetolive")]
    Ttl {
        #[arg(value_parser = parse_lease)]
        id: i64,
        /// Also print its keys
        #[arg(long)]
        keys: bool,
    },
}

/// Reads a lease ID: hexadecimal, as the commands print it.
pub fn parse_lease(text: &str) -> Result<i64, String> {
    i64::from_str_radix(text, 16).map_err(|error| format!("lease ID in hexadecimal: {error}"))
}

pub async fn lease(cluster: &Cluster, out: &mut Printer, command: LeaseCommand) -> Result<ExitCode> {
    match command {
        LeaseCommand::Grant { ttl_s, id } => {
            let granted = grant(cluster, ttl_s, id, Repeat::Unsafe).await?;
            if out.json() {
                let header = document::header(granted.header.as_ref());
                out.document(&json!({ "header": header, "ID": granted.id, "TTL": granted.ttl }))?;
            } else {
                let LeaseGrantResponse { id, ttl, .. } = granted;
                out.line(format!("lease {id:016x} granted with TTL({ttl}s)"))?;
            }
        }
        LeaseCommand::Revoke { id } => {
            let header = revoke(cluster, id).await?;
            if out.json() {
                out.document(&json!({ "header": document::header(header.as_ref()), "ID": id }))?;
            } else {
                out.line(format!("lease {id:016x} revoked"))?;
            }
        }
        LeaseCommand::KeepAlive { id, once } => return renewals(cluster, out, id, once).await,
        LeaseCommand::List => list(cluster, out).await?,
        LeaseCommand::Ttl { id, keys } => {
            let response = time_to_live(cluster, id, keys).await?;
            print_time_to_live(out, &response, keys)?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Grants a lease.
pub async fn grant(cluster: &Cluster, ttl: i64, id: i64, repeat: Repeat) -> Result<LeaseGrantResponse> {
    cluster
        .call("lease grant", repeat, async |channel| {
            LeaseClient::new(channel).lease_grant(LeaseGrantRequest { ttl, id }).await
        })
        .await
}

/// Ends a lease.
pub async fn revoke(cluster: &Cluster, id: i64) -> Result<Option<ResponseHeader>> {
    let response = cluster
        .call("lease revoke", Repeat::Unsafe, async |channel| {
            LeaseClient::new(channel).lease_revoke(LeaseRevokeRequest { id }).await
        })
        .await?;
    Ok(response.header)
}

async fn time_to_live(cluster: &Cluster, id: i64, keys: bool) -> Result<LeaseTimeToLiveResponse> {
    cluster
        .call("lease ttl", Repeat::Safe, async |channel| {
            let request = LeaseTimeToLiveRequest { id, keys };
            LeaseClient::new(channel).lease_time_to_live(request).await
        })
        .await
}

async fn renewals(cluster: &Cluster, out: &mut Printer, id: i64, once: bool) -> Result<ExitCode> {
    let status = time_to_live(cluster, id, false).await?;
    let ended = if status.ttl < 0 {
        Ended::Gone
    } else {
        let print = |response: &LeaseKeepAliveResponse| {
            print_renewal(out, response)?;
            Ok(if once { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        };
        keep_alive(cluster, id, status.granted_ttl, print).await?
    };
    match ended {
        Ended::Enough => return Ok(ExitCode::SUCCESS),
        Ended::Gone if out.json() => out.document(&json!({ "ID": id, "TTL": 0 }))?,
        Ended::Gone => out.line(format!("lease {id:016x} expired or revoked."))?,
        Ended::Unrenewed => bail!(
            "lease keep-alive: no endpoint renewed lease {id:016x} within its time to live; \
             see `volvox status`"
        ),
    }
    out.flush()?;
    Ok(ExitCode::FAILURE)
}

fn print_renewal(out: &mut Printer, response: &LeaseKeepAliveResponse) -> Result<()> {
    let LeaseKeepAliveResponse { header, id, ttl } = response;
    if out.json() {
        let header = document::header(header.as_ref());
        return out.document(&json!({ "header": header, "ID": id, "TTL": ttl }));
    }
    out.line(format!("lease {id:016x} keepalived with TTL({ttl})"))?;
    out.flush()
}

async fn list(cluster: &Cluster, out: &mut Printer) -> Result<()> {
    let response = cluster
        .call("lease list", Repeat::Safe, async |channel| {
            LeaseClient::new(channel).lease_leases(LeaseLeasesRequest {}).await
        })
        .await?;
    if out.json() {
        let leases: Vec<_> = response.leases.iter().map(|lease| json!({ "id": lease.id })).collect();
        let header = document::header(response.header.as_ref());
        return out.document(&json!({ "header": header, "leases": leases }));
    }
    out.line(format!("found {} leases", response.leases.len()))?;
    response.leases.iter().try_for_each(|lease| out.line(format!("{:016x}", lease.id)))
}

fn print_time_to_live(out: &mut Printer, response: &LeaseTimeToLiveResponse, with_keys: bool) -> Result<()> {
    let LeaseTimeToLiveResponse { header, id, ttl, granted_ttl, keys } = response;
    if out.json() {
        let keys: Vec<_> = keys.iter().map(|key| base64::encode(key)).collect();
        return out.document(&json!({
            "header": document::header(header.as_ref()),
            "id": id, "ttl": ttl, "granted-ttl": granted_ttl, "keys": keys,
        }));
    }
    if *ttl < 0 {
        return out.line(format!("lease {id:016x} already expired"));
    }
    let mut line = format!("lease {id:016x} granted with TTL({granted_ttl}s), remaining({ttl}s)");
    if with_keys {
        let keys: Vec<_> = keys.iter().map(|key| String::from_utf8_lossy(key)).collect();
        line += &format!(", attached keys([{}])", keys.join(" "));
    }
    out.line(line)
}
