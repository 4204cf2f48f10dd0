//! The packet of NTP version 4, as it is on the wire (RFC 5905, section 7.3): 48 bytes, big endian.
//!
//! ```text
//!    0        LI (2 bits), version (3), mode (3)
//!    1        stratum          2  poll (log2 s)         3  precision (log2 s)
//!    4 .. 8   root delay       8 .. 12  root dispersion       16.16 seconds
//!   12 .. 16  reference id
//!   16 .. 24  reference timestamp: when the clock was last set
//!   24 .. 32  origin timestamp: T1, as the client sent it
//!   32 .. 40  receive timestamp: T2
//!   40 .. 48  transmit timestamp: T3; of a request, T1
//! ```
//!
//! Times are 32.32 fixed point, in seconds since 1900-01-01; they wrap in 2036 and every 136 years after. A time is
//! interpreted as the one nearest to a pivot, such as the reader's own clock.

use core::fmt;

/// The length of a packet without extensions.
pub const PACKET_BYTES: usize = 48;
/// The seconds from 1900 to 1970.
const TO_UNIX: i64 = 2_208_988_800;
const NANOS: i128 = 1_000_000_000;

/// A time on the wire: seconds since 1900, with 32 bits after the point. Zero means no time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The time of a wall clock, in nanoseconds since 1970, rounded to the nearest.
    pub fn of(unix_ns: i64) -> Timestamp {
        let since_1900 = i128::from(unix_ns) + i128::from(TO_UNIX) * NANOS;
        // Wraps at the end of an era, as it must.
        Timestamp((((since_1900 << 32) + NANOS / 2).div_euclid(NANOS)) as u64)
    }

    /// The time in nanoseconds since 1970 that is nearest to `pivot_ns`: within 68 years of it, the era is known.
    pub fn near(self, pivot_ns: i64) -> i64 {
        let ahead = self.0.wrapping_sub(Timestamp::of(pivot_ns).0) as i64;
        let ahead_ns = (i128::from(ahead) * NANOS + (1 << 31)) >> 32;
        pivot_ns.saturating_add(ahead_ns as i64)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0 >> 32, (u128::from(self.0 as u32) * 1_000_000_000) >> 32)
    }
}

/// The mode of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mode {
    /// Mode 3: a client's request.
    Client,
    /// Mode 4: a server's answer.
    Server,
    /// One of the other modes, which are not supported here: symmetric active 1 and passive 2, broadcast 5, control 6,
    /// private 7.
    Other(u8),
}

/// A packet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Packet {
    /// The leap second warning; 3 means a clock that was never set.
    pub leap: u8,
    /// 4, or 3 from old clients.
    pub version: u8,
    /// The mode.
    pub mode: Mode,
    /// The stratum: 1 is attached to a reference, 2 to 15 were set from the stratum above; 0 is a kiss of death, 16 was
    /// never set.
    pub stratum: u8,
    /// The polling interval, as the binary logarithm of seconds.
    pub poll: i8,
    /// The clock's precision, as the binary logarithm of seconds.
    pub precision: i8,
    /// The round trip to the reference, in 16.16 seconds.
    pub root_delay: u32,
    /// The dispersion: the further error of the time, in 16.16 seconds.
    pub root_dispersion: u32,
    /// The reference of the clock: four letters at stratum 1, or the code of a kiss of death at stratum 0.
    pub reference_id: [u8; 4],
    /// When the clock was last set.
    pub reference: Timestamp,
    /// T1, as the client sent it.
    pub origin: Timestamp,
    /// T2.
    pub receive: Timestamp,
    /// T3; in a request, T1.
    pub transmit: Timestamp,
}

/// Why bytes are not a supported packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PacketError {
    /// Fewer than 48 bytes.
    TooShort,
    /// A version that is neither 3 nor 4.
    Version(u8),
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PacketError::TooShort => write!(f, "the sender sent fewer than {PACKET_BYTES} bytes"),
            PacketError::Version(version) => write!(f, "the sender uses version {version}, not 3 or 4"),
        }
    }
}

impl core::error::Error for PacketError {}

