//! A bounded binary encoding for messages, records and commands.
//!
//! Integers are LEB128 varints, signed ones zig-zag; byte strings and lists carry their length first. A decoder checks
//! every length against the remaining input *before* it allocates, so a hostile input costs at most its own size.
//! Formats are versioned by their users: the first byte of a frame or record names its version.

use crate::bytes::Bytes;
use crate::identity::{Incarnation, NodeId, Position};
use crate::time::Wall;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// A value that can be encoded.
pub trait Encode {
    /// Appends the encoding to `out`.
    fn encode(&self, out: &mut Vec<u8>);

    /// Returns the encoding in a new buffer.
    fn to_bytes(&self) -> Vec<u8> {
        // The initial capacity: most messages and commands fit without a reallocation.
        let mut out = Vec::with_capacity(512);
        self.encode(&mut out);
        out
    }
}

/// A value that can be decoded, from input that may be hostile.
pub trait Decode: Sized {
    /// Reads one value from the front of `input`.
    ///
    /// # Errors
    /// When the input is not such a value; `input` is then at an unspecified place inside it.
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

/// Why an input does not decode. The sender or the file is at fault, never the reader.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum DecodeError {
    /// The input ends inside a value.
    Truncated,
    /// A length or count exceeds the remaining input, or its limit.
    TooLong,
    /// A tag, version or flag that this program does not know.
    Unknown(&'static str, u64),
    /// A value is out of range.
    Invalid(&'static str),
    /// Bytes are left after the value.
    Trailing,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Truncated => write!(f, "the input ends inside a value"),
            DecodeError::TooLong => write!(f, "a length exceeds the input or its limit"),
            DecodeError::Unknown(what, value) => write!(f, "unknown {what}: {value}"),
            DecodeError::Invalid(what) => write!(f, "invalid {what}"),
            DecodeError::Trailing => write!(f, "bytes are left after the value"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// Decodes a value that must fill the whole input.
///
/// # Errors
/// When it does not decode, or bytes are left over.
pub fn decode_all<T: Decode>(input: &[u8]) -> Result<T, DecodeError> {
    let mut reader = Reader::new(input);
    let value = T::decode(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

/// Decodes a value that must fill the whole input; byte strings inside the value share the allocation of `input`.
///
/// # Errors
/// When it does not decode, or bytes are left over.
pub fn decode_shared<T: Decode>(input: &Bytes) -> Result<T, DecodeError> {
    let mut reader = Reader::shared(input);
    let value = T::decode(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

/// A cursor over untrusted input.
pub struct Reader<'a> {
    input: &'a [u8],
    backing: Option<&'a Bytes>,
}

impl<'a> Reader<'a> {
    /// Reads from a slice; byte strings are copied out.
    #[inline]
    pub fn new(input: &'a [u8]) -> Reader<'a> {
        Reader { input, backing: None }
    }

    /// Reads from a shared string; byte strings share its allocation.
    #[inline]
    pub fn shared(backing: &'a Bytes) -> Reader<'a> {
        Reader { input: backing.as_slice(), backing: Some(backing) }
    }

    /// How many bytes are left.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.input.len()
    }

    /// Takes the next `count` bytes.
    ///
    /// # Errors
    /// When fewer bytes are left.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        if count > self.input.len() {
            return Err(DecodeError::Truncated);
        }
        let (head, tail) = self.input.split_at(count);
        self.input = tail;
        Ok(head)
    }

    /// Takes all remaining bytes.
    pub fn rest(&mut self) -> Bytes {
        let rest = core::mem::take(&mut self.input);
        match self.backing {
            Some(whole) => whole.slice(whole.len() - rest.len()..whole.len()),
            None => Bytes::from(rest),
        }
    }

    /// Takes one byte.
    ///
    /// # Errors
    /// At the end of the input.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.take(1)?[0])
    }

    /// Takes a `u32`, four bytes in little endian.
    ///
    /// # Errors
    /// When fewer bytes are left.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes(bytes.try_into().expect("four bytes")))
    }

    /// Takes a `u64`, eight bytes in little endian.
    ///
    /// # Errors
    /// When fewer bytes are left.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        let bytes = self.take(8)?;
        Ok(u64::from_le_bytes(bytes.try_into().expect("eight bytes")))
    }

    /// Takes a LEB128 varint of at most ten bytes.
    ///
    /// # Errors
    /// When it is truncated or does not fit in 64 bits.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            if shift == 63 && byte > 1 {
                return Err(DecodeError::Invalid("varint"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Invalid("varint"))
    }

    /// Takes a count of items. Each item takes at least one byte, so a count above the number of remaining bytes is
    /// false.
    ///
    /// # Errors
    /// When the count exceeds the bytes left.
    #[inline]
    pub fn count(&mut self) -> Result<usize, DecodeError> {
        let count = self.varint()?;
        if count > self.input.len() as u64 {
            return Err(DecodeError::TooLong);
        }
        Ok(count as usize)
    }

    /// Takes a byte string that is preceded by its length.
    ///
    /// # Errors
    /// When the length exceeds the remaining input.
    #[inline]
    pub fn bytes(&mut self) -> Result<Bytes, DecodeError> {
        let length = self.count()?;
        let backing = self.backing;
        let start = backing.map_or(0, |whole| whole.len() - self.input.len());
        let slice = self.take(length)?;
        Ok(match backing {
            Some(whole) => whole.slice(start..start + length),
            None => Bytes::from(slice),
        })
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// When bytes are left.
    pub fn finish(&self) -> Result<(), DecodeError> {
        if self.input.is_empty() { Ok(()) } else { Err(DecodeError::Trailing) }
    }
}

/// Appends a LEB128 varint.
#[inline]
pub fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

macro_rules! varint_integers {
    ($($int:ty),*) => {$(
        impl Encode for $int {
            fn encode(&self, out: &mut Vec<u8>) {
                put_varint(u64::from(*self), out);
            }
        }
        impl Decode for $int {
            fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                <$int>::try_from(input.varint()?).map_err(|_| DecodeError::Invalid(stringify!($int)))
            }
        }
    )*};
}
varint_integers!(u16, u32, u64);

impl Encode for u8 {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }
}

impl Decode for u8 {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.u8()
    }
}

impl Encode for i64 {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(((*self << 1) ^ (*self >> 63)) as u64, out);
    }
}

