//! The protocol, without any input or output: what all three simulators run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// 16 bytes.
pub type Payload = [u64; 2];

/// The kind is the second word.
pub const PING: u64 = 1;
pub const PONG: u64 = 2;

/// The work over all nodes of a run. Atomic only because madsim asks its tasks to be `Send`.
#[derive(Default)]
pub struct Work {
    pings: AtomicU64,
    pongs: AtomicU64,
}

impl Work {
    pub fn pings(&self) -> u64 {
        self.pings.load(Ordering::Relaxed)
    }

    pub fn pongs(&self) -> u64 {
        self.pongs.load(Ordering::Relaxed)
    }

    pub fn deliveries(&self) -> u64 {
        self.pings() + self.pongs()
    }
}

/// One node.
pub struct Ping {
    pub next: usize,
    pub work: Arc<Work>,
}

impl Ping {
    /// The first message, for the next node.
    pub fn start(&self) -> Payload {
        [0, PING]
    }

    /// The answer to `payload` from `from`, and its receiver.
    pub fn on_message(&self, from: usize, payload: Payload) -> (usize, Payload) {
        match payload {
            [round, PING] => {
                self.work.pings.fetch_add(1, Ordering::Relaxed);
                (from, [round, PONG])
            }
            [round, _] => {
                self.work.pongs.fetch_add(1, Ordering::Relaxed);
                (self.next, [round + 1, PING])
            }
        }
    }
}

/// To and from bytes, for those who send bytes.
pub fn to_bytes(payload: Payload) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&payload[0].to_le_bytes());
    bytes[8..].copy_from_slice(&payload[1].to_le_bytes());
    bytes
}

pub fn from_bytes(bytes: &[u8; 16]) -> Payload {
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    [word(0), word(8)]
}
