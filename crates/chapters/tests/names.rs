//! Rules that hold across all families.

use volvox_chapters::REGISTRY;
use volvox_lab::ask::Range;
use volvox_lab::exploring::{self, Exploring};
use volvox_lab::shell::Carried;

#[test]
fn names_are_used_once_and_claims_are_measured_once() {
    let all: Vec<_> = REGISTRY.chapters().collect();
    let mut ids: Vec<&str> = all.iter().map(|shell| shell.card().id).collect();
    let mut claims: Vec<&str> = all.iter().flat_map(|shell| shell.claims()).map(|claim| claim.id).collect();
    for names in [&mut ids, &mut claims] {
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }
}

#[test]
fn every_chapter_with_models_can_be_asked_for_more() {
    for shell in REGISTRY.chapters().filter(|shell| !shell.models().is_empty()) {
        let id = shell.card().id;
        let asking = shell.asking().unwrap_or_else(|| panic!("{id} cannot be asked"));
        for bound in asking.bounds() {
            let is_within = match bound.range {
                Range::Numbers { least, most, .. } => (least..=most).contains(&bound.default),
                Range::Words(words) => (bound.default as usize) < words.len(),
            };
            assert!(is_within && !bound.text.is_empty(), "{id}: {bound}");
        }
        // The beginning of what is explored when nothing is said: no property is broken, and no step fails.
        let question = asking.question(&[], None).unwrap_or_else(|error| panic!("{id}: {error}"));
        let exploring = Exploring {
            states_max: Some(2_000),
            interpreter: Some(Carried(shell).interpreter()),
            ..Exploring::default()
        };
        let explored = exploring::with(exploring, || question.explore());
        assert_eq!(explored.found, None, "{id}: {question}");
        assert!(explored.states > 1 && !explored.asked.is_empty(), "{id}: {question}");
    }
}
