//! The service Watch (book/src/etcd.md#5).
//!
//! The hub in the replica decides everything; this module is only the pipe. A stream gets credit for [`CREDIT`]
//! responses, and credit is returned when the transport takes a response, never before: so a client that does not read
//! makes the hub hold a position, not this door a queue.
//!
//! Requests are read by a task of their own, because they must be read while responses are sent. The task ends with
//! the stream, and the stream with the task. A client that half-closes has no more requests, and still receives: its stream
//! ends when its call does.

use crate::backend::{Backend, Overloaded};
use crate::context::{Door, OVERLOAD_PAUSE, StreamStart, decode};
use crate::convert;
use crate::cut_off::cut_off;
use crate::fan_out::Delivery;
use crate::grpc::{Code, Content, Messages, Status};
use crate::metrics::MessageCounter;
use crate::proto::etcdserverpb as pb;
use crate::wire;
use bytes::Bytes;
use futures_util::Stream;
use hyper::body::Incoming;
use pb::watch_request::RequestUnion;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::Sleep;
use volvox_replica::watch::{Refusal, StreamId};
use volvox_replica::{Command, Error, WatchCommand, WatchCreate};
use volvox_service::{Caller, Error as ServiceError, Header, Request};

/// How many responses may be in flight from the hub to the transport.
const CREDIT: u32 = 32;
/// Credit is returned in lots of this size, so that it does not cost one command per response.
const CREDIT_LOT: u32 = 16;
/// Responses that wait together are sent together, up to this size.
const BATCH_BYTES: usize = 16 << 10;
/// How many create requests may be unanswered before the next is read.
const CREATES_MAX: u32 = 256;

/// Opens a watch stream.
pub(crate) fn serve<B: Backend>(
    door: &Arc<Door<B>>,
    messages: Messages<Incoming>,
    start: StreamStart,
) -> Result<Content, Status> {
    let (id, responses) = door.dispatcher.open_stream()?;
    let stream = OpenStream { door: Arc::clone(door), id };
    door.command(Command::Watch(WatchCommand::Open { stream: id }))?;
    door.command(Command::Watch(WatchCommand::Credit { stream: id, responses: CREDIT }))?;
    let creates = Arc::new(Creates::default());
    let (end, ended) = oneshot::channel();
    let counter = start.counter.clone();
    let reader = tokio::spawn({
        let (door, creates) = (Arc::clone(door), Arc::clone(&creates));
        async move {
            let status = read_until_end(&door, id, messages, &start, &creates).await;
            // There is no receiver when the client has gone.
            let _ = end.send(status);
        }
    });
    Ok(Content::Stream(Box::pin(Responses {
        stream,
        responses,
        ended,
        reader: reader.abort_handle(),
        creates,
        counter,
        taken: 0,
        pause: None,
        finished: false,
    })))
}

/// Closes the stream in the hub when it is dropped.
struct OpenStream<B: Backend> {
    door: Arc<Door<B>>,
    id: StreamId,
}

impl<B: Backend> Drop for OpenStream<B> {
    fn drop(&mut self) {
        self.door.dispatcher.close_stream(self.id);
        if self.door.backend.command(Command::Watch(WatchCommand::Close { stream: self.id })).is_err() {
            // The hub must be informed, or it would keep the stream until the node stops.
            let (door, stream) = (Arc::clone(&self.door), self.id);
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(async move { door.hand_over(Command::Watch(WatchCommand::Close { stream })).await });
            }
        }
    }
}

/// How many create requests wait for their answer: a client that only creates must not fill the hub.
#[derive(Default)]
struct Creates {
    waiting: AtomicU32,
    answered: Notify,
}

impl Creates {
    async fn begin(&self) {
        while self.waiting.load(Ordering::Acquire) >= CREATES_MAX {
            self.answered.notified().await;
        }
        self.waiting.fetch_add(1, Ordering::AcqRel);
    }

    fn end(&self) {
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        self.answered.notify_one();
    }
}

/// Reads requests, and returns how the stream ends: after the last request, when the server ends it.
async fn read_until_end<B: Backend>(
    door: &Door<B>,
    id: StreamId,
    mut messages: Messages<Incoming>,
    start: &StreamStart,
    creates: &Creates,
) -> Status {
    // The stream was admitted when it was opened, and ends by itself when its caller must not be served.
    let caller = Caller { requires_leader: false, ..start.caller.clone() };
    let requests = async {
        match read_requests(door, id, &caller, &mut messages, &start.counter, creates).await {
            Ok(()) => std::future::pending().await,
            Err(status) => status,
        }
    };
    tokio::select! {
        status = requests => status,
        status = cut_off(door, &start.caller) => status,
    }
}

