//! `volvox lab questions`: questions that a reader answers before running the commands.

use super::terminal::say;
use anyhow::{Result, anyhow, bail};
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;
use volvox_chapters::REGISTRY;
use volvox_lab::questions::{self, Question};
use volvox_lab::registry::Entry;

/// The options of `lab questions`.
#[derive(Args, Debug)]
pub struct QuestionArguments {
    /// The entry; without it, print the number of questions of each entry
    pub entry: Option<String>,
    /// Print the answers as well, with the lines that the commands print
    #[arg(long, requires = "entry")]
    pub answers: bool,
}

/// Prints the questions of an entry, or the number of questions of each.
///
/// # Errors
/// When there is no such entry, or it has no questions.
pub fn ask(arguments: &QuestionArguments, json: bool) -> Result<ExitCode> {
    match &arguments.entry {
        Some(id) => {
            let entry = REGISTRY.entry(id)?;
            let all = of(entry)?;
            if all.is_empty() {
                bail!("{id} has no questions, since its kind is {}; `volvox lab questions` counts all", entry.kind());
            }
            if json {
                say(format_args!("{}\n", json!({ "entry": id, "questions": document(&all, arguments.answers) })));
            } else {
                print(entry, &all, arguments.answers);
            }
        }
        None => count(json)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The questions of an entry.
///
/// # Errors
/// When its page does not have the form.
pub fn of(entry: Entry) -> Result<Vec<Question>> {
    let id = entry.card().id;
    questions::read(entry.card().questions).map_err(|error| anyhow!("book/src/questions/{id}.md: {error}"))
}

fn print(entry: Entry, all: &[Question], with_answers: bool) {
    let card = entry.card();
    say(format_args!("{}: predict, then run\n", card.title));
    for (number, question) in all.iter().enumerate() {
        say(format_args!("\n{}. {}\n\n    volvox {}\n", number + 1, question.text, question.command));
        if with_answers {
            say("\n");
            question.expected.iter().for_each(|line| say(format_args!("    ... {line}\n")));
            say(format_args!("\n{}\n", question.answer));
        }
    }
    if !with_answers {
        say(format_args!("\nthe answers: volvox lab questions {} --answers\n", card.id));
    }
}

fn document(all: &[Question], with_answers: bool) -> Vec<Value> {
    let one = |question: &Question| {
        let mut one = json!({ "question": question.text, "command": format!("volvox {}", question.command) });
        if with_answers {
            one["expected"] = json!(question.expected);
            one["answer"] = json!(question.answer);
        }
        one
    };
    all.iter().map(one).collect()
}

fn count(json: bool) -> Result<()> {
    let mut entries = Vec::new();
    for entry in REGISTRY.in_reading_order()? {
        let questions = of(entry)?.len();
        if json {
            entries.push(json!({ "entry": entry.card().id, "questions": questions }));
        } else if questions > 0 {
            say(format_args!("{:<24} {questions:>2} questions\n", entry.card().id));
        }
    }
    if json {
        say(format_args!("{}\n", json!({ "entries": entries })));
    } else {
        say("\npredict, then run: volvox lab questions ENTRY, and with --answers the answers\n");
    }
    Ok(())
}
