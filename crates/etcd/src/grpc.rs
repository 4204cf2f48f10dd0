//! The part of gRPC over HTTP/2 that a server of short messages needs.
//!
//! A call is one HTTP/2 stream. The request body is a sequence of messages, each after five bytes: a flag for
//! compression and a length. The response is the same, and ends with trailers that carry the status; a response without
//! a message carries the status in its headers ("trailers only"). This is implemented here rather than taken from a
//! framework for three reasons: etcd's own texts and codes for oversized messages, answers encoded straight from the
//! store's pairs into the frame that is sent, and credit for watch streams that is returned when the transport takes a
//! message.
//!
//! Reference: gRPC over HTTP/2, <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.

mod request;
mod response;
mod status;

pub use request::{Budget, Messages};
pub use response::{Body, Content, refuse, respond};
pub use status::{Code, Status};

/// The bytes before each message: a flag and a length.
pub const PREFIX_BYTES: usize = 5;

/// Encodes one message with its prefix, in one allocation of exactly the right size.
pub fn frame(message: &impl prost::Message) -> bytes::Bytes {
    let size = message.encoded_len();
    let mut out = prefix(size);
    message.encode(&mut out).expect("a Vec grows as far as it must");
    bytes::Bytes::from(out)
}

/// A buffer for a message of `size` bytes, that begins with its prefix.
pub fn prefix(size: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(PREFIX_BYTES + size);
    write_prefix(size, &mut out);
    out
}

/// Appends the prefix of a message of `size` bytes.
///
/// # Panics
/// When the message is 4 GiB or more: the callers bound what they build.
pub fn write_prefix(size: usize, out: &mut Vec<u8>) {
    let size = u32::try_from(size).expect("a message below 4 GiB");
    out.push(0);
    out.extend_from_slice(&size.to_be_bytes());
}

/// Writes the size of a whole message into the prefix that it begins with.
///
/// # Panics
/// When there is no prefix, or the message is 4 GiB or more: the callers bound what they build.
pub fn write_size(out: &mut [u8]) {
    let size = u32::try_from(out.len() - PREFIX_BYTES).expect("a message below 4 GiB");
    out[1..PREFIX_BYTES].copy_from_slice(&size.to_be_bytes());
}
