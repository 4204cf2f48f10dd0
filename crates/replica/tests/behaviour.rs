//! The guarantees to a client, one story per test, in a world that the test controls.

use crate::harness::{Cluster, config, id};
use volvox_core::{Bytes, Duration, Encode, Incarnation, NodeId};
use volvox_raft::RoleKind;
use volvox_replica::message::Refusal;
use volvox_replica::proposal::{Action, Origin, Proposal};
use volvox_replica::{Command, Error, Event, MemberRequest, Message, Reply, Request, Ticket};
use volvox_store::{
    Command as StoreCommand, DeleteRangeRequest, Identity, LeaseGrantRequest, LeaseRevokeRequest, PutRequest,
    Reply as StoreReply,
};

const SECOND: Duration = Duration::from_secs(1);

fn three() -> Cluster {
    Cluster::led_by_n1(3, |_| {})
}

fn grant(cluster: &mut Cluster, node: u64, lease: i64, ttl: i64) {
    let grant = StoreCommand::LeaseGrant(LeaseGrantRequest { ttl, id: lease });
    let ticket = cluster.request(node, Request::Write(grant));
    cluster.settle();
    assert!(matches!(cluster.reply(ticket), Some(Ok(_))), "{:?}", cluster.reply(ticket));
}

fn put_with_lease(cluster: &mut Cluster, node: u64, key: &str, lease: i64) {
    let put = PutRequest { key: key.into(), lease, ..PutRequest::default() };
    cluster.request(node, Request::Write(StoreCommand::Put(put)));
    cluster.settle();
}

fn keep_alive(cluster: &mut Cluster, node: u64, lease: i64) -> Ticket {
    cluster.request(node, Request::LeaseKeepAlive { lease })
}

fn written(cluster: &Cluster, ticket: Ticket) -> i64 {
    match cluster.reply(ticket) {
        Some(Ok(Reply::Written(reply))) => reply.revision(),
        other => panic!("no write: {other:?}"),
    }
}

fn proposal(node: u64, sequence: u64, command: StoreCommand) -> Bytes {
    let origin = Origin { node: id(node), incarnation: Incarnation(1), sequence };
    Bytes::from(Proposal { origin, identity: Identity::Anonymous, action: Action::Store(command) }.to_bytes())
}

fn put_command(key: &str) -> StoreCommand {
    StoreCommand::Put(PutRequest { key: key.into(), ..PutRequest::default() })
}

fn was_removed(cluster: &Cluster, node: u64) -> bool {
    cluster.events.contains(&(id(node), Event::Removed))
}

#[test]
fn the_death_of_a_leader_is_no_error() {
    let mut cluster = three();
    let ticket = cluster.put(2, "a", "1");
    cluster.deliver_at(2, 1, 0);
    cluster.crash(1);
    cluster.elapse(5 * SECOND);
    assert_eq!(written(&cluster, ticket), 2);
    cluster.start(1);
    cluster.elapse(2 * SECOND);
    (1..=3).for_each(|node| assert_eq!(cluster.value(node, "a").as_deref(), Some("1"), "n{node}"));
}

#[test]
fn a_forwarded_frame_that_comes_twice_is_applied_once() {
    let mut cluster = three();
    let ticket = cluster.put(2, "a", "1");
    let frame = cluster.take(2, 1, "Forward");
    cluster.hand_over(2, 1, frame.clone());
    cluster.hand_over(2, 1, frame.clone());
    cluster.settle();
    cluster.hand_over(2, 1, frame);
    cluster.settle();
    assert_eq!((written(&cluster, ticket), cluster.replica(1).store().revision()), (2, 2));
}

#[test]
fn a_frame_that_is_lost_is_sent_again() {
    let mut cluster = three();
    let ticket = cluster.put(2, "a", "1");
    cluster.take(2, 1, "Forward");
    cluster.elapse(2 * SECOND);
    assert_eq!(written(&cluster, ticket), 2);
    assert!(cluster.noted("a forwarded write sent once more"));
}

