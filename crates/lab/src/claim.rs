//! A claim: a number of the textbook, measured.
//!
//! Measured means counted from a run of the protocol's code in a world; a formula computed twice is not a measurement.
//! Each claim names a breakage, under which the same measurement must fail: a claim that cannot fail shows nothing.

use std::fmt;

/// The tolerance.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Tolerance {
    /// Equal.
    Exact,
    /// Off by at most this share of the expected value: 0.05 is 5 %.
    Relative(f64),
    /// Off by at most this much.
    Absolute(f64),
    /// At most the expected value.
    AtMost,
    /// At least the expected value.
    AtLeast,
}

/// One line of a claim's table.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// The parameters: `N=10`.
    pub label: String,
    /// The value of the textbook.
    pub expected: f64,
    /// The measured value.
    pub measured: f64,
    /// The tolerance.
    pub tolerance: Tolerance,
    /// The unit: `messages per entry`.
    pub unit: &'static str,
    /// The basis of the measurement: `1,000 entries`.
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
