//! Mutual TLS between nodes, from files.
//!
//! Both ends show a certificate that the authority signed. The dialling node also checks the name: the certificate
//! must be valid for the host that was dialled, or name the node (see [`crate::names`]). The files are looked at for
//! every new connection and read again when one has changed; while they cannot be used, the last good ones serve.

use crate::error::{LinkError, TlsError};
use crate::names::{allows, certificate_name};
use crate::options::PeerTls;
use crate::stream::Stream;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use volvox_core::NodeId;

/// The files, and what was last made of them.
pub(crate) struct TlsFiles {
    files: PeerTls,
    current: Mutex<Current>,
}

struct Current {
    stamp: Stamp,
    server: Arc<ServerConfig>,
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// Lengths and times of change of the files.
type Stamp = [Option<(u64, SystemTime)>; 3];

impl TlsFiles {
    pub(crate) fn load(files: PeerTls) -> Result<TlsFiles, TlsError> {
        let current = Mutex::new(read(&files)?);
        Ok(TlsFiles { files, current })
    }

    pub(crate) async fn accept(&self, socket: TcpStream) -> Result<Stream, LinkError> {
        let server = {
            let mut current = self.current.lock().expect("no panic holds this lock");
            self.refresh(&mut current);
            Arc::clone(&current.server)
        };
        let stream =
            TlsAcceptor::from(server).accept(socket).await.map_err(|error| LinkError::Tls(error.to_string()))?;
        Ok(Stream::Tls(Box::new(stream.into())))
    }

    pub(crate) async fn connect(&self, socket: TcpStream, address: &str, peer: NodeId) -> Result<Stream, LinkError> {
        let client = self.client(peer)?;
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned())
            .or_else(|_| ServerName::try_from(certificate_name(peer)))
            .map_err(|error| LinkError::Tls(error.to_string()))?;
        let stream = TlsConnector::from(client)
            .connect(name, socket)
            .await
            .map_err(|error| LinkError::Tls(error.to_string()))?;
        Ok(Stream::Tls(Box::new(stream.into())))
    }

    fn client(&self, peer: NodeId) -> Result<Arc<ClientConfig>, LinkError> {
        let mut current = self.current.lock().expect("no panic holds this lock");
        self.refresh(&mut current);
        let failed = |error: &dyn std::fmt::Display| LinkError::Tls(error.to_string());
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::clone(&current.roots), provider())
            .build()
            .map_err(|error| failed(&error))?;
        let node_name = ServerName::try_from(certificate_name(peer)).map_err(|error| failed(&error))?;
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(HostOrNode { inner, node_name }))
            .with_client_auth_cert(current.chain.clone(), current.key.clone_key())
            .map_err(|error| failed(&error))?;
        Ok(Arc::new(config))
    }

    fn refresh(&self, current: &mut Current) {
        let stamp = stamp(&self.files);
        if stamp == current.stamp {
            return;
        }
        match read(&self.files) {
            Ok(fresh) => {
                tracing::info!(certificate = %self.files.certificate.display(), "the files for TLS were read again");
                *current = fresh;
            }
            Err(error) => {
                tracing::warn!("{error}; the certificate read before stays in use");
                // Say so once a change, not once a connection.
                current.stamp = stamp;
            }
        }
    }
}

/// The one place that names the cryptography.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn stamp(files: &PeerTls) -> Stamp {
    let look = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.len(), metadata.modified().ok()?))
    };
    [look(&files.ca), look(&files.certificate), look(&files.key)]
}

fn read(files: &PeerTls) -> Result<Current, TlsError> {
    // Taken before reading: a change in between is seen at the next connection.
    let stamp = stamp(files);
    let unusable = |error: &dyn std::fmt::Display| TlsError::Unusable {
        path: files.certificate.clone(),
        reason: error.to_string(),
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&files.ca)? {
        roots.add(certificate).map_err(|error| TlsError::Pem {
            path: files.ca.clone(),
            wanted: "certificate of an authority",
            reason: error.to_string(),
        })?;
    }
    let roots = Arc::new(roots);
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&read_file(&files.key)?).map_err(|error| TlsError::Pem {
        path: files.key.clone(),
        wanted: "private key",
        reason: error.to_string(),
    })?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), provider())
        .build()
        .map_err(|error| unusable(&error))?;
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain.clone(), key.clone_key())
        .map_err(|error| unusable(&error))?;
    Ok(Current { stamp, server: Arc::new(server), roots, chain, key })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |reason: String| TlsError::Pem { path: path.to_owned(), wanted: "certificate", reason };
    let bytes = read_file(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|error| failed(error.to_string()))?;
    if found.is_empty() { Err(failed(String::from("no PEM section CERTIFICATE"))) } else { Ok(found) }
}

fn read_file(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

impl Stream {
    /// Whether the certificate of the other end lets it be `id`; always so without TLS.
    pub(crate) fn certificate_allows(&self, id: NodeId) -> bool {
        match self {
            Stream::Plain(_) => true,
            Stream::Tls(stream) => {
                let certificates = stream.get_ref().1.peer_certificates();
                certificates.and_then(|chain| chain.first()).is_some_and(|certificate| allows(certificate, id))
            }
        }
    }
}

/// Verifies as usual, but takes the node's own name in place of the host's.
#[derive(Debug)]
struct HostOrNode {
    inner: Arc<WebPkiServerVerifier>,
    node_name: ServerName<'static>,
}

impl ServerCertVerifier for HostOrNode {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let names_node = ParsedCertificate::try_from(end_entity)
            .is_ok_and(|parsed| verify_server_name(&parsed, &self.node_name).is_ok());
        let name = if names_node { &self.node_name } else { server_name };
        match self.inner.verify_server_cert(end_entity, intermediates, name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Err(rustls::Error::General(format!(
                "the certificate names neither the host dialled nor {:?}",
                self.node_name
            ))),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
