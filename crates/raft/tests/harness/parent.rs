//! The parent of a member: a state machine that is a hash of all it applied, which checks what raft promises it.

use super::Cluster;
use std::collections::BTreeMap;
use volvox_core::{Bytes, Effect, EffectOf, Encode, NodeId, Part, decode_all, fingerprint_of};
use volvox_raft::invariants::Violation;
use volvox_raft::{Entry, Event, Index, Raft, SnapshotMeta};

/// Into how many parts the state is cut.
pub const PARTS: u32 = 3;

#[derive(Clone, Default, Debug)]
pub struct State {
    pub applied: Index,
    pub hash: u64,
    /// The snapshot that is being sent: pinned while a follower wants its parts.
    pinned: Option<(SnapshotMeta, State0)>,
    received: Vec<Bytes>,
    /// How often a transfer began, and how many were installed.
    pub transfers: u64,
    pub installed: u64,
}

type State0 = (u64, u64);

impl State {
    pub fn restore_part(&mut self, part: &Part) {
        self.received.push(part.data.clone());
        if self.received.len() == PARTS as usize {
            self.adopt();
        }
    }

    fn apply(&mut self, entry: &Entry) -> Result<(), String> {
        if entry.index != self.applied.next() {
            return Err(format!("was given {} after {}", entry.index, self.applied));
        }
        self.applied = entry.index;
        self.hash = fingerprint_of(&(self.hash, entry)) as u64;
        Ok(())
    }

    fn adopt(&mut self) {
        let whole: Vec<u8> = self.received.drain(..).flat_map(|part| part.to_vec()).collect();
        let (applied, hash): State0 = decode_all(&whole).expect("the state as it was sent");
        (self.applied, self.hash) = (Index(applied), hash);
    }

    fn cut(&self, state: State0, part: u32) -> Bytes {
        let whole = state.to_bytes();
        let size = whole.len().div_ceil(PARTS as usize);
        let start = (part as usize * size).min(whole.len());
        Bytes::from(&whole[start..(start + size).min(whole.len())])
    }
}

pub fn part_number(index: Index, part: u32) -> u64 {
    index.0 << 8 | u64::from(part)
}

pub fn is_worth_a_line(effect: &EffectOf<Raft>) -> bool {
    !matches!(effect, Effect::SetTimer { .. } | Effect::CancelTimer { .. })
}

impl Cluster {
    pub fn on_event(&mut self, node: NodeId, event: Event) {
        match &event {
            Event::Committed { entries } => self.on_committed(node, entries),
            Event::ReadReady { ticket, index } => {
                let needed = self.reads.get(ticket).copied().unwrap_or_default();
                if *index < needed {
                    let detail = format!("{node} reads at {index}, but {needed} was committed before it was asked");
                    self.violated("linearizable reads", "8", detail);
                }
            }
            Event::SnapshotPartWanted { to, index, part } => self.send_part(node, *to, *index, *part),
            Event::SnapshotPart { meta, part, total, data } => self.on_part(node, meta, *part, *total, data.clone()),
            _ => {}
        }
        self.events.push((node, event));
    }

    fn violated(&mut self, property: &'static str, section: &'static str, detail: String) {
        self.violation.get_or_insert(Violation { property, section, detail });
    }

    fn on_committed(&mut self, node: NodeId, entries: &[Entry]) {
        for entry in entries {
            let state = &mut self.node(node).state;
            let result = state.apply(entry);
            let (index, hash) = (state.applied, state.hash);
            if let Err(detail) = result {
                self.violated("entries in order", "5.3", format!("{node} {detail}"));
            }
            self.check_state(node, index, hash);
        }
    }

    fn check_state(&mut self, node: NodeId, index: Index, hash: u64) {
        let first = *self.states.entry(index).or_insert(hash);
        if first != hash {
            self.violated("state machine safety", "5.4.3", format!("{node} has another state at {index}"));
        }
    }

    fn send_part(&mut self, node: NodeId, to: volvox_raft::Member, index: Option<Index>, part: u32) {
        let raft = self.nodes[&node].raft.as_ref().expect("the node runs");
        let state = &self.nodes[&node].state;
        let pinned = state.pinned.clone().filter(|(meta, _)| Some(meta.index) == index);
        let (part, (meta, data)) = match pinned {
            Some(pinned) => (part, pinned),
            None => (0, (raft.meta_at(state.applied), (state.applied.0, state.hash))),
        };
        let state = &mut self.node(node).state;
        state.pinned = Some((meta.clone(), data));
        let data = state.cut(data, part);
        self.step(node, |raft, cx| raft.send_snapshot_part(to, &meta, part, PARTS, data, cx));
    }

    fn on_part(&mut self, node: NodeId, meta: &SnapshotMeta, part: u32, total: u32, data: Bytes) {
        if self.nodes[&node].config.alone {
            return;
        }
        let state = &mut self.node(node).state;
        if part == 0 {
            state.received.clear();
            state.transfers += 1;
        }
        assert_eq!(state.received.len() as u32, part, "parts come in order");
        state.received.push(data);
        if part + 1 < total {
            return;
        }
        let parts = self.node(node).state.received.clone();
        let meta = meta.clone();
        let mut installed = false;
        self.step(node, |raft, cx| {
            let numbers: Vec<u64> = (0..total).map(|part| part_number(meta.index, part)).collect();
            for (number, data) in numbers.iter().zip(parts) {
                cx.checkpoint(Part { number: *number, data });
            }
            installed = raft.install_snapshot(meta.clone(), numbers, cx);
        });
        let state = &mut self.node(node).state;
        if !installed {
            return state.received.clear();
        }
        state.adopt();
        state.installed += 1;
        let (index, hash) = (state.applied, state.hash);
        self.check_state(node, index, hash);
    }

    /// The parent makes a checkpoint of what it applied.
    pub fn checkpoint(&mut self, node: u64) {
        let node = super::id(node);
        let state = self.nodes[&node].state.clone();
        let raft = self.nodes[&node].raft.as_ref().expect("the node runs");
        if state.applied == Index::ZERO || state.applied <= raft.checkpoint_index() {
            return;
        }
        let meta = raft.meta_at(state.applied);
        self.step(node, |raft, cx| {
            let numbers: Vec<u64> = (0..PARTS).map(|part| part_number(meta.index, part)).collect();
            for (part, number) in numbers.iter().enumerate() {
                let data = state.cut((state.applied.0, state.hash), part as u32);
                cx.checkpoint(Part { number: *number, data });
            }
            raft.finish_checkpoint(meta, numbers, cx);
        });
    }

    /// How many of each event were told.
    pub fn count_events(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|(_, event)| wanted(event)).count()
    }

    /// The nodes' states, where they run.
    pub fn applied(&self) -> BTreeMap<u64, (Index, u64)> {
        let running = self.nodes.values().filter(|node| node.raft.is_some());
        running.map(|node| (node.id.0, (node.state.applied, node.state.hash))).collect()
    }
}
