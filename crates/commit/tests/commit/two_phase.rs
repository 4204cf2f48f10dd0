//! Bernstein, Hadzilacos, Goodman 1987, section 7.4; Gray and Lamport 2006, section 3.2; and recovery.

use volvox_commit::transaction::{Command, Content, Decision, History, Outcome, Transaction, Vote};
use volvox_commit::two_phase::{Config, Message, Record, Rule, Timer, TwoPhase, properties};
use volvox_core::fault::LinkFault;
use volvox_core::{Boot, NodeId, Position, Process, Restored, Serial};
use volvox_sim::bench::{Bench, check_codec, judge, ms};
use volvox_sim::restarts::Restarts;
use volvox_sim::script::Order;
use volvox_sim::{Builder, FaultPlan, FaultWeights, Latency, run_seed};

const FIRST: Transaction = Transaction { origin: NodeId(1), number: Serial::first_boot(1) };
const REQUEST: Message = Message::VoteReq(FIRST, NONE);
const NONE: Content = Content(0);
const YES: Message = Message::Vote(FIRST, Vote::Yes);
const NO: Message = Message::Vote(FIRST, Vote::No);
const COMMIT: Message = Message::Decision(FIRST, Decision::Commit);
const ABORT: Message = Message::Decision(FIRST, Decision::Abort);

fn bench(id: u64) -> Bench<TwoPhase> {
    Bench::new(id, 3, &Config::default())
}

/// A node that restarts with these records.
fn restored(id: u64, records: &[Record]) -> Bench<TwoPhase> {
    let mut process = TwoPhase::new(NodeId(id), &[NodeId(1), NodeId(2), NodeId(3)], &Config::default());
    for (position, record) in (1..).zip(records) {
        process.on_restore(Restored::Record { position: Position(position), record: *record });
    }
    Bench::restart(process, id, Boot(2))
}

fn begun() -> Bench<TwoPhase> {
    let mut n1 = bench(1);
    let told = n1.command(Command::Begin);
    assert_eq!(told[..4], ["persist begun 1.1", "event begun 1.1 of 2", "-> n2 Vote-req 1.1", "-> n3 Vote-req 1.1"]);
    n1
}

/// 7.4, steps 1 and 3: commit when all have voted yes, and persist it first.
#[test]
fn the_coordinator_commits_when_all_have_voted_yes() {
    let mut n1 = begun();
    assert!(n1.message(2, YES).is_empty());
    assert!(n1.message(2, YES).is_empty(), "two votes of one participant are one");
    let told = n1.message(3, YES);
    assert_eq!(told[0], "persist committed 1.1");
    assert_eq!(told[2..5], ["event decided commit 1.1", "-> n2 Commit 1.1", "-> n3 Commit 1.1"]);
    assert!(n1.message(2, Message::Ack(FIRST)).is_empty());
    assert_eq!(n1.message(3, Message::Ack(FIRST))[0], "persist ended 1.1");
    assert_eq!(n1.process.coordinating().count(), 0);
}

/// 7.4, step 3: a no makes further votes unnecessary, and the participant that sent it needs no answer.
#[test]
fn one_no_aborts_and_so_does_silence() {
    let mut n1 = begun();
    assert_eq!(n1.message(3, NO)[1..], ["event decided abort 1.1", "-> n2 Abort 1.1"]);
    assert_eq!(n1.message(2, YES), ["note a vote that decides nothing 2"]);
    let mut n1 = begun();
    assert_eq!(n1.timer(Timer::Votes(FIRST))[1..], ["event decided abort 1.1", "-> n2 Abort 1.1", "-> n3 Abort 1.1"]);
}

/// 7.4, steps 2 and 4: persisted before it is sent.
#[test]
fn a_participant_writes_before_it_votes_and_before_it_acknowledges() {
    let mut n2 = bench(2);
    let voted = n2.message(1, REQUEST);
    assert_eq!(voted[..3], ["persist prepared 1.1", "event voted yes 1.1", "-> n1 Yes 1.1"]);
    assert_eq!(n2.process.uncertain().collect::<Vec<_>>(), [FIRST]);
    let decided = n2.message(1, COMMIT);
    assert_eq!(decided[0], "persist decided commit 1.1");
    assert_eq!(decided[2..], ["event decided commit 1.1", "-> n1 Ack 1.1"]);
    assert_eq!(n2.message(1, COMMIT), ["-> n1 Ack 1.1"], "a coordinator that repeats missed the acknowledgement");
    assert!(n2.message(1, ABORT).is_empty(), "a decision is final");
    assert_eq!(n2.process.decision(FIRST), Some(Decision::Commit));
}