async fn read_requests<B: Backend>(
    door: &Door<B>,
    id: StreamId,
    caller: &Caller,
    messages: &mut Messages<Incoming>,
    counter: &MessageCounter,
    creates: &Creates,
) -> Result<(), Status> {
    while let Some(message) = next(messages).await? {
        counter.received(message.len());
        let request: pb::WatchRequest = decode(message)?;
        match request.request_union {
            Some(RequestUnion::CreateRequest(create)) => {
                creates.begin().await;
                let create = convert::watch_create(&create);
                door.hand_over(Command::Watch(match refusal(door, caller, &create).await? {
                    None => WatchCommand::Create { stream: id, create },
                    Some(refusal) => WatchCommand::Refuse { stream: id, refusal },
                }))
                .await;
            }
            Some(RequestUnion::CancelRequest(cancel)) => {
                door.hand_over(Command::Watch(WatchCommand::Cancel { stream: id, watch_id: cancel.watch_id })).await;
            }
            Some(RequestUnion::ProgressRequest(_)) => {
                door.hand_over(Command::Watch(WatchCommand::Progress { stream: id })).await
            }
            None => {}
        }
    }
    Ok(())
}

/// Asks the service whether the caller may watch a range (book/src/etcd.md#5.2). A revision that does not exist is refused
/// before that, in the hub.
async fn refusal<B: Backend>(door: &Door<B>, caller: &Caller, create: &WatchCreate) -> Result<Option<Refusal>, Status> {
    if create.start_revision < 0 {
        return Ok(None);
    }
    let key = if create.key.is_empty() { volvox_core::Bytes::from(&[0][..]) } else { create.key.clone() };
    match door.call(caller, Request::Watch { key, range_end: create.range_end.clone() }).await {
        Ok(_) => Ok(None),
        Err(ServiceError::InvalidToken) => Ok(Some(Refusal::InvalidToken)),
        Err(ServiceError::Store(error)) => Ok(Some(Refusal::Forbidden(error))),
        Err(other) => Err(other.into()),
    }
}

/// The next message of a stream; a client that breaks it off canceled the watch.
async fn next(messages: &mut Messages<Incoming>) -> Result<Option<Bytes>, Status> {
    messages.next().await.map_err(|status| match status.code {
        Code::Canceled => Status::new(Code::Canceled, "etcdserver: watch canceled"),
        _ => status,
    })
}

/// The responses, as the transport takes them.
struct Responses<B: Backend> {
    stream: OpenStream<B>,
    responses: mpsc::UnboundedReceiver<Delivery>,
    ended: oneshot::Receiver<Status>,
    reader: AbortHandle,
    creates: Arc<Creates>,
    counter: MessageCounter,
    /// Responses taken and not yet returned as credit.
    taken: u32,
    /// Until credit is offered again to a node that was too busy for it.
    pause: Option<Pin<Box<Sleep>>>,
    finished: bool,
}

impl<B: Backend> Responses<B> {
    /// Encodes one response, and returns credit for it.
    fn take(&mut self, delivery: &Delivery, out: &mut Vec<u8>) -> Result<(), Status> {
        let response = &delivery.response;
        if response.created {
            self.creates.end();
        }
        self.counter.sent(1);
        let door = &self.stream.door;
        door.metrics.events.add(response.events.len() as u64);
        let (events, is_new) = delivery.events();
        door.metrics.encodings.add(u64::from(is_new));
        wire::watch(Header::at(&door.backend.view(), response.revision), response, &events, out)?;
        self.taken += 1;
        Ok(())
    }

    /// Returns credit; if the node does not keep up, a little later.
    fn return_credit(&mut self, cx: &mut Context<'_>) {
        if self.taken < CREDIT_LOT {
            return;
        }
        if let Some(pause) = &mut self.pause
            && pause.as_mut().poll(cx).is_pending()
        {
            return;
        }
        self.pause = None;
        let credit = Command::Watch(WatchCommand::Credit { stream: self.stream.id, responses: self.taken });
        match self.stream.door.backend.command(credit) {
            Ok(()) => self.taken = 0,
            Err(Overloaded) => {
                let mut pause = Box::pin(tokio::time::sleep(OVERLOAD_PAUSE));
                if pause.as_mut().poll(cx).is_pending() {
                    self.pause = Some(pause);
                }
            }
        }
    }
}

impl<B: Backend> Stream for Responses<B> {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        let this = &mut *self;
        if this.finished {
            return Poll::Ready(None);
        }
        let mut batch = Vec::new();
        while batch.len() < BATCH_BYTES {
            this.return_credit(cx);
            match this.responses.poll_recv(cx) {
                Poll::Ready(Some(delivery)) => {
                    if let Err(status) = this.take(&delivery, &mut batch) {
                        this.finished = true;
                        return Poll::Ready(Some(Err(status)));
                    }
                }
                Poll::Ready(None) => unreachable!("the sender is removed when this is dropped"),
                Poll::Pending if !batch.is_empty() => break,
                Poll::Pending => {
                    let Poll::Ready(ended) = Pin::new(&mut this.ended).poll(cx) else {
                        return Poll::Pending;
                    };
                    this.finished = true;
                    return Poll::Ready(Some(Err(ended.unwrap_or_else(|_| Error::Stopped.into()))));
                }
            }
        }
        Poll::Ready(Some(Ok(Bytes::from(batch))))
    }
}

impl<B: Backend> Drop for Responses<B> {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
