//! How a life of the storage begins.

use crate::directory::{Directory, File};
use crate::error::AppendError;
use crate::format::{Manifest, StoredIdentity};
use crate::identity::Identity;
use crate::log::{Log, Segment, State};
use crate::names::{self, Names};
use std::collections::{BTreeMap, VecDeque};
use volvox_core::Position;

impl<D: Directory> Log<D> {
    /// Discards everything in the folder and starts at position 1, under a new identity. For a folder that is
    /// [`crate::Outcome::Fresh`], for a node that [`crate::Outcome::Lost`] records, or when it must become another.
    ///
    /// The new identity file is the one moment of change. Before it the folder holds the old life, or what was left of
    /// it: no old file is touched. After it every old file belongs to a life that is over, and opening the log deletes
    /// what a crash left standing.
    ///
    /// # Panics
    /// When the nonce is that of the life before: its batches would pass for ours.
    pub fn start_life(&mut self, identity: Identity) -> Result<(), AppendError> {
        self.check_running()?;
        assert!(self.identity.is_none_or(|old| old.nonce != identity.nonce), "a new life needs a new nonce");
        let result = self.begin_life(identity);
        self.stop_unless_harmless(result)
    }

    fn begin_life(&mut self, identity: Identity) -> Result<(), AppendError> {
        let highest = self.highest_segment.max(self.active.as_ref().map_or(0, |active| active.number));
        // One number is left out. The old life must not take our first segment for its own next: where that one was
        // lost, a crash before the identity changes would make the loss invisible.
        let first_segment = if highest == 0 { 1 } else { highest + 2 };
        let active = self.place_segment(first_segment, 0)?;
        self.replace_file(names::IDENTITY_NEW, names::IDENTITY, &StoredIdentity { identity, first_segment }.encode())?;
        self.identity = Some(identity);
        self.first_segment = first_segment;
        self.highest_segment = first_segment;
        self.next = Position(1);
        self.durable = Position::NONE;
        self.window_open = false;
        self.unsynced = None;
        self.manifest = Manifest::none(first_segment);
        self.parts = BTreeMap::new();
        self.segments =
            VecDeque::from([Segment { number: first_segment, last: Position::NONE, capacity: active.capacity }]);
        self.active = Some(active);
        self.bytes_since_checkpoint = 0;
        self.state = State::Ready;
        self.remove_earlier_lives()
    }

    /// Writes a small file so that a crash leaves the old one or the new one.
    pub(crate) fn replace_file(&mut self, new: &str, name: &str, bytes: &[u8]) -> Result<(), AppendError> {
        let file = self.directory.create(new).map_err(|error| AppendError::write(new, error))?;
        file.write_at(bytes, 0).map_err(|error| AppendError::write(new, error))?;
        file.sync().map_err(|error| AppendError::sync(new, error))?;
        self.counters.bytes_written += bytes.len() as u64;
        self.counters.other_syncs += 1;
        self.directory.rename(new, name).map_err(|error| AppendError::write(name, error))?;
        self.sync_directory()
    }

    fn remove_earlier_lives(&mut self) -> Result<(), AppendError> {
        let list = self.directory.list().map_err(|error| AppendError::write("the folder", error))?;
        let names = Names::sort(&list);
        let manifests = names.manifests.iter().filter(|life| **life != self.first_segment);
        let segments = names.segments.iter().filter(|segment| **segment != self.first_segment);
        let old = manifests.map(|life| names::manifest(*life));
        let old = old.chain(names.parts.iter().map(|part| names::part(*part)));
        let old: Vec<String> = old.chain(segments.map(|segment| names::segment(*segment))).collect();
        for name in old {
            self.directory.remove(&name).map_err(|error| AppendError::write(&name, error))?;
        }
        self.sync_directory()
    }
}
