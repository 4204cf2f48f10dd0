//! From the values of etcd's flags to the settings of a node.

use super::membership::{Initial, Membership, parse_initial};
use super::self_signed;
use super::sources::Values;
use super::urls::{MemberUrl, joined};
use crate::node::logins::Logins;
use crate::node::options::{ClientPort, NodeSettings, check_times, watch_progress_interval};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::time::Duration;
use volvox_etcd::{Serves, TlsPaths};
use volvox_net::PeerTls;

/// A request and what is around it must fit into a message between peers.
const REQUEST_BYTES_MAX: usize = 12 << 20;
/// The gates of etcd 3.6. None of them changes anything here.
const FEATURE_GATES: &[&str] = &[
    "AllAlpha",
    "AllBeta",
    "CompactHashCheck",
    "InitialCorruptCheck",
    "LeaseCheckpoint",
    "LeaseCheckpointPersist",
    "SetMemberLocalAddr",
    "StopGRPCServiceOnDefrag",
    "TxnModeWriteWithSharedBuffer",
];

/// The checked values of the flags; the identity of this member is still open.
#[derive(Debug)]
pub struct Plan {
    /// `--data-dir`.
    pub data: PathBuf,
    /// The initial flags.
    pub initial: Initial,
    listen_peer: MemberUrl,
    clients: Vec<(MemberUrl, Serves)>,
    advertise_client: Vec<MemberUrl>,
    heartbeat_ms: u64,
    election_ms: u64,
}

impl Plan {
    /// Checks the values.
    ///
    /// # Errors
    /// In etcd's words where it has some.
    pub fn new(values: &Values) -> Result<Plan> {
        let name = values.text("name").to_owned();
        let urls = |flag: &'static str| MemberUrl::parse_all(flag, &values.list(flag));
        let listen_peer = urls("listen-peer-urls")?;
        if listen_peer.len() > 1 {
            bail!("--listen-peer-urls={}: several URLs are not supported, name one", joined(&listen_peer));
        }
        if values.is_given("listen-client-urls") && !values.is_given("advertise-client-urls") {
            bail!("--advertise-client-urls is required when --listen-client-urls is set explicitly");
        }
        let clients = client_urls(values)?;
        let advertised = urls("initial-advertise-peer-urls")?;
        let own = || advertised.iter().map(|url| format!("{name}={url}")).collect::<Vec<_>>().join(",");
        let members = parse_initial(&values.filled("initial-cluster").map_or_else(own, str::to_owned))?;
        let is_new = match values.text("initial-cluster-state") {
            "new" => true,
            "existing" => false,
            other => bail!("invalid value {other:?} for flag -initial-cluster-state: expected new or existing"),
        };
        let (heartbeat_ms, election_ms) = timing(values)?;
        check_gates(values.text("feature-gates"))?;
        let data = values.filled("data-dir").map_or_else(|| PathBuf::from(format!("{name}.etcd")), PathBuf::from);
        Ok(Plan {
            data,
            initial: Initial {
                name,
                members,
                advertised,
                token: values.text("initial-cluster-token").to_owned(),
                is_new,
            },
            listen_peer: listen_peer.into_iter().next().expect("one, as counted"),
            clients,
            advertise_client: urls("advertise-client-urls")?,
            heartbeat_ms,
            election_ms,
        })
    }

    /// The folder of the log and the checkpoints.
    pub fn member_folder(&self) -> PathBuf {
        self.data.join("member")
    }

    /// The TLS of the peer port; makes the certificate of `--peer-auto-tls`.
    ///
    /// # Errors
    /// When files are missing that the URLs need.
    pub fn peer_tls(&self, values: &Values) -> Result<Option<PeerTls>> {
        let is_secure = self.listen_peer.is_secure;
        if !is_secure {
            if self.initial.advertised.iter().any(|url| url.is_secure) {
                bail!("--initial-advertise-peer-urls is https and --listen-peer-urls={} is not", self.listen_peer);
            }
            return Ok(None);
        }
        let path = |flag: &'static str| values.filled(flag).map(PathBuf::from);
        match (path("peer-cert-file"), path("peer-key-file"), path("peer-trusted-ca-file")) {
            (Some(certificate), Some(key), Some(ca)) => Ok(Some(PeerTls { ca: Some(ca), certificate, key })),
            (Some(_), Some(_), None) => bail!(
                "--peer-cert-file needs --peer-trusted-ca-file: members verify one another by the authority that it names"
            ),
            (None, None, None) if values.is_on("peer-auto-tls") => {
                if values.is_on("peer-client-cert-auth") {
                    bail!("--peer-client-cert-auth needs --peer-trusted-ca-file, and --peer-auto-tls has none");
                }
                let hosts = hosts(std::iter::once(&self.listen_peer).chain(&self.initial.advertised));
                let folder = self.data.join("fixtures/peer");
                let years = values.number("self-signed-cert-validity");
                let (certificate, key) = self_signed::certificate(&folder, &hosts, years).context("--peer-auto-tls")?;
                Ok(Some(PeerTls { ca: None, certificate, key }))
            }
            _ => bail!(
                "TLS key/cert (--peer-cert-file, --peer-key-file) must be provided for peer url {} with HTTPs scheme",
                self.listen_peer
            ),
        }
    }

