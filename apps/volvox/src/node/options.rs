//! The flags of `volvox node`. A flag wins over its `VOLVOX_*` variable, which wins over the configuration file.

use super::logins::Logins;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The default of `--election-timeout`.
const ELECTION_TIMEOUT_MS: u64 = 500;
/// The longest one.
const ELECTION_TIMEOUT_MS_MAX: u64 = 50_000;
/// The default of `--heartbeat-interval`, of which the election timeout is at least five times as long.
const HEARTBEAT_MS: u64 = 50;
/// The default of `--watch-progress-interval`, and the meaning of 0: kube-apiserver's tests pass that.
const WATCH_PROGRESS_MS: u64 = 600_000;
/// The shortest one.
const WATCH_PROGRESS_MS_MIN: u64 = 100;

/// The flags of `volvox node`. All are optional here, because the configuration file may give them.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct NodeArguments {
    /// A TOML file with the same names as these flags; flags and variables take precedence
    #[arg(long, value_name = "FILE", env = "VOLVOX_CONFIG")]
    #[serde(skip)]
    config: Option<PathBuf>,
    /// The id of this node: 1, 2, 3, ...
    #[arg(long, env = "VOLVOX_ID")]
    id: Option<u64>,
    /// The name of this node, for people (default: `n` and the id)
    #[arg(long, env = "VOLVOX_NAME")]
    name: Option<String>,
    /// The folder of this node's log and checkpoints
    #[arg(long, env = "VOLVOX_FOLDER", value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// The id of the cluster, shared by all its nodes
    #[arg(long, env = "VOLVOX_CLUSTER", value_name = "NUMBER")]
    cluster: Option<u64>,
    /// All nodes, this one included: 1=host:port,2=host:port,...
    #[arg(long, env = "VOLVOX_INITIAL_CLUSTER", value_delimiter = ',', value_name = "ID=HOST:PORT,...")]
    initial_cluster: Vec<String>,
    /// `new` forms a cluster of the named nodes; `existing` joins one. An existing member that lost its folder must use
    /// `existing`: it returns as a new incarnation
    #[arg(long, env = "VOLVOX_INITIAL_CLUSTER_STATE", value_parser = ["new", "existing"])]
    initial_cluster_state: Option<String>,
    /// The address for clients [default: 127.0.0.1:2379]
    #[arg(long, env = "VOLVOX_LISTEN_CLIENT", value_name = "ADDRESS:PORT")]
    listen_client: Option<SocketAddr>,
    /// The address for peers [default: 127.0.0.1:2380]
    #[arg(long, env = "VOLVOX_LISTEN_PEER", value_name = "ADDRESS:PORT")]
    listen_peer: Option<SocketAddr>,
    /// The address for administration, on loopback only [default: 127.0.0.1:2381]
    #[arg(long, env = "VOLVOX_LISTEN_ADMIN", value_name = "ADDRESS:PORT")]
    listen_admin: Option<SocketAddr>,
    /// The URLs advertised to clients [default: http:// or https://, and --listen-client]
    #[arg(long, env = "VOLVOX_ADVERTISE_CLIENT", value_delimiter = ',', value_name = "URL,...")]
    advertise_client: Vec<String>,
    /// The leader's heartbeat interval, in milliseconds [default: 50]
    #[arg(long, env = "VOLVOX_HEARTBEAT_INTERVAL", value_name = "MS")]
    heartbeat_interval: Option<u64>,
    /// The election timeout in milliseconds: a node stands for election after one to two times this without a leader
    /// [default: 500]
    #[arg(long, env = "VOLVOX_ELECTION_TIMEOUT", value_name = "MS")]
    election_timeout: Option<u64>,
    /// The size limit of the store in bytes; 0 means 2 GiB, negative means no limit
    #[arg(long, env = "VOLVOX_QUOTA_BYTES", value_name = "BYTES", allow_hyphen_values = true)]
    quota_bytes: Option<i64>,
    /// Write a checkpoint after this many bytes of log [default: 16777216]
    #[arg(long, env = "VOLVOX_CHECKPOINT_LOG_BYTES", value_name = "BYTES")]
    checkpoint_log_bytes: Option<u64>,
    /// The interval of progress notifications to idle watchers that requested them, in milliseconds; at least 100, and 0
    /// means the default [default: 600000]
    #[arg(long, env = "VOLVOX_WATCH_PROGRESS_INTERVAL", value_name = "MS")]
    watch_progress_interval: Option<u64>,
    /// This node's certificate for clients, PEM: the client port then accepts TLS only; goes with --key-file
    #[arg(long, env = "VOLVOX_CERT_FILE", value_name = "FILE")]
    cert_file: Option<PathBuf>,
    /// The private key of --cert-file, PEM
    #[arg(long, env = "VOLVOX_KEY_FILE", value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Certificates of the authority for clients, PEM: a client must then present a certificate signed by it
    #[arg(long, env = "VOLVOX_TRUSTED_CA_FILE", value_name = "FILE")]
    trusted_ca_file: Option<PathBuf>,
    /// Require certificates from clients; needs --trusted-ca-file, which implies this flag
    #[arg(long, env = "VOLVOX_CLIENT_CERT_AUTH")]
    #[serde(default)]
    client_cert_auth: bool,
    /// The kind of tokens that clients get when they log in; `simple` is the only one
    #[arg(long, env = "VOLVOX_AUTH_TOKEN", value_name = "KIND")]
    auth_token: Option<String>,
    /// How long a token lives after its last use, in seconds [default: 300]
    #[arg(long, env = "VOLVOX_AUTH_TOKEN_TTL", value_name = "SECONDS")]
    auth_token_ttl: Option<i64>,
    /// The cost of hashing a password, 4 to 31: each step up doubles the time [default: 10]
    #[arg(long, env = "VOLVOX_BCRYPT_COST", value_name = "COST")]
    bcrypt_cost: Option<i64>,
    /// Certificates of the authority for mutual TLS between nodes, PEM; goes with --peer-cert and --peer-key
    #[serde(alias = "peer-trusted-ca-file")]
    #[arg(long, visible_alias = "peer-trusted-ca-file", env = "VOLVOX_PEER_CA", value_name = "FILE")]
    peer_ca: Option<PathBuf>,
    /// This node's certificate for peers, PEM
    #[serde(alias = "peer-cert-file")]
    #[arg(long, visible_alias = "peer-cert-file", env = "VOLVOX_PEER_CERT", value_name = "FILE")]
    peer_cert: Option<PathBuf>,
    /// The private key of --peer-cert, PEM
    #[serde(alias = "peer-key-file")]
    #[arg(long, visible_alias = "peer-key-file", env = "VOLVOX_PEER_KEY", value_name = "FILE")]
    peer_key: Option<PathBuf>,
    /// Threads for clients; 0 shares the node's thread, which is best on a small machine [default: 0]
    #[arg(long, env = "VOLVOX_DOOR_THREADS", value_name = "N")]
    door_threads: Option<usize>,
    /// Write the log to this file, and rotate it [default: standard error]
    #[arg(long, env = "VOLVOX_LOG_FILE", value_name = "FILE")]
    log_file: Option<PathBuf>,
    /// The log filter, such as `info` or `warn,volvox_net=debug` [default: info]
    #[arg(long, env = "VOLVOX_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// Accept faults on the admin port
    #[arg(long, env = "VOLVOX_DEVELOPMENT")]
    #[serde(default)]
    development: bool,
    /// A fault that is active from the start; needs --development
    #[arg(long = "fault", value_name = "FAULT")]
    #[serde(default)]
    faults: Vec<String>,
}

