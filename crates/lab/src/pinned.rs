//! Pinned counts of models, written into the source of their chapter, to be reviewed in a diff and not typed by hand.
//!
//! A model names its count a few lines below its own name. The count is found there as a number, with or without `_`, and
//! replaced. If two files contain the name, the file or folder named after the entry is meant.

use std::io;
use std::path::{Path, PathBuf};

/// A model whose count differs from the one in its chapter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moved {
    /// The entry.
    pub entry: &'static str,
    /// The model.
    pub model: &'static str,
    /// The pinned count.
    pub from: u64,
    /// The actual count.
    pub to: u64,
}

/// The longest text between the name of a model and its count.
const FAR: usize = 1_500;

/// Writes the counts into the sources of the family in `folder`; returns a line for each, or the ones that were not
/// found.
///
/// # Errors
/// When a file cannot be read or written.
pub fn write(folder: &Path, moved: &[Moved]) -> io::Result<Vec<String>> {
    let mut told = Vec::new();
    for one in moved {
        let mut places: Vec<(PathBuf, String)> = Vec::new();
        for file in sources(&folder.join("src"))? {
            places.extend(replaced(&std::fs::read_to_string(&file)?, one).map(|text| (file, text)));
        }
        let own = one.entry.replace('-', "_");
        let is_own =
            |file: &Path| file.strip_prefix(folder).is_ok_and(|file| file.display().to_string().contains(&own));
        if places.len() > 1 {
            places.retain(|(file, _)| is_own(file));
        }
        let Moved { entry, model, from, to } = one;
        match &places[..] {
            [(file, text)] => {
                std::fs::write(file, text)?;
                told.push(format!("{entry}: {model:?}: {from} is now {to}, in {}", file.display()));
            }
            _ => told
                .push(format!("{entry}: {model:?}: {from} would be {to}; its place was not found, write it by hand")),
        }
    }
    Ok(told)
}

fn sources(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(sources(&path)?);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The text with the count of this model replaced, if it is there.
fn replaced(text: &str, moved: &Moved) -> Option<String> {
    let name = format!("\"{}\"", moved.model);
    text.match_indices(&name).find_map(|(at, _)| {
        let from = at + name.len();
        let rest = &text[from..];
        let end = rest.find("CheckedModel").unwrap_or(rest.len()).min(FAR);
        let (start, length) = number(rest.char_indices().take_while(|(at, _)| *at < end), moved.from)?;
        Some(format!("{}{}{}", &text[..from + start], grouped(moved.to), &rest[start + length..]))
    })
}

/// The place of this number as a whole word, with or without `_`.
fn number(text: impl Iterator<Item = (usize, char)>, wanted: u64) -> Option<(usize, usize)> {
    let mut word: Option<(usize, String)> = None;
    let mut is_text = false;
    for (at, letter) in text.chain([(usize::MAX, ' ')]) {
        is_text ^= letter == '"';
        if letter.is_alphanumeric() || letter == '_' {
            word.get_or_insert((at, String::new())).1.push(letter);
            continue;
        }
        if let Some((start, word)) = word.take()
            && !is_text
            && word.replace('_', "").parse() == Ok(wanted)
        {
            return Some((start, word.len()));
        }
    }
    None
}

/// A number as this repository writes it: `358_427`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut text = digits[..first].to_string();
    for (index, digit) in digits[first..].chars().enumerate() {
        if index % 3 == 0 && !text.is_empty() {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(model: &'static str, from: u64, to: u64) -> Moved {
        Moved { entry: "token-ring", model, from, to }
    }

    #[test]
    fn a_count_is_replaced_where_its_model_names_it_and_nowhere_else() {
        let text = "CheckedModel::holds(\"two nodes\", \"2822 of them; 3 more\", 2_822, || run(2822)),\n\
                    CheckedModel { name: \"three nodes\", expects: Expects::Holds { states: 251 } },\n\
                    CheckedModel::breaks(\"without order\", \"two\", (ONE, 6), || run()),\n";
        let after = |model, from, to| replaced(text, &moved(model, from, to));
        assert!(after("two nodes", 2_822, 1_000_001).unwrap().contains("3 more\", 1_000_001, || run(2822)"));
        assert!(after("three nodes", 251, 99).unwrap().contains("states: 99 }"));
        assert!(after("without order", 6, 12).unwrap().contains("(ONE, 12)"));
        assert_eq!(after("three nodes", 6, 7), None, "that is the count of the next model");
        assert_eq!(after("four nodes", 6, 7), None);
    }

    #[test]
    fn a_name_in_two_files_means_the_file_of_the_entry() {
        let folder = std::env::temp_dir().join(format!("volvox-pinned-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("src")).unwrap();
        for file in ["bully.rs", "token_ring.rs"] {
            std::fs::write(folder.join("src").join(file), "(\"four nodes\", \"\", 798)").unwrap();
        }
        let told = write(&folder, &[moved("four nodes", 798, 1_798), moved("five nodes", 1, 2)]).unwrap();
        let text = |file: &str| std::fs::read_to_string(folder.join("src").join(file)).unwrap();
        assert_eq!(
            (text("bully.rs").as_str(), text("token_ring.rs").as_str()),
            ("(\"four nodes\", \"\", 798)", "(\"four nodes\", \"\", 1_798)")
        );
        assert!(told[0].contains("798 is now 1798") && told[1].contains("write it by hand"), "{told:?}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
