//! The family of a new protocol: the crates and the tables in which it is listed.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::name::Name;
use super::{change, put};

/// A family of protocols: a crate of them, and a crate of their chapters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Family {
    /// The name of its folders.
    pub name: String,
    /// Whether it is made now.
    pub is_new: bool,
}

const MANIFEST: &str = r#"[package]
name = "volvox-{{package}}"
version.workspace = true
edition.workspace = true
rust-version.workspace = true
license.workspace = true
publish.workspace = true
description = "Volvox: {{what}}"
{{alone}}
[lints]
workspace = true

[dependencies]
"#;

const ALONE: &str = "build = \"../../crates/lab/found/build.rs\"\n\n# The test of the family is one program of its own.\n[lib]\ntest = false\ndoctest = false\n";

const FAMILY: &str = r#"//! Chapters of the family `{{family}}`: cards, scenarios, models and claims of its protocols.
#![forbid(unsafe_code)]

use volvox_lab::registry::{Family, protocol};

/// The family, with one line per entry.
pub static FAMILY: Family = Family {
    name: "{{family}}",
    entries: &[
    ],
    evidence: include_str!("../evidence.txt"),
    coverage: include_str!("../coverage.txt"),
    never: include_str!("../never.txt"),
};
"#;

const FAMILY_TEST: &str = r#"//! Every check of every entry of this family.

volvox_lab::test_family!(volvox_chapters_{{family_module}}::FAMILY);
"#;

const EVIDENCE: &str = "\
# The evidence for each demand of the catalogue on the rows that this family claims: `DEMAND = EVIDENCE; ...`, all of which must
# pass. The demands are those of crates/lab/catalogue.txt; the kinds of evidence are in crates/lab/src/evidence.rs. A claim that a
# row demands needs no line. A demand without a line is open, and `volvox lab show ID` prints it as open.
";

const COVERAGE: &str = "\
# The results of this family's test, entry by entry; `volvox lab list` reads it. Written by
# UPDATE=1 cargo test -p volvox-chapters-{{family}}
";

const NEVER: &str = "\
# What none of the models of a chapter shows, and why: `chapter | what | why`. The test of the family compares this with what
# it finds, and UPDATE=1 writes it again; a reason is written by a person.
";

/// The gaps in the models of the skeleton.
const NEVER_SHOWN: [&str; 2] = [
    "fault doubling | a number that is known already changes nothing",
    "note ignored: a greater number is to be acknowledged | one number is given in each model",
];

impl Family {
    /// The family of this name, or with `new` one that is called after its protocol.
    pub fn read(root: &Path, family: &str, name: &Name) -> Result<Family> {
        if family == "new" {
            let path = format!("crates/{name}");
            if root.join(&path).exists() || root.join(format!("chapters/{name}")).exists() {
                bail!("the crate {path} already exists; name the family it belongs to: --family F");
            }
            return Ok(Family { name: name.id.clone(), is_new: true });
        }
        if !root.join("chapters").join(family).join("src/lib.rs").exists() {
            let folders = fs::read_dir(root.join("chapters")).context("cannot list chapters")?;
            let mut known = folders
                .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                .collect::<Result<Vec<String>>>()?;
            known.sort();
            bail!("there is no family `{family}`; there are: {}, or `new`", known.join(", "));
        }
        let manifest = fs::read_to_string(root.join(format!("crates/{family}/Cargo.toml"))).unwrap_or_default();
        if manifest.is_empty() {
            bail!("the family `{family}` has no crate of protocols: crates/{family} is not there");
        }
        if !manifest.contains("volvox-sim.workspace") {
            bail!("the tests of crates/{family} have no simulator; a skeleton needs `volvox-sim` there");
        }
        Ok(Family { name: family.to_string(), is_new: false })
    }

    /// A template with the family filled in.
    pub fn fill(&self, text: &str) -> String {
        text.replace("{{family}}", &self.name).replace("{{family_module}}", &self.name.replace('-', "_"))
    }

    /// The place of a protocol's test: a module of the one program that the crate has, else a program of its own.
    pub fn test_of(&self, root: &Path, module: &str) -> Result<String> {
        Ok(match self.program(root)? {
            Some(program) => format!("{program}/{module}.rs"),
            None => format!("crates/{}/tests/{module}.rs", self.name),
        })
    }

