//! Words and turns that have a better twin, by ratchet: how often each may still be found is listed in `xtask/ratchet.txt`
//! as `word:<name> count reason`, and the count only goes down. A turn that is not listed may not be found at all.

use std::collections::BTreeMap;

use super::Finding;
use super::tree::{File, Tree};

/// The list of what is still allowed, shared with the lengths.
const RATCHET: &str = "xtask/ratchet.txt";

/// The prefix of this rule's lines in the list.
pub const PREFIX: &str = "word:";

/// Files that must name the words: the table below, the list, and the page that teaches them.
const NOT_SEARCHED: [&str; 3] = ["xtask/src/tidy/english.rs", RATCHET, "STYLE.md"];

/// How a turn is recognised.
enum Pattern {
    /// Any of these texts, as whole words, in any case.
    Text(&'static [&'static str]),
    /// Any of these texts, where the sentence does not continue with "that" or "as".
    Uncompared(&'static [&'static str]),
    /// A sentence of a comment or of a page that begins with this word and is neither a question nor a heading.
    Opens(&'static [&'static str]),
    /// A number of three digits that begins with 00: the name of a note that no reader has.
    PrivateNumber,
}

/// A turn and its better twin.
struct Twin {
    /// Its name in the list.
    name: &'static str,
    pattern: Pattern,
    /// The better text.
    instead: &'static str,
}

const TWINS: &[Twin] = &[
    Twin { name: "for-ever", pattern: Pattern::Text(&["for ever"]), instead: "forever" },
    Twin {
        name: "so-many",
        pattern: Pattern::Uncompared(&["so many", "so much", "so often", "so long"]),
        instead: "this many, at most n, every n seconds",
    },
    Twin {
        name: "is-told",
        pattern: Pattern::Text(&["is told", "are told"]),
        instead: "learns, receives, is driven by; what the node answers",
    },
    Twin { name: "counts-on", pattern: Pattern::Text(&["counts on", "count on"]), instead: "relies on" },
    Twin { name: "stands-in", pattern: Pattern::Text(&["stands in", "stand in"]), instead: "is listed in, is in" },
    Twin {
        name: "who-opens",
        pattern: Pattern::Opens(&["Who", "Whoever"]),
        instead: "the actor first: A node that ..., The leader ...",
    },
    Twin {
        name: "what-opens",
        pattern: Pattern::Opens(&["What", "Whose", "Whom"]),
        instead: "a noun phrase or the actor first: The records that ..., A message that ...",
    },
    Twin {
        name: "somebody",
        pattern: Pattern::Text(&["somebody", "nobody", "everybody", "whoever"]),
        instead: "the actor: a node, a client, an operator, another process",
    },
    Twin { name: "anew", pattern: Pattern::Text(&["anew"]), instead: "again; restarts, rewrites, rebuilds" },
    Twin {
        name: "under-way",
        pattern: Pattern::Text(&["under way"]),
        instead: "in flight (a message), in progress (a job, an election)",
    },
    Twin { name: "taken-out", pattern: Pattern::Text(&["taken out", "takes out", "take out"]), instead: "is removed" },
    Twin { name: "taken-for", pattern: Pattern::Text(&["taken for"]), instead: "is believed to be, is mistaken for" },
    Twin { name: "in-the-mean", pattern: Pattern::Text(&["in the mean"]), instead: "on average" },
    Twin {
        name: "wants-in",
        pattern: Pattern::Text(&["wants in", "want in"]),
        instead: "wants to enter, requests entry",
    },
    Twin {
        name: "archaic",
        pattern: Pattern::Text(&["lest", "whence", "hitherto", "at hand", "beyond belief", "in its stead"]),
        instead: "so that ... not, from which, so far, available, out of range, in its place",
    },
    Twin { name: "news-are", pattern: Pattern::Text(&["news are"]), instead: "an update is" },
    Twin { name: "this-house", pattern: Pattern::Text(&["this house"]), instead: "here, this code base" },
    Twin { name: "course-notes", pattern: Pattern::Text(&["course notes"]), instead: "textbooks often ..." },
    Twin {
        name: "private-number",
        pattern: Pattern::PrivateNumber,
        instead: "what it says, or a page of the repository: book/src/catalogue, decisions/",
    },
    Twin {
        name: "private-page",
        pattern: Pattern::Text(&["DESIGN section", "etcd-v3 section", "spec/etcd-v3", "spec/lab"]),
        instead: "ARCHITECTURE.md, a page of decisions/, or book/src/etcd.md with its section",
    },
];

