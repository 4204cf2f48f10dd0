//! TLS to members: `--cacert`, `--cert` and `--key`, named as `etcdctl` names them.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, InvalidMessage};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use volvox_certificates::{Authorities, Identity};

use super::HEADING;

/// The files of a client's TLS. Their clap ids differ from their names, because some commands have a `key` argument.
#[derive(Args, Clone, Debug, Default)]
pub struct TlsOptions {
    /// Certificates of the authority that signed those of the members, PEM; enables TLS
    #[arg(id = "tls_cacert", long = "cacert", global = true, help_heading = HEADING, value_name = "FILE", env = "VOLVOX_CACERT")]
    cacert: Option<PathBuf>,
    /// The client's certificate, PEM, for members that require one
    #[arg(id = "tls_cert", long = "cert", global = true, help_heading = HEADING, value_name = "FILE", env = "VOLVOX_CERT")]
    cert: Option<PathBuf>,
    /// The client's private key, PEM
    #[arg(id = "tls_key", long = "key", global = true, help_heading = HEADING, value_name = "FILE", env = "VOLVOX_KEY")]
    key: Option<PathBuf>,
}

impl TlsOptions {
    /// Builds the TLS configuration from the files; `None` without `--cacert`.
    ///
    /// # Errors
    /// When a file cannot be used, or a file that another one needs is missing.
    pub fn load(&self) -> Result<Option<Tls>> {
        let Some(authority) = &self.cacert else {
            if self.cert.is_some() || self.key.is_some() {
                bail!("--cert and --key go with --cacert, the authority that signed the members' certificates");
            }
            return Ok(None);
        };
        let servers = Authorities::read(authority).context("--cacert")?.of_servers();
        let identity = match (&self.cert, &self.key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some(Identity::read(certificate, key).context("--cert and --key")?),
            _ => bail!("--cert and --key go together"),
        };
        let mut config = volvox_certificates::client(servers, identity.as_ref());
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Some(Tls(Arc::new(config))))
    }
}

/// The TLS configuration for members.
#[derive(Clone)]
pub struct Tls(Arc<ClientConfig>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Tls) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Tls {}

impl Tls {
    /// Connects to `host:port` and shakes hands.
    ///
    /// # Errors
    /// Says which side refused the other, and what to do.
    pub async fn connect(&self, authority: &str) -> io::Result<TlsStream<TcpStream>> {
        let socket = TcpStream::connect(authority).await?;
        socket.set_nodelay(true)?;
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        TlsConnector::from(Arc::clone(&self.0)).connect(name, socket).await.map_err(explain)
    }
}

/// The error in words that say what to do.
fn explain(error: io::Error) -> io::Error {
    let Some(cause) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return error;
    };
    let said = match cause {
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "it does not speak TLS: use http://, without --cacert"
        }
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "its certificate was not signed by the authority in --cacert"
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "its certificate is for another host",
        _ => return error,
    };
    io::Error::other(format!("{said} ({cause})"))
}

/// A member's refusal of us, in words that say what to do: with TLS 1.3 it looks at our certificate after the handshake,
/// and the answer to a request is the text of its alert.
pub fn in_words(text: String) -> String {
    let Some((_, alert)) = text.split_once("received fatal alert: ") else {
        return text;
    };
    match alert {
        "CertificateRequired" => format!("it requires a client certificate: --cert and --key ({text})"),
        "UnknownCA" | "BadCertificate" | "DecryptError" | "CertificateExpired" => {
            format!("it does not trust the certificate in --cert ({text})")
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_says_what_to_do() {
        let said = |alert: &str| in_words(format!("connection error: received fatal alert: {alert}"));
        assert!(said("CertificateRequired").starts_with("it requires a client certificate: --cert and --key"));
        assert!(said("UnknownCA").starts_with("it does not trust the certificate in --cert"));
        assert_eq!(in_words("connection refused".to_owned()), "connection refused");
    }

    #[test]
    fn files_go_together() {
        let some = || Some(PathBuf::from("nowhere.pem"));
        assert!(TlsOptions::default().load().is_ok_and(|tls| tls.is_none()));
        let alone = TlsOptions { cert: some(), ..TlsOptions::default() }.load().unwrap_err();
        assert!(format!("{alone:#}").contains("--cacert"));
        let missing = TlsOptions { cacert: some(), ..TlsOptions::default() }.load().unwrap_err();
        assert!(format!("{missing:#}").contains("--cacert: nowhere.pem: "), "{missing:#}");
    }
}
