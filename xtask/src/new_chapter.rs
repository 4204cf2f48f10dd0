//! `new-chapter`: a protocol module with its chapter, as a skeleton that compiles, runs in three worlds and passes the gate.
//!
//! The texts are in `new_chapter/template`, one file for each that is written, with the names to be filled in as
//! `{{name}}`. A skeleton is a working protocol, so that its models and its test are meaningful from the start.

mod family;
mod name;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::cargo;
use crate::workspace::Workspace;
use family::Family;
use name::Name;

/// With it, tests write what they would compare.
const UPDATE: &str = "UPDATE";

const PROTOCOL: &str = include_str!("new_chapter/template/protocol.rs.txt");
const PROPERTIES: &str = include_str!("new_chapter/template/properties.rs.txt");
const TEST: &str = include_str!("new_chapter/template/test.rs.txt");
const SCRIPT: &str = include_str!("new_chapter/template/script.txt");
const CHAPTER: &str = include_str!("new_chapter/template/chapter.rs.txt");
const SCENARIO: &str = include_str!("new_chapter/template/scenario.txt");
const QUESTIONS: &str = include_str!("new_chapter/template/questions.md.txt");

/// `cargo xtask new-chapter NAME [--family F]`.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let (name, family) = read(workspace.root(), arguments)?;
    let written = write(workspace.root(), &name, &family)?;
    let crates = [format!("volvox-{}", family.name), format!("volvox-chapters-{}", family.name)];
    cargo::run(&mut workspace.cargo(&["fmt", "--package", &crates[0], "--package", &crates[1]]))?;
    for file in &written {
        println!("{file}");
    }
    settle(workspace, &name, &crates)?;
    println!(
        "\ntry it:\n  cargo test -p {} -p {}\n  cargo run -p volvox -- lab run {name} --diagram\n  cargo run -p volvox -- lab \
         check {name}\n  cargo run -p volvox -- lab run {name} --live\nthen replace the skeleton by your protocol; UPDATE=1 \
         cargo test -p {} writes pinned counts again",
        crates[0], crates[1], crates[1],
    );
    Ok(())
}

/// Writes what follows from the sources: the output of the script, and the counts of the models. Then both tests pass.
fn settle(workspace: &Workspace, name: &Name, crates: &[String; 2]) -> Result<()> {
    let tests = |package: &str, is_written: bool| {
        let mut command = workspace.cargo(&["test", "--quiet", "--package", package]);
        command.env("CHAPTER", &name.id);
        if is_written {
            command.env(UPDATE, "1");
        }
        command
    };
    for package in crates {
        // The first run says what it wrote, and fails because it was not so before.
        let _ = cargo::run(&mut tests(package, true));
        cargo::run(&mut tests(package, false)).with_context(|| format!("the skeleton in {package} does not pass"))?;
    }
    Ok(())
}

/// The request, if it is possible: nothing is written before this is known.
fn read(root: &Path, arguments: &[String]) -> Result<(Name, Family)> {
    let (name, family) = match arguments {
        [name] => (name, "new"),
        [name, flag, family] if flag == "--family" => (name, family.as_str()),
        _ => bail!("expected: cargo xtask new-chapter NAME [--family F], where F is a folder of chapters/, or `new`"),
    };
    let name = Name::read(name)?;
    name.is_free(root)?;
    let family = Family::read(root, family, &name)?;
    Ok((name, family))
}

/// Writes all files; returns the path of each that is new or changed, below the root.
fn write(root: &Path, name: &Name, family: &Family) -> Result<Vec<String>> {
    let (id, module) = (name.id.as_str(), name.module());
    let fill = |text: &str| family.fill(&name.fill(text));
    let (protocols, chapters) = (format!("crates/{}", family.name), format!("chapters/{}", family.name));
    let mut written = Vec::new();
    if family.is_new {
        written.extend(family.create(root)?);
    }
    for (path, text) in [
        (format!("{protocols}/src/{module}.rs"), PROTOCOL),
        (format!("{protocols}/src/{module}/properties.rs"), PROPERTIES),
        (format!("{protocols}/tests/scripts/{id}/01-a-lost-message.txt"), SCRIPT),
        (format!("{chapters}/src/{module}.rs"), CHAPTER),
        (format!("{chapters}/scenarios/{id}.txt"), SCENARIO),
        (format!("book/src/questions/{id}.md"), QUESTIONS),
        (family.test_of(root, &module)?, TEST),
    ] {
        put(root, &path, &fill(text))?;
        written.push(path);
    }
    written.extend(list_in_book(root, name, family)?);
    written.extend(family.list(root, name)?);
    Ok(written)
}

