//! Encodes responses directly from the store's pairs to the bytes of the protocol.
//!
//! The messages that carry keys and values are the ones that are sent often and grow large. They are encoded here
//! without intermediate generated types: sizes first, then one pass over the pairs, each byte copied once, from where
//! the store keeps it to the frame that is sent. A test compares every function with the generated encoder.

use crate::grpc::{Code, Content, PREFIX_BYTES, Status, prefix, write_prefix, write_size};
use crate::refusal::cancel_reason;
use bytes::Bytes;
use std::ops::ControlFlow;
use volvox_replica::watch::WatchResponse;
use volvox_service::{Error, Header, Reading};
use volvox_store::{
    DeleteRangeResponse, Event, EventKind, PairRef, PutResponse, RangeResponse, RangeSummary, ResponseOp, TxnResponse,
};

/// A long answer is sent in pieces of about this size.
const PIECE_BYTES: usize = 64 << 10;
/// From here on an answer is long.
const LONG_BYTES: usize = 4 * PIECE_BYTES;
/// gRPC's limit for what a server sends.
const MESSAGE_BYTES_MAX: usize = i32::MAX as usize;

/// The answer to a read. A long one is encoded piece by piece, when the transport takes it: the node is not held up,
/// and a client that reads slowly holds references to pairs, not their copies.
///
/// # Errors
/// When the message would be larger than gRPC allows.
pub fn range(header: Header, response: RangeResponse) -> Result<Content, Status> {
    let size = range_size(&header, &response);
    check_size(size)?;
    if size < LONG_BYTES {
        let mut out = prefix(size);
        write_range(&header, &response, &mut out);
        return Ok(Content::Message(Bytes::from(out)));
    }
    let mut first = Vec::with_capacity(PIECE_BYTES);
    write_prefix(size, &mut first);
    write_header(&header, &mut first);
    Ok(Content::Pieces(Box::new(RangePieces { response, next: 0, piece: first, done: false })))
}

/// Reads pairs and writes the answer in the same walk: nothing of a pair is kept between the store and the frame.
/// `None` when the answer is long: then use [`range`].
///
/// # Errors
/// As [`Reading::visit`].
pub fn short_range(header: Header, reading: &Reading) -> Result<Option<Content>, Error> {
    let mut out = prefix(message_size(header_size(&header)));
    write_header(&header, &mut out);
    let begin = out.len();
    let summary = reading.visit(&mut |pair| {
        let content_size = pair_content_size(&pair);
        let size = message_size(content_size);
        if out.len() + size >= LONG_BYTES {
            return ControlFlow::Break(());
        }
        if out.len() == begin {
            // Adjacent pairs are often of one size.
            let pairs = usize::try_from(reading.request().limit).unwrap_or_default().max(1);
            out.reserve(pairs.saturating_mul(size).min(LONG_BYTES - begin) + size);
        }
        write_sized_pair(2, &pair, content_size, &mut out);
        ControlFlow::Continue(())
    })?;
    let Some(RangeSummary { more, count, .. }) = summary else {
        return Ok(None);
    };
    write_number(3, u64::from(more), &mut out);
    write_number(4, count as u64, &mut out);
    write_size(&mut out);
    Ok(Some(Content::Message(Bytes::from(out))))
}

/// The answer to a put.
pub fn put(header: Header, response: &PutResponse) -> Content {
    let mut out = prefix(put_size(&header, response));
    write_put(&header, response, &mut out);
    Content::Message(Bytes::from(out))
}

/// The answer to a delete.
///
/// # Errors
/// When the message would be larger than gRPC allows.
pub fn delete_range(header: Header, response: &DeleteRangeResponse) -> Result<Content, Status> {
    let size = delete_size(&header, response);
    check_size(size)?;
    let mut out = prefix(size);
    write_delete(&header, response, &mut out);
    Ok(Content::Message(Bytes::from(out)))
}

/// The answer to a transaction.
///
/// # Errors
/// When the message would be larger than gRPC allows.
pub fn txn(header: Header, response: &TxnResponse) -> Result<Content, Status> {
    let size = txn_size(&header, response);
    check_size(size)?;
    let mut out = prefix(size);
    write_txn(&header, response, &mut out);
    Ok(Content::Message(Bytes::from(out)))
}

/// Appends one response of a watch stream, complete with its prefix. `events` are those of the response, as [`events`]
/// encodes them.
///
/// # Errors
/// When the message would be larger than gRPC allows.
pub fn watch(header: Header, response: &WatchResponse, events: &[u8], out: &mut Vec<u8>) -> Result<(), Status> {
    let reason = cancel_reason(response.refusal).as_bytes();
    let size = message_size(header_size(&header))
        + number_size(response.watch_id as u64)
        + flag_size(response.created)
        + flag_size(response.canceled)
        + number_size(response.compact_revision as u64)
        + bytes_size(reason)
        + flag_size(response.fragment)
        + events.len();
    check_size(size)?;
    out.reserve(PREFIX_BYTES + size);
    write_prefix(size, out);
    write_header(&header, out);
    write_number(2, response.watch_id as u64, out);
    write_number(3, u64::from(response.created), out);
    write_number(4, u64::from(response.canceled), out);
    write_number(5, response.compact_revision as u64, out);
    write_bytes(6, reason, out);
    write_number(7, u64::from(response.fragment), out);
    out.extend_from_slice(events);
    Ok(())
}

