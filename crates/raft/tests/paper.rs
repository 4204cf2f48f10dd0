//! One test a claim of the paper. Each names the section, plays the schedule that the section warns of, and fails when the
//! rule is removed: by a planted bug (`--features planted-bugs`), or by the switch that turns the mechanism off.
//!
//! Sections are those of Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm" (extended version,
//! 2014); "thesis" is Ongaro, "Consensus: Bridging Theory and Practice" (2014).

use crate::harness::{Cluster, id};
use volvox_core::Duration;
use volvox_raft::{Body, Config, Event, Index, Member, Message, Payload, Refusal, RoleKind, Term, Timer};

/// Elections by hand: no server asks first.
fn plain() -> Config {
    Config { pre_vote: false, check_quorum: false, ..Config::default() }
}

fn cluster(count: u64, config: &Config) -> Cluster {
    Cluster::new(count, 1, config)
}

/// Three nodes, of which n1 leads, with one entry committed everywhere.
fn led_by_one(config: &Config) -> Cluster {
    let mut cluster = cluster(3, config);
    cluster.elect(1);
    cluster.propose(1, "first");
    cluster.settle();
    cluster
}

fn assert_safe(cluster: &Cluster) {
    assert!(cluster.violation.is_none(), "{}", cluster.violation.as_ref().expect("one"));
}

/// The same schedule without the rule must break a property.
#[cfg(feature = "planted-bugs")]
fn breaks_without(bug: volvox_raft::planted::Bug, schedule: impl Fn() -> Cluster) {
    volvox_raft::planted::plant(Some(bug));
    let cluster = schedule();
    volvox_raft::planted::plant(None);
    assert!(cluster.violation.is_some(), "nothing is broken without the rule");
}

macro_rules! planted {
    ($bug:ident, $schedule:expr) => {
        #[cfg(feature = "planted-bugs")]
        breaks_without(volvox_raft::planted::Bug::$bug, $schedule);
    };
}

/// Raft 5.2: "each server will vote for at most one candidate in a given term", also when it crashes in between: the vote
/// is on the disk before the candidate hears of it (figure 2, "updated on stable storage before responding to RPCs").
#[test]
fn section_5_2_votes_are_durable_before_the_reply() {
    fn schedule() -> Cluster {
        let mut cluster = cluster(3, &plain());
        cluster.fire(id(1), Timer::Election);
        cluster.sync(id(1), usize::MAX);
        // n3 votes for n1, and crashes before its disk is done.
        cluster.deliver_link(1, 3);
        cluster.crash(id(3), 0);
        cluster.start(id(3));
        // n2 asks for the same term.
        cluster.cut_off(1);
        cluster.fire(id(2), Timer::Election);
        cluster.sync(id(2), usize::MAX);
        cluster.deliver_link(2, 3);
        cluster.sync(id(3), usize::MAX);
        cluster.deliver_link(3, 2);
        assert_eq!(cluster.raft(2).role(), RoleKind::Leader);
        cluster.cut.clear();
        cluster.deliver_link(3, 1);
        cluster
    }
    assert_safe(&schedule());
    planted!(VoteNotSynced, schedule);
}

/// Raft figure 2: a vote survives a restart.
#[test]
fn section_5_2_a_vote_is_remembered() {
    let mut cluster = cluster(3, &plain());
    cluster.fire(id(1), Timer::Election);
    cluster.sync(id(1), usize::MAX);
    cluster.deliver_link(1, 3);
    cluster.sync(id(3), usize::MAX);
    cluster.crash(id(3), 0);
    cluster.start(id(3));
    assert_eq!((cluster.raft(3).term(), cluster.raft(3).vote()), (Term(1), Some(Member::new(1, 1))));
}

/// Raft figure 2: an entry is on the follower's disk before the leader hears of it, or what a majority "has" may be gone.
#[test]
fn section_5_3_acknowledgements_are_durable() {
    fn schedule() -> Cluster {
        let mut cluster = led_by_one(&plain());
        cluster.groups(&[&[1, 2]]);
        cluster.propose(1, "acknowledged");
        cluster.sync(id(1), usize::MAX);
        cluster.deliver_link(1, 2);
        cluster.deliver_link(2, 1);
        // n2 forgets what it had not synced; the leader is gone; the others continue.
        cluster.crash(id(2), 0);
        cluster.start(id(2));
        cluster.groups(&[&[2, 3]]);
        cluster.elect(2);
        cluster.propose(2, "other");
        cluster.settle();
        cluster
    }
    assert_safe(&schedule());
    planted!(AckBeforeFsync, schedule);
}

