//! Liveness: what an explorer misses if it checks only whether a path *ended* without the goal, or never revisits a
//! state it has seen; and what fairness excludes.

use std::fmt;
use volvox_check::{Broken, Checker, Model, Report, Steps, hash_of};

/// A graph given edge by edge: from, to, class of fairness.
struct Drawn {
    edges: &'static [(u32, u32, Option<u64>)],
}

#[derive(Clone, Copy)]
struct Edge(u32, u32, Option<u64>);

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.0, self.1)
    }
}

impl Model for Drawn {
    type State = u32;
    type Action = Edge;

    fn initial(&self) -> Vec<u32> {
        vec![0]
    }

    fn next<S: Steps<Drawn>>(&self, state: &u32, steps: &mut S) {
        for (from, to, class) in self.edges.iter().filter(|(from, _, _)| from == state) {
            steps.step(Edge(*from, *to, *class), *to);
        }
    }

    fn describe_action(&self, edge: &Edge) -> String {
        edge.to_string()
    }

    fn fingerprint(&self, state: &u32) -> u128 {
        hash_of(state)
    }

    fn fairness(&self, action: &Edge) -> Option<u64> {
        action.2
    }
}

const GOAL: u32 = 9;
const FAIR: Option<u64> = Some(2);
const ALSO_FAIR: Option<u64> = Some(3);

fn eventually_goal(edges: &'static [(u32, u32, Option<u64>)]) -> Report<u32, Edge> {
    // The report outlives the model: it holds states and actions only.
    let model = Drawn { edges };
    Checker::new(&model).eventually("the goal", |_, state| *state == GOAL).run()
}

/// Two processes that make way for each other forever. No run ends, so none ends without the goal: stateright finds
/// nothing.
#[test]
fn a_livelock_is_found() {
    let report = eventually_goal(&[(0, 1, FAIR), (1, 2, FAIR), (2, 1, FAIR), (0, GOAL, ALSO_FAIR)]);
    let found = report.violation.expect("they make way forever");
    assert_eq!((found.broken, found.cycle_from), (Broken::Liveness, Some(1)));
    assert_eq!(found.actions(), ["0 to 1", "1 to 2", "2 to 1"]);
}

/// One process is served repeatedly, and the other could be, every other moment: weak fairness does not help it. The
/// cycle passes a state that a run to the goal has passed before, so an explorer that marks states as done misses it.
#[test]
fn a_starving_cycle_is_found() {
    let report = eventually_goal(&[(0, 1, FAIR), (1, 0, FAIR), (0, GOAL, ALSO_FAIR), (GOAL, 0, FAIR)]);
    let found = report.violation.expect("one starves");
    assert_eq!((found.cycle_from, found.actions()), (Some(0), vec!["0 to 1".to_string(), "1 to 0".to_string()]));
}

#[test]
fn what_is_possible_all_the_time_happens() {
    // The same, but the other could be served at every moment.
    let report =
        eventually_goal(&[(0, 1, FAIR), (1, 0, FAIR), (0, GOAL, ALSO_FAIR), (1, GOAL, ALSO_FAIR), (GOAL, GOAL, FAIR)]);
    assert!(report.holds(), "{report}");
}

#[test]
fn what_may_be_put_off_for_ever_is() {
    let report = eventually_goal(&[(0, GOAL, None)]);
    let found = report.violation.expect("no node has to act");
    assert_eq!(found.cycle_from, Some(0));
    assert!(found.to_string().contains("nothing more ever happens"));
    assert!(eventually_goal(&[(0, GOAL, FAIR)]).holds());
}

#[test]
fn a_run_that_ends_early_is_found_behind_one_that_does_not() {
    let report = eventually_goal(&[(0, 1, FAIR), (1, GOAL, FAIR), (0, 2, FAIR)]);
    assert_eq!(report.violation.expect("2 is the end").actions(), ["0 to 2"]);
}

