//! The fault-tolerant average (TIM-06): the average of the clocks that agree.

/// The largest set of offsets of which no two differ by more than `gamma_ns`, as the range from its least to its greatest.
/// Among equally large sets it prefers one that contains 0, the master's own offset, and then the narrowest: so a
/// single other clock does not outvote the master. `None` when there are no offsets.
pub fn largest_agreeing(offsets: &mut [i64], gamma_ns: u64) -> Option<(i64, i64, usize)> {
    offsets.sort_unstable();
    let mut best: Option<(i64, i64, usize)> = None;
    let mut first = 0;
    for (last, high) in offsets.iter().enumerate() {
        first += offsets[first..last].iter().take_while(|low| high.abs_diff(**low) > gamma_ns).count();
        let (low, count) = (offsets[first], last - first + 1);
        let rank = |low: i64, high: i64, count: usize| (count, low <= 0 && 0 <= high, u64::MAX - high.abs_diff(low));
        let is_better = best.is_none_or(|best| rank(low, *high, count) > rank(best.0, best.1, best.2));
        if is_better {
            best = Some((low, *high, count));
        }
    }
    best
}

/// The offsets without the `wrong` least and the `wrong` greatest, as the range from their least to their greatest.
/// Nothing where that is nothing.
pub fn without_extremes(offsets: &mut [i64], wrong: usize) -> Option<(i64, i64, usize)> {
    offsets.sort_unstable();
    let left = offsets.get(wrong..offsets.len().checked_sub(wrong)?)?;
    Some((*left.first()?, *left.last()?, left.len()))
}

/// The mean of the offsets between `low` and `high`, both included.
pub fn mean_within(offsets: &[i64], low: i64, high: i64) -> i64 {
    let agreeing = || offsets.iter().filter(|offset| (low..=high).contains(*offset));
    let sum: i128 = agreeing().map(|offset| i128::from(*offset)).sum();
    (sum / agreeing().count().max(1) as i128) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_far_off_has_no_weight() {
        let mut offsets = [900, 0, -10, 25];
        assert_eq!(largest_agreeing(&mut offsets, 35), Some((-10, 25, 3)));
        assert_eq!(mean_within(&offsets, -10, 25), 5);
        assert_eq!(largest_agreeing(&mut offsets, 34), Some((-10, 0, 2)), "the closer of two pairs");
        assert_eq!(largest_agreeing(&mut offsets, 0), Some((0, 0, 1)), "one against one: its own");
        assert_eq!(largest_agreeing(&mut [-900, 0], 35), Some((0, 0, 1)));
        assert_eq!(largest_agreeing(&mut [], 5), None);
    }

    #[test]
    fn as_many_as_may_be_wrong_are_dropped_at_each_end() {
        assert_eq!(without_extremes(&mut [19, 0, -1, 1], 1), Some((0, 1, 2)));
        assert_eq!(without_extremes(&mut [900, 0, -900], 1), Some((0, 0, 1)));
        assert_eq!(
            without_extremes(&mut [5, 0], 1),
            None,
            "two clocks, of which one is wrong: the master cannot tell which"
        );
        assert_eq!(without_extremes(&mut [5], 1), None);
        assert_eq!(without_extremes(&mut [5], 0), Some((5, 5, 1)));
    }

    #[test]
    fn hostile_offsets_make_no_overflow() {
        let mut offsets = [i64::MIN, i64::MAX, 0];
        assert_eq!(largest_agreeing(&mut offsets, u64::MAX), Some((i64::MIN, i64::MAX, 3)));
        assert_eq!(mean_within(&offsets, i64::MIN, i64::MAX), 0);
        assert_eq!(mean_within(&[i64::MAX; 5], i64::MIN, i64::MAX), i64::MAX);
    }
}
