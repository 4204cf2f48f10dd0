//! HTTP on the peer port: a program that knows a peer's address and nothing else asks who belongs to the cluster.
//!
//! A connection that begins with `GET ` in place of the preamble gets one response and is closed. The request is hostile
//! until checked: its head has a size limit, the deadline is that of the handshake, a body is not read, and only a
//! connection that TLS admitted, where there is TLS, comes this far.

use crate::error::LinkError;
use crate::frame::FrameBuffer;
use crate::options::PeerTls;
use crate::stream::Stream;
use crate::tls::TlsFiles;
use std::fmt::Write;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use volvox_core::Duration;

/// The first bytes of a request; four bytes of the preamble never equal them.
const GET: &[u8; 4] = b"GET ";
/// The longest head of a request.
const HEAD_BYTES_MAX: usize = 4096;
/// The longest response that [`get`] reads: a list of many members.
const RESPONSE_BYTES_MAX: u64 = 1 << 20;

/// A JSON document, with header fields of its own.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Document {
    /// Names and values of further header fields, each without line breaks.
    pub fields: Vec<(String, String)>,
    /// The document.
    pub body: String,
}

impl Document {
    /// The value of a header field; names differ in nothing but case.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Maps the path of a request to its document; `None` is "not found".
pub(crate) type Answers = Box<dyn Fn(&str) -> Option<Document> + Send + Sync>;

/// Whether the connection begins with a request. Its bytes stay in the buffer.
pub(crate) async fn is_request(stream: &mut Stream, buffer: &mut FrameBuffer) -> Result<bool, LinkError> {
    while buffer.peek().len() < GET.len() {
        if !GET.starts_with(buffer.peek()) {
            return Ok(false);
        }
        if buffer.read_from(stream).await? == 0 {
            return Err(LinkError::Closed);
        }
    }
    Ok(buffer.peek().starts_with(GET))
}

/// Reads the head of a request, and writes the response.
pub(crate) async fn serve(stream: &mut Stream, buffer: &mut FrameBuffer, answers: &Answers) -> Result<(), LinkError> {
    while !buffer.peek().windows(4).any(|end| end == b"\r\n\r\n") {
        if buffer.peek().len() >= HEAD_BYTES_MAX {
            return Err(LinkError::NotVolvox);
        }
        if buffer.read_from(stream).await? == 0 {
            return Err(LinkError::Closed);
        }
    }
    let path = path_of(buffer.peek()).ok_or(LinkError::NotVolvox)?;
    let response = match answers(path) {
        Some(document) => response("200 OK", "application/json", &document.fields, &document.body),
        None => response("404 Not Found", "text/plain; charset=utf-8", &[], "404 page not found\n"),
    };
    stream.write_all(response.as_bytes()).await?;
    // Ends TLS in order, so that the client knows the response is whole.
    stream.shutdown().await?;
    Ok(())
}

/// The path of `GET PATH HTTP/1.x`, without its query.
fn path_of(head: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(head.split(|byte| *byte == b'\r').next()?).ok()?;
    let (target, version) = line.strip_prefix("GET ")?.split_once(' ')?;
    let path = target.split('?').next()?;
    (version.starts_with("HTTP/1.") && path.starts_with('/')).then_some(path)
}

fn response(status: &str, content_type: &str, fields: &[(String, String)], body: &str) -> String {
    let mut text = format!("HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n");
    for (name, value) in fields {
        write!(text, "{name}: {value}\r\n").expect("a String grows as far as it must");
    }
    write!(text, "Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
        .expect("a String grows as far as it must");
    text
}

/// Why [`get`] has no document.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct GetError(String);

/// Asks the peer port at `address` (`host:port`) for a document, within `limit`.
///
/// # Errors
/// When the port does not answer in time, or answers something else; nothing changed.
pub async fn get(address: &str, tls: Option<&PeerTls>, path: &str, limit: Duration) -> Result<Document, GetError> {
    let answer = timeout(limit, ask(address, tls, path)).await;
    answer.unwrap_or(Err(LinkError::TimedOut(limit))).map_err(|error| GetError(error.to_string()))
}

async fn ask(address: &str, tls: Option<&PeerTls>, path: &str) -> Result<Document, LinkError> {
    let tls = tls.cloned().map(TlsFiles::load).transpose().map_err(|error| LinkError::Tls(error.to_string()))?;
    let failed = |source| LinkError::Connect { address: address.to_owned(), source };
    let socket = TcpStream::connect(address).await.map_err(failed)?;
    let mut stream = match &tls {
        None => Stream::Plain(socket),
        Some(tls) => tls.connect(socket, address, None).await?,
    };
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut bytes = Vec::new();
    stream.take(RESPONSE_BYTES_MAX).read_to_end(&mut bytes).await?;
    document_of(&bytes).ok_or(LinkError::NotVolvox)
}

fn document_of(response: &[u8]) -> Option<Document> {
    let (head, body) = std::str::from_utf8(response).ok()?.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    if !words.next()?.starts_with("HTTP/1.") || words.next()? != "200" {
        return None;
    }
    let fields = lines.filter_map(|line| line.split_once(':'));
    let fields = fields.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    let document = Document { fields: fields.collect(), body: body.to_owned() };
    // A response that was cut off is none.
    let length: usize = document.field("Content-Length")?.parse().ok()?;
    (length == body.len()).then_some(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_read_back_unless_it_was_cut_or_is_an_error() {
        let fields = vec![("X-Cluster".to_owned(), "7".to_owned())];
        let text = response("200 OK", "application/json", &fields, "[1]");
        let document = document_of(text.as_bytes()).expect("whole");
        assert_eq!((document.body.as_str(), document.field("x-cluster")), ("[1]", Some("7")));
        for cut in 0..text.len() {
            assert_eq!(document_of(&text.as_bytes()[..cut]), None, "cut at {cut}");
        }
        assert_eq!(document_of(response("404 Not Found", "text/plain", &[], "").as_bytes()), None);
    }

    #[test]
    fn a_request_names_a_path() {
        assert_eq!(path_of(b"GET /members?x=1 HTTP/1.1\r\nHost: a\r\n\r\n"), Some("/members"));
        for bad in ["GET /members\r\n\r\n", "GET members HTTP/1.1\r\n\r\n", "GET /m HTTP/2\r\n\r\n", "GET \r\n\r\n"] {
            assert_eq!(path_of(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(path_of(b"GET /\xff HTTP/1.1\r\n\r\n"), None);
    }
}
