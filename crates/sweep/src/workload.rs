//! The next requests of clients: drawn from the seed, with a focus on what the protocol must get right.
//!
//! | keys | who touches them | checked by |
//! |---|---|---|
//! | `r..` registers | puts, deletes, compares and reads of one key | search for a linearizable order, and the history |
//! | `m..` mixed | everything, ranges and transactions too | the history |
//! | `l..` leased | puts under a lease | the history; leases by their own rules |

use crate::operations::Operation;
use crate::shape::Shape;
use std::collections::BTreeMap;
use volvox_core::{Bytes, NodeId, Rng};
use volvox_store::{DeleteRangeRequest, LeaseGrantRequest, PutRequest, RangeRequest, RequestOp, SortOrder, TxnRequest};

/// How many registers there are.
const REGISTERS: u64 = 12;
/// How many mixed keys there are.
const MIXED: u64 = 40;
/// How often a lease is renewed at most before its holder falls silent.
const RENEWALS_MAX: u64 = 4;

/// Draws questions.
pub struct Workload {
    rng: Rng,
    value_bytes: (usize, usize),
    next_value: u64,
    next_lease: i64,
    next_seed: u64,
    /// The last observed value of each register.
    seen: BTreeMap<Bytes, Option<Bytes>>,
    /// Leases held by clients, with the renewals left.
    held: BTreeMap<usize, (i64, u64)>,
    /// Leases whose holders fell silent: a late keep-alive may still arrive.
    silent: Vec<i64>,
}

/// The knowledge of the laboratory when it draws.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// The client.
    pub client: usize,
    /// The newest revision in any answer.
    pub revision: i64,
    /// A voter that is not the node asked.
    pub other: NodeId,
    /// The member whose quota alarm is on, if one is.
    pub alarm: Option<NodeId>,
}

impl Workload {
    /// A workload with chance of its own.
    pub fn new(rng: Rng, shape: &Shape) -> Workload {
        let next_seed = rng.split(1).next_u64() >> 1;
        Workload {
            rng,
            value_bytes: shape.value_bytes,
            next_value: 1,
            next_lease: 1,
            next_seed,
            seen: BTreeMap::new(),
            held: BTreeMap::new(),
            silent: Vec::new(),
        }
    }

    /// The next question of a client.
    pub fn draw(&mut self, known: Known) -> Operation {
        if let Some(member) = known.alarm
            && self.rng.below(10) == 0
        {
            return self.make_room(known, member);
        }
        // Every third client holds a lease most of the time.
        if known.client.is_multiple_of(3) && self.rng.below(3) > 0 {
            return self.leased(known);
        }
        match self.rng.below(100) {
            0..=2 if !self.silent.is_empty() => self.late(),
            0..=54 => self.register(),
            55..=74 => self.mixed_write(known),
            75..=94 => self.read(known),
            95 if self.rng.below(2) == 0 => self.compaction(known),
            97 if self.rng.below(3) == 0 => Operation::MoveLeader(known.other),
            98 => Operation::TimeToLive(self.rng.below(self.next_lease as u64) as i64 + 1),
            _ => self.leased(known),
        }
    }

    /// A register was seen to hold this.
    pub fn saw(&mut self, key: &Bytes, value: Option<Bytes>) {
        self.seen.insert(key.clone(), value);
    }

    /// A client was granted a lease whose id the server chose.
    pub fn granted(&mut self, client: usize, lease: i64) {
        let renewals = self.rng.below(RENEWALS_MAX);
        self.held.entry(client).or_insert((lease, renewals));
    }

    /// The chance of a request, different from that of all others.
    pub fn seed(&mut self) -> u64 {
        self.next_seed += 1;
        self.next_seed
    }

    /// A client lost its lease, or gave it up.
    pub fn lost_lease(&mut self, client: usize) {
        self.held.remove(&client);
    }

    /// A value that no client has written yet.
    pub fn value(&mut self) -> Bytes {
        let large = self.rng.below(30) == 0;
        let most = if large { self.value_bytes.1 } else { self.value_bytes.0 };
        let bytes = (most as u64 / 2 + self.rng.below(most as u64 / 2 + 1)) as usize;
        self.numbered(bytes)
    }

    /// A value that begins with a unique number, of at least this many bytes.
    fn numbered(&mut self, bytes: usize) -> Bytes {
        let number = self.next_value;
        self.next_value += 1;
        let mut text = format!("v{number}.");
        while text.len() < bytes {
            text.push('.');
        }
        Bytes::from(text.as_str())
    }

    /// A put of a key that nothing else touches: for the demand of progress.
    pub fn probe(&mut self, node: NodeId) -> Operation {
        let value = self.numbered(0);
        Operation::Put(PutRequest { key: Bytes::from(format!("p{}", node.0).as_str()), value, ..PutRequest::default() })
    }

    /// Deletes every mixed key, so that a compaction can make room.
    fn make_room(&mut self, known: Known, member: NodeId) -> Operation {
        match self.rng.below(3) {
            0 => Operation::Delete(DeleteRangeRequest { key: "m".into(), range_end: "n".into(), prev_kv: false }),
            1 => Operation::Compact(known.revision),
            _ => Operation::ClearAlarm(member),
        }
    }