    /// The TLS of the client ports; makes the certificate of `--auto-tls`.
    fn client_tls(&self, values: &Values) -> Result<Option<TlsPaths>> {
        let Some((url, serves)) = self.clients.iter().find(|(url, _)| url.is_secure) else { return Ok(None) };
        let path = |flag: &'static str| values.filled(flag).map(PathBuf::from);
        let client_authority = path("trusted-ca-file");
        if values.is_on("client-cert-auth") && client_authority.is_none() {
            bail!("--client-cert-auth needs --trusted-ca-file, the authority that signs the certificates of clients");
        }
        let (certificate, key) = match (path("cert-file"), path("key-file")) {
            (Some(certificate), Some(key)) => (certificate, key),
            (None, None) if values.is_on("auto-tls") => {
                let hosts = hosts(self.clients.iter().map(|(url, _)| url).chain(&self.advertise_client));
                let folder = self.data.join("fixtures/client");
                let years = values.number("self-signed-cert-validity");
                self_signed::certificate(&folder, &hosts, years).context("--auto-tls")?
            }
            _ if *serves == Serves::Metrics => {
                bail!(
                    "TLS key/cert (--cert-file, --key-file) must be provided for metrics/http url {url} with HTTPS scheme"
                )
            }
            _ => {
                bail!("TLS key/cert (--cert-file, --key-file) must be provided for client url {url} with HTTPS scheme")
            }
        };
        Ok(Some(TlsPaths { certificate, key, client_authority }))
    }

    /// The settings of the node that is this member.
    ///
    /// # Errors
    /// When the values do not fit together.
    pub fn settings(self, values: &Values, membership: Membership, tls: Option<PeerTls>) -> Result<NodeSettings> {
        let client_tls = self.client_tls(values)?;
        let clients = self.clients.iter().map(|(url, serves)| {
            let tls = if url.is_secure { client_tls.clone() } else { None };
            Ok(ClientPort { address: url.listen_address()?, tls, serves: *serves })
        });
        let members = membership.members.iter().map(|(id, urls)| {
            let first = urls.first().with_context(|| format!("member {id:x} has no peer URL"))?;
            Ok((*id, MemberUrl::parse(first)?.address()))
        });
        let election_timeout = Duration::from_millis(self.election_ms);
        let (kind, ttl) = (values.text("auth-token"), values.number("auth-token-ttl"));
        let logins = Logins::checked(kind, ttl, values.number("bcrypt-cost"))?;
        let progress = values.time("watch-progress-notify-interval");
        Ok(NodeSettings {
            id: membership.id,
            name: self.initial.name.clone(),
            folder: self.member_folder(),
            cluster: membership.cluster,
            members: members.collect::<Result<_>>()?,
            peer_urls: membership.members,
            is_new: membership.is_new,
            clients: clients.collect::<Result<_>>()?,
            listen_peer: self.listen_peer.listen_address()?,
            listen_admin: None,
            advertise_client: self.advertise_client.iter().map(ToString::to_string).collect(),
            heartbeat: Duration::from_millis(self.heartbeat_ms),
            election_timeout,
            quota_bytes: values.number("quota-backend-bytes"),
            checkpoint_log_bytes: 16 << 20,
            watch_progress_interval: watch_progress_interval(u64::try_from(progress.as_millis()).ok()),
            tls,
            door: volvox_etcd::Options { bcrypt_cost: logins.bcrypt_cost, ..door(values, election_timeout)? },
            auth_token_ttl: logins.token_ttl,
            door_threads: 0,
            log_file: None,
            log: String::new(),
            development: false,
            faults: Vec::new(),
        })
    }
}

