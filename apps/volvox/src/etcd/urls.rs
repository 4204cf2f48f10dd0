//! The URLs of flags: where to listen, and where others reach this member.

use anyhow::{Context, Result, bail};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A URL of a member.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct MemberUrl {
    /// Whether it begins with `https`.
    pub is_secure: bool,
    /// A name, or an address; one of IPv6 in brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl MemberUrl {
    /// Reads `http://host:port`.
    ///
    /// # Errors
    /// In etcd's words where it has some.
    pub fn parse(text: &str) -> Result<MemberUrl> {
        let (scheme, rest) = text
            .split_once("://")
            .with_context(|| format!("URL scheme must be http, https, unix, or unixs: {text}"))?;
        let is_secure = match scheme {
            "http" => false,
            "https" => true,
            "unix" | "unixs" => bail!("sockets of the file system are not supported: {text}"),
            _ => bail!("URL scheme must be http, https, unix, or unixs: {text}"),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#']) {
            bail!("URL must not contain a path: {text}");
        }
        let parsed = authority.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) =
            parsed.with_context(|| format!("URL address does not have the form \"host:port\": {text}"))?;
        if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
            bail!("URL address does not have the form \"host:port\": {text}");
        }
        Ok(MemberUrl { is_secure, host: host.to_owned(), port })
    }

    /// Reads a list.
    ///
    /// # Errors
    /// When one of them is wrong, or there is none.
    pub fn parse_all(flag: &str, texts: &[&str]) -> Result<Vec<MemberUrl>> {
        if texts.is_empty() {
            bail!("--{flag} is empty: name at least one URL");
        }
        texts.iter().map(|text| MemberUrl::parse(text)).collect::<Result<_>>().with_context(|| format!("--{flag}"))
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The address to listen on: only an address or `localhost`, since a name may stand for several.
    ///
    /// # Errors
    /// In etcd's words.
    pub fn listen_address(&self) -> Result<SocketAddr> {
        let host = self.host.trim_matches(['[', ']']);
        let address = match host {
            "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            "" => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            host => host.parse().ok().with_context(|| format!("expected IP in URL for binding ({self})"))?,
        };
        Ok(SocketAddr::new(address, self.port))
    }
}

impl std::fmt::Display for MemberUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}:{}", if self.is_secure { "https" } else { "http" }, self.host, self.port)
    }
}

/// The texts of URLs, separated by commas.
pub fn joined(urls: &[MemberUrl]) -> String {
    urls.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_scheme_a_host_and_a_port() {
        let url = MemberUrl::parse("https://[::1]:2380/").expect("correct");
        assert_eq!((url.is_secure, url.address()), (true, "[::1]:2380".to_owned()));
        assert_eq!(url.listen_address().expect("an address").to_string(), "[::1]:2380");
        assert_eq!(url.to_string(), "https://[::1]:2380");
        for (text, said) in [
            ("ftp://a:1", "URL scheme must be http, https, unix, or unixs: ftp://a:1"),
            ("a:1", "URL scheme must be http, https, unix, or unixs: a:1"),
            ("http://a", "URL address does not have the form \"host:port\": http://a"),
            ("http://a:70000", "URL address does not have the form"),
            ("http://::1:1", "URL address does not have the form"),
            ("http://a:1/path", "URL must not contain a path: http://a:1/path"),
            ("unix://a:1", "sockets of the file system are not supported"),
        ] {
            let error = MemberUrl::parse(text).expect_err(text).to_string();
            assert!(error.starts_with(said), "{error}");
        }
    }

    #[test]
    fn only_an_address_can_be_listened_on() {
        let listen = |text: &str| MemberUrl::parse(text).expect("a URL").listen_address();
        assert_eq!(listen("http://localhost:1").expect("an address").to_string(), "127.0.0.1:1");
        assert_eq!(listen("http://0.0.0.0:1").expect("an address").to_string(), "0.0.0.0:1");
        let error = listen("http://example.com:1").expect_err("a name").to_string();
        assert_eq!(error, "expected IP in URL for binding (http://example.com:1)");
    }
}
