//! A stream of decisions, and its shrinking.
//!
//! A whole case is drawn from one list of numbers. To simplify the case, simplify the list and draw again: no part of a
//! case needs to know how it is shrunk (MacIver and Donaldson, *Test-case reduction via test-case generation: insights
//! from the Hypothesis reducer*, ECOOP 2020). Of two lists the shorter is simpler, and of two of one length the one
//! that is lexicographically first; so a generator lets 0 mean the simplest.

use volvox_core::Rng;

/// Decisions: first the given ones, then random ones, or 0 without a random stream.
pub struct Stream {
    given: Vec<u64>,
    chance: Option<Rng>,
    made: Vec<u64>,
}

impl Stream {
    /// All decisions are random.
    pub fn of_seed(seed: u64) -> Stream {
        Stream { given: Vec::new(), chance: Some(Rng::new(seed).split(SWEEP_LANE)), made: Vec::new() }
    }

    /// These, then zeros.
    pub fn of(given: &[u64]) -> Stream {
        Stream { given: given.to_vec(), chance: None, made: Vec::new() }
    }

    /// A decision in `0..bound`; a given one that is too large counts as the largest.
    pub fn draw(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a decision among none");
        let decided = match (self.given.get(self.made.len()), &mut self.chance) {
            (Some(given), _) => (*given).min(bound - 1),
            (None, Some(chance)) => chance.below(bound),
            (None, None) => 0,
        };
        self.made.push(decided);
        decided
    }

    /// True `times` in `of`; false is the simpler.
    pub fn often(&mut self, times: u64, of: u64) -> bool {
        self.draw(of) >= of - times
    }

    /// The decisions.
    pub fn made(self) -> Vec<u64> {
        self.made
    }
}

/// The lane of sweeps, so that their draws are independent of other uses of a seed.
const SWEEP_LANE: u64 = u64::MAX - 7;

/// Simplifies a list of decisions as long as `test` finds the same failure. `test` returns the decisions that were
/// really made, and is called at most `attempts` times.
pub fn reduce(decisions: Vec<u64>, attempts: usize, test: &mut dyn FnMut(&[u64]) -> Option<Vec<u64>>) -> Vec<u64> {
    let mut reducer = Reducer { best: decisions, attempts, test };
    loop {
        let before = reducer.best.clone();
        reducer.delete();
        reducer.zero();
        reducer.lower();
        reducer.sort();
        if reducer.best == before || reducer.attempts == 0 {
            return reducer.best;
        }
    }
}

struct Reducer<'t> {
    best: Vec<u64>,
    attempts: usize,
    test: &'t mut dyn FnMut(&[u64]) -> Option<Vec<u64>>,
}

impl Reducer<'_> {
    /// Whether this list is simpler than the best and fails in the same way; then it is the best.
    fn try_this(&mut self, decisions: &[u64]) -> bool {
        if self.attempts == 0 || !is_simpler(decisions, &self.best) {
            return false;
        }
        self.attempts -= 1;
        match (self.test)(decisions) {
            Some(made) => {
                // Zeros at the end are redundant.
                let made = &made[..made.iter().rposition(|one| *one > 0).map_or(0, |last| last + 1)];
                if is_simpler(made, &self.best) {
                    self.best = made.to_vec();
                }
                true
            }
            None => false,
        }
    }

    fn each_chunk(&mut self, sizes: &[usize], change: impl Fn(&mut Vec<u64>, std::ops::Range<usize>)) {
        for size in sizes {
            let mut end = self.best.len();
            while end > 0 && self.attempts > 0 {
                end = end.min(self.best.len());
                let start = end.saturating_sub(*size);
                let mut shorter = self.best.clone();
                change(&mut shorter, start..end);
                if !self.try_this(&shorter) || start == 0 {
                    end = start;
                }
                if start == 0 {
                    break;
                }
            }
        }
    }

    fn delete(&mut self) {
        self.each_chunk(&[32, 16, 8, 6, 5, 4, 3, 2, 1], |list, range| {
            list.drain(range);
        });
    }

    fn zero(&mut self) {
        self.each_chunk(&[16, 8, 4, 2, 1], |list, range| list[range].fill(0));
    }

    /// Each number as small as it can be: halved, then one less.
    fn lower(&mut self) {
        for place in (0..self.best.len()).rev() {
            let (mut low, mut high) = (0, self.best.get(place).copied().unwrap_or(0));
            while low < high && self.attempts > 0 {
                let middle = low + (high - low) / 2;
                let mut smaller = self.best.clone();
                if place >= smaller.len() {
                    break;
                }
                smaller[place] = middle;
                if self.try_this(&smaller) {
                    high = middle;
                } else {
                    low = middle + 1;
                }
            }
        }
    }

    /// Neighbours in order.
    fn sort(&mut self) {
        for size in [8, 4, 2] {
            for start in 0..self.best.len() {
                let mut sorted = self.best.clone();
                let end = (start + size).min(sorted.len());
                if start < end {
                    sorted[start..end].sort_unstable();
                    self.try_this(&sorted);
                }
            }
        }
    }
}

fn is_simpler(one: &[u64], other: &[u64]) -> bool {
    (one.len(), one) < (other.len(), other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_shrinks_to_what_matters() {
        // Fails when two of the numbers drawn add up to a thousand or more.
        let failing: Vec<u64> = {
            let mut stream = Stream::of_seed(3);
            for _ in 0..60 {
                stream.draw(900);
            }
            stream.made()
        };
        let mut asked = 0;
        let shrunk = reduce(failing, 10_000, &mut |list| {
            asked += 1;
            let mut stream = Stream::of(list);
            let numbers: Vec<u64> = (0..60).map(|_| stream.draw(900)).collect();
            let fails = numbers.iter().enumerate().any(|(at, one)| numbers[..at].iter().any(|two| one + two >= 1_000));
            fails.then(|| stream.made())
        });
        assert_eq!(shrunk.len(), 2, "{shrunk:?}");
        assert_eq!(shrunk.iter().sum::<u64>(), 1_000, "{shrunk:?}");
        assert!(asked < 3_000, "{asked}");
    }
}
