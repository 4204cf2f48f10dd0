//! `/metrics`: the current state of the view, the node, the door and the operating system, under etcd's names
//! (book/src/etcd.md#16), so that its dashboards and alert rules work.

use super::process::Process;
use super::{Count, Metrics};
use crate::backend::{Counters, Histogram, PeerCounters};
use crate::grpc::Code;
use crate::method::Method;
use crate::{CLUSTER_VERSION, VERSION};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use volvox_replica::View;
use volvox_store::quota::QUOTA_BYTES_DEFAULT;

/// The content type of what [`render`] makes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics, as text.
pub fn render(view: Arc<View>, counters: Counters, metrics: &Arc<Metrics>) -> String {
    let scrape = Scrape { view, counters, metrics: Arc::clone(metrics), process: Process::read() };
    let mut registry = Registry::default();
    registry.register_collector(Box::new(scrape));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("a String grows as far as it must");
    text
}

/// A snapshot of all sources.
#[derive(Debug)]
struct Scrape {
    view: Arc<View>,
    counters: Counters,
    metrics: Arc<Metrics>,
    process: Process,
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Output { encoder };
        self.server(&mut out)?;
        self.store(&mut out)?;
        self.disk_and_peers(&mut out)?;
        self.watches_and_leases(&mut out)?;
        self.calls(&mut out)?;
        self.process(&mut out)
    }
}

impl Scrape {
    fn server(&self, out: &mut Output<'_>) -> fmt::Result {
        let (status, node, metrics) = (&self.view.status, &self.counters, &self.metrics);
        let is_leader = status.leader == Some(status.id);
        out.gauge("etcd_server_has_leader", "Whether a leader is known", u64::from(status.leader.is_some()))?;
        out.gauge("etcd_server_is_leader", "Whether this member leads", u64::from(is_leader))?;
        out.gauge("etcd_server_is_learner", "Whether this member has no vote", u64::from(status.is_learner))?;
        let id = format!("{:x}", status.id.0);
        out.labelled("etcd_server_id", "This member", &[("server_id", &id)], 1)?;
        out.labelled("etcd_server_version", "The version", &[("server_version", VERSION)], 1)?;
        // Major and minor number only, here and nowhere else.
        let cluster_version = CLUSTER_VERSION.strip_suffix(".0").unwrap_or(CLUSTER_VERSION);
        out.labelled("etcd_cluster_version", "The cluster's", &[("cluster_version", cluster_version)], 1)?;
        out.counter("etcd_server_leader_changes_seen", "Changes of leader", status.leader_changes)?;
        out.gauge("etcd_server_proposals_committed_total", "Entries committed", status.commit_index)?;
        out.gauge("etcd_server_proposals_applied_total", "Entries applied", status.applied_index)?;
        out.gauge("etcd_server_proposals_pending", "Proposals without an answer", status.proposals_pending)?;
        out.counter("etcd_server_proposals_failed", "Proposals that failed", status.proposals_failed)?;
        let help = "Steps that took long; entries are applied in steps";
        out.counter("etcd_server_slow_apply", help, node.slow_applies)?;
        let failed = metrics.failed_reads.get();
        out.counter("etcd_server_read_indexes_failed", "Linearizable reads that failed", failed)?;
        let promoted = metrics.handled(Method::MemberPromote, Code::Ok);
        out.gauge("etcd_server_learner_promote_successes", "Learners promoted through this member", promoted)?;
        let quota = if status.quota_bytes == 0 { QUOTA_BYTES_DEFAULT } else { status.quota_bytes };
        out.gauge("etcd_server_quota_backend_bytes", "How much the store may hold", quota)?;
        out.gauge("etcd_server_health_success", "Checks that found it healthy", metrics.health_success.get())?;
        out.gauge("etcd_server_health_failures", "Checks that did not", metrics.health_failures.get())
    }

