//! Numbers of requests that are never reused.
//!
//! # The problem
//!
//! A node numbers its requests to match each answer with its request. It crashes, restarts and counts from 1 again. The
//! answer to request 1 of its first boot is still in flight, arrives, and is believed: a client holds a lease that the
//! grantor has long given to another, a clock is set by a round trip that never happened, and a transaction commits
//! with the content of another.
//!
//! # The idea
//!
//! A world counts the starts of each process on its storage, and a step reads that count with
//! [`Context::boot`](crate::Context::boot). A [`Serial`] is a pair, the [`Boot`] and a count within it, and so it
//! differs from every serial that an earlier boot of this storage issued, and is greater. Nothing is written to the
//! disk for a serial: the world persists the one number that has to survive, the boot, before the process starts. The
//! first boot's serials print as `1`, `2`, `3`, those of the second as `2.1`, `2.2`.
//!
//! ```
//! use volvox_core::serial::{Serial, Serials};
//! use volvox_core::{Boot, Encode, decode_all};
//!
//! // In `on_start`: let mut requests = Serials::of(cx.boot());
//! let mut requests = Serials::of(Boot::FIRST);
//! let first = requests.issue();
//! assert_eq!((first.to_string(), requests.issue().to_string()), ("1".into(), "2".into()));
//!
//! // The process crashed, and restarted.
//! let mut requests = Serials::of(Boot(2));
//! let later = requests.issue();
//! assert_eq!(later.to_string(), "2.1");
//! assert!(later > first && later != first, "an answer to the first does not answer this");
//! assert_eq!(decode_all::<Serial>(&later.to_bytes()), Ok(later));
//! ```
//!
//! # When it is enough
//!
//! A serial shows that a request is *new*. That is enough where an earlier boot's requests are void: they bind the node
//! to nothing, and their answers may be ignored. This is the case for requests that are answered or forgotten, for
//! snapshots, rounds and probes, and for names that only have to be unique.
//!
//! It is not enough where an earlier boot made a *promise* under the number: a vote in a term, an acceptance of a ballot,
//! a yes to a transaction. A promise is a record on the disk, durable before any other node learns of it, and that
//! record contains the number. Two-phase commit needs both: its coordinator names transactions by serials and promises
//! nothing by the name, while each participant persists the name that it is bound to.
//!
//! If the storage is lost, the count of boots is lost with it. The node's next [`Incarnation`](crate::Incarnation)
//! begins at boot 1 again, so that only the pair of incarnation and boot never returns. A protocol that tolerates the
//! loss of a disk names its node by incarnation, as Raft's configurations do, or does not rely on serials.
//!
//! # References
//!
//! A. Birrell, B. Nelson: *Implementing remote procedure calls*, ACM TOCS 2(1), 1984, section 3.2: beside its sequence
//! number a call carries a conversation identifier, which tells the incarnations of the calling machine apart. SNMPv3
//! counts boots (RFC 3414, section 2.2: `snmpEngineBoots`). A client of NFS version 4 names itself with a verifier that
//! changes when it reboots, so that the server can drop the locks of its earlier life (RFC 7530, section 9.1.1).

use crate::codec::{Decode, DecodeError, Encode, Reader};
use crate::identity::Boot;
use alloc::vec::Vec;
use core::fmt;

/// The greatest boot and count that are accepted: a greater one would leave no room to count.
const NUMBER_MAX: u64 = 1 << 62;

/// A number that this node issues only once on its storage, however often it restarts. Ordered by the time of issue.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial {
    /// The start of the process that issued it.
    pub boot: Boot,
    /// The count within that boot, from 1.
    pub count: u64,
}

impl Serial {
    /// The serial with this count of the first boot: for tests, and for a protocol that keeps its last number on the
    /// disk and never restarts its count.
    pub const fn first_boot(count: u64) -> Serial {
        Serial { boot: Boot::FIRST, count }
    }
}

/// Issues the serials of one boot.
///
/// Before [`Process::on_start`](crate::Process::on_start) there is no boot: a process begins with `Serials::default()`,
/// which issues nothing, and replaces it in `on_start`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Serials {
    boot: Option<Boot>,
    issued: u64,
}

impl Serials {
    /// The serials of a boot, from the first on.
    pub fn of(boot: Boot) -> Serials {
        Serials { boot: Some(boot), issued: 0 }
    }

    /// The serials after this one, in its boot.
    pub fn behind(last: Serial) -> Serials {
        Serials { boot: Some(last.boot), issued: last.count }
    }

    /// Issues the next serial.
    ///
    /// # Panics
    /// Before the process has started.
    pub fn issue(&mut self) -> Serial {
        let boot = self.boot.expect("a serial is issued by a process that has started");
        self.issued += 1;
        Serial { boot, count: self.issued }
    }

    /// The number of serials issued in this boot.
    pub fn issued(&self) -> u64 {
        self.issued
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.boot == Boot::FIRST { write!(f, "{}", self.count) } else { write!(f, "{}.{}", self.boot.0, self.count) }
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Encode for Serial {
    fn encode(&self, out: &mut Vec<u8>) {
        self.boot.0.encode(out);
        self.count.encode(out);
    }
}

/// Refuses what no node issues: a boot or count that is zero or out of range.
impl Decode for Serial {
    fn decode(input: &mut Reader<'_>) -> Result<Serial, DecodeError> {
        let (boot, count) = (input.varint()?, input.varint()?);
        let is_issued = |number: u64| (1..=NUMBER_MAX).contains(&number);
        match is_issued(boot) && is_issued(count) {
            true => Ok(Serial { boot: Boot(boot), count }),
            false => Err(DecodeError::Invalid("serial")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::decode_all;
    use alloc::format;

    #[test]
    fn a_later_boot_issues_greater_serials() {
        let mut first = Serials::of(Boot::FIRST);
        let (one, two) = (first.issue(), first.issue());
        let again = Serials::of(Boot(2)).issue();
        assert!(one < two && two < again);
        assert_eq!((first.issued(), Serials::behind(two).issue()), (2, first.issue()));
        assert_eq!(format!("{one} {two:?} {again}"), "1 2 2.1");
    }

    #[test]
    #[should_panic(expected = "a process that has started")]
    fn nothing_is_issued_before_the_start() {
        Serials::default().issue();
    }

    #[test]
    fn what_no_node_issues_is_refused() {
        for serial in [Serial::first_boot(1), Serial { boot: Boot(300), count: NUMBER_MAX }] {
            assert_eq!(decode_all(&serial.to_bytes()), Ok(serial));
        }
        for (boot, count) in [(0, 1), (1, 0), (NUMBER_MAX + 1, 1), (1, u64::MAX)] {
            let forged = Serial { boot: Boot(boot), count };
            assert_eq!(decode_all::<Serial>(&forged.to_bytes()), Err(DecodeError::Invalid("serial")));
        }
        assert_eq!(decode_all::<Serial>(&[1]), Err(DecodeError::Truncated));
    }
}
