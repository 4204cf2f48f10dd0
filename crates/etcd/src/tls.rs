//! TLS on the client port, from files (etcd-v3 13.4).
//!
//! The files are looked at for every new connection and read again when one has changed; while they cannot be used, the
//! last good ones serve. Where an authority is named, a client must show a certificate that it signed.
//!
//! Whoever speaks something else is told so in its own language: an HTTP/1 client by a status, an HTTP/2 client by a
//! GOAWAY frame with a text, a client with the wrong certificate by an alert. So that the answer arrives, the connection
//! is read to its end before it is closed: closing it with bytes unread would throw away what is under way.

use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What a TLS connection begins with: a record that holds a handshake (RFC 8446 5.1).
pub(crate) const HANDSHAKE: u8 = 22;
/// Who was refused is heard to the end so long,
const LINGER: Duration = Duration::from_secs(1);
/// and so many bytes.
const LINGER_BYTES_MAX: u64 = 256 << 10;
/// To who speaks HTTP/1, in the words of the server that clients know.
const HTTP1_REFUSAL: &[u8] = b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Connection: close\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
/// To who speaks HTTP/2.
const HTTP2_REFUSAL: &str = "this port speaks TLS: use https:// and the authority's certificate";

/// Where the certificate of the client port is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsPaths {
    /// `--cert-file`: the server's certificate, and those between it and the authority, PEM.
    pub certificate: PathBuf,
    /// `--key-file`: its private key, PEM.
    pub key: PathBuf,
    /// `--trusted-ca-file`: who signs the certificates of clients, PEM; without it clients need none.
    pub client_authority: Option<PathBuf>,
}

/// A file for TLS cannot be used. Nothing was served with it.
#[derive(Debug)]
pub struct TlsError {
    path: PathBuf,
    reason: String,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for TlsError {}

impl TlsError {
    fn new(path: &Path, reason: impl fmt::Display) -> TlsError {
        TlsError { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// The files, and what was last made of them.
pub struct ServerTls {
    paths: TlsPaths,
    current: Mutex<Current>,
}

struct Current {
    stamp: Stamp,
    config: Arc<ServerConfig>,
}

/// Lengths and times of change of the files.
type Stamp = [Option<(u64, SystemTime)>; 3];

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServerTls").field(&self.paths).finish()
    }
}

impl ServerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// Says which file cannot be used, and why.
    pub fn load(paths: TlsPaths) -> Result<ServerTls, TlsError> {
        let current = Mutex::new(read(&paths)?);
        Ok(ServerTls { paths, current })
    }

    /// The handshake with a client, or why it failed; then the client was told.
    pub(crate) async fn accept(&self, mut stream: TcpStream) -> Result<TlsStream<TcpStream>, String> {
        let mut first = [0];
        match stream.peek(&mut first).await {
            Ok(1) if first[0] != HANDSHAKE => {
                refuse_plain(&mut stream, first[0] == b'P').await;
                return Err("it does not speak TLS".to_owned());
            }
            Ok(1) => {}
            Ok(_) => return Err("it closed the connection".to_owned()),
            Err(error) => return Err(error.to_string()),
        }
        let config = self.config();
        match TlsAcceptor::from(config).accept(stream).into_fallible().await {
            Ok(stream) => Ok(stream),
            Err((error, mut stream)) => {
                linger(&mut stream).await;
                Err(error.to_string())
            }
        }
    }

