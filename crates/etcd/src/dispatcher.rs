//! Delivers the replica's events to the waiting calls.

use crate::fan_out::{Delivery, FanOut};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{mpsc, oneshot, watch};
use volvox_replica::watch::StreamId;
use volvox_replica::{Error, Event, Reply, Ticket, WatchResponse};

/// How many requests may wait at a time; the replica refuses long before.
const WAITING_MAX: usize = 1 << 17;
/// How many watch streams may be open at a time; half of what the hub takes.
const STREAMS_MAX: usize = 1 << 16;

type Waiter = oneshot::Sender<Result<Reply, Error>>;

/// The requests and the watch streams that wait for events of the node.
#[derive(Debug)]
pub struct Dispatcher {
    requests: Mutex<Requests>,
    streams: Mutex<Streams>,
    next_stream: AtomicU64,
    /// Changes whenever the leader changes.
    leaders: watch::Sender<u64>,
    stopped: watch::Sender<bool>,
}

/// The watch streams, and what several of them are about to send.
#[derive(Debug, Default)]
struct Streams {
    senders: BTreeMap<u64, mpsc::UnboundedSender<Delivery>>,
    fan_out: FanOut,
}

/// A slab: a ticket names a slot and its use count, so an answer that arrives after its request was abandoned finds no
/// waiter.
#[derive(Debug, Default)]
struct Requests {
    places: Vec<Place>,
    free: Vec<u32>,
}

#[derive(Debug, Default)]
struct Place {
    uses: u32,
    waiter: Option<Waiter>,
}

impl Dispatcher {
    /// A dispatcher without waiters.
    pub fn new() -> Dispatcher {
        Dispatcher {
            requests: Mutex::default(),
            streams: Mutex::default(),
            next_stream: AtomicU64::new(1),
            leaders: watch::Sender::new(0),
            stopped: watch::Sender::new(false),
        }
    }

    /// Must be called for every event of the node, on any thread.
    pub fn on_event(&self, event: Event) {
        match event {
            Event::Reply { ticket, result } => {
                if let Some(waiter) = self.take(ticket) {
                    // A client that just went away does not need its answer.
                    let _ = waiter.send(result);
                }
            }
            Event::Watch { stream, response } => self.on_watch(stream, response),
            Event::LeaderChanged { .. } => self.leaders.send_modify(|changes| *changes += 1),
            Event::MembersChanged { .. } | Event::Removed => {}
        }
    }

    /// The node stops: every request that waits is refused, and so is every later one.
    pub fn stop(&self) {
        self.stopped.send_replace(true);
        let waiting = std::mem::take(&mut *self.requests.lock().expect("no panic while it was held"));
        for waiter in waiting.places.into_iter().filter_map(|place| place.waiter) {
            let _ = waiter.send(Err(Error::Stopped));
        }
    }

    /// Becomes true when the node stops.
    pub fn stopped(&self) -> watch::Receiver<bool> {
        self.stopped.subscribe()
    }

    /// Changes whenever the leader changes.
    pub(crate) fn leaders(&self) -> watch::Receiver<u64> {
        self.leaders.subscribe()
    }

    /// A ticket, and the receiver of its answer.
    pub(crate) fn expect_reply(&self) -> Result<(Ticket, oneshot::Receiver<Result<Reply, Error>>), Error> {
        let mut requests = self.requests.lock().expect("no panic while it was held");
        // Looked at under the lock: a stop either finds this waiter or is seen by it.
        if *self.stopped.borrow() {
            return Err(Error::Stopped);
        }
        let index = match requests.free.pop() {
            Some(index) => index,
            None if requests.places.len() < WAITING_MAX => {
                requests.places.push(Place::default());
                requests.places.len() as u32 - 1
            }
            None => return Err(Error::TooManyRequests),
        };
        let (sender, receiver) = oneshot::channel();
        let place = &mut requests.places[index as usize];
        place.uses = place.uses.wrapping_add(1);
        place.waiter = Some(sender);
        Ok((Ticket(u64::from(place.uses) << 32 | u64::from(index)), receiver))
    }

    /// Gives a ticket back; true when its answer had not come yet.
    pub(crate) fn forget(&self, ticket: Ticket) -> bool {
        self.take(ticket).is_some()
    }

