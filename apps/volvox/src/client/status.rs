//! `status`: asks every member separately, so that one that is down does not hide the others.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use tonic::transport::Channel;
use tonic::{Code, Status};
use volvox_etcd::proto::etcdserverpb::kv_client::KvClient;
use volvox_etcd::proto::etcdserverpb::maintenance_client::MaintenanceClient;
use volvox_etcd::proto::etcdserverpb::{RangeRequest, StatusRequest, StatusResponse};

use super::cluster::{Cluster, connect, describe};
use super::endpoints::Endpoint;
use super::members;
use super::output::Printer;

/// The status that one endpoint reports.
struct Report {
    endpoint: Endpoint,
    outcome: Result<Answer, String>,
}

struct Answer {
    status: StatusResponse,
    /// How long a linearizable read took, or why it failed.
    read: Result<Duration, String>,
}

impl Report {
    fn has_majority(&self) -> bool {
        self.outcome.as_ref().is_ok_and(|answer| answer.read.is_ok() && !answer.status.is_learner)
    }

    fn is_healthy(&self) -> bool {
        self.outcome.as_ref().is_ok_and(|answer| answer.trouble().is_empty())
    }
}

impl Answer {
    fn member_id(&self) -> u64 {
        self.status.header.as_ref().map_or(0, |header| header.member_id)
    }

    fn revision(&self) -> i64 {
        self.status.header.as_ref().map_or(0, |header| header.revision)
    }

    fn role(&self) -> &'static str {
        match (self.status.is_learner, self.status.leader) {
            (true, _) => "learner",
            (false, 0) => "no leader",
            (false, leader) if leader == self.member_id() => "leader",
            (false, _) => "follower",
        }
    }

    /// All problems; empty when the member is healthy.
    fn trouble(&self) -> Vec<String> {
        let mut trouble = self.status.errors.clone();
        if let Err(reason) = &self.read
            && !trouble.contains(reason)
        {
            trouble.push(reason.clone());
        }
        trouble
    }
}