/// The checked configuration of a node.
#[derive(Clone, Debug)]
pub struct NodeSettings {
    pub id: u64,
    pub name: String,
    pub folder: PathBuf,
    pub cluster: u64,
    pub members: BTreeMap<u64, String>,
    /// The URLs of members that have others than the scheme of the peer port and their address.
    pub peer_urls: BTreeMap<u64, Vec<String>>,
    pub is_new: bool,
    /// The ports for clients.
    pub clients: Vec<ClientPort>,
    pub listen_peer: SocketAddr,
    /// Without it there is no admin port.
    pub listen_admin: Option<SocketAddr>,
    pub advertise_client: Vec<String>,
    pub heartbeat: Duration,
    pub election_timeout: Duration,
    pub quota_bytes: i64,
    pub checkpoint_log_bytes: u64,
    pub watch_progress_interval: Duration,
    pub tls: Option<volvox_net::PeerTls>,
    /// The bounds of the client ports.
    pub door: volvox_etcd::Options,
    pub auth_token_ttl: Duration,
    pub door_threads: usize,
    pub log_file: Option<PathBuf>,
    pub log: String,
    pub development: bool,
    pub faults: Vec<volvox_core::Fault>,
}

/// A port for clients.
#[derive(Clone, Debug)]
pub struct ClientPort {
    pub address: SocketAddr,
    pub tls: Option<volvox_etcd::TlsPaths>,
    pub serves: volvox_etcd::Serves,
}

