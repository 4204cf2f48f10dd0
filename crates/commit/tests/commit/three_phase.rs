//! Bernstein, Hadzilacos, Goodman 1987, section 7.5.

use volvox_commit::three_phase::{Config, History, Message, Phase, Record, ThreePhase, Timer, properties};
use volvox_commit::transaction::{Command, Content, Decision, Transaction, Vote};
use volvox_core::{NodeId, Position, Process, Restored, Serial};
use volvox_sim::bench::{Bench, check_codec, judge, ms};
use volvox_sim::{Builder, FaultPlan, FaultWeights, Latency, run_seed};

const FIRST: Transaction = Transaction { origin: NodeId(1), number: Serial::first_boot(1) };
const REQUEST: Message = Message::VoteReq(FIRST, Content(0));
const YES: Message = Message::Vote(FIRST, Vote::Yes);

fn bench(id: u64) -> Bench<ThreePhase> {
    Bench::new(id, 4, &Config::default())
}

/// A participant that has voted yes.
fn voted(id: u64) -> Bench<ThreePhase> {
    let mut bench = bench(id);
    let told = bench.message(1, REQUEST);
    assert_eq!(told[..3], ["persist entered 1.1", "event voted yes 1.1", "-> n1 Yes 1.1"]);
    bench
}

/// A node that restarts after it entered.
fn restored(id: u64) -> Bench<ThreePhase> {
    let members: Vec<NodeId> = (1..=4).map(NodeId).collect();
    let mut process = ThreePhase::new(NodeId(id), &members, &Config::default());
    process.on_restore(Restored::Record { position: Position(1), record: Record::Entered(FIRST, Content(0)) });
    Bench::start(process, id)
}

fn last(told: &[String]) -> &str {
    told.last().map_or("", String::as_str)
}

/// The three phases.
#[test]
fn all_know_that_all_voted_yes_before_any_commits() {
    let mut n1 = bench(1);
    assert_eq!(n1.command(Command::Begin)[2..5], ["-> n2 Vote-req 1.1", "-> n3 Vote-req 1.1", "-> n4 Vote-req 1.1"]);
    assert!(n1.message(2, YES).is_empty() && n1.message(3, YES).is_empty());
    assert_eq!(n1.message(4, YES)[..3], ["-> n2 Pre-commit 1.1", "-> n3 Pre-commit 1.1", "-> n4 Pre-commit 1.1"]);
    assert!(n1.message(2, Message::Ack(FIRST)).is_empty() && n1.message(3, Message::Ack(FIRST)).is_empty());
    let told = n1.message(4, Message::Ack(FIRST));
    assert_eq!((told[0].as_str(), last(&told)), ("persist decided commit 1.1", "-> n4 Commit 1.1"));
}

/// A silent node is dead: a missing vote aborts, a missing acknowledgement does not matter.
#[test]
fn silence_of_a_participant() {
    let mut n1 = bench(1);
    let _ = n1.command(Command::Begin);
    assert_eq!(last(&n1.timer(Timer::Answers(FIRST))), "-> n4 Abort 1.1");
    let mut n1 = bench(1);
    let _ = (n1.command(Command::Begin), n1.message(2, YES), n1.message(3, YES), n1.message(4, YES));
    assert_eq!(last(&n1.timer(Timer::Answers(FIRST))), "-> n4 Commit 1.1");
}

/// TR1 to TR4.
#[test]
fn a_new_coordinator_decides_by_what_it_finds() {
    let find = |phase| {
        let mut n2 = voted(2);
        assert_eq!(n2.timer(Timer::Silence(FIRST))[1..3], ["-> n3 State-req 1.1", "-> n4 State-req 1.1"]);
        assert!(n2.message(3, Message::State(FIRST, Phase::Uncertain)).is_empty());
        n2.message(4, Message::State(FIRST, phase))
    };
    assert_eq!(last(&find(Phase::Decided(Decision::Abort))), "-> n4 Abort 1.1");
    assert_eq!(last(&find(Phase::Decided(Decision::Commit))), "-> n4 Commit 1.1");
    assert_eq!(last(&find(Phase::Uncertain)), "-> n4 Abort 1.1");
    assert_eq!(find(Phase::PreCommitted)[0], "-> n3 Pre-commit 1.1", "the uncertain first, and they alone");
}

/// The election: by id, and a node that is asked to coordinate answers at once when it knows the outcome.
#[test]
fn the_next_by_id_is_elected() {
    let mut n4 = voted(4);
    assert_eq!(n4.timer(Timer::Silence(FIRST))[0], "-> n2 Elect 1.1");
    assert_eq!(n4.timer(Timer::Silence(FIRST))[0], "-> n3 Elect 1.1");
    assert_eq!(n4.message(2, Message::StateReq(FIRST)), ["note does not serve this one 2"], "n2 is dead to it");
    assert_eq!(n4.message(3, Message::StateReq(FIRST))[0], "-> n3 State 1.1 uncertain");
    let alone = n4.timer(Timer::Silence(FIRST));
    assert_eq!(last(&alone), "event decided abort 1.1", "{alone:?}");
    let mut n2 = voted(2);
    assert_eq!(n2.message(4, Message::Elect(FIRST))[1], "-> n3 State-req 1.1");
    assert_eq!(n2.message(3, Message::Elect(FIRST)), ["note already elected, or too late 3"]);
    let mut ended = voted(2);
    let _ = ended.message(1, Message::Decision(FIRST, Decision::Commit));
    assert_eq!(ended.message(4, Message::Elect(FIRST)), ["-> n4 Commit 1.1"]);
    let mut unasked = bench(2);
    assert_eq!(last(&unasked.message(4, Message::Elect(FIRST))), "-> n4 Abort 1.1", "it has not voted");
    assert_eq!(unasked.message(1, REQUEST), ["note asked for a vote too late 1"]);
}