pub async fn status(cluster: &Cluster, out: &mut Printer) -> Result<ExitCode> {
    let asking = cluster.endpoints().iter().map(|endpoint| ask(endpoint, cluster.timeout()));
    let reports = join_all(asking).await;
    let known = if reports.iter().any(|report| report.outcome.is_ok()) {
        // A lagging member may not know the names yet, so a majority is asked if there is one.
        let has_majority = reports.iter().any(Report::has_majority);
        members::list(cluster, has_majority).await.map(|(_, members)| members).unwrap_or_default()
    } else {
        Vec::new()
    };
    let name = |id: u64| {
        let member = known.iter().find(|member| member.id == id);
        member.map(|member| member.name.clone()).unwrap_or_default()
    };
    if out.json() {
        let members: Vec<_> = reports.iter().map(|report| report_document(report, &name)).collect();
        let healthy = reports.iter().filter(|report| report.is_healthy()).count();
        out.document(&json!({ "members": members, "healthy": healthy }))?;
    } else {
        print_table(out, &reports, &name)?;
    }
    let all_healthy = reports.iter().all(Report::is_healthy);
    Ok(if all_healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn ask(endpoint: &Endpoint, patience: Duration) -> Report {
    let question = async {
        let channel = connect(endpoint).await?;
        let mut client = MaintenanceClient::new(channel.clone());
        let status = client.status(StatusRequest {}).await;
        let status = status.map_err(|status| describe(&status))?.into_inner();
        let read = if status.is_learner { Ok(Duration::ZERO) } else { try_read(channel).await };
        Ok(Answer { status, read })
    };
    let outcome = timeout(patience, question).await;
    let silent = |_| Err(format!("no answer within {} s", patience.as_secs()));
    Report { endpoint: endpoint.clone(), outcome: outcome.unwrap_or_else(silent) }
}

/// A linearizable read: it succeeds only if a majority follows the leader.
async fn try_read(channel: Channel) -> Result<Duration, String> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let request = RangeRequest { key: Bytes::from_static(b"health"), ..RangeRequest::default() };
    let begun = Instant::now();
    match timeout(PATIENCE, KvClient::new(channel).range(request)).await {
        Ok(Ok(_)) => Ok(begun.elapsed()),
        // A majority was needed to refuse the request.
        Ok(Err(status)) if refused_by_majority(&status) => Ok(begun.elapsed()),
        Ok(Err(status)) => Err(describe(&status)),
        Err(_) => Err("no linearizable read within 2 s".to_owned()),
    }
}

fn refused_by_majority(status: &Status) -> bool {
    status.code() == Code::PermissionDenied
}

fn report_document(report: &Report, name: &impl Fn(u64) -> String) -> Value {
    let endpoint = report.endpoint.authority();
    let answer = match &report.outcome {
        Ok(answer) => answer,
        Err(reason) => {
            return json!({ "endpoint": endpoint, "healthy": false, "errors": [reason] });
        }
    };
    let read_us = answer.read.as_ref().ok().map(Duration::as_micros);
    let StatusResponse { leader, raft_term, raft_index, raft_applied_index, db_size, version, .. } = &answer.status;
    json!({
        "endpoint": endpoint,
        "healthy": report.is_healthy(),
        "errors": answer.trouble(),
        "ID": answer.member_id(),
        "name": name(answer.member_id()),
        "role": answer.role(),
        "leader": leader,
        "raftTerm": raft_term,
        "raftIndex": raft_index,
        "raftAppliedIndex": raft_applied_index,
        "revision": answer.revision(),
        "dbSize": db_size,
        "version": version,
        "linearizableReadMicroseconds": read_us.map(|us| us as u64),
    })
}

fn print_table(out: &mut Printer, reports: &[Report], name: &impl Fn(u64) -> String) -> Result<()> {
    let titles = ["ENDPOINT", "ID", "NAME", "ROLE", "TERM", "INDEX", "APPLIED", "REVISION", "SIZE", "HEALTH"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    rows.extend(reports.iter().map(|report| row(report, name)));
    for line in align(&rows) {
        out.line(line)?;
    }
    out.flush()
}

fn row(report: &Report, name: &impl Fn(u64) -> String) -> Vec<String> {
    let mut row = vec![report.endpoint.to_string()];
    let answer = match &report.outcome {
        Ok(answer) => answer,
        Err(reason) => {
            row.extend(["-"; 2].map(str::to_owned));
            row.push("unreachable".to_owned());
            row[2].clear();
            row.extend(["-"; 5].map(str::to_owned));
            row.push(reason.clone());
            return row;
        }
    };
    let status = &answer.status;
    let health = match (&answer.read, answer.trouble()) {
        (Ok(took), trouble) if trouble.is_empty() => format!("ok, reads in {took:.1?}"),
        (_, trouble) => trouble.join("; "),
    };
    row.extend([
        format!("{:x}", answer.member_id()),
        name(answer.member_id()),
        answer.role().to_owned(),
        status.raft_term.to_string(),
        status.raft_index.to_string(),
        status.raft_applied_index.to_string(),
        answer.revision().to_string(),
        human_bytes(status.db_size),
        health,
    ]);
    row
}

/// Pads columns to the width of their widest cell.
fn align(rows: &[Vec<String>]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows.first().map_or(0, Vec::len)).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}  "));
        cells.collect::<String>().trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn human_bytes(bytes: i64) -> String {
    let mut amount = bytes as f64;
    for unit in ["B", "KiB", "MiB"] {
        if amount < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{amount:.1} {unit}") };
        }
        amount /= 1024.0;
    }
    format!("{amount:.1} GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [["A", "LONG", "X"], ["wide", "b", "y"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(align(&rows), ["A     LONG  X", "wide  b     y"]);
    }

    #[test]
    fn sizes_for_people() {
        assert_eq!(human_bytes(1000), "1000 B");
        assert_eq!(human_bytes(20_480), "20.0 KiB");
        assert_eq!(human_bytes(3 << 30), "3.0 GiB");
    }
}