/// A line of the list.
struct Allowance {
    line: usize,
    count: usize,
    reason: String,
}

/// Turns that are found more often than the list allows, and counts in the list that are too high.
pub fn findings(tree: &Tree) -> Vec<Finding> {
    let (mut allowances, mut findings) = read_list(tree);
    for twin in TWINS {
        let places = places(tree, twin);
        let found = places.len();
        match allowances.remove(twin.name) {
            None => findings.extend(places.into_iter().map(|(path, line)| {
                Finding::new(&path, line, format!("`{}` is not said here", twin.name), twin.instead)
            })),
            Some(allowed) if found > allowed.count => {
                let what = format!("`{}` is found {found} times, {} are allowed", twin.name, allowed.count);
                findings.push(Finding::new(RATCHET, allowed.line, what, twin.instead));
            }
            Some(allowed) if found == 0 => {
                let what = format!("`{}` is found nowhere any more", twin.name);
                findings.push(Finding::new(RATCHET, allowed.line, what, "remove its line"));
            }
            Some(allowed) if found < allowed.count => {
                let what = format!("`{}` is found {found} times, the list still allows {}", twin.name, allowed.count);
                findings.push(Finding::new(RATCHET, allowed.line, what, format!("lower the number to {found}")));
            }
            Some(_) => {}
        }
    }
    for (name, allowed) in allowances {
        findings.push(Finding::new(RATCHET, allowed.line, format!("no word is called `{name}`"), "remove its line"));
    }
    findings
}

/// The lines that the list needs today.
pub fn proposal(tree: &Tree) -> String {
    let (allowances, _) = read_list(tree);
    let line = |twin: &Twin| {
        let reason = allowances.get(twin.name).map_or("", |allowed| allowed.reason.as_str());
        match places(tree, twin).len() {
            0 => String::new(),
            count => format!("{PREFIX}{} {count} {reason}\n", twin.name),
        }
    };
    TWINS.iter().map(line).collect()
}

/// The places of a turn, once for each time.
fn places(tree: &Tree, twin: &Twin) -> Vec<(String, usize)> {
    let searched = |file: &&File| {
        let is_text = [".rs", ".md", ".txt"].iter().any(|end| file.path.ends_with(end));
        is_text && !NOT_SEARCHED.contains(&file.path.as_str())
    };
    let mut found = Vec::new();
    for file in tree.files().filter(searched) {
        let lines: Vec<(usize, &str)> = file.lines().collect();
        for (index, (number, line)) in lines.iter().enumerate() {
            let next = lines.get(index + 1).map_or("", |(_, next)| without_marker(next));
            for _ in 0..count(&twin.pattern, file, line, next) {
                found.push((file.path.clone(), *number));
            }
        }
    }
    found
}