impl NodeArguments {
    /// Merges the configuration file into the flags, and checks everything.
    ///
    /// # Errors
    /// When a flag is missing or wrong; says which, and what it should be.
    pub fn settings(self) -> Result<NodeSettings> {
        let merged = self.with_file()?;
        let id = merged.id.filter(|id| *id > 0).context("--id is missing: the id of this node (1, 2, 3, ...)")?;
        let folder =
            merged.folder.clone().context("--folder is missing: the folder of the node's log and checkpoints")?;
        let members = parse_members(&merged.initial_cluster)?;
        if !members.contains_key(&id) {
            bail!("--initial-cluster does not name node {id}; it names {:?}", members.keys().collect::<Vec<_>>());
        }
        let heartbeat = merged.heartbeat_interval.unwrap_or(HEARTBEAT_MS);
        let election = merged.election_timeout.unwrap_or(ELECTION_TIMEOUT_MS);
        check_times(heartbeat, election)?;
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let listen_client = merged.listen_client.unwrap_or(local(2379));
        let listen_admin = merged.listen_admin.unwrap_or(local(2381));
        if !listen_admin.ip().is_loopback() {
            bail!("--listen-admin {listen_admin} must be on loopback: anyone who reaches it can disrupt the node");
        }
        let faults = merged.active_faults()?;
        let client_tls = merged.client_tls()?;
        let logins = Logins::checked(
            merged.auth_token.as_deref().unwrap_or("simple"),
            merged.auth_token_ttl.unwrap_or(300),
            merged.bcrypt_cost.unwrap_or(10),
        )?;
        let mut advertise_client = merged.advertise_client.clone();
        if advertise_client.is_empty() {
            let scheme = if client_tls.is_some() { "https" } else { "http" };
            advertise_client.push(format!("{scheme}://{listen_client}"));
        }
        Ok(NodeSettings {
            id,
            name: merged.name.clone().unwrap_or_else(|| format!("n{id}")),
            folder,
            cluster: merged
                .cluster
                .filter(|cluster| *cluster > 0)
                .context("--cluster is missing: the id that all nodes share")?,
            members,
            peer_urls: BTreeMap::new(),
            is_new: merged.initial_cluster_state.as_deref().unwrap_or("new") == "new",
            clients: vec![ClientPort {
                address: listen_client,
                tls: client_tls,
                serves: volvox_etcd::Serves::Everything,
            }],
            listen_peer: merged.listen_peer.unwrap_or(local(2380)),
            listen_admin: Some(listen_admin),
            advertise_client,
            heartbeat: Duration::from_millis(heartbeat),
            election_timeout: Duration::from_millis(election),
            quota_bytes: merged.quota_bytes.unwrap_or(0),
            checkpoint_log_bytes: merged.checkpoint_log_bytes.unwrap_or(16 << 20).max(1 << 16),
            watch_progress_interval: watch_progress_interval(merged.watch_progress_interval),
            tls: merged.tls()?,
            door: volvox_etcd::Options {
                election_timeout: Duration::from_millis(election),
                bcrypt_cost: logins.bcrypt_cost,
                ..volvox_etcd::Options::default()
            },
            auth_token_ttl: logins.token_ttl,
            door_threads: merged.door_threads.unwrap_or(0),
            log_file: merged.log_file.clone(),
            log: merged.log.clone().unwrap_or_else(|| "info".to_owned()),
            development: merged.development,
            faults,
        })
    }

