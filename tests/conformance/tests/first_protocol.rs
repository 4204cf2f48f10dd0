//! The protocol of the book's first chapter, in three worlds. The book includes what stands between the anchors.

use std::{collections::BTreeSet, convert::Infallible, fmt, time::Duration};
use volvox_check::{Checker, Network, System};
use volvox_conformance::{Cluster, Live, Simulated, World};
use volvox_core::{Context, Decode, DecodeError, Encode, MessageKind, NodeId, Process, Reader};

// ANCHOR: message
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Rumour(u64);

impl MessageKind for Rumour {
    fn kind(&self) -> &'static str {
        "Rumour"
    }
}
impl fmt::Display for Rumour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rumour {}", self.0)
    }
}
impl Encode for Rumour {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}
impl Decode for Rumour {
    fn decode(input: &mut Reader<'_>) -> Result<Rumour, DecodeError> {
        input.varint().map(Rumour)
    }
}
// ANCHOR_END: message

// ANCHOR: protocol
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Greatest {
    peers: Vec<NodeId>,
    known: u64,
}

impl Process for Greatest {
    type Config = ();
    type Message = Rumour;
    type Timer = ();
    type Record = Infallible;
    type Command = u64;
    type Event = u64;
    type View = ();

    fn new(_: NodeId, members: &[NodeId], (): &()) -> Greatest {
        Greatest { peers: members.to_vec(), known: 0 }
    }
    fn on_start(&mut self, cx: &mut Context<'_, Greatest>) {
        cx.set_timer((), Duration::from_millis(100));
    }
    fn on_command(&mut self, number: u64, cx: &mut Context<'_, Greatest>) {
        self.known = self.known.max(number);
        cx.emit(self.known);
    }
    fn on_message(&mut self, _: NodeId, Rumour(number): Rumour, cx: &mut Context<'_, Greatest>) {
        self.on_command(number, cx);
    }
    fn on_timer(&mut self, (): (), cx: &mut Context<'_, Greatest>) {
        cx.broadcast(&self.peers, Rumour(self.known));
        cx.set_timer((), Duration::from_millis(100));
    }
    fn view(&self) {}
}
// ANCHOR_END: protocol

// ANCHOR: worlds
fn everybody_learns(world: &mut impl World<Greatest>) {
    [(1, 4), (2, 9)].into_iter().for_each(|(node, number)| world.command(NodeId(node), number));
    let mut learned = BTreeSet::new();
    world.wait("all know 9", |node, known| *known == 9 && learned.insert(node) && learned.len() == 3);
}

#[test]
fn simulated_and_live() {
    let cluster = Cluster { nodes: 3, config: |_, _| () };
    (0..20).for_each(|seed| everybody_learns(&mut Simulated::new(seed, &cluster)));
    everybody_learns(&mut Live::new(&cluster));
}
// ANCHOR_END: worlds

// ANCHOR: checked
#[test]
fn checked() {
    let world = System::<Greatest>::new(3, ()).network(Network::unordered().losses(2).queue_max(1));
    let world = world.command(NodeId(1), 4, 1).command(NodeId(2), 9, 1);
    let report = Checker::new(&world)
        .bounds_are_budgets("a full link drops the newest rumour, as every link does; it is sent again")
        .invariant("9 is the greatest", |world, state| world.view(state).nodes().all(|(_, node)| node.known <= 9))
        .leads_to(
            "9 reaches every node",
            |world, state| world.view(state).nodes().any(|(_, node)| node.known == 9),
            |world, state| world.view(state).nodes().all(|(_, node)| node.known == 9),
        )
        .run();
    assert!(report.holds(), "{report}");
}
// ANCHOR_END: checked
