//! Sentences of *Paxos Made Simple*, each with its section.

use volvox_core::{Duration, NodeId};
use volvox_paxos::single::{Ballot, Command, Config, Event, Learning, Message, Paxos, Rule, Value};
use volvox_sim::bench::Bench;
use volvox_sim::{Builder, Happening, Latency, Simulation, Stop};

fn ms(span: u64) -> Duration {
    Duration::from_millis(span)
}

fn cluster(nodes: u64, config: Config) -> Simulation<Paxos> {
    let sim = Builder::new(1, nodes, config).latency(Latency::Constant(ms(1))).sync(Latency::Constant(Duration::ZERO));
    let mut sim = sim.build();
    assert_eq!(sim.run_for(ms(1)), Stop::Deadline);
    sim
}

fn chosen(sim: &Simulation<Paxos>) -> Vec<Option<Value>> {
    sim.live().map(|(_, node)| node.chosen()).collect()
}

/// 2.1: a value is chosen even if only one value is proposed by a single proposer.
#[test]
fn a_lone_proposal_is_chosen() {
    for learning in [Learning::Proposer, Learning::All] {
        let mut sim = cluster(5, Config { learning, ..Config::default() });
        sim.command(NodeId(4), Command::Propose(Value(7)));
        assert_eq!(sim.run_until(ms(1_000), |sim| !chosen(sim).contains(&None)), Stop::Done);
        assert_eq!(chosen(&sim), [Some(Value(7)); 5]);
    }
}

/// 2.2: a majority of the acceptors is necessary and sufficient.
#[test]
fn a_minority_chooses_nothing() {
    let mut sim = cluster(5, Config::default());
    for text in ["crash 4", "crash 5", "partition 1,2|3"] {
        sim.apply_fault(&text.parse().expect("a fault"));
    }
    sim.command(NodeId(1), Command::Propose(Value(7)));
    assert_eq!(sim.run_for(ms(2_000)), Stop::Deadline);
    assert_eq!(chosen(&sim), [None; 3]);
    sim.apply_fault(&"heal".parse().expect("a fault"));
    assert_eq!(sim.run_until(ms(1_000), |sim| !chosen(sim).contains(&None)), Stop::Done);
}

/// 2.3: a learner that wants to know has a proposal issued, and this proposes nothing new.
#[test]
fn who_asks_learns_what_was_chosen_and_nothing_when_nothing_was() {
    let mut sim = cluster(3, Config::default());
    sim.command(NodeId(2), Command::Learn);
    assert_eq!(sim.run_for(ms(500)), Stop::Deadline);
    assert_eq!((chosen(&sim), sim.statistics().notes.of("nothing was chosen yet")), (vec![None; 3], 1));
    sim.apply_fault(&"crash 3".parse().expect("a fault"));
    sim.command(NodeId(1), Command::Propose(Value(7)));
    assert_eq!(sim.run_for(ms(500)), Stop::Deadline);
    sim.apply_fault(&"start 3".parse().expect("a fault"));
    sim.command(NodeId(3), Command::Learn);
    assert_eq!(sim.run_for(ms(500)), Stop::Deadline);
    assert_eq!(chosen(&sim), [Some(Value(7)); 3]);
}

/// 2.3 and 2.4: with a distinguished proposer, a learner has *it* issue the proposal, and begins no ballot of its own.
#[test]
fn a_learner_asks_the_distinguished_proposer() {
    let mut sim = cluster(3, Config { distinguished: Some(NodeId(1)), ..Config::default() });
    sim.apply_fault(&"crash 3".parse().expect("a fault"));
    sim.command(NodeId(1), Command::Propose(Value(7)));
    assert_eq!(sim.run_for(ms(500)), Stop::Deadline);
    sim.apply_fault(&"start 3".parse().expect("a fault"));
    // The first request is lost.
    sim.apply_fault(&"partition 1,2|3".parse().expect("a fault"));
    sim.command(NodeId(3), Command::Learn);
    sim.fault_after(ms(10), "heal".parse().expect("a fault"));
    let before = sim.statistics().kinds.of("Prepare");
    assert_eq!(sim.run_until(ms(500), |sim| !chosen(sim).contains(&None)), Stop::Done);
    assert_eq!((chosen(&sim), sim.statistics().kinds.of("Prepare")), (vec![Some(Value(7)); 3], before));
    assert!(sim.statistics().kinds.of("Inquire") > 0);
}

/// 2.2: an acceptor refuses a ballot for a newer one only. It ignores a copy of a request that it has answered.
#[test]
fn a_copy_of_a_prepare_is_ignored() {
    let mut acceptor: Bench<Paxos> = Bench::new(2, 3, &Config::default());
    let prepare = |round, node| Message::Prepare(Ballot { round, node: NodeId(node) });
    assert_eq!(acceptor.message(1, prepare(1, 1)), ["persist promised 1.1", "-> n1 Promise 1.1"]);
    assert_eq!(acceptor.message(1, prepare(1, 1)), ["note ignored: promised already 1"]);
    assert_eq!(acceptor.message(3, prepare(1, 3)), ["persist promised 1.3", "-> n3 Promise 1.3"]);
    assert_eq!(acceptor.message(1, prepare(1, 1)), ["-> n1 Refused 1.1 for 1.3"]);
}

/// 2.4: proposers that pre-empt one another make no progress. Without a pause after a refusal a decision takes many more
/// ballots than with one. (That it may take forever is a model of the laboratory: a run that repeats itself.)
#[test]
fn a_pause_ends_duels() {
    let ballots = |without: Option<Rule>| -> u64 {
        let run = |seed| {
            let latency = Latency::Uniform(ms(1), ms(5));
            let mut sim: Simulation<Paxos> =
                Builder::new(seed, 5, Config { without, ..Config::default() }).latency(latency).build();
            assert_eq!(sim.run_for(ms(1)), Stop::Deadline);
            for node in 1..=5 {
                sim.command(NodeId(node), Command::Propose(Value(node)));
            }
            let stop = sim.run_until(ms(60_000), |sim| chosen(sim).iter().any(Option::is_some));
            assert_eq!(stop, Stop::Done, "seed {seed}");
            sim.statistics().kinds.of("Prepare") / 4
        };
        (0..50).map(run).sum()
    };
    let (with, without) = (ballots(None), ballots(Some(Rule::Backoff)));
    println!("{with} ballots with a pause, {without} without, in 50 runs");
    assert!(without > 2 * with, "{with} ballots with a pause, {without} without, in 50 runs");
}

/// 2.4: a distinguished proposer ends the duel; the others ask it, and ask again when a request is lost.
#[test]
fn a_distinguished_proposer_proposes_for_all() {
    let mut sim = cluster(3, Config { distinguished: Some(NodeId(1)), ..Config::default() });
    sim.apply_fault(&"partition 1|2,3".parse().expect("a fault"));
    sim.command(NodeId(3), Command::Propose(Value(3)));
    sim.command(NodeId(2), Command::Propose(Value(2)));
    sim.fault_after(ms(300), "heal".parse().expect("a fault"));
    assert_eq!(sim.run_until(ms(2_000), |sim| !chosen(sim).contains(&None)), Stop::Done);
    assert_eq!(sim.statistics().kinds.of("Refused"), 0);
    assert!(sim.statistics().kinds.of("Request") >= 3);
    let told = sim.happened().filter(|one| matches!(one.what, Happening::Event(Event::Chosen(_)))).count();
    assert_eq!(told, 3);
}