/// n1 refuses; before n2 learns of it, n3 leads and accepts the write. The client must not receive a refusal.
#[test]
fn a_refusal_of_an_earlier_term_says_nothing() {
    let mut cluster = three();
    let ticket = cluster.put(2, "a", "1");
    let Message::Forward { sequence, term, .. } = cluster.take(2, 1, "Forward") else { panic!("a Forward") };
    cluster.crash(1);
    // n2 does not time out, so n3 does.
    cluster.node(2).timers.remove(&volvox_replica::Timer::Raft(volvox_raft::Timer::Election));
    cluster.elapse_but(3 * SECOND, &["Forward"]);
    assert!(cluster.find(2, 3, "Forward").is_some(), "n3 leads, and n2 hands the write over");
    let error = Some(Refusal::TooManyRequests);
    cluster.hand_over(1, 2, Message::Refused { sequence, term, error });
    cluster.hand_over(3, 2, Message::Refused { sequence, term, error });
    assert_eq!(cluster.reply(ticket), None);
    cluster.settle();
    assert_eq!(written(&cluster, ticket), 2);
}

/// The first copy was taken, the second refused: the client waits for the fate of the first.
#[test]
fn a_refusal_of_the_second_copy_is_not_believed() {
    let mut cluster = three();
    let ticket = cluster.put(2, "a", "1");
    let Message::Forward { sequence, term, .. } = cluster.take(2, 1, "Forward") else { panic!("a Forward") };
    cluster.elapse_but(2 * SECOND, &["Forward"]);
    cluster.hand_over(1, 2, Message::Refused { sequence, term, error: Some(Refusal::TooManyRequests) });
    assert_eq!(cluster.reply(ticket), None);
    cluster.elapse(SECOND);
    assert_eq!(written(&cluster, ticket), 2);
}

#[test]
fn a_read_that_waits_for_what_never_comes_ends() {
    let mut cluster = three();
    cluster.put(1, "a", "1");
    cluster.settle_but(&["Append"]);
    // n2 acknowledges nothing; n3 does, so that the entry is committed and n2 lacks it.
    for _ in 0..20 {
        while let Some(place) = cluster.find(1, 3, "Append") {
            cluster.deliver_at(1, 3, place);
        }
        cluster.settle_but(&["Append"]);
    }
    let read = cluster.request(2, Request::Read);
    cluster.settle_but(&["Append"]);
    cluster.groups(&[&[1, 3], &[2]]);
    cluster.elapse(7 * SECOND);
    assert_eq!(cluster.reply(read), Some(&Err(Error::Timeout)));
}

#[test]
fn hostile_messages_do_nothing() {
    let mut cluster = three();
    let term = cluster.replica(1).raft().term().0;
    let frame = |from: u64, sequence, command| {
        let proposal = proposal(from, sequence, command);
        Message::Forward { sequence, term, proposal }
    };
    grant(&mut cluster, 1, 7, 60);
    let stranger = frame(3, 5, put_command("stolen"));
    cluster.hand_over(2, 1, stranger);
    cluster.hand_over(2, 1, frame(2, 5, StoreCommand::LeaseExpire(vec![7])));
    cluster.hand_over(9, 1, frame(9, 5, put_command("outsider")));
    cluster.hand_over(2, 1, Message::Forward { sequence: 1, term, proposal: Bytes::from("garbage") });
    cluster.hand_over(2, 1, Message::Refused { sequence: u64::MAX, term, error: None });
    cluster.hand_over(2, 1, Message::LeaseAnswer { question: 0, ttl: i64::MIN, granted_ttl: i64::MIN, applied: 0 });
    cluster.hand_over(2, 3, Message::LeaseAsk { question: u64::MAX, lease: i64::MIN, renew: true });
    cluster.settle();
    for key in ["stolen", "outsider"] {
        assert_eq!(cluster.value(1, key), None, "{key}");
    }
    assert!(cluster.replica(1).store().view().lease(7).is_some(), "a lease was ended by a follower");
    // An extreme forged sequence harms only its sender.
    cluster.hand_over(2, 1, frame(2, u64::MAX, put_command("last")));
    cluster.settle();
    assert!(cluster.value(3, "last").is_some());
    let (honest, of_the_liar) = (cluster.put(3, "a", "1"), cluster.put(2, "b", "1"));
    cluster.elapse(8 * SECOND);
    assert_eq!(written(&cluster, honest), 3);
    assert_eq!(cluster.reply(of_the_liar), Some(&Err(Error::Timeout)), "too old to tell");
}

