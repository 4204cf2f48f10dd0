//! Folders that no log of ours wrote: whatever the files hold, opening them answers, allocates within bounds, and what
//! it then calls a log works as one.

use crate::story::{Story, identity, options};
use volvox_core::{Position, Rng};
use volvox_disk::{Directory, Log, Outcome, SimulatedDirectory};

const SECTOR: usize = 512;
const MUTATIONS: u64 = 6_000;

/// The fuzz target: opens the folder, and if there is a log in it, uses it.
fn open_hostile(folder: &SimulatedDirectory) -> Option<Outcome> {
    let (mut log, found) = Log::open(folder.clone(), options()).ok()?;
    match &found.outcome {
        Outcome::Fresh | Outcome::Lost(_) => log.start_life(identity(9_999)).expect("a life"),
        Outcome::Intact | Outcome::TornTail { .. } => {
            let last = found.covers.0 + found.records.len() as u64;
            assert_eq!(found.next_position, Position(last + 1));
            for number in &found.parts {
                log.read_part(*number).expect("verified when opened");
            }
        }
    }
    let next = log.next_position();
    log.append([b"one".as_slice(), &[1; 3000]]).expect("appended");
    log.append([[2; 3000].as_slice()]).expect("appended");
    log.install_checkpoint(next, &[]).expect("a checkpoint");
    drop(log);
    folder.crash(next.0);
    let (_, again) = Log::open(folder.clone(), options()).expect("opens again");
    assert_eq!((again.outcome, again.covers), (Outcome::Intact, next));
    assert_eq!(again.records.len(), 2, "what was appended is there, and nothing that was cut before");
    Some(found.outcome)
}

/// A folder of files made of arbitrary bytes: each begins with what kind it is, its number and its length.
fn folder_of(mut bytes: &[u8]) -> SimulatedDirectory {
    let folder = SimulatedDirectory::new(0);
    while let [kind, number, low, high, rest @ ..] = bytes {
        let length = (usize::from(*high) << 8 | usize::from(*low)).min(rest.len());
        let number = u64::from(*number);
        let name = match kind % 7 {
            0 => "identity".to_owned(),
            1 => format!("manifest-{number:016x}"),
            2 => format!("part-{number:016x}"),
            3 => format!("spare-{number:016x}"),
            4 => ["identity.new", "manifest.new"][(number % 2) as usize].to_owned(),
            _ => format!("log-{number:016x}"),
        };
        folder.put_file(&name, &rest[..length]);
        bytes = &rest[length..];
    }
    folder
}

fn corpus() -> Vec<SimulatedDirectory> {
    let told = (0..8).map(|seed| {
        let mut story = Story::new(seed);
        for _ in 0..25 {
            story.step();
        }
        story.recording().image_at(u64::MAX, seed)
    });
    told.collect()
}

#[test]
fn damaged_folders() {
    let corpus = corpus();
    let mut outcomes = [0; 3];
    for seed in 0..MUTATIONS {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let folder = corpus[rng.below(corpus.len() as u64) as usize].fork();
        for _ in 0..rng.between(1, 4) {
            mutate(&folder, &mut rng);
        }
        match open_hostile(&folder) {
            Some(Outcome::Lost(_)) => outcomes[0] += 1,
            Some(_) => outcomes[1] += 1,
            None => outcomes[2] += 1,
        }
    }
    let [lost, whole, refused] = outcomes;
    assert!(lost > 500 && whole > 500 && refused > 50, "{lost} lost, {whole} whole, {refused} refused");
}

#[test]
fn arbitrary_bytes() {
    for seed in 0..3_000 {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let length = rng.below(20_000) as usize;
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            match rng.below(8) {
                0 => bytes.extend_from_slice(b"VxLg\x01\0\0\0"),
                1 => bytes.extend_from_slice(b"VxId\x01\0\0\0"),
                2 => bytes.extend_from_slice(&[0; 64]),
                _ => bytes.extend_from_slice(&rng.next_u64().to_le_bytes()),
            }
        }
        open_hostile(&folder_of(&bytes));
    }
}