/// A restarted node does not answer about what it missed; if all restarted, and none has decided, nothing was
/// announced.
#[test]
fn recovery_and_total_failure() {
    let mut n3 = restored(3);
    assert_eq!(n3.message(2, Message::StateReq(FIRST)), ["note does not serve this one 2"]);
    assert_eq!(n3.message(2, Message::Elect(FIRST)), ["note was dead, and takes no part 2"]);
    assert_eq!(n3.message(2, Message::DecisionReq(FIRST)), ["-> n2 Recovering 1.1"]);
    assert!(n3.message(1, Message::Recovering(FIRST)).is_empty());
    assert!(n3.message(2, Message::Recovering(FIRST)).is_empty());
    assert_eq!(last(&n3.message(4, Message::Recovering(FIRST))), "event decided abort 1.1");
    let mut heard = restored(3);
    assert_eq!(last(&heard.message(4, Message::Decision(FIRST, Decision::Commit))), "event decided commit 1.1");
}

#[test]
fn strangers_are_not_heard_and_tables_are_bounded() {
    let mut n2 = bench(2);
    assert_eq!(n2.message(9, REQUEST), ["note ignored: from or about an unknown node 9"]);
    for number in 1..3_000 {
        let transaction = Transaction { origin: NodeId(1), number: Serial::first_boot(number) };
        let _ = n2.message(1, Message::Decision(transaction, Decision::Abort));
    }
    assert_eq!(n2.process.phase(FIRST), None);
    assert_eq!(n2.message(1, REQUEST), ["note ignored: about a discarded transaction 1"]);
}

#[test]
fn messages_and_records_come_back() {
    check_codec(&[
        REQUEST,
        YES,
        Message::PreCommit(FIRST),
        Message::Ack(FIRST),
        Message::Decision(FIRST, Decision::Commit),
        Message::Elect(FIRST),
        Message::StateReq(FIRST),
        Message::State(FIRST, Phase::PreCommitted),
        Message::DecisionReq(FIRST),
        Message::Recovering(FIRST),
    ]);
    check_codec(&[Record::Entered(FIRST, Content(0)), Record::Decided(FIRST, Decision::Commit)]);
}

/// Nodes crash and restart, even all of them; messages arrive in time.
#[test]
fn all_that_decide_decide_the_same_whoever_dies() {
    let plan = FaultPlan {
        weights: FaultWeights { crash: 8, crash_all: 1, ..FaultWeights::NONE },
        down_max: Some(3),
        every: Latency::Exponential { minimum: ms(1), mean: ms(250) },
        lasting: Latency::Exponential { minimum: ms(1), mean: ms(200) },
        from: ms(0),
        until: ms(3_000),
        ..FaultPlan::default()
    };
    let (mut commits, mut aborts) = (0, 0);
    for seed in 0..40 {
        let outcome = run_seed("cargo test -p volvox-commit three_phase", seed, 80, |seed, ring| {
            let builder = Builder::<ThreePhase>::new(seed, 4, Config { delay: ms(6), ..Config::default() });
            let mut sim = builder.faults(plan.clone()).trace(ring).build();
            let mut rng = sim.rng(0);
            for at in 0..60 {
                sim.command_after(ms(at * 50), NodeId(1), Command::Begin);
            }
            for _ in 0..10 {
                sim.command_after(ms(rng.below(3_000)), NodeId(rng.between(2, 4)), Command::Refuse);
            }
            let mut history = History::default();
            let always: Vec<_> = properties().into_iter().filter(|one| one.when == volvox_core::When::Always).collect();
            judge(&mut sim, &mut history, &always, ms(3_500))?;
            sim.revive();
            judge(&mut sim, &mut history, &properties(), ms(5_000))?;
            Ok(history)
        });
        let history = outcome.unwrap_or_else(|failure| panic!("{failure}"));
        let ended =
            |wanted| history.iter().filter(|(_, one)| one.decisions.values().any(|made| *made == wanted)).count();
        (commits, aborts) = (commits + ended(Decision::Commit), aborts + ended(Decision::Abort));
    }
    assert!(commits > 300 && aborts > 300, "{commits} commits, {aborts} aborts");
}

#[test]
fn scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/three-phase");
    volvox_sim::script::check_folder::<ThreePhase>(folder, |_, _| Config::default());
}
