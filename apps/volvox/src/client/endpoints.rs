//! The members that a command talks to.
//!
//! `--endpoints` names them; otherwise the manifest of the cluster in `--data`, otherwise that of `./volvox-data`;
//! otherwise the command uses one member on this machine, on etcd's port.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::tls::Tls;

/// The default folder of `volvox up`.
const DEFAULT_DATA_FOLDER: &str = "./volvox-data";
/// The default client address of etcd.
const DEFAULT_ENDPOINT: &str = "127.0.0.1:2379";
const DEFAULT_PORT: u16 = 2379;
const MANIFEST_FILE: &str = "cluster.toml";

/// The client address of one member: a host and a port, and whether it uses TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    authority: String,
    tls: Option<Tls>,
}

impl Endpoint {
    /// Reads `host`, `host:port`, `http://host:port` or `https://host:port`. Without a scheme, TLS is used when its
    /// files are given, as with `etcdctl`.
    ///
    /// # Errors
    /// When the text is malformed; says what is wrong.
    pub fn parse(text: &str, tls: Option<&Tls>) -> Result<Endpoint> {
        let text = text.trim();
        let (rest, tls) = match text.split_once("://") {
            Some(("http", rest)) => (rest.trim_end_matches('/'), None),
            Some(("https", _)) if tls.is_none() => {
                bail!("endpoint {text:?} speaks TLS: name the authority that signed its certificate with --cacert FILE")
            }
            Some(("https", rest)) => (rest.trim_end_matches('/'), tls),
            Some((scheme, _)) => bail!("endpoint {text:?}: unknown scheme {scheme:?}; use http:// or https://"),
            None => (text, tls),
        };
        let authority = if has_port(rest) { rest.to_owned() } else { format!("{rest}:{DEFAULT_PORT}") };
        let parsed: http::uri::Authority =
            authority.parse().with_context(|| format!("endpoint {text:?} is not host:port"))?;
        if parsed.host().is_empty() || parsed.port_u16().is_none() || authority.contains('@') {
            bail!("endpoint {text:?} is not host:port");
        }
        Ok(Endpoint { authority, tls: tls.cloned() })
    }

    /// `host:port`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// How to use TLS there, if at all.
    pub fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// `http://host:port` or `https://host:port`.
    pub fn uri(&self) -> http::Uri {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.authority).parse().expect("the authority was checked")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.authority)
    }
}

fn has_port(authority: &str) -> bool {
    match authority.rfind(']') {
        Some(bracket) => authority[bracket..].contains(':'),
        None => authority.contains(':'),
    }
}

/// Whether a node that is started with these flags speaks TLS to clients.
pub fn serves_tls(flags: &[String]) -> bool {
    flags.iter().any(|flag| flag == "--cert-file" || flag.starts_with("--cert-file="))
}

/// The part of the manifest of a local cluster that clients need.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    node: Vec<ManifestNode>,
}

#[derive(Deserialize)]
struct ManifestNode {
    client_port: u16,
    #[serde(default)]
    flags: Vec<String>,
}

/// The endpoints that a command talks to: named ones, otherwise those of a local cluster.
///
/// # Errors
/// An invalid endpoint, or a manifest that is broken, or missing where it was named.
pub fn find_endpoints(named: &[String], data: Option<&Path>, tls: Option<&Tls>) -> Result<Vec<Endpoint>> {
    if !named.is_empty() {
        return parse_list(named, tls);
    }
    let folder = data.unwrap_or(Path::new(DEFAULT_DATA_FOLDER));
    let path = folder.join(MANIFEST_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => manifest_endpoints(&text, tls).with_context(|| format!("reading the manifest {}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && data.is_none() => {
            Ok(vec![Endpoint::parse(DEFAULT_ENDPOINT, tls)?])
        }
        Err(error) => Err(error).with_context(|| {
            let folder = folder.display();
            format!(
                "no cluster found in {folder}: cannot read {}; \
                 start one with `volvox up --data {folder}`, or name another with --endpoints",
                path.display()
            )
        }),
    }
}

fn parse_list(named: &[String], tls: Option<&Tls>) -> Result<Vec<Endpoint>> {
    let mut endpoints = Vec::new();
    for text in named.iter().filter(|text| !text.trim().is_empty()) {
        let endpoint = Endpoint::parse(text, tls)?;
        if !endpoints.contains(&endpoint) {
            endpoints.push(endpoint);
        }
    }
    if endpoints.is_empty() {
        bail!("--endpoints names no endpoint; give host:port, separated by commas");
    }
    Ok(endpoints)
}

/// A cluster whose nodes have a certificate uses TLS.
fn manifest_endpoints(text: &str, tls: Option<&Tls>) -> Result<Vec<Endpoint>> {
    let manifest: Manifest = toml::from_str(text)?;
    if manifest.node.is_empty() {
        bail!("it names no node; name the members with --endpoints");
    }
    let scheme = |node: &ManifestNode| if serves_tls(&node.flags) { "https://" } else { "" };
    let texts = manifest.node.iter().map(|node| format!("{}127.0.0.1:{}", scheme(node), node.client_port));
    texts.map(|text| Endpoint::parse(&text, tls)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authorities(endpoints: &[Endpoint]) -> Vec<&str> {
        endpoints.iter().map(Endpoint::authority).collect()
    }

    #[test]
    fn hosts_ports_and_schemes() {
        let cases = [
            ("10.0.0.1:4001", "10.0.0.1:4001"),
            ("localhost", "localhost:2379"),
            (" http://node-1:2379/ ", "node-1:2379"),
            ("[::1]", "[::1]:2379"),
            ("[::1]:22379", "[::1]:22379"),
        ];
        for (text, authority) in cases {
            assert_eq!(Endpoint::parse(text, None).unwrap().authority(), authority);
        }
    }

    #[test]
    fn what_is_no_endpoint() {
        let cases = ["https://a:1", "unix://socket", "a:b", "a:99999", ":2379", "", "user@a:1", "a b:1", "a:1/x"];
        for text in cases {
            assert!(Endpoint::parse(text, None).is_err(), "{text:?} must be refused");
        }
    }

    #[test]
    fn a_list_without_doubles_and_never_empty() {
        let named = ["a:1", "b:2", "", "http://a:1"].map(str::to_owned);
        assert_eq!(authorities(&find_endpoints(&named, None, None).unwrap()), ["a:1", "b:2"]);
        assert!(find_endpoints(&[" ".to_owned()], None, None).is_err());
    }

    #[test]
    fn a_manifest_names_every_node() {
        let text = "name = \"x\"\n[[node]]\nid = 1\nclient_port = 2379\npeer_port = 2380\n\
                    [[node]]\nid = 2\nclient_port = 22379\nadmin_port = 22381\n";
        let endpoints = manifest_endpoints(text, None).unwrap();
        assert_eq!(authorities(&endpoints), ["127.0.0.1:2379", "127.0.0.1:22379"]);
        assert!(manifest_endpoints("", None).is_err());
        assert!(manifest_endpoints("[[node]]\nid = 1\n", None).is_err());
        let secure = "[[node]]\nid = 1\nclient_port = 2379\nflags = [\"--cert-file\", \"a.pem\"]\n";
        let error = format!("{:#}", manifest_endpoints(secure, None).unwrap_err());
        assert!(error.contains("--cacert"), "{error}");
    }

    #[test]
    fn a_named_folder_without_a_cluster_is_an_error() {
        let error = find_endpoints(&[], Some(Path::new("/nowhere/at/all")), None).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("volvox up --data /nowhere/at/all"), "{text}");
    }
}