#[test]
fn nobody_answers_for_the_leader() {
    let mut cluster = three();
    grant(&mut cluster, 1, 7, 60);
    let ticket = keep_alive(&mut cluster, 2, 7);
    let Message::LeaseAsk { question, .. } = cluster.take(2, 1, "LeaseAsk") else { panic!("a question") };
    cluster.hand_over(3, 2, Message::LeaseAnswer { question, ttl: 1, granted_ttl: 1, applied: 0 });
    assert_eq!(cluster.reply(ticket), None, "n3 was not asked");
    cluster.elapse(SECOND);
    assert_eq!(cluster.reply(ticket), Some(&Ok(Reply::KeptAlive { ttl: 60 })));
}

#[test]
fn the_keys_of_a_lease_are_as_new_as_the_leaders_answer() {
    let mut cluster = three();
    grant(&mut cluster, 1, 7, 60);
    let ask = cluster.request(2, Request::LeaseTimeToLive { lease: 7 });
    cluster.put(1, "before", "");
    let put = PutRequest { key: "k".into(), lease: 7, ..PutRequest::default() };
    cluster.request(1, Request::Write(StoreCommand::Put(put)));
    // The entry reaches n3 and is committed; n2 learns of it last.
    for _ in 0..20 {
        while let Some(place) = cluster.find(1, 3, "Append") {
            cluster.deliver_at(1, 3, place);
        }
        cluster.settle_but(&["Append", "LeaseAsk"]);
    }
    cluster.settle_but(&["Append"]);
    assert_eq!(cluster.reply(ask), None, "n2 knows less than the leader said");
    cluster.elapse(SECOND);
    let Some(Ok(Reply::TimeToLive { granted_ttl: 60, keys, .. })) = cluster.reply(ask) else { panic!("an answer") };
    assert_eq!(*keys, [Bytes::from("k")]);
}

/// An expired lease that is still being removed is waited for, and never resurrected (book/src/etcd.md#6.3).
#[test]
fn a_keep_alive_that_comes_too_late_waits_for_the_removal() {
    for node in [1, 2] {
        let mut cluster = three();
        grant(&mut cluster, 1, 7, 2);
        put_with_lease(&mut cluster, 1, "k", 7);
        cluster.pause(3 * SECOND);
        let ticket = keep_alive(&mut cluster, node, 7);
        cluster.step(1, |_, _| {});
        for _ in 0..10 {
            (2..=3).for_each(|other| {
                cluster.deliver_at(other, 1, 0);
                cluster.deliver_at(1, other, 0);
            });
        }
        assert_eq!(cluster.reply(ticket), None, "n{node}");
        assert!(cluster.value(1, "k").is_some());
        cluster.elapse(2 * SECOND);
        assert_eq!(cluster.reply(ticket), Some(&Ok(Reply::KeptAlive { ttl: 0 })), "n{node}");
        assert_eq!(cluster.value(1, "k"), None);
    }
}

/// The leader's answer may be in flight while the asking node restarts: the next boot asks other questions.
#[test]
fn an_answer_to_a_question_from_before_a_restart_answers_no_other() {
    let mut cluster = three();
    grant(&mut cluster, 1, 7, 60);
    let before = cluster.request(2, Request::LeaseKeepAlive { lease: 7 });
    cluster.settle_but(&["LeaseAnswer"]);
    let late = cluster.take(1, 2, "LeaseAnswer");
    cluster.crash(2);
    cluster.start(2);
    cluster.elapse(SECOND);
    let ticket = keep_alive(&mut cluster, 2, 8);
    cluster.hand_over(1, 2, late);
    assert_eq!(cluster.reply(ticket), None, "the answer is about another lease");
    cluster.settle();
    assert_eq!(cluster.reply(ticket), Some(&Ok(Reply::KeptAlive { ttl: 0 })), "there is no lease 8");
    assert_eq!(cluster.reply(before), None, "the client is gone");
}