/// Raft 5.4.1: "the voter denies its vote if its own log is more up-to-date than that of the candidate".
#[test]
fn section_5_4_1_logs_are_compared() {
    fn schedule() -> Cluster {
        let mut cluster = led_by_one(&plain());
        cluster.groups(&[&[1, 2]]);
        cluster.propose(1, "committed without n3");
        cluster.settle();
        cluster.groups(&[&[2, 3]]);
        cluster.fire(id(3), Timer::Election);
        cluster.settle();
        cluster
    }
    let cluster = schedule();
    assert_safe(&cluster);
    assert_ne!(cluster.raft(3).role(), RoleKind::Leader);
    planted!(CandidateLogNotCompared, schedule);
}

/// Raft 5.4.2 and figure 8: an entry of an earlier term that is on a majority is not committed by that.
#[test]
fn section_5_4_2_figure_8() {
    fn schedule() -> Cluster {
        let mut cluster = cluster(5, &Config { append_bytes_max: 1, ..plain() });
        cluster.elect(1);
        cluster.settle();
        // (a) S1 leads and replicates index 2 to S2 only.
        cluster.groups(&[&[1, 2]]);
        cluster.propose(1, "two");
        cluster.settle();
        cluster.crash(id(1), 0);
        // (b) S5 is elected by S3 and S4, and has another entry at index 2.
        cluster.groups(&[&[3, 4, 5]]);
        cluster.elect_in_silence(5);
        cluster.sync(id(5), usize::MAX);
        assert_eq!(cluster.raft(5).term_at(Index(2)), Some(Term(2)));
        cluster.crash(id(5), 0);
        // (c) S1 is elected again and continues to replicate index 2: it is on S1, S2 and S3 now.
        cluster.start(id(1));
        cluster.groups(&[&[1, 2, 3]]);
        cluster.elect_in_silence(1);
        cluster.sync(id(1), usize::MAX);
        cluster.fire(id(1), Timer::Heartbeat);
        for follower in [2, 3] {
            cluster.deliver_link(1, follower);
            cluster.deliver_link(follower, 1);
            // One entry a message: index 2 arrives, index 3 does not.
            assert!(cluster.deliver_at(id(1), id(follower), 0));
            cluster.links.remove(&(id(1), id(follower)));
            cluster.sync(id(follower), usize::MAX);
            assert_eq!(cluster.raft(follower).last_index(), Index(2));
            cluster.deliver_link(follower, 1);
        }
        let holders = (1..=3).filter(|node| cluster.raft(*node).term_at(Index(2)) == Some(Term(1))).count();
        assert_eq!(holders, 3, "a majority of five");
        // (d) S1 crashes; S5 is elected by S2, S3 and S4, and overwrites index 2.
        cluster.crash(id(1), 0);
        cluster.start(id(5));
        cluster.groups(&[&[2, 3, 4, 5]]);
        cluster.elect(5);
        for node in 2..=5 {
            assert_eq!(cluster.raft(node).term_at(Index(2)), Some(Term(2)));
        }
        cluster
    }
    assert_safe(&schedule());
    planted!(OldTermCommittedByCounting, schedule);
}

/// Raft 5.4.2 (figure 8e) and 8: a new leader's no-op commits what earlier terms left behind, without any client.
#[test]
fn section_8_a_new_leader_begins_with_a_no_op() {
    let mut cluster = led_by_one(&plain());
    cluster.groups(&[&[1, 2]]);
    cluster.propose(1, "left behind");
    cluster.sync_all();
    cluster.deliver_link(1, 2);
    cluster.sync_all();
    let left = cluster.raft(2).last_index();
    cluster.crash(id(1), 0);
    cluster.groups(&[&[2, 3]]);
    cluster.elect(2);
    assert!(cluster.raft(3).commit_index() > left, "what was left behind is committed");
    assert_eq!(cluster.raft(3).entry(left.next()).map(|entry| &entry.payload), Some(&Payload::Empty));
    assert_safe(&cluster);
}

