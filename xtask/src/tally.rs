//! Tests and checks, counted over all steps of the gate.

/// Tests and checks counted over all steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many passed.
    pub passed: u64,
    /// How many failed.
    pub failed: u64,
    /// The tests and checks that could not be run on this machine, one entry each: its name and the reason.
    pub skipped: Vec<String>,
}

impl Tally {
    /// The tests and checks that were not run, one per line, then the counts in one line: the last output.
    pub fn closing_lines(&self) -> String {
        let mut lines: String = self.skipped.iter().map(|what| format!("NOT RUN: {what}\n")).collect();
        lines += &format!("{} passed, {} failed", self.passed, self.failed);
        if !self.skipped.is_empty() {
            lines += &format!(", {} skipped", self.skipped.len());
        }
        lines + "\n"
    }

    /// Adds the result line of one test binary, or the line of a test that was not run, as `cargo test` prints them;
    /// other lines do not count.
    pub fn add_line(&mut self, line: &str) {
        if let Some((name, why)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ignored")) {
            self.skipped.push(format!("{name}: it is marked as ignored{why}"));
        }
        let Some(result) = line.trim_start().strip_prefix("test result: ") else { return };
        for part in result.split(['.', ';']) {
            let mut words = part.split_whitespace();
            let (Some(count), Some(kind)) = (words.next().and_then(|word| word.parse::<u64>().ok()), words.next())
            else {
                continue;
            };
            match kind {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_summed_and_other_lines_are_not() {
        let mut tally = Tally::default();
        tally
            .add_line("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.02s");
        tally.add_line(
            "test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s",
        );
        tally.add_line("test votes_9 passed; 9 failed");
        tally.add_line("test votes ... ok");
        assert_eq!(tally, Tally { passed: 16, failed: 2, skipped: Vec::new() });
    }

    #[test]
    fn the_last_line_counts_what_was_not_run_and_the_lines_above_it_name_it() {
        let mut tally = Tally { passed: 7, ..Tally::default() };
        assert_eq!(tally.closing_lines(), "7 passed, 0 failed\n");
        tally.add_line("test log::a_long_one ... ignored, a minute");
        tally.skipped.push("chrony: its client asks our server: there is no chronyd here".to_owned());
        let lines = tally.closing_lines();
        let lines: Vec<_> = lines.lines().collect();
        assert_eq!(
            lines,
            [
                "NOT RUN: log::a_long_one: it is marked as ignored, a minute",
                "NOT RUN: chrony: its client asks our server: there is no chronyd here",
                "7 passed, 0 failed, 2 skipped",
            ]
        );
    }
}