/// Lists the chapter in the book: its questions, and its place in the reading order, which is behind its family.
fn list_in_book(root: &Path, name: &Name, family: &Family) -> Result<Vec<String>> {
    let (id, title) = (&name.id, name.title());
    let relatives = fs::read_to_string(root.join(format!("chapters/{}/coverage.txt", family.name))).unwrap_or_default();
    let is_relative = |row: &str| {
        let mut lines = relatives.lines().filter(|line| !line.starts_with(['#', ' ']));
        lines.any(|line| line.split(' ').next().is_some_and(|id| row.starts_with(&format!("| [{id}]("))))
    };
    Ok(vec![
        change(root, "book/src/reading-order.md", |text| {
            let mut lines: Vec<&str> = text.lines().collect();
            let last = lines.iter().rposition(|line| is_relative(line));
            let last = last.or_else(|| lines.iter().rposition(|line| line.starts_with("| [")))?;
            let row =
                format!("| [{id}](questions/{id}.md) | - | evening | what a reader knows afterwards, in a line |");
            lines.insert(last + 1, &row);
            Some(lines.join("\n") + "\n")
        })?,
        change(root, "book/src/questions/README.md", |text| Some(format!("{text}- [{title}]({id}.md)\n")))?,
        change(root, "book/src/SUMMARY.md", |text| {
            let next = "- [The catalogue of mechanisms]";
            text.contains(next).then(|| text.replacen(next, &format!("  - [{title}](questions/{id}.md)\n{next}"), 1))
        })?,
    ])
}

