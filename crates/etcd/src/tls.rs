//! TLS on the client port, from files (book/src/etcd.md#13.4).
//!
//! The files are checked for every new connection (see [`Files`]). If an authority is named, a client must present a
//! certificate signed by it.
//!
//! A client that uses another protocol is refused in that protocol: an HTTP/1 client by a status, an HTTP/2 client by a
//! GOAWAY frame with a text, a client with the wrong certificate by an alert. So that the answer arrives, the
//! connection is read to its end before it is closed: closing it with unread bytes would discard the answer in flight.

use rustls::ServerConfig;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use volvox_certificates::{Authorities, CertificatesError, Files, Identity};

/// The first byte of a TLS connection: a record that contains a handshake (RFC 8446 5.1).
pub(crate) const HANDSHAKE: u8 = 22;
/// How long the rest of what a refused client sent is read,
const LINGER: Duration = Duration::from_secs(1);
/// and how much of it.
const LINGER_BYTES_MAX: u64 = 256 << 10;
/// For a client that speaks HTTP/1, in the words of the server that clients know.
const HTTP1_REFUSAL: &[u8] = b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Connection: close\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
/// For a client that speaks HTTP/2.
const HTTP2_REFUSAL: &str = "this port speaks TLS: use https:// and the authority's certificate";

/// The files of the client port's TLS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsPaths {
    /// `--cert-file`: the server's certificate, and those between it and the authority, PEM.
    pub certificate: PathBuf,
    /// `--key-file`: its private key, PEM.
    pub key: PathBuf,
    /// `--trusted-ca-file`: the authority that signs the certificates of clients, PEM; without it clients need none.
    pub client_authority: Option<PathBuf>,
}

/// The files, and the configuration last loaded from them.
#[derive(Debug)]
pub struct ServerTls(Files<ServerConfig>);

impl ServerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// Says which file cannot be used, and what to do.
    pub fn load(paths: TlsPaths) -> Result<ServerTls, CertificatesError> {
        let mut named = vec![paths.certificate.clone(), paths.key.clone()];
        named.extend(paths.client_authority.clone());
        Ok(ServerTls(Files::load(named, move || read(&paths))?))
    }

    /// Performs the handshake with a client, or returns why it failed; then the client was informed.
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
        match TlsAcceptor::from(self.0.latest()).accept(stream).into_fallible().await {
            Ok(stream) => Ok(stream),
            Err((error, mut stream)) => {
                linger(&mut stream).await;
                Err(error.to_string())
            }
        }
    }
}

fn read(paths: &TlsPaths) -> Result<ServerConfig, CertificatesError> {
    let clients = paths.client_authority.as_deref().map(Authorities::read).transpose()?;
    let identity = Identity::read(&paths.certificate, &paths.key)?;
    let mut config = volvox_certificates::server(&identity, clients.as_ref());
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// A method of HTTP/1 that begins with the same letter as HTTP/2's preface gets HTTP/2's answer only when it is that.
async fn refuse_plain(stream: &mut TcpStream, may_be_http2: bool) {
    const PREFACE_BEGINS: &[u8] = b"PRI * HTTP/2.0";
    let mut head = [0; PREFACE_BEGINS.len()];
    let read = async { if may_be_http2 { stream.read_exact(&mut head).await.map(drop) } else { Ok(()) } };
    let is_read = matches!(tokio::time::timeout(LINGER, read).await, Ok(Ok(())));
    let is_http2 = may_be_http2 && is_read && head == *PREFACE_BEGINS;
    let answer = if is_http2 { http2_refusal() } else { HTTP1_REFUSAL.to_vec() };
    // A client that has gone needs no answer.
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