/// Why an answer is not believed (RFC 5905, section 8: the packet sanity tests).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Distrust {
    /// The packet is not a server's answer.
    Mode,
    /// The origin is not that of the request: an old answer, or a forged one.
    Bogus,
    /// The transmit time is zero.
    NoTime,
    /// The server's clock was never set, or the server says why it refuses.
    Unsynchronised,
    /// The server's root distance is a second or more.
    TooFar,
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Distrust::Mode => "the packet is not a server's answer",
            Distrust::Bogus => "the answer is not to this request",
            Distrust::NoTime => "the server sent no time",
            Distrust::Unsynchronised => "the server's clock was never set, or it refuses to answer",
            Distrust::TooFar => "the server is too far from its reference",
        })
    }
}

impl core::error::Error for Distrust {}

impl Packet {
    /// A request whose transmit timestamp is `transmit`: T1, or any unpredictable number.
    pub fn request(transmit: Timestamp) -> Packet {
        let zero = Timestamp::default();
        Packet {
            leap: 0,
            version: 4,
            mode: Mode::Client,
            stratum: 0,
            poll: 6,
            precision: 0x20,
            root_delay: 0,
            root_dispersion: 0,
            reference_id: [0; 4],
            reference: zero,
            origin: zero,
            receive: zero,
            transmit,
        }
    }

    /// The answer of a stratum 1 server that reads its own clock.
    pub fn answer(&self, receive: Timestamp, transmit: Timestamp) -> Packet {
        Packet {
            leap: 0,
            version: self.version,
            mode: Mode::Server,
            stratum: 1,
            poll: self.poll,
            precision: -20,
            root_delay: 0,
            root_dispersion: 0,
            reference_id: *b"LOCL",
            reference: receive,
            origin: self.transmit,
            receive,
            transmit,
        }
    }

    /// Whether this answers the request with this transmit timestamp, and may be used.
    ///
    /// # Errors
    /// When it does not answer the request, or may not be used.
    pub fn check_answer(&self, asked: Timestamp) -> Result<(), Distrust> {
        let (none, second) = (Timestamp::default(), 1 << 16);
        if self.mode != Mode::Server {
            Err(Distrust::Mode)
        } else if self.origin != asked || asked == none {
            Err(Distrust::Bogus)
        } else if self.receive == none || self.transmit == none {
            Err(Distrust::NoTime)
        } else if self.leap == 3 || self.stratum == 0 || self.stratum > 15 {
            Err(Distrust::Unsynchronised)
        } else if u64::from(self.root_delay / 2) + u64::from(self.root_dispersion) >= second {
            Err(Distrust::TooFar)
        } else {
            Ok(())
        }
    }

    /// The encoded packet.
    pub fn encode(&self) -> [u8; PACKET_BYTES] {
        let mode = match self.mode {
            Mode::Client => 3,
            Mode::Server => 4,
            Mode::Other(mode) => mode & 7,
        };
        let mut bytes = [0; PACKET_BYTES];
        bytes[0] = self.leap << 6 | (self.version & 7) << 3 | mode;
        bytes[1] = self.stratum;
        bytes[2] = self.poll as u8;
        bytes[3] = self.precision as u8;
        bytes[4..8].copy_from_slice(&self.root_delay.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.root_dispersion.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.reference_id);
        for (at, time) in [self.reference, self.origin, self.receive, self.transmit].into_iter().enumerate() {
            bytes[16 + 8 * at..24 + 8 * at].copy_from_slice(&time.0.to_be_bytes());
        }
        bytes
    }

    /// Decodes a packet. Anything after the first 48 bytes (extensions, a signature) is ignored.
    ///
    /// # Errors
    /// When the bytes are not a packet.
    pub fn decode(bytes: &[u8]) -> Result<Packet, PacketError> {
        let (bytes, _) = bytes.split_first_chunk::<PACKET_BYTES>().ok_or(PacketError::TooShort)?;
        let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let time = |at: usize| Timestamp(u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes")));
        let version = bytes[0] >> 3 & 7;
        if !(3..=4).contains(&version) {
            return Err(PacketError::Version(version));
        }
        Ok(Packet {
            leap: bytes[0] >> 6,
            version,
            mode: match bytes[0] & 7 {
                3 => Mode::Client,
                4 => Mode::Server,
                other => Mode::Other(other),
            },
            stratum: bytes[1],
            poll: bytes[2] as i8,
            precision: bytes[3] as i8,
            root_delay: word(4),
            root_dispersion: word(8),
            reference_id: [bytes[12], bytes[13], bytes[14], bytes[15]],
            reference: time(16),
            origin: time(24),
            receive: time(32),
            transmit: time(40),
        })
    }
}
