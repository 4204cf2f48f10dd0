//! A database of etcd from a store, to a client, one piece at a time.

use super::fill::Fill;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::io::{Sink, sink};
use volvox_bolt::{Image, PAGE_BYTES, Writer};
use volvox_store::View;

/// A message of the stream has at most this many bytes.
const CHUNK_BYTES: usize = 128 << 10;

/// A snapshot of a view, in pieces.
///
/// The view is walked twice: first to learn the size, because every chunk says how much is still to come, and the front
/// of the file where its end is. A step does bounded work, so that others get a turn in between.
pub(crate) struct Chunks {
    view: View,
    stage: Stage,
    hash: Sha256,
    /// Written, and not sent yet.
    waiting: Bytes,
    remaining_bytes: u64,
}

enum Stage {
    Measure(Box<(Fill, Writer<Sink>)>),
    Pages(Box<(Fill, Writer<Vec<u8>>)>, Image),
    Hash,
    Done,
}

/// The result of one step.
pub(crate) enum Step {
    /// Nothing can be sent yet.
    Measured,
    /// The next piece.
    Chunk(Chunk),
}

/// A piece of the file.
pub(crate) struct Chunk {
    pub bytes: Bytes,
    /// How much of the database follows; the hash at the end is not part of it.
    pub remaining_bytes: u64,
}

impl Chunks {
    pub fn new(view: View) -> Chunks {
        let stage = Stage::Measure(Box::new((Fill::new(), Writer::new(sink(), PAGE_BYTES))));
        Chunks { view, stage, hash: Sha256::new(), waiting: Bytes::new(), remaining_bytes: 0 }
    }

    /// Bounded work; `None` when all is sent.
    ///
    /// # Panics
    /// When the store contains what the protocol refuses, such as a value beyond two GiB.
    pub fn step(&mut self) -> Option<Step> {
        if self.waiting.is_empty() {
            self.advance()?;
        }
        let length = self.waiting.len().min(CHUNK_BYTES);
        if length == 0 {
            return Some(Step::Measured);
        }
        let bytes = self.waiting.split_to(length);
        Some(Step::Chunk(Chunk { bytes, remaining_bytes: self.remaining_bytes + self.waiting.len() as u64 }))
    }

    /// Writes some more; `None` at the end.
    fn advance(&mut self) -> Option<()> {
        const SOUND: &str = "a store has changes in order, and memory takes all pages";
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Measure(mut measure) => {
                if measure.0.step(&self.view, &mut measure.1).expect(SOUND) {
                    self.stage = Stage::Measure(measure);
                    return Some(());
                }
                let image = measure.1.finish().expect(SOUND);
                self.remaining_bytes = image.byte_length();
                self.write(image.head());
                self.stage = Stage::Pages(Box::new((Fill::new(), Writer::new(Vec::new(), PAGE_BYTES))), image);
            }
            Stage::Pages(mut pages, image) => {
                if pages.0.step(&self.view, &mut pages.1).expect(SOUND) {
                    let written = std::mem::take(pages.1.output_mut());
                    self.write(written);
                    self.stage = Stage::Pages(pages, image);
                    return Some(());
                }
                let (again, written) = pages.1.finish_with_output().expect(SOUND);
                assert_eq!(again, image, "the pinned view is as large as it was measured");
                self.write(written);
                self.stage = Stage::Hash;
            }
            Stage::Hash => {
                assert_eq!(self.remaining_bytes, 0, "the database is as long as it was measured");
                self.waiting = Bytes::from(std::mem::take(&mut self.hash).finalize().to_vec());
                // Clients take the last message for the hash: it says that nothing remains.
                self.stage = Stage::Done;
            }
            Stage::Done => return None,
        }
        Some(())
    }

    fn write(&mut self, written: Vec<u8>) {
        self.hash.update(&written);
        self.remaining_bytes -= written.len() as u64;
        self.waiting = Bytes::from(written);
    }
}
