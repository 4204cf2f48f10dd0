//! Lamport and vector clocks (Lamport 1978; Mattern 1988).

use super::{ms, round_trip, watch};
use volvox_clocks::happened_before::{COUNT_MAX, Command, Count, Event, History, Stamp};
use volvox_clocks::lamport::{self, Lamport, Time};
use volvox_clocks::vector::{self, Vector, VectorClock};
use volvox_core::fault::LinkFault;
use volvox_core::{DecodeError, Encode, NodeId, Process, Property, decode_all};
use volvox_sim::{Builder, FaultPlan, FaultWeights, Latency, Network, Simulation, script};

const NODES: u64 = 5;

/// All faults that a network may inflict on messages.
fn bad_network<P: Process + 'static>(builder: Builder<P>) -> Simulation<P> {
    let fault = LinkFault { loss_ppm: 100_000, duplicate_ppm: 100_000, reorder_ppm: 200_000, ..LinkFault::default() };
    let latency = Latency::Uniform(ms(1), ms(20));
    let weights = FaultWeights { pause: 2, ..FaultWeights::NETWORK };
    let (every, lasting) = (Latency::Constant(ms(40)), Latency::Uniform(ms(10), ms(60)));
    let plan = FaultPlan { from: ms(1), until: ms(300), every, lasting, weights, ..FaultPlan::default() };
    builder.network(Network { latency, fault, ordered: false, ..Network::default() }).faults(plan).build()
}

fn told<P: Process<Command = Command, Event = Event<S>> + 'static, S: Stamp>(
    seed: u64,
    config: P::Config,
    properties: &[Property<P, History<S>>],
) -> History<S> {
    let mut sim = bad_network(Builder::<P>::new(seed, NODES, config));
    let mut rng = sim.rng(1);
    for _ in 0..60 {
        let node = NodeId(rng.between(1, NODES));
        let command = if rng.below(4) == 0 { Command::Work } else { Command::TellAny };
        sim.command_after(ms(rng.below(300)), node, command);
    }
    watch(&mut sim, properties, ms(2_000))
}

#[test]
fn the_clock_condition_holds_over_links_that_lose_repeat_and_reorder() {
    for seed in 0..30 {
        let history = told::<Lamport, Time>(seed, lamport::Config::default(), &lamport::properties());
        assert!(history.events().count() > 60, "seed {seed}: nothing was heard");
        // Lamport 1978: concurrent events are ordered nevertheless, and the stamps cannot tell.
        assert!(history.concurrent().iter().any(|(one, other)| one.count != other.count), "seed {seed}");
    }
}

#[test]
fn vectors_say_before_after_and_neither_exactly() {
    for seed in 0..30 {
        let history = told::<VectorClock, Vector>(seed, vector::Config::default(), &vector::properties());
        let concurrent = history.concurrent();
        assert!(!concurrent.is_empty(), "seed {seed}");
        assert!(concurrent.iter().all(|(one, other)| !one.precedes(other) && !other.precedes(one)), "seed {seed}");
    }
}

#[test]
fn golden_scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts");
    script::check_folder::<Lamport>(format!("{folder}/lamport"), |_, _| lamport::Config::default());
    script::check_folder::<VectorClock>(format!("{folder}/vector"), |_, _| vector::Config::default());
}

#[test]
fn messages_and_commands_come_back_and_hostile_bytes_are_refused() {
    round_trip(&lamport::Message { number: 3, count: Count(300) });
    round_trip(&vector::Message { number: 3, vector: Vector(vec![1, 300, 0]) });
    for command in [Command::Work, Command::TellAny, Command::Tell(NodeId(12))] {
        assert_eq!(command.to_string().parse(), Ok(command));
    }
    for text in ["", "tell x", "work n1", "tell n1 n2", "play"] {
        assert!(text.parse::<Command>().is_err(), "{text:?}");
    }
}

/// A peer that lies about its count can neither overflow ours nor give us a vector of another length.
#[test]
fn what_no_process_reaches_by_counting_is_not_believed() {
    use volvox_core::{Context, Environment, Incarnation, Position, Rng};
    let message = |count| lamport::Message { number: 1, count: Count(count) };
    assert_eq!(decode_all(&message(COUNT_MAX).to_bytes()), Ok(message(COUNT_MAX)));
    for count in [COUNT_MAX + 1, u64::MAX] {
        let refused = decode_all::<lamport::Message>(&message(count).to_bytes());
        assert_eq!(refused, Err(DecodeError::Invalid("count of events")));
    }
    let members = [NodeId(1), NodeId(2)];
    let mut environment = Environment::new(NodeId(1), Incarnation(1), Position::NONE, &Rng::new(1));
    let mut node = Lamport::new(NodeId(1), &members, &lamport::Config::default());
    let mut effects = Vec::new();
    node.on_message(NodeId(9), message(5), &mut Context::new(&mut environment, &mut effects));
    assert_eq!(node.clock(), 0, "not from a member");

    let mut node = VectorClock::new(NodeId(1), &members, &vector::Config::default());
    let mut effects = Vec::new();
    for (from, counts) in [(2, vec![0, u64::MAX]), (2, vec![1, 1, 1]), (2, vec![]), (9, vec![1, 1])] {
        let message = vector::Message { number: 1, vector: Vector(counts) };
        node.on_message(NodeId(from), message, &mut Context::new(&mut environment, &mut effects));
    }
    assert_eq!(node.vector(), &Vector(vec![0, 0]));
}
