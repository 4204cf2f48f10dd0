//! Everything that makes a chapter done, for every chapter, and the coverage that the command line prints.
//!
//! `CHAPTER=ricart-agrawala` looks at one only; `UPDATE_COVERAGE=1` writes `coverage.txt` anew.
// How long each chapter takes is told to people, and decides nothing.
#![allow(clippy::disallowed_methods)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use volvox_lab::chapters;
use volvox_lab::coverage::{Line, compute, recorded};

const HEAD: &str = "# What the tests found of each chapter: `volvox lab list` reads it. Written by\n\
    # UPDATE_COVERAGE=1 cargo test -p volvox-lab --test chapters\n";

/// The chapters are shared out to as many threads as there are cores: the test of one is mostly a model that runs.
fn computed(only: Option<&str>) -> Vec<(Line, Vec<String>)> {
    let all = chapters::all();
    let all: Vec<_> = all.iter().filter(|study| only.is_none_or(|only| study.card().id == only)).collect();
    assert!(!all.is_empty(), "there is no chapter {only:?}");
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(study) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let begun = Instant::now();
                    let (line, wrong) = compute(study.as_ref());
                    println!("{:>7.1} s  {line}", begun.elapsed().as_secs_f64());
                    wrong.iter().for_each(|text| println!("           {text}"));
                    found.lock().expect("no thread panics with the lock").push((line, wrong));
                }
            });
        }
    });
    let mut found = found.into_inner().expect("no thread panicked");
    let place = |id: &str| all.iter().position(|study| study.card().id == id);
    found.sort_by_key(|(line, _)| place(&line.id));
    found
}

#[test]
fn every_chapter_is_what_the_coverage_says() {
    let only = std::env::var("CHAPTER").ok();
    let found = computed(only.as_deref());
    let lines: Vec<Line> = found.iter().map(|(line, _)| line.clone()).collect();
    let wrong: Vec<String> =
        found.iter().flat_map(|(line, wrong)| wrong.iter().map(|text| format!("{}: {text}", line.id))).collect();
    if only.is_none() && std::env::var_os("UPDATE_COVERAGE").is_some() {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/coverage.txt"), format!("{HEAD}{text}"))
            .expect("coverage.txt is written");
    } else if only.is_none() {
        assert_eq!(
            lines,
            recorded(),
            "coverage.txt is not what was computed; UPDATE_COVERAGE=1 writes it anew.\n{}",
            wrong.join("\n")
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_are_used_once_and_claims_are_measured_once() {
    let all = chapters::all();
    let mut ids: Vec<&str> = all.iter().map(|study| study.card().id).collect();
    let mut claims: Vec<&str> = all.iter().flat_map(|study| study.claims()).map(|claim| claim.id).collect();
    for names in [&mut ids, &mut claims] {
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }
}