    fn store(&self, out: &mut Output<'_>) -> fmt::Result {
        let store = &self.view.store;
        let operations = &self.metrics.operations;
        let txns = self.metrics.handled(Method::Txn, Code::Ok);
        let size = store.size_in_use();
        out.gauge("etcd_mvcc_db_total_size_in_bytes", "Bytes allocated", size)?;
        out.gauge("etcd_mvcc_db_total_size_in_use_in_bytes", "Bytes in use", size)?;
        // Each member counts the operations of its own clients: the sum over the members is the cluster's total.
        out.counter("etcd_mvcc_put", "Puts of clients of this member", operations.puts.get())?;
        out.counter("etcd_mvcc_delete", "Deletes of clients of this member", operations.deletes.get())?;
        out.counter("etcd_mvcc_txn", "Transactions of clients of this member", txns)?;
        out.counter("etcd_mvcc_range", "Ranges read by clients of this member", operations.ranges.get())?;
        out.gauge("etcd_debugging_mvcc_keys_total", "Keys alive", store.len())?;
        out.gauge("etcd_debugging_mvcc_current_revision", "The revision", store.revision())?;
        out.gauge("etcd_debugging_mvcc_compact_revision", "History up to here is gone", store.compacted())?;
        let name = "etcd_debugging_server_alarms";
        let mut family = out.family(name, "Alarms that are on", MetricType::Gauge)?;
        for alarm in store.alarms() {
            let (member, kind) = (format!("{:x}", alarm.member_id), crate::maintenance::alarm_name(alarm.alarm));
            family.encode_family(&[("server_id", member.as_str()), ("alarm_type", kind)])?.encode_gauge(&1u64)?;
        }
        Ok(())
    }

    fn disk_and_peers(&self, out: &mut Output<'_>) -> fmt::Result {
        let node = &self.counters;
        out.histogram("etcd_disk_wal_fsync_duration_seconds", "Fsync of the log", &node.log_syncs)?;
        out.counter("etcd_disk_wal_write_bytes", "Bytes written to the log", node.log_bytes)?;
        out.histogram("etcd_disk_backend_commit_duration_seconds", "Checkpoint write", &node.checkpoint_writes)?;
        type Value = fn(&PeerCounters) -> u64;
        let counters: [(&str, &str, &str, Value); 5] = [
            ("etcd_network_peer_sent_bytes", "To", "Bytes sent to another member", |peer| peer.sent_bytes),
            ("etcd_network_peer_received_bytes", "From", "Bytes received from it", |peer| peer.received_bytes),
            ("etcd_network_disconnected_peers", "Remote", "Connections lost", |peer| peer.disconnects),
            ("volvox_peer_messages_sent", "To", "Messages given to a link", |peer| peer.sent),
            ("volvox_peer_messages_dropped", "To", "Messages for which a link had no room", |peer| peer.dropped),
        ];
        for (name, label, help, value) in counters {
            let mut family = out.family(name, help, MetricType::Counter)?;
            for peer in &node.peers {
                let id = format!("{:x}", peer.id);
                family
                    .encode_family(&[(label, id.as_str())])?
                    .encode_counter::<NoLabelSet, _, u64>(&value(peer), None)?;
            }
        }
        let mut family = out.family("etcd_network_active_peers", "Members connected", MetricType::Gauge)?;
        for peer in &node.peers {
            let id = format!("{:x}", peer.id);
            family.encode_family(&[("Remote", id.as_str())])?.encode_gauge(&u64::from(peer.connected))?;
        }
        let help = "There and back, the last time it was measured";
        let mut family = out.family("volvox_peer_round_trip_seconds", help, MetricType::Gauge)?;
        for peer in &node.peers {
            let id = format!("{:x}", peer.id);
            if let Some(seconds) = peer.round_trip {
                family.encode_family(&[("To", id.as_str())])?.encode_gauge(&seconds)?;
            }
        }
        Ok(())
    }

    fn watches_and_leases(&self, out: &mut Output<'_>) -> fmt::Result {
        let (status, metrics) = (&self.view.status, &self.metrics);
        let done = |method| metrics.handled(method, Code::Ok);
        let expired = self.counters.leases_expired;
        let revoked = done(Method::LeaseRevoke) + expired;
        out.gauge("etcd_debugging_mvcc_watcher_total", "Watchers", status.watchers)?;
        out.gauge("etcd_debugging_mvcc_slow_watcher_total", "Watchers that are behind", status.watchers_behind)?;
        out.gauge("etcd_debugging_mvcc_watch_stream_total", "Watch streams", status.watch_streams)?;
        out.counter("etcd_debugging_mvcc_events", "Events sent", metrics.events.get())?;
        out.counter("etcd_debugging_lease_granted", "Leases granted", done(Method::LeaseGrant))?;
        out.counter("etcd_debugging_lease_revoked", "Leases revoked or expired", revoked)?;
        out.counter("etcd_debugging_lease_renewed", "Leases renewed", metrics.renewals.get())?;
        out.counter("etcd_debugging_server_lease_expired", "Leases expired while this member led", expired)?;
        out.gauge("volvox_leases", "Leases", self.view.store.lease_count())
    }

