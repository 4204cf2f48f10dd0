//! Answers written straight from the store's pairs to the bytes of the protocol.
//!
//! The messages that carry keys and values are the ones that are sent often and grow large. They are encoded here
//! without the generated types between: sizes first, then one pass over the pairs, each byte copied once, from where
//! the store keeps it to the frame that is sent. A test holds every function against the generated encoder.

use crate::grpc::{Code, Content, PREFIX_BYTES, Status, prefix, write_prefix};
use bytes::Bytes;
use volvox_replica::watch::WatchResponse;
use volvox_store::{
    DeleteRangeResponse, Event, EventKind, KeyValue, PutResponse, RangeResponse, ResponseOp, TxnResponse,
};

/// A long answer is sent in pieces of about this size.
const PIECE_BYTES: usize = 64 << 10;
/// From here on an answer is long.
const LONG_BYTES: usize = 4 * PIECE_BYTES;
/// gRPC's limit for what a server sends.
const MESSAGE_BYTES_MAX: usize = i32::MAX as usize;

/// What stands in the header of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Header {
    /// The cluster.
    pub cluster: u64,
    /// The member that answers.
    pub member: u64,
    /// The store's revision.
    pub revision: i64,
    /// The term of the member that answers.
    pub term: u64,
}

impl Header {
    /// The same header with another revision.
    pub fn at(self, revision: i64) -> Header {
        Header { revision, ..self }
    }

    fn size(&self) -> usize {
        number_size(self.cluster)
            + number_size(self.member)
            + number_size(self.revision as u64)
            + number_size(self.term)
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_message_start(1, self.size(), out);
        write_number(1, self.cluster, out);
        write_number(2, self.member, out);
        write_number(3, self.revision as u64, out);
        write_number(4, self.term, out);
    }
}

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
    header.write(&mut first);
    Ok(Content::Pieces(Box::new(RangePieces { response, next: 0, piece: first, done: false })))
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

/// Appends one response of a watch stream, complete with its prefix.
///
/// # Errors
/// When the message would be larger than gRPC allows.
pub fn watch(header: Header, response: &WatchResponse, out: &mut Vec<u8>) -> Result<(), Status> {
    let header = header.at(response.revision);
    let size = message_size(header.size())
        + number_size(response.watch_id as u64)
        + flag_size(response.created)
        + flag_size(response.canceled)
        + number_size(response.compact_revision as u64)
        + bytes_size(response.cancel_reason.as_bytes())
        + flag_size(response.fragment)
        + response.events.iter().map(|event| message_size(event_size(event))).sum::<usize>();
    check_size(size)?;
    out.reserve(PREFIX_BYTES + size);
    write_prefix(size, out);
    header.write(out);
    write_number(2, response.watch_id as u64, out);
    write_number(3, u64::from(response.created), out);
    write_number(4, u64::from(response.canceled), out);
    write_number(5, response.compact_revision as u64, out);
    write_bytes(6, response.cancel_reason.as_bytes(), out);
    write_number(7, u64::from(response.fragment), out);
    for event in &response.events {
        write_message_start(11, event_size(event), out);
        write_event(event, out);
    }
    Ok(())
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
            // A pair that was sent is given back to the store at once.
            let pair = std::mem::take(pair);
            write_message_start(2, pair_size(&pair), &mut self.piece);
            write_pair(&pair, &mut self.piece);
            self.next += 1;
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE_BYTES));
        Some(Bytes::from(piece))
    }
}

fn range_size(header: &Header, response: &RangeResponse) -> usize {
    message_size(header.size())
        + response.kvs.iter().map(|pair| message_size(pair_size(pair))).sum::<usize>()
        + flag_size(response.more)
        + number_size(response.count as u64)
}

fn write_range(header: &Header, response: &RangeResponse, out: &mut Vec<u8>) {
    header.write(out);
    for pair in &response.kvs {
        write_message_start(2, pair_size(pair), out);
        write_pair(pair, out);
    }
    write_number(3, u64::from(response.more), out);
    write_number(4, response.count as u64, out);
}

fn put_size(header: &Header, response: &PutResponse) -> usize {
    message_size(header.size()) + response.prev_kv.as_ref().map_or(0, |pair| message_size(pair_size(pair)))
}

fn write_put(header: &Header, response: &PutResponse, out: &mut Vec<u8>) {
    header.write(out);
    if let Some(pair) = &response.prev_kv {
        write_message_start(2, pair_size(pair), out);
        write_pair(pair, out);
    }
}

fn delete_size(header: &Header, response: &DeleteRangeResponse) -> usize {
    message_size(header.size())
        + number_size(response.deleted as u64)
        + response.prev_kvs.iter().map(|pair| message_size(pair_size(pair))).sum::<usize>()
}

fn write_delete(header: &Header, response: &DeleteRangeResponse, out: &mut Vec<u8>) {
    header.write(out);
    write_number(2, response.deleted as u64, out);
    for pair in &response.prev_kvs {
        write_message_start(3, pair_size(pair), out);
        write_pair(pair, out);
    }
}

/// A nested answer has a header with only the revision; that of a nested transaction is empty (etcd-v3 3.2).
fn nested_header(op: &ResponseOp) -> Header {
    let revision = match op {
        ResponseOp::Range(range) => range.revision,
        ResponseOp::Put(put) => put.revision,
        ResponseOp::DeleteRange(delete) => delete.revision,
        ResponseOp::Txn(_) => 0,
    };
    Header::default().at(revision)
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
    message_size(header.size())
        + flag_size(response.succeeded)
        + response.responses.iter().map(|op| message_size(message_size(op_size(op)))).sum::<usize>()
}

fn write_txn(header: &Header, response: &TxnResponse, out: &mut Vec<u8>) {
    header.write(out);
    write_number(2, u64::from(response.succeeded), out);
    for op in &response.responses {
        write_op(op, out);
    }
}

fn event_size(event: &Event) -> usize {
    flag_size(event.kind == EventKind::Delete)
        + message_size(pair_size(&event.key_value))
        + event.previous.as_ref().map_or(0, |pair| message_size(pair_size(pair)))
}

fn write_event(event: &Event, out: &mut Vec<u8>) {
    write_number(1, u64::from(event.kind == EventKind::Delete), out);
    write_message_start(2, pair_size(&event.key_value), out);
    write_pair(&event.key_value, out);
    if let Some(pair) = &event.previous {
        write_message_start(3, pair_size(pair), out);
        write_pair(pair, out);
    }
}

fn pair_size(pair: &KeyValue) -> usize {
    bytes_size(&pair.key)
        + number_size(pair.create_revision as u64)
        + number_size(pair.mod_revision as u64)
        + number_size(pair.version as u64)
        + bytes_size(&pair.value)
        + number_size(pair.lease as u64)
}

fn write_pair(pair: &KeyValue, out: &mut Vec<u8>) {
    write_bytes(1, &pair.key, out);
    write_number(2, pair.create_revision as u64, out);
    write_number(3, pair.mod_revision as u64, out);
    write_number(4, pair.version as u64, out);
    write_bytes(5, &pair.value, out);
    write_number(6, pair.lease as u64, out);
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

/// Every field number here is below 16: a tag is one byte. What is zero or empty is left out (proto3).
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
