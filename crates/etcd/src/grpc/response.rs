//! Responses: one message, a long one in pieces, a stream of messages, or plain HTTP.

use super::{Code, Status, status::GRPC_STATUS};
use crate::metrics::Call;
use bytes::Bytes;
use futures_util::Stream;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::body::{Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// How many bytes of one long answer are sent before others get a turn.
const TURN_BYTES: usize = 256 << 10;

/// The content of an answer.
pub enum Content {
    /// One message, complete with its prefix.
    Message(Bytes),
    /// One message in pieces, made as the transport takes them.
    Pieces(Box<dyn Iterator<Item = Bytes> + Send>),
    /// Messages, each complete with its prefix; several may be in one item.
    Stream(Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>),
    /// Plain HTTP: no trailers.
    Plain(Bytes),
}

/// The body of a response.
pub struct Body {
    state: State,
    turn_bytes: usize,
    /// Counts how the call ended; a body that is dropped before its end was canceled.
    call: Option<Call>,
}

enum State {
    Content(Content),
    Trailers,
    Done,
}

impl Body {
    /// A body of plain HTTP.
    pub fn plain(content: Bytes) -> Body {
        Body { state: State::Content(Content::Plain(content)), turn_bytes: 0, call: None }
    }

    fn end(&mut self, status: &Status) -> HeaderMap {
        self.state = State::Done;
        if let Some(call) = self.call.take() {
            call.finish(status.code);
        }
        let mut trailers = HeaderMap::with_capacity(2);
        status.write(&mut trailers);
        trailers
    }

    fn data(&mut self, data: Bytes) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(call) = &self.call {
            call.sent_bytes(data.len());
        }
        Poll::Ready(Some(Ok(Frame::data(data))))
    }
}

/// Makes the response of a call; an error becomes one without a message.
pub fn respond(answer: Result<Content, Status>, call: Call) -> http::Response<Body> {
    let content = match answer {
        Ok(content) => content,
        Err(status) => {
            call.finish(status.code);
            return refuse(&status);
        }
    };
    if !matches!(content, Content::Stream(_)) {
        call.sent_message();
    }
    grpc_response(Body { state: State::Content(content), turn_bytes: 0, call: Some(call) })
}

/// The response of a call that is refused: a status and no message.
pub fn refuse(status: &Status) -> http::Response<Body> {
    let mut response = grpc_response(Body { state: State::Done, turn_bytes: 0, call: None });
    status.write(response.headers_mut());
    response
}

fn grpc_response(body: Body) -> http::Response<Body> {
    let mut response = http::Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        match &mut this.state {
            State::Content(Content::Message(message)) => {
                let message = std::mem::take(message);
                this.state = State::Trailers;
                this.data(message)
            }
            State::Content(Content::Pieces(pieces)) => {
                if this.turn_bytes >= TURN_BYTES {
                    this.turn_bytes = 0;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                match pieces.next() {
                    Some(piece) => {
                        this.turn_bytes += piece.len();
                        this.data(piece)
                    }
                    None => Poll::Ready(Some(Ok(Frame::trailers(this.end(&OK))))),
                }
            }
            State::Content(Content::Stream(stream)) => match ready!(stream.as_mut().poll_next(cx)) {
                Some(Ok(data)) => this.data(data),
                Some(Err(status)) => Poll::Ready(Some(Ok(Frame::trailers(this.end(&status))))),
                None => Poll::Ready(Some(Ok(Frame::trailers(this.end(&OK))))),
            },
            State::Content(Content::Plain(content)) => {
                let content = std::mem::take(content);
                this.state = State::Done;
                if content.is_empty() { Poll::Ready(None) } else { Poll::Ready(Some(Ok(Frame::data(content)))) }
            }
            State::Trailers => {
                this.state = State::Done;
                if let Some(call) = this.call.take() {
                    call.finish(Code::Ok);
                }
                let mut trailers = HeaderMap::with_capacity(1);
                trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            State::Done => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Done)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Content(Content::Plain(content)) => SizeHint::with_exact(content.len() as u64),
            State::Done => SizeHint::with_exact(0),
            _ => SizeHint::default(),
        }
    }
}

const OK: Status = Status::new(Code::Ok, "");
