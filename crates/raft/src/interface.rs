//! The interface of a member: its configuration, commands, events and view.
//!
//! The duties of an embedding program, step by step: `README.md`, "Embed this", and `examples/embed.rs`.

use crate::configuration::{Configuration, Member};
use crate::entry::Entry;
use crate::index::{Index, Term};
use crate::record::SnapshotMeta;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use volvox_core::{Bytes, Incarnation, Kinds, NodeId, payload};

/// The most entries that one [`Event::Committed`] holds.
pub const COMMITTED_ENTRIES_MAX: usize = 256;

/// The most bytes that one [`Event::Committed`] holds, unless a single entry is larger.
pub const COMMITTED_BYTES_MAX: usize = 1 << 20;

/// The configuration, fixed for the life of a member.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// The incarnation of its storage; never 0.
    pub incarnation: Incarnation,
    /// The configuration that the cluster starts with; `None` for a node that joins one and knows nothing.
    pub initial: Option<Configuration>,
    /// The heartbeat interval of a leader.
    pub heartbeat: Duration,
    /// The least time that a follower waits for a message from the leader; the timeout is drawn in `[T, 2T)` (Raft
    /// 5.2).
    pub election_timeout: Duration,
    /// Whether to ask before campaigning (thesis 9.6).
    pub pre_vote: bool,
    /// Whether a leader that hears from no quorum steps down, and a member that hears from a leader ignores candidates
    /// (thesis 6.2, 4.2.3).
    pub check_quorum: bool,
    /// The most bytes of entries in one message, unless a single entry is larger.
    pub append_bytes_max: usize,
    /// The most bytes of entries in flight to one follower.
    pub in_flight_bytes_max: usize,
    /// The most messages with entries in flight to one follower.
    pub in_flight_messages_max: usize,
    /// The most bytes of entries that a leader accepts before it has committed them.
    pub proposals_bytes_max: usize,
    /// The most reads that wait for a confirmation.
    pub reads_waiting_max: usize,
    /// How many bytes of entries before a checkpoint stay in memory, for slow followers.
    pub log_keep_bytes: usize,
    /// Whether to coalesce: what one turn produces is sent once, at its end, by a timer of zero. Under load that is one
    /// message instead of hundreds.
    pub gather: bool,
    /// This member has no parent: it makes its checkpoints from [`Command::Checkpoint`] and takes snapshots by itself.
    pub alone: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            incarnation: Incarnation::FIRST,
            initial: None,
            heartbeat: Duration::from_millis(50),
            election_timeout: Duration::from_millis(500),
            pre_vote: true,
            check_quorum: true,
            append_bytes_max: 256 << 10,
            in_flight_bytes_max: 4 << 20,
            in_flight_messages_max: 256,
            proposals_bytes_max: 64 << 20,
            reads_waiting_max: 10_000,
            log_keep_bytes: 16 << 20,
            gather: false,
            alone: false,
        }
    }
}

/// The caller's name for a request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Ticket(pub u64);

/// The commands to a member.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// Append `data` to the log. Leader only.
    Propose {
        /// The caller's name for it.
        ticket: Ticket,
        /// The data to append.
        data: Bytes,
    },
    /// At which index is a read linearizable? Any member.
    Read {
        /// The caller's name for it.
        ticket: Ticket,
    },
    /// Change the membership to exactly these. Leader only, one change at a time, by joint consensus (Raft 6).
    Change {
        /// The caller's name for it.
        ticket: Ticket,
        /// The voters.
        voters: Vec<Member>,
        /// The learners.
        learners: Vec<Member>,
    },
    /// Hand leadership to a voter (thesis 3.10). Leader only.
    Transfer {
        /// The caller's name for it.
        ticket: Ticket,
        /// The voter that takes over.
        to: NodeId,
    },
    /// Make a checkpoint of one part at the commit index. Only where [`Config::alone`] is set.
    Checkpoint {
        /// The state of the state machine at that index.
        data: Bytes,
    },
}

