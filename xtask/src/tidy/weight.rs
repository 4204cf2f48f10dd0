//! The cost of building may not grow: the figures that `cargo xtask weight` measured last are within `ratchet.txt`.

use super::Finding;
use super::tree::Tree;
use crate::weight::broken_ratchets;

const RATCHETS: &str = "benches/weight/ratchet.txt";
const FIGURES: &str = "benches/weight/figures.txt";

/// Ratchets that the last figures break.
pub fn findings(tree: &Tree) -> Vec<Finding> {
    let text = |path: &str| tree.file(path).and_then(|file| file.text.as_deref()).unwrap_or_default();
    let broken = broken_ratchets(text(RATCHETS), text(FIGURES));
    let finding =
        |(line, what)| Finding::new(RATCHETS, line, what, "make it lighter, and run `cargo xtask weight` again");
    broken.into_iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_beyond_its_ratchet_is_a_finding() {
        let found = |figures: &str| findings(&Tree::of(&[(RATCHETS, "bytes = 10\n"), (FIGURES, figures)]));
        assert_eq!(found("bytes = 10 ; today\n"), []);
        assert_eq!(
            found("bytes = 11 ; today\n")[0].to_string().split(';').next(),
            Some("benches/weight/ratchet.txt:1: bytes is 11, and 10 is the most")
        );
    }
}
