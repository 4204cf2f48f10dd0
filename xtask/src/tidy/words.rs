//! Words that have no place in the repository: where and with what it was written does not concern its readers, and the
//! hosts of package registries belong in the configuration of the clients that use them.

use super::Finding;
use super::tree::Tree;

/// Each word in two halves, so that this file does not find itself.
const WORDS: &[(&str, &str)] = &[
    ("Chat", "GPT"),
    ("Cla", "ude"),
    ("Anth", "ropic"),
    ("Open", "AI"),
    ("Copi", "lot"),
    ("LL", "M"),
    ("language ", "model"),
    ("AI-", "generated"),
    ("AI ", "assistant"),
    ("/work/", "main"),
    ("/work/", "shared"),
    ("/tmp/", "brief"),
    ("crates", ".io"),
    ("pypi", ".org"),
    ("pythonhosted", ".org"),
    ("proxy.golang", ".org"),
    ("npmjs", ".org"),
];

/// Files that are not ours to word: package managers write the lock files, lawyers wrote the license.
const NOT_OURS: [&str; 3] = ["Cargo.lock", "go.sum", "LICENSE"];

/// Every such word in every text of the checkout.
pub fn findings(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files().filter(|file| !NOT_OURS.contains(&file.path.rsplit('/').next().unwrap_or(&file.path))) {
        for (number, line) in file.lines() {
            for word in
                WORDS.iter().map(|(first, second)| format!("{first}{second}")).filter(|word| stands_in(line, word))
            {
                findings.push(Finding::new(
                    &file.path,
                    number,
                    format!("`{word}` has no place here"),
                    "say what a reader of the repository needs, or nothing",
                ));
            }
        }
    }
    findings
}

fn stands_in(line: &str, word: &str) -> bool {
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    line.match_indices(word)
        .any(|(at, _)| !letter(line[..at].chars().next_back()) && !letter(line[at + word.len()..].chars().next()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_found_whole_and_not_in_the_lock_file() {
        let host = concat!("source = \"registry+https://index.crates", ".io\"\n");
        let found =
            findings(&Tree::of(&[("README.md", host), ("Cargo.lock", host), ("a.md", concat!("A WILL", "MS test\n"))]));
        assert!(found.len() == 1 && found[0].path == "README.md" && found[0].line == 1, "{found:?}");
    }
}