/// Raft 8: "a leader must check whether it has been deposed before processing a read-only request".
#[test]
fn section_8_a_paused_leader_answers_no_reads() {
    fn schedule() -> Cluster {
        let mut cluster = led_by_one(&plain());
        // n1 is paused; n2 is elected and commits what n1 will not know.
        cluster.groups(&[&[2, 3]]);
        cluster.elect(2);
        cluster.propose(2, "newer");
        cluster.settle();
        // n1 continues as the leader that it believes itself to be.
        let ticket = cluster.read(1);
        cluster.settle();
        cluster.groups(&[&[1, 2, 3]]);
        cluster.elapse(Duration::from_millis(100));
        if cluster.violation.is_none() {
            assert_eq!(cluster.refusal(ticket), Some(Refusal::LeaderChanged));
        }
        cluster
    }
    assert_safe(&schedule());
    planted!(ReadWithoutConfirming, schedule);
}

/// Raft 8: before an entry of its own term is committed, a leader does not know what is: reads wait.
#[test]
fn section_8_a_new_leader_reads_behind_its_no_op() {
    let mut cluster = led_by_one(&plain());
    cluster.groups(&[&[2, 3]]);
    cluster.elect_in_silence(2);
    let ticket = cluster.read(2);
    cluster.settle();
    assert!(!cluster.is_read_ready(ticket), "nothing of this term is committed yet");
    cluster.elapse(Duration::from_millis(100));
    assert!(cluster.is_read_ready(ticket));
    assert_safe(&cluster);
}

/// Raft 6: a joint configuration needs a majority of each half.
#[test]
fn section_6_both_halves_must_agree() {
    fn schedule() -> Cluster {
        let mut cluster = led_by_one(&plain());
        for node in 4..=7 {
            cluster.add(node, Config { initial: None, ..plain() }, 3);
        }
        // n1 and all new voters, against two of the three old ones.
        cluster.groups(&[&[1, 4, 5, 6, 7], &[2, 3]]);
        cluster.change(1, &[(1, 1), (4, 1), (5, 1), (6, 1), (7, 1)], &[]);
        cluster.settle();
        cluster.elapse(Duration::from_millis(200));
        cluster.propose(1, "on one side");
        cluster.settle();
        cluster.fire(id(2), Timer::Election);
        cluster.settle();
        cluster.propose(2, "on the other");
        cluster.settle();
        cluster
    }
    let cluster = schedule();
    assert_safe(&cluster);
    assert!(cluster.raft(1).configuration().is_joint(), "the old half has not agreed");
    assert_eq!(cluster.raft(2).role(), RoleKind::Leader);
    planted!(JointQuorumAsOneMajority, schedule);
}

