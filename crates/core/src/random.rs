//! Randomness from a seed.
//!
//! The generator is counter-based: the n-th output is a fixed mixing function of (key, n), so that a stream is 16
//! bytes, can be split, and can be positioned anywhere. The mixing function is the finaliser of SplitMix64 (Steele,
//! Lea and Flood 2014, figure 16) applied twice with the key folded in between. Its first outputs are pinned by a
//! test: a saved seed keeps its meaning forever.

use alloc::vec::Vec;

/// A stream of random numbers: 16 bytes, one addition and two mixes per number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rng {
    key: u64,
    counter: u64,
}

impl Rng {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Rng {
        Rng { key: mix(seed ^ 0x9e37_79b9_7f4a_7c15), counter: 0 }
    }

    /// An independent stream, named by `lane`; the parent does not move.
    pub fn split(&self, lane: u64) -> Rng {
        Rng { key: mix(self.key ^ mix(lane.wrapping_add(0xd1b5_4a32_d192_ed03))), counter: 0 }
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(1);
        mix(mix(self.counter.wrapping_mul(0x9e37_79b9_7f4a_7c15)) ^ self.key)
    }

    /// A number in `0..bound`, without bias that a test could measure (multiply-shift, Lemire 2019).
    ///
    /// # Panics
    /// When `bound` is 0: there is no such number.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "below(0) has no answer");
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `low..=high`.
    ///
    /// # Panics
    /// When `low > high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        assert!(low <= high, "between({low}, {high}) has no answer");
        match (high - low).checked_add(1) {
            Some(span) => low + self.below(span),
            None => self.next_u64(),
        }
    }

    /// True `per_million` times in a million.
    pub fn chance_ppm(&mut self, per_million: u32) -> bool {
        per_million > 0 && self.below(1_000_000) < u64::from(per_million)
    }

    /// A random order of the items (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1) as usize;
            items.swap(last, other);
        }
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The source of the answers of `Context::choose`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Choices {
    /// Answers from a stream, for simulated and live runs.
    Random(Rng),
    /// Answers from a script: the checker runs a step once for every combination of answers. Calls beyond the script's
    /// end return 0, and the bound of every call is written to `asked`.
    Script {
        /// The answers, in the order of asking.
        answers: Vec<u32>,
        /// The bounds of the calls so far.
        asked: Vec<u32>,
    },
    /// For worlds that record or replay a run: answers come first from a script, whose answers need not fit, then from
    /// a stream, or are 0 without one. Every answer is written to `answers`.
    Noted {
        /// The first answers; one that is too large means the largest.
        given: Vec<u32>,
        /// The source of the answers after the script.
        rng: Option<Rng>,
        /// Every answer so far.
        answers: Vec<u32>,
    },
}

impl Choices {
    /// Makes a decision in `0..bound`.
    pub fn choose(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "a choice among none");
        match self {
            Choices::Random(rng) => rng.below(u64::from(bound)) as u32,
            Choices::Script { answers, asked } => {
                let answer = answers.get(asked.len()).copied().unwrap_or(0);
                asked.push(bound);
                assert!(answer < bound, "the script answers {answer} to a choice among {bound}");
                answer
            }
            Choices::Noted { given, rng, answers } => {
                let answer = match (given.get(answers.len()), rng) {
                    (Some(answer), _) => (*answer).min(bound - 1),
                    (None, Some(rng)) => rng.below(u64::from(bound)) as u32,
                    (None, None) => 0,
                };
                answers.push(answer);
                answer
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_outputs_are_pinned() {
        let mut rng = Rng::new(7);
        let got = [rng.next_u64(), rng.next_u64(), rng.next_u64()];
        assert_eq!(got, PINNED, "saved seeds would change their meaning");
        assert_eq!(core::mem::size_of::<Rng>(), 16);
    }

    const PINNED: [u64; 3] = [10_764_442_800_404_544_778, 12_029_445_443_539_182_668, 14_247_010_386_420_347_227];

    #[test]
    fn below_is_even_enough() {
        let mut rng = Rng::new(1);
        let mut counts = [0u32; 10];
        for _ in 0..100_000 {
            counts[rng.below(10) as usize] += 1;
        }
        for count in counts {
            assert!((9_500..10_500).contains(&count), "{counts:?}");
        }
    }

    #[test]
    fn what_is_noted_is_answered_again() {
        let rng = Some(Rng::new(4));
        let mut written = Choices::Noted { given: alloc::vec![1, 9], rng, answers: Vec::new() };
        let said: Vec<u32> = [3, 3, 50, 50].map(|bound| written.choose(bound)).into();
        assert_eq!(said[..2], [1, 2], "9 of 3 is the largest");
        let Choices::Noted { answers, .. } = written else { unreachable!() };
        let mut followed = Choices::Noted { given: answers, rng: None, answers: Vec::new() };
        assert_eq!([3, 3, 50, 50].map(|bound| followed.choose(bound))[..], said);
        assert_eq!(followed.choose(7), 0, "nothing is left to follow");
    }

    #[test]
    fn splits_differ_and_repeat() {
        let parent = Rng::new(3);
        assert_ne!(parent.split(1).next_u64(), parent.split(2).next_u64());
        assert_eq!(parent.split(1).next_u64(), parent.split(1).next_u64());
    }
}
