//! Decodes transactions, as deep as they are nested.
//!
//! The library stops at a hundred messages inside one another, two for each level of a transaction; a client may nest 128
//! levels. So the levels are taken apart here, and everything in them by the library. The depth is bounded before the stack
//! is: each level takes an operation from the allowance of those inside it.

use crate::context::{decode, unreadable};
use crate::grpc::Status;
use crate::proto::etcdserverpb as pb;
use bytes::{Buf, Bytes, BytesMut};
use pb::request_op::Request;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use volvox_store::command::TXN_DEPTH_MAX;

/// The fields of a transaction.
const COMPARE: u32 = 1;
const SUCCESS: u32 = 2;
const FAILURE: u32 = 3;
/// The fields of an operation, of which one is set: the last.
const OPERATIONS: std::ops::RangeInclusive<u32> = 1..=4;
const TXN: u32 = 4;

/// A transaction of a client.
///
/// # Errors
/// When it is nested too deep, or is no transaction.
pub(crate) fn txn(bytes: Bytes) -> Result<pb::TxnRequest, Status> {
    level(bytes, TXN_DEPTH_MAX)
}

fn level(mut bytes: Bytes, levels_left: usize) -> Result<pb::TxnRequest, Status> {
    if levels_left == 0 {
        return Err(volvox_store::Error::TooManyOperations.into());
    }
    let mut txn = pb::TxnRequest::default();
    while let Some((field, content)) = next_field(&mut bytes)? {
        match (field, content) {
            (COMPARE, Some(content)) => txn.compare.push(decode(content)?),
            (SUCCESS, Some(content)) => txn.success.push(operation(content, levels_left)?),
            (FAILURE, Some(content)) => txn.failure.push(operation(content, levels_left)?),
            (COMPARE | SUCCESS | FAILURE, None) => return Err(unreadable()),
            // A field that is not known.
            _ => {}
        }
    }
    Ok(txn)
}

fn operation(whole: Bytes, levels_left: usize) -> Result<pb::RequestOp, Status> {
    let mut bytes = whole.clone();
    // A message that comes in pieces is all of them, one after the other.
    let mut inner: Option<BytesMut> = None;
    while let Some((field, content)) = next_field(&mut bytes)? {
        match (field, content) {
            (TXN, Some(content)) => inner.get_or_insert_default().extend_from_slice(&content),
            (field, _) if OPERATIONS.contains(&field) => inner = None,
            _ => {}
        }
    }
    match inner {
        None => decode(whole),
        Some(inner) => {
            let inner = level(inner.freeze(), levels_left - 1)?;
            Ok(pb::RequestOp { request: Some(Request::RequestTxn(inner)) })
        }
    }
}