/// 7.4: a participant that has not voted may abort, and then never votes yes.
#[test]
fn cooperative_termination() {
    let mut n2 = bench(2);
    assert_eq!(n2.message(3, Message::DecisionReq(FIRST)).last().map(String::as_str), Some("-> n3 Abort 1.1"));
    assert_eq!(n2.message(1, REQUEST), ["-> n1 No 1.1"]);
    let mut n3 = bench(3);
    let _ = n3.message(1, REQUEST);
    assert_eq!(n3.message(2, Message::DecisionReq(FIRST)), ["note uncertain itself 2"]);
    let asked = n3.timer(Timer::Decision(FIRST));
    assert_eq!(asked[..2], ["-> n1 Decision-req 1.1", "-> n2 Decision-req 1.1"]);
    assert_eq!(n3.message(2, COMMIT).last().map(String::as_str), Some("event decided commit 1.1"));
    assert_eq!(n3.message(2, Message::DecisionReq(FIRST)), ["-> n2 Commit 1.1"]);
    let mut n1 = begun();
    assert!(n1.message(2, Message::DecisionReq(FIRST)).is_empty(), "it does not know yet");
}

/// The table of the header.
#[test]
fn the_log_says_what_to_do_after_a_crash() {
    let mut presumed = restored(1, &[Record::Begun(FIRST)]);
    assert_eq!(presumed.message(2, Message::DecisionReq(FIRST)), ["-> n2 Abort 1.1"]);
    assert_eq!(presumed.command(Command::Begin)[0], "persist begun 1.2.1", "a name is given once");
    let mut committed = restored(1, &[Record::Begun(FIRST), Record::Committed(FIRST, NONE)]);
    assert_eq!(committed.message(2, Message::DecisionReq(FIRST)), ["-> n2 Commit 1.1"]);
    assert_eq!(committed.timer(Timer::Acks(FIRST))[..2], ["-> n2 Commit 1.1", "-> n3 Commit 1.1"]);
    let ended = restored(1, &[Record::Begun(FIRST), Record::Committed(FIRST, NONE), Record::Ended(FIRST)]);
    assert_eq!(ended.process.coordinating().count(), 0);
    let mut prepared = restored(2, &[Record::Prepared(FIRST, NONE)]);
    assert_eq!(prepared.message(1, REQUEST), ["-> n1 Yes 1.1"], "it keeps its promise");
    assert_eq!(prepared.timer(Timer::Decision(FIRST))[0], "-> n1 Decision-req 1.1");
    let decided = restored(2, &[Record::Prepared(FIRST, NONE), Record::Decided(FIRST, Decision::Commit)]);
    assert_eq!(decided.process.decision(FIRST), Some(Decision::Commit));
}

/// Gray and Lamport 2006, 3.2. Asked about a transaction whose first message it has not seen, the coordinator refuses
/// it for good.
#[test]
fn a_participant_may_begin() {
    let second = Transaction { origin: NodeId(2), number: Serial::first_boot(1) };
    let mut n2 = bench(2);
    assert_eq!(n2.command(Command::Begin)[..3], ["persist prepared 2.1", "event voted yes 2.1", "-> n1 Begin 2.1"]);
    let mut n1 = bench(1);
    assert_eq!(n1.message(2, Message::Begin(second, Content(5)))[2], "-> n3 Vote-req 2.1 (5)");
    let mut late = bench(1);
    assert_eq!(late.message(2, Message::DecisionReq(second)), ["persist begun 2.1", "-> n2 Abort 2.1"]);
    let too_late = ["note already begun, or too late to begin 2"];
    assert_eq!(late.message(2, Message::Begin(second, NONE)), too_late);
    assert_eq!(bench(1).message(3, Message::Begin(second, NONE)), ["note already begun, or too late to begin 3"]);
}

#[test]
fn strangers_are_not_heard_and_tables_are_bounded() {
    let mut n1 = begun();
    assert_eq!(n1.message(9, YES), ["note from or about an unknown node 9"]);
    for _ in 0..70 {
        let _ = n1.command(Command::Begin);
    }
    assert_eq!(n1.process.coordinating().count(), 64);
    let mut n2 = bench(2);
    for number in 1..3_000 {
        let transaction = Transaction { origin: NodeId(1), number: Serial::first_boot(number) };
        let _ = n2.message(1, Message::Decision(transaction, Decision::Abort));
    }
    assert_eq!(n2.process.decision(FIRST), None);
    let long_ago = Transaction { origin: NodeId(1), number: Serial::first_boot(7) };
    assert_eq!(n2.message(1, Message::VoteReq(long_ago, NONE)), ["-> n1 No 1.7"]);
    assert_eq!(n2.message(3, Message::DecisionReq(long_ago)), ["note asked about a discarded transaction 3"]);
}

#[test]
fn messages_and_records_come_back() {
    check_codec(&[REQUEST, Message::VoteReq(FIRST, Content(300)), Message::Begin(FIRST, Content(u64::MAX))]);
    check_codec(&[YES, NO, COMMIT, ABORT, Message::DecisionReq(FIRST), Message::Ack(FIRST)]);
    check_codec(&[
        Record::Begun(FIRST),
        Record::Committed(FIRST, NONE),
        Record::Ended(FIRST),
        Record::Prepared(FIRST, NONE),
        Record::Decided(FIRST, Decision::Abort),
    ]);
}

