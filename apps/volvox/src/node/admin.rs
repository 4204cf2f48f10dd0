//! The admin port: a small HTTP service on loopback.
//!
//! | request | answer |
//! |---|---|
//! | `GET /status` | the progress of the node, and its links, as JSON |
//! | `GET /faults` | the active faults, as a JSON list of texts |
//! | `PUT /faults` | replaces them; only with `--development` |

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::time::Duration;
use tokio::net::TcpListener;
use volvox_net::NodeHandle;
use volvox_replica::Replica;

/// The size limit of a request: a list of faults is short.
const BODY_BYTES_MAX: usize = 64 << 10;
const REQUEST_LIMIT: Duration = Duration::from_secs(5);
const CONNECTIONS_MAX: usize = 64;

/// Serves the admin port until the program ends.
pub async fn serve(listener: TcpListener, node: NodeHandle<Replica>) {
    let permits = std::sync::Arc::new(tokio::sync::Semaphore::new(CONNECTIONS_MAX));
    loop {
        let permit = std::sync::Arc::clone(&permits).acquire_owned().await.expect("the semaphore is never closed");
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let node = node.clone();
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request| answer(node.clone(), request));
            let connection = hyper::server::conn::http1::Builder::new()
                .keep_alive(false)
                .serve_connection(hyper_util::rt::TokioIo::new(stream), service);
            // A client that is slow or speaks another protocol gets no answer.
            let _ = tokio::time::timeout(REQUEST_LIMIT, connection).await;
            drop(permit);
        });
    }
}

async fn answer(node: NodeHandle<Replica>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/status") => (StatusCode::OK, status_document(&node)),
        (&Method::GET, "/faults") => (StatusCode::OK, faults_document(&node)),
        (&Method::PUT, "/faults") => match set_faults(&node, request).await {
            Ok(()) => (StatusCode::OK, faults_document(&node)),
            Err(error) => (StatusCode::BAD_REQUEST, json!({ "error": error })),
        },
        _ => (StatusCode::NOT_FOUND, json!({ "error": "not found: there are /status and /faults" })),
    };
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    Ok(response)
}

fn faults_document(node: &NodeHandle<Replica>) -> Value {
    node.faults().iter().map(ToString::to_string).collect::<Vec<_>>().into()
}

async fn set_faults(node: &NodeHandle<Replica>, request: Request<Incoming>) -> Result<(), String> {
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await.map_err(|error| error.to_string())?;
    let texts: Vec<String> =
        serde_json::from_slice(&body.to_bytes()).map_err(|error| format!("expected a list of texts: {error}"))?;
    let faults = texts.iter().map(|text| text.parse().map_err(|error| format!("{text:?}: {error}")));
    let faults = faults.collect::<Result<Vec<_>, String>>()?;
    node.set_faults(&faults).map_err(|error| error.to_string())
}

fn status_document(node: &NodeHandle<Replica>) -> Value {
    let view = node.view();
    let status = &view.status;
    let counters = node.counters();
    let peers: Vec<Value> = node
        .peers()
        .into_iter()
        .map(|peer| {
            json!({
                "id": peer.id.0, "address": peer.address, "connected": peer.connected, "hears": peer.hears,
                "queued_bytes": peer.queued_bytes, "dropped": peer.dropped, "last_error": peer.last_error,
            })
        })
        .collect();
    json!({
        "id": status.id.0, "cluster": status.cluster, "incarnation": status.incarnation.0, "term": status.term,
        "role": format!("{:?}", status.role).to_lowercase(), "leader": status.leader.map(|leader| leader.0),
        "is_learner": status.is_learner, "votes": status.votes, "commit_index": status.commit_index, "applied_index": status.applied_index,
        "revision": view.store.revision(), "compacted": view.store.compacted(),
        "watchers": status.watchers, "watchers_behind": status.watchers_behind,
        "batches": counters.batches, "records": counters.records, "batch_syncs": counters.log.batch_syncs,
        "turns": counters.turns, "steps": counters.steps, "slow_steps": counters.slow_steps,
        "longest_step_us": counters.longest_step.as_micros() as u64,
        "messages_in": counters.messages_in, "messages_out": counters.messages_out,
        "faults": faults_document(node), "peers": peers,
    })
}
