//! Takes the messages out of a request body.

use super::{Code, PREFIX_BYTES, Status};
use bytes::{Buf, Bytes, BytesMut};
use hyper::body::Body;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many bytes of unfinished messages the door holds, over all connections: this bounds the memory of clients that
/// begin long messages and do not end them.
#[derive(Debug)]
pub struct Budget {
    held: AtomicUsize,
    limit: usize,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Budget {
        Budget { held: AtomicUsize::new(0), limit }
    }

    /// Takes bytes until the guard goes; `None` when there are not that many.
    pub fn hold(budget: &Arc<Budget>, bytes: usize) -> Option<Held> {
        let held = Held { budget: Arc::clone(budget), bytes };
        budget.take(bytes).then_some(held)
    }

    fn take(&self, bytes: usize) -> bool {
        bytes == 0 || self.held.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.limit
    }

    fn give_back(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// A part of a budget, until it is dropped.
#[derive(Debug)]
pub struct Held {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

/// The messages of one request body.
///
/// A message that arrived in one piece is returned without copying; only messages that span pieces are collected.
pub struct Messages<B> {
    body: B,
    /// The rest of the last piece, while nothing is collected.
    piece: Bytes,
    /// A message that spans pieces, so far.
    collected: BytesMut,
    /// The part of the budget that `collected` took.
    held: usize,
    budget: Arc<Budget>,
    message_bytes_max: usize,
    ended: bool,
}

impl<B> Messages<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    /// Reads `body`; a message has at most this many bytes.
    pub fn new(body: B, message_bytes_max: usize, budget: Arc<Budget>) -> Messages<B> {
        let (piece, collected) = (Bytes::new(), BytesMut::new());
        Messages { body, piece, collected, held: 0, budget, message_bytes_max, ended: false }
    }

    /// The next message; `None` when the client has no more.
    ///
    /// # Errors
    /// The status for the client: its message is too large, compressed or truncated, or it went away.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(Some(message));
            }
            if self.ended || self.body.is_end_stream() {
                let rest = self.piece.len() + self.collected.len();
                return if rest == 0 { Ok(None) } else { Err(Status::new(Code::Internal, "grpc: unexpected EOF")) };
            }
            match poll_fn(|cx| Pin::new(&mut self.body).poll_frame(cx)).await {
                None => self.ended = true,
                Some(Err(_)) => return Err(Status::new(Code::Canceled, "context canceled")),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.add(data)?,
                    Err(_trailers) => self.ended = true,
                },
            }
        }
    }

    /// The one message of a unary call, and that it is the only one.
    ///
    /// # Errors
    /// As [`Messages::next`], and when there is not exactly one.
    pub async fn only(&mut self) -> Result<Bytes, Status> {
        let Some(message) = self.next().await? else {
            return Err(Status::new(Code::Internal, "grpc: a request without a message"));
        };
        match self.next().await? {
            None => Ok(message),
            Some(_) => Err(Status::new(Code::Internal, "grpc: a second message in a unary request")),
        }
    }

    fn add(&mut self, data: Bytes) -> Result<(), Status> {
        if self.piece.is_empty() && self.collected.is_empty() {
            self.piece = data;
            return Ok(());
        }
        let more = self.piece.len() + data.len();
        self.held += more;
        if !self.budget.take(more) {
            return Err(Status::from(volvox_replica::Error::TooManyRequests));
        }
        self.collected.extend_from_slice(&self.piece);
        self.collected.extend_from_slice(&data);
        self.piece = Bytes::new();
        Ok(())
    }

    /// Takes a message if all of it is here.
    fn take(&mut self) -> Result<Option<Bytes>, Status> {
        let here: &[u8] = if self.collected.is_empty() { &self.piece } else { &self.collected };
        let Some(prefix) = here.first_chunk::<PREFIX_BYTES>() else {
            return Ok(None);
        };
        let size = check_prefix(*prefix, self.message_bytes_max)?;
        if here.len() < PREFIX_BYTES + size {
            return Ok(None);
        }
        if self.collected.is_empty() {
            self.piece.advance(PREFIX_BYTES);
            return Ok(Some(self.piece.split_to(size)));
        }
        self.collected.advance(PREFIX_BYTES);
        let message = self.collected.split_to(size).freeze();
        if self.collected.is_empty() {
            self.release();
        }
        Ok(Some(message))
    }

    fn release(&mut self) {
        self.collected = BytesMut::new();
        self.budget.give_back(std::mem::take(&mut self.held));
    }
}

