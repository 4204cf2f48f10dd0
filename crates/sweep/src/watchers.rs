//! Watchers, and the six guarantees (book/src/etcd.md#5.6), each checked on every response.
//!
//! | guarantee | violation |
//! |---|---|
//! | ordered, unique, reliable | what a watcher got since its position is not exactly what the history holds for it |
//! | atomic | a response that is not a fragment ends within a revision |
//! | resumable | a watcher that resumes at its position, on any node, misses something or gets it twice |
//! | bookmarkable | progress names a revision below which something was not delivered |
//!
//! The only excuse is a cancellation because history up to a revision beyond the watcher's position was compacted.

use crate::truth::Truth;
use volvox_core::{Bytes, NodeId};
use volvox_replica::{StreamId, WatchCreate, WatchResponse};
use volvox_store::{Event, EventKind, KeyRange};

/// One watcher.
#[derive(Clone, Debug)]
pub struct Watcher {
    /// As it is created; the start revision is where it begins next.
    pub create: WatchCreate,
    /// All below was received; 0 while it waits for its first answer and said no revision.
    pub next: i64,
    /// Whether it was created on the current stream.
    pub created: bool,
    /// It was canceled, and must be created again.
    pub must_begin: bool,
    /// Its client has canceled it after it was lost, and waits for the answer.
    pub canceling: bool,
    /// Pieces of a response that is not whole yet.
    pieces: Vec<Event>,
}

/// The client's end of a watch stream with its watchers. It outlives the stream: when its node dies, it opens another,
/// there or elsewhere, and continues.
#[derive(Clone, Debug)]
pub struct Stream {
    /// The present stream.
    pub id: StreamId,
    /// The node that serves it; `None` while there is none.
    pub node: Option<NodeId>,
    /// Its watchers; the watch id is the place plus 1.
    pub watchers: Vec<Watcher>,
    /// Credit that was granted and not used up.
    pub credit: i64,
}

/// The kind of a response, for counting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// The answer to a create request.
    Created,
    /// Events.
    Events,
    /// A piece of a response.
    Fragment,
    /// Progress.
    Progress,
    /// The watcher was canceled: history is gone. It must start over at this revision.
    Compacted,
    /// The answer to the client's cancel.
    Canceled,
}

impl Watcher {
    /// A watcher that was not created yet.
    pub fn new(create: WatchCreate) -> Watcher {
        Watcher {
            next: create.start_revision,
            create,
            created: false,
            must_begin: false,
            canceling: false,
            pieces: Vec::new(),
        }
    }

    /// The request that resumes it where it is.
    pub fn request(&self, place: usize) -> WatchCreate {
        WatchCreate { start_revision: self.next, watch_id: place as i64 + 1, ..self.create.clone() }
    }

    /// Its stream is gone.
    pub fn interrupt(&mut self) {
        self.created = false;
        self.must_begin = false;
        self.canceling = false;
        // A response that did not arrive whole is as if it had not arrived.
        self.pieces.clear();
    }

    /// Whether it lacks nothing up to `revision`.
    pub fn has_all(&self, truth: &Truth, revision: i64) -> bool {
        self.created && self.next > 0 && self.expected(truth, revision).next().is_none()
    }

    fn expected<'a>(&'a self, truth: &'a Truth, through: i64) -> impl Iterator<Item = Event> + 'a {
        let range = KeyRange::new(&self.create.key, &self.create.range_end);
        let wanted = move |event: &&Event| {
            let filtered = match event.kind {
                EventKind::Put => self.create.no_put,
                EventKind::Delete => self.create.no_delete,
            };
            !filtered && range.contains(&event.key_value.key)
        };
        truth.events(self.next, through).filter(wanted).map(|event| {
            let pair = &event.key_value;
            let previous = if self.create.prev_kv && !event.is_creation() {
                truth.get(&pair.key, pair.mod_revision - 1)
            } else {
                None
            };
            Event { previous: previous.cloned(), ..event.clone() }
        })
    }

