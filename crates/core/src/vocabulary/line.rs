//! Text that fits into a line of a trace.

use crate::codec::{Decode, DecodeError, Encode, Reader};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;
use core::str::FromStr;

/// One line of 1 to `MOST` bytes that begins and ends visibly, so that it can be read back from every trace unchanged.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line<const MOST: usize>(String);

impl<const MOST: usize> Line<MOST> {
    fn new(text: String) -> Result<Line<MOST>, DecodeError> {
        let is_line = (1..=MOST).contains(&text.len()) && text.trim() == text && !text.chars().any(char::is_control);
        if is_line { Ok(Line(text)) } else { Err(DecodeError::Invalid("line of text")) }
    }
}

impl<const MOST: usize> FromStr for Line<MOST> {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Line<MOST>, DecodeError> {
        // The length is checked first, so that a refused text is not copied.
        if text.len() > MOST { Err(DecodeError::TooLong) } else { Line::new(String::from(text)) }
    }
}

impl<const MOST: usize> Decode for Line<MOST> {
    fn decode(input: &mut Reader<'_>) -> Result<Line<MOST>, DecodeError> {
        String::decode(input).and_then(Line::new)
    }
}

impl<const MOST: usize> Encode for Line<MOST> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl<const MOST: usize> Deref for Line<MOST> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<const MOST: usize> fmt::Display for Line<MOST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MOST: usize> fmt::Debug for Line<MOST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