    fn active_faults(&self) -> Result<Vec<volvox_core::Fault>> {
        if !self.faults.is_empty() && !self.development {
            bail!("--fault needs --development");
        }
        let read = |text: &String| text.parse().map_err(|error| anyhow::anyhow!("--fault {text:?}: {error}"));
        self.faults.iter().map(read).collect()
    }

    fn with_file(self) -> Result<NodeArguments> {
        let Some(path) = self.config.clone() else {
            return Ok(self);
        };
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let file: NodeArguments = toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
        let list = |flags: Vec<String>, file: Vec<String>| if flags.is_empty() { file } else { flags };
        Ok(NodeArguments {
            config: None,
            id: self.id.or(file.id),
            name: self.name.or(file.name),
            folder: self.folder.or(file.folder),
            cluster: self.cluster.or(file.cluster),
            initial_cluster: list(self.initial_cluster, file.initial_cluster),
            initial_cluster_state: self.initial_cluster_state.or(file.initial_cluster_state),
            listen_client: self.listen_client.or(file.listen_client),
            listen_peer: self.listen_peer.or(file.listen_peer),
            listen_admin: self.listen_admin.or(file.listen_admin),
            advertise_client: list(self.advertise_client, file.advertise_client),
            heartbeat_interval: self.heartbeat_interval.or(file.heartbeat_interval),
            election_timeout: self.election_timeout.or(file.election_timeout),
            quota_bytes: self.quota_bytes.or(file.quota_bytes),
            checkpoint_log_bytes: self.checkpoint_log_bytes.or(file.checkpoint_log_bytes),
            watch_progress_interval: self.watch_progress_interval.or(file.watch_progress_interval),
            cert_file: self.cert_file.or(file.cert_file),
            key_file: self.key_file.or(file.key_file),
            trusted_ca_file: self.trusted_ca_file.or(file.trusted_ca_file),
            client_cert_auth: self.client_cert_auth || file.client_cert_auth,
            auth_token: self.auth_token.or(file.auth_token),
            auth_token_ttl: self.auth_token_ttl.or(file.auth_token_ttl),
            bcrypt_cost: self.bcrypt_cost.or(file.bcrypt_cost),
            peer_ca: self.peer_ca.or(file.peer_ca),
            peer_cert: self.peer_cert.or(file.peer_cert),
            peer_key: self.peer_key.or(file.peer_key),
            door_threads: self.door_threads.or(file.door_threads),
            log_file: self.log_file.or(file.log_file),
            log: self.log.or(file.log),
            development: self.development || file.development,
            faults: list(self.faults, file.faults),
        })
    }

