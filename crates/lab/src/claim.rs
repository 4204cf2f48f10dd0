//! A claim: a number of the textbook, measured.
//!
//! Measured means counted from a run of the protocol's code in a world; a formula computed twice is not a measurement.
//! Each claim names a breakage, under which the same measurement must fail: a claim that cannot fail shows nothing.

use std::fmt;

/// How close the measured value must be to the expected one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Tolerance {
    /// Equal.
    Exact,
    /// Off by at most this share of the expected value: 0.05 is 5 %.
    Relative(f64),
    /// Off by at most this much.
    Absolute(f64),
    /// At most what is expected: a bound.
    AtMost,
    /// At least what is expected: a bound.
    AtLeast,
    /// At most a published measurement, made on machines that are not known well enough to repeat it: the row can contradict
    /// that number, and cannot reproduce it.
    NotAbove,
    /// At least such a measurement.
    NotBelow,
    /// No comparison: the number is an input of other rows, and not measured.
    Input,
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tolerance::Exact => write!(f, "exactly"),
            Tolerance::Relative(share) => write!(f, "within {} %", number(share * 100.0)),
            Tolerance::Absolute(most) => write!(f, "within {}", number(*most)),
            Tolerance::AtMost => write!(f, "at most"),
            Tolerance::AtLeast => write!(f, "at least"),
            Tolerance::NotAbove => write!(f, "not above, as published"),
            Tolerance::NotBelow => write!(f, "not below, as published"),
            Tolerance::Input => write!(f, "an input"),
        }
    }
}

/// The verdict on a row or on a claim, from best to worst: a claim has the worst verdict of its rows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verdict {
    /// The measured value is the expected one, within the tolerance.
    Holds,
    /// Holds, given an input that was taken from the literature and not measured.
    Given,
    /// The measured value neither contradicts nor reproduces a published measurement.
    Consistent,
    /// The measured value is outside the tolerance.
    Fails,
}

impl Verdict {
    /// The verdict on a claim. A claim without rows fails.
    pub fn of(rows: &[Row]) -> Verdict {
        rows.iter().map(Row::verdict).max().unwrap_or(Verdict::Fails)
    }

    /// The verdict on a claim, as the end of a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::Given => "holds, given an input that was not measured",
            Verdict::Consistent => "consistent with what was published, not reproduced",
            Verdict::Fails => "FAILS",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Holds => "holds",
            Verdict::Given => "input, not measured",
            Verdict::Consistent => "consistent, not reproduced",
            Verdict::Fails => "FAILS",
        })
    }
}

/// One line of a claim's table.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// The parameters: `N=10`.
    pub label: String,
    /// The value of the textbook.
    pub expected: f64,
    /// The measured value; for an input the expected one.
    pub measured: f64,
    /// The tolerance.
    pub tolerance: Tolerance,
    /// The unit: `messages per entry`.
    pub unit: &'static str,
    /// The basis of the measurement: `1,000 entries`. For an input its source.
    pub over: String,
}

impl Row {
    /// Whether the measured value is within the tolerance.
    pub fn holds(&self) -> bool {
        let off = (self.measured - self.expected).abs();
        match self.tolerance {
            // For counts and quotients of counts: a few units in the last place.
            Tolerance::Exact => off <= 1e-9 * self.expected.abs().max(1.0),
            Tolerance::Relative(share) => off <= share * self.expected.abs(),
            Tolerance::Absolute(most) => off <= most,
            Tolerance::AtMost | Tolerance::NotAbove => self.measured <= self.expected,
            Tolerance::AtLeast | Tolerance::NotBelow => self.measured >= self.expected,
            Tolerance::Input => true,
        }
    }

    /// The verdict on this row.
    pub fn verdict(&self) -> Verdict {
        match self.tolerance {
            _ if !self.holds() => Verdict::Fails,
            Tolerance::NotAbove | Tolerance::NotBelow => Verdict::Consistent,
            Tolerance::Input => Verdict::Given,
            _ => Verdict::Holds,
        }
    }

    /// The expected value with its tolerance: `18`, `1.58 ± 15 %`, `≤ 25`.
    fn bounds(&self) -> String {
        let expected = number(self.expected);
        match self.tolerance {
            Tolerance::Exact | Tolerance::Input => expected,
            Tolerance::Relative(share) => format!("{expected} ± {} %", number(share * 100.0)),
            Tolerance::Absolute(most) => format!("{expected} ± {}", number(most)),
            Tolerance::AtMost | Tolerance::NotAbove => format!("≤ {expected}"),
            Tolerance::AtLeast | Tolerance::NotBelow => format!("≥ {expected}"),
        }
    }

