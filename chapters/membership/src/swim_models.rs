//! Small groups in time: members that join, that are expelled, and that multicast what they observe.

use super::swim_groups::{FAULTY, Instance, TICK, checked, in_time, is_out, lives, small};
use volvox_core::NodeId;
use volvox_lab::model::{Explored, explore};
use volvox_membership::swim::{Command, Config, Dissemination, Message, Standing};

/// No update is spread forever (section 4.1).
pub(super) fn ends(world: &Instance, nodes: u64) -> Explored {
    let is_spreading = |world: &Instance, state: &_, id| {
        world.view(state).node(id).is_some_and(|node| node.passed_on().next().is_some())
    };
    let checker = (1..=nodes).map(NodeId).fold(checked(world), |checker, id| {
        checker.leads_to(
            "every update ceases to spread",
            move |world, state| is_spreading(world, state, id),
            move |world, state| !is_spreading(world, state, id),
        )
    });
    let spreads = move |world: &Instance, state: &_| (1..=nodes).any(|id| is_spreading(world, state, NodeId(id)));
    explore(world, checker.reachable("an update spreads", spreads))
}

/// Each member but the contact knows only the contact, and asks to be admitted until it is.
pub(super) fn joins() -> Explored {
    const NODES: u64 = 2;
    let world = in_time(NODES, Config { contact: Some(NodeId(1)), ..small(None) }, 1);
    let checker = checked(&world).eventually("all know all", |world, state| {
        world.view(state).nodes().all(|(_, node)| node.members().count() as u64 == NODES - 1)
    });
    let checker = checker.reachable("a member that joined probes", |world, state| {
        let probes = |(from, _, message): (NodeId, NodeId, &Message)| {
            from != NodeId(1) && matches!(message, Message::Ping { origin, .. } if *origin == from)
        };
        world.view(state).in_flight().any(probes)
    });
    explore(&world, checker)
}

/// One of two members leaves. Unless its farewell is lost, the other does not even suspect it.
pub(super) fn leaves(losses: u32) -> Explored {
    let (stays, goes) = (NodeId(1), NodeId(2));
    let world = in_time(2, Config { relays: 0, ..small(None) }, losses).command(goes, Command::Leave, 1);
    let held = move |world: &Instance, state: &_| {
        let held = world.view(state).node(stays).and_then(|node| node.standing(goes));
        held.unwrap_or(Standing::FIRST)
    };
    let has_left = move |world: &Instance, state: &_| world.view(state).node(goes).is_some_and(is_out);
    let checker =
        checked(&world).leads_to("a member that leaves is known to be gone", has_left, move |world, state| {
            held(world, state).is_faulty()
        });
    let checker = checker.invariant("a member that says farewell is not suspected", move |world, state| {
        losses > 0 || !held(world, state).is_suspect()
    });
    explore(&world, checker.reachable("a member leaves", has_left))
}

/// An accused member learns of it, and informs all others that it is alive.
pub(super) fn multicasts() -> Explored {
    lives(&in_time(2, Config { dissemination: Dissemination::Multicast, ..small(None) }, 1), FAULTY)
}

/// The accused has no time to refute, and learns of it from the ack to its next ping.
pub(super) fn expels() -> Explored {
    let world = in_time(2, Config { rejoins: false, suspicion: TICK, ..small(None) }, 1);
    let pairs = [(NodeId(1), NodeId(2)), (NodeId(2), NodeId(1))];
    let checker = pairs.into_iter().fold(checked(&world), |checker, (accuser, accused)| {
        checker.leads_to(
            "a member that was declared faulty is out",
            move |world, state| {
                let held = world.view(state).node(accuser).and_then(|node| node.standing(accused));
                held.is_some_and(|held| held.is_faulty())
            },
            move |world, state| world.view(state).node(accused).is_some_and(is_out),
        )
    });
    let is_one_out = |world: &Instance, state: &_| world.view(state).nodes().any(|(_, node)| is_out(node));
    explore(&world, checker.reachable("a member is out", is_one_out))
}