    fn on_events(&mut self, truth: &Truth, response: &WatchResponse) -> Result<Heard, String> {
        self.pieces.extend(response.events.iter().cloned());
        if response.fragment {
            return if self.create.fragment {
                Ok(Heard::Fragment)
            } else {
                Err("a fragment without a request for it".into())
            };
        }
        let received = std::mem::take(&mut self.pieces);
        let Some(last) = received.last().map(|event| event.key_value.mod_revision) else {
            return Err("a response without events".into());
        };
        if response.revision < last {
            return Err(format!("the header says {}, and an event is of {last}", response.revision));
        }
        let expected: Vec<Event> = self.expected(truth, last).collect();
        let compacted = truth.compacted();
        let same = expected.len() == received.len()
            && expected.iter().zip(&received).all(|(expected, received)| same_event(expected, received, compacted));
        if !same {
            return Err(format!(
                "a watcher of [{}, {}) at {} received {received:?} where the history holds {expected:?}",
                self.create.key, self.create.range_end, self.next
            ));
        }
        self.next = last + 1;
        Ok(Heard::Events)
    }

    /// Everything up to `revision` was delivered, it says.
    fn on_progress(&mut self, truth: &Truth, revision: i64) -> Result<(), String> {
        if self.next == 0 {
            return Err("progress before the answer to the create request".into());
        }
        if let Some(missing) = self.expected(truth, revision).next() {
            return Err(format!("progress says {revision}, and {missing:?} was not delivered"));
        }
        self.next = self.next.max(revision + 1);
        Ok(())
    }

    fn on_canceled(&mut self, truth: &Truth, response: &WatchResponse) -> Result<Heard, String> {
        let gone = response.compact_revision;
        if gone == 0 {
            return Err(format!("canceled without a reason: {response}"));
        }
        if self.next >= gone || gone > truth.compacted() {
            let compacted = truth.compacted();
            return Err(format!("canceled for {gone} at position {}, where {compacted} is compacted", self.next));
        }
        self.interrupt();
        self.next = gone;
        Ok(Heard::Compacted)
    }
}

/// The pair before may be gone when it is compacted.
fn same_event(expected: &Event, received: &Event, compacted: i64) -> bool {
    let previous = expected.previous == received.previous
        || (received.previous.is_none() && expected.key_value.mod_revision <= compacted);
    previous && expected.kind == received.kind && expected.key_value == received.key_value
}

impl Stream {
    /// A response arrived; says what it was, and for which watcher.
    ///
    /// # Errors
    /// With the guarantee that it breaks.
    pub fn on_response(&mut self, truth: &Truth, response: &WatchResponse) -> Result<(Heard, usize), String> {
        self.credit -= 1;
        if self.credit < 0 && !response.fragment {
            let fragments = self.watchers.iter().any(|watcher| watcher.create.fragment);
            if !fragments {
                return Err("a response without credit".into());
            }
        }
        if response.watch_id < 0 {
            if response.created {
                return Err(format!("a watcher was refused: {:?}", response.refusal));
            }
            for watcher in self.watchers.iter_mut().filter(|watcher| watcher.created) {
                watcher.on_progress(truth, response.revision)?;
            }
            return Ok((Heard::Progress, 0));
        }
        let place = usize::try_from(response.watch_id - 1).map_err(|_| "a watch id of no watcher".to_string())?;
        let watcher = self.watchers.get_mut(place).ok_or("a watch id of no watcher")?;
        let heard = if response.created {
            if watcher.created || watcher.canceling || response.canceled {
                return Err(format!("created twice, or created and canceled: {response}"));
            }
            watcher.created = true;
            if watcher.next == 0 {
                watcher.next = response.revision + 1;
            }
            Heard::Created
        } else if response.canceled && response.compact_revision == 0 && std::mem::take(&mut watcher.canceling) {
            Heard::Canceled
        } else if !watcher.created {
            return Err(format!("a response to a watcher that was not created: {response}"));
        } else if response.canceled {
            watcher.on_canceled(truth, response)?
        } else if response.events.is_empty() {
            watcher.on_progress(truth, response.revision)?;
            Heard::Progress
        } else {
            watcher.on_events(truth, response)?
        };
        Ok((heard, place))
    }

    /// The node that served it is gone.
    pub fn interrupt(&mut self) {
        self.node = None;
        self.credit = 0;
        self.watchers.iter_mut().for_each(Watcher::interrupt);
    }
}

/// A key or range to watch.
pub fn watch(key: &str, range_end: &str) -> WatchCreate {
    WatchCreate { key: Bytes::from(key), range_end: Bytes::from(range_end), ..WatchCreate::default() }
}