/// How often a turn is found in a line that is followed by `next`.
fn count(pattern: &Pattern, file: &File, line: &str, next: &str) -> usize {
    match pattern {
        Pattern::Text(texts) => texts.iter().map(|text| ends_of(line, text).count()).sum(),
        Pattern::Uncompared(texts) => {
            let compared = |end: &usize| {
                let rest = format!("{} {next}", &line[*end..]);
                let sentence = rest.split(['.', ';', ':']).next().unwrap_or("");
                sentence.split_whitespace().any(|word| matches!(word.trim_matches(','), "that" | "as"))
            };
            texts.iter().map(|text| ends_of(line, text).filter(|end| !compared(end)).count()).sum()
        }
        Pattern::Opens(words) => {
            let Some(prose) = prose(file, line).filter(|prose| !prose.starts_with('#')) else { return 0 };
            let opens = |sentence: &&str| {
                let sentence = sentence.trim_start_matches(['-', '*', '`', '"', '(', ' ']);
                words.iter().any(|word| sentence.strip_prefix(word).is_some_and(|rest| rest.starts_with(' ')))
            };
            let is_question = |sentence: &str| {
                let is_whole = sentence.ends_with(['.', '!', '?']);
                sentence.contains('?') || (!is_whole && sentences(next)[0].ends_with('?'))
            };
            sentences(prose).into_iter().filter(opens).filter(|sentence| !is_question(sentence.trim_end())).count()
        }
        Pattern::PrivateNumber => {
            let Some(prose) = prose(file, line) else { return 0 };
            let bare = |word: &&str| {
                let word = word.trim_matches(['(', ')', ',', ':', ';']).trim_end_matches("'s");
                word.len() == 3 && word.starts_with("00") && word.bytes().all(|byte| byte.is_ascii_digit())
            };
            prose.split_whitespace().filter(bare).count()
        }
    }
}

/// The sentences of a line; each keeps the mark that ends it.
fn sentences(prose: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut from = 0;
    for (at, mark) in prose.match_indices(['.', '?', '!']) {
        let end = at + mark.len();
        if prose[end..].starts_with(' ') {
            found.push(&prose[from..end]);
            from = end + 1;
        }
    }
    found.push(&prose[from..]);
    found
}

/// The part of a line that is read as prose: the comment of a source, all of a page.
fn prose<'a>(file: &File, line: &'a str) -> Option<&'a str> {
    if file.path.ends_with(".md") {
        return Some(line.trim_start());
    }
    let at = line.find("//")?;
    Some(without_marker(&line[at..]))
}

/// A line without the marks that make it a comment.
fn without_marker(line: &str) -> &str {
    line.trim_start().trim_start_matches(['/', '!']).trim_start()
}

/// The ends of `text` in a line, wherever it is found as whole words, in any case.
fn ends_of(line: &str, text: &str) -> impl Iterator<Item = usize> {
    let is_letter = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let (line, text) = (line.to_ascii_lowercase(), text.to_ascii_lowercase());
    let whole = |start: usize| {
        let before = start.checked_sub(1).and_then(|at| line.as_bytes().get(at));
        !is_letter(before) && !is_letter(line.as_bytes().get(start + text.len()))
    };
    let ends: Vec<usize> =
        line.match_indices(&text).filter(|(start, _)| whole(*start)).map(|(start, _)| start + text.len()).collect();
    ends.into_iter()
}

