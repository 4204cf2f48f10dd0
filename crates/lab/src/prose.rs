//! The prose of a module for readers without rustdoc: its header, without marks that only rustdoc understands.

/// Beginnings of paths that say where in the code something is, which a reader of the prose need not know.
const PATHS: [&str; 3] = ["crate::", "super::", "volvox_core::"];

/// The header of a module as text: its lines without `//!`, links as their words, fences left out. Its title comes first.
pub fn of(source: &str) -> String {
    let header = source.lines().take_while(|line| line.starts_with("//!"));
    let lines = header.map(|line| line.trim_start_matches("//!").strip_prefix(' ').unwrap_or(""));
    let (mut prose, mut text, mut is_fenced) = (String::new(), String::new(), false);
    for line in lines {
        if line.starts_with("```") {
            prose += &without_links(&std::mem::take(&mut text));
            is_fenced = !is_fenced;
        } else if is_fenced {
            prose += &format!("{line}\n");
        } else {
            text += &format!("{line}\n");
        }
    }
    prose + &without_links(&text)
}

/// Text with the words of each link in its place; a bracket that begins no link stays.
fn without_links(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        out += before;
        let link = after.split_once(']').and_then(|(words, behind)| {
            let target = behind.strip_prefix('(').and_then(|target| target.split_once(')'));
            let is_path = words.starts_with('`') && words.ends_with('`');
            match target {
                Some((_, behind)) => Some((words, behind)),
                None => is_path.then_some((words, behind)),
            }
        });
        let Some((words, behind)) = link else {
            out.push('[');
            rest = after;
            continue;
        };
        out += &PATHS.iter().fold(words.to_string(), |words, path| words.replace(path, ""));
        rest = behind;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_their_words_and_drawings_stay() {
        let source = "//! A title.\n//!\n//! See [NTP](crate::ntp), [`Rule::Half`], [the\n//! chapter](super::raft) and \
                      [`crate::ring`]; an entry [1].\n//! ```text\n//!   n1 -- Append [`x`] --> n2\n//! ```\n//! End.\n\nuse x;\n";
        assert_eq!(
            of(source),
            "A title.\n\nSee NTP, `Rule::Half`, the\nchapter and `ring`; an entry [1].\n  n1 -- Append [`x`] --> n2\nEnd.\n"
        );
    }
}