impl Kinds for Command {
    const KINDS: &'static [&'static str] = &["Propose", "Read", "Change", "Transfer", "Checkpoint"];

    fn kind(&self) -> &'static str {
        match self {
            Command::Propose { .. } => "Propose",
            Command::Read { .. } => "Read",
            Command::Change { .. } => "Change",
            Command::Transfer { .. } => "Transfer",
            Command::Checkpoint { .. } => "Checkpoint",
        }
    }
}

/// The events of a member.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// The entry was appended. Its fate is decided when `index` commits: with this term it has succeeded, with another
    /// term it is lost.
    Proposed {
        /// The request.
        ticket: Ticket,
        /// The index of the entry.
        index: Index,
        /// The term of the entry.
        term: Term,
    },
    /// Nothing was appended; the read is not served; leadership stays.
    Refused {
        /// The request.
        ticket: Ticket,
        /// The reason.
        reason: Refusal,
    },
    /// These entries are committed: in order, each once per boot.
    Committed {
        /// The entries.
        entries: Vec<Entry>,
    },
    /// The read is linearizable once `index` is applied.
    ReadReady {
        /// The request.
        ticket: Ticket,
        /// The index to wait for.
        index: Index,
    },
    /// The role, term or known leader changed.
    RoleChanged {
        /// The term.
        term: Term,
        /// The role.
        role: RoleKind,
        /// The leader, if known.
        leader: Option<NodeId>,
    },
    /// A different configuration is in force (when appended), or is final (when committed).
    ConfigurationChanged {
        /// The configuration.
        configuration: Configuration,
        /// Whether it is committed.
        committed: bool,
    },
    /// The receiver of a transfer leads.
    Transferred {
        /// The request.
        ticket: Ticket,
    },
    /// A node that the configuration does not name asks this leader to join: it is new, or lost its disk.
    Joining {
        /// The node.
        member: Member,
    },
    /// This leader wants a part of a snapshot for a follower whose entries it no longer has. The parent answers with
    /// [`Raft::send_snapshot_part`](crate::Raft::send_snapshot_part), now or later; it may be asked again.
    SnapshotPartWanted {
        /// The follower.
        to: Member,
        /// The snapshot; `None` lets the parent choose, and take a new one.
        index: Option<Index>,
        /// The content of the part.
        part: u32,
    },
    /// A part of a snapshot arrived, in the order 0 to `total` - 1. Part 0 begins a new transfer: the parts of an
    /// earlier one are void. After the last part the parent calls
    /// [`Raft::install_snapshot`](crate::Raft::install_snapshot) or
    /// [`Raft::refuse_snapshot`](crate::Raft::refuse_snapshot).
    SnapshotPart {
        /// The snapshot.
        meta: SnapshotMeta,
        /// The number of the part.
        part: u32,
        /// The number of parts.
        total: u32,
        /// The part.
        data: Bytes,
    },
}

impl Kinds for Event {
    const KINDS: &'static [&'static str] = &[
        "Proposed",
        "Refused",
        "Committed",
        "ReadReady",
        "RoleChanged",
        "ConfigurationChanged",
        "Transferred",
        "Joining",
        "SnapshotPartWanted",
        "SnapshotPart",
    ];

    fn kind(&self) -> &'static str {
        match self {
            Event::Proposed { .. } => "Proposed",
            Event::Refused { .. } => "Refused",
            Event::Committed { .. } => "Committed",
            Event::ReadReady { .. } => "ReadReady",
            Event::RoleChanged { .. } => "RoleChanged",
            Event::ConfigurationChanged { .. } => "ConfigurationChanged",
            Event::Transferred { .. } => "Transferred",
            Event::Joining { .. } => "Joining",
            Event::SnapshotPartWanted { .. } => "SnapshotPartWanted",
            Event::SnapshotPart { .. } => "SnapshotPart",
        }
    }
}

