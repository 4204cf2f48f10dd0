//! The worlds of the models of leases, and what must hold in them.

use volvox_core::{Duration, NodeId, Serial};
use volvox_lab::check::{Checker, Durability, Network, State, System, Timed};
use volvox_lab::model::{Explored, explore, hold};
use volvox_mutex::leases::{
    self as protocol, Command, Config, History, Message, Record, Timer, fencing, mutual_exclusion, tokens_grow,
};

pub(super) type Instance = System<protocol::Leases, History>;

pub(super) const TICK: Duration = Duration::from_millis(10);
pub(super) const QUARTER: u32 = 250_000;

/// A term of this many ticks, for clocks that drift by at most a quarter.
pub(super) fn config(drift_ppm: u32, term_ticks: u32) -> Config {
    let (term, margin) = (TICK * term_ticks, Duration::ZERO);
    Config { term, drift_ppm, margin, retry: TICK * 2, renew_before: TICK, without: None }
}

pub(super) fn quiet(config: Config) -> Instance {
    System::with_history(4, config).counting_boots()
}

pub(super) fn writing(config: Config) -> Instance {
    [3, 4].into_iter().fold(quiet(config), |system, client| {
        system.command(NodeId(client), Command::Acquire, 1).command(NodeId(client), Command::Write, 1)
    })
}

/// Messages that take one to three ticks, with true clocks.
fn slow(without: Option<protocol::Rule>, term_ticks: u32) -> Instance {
    let time = Timed { tick: TICK, delivery_min: 1, delivery_max: 3, drifts_ppm: vec![0] };
    quiet(Config { without, ..config(0, term_ticks) }).timed(time)
}

/// A client that requests, releases, and requests again; and another client.
pub(super) fn releasing(without: Option<protocol::Rule>) -> Instance {
    let system = slow(without, 4)
        .network(Network::unordered())
        .command(NodeId(3), Command::Acquire, 2)
        .command(NodeId(3), Command::Release, 1)
        .command(NodeId(4), Command::Acquire, 1);
    asks_at_most(2, system)
}

/// Two clients, of which one may crash and ask again after its restart.
pub(super) fn returning(network: Network, without: Option<protocol::Rule>) -> Instance {
    let system = slow(without, 4)
        .network(network.losses(1))
        .crashes_and_restarts(1)
        .command(NodeId(3), Command::Acquire, 2)
        .command(NodeId(4), Command::Acquire, 1);
    asks_at_most(2, system)
}

/// A client that extends its lease, and another that waits for it.
pub(super) fn keeping() -> Instance {
    let time = Timed { tick: TICK, delivery_min: 1, delivery_max: 2, drifts_ppm: vec![0] };
    // It asks a term after the grant, less this: a tick would be over before, since the grant is two ticks and more away.
    let config = Config { renew_before: TICK * 4, ..config(0, 5) };
    let system = quiet(config).timed(time).network(Network::unordered());
    asks_at_most(3, system.command(NodeId(3), Command::Keep, 1).command(NodeId(4), Command::Acquire, 1))
}

/// A grant that always arrives too late is requested forever: that is cut off.
pub(super) fn asks_at_most(requests: u64, system: Instance) -> Instance {
    system.nodes_within(move |_, node| node.requests() <= requests)
}

/// Timers fire at any moment. A client asks once.
pub(super) fn timeless(without: Option<protocol::Rule>) -> Instance {
    asks_at_most(1, writing(Config { without, ..config(0, 4) }))
}

pub(super) fn held(world: &Instance) -> Explored {
    explore(world, holding(world))
}

pub(super) fn holding(world: &Instance) -> Checker<'_, Instance> {
    hold(Checker::new(world).states_max(1_500_000), &[mutual_exclusion(), fencing(), tokens_grow()])
        .invariant("clients announce what they believe", is_announced)
        .reachable("the second client holds the lease", |world, state| holds(world, state, 2))
}

pub(super) fn exclusive(world: &Instance) -> Explored {
    explore(world, hold(Checker::new(world).states_max(1_500_000), &[mutual_exclusion()]))
}

pub(super) fn ordered(world: &Instance) -> Explored {
    let checker = hold(Checker::new(world).states_max(1_500_000), &[fencing()]);
    explore(world, checker.reachable("the second client holds the lease", |world, state| holds(world, state, 2)))
}

/// No timer fires: the clients get the lease one after the other because the first releases it.
pub(super) fn acknowledged() -> Explored {
    let world = [3, 4].into_iter().fold(
        quiet(config(0, 4)).durability(Durability::Separate).crashes_and_restarts(1).timers(|_, _| false),
        |system, client| {
            let commands = [Command::Acquire, Command::Write, Command::Release];
            commands.into_iter().fold(system, |system, command| system.command(NodeId(client), command, 1))
        },
    );
    let checker = hold(Checker::new(&world), &[fencing(), tokens_grow()])
        .invariant("write-ahead logging", is_durable)
        .reachable("a write of the second holder", |world, state| is_answered(world, state, 2))
        .reachable("a late writer hears of it", |world, state| {
            world.view(state).in_flight().any(|(_, _, message)| matches!(message, Message::Rejected { .. }))
        });
    explore(&world, checker)
}

/// A token that was granted, or that wrote, is on the disk of the node that said so.
fn is_durable(world: &Instance, state: &State) -> bool {
    let view = world.view(state);
    let is_kept = |node: NodeId, record: Record| {
        let (records, durable) = view.records(node);
        records[..durable].contains(&&record)
    };
    view.in_flight().all(|(from, _, message)| match message {
        Message::Granted { token, .. } => is_kept(from, Record::Given(*token)),
        Message::Written { token } => is_kept(from, Record::Seen(*token)),
        _ => true,
    })
}

fn is_answered(world: &Instance, state: &State, token: u64) -> bool {
    world.view(state).in_flight().any(|(_, _, message)| *message == Message::Written { token })
}

/// A client tells when it begins to wait, acquires the lease, and ends it.
fn is_announced(world: &Instance, state: &State) -> bool {
    let (view, history) = (world.view(state), world.view(state).history());
    view.nodes().all(|(id, node)| history.waits(id) == node.waits() && history.holds(id) == node.holds().is_some())
}

pub(super) fn waits_to_ask_again(world: &Instance, state: &State) -> bool {
    let view = world.view(state);
    view.nodes().any(|(id, node)| node.waits() && view.is_set(id, Timer::Retry))
}

/// The first client still holds its first lease, which now ends a term after its second request.
pub(super) fn is_extended(world: &Instance, state: &State) -> bool {
    let (view, first) = (world.view(state), NodeId(3));
    let ends = |request| view.is_set(first, Timer::End(Serial::first_boot(request)));
    view.node(first).is_some_and(|node| node.holds() == Some(1)) && ends(2) && !ends(1)
}

/// The other client has not asked yet, so the request came too late for the lease that it would extend.
pub(super) fn is_refused_alone(world: &Instance, state: &State) -> bool {
    let view = world.view(state);
    view.node(NodeId(4)).is_some_and(|node| node.requests() == 0)
        && view.in_flight().any(|(_, _, message)| matches!(message, Message::Busy { .. }))
}

pub(super) fn holds(world: &Instance, state: &State, token: u64) -> bool {
    world.view(state).nodes().any(|(_, node)| node.holds() == Some(token))
}