    fn cells(&self) -> [String; 6] {
        let is_input = self.tolerance == Tolerance::Input;
        let measured = if is_input { "-".to_string() } else { number(self.measured) };
        let (label, over) = (self.label.clone(), self.over.clone());
        [label, self.bounds(), measured, self.unit.to_string(), self.verdict().to_string(), over]
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [label, expected, measured, unit, verdict, over] = self.cells();
        write!(f, "{label}: {expected} {unit} expected, {measured} measured over {over}: {verdict}")
    }
}

/// The rows of a claim as a table: a line of headings, then one line per row.
pub fn table(rows: &[Row]) -> String {
    let heads = ["condition", "expected", "measured", "unit", "verdict", "over"].map(str::to_string);
    let lines: Vec<[String; 6]> = std::iter::once(heads).chain(rows.iter().map(Row::cells)).collect();
    let width = |column: usize| lines.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut table = String::new();
    for cells in &lines {
        let mut line = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let wide = widths[column];
            // Numbers are aligned at the right of their column, so that they can be compared.
            line += &if column == 2 { format!("{cell:>wide$}  ") } else { format!("{cell:<wide$}  ") };
        }
        table += line.trim_end();
        table.push('\n');
    }
    table
}

/// A number with at most four decimals; a very small one with six.
fn number(value: f64) -> String {
    let places = if value != 0.0 && value.abs() < 0.001 { 6 } else { 4 };
    let text = format!("{value:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}

/// A claim of the catalogue.
#[derive(Clone, Copy)]
pub struct Claim {
    /// Its row in the catalogue: `Q-MTX-3`.
    pub id: &'static str,
    /// The claim: `Ricart-Agrawala, 2(N-1) messages per entry`.
    pub text: &'static str,
    /// Runs the protocol and counts; deterministic.
    pub measure: fn() -> Vec<Row>,
    /// The breakage for the test of this claim: `replies are sent twice`.
    pub breakage: &'static str,
    /// The same measurement over the broken protocol: at least one row must fail.
    pub measure_broken: fn() -> Vec<Row>,
    /// A picture of the measurement, as SVG, if it shows more than a table.
    pub plot: Option<fn(&[Row]) -> String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(tolerance: Tolerance, expected: f64, measured: f64) -> Row {
        Row {
            label: "N=10".into(),
            expected,
            measured,
            tolerance,
            unit: "messages per entry",
            over: "90 entries".into(),
        }
    }

    #[test]
    fn a_verdict_says_no_more_than_was_measured() {
        assert_eq!(row(Tolerance::Exact, 18.0, 18.0).verdict(), Verdict::Holds);
        assert_eq!(row(Tolerance::Exact, 18.0, 18.1).verdict(), Verdict::Fails);
        assert_eq!(row(Tolerance::AtMost, 25.0, 11.8).verdict(), Verdict::Holds);
        assert_eq!(row(Tolerance::NotAbove, 287.0, 116.9).verdict(), Verdict::Consistent);
        assert_eq!(row(Tolerance::NotAbove, 287.0, 300.0).verdict(), Verdict::Fails);
        assert_eq!(row(Tolerance::NotBelow, 287.0, 1220.0).verdict(), Verdict::Consistent);
        assert_eq!(row(Tolerance::Input, 0.3, 0.3).verdict(), Verdict::Given);
        let rows = |tolerances: &[Tolerance]| tolerances.iter().map(|one| row(*one, 1.0, 1.0)).collect::<Vec<_>>();
        assert_eq!(Verdict::of(&rows(&[Tolerance::Exact, Tolerance::Input])), Verdict::Given);
        assert_eq!(Verdict::of(&rows(&[Tolerance::NotAbove, Tolerance::Exact])), Verdict::Consistent);
        assert_eq!(Verdict::of(&[]), Verdict::Fails, "what was not measured does not hold");
    }

    #[test]
    fn a_table_has_a_column_for_each_thing() {
        let rows = [row(Tolerance::Exact, 18.0, 18.0), row(Tolerance::Relative(0.15), 1.582, 1.5)];
        let rows = [rows.to_vec(), vec![row(Tolerance::Input, 0.3, 0.3)]].concat();
        assert_eq!(
            table(&rows),
            "condition  expected      measured  unit                verdict              over\n\
             N=10       18                  18  messages per entry  holds                90 entries\n\
             N=10       1.582 ± 15 %       1.5  messages per entry  holds                90 entries\n\
             N=10       0.3                  -  messages per entry  input, not measured  90 entries\n"
        );
    }
}
