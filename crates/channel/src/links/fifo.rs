//! FIFO order: a message that arrives early waits.

use super::{Config, Rule, WAITING_MAX, pass_on};
use alloc::collections::BTreeMap;
use core::fmt::Debug;
use core::hash::Hash;
use volvox_core::{Context, NodeId, Position, Process, Restored, Scratch, payload};

/// A message with its number.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Message<M> {
    /// The number among the messages of this sender to this receiver, from 1.
    pub number: u64,
    /// The payload.
    pub message: M,
}

payload! { struct Message<M> { number, message } as message: M => "place {number} {message}" }

/// FIFO order under a process, over perfect links: every message is delivered once, in the order of sending.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Fifo<P: Process<Message: Clone + Eq + Hash + Debug>> {
    child: P,
    config: Config<()>,
    peers: BTreeMap<NodeId, Peer<P::Message>>,
    scratch: Scratch<P>,
}

/// One peer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Peer<M> {
    /// The number of messages sent to it.
    sent: u64,
    /// All its numbers up to here were delivered.
    through: u64,
    /// Later messages, which arrived early.
    early: BTreeMap<u64, M>,
}

impl<M> Default for Peer<M> {
    fn default() -> Peer<M> {
        Peer { sent: 0, through: 0, early: BTreeMap::new() }
    }
}

impl<M> Peer<M> {
    /// The next message, if it has arrived.
    fn take_next(&mut self) -> Option<M> {
        let message = self.early.remove(&(self.through + 1))?;
        self.through += 1;
        Some(message)
    }
}

impl<P> Process for Fifo<P>
where
    P: Process<Message: Clone + Eq + Hash + Debug>,
{
    type Config = Config<P::Config>;
    type Message = Message<P::Message>;
    type Timer = P::Timer;
    type Record = P::Record;
    type Command = P::Command;
    type Event = P::Event;
    type View = P::View;

    fn new(id: NodeId, members: &[NodeId], config: &Self::Config) -> Fifo<P> {
        Fifo {
            child: P::new(id, members, &config.child),
            config: config.over(()),
            peers: members.iter().map(|peer| (*peer, Peer::default())).collect(),
            scratch: Scratch::default(),
        }
    }

    fn on_restore(&mut self, restored: Restored<P::Record>) {
        self.child.on_restore(restored);
    }

    fn on_start(&mut self, cx: &mut Context<'_, Self>) {
        self.run_child(cx, P::on_start);
    }

    fn on_message(&mut self, from: NodeId, message: Self::Message, cx: &mut Context<'_, Self>) {
        let Message { number, message } = message;
        let Some(peer) = self.peers.get_mut(&from) else { return cx.note("ignored: not from a member", from.0) };
        let is_repeated = number <= peer.through;
        if !self.config.keeps(Rule::Order) || is_repeated && !self.config.keeps(Rule::Once) {
            return self.run_child(cx, |child, cx| child.on_message(from, message, cx));
        }
        if is_repeated || number - peer.through > WAITING_MAX {
            return cx.note("ignored: no place for it", number);
        }
        peer.early.insert(number, message);
        while let Some(message) = self.peers.get_mut(&from).and_then(Peer::take_next) {
            self.run_child(cx, |child, cx| child.on_message(from, message, cx));
        }
    }

    fn on_timer(&mut self, timer: P::Timer, cx: &mut Context<'_, Self>) {
        self.run_child(cx, |child, cx| child.on_timer(timer, cx));
    }

    fn on_command(&mut self, command: P::Command, cx: &mut Context<'_, Self>) {
        self.run_child(cx, |child, cx| child.on_command(command, cx));
    }

    fn on_persisted(&mut self, through: Position, cx: &mut Context<'_, Self>) {
        self.run_child(cx, |child, cx| child.on_persisted(through, cx));
    }

    fn view(&self) -> P::View {
        self.child.view()
    }
}

impl<P> Fifo<P>
where
    P: Process<Message: Clone + Eq + Hash + Debug>,
{
    fn run_child(&mut self, cx: &mut Context<'_, Self>, step: impl FnOnce(&mut P, &mut Context<'_, P>)) {
        let mut scratch = core::mem::take(&mut self.scratch);
        cx.scope_with(
            self,
            &mut scratch,
            |layer, cx| step(&mut layer.child, cx),
            |layer, effect, cx| {
                pass_on::<Self, P>(
                    effect,
                    cx,
                    |timer| timer,
                    |to, message, after, cx| {
                        let Some(peer) = layer.peers.get_mut(&to) else {
                            return cx.note("dropped: not to a member", to.0);
                        };
                        peer.sent += 1;
                        // Waits for the position of the process above.
                        cx.send_after(after, to, Message { number: peer.sent, message });
                    },
                );
            },
        );
        self.scratch = scratch;
    }
}
