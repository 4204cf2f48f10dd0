//! The write-ahead log and the checkpoints of a node, over a file system that may be real or simulated.
//!
//! # The problem
//!
//! A node makes promises: a vote, an acknowledged write. It can keep a promise only if it remembers it, so the promise
//! must be on disk first. Disks guarantee less than they seem to. A completed write is in a cache, of which a power cut
//! keeps any part. A created or renamed file is a separate write, with its own cache. Sectors decay unnoticed. And
//! `fsync` can fail, after which the cache shows data that the disk does not hold. A log must distinguish two cases
//! that look alike: the end of a write that a crash interrupted, which was never promised, and a promise that the disk
//! has lost. Cutting off the first is correct. Cutting off the second makes a node that votes twice.
//!
//! # The idea
//!
//! Records are written in *batches*: one write, one `fdatasync`, one checksum. A batch is valid as a whole or not at
//! all. Each batch says how far the log was known durable when it was written, `synced_through`. So each batch is a
//! witness for those before it, and opening a log needs one rule:
//!
//! > Positions up to the highest `synced_through` found anywhere must verify. One that does not verify is a **lost record**: the
//! > node takes a new identity ([`Outcome::Lost`]). Beyond it, everything from the first invalid batch on is a **torn
//! > tail**, and is cut ([`Outcome::TornTail`]).
//!
//! The last batch has no witness yet. When nothing waits to be written the node writes one empty batch
//! ([`Log::write_idle`]), which is one; from then on no damage to a record can pass for a torn write.
//!
//! # The folder
//!
//! | file | content | how it changes |
//! |---|---|---|
//! | `identity` | the owner of the log; where this life begins | replaced by rename, once per life |
//! | `log-N` | segment N of the log: batches, one after the other | written in place, batch by batch |
//! | `spare-N` | a file that waits to be a segment | zeroed in steps, then renamed |
//! | `part-N` | one immutable part of a checkpoint | written once |
//! | `manifest-L` | the current checkpoint of the life that began with segment L | replaced by rename |
//! | `LOCK` | locked while a process uses the folder | never |
//!
//! Numbers in names have 16 hexadecimal digits. Other files are left alone. Everything in the files is little-endian,
//! and every checksum is CRC-32C.
//!
//! ## How every file begins
//!
//! ```text
//!  0         4         8         12
//! +---------+---------+---------+
//! | magic   | version | crc of  |   No version changes these twelve bytes, so a newer file is refused as newer
//! | 4 bytes | u32     | 0 to 8  |   ([`OpenError::NewerVersion`]), and a damaged one is not mistaken for newer.
//! +---------+---------+---------+
//! ```
//!
//! ## A batch, at the start of a 512-byte sector of `log-N`
//!
//! ```text
//!  0         4         8         12        16                  24                  32
//! +---------+---------+---------+---------+-------------------+-------------------+
//! | "VxLg"  | 1       | crc of  | crc of  | nonce of this     | number of this    |
//! |         |         | 0 to 8  | 16 to 76| life, u64         | segment, u64      |
//! +---------+---------+---------+---------+-------------------+-------------------+
//!  32                  40                  48                  56        60        64
//! +-------------------+-------------------+-------------------+---------+---------+
//! | position of the   | synced_through,   | sequence of the   | number  | bytes   |
//! | first record, u64 | u64               | manifest, u64     | of recs | of body |
//! +-------------------+-------------------+-------------------+---------+---------+
//!  64        68        72        76
//! +---------+---------+---------+------------------------------------+------------+
//! | crc of  | flags:  | sectors | body: for each record its length,  | zeros to a |
//! | body    | 1 seal  | of file | u32, and its bytes                 | sector     |
//! +---------+---------+---------+------------------------------------+------------+
//! ```
//!
//! The same write zeroes the sector behind the batch: there the log ends, whatever data an earlier use of the file
//! left. Both checksums of the header begin with the nonce. It is random, different in each life, and unknown outside
//! the folder: neither an earlier life's batches nor bytes that a client stored can pass for a batch. A recycled file
//! is full of batches of this very life, and those carry another segment number.
//!
//! ## `identity`
//!
//! ```text
//!  0         4         8         12        16        24        32          40        48         56
//! +---------+---------+---------+---------+---------+---------+-----------+---------+----------+
//! | "VxId"  | 1       | crc of  | crc of  | cluster | node    | incar-    | nonce   | first    |
//! |         |         | 0 to 8  | 16 to 56|         |         | nation    |         | segment  |
//! +---------+---------+---------+---------+---------+---------+-----------+---------+----------+
//! ```
//!
//! ## `manifest-L`, and a part
//!
//! ```text
//!  0         4         8         12        16        24        32        40        48       52       56
//! +---------+---------+---------+---------+---------+---------+---------+---------+--------+--------+
//! | "VxMf"  | 1       | crc of  | crc of  | nonce   | its se- | covers  | oldest  | number | 0      |
//! |         |         | 0 to 8  | 16 on   |         | quence  |         | segment | parts  |        |
//! +---------+---------+---------+---------+---------+---------+---------+---------+--------+--------+
//! | for each part, in order: its number, u64; the length of its data, u32; the crc of its data, u32 |
//! +-------------------------------------------------------------------------------------------------+
//!
//!  0         4         8         12        16        24
//! +---------+---------+---------+---------+---------+-----------------------------------+
//! | "VxPt"  | 1       | crc of  | crc of  | its     | data, at most 1 MiB               |
//! |         |         | 0 to 8  | data    | number  |                                   |
//! +---------+---------+---------+---------+---------+-----------------------------------+
//! ```
//!
//! # A worked run
//!
//! ```text
//! append [a b]    | 1..2 synced 0 |.
//! append [c]      | 1..2 synced 0 | 3 synced 2 |.                        acknowledged: a b c
//! append [d e]    | 1..2 synced 0 | 3 synced 2 | 4..~~~~~~~              the power fails in mid-write
//! open            highest synced_through is 3 (of the torn header): 1 to 3 must verify, and do.
//!                 4 is a torn tail: | 1..2 | 3 | - synced 3 |.           an empty batch takes its place
//!
//! then, at rest, a bit of c flips:
//!                 | 1..2 synced 0 | ####### | - synced 3 |.
//! open            highest synced_through is 3, and 3 does not verify: record 3 is lost.
//! ```
//!
//! Had the bit flipped before the empty batch was written, and taken the header of `c` with it, the highest
//! `synced_through` would be 2: a torn tail. This is the one case that cannot be distinguished: decay of exactly the
//! last batch, while the node was down after a crash during a write. Test `every_byte_of_a_log_that_was_busy` shows the
//! limits of this case.
//!
//! # Why it is safe
//!
//! - **Acknowledged records are never overwritten.** A batch begins at a sector of its own, so that the next write,
//!   torn or not, touches no sector of it.
//! - **A segment exists before it is used.** A spare is zeroed and synced, renamed, and the folder synced; then the old
//!   segment gets its seal, which says that the next one exists; then the next is written. So a missing segment is
//!   noticed, and one that a crash left unused is not mistaken for missing. Each header also knows how long its file
//!   is.
//! - **A checkpoint is the old one or the new one.** Parts are synced, then the folder, then the new manifest, then it
//!   is renamed, then the folder again; only then is anything deleted. The batches name the sequence number of the
//!   manifest: one that vanished is noticed, and an older one cannot pass for it.
//! - **A life ends at one moment**, when the new identity file takes its name. Before it nothing of the old life was
//!   touched; after it nothing of the old life is read, for its nonce, its segment numbers and the name of its manifest
//!   differ. The new life's first segment skips a number: the old life must not mistake that file for a segment that it
//!   lost.
//! - **Restored records are durable.** A process that was killed may leave a batch that was written and not synced, and
//!   after a failed `fsync` the page cache shows data that the disk does not hold. So records without a witness are
//!   written again and synced before the witness is written.
//! - **After a failed write or sync the log refuses everything** ([`AppendError::Stopped`]). A full disk is not such a
//!   failure: it is noticed before anything is changed.
//!
//! # Caveats
//!
//! - A sector of 512 bytes need not be written whole or not at all, but a write must not damage sectors beside it.
//! - The checksum finds accidents, not forgers with access to the folder.
//! - A folder that is restored from a copy is an old life that looks intact. The log cannot notice this.
//! - A disk that lies about `fdatasync` loses records that it reported as durable. The log notices this if a later
//!   batch survives.
//! - When a healthy life is replaced by another and the power fails in between, the folder may report a lost segment
//!   though nothing was lost. The node takes a new identity, as it would have anyway.
//! - Opening reads every needed segment to its end: 64 MiB at a time, some 30 ms each when cached.
//!
//! # References
//!
//! Rebello et al., *Can Applications Recover from fsync Failures?*, USENIX ATC 2020. Alagappan et al.,
//! *Protocol-Aware Recovery for Consensus-Based Storage*, FAST 2018: torn or corrupted, and why a replica must not
//! guess.
//! Pillai et al., *All File Systems Are Not Created Equal*, OSDI 2014: what a rename promises.
#![forbid(unsafe_code)]

mod batch;
mod checkpoint;
mod counters;
mod directory;
mod error;
mod format;
mod identity;
mod life;
mod log;
mod names;
mod outcome;
mod real;
mod recording;
mod recovery;
mod scan;
mod simulated;
mod spares;
mod unsynced;

pub use batch::Batch;
pub use checkpoint::PARTS_MAX;
pub use counters::Counters;
pub use directory::{Directory, File};
pub use error::{AppendError, CheckpointError, OpenError, ReadPartError};
pub use identity::Identity;
pub use log::{BATCH_BYTES_MAX, Log, Options, RECORD_BYTES_MAX, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};
pub use outcome::{Loss, Outcome, Recovered};
pub use real::{FolderError, RealDirectory, RealFile};
pub use recording::{Recording, RecordingDirectory, RecordingFile, SequenceCounter};
pub use simulated::{Faults, SimulatedDirectory, SimulatedFile};