/// etcd-io/etcd#15247: a deposed leader must not end a lease to which the next leader has given its full time again.
#[test]
fn a_deposed_leader_ends_no_lease() {
    let mut cluster = three();
    grant(&mut cluster, 1, 7, 2);
    cluster.elapse(SECOND);
    cluster.groups(&[&[1], &[2, 3]]);
    // n1 still believes that it leads, and its proposal to end the lease reaches no other member.
    cluster.pause(Duration::from_millis(1500));
    cluster.fire(1, volvox_replica::Timer::Leases);
    cluster.sync(1);
    assert_eq!(cluster.replica(1).raft().role(), RoleKind::Leader);
    cluster.elapse(Duration::from_millis(1500));
    let renewed = keep_alive(&mut cluster, 2, 7);
    cluster.settle();
    assert_eq!(cluster.reply(renewed), Some(&Ok(Reply::KeptAlive { ttl: 2 })), "the next leader has extended it");
    cluster.cut.clear();
    cluster.elapse(Duration::from_millis(1800));
    assert!(cluster.replica(2).store().view().lease(7).is_some(), "ended early");
    cluster.elapse(2 * SECOND);
    assert!(cluster.replica(2).store().view().lease(7).is_none(), "never ended");
}

#[test]
fn a_lease_that_is_granted_anew_lives_its_whole_time() {
    let mut cluster = three();
    grant(&mut cluster, 1, 7, 2);
    cluster.pause(3 * SECOND);
    // Its time is over. Before the leader looks, a client revokes it and grants it again.
    cluster.request(1, Request::Write(StoreCommand::LeaseRevoke(LeaseRevokeRequest { id: 7 })));
    cluster.request(1, Request::Write(StoreCommand::LeaseGrant(LeaseGrantRequest { ttl: 9, id: 7 })));
    cluster.fire(1, volvox_replica::Timer::Leases);
    cluster.elapse(8 * SECOND);
    assert!(cluster.replica(1).store().view().lease(7).is_some(), "the old lease's end took the new one with it");
    cluster.elapse(2 * SECOND);
    assert!(cluster.replica(1).store().view().lease(7).is_none());
}

/// Of two voters, the one that is removed is needed until consensus counts without it.
#[test]
fn a_removed_member_stops_only_when_it_is_not_needed() {
    for removed in [1, 2] {
        let mut cluster = Cluster::led_by_n1(2, |_| {});
        let ticket = cluster.request(1, Request::Member(MemberRequest::Remove { id: id(removed) }));
        // It stops in the very step in which it learns that it must.
        for _ in 0..2000 {
            if was_removed(&cluster, removed) {
                break;
            }
            cluster.elapse(Duration::from_millis(1));
        }
        assert!(was_removed(&cluster, removed), "n{removed} was never told");
        assert!(matches!(cluster.reply(ticket), Some(Ok(Reply::Members { .. }))));
        cluster.crash(removed);
        let left = 3 - removed;
        cluster.elapse(3 * SECOND);
        let put = cluster.put(left, "a", "1");
        cluster.elapse(SECOND);
        assert_eq!(written(&cluster, put), 2, "n{left} alone");
        // A removed node that is started again has not forgotten it.
        cluster.events.clear();
        cluster.start(removed);
        cluster.elapse(20 * SECOND);
        assert!(was_removed(&cluster, removed), "n{removed} was started again");
    }
}

#[test]
fn a_member_says_its_name_while_clients_keep_it_busy() {
    let mut cluster = Cluster::new(3, |_| {});
    // A write that stays in flight: its frame is lost repeatedly.
    cluster.elect(1);
    cluster.put(2, "a", "1");
    let held = cluster.take(2, 1, "Forward");
    cluster.elapse(SECOND);
    assert!(cluster.replica(1).members().list().iter().all(|member| !member.name.is_empty()), "no member was idle");
    drop(held);
}

