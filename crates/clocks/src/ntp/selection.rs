//! Selection among servers (RFC 5905, section 11.2): which servers agree, which agree best, and their combined offset.
//!
//! Each server claims an interval in which the true time lies. The intervals of correct servers contain the true time,
//! so they all intersect. The intersection algorithm finds where more than half of the intervals intersect; the other
//! servers are falsetickers. Among the rest, the cluster algorithm drops the server that increases the dispersion most,
//! as long as that helps; the remaining servers are averaged, with more weight for more certain ones.

use super::filter::root_mean_square;
use alloc::vec::Vec;
use volvox_core::NodeId;

/// The number of survivors that the cluster algorithm leaves (NMIN).
pub const SURVIVORS_MIN: usize = 3;

/// The claim of one server.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Candidate {
    /// The server.
    pub server: NodeId,
    /// theta: how far its clock is ahead.
    pub ahead_ns: i64,
    /// lambda: the largest possible error of theta.
    pub distance_ns: u64,
    /// psi: the jitter of its samples.
    pub jitter_ns: u64,
}

impl Candidate {
    fn low(&self) -> i64 {
        self.ahead_ns.saturating_sub_unsigned(self.distance_ns)
    }

    fn high(&self) -> i64 {
        self.ahead_ns.saturating_add_unsigned(self.distance_ns)
    }
}

/// The intersection algorithm (section 11.2.1; Marzullo 1984, as changed by DTSS): the range in which the intervals of
/// a majority intersect and their midpoints lie. `None` when there is no such majority.
pub fn intersection(candidates: &[Candidate]) -> Option<(i64, i64)> {
    let count = candidates.len();
    let mut lows: Vec<i64> = candidates.iter().map(Candidate::low).collect();
    let mut highs: Vec<i64> = candidates.iter().map(Candidate::high).collect();
    lows.sort_unstable();
    highs.sort_unstable();
    // The number of falsetickers to allow: as few as possible, and fewer than half.
    for allowed in (0..count).take_while(|allowed| 2 * allowed < count) {
        let wanted = count - allowed;
        let Some(low) = lows.iter().copied().find(|edge| meeting(candidates, *edge) >= wanted) else { continue };
        let Some(high) = highs.iter().rev().copied().find(|edge| meeting(candidates, *edge) >= wanted) else {
            continue;
        };
        let outside = candidates.iter().filter(|one| !(low..=high).contains(&one.ahead_ns)).count();
        if low <= high && outside <= allowed {
            return Some((low, high));
        }
    }
    None
}

/// The number of intervals that contain this point.
fn meeting(candidates: &[Candidate], point: i64) -> usize {
    candidates.iter().filter(|one| (one.low()..=one.high()).contains(&point)).count()
}

/// The truechimers, then the cluster algorithm (section 11.2.2): while more than three are left, the one with the
/// greatest distance from the others is dropped, unless that distance is below the jitter of even the best.
pub fn survivors(candidates: &[Candidate], (low, high): (i64, i64)) -> Vec<Candidate> {
    let mut left: Vec<Candidate> =
        candidates.iter().copied().filter(|one| (low..=high).contains(&one.ahead_ns)).collect();
    while left.len() > SURVIVORS_MIN {
        let spread = |one: &Candidate| {
            root_mean_square(left.iter().map(|other| one.ahead_ns.abs_diff(other.ahead_ns)), left.len() - 1)
        };
        let Some((worst, most)) =
            left.iter().enumerate().map(|(at, one)| (at, spread(one))).max_by_key(|(_, spread)| *spread)
        else {
            break;
        };
        if left.iter().map(|one| one.jitter_ns).min() >= Some(most) {
            break;
        }
        left.remove(worst);
    }
    left
}

/// The combine algorithm (section 11.2.3): the mean, weighted by 1/lambda. `None` when no server is left.
pub fn combine(survivors: &[Candidate]) -> Option<i64> {
    const ONE: i128 = 1 << 40;
    let weight = |one: &Candidate| (ONE / i128::from(one.distance_ns.max(1))).max(1);
    let total: i128 = survivors.iter().map(weight).sum();
    let sum: i128 = survivors.iter().map(|one| weight(one) * i128::from(one.ahead_ns)).sum();
    // A weighted mean lies between the least and the greatest.
    (total > 0).then(|| (sum / total) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn claims(claims: &[(i64, u64)]) -> Vec<Candidate> {
        let one = |(at, (ahead_ns, distance_ns)): (usize, &(i64, u64))| Candidate {
            server: NodeId(at as u64 + 1),
            ahead_ns: *ahead_ns,
            distance_ns: *distance_ns,
            jitter_ns: 1,
        };
        claims.iter().enumerate().map(one).collect()
    }

    #[test]
    fn a_majority_that_meets_outvotes_the_rest() {
        assert_eq!(intersection(&claims(&[(10, 5), (12, 4), (900, 5)])), Some((8, 15)));
        assert_eq!(intersection(&claims(&[(10, 5), (900, 5)])), None, "one against one");
        assert_eq!(intersection(&claims(&[(10, 5), (12, 5), (900, 5), (903, 5)])), None, "two against two");
        assert_eq!(intersection(&claims(&[(10, 5)])), Some((5, 15)));
        assert_eq!(intersection(&[]), None);
    }

    #[test]
    fn intervals_that_only_touch_do_not_count_as_agreement() {
        // All three intersect at 20, but only one midpoint is there: with one falseticker allowed, two agree.
        let touching = claims(&[(0, 20), (20, 3), (22, 2)]);
        assert_eq!(intersection(&touching), Some((17, 23)));
        assert_eq!(survivors(&touching, (17, 23)).len(), 2);
    }

    #[test]
    fn the_cluster_keeps_three_and_drops_who_is_far_from_the_others() {
        let all = claims(&[(0, 100), (1, 100), (2, 100), (50, 100), (3, 100)]);
        let kept = survivors(&all, intersection(&all).expect("all agree"));
        assert_eq!(kept.len(), 3);
        assert!(kept.iter().all(|one| one.ahead_ns < 50));
    }

    #[test]
    fn who_is_more_certain_has_more_weight() {
        assert_eq!(combine(&claims(&[(0, 100), (90, 50)])), Some(60));
        assert_eq!(combine(&claims(&[(i64::MAX, 1), (i64::MAX, 1)])), Some(i64::MAX));
        assert_eq!(combine(&claims(&[(5, u64::MAX), (7, u64::MAX)])), Some(6));
        assert_eq!(combine(&[]), None);
    }

    /// Compared with the definition by brute force: a point where more than half intersect.
    #[test]
    fn the_intersection_lies_where_a_majority_meets() {
        let mut rng = volvox_core::Rng::new(3);
        for _ in 0..2_000 {
            let count = rng.between(1, 6) as usize;
            let all: Vec<(i64, u64)> =
                vec![0; count].iter().map(|_: &i32| (rng.below(40) as i64, rng.below(12))).collect();
            let all = claims(&all);
            if let Some((low, high)) = intersection(&all) {
                assert!(meeting(&all, low) * 2 > count && meeting(&all, high) * 2 > count, "{all:?}");
                let chosen = combine(&survivors(&all, (low, high))).expect("a majority of midpoints is inside");
                assert!((low..=high).contains(&chosen), "{all:?}");
            }
        }
    }
}
