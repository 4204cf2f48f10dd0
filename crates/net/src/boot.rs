//! The count of a node's starts, in a file of its folder.
//!
//! It is on the disk before the process starts, so that no boot of an incarnation ever returns. The file is replaced as a
//! whole (written under another name, synced, renamed, and the folder synced), so that a crash leaves the old count or
//! the new one, and either way the next start takes a number that no process has had. It lies beside the log and not
//! inside it: a log is of an incarnation, and counts records.
//!
//! ```text
//! volvox boot 1: incarnation 1 boot 7 check 5b2f0c6e9d8a4317
//! ```

use std::io;
use volvox_core::{Boot, Incarnation, fingerprint_of};
use volvox_disk::{Directory, File};

const NAME: &str = "boot";
/// A count that is being written.
const NAME_NEW: &str = "boot.new";
const TITLE: &str = "volvox boot ";
const VERSION: &str = "1: ";
/// A longer file is not ours, and is not read.
const BYTES_MAX: u64 = 128;
/// The greatest plausible boot: a start each millisecond would not reach it.
const BOOT_MAX: u64 = 1 << 48;

/// Why the starts of a node cannot be counted. The process has not started, and the log is as it was.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The file cannot be read.
    #[error("cannot read the file `boot` in the folder of the node: {0}")]
    Read(io::Error),
    /// The file cannot be written.
    #[error("cannot write the file `boot` in the folder of the node: {0}; free some space, or repair the disk")]
    Write(io::Error),
    /// A newer program wrote it.
    #[error("the file `boot` in the folder of the node was written by a newer program: run that one")]
    Newer,
    /// No version of this program writes such a file.
    #[error(
        "the file `boot` in the folder of the node is damaged, and no request may get the number of an earlier one: erase the folder, and let the node join under a fresh incarnation"
    )]
    Damaged,
}

/// Counts one more start of this incarnation; the count is durable when this returns.
///
/// A file of another incarnation does not count here, and an incarnation without a file has not started: the file is
/// written at its first start.
///
/// # Errors
/// When the file is not one of ours, or cannot be replaced.
pub(crate) fn count<D: Directory>(directory: &D, incarnation: Incarnation) -> Result<Boot, BootError> {
    let boot = match read(directory)? {
        Some((counted, boot)) if counted == incarnation => boot.next(),
        Some(_) | None => Boot::FIRST,
    };
    replace(directory, &line(incarnation, boot)).map_err(BootError::Write)?;
    Ok(boot)
}

fn read<D: Directory>(directory: &D) -> Result<Option<(Incarnation, Boot)>, BootError> {
    if !directory.list().map_err(BootError::Read)?.iter().any(|name| name == NAME) {
        return Ok(None);
    }
    let file = directory.open(NAME).map_err(BootError::Read)?;
    let length = file.length().map_err(BootError::Read)?;
    if length > BYTES_MAX {
        return Err(BootError::Damaged);
    }
    let mut bytes = vec![0; length as usize];
    let read = file.read_at(&mut bytes, 0).map_err(BootError::Read)?;
    let text = std::str::from_utf8(&bytes[..read]).map_err(|_| BootError::Damaged)?;
    parse(text).map(Some)
}

fn replace<D: Directory>(directory: &D, text: &str) -> io::Result<()> {
    let file = directory.create(NAME_NEW)?;
    file.write_at(text.as_bytes(), 0)?;
    file.sync()?;
    directory.rename(NAME_NEW, NAME)?;
    directory.sync()
}

fn line(incarnation: Incarnation, boot: Boot) -> String {
    let check = fingerprint_of(&(TITLE, incarnation.0, boot.0)) as u64;
    format!("{TITLE}{VERSION}incarnation {} boot {} check {check:016x}\n", incarnation.0, boot.0)
}