    /// A watch stream. The content of its channel is bounded by the credit granted to the hub: when there is none left,
    /// the hub sends at most the rest of one response that it cut into fragments.
    pub(crate) fn open_stream(&self) -> Result<(StreamId, mpsc::UnboundedReceiver<Delivery>), Error> {
        let stream = self.next_stream.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut streams = self.streams.lock().expect("no panic while it was held");
        if streams.senders.len() >= STREAMS_MAX {
            return Err(Error::TooManyRequests);
        }
        streams.senders.insert(stream, sender);
        Ok((StreamId(stream), receiver))
    }

    /// The stream is gone.
    pub(crate) fn close_stream(&self, stream: StreamId) {
        self.streams.lock().expect("no panic while it was held").senders.remove(&stream.0);
    }

    /// How many watch streams are open.
    pub fn open_streams(&self) -> usize {
        self.streams.lock().expect("no panic while it was held").senders.len()
    }

    fn take(&self, ticket: Ticket) -> Option<Waiter> {
        let (index, uses) = (ticket.0 as u32, (ticket.0 >> 32) as u32);
        let mut requests = self.requests.lock().expect("no panic while it was held");
        let place = requests.places.get_mut(index as usize)?;
        if place.uses != uses {
            return None;
        }
        let waiter = place.waiter.take()?;
        requests.free.push(index);
        Some(waiter)
    }

    fn on_watch(&self, stream: StreamId, response: WatchResponse) {
        let mut streams = self.streams.lock().expect("no panic while it was held");
        let Streams { senders, fan_out } = &mut *streams;
        if let Some(sender) = senders.get(&stream.0) {
            // A client that went away in this moment has no use for it.
            let _ = sender.send(fan_out.deliver(response));
        }
    }
}

impl Default for Dispatcher {
    fn default() -> Dispatcher {
        Dispatcher::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(ticket: Ticket) -> Event {
        Event::Reply { ticket, result: Ok(Reply::ReadReady) }
    }

    #[tokio::test]
    async fn an_answer_finds_its_request_and_no_later_one() {
        let dispatcher = Dispatcher::new();
        let (first, receiver) = dispatcher.expect_reply().unwrap();
        dispatcher.on_event(reply(first));
        assert_eq!(receiver.await, Ok(Ok(Reply::ReadReady)));

        let (given_up, _) = dispatcher.expect_reply().unwrap();
        assert!(dispatcher.forget(given_up));
        assert!(!dispatcher.forget(given_up));
        let (next, mut receiver) = dispatcher.expect_reply().unwrap();
        assert_ne!(next, given_up, "the place was used again, the ticket was not");
        dispatcher.on_event(reply(given_up));
        dispatcher.on_event(reply(Ticket(77)));
        assert!(receiver.try_recv().is_err(), "the late answer found no receiver");
        dispatcher.on_event(reply(next));
        assert_eq!(receiver.await, Ok(Ok(Reply::ReadReady)));
    }

    #[tokio::test]
    async fn stopping_tells_those_who_wait_and_those_who_come() {
        let dispatcher = Dispatcher::new();
        let (_, receiver) = dispatcher.expect_reply().unwrap();
        dispatcher.stop();
        assert_eq!(receiver.await, Ok(Err(Error::Stopped)));
        assert_eq!(dispatcher.expect_reply().unwrap_err(), Error::Stopped);
    }

    #[tokio::test]
    async fn responses_find_their_stream_until_it_is_closed() {
        let dispatcher = Dispatcher::new();
        let (first, mut to_first) = dispatcher.open_stream().unwrap();
        let (second, mut to_second) = dispatcher.open_stream().unwrap();
        let response = |watch_id| WatchResponse { watch_id, ..WatchResponse::default() };
        dispatcher.on_event(Event::Watch { stream: second, response: response(2) });
        dispatcher.on_event(Event::Watch { stream: first, response: response(1) });
        assert_eq!(to_first.recv().await.unwrap().response, response(1));
        assert_eq!(to_second.recv().await.unwrap().response, response(2));
        dispatcher.close_stream(first);
        dispatcher.on_event(Event::Watch { stream: first, response: response(3) });
        assert!(to_first.recv().await.is_none());
        assert_eq!(dispatcher.open_streams(), 1);
    }

    #[test]
    fn there_are_only_so_many_streams() {
        let dispatcher = Dispatcher::new();
        let open: Vec<_> = (0..STREAMS_MAX).map(|_| dispatcher.open_stream().unwrap()).collect();
        assert_eq!(dispatcher.open_stream().unwrap_err(), Error::TooManyRequests);
        dispatcher.close_stream(open[0].0);
        assert!(dispatcher.open_stream().is_ok());
    }
}
