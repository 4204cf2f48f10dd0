//! The imports of a source file: its `use` trees, taken apart, and the paths that its code writes out.
//!
//! The check reads tokens, not types: a method called on a value is not an import, in whichever file the method is.

use std::collections::BTreeSet;

/// One name of a `use`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The name, from its first word on: `crate`, `super`, a module, a crate.
    pub path: Vec<String>,
    /// The name that it has here; `*` for all names of a module.
    pub alias: String,
    /// Whether the name is handed on (`pub use`).
    pub is_public: bool,
}

/// The imports of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imports {
    /// The names of its `use` items.
    pub uses: Vec<Import>,
    /// The paths of two words or more in its other code.
    pub paths: Vec<Vec<String>>,
    /// Every word of its remaining code, each once.
    pub words: BTreeSet<String>,
}

impl Imports {
    /// Reads `code`, in which comments and literals are blank.
    pub fn read(code: &str) -> Self {
        let mut imports = Self::default();
        let mut rest = String::new();
        let mut from = 0;
        while let Some(at) = code[from..].find("use ").map(|at| from + at) {
            let before = code[..at].trim_end();
            let is_word = code[..at].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_');
            let Some(end) = code[at..].find(';').map(|end| at + end).filter(|_| !is_word) else {
                rest.push_str(&code[from..at + 4]);
                from = at + 4;
                continue;
            };
            // The text before the word, from the end of the item before it on.
            let visibility = before.rsplit([';', '{', '}', ']']).next().unwrap_or("");
            let is_public = visibility.trim().starts_with("pub");
            expand(&code[at + 4..end], &[], is_public, &mut imports.uses);
            rest.push_str(&code[from..at]);
            from = end + 1;
        }
        rest.push_str(&code[from..]);
        imports.read_paths(&rest);
        imports
    }

    /// Whether the code uses this name outside of its `use` items.
    pub fn says(&self, name: &str) -> bool {
        self.words.contains(name)
    }

    fn read_paths(&mut self, code: &str) {
        let mut path: Vec<String> = Vec::new();
        let mut at = 0;
        // A word that follows a dot or a lone `::` begins no path.
        let mut joins = false;
        while at < code.len() {
            let rest = &code[at..];
            let word: String = rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
            if word.is_empty() {
                let is_join = rest.starts_with("::");
                if !is_join {
                    self.end_path(&mut path);
                }
                joins = is_join || rest.starts_with('.');
                at += if is_join { 2 } else { rest.chars().next().map_or(1, char::len_utf8) };
                continue;
            }
            at += word.len();
            self.words.insert(word.clone());
            if !joins || !path.is_empty() {
                path.push(word);
            }
        }
        self.end_path(&mut path);
    }

    fn end_path(&mut self, path: &mut Vec<String>) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.paths.push(path);
        }
    }
}

/// Takes a `use` tree apart.
fn expand(tree: &str, prefix: &[String], is_public: bool, uses: &mut Vec<Import>) {
    let tree = tree.trim();
    let (head, group) = match tree.split_once('{') {
        Some((head, group)) => (head, Some(group.trim_end().strip_suffix('}').unwrap_or(group))),
        None => (tree, None),
    };
    let (head, alias) = match head.split_once(" as ") {
        Some((head, alias)) => (head, Some(alias.trim().to_string())),
        None => (head, None),
    };
    let words = head.split("::").map(str::trim).filter(|word| !word.is_empty() && *word != "self");
    let mut path: Vec<String> = prefix.to_vec();
    // `self` alone is the module itself; in front it is where the file is.
    if prefix.is_empty() && head.trim_start().starts_with("self::") {
        path.push("self".to_string());
    }
    path.extend(words.map(str::to_string));
    match group {
        Some(group) => parts(group).for_each(|part| expand(part, &path, is_public, uses)),
        None => {
            let alias = alias.or_else(|| path.last().cloned()).unwrap_or_default();
            if !path.is_empty() {
                uses.push(Import { path, alias, is_public });
            }
        }
    }
}

/// The parts of a group, at the commas that are in no group of their own.
fn parts(group: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    let is_end = move |letter: char| {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        letter == ',' && depth == 0
    };
    group.split(is_end).map(str::trim).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(code: &str) -> Vec<String> {
        let shown = |import: Import| {
            format!("{}{} as {}", if import.is_public { "pub " } else { "" }, import.path.join("::"), import.alias)
        };
        Imports::read(code).uses.into_iter().map(shown).collect()
    }

    #[test]
    fn a_tree_is_taken_apart() {
        let code = "use crate::a::{self, B, c::{D as E, F}};\npub use g::H;\npub(crate) use self::i::*;\nfn f() {}\n";
        let all = ["crate::a as a", "crate::a::B as B", "crate::a::c::D as E", "crate::a::c::F as F", "pub g::H as H"];
        assert_eq!(uses(code), [&all[..], &["pub self::i::* as *"]].concat());
    }

    #[test]
    fn a_public_item_before_a_private_use_does_not_make_it_public() {
        assert_eq!(uses("pub(crate) fn f() {}\nuse super::a::B;\n"), ["super::a::B as B"]);
        assert_eq!(uses("pub(crate) struct A(u8);\nuse super::a::B;\n"), ["super::a::B as B"]);
    }

    #[test]
    fn paths_in_code_are_found_and_calls_of_methods_are_not() {
        let imports = Imports::read("fn f() { crate::a::b(x.c::<D>()); super::e::F::new(); reuse (g); }\n");
        let paths: Vec<_> = imports.paths.iter().map(|path| path.join("::")).collect();
        assert_eq!(paths, ["crate::a::b", "super::e::F::new"]);
        assert!(imports.uses.is_empty() && imports.says("reuse") && !imports.says("use"));
    }
}
