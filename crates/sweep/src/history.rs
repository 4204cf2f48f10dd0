//! The answers to clients, judged without the clients: a course that is replayed by hand contains only the requests.
//!
//! The checks are weaker than in the sweep itself, where a client knows what it wrote: the revision of an answer is not
//! older than any answer before the request, nor is the view of a read, watchers get the events of the history, and
//! leases live as long as promised.

use crate::truth::Truth;
use crate::watchers::{Stream, Watcher};
use std::collections::BTreeMap;
use volvox_core::{Instant, NodeId};
use volvox_replica::{Command, Event, Replica, Reply, Request, StreamId, Ticket, WatchCommand};
use volvox_store::{Command as Write, Reply as StoreReply};

/// The requests and the answers.
#[derive(Clone, Default)]
pub(crate) struct History {
    asked: BTreeMap<Ticket, Asked>,
    streams: BTreeMap<StreamId, Stream>,
    /// The highest revision in any answer.
    floor: i64,
}

#[derive(Clone)]
struct Asked {
    node: NodeId,
    at: Instant,
    floor: i64,
    request: Request,
}

impl History {
    /// A client sends a request to a running node.
    pub fn on_command(&mut self, node: NodeId, command: &Command, truth: &mut Truth, at: Instant) {
        match command {
            Command::Request { ticket, request } => {
                if let Request::Write(Write::LeaseRevoke(revoke)) = request {
                    truth.leases.on_revoke(revoke.id);
                }
                let asked = Asked { node, at, floor: self.floor, request: request.clone() };
                self.asked.insert(*ticket, asked);
            }
            Command::Forget { ticket } => {
                self.asked.remove(ticket);
            }
            Command::Watch(WatchCommand::Open { stream }) => {
                let opened = Stream { id: *stream, node: Some(node), watchers: Vec::new(), credit: 0 };
                self.streams.insert(*stream, opened);
            }
            Command::Watch(WatchCommand::Credit { stream, responses }) => {
                if let Some(stream) = self.streams.get_mut(stream) {
                    stream.credit += i64::from(*responses);
                }
            }
            Command::Watch(WatchCommand::Create { stream, create }) => {
                let place = usize::try_from(create.watch_id - 1).unwrap_or_default();
                if let Some(stream) = self.streams.get_mut(stream) {
                    // Courses name their watchers 1, 2, 3; removed ones need placeholders.
                    stream.watchers.resize(stream.watchers.len().max(place + 1), Watcher::new(create.clone()));
                    let canceling = stream.watchers[place].canceling;
                    stream.watchers[place] = Watcher::new(create.clone());
                    stream.watchers[place].canceling = canceling;
                }
            }
            Command::Watch(WatchCommand::Cancel { stream, watch_id }) => {
                let place = usize::try_from(watch_id - 1).ok();
                let stream = self.streams.get_mut(stream);
                if let Some(watcher) = stream.zip(place).and_then(|(stream, place)| stream.watchers.get_mut(place)) {
                    watcher.canceling = true;
                }
            }
            Command::Watch(WatchCommand::Close { stream }) => {
                self.streams.remove(stream);
            }
            _ => {}
        }
    }

    /// A process ended, and with it all its connections.
    pub fn on_crashed(&mut self, node: NodeId) {
        self.asked.retain(|_, asked| asked.node != node);
        self.streams.retain(|_, stream| stream.node != Some(node));
    }

    /// A node told something.
    ///
    /// # Errors
    /// With what is wrong about it.
    pub fn on_event(
        &mut self,
        node: NodeId,
        event: &Event,
        replica: Option<&Replica>,
        truth: &mut Truth,
    ) -> Result<(), String> {
        match event {
            Event::Reply { ticket, result: Ok(reply) } => {
                let Some(asked) = self.asked.remove(ticket) else { return Ok(()) };
                self.on_reply(&asked, reply, replica, truth)
            }
            Event::Reply { ticket, .. } => {
                self.asked.remove(ticket);
                Ok(())
            }
            // Of a course with something left out a watcher may ask for what is there already.
            Event::Watch { response, .. } if response.created && response.watch_id < 0 => Ok(()),
            Event::Watch { stream, response } => match self.streams.get_mut(stream) {
                Some(watching) if watching.node == Some(node) => {
                    watching.on_response(truth, response).map(drop).map_err(|text| format!("{stream:?}: {text}"))
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn on_reply(
        &mut self,
        asked: &Asked,
        reply: &Reply,
        replica: Option<&Replica>,
        truth: &mut Truth,
    ) -> Result<(), String> {
        let revision = match (reply, replica) {
            (Reply::Written(reply), _) => reply.revision(),
            (Reply::ReadReady, Some(replica)) => replica.store().state().revision(),
            _ => self.floor,
        };
        if revision < asked.floor {
            return Err(format!("answered at {revision}, and {} was known before it was asked", asked.floor));
        }
        self.floor = self.floor.max(revision);
        match (&asked.request, reply) {
            (Request::LeaseKeepAlive { lease }, Reply::KeptAlive { ttl }) if *ttl > 0 => {
                truth.leases.on_alive(*lease, asked.at, *ttl).map(drop)
            }
            (_, Reply::Written(StoreReply::LeaseGrant(reply))) => {
                truth.leases.on_alive(reply.id, asked.at, reply.ttl).map(drop)
            }
            _ => Ok(()),
        }
    }
}