/// Reads what [`line`] writes, and nothing else.
fn parse(text: &str) -> Result<(Incarnation, Boot), BootError> {
    let rest = text.strip_prefix(TITLE).ok_or(BootError::Damaged)?;
    let Some(rest) = rest.strip_prefix(VERSION) else {
        let version = rest.split_once(": ").and_then(|(version, _)| version.parse::<u32>().ok());
        return Err(if version.is_some_and(|version| version > 1) { BootError::Newer } else { BootError::Damaged });
    };
    let words: Vec<&str> = rest.split_whitespace().collect();
    let ["incarnation", incarnation, "boot", boot, "check", _] = words[..] else { return Err(BootError::Damaged) };
    let number = |word: &str| word.parse::<u64>().map_err(|_| BootError::Damaged);
    let (incarnation, boot) = (Incarnation(number(incarnation)?), Boot(number(boot)?));
    let is_ours = (1..=BOOT_MAX).contains(&boot.0) && text == line(incarnation, boot);
    if is_ours { Ok((incarnation, boot)) } else { Err(BootError::Damaged) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use volvox_disk::{Faults, SimulatedDirectory};

    const ONE: Incarnation = Incarnation(1);

    fn counted(directory: &SimulatedDirectory, incarnation: Incarnation) -> u64 {
        count(directory, incarnation).expect("counts").0
    }

    #[test]
    fn each_start_of_an_incarnation_has_a_greater_boot() {
        let disk = SimulatedDirectory::new(1);
        assert_eq!((counted(&disk, ONE), counted(&disk, ONE)), (1, 2));
        disk.crash_to_synced();
        assert_eq!(counted(&disk, ONE), 3, "it was durable when it was returned");
        assert_eq!(counted(&disk, Incarnation(9)), 1, "another incarnation begins");
        disk.erase();
        assert_eq!(counted(&disk, Incarnation(10)), 1);
    }

    #[test]
    fn a_power_cut_at_any_moment_leaves_a_count_that_goes_on() {
        for seed in 0..200 {
            let disk = SimulatedDirectory::new(seed);
            let mut last = (0..seed % 3).fold(0, |_, _| counted(&disk, ONE));
            // A start that had come this far when the power failed.
            let file = disk.create(NAME_NEW).expect("creates");
            let text = line(ONE, Boot(last + 1));
            file.write_at(&text.as_bytes()[..seed as usize % text.len()], 0).expect("writes");
            if seed % 2 == 0 {
                file.write_at(text.as_bytes(), 0).and_then(|()| file.sync()).expect("writes");
                disk.rename(NAME_NEW, NAME).expect("renames");
            }
            disk.crash(seed);
            for _ in 0..3 {
                let boot = counted(&disk, ONE);
                assert!(boot > last, "seed {seed}: boot {boot} after {last}");
                last = boot;
            }
        }
    }

    #[test]
    fn what_no_start_wrote_is_refused() {
        let good = line(ONE, Boot(7));
        assert_eq!(parse(&good).ok(), Some((ONE, Boot(7))));
        let forged = [
            String::new(),
            good.replace("boot 7", "boot 6"),
            good.replace("incarnation 1", "incarnation 2"),
            good.replace(" 1:", " 0:"),
            good.trim_end().to_string(),
            format!("{good} "),
            line(ONE, Boot(0)),
            line(ONE, Boot(u64::MAX)),
            "x".repeat(1 << 20),
        ];
        for text in forged {
            let disk = SimulatedDirectory::new(1);
            disk.put_file(NAME, text.as_bytes());
            let refused = count(&disk, ONE);
            assert!(matches!(refused, Err(BootError::Damaged)), "{:.60}: {refused:?}", text);
        }
        let disk = SimulatedDirectory::new(1);
        disk.put_file(NAME, &[0xff; 40]);
        assert!(matches!(count(&disk, ONE), Err(BootError::Damaged)));
        disk.put_file(NAME, b"volvox boot 2: something else\n");
        assert!(matches!(count(&disk, ONE), Err(BootError::Newer)));
    }

    #[test]
    fn a_count_that_cannot_be_written_is_no_count() {
        let disk = SimulatedDirectory::new(1);
        assert_eq!(counted(&disk, ONE), 1);
        disk.set_faults(Faults { failed_sync: true, ..Faults::default() });
        assert!(matches!(count(&disk, ONE), Err(BootError::Write(_))));
    }
}
