//! A cluster as a client sees it: several endpoints, of which one answers.
//!
//! The rule for trying the next endpoint: a request that changes nothing may be sent again whenever the member could
//! not serve it, so `get` outlives the loss of any member. A write may be sent again only when it certainly was not
//! executed. So the client first asks a member whether it is alive and knows a leader, then sends the write; when the
//! write fails afterwards, its outcome is unknown, and the error says so.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::time::Duration;

use anyhow::{Result, anyhow};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, sleep, timeout};

use tonic::transport::Channel;
use tonic::{Code, Response, Status};
use tower::service_fn;
use volvox_etcd::proto::etcdserverpb::StatusRequest;
use volvox_etcd::proto::etcdserverpb::maintenance_client::MaintenanceClient;

use super::endpoints::Endpoint;
use super::tls;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// etcd closes connections that ping more often than every 5 s.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a member may take to answer that it is alive.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);
/// The shortest time-out per member that makes sense.
const PATIENCE_MIN: Duration = Duration::from_millis(500);
/// The pause before all endpoints are tried again.
const ROUND_PAUSE: Duration = Duration::from_millis(200);
/// The largest response that a well-behaved member sends; the limit of etcd's own client.
pub const MESSAGE_BYTES_MAX: usize = i32::MAX as usize;

/// Whether a request may be sent again when a member failed while it was in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// The request changes nothing, or is idempotent.
    Safe,
    /// The outcome would be unknown.
    Unsafe,
}

/// The members of a cluster that the user named.
pub struct Cluster {
    endpoints: Vec<Endpoint>,
    timeout: Duration,
    /// The endpoint that answered last, with its connection; tried first.
    current: RefCell<Option<(usize, Channel)>>,
    /// The endpoint to begin with when none is current.
    first: Cell<usize>,
}

/// One endpoint that failed, and why.
struct Attempt {
    endpoint: Endpoint,
    reason: String,
}

impl Cluster {
    /// A cluster of at least one endpoint; a request times out after `timeout`.
    pub fn new(endpoints: Vec<Endpoint>, timeout: Duration) -> Cluster {
        assert!(!endpoints.is_empty(), "a cluster has at least one endpoint");
        Cluster { endpoints, timeout, current: RefCell::new(None), first: Cell::new(0) }
    }

    /// All endpoints, in the order in which they were named.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// How long a request may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sends one request to the endpoints in turn until one answers.
    pub async fn call<T>(
        &self,
        what: &str,
        repeat: Repeat,
        request: impl AsyncFn(Channel) -> Result<Response<T>, Status>,
    ) -> Result<T> {
        let begun = Instant::now();
        let deadline = begun + self.timeout;
        let count = self.endpoints.len();
        loop {
            let mut tried = Vec::new();
            let mut someone_connected = false;
            let first = self.current_index();
            for position in 0..count {
                let (index, channel) = match self.connect(first, position).await {
                    Ok(connected) => connected,
                    Err(attempt) => {
                        tried.push(attempt);
                        continue;
                    }
                };
                someone_connected = true;
                // A silent member must not use up the time of the others.
                let left = deadline.saturating_duration_since(Instant::now());
                let share = PATIENCE_MIN.max(left / (count - position) as u32);
                let outcome = match repeat {
                    Repeat::Safe => attempt(share, request(channel.clone())).await,
                    Repeat::Unsafe => match can_write(channel.clone(), share.min(PROBE_PATIENCE)).await {
                        Ok(()) => attempt(left, request(channel.clone())).await,
                        Err(reason) => {
                            self.leave_current();
                            tried.push(self.attempt(index, reason));
                            continue;
                        }
                    },
                };
                let status = match outcome {
                    Ok(response) => {
                        *self.current.borrow_mut() = Some((index, channel));
                        return Ok(response);
                    }
                    Err(status) => status,
                };
                self.leave_current();
                let attempt = self.attempt(index, describe(&status));
                if !may_try_next(&status, repeat) {
                    return Err(refusal(what, &attempt, &status, repeat));
                }
                tried.push(attempt);
            }
            // Nothing has been sent yet that must not be sent again.
            if !someone_connected || Instant::now() + ROUND_PAUSE + PATIENCE_MIN >= deadline {
                return Err(exhaustion(what, begun.elapsed(), &tried));
            }
            sleep(ROUND_PAUSE).await;
        }
    }

    /// A connection to any endpoint, for streams; the caller calls again when it breaks.
    pub async fn connect_any(&self, what: &str) -> Result<(Endpoint, Channel)> {
        let begun = Instant::now();
        let mut tried = Vec::new();
        let first = self.current_index();
        for position in 0..self.endpoints.len() {
            match self.connect(first, position).await {
                Ok((index, channel)) => {
                    *self.current.borrow_mut() = Some((index, channel.clone()));
                    return Ok((self.endpoints[index].clone(), channel));
                }
                Err(attempt) => tried.push(attempt),
            }
        }
        Err(exhaustion(what, begun.elapsed(), &tried))
    }

    /// Turns to the next endpoint, because a stream to the current one broke.
    pub fn leave_current(&self) {
        let left = self.current.borrow_mut().take();
        if let Some((index, _)) = left {
            self.first.set((index + 1) % self.endpoints.len());
        }
    }

    fn current_index(&self) -> usize {
        self.current.borrow().as_ref().map_or(self.first.get(), |(index, _)| *index)
    }

