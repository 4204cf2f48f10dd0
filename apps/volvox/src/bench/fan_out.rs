//! `bench watch`: how fast an event reaches all watchers.
//!
//! Writers put under one prefix in a closed loop; the first bytes of each value are the time at
//! which it was sent. Every watcher has a stream of its own and counts what arrives. Afterwards
//! every watcher must have seen every put: each missing event is reported as an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use volvox_etcd::proto::etcdserverpb::watch_client::WatchClient;
use volvox_etcd::proto::etcdserverpb::watch_request::RequestUnion;
use volvox_etcd::proto::etcdserverpb::{PutRequest, WatchCreateRequest, WatchRequest, WatchResponse};

use super::BenchArguments;
use super::connection::Link;
use super::keyspace::{Keyspace, PREFIX, PREFIX_END};
use super::load::{Load, Window, describe};
use super::report::Report;
use super::tally::CpuMeter;
use super::work::Done;
use crate::client::Endpoint;

const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// Watchers that receive nothing for this long after the last put will receive nothing more.
const SILENCE_MAX: Duration = Duration::from_secs(5);
const POLL_PAUSE: Duration = Duration::from_millis(5);
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
const STAMP_BYTES: usize = 8;

/// The state that watchers and writers share.
struct Shared {
    /// Stamps count nanoseconds from here.
    epoch: Instant,
    window: Window,
    events: Load,
    writes: Load,
    keyspace: Arc<Keyspace>,
    acknowledged: AtomicU64,
    delivered: AtomicU64,
    ended: AtomicBool,
}

struct Watcher {
    endpoint_index: usize,
    _requests: mpsc::Sender<WatchRequest>,
    responses: Streaming<WatchResponse>,
}

/// Opens the watchers, writes during the window, and waits until all has arrived.
pub async fn measure(
    arguments: &BenchArguments,
    endpoints: &[Endpoint],
    links: &[Link],
    keyspace: Arc<Keyspace>,
) -> Result<Report> {
    let mut watchers = Vec::new();
    for number in 0..arguments.clients as usize {
        let opening = timeout(OPEN_TIMEOUT, open(&links[number % links.len()])).await;
        let opened = opening.unwrap_or_else(|_| Err("timed out".to_owned()));
        watchers.push(opened.map_err(|reason| anyhow!("bench: cannot open watcher {number}: {reason}"))?);
    }
    let secs = Duration::from_secs_f64(arguments.secs);
    let window = Window::new(arguments.warmup(), secs, None);
    let shared = Arc::new(Shared {
        epoch: Instant::now(),
        window,
        events: Load::new(window, endpoints.len()),
        writes: Load::new(window, endpoints.len()),
        keyspace,
        acknowledged: AtomicU64::new(0),
        delivered: AtomicU64::new(0),
        ended: AtomicBool::new(false),
    });
    let cpu = CpuMeter::start();
    let mut watching = JoinSet::new();
    for watcher in watchers {
        watching.spawn(receive(shared.clone(), watcher));
    }
    let mut writing = JoinSet::new();
    for number in 0..arguments.writers() {
        let link = links[number as usize % links.len()].clone();
        writing.spawn(write(shared.clone(), link, u64::from(number)));
    }
    while let Some(result) = writing.join_next().await {
        result.expect("a writer does not panic");
    }
    await_delivery(&shared, u64::from(arguments.clients)).await;
    shared.ended.store(true, Ordering::Relaxed);
    watching.shutdown().await;
    let cores = cpu.stop();
    Ok(Report::new(arguments, endpoints, shared.events.summary(), Some(shared.writes.summary()), cores))
}

async fn open(link: &Link) -> Result<Watcher, String> {
    let wire = link.wire().await?;
    let mut client = WatchClient::with_origin(wire, link.origin()).max_decoding_message_size(usize::MAX);
    let (requests, receiver) = mpsc::channel(4);
    let create = WatchCreateRequest {
        key: Bytes::from_static(PREFIX),
        range_end: Bytes::from_static(PREFIX_END),
        ..WatchCreateRequest::default()
    };
    let first = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
    requests.try_send(first).expect("the channel is new and has room");
    let response = client.watch(ReceiverStream::new(receiver)).await;
    let mut responses = response.map_err(|status| describe(&status))?.into_inner();
    match responses.message().await.map_err(|status| describe(&status))? {
        Some(response) if response.created && !response.canceled => {}
        other => return Err(format!("the first answer is {other:?}")),
    }
    Ok(Watcher { endpoint_index: link.endpoint_index(), _requests: requests, responses })
}

