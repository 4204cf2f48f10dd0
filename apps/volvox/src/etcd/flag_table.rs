//! All flags of etcd 3.6, those included that only earlier versions have and that programs still pass.

use super::flag::Meaning::{Given, Refused, Renamed, Same, Unused};
use super::flag::{Flag, Kind, Meaning};

const fn switch(name: &'static str, meaning: Meaning) -> Flag {
    Flag { name, kind: Kind::Switch, default: "false", meaning }
}

const fn switch_on(name: &'static str, meaning: Meaning) -> Flag {
    Flag { name, kind: Kind::Switch, default: "true", meaning }
}

const fn text(name: &'static str, default: &'static str, meaning: Meaning) -> Flag {
    Flag { name, kind: Kind::Text, default, meaning }
}

const fn number(name: &'static str, default: &'static str, meaning: Meaning) -> Flag {
    Flag { name, kind: Kind::Number, default, meaning }
}

const fn time(name: &'static str, default: &'static str, meaning: Meaning) -> Flag {
    Flag { name, kind: Kind::Time, default, meaning }
}

const BY_SIZE: Meaning = Unused("a checkpoint is written when the log has grown by a number of bytes");
const NO_BACKEND: Meaning =
    Unused("there is no bbolt file: nothing is batched into it, defragmented or locked in memory");
const NO_DISCOVERY: Meaning = Refused("discovery is not supported: name the members in --initial-cluster");
const DISCOVERY_DETAIL: Meaning = Unused("discovery is not supported");
const NO_HASH_CHECK: Meaning =
    Unused("members do not compare hashes by themselves: every record has a checksum of its own");
const NO_TRACING: Meaning = Unused("spans are not exported");
const NO_AUTO_COMPACTION: Meaning = Unused("the server does not compact by itself: clients have to");
const NO_ROTATION: Meaning = Unused("a log file is rotated once it is 16 MiB long");
const PACE: Meaning = Unused("compaction runs in steps of a few milliseconds");
// Not to obey these would admit what the operator excludes.
const NO_LISTS: Meaning = Refused("revocation lists are not read");
const NO_NAMES: Meaning = Refused("names in certificates are not compared with a list");

