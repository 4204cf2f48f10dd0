//! Durations: distributions drawn with integer arithmetic only.
//!
//! One seed must give one run on every machine, so nothing here touches floating point. Logarithms and powers of two
//! are tables of 257 entries, made by the compiler with exact integer arithmetic, and interpolated linearly; the error
//! is below 1 part in 100,000, far below the precision of any network model.

use volvox_core::time::nanos;
use volvox_core::{Duration, Rng};

/// A distribution of spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latency {
    /// Always the same span.
    Constant(Duration),
    /// Every span between the two, the ends included, equally likely.
    Uniform(Duration, Duration),
    /// At least `minimum`, and beyond it memoryless with the mean `mean`.
    Exponential {
        /// The least span.
        minimum: Duration,
        /// The mean of the rest.
        mean: Duration,
    },
    /// Half of all spans are below `median`; their logarithm is normal with this standard deviation, in thousandths.
    /// 500 gives a tail of 3.2 times the median at one in a hundred, as real networks have.
    LogNormal {
        /// The median.
        median: Duration,
        /// The standard deviation of the natural logarithm, times 1,000.
        sigma_thousandths: u32,
    },
}

impl Latency {
    /// Draws one span, in nanoseconds.
    pub fn draw(&self, rng: &mut Rng) -> u64 {
        match *self {
            Latency::Constant(span) => nanos(span),
            Latency::Uniform(low, high) => rng.between(nanos(low), nanos(high)),
            Latency::Exponential { minimum, mean } => {
                let natural = minus_natural_logarithm(rng.next_u64());
                let beyond = (u128::from(nanos(mean)) * u128::from(natural)) >> 32;
                nanos(minimum).saturating_add(clamp(beyond))
            }
            Latency::LogNormal { median, sigma_thousandths } => {
                let exponent = i128::from(normal(rng)) * i128::from(sigma_thousandths) / 1_000;
                let binary = (exponent * i128::from(LOG2_E)) >> 32;
                times_power_of_two(nanos(median), binary as i64)
            }
        }
    }

    /// The constant span, if every draw is the same.
    pub(crate) fn constant(&self) -> Option<u64> {
        match *self {
            Latency::Constant(span) => Some(nanos(span)),
            _ => None,
        }
    }
}

