//! The results of the tests of every entry, as `coverage.txt` keeps them.

use std::fmt;

/// The findings of the tests about one entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// The entry.
    pub id: String,
    /// The number of golden scripts.
    pub golden: usize,
    /// The number of models with the expected result.
    pub models: usize,
    /// The number of claims that held, and failed when broken.
    pub claims: usize,
    /// Whether everything passed.
    pub is_sound: bool,
    /// Each mechanism that it covers, with the names of the demands that it meets.
    pub met: Vec<(String, Vec<String>)>,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line { id, golden, models, claims, is_sound, met } = self;
        let verdict = if *is_sound { "sound" } else { "wrong" };
        write!(f, "{id} golden={golden} models={models} claims={claims} {verdict}")?;
        met.iter().try_for_each(|(mechanism, demands)| write!(f, "\n  {mechanism} {}", demands.join("; ")))
    }
}

/// Parses printed [`Line`]s; skips other lines.
pub fn read(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        match (line.strip_prefix("  "), lines.last_mut()) {
            (Some(met), Some(last)) => {
                let (mechanism, demands) = met.split_once(' ').unwrap_or((met, ""));
                let demands = demands.split("; ").filter(|name| !name.is_empty()).map(str::to_string).collect();
                last.met.push((mechanism.to_string(), demands));
            }
            _ => lines.extend(head(line)),
        }
    }
    lines
}

fn head(line: &str) -> Option<Line> {
    let mut words = line.split_whitespace();
    let id = words.next()?.to_string();
    let mut number = |name: &str| words.next()?.strip_prefix(name)?.strip_prefix('=')?.parse().ok();
    let (golden, models, claims) = (number("golden")?, number("models")?, number("claims")?);
    let is_sound = words.next()? == "sound";
    Some(Line { id, golden, models, claims, is_sound, met: Vec::new() })
}
