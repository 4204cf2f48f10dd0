//! The worlds that the models of Paxos explore.

use volvox_core::NodeId;
use volvox_lab::check::{Checker, Durability, Network, System, View};
use volvox_lab::model::{Explored, explore, hold};
use volvox_paxos::single::{self as protocol, Command, Config, History, Value};

/// Processes, and what they proposed and learned.
pub(super) type World_ = System<protocol::Paxos, History>;

/// Nodes 1 and 2 propose different values, and timers fire this many times in total, at any moment.
fn configured(nodes: u64, config: Config, retries: u32) -> World_ {
    World_::with_history(nodes, config)
        .timer_budget(|_| true, retries)
        .command(NodeId(1), Command::Propose(Value(1)), 1)
        .command(NodeId(2), Command::Propose(Value(2)), 1)
}

/// The safety properties; some value must be chosen somewhere.
pub(super) fn safe(world: &World_) -> Explored {
    let checker = hold(Checker::new(world), &protocol::properties())
        .reachable("a value is chosen", |world, state| !world.view(state).history().chosen.is_empty());
    explore(world, checker)
}

/// Only n1 begins ballots, and two processes propose.
pub(super) fn decides(retries: u32, network: Network) -> Explored {
    let config = Config { distinguished: Some(NodeId(1)), ..Config::default() };
    let world = configured(3, config, retries).network(network);
    explore(&world, terminates(&world, NodeId(1)))
}

/// The properties, and that what this process proposes is decided in every fair run.
fn terminates(world: &World_, proposer: NodeId) -> Checker<'_, World_> {
    hold(Checker::new(world), &protocol::properties()).leads_to(
        "termination",
        move |world, state| world.view(state).node(proposer).is_some_and(|node| node.wish().is_some()),
        move |world, state| world.view(state).node(proposer).is_some_and(|node| node.chosen().is_some()),
    )
}

/// One process proposes, and n1 may have asked what was chosen before anything was; nothing is lost, and no timer fires.
pub(super) fn requested(nodes: u64, proposer: NodeId, config: Config) -> Explored {
    let world = World_::with_history(nodes, config)
        .network(Network::ordered())
        .timer_budget(|_| true, 0)
        .command(proposer, Command::Propose(Value(proposer.0)), 1)
        .command(NodeId(1), Command::Learn, 1);
    let checker = (1..=nodes).map(NodeId).fold(terminates(&world, proposer), |checker, learner| {
        checker.leads_to(
            "all learn",
            move |world, state| world.view(state).node(proposer).is_some_and(|node| node.wish().is_some()),
            move |world, state| world.view(state).node(learner).is_some_and(|node| node.chosen().is_some()),
        )
    });
    explore(&world, checker)
}

/// No proposer keeps a ballot that another acceptor no longer accepts.
pub(super) fn abandons() -> Explored {
    let world = configured(3, Config::default(), 0).network(Network::ordered());
    let is_overtaken = |view: &Seen<'_>, proposer: NodeId| {
        let attempt = view.node(proposer).and_then(|node| node.attempt());
        attempt.is_some_and(|attempt| {
            let (protocol::Attempt::Preparing { ballot, .. } | protocol::Attempt::Accepting { ballot, .. }) = attempt;
            view.nodes().any(|(id, node)| id != proposer && node.acceptor().promised > Some(*ballot))
        })
    };
    let checker = [NodeId(1), NodeId(2)].into_iter().fold(
        hold(Checker::new(&world), &protocol::properties()),
        |checker, proposer| {
            checker.leads_to(
                "a refused ballot is abandoned",
                move |world, state| is_overtaken(&world.view(state), proposer),
                move |world, state| world.view(state).node(proposer).is_none_or(|node| node.attempt().is_none()),
            )
        },
    );
    explore(&world, checker)
}

/// Nodes 1 and 2 propose, and only n1's timer fires, once.
pub(super) fn second_of_n1(config: Config) -> World_ {
    let is_n1 = |node: &protocol::Paxos| node.wish() == Some(Value(1));
    configured(3, config, 1).timers(move |node, _| is_n1(node))
}

type Seen<'a> = View<'a, protocol::Paxos, History>;

/// Only n3 crashes, once, and only while its disk holds records of which `when` is true.
pub(super) fn third_crashes(world: World_, when: fn(&[&protocol::Record]) -> bool) -> World_ {
    world.crashes_and_restarts(1).within(move |view: &Seen<'_>| {
        let [n1, n2, n3] = [1, 2, 3].map(|id| view.node(NodeId(id)).is_some());
        n1 && n2 && (n3 || when(&view.records(NodeId(3)).0))
    })
}

/// Whether it accepted a ballot that is newer than all that it had promised.
pub(super) fn accepted_what_it_had_not_promised(records: &[&protocol::Record]) -> bool {
    let promised = records.iter().filter_map(|record| match record {
        protocol::Record::Promised(ballot) => Some(*ballot),
        protocol::Record::Accepted(..) => None,
    });
    let promised = promised.max();
    records.iter().any(|record| matches!(record, protocol::Record::Accepted(ballot, _) if Some(*ballot) > promised))
}

/// Disks sync at any moment, and only n3 crashes, once a value is chosen.
pub(super) fn late_disks() -> Explored {
    let world = configured(3, Config::default(), 0).network(Network::ordered()).durability(Durability::Separate);
    let world = world.crashes_and_restarts(1).within(|view: &Seen<'_>| {
        let [n1, n2, n3] = [1, 2, 3].map(|id| view.node(NodeId(id)).is_some());
        n1 && n2 && (n3 || !view.history().chosen.is_empty())
    });
    safe(&world)
}

/// A learner that was down asks the distinguished proposer.
pub(super) fn learns() -> Explored {
    let config = Config { distinguished: Some(NodeId(1)), ..Config::default() };
    let world = World_::with_history(3, config)
        .network(Network::ordered())
        .timer_budget(|_| true, 0)
        .command(NodeId(1), Command::Propose(Value(1)), 1)
        .command(NodeId(3), Command::Learn, 1);
    let world = third_crashes(world, |_| true);
    let asks = |view: &Seen<'_>| view.in_flight().any(|(_, _, message)| *message == protocol::Message::Inquire);
    let checker = hold(Checker::new(&world), &protocol::properties())
        .invariant("only the distinguished proposer begins ballots", |world, state| {
            world.view(state).nodes().all(|(id, node)| id == NodeId(1) || node.attempt().is_none())
        })
        .reachable("n3 asks when the value has been chosen", move |world, state| {
            let view = world.view(state);
            asks(&view) && view.node(NodeId(1)).is_some_and(|node| node.chosen().is_some())
        })
        .bounds_are_budgets("only n3 crashes: runs in which another node crashes are not explored")
        .leads_to(
            "a learner that asks learns",
            move |world, state| {
                let view = world.view(state);
                asks(&view) && !view.history().proposed.is_empty()
            },
            |world, state| world.view(state).node(NodeId(3)).is_none_or(|node| node.chosen().is_some()),
        );
    explore(&world, checker)
}