#[test]
fn a_snapshot_that_stops_half_way_does_not_stop_checkpoints() {
    let mut cluster = Cluster::led_by_n1(3, |config| {
        // n2 keeps its whole log, n1 truncates it.
        config.checkpoint_log_bytes = if config.name == "n2" { 1 << 40 } else { 2000 };
    });
    cluster.groups(&[&[1, 2], &[3]]);
    for number in 0..40 {
        cluster.put(1, &format!("k{number}"), &"v".repeat(100));
        cluster.elapse(Duration::from_millis(20));
    }
    cluster.cut.clear();
    while cluster.find(1, 3, "Snapshot").is_none() {
        cluster.elapse_but(Duration::from_millis(50), &["Snapshot"]);
    }
    let place = cluster.find(1, 3, "Snapshot").expect("the first part");
    cluster.deliver_at(1, 3, place);
    cluster.crash(1);
    cluster.elapse(4 * SECOND);
    let before = cluster.replica(3).raft().checkpoint_index();
    for number in 0..40 {
        cluster.put(2, &format!("k{number}"), &"w".repeat(100));
        cluster.elapse(Duration::from_millis(20));
    }
    cluster.elapse(SECOND);
    assert!(cluster.replica(3).raft().checkpoint_index() > before, "n3 makes no checkpoints any more");
}

#[test]
fn a_lost_disk_comes_back_as_a_learner_and_votes_again() {
    let mut cluster = three();
    let put = cluster.put(1, "a", "1");
    cluster.settle();
    written(&cluster, put);
    cluster.crash(3);
    cluster.node(3).lose_disk();
    cluster.start(3);
    cluster.elapse(5 * SECOND);
    assert_eq!(cluster.value(3, "a").as_deref(), Some("1"));
    let member = cluster.replica(3).raft().member();
    assert_eq!(member.incarnation, Incarnation(2));
    assert!(cluster.replica(1).raft().configuration().voters.contains(&member));
}

#[test]
fn a_transfer_that_comes_to_nothing_timed_out() {
    let mut cluster = three();
    cluster.groups(&[&[1, 2], &[3]]);
    let ticket = cluster.request(1, Request::MoveLeader { to: id(3) });
    cluster.elapse(SECOND);
    assert_eq!(cluster.reply(ticket), Some(&Err(Error::TransferTimeout)));
    let moved = cluster.request(1, Request::MoveLeader { to: id(2) });
    cluster.elapse(SECOND);
    assert_eq!(cluster.reply(moved), Some(&Ok(Reply::LeaderMoved)));
}

#[test]
fn members_change_only_where_a_quorum_is_there() {
    let mut cluster = three();
    cluster.crash(3);
    cluster.elapse(3 * SECOND);
    let add = |cluster: &mut Cluster, node: u64| {
        let peer_urls = vec!["http://n4:2380".to_string()];
        cluster.request(node, Request::Member(MemberRequest::Add { peer_urls, is_learner: false }))
    };
    for node in [1, 2] {
        let refused = add(&mut cluster, node);
        cluster.elapse(SECOND);
        assert_eq!(cluster.reply(refused), Some(&Err(Error::Unhealthy)), "asked n{node}");
    }
    let live = cluster.request(1, Request::Member(MemberRequest::Remove { id: id(2) }));
    cluster.elapse(SECOND);
    assert_eq!(cluster.reply(live), Some(&Err(Error::Unhealthy)), "n1 would be alone with one that is down");
    let dead = cluster.request(2, Request::Member(MemberRequest::Remove { id: id(3) }));
    cluster.elapse(2 * SECOND);
    assert!(matches!(cluster.reply(dead), Some(Ok(Reply::Members { .. }))), "{:?}", cluster.reply(dead));
    let added = add(&mut cluster, 2);
    cluster.elapse(SECOND);
    let Some(Ok(Reply::Members { added: Some(member), .. })) = cluster.reply(added) else { panic!("added") };
    assert_eq!(member.id, NodeId(4), "ids never return");
    cluster.add(4, config(4), 4);
    cluster.elapse(3 * SECOND);
    assert_eq!(cluster.replica(1).raft().configuration().voters.len(), 3);
}

#[test]
fn who_gives_up_is_not_answered() {
    let mut cluster = three();
    let requests = [
        cluster.put(2, "a", "1"),
        cluster.request(2, Request::Read),
        keep_alive(&mut cluster, 2, 7),
        cluster.request(1, Request::MoveLeader { to: id(3) }),
    ];
    for (ticket, node) in requests.into_iter().zip([2, 2, 2, 1]) {
        cluster.command(node, Command::Forget { ticket });
    }
    cluster.elapse(8 * SECOND);
    for ticket in requests {
        assert_eq!(cluster.reply(ticket), None);
    }
}

