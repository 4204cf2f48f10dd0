//! Mutual TLS between nodes, from files.
//!
//! Both ends show a certificate that the authority signed; without an authority, no certificate is verified. The dialling node also checks the name: the certificate
//! must be valid for the host that was dialled, or name the node (see [`crate::names`]). The files are checked for
//! every new connection (see [`volvox_certificates::Files`]).

use crate::error::LinkError;
use crate::names::{allows, certificate_name};
use crate::options::PeerTls;
use crate::stream::Stream;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use volvox_certificates::{Authorities, CertificatesError, Files, Identity};
use volvox_core::NodeId;

/// The files, and the configurations last made from them.
pub(crate) struct TlsFiles(Files<BothEnds>);

/// The configurations of this node for accepting and for dialling.
struct BothEnds {
    server: Arc<ServerConfig>,
    /// `None` without an authority.
    servers: Option<Arc<WebPkiServerVerifier>>,
    identity: Identity,
}

impl TlsFiles {
    pub(crate) fn load(files: PeerTls) -> Result<TlsFiles, CertificatesError> {
        let mut paths = vec![files.certificate.clone(), files.key.clone()];
        paths.extend(files.ca.clone());
        Ok(TlsFiles(Files::load(paths, move || read(&files))?))
    }

    pub(crate) async fn accept(&self, socket: TcpStream) -> Result<Stream, LinkError> {
        let server = Arc::clone(&self.0.latest().server);
        let stream =
            TlsAcceptor::from(server).accept(socket).await.map_err(|error| LinkError::Tls(error.to_string()))?;
        Ok(Stream::Tls(Box::new(stream.into())))
    }

    /// Whether an authority vouches for the other ends.
    pub(crate) fn verifies(&self) -> bool {
        self.0.latest().servers.is_some()
    }

    /// Performs the handshake as a client; `peer` is `None` while the node behind the address is not known.
    pub(crate) async fn connect(
        &self,
        socket: TcpStream,
        address: &str,
        peer: Option<NodeId>,
    ) -> Result<Stream, LinkError> {
        let client = self.client(peer)?;
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned())
            .or_else(|error| peer.map_or(Err(error), |peer| ServerName::try_from(certificate_name(peer))))
            .map_err(|error| LinkError::Tls(error.to_string()))?;
        let stream = TlsConnector::from(client)
            .connect(name, socket)
            .await
            .map_err(|error| LinkError::Tls(error.to_string()))?;
        Ok(Stream::Tls(Box::new(stream.into())))
    }

    fn client(&self, peer: Option<NodeId>) -> Result<Arc<ClientConfig>, LinkError> {
        let ends = self.0.latest();
        let verifier: Arc<dyn ServerCertVerifier> = match (&ends.servers, peer) {
            (None, _) => volvox_certificates::any_server(),
            (Some(servers), None) => Arc::<WebPkiServerVerifier>::clone(servers),
            (Some(servers), Some(peer)) => {
                let node_name =
                    ServerName::try_from(certificate_name(peer)).map_err(|error| LinkError::Tls(error.to_string()))?;
                Arc::new(HostOrNode { inner: Arc::clone(servers), node_name })
            }
        };
        Ok(Arc::new(volvox_certificates::client(verifier, Some(&ends.identity))))
    }
}

fn read(files: &PeerTls) -> Result<BothEnds, CertificatesError> {
    let authorities = files.ca.as_deref().map(Authorities::read).transpose()?;
    let identity = Identity::read(&files.certificate, &files.key)?;
    let server = Arc::new(volvox_certificates::server(&identity, authorities.as_ref()));
    Ok(BothEnds { server, servers: authorities.as_ref().map(Authorities::of_servers), identity })
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
