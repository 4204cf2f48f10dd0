//! The identity that one end presents and the authorities that it trusts, in the form that rustls needs.

use crate::error::CertificatesError;
use crate::pem::{certificates, private_key};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, DigitallySignedStruct, InconsistentKeys, RootCertStore, ServerConfig, SignatureScheme};
use std::path::Path;
use std::sync::Arc;

/// The one place that names the cryptography, for TLS and for randomness.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// A certificate with its intermediate certificates, and its private key: the identity that an end presents.
#[derive(Clone)]
pub struct Identity(Arc<SingleCertAndKey>);

impl Identity {
    /// Reads the two files. The certificate of this end comes first in its file.
    ///
    /// # Errors
    /// When one of the files cannot be used, or the key was made for another certificate.
    pub fn read(certificate: &Path, key: &Path) -> Result<Identity, CertificatesError> {
        let chain = certificates(certificate)?;
        let private = provider().key_provider.load_private_key(private_key(key)?);
        let private =
            private.map_err(|error| CertificatesError::Key { path: key.to_owned(), reason: error.to_string() })?;
        let pair = CertifiedKey::new(chain, private);
        match pair.keys_match() {
            // If the provider cannot derive the public key of a private one, the handshake checks it.
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
                Ok(Identity(Arc::new(SingleCertAndKey::from(pair))))
            }
            Err(rustls::Error::InconsistentKeys(_)) => {
                Err(CertificatesError::Unpaired { certificate: certificate.to_owned(), key: key.to_owned() })
            }
            Err(error) => {
                Err(CertificatesError::Certificate { path: certificate.to_owned(), reason: error.to_string() })
            }
        }
    }
}

/// The trusted authorities, whose signature makes the certificate of the other end valid; at least one.
#[derive(Clone, Debug)]
pub struct Authorities(Arc<RootCertStore>);

impl Authorities {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn read(path: &Path) -> Result<Authorities, CertificatesError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(path)? {
            roots
                .add(certificate)
                .map_err(|error| CertificatesError::Certificate { path: path.to_owned(), reason: error.to_string() })?;
        }
        Ok(Authorities(Arc::new(roots)))
    }

    /// Verifies the certificate of a server as usual: signed by one of these, and for the host that was dialled.
    pub fn of_servers(&self) -> Arc<WebPkiServerVerifier> {
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::clone(&self.0), provider()).build();
        verifier.expect("there is an authority, and no revocation list that could be wrong")
    }
}

/// The server that presents `identity`. If authorities for clients are named, no other client is admitted.
pub fn server(identity: &Identity, clients: Option<&Authorities>) -> ServerConfig {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider speaks the versions that are the default");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(Authorities(roots)) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider()).build();
            builder.with_client_cert_verifier(
                verifier.expect("there is an authority, and no revocation list that could be wrong"),
            )
        }
    };
    builder.with_cert_resolver(Arc::<SingleCertAndKey>::clone(&identity.0))
}

/// The client that trusts `servers`, most often [`Authorities::of_servers`], and presents `identity` on request.
pub fn client(servers: Arc<dyn ServerCertVerifier>, identity: Option<&Identity>) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider speaks the versions that are the default")
        .dangerous()
        .with_custom_certificate_verifier(servers);
    match identity {
        None => builder.with_no_client_auth(),
        Some(Identity(pair)) => builder.with_client_cert_resolver(Arc::<SingleCertAndKey>::clone(pair)),
    }
}

/// Accepts the certificate of every server: for certificates that servers issue to themselves, which protect from
/// eavesdroppers only. That the server has the key of its certificate is still verified.
pub fn any_server() -> Arc<dyn ServerCertVerifier> {
    Arc::new(AnyServer(provider()))
}

#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
