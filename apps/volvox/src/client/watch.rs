//! `watch`: prints every change of some keys as it happens.

use anyhow::Result;
use clap::Args;
use serde_json::json;
use volvox_etcd::proto::etcdserverpb::WatchResponse;
use volvox_etcd::proto::mvccpb::event::EventType;

use super::cluster::Cluster;
use super::document;
use super::keys::print_pair;
use super::output::Printer;
use super::span::Span;
use super::subscription::{Interest, Subscription};

/// The arguments of `watch`.
#[derive(Args, Debug)]
pub struct WatchArguments {
    #[command(flatten)]
    span: Span,
    /// Start with the changes of this revision
    #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "REVISION")]
    rev: i64,
    /// Also print the previous pairs
    #[arg(long)]
    prev_kv: bool,
}

pub async fn watch(cluster: &Cluster, out: &mut Printer, arguments: WatchArguments) -> Result<()> {
    let (key, range_end) = arguments.span.bounds();
    let interest = Interest { key, range_end, start_revision: arguments.rev, prev_kv: arguments.prev_kv };
    let mut subscription = Subscription::new(cluster, interest);
    loop {
        let response = subscription.next().await?;
        print_response(out, &response)?;
    }
}

fn print_response(out: &mut Printer, response: &WatchResponse) -> Result<()> {
    if out.json() {
        let events: Vec<_> = response.events.iter().map(document::event).collect();
        let header = document::header(response.header.as_ref());
        return out.document(&json!({ "Header": header, "Events": events }));
    }
    for event in &response.events {
        out.line(if event.r#type() == EventType::Put { "PUT" } else { "DELETE" })?;
        for pair in event.prev_kv.iter().chain(&event.kv) {
            print_pair(out, pair)?;
        }
    }
    out.flush()
}
