//! How a call ended.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use std::borrow::Cow;
use std::fmt::Write;

/// The code of a status; the numbers are gRPC's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Code {
    /// Success.
    Ok = 0,
    /// The caller went away.
    Canceled = 1,
    /// An error without a code of its own.
    Unknown = 2,
    /// The request can never succeed.
    InvalidArgument = 3,
    /// The caller's deadline expired.
    DeadlineExceeded = 4,
    /// The named object does not exist.
    NotFound = 5,
    /// The object to create exists.
    AlreadyExists = 6,
    /// Not allowed.
    PermissionDenied = 7,
    /// A limit was reached.
    ResourceExhausted = 8,
    /// The state does not allow it.
    FailedPrecondition = 9,
    /// Given up because of another.
    Aborted = 10,
    /// Past the end.
    OutOfRange = 11,
    /// Not served.
    Unimplemented = 12,
    /// The message cannot be understood.
    Internal = 13,
    /// Not now; try another member.
    Unavailable = 14,
    /// Data were lost.
    DataLoss = 15,
    /// The caller is unknown.
    Unauthenticated = 16,
}

impl Code {
    /// Every code, in the order of their numbers.
    pub const ALL: [Code; 17] = [
        Code::Ok,
        Code::Canceled,
        Code::Unknown,
        Code::InvalidArgument,
        Code::DeadlineExceeded,
        Code::NotFound,
        Code::AlreadyExists,
        Code::PermissionDenied,
        Code::ResourceExhausted,
        Code::FailedPrecondition,
        Code::Aborted,
        Code::OutOfRange,
        Code::Unimplemented,
        Code::Internal,
        Code::Unavailable,
        Code::DataLoss,
        Code::Unauthenticated,
    ];

    /// The name as etcd's metrics spell it.
    pub fn name(self) -> &'static str {
        match self {
            Code::Ok => "OK",
            Code::Canceled => "Canceled",
            Code::Unknown => "Unknown",
            Code::InvalidArgument => "InvalidArgument",
            Code::DeadlineExceeded => "DeadlineExceeded",
            Code::NotFound => "NotFound",
            Code::AlreadyExists => "AlreadyExists",
            Code::PermissionDenied => "PermissionDenied",
            Code::ResourceExhausted => "ResourceExhausted",
            Code::FailedPrecondition => "FailedPrecondition",
            Code::Aborted => "Aborted",
            Code::OutOfRange => "OutOfRange",
            Code::Unimplemented => "Unimplemented",
            Code::Internal => "Internal",
            Code::Unavailable => "Unavailable",
            Code::DataLoss => "DataLoss",
            Code::Unauthenticated => "Unauthenticated",
        }
    }
}

/// A code and a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// The code.
    pub code: Code,
    /// The message. Clients of etcd distinguish errors by it.
    pub message: Cow<'static, str>,
}

impl Status {
    /// A status with a fixed message.
    pub const fn new(code: Code, message: &'static str) -> Status {
        Status { code, message: Cow::Borrowed(message) }
    }

    /// A status with a formatted message.
    pub fn with(code: Code, message: String) -> Status {
        Status { code, message: Cow::Owned(message) }
    }

    /// Appends the two fields to headers or trailers.
    pub fn write(&self, fields: &mut HeaderMap) {
        fields.insert(GRPC_STATUS, code_value(self.code));
        if !self.message.is_empty() {
            fields.insert(GRPC_MESSAGE, message_value(&self.message));
        }
    }
}

pub(super) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

fn code_value(code: Code) -> HeaderValue {
    match code {
        Code::Ok => HeaderValue::from_static("0"),
        other => HeaderValue::from(other as u16),
    }
}

/// Percent-encodes what a header field may not contain.
fn message_value(message: &str) -> HeaderValue {
    let is_plain = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'%';
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        if is_plain(byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a String grows as far as it must");
        }
    }
    HeaderValue::try_from(encoded).expect("nothing but printable ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_at_their_numbers() {
        for (number, code) in Code::ALL.iter().enumerate() {
            assert_eq!(*code as usize, number);
        }
    }

    #[test]
    fn messages_are_percent_encoded() {
        let mut fields = HeaderMap::new();
        Status::with(Code::Internal, "50 % of \u{e9}\n".to_owned()).write(&mut fields);
        assert_eq!(fields["grpc-status"], "13");
        assert_eq!(fields["grpc-message"], "50 %25 of %C3%A9%0A");
    }
}
