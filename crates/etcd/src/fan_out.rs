//! Watch events that several watchers get are encoded once.
//!
//! The hub gives all watchers of the same events the same list, one response after the other. The first response that is
//! sent encodes the list, and those that follow send the same bytes behind heads of their own. While some of them wait,
//! the bytes are kept; no list is remembered longer than a response with it.

use crate::wire;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, Weak};
use volvox_replica::WatchResponse;
use volvox_store::Event;

/// How many lists are remembered at a time: those that one step of the node makes. Further ones are encoded for each
/// watcher.
const LISTS_MAX: usize = 64;

/// A response on its way to its stream.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// The response.
    pub response: WatchResponse,
    /// The encoding of its events, if others have the same.
    shared: Option<Arc<OnceLock<Bytes>>>,
}

impl Delivery {
    /// The encoding of its events, and whether it had to be made.
    pub fn events(&self) -> (Bytes, bool) {
        let events = &self.response.events;
        let Some(shared) = &self.shared else {
            return (wire::events(events), !events.is_empty());
        };
        let mut is_new = false;
        let encoded = shared.get_or_init(|| {
            is_new = true;
            wire::events(events)
        });
        (encoded.clone(), is_new)
    }
}

/// The lists of events that several responses have, by their addresses.
#[derive(Debug, Default)]
pub(crate) struct FanOut {
    lists: BTreeMap<usize, List>,
}

/// One list. While it is known its address is not used again.
#[derive(Debug)]
struct List {
    events: Weak<[Event]>,
    encoded: Weak<OnceLock<Bytes>>,
}

impl FanOut {
    /// Prepares a response for its stream.
    pub fn deliver(&mut self, response: WatchResponse) -> Delivery {
        let shared = if response.events.is_empty() { None } else { self.shared(&response.events) };
        Delivery { response, shared }
    }

    fn shared(&mut self, events: &Arc<[Event]>) -> Option<Arc<OnceLock<Bytes>>> {
        let address = Arc::as_ptr(events).cast::<Event>() as usize;
        if let Some(list) = self.lists.get(&address)
            && let Some(encoded) = list.encoded.upgrade()
        {
            return Some(encoded);
        }
        // The only holder is the only watcher, or the last one that others did not wait for.
        if Arc::strong_count(events) == 1 {
            return None;
        }
        if self.lists.len() >= LISTS_MAX {
            self.lists.retain(|_, list| list.events.strong_count() > 0 && list.encoded.strong_count() > 0);
        }
        let encoded = Arc::default();
        if self.lists.len() < LISTS_MAX {
            let list = List { events: Arc::downgrade(events), encoded: Arc::downgrade(&encoded) };
            self.lists.insert(address, list);
        }
        Some(encoded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use volvox_store::{EventKind, KeyValue};

    fn events(key: &str) -> Arc<[Event]> {
        let key_value = KeyValue { key: key.into(), mod_revision: 7, ..KeyValue::default() };
        Arc::from([Event { kind: EventKind::Put, key_value, previous: None }])
    }

    fn response(watch_id: i64, events: &Arc<[Event]>) -> WatchResponse {
        WatchResponse { watch_id, events: Arc::clone(events), ..WatchResponse::default() }
    }

    #[test]
    fn a_thousand_watchers_of_the_same_events_cost_one_encoding() {
        let mut fan_out = FanOut::default();
        let list = events("a");
        let waiting: Vec<WatchResponse> = (0..1000).map(|id| response(id, &list)).collect();
        drop(list);
        let deliveries: Vec<Delivery> = waiting.into_iter().map(|response| fan_out.deliver(response)).collect();
        let sent: Vec<(Bytes, bool)> = deliveries.iter().map(Delivery::events).collect();
        assert_eq!(sent.iter().filter(|(_, is_new)| *is_new).count(), 1);
        assert!(sent.iter().all(|(bytes, _)| *bytes == wire::events(&deliveries[0].response.events)));
    }

    #[test]
    fn a_list_is_not_taken_for_another_one() {
        let mut fan_out = FanOut::default();
        for number in 0..10_000 {
            let list = events(&number.to_string());
            let expected = wire::events(&list);
            let pair = [1, 2].map(|id| fan_out.deliver(response(id, &list)));
            drop(list);
            assert!(pair.iter().all(|delivery| delivery.events().0 == expected), "{number}");
        }
        assert!(fan_out.lists.len() <= LISTS_MAX);
    }
}