fn mutate(folder: &SimulatedDirectory, rng: &mut Rng) {
    let files = folder.files();
    if files.is_empty() {
        return;
    }
    let (name, mut bytes) = files[rng.below(files.len() as u64) as usize].clone();
    let length = bytes.len() as u64;
    match rng.below(9) {
        0 => return folder.remove(&name).expect("it is there"),
        1 => bytes.truncate(rng.below(length + 1) as usize),
        2 => bytes.resize((length + rng.below(10_000)) as usize, rng.next_u64() as u8),
        3 if length > 0 => {
            let at = rng.below(length) as usize;
            let end = (at + rng.below(64) as usize).min(bytes.len());
            bytes[at..end].fill_with(|| rng.next_u64() as u8);
        }
        4 => bytes = files[rng.below(files.len() as u64) as usize].1.clone(),
        5 => copy_sector(&mut bytes, rng),
        // Bytes with a valid checksum are not trusted either.
        _ => lie(&name, &mut bytes, rng),
    }
    folder.put_file(&name, &bytes);
}

/// A stale, misdirected or repeated batch.
fn copy_sector(bytes: &mut [u8], rng: &mut Rng) {
    let sectors = bytes.len() / SECTOR;
    if sectors > 1 {
        let from = rng.below(sectors as u64) as usize * SECTOR;
        let to = rng.below(sectors as u64) as usize * SECTOR;
        bytes.copy_within(from..from + SECTOR, to);
    }
}

/// Changes a field of a header and makes its checksums right again.
fn lie(name: &str, bytes: &mut [u8], rng: &mut Rng) {
    let (at, header, end) = match &name[..4] {
        "log-" if bytes.len() >= SECTOR => {
            let sector = rng.below((bytes.len() / SECTOR) as u64) as usize * SECTOR;
            (sector, 76, sector + 76)
        }
        "iden" if bytes.len() == 56 => (0, 56, 56),
        "mani" if bytes.len() >= 56 => (0, 56, bytes.len()),
        _ => return,
    };
    let nonce = if name.starts_with("log-") {
        u64::from_le_bytes(bytes[at + 16..at + 24].try_into().expect("eight"))
    } else {
        0
    };
    let field = at + 16 + rng.below((header - 16) / 4) as usize * 4;
    let value = match rng.below(5) {
        0 => 0,
        1 => u32::MAX,
        2 => 1,
        3 => rng.next_u64() as u32,
        _ => u32::from_le_bytes(bytes[field..field + 4].try_into().expect("four")).wrapping_add(1),
    };
    bytes[field..field + 4].copy_from_slice(&value.to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&nonce.to_le_bytes()), &bytes[at + 16..end]);
    bytes[at + 12..at + 16].copy_from_slice(&crc.to_le_bytes());
    if rng.below(20) == 0 {
        bytes[at + 4] = 2;
        let crc = crc32c::crc32c_append(crc32c::crc32c(&nonce.to_le_bytes()), &bytes[at..at + 8]);
        bytes[at + 8..at + 12].copy_from_slice(&crc.to_le_bytes());
    }
}

/// A client stores bytes that look like a batch which proves everything lost, and the power fails in mid-write. The
/// nonce, which no client knows, keeps them from being believed.
#[test]
fn what_a_client_stored_does_not_pass_for_a_batch() {
    let disk = SimulatedDirectory::new(1);
    let (mut log, _) = Log::open(disk.clone(), options()).expect("opens");
    log.start_life(identity(1)).expect("a life");
    log.append([b"mine".as_slice()]).expect("appended");
    let real = disk.files().into_iter().find(|(name, _)| name.starts_with("log-")).expect("a segment").1;
    // The forger knows all but the nonce: another log's batch, with positions far ahead.
    let mut forged = real[..SECTOR].to_vec();
    forged[16..24].copy_from_slice(&12_345u64.to_le_bytes());
    forged[32..40].copy_from_slice(&1_000_000u64.to_le_bytes());
    forged[40..48].copy_from_slice(&999_999u64.to_le_bytes());
    let checksum = |bytes: &[u8]| crc32c::crc32c_append(crc32c::crc32c(&12_345u64.to_le_bytes()), bytes).to_le_bytes();
    let head = checksum(&forged[..8]);
    forged[8..12].copy_from_slice(&head);
    let body = checksum(&forged[16..76]);
    forged[12..16].copy_from_slice(&body);
    // Behind the header and the length, the record begins 80 bytes into a sector.
    let mut record = vec![0; SECTOR - 80];
    for _ in 0..6 {
        record.extend_from_slice(&forged);
    }
    for seed in 0..50 {
        let cut = disk.fork();
        let (mut log, _) = Log::open(cut.clone(), options()).expect("opens");
        log.write([record.as_slice()]).expect("written");
        drop(log);
        cut.crash(seed);
        let (_, found) = Log::open(cut, options()).expect("opens");
        assert!(matches!(found.outcome, Outcome::Intact | Outcome::TornTail { .. }), "{}", found.outcome);
        assert!((1..=2).contains(&found.records.len()));
    }
}
