//! The client of a node's admin port.

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request};
use serde_json::Value;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(5);

/// Fetches the status of a node.
///
/// # Errors
/// When the node does not answer.
pub async fn status(port: u16) -> Result<Value> {
    ask(port, Method::GET, "/status", String::new()).await
}

/// Replaces a node's active faults.
///
/// # Errors
/// When the node does not answer, or refuses.
pub async fn set_faults(port: u16, faults: &[String]) -> Result<()> {
    ask(port, Method::PUT, "/faults", serde_json::to_string(faults)?).await.map(drop)
}

async fn ask(port: u16, method: Method, path: &str, body: String) -> Result<Value> {
    let what = format!("{method} http://127.0.0.1:{port}{path}");
    let exchange = async {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", format!("127.0.0.1:{port}"))
            .body(Full::new(Bytes::from(body)))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        let document: Value = serde_json::from_slice(&body)?;
        if !status.is_success() {
            bail!("{}", document["error"].as_str().unwrap_or("refused"));
        }
        Ok(document)
    };
    tokio::time::timeout(LIMIT, exchange)
        .await
        .with_context(|| format!("{what}: no answer in {LIMIT:?}"))?
        .context(what)
}
