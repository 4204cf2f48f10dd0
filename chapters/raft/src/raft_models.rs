//! Two members, and what clients and operators ask of Raft besides proposals: reads, a transfer, a change, a snapshot.

use super::raft_member::{Member, Past, made, properties};
use volvox_core::{Bytes, NodeId};
use volvox_lab::check::{Checker, Durability, Network, System};
use volvox_lab::model::{Explored, explore, hold};
use volvox_raft::{Command, Config, Configuration, Member as Voter, RoleKind, Ticket, Timer};

type World = System<Member, Past>;

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);

/// Both members vote.
fn both() -> Configuration {
    Configuration::of([Voter::new(1, 1), Voter::new(2, 1)])
}

/// Two members that begin with this configuration. Only n1 campaigns, for this many terms, and no heartbeat is due.
fn pair(initial: Configuration, terms: u64, network: Network) -> World {
    let raft = Config {
        initial: Some(initial),
        pre_vote: false,
        check_quorum: false,
        // A question for a read index is repeated a few times only.
        heartbeat: Config::default().election_timeout,
        log_keep_bytes: 0,
        alone: true,
        ..Config::default()
    };
    World::with_history(2, made(raft))
        .network(network)
        .durability(Durability::Prompt)
        .timers(move |node, timer| match timer {
            Timer::Election => {
                let raft = node.raft();
                raft.member().node == N1 && raft.role() != RoleKind::Leader && raft.term().0 < terms
            }
            Timer::Read => true,
            Timer::Heartbeat | Timer::Transfer | Timer::Gather => false,
        })
        .commands(|node, command| match command {
            Command::Read { .. } => node.raft().leader().is_some(),
            _ => node.raft().role() == RoleKind::Leader,
        })
}

fn safe(world: &World) -> Checker<'_, World> {
    hold(Checker::new(world), &properties())
}

/// Whether a read was served, or a transfer ended well.
fn is_done(past: &Past, ticket: u64) -> bool {
    past.done.contains(&Ticket(ticket))
}

/// Whether a request was served or refused.
fn is_answered(past: &Past, ticket: u64) -> bool {
    is_done(past, ticket) || past.refused.contains(&Ticket(ticket))
}

/// Reads of the leader and of a follower (Raft 8).
pub(super) fn reads() -> Explored {
    let world = pair(both(), 1, Network::ordered()).command(N1, Command::Read { ticket: Ticket(1) }, 1).command(
        N2,
        Command::Read { ticket: Ticket(2) },
        1,
    );
    let checker = safe(&world)
        .reachable("a follower reads", |world, state| is_done(world.view(state).history(), 2))
        .leads_to(
            "a leader's read is served",
            |world, state| world.view(state).commands_left(0) == 0,
            |world, state| is_done(world.view(state).history(), 1),
        )
        .leads_to(
            "a follower's read is answered",
            |world, state| world.view(state).commands_left(1) == 0,
            |world, state| is_answered(world.view(state).history(), 2),
        );
    explore(&world, checker)
}

/// A follower's question, or its answer, is lost.
pub(super) fn lost_reads() -> Explored {
    let world = pair(both(), 1, Network::ordered().losses(1)).command(N2, Command::Read { ticket: Ticket(2) }, 1);
    let checker = safe(&world)
        .reachable("a follower's read is given up", |world, state| {
            world.view(state).history().refused.contains(&Ticket(2))
        })
        .leads_to(
            "a follower's read is answered",
            |world, state| world.view(state).commands_left(0) == 0,
            |world, state| is_answered(world.view(state).history(), 2),
        );
    explore(&world, checker)
}

/// The leader hands over leadership (thesis 3.10).
pub(super) fn transfer() -> Explored {
    let transfer = |ticket| Command::Transfer { ticket: Ticket(ticket), to: N2 };
    let world = pair(both(), 1, Network::ordered()).command(N1, transfer(1), 1).command(N1, transfer(2), 1);
    let checker = safe(&world).leads_to(
        "the receiver leads",
        |world, state| world.view(state).commands_left(0) == 0,
        |world, state| {
            let view = world.view(state);
            let leads = view.node(N2).is_some_and(|node| node.raft().role() == RoleKind::Leader);
            leads && is_answered(view.history(), 1)
        },
    );
    let checker = checker.reachable("a transfer ends well", |world, state| is_done(world.view(state).history(), 1));
    let checker = checker.leads_to(
        "every transfer is answered",
        |world, state| world.view(state).commands_left(1) == 0,
        |world, state| is_answered(world.view(state).history(), 2),
    );
    explore(&world, checker)
}

/// From n1 alone over both to n2 alone (Raft 6).
pub(super) fn changes() -> Explored {
    let n2 = Voter::new(2, 1);
    let to = |ticket, voters: Configuration| Command::Change {
        ticket: Ticket(ticket),
        voters: voters.voters.into_iter().collect(),
        learners: Vec::new(),
    };
    let world = pair(Configuration::of([Voter::new(1, 1)]), 1, Network::ordered())
        .command(N1, to(1, both()), 1)
        .command(N1, to(2, Configuration::of([n2])), 1)
        .commands(move |node, command| {
            let raft = node.raft();
            let has_both = raft.configuration().votes(n2) && !raft.configuration().is_joint();
            let is_its_turn = has_both == matches!(command, Command::Change { ticket: Ticket(2), .. });
            raft.role() == RoleKind::Leader && is_its_turn
        });
    let checker = safe(&world).leads_to(
        "the new voter leads alone",
        |world, state| world.view(state).commands_left(1) == 0,
        |world, state| {
            let view = world.view(state);
            let leads = view.node(N2).is_some_and(|node| {
                let raft = node.raft();
                raft.role() == RoleKind::Leader && raft.configuration().voters.len() == 1
            });
            leads || view.history().refused.contains(&Ticket(2))
        },
    );
    let checker = checker.reachable("n2 leads", |world, state| {
        world.view(state).node(N2).is_some_and(|node| node.raft().role() == RoleKind::Leader)
    });
    explore(&world, checker)
}

/// A learner gets a snapshot from a leader that restarted from its checkpoint (Raft 7).
pub(super) fn snapshot() -> Explored {
    let learner = [Voter::new(2, 1)].into_iter().collect();
    let initial = Configuration { learners: learner, ..Configuration::of([Voter::new(1, 1)]) };
    let world = pair(initial, 2, Network::ordered())
        .command(N1, Command::Checkpoint { data: Bytes::from([b's'].as_slice()) }, 1)
        .commands(|node, _| {
            let raft = node.raft();
            raft.role() == RoleKind::Leader && raft.commit_index() > raft.checkpoint_index()
        })
        .crashes_and_restarts(1)
        .within(|view| view.node(N2).is_some());
    let checker = safe(&world)
        .reachable("a snapshot arrives", |world, state| {
            world.view(state).node(N2).is_some_and(|node| node.raft().checkpoint_index().0 > 0)
        })
        .bounds_are_budgets("only n1 crashes: runs in which n2 crashes are not explored")
        .leads_to(
            "the learner catches up",
            |world, state| {
                world
                    .view(state)
                    .node(N1)
                    .is_some_and(|node| node.raft().term().0 == 2 && node.raft().role() == RoleKind::Leader)
            },
            |world, state| {
                let view = world.view(state);
                let commit = |id| view.node(id).map(|node| node.raft().commit_index());
                commit(N1) == commit(N2)
            },
        );
    explore(&world, checker)
}