/// Ongaro on raft-dev, 2015: with changes of single servers as first published, two leaders can each change the
/// configuration by one server such that {1, 4, 5} of one and {2, 3} of the other are majorities that do not meet. Joint
/// consensus asks a majority of the configuration before the change, in which both always meet.
#[test]
fn raft_dev_2015_the_bug_of_single_server_changes_is_impossible() {
    // The bug, as a fact about sets: majorities of the two successors of {1, 2, 3, 4} that do not meet.
    let of = |nodes: &[u64]| volvox_raft::Configuration::of(nodes.iter().map(|node| Member::new(*node, 1)));
    let among = |nodes: &'static [u64]| move |member: Member| nodes.contains(&member.node.0);
    assert!(of(&[1, 2, 3, 4, 5]).is_quorum(among(&[1, 4, 5])) && of(&[2, 3, 4]).is_quorum(among(&[2, 3])));

    let mut cluster = cluster(4, &plain());
    cluster.elect(1);
    cluster.settle();
    cluster.add(5, Config { initial: None, ..plain() }, 4);
    // S1 adds S5, and reaches only S5.
    cluster.groups(&[&[1, 5]]);
    cluster.change(1, &[(1, 1), (2, 1), (3, 1), (4, 1), (5, 1)], &[]);
    cluster.settle();
    // S2 leads the next term, removes S1, and reaches only S3.
    cluster.groups(&[&[2, 3, 4]]);
    cluster.elect(2);
    cluster.groups(&[&[2, 3]]);
    cluster.change(2, &[(2, 1), (3, 1), (4, 1)], &[]);
    cluster.settle();
    let removal = cluster.raft(2).last_index();
    assert!(cluster.raft(2).commit_index() < removal, "{{2, 3}} is not a majority of {{1, 2, 3, 4}}");
    // S1 resumes after a pause as a follower, and asks S4 and S5.
    cluster.crash(id(1), usize::MAX);
    cluster.start(id(1));
    cluster.groups(&[&[1, 4, 5]]);
    for _ in 0..3 {
        cluster.fire(id(1), Timer::Election);
        cluster.settle();
        assert_ne!(cluster.raft(1).role(), RoleKind::Leader, "{{1, 4, 5}} is not a majority of {{1, 2, 3, 4}}");
    }
    // All meet again, and agree on one history.
    cluster.groups(&[&[1, 2, 3, 4, 5]]);
    let is_settled = |cluster: &Cluster| {
        cluster.leader().is_some_and(|leader| {
            let raft = cluster.raft(leader);
            !raft.configuration().is_joint() && raft.commit_index() == raft.last_index()
        })
    };
    // Without pre-vote the servers that were left out disturb a while.
    for _ in 0..100 {
        cluster.elapse(Duration::from_millis(100));
        assert_safe(&cluster);
        if is_settled(&cluster) {
            return;
        }
    }
    panic!("no leader finishes the change");
}

/// Raft 6: a new leader finds a joint configuration, and leaves it.
#[test]
fn section_6_a_new_leader_leaves_the_joint_configuration() {
    let mut cluster = led_by_one(&plain());
    cluster.add(4, Config { initial: None, ..plain() }, 3);
    // The joint configuration reaches every disk; its leader never learns of it.
    cluster.change(1, &[(2, 1), (3, 1), (4, 1)], &[]);
    for _ in 0..3 {
        cluster.sync_all();
        for other in [2, 3, 4] {
            cluster.deliver_link(1, other);
        }
        cluster.deliver_link(4, 1);
    }
    cluster.sync_all();
    assert!(cluster.raft(2).configuration().is_joint());
    cluster.crash(id(1), usize::MAX);
    cluster.links.clear();
    cluster.elect(2);
    cluster.elapse(Duration::from_millis(200));
    assert!(!cluster.raft(4).configuration().is_joint());
    assert_eq!(cluster.raft(4).configuration(), cluster.raft(2).configuration());
    assert_safe(&cluster);
}

/// Raft 6: a configuration that was appended and is truncated is no longer in force.
#[test]
fn section_6_a_truncated_configuration_is_rolled_back() {
    let mut cluster = led_by_one(&plain());
    cluster.groups(&[&[1]]);
    cluster.change(1, &[(1, 1)], &[]);
    cluster.settle();
    assert!(cluster.raft(1).configuration().is_joint(), "in force when appended");
    cluster.groups(&[&[2, 3]]);
    cluster.elect(2);
    cluster.groups(&[&[1, 2, 3]]);
    cluster.elapse(Duration::from_millis(200));
    assert!(!cluster.raft(1).configuration().is_joint());
    assert_eq!(cluster.raft(1).configuration().voters.len(), 3);
    assert_safe(&cluster);
}

/// Raft 6: "the leader steps down once it has committed the C-new log entry", and not before.
#[test]
fn section_6_a_leader_outside_the_new_configuration_goes_once_it_is_committed() {
    let mut cluster = led_by_one(&plain());
    cluster.change(1, &[(2, 1), (3, 1)], &[]);
    cluster.sync_all();
    for _ in 0..2 {
        cluster.deliver_link(1, 2);
        cluster.sync(id(2), usize::MAX);
        cluster.deliver_link(2, 1);
    }
    // Joint: committed by n1 and n2 of the old half... and n2 alone is not a majority of the new one.
    assert_eq!(cluster.raft(1).role(), RoleKind::Leader);
    assert!(cluster.raft(1).configuration().is_joint());
    cluster.settle();
    assert_ne!(cluster.raft(1).role(), RoleKind::Leader);
    let leader = cluster.leader().expect("it handed over");
    assert_eq!(cluster.raft(leader).configuration().voters.len(), 2);
    // It never campaigns again.
    cluster.fire(id(1), Timer::Election);
    assert_eq!(cluster.raft(1).role(), RoleKind::Follower);
    assert_safe(&cluster);
}