    fn calls(&self, out: &mut Output<'_>) -> fmt::Result {
        let metrics = &self.metrics;
        out.counter("etcd_network_client_grpc_sent_bytes", "Bytes sent to clients", metrics.sent_bytes.get())?;
        out.counter("etcd_network_client_grpc_received_bytes", "Bytes received", metrics.received_bytes.get())?;
        out.gauge("volvox_client_connections", "Connections of clients", metrics.connections.get())?;
        out.counter("volvox_client_connections_refused", "Turned away", metrics.connections_refused.get())?;
        type Value = fn(&super::MethodCounts) -> &Count;
        let counters: [(&str, &str, Value); 3] = [
            ("grpc_server_started", "Calls begun", |method| &method.started),
            ("grpc_server_msg_received", "Messages received", |method| &method.received),
            ("grpc_server_msg_sent", "Messages sent", |method| &method.sent),
        ];
        for (name, help, value) in counters {
            let mut family = out.family(name, help, MetricType::Counter)?;
            for (method, counts) in Method::ALL.iter().zip(&metrics.methods) {
                let labels = method_labels(*method);
                family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value(counts).get(), None)?;
            }
        }
        let mut family = out.family("grpc_server_handled", "Calls ended", MetricType::Counter)?;
        for (method, counts) in Method::ALL.iter().zip(&metrics.methods) {
            for (code, handled) in Code::ALL.iter().zip(&counts.handled).filter(|(_, handled)| handled.get() > 0) {
                let [service, name, shape] = method_labels(*method);
                let labels = [service, name, shape, ("grpc_code", code.name())];
                family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&handled.get(), None)?;
            }
        }
        Ok(())
    }

    fn process(&self, out: &mut Output<'_>) -> fmt::Result {
        let process = &self.process;
        let gauges = [
            ("process_resident_memory_bytes", "Memory in use", process.resident_bytes),
            ("process_virtual_memory_bytes", "Address space in use", process.virtual_bytes),
            ("process_open_fds", "Open file descriptors", process.open_fds),
            ("process_max_fds", "How many there may be", process.max_fds),
            ("os_fd_used", "Open file descriptors", process.open_fds),
            ("os_fd_limit", "How many there may be", process.max_fds),
        ];
        for (name, help, value) in gauges {
            if let Some(value) = value {
                out.gauge(name, help, value)?;
            }
        }
        if let Some(seconds) = process.cpu_seconds {
            out.counter("process_cpu_seconds", "Processor time spent", seconds)?;
        }
        match process.start_seconds {
            Some(seconds) => out.gauge("process_start_time_seconds", "When the process began", seconds),
            None => Ok(()),
        }
    }
}

fn method_labels(method: Method) -> [(&'static str, &'static str); 3] {
    [("grpc_service", method.service()), ("grpc_method", method.name()), ("grpc_type", method.shape().name())]
}

/// Writes families. The names of counters go without `_total`: the encoder appends it.
struct Output<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl Output<'_> {
    fn family<'s>(&'s mut self, name: &'s str, help: &str, kind: MetricType) -> Result<MetricEncoder<'s>, fmt::Error> {
        self.encoder.encode_descriptor(name, help, None, kind)
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl EncodeGaugeValue) -> fmt::Result {
        self.family(name, help, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn counter(&mut self, name: &str, help: &str, value: impl EncodeCounterValue) -> fmt::Result {
        self.family(name, help, MetricType::Counter)?.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    fn labelled(&mut self, name: &str, help: &str, labels: &[(&str, &str); 1], value: u64) -> fmt::Result {
        self.family(name, help, MetricType::Gauge)?.encode_family(labels)?.encode_gauge(&value)
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) -> fmt::Result {
        encode_histogram(&mut self.family(name, help, MetricType::Histogram)?, histogram)
    }
}

fn encode_histogram(encoder: &mut MetricEncoder<'_>, histogram: &Histogram) -> fmt::Result {
    // The last bucket has no bound; OpenMetrics writes it as infinite.
    let bounds = histogram.bounds.iter().copied().chain([f64::INFINITY]);
    let mut buckets: Vec<(f64, u64)> = bounds.zip(histogram.counts.iter().copied()).collect();
    if buckets.is_empty() {
        buckets.push((f64::INFINITY, 0));
    }
    encoder.encode_histogram::<NoLabelSet>(histogram.sum, histogram.counts.iter().sum(), &buckets, None)
}