    fn client_tls(&self) -> Result<Option<volvox_etcd::TlsPaths>> {
        if self.client_cert_auth && self.trusted_ca_file.is_none() {
            bail!("--client-cert-auth needs --trusted-ca-file, the authority that signs the certificates of clients");
        }
        match (&self.cert_file, &self.key_file) {
            (None, None) if self.trusted_ca_file.is_some() => {
                bail!(
                    "--trusted-ca-file needs --cert-file and --key-file: without them the client port does not use TLS"
                )
            }
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some(volvox_etcd::TlsPaths {
                certificate: certificate.clone(),
                key: key.clone(),
                client_authority: self.trusted_ca_file.clone(),
            })),
            _ => bail!("--cert-file and --key-file go together"),
        }
    }

    fn tls(&self) -> Result<Option<volvox_net::PeerTls>> {
        match (&self.peer_ca, &self.peer_cert, &self.peer_key) {
            (None, None, None) => Ok(None),
            (Some(ca), Some(certificate), Some(key)) => Ok(Some(volvox_net::PeerTls {
                ca: Some(ca.clone()),
                certificate: certificate.clone(),
                key: key.clone(),
            })),
            _ => bail!("--peer-ca, --peer-cert and --peer-key go together"),
        }
    }
}

/// Refuses what etcd refuses, in its words.
///
/// # Errors
/// When the two do not fit together.
pub fn check_times(heartbeat_ms: u64, election_ms: u64) -> Result<()> {
    if heartbeat_ms == 0 {
        bail!("--heartbeat-interval must be >0 (set to {heartbeat_ms}ms)");
    }
    if heartbeat_ms.saturating_mul(5) > election_ms {
        bail!(
            "--election-timeout[{election_ms}ms] should be at least as 5 times as --heartbeat-interval[{heartbeat_ms}ms]"
        );
    }
    if election_ms > ELECTION_TIMEOUT_MS_MAX {
        bail!(
            "--election-timeout[{election_ms}ms] is too long, and should be set less than {ELECTION_TIMEOUT_MS_MAX}ms"
        );
    }
    Ok(())
}

/// The interval of progress notifications; 0 means the default.
pub fn watch_progress_interval(given_ms: Option<u64>) -> Duration {
    let wanted = given_ms.filter(|ms| *ms > 0).unwrap_or(WATCH_PROGRESS_MS);
    Duration::from_millis(wanted.max(WATCH_PROGRESS_MS_MIN))
}

fn parse_members(texts: &[String]) -> Result<BTreeMap<u64, String>> {
    let mut members = BTreeMap::new();
    for text in texts {
        let parsed = text.split_once('=').and_then(|(id, address)| {
            let id: u64 = id.trim().parse().ok().filter(|id| *id > 0)?;
            let (host, port) = address.rsplit_once(':')?;
            let port: u16 = port.parse().ok()?;
            (!host.is_empty()).then(|| (id, format!("{host}:{port}")))
        });
        let (id, address) = parsed.with_context(|| format!("--initial-cluster {text:?}: expected ID=HOST:PORT"))?;
        if members.insert(id, address).is_some() {
            bail!("--initial-cluster names node {id} twice");
        }
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_progress_interval_is_the_default_one() {
        let interval = |given| watch_progress_interval(given).as_millis();
        assert_eq!([interval(None), interval(Some(0))], [600_000, 600_000]);
        assert_eq!([interval(Some(1)), interval(Some(100)), interval(Some(5000))], [100, 100, 5000]);
    }

    #[test]
    fn times_are_refused_as_by_etcd() {
        let refused = |heartbeat, election| check_times(heartbeat, election).unwrap_err().to_string();
        for (heartbeat, election) in [(29, 271), (101, 521), (100, 2000), (100, 500), (50, 50_000)] {
            assert!(check_times(heartbeat, election).is_ok(), "{heartbeat} {election}");
        }
        assert_eq!(refused(0, 1000), "--heartbeat-interval must be >0 (set to 0ms)");
        let short = "--election-timeout[499ms] should be at least as 5 times as --heartbeat-interval[100ms]";
        assert_eq!(refused(100, 499), short);
        assert!(refused(u64::MAX, 499).contains("5 times"), "without an overflow");
        assert_eq!(refused(50, 50_001), "--election-timeout[50001ms] is too long, and should be set less than 50000ms");
    }
}