    fn config(&self) -> Arc<ServerConfig> {
        let mut current = self.current.lock().expect("no panic holds this lock");
        let stamp = stamp(&self.paths);
        if stamp != current.stamp {
            match read(&self.paths) {
                Ok(fresh) => {
                    tracing::info!(certificate = %self.paths.certificate.display(), "the files for TLS were read again");
                    *current = fresh;
                }
                Err(error) => {
                    tracing::warn!("{error}; the certificate read before stays in use");
                    // Said once a change, not once a connection.
                    current.stamp = stamp;
                }
            }
        }
        Arc::clone(&current.config)
    }
}

/// A method of HTTP/1 that begins with the same letter as HTTP/2's preface gets HTTP/2's answer only when it is that.
async fn refuse_plain(stream: &mut TcpStream, may_be_http2: bool) {
    const PREFACE_BEGINS: &[u8] = b"PRI * HTTP/2.0";
    let mut head = [0; PREFACE_BEGINS.len()];
    let read = async { if may_be_http2 { stream.read_exact(&mut head).await.map(drop) } else { Ok(()) } };
    let is_read = matches!(tokio::time::timeout(LINGER, read).await, Ok(Ok(())));
    let is_http2 = may_be_http2 && is_read && head == *PREFACE_BEGINS;
    let answer = if is_http2 { http2_refusal() } else { HTTP1_REFUSAL.to_vec() };
    // Whoever has gone needs no answer.
    if stream.write_all(&answer).await.is_ok() {
        linger(stream).await;
    }
}

/// Empty settings, then GOAWAY with a text (RFC 9113 6.5, 6.8).
fn http2_refusal() -> Vec<u8> {
    const SETTINGS: u8 = 4;
    const GOAWAY: u8 = 7;
    const INADEQUATE_SECURITY: u32 = 12;
    let mut frames = Vec::new();
    let head = |frames: &mut Vec<u8>, length: usize, kind: u8| {
        frames.extend_from_slice(&(length as u32).to_be_bytes()[1..]);
        frames.extend_from_slice(&[kind, 0, 0, 0, 0, 0]);
    };
    head(&mut frames, 0, SETTINGS);
    head(&mut frames, 8 + HTTP2_REFUSAL.len(), GOAWAY);
    frames.extend_from_slice(&0u32.to_be_bytes());
    frames.extend_from_slice(&INADEQUATE_SECURITY.to_be_bytes());
    frames.extend_from_slice(HTTP2_REFUSAL.as_bytes());
    frames
}

/// Ends our half, and reads until the other end has seen it.
async fn linger(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let to_the_end = async {
        if stream.shutdown().await.is_ok() {
            let _ = tokio::io::copy(&mut stream.take(LINGER_BYTES_MAX), &mut tokio::io::sink()).await;
        }
    };
    let _ = tokio::time::timeout(LINGER, to_the_end).await;
}

/// The one place that names the cryptography.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn stamp(paths: &TlsPaths) -> Stamp {
    let look = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.len(), metadata.modified().ok()?))
    };
    [look(&paths.certificate), look(&paths.key), paths.client_authority.as_deref().and_then(look)]
}

fn read(paths: &TlsPaths) -> Result<Current, TlsError> {
    // Taken before reading: a change in between is seen at the next connection.
    let stamp = stamp(paths);
    let unusable = |error: rustls::Error| TlsError::new(&paths.certificate, error);
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(unusable)?;
    let builder = match &paths.client_authority {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = Arc::new(authorities(path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| TlsError::new(path, error))?)
        }
    };
    let chain = certificates(&paths.certificate)?;
    let mut config = builder.with_single_cert(chain, private_key(&paths.key)?).map_err(unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Current { stamp, config: Arc::new(config) })
}

/// The authorities of a PEM file.
///
/// # Errors
/// When the file cannot be read, or holds none.
pub fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| TlsError::new(path, error))?;
    }
    Ok(roots)
}

/// The certificates of a PEM file, in their order.
///
/// # Errors
/// When the file cannot be read, or holds none.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = std::fs::read(path).map_err(|error| TlsError::new(path, error))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|error| TlsError::new(path, error))?;
    if found.is_empty() { Err(TlsError::new(path, "it holds no PEM section CERTIFICATE")) } else { Ok(found) }
}

/// The private key of a PEM file.
///
/// # Errors
/// When the file cannot be read, or holds none.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let bytes = std::fs::read(path).map_err(|error| TlsError::new(path, error))?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| TlsError::new(path, format!("no private key: {error}")))
}
