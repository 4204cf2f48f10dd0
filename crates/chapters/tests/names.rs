//! Rules that hold across all families.

use volvox_chapters::REGISTRY;

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