    /// A connection to the endpoint at `position` after the first: the open one if it leads there.
    async fn connect(&self, first: usize, position: usize) -> Result<(usize, Channel), Attempt> {
        let wanted = (first + position) % self.endpoints.len();
        let current = self.current.borrow().clone();
        if let Some((index, channel)) = current
            && index == wanted
        {
            return Ok((index, channel));
        }
        match connect(&self.endpoints[wanted]).await {
            Ok(channel) => Ok((wanted, channel)),
            Err(reason) => Err(self.attempt(wanted, reason)),
        }
    }

    fn attempt(&self, index: usize, reason: String) -> Attempt {
        Attempt { endpoint: self.endpoints[index].clone(), reason }
    }
}

/// Waits for an answer, up to a limit.
async fn attempt<T>(
    patience: Duration,
    answer: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Status> {
    let silent = |_| Status::deadline_exceeded("no answer in time");
    timeout(patience, answer).await.map_err(silent)?.map(Response::into_inner)
}

/// Whether a write may be sent to this member. Checked first, because a write cannot be undone: a member that is
/// paused, partitioned or a learner is skipped before anything is sent.
async fn can_write(channel: Channel, patience: Duration) -> Result<(), String> {
    let mut client = MaintenanceClient::new(channel);
    match attempt(patience, client.status(StatusRequest {})).await {
        Ok(status) if status.is_learner => Err("it is a learner, which takes no writes".to_owned()),
        Ok(status) if status.leader == 0 => Err("it knows no leader".to_owned()),
        Err(status) if is_unavailable(&status) => Err(describe(&status)),
        // A member that refuses to tell (access control may be on) is alive nevertheless.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Connects to one endpoint, or returns why that failed.
pub async fn connect(endpoint: &Endpoint) -> Result<Channel, String> {
    let connecting = Channel::builder(endpoint.uri())
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    let connected = match endpoint.tls() {
        None => connecting.connect().await,
        Some(tls) => {
            let (tls, authority) = (tls.clone(), endpoint.authority().to_owned());
            let dial = move |_| {
                let (tls, authority) = (tls.clone(), authority.clone());
                async move { tls.connect(&authority).await.map(TokioIo::new) }
            };
            connecting.connect_with_connector(service_fn(dial)).await
        }
    };
    connected.map_err(|error| innermost(&error))
}

/// The last cause in the chain, which is the informative one.
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    tls::in_words(cause.to_string())
}

/// A refusal in one line: the member's text, or the transport's error.
pub fn describe(status: &Status) -> String {
    match status.source() {
        Some(source) => innermost(source),
        None if status.message().is_empty() => format!("{}", status.code()),
        None => status.message().to_owned(),
    }
}

/// Whether the member could not serve the request, but another one might.
pub fn is_unavailable(status: &Status) -> bool {
    let broke_on_the_way = status.source().is_some();
    broke_on_the_way || matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled)
}

fn may_try_next(status: &Status, repeat: Repeat) -> bool {
    let serves_no_writes = status.message() == "etcdserver: rpc not supported for learner";
    serves_no_writes || (repeat == Repeat::Safe && is_unavailable(status))
}

fn refusal(what: &str, attempt: &Attempt, status: &Status, repeat: Repeat) -> anyhow::Error {
    let Attempt { endpoint, reason } = attempt;
    // Returned before anything is proposed, whatever its code.
    let definite = status.message() == "etcdserver: unhealthy cluster";
    if repeat == Repeat::Unsafe && is_unavailable(status) && !definite {
        return anyhow!(
            "{what}: {endpoint} failed: {reason}; \
             it may or may not have been executed: read before you repeat it"
        );
    }
    anyhow!("{what}: {endpoint} refused: {reason}")
}

fn exhaustion(what: &str, elapsed: Duration, tried: &[Attempt]) -> anyhow::Error {
    let list: Vec<String> =
        tried.iter().map(|Attempt { endpoint, reason }| format!("\n  {endpoint}: {reason}")).collect();
    anyhow!(
        "{what}: no endpoint could serve it, tried for {:.1} s:{}\n\
         see `volvox status`; start a cluster with `volvox up`, or name one with --endpoints",
        elapsed.as_secs_f64(),
        list.concat()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_nothing_is_sent_again() {
        let unknown = Status::unavailable("etcdserver: request timed out");
        assert!(may_try_next(&unknown, Repeat::Safe));
        assert!(!may_try_next(&unknown, Repeat::Unsafe));
        let learner = Status::failed_precondition("etcdserver: rpc not supported for learner");
        assert!(may_try_next(&learner, Repeat::Unsafe));
        let definite = Status::out_of_range("etcdserver: mvcc: required revision has been compacted");
        assert!(!may_try_next(&definite, Repeat::Safe));
    }

    #[test]
    fn an_unknown_outcome_is_called_unknown() {
        let attempt = Attempt {
            endpoint: Endpoint::parse("a:1", None).unwrap(),
            reason: "etcdserver: leader changed".to_owned(),
        };
        let status = Status::unavailable("etcdserver: leader changed");
        let text = refusal("put", &attempt, &status, Repeat::Unsafe).to_string();
        assert!(text.contains("may or may not"), "{text}");
        let status = Status::invalid_argument("etcdserver: key is not provided");
        let text = refusal("put", &attempt, &status, Repeat::Unsafe).to_string();
        assert!(!text.contains("may or may not"), "{text}");
    }
}
