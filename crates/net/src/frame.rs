//! Frames: the encoding of messages on a connection.
//!
//! ```text
//!  0      4     5      6        8       12
//!  +------+-----+------+--------+-------+----------------
//!  |length| kind| flags|reserved| CRC32C| body, `length` bytes
//!  +------+-----+------+--------+-------+----------------
//! ```
//! Little endian. The checksum covers the first eight bytes and the body; flags and reserved are zero. The length is
//! checked against a limit before anything is allocated for it, and memory grows only with bytes that arrived. A bad
//! frame closes its connection: after it nothing on that connection can be trusted.

use tokio::io::{AsyncRead, AsyncReadExt};

/// The bytes before a body.
pub const HEADER_BYTES: usize = 12;

/// The kind of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// The dialling node names itself and the node that it wants.
    Hello = 1,
    /// The accepting node names itself.
    Welcome = 2,
    /// The accepting node refuses, with the reason.
    Refused = 3,
    /// The dialling node continues with this connection.
    Ready = 4,
    /// A message of the protocol.
    Message = 5,
    /// Is the peer there? Carries the sender's clock.
    Ping = 6,
    /// The answer to a ping. Carries the same clock value.
    Pong = 7,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Kind> {
        Some(match byte {
            1 => Kind::Hello,
            2 => Kind::Welcome,
            3 => Kind::Refused,
            4 => Kind::Ready,
            5 => Kind::Message,
            6 => Kind::Ping,
            7 => Kind::Pong,
            _ => return None,
        })
    }
}

/// The error of a frame. The sender is at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FrameError {
    /// The length is over the limit.
    #[error("a frame of {length} bytes is over the limit of {limit}")]
    TooLong {
        /// The length in the header.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// The kind is unknown.
    #[error("unknown kind of frame: {0}")]
    UnknownKind(u8),
    /// Flags or reserved bytes are set that mean nothing yet.
    #[error("a frame sets flags that this version does not know")]
    UnknownFlags,
    /// The checksum does not match.
    #[error("the checksum of a frame does not match")]
    Checksum,
}

/// Appends a frame whose body `write` appends; returns the length of the body.
pub fn put_frame(kind: Kind, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, kind as u8, 0, 0, 0, 0, 0, 0, 0]);
    write(out);
    let length = out.len() - start - HEADER_BYTES;
    let field = u32::try_from(length).expect("a frame of less than 4 GiB");
    out[start..start + 4].copy_from_slice(&field.to_le_bytes());
    let checksum = checksum(&out[start..start + 8], &out[start + HEADER_BYTES..]);
    out[start + 8..start + HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    length
}

fn checksum(head: &[u8], body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(head), body)
}

/// The bytes that arrived on a connection and were not taken yet.
pub struct FrameBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// The usual capacity of the buffer, when it need not hold a large frame.
    resting_bytes: usize,
}

impl FrameBuffer {
    /// A buffer that starts with this many bytes, and returns to them after a larger frame.
    pub fn new(resting_bytes: usize) -> FrameBuffer {
        let resting_bytes = resting_bytes.max(HEADER_BYTES);
        FrameBuffer { bytes: vec![0; resting_bytes], start: 0, end: 0, resting_bytes }
    }

    /// Enlarges the buffer for a connection that has identified itself.
    pub fn rest_at(&mut self, resting_bytes: usize) {
        self.resting_bytes = resting_bytes.max(HEADER_BYTES);
        if self.bytes.len() < self.resting_bytes {
            self.bytes.resize(self.resting_bytes, 0);
        }
    }

    /// The next frame, once all of it has arrived.
    ///
    /// # Errors
    /// When the bytes cannot be a frame, or the frame is longer than `limit`.
    pub fn next(&mut self, limit: usize) -> Result<Option<(Kind, &[u8])>, FrameError> {
        let waiting = &self.bytes[self.start..self.end];
        if waiting.len() < HEADER_BYTES {
            return Ok(None);
        }
        let length = u32::from_le_bytes(waiting[..4].try_into().expect("four bytes")) as usize;
        if length > limit {
            return Err(FrameError::TooLong { length, limit });
        }
        let kind = Kind::from_byte(waiting[4]).ok_or(FrameError::UnknownKind(waiting[4]))?;
        if waiting[5..8] != [0, 0, 0] {
            return Err(FrameError::UnknownFlags);
        }
        if waiting.len() < HEADER_BYTES + length {
            return Ok(None);
        }
        let body = self.start + HEADER_BYTES..self.start + HEADER_BYTES + length;
        let expected = u32::from_le_bytes(waiting[8..HEADER_BYTES].try_into().expect("four bytes"));
        if checksum(&waiting[..8], &self.bytes[body.clone()]) != expected {
            return Err(FrameError::Checksum);
        }
        self.start = body.end;
        Ok(Some((kind, &self.bytes[body])))
    }