#[test]
fn what_follows_a_trigger_may_come_late_but_comes() {
    let edges = &[(0, 1, FAIR), (1, 2, FAIR), (2, 3, FAIR), (3, 0, FAIR), (3, 4, None), (4, 4, FAIR)];
    let model = Drawn { edges };
    let leads = |from: u32, to: u32| {
        Checker::new(&model).leads_to("it follows", move |_, state| *state == from, move |_, state| *state == to).run()
    };
    assert!(leads(1, 3).holds());
    let report = leads(3, 0);
    let found = report.violation.expect("it may go to 4 and stay");
    assert_eq!(found.actions(), ["0 to 1", "1 to 2", "2 to 3", "3 to 4", "4 to 4"]);
    let again = Checker::new(&model).again_and_again("zero", |_, state| *state == 0).run();
    assert!(again.violation.is_some());
}

/// Fairness towards two classes in one cycle: the reported cycle serves both.
#[test]
fn a_cycle_that_is_told_is_itself_fair() {
    let report = eventually_goal(&[
        (0, 1, FAIR),
        (1, 0, FAIR),
        (0, 2, ALSO_FAIR),
        (1, 3, ALSO_FAIR),
        (2, 0, FAIR),
        (3, 1, FAIR),
        (2, 2, ALSO_FAIR),
        (3, 3, ALSO_FAIR),
    ]);
    let found = report.violation.expect("the goal does not exist");
    let cycle: Vec<_> = found.steps[found.cycle_from.expect("a cycle")..].iter().collect();
    assert!(cycle.iter().any(|(edge, _)| edge.2 == FAIR) && cycle.iter().any(|(edge, _)| edge.2 == ALSO_FAIR));
}

/// Two processes that outbid one another forever. Bids are counted from the lower one, so an infinite run is a cycle.
struct Auction;

/// One process bids; then both bids are lowered equally.
#[derive(Clone, Copy)]
struct Bid {
    bidder: usize,
    bid: u32,
    lowered: u32,
}

impl Model for Auction {
    type State = [u32; 2];
    type Action = Bid;

    fn initial(&self) -> Vec<[u32; 2]> {
        vec![[1, 1]]
    }

    fn next<S: Steps<Auction>>(&self, bids: &[u32; 2], steps: &mut S) {
        for bidder in (0..2).filter(|bidder| bids[*bidder] <= bids[1 - bidder]) {
            let bid = bids[1 - bidder] + 1;
            let lowered = bids[1 - bidder] - 1;
            let mut next = [1, 1];
            next[bidder] = bid - lowered;
            steps.step(Bid { bidder, bid, lowered }, next);
        }
    }

    fn fingerprint(&self, bids: &[u32; 2]) -> u128 {
        hash_of(bids)
    }

    fn fairness(&self, _: &Bid) -> Option<u64> {
        FAIR
    }

    fn describe_action(&self, bid: &Bid) -> String {
        format!("{} bids {}", bid.bidder + 1, bid.bid)
    }

    fn describe_run(&self, _: &[u32; 2], steps: &[(Bid, [u32; 2])]) -> Vec<String> {
        let mut lowered = 0;
        let real = steps.iter().map(|(bid, _)| {
            let line = self.describe_action(&Bid { bid: bid.bid + lowered, ..*bid });
            lowered += bid.lowered;
            line
        });
        real.collect()
    }

    fn describe_cycle(&self, cycle: &[(Bid, [u32; 2])]) -> String {
        format!("with bids higher by {}", cycle.iter().map(|(bid, _)| bid.lowered).sum::<u32>())
    }
}

#[test]
fn a_cycle_of_a_model_that_renumbers_is_printed_with_the_numbers_of_the_run() {
    let report = Checker::new(&Auction).eventually("termination", |_, _| false).run();
    let found = report.violation.expect("they bid forever");
    assert_eq!((report.states, found.cycle_from), (3, Some(1)));
    assert_eq!(found.actions(), ["2 bids 2", "1 bids 3", "2 bids 4"]);
    assert!(
        found.to_string().contains("-- and from here on, in a cycle, each time with bids higher by 2:\n  2. 1 bids 3"),
        "{found}"
    );
}