/// Thesis 4.2.2: who holds the uncommitted entry of its own removal may be the only one that can be elected.
#[test]
fn thesis_4_2_2_a_server_campaigns_until_its_removal_is_committed() {
    let mut cluster = led_by_one(&plain());
    cluster.change(1, &[(2, 1), (3, 1)], &[]);
    // The joint configuration is committed, the final one is on n1's disk only.
    while cluster.raft(1).configuration().is_joint() || cluster.raft(1).last_index() < Index(4) {
        cluster.sync_all();
        for other in [2, 3] {
            cluster.deliver_link(1, other);
            cluster.sync(id(other), usize::MAX);
            cluster.deliver_link(other, 1);
        }
    }
    cluster.links.clear();
    cluster.crash(id(1), usize::MAX);
    cluster.start(id(1));
    assert!(!cluster.raft(1).configuration().votes(Member::new(1, 1)));
    cluster.fire(id(1), Timer::Election);
    cluster.settle();
    cluster.elapse(Duration::from_millis(3_000));
    let leader = cluster.leader().expect("a node was elected");
    assert!(!cluster.raft(leader).configuration().is_joint());
    assert_safe(&cluster);
}

/// Thesis 4.2.1: learners receive the log and decide nothing.
#[test]
fn thesis_4_2_1_learners_do_not_vote() {
    let mut cluster = led_by_one(&plain());
    cluster.add(4, Config { initial: None, ..plain() }, 3);
    cluster.change(1, &[(1, 1), (2, 1), (3, 1)], &[(4, 1)]);
    cluster.settle();
    assert_eq!(cluster.raft(4).last_index(), cluster.raft(1).last_index());
    // Its acknowledgement commits nothing.
    cluster.groups(&[&[1, 4]]);
    let before = cluster.raft(1).commit_index();
    cluster.propose(1, "learned");
    cluster.settle();
    assert_eq!(cluster.raft(4).last_index(), before.next());
    assert_eq!(cluster.raft(1).commit_index(), before);
    // It does not campaign, and confirms no read.
    cluster.fire(id(4), Timer::Election);
    assert_eq!(cluster.raft(4).role(), RoleKind::Follower);
    let read = cluster.read(1);
    cluster.settle();
    assert!(!cluster.is_read_ready(read));
    assert_safe(&cluster);
}

/// Thesis 4.2.3: a server that cannot be reached must not depose a leader that the others hear.
#[test]
fn thesis_4_2_3_a_disruptive_server_is_ignored() {
    let terms = |config: &Config| {
        let mut cluster = led_by_one(config);
        cluster.groups(&[&[1, 2]]);
        for _ in 0..5 {
            cluster.fire(id(3), Timer::Election);
            cluster.settle();
        }
        cluster.elapse(Duration::from_millis(100));
        cluster.groups(&[&[1, 2, 3]]);
        cluster.fire(id(3), Timer::Election);
        cluster.sync(id(3), usize::MAX);
        cluster.deliver_link(3, 1);
        cluster.deliver_link(3, 2);
        assert_safe(&cluster);
        (cluster.raft(1).term(), cluster.raft(2).term())
    };
    assert_eq!(terms(&Config { check_quorum: true, ..plain() }), (Term(1), Term(1)));
    assert_ne!(terms(&plain()), (Term(1), Term(1)), "without the rule it is not ignored");
}

/// Thesis 9.6: with pre-vote such a server does not even raise its term.
#[test]
fn thesis_9_6_pre_vote_keeps_the_term() {
    let term = |pre_vote| {
        let mut cluster = led_by_one(&Config { pre_vote, ..plain() });
        cluster.groups(&[&[1, 2]]);
        for _ in 0..5 {
            cluster.fire(id(3), Timer::Election);
            cluster.settle();
        }
        cluster.raft(3).term()
    };
    assert_eq!((term(true), term(false)), (Term(1), Term(6)));
}

