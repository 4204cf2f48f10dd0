//! The name of a new protocol, in its four forms.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// The longest name, in letters: it is a column of `lab list`.
const LETTERS_MAX: usize = 40;

/// Words that no module can be called, of all editions.
const KEYWORDS: [&str; 52] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true",
    "try", "type", "typeof", "union", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// A name that a protocol can have: `my-protocol`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name {
    /// As it is typed.
    pub id: String,
}

impl Name {
    /// The name, if a protocol can be called so.
    pub fn read(id: &str) -> Result<Name> {
        let Some(first) = id.chars().next() else { bail!("a name has at least one letter") };
        if id.contains('/') {
            bail!("`{id}`: a name has no `/`; the folder is that of its family: --family F");
        }
        if !id.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-') {
            bail!("`{id}`: a name has only a-z, 0-9 and -");
        }
        if !first.is_ascii_lowercase() {
            bail!("`{id}`: a name begins with a letter");
        }
        if id.ends_with('-') || id.contains("--") {
            bail!("`{id}`: a name ends with a letter or a digit, and has no two - side by side");
        }
        if id.len() > LETTERS_MAX {
            bail!("`{id}`: a name has at most {LETTERS_MAX} letters");
        }
        if KEYWORDS.contains(&id) {
            bail!("`{id}` is a keyword of Rust and cannot name a module");
        }
        Ok(Name { id: id.to_string() })
    }

    /// Whether no entry and no module of a family has this name.
    pub fn is_free(&self, root: &Path) -> Result<()> {
        let (quoted, module) = (format!("id: \"{}\"", self.id), self.module());
        let chapters = root.join("chapters");
        for family in fs::read_dir(&chapters).with_context(|| format!("cannot list {}", chapters.display()))? {
            let family = family?.file_name().to_string_lossy().into_owned();
            if mentions(&chapters.join(&family).join("src"), &quoted)? {
                bail!("the entry `{}` already exists", self.id);
            }
            for path in [format!("crates/{family}/src/{module}.rs"), format!("crates/{family}/src/{module}/mod.rs")] {
                if root.join(&path).exists() {
                    bail!("the module {path} already exists");
                }
            }
        }
        Ok(())
    }

    /// As a module: `my_protocol`.
    pub fn module(&self) -> String {
        self.id.replace('-', "_")
    }

    /// As a type: `MyProtocol`.
    pub fn type_name(&self) -> String {
        self.id.split('-').map(capital).collect()
    }

    /// As a title: `My protocol`.
    pub fn title(&self) -> String {
        capital(&self.id.replace('-', " "))
    }

    /// A template with this name filled in.
    pub fn fill(&self, text: &str) -> String {
        text.replace("{{id}}", &self.id)
            .replace("{{module}}", &self.module())
            .replace("{{type}}", &self.type_name())
            .replace("{{title}}", &self.title())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

/// Whether a source below this folder has this text.
fn mentions(folder: &Path, text: &str) -> Result<bool> {
    if !folder.is_dir() {
        return Ok(false);
    }
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let is_there = if path.is_dir() {
            mentions(&path, text)?
        } else {
            fs::read_to_string(&path).is_ok_and(|source| source.contains(text))
        };
        if is_there {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_four_forms() {
        let name = Name::read("two-phase-commit2").unwrap();
        assert_eq!(
            name.fill("{{id}} {{module}} {{type}} {{title}}"),
            "two-phase-commit2 two_phase_commit2 TwoPhaseCommit2 Two phase commit2"
        );
    }
}
