//! Medians, spreads, ratios and verdicts, for people and for machines.

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::members::Side;
use super::processes::{FOREIGN_CORES_MAX, Strangers};
use super::row::{Bar, Figure, Row};

/// The results of one run.
pub struct Outcome {
    /// Its figures.
    pub figures: Vec<Figure>,
    /// The other load.
    pub strangers: Strangers,
}

impl Outcome {
    /// One line while the rest runs.
    pub fn line(&self, row: &Row, side: Side, round: usize) -> String {
        let figures: Vec<_> =
            self.figures.iter().map(|figure| format!("{} {:.0}", figure.name, figure.value)).collect();
        let others = match self.strangers.cores {
            cores if cores > FOREIGN_CORES_MAX => {
                format!("  (others used {cores:.2} cores: {})", self.strangers.names())
            }
            _ => String::new(),
        };
        format!("{:<8} round {} {:<7} {}{others}", row.name, round + 1, side.name(), figures.join("  "))
    }
}

/// One figure of all rounds of one side.
#[derive(Clone, Debug, Default)]
struct Series {
    values: Vec<f64>,
}

impl Series {
    fn median(&self) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        match sorted.len() {
            0 => f64::NAN,
            length if length % 2 == 1 => sorted[length / 2],
            length => (sorted[length / 2 - 1] + sorted[length / 2]) / 2.0,
        }
    }

    fn least(&self) -> f64 {
        self.values.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn most(&self) -> f64 {
        self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    fn text(&self) -> String {
        format!("{:.0} ({:.0}-{:.0})", self.median(), self.least(), self.most())
    }

    fn document(&self) -> Value {
        json!({ "median": self.median(), "min": self.least(), "max": self.most(), "runs": self.values })
    }
}

/// One line of the table.
struct Line {
    row: &'static str,
    figure: &'static str,
    unit: &'static str,
    bar: Bar,
    volvox: Series,
    etcd: Series,
}

impl Line {
    fn ratio(&self) -> f64 {
        self.volvox.median() / self.etcd.median()
    }

    fn is_met(&self) -> Option<bool> {
        self.bar.is_met(self.ratio())
    }

    fn verdict(&self) -> &'static str {
        match self.is_met() {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        }
    }

    fn bar_text(&self) -> String {
        match self.bar {
            Bar::AtLeast(least) => format!(">= {least}"),
            Bar::AtMost(most) => format!("<= {most}"),
            Bar::None => String::new(),
        }
    }
}

/// Everything that was measured.
pub struct Report {
    load: String,
    rounds: usize,
    secs: f64,
    etcd: String,
    lines: Vec<Line>,
    voids: Vec<String>,
}

impl Report {
    /// Nothing yet.
    pub fn new(load: String, rounds: usize, secs: f64, etcd: String) -> Report {
        Report { load, rounds, secs, etcd, lines: Vec::new(), voids: Vec::new() }
    }

    /// Marks the comparison as void, for this reason.
    pub fn void(&mut self, reason: String) {
        self.voids.push(reason);
    }

    /// Takes in a run.
    pub fn add(&mut self, row: &Row, side: Side, outcome: Outcome) {
        if outcome.strangers.cores > FOREIGN_CORES_MAX {
            let (cores, names) = (outcome.strangers.cores, outcome.strangers.names());
            self.void(format!("during {} of {}: others used {cores:.2} cores: {names}", row.name, side.name()));
        }
        for (figure, unit, bar) in row.figures {
            let known = self.lines.iter().position(|line| line.row == row.name && line.figure == *figure);
            let index = known.unwrap_or_else(|| {
                let (volvox, etcd) = (Series::default(), Series::default());
                self.lines.push(Line { row: row.name, figure, unit, bar: *bar, volvox, etcd });
                self.lines.len() - 1
            });
            let line = &mut self.lines[index];
            let series = if side == Side::Volvox { &mut line.volvox } else { &mut line.etcd };
            series.values.extend(outcome.figures.iter().find(|found| found.name == *figure).map(|found| found.value));
        }
    }

