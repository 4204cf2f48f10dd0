//! The figures, the ratchets that hold them, and the page that shows them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

/// One figure, as it was last measured.
struct Figure {
    value: u64,
    /// The day, the commit and the load average before it.
    when: String,
}

/// All figures by name.
pub struct Figures {
    folder: PathBuf,
    when: String,
    all: BTreeMap<String, Figure>,
}

impl Figures {
    /// The measurements so far.
    pub fn read(workspace: &Workspace) -> Result<Figures> {
        let folder = workspace.root().join("benches/weight");
        let text = std::fs::read_to_string(folder.join("figures.txt")).unwrap_or_default();
        let all = text.lines().filter_map(read_line).collect();
        Ok(Figures { when: moment(workspace)?, folder, all })
    }

    /// A figure that was measured now.
    pub fn set(&mut self, name: &str, value: u64) {
        println!("{name:<44} {:>14}", grouped(value));
        self.all.insert(name.to_string(), Figure { value, when: self.when.clone() });
    }

    /// Writes the figures, and the page.
    pub fn write(&self) -> Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let mut lines = String::new();
        let mut table = String::new();
        for (name, Figure { value, when }) in &self.all {
            writeln!(lines, "{name} = {value} ; {when}")?;
            writeln!(table, "| {name} | {} | {when} |", grouped(*value))?;
        }
        std::fs::write(self.folder.join("figures.txt"), lines)?;
        let page = self.folder.join("RESULTS.md");
        let text = std::fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
        let (before, rest) = text.split_once(BEGIN).context("RESULTS.md has lost the mark before its table")?;
        let (_, after) = rest.split_once(END).context("RESULTS.md has lost the mark behind its table")?;
        let head = "| figure | value | day, commit, load average before |\n|---|---|---|\n";
        std::fs::write(&page, format!("{before}{BEGIN}\n{head}{table}{END}{after}"))?;
        Ok(())
    }

    /// Fails when a figure is beyond its ratchet.
    pub fn check_ratchets(&self) -> Result<()> {
        let path = self.folder.join("ratchet.txt");
        let ratchets = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let figures = |name: &str| self.all.get(name).map(|figure| figure.value);
        let grown: Vec<String> = beyond(&ratchets, figures).into_iter().map(|(_, what)| what).collect();
        if !grown.is_empty() {
            bail!("the program has grown heavier: {}", grown.join("; "));
        }
        Ok(())
    }
}

/// The ratchets of these lines that do not hold, each with its line number.
fn beyond(ratchets: &str, figures: impl Fn(&str) -> Option<u64>) -> Vec<(usize, String)> {
    let lines = ratchets.lines().enumerate().filter_map(|(number, line)| Some((number + 1, read_line(line)?)));
    let judged = lines.filter_map(|(number, (name, most))| match figures(&name) {
        Some(now) if now <= most.value => None,
        Some(now) => Some((number, format!("{name} is {now}, and {} is the most", most.value))),
        None => Some((number, format!("{name} was not measured"))),
    });
    judged.collect()
}

/// The ratchets that the figures in the files break, each with its line number: the rule of tidy.
pub fn broken_ratchets(ratchets: &str, figures: &str) -> Vec<(usize, String)> {
    let all: BTreeMap<String, Figure> = figures.lines().filter_map(read_line).collect();
    beyond(ratchets, |name| all.get(name).map(|figure| figure.value))
}

const BEGIN: &str = "<!-- weight: figures -->";
const END: &str = "<!-- weight: end -->";

/// `name = value ; when`.
fn read_line(line: &str) -> Option<(String, Figure)> {
    let (name, rest) = line.split_once(" = ")?;
    let (value, when) = rest.split_once(" ; ").unwrap_or((rest, ""));
    Some((name.to_string(), Figure { value: value.trim().parse().ok()?, when: when.to_string() }))
}

/// `1,234,567`.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn moment(workspace: &Workspace) -> Result<String> {
    let said = |program: &str, arguments: &[&str]| -> Result<String> {
        let output = Command::new(program).args(arguments).current_dir(workspace.root()).output();
        let output = output.with_context(|| format!("cannot run {program}"))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    Ok(format!("{}, {}, {}", said("date", &["+%F"])?, said("git", &["rev-parse", "--short", "HEAD"])?, load.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_that_has_grown_or_is_missing_breaks_its_ratchet() {
        let ratchets = "# prose\nbytes = 10\nlines = 5\n";
        let broken = |figures: &str| broken_ratchets(ratchets, figures);
        assert_eq!(broken("bytes = 10 ; today\nlines = 4 ; today\n"), []);
        assert_eq!(broken("bytes = 11 ; today\nlines = 5 ; today\n"), [(2, "bytes is 11, and 10 is the most".into())]);
        assert_eq!(broken("bytes = 10 ; today\n"), [(3, "lines was not measured".into())]);
    }

    #[test]
    fn a_line_is_read_as_it_is_written() {
        let (name, figure) = read_line("average chapter, lines of IR = 45900 ; 2026-11-30, abc, 1.0 1.0 1.0").unwrap();
        assert_eq!((name.as_str(), figure.value), ("average chapter, lines of IR", 45_900));
        assert_eq!(figure.when, "2026-11-30, abc, 1.0 1.0 1.0");
        assert!(read_line("# a remark").is_none() && read_line("bytes = many").is_none());
        assert_eq!(
            (grouped(7), grouped(45_900), grouped(1_234_567)),
            ("7".into(), "45,900".into(), "1,234,567".into())
        );
    }
}