/// Writes a file that is not there yet.
fn put(root: &Path, path: &str, text: &str) -> Result<()> {
    let file = root.join(path);
    if file.exists() {
        bail!("{path} exists");
    }
    let folder = file.parent().context("a file is in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(&file, text).with_context(|| format!("cannot write {path}"))
}

/// Changes a file; fails when the change finds no place in it.
fn change(root: &Path, path: &str, change: impl FnOnce(&str) -> Option<String>) -> Result<String> {
    let text = fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {path}"))?;
    let text = change(&text).with_context(|| format!("{path} is not as new-chapter knows it; add the line by hand"))?;
    fs::write(root.join(path), text).with_context(|| format!("cannot write {path}"))?;
    Ok(path.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(arguments: &[&str]) -> String {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        read(Workspace::locate().unwrap().root(), &arguments).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn names_that_cannot_be_are_refused() {
        for (name, message) in [
            ("match", "`match` is a keyword of Rust and cannot name a module"),
            ("raft", "the entry `raft` already exists"),
            ("eight-fallacies", "the entry `eight-fallacies` already exists"),
            ("section", "the module crates/mutex/src/section.rs already exists"),
            ("paxos/multi", "`paxos/multi`: a name has no `/`; the folder is that of its family: --family F"),
            ("Paxos", "`Paxos`: a name has only a-z, 0-9 and -"),
            ("über", "`über`: a name has only a-z, 0-9 and -"),
            ("two_phase", "`two_phase`: a name has only a-z, 0-9 and -"),
            ("", "a name has at least one letter"),
            ("2pc", "`2pc`: a name begins with a letter"),
            ("-paxos", "`-paxos`: a name begins with a letter"),
            ("paxos-", "`paxos-`: a name ends with a letter or a digit, and has no two - side by side"),
            ("multi--paxos", "`multi--paxos`: a name ends with a letter or a digit, and has no two - side by side"),
        ] {
            assert_eq!(refused(&[name]), message);
        }
        assert!(refused(&[&"a".repeat(41)]).contains("at most 40"));
    }

    #[test]
    fn families_that_cannot_be_are_refused() {
        let text = refused(&["a-protocol-of-this-test", "--family", "mutexx"]);
        assert!(
            text.starts_with("there is no family `mutexx`; there are: channel, ") && text.ends_with(", or `new`"),
            "{text}"
        );
        assert_eq!(refused(&["sim"]), "the crate crates/sim already exists; name the family it belongs to: --family F");
        let text = refused(&["a-protocol-of-this-test", "--family", "foundations"]);
        assert!(text.contains("`foundations` has no crate of protocols"), "{text}");
        assert!(refused(&[]).contains("new-chapter NAME [--family F]"));
        assert!(refused(&["a", "b"]).contains("new-chapter NAME [--family F]"));
    }

    /// The command writes into a copy of the files what a person would write.
    #[test]
    fn a_new_family_and_an_old_one_are_written_whole() {
        let root = std::env::temp_dir().join(format!("volvox-new-chapter-{}", std::process::id()));
        let here = Workspace::locate().unwrap();
        let files = [
            "Cargo.toml",
            "ARCHITECTURE.md",
            "crates/chapters/Cargo.toml",
            "crates/chapters/src/lib.rs",
            "xtask/src/tidy/tree.rs",
            "crates/mutex/Cargo.toml",
            "crates/mutex/src/lib.rs",
            "crates/mutex/tests/mutex/main.rs",
            "chapters/mutex/src/lib.rs",
            "chapters/mutex/coverage.txt",
            "chapters/mutex/never.txt",
            "book/src/questions/README.md",
            "book/src/SUMMARY.md",
            "book/src/reading-order.md",
        ];
        for file in files {
            put(&root, file, &fs::read_to_string(here.root().join(file)).unwrap()).unwrap();
        }
        for family in ["new", "mutex"] {
            let arguments = [format!("my-{family}"), "--family".to_string(), family.to_string()];
            let (name, family) = read(&root, &arguments).unwrap();
            let written = write(&root, &name, &family).unwrap();
            for file in &written {
                let text = fs::read_to_string(root.join(file)).unwrap();
                assert!(!text.contains("{{"), "{file} has a name that was not filled in");
                let can_be_asked =
                    text.contains("const ASKING: Option<Asking> = Some(") || !text.contains("const MODELS");
                assert!(can_be_asked, "{file} has models, and `lab check` cannot be asked for others");
            }
        }
        let text = |file: &str| fs::read_to_string(root.join(file)).unwrap();
        assert!(text("chapters/mutex/src/lib.rs").contains("        protocol::<my_mutex::MyMutex>(),\n    ],"));
        assert!(text("chapters/mutex/src/lib.rs").contains("mod my_mutex;\n"));
        assert!(text("crates/mutex/src/lib.rs").contains("pub mod my_mutex;\n"));
        assert!(text("crates/mutex/tests/mutex/main.rs").contains("mod my_mutex;\n"));
        assert!(text("chapters/my-new/coverage.txt").ends_with("my-new golden=1 models=4 claims=0 sound\n"));
        assert!(text("chapters/my-new/never.txt").contains("\nmy-new | fault doubling | "));
        assert!(text("crates/chapters/src/lib.rs").contains("    &volvox_chapters_my_new::FAMILY,\n]);"));
        assert!(text("ARCHITECTURE.md").contains("| `chapters-my-new` | `core`, `lab`, `my-new` |"));
        assert!(text("book/src/SUMMARY.md").contains("(questions/my-mutex.md)\n"));
        let order = text("book/src/reading-order.md");
        let place = |id: &str| order.find(&format!("| [{id}](")).unwrap();
        assert!(place("leases") < place("my-mutex") && place("my-mutex") < place("raft"), "behind its family");
        assert!(place("my-new") > place("raft"), "a new family is the last");
        assert!(text("xtask/src/tidy/tree.rs").contains("    \"my-new\",\n"));
        fs::remove_dir_all(&root).unwrap();
    }
}