/// Counts the events that reach one watcher.
async fn receive(shared: Arc<Shared>, mut watcher: Watcher) {
    let measure_from = shared.window.measure_from();
    loop {
        let reason = match watcher.responses.message().await {
            Ok(Some(response)) if !response.canceled => {
                let now = Instant::now();
                let mut tally = shared.events.tally(watcher.endpoint_index);
                for event in &response.events {
                    let value = event.kv.as_ref().map(|pair| &pair.value[..]).unwrap_or_default();
                    let Some(stamp) = value.first_chunk::<STAMP_BYTES>() else { continue };
                    let sent = shared.epoch + Duration::from_nanos(u64::from_le_bytes(*stamp));
                    if sent >= measure_from {
                        tally.on_success(now.saturating_duration_since(sent), now);
                        tally.items += 1;
                    }
                }
                drop(tally);
                shared.delivered.fetch_add(response.events.len() as u64, Ordering::Relaxed);
                continue;
            }
            Ok(Some(response)) => format!("a watch was canceled: {}", response.cancel_reason),
            Ok(None) => "a watch ended".to_owned(),
            Err(status) => describe(&status),
        };
        if !shared.ended.load(Ordering::Relaxed) {
            shared.events.tally(watcher.endpoint_index).on_error(reason, 1);
        }
        return;
    }
}

/// Puts one stamped value after another.
async fn write(shared: Arc<Shared>, link: Link, number: u64) {
    let mut random = fastrand::Rng::with_seed(number + 1);
    let mut open = None;
    loop {
        let begun = Instant::now();
        if shared.writes.next(begun).is_none() {
            return;
        }
        let outcome = async {
            let client = match &mut open {
                Some(client) => client,
                None => open.insert(link.key_values().await?),
            };
            let key = shared.keyspace.random_key(&mut random);
            let value = stamped(&shared, &mut random, begun);
            let put = client.put(PutRequest { key, value, ..PutRequest::default() });
            let answer = timeout(WRITE_TIMEOUT, put).await.map_err(|_| "no answer".to_owned())?;
            answer.map_err(|status| describe(&status))?;
            Ok(Done { items: 1, whole_pass: false })
        };
        let outcome = outcome.await;
        shared.writes.on_end(link.endpoint_index(), begun, &outcome);
        if outcome.is_ok() {
            shared.acknowledged.fetch_add(1, Ordering::Relaxed);
        } else {
            open = None;
            sleep(POLL_PAUSE).await;
        }
    }
}

fn stamped(shared: &Shared, random: &mut fastrand::Rng, begun: Instant) -> Bytes {
    let noise = shared.keyspace.value(random);
    let mut value = BytesMut::from(&noise[..]);
    value.resize(noise.len().max(STAMP_BYTES), 0);
    let stamp = begun.saturating_duration_since(shared.epoch).as_nanos() as u64;
    value[..STAMP_BYTES].copy_from_slice(&stamp.to_le_bytes());
    value.freeze()
}

/// Waits until every watcher has received every put; a missing event is an error.
async fn await_delivery(shared: &Shared, watchers: u64) {
    let expected = shared.acknowledged.load(Ordering::Relaxed) * watchers;
    let mut seen = 0;
    let mut last_change = Instant::now();
    loop {
        let delivered = shared.delivered.load(Ordering::Relaxed);
        if delivered >= expected {
            return;
        }
        if delivered != seen {
            (seen, last_change) = (delivered, Instant::now());
        } else if last_change.elapsed() > SILENCE_MAX {
            let reason = "events of acknowledged puts never arrived".to_owned();
            shared.events.tally(0).on_error(reason, expected - delivered);
            return;
        }
        sleep(POLL_PAUSE).await;
    }
}