    /// The folder of the one program of tests, if there is one.
    fn program(&self, root: &Path) -> Result<Option<String>> {
        let tests = format!("crates/{}/tests", self.name);
        let folder = root.join(&tests);
        if !folder.is_dir() {
            return Ok(None);
        }
        let mut programs = Vec::new();
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {tests}"))? {
            let entry = entry?;
            if entry.path().join("main.rs").exists() {
                programs.push(format!("{tests}/{}", entry.file_name().to_string_lossy()));
            }
        }
        programs.sort();
        Ok(programs.into_iter().next())
    }

    /// Makes the two crates, and lists them in the workspace, the registry and the tables.
    pub fn create(&self, root: &Path) -> Result<Vec<String>> {
        let name = &self.name;
        let (protocols, chapters) = (format!("crates/{name}"), format!("chapters/{name}"));
        let manifest = |package: &str, what: &str, alone: &str| {
            MANIFEST.replace("{{package}}", package).replace("{{what}}", what).replace("{{alone}}", alone)
        };
        let lib = format!(
            "//! Protocols of the family `{name}`.\n#![no_std]\n#![forbid(unsafe_code)]\n\nextern crate alloc;\n"
        );
        let main = "//! The protocols of this crate, in the simulated world and message by message.\n".to_string();
        let about = format!("protocols of the family `{name}`");
        let shown = format!("chapters of the family `{name}`");
        let dependencies = "volvox-core.workspace = true\n\n[dev-dependencies]\nvolvox-sim.workspace = true\n";
        let readme = format!(
            "# volvox-{name}\n\nProtocols of the family `{name}`. One module per protocol; each begins with its problem, its idea and a run.\n"
        );
        let readme_of_chapters = format!(
            "# volvox-chapters-{name}\n\nThe chapters of the family `{name}`. The protocols themselves are in [crates/{name}](../../crates/{name}/).\n\n\
             Begin with `src/lib.rs`, which lists the entries. `cargo test -p volvox-chapters-{name}` runs every check of every \
             entry\nand compares the results with `coverage.txt`; `evidence.txt` names the evidence for each demand of the catalogue.\n"
        );
        let mut written = Vec::new();
        for (path, text) in [
            (format!("{protocols}/Cargo.toml"), manifest(name, &about, "") + dependencies),
            (format!("{protocols}/README.md"), readme),
            (format!("{protocols}/src/lib.rs"), lib),
            (format!("{protocols}/tests/{name}/main.rs"), main),
            (
                format!("{chapters}/Cargo.toml"),
                manifest(&format!("chapters-{name}"), &shown, ALONE)
                    + &format!(
                        "volvox-core.workspace = true\nvolvox-lab.workspace = true\nvolvox-{name}.workspace = true\n"
                    ),
            ),
            (format!("{chapters}/README.md"), readme_of_chapters),
            (format!("{chapters}/src/lib.rs"), self.fill(FAMILY)),
            (format!("{chapters}/tests/family.rs"), self.fill(FAMILY_TEST)),
            (format!("{chapters}/evidence.txt"), EVIDENCE.to_string()),
            (format!("{chapters}/coverage.txt"), self.fill(COVERAGE)),
            (format!("{chapters}/never.txt"), NEVER.to_string()),
        ] {
            put(root, &path, &text)?;
            written.push(path);
        }
        written.extend(self.list_crates(root)?);
        Ok(written)
    }

    fn list_crates(&self, root: &Path) -> Result<Vec<String>> {
        let (name, module) = (&self.name, self.name.replace('-', "_"));
        Ok(vec![
            change(root, "Cargo.toml", |text| {
                let text = before(
                    text,
                    "volvox-chapters-",
                    &format!("volvox-chapters-{name} = {{ path = \"chapters/{name}\" }}"),
                )?;
                let text = before(&text, "volvox-core = ", &format!("volvox-{name} = {{ path = \"crates/{name}\" }}"))?;
                before(&text, "volvox-lab.opt-level", &format!("volvox-chapters-{name}.opt-level = 1"))
            })?,
            change(root, "crates/chapters/Cargo.toml", |text| {
                let text = before(text, "    \"dep:volvox-chapters-", &format!("    \"dep:volvox-chapters-{name}\","))?;
                before(
                    &text,
                    "volvox-chapters-",
                    &format!("volvox-chapters-{name} = {{ workspace = true, optional = true }}"),
                )
            })?,
            change(root, "crates/chapters/src/lib.rs", |text| {
                text.contains("\n]);")
                    .then(|| text.replacen("\n]);", &format!("\n    &volvox_chapters_{module}::FAMILY,\n]);"), 1))
            })?,
            change(root, "ARCHITECTURE.md", |text| {
                let text = before(
                    text,
                    "| `chapters-",
                    &format!(
                        "| `chapters-{name}` | `core`, `lab`, `{name}` | - | the chapters of a family; an edit rebuilds one family |"
                    ),
                )?;
                let text = before(&text, "| `mutex` |", &format!("| `{name}` | `core` | - | a family of protocols |"))?;
                let row = text.lines().find(|line| line.starts_with("| `chapters` |"))?.to_string();
                Some(text.replacen(&row, &row.replacen("`lab`, ", &format!("`lab`, `chapters-{name}`, "), 1), 1))
            })?,
            change(root, "xtask/src/tidy/tree.rs", |text| {
                let at = text.find("pub const PURE: [&str; ")? + "pub const PURE: [&str; ".len();
                let end = at + text[at..].find(']')?;
                let count: usize = text[at..end].parse().ok()?;
                let text = format!("{}{}{}", &text[..at], count + 1, &text[end..]);
                before(&text, "    \"mutex\",", &format!("    \"{name}\","))
            })?,
        ])
    }

    /// Lists a protocol in the crates of its family.
    pub fn list(&self, root: &Path, name: &Name) -> Result<Vec<String>> {
        let (family, module) = (&self.name, name.module());
        let mut written = vec![
            change(root, &format!("crates/{family}/src/lib.rs"), |text| Some(module_of(text, "pub mod ", &module)))?,
            change(root, &format!("chapters/{family}/src/lib.rs"), |text| {
                let line = format!("protocol::<{module}::{}>(),", name.type_name());
                let at = text.find("entries: &[")?;
                let end = at + text[at..].find("\n    ],").or_else(|| text[at..].find("],\n"))?;
                let text = format!("{}\n        {line}{}", text[..end].trim_end(), &text[end..]);
                Some(module_of(&text, "mod ", &module))
            })?,
            change(root, &format!("chapters/{family}/coverage.txt"), |text| {
                Some(format!("{text}{name} golden=1 models=4 claims=0 sound\n"))
            })?,
            change(root, &format!("chapters/{family}/never.txt"), |text| {
                Some(NEVER_SHOWN.iter().fold(text.to_string(), |text, line| format!("{text}{name} | {line}\n")))
            })?,
        ];
        if let Some(program) = self.program(root)? {
            written.push(change(root, &format!("{program}/main.rs"), |text| Some(module_of(text, "mod ", &module)))?);
        }
        Ok(written)
    }
}

/// The text with a line before the first that begins so.
fn before(text: &str, start: &str, line: &str) -> Option<String> {
    let at = if text.starts_with(start) { 0 } else { text.find(&format!("\n{start}"))? + 1 };
    Some(format!("{}{line}\n{}", &text[..at], &text[at..]))
}

/// The text with a module declared: among the others in their order, or where the first would be.
fn module_of(text: &str, start: &str, module: &str) -> String {
    let line = format!("{start}{module};");
    let declares = |one: &&str| one.starts_with(start) && one.ends_with(';');
    let lines: Vec<&str> = text.lines().collect();
    let next = lines.iter().position(|one| declares(one) && **one > *line);
    let last = lines.iter().rposition(declares).map(|last| last + 1);
    let header = lines.iter().take_while(|one| one.starts_with("//!") || one.starts_with("#![")).count();
    let (place, is_first) = next.or(last).map_or((header, true), |place| (place, false));
    let mut all: Vec<String> = lines.iter().map(ToString::to_string).collect();
    all.insert(place, line);
    if is_first {
        all.insert(place, String::new());
    }
    all.join("\n") + "\n"
}
