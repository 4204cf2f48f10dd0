//! Relative links of every Markdown page: the file is there, and so is the heading.

use super::Finding;
use super::tree::{File, Tree};

/// Links that lead nowhere.
pub fn findings(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files().filter(|file| file.path.ends_with(".md")) {
        for (number, line) in prose(file) {
            for target in targets(&line) {
                if let Some(what) = dead(tree, file, target) {
                    findings.push(Finding::new(
                        &file.path,
                        number,
                        what,
                        "fix the link, or remove it with what it promised",
                    ));
                }
            }
        }
    }
    findings
}

/// Why a link's target does not exist; `None` when it does, or when it is not in this checkout.
fn dead(tree: &Tree, file: &File, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let full = if path.is_empty() { file.path.clone() } else { join(&file.path, path) };
    if !tree.exists(&full) {
        return Some(format!("the link `{target}` leads nowhere"));
    }
    let anchor = anchor.filter(|_| full.ends_with(".md"))?;
    (!has_anchor(tree, &full, anchor)).then(|| format!("{full} has no heading `#{anchor}`"))
}

/// Whether the page at `path` has a heading or an `<a id="...">` of this name.
pub fn has_anchor(tree: &Tree, path: &str, anchor: &str) -> bool {
    let named = format!("<a id=\"{anchor}\">");
    let is_it = |(_, line): (usize, String)| line.contains(&named) || line.starts_with('#') && slug(&line) == anchor;
    tree.file(path).is_some_and(|file| prose(file).any(is_it))
}

/// The lines outside fenced code, with inline code blanked where it could look like a link.
fn prose(file: &File) -> impl Iterator<Item = (usize, String)> {
    let mut fenced = false;
    file.lines().filter_map(move |(number, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        (!fenced).then(|| (number, line.to_string()))
    })
}

/// The targets of `[text](target)` in a line, those inside inline code left out.
fn targets(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices("](") {
        let quoted = line[..at].matches('`').count() % 2 == 1;
        let rest = &line[at + 2..];
        if let Some(end) = rest.find([')', ' ']).filter(|_| !quoted) {
            found.push(&rest[..end]);
        }
    }
    found
}

/// `relative` as seen from the file `from`.
fn join(from: &str, relative: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The anchor that readers of Markdown make of a heading.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Vec<String> {
        let tree = Tree::of(&[
            ("book/one.md", text),
            ("README.md", "# Volvox: the `up` command\n"),
            ("crates/core/src/lib.rs", ""),
        ]);
        findings(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn living_links_pass() {
        let text = "[a](../README.md) [b](../README.md#volvox-the-up-command) [c](https://example.org) [d](../crates/core/) [e](#here)\n# Here\n";
        assert!(check(text).is_empty(), "{:?}", check(text));
    }

    #[test]
    fn dead_links_fail_with_their_line() {
        let found = check("fine\n[a](gone.md)\n");
        assert!(
            found.len() == 1 && found[0].starts_with("book/one.md:2: the link `gone.md` leads nowhere"),
            "{found:?}"
        );
        assert!(check("[a](../README.md#down)\n")[0].contains("has no heading `#down`"));
        assert!(check("[a](#MTX-03)\n<a id=\"MTX-03\"></a>\n").is_empty());
    }

    #[test]
    fn code_is_not_searched() {
        assert!(check("`[a](gone.md)`\n```\n[b](gone.md)\n```\n").is_empty());
    }
}
