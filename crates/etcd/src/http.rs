//! The plain HTTP endpoints, for probes, metrics and people (book/src/etcd.md#14).

use crate::backend::Backend;
use crate::context::Door;
use crate::grpc::{Body, Status};
use crate::maintenance::alarm_name;
use crate::metrics;
use crate::{CLUSTER_VERSION, STORAGE_VERSION, VERSION};
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use std::fmt::Write;
use volvox_service::probe::{Check, Health, Verdict, health as health_of};
use volvox_service::{Caller, Request};

/// Answers a request that is not a gRPC call.
pub(crate) async fn serve<B: Backend>(door: &Door<B>, request: &Parts) -> Response<Body> {
    let path = request.uri.path();
    let is_read = request.method == Method::GET || request.method == Method::HEAD;
    match path {
        "/health" if request.method != Method::GET => method_not_allowed(),
        "/health" => health(door, &Query::of(request)).await,
        "/version" if is_read => json(StatusCode::OK, version()),
        "/metrics" if is_read => text(
            StatusCode::OK,
            metrics::CONTENT_TYPE,
            metrics::render(door.backend.view(), door.backend.counters(), &door.metrics),
        ),
        "/livez" | "/readyz" if !is_read => method_not_allowed(),
        "/livez" => probe(door, &Query::of(request), Check::ALIVE).await,
        "/readyz" => probe(door, &Query::of(request), Check::READY).await,
        _ => match sub_path(path) {
            Some(_) if !is_read => method_not_allowed(),
            Some(check) => probe(door, &Query::of(request), std::slice::from_ref(check)).await,
            None => not_found(),
        },
    }
}

/// Whether a port for metrics serves this path as well.
pub(crate) fn is_for_operators(path: &str) -> bool {
    matches!(path, "/metrics" | "/health" | "/livez" | "/readyz") || sub_path(path).is_some()
}

pub(crate) fn not_found() -> Response<Body> {
    plain(StatusCode::NOT_FOUND, "404 page not found\n")
}

/// The answer to `/version`.
pub fn version() -> String {
    format!(r#"{{"etcdserver":"{VERSION}","etcdcluster":"{CLUSTER_VERSION}","storage":"{STORAGE_VERSION}"}}"#)
}

/// `/health`: alarms, then the leader, then a read.
async fn health<B: Backend>(door: &Door<B>, query: &Query) -> Response<Body> {
    let reason = unhealthy(door, query).await;
    let answer = HealthAnswer { health: if reason.is_none() { "true" } else { "false" }, reason: reason.as_deref() };
    let body = serde_json::to_string(&answer).expect("two strings");
    match reason {
        None => {
            door.metrics.health_success.add(1);
            json(StatusCode::OK, body)
        }
        Some(_) => {
            door.metrics.health_failures.add(1);
            json(StatusCode::SERVICE_UNAVAILABLE, body)
        }
    }
}

#[derive(serde::Serialize)]
struct HealthAnswer<'a> {
    health: &'a str,
    #[serde(serialize_with = "or_empty")]
    reason: Option<&'a str>,
}

fn or_empty<S: serde::Serializer>(text: &Option<&str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text.unwrap_or_default())
}

async fn unhealthy<B: Backend>(door: &Door<B>, query: &Query) -> Option<String> {
    let excludes = |alarm| query.excludes(alarm_name(alarm));
    match health_of(&door.backend.view(), excludes, query.serializable) {
        Health::Healthy => None,
        Health::Alarm(alarm) => Some(format!("ALARM {}", alarm_name(alarm))),
        Health::NoLeader => Some("RAFT NO LEADER".to_owned()),
        Health::Confirm => {
            let error = linearizable_read(door).await.err()?;
            Some(format!("RANGE ERROR:{}", error.message))
        }
    }
}

/// The name of a check in its path.
fn name(check: Check) -> &'static str {
    match check {
        Check::DataCorruption => "data_corruption",
        Check::SerializableRead => "serializable_read",
        Check::LinearizableRead => "linearizable_read",
        Check::NonLearner => "non_learner",
    }
}

async fn run<B: Backend>(door: &Door<B>, check: Check) -> Result<(), String> {
    match check.verdict(&door.backend.view()) {
        Verdict::Passed => Ok(()),
        Verdict::Confirm => linearizable_read(door).await.map_err(|error| error.message.into_owned()),
        Verdict::Corrupt => Err("alarm activated: CORRUPT".to_owned()),
        Verdict::Learner => Err("not supported for learner".to_owned()),
    }
}

fn sub_path(path: &str) -> Option<&'static Check> {
    let (checks, wanted) = match path.strip_prefix("/livez/") {
        Some(wanted) => (Check::ALIVE, wanted),
        None => (Check::READY, path.strip_prefix("/readyz/")?),
    };
    checks.iter().find(|check| name(**check) == wanted)
}

async fn probe<B: Backend>(door: &Door<B>, query: &Query, checks: &[Check]) -> Response<Body> {
    let mut lines = String::new();
    let mut passed = true;
    for check in checks.iter().filter(|check| !query.excludes(name(**check))) {
        match run(door, *check).await {
            Ok(()) => writeln!(lines, "[+]{} ok", name(*check)),
            Err(error) => {
                passed = false;
                writeln!(lines, "[-]{} failed: {error}", name(*check))
            }
        }
        .expect("a String grows as far as it must");
    }
    if !passed {
        return plain(StatusCode::SERVICE_UNAVAILABLE, lines);
    }
    plain(StatusCode::OK, if query.verbose { lines + "ok\n" } else { "ok\n".to_owned() })
}

async fn linearizable_read<B: Backend>(door: &Door<B>) -> Result<(), Status> {
    door.call(&Caller::default(), Request::Confirm).await?;
    Ok(())
}

/// The options of a probe.
#[derive(Default)]
struct Query {
    excluded: Vec<String>,
    verbose: bool,
    serializable: bool,
}

impl Query {
    fn of(request: &Parts) -> Query {
        let mut query = Query::default();
        for pair in request.uri.query().unwrap_or_default().split('&') {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("exclude", name) => query.excluded.push(name.to_owned()),
                ("verbose", _) => query.verbose = true,
                ("serializable", value) => query.serializable = value == "true",
                _ => {}
            }
        }
        query
    }

    fn excludes(&self, name: &str) -> bool {
        self.excluded.iter().any(|excluded| excluded == name)
    }
}

fn json(status: StatusCode, body: String) -> Response<Body> {
    text(status, "application/json", body)
}

fn plain(status: StatusCode, body: impl Into<String>) -> Response<Body> {
    text(status, "text/plain; charset=utf-8", body.into())
}

fn text(status: StatusCode, content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::plain(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn method_not_allowed() -> Response<Body> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
    response
}