/// The ports for clients, and what each serves.
fn client_urls(values: &Values) -> Result<Vec<(MemberUrl, Serves)>> {
    let further = |flag: &'static str, serves: Serves| -> Result<Vec<(MemberUrl, Serves)>> {
        let texts = values.list(flag);
        let urls = if texts.is_empty() { Vec::new() } else { MemberUrl::parse_all(flag, &texts)? };
        Ok(urls.into_iter().map(|url| (url, serves)).collect())
    };
    let http = further("listen-client-http-urls", Serves::Http)?;
    let own = if http.is_empty() { Serves::Everything } else { Serves::Grpc };
    let mut all = further("listen-client-urls", own)?;
    if all.is_empty() {
        bail!("--listen-client-urls is empty: name at least one URL");
    }
    all.extend(http);
    all.extend(further("listen-metrics-urls", Serves::Metrics)?);
    for (at, (url, _)) in all.iter().enumerate() {
        let address = url.listen_address()?;
        for (other, _) in &all[..at] {
            if address.port() != 0 && other.listen_address()? == address {
                bail!("{url} and {other} are one port, which serves one scheme and one purpose");
            }
        }
    }
    Ok(all)
}

/// The heartbeat and the election timeout, in milliseconds.
fn timing(values: &Values) -> Result<(u64, u64)> {
    let (heartbeat, election) = (values.number("heartbeat-interval"), values.number("election-timeout"));
    let milliseconds = |flag: &str, value: i64| {
        u64::try_from(value)
            .ok()
            .filter(|ms| *ms > 0)
            .with_context(|| format!("--{flag} must be >0 (set to {value}ms)"))
    };
    let heartbeat = milliseconds("heartbeat-interval", heartbeat)?;
    let election = milliseconds("election-timeout", election)?;
    check_times(heartbeat, election)?;
    Ok((heartbeat, election))
}

fn check_gates(text: &str) -> Result<()> {
    for gate in text.split(',').map(str::trim).filter(|gate| !gate.is_empty()) {
        let (name, value) = gate.split_once('=').with_context(|| format!("missing bool value for {gate}"))?;
        if super::flags::switch(value).is_none() {
            bail!("invalid value of {name}={value}, err: expected true or false");
        }
        if !FEATURE_GATES.contains(&name) {
            bail!("unrecognized feature gate: {name}");
        }
    }
    Ok(())
}

/// The bounds of the client ports.
fn door(values: &Values, election_timeout: Duration) -> Result<volvox_etcd::Options> {
    let mut options = volvox_etcd::Options { election_timeout, ..volvox_etcd::Options::default() };
    let bounded = |flag: &'static str| {
        let number = values.number(flag);
        usize::try_from(number)
            .ok()
            .filter(|number| *number > 0)
            .with_context(|| format!("--{flag}={number}: it must be >0"))
    };
    options.request_bytes_max = bounded("max-request-bytes")?;
    if options.request_bytes_max > REQUEST_BYTES_MAX {
        bail!("--max-request-bytes={} is over the limit of {REQUEST_BYTES_MAX}", options.request_bytes_max);
    }
    options.txn_operations_max = bounded("max-txn-ops")?;
    if values.is_given("max-concurrent-streams") {
        options.streams_max = u32::try_from(bounded("max-concurrent-streams")?).unwrap_or(u32::MAX);
    }
    if values.is_given("grpc-keepalive-interval") && !values.time("grpc-keepalive-interval").is_zero() {
        options.ping_interval = values.time("grpc-keepalive-interval");
    }
    if values.is_given("grpc-keepalive-timeout") && !values.time("grpc-keepalive-timeout").is_zero() {
        options.ping_timeout = values.time("grpc-keepalive-timeout");
    }
    match values.text("tls-min-version") {
        "" | "TLS1.2" => Ok(options),
        // Not to obey it would admit what the operator excludes.
        other => bail!("--tls-min-version={other} is not supported: TLS 1.2 and 1.3 are served"),
    }
}

