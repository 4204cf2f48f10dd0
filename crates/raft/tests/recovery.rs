//! Two recoveries of a lost disk that look safe and are not, as negative models: each must find two leaders in one term.
//! Ours, under the same schedule, does not (decisions/0008). Another test shows how a node that knows nothing joins.

use crate::harness::{Cluster, id};
use volvox_core::{Duration, Incarnation};
use volvox_raft::{Body, Config, Event, Member, Message, RoleKind, Term, Timer};

/// How a node that lost its disk returns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Recovery {
    /// As another incarnation (decisions/0008): ours.
    AnotherLife,
    /// As who it was, and votes again once its log has caught up with a leader's.
    VotesOnceCaughtUp,
    /// As who it was, in a term higher than any that it hears of.
    AdoptsAHigherTerm,
}

/// n3 votes for n1, and loses its disk before n1 receives the vote. It restarts, catches up with n2, the leader of an
/// earlier term, and is asked for its vote by n2 in the very same term. Then its first vote arrives.
fn lost_vote(recovery: Recovery) -> Cluster {
    // Elections by hand: no server asks first.
    let mut cluster = Cluster::new(3, 1, &Config { pre_vote: false, check_quorum: false, ..Config::default() });
    cluster.groups(&[&[1, 2]]);
    cluster.elect(2);
    // n1 campaigns in terms 2 and 3; n3 votes for it in both, and its answers are slow.
    cluster.groups(&[&[1, 3], &[2]]);
    for _ in 0..2 {
        cluster.fire(id(1), Timer::Election);
        cluster.sync(id(1), usize::MAX);
        cluster.deliver_link(1, 3);
        cluster.sync(id(3), usize::MAX);
    }
    let votes = cluster.links.remove(&(id(3), id(1))).expect("two votes are in flight");
    cluster.crash(id(3), 0);
    match recovery {
        Recovery::AnotherLife => cluster.lose_disk(id(3)),
        Recovery::VotesOnceCaughtUp | Recovery::AdoptsAHigherTerm => cluster.node(id(3)).disk = Default::default(),
    }
    cluster.start(id(3));
    cluster.groups(&[&[2, 3]]);
    cluster.elapse(Duration::from_millis(100));
    if recovery == Recovery::AdoptsAHigherTerm {
        // All that it can reach is n2, in term 1.
        let (from, to, term) = (Incarnation(1), Incarnation(0), cluster.raft(2).term().next());
        cluster.hand_over(id(2), id(3), Message { from, to, term, body: Body::Stale });
    }
    if recovery != Recovery::AnotherLife {
        assert_eq!(cluster.raft(3).last_index(), cluster.raft(2).last_index(), "it has caught up");
    }
    // n2 restarts, and campaigns in terms 2 and 3.
    cluster.crash(id(2), usize::MAX);
    cluster.start(id(2));
    cluster.links.clear();
    for _ in 0..2 {
        cluster.fire(id(2), Timer::Election);
        cluster.sync_all();
        cluster.deliver_link(2, 3);
        cluster.sync_all();
        // In term 2 the answer is lost.
        if cluster.raft(2).term() == Term(3) {
            cluster.deliver_link(3, 2);
        }
        cluster.links.clear();
    }
    // The old votes arrive.
    for vote in votes {
        cluster.hand_over(id(3), id(1), vote);
    }
    cluster
}

/// "Votes again once it caught up" (decisions/0008) allows two leaders in one term.
#[test]
fn negative_voting_again_once_caught_up_gives_two_leaders() {
    let broken = lost_vote(Recovery::VotesOnceCaughtUp);
    let violation = broken.violation.expect("two leaders in one term");
    assert_eq!(violation.property, "election safety");
    let ours = lost_vote(Recovery::AnotherLife);
    assert_eq!(ours.violation, None);
    assert_eq!(ours.raft(1).role(), RoleKind::Leader, "the vote that was given still counts");
    assert_ne!(ours.raft(2).role(), RoleKind::Leader, "and cannot be given again");
}

/// "Adopts a higher term" (decisions/0008) allows two leaders in one term: higher than any it heard of is not higher than
/// all.
#[test]
fn negative_adopting_a_higher_term_gives_two_leaders() {
    let broken = lost_vote(Recovery::AdoptsAHigherTerm);
    let violation = broken.violation.expect("two leaders in one term");
    assert_eq!(violation.property, "election safety");
    assert_eq!(lost_vote(Recovery::AnotherLife).violation, None);
}

/// A joining node was configured with members, and the leader may have joined later: a member forwards the request.
#[test]
fn a_node_that_cannot_ask_the_leader_is_taken_in_through_a_member() {
    let mut cluster = Cluster::new(3, 7, &Config::default());
    cluster.elect(1);
    cluster.add(4, Config { initial: None, ..Config::default() }, 3);
    cluster.cut.insert((id(4), id(1)));
    cluster.elapse(Duration::from_secs(3));
    let asks = |event: &Event| matches!(event, Event::Joining { member } if *member == Member::new(4, 1));
    assert!(cluster.count_events(asks) > 0, "the leader never heard of n4");
}

/// A follower that crashed has forgotten which of its entries it had compared with the leader's, and its record of the commit
/// index is older than its log. No client writes meanwhile: the leader must compare again by itself, or the follower would
/// never learn that its last entries are committed, and a read there would wait until the next write.
#[test]
fn a_follower_that_restarts_in_a_group_at_rest_learns_what_is_committed() {
    let mut cluster = Cluster::new(3, 1, &Config::default());
    cluster.elect(1);
    for number in 0..5 {
        cluster.propose(1, &number.to_string());
        cluster.settle();
    }
    let committed = cluster.raft(1).commit_index();
    assert_eq!(cluster.raft(3).last_index(), committed);
    cluster.crash(id(3), usize::MAX);
    cluster.start(id(3));
    assert!(cluster.raft(3).commit_index() < committed, "else there is nothing to learn");
    cluster.elapse(Duration::from_secs(3));
    assert_eq!(cluster.raft(1).term(), cluster.raft(3).term());
    assert_eq!(cluster.leader(), Some(1), "no election helped it");
    assert_eq!(cluster.raft(3).commit_index(), committed);
    let read = cluster.read(3);
    cluster.elapse(Duration::from_secs(3));
    assert!(cluster.is_read_ready(read));
}