    /// A table, and above it what makes it void.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{}; {} rounds of {} s; three members a side; load average before: {}\n",
            self.etcd, self.rounds, self.secs, self.load
        );
        text += "median (min-max); the ratio is ours divided by etcd's\n\n";
        let head = ["row", "figure", "volvox", "etcd", "ratio", "bar", "verdict"].map(str::to_owned);
        let mut cells = vec![head];
        for line in &self.lines {
            cells.push([
                line.row.to_owned(),
                format!("{}, {}", line.figure, line.unit),
                line.volvox.text(),
                line.etcd.text(),
                format!("{:.2}", line.ratio()),
                line.bar_text(),
                line.verdict().to_owned(),
            ]);
        }
        let width = |column: usize| cells.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..7).map(width).collect();
        for row in &cells {
            let padded: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            text += &format!("{}\n", padded.join("  ").trim_end());
        }
        if !self.voids.is_empty() {
            text += "\nVOID: something else ran meanwhile\n";
            self.voids.iter().for_each(|reason| text += &format!("  {reason}\n"));
        }
        text
    }

    /// One document.
    pub fn document(&self) -> Value {
        let lines = self.lines.iter().map(|line| {
            json!({
                "row": line.row, "figure": line.figure, "unit": line.unit, "bar": line.bar_text(),
                "volvox": line.volvox.document(), "etcd": line.etcd.document(),
                "ratio": line.ratio(), "met": line.is_met(),
            })
        });
        json!({
            "peer": self.etcd, "rounds": self.rounds, "seconds": self.secs, "load_average_before": self.load,
            "void": !self.voids.is_empty(), "void_because": self.voids, "lines": lines.collect::<Vec<_>>(),
        })
    }

    /// An error when a bar was missed, or nothing can be said.
    pub fn verdict(&self) -> Result<()> {
        if !self.voids.is_empty() {
            bail!("the comparison is void: something else ran meanwhile");
        }
        let missed: Vec<_> = self.lines.iter().filter(|line| line.is_met() == Some(false)).collect();
        if !missed.is_empty() {
            let names: Vec<_> = missed.iter().map(|line| format!("{} {}", line.row, line.figure)).collect();
            bail!("missed: {}", names.join(", "));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: Row = Row {
        name: "put",
        figures: &[("throughput", "/s", Bar::AtLeast(2.5)), ("p99", "us", Bar::AtMost(0.5))],
        measure: |_, _| bail!("not in this test"),
    };

    fn outcome(throughput: f64, p99: f64, cores: f64) -> Outcome {
        let figures = vec![Figure { name: "throughput", value: throughput }, Figure { name: "p99", value: p99 }];
        Outcome { figures, strangers: Strangers { cores, ..Strangers::default() } }
    }

    fn report(ours: [f64; 3], strangers: f64) -> Report {
        let mut report = Report::new("0 0 0".to_owned(), 3, 10.0, "etcd".to_owned());
        for value in ours {
            report.add(&ROW, Side::Volvox, outcome(value, 10.0, strangers));
            report.add(&ROW, Side::Etcd, outcome(100.0, 20.0, 0.0));
        }
        report
    }

    #[test]
    fn the_median_counts_and_the_spread_is_shown() {
        let report = report([250.0, 100.0, 900.0], 0.0);
        let text = report.text();
        assert!(text.contains("250 (100-900)") && text.contains("2.50") && text.contains("met"), "{text}");
        assert!(report.verdict().is_ok());
        assert_eq!(report.document()["lines"][0]["ratio"], 2.5);
    }

    #[test]
    fn a_missed_bar_is_an_error_that_names_it() {
        let report = report([240.0, 100.0, 900.0], 0.0);
        assert!(report.text().contains("MISSED"));
        assert_eq!(report.verdict().unwrap_err().to_string(), "missed: put throughput");
    }

    #[test]
    fn strangers_make_it_void() {
        let report = report([250.0; 3], 0.5);
        assert!(report.text().contains("VOID"));
        assert!(report.verdict().unwrap_err().to_string().contains("void"));
        assert_eq!(report.document()["void"], true);
    }
}