#[test]
fn every_request_is_answered_once_when_nobody_leads() {
    let mut cluster = three();
    cluster.crash(1);
    cluster.crash(3);
    let requests = [cluster.put(2, "a", "1"), cluster.request(2, Request::Read), keep_alive(&mut cluster, 2, 7)];
    cluster.elapse(8 * SECOND);
    let answers = requests.map(|ticket| cluster.reply(ticket).cloned());
    let errors = [Error::TimeoutLeaderFailure, Error::Timeout, Error::NoLeader];
    assert_eq!(answers, errors.map(|error| Some(Err(error))));
    assert!(errors.iter().take(2).all(|error| !error.is_definite()));
}

#[test]
fn a_restart_remembers_leases_members_and_what_it_applied() {
    let mut cluster = Cluster::led_by_n1(3, |config| config.checkpoint_log_bytes = 500);
    grant(&mut cluster, 1, 7, 60);
    put_with_lease(&mut cluster, 1, "k", 7);
    for number in 0..30 {
        cluster.put(2, "a", &number.to_string());
        cluster.elapse(Duration::from_millis(20));
    }
    let (revision, members) = (cluster.replica(1).store().revision(), cluster.replica(1).members().clone());
    for node in 1..=3 {
        cluster.crash(node);
    }
    (1..=3).for_each(|node| cluster.start(node));
    cluster.elapse(3 * SECOND);
    for node in 1..=3 {
        let replica = cluster.replica(node);
        assert_eq!((replica.store().revision(), replica.members()), (revision, &members), "n{node}");
        assert_eq!(replica.store().view().lease_keys(7), [Bytes::from("k")]);
    }
    let ticket = cluster.put(3, "b", "1");
    cluster.settle();
    assert!(matches!(cluster.reply(ticket), Some(Ok(Reply::Written(StoreReply::Put(_))))));
}

/// Heartbeats and reads continue while very many keys are deleted; a checkpoint that is made meanwhile does not know of
/// it.
#[test]
fn a_large_delete_is_applied_in_steps() {
    let mut cluster = Cluster::led_by_n1(3, |config| config.checkpoint_log_bytes = 1 << 40);
    for number in 0..9000 {
        cluster.put(1, &format!("k{number:05}"), "v");
        if number % 500 == 0 {
            cluster.settle();
        }
    }
    cluster.elapse(SECOND);
    assert_eq!(cluster.replica(2).store().view().len(), 9000);
    let delete = DeleteRangeRequest { key: "k".into(), range_end: "l".into(), prev_kv: false };
    let ticket = cluster.request(2, Request::Write(StoreCommand::DeleteRange(delete)));
    let steps = |cluster: &Cluster| {
        cluster.trace.iter().filter(|line| line.contains("n2 note an entry applied in steps")).count()
    };
    for _ in 0..1000 {
        if steps(&cluster) > 0 {
            break;
        }
        (1..=3).for_each(|node| cluster.sync(node));
        for (from, to) in [(2, 1), (1, 2), (1, 3), (3, 1)] {
            cluster.deliver_at(from, to, 0);
        }
    }
    assert_eq!(steps(&cluster), 1, "applied in one call");
    // Half done: nothing has changed, for readers and for a restart from here.
    let (applied, revision) = (cluster.replica(2).applied(), cluster.replica(2).store().revision());
    assert!(applied < cluster.replica(2).raft().commit_index());
    assert_eq!((cluster.replica(2).store().view().len(), cluster.reply(ticket)), (9000, None));
    cluster.fire(2, volvox_replica::Timer::Apply);
    assert_eq!((cluster.replica(2).applied(), cluster.replica(2).store().revision()), (applied, revision));
    cluster.crash(2);
    cluster.start(2);
    let put = cluster.put(3, "behind", "");
    cluster.elapse(SECOND);
    assert!(written(&cluster, put) > revision);
    for node in 1..=3 {
        assert_eq!(cluster.replica(node).store().view().len(), 1, "n{node}");
        assert_eq!(cluster.replica(node).store().view().hash_kv(0), cluster.replica(1).store().view().hash_kv(0));
    }
    // A checkpoint made in between restores the state before it.
    assert_eq!(cluster.replica(2).store().revision(), cluster.replica(3).store().revision());
}
