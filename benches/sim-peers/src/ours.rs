//! Ours: with the hash chain on, as in every test.

use crate::ping::{PING, Payload, Ping, Work};
use std::fmt;
use std::sync::Arc;
use volvox_core::{Context, Duration, MessageKind, NodeId, Process};
use volvox_sim::{Builder, Latency};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Message(Payload);

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.0[0])
    }
}

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        if self.0[1] == PING { "Ping" } else { "Pong" }
    }
}

struct Node(Ping);

impl Process for Node {
    type Config = Arc<Work>;
    type Message = Message;
    type Timer = ();
    type Record = u64;
    type Command = u64;
    type Event = u64;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], work: &Arc<Work>) -> Node {
        Node(Ping { next: id.0 as usize % members.len() + 1, work: Arc::clone(work) })
    }
    fn on_start(&mut self, cx: &mut Context<'_, Node>) {
        cx.send(NodeId(self.0.next as u64), Message(self.0.start()));
    }
    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Node>) {
        let (to, payload) = self.0.on_message(from.0 as usize, message.0);
        cx.send(NodeId(to as u64), Message(payload));
    }
    fn on_timer(&mut self, (): (), _: &mut Context<'_, Node>) {}
    fn on_command(&mut self, _: u64, _: &mut Context<'_, Node>) {}
    fn view(&self) {}
}

pub fn run(nodes: usize, deliveries: u64, work: &Arc<Work>) {
    let mut simulation = Builder::<Node>::new(1, nodes as u64, Arc::clone(work))
        .latency(Latency::Constant(Duration::from_millis(1)))
        .build();
    while work.deliveries() < deliveries {
        simulation.step();
    }
    std::hint::black_box(simulation.chain());
}
