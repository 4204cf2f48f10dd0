//! The questions of every entry are answered by the program as the book says: `book/src/questions/README.md` has the form.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use volvox_chapters::REGISTRY;
use volvox_lab::questions::{self, Question};

#[test]
fn every_question_has_the_answer_that_is_given_for_it() {
    // A command that answers several questions runs once.
    let mut commands: BTreeMap<String, Vec<(&str, Question)>> = BTreeMap::new();
    for entry in REGISTRY.entries() {
        let card = entry.card();
        let all = questions::read(card.questions).unwrap_or_else(|error| panic!("{}: {error}", card.id));
        let is_enough = all.len() >= questions::LEAST || entry.protocol().is_none();
        assert!(is_enough, "{}: {} questions, where {} are the least", card.id, all.len(), questions::LEAST);
        for question in all {
            commands.entry(question.command.clone()).or_default().push((card.id, question));
        }
    }
    let commands: Vec<_> = commands.into_values().collect();
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(asked) = commands.get(next.fetch_add(1, Ordering::Relaxed)) {
                    wrong.lock().expect("no thread panics with the lock").extend(wrong_of(asked));
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no thread panicked");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The expected lines of these questions that their one command does not print.
fn wrong_of(asked: &[(&str, Question)]) -> Vec<String> {
    let words = asked[0].1.words();
    let output = Command::new(env!("CARGO_BIN_EXE_volvox")).args(&words).output().expect("the program starts");
    let printed = String::from_utf8_lossy(&output.stdout);
    let missing = |(id, question): &(&str, Question)| -> Vec<String> {
        let lines = question.missing_in(&printed).into_iter();
        lines.map(|line| format!("{id}: volvox {}: {line:?} is not in\n{printed}", question.command)).collect()
    };
    asked.iter().flat_map(missing).collect()
}
