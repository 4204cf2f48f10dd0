//! Power cuts, at any moment, of any nodes.
//!
//! `kill -9` never tests fsync: the operating system still writes what the process had not synced. So three live nodes
//! run, with real sockets, over folders that record every write and every sync; clients change keys and remember what
//! they were promised, and when, by the clock that the recordings share. Afterwards the power is cut, a thousand times:
//!
//! ```text
//! n1   w w S   w   S w w S    |            w: a write       S: a sync
//! n2   w   w S   w w   S      |  the cut   A: a client sees its write acknowledged
//! n3     w S   w S       w S  |
//! client     A     A     A    |            every A must be found by a node started from here
//! ```
//!
//! A node that is cut keeps everything synced, and of the rest any sectors and any changes of the folder. The others
//! die in the same moment as a killed process does: with everything written. Then all three are started again from
//! these images, as live nodes, and each of them must resume its life, agree with the others, and show every change
//! that was acknowledged before the cut, at its revision; nothing may be there that no client had asked for.

pub mod history;
pub mod load;
pub mod restart;

use crate::live_node::block_on;
use anyhow::{Context, Result};
use load::Tape;
use restart::Image;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, sync_channel};
use volvox_core::Rng;
use volvox_disk::Faults;

/// Images that are restarted at a time. Most of their time they wait for an election.
const WORKERS: usize = 8;

/// One power cut.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// The sequence number of the cut.
    pub sequence: u64,
    /// The nodes that lose power: bit 0 for node 1. The others are killed.
    pub nodes: u64,
    /// Decides what of the unsynced survives.
    pub seed: u64,
}

/// The results of all images.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Images restarted.
    pub images: u64,
    /// Acknowledged writes that were looked for, and found, in all of them.
    pub found: u64,
    /// The violation, and its image.
    pub failures: Vec<(Cut, String)>,
}

/// The cuts of a seed, in the order of time.
pub fn cuts(tape: &Tape, images: u64, seed: u64) -> Vec<Cut> {
    let mut rng = Rng::new(seed).split(u64::MAX);
    let all = (1 << tape.recordings.len()) - 1;
    let mut cut = || Cut {
        sequence: rng.between(tape.first_cut, tape.last_cut),
        nodes: rng.between(1, all),
        seed: rng.next_u64(),
    };
    let mut cuts: Vec<Cut> = (0..images).map(|_| cut()).collect();
    cuts.sort_by_key(|cut| cut.sequence);
    cuts
}

/// The image of one cut.
pub fn image(tape: &Tape, cut: Cut) -> Image {
    let folder = |(index, recording): (u64, &volvox_disk::Recording)| {
        let folder = recording.state_at(cut.sequence);
        if cut.nodes & 1 << index == 0 {
            folder.kill();
            return folder;
        }
        // Every other image tears sectors too: a batch begins at a sector, so a torn one holds nothing acknowledged.
        let torn_sectors_ppm = if cut.seed.is_multiple_of(2) { 0 } else { 200_000 };
        folder.set_faults(Faults { torn_sectors_ppm, ..Faults::default() });
        folder.crash(cut.seed ^ index);
        folder.set_faults(Faults::default());
        folder
    };
    Image { folders: (0..).zip(&tape.recordings).map(folder).collect(), demands: tape.history.demands_at(cut.sequence) }
}

/// Restarts every cut's image, several at a time; `progress` hears how many are done.
///
/// # Errors
/// When the operating system provides no threads.
///
/// # Panics
/// When a node does.
pub fn restart_all(tape: &Tape, cuts: &[Cut], progress: impl Fn(u64) + Sync) -> Result<Verdict> {
    let verdict = Mutex::new(Verdict::default());
    let (sender, receiver) = sync_channel::<(Cut, Image)>(2);
    let receiver = Mutex::new(receiver);
    std::thread::scope(|scope| {
        for number in 0..WORKERS {
            let (receiver, verdict, progress) = (&receiver, &verdict, &progress);
            std::thread::Builder::new()
                .name(format!("restart-{number}"))
                .spawn_scoped(scope, move || work(receiver, verdict, progress))
                .context("the operating system provides no thread")?;
        }
        for cut in cuts {
            sender.send((*cut, image(tape, *cut))).context("every worker has ended")?;
        }
        drop(sender);
        Ok::<_, anyhow::Error>(())
    })?;
    Ok(verdict.into_inner().expect("no panic holds this lock"))
}

fn work(images: &Mutex<Receiver<(Cut, Image)>>, verdict: &Mutex<Verdict>, progress: &(impl Fn(u64) + Sync)) {
    loop {
        let next = images.lock().expect("no panic holds this lock").recv();
        let Ok((cut, image)) = next else { return };
        let writes = image.demands.writes;
        let result = block_on(image.restart());
        let mut verdict = verdict.lock().expect("no panic holds this lock");
        verdict.images += 1;
        match result {
            Ok(()) => verdict.found += writes,
            Err(error) => verdict.failures.push((cut, format!("{error:#}"))),
        }
        progress(verdict.images);
    }
}

/// Keeps the image of a cut for a look, and says in which folder.
///
/// # Errors
/// When it cannot be written.
pub fn keep(tape: &Tape, cut: Cut, folder: &Path) -> Result<PathBuf> {
    let folder = folder.join(format!("image-{}-{}-{:x}", cut.sequence, cut.nodes, cut.seed));
    image(tape, cut).save(&folder).with_context(|| format!("cannot write {}", folder.display()))?;
    Ok(folder)
}
