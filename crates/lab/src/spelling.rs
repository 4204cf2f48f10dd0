//! The name that was meant by one that is not known.

/// The known name that `word` was meant to be: the one with the fewest edits, where these are few.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let near = known.map(|name| (edits(&word, &name.to_lowercase()), name)).min()?;
    let is_part = word.len() >= 3 && near.1.to_lowercase().contains(&word);
    (is_part || near.0 <= 2.max(word.chars().count() / 3)).then_some(near.1)
}

/// How many letters must be put in, taken out or replaced (Levenshtein 1966); two exchanged neighbours count as one.
pub(crate) fn edits(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().take(64).collect(), to.chars().take(64).collect());
    let mut rows = vec![vec![0; to.len() + 1]; from.len() + 1];
    for i in 0..=from.len() {
        for j in 0..=to.len() {
            rows[i][j] = match (i, j) {
                (0, _) => j,
                (_, 0) => i,
                _ => {
                    let replaced = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
                    let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                    if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                        best = best.min(rows[i - 2][j - 2] + 1);
                    }
                    best
                }
            };
        }
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        let known = ["ricart-agrawala", "token-ring", "two-phase-commit", "three-phase-commit", "raft"];
        let near = |word: &str| nearest(word, known.into_iter());
        assert_eq!(near("ricart-agrawla"), Some("ricart-agrawala"));
        assert_eq!(near("Token-Rign"), Some("token-ring"));
        assert_eq!(near("two-fase-comit"), Some("two-phase-commit"));
        assert_eq!(near("rfat"), Some("raft"));
        assert_eq!(nearest("q-mtx-33", ["Q-MTX-3", "Q-ORD-1"].into_iter()), Some("Q-MTX-3"));
        assert_eq!(near("kubernetes"), None);
        assert_eq!((edits("", "abc"), edits("kitten", "sitting"), edits("ab", "ba")), (3, 3, 1));
    }
}