/// The hosts of a certificate; an address that stands for all of the machine's also names this machine.
fn hosts<'a>(urls: impl Iterator<Item = &'a MemberUrl>) -> Vec<String> {
    let mut hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    for url in urls {
        let host = url.host.trim_matches(['[', ']']).to_owned();
        if !host.is_empty() && !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etcd::flags::parse;

    fn values(line: &str) -> Values {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Values::merge(parse(&words).expect("correct").given, std::iter::empty()).expect("merged")
    }

    fn settings(line: &str) -> Result<NodeSettings> {
        let values = values(line);
        let plan = Plan::new(&values)?;
        plan.initial.check()?;
        let membership = plan.initial.form();
        let tls = plan.peer_tls(&values)?;
        plan.settings(&values, membership, tls)
    }

    #[test]
    fn without_flags_the_defaults_are_those_of_etcd() {
        let settings = settings("").expect("correct");
        assert_eq!(settings.name, "default");
        assert_eq!(settings.folder, PathBuf::from("default.etcd/member"));
        assert_eq!(settings.clients[0].address.to_string(), "127.0.0.1:2379");
        assert_eq!(settings.listen_peer.to_string(), "127.0.0.1:2380");
        assert_eq!(settings.advertise_client, ["http://localhost:2379"]);
        assert_eq!(settings.members[&1], "localhost:2380");
        assert_eq!((settings.heartbeat.as_millis(), settings.election_timeout.as_millis()), (100, 1000));
        assert_eq!(settings.watch_progress_interval.as_secs(), 600);
        assert_eq!((settings.door.request_bytes_max, settings.door.txn_operations_max), (1_572_864, 128));
        assert!(settings.listen_admin.is_none() && settings.is_new);
    }

    #[test]
    fn http_and_metrics_have_ports_of_their_own() {
        let settings = settings(
            "--listen-client-urls http://127.0.0.1:1,http://localhost:2 --advertise-client-urls http://a:1 \
             --listen-client-http-urls http://localhost:3 --listen-metrics-urls http://localhost:4",
        )
        .expect("correct");
        let serves: Vec<Serves> = settings.clients.iter().map(|port| port.serves).collect();
        assert_eq!(serves, [Serves::Grpc, Serves::Grpc, Serves::Http, Serves::Metrics]);
    }

    #[test]
    fn values_that_do_not_fit_are_refused() {
        for (line, said) in [
            ("--heartbeat-interval 0", "--heartbeat-interval must be >0 (set to 0ms)"),
            (
                "--heartbeat-interval 300",
                "--election-timeout[1000ms] should be at least as 5 times as --heartbeat-interval[300ms]",
            ),
            ("--election-timeout 60000", "--election-timeout[60000ms] is too long"),
            (
                "--listen-client-urls http://localhost:1",
                "--advertise-client-urls is required when --listen-client-urls",
            ),
            ("--listen-peer-urls http://name:1", "expected IP in URL for binding (http://name:1)"),
            ("--listen-peer-urls http://localhost:1,http://localhost:2", "several URLs are not supported"),
            ("--listen-peer-urls https://localhost:1", "must be provided for peer url https://localhost:1 with HTTPs"),
            ("--listen-metrics-urls https://localhost:9", "must be provided for metrics/http url https://localhost:9"),
            ("--listen-metrics-urls http://localhost:2379", "are one port"),
            ("--initial-cluster a=http://localhost:2380", "couldn't find local name \"default\""),
            ("--initial-cluster-state old", "-initial-cluster-state: expected new or existing"),
            ("--max-txn-ops 0", "--max-txn-ops=0: it must be >0"),
            ("--max-request-bytes 99999999", "is over the limit"),
            ("--tls-min-version TLS1.3", "is not supported"),
            ("--feature-gates NoSuch=true", "unrecognized feature gate: NoSuch"),
            ("--feature-gates LeaseCheckpoint", "missing bool value"),
        ] {
            let error = format!("{:#}", settings(line).expect_err(line));
            assert!(error.contains(said), "{line}: {error}");
        }
        assert!(settings("--feature-gates LeaseCheckpoint=true,CompactHashCheck=false").is_ok());
        assert!(settings("--max-concurrent-streams 7").is_ok_and(|settings| settings.door.streams_max == 7));
    }

    /// kubeadm's pod and the unit of systemd start the program by flags that all have a meaning here.
    #[test]
    fn packaged_files_start_a_member() {
        let pod = include_str!("../../packaging/kubeadm-etcd.yaml");
        let flags: Vec<&str> = pod.lines().filter_map(|line| line.trim().strip_prefix("- --")).collect();
        assert_eq!(flags.len(), 19);
        let line: Vec<String> = flags.iter().map(|flag| format!("--{flag}")).collect();
        let values = values(&line.join(" "));
        assert_eq!(
            values.warnings,
            ["--feature-gates=InitialCorruptCheck=true has no effect: no gate changes anything here"]
        );
        let settings = settings(&line.join(" ")).expect("correct");
        assert!(settings.tls.is_some_and(|tls| tls.ca.is_some()));
        assert_eq!(settings.clients.iter().filter(|port| port.tls.is_some()).count(), 2, "metrics are plain");
        let unit = include_str!("../../packaging/etcd.service");
        let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/etcd ")).expect("a command");
        assert!(super::tests::settings(start).is_ok());
    }
}