/// The events of a watch response as its last fields: the same bytes for every watcher that gets them.
pub fn events(events: &[Event]) -> Bytes {
    let mut out = Vec::with_capacity(events.iter().map(|event| message_size(event_size(event))).sum());
    for event in events {
        write_message_start(11, event_size(event), &mut out);
        write_event(event, &mut out);
    }
    Bytes::from(out)
}

fn header_size(header: &Header) -> usize {
    number_size(header.cluster)
        + number_size(header.member)
        + number_size(header.revision as u64)
        + number_size(header.term)
}

fn write_header(header: &Header, out: &mut Vec<u8>) {
    write_message_start(1, header_size(header), out);
    write_number(1, header.cluster, out);
    write_number(2, header.member, out);
    write_number(3, header.revision as u64, out);
    write_number(4, header.term, out);
}

fn check_size(size: usize) -> Result<(), Status> {
    if size <= MESSAGE_BYTES_MAX {
        return Ok(());
    }
    let text = format!("grpc: trying to send message larger than max ({size} vs. {MESSAGE_BYTES_MAX})");
    Err(Status::with(Code::ResourceExhausted, text))
}

/// The pairs of a long answer, some of them at a time.
struct RangePieces {
    response: RangeResponse,
    next: usize,
    piece: Vec<u8>,
    done: bool,
}

impl Iterator for RangePieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.done {
            return None;
        }
        while self.piece.len() < PIECE_BYTES {
            let Some(pair) = self.response.kvs.get_mut(self.next) else {
                write_number(3, u64::from(self.response.more), &mut self.piece);
                write_number(4, self.response.count as u64, &mut self.piece);
                self.done = true;
                break;
            };
            // A pair that was sent is released at once.
            let pair = std::mem::take(pair);
            write_pair(2, &pair.borrowed(), &mut self.piece);
            self.next += 1;
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE_BYTES));
        Some(Bytes::from(piece))
    }
}

fn range_size(header: &Header, response: &RangeResponse) -> usize {
    message_size(header_size(header))
        + response.kvs.iter().map(|pair| pair_size(&pair.borrowed())).sum::<usize>()
        + flag_size(response.more)
        + number_size(response.count as u64)
}

fn write_range(header: &Header, response: &RangeResponse, out: &mut Vec<u8>) {
    write_header(header, out);
    for pair in &response.kvs {
        write_pair(2, &pair.borrowed(), out);
    }
    write_number(3, u64::from(response.more), out);
    write_number(4, response.count as u64, out);
}

fn put_size(header: &Header, response: &PutResponse) -> usize {
    message_size(header_size(header)) + response.prev_kv.as_ref().map_or(0, |pair| pair_size(&pair.borrowed()))
}

fn write_put(header: &Header, response: &PutResponse, out: &mut Vec<u8>) {
    write_header(header, out);
    if let Some(pair) = &response.prev_kv {
        write_pair(2, &pair.borrowed(), out);
    }
}

fn delete_size(header: &Header, response: &DeleteRangeResponse) -> usize {
    message_size(header_size(header))
        + number_size(response.deleted as u64)
        + response.prev_kvs.iter().map(|pair| pair_size(&pair.borrowed())).sum::<usize>()
}

fn write_delete(header: &Header, response: &DeleteRangeResponse, out: &mut Vec<u8>) {
    write_header(header, out);
    write_number(2, response.deleted as u64, out);
    for pair in &response.prev_kvs {
        write_pair(3, &pair.borrowed(), out);
    }
}

/// A nested answer has a header with only the revision; that of a nested transaction is empty (book/src/etcd.md#3.2).
fn nested_header(op: &ResponseOp) -> Header {
    let revision = match op {
        ResponseOp::Range(range) => range.revision,
        ResponseOp::Put(put) => put.revision,
        ResponseOp::DeleteRange(delete) => delete.revision,
        ResponseOp::Txn(_) => 0,
    };
    Header { revision, ..Header::default() }
}

fn op_size(op: &ResponseOp) -> usize {
    let header = nested_header(op);
    match op {
        ResponseOp::Range(range) => range_size(&header, range),
        ResponseOp::Put(put) => put_size(&header, put),
        ResponseOp::DeleteRange(delete) => delete_size(&header, delete),
        ResponseOp::Txn(txn) => txn_size(&header, txn),
    }
}