/// The next field, and its content where that is bytes; other fields are skipped.
fn next_field(bytes: &mut Bytes) -> Result<Option<(u32, Option<Bytes>)>, Status> {
    if !bytes.has_remaining() {
        return Ok(None);
    }
    let (field, wire_type) = decode_key(bytes).map_err(|_| unreadable())?;
    if wire_type != WireType::LengthDelimited {
        skip_field(wire_type, field, bytes, DecodeContext::default()).map_err(|_| unreadable())?;
        return Ok(Some((field, None)));
    }
    let length = decode_varint(bytes).map_err(|_| unreadable())?;
    match usize::try_from(length) {
        Ok(length) if length <= bytes.remaining() => Ok(Some((field, Some(bytes.split_to(length))))),
        _ => Err(unreadable()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grpc::Code;
    use prost::Message;
    use volvox_core::Rng;

    /// A put below this many levels of transactions, without recursion.
    fn nested(levels: usize) -> Bytes {
        let field = |field: u32, content: &[u8]| {
            let mut out = Vec::new();
            prost::encoding::encode_key(field, WireType::LengthDelimited, &mut out);
            prost::encoding::encode_varint(content.len() as u64, &mut out);
            out.extend_from_slice(content);
            out
        };
        let put = pb::PutRequest { key: "k".into(), ..Default::default() };
        let mut bytes = field(2, &field(2, &put.encode_to_vec()));
        for _ in 1..levels {
            bytes = field(SUCCESS, &field(TXN, &bytes));
        }
        Bytes::from(bytes)
    }

    fn depth(txn: &pb::TxnRequest) -> usize {
        let inner = txn.success.iter().find_map(|op| match &op.request {
            Some(Request::RequestTxn(inner)) => Some(inner),
            _ => None,
        });
        1 + inner.map_or(0, depth)
    }

    #[test]
    fn as_many_levels_as_a_client_may_nest() {
        for levels in [1, 2, 49, 50, 51, 127, 128] {
            assert_eq!(depth(&txn(nested(levels)).unwrap()), levels);
        }
        for levels in [129, 200, 20_000] {
            let refused = txn(nested(levels)).unwrap_err();
            assert_eq!(refused.code, Code::InvalidArgument);
            assert_eq!(refused.message, "etcdserver: too many operations in txn request", "{levels}");
        }
    }

    /// A random transaction.
    fn some_txn(rng: &mut Rng, depth: u32) -> pb::TxnRequest {
        let name = |rng: &mut Rng| Bytes::from(vec![b'k'; rng.below(5) as usize]);
        let op = |rng: &mut Rng| {
            let request = match rng.below(5) {
                0 => None,
                1 => Some(Request::RequestRange(pb::RangeRequest { key: name(rng), limit: -1, ..Default::default() })),
                2 => Some(Request::RequestPut(pb::PutRequest { key: name(rng), lease: 7, ..Default::default() })),
                3 => Some(Request::RequestDeleteRange(pb::DeleteRangeRequest { key: name(rng), ..Default::default() })),
                _ if depth == 0 => None,
                _ => Some(Request::RequestTxn(some_txn(rng, depth - 1))),
            };
            pb::RequestOp { request }
        };
        pb::TxnRequest {
            compare: (0..rng.below(3)).map(|_| pb::Compare { key: name(rng), ..Default::default() }).collect(),
            success: (0..rng.below(4)).map(|_| op(rng)).collect(),
            failure: (0..rng.below(3)).map(|_| op(rng)).collect(),
        }
    }

    #[test]
    fn it_decodes_what_the_library_decodes() {
        let mut rng = Rng::new(1);
        let mut read = 0;
        for _ in 0..3000 {
            let request = some_txn(&mut rng, 4);
            let mut bytes = request.encode_to_vec();
            assert_eq!(txn(Bytes::from(bytes.clone())), Ok(request));
            // Hostile bytes: both refuse, or both read the same.
            for _ in 0..rng.below(4) {
                if !bytes.is_empty() {
                    let at = rng.below(bytes.len() as u64) as usize;
                    bytes[at] = rng.next_u64() as u8;
                }
            }
            let bytes = Bytes::from(bytes);
            if let Ok(expected) = pb::TxnRequest::decode(bytes.clone()) {
                assert_eq!(txn(bytes), Ok(expected));
                read += 1;
            } else {
                // An operation that a later one replaces is not looked into here.
                let _ = txn(bytes);
            }
        }
        assert!(read > 500, "{read} of the changed ones could be read");
    }

    #[test]
    fn a_nested_transaction_may_come_in_pieces_and_the_last_operation_counts() {
        let put = |key: &'static str| pb::TxnRequest {
            success: vec![pb::RequestOp {
                request: Some(Request::RequestPut(pb::PutRequest { key: key.into(), ..Default::default() })),
            }],
            ..Default::default()
        };
        let piece = |request| pb::RequestOp { request: Some(request) }.encode_to_vec();
        let pieces = [piece(Request::RequestTxn(put("a"))), piece(Request::RequestTxn(put("b")))];
        let range = piece(Request::RequestRange(pb::RangeRequest::default()));
        for op in [pieces.concat(), [range.clone(), pieces.concat()].concat(), [pieces.concat(), range].concat()] {
            let expected = pb::RequestOp::decode(&op[..]).unwrap();
            assert_eq!(operation(Bytes::from(op), 5), Ok(expected));
        }
    }
}
