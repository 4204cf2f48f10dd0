//! Payloads without their types.

use crate::bytes::Bytes;
use crate::codec::{Decode, DecodeError, Encode, Reader, decode_shared};
use crate::process::{MessageKind, Payload};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::any::{Any, type_name};
use core::fmt;
use core::hash::{Hash, Hasher};

/// The operations of every payload that need no type.
trait Value: Any + Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
    fn is_same(&self, other: &dyn Any) -> bool;
    fn hash_into(&self, hasher: &mut dyn Hasher);
    fn debug(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
    fn display(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

impl<T: Payload + Send + Sync + 'static> Value for T {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn is_same(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<T>() == Some(self)
    }

    fn hash_into(&self, mut hasher: &mut dyn Hasher) {
        self.hash(&mut hasher);
    }

    fn debug(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }

    fn display(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Commands and events.
trait PlainValue: Value {
    fn clone_plain(&self) -> Box<dyn PlainValue>;
}

impl<T: Payload + Send + Sync + 'static> PlainValue for T {
    fn clone_plain(&self) -> Box<dyn PlainValue> {
        Box::new(self.clone())
    }
}

/// Records: they have a binary form.
trait EncodedValue: Value {
    fn encode_into(&self, out: &mut Vec<u8>);
    fn clone_encoded(&self) -> Box<dyn EncodedValue>;
}

impl<T: Payload + Encode + Send + Sync + 'static> EncodedValue for T {
    fn encode_into(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }

    fn clone_encoded(&self) -> Box<dyn EncodedValue> {
        Box::new(self.clone())
    }
}

/// Messages: they have a binary form and a kind.
trait MessageValue: EncodedValue {
    fn kind_of(&self) -> &'static str;
    fn clone_message(&self) -> Box<dyn MessageValue>;
}

impl<T: Payload + MessageKind + Encode + Send + Sync + 'static> MessageValue for T {
    fn kind_of(&self) -> &'static str {
        self.kind()
    }

    fn clone_message(&self) -> Box<dyn MessageValue> {
        Box::new(self.clone())
    }
}

fn taken<T: 'static>(value: Box<dyn Any>) -> T {
    match value.downcast::<T>() {
        Ok(value) => *value,
        Err(_) => panic!("an erased value is not the expected {}", type_name::<T>()),
    }
}

/// The methods that all erased payloads have, over a box of `$value`.
macro_rules! erased_payload {
    ($name:ident, $value:ident, $clone:ident) => {
        impl $name {
            /// The value, if it is a `T`.
            pub fn get<T: 'static>(&self) -> Option<&T> {
                (*self.0).as_any().downcast_ref()
            }

            /// The value.
            ///
            /// # Panics
            /// When it is not a `T`.
            pub fn take<T: 'static>(self) -> T {
                taken(self.0.into_any())
            }
        }

        impl Clone for $name {
            fn clone(&self) -> $name {
                $name((*self.0).$clone())
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &$name) -> bool {
                (*self.0).is_same((*other.0).as_any())
            }
        }

        impl Eq for $name {}

        impl Hash for $name {
            fn hash<S: Hasher>(&self, state: &mut S) {
                (*self.0).hash_into(state);
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (*self.0).debug(f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (*self.0).display(f)
            }
        }
    };
}

/// A command of any process.
pub struct AnyCommand(Box<dyn PlainValue>);

/// An event of any process.
pub struct AnyEvent(Box<dyn PlainValue>);

/// A record of any process.
pub struct AnyRecord(Box<dyn EncodedValue>);

/// A message of any process.
pub struct AnyMessage(Box<dyn MessageValue>);

erased_payload!(AnyCommand, PlainValue, clone_plain);
erased_payload!(AnyEvent, PlainValue, clone_plain);
erased_payload!(AnyRecord, EncodedValue, clone_encoded);
erased_payload!(AnyMessage, MessageValue, clone_message);

impl AnyCommand {
    /// Erases the type of a command.
    pub fn of<T: Payload + Send + Sync + 'static>(command: T) -> AnyCommand {
        AnyCommand(Box::new(command))
    }
}

impl AnyEvent {
    /// Erases the type of an event.
    pub fn of<T: Payload + Send + Sync + 'static>(event: T) -> AnyEvent {
        AnyEvent(Box::new(event))
    }
}

impl AnyRecord {
    /// Erases the type of a record.
    pub fn of<T: Payload + Encode + Send + Sync + 'static>(record: T) -> AnyRecord {
        AnyRecord(Box::new(record))
    }

    /// The record as the process persisted it; bytes from a disk are decoded now.
    ///
    /// # Errors
    /// When the bytes are not a `T`.
    ///
    /// # Panics
    /// When it is the record of another process.
    pub fn read<T: Decode + 'static>(self) -> Result<T, DecodeError> {
        match self.get::<Raw>() {
            Some(raw) => decode_shared(&raw.0),
            None => Ok(self.take()),
        }
    }
}

impl AnyMessage {
    /// Erases the type of a message.
    pub fn of<T: Payload + MessageKind + Encode + Send + Sync + 'static>(message: T) -> AnyMessage {
        AnyMessage(Box::new(message))
    }

    /// The message as the receiving process knows it; bytes from a socket are decoded now.
    ///
    /// # Errors
    /// When the bytes are not a `T`.
    ///
    /// # Panics
    /// When it is the message of another process.
    pub fn read<T: Decode + 'static>(self) -> Result<T, DecodeError> {
        match self.get::<Raw>() {
            Some(raw) => decode_shared(&raw.0),
            None => Ok(self.take()),
        }
    }
}

impl MessageKind for AnyMessage {
    fn kind(&self) -> &'static str {
        (*self.0).kind_of()
    }
}

impl Encode for AnyMessage {
    fn encode(&self, out: &mut Vec<u8>) {
        (*self.0).encode_into(out);
    }
}

impl Encode for AnyRecord {
    fn encode(&self, out: &mut Vec<u8>) {
        (*self.0).encode_into(out);
    }
}

/// A message or a record as it came from outside: a decoder does not know the process, so the holder of the process
/// decodes it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Raw(Bytes);

impl Encode for Raw {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl MessageKind for Raw {
    fn kind(&self) -> &'static str {
        "unread"
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes, unread", self.0.len())
    }
}

/// Takes all remaining input: a frame holds one message, and a position one record.
impl Decode for AnyMessage {
    fn decode(input: &mut Reader<'_>) -> Result<AnyMessage, DecodeError> {
        Ok(AnyMessage::of(Raw(input.rest())))
    }
}

/// Takes all remaining input.
impl Decode for AnyRecord {
    fn decode(input: &mut Reader<'_>) -> Result<AnyRecord, DecodeError> {
        Ok(AnyRecord::of(Raw(input.rest())))
    }
}