fn write_op(op: &ResponseOp, out: &mut Vec<u8>) {
    let (header, size) = (nested_header(op), op_size(op));
    write_message_start(3, message_size(size), out);
    match op {
        ResponseOp::Range(range) => {
            write_message_start(1, size, out);
            write_range(&header, range, out);
        }
        ResponseOp::Put(put) => {
            write_message_start(2, size, out);
            write_put(&header, put, out);
        }
        ResponseOp::DeleteRange(delete) => {
            write_message_start(3, size, out);
            write_delete(&header, delete, out);
        }
        ResponseOp::Txn(txn) => {
            write_message_start(4, size, out);
            write_txn(&header, txn, out);
        }
    }
}

fn txn_size(header: &Header, response: &TxnResponse) -> usize {
    message_size(header_size(header))
        + flag_size(response.succeeded)
        + response.responses.iter().map(|op| message_size(message_size(op_size(op)))).sum::<usize>()
}

fn write_txn(header: &Header, response: &TxnResponse, out: &mut Vec<u8>) {
    write_header(header, out);
    write_number(2, u64::from(response.succeeded), out);
    for op in &response.responses {
        write_op(op, out);
    }
}

fn event_size(event: &Event) -> usize {
    flag_size(event.kind == EventKind::Delete)
        + pair_size(&event.key_value.borrowed())
        + event.previous.as_ref().map_or(0, |pair| pair_size(&pair.borrowed()))
}

fn write_event(event: &Event, out: &mut Vec<u8>) {
    write_number(1, u64::from(event.kind == EventKind::Delete), out);
    write_pair(2, &event.key_value.borrowed(), out);
    if let Some(pair) = &event.previous {
        write_pair(3, &pair.borrowed(), out);
    }
}

/// How much a pair takes as a field of a message.
fn pair_size(pair: &PairRef<'_>) -> usize {
    message_size(pair_content_size(pair))
}

fn pair_content_size(pair: &PairRef<'_>) -> usize {
    bytes_size(pair.key)
        + number_size(pair.create_revision as u64)
        + number_size(pair.mod_revision as u64)
        + number_size(pair.version as u64)
        + bytes_size(pair.value)
        + number_size(pair.lease as u64)
}

fn write_pair(field: u8, pair: &PairRef<'_>, out: &mut Vec<u8>) {
    write_sized_pair(field, pair, pair_content_size(pair), out);
}

fn write_sized_pair(field: u8, pair: &PairRef<'_>, content_size: usize, out: &mut Vec<u8>) {
    let mut head = Few::default();
    head.message_start(field, content_size);
    if !pair.key.is_empty() {
        head.message_start(1, pair.key.len());
    }
    out.extend_from_slice(head.as_slice());
    out.extend_from_slice(pair.key);
    let mut middle = Few::default();
    middle.number(2, pair.create_revision as u64);
    middle.number(3, pair.mod_revision as u64);
    middle.number(4, pair.version as u64);
    if !pair.value.is_empty() {
        middle.message_start(5, pair.value.len());
    }
    out.extend_from_slice(middle.as_slice());
    out.extend_from_slice(pair.value);
    write_number(6, pair.lease as u64, out);
}

/// A few fields that are appended at once: at most four numbers of 64 bits, each behind its tag.
#[derive(Default)]
struct Few {
    bytes: [[u8; 11]; 4],
    length: usize,
}

impl Few {
    fn number(&mut self, field: u8, number: u64) {
        if number != 0 {
            self.push(field << 3);
            self.varint(number);
        }
    }

    fn message_start(&mut self, field: u8, size: usize) {
        self.push(field << 3 | 2);
        self.varint(size as u64);
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.push(number as u8);
    }

    fn push(&mut self, byte: u8) {
        self.bytes.as_flattened_mut()[self.length] = byte;
        self.length += 1;
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes.as_flattened()[..self.length]
    }
}

/// How many bytes a varint takes.
fn varint_size(number: u64) -> usize {
    (70 - (number | 1).leading_zeros() as usize) / 7
}

fn write_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Every field number here is below 16: a tag is one byte. Zero and empty fields are left out (proto3).
fn number_size(number: u64) -> usize {
    if number == 0 { 0 } else { 1 + varint_size(number) }
}

fn flag_size(flag: bool) -> usize {
    if flag { 2 } else { 0 }
}

fn bytes_size(bytes: &[u8]) -> usize {
    if bytes.is_empty() { 0 } else { message_size(bytes.len()) }
}

fn message_size(size: usize) -> usize {
    1 + varint_size(size as u64) + size
}

fn write_number(field: u8, number: u64, out: &mut Vec<u8>) {
    if number != 0 {
        out.push(field << 3);
        write_varint(number, out);
    }
}

fn write_message_start(field: u8, size: usize, out: &mut Vec<u8>) {
    out.push(field << 3 | 2);
    write_varint(size as u64, out);
}

fn write_bytes(field: u8, bytes: &[u8], out: &mut Vec<u8>) {
    if !bytes.is_empty() {
        write_message_start(field, bytes.len(), out);
        out.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests;