/// Links lose, duplicate and reorder messages, nodes pause and crash, even all at once. When all are back, no node is
/// uncertain.
#[test]
fn all_that_decide_decide_the_same_and_nobody_waits_for_ever() {
    let plan = FaultPlan {
        weights: FaultWeights { crash: 8, crash_all: 1, pause: 2, disk_slow: 1, ..FaultWeights::NETWORK },
        link: LinkFault { duplicate_ppm: 200_000, reorder_ppm: 200_000, ..FaultPlan::default().link },
        down_max: Some(3),
        every: Latency::Exponential { minimum: ms(1), mean: ms(80) },
        lasting: Latency::Exponential { minimum: ms(1), mean: ms(150) },
        from: ms(0),
        until: ms(3_000),
        ..FaultPlan::default()
    };
    let (mut commits, mut aborts) = (0, 0);
    for (seed, is_colocated) in (0..40).zip([false, true].into_iter().cycle()) {
        let outcome = run_seed("cargo test -p volvox-commit two_phase", seed, 80, |seed, ring| {
            let config = Config { is_colocated, ..Config::default() };
            let mut sim = Builder::<TwoPhase>::new(seed, 4, config).faults(plan.clone()).trace(ring).build();
            let mut rng = sim.rng(0);
            for at in 0..60 {
                let begin = Command::BeginWith(Content(at + 1));
                sim.command_after(ms(at * 50), NodeId(rng.between(1, 4)), begin);
            }
            for _ in 0..15 {
                sim.command_after(ms(rng.below(3_000)), NodeId(rng.between(2, 4)), Command::Refuse);
            }
            let mut history = History::default();
            let always: Vec<_> = properties().into_iter().filter(|one| one.when == volvox_core::When::Always).collect();
            judge(&mut sim, &mut history, &always, ms(3_500))?;
            sim.revive();
            judge(&mut sim, &mut history, &properties(), ms(5_000))?;
            match sim.live().find(|(_, node)| node.coordinating().next().is_some()) {
                Some((id, node)) => Err(format!("{id} still waits: {:?}", node.coordinating().collect::<Vec<_>>())),
                None => Ok(history),
            }
        });
        let history = outcome.unwrap_or_else(|failure| panic!("{failure}"));
        let ended =
            |wanted| history.iter().filter(|(_, one)| one.decisions.values().any(|made| *made == wanted)).count();
        (commits, aborts) = (commits + ended(Decision::Commit), aborts + ended(Decision::Abort));
    }
    assert!(commits > 300 && aborts > 300, "{commits} commits, {aborts} aborts");
}

/// A participant that is bound to a transaction may vote yes again: the same name is the same content.
#[test]
fn a_coordinator_that_lost_a_name_does_not_give_it_again() {
    let mut n2 = bench(2);
    let voted = n2.message(1, Message::VoteReq(FIRST, Content(1)));
    assert_eq!(voted[..3], ["persist prepared 1.1 (1)", "event voted yes 1.1 (1)", "-> n1 Yes 1.1"]);
    // The coordinator's disk holds nothing of the first transaction.
    let begins = restored(1, &[]).command(Command::BeginWith(Content(2)));
    assert_eq!(begins[2], "-> n2 Vote-req 1.2.1 (2)");
    let config = Config { without: Some(Rule::Unique), ..Config::default() };
    let careless = TwoPhase::new(NodeId(1), &[NodeId(1), NodeId(2), NodeId(3)], &config);
    let begins = Bench::restart(careless, 1, Boot(2)).command(Command::BeginWith(Content(2)));
    assert_eq!(begins[2], "-> n2 Vote-req 1.1 (2)");
    assert_eq!(n2.message(1, Message::VoteReq(FIRST, Content(2))), ["-> n1 Yes 1.1"]);
}

#[test]
fn a_coordinator_that_restarts_amid_a_vote_does_not_count_it_for_another_transaction() {
    let begin = |node, content| (NodeId(node), Command::BeginWith(Content(content)));
    let commands = [begin(1, 1), begin(1, 2), begin(1, 3), begin(2, 4), begin(3, 5), (NodeId(3), Command::Refuse)];
    let restarts = Restarts { nodes: 3, order: Order::Free, commands: &commands, steps: 400 };
    let run = |seed, without| {
        let config = Config { without, ..Config::default() };
        restarts.run::<TwoPhase, History>(seed, move |_, _| config, &properties())
    };
    let (mut amid, mut commits) = (0, 0);
    for seed in 0..200 {
        let outcome = run(seed, None).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
        let committed = |outcome: &Outcome| outcome.decisions.values().any(|made| *made == Decision::Commit);
        amid += outcome.amid_a_question;
        commits += outcome.history.iter().filter(|(_, outcome)| committed(outcome)).count();
    }
    assert!(amid > 200 && commits > 200, "{amid} restarts amid a question, {commits} commits");
    let broken = |seed| run(seed, Some(Rule::Unique)).is_err_and(|wrong| wrong.starts_with("agreement on the content"));
    assert!((0..200).any(broken), "the content of a transaction is agreed upon without names that are given once");
}

#[test]
fn scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/two-phase");
    volvox_sim::script::check_folder::<TwoPhase>(folder, |_, _| Config::default());
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/two-phase-without-unique");
    let config = Config { without: Some(Rule::Unique), ..Config::default() };
    volvox_sim::script::check_folder::<TwoPhase>(folder, move |_, _| config);
}