impl Decode for i64 {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let raw = input.varint()?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }
}

impl Encode for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl Decode for bool {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(DecodeError::Unknown("flag", u64::from(other))),
        }
    }
}

impl Encode for Bytes {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_slice().encode(out);
    }
}

impl Encode for [u8] {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(self.len() as u64, out);
        out.extend_from_slice(self);
    }
}

impl Decode for Bytes {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.bytes()
    }
}

impl Encode for str {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_bytes().encode(out);
    }
}

impl Encode for String {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_bytes().encode(out);
    }
}

impl Decode for String {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let length = input.count()?;
        let bytes = input.take(length)?;
        core::str::from_utf8(bytes).map(String::from).map_err(|_| DecodeError::Invalid("text"))
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(self.len() as u64, out);
        for item in self {
            item.encode(out);
        }
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = input.count()?;
        // An item may be larger in memory than its shortest encoding: grow only as items arrive.
        let mut items = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            items.push(T::decode(input)?);
        }
        Ok(items)
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.is_some().encode(out);
        if let Some(value) = self {
            value.encode(out);
        }
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(if bool::decode(input)? { Some(T::decode(input)?) } else { None })
    }
}

impl<A: Encode, B: Encode> Encode for (A, B) {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        self.1.encode(out);
    }
}

impl<A: Decode, B: Decode> Decode for (A, B) {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok((A::decode(input)?, B::decode(input)?))
    }
}

/// A type without values, such as the records of a protocol that has none.
impl Encode for core::convert::Infallible {
    fn encode(&self, _: &mut Vec<u8>) {
        match *self {}
    }
}

impl Decode for core::convert::Infallible {
    fn decode(_: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Err(DecodeError::Invalid("value of a type without values"))
    }
}

impl Encode for () {
    fn encode(&self, _: &mut Vec<u8>) {}
}

impl Decode for () {
    fn decode(_: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(())
    }
}

macro_rules! newtypes {
    ($($name:ident($inner:ty)),*) => {$(
        impl Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                self.0.encode(out);
            }
        }
        impl Decode for $name {
            fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                <$inner>::decode(input).map($name)
            }
        }
    )*};
}
newtypes!(NodeId(u64), Incarnation(u64), Position(u64), Wall(i64));

impl Encode for Duration {
    fn encode(&self, out: &mut Vec<u8>) {
        crate::time::nanos(*self).encode(out);
    }
}

impl Decode for Duration {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.varint().map(Duration::from_nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn values_come_back() {
        for value in [0u64, 1, 127, 128, 300, u64::MAX] {
            assert_eq!(decode_all::<u64>(&value.to_bytes()), Ok(value));
        }
        for value in [0i64, -1, 1, i64::MIN, i64::MAX] {
            assert_eq!(decode_all::<i64>(&value.to_bytes()), Ok(value));
        }
        let list = vec![Some(Bytes::from("a")), None];
        assert_eq!(decode_all::<Vec<Option<Bytes>>>(&list.to_bytes()), Ok(list));
    }

    #[test]
    fn a_length_beyond_the_input_is_refused_before_allocating() {
        let mut hostile = Vec::new();
        put_varint(1 << 40, &mut hostile);
        assert_eq!(decode_all::<Bytes>(&hostile), Err(DecodeError::TooLong));
        assert_eq!(decode_all::<Vec<u64>>(&hostile), Err(DecodeError::TooLong));
        assert_eq!(decode_all::<u64>(&[0xff; 11]), Err(DecodeError::Invalid("varint")));
        assert_eq!(decode_all::<u64>(&[1, 2]), Err(DecodeError::Trailing));
    }

    #[test]
    fn shared_strings_share() {
        let whole = Bytes::from((Bytes::from("key"), Bytes::from("value")).to_bytes());
        let mut reader = Reader::shared(&whole);
        let (key, value) = <(Bytes, Bytes)>::decode(&mut reader).expect("decodes");
        assert_eq!((key.as_slice(), value.as_slice()), (b"key".as_slice(), b"value".as_slice()));
        assert!(core::ptr::eq(&whole.as_slice()[1], &key.as_slice()[0]));
    }
}
