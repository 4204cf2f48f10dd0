//! The questions of the book are answered by the program as the book says: `book/src/questions/README.md` has the form.

use std::path::Path;
use std::process::Command;

/// A question: the page, the command, and the lines that its output must contain.
struct Question {
    page: String,
    command: Vec<String>,
    expected: Vec<String>,
}

#[test]
fn every_question_of_the_book_has_the_answer_that_the_book_gives() {
    let questions = questions();
    assert!(questions.len() >= 66, "three questions a chapter, and there are {}", questions.len());
    let wrong: Vec<String> = questions.iter().flat_map(wrong_of).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn wrong_of(question: &Question) -> Vec<String> {
    let Question { page, command, expected } = question;
    let output = Command::new(env!("CARGO_BIN_EXE_volvox")).args(command).output().expect("the program starts");
    let told = String::from_utf8_lossy(&output.stdout);
    let missing = expected.iter().filter(|line| !told.lines().any(|one| one.contains(line.as_str())));
    missing.map(|line| format!("{page}: volvox {}: {line:?} is not told in\n{told}", command.join(" "))).collect()
}

fn questions() -> Vec<Question> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/src/questions");
    let mut questions = Vec::new();
    for entry in std::fs::read_dir(&folder).expect("the folder of the questions") {
        let path = entry.expect("an entry").path();
        let page = path.file_name().expect("a name").to_string_lossy().into_owned();
        if page == "README.md" {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a page");
        let mut fences = fences(&text).into_iter();
        while let Some((kind, command)) = fences.next() {
            assert_eq!(kind, "console", "{page}: a question begins with its command");
            let (kind, answer) = fences.next().unwrap_or_default();
            assert_eq!(kind, "expect", "{page}: {command} has no answer");
            let command = command.trim().trim_start_matches("$ ").strip_prefix("volvox ").expect("a command of volvox");
            let expected = answer.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from).collect();
            questions.push(Question { page: page.clone(), command: words(command), expected });
        }
    }
    questions
}

/// The fenced blocks of a page: their kinds and what they hold.
fn fences(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(kind), None) => open = Some((kind.to_string(), String::new())),
            (Some(_), Some(_)) => found.extend(open.take()),
            (None, Some((_, inside))) => *inside += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    found
}

/// The words of a command line; quotation marks of either kind hold words together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in line.chars() {
        match (letter, quote) {
            ('"' | '\'', None) => quote = Some(letter),
            (_, Some(open)) if letter == open => quote = None,
            (' ', None) => words.push(String::new()),
            _ => words.last_mut().expect("one at least").push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
