//! The plain HTTP endpoints, for probes, metrics and people (book/src/etcd.md#14).

use crate::backend::Backend;
use crate::door::Door;
use crate::grpc::{Body, Status};
use crate::maintenance::alarm_name;
use crate::metrics;
use crate::{CLUSTER_VERSION, STORAGE_VERSION, VERSION};
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use std::fmt::Write;
use volvox_replica::Error;
use volvox_store::AlarmType;

/// Answers a request that is not a gRPC call.
pub(crate) async fn serve<B: Backend>(door: &Door<B>, request: &Parts) -> Response<Body> {
    let path = request.uri.path();
    let is_read = request.method == Method::GET || request.method == Method::HEAD;
    match path {
        "/health" if request.method != Method::GET => method_not_allowed(),
        "/health" => health(door, &Query::of(request)).await,
        "/version" if is_read => json(StatusCode::OK, version()),
        "/metrics" if is_read => text(StatusCode::OK, metrics::CONTENT_TYPE, metrics::render(door)),
        "/livez" | "/readyz" if !is_read => method_not_allowed(),
        "/livez" => probe(door, &Query::of(request), LIVE).await,
        "/readyz" => probe(door, &Query::of(request), READY).await,
        _ => match sub_path(path) {
            Some(_) if !is_read => method_not_allowed(),
            Some(check) => probe(door, &Query::of(request), std::slice::from_ref(check)).await,
            None => plain(StatusCode::NOT_FOUND, "404 page not found\n"),
        },
    }
}

fn version() -> String {
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
    let view = door.backend.view();
    let alarm = view.store.alarms().map(|alarm| alarm_name(alarm.alarm)).find(|name| !query.excludes(name));
    if let Some(name) = alarm {
        return Some(format!("ALARM {name}"));
    }
    if query.serializable {
        // The view is there: a local read cannot fail.
        return None;
    }
    if view.status.leader.is_none() {
        return Some("RAFT NO LEADER".to_owned());
    }
    let error = linearizable_read(door).await.err()?;
    Some(format!("RANGE ERROR:{}", error.message))
}

/// One check of `/livez` and `/readyz`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Check {
    DataCorruption,
    SerializableRead,
    LinearizableRead,
    NonLearner,
}

const LIVE: &[Check] = &[Check::SerializableRead];
const READY: &[Check] = &[Check::DataCorruption, Check::SerializableRead, Check::LinearizableRead, Check::NonLearner];

impl Check {
    fn name(self) -> &'static str {
        match self {
            Check::DataCorruption => "data_corruption",
            Check::SerializableRead => "serializable_read",
            Check::LinearizableRead => "linearizable_read",
            Check::NonLearner => "non_learner",
        }
    }

    async fn run<B: Backend>(self, door: &Door<B>) -> Result<(), String> {
        match self {
            Check::DataCorruption => match door.backend.view().store.has_alarm(AlarmType::Corrupt) {
                true => Err("alarm activated: CORRUPT".to_owned()),
                false => Ok(()),
            },
            Check::SerializableRead => Ok(()),
            Check::LinearizableRead => linearizable_read(door).await.map_err(|error| error.message.into_owned()),
            Check::NonLearner => match door.backend.view().status.is_learner {
                true => Err("not supported for learner".to_owned()),
                false => Ok(()),
            },
        }
    }
}

fn sub_path(path: &str) -> Option<&'static Check> {
    let (checks, name) = match path.strip_prefix("/livez/") {
        Some(name) => (LIVE, name),
        None => (READY, path.strip_prefix("/readyz/")?),
    };
    checks.iter().find(|check| check.name() == name)
}

async fn probe<B: Backend>(door: &Door<B>, query: &Query, checks: &[Check]) -> Response<Body> {
    let mut lines = String::new();
    let mut passed = true;
    for check in checks.iter().filter(|check| !query.excludes(check.name())) {
        match check.run(door).await {
            Ok(()) => writeln!(lines, "[+]{} ok", check.name()),
            Err(error) => {
                passed = false;
                writeln!(lines, "[-]{} failed: {error}", check.name())
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
    if door.backend.view().status.is_learner {
        return Err(Error::Learner.into());
    }
    door.read().await.map(|_| ())
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