fn read_list(tree: &Tree) -> (BTreeMap<String, Allowance>, Vec<Finding>) {
    let (mut allowances, mut findings) = (BTreeMap::new(), Vec::new());
    let Some(file) = tree.file(RATCHET) else { return (allowances, findings) };
    for (number, line) in file.lines() {
        let Some(entry) = line.strip_prefix(PREFIX) else { continue };
        let mut words = entry.splitn(3, ' ');
        let (name, count, reason) =
            (words.next(), words.next().and_then(|word| word.parse().ok()), words.next().unwrap_or("").trim());
        match (name, count) {
            (Some(name), Some(count)) if !reason.is_empty() => {
                allowances.insert(name.to_string(), Allowance { line: number, count, reason: reason.to_string() });
            }
            _ => findings.push(Finding::new(
                RATCHET,
                number,
                "not a word, a number and a reason",
                format!("write `{PREFIX}name count reason`"),
            )),
        }
    }
    (allowances, findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, list: &str) -> Vec<String> {
        findings(&Tree::of(&[(path, text), (RATCHET, list)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_turn_that_is_not_listed_is_found_with_its_line_and_its_twin() {
        let found = check("a.md", "fine\nIt waits For Ever.\n", "");
        assert_eq!(found, ["a.md:2: `for-ever` is not said here; instead: forever"]);
        assert!(check("a.md", "It waits forever, for all others.\n", "").is_empty());
    }

    #[test]
    fn vague_and_archaic_turns_are_found() {
        for (text, name) in [
            ("// Somebody asks, and the lease ends.\n", "somebody"),
            ("/// The lock is free for whoever asks first.\n", "somebody"),
            ("// Everybody knows it.\n", "somebody"),
            ("//! Begins anew after a crash.\n", "anew"),
            ("let note = \"an election is under way\";\n", "under-way"),
            ("// The rule is taken out.\n", "taken-out"),
            ("// A slow node is taken for dead.\n", "taken-for"),
            ("// 10 ms in the mean.\n", "in-the-mean"),
            ("// A node that wants in.\n", "wants-in"),
            ("// Waits, lest it forget.\n", "archaic"),
        ] {
            let found = check("a.rs", text, "");
            assert_eq!(found.len(), 1, "{text}");
            assert!(found[0].contains(&format!("`{name}` is not said here")), "{found:?}");
        }
        let plain = "// In the meantime the latest node wants into the manifest; take outputs for what they are.\n";
        assert!(check("a.rs", plain, "").is_empty());
    }

    #[test]
    fn so_many_needs_its_that() {
        assert_eq!(check("a.md", "after so many seconds\n", "").len(), 1);
        assert!(check("a.md", "so many that none\nand twice as so many\nas there are\n", "").is_empty());
    }

    #[test]
    fn a_bare_who_opens_no_sentence() {
        assert_eq!(check("a.rs", "/// Who asks enters.\n// Done. Who asks waits.\n", "").len(), 2);
        assert!(check("a.rs", "/// Who asks?\n/// A node, who asks.\nlet x = \"Who asks enters\";\n", "").is_empty());
        assert!(check("a.md", "Whole lines are kept\n", "").is_empty());
    }

    #[test]
    fn a_bare_what_opens_no_sentence_but_a_question_or_a_heading() {
        assert_eq!(check("a.rs", "/// What is wrong.\n// Done. What it sent is lost.\n", "").len(), 2);
        assert!(check("a.md", "## What to try next\n**What time is it?** Read on.\n", "").is_empty());
        assert!(
            check("a.rs", "//! Two nodes lead. What must be added, and what\n//! does it cost? Much.\n", "").is_empty()
        );
    }

    #[test]
    fn private_names_are_found() {
        assert_eq!(check("a.rs", "//! - 002 takes the absolute value; 004's does not.\n", "").len(), 2);
        assert!(check("a.rs", "// 14.002 ms, 0002 and decisions/0002\nlet x = 002;\n", "").is_empty());
        assert_eq!(check("a.rs", "// as DESIGN section 6 says\n", "").len(), 1);
    }

    #[test]
    fn the_ratchet_only_goes_down() {
        let text = "for ever and for ever\n";
        assert!(check("a.md", text, "word:for-ever 2 older text\n").is_empty());
        assert!(check("a.md", text, "word:for-ever 1 older text\n")[0].contains("found 2 times, 1 are allowed"));
        assert!(check("a.md", text, "word:for-ever 3 older text\n")[0].contains("lower the number to 2"));
        assert!(check("a.md", "", "word:for-ever 3 older text\n")[0].contains("remove its line"));
        assert!(check("a.md", "", "word:for-evr 3 older text\n")[0].contains("no word is called `for-evr`"));
        assert!(check("a.md", "", "word:for-ever 3\n")[0].contains("and a reason"));
        let tree = Tree::of(&[("a.md", text), (RATCHET, "word:for-ever 3 older text\n")]);
        assert_eq!(proposal(&tree), "word:for-ever 2 older text\n");
    }
}
