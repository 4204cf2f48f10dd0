//! The proposals of one moment are sent together: as many messages for a hundred clients as for one.

use crate::harness::{Cluster, id};
use volvox_core::Duration;
use volvox_raft::{Body, Config, Index, Timer};

/// Three nodes that gather, of which n1 leads, with nothing in flight.
fn led_by_one(config: Config) -> Cluster {
    let mut cluster = Cluster::new(3, 1, &Config { gather: true, ..config });
    cluster.elect(1);
    cluster.elapse(Duration::from_millis(20));
    assert!(cluster.links.values().all(|link| link.is_empty()));
    cluster
}

#[test]
fn entries_of_one_moment_are_one_message_to_each_follower() {
    let mut cluster = led_by_one(Config::default());
    for _ in 0..100 {
        cluster.propose(1, "x");
    }
    assert!(cluster.links.values().all(|link| link.is_empty()), "nothing leaves before the moment ends");
    cluster.fire(id(1), Timer::Gather);
    for follower in [2, 3] {
        let link = &cluster.links[&(id(1), id(follower))];
        assert_eq!(link.len(), 1);
        assert!(matches!(&link[0].body, Body::Append { entries, .. } if entries.len() == 100), "{}", link[0]);
    }
    cluster.settle();
    let before = cluster.delivered["Append"];
    cluster.elapse(Duration::ZERO);
    assert_eq!(cluster.raft(2).commit_index(), cluster.raft(1).last_index());
    assert_eq!(cluster.delivered["Append"] - before, 2, "one announcement of all commits to each follower");
    assert!(cluster.violation.is_none());
}

#[test]
fn reads_of_one_moment_share_a_round_at_the_leader_and_a_question_of_a_follower() {
    let mut cluster = led_by_one(Config::default());
    for reader in [1, 2] {
        let heartbeats = cluster.delivered.get("Heartbeat").copied().unwrap_or(0);
        let questions = cluster.delivered.get("ReadIndex").copied().unwrap_or(0);
        let tickets: Vec<_> = (0..100).map(|_| cluster.read(reader)).collect();
        cluster.elapse(Duration::ZERO);
        assert!(tickets.into_iter().all(|ticket| cluster.is_read_ready(ticket)), "n{reader}");
        assert_eq!(cluster.delivered["Heartbeat"] - heartbeats, 2, "one round");
        let asked = cluster.delivered.get("ReadIndex").copied().unwrap_or(0) - questions;
        assert_eq!(asked, u64::from(reader == 2));
    }
    assert!(cluster.violation.is_none());
}

#[test]
fn a_leader_that_is_deposed_in_the_moment_leaves_nothing_behind() {
    // No node sticks to a leader, so that it can be deposed at once.
    let mut cluster = led_by_one(Config { pre_vote: false, check_quorum: false, ..Config::default() });
    let last = cluster.raft(1).last_index();
    cluster.propose(1, "lost");
    cluster.elect_in_silence(2);
    cluster.settle();
    cluster.elapse(Duration::from_secs(1));
    assert_eq!(cluster.leader(), Some(2));
    assert!(cluster.raft(1).commit_index() > last && cluster.raft(1).last_index() == cluster.raft(2).last_index());
    assert!(cluster.raft(2).entry(Index(last.0 + 1)).is_none_or(|entry| entry.term == cluster.raft(2).term()));
    assert!(cluster.violation.is_none());
}