    /// The bytes that have arrived and were not taken.
    pub fn peek(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// The next `count` raw bytes, once they have arrived.
    pub fn raw(&mut self, count: usize) -> Option<&[u8]> {
        if self.end - self.start < count {
            return None;
        }
        self.start += count;
        Some(&self.bytes[self.start - count..self.start])
    }

    /// Reads once; returns the number of bytes, 0 at the end of the stream. May be cancelled without loss.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn read_from(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<usize> {
        self.make_room();
        let count = stream.read(&mut self.bytes[self.end..]).await?;
        self.end += count;
        Ok(count)
    }

    /// Room for at least one more byte. The buffer doubles only when it is full of bytes that really arrived: a header
    /// that announces 16 MiB costs nothing by itself.
    fn make_room(&mut self) {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            if self.bytes.len() > 4 * self.resting_bytes {
                self.bytes = vec![0; self.resting_bytes];
            }
        }
        if self.end < self.bytes.len() {
            return;
        }
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.bytes.len() {
            self.bytes.resize(self.bytes.len() * 2, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: Kind, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put_frame(kind, &mut out, |out| out.extend_from_slice(body));
        out
    }

    fn filled(bytes: &[u8]) -> FrameBuffer {
        let mut buffer = FrameBuffer::new(bytes.len());
        buffer.bytes[..bytes.len()].copy_from_slice(bytes);
        buffer.end = bytes.len();
        buffer
    }

    #[test]
    fn frames_come_back_in_order() {
        let mut bytes = frame(Kind::Message, b"one");
        bytes.extend(frame(Kind::Ping, b""));
        let mut buffer = filled(&bytes);
        assert_eq!(buffer.next(16), Ok(Some((Kind::Message, &b"one"[..]))));
        assert_eq!(buffer.next(16), Ok(Some((Kind::Ping, &b""[..]))));
        assert_eq!(buffer.next(16), Ok(None));
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let bytes = frame(Kind::Message, b"body");
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            // A longer length makes the frame incomplete: it waits for bytes, and then fails its checksum.
            match filled(&damaged).next(64) {
                Err(_) => {}
                Ok(None) => assert!(bit < 32, "bit {bit} of the body made the frame incomplete"),
                Ok(Some(_)) => panic!("bit {bit} was not seen"),
            }
        }
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_its_body_arrives() {
        let mut header = frame(Kind::Message, b"");
        header[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        let mut buffer = filled(&header);
        assert_eq!(buffer.next(16 << 20), Err(FrameError::TooLong { length: u32::MAX as usize, limit: 16 << 20 }));
        assert_eq!(buffer.bytes.len(), HEADER_BYTES);
    }

    /// The fuzz target: whatever the bytes are, reading ends, nothing panics, and no body is longer than its limit.
    async fn read_hostile(mut bytes: &[u8], limit: usize) -> usize {
        let mut buffer = FrameBuffer::new(32);
        let mut frames = 0;
        loop {
            loop {
                match buffer.next(limit) {
                    Ok(Some((_, body))) => assert!(body.len() <= limit),
                    Ok(None) => break,
                    Err(_) => return frames,
                }
                frames += 1;
            }
            assert!(buffer.bytes.len() <= 2 * (limit + HEADER_BYTES) + 64, "the buffer is bounded by the limit");
            if buffer.read_from(&mut bytes).await.expect("a slice") == 0 {
                return frames;
            }
        }
    }

    #[tokio::test]
    async fn mutated_frames_are_read_without_harm() {
        let good: Vec<u8> = (0..40).flat_map(|length| frame(Kind::Message, &vec![7; length * 3])).collect();
        assert_eq!(read_hostile(&good, 200).await, 40);
        let mut rng = volvox_core::Rng::new(11);
        for round in 0..2000 {
            let mut bytes = good.clone();
            for _ in 0..=rng.below(4) {
                let at = rng.below(bytes.len() as u64) as usize;
                match rng.below(3) {
                    0 => bytes[at] ^= 1 << rng.below(8),
                    1 => bytes.truncate(at + 1),
                    _ => bytes.insert(at, rng.next_u64() as u8),
                }
            }
            let read = read_hostile(&bytes, 200).await;
            assert!(read <= 40, "round {round} of seed 11 read {read} frames");
        }
    }

    #[tokio::test]
    async fn a_buffer_grows_with_what_arrives_and_shrinks_again() {
        let body = vec![7; 5000];
        let bytes = frame(Kind::Message, &body);
        let mut buffer = FrameBuffer::new(64);
        let mut stream = &bytes[..];
        loop {
            if let Some((kind, read)) = buffer.next(8192).expect("a good frame") {
                assert_eq!((kind, read), (Kind::Message, &body[..]));
                break;
            }
            assert!(buffer.bytes.len() <= 2 * (buffer.end - buffer.start).max(64));
            assert!(buffer.read_from(&mut stream).await.expect("reads") > 0);
        }
        assert_eq!(buffer.read_from(&mut stream).await.expect("the end"), 0);
        assert_eq!(buffer.bytes.len(), 64);
    }
}