/// Thesis 9.6: a pre-candidate has only asked, so it still votes. One that refused would leave a candidate of its own term
/// without a quorum, though no other server campaigns.
#[test]
fn thesis_9_6_a_pre_candidate_votes() {
    let mut cluster = cluster(3, &Config { pre_vote: true, ..plain() });
    cluster.fire(id(1), Timer::Election);
    cluster.deliver_link(1, 2);
    cluster.deliver_link(2, 1);
    cluster.sync(id(1), usize::MAX);
    assert_eq!((cluster.raft(1).role(), cluster.raft(1).term()), (RoleKind::Candidate, Term(1)));
    // n2 votes, and its answer is late. It asks n3, which learns the term by that, and asks by itself.
    cluster.deliver_link(1, 2);
    cluster.sync(id(2), usize::MAX);
    cluster.fire(id(2), Timer::Election);
    cluster.deliver_link(2, 3);
    cluster.fire(id(3), Timer::Election);
    assert_eq!((cluster.raft(3).role(), cluster.raft(3).term()), (RoleKind::PreCandidate, Term(1)));
    cluster.deliver_link(1, 3);
    assert_eq!(cluster.raft(3).role(), RoleKind::Follower, "it wants to win no more");
    cluster.sync(id(3), usize::MAX);
    cluster.deliver_link(3, 1);
    assert_eq!(cluster.raft(1).role(), RoleKind::Leader);
    assert_safe(&cluster);
}

/// Thesis 6.2: "a leader steps down if an election timeout elapses without a successful round of heartbeats".
#[test]
fn thesis_6_2_a_leader_that_hears_no_quorum_steps_down() {
    let role = |check_quorum| {
        let mut cluster = led_by_one(&Config { check_quorum, ..plain() });
        cluster.groups(&[]);
        cluster.elapse(Duration::from_millis(1_100));
        cluster.raft(1).role()
    };
    assert_eq!(role(true), RoleKind::Follower);
    assert_eq!(role(false), RoleKind::Leader, "without the rule it leads no one forever");
}

/// Thesis 3.10: a transfer waits until the receiver has everything, and takes no proposals meanwhile.
#[test]
fn thesis_3_10_leadership_is_transferred() {
    let mut cluster = led_by_one(&Config::default());
    cluster.propose(1, "must arrive first");
    let ticket = volvox_raft::Ticket(9);
    cluster.command(1, volvox_raft::Command::Transfer { ticket, to: id(3) });
    let refused = cluster.propose(1, "too late");
    assert_eq!(cluster.refusal(refused), Some(Refusal::Transferring));
    cluster.settle();
    assert_eq!(cluster.leader(), Some(3));
    assert_eq!(cluster.count_events(|event| *event == Event::Transferred { ticket }), 1);
    assert_safe(&cluster);
}

/// Raft 7: "if the follower already has entries behind the snapshot, they are retained": a snapshot that arrives late, or
/// twice, must not take back what was acknowledged.
#[test]
fn section_7_a_late_snapshot_takes_nothing_back() {
    fn schedule() -> Cluster {
        let mut cluster = led_by_one(&Config { log_keep_bytes: 0, ..plain() });
        cluster.groups(&[&[1, 2]]);
        cluster.propose(1, "in the snapshot");
        cluster.settle();
        cluster.checkpoint(1);
        cluster.settle();
        cluster.groups(&[&[1, 2, 3]]);
        cluster.fire(id(1), Timer::Heartbeat);
        cluster.settle_but(|message| matches!(message.body, Body::Snapshot { .. }));
        let parts: Vec<Message> = cluster.links[&(id(1), id(3))].iter().cloned().collect();
        assert_eq!(parts.len(), 3);
        cluster.settle();
        // Acknowledged by n3 and committed with it.
        cluster.groups(&[&[1, 3]]);
        cluster.propose(1, "behind the snapshot");
        cluster.settle();
        let last = cluster.raft(3).last_index();
        // The parts come once more.
        for part in parts {
            cluster.hand_over(id(1), id(3), part);
        }
        cluster.settle();
        if cluster.violation.is_none() {
            assert_eq!(cluster.raft(3).last_index(), last);
        }
        cluster
    }
    assert_safe(&schedule());
    planted!(SnapshotOverLongerLog, schedule);
}
