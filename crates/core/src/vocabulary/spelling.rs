//! Suggestions for misspelled words.

use alloc::vec;
use alloc::vec::Vec;

/// The known word that the author of `word` probably meant: the one with the fewest edits, if these are few.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let near = known.map(|name| (edits(&word, &name.to_lowercase()), name)).min()?;
    let is_part = word.len() >= 3 && near.1.to_lowercase().contains(&word);
    let letters = word.chars().count();
    // Of a short word half the letters are no near miss: `nope` is not `ntp`.
    (is_part || (near.0 <= 2.max(letters / 3) && 2 * near.0 < letters.max(near.1.len()))).then_some(near.1)
}

/// The number of letters to insert, delete or replace (Levenshtein 1966); a swap of two neighbours counts as one edit.
/// Only the first 64 letters of each word count.
pub fn edits(from: &str, to: &str) -> usize {
    let letters = |word: &str| word.chars().take(64).collect::<Vec<char>>();
    let (from, to) = (letters(from), letters(to));
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