fn clamp(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

/// Fixed point with 32 bits after the point: log2(e) and ln(2).
const LOG2_E: u64 = 6_196_328_018;
const LN_2: u64 = 2_977_044_471;

/// `log2(1 + i/256)` with 32 bits after the point.
static LOG2: [u64; 257] = log2_table();
/// `2^(i/256)` with 32 bits after the point.
static EXP2: [u64; 257] = exp2_table();

/// Bit by bit: squaring a number in [1, 2) doubles its logarithm, and the whole part that appears is its next bit.
const fn log2_table() -> [u64; 257] {
    let mut table = [0u64; 257];
    let mut index = 0;
    while index < 256 {
        let mut x = ((256 + index) as u128) << 54;
        let mut result = 0u64;
        let mut bit = 0;
        while bit < 32 {
            x = (x * x) >> 62;
            result <<= 1;
            if x >= 1 << 63 {
                x >>= 1;
                result |= 1;
            }
            bit += 1;
        }
        table[index] = result;
        index += 1;
    }
    table[256] = 1 << 32;
    table
}

/// From `2^(1/256)`, which is the square root of 2, eight times over.
const fn exp2_table() -> [u64; 257] {
    let mut root = 2u128 << 60;
    let mut times = 0;
    while times < 8 {
        root = square_root(root << 60);
        times += 1;
    }
    let mut table = [0u64; 257];
    let mut value = 1u128 << 60;
    let mut index = 0;
    while index < 257 {
        table[index] = (value >> 28) as u64;
        value = (value * root) >> 60;
        index += 1;
    }
    table
}

const fn square_root(of: u128) -> u128 {
    let mut low = 0u128;
    let mut high = 1u128 << 63;
    while low < high {
        let middle = (low + high).div_ceil(2);
        if middle * middle <= of {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}

/// The table at a place with 32 bits, the upper 8 of which name the entry.
fn interpolate(table: &[u64; 257], fraction: u32) -> u64 {
    let index = (fraction >> 24) as usize;
    let rest = u64::from(fraction & 0x00ff_ffff);
    let (low, high) = (table[index], table[index + 1]);
    low + (((high - low) * rest) >> 24)
}

/// `-ln(x / 2^64)`, 32 bits after the point; x = 0 counts as 1.
fn minus_natural_logarithm(x: u64) -> u64 {
    let x = x.max(1);
    let zeros = x.leading_zeros();
    // x = 2^(63 - zeros) * (1 + fraction)
    let fraction = ((x << zeros) << 1 >> 32) as u32;
    let log2 = (u64::from(63 - zeros) << 32) + interpolate(&LOG2, fraction);
    let minus_log2 = (64u64 << 32) - log2;
    ((u128::from(minus_log2) * u128::from(LN_2)) >> 32) as u64
}

/// A number that is nearly normal with mean 0 and deviation 1, 32 bits after the point: the sum of twelve uniform ones
/// (Irwin-Hall), cut at six deviations.
fn normal(rng: &mut Rng) -> i64 {
    let mut sum = 0i64;
    for _ in 0..6 {
        let bits = rng.next_u64();
        sum += (bits >> 32) as i64 + (bits & 0xffff_ffff) as i64;
    }
    sum - (6i64 << 32)
}

/// `value * 2^exponent`, the exponent with 32 bits after the point.
fn times_power_of_two(value: u64, exponent: i64) -> u64 {
    let whole = exponent >> 32;
    let scaled = u128::from(value) * u128::from(interpolate(&EXP2, exponent as u32));
    match whole {
        32.. => u64::MAX,
        0.. => clamp((scaled >> 32) << whole),
        -63..0 => clamp(scaled >> (32 - whole)),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: u64 = 200_000;

    fn drawn(latency: Latency) -> Vec<u64> {
        let mut rng = Rng::new(9);
        let mut spans: Vec<u64> = (0..DRAWS).map(|_| latency.draw(&mut rng)).collect();
        spans.sort_unstable();
        spans
    }

    fn near(got: u64, wanted: u64, percent: u64) {
        assert!(got.abs_diff(wanted) * 100 <= wanted * percent, "{got} is not within {percent} % of {wanted}");
    }

    #[test]
    fn the_exponential_has_its_mean_and_median() {
        let spans = drawn(Latency::Exponential { minimum: Duration::from_millis(1), mean: Duration::from_millis(10) });
        near(spans.iter().sum::<u64>() / DRAWS, 11_000_000, 1);
        near(spans[DRAWS as usize / 2], 1_000_000 + 6_931_472, 1);
        near(spans[DRAWS as usize * 99 / 100], 1_000_000 + 46_051_702, 2);
        assert!(spans[0] >= 1_000_000);
    }

    #[test]
    fn the_log_normal_has_its_quantiles() {
        let spans = drawn(Latency::LogNormal { median: Duration::from_millis(10), sigma_thousandths: 500 });
        near(spans[DRAWS as usize / 2], 10_000_000, 1);
        near(spans[DRAWS as usize * 8413 / 10_000], 16_487_213, 1);
        near(spans[DRAWS as usize * 99 / 100], 32_000_000, 3);
    }

    #[test]
    fn the_uniform_keeps_its_ends() {
        let spans = drawn(Latency::Uniform(Duration::from_nanos(3), Duration::from_nanos(5)));
        assert_eq!((spans[0], spans[DRAWS as usize - 1]), (3, 5));
    }

    #[test]
    fn the_tables_are_exact_where_the_answer_is_known() {
        assert_eq!((LOG2[0], LOG2[256], EXP2[0]), (0, 1 << 32, 1 << 32));
        near(LOG2[128], 2_512_394_810, 1);
        assert!(EXP2[256].abs_diff(2 << 32) < 64 && EXP2[128].abs_diff(6_074_000_999) < 64, "{EXP2:?}");
        assert_eq!(minus_natural_logarithm(u64::MAX), 0);
        assert!(minus_natural_logarithm(1 << 63).abs_diff(LN_2) < 4);
    }
}