impl<B> Drop for Messages<B> {
    fn drop(&mut self) {
        self.budget.give_back(self.held);
    }
}

fn check_prefix(prefix: [u8; PREFIX_BYTES], message_bytes_max: usize) -> Result<usize, Status> {
    let [compressed, size @ ..] = prefix;
    match compressed {
        0 => {}
        1 => return Err(Status::new(Code::Unimplemented, "grpc: Decompressor is not installed for grpc-encoding")),
        _ => return Err(Status::new(Code::Internal, "grpc: received unexpected payload format")),
    }
    let size = u32::from_be_bytes(size) as usize;
    if size > message_bytes_max {
        let text = format!("grpc: received message larger than max ({size} vs. {message_bytes_max})");
        return Err(Status::with(Code::ResourceExhausted, text));
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use std::convert::Infallible;

    fn messages(pieces: &[&[u8]], limit: usize, budget: &Arc<Budget>) -> Messages<impl Body<Data = Bytes> + Unpin> {
        let frames: Vec<Result<Frame<Bytes>, Infallible>> =
            pieces.iter().map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece)))).collect();
        Messages::new(StreamBody::new(futures_util::stream::iter(frames)), limit, Arc::clone(budget))
    }

    fn budget() -> Arc<Budget> {
        Arc::new(Budget::new(64))
    }

    #[tokio::test]
    async fn a_message_is_found_however_it_is_cut() {
        let bytes = b"\0\0\0\0\x03abc\0\0\0\0\0\0\0\0\0\x01x";
        for step in 1..=bytes.len() {
            let budget = budget();
            let pieces: Vec<&[u8]> = bytes.chunks(step).collect();
            let mut messages = messages(&pieces, 8, &budget);
            assert_eq!(messages.next().await, Ok(Some(Bytes::from_static(b"abc"))), "cut every {step}");
            assert_eq!(messages.next().await, Ok(Some(Bytes::new())), "cut every {step}");
            assert_eq!(messages.next().await, Ok(Some(Bytes::from_static(b"x"))), "cut every {step}");
            assert_eq!(messages.next().await, Ok(None), "cut every {step}");
            drop(messages);
            assert_eq!(budget.held.load(Ordering::Relaxed), 0);
        }
    }

    #[tokio::test]
    async fn hostile_prefixes_are_refused() {
        let too_large = messages(&[b"\0\xff\xff\xff\xff"], 8, &budget()).next().await.unwrap_err();
        assert_eq!(too_large.code, Code::ResourceExhausted);
        assert_eq!(too_large.message, "grpc: received message larger than max (4294967295 vs. 8)");
        assert_eq!(messages(&[b"\x01\0\0\0\0"], 8, &budget()).next().await.unwrap_err().code, Code::Unimplemented);
        assert_eq!(messages(&[b"\x07\0\0\0\0"], 8, &budget()).next().await.unwrap_err().code, Code::Internal);
        assert_eq!(messages(&[b"\0\0\0\0\x02a"], 8, &budget()).next().await.unwrap_err().code, Code::Internal);
        assert_eq!(messages(&[], 8, &budget()).only().await.unwrap_err().code, Code::Internal);
        assert_eq!(messages(&[&[0; 10]], 8, &budget()).only().await.unwrap_err().code, Code::Internal);
    }

    #[tokio::test]
    async fn unfinished_messages_are_bounded_over_all_connections() {
        let shared = budget();
        let mut first = messages(&[b"\0\0\0\0\x60", &[7; 50]], 100, &shared);
        assert!(first.next().await.is_err(), "it never ends");
        let mut second = messages(&[b"\0\0\0\0\x60", &[7; 50]], 100, &shared);
        assert_eq!(second.next().await.unwrap_err().code, Code::ResourceExhausted);
        drop(first);
        drop(second);
        let mut third = messages(&[b"\0\0\0\0\x05", &[7; 5]], 100, &shared);
        assert_eq!(third.only().await, Ok(Bytes::from_static(&[7; 5])));
    }
}