    fn register(&mut self) -> Operation {
        // A few registers are hot.
        let number = self.rng.below(REGISTERS).min(self.rng.below(REGISTERS));
        let key = Bytes::from(format!("r{number:02}").as_str());
        match self.rng.below(10) {
            0..=2 => Operation::Put(PutRequest { key, value: self.value(), prev_kv: true, ..PutRequest::default() }),
            3 => Operation::Delete(DeleteRangeRequest { key, ..DeleteRangeRequest::default() }),
            4..=5 => {
                let expected = self.seen.get(&key).cloned().flatten();
                Operation::CompareAndSet { key, expected, value: self.value() }
            }
            _ => Operation::Read(RangeRequest { key, ..RangeRequest::default() }),
        }
    }

    fn mixed_key(&mut self) -> Bytes {
        Bytes::from(format!("m{:02}", self.rng.below(MIXED)).as_str())
    }

    fn mixed_write(&mut self, known: Known) -> Operation {
        match self.rng.below(8) {
            0..=3 => Operation::Put(PutRequest { key: self.mixed_key(), value: self.value(), ..PutRequest::default() }),
            4 => {
                let (a, b) = (self.mixed_key(), self.mixed_key());
                Operation::Delete(DeleteRangeRequest {
                    key: a.clone().min(b.clone()),
                    range_end: a.max(b),
                    prev_kv: true,
                })
            }
            _ => {
                let mut keys: Vec<Bytes> = (0..1 + self.rng.below(5)).map(|_| self.mixed_key()).collect();
                keys.sort();
                keys.dedup();
                let puts = keys.into_iter().map(|key| (key, self.value())).collect();
                Operation::Multi { puts, unless_after: known.revision - self.rng.below(100) as i64 }
            }
        }
    }

    /// Several keys at one revision; some of the reads accept an old one.
    fn read_txn(&mut self) -> Operation {
        let reads = (0..1 + self.rng.below(3)).map(|_| {
            let key = self.mixed_key();
            RequestOp::Range(RangeRequest { key, serializable: self.rng.below(2) == 0, ..RangeRequest::default() })
        });
        Operation::ReadTxn(TxnRequest { success: reads.collect(), ..TxnRequest::default() })
    }

    fn read(&mut self, known: Known) -> Operation {
        if self.rng.below(6) == 0 {
            return self.read_txn();
        }
        let (a, b) = (self.mixed_key(), self.mixed_key());
        let old = self.rng.below(3) == 0;
        let sort_order = if self.rng.below(5) == 0 { SortOrder::Descend } else { SortOrder::None };
        Operation::Read(RangeRequest {
            key: a.clone().min(b.clone()),
            range_end: if self.rng.below(4) == 0 { "\0".into() } else { a.max(b) },
            limit: if self.rng.below(3) == 0 { 1 + self.rng.below(10) as i64 } else { 0 },
            revision: if old { 1 + self.rng.below(known.revision as u64 + 2) as i64 } else { 0 },
            serializable: self.rng.below(2) == 0,
            count_only: self.rng.below(8) == 0,
            sort_order,
            ..RangeRequest::default()
        })
    }

    /// Forgets all but the last few revisions, or only what is long past.
    fn compaction(&mut self, known: Known) -> Operation {
        let most = if self.rng.below(3) == 0 { 20 } else { 600 };
        Operation::Compact(known.revision - self.rng.below(most).min(known.revision as u64 - 1) as i64)
    }

    /// Renews a lease whose holder fell silent not long ago: perhaps just when its time is over.
    fn late(&mut self) -> Operation {
        let back = self.rng.below(4).min(self.silent.len() as u64 - 1) as usize;
        Operation::KeepAlive(self.silent[self.silent.len() - 1 - back])
    }

    fn leased(&mut self, known: Known) -> Operation {
        let Some((lease, renewals)) = self.held.get_mut(&known.client) else {
            if self.rng.below(4) == 0 {
                return Operation::Grant(LeaseGrantRequest { ttl: 1 + self.rng.below(3) as i64, id: 0 });
            }
            let id = self.next_lease;
            self.next_lease += 1;
            self.held.insert(known.client, (id, self.rng.below(RENEWALS_MAX)));
            return Operation::Grant(LeaseGrantRequest { ttl: 1 + self.rng.below(3) as i64, id });
        };
        let lease = *lease;
        match self.rng.below(8) {
            0..=2 => {
                let key = Bytes::from(format!("l{lease:03}/{}", self.rng.below(3)).as_str());
                let value = self.value();
                Operation::Put(PutRequest { key, value, lease, ..PutRequest::default() })
            }
            3 if *renewals == 0 => {
                self.held.remove(&known.client);
                Operation::Revoke(lease)
            }
            4 if *renewals == 0 => {
                // Falls silent: the lease must end by itself.
                self.held.remove(&known.client);
                self.silent.push(lease);
                Operation::TimeToLive(lease)
            }
            5 => Operation::TimeToLive(lease),
            _ => {
                *renewals = renewals.saturating_sub(u64::from(self.rng.below(20) == 0));
                Operation::KeepAlive(lease)
            }
        }
    }
}

/// Whether a key is a register.
pub fn is_register(key: &[u8]) -> bool {
    key.first() == Some(&b'r')
}

/// The number of a value.
pub fn number_of(value: &[u8]) -> u64 {
    let digits = value.iter().skip(1).take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}
