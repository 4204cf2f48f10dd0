//! A claim: a number of the textbook, measured.
//!
//! Measured means counted from a run of the protocol's code in a world; a formula computed twice is not a measurement.
//! Each claim names a breakage, under which the same measurement must miss: a claim that cannot fail shows nothing.

use std::fmt;

/// How close is close enough.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Tolerance {
    /// Equal.
    Exact,
    /// Off by at most this share of what is expected: 0.05 is 5 %.
    Relative(f64),
    /// Off by at most so much.
    Absolute(f64),
    /// At most what is expected.
    AtMost,
    /// At least what is expected.
    AtLeast,
}

/// One line of a claim's table.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// The parameters: `N=10`.
    pub label: String,
    /// What the textbook says.
    pub expected: f64,
    /// What was counted.
    pub measured: f64,
    /// How close is close enough.
    pub tolerance: Tolerance,
    /// The unit: `messages an entry`.
    pub unit: &'static str,
    /// Over what it was measured: `1,000 entries`.
    pub over: String,
}

impl Row {
    /// Whether what was measured is close enough.
    pub fn holds(&self) -> bool {
        let off = (self.measured - self.expected).abs();
        match self.tolerance {
            // Counts, and quotients of counts: a few units in the last place.
            Tolerance::Exact => off <= 1e-9 * self.expected.abs().max(1.0),
            Tolerance::Relative(share) => off <= share * self.expected.abs(),
            Tolerance::Absolute(most) => off <= most,
            Tolerance::AtMost => self.measured <= self.expected,
            Tolerance::AtLeast => self.measured >= self.expected,
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { label, expected, measured, unit, over, .. } = self;
        let number = |value: f64| {
            let text = format!("{value:.4}");
            text.trim_end_matches('0').trim_end_matches('.').to_string()
        };
        let (expected, measured) = (number(*expected), number(*measured));
        let tolerance = match self.tolerance {
            Tolerance::Exact => "exactly".to_string(),
            Tolerance::Relative(share) => format!("within {} %", number(share * 100.0)),
            Tolerance::Absolute(most) => format!("within {}", number(most)),
            Tolerance::AtMost => "at most".to_string(),
            Tolerance::AtLeast => "at least".to_string(),
        };
        let verdict = if self.holds() { "holds" } else { "FAILS" };
        write!(f, "{label}: {expected} {unit} expected ({tolerance}), {measured} measured over {over}: {verdict}")
    }
}

/// A claim of the catalogue.
#[derive(Clone, Copy)]
pub struct Claim {
    /// Its row in the catalogue: `Q-MTX-3`.
    pub id: &'static str,
    /// What is claimed: `Ricart-Agrawala, 2(N-1) messages an entry`.
    pub text: &'static str,
    /// Runs the protocol and counts. The same every time.
    pub measure: fn() -> Vec<Row>,
    /// What is broken for the test of this claim: `replies are sent twice`.
    pub breakage: &'static str,
    /// The same measurement over the protocol so broken: one row at least must fail.
    pub measure_broken: fn() -> Vec<Row>,
    /// A picture of the measurement, as SVG, where one says more than a table.
    pub plot: Option<fn(&[Row]) -> String>,
}
