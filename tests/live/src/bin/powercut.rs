//! `volvox-powercut [--images N] [--writes N] [--seed S] | --image FOLDER`: run by `cargo xtask powercut`.

// Power fails in real time.
#![allow(clippy::disallowed_methods)]

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::time::Instant;
use volvox_live::live_node::block_on;
use volvox_live::powercut::restart::Image;
use volvox_live::powercut::{self, load};

const USAGE: &str = "usage: volvox-powercut [--images N] [--writes N] [--seed S] | --image FOLDER";
/// How many images of failures are kept.
const KEPT_MAX: usize = 3;

struct Arguments {
    images: u64,
    writes: usize,
    seed: u64,
    image: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = parse()?;
    match &arguments.image {
        Some(folder) => {
            block_on(Image::load(folder)?.restart())?;
            println!("every acknowledged write was found");
            Ok(())
        }
        None => cut_power(&arguments),
    }
}

fn cut_power(arguments: &Arguments) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("volvox-powercut-{}", std::process::id()));
    let result = cut_power_in(arguments, &folder);
    let _ = std::fs::remove_dir_all(&folder);
    result
}

fn cut_power_in(arguments: &Arguments, folder: &Path) -> Result<()> {
    let began = Instant::now();
    let tape = block_on(load::record(folder, arguments.seed, arguments.writes, |directory| directory))?;
    println!(
        "seed {}: {} writes acknowledged, {} not, in {:.1} s; {} operations on disk",
        arguments.seed,
        tape.history.acknowledged(),
        tape.errors,
        load::seconds(began),
        tape.recordings.iter().map(|recording| recording.sequences().len()).sum::<usize>()
    );
    let (segments, checkpoints) = (named(&tape, "log-"), named(&tape, "manifest-"));
    let leaders = tape.leader_changes;
    println!("{segments} segments begun, {checkpoints} checkpoints finished, {leaders} changes of leader");
    if segments < 20 || checkpoints < 10 || leaders < 2 {
        bail!("the run was too short to see segments, checkpoints and leaders come and go; give more --writes");
    }
    let began = Instant::now();
    let cuts = powercut::cuts(&tape, arguments.images, arguments.seed);
    let progress = |done: u64| {
        if done.is_multiple_of(100) {
            println!("{done} of {} images restarted", arguments.images);
        }
    };
    let verdict = powercut::restart_all(&tape, &cuts, progress)?;
    println!(
        "{} images in {:.1} s, {:.1} images/s; {} acknowledged writes looked for",
        verdict.images,
        load::seconds(began),
        verdict.images as f64 / load::seconds(began),
        verdict.found
    );
    let kept = Path::new("target/powercut");
    for (cut, what) in verdict.failures.iter().take(KEPT_MAX) {
        println!("{cut:?}: {what}");
        println!("replay: cargo xtask powercut --image {}", powercut::keep(&tape, *cut, kept)?.display());
    }
    if !verdict.failures.is_empty() {
        bail!("{} of {} images broke a promise", verdict.failures.len(), verdict.images);
    }
    println!("every acknowledged write was found in every image");
    Ok(())
}

fn named(tape: &load::Tape, prefix: &str) -> usize {
    let names = tape.recordings.iter().flat_map(|recording| recording.names_ever());
    names.filter(|name| name.starts_with(prefix) && !name.ends_with(".new")).count()
}

fn parse() -> Result<Arguments> {
    let mut parsed = Arguments { images: 1000, writes: 6000, seed: 1, image: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{flag} needs a value; {USAGE}"))?;
        let number = || value.parse::<u64>().with_context(|| format!("{flag} takes a number, not {value:?}"));
        match flag.as_str() {
            "--images" => parsed.images = number()?,
            "--writes" => parsed.writes = number()? as usize,
            "--seed" => parsed.seed = number()?,
            "--image" => parsed.image = Some(PathBuf::from(&value)),
            _ => bail!("{flag:?} is not known; {USAGE}"),
        }
    }
    Ok(parsed)
}