/// Why a request is refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Refusal {
    /// This member does not lead: ask `leader`.
    NotLeader {
        /// The leader, if known.
        leader: Option<NodeId>,
    },
    /// A limit is reached, or the data is too large: wait, or send less.
    TooMany,
    /// Another change is in progress, or this leader has yet to commit an entry of its own term: wait.
    ChangeInProgress,
    /// Leadership is being handed over: wait.
    Transferring,
    /// The leader changed, or could not be reached, before there was an answer: ask again.
    LeaderChanged,
    /// The configuration is already the requested one.
    NoChange,
    /// No such voter.
    UnknownMember,
    /// The transfer timed out, and was abandoned.
    TransferTimedOut,
}

/// The roles of Raft 5.1, and the one before candidate of thesis 9.6.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RoleKind {
    /// Answers requests of leaders and candidates.
    Follower,
    /// Asks whether it would win a campaign.
    PreCandidate,
    /// Asks for votes.
    Candidate,
    /// Replicates the log.
    Leader,
}

/// The timers of a member.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// Follower and candidate: no message from a leader for too long. Leader: time to check the quorum.
    Election,
    /// Leader: time for a heartbeat.
    Heartbeat,
    /// Leader: the transfer took too long.
    Transfer,
    /// Follower: its question for a read index has no answer yet.
    Read,
    /// The end of a turn: what it has gathered is sent.
    Gather,
}

payload! { Timer; Election, Heartbeat, Transfer, Read, Gather }

/// A view of a member for readers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Status {
    /// The term.
    pub term: Term,
    /// The role.
    pub role: RoleKind,
    /// The leader, if known.
    pub leader: Option<NodeId>,
    /// Entries up to here are committed.
    pub commit: Index,
    /// The last entry.
    pub last: Index,
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl fmt::Display for RoleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RoleKind::Follower => "follower",
            RoleKind::PreCandidate => "pre-candidate",
            RoleKind::Candidate => "candidate",
            RoleKind::Leader => "leader",
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NotLeader { leader: Some(leader) } => write!(f, "not the leader, ask {leader}"),
            Refusal::NotLeader { leader: None } => f.write_str("not the leader, which is unknown"),
            Refusal::TooMany => f.write_str("too many"),
            Refusal::ChangeInProgress => f.write_str("a change is in progress"),
            Refusal::Transferring => f.write_str("leadership is being transferred"),
            Refusal::TransferTimedOut => f.write_str("the transfer of leadership did not end in time"),
            Refusal::LeaderChanged => f.write_str("the leader changed"),
            Refusal::NoChange => f.write_str("no change"),
            Refusal::UnknownMember => f.write_str("unknown member"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Proposed { ticket, index, term } => write!(f, "proposed {ticket} at {index}@{}", term.0),
            Event::Refused { ticket, reason } => write!(f, "refused {ticket}: {reason}"),
            Event::Committed { entries } => {
                f.write_str("committed")?;
                entries.iter().try_for_each(|entry| write!(f, " {entry}"))
            }
            Event::ReadReady { ticket, index } => write!(f, "read {ticket} ready at {index}"),
            Event::RoleChanged { term, role, leader: Some(leader) } => write!(f, "{role} {term}, leader {leader}"),
            Event::RoleChanged { term, role, leader: None } => write!(f, "{role} {term}, leader unknown"),
            Event::ConfigurationChanged { configuration, committed } => {
                write!(f, "configuration {configuration}{}", if *committed { ", committed" } else { "" })
            }
            Event::Transferred { ticket } => write!(f, "transferred {ticket}"),
            Event::Joining { member } => write!(f, "joining {member}"),
            Event::SnapshotPartWanted { to, index: Some(index), part } => {
                write!(f, "wants part {part} of snapshot {index} for {to}")
            }
            Event::SnapshotPartWanted { to, index: None, part } => {
                write!(f, "wants part {part} of a snapshot for {to}")
            }
            Event::SnapshotPart { meta, part, total, data } => {
                write!(f, "snapshot {meta} part {part}/{total} bytes={}", data.len())
            }
        }
    }
}