/// The table.
pub const TABLE: &[Flag] = &[
    // The member.
    text("name", "default", Same),
    text("data-dir", "", Same),
    text("wal-dir", "", Unused("the log lies in --data-dir")),
    number("snapshot-count", "10000", BY_SIZE),
    number("snapshot-catchup-entries", "5000", Unused("4 MiB of the log are kept for slow followers")),
    number("heartbeat-interval", "100", Same),
    number("election-timeout", "1000", Same),
    switch_on("initial-election-tick-advance", Given),
    switch_on("pre-vote", Given),
    text("listen-peer-urls", "http://localhost:2380", Same),
    text("listen-client-urls", "http://localhost:2379", Same),
    text("listen-client-http-urls", "", Same),
    text("listen-metrics-urls", "", Same),
    number("max-snapshots", "5", Given),
    number("max-wals", "5", Given),
    number("quota-backend-bytes", "0", Same),
    time("backend-batch-interval", "0s", NO_BACKEND),
    number("backend-batch-limit", "0", NO_BACKEND),
    text("backend-bbolt-freelist-type", "map", NO_BACKEND),
    number("bootstrap-defrag-threshold-megabytes", "0", NO_BACKEND),
    number("max-txn-ops", "128", Same),
    number("max-request-bytes", "1572864", Same),
    number("max-concurrent-streams", "4294967295", Same),
    number("max-learners", "1", Unused("one learner at a time")),
    time("grpc-keepalive-min-time", "5s", Unused("clients may ping at any pace")),
    time("grpc-keepalive-interval", "2h", Same),
    time("grpc-keepalive-timeout", "20s", Same),
    time("watch-progress-notify-interval", "0s", Same),
    time("warning-apply-duration", "100ms", Unused("a step longer than 5 ms is logged")),
    time("warning-unary-request-duration", "300ms", Unused("slow requests are not logged")),
    time("raft-read-timeout", "5s", Unused("a silent link is closed after 3 s")),
    time("raft-write-timeout", "5s", Unused("a silent link is closed after 3 s")),
    switch("socket-reuse-port", Unused("ports are not shared")),
    switch("socket-reuse-address", Given),
    switch("memory-mlock", NO_BACKEND),
    switch("unsafe-no-fsync", Unused("every acknowledged write is synced to the disk")),
    switch("force-new-cluster", Refused("restore a snapshot into a new cluster instead: volvox snapshot restore")),
    text("config-file", "", Same),
    switch("version", Same),
    text("feature-gates", "", Unused("no gate changes anything here")),
    // The cluster.
    text("initial-advertise-peer-urls", "http://localhost:2380", Same),
    text("initial-cluster", "", Same),
    text("initial-cluster-state", "new", Same),
    text("initial-cluster-token", "etcd-cluster", Same),
    text("advertise-client-urls", "http://localhost:2379", Same),
    switch_on("strict-reconfig-check", Unused("the check is always made")),
    text("auto-compaction-mode", "periodic", NO_AUTO_COMPACTION),
    text("auto-compaction-retention", "0", NO_AUTO_COMPACTION),
    text("v2-deprecation", "write-only", Unused("there is no v2 store")),
    switch("enable-v2", Unused("there is no v2 API")),
    time("downgrade-check-time", "5s", Unused("the version is not checked against a downgrade job")),
    time("corrupt-check-time", "0s", NO_HASH_CHECK),
    time("compact-hash-check-time", "1m", NO_HASH_CHECK),
    number("compaction-batch-limit", "1000", PACE),
    time("compaction-sleep-interval", "10ms", PACE),
    // Discovery.
    text("discovery", "", NO_DISCOVERY),
    text("discovery-srv", "", NO_DISCOVERY),
    text("discovery-token", "", NO_DISCOVERY),
    text("discovery-endpoints", "", NO_DISCOVERY),
    text("discovery-srv-name", "", DISCOVERY_DETAIL),
    text("discovery-fallback", "exit", DISCOVERY_DETAIL),
    text("discovery-proxy", "", DISCOVERY_DETAIL),
    time("discovery-dial-timeout", "2s", DISCOVERY_DETAIL),
    time("discovery-request-timeout", "5s", DISCOVERY_DETAIL),
    time("discovery-keepalive-time", "2s", DISCOVERY_DETAIL),
    time("discovery-keepalive-timeout", "6s", DISCOVERY_DETAIL),
    switch_on("discovery-insecure-transport", DISCOVERY_DETAIL),
    switch("discovery-insecure-skip-tls-verify", DISCOVERY_DETAIL),
    text("discovery-cert", "", DISCOVERY_DETAIL),
    text("discovery-key", "", DISCOVERY_DETAIL),
    text("discovery-cacert", "", DISCOVERY_DETAIL),
    text("discovery-user", "", DISCOVERY_DETAIL),
    text("discovery-password", "", DISCOVERY_DETAIL),
    // Security.
    text("cert-file", "", Same),
    text("key-file", "", Same),
    text("client-cert-file", "", Unused("the server dials no client port")),
    text("client-key-file", "", Unused("the server dials no client port")),
    switch("client-cert-auth", Same),
    text("client-crl-file", "", NO_LISTS),
    text("client-cert-allowed-hostname", "", NO_NAMES),
    text("client-cert-allowed-cn", "", NO_NAMES),
    text("trusted-ca-file", "", Same),
    switch("auto-tls", Same),
    text("peer-cert-file", "", Same),
    text("peer-key-file", "", Same),
    text("peer-client-cert-file", "", Unused("peers are dialled with --peer-cert-file")),
    text("peer-client-key-file", "", Unused("peers are dialled with --peer-key-file")),
    switch("peer-client-cert-auth", Same),
    text("peer-trusted-ca-file", "", Same),
    switch("peer-auto-tls", Same),
    text("peer-crl-file", "", NO_LISTS),
    text("peer-cert-allowed-cn", "", NO_NAMES),
    text("peer-cert-allowed-hostname", "", NO_NAMES),
    switch("peer-skip-client-san-verification", Given),
    number("self-signed-cert-validity", "1", Same),
    text("cipher-suites", "", Unused("only suites with forward secrecy and authenticated encryption are offered")),
    text("tls-min-version", "TLS1.2", Same),
    text("tls-max-version", "", Unused("TLS 1.3 is the highest version")),
    text("cors", "*", Unused("there is no gateway for browsers")),
    text("host-whitelist", "*", Unused("the Host field of a request is not read")),
    text("auth-token", "simple", Same),
    number("auth-token-ttl", "300", Same),
    number("bcrypt-cost", "10", Same),
    // The log, metrics and traces.
    text("logger", "zap", Same),
    text("log-outputs", "default", Same),
    text("log-level", "info", Same),
    text("log-format", "json", Same),
    switch("enable-log-rotation", NO_ROTATION),
    text(
        "log-rotation-config-json",
        r#"{"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, "compress": false}"#,
        NO_ROTATION,
    ),
    switch("enable-pprof", Unused("there is no profiler of Go")),
    switch_on("enable-grpc-gateway", Given),
    text("metrics", "basic", Given),
    switch("enable-distributed-tracing", NO_TRACING),
    text("distributed-tracing-address", "localhost:4317", NO_TRACING),
    text("distributed-tracing-service-name", "etcd", NO_TRACING),
    text("distributed-tracing-instance-id", "", NO_TRACING),
    number("distributed-tracing-sampling-rate", "0", NO_TRACING),
    // The names of earlier versions.
    switch("experimental-initial-corrupt-check", NO_HASH_CHECK),
    time("experimental-corrupt-check-time", "0s", Renamed("corrupt-check-time")),
    switch("experimental-compact-hash-check-enabled", NO_HASH_CHECK),
    time("experimental-compact-hash-check-time", "1m", Renamed("compact-hash-check-time")),
    number("experimental-compaction-batch-limit", "1000", Renamed("compaction-batch-limit")),
    time("experimental-compaction-sleep-interval", "10ms", Renamed("compaction-sleep-interval")),
    time("experimental-downgrade-check-time", "5s", Renamed("downgrade-check-time")),
    switch("experimental-enable-lease-checkpoint", Unused("leases are not checkpointed")),
    switch("experimental-enable-lease-checkpoint-persist", Unused("leases are not checkpointed")),
    switch("experimental-memory-mlock", Renamed("memory-mlock")),
    switch("experimental-peer-skip-client-san-verification", Renamed("peer-skip-client-san-verification")),
    number("experimental-snapshot-catchup-entries", "5000", Renamed("snapshot-catchup-entries")),
    switch("experimental-stop-grpc-service-on-defrag", NO_BACKEND),
    switch_on("experimental-txn-mode-write-with-shared-buffer", NO_BACKEND),
    time("experimental-warning-apply-duration", "100ms", Renamed("warning-apply-duration")),
    time("experimental-warning-unary-request-duration", "300ms", Renamed("warning-unary-request-duration")),
    time("experimental-watch-progress-notify-interval", "0s", Renamed("watch-progress-notify-interval")),
    number("experimental-bootstrap-defrag-threshold-megabytes", "0", Renamed("bootstrap-defrag-threshold-megabytes")),
    switch("experimental-enable-distributed-tracing", Renamed("enable-distributed-tracing")),
    text("experimental-distributed-tracing-address", "localhost:4317", Renamed("distributed-tracing-address")),
    text("experimental-distributed-tracing-service-name", "etcd", Renamed("distributed-tracing-service-name")),
    text("experimental-distributed-tracing-instance-id", "", Renamed("distributed-tracing-instance-id")),
    number("experimental-distributed-tracing-sampling-rate", "0", Renamed("distributed-tracing-sampling-rate")),
];
