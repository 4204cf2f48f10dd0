//! "Predict, then run": questions about a protocol whose answers a command prints.
//!
//! The questions of a chapter are a page of the book, which its card includes; `book/src/questions/README.md` has the form. A
//! question has a text, one command of this program, the lines that the command must print, and an explanation. A test of the
//! program runs every command and looks for its lines.

/// The fewest questions that a chapter has.
pub const LEAST: usize = 3;

/// A question with its answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Question {
    /// The question.
    pub text: String,
    /// The command that answers it, without the name of the program: `lab check raft`.
    pub command: String,
    /// Lines that the command prints, among others; several spaces count as one.
    pub expected: Vec<String>,
    /// Why it is so.
    pub answer: String,
}

impl Question {
    /// The lines that must be in this output, and are not.
    pub fn missing_in(&self, output: &str) -> Vec<&str> {
        let printed: Vec<String> = output.lines().map(squeezed).collect();
        let is_printed = |line: &&String| printed.iter().any(|one| one.contains(squeezed(line).as_str()));
        self.expected.iter().filter(|line| !is_printed(line)).map(String::as_str).collect()
    }

    /// The words of the command; quotation marks of either kind hold words together.
    pub fn words(&self) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quote = None;
        for letter in self.command.chars() {
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
}

/// A line with one space where it has several: what is compared with a table must not know how wide its columns are.
fn squeezed(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The questions of a page.
///
/// # Errors
/// When the page does not have the form: with what is wrong.
pub fn read(page: &str) -> Result<Vec<Question>, String> {
    let mut questions = Vec::new();
    for (number, section) in page.split("\n## ").skip(1).enumerate() {
        let question = question(section).map_err(|error| format!("question {}: {error}", number + 1))?;
        questions.push(question);
    }
    Ok(questions)
}

/// A question, from the section that follows its number.
fn question(section: &str) -> Result<Question, String> {
    let (_, section) = section.split_once('\n').ok_or("it has no text")?;
    let (text, rest) = section.split_once("```console\n").ok_or("it has no command")?;
    let (command, rest) = rest.split_once("\n```\n").ok_or("its command does not end")?;
    let command = command.strip_prefix("$ volvox ").ok_or_else(|| format!("{command:?} is no command of volvox"))?;
    if command.contains('\n') || !command.starts_with("lab ") {
        return Err(format!("{command:?} is not one command of the laboratory"));
    }
    let (_, rest) = rest.split_once("```expect\n").ok_or("nothing is expected of its command")?;
    let (expected, rest) = rest.split_once("\n```\n").ok_or("what is expected does not end")?;
    let expected = expected.lines().filter(|line| !line.trim().is_empty()).map(str::to_string).collect();
    let answer = rest.split_once("</details>").map_or(rest, |(answer, _)| answer);
    let question = Question {
        text: text.trim().to_string(),
        command: command.to_string(),
        expected,
        answer: answer.trim().to_string(),
    };
    match &question {
        Question { text, .. } if text.is_empty() => Err("it has no text".to_string()),
        Question { expected, .. } if expected.is_empty() => Err("nothing is expected of its command".to_string()),
        Question { answer, .. } if answer.is_empty() => Err("its answer is not explained".to_string()),
        _ => Ok(question),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Questions\n\nThe chapter.\n\n## 1. Predict\n\nHow many?\n\n```console\n$ volvox lab check p --model \
                        \"a b\"\n```\n\n<details><summary>Answer</summary>\n\n```expect\nN=3  4\n```\n\nBecause.\n\n</details>\n";

    #[test]
    fn a_page_is_taken_apart() {
        let questions = read(PAGE).expect("it has the form");
        let [question] = questions.as_slice() else { panic!("{questions:?}") };
        assert_eq!((question.text.as_str(), question.answer.as_str()), ("How many?", "Because."));
        assert_eq!(question.words(), ["lab", "check", "p", "--model", "a b"]);
        assert_eq!(question.missing_in("x\n  N=3     4   4\n"), [""; 0]);
        assert_eq!(question.missing_in("N=3 5"), ["N=3  4"]);
    }

    #[test]
    fn a_page_without_the_form_is_refused() {
        for (from, to, wrong) in [
            ("$ volvox lab check", "$ rm", "question 1: \"$ rm p --model \\\"a b\\\"\" is no command of volvox"),
            (
                "volvox lab",
                "volvox down",
                "question 1: \"down check p --model \\\"a b\\\"\" is not one command of the laboratory",
            ),
            ("```expect", "```", "question 1: nothing is expected of its command"),
            ("N=3  4", "", "question 1: nothing is expected of its command"),
            ("Because.", "", "question 1: its answer is not explained"),
            ("How many?", "", "question 1: it has no text"),
        ] {
            assert_eq!(read(&PAGE.replace(from, to)), Err(wrong.to_string()));
        }
    }
}
