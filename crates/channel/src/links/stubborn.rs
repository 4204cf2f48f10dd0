//! Stubborn links: an unacknowledged message is retransmitted.

use super::{Config, Rule, WAITING_MAX, pass_on};
use alloc::collections::BTreeMap;
use core::fmt::Debug;
use core::hash::Hash;
use volvox_core::{Context, NodeId, Position, Process, Restored, Scratch, payload};

/// The messages of stubborn links that carry messages of kind `M`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message<M> {
    /// A message, possibly retransmitted.
    Try {
        /// The number among the messages of this sender to this receiver, from 1.
        number: u64,
        /// The payload.
        message: M,
    },
    /// That message arrived.
    Ack {
        /// The number of the message.
        number: u64,
    },
}

payload! { Message<M>: "message of a stubborn link";
    1 Try { number, message } as message: M => "Try {number} {message}",
    2 Ack { number }                        => "Ack {number}",
}

/// The timers of stubborn links over a process with timers `T`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer<T> {
    /// This peer has not acknowledged this number.
    Repeat(NodeId, u64),
    /// A timer of the process above.
    Child(T),
}

payload! { Timer<T>; Repeat(peer, number), Child(timer) as timer: T }

/// Stubborn links under a process: every message is delivered at least once.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Stubborn<P: Process<Message: Clone + Eq + Hash + Debug>> {
    child: P,
    config: Config<()>,
    peers: BTreeMap<NodeId, Outward<P::Message>>,
    scratch: Scratch<P>,
}

/// The messages to one peer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Outward<M> {
    /// The number of the last message.
    last: u64,
    /// The unacknowledged messages: how many times each was retransmitted, and the position that must be durable first.
    waiting: BTreeMap<u64, (u32, Position, M)>,
}

impl<P> Process for Stubborn<P>
where
    P: Process<Message: Clone + Eq + Hash + Debug>,
{
    type Config = Config<P::Config>;
    type Message = Message<P::Message>;
    type Timer = Timer<P::Timer>;
    type Record = P::Record;
    type Command = P::Command;
    type Event = P::Event;
    type View = P::View;

    fn new(id: NodeId, members: &[NodeId], config: &Self::Config) -> Stubborn<P> {
        Stubborn {
            child: P::new(id, members, &config.child),
            config: config.over(()),
            peers: members.iter().map(|peer| (*peer, Outward { last: 0, waiting: BTreeMap::new() })).collect(),
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
        let Some(peer) = self.peers.get_mut(&from) else { return cx.note("ignored: not from a member", from.0) };
        match message {
            Message::Try { number, message } => {
                self.run_child(cx, |child, cx| child.on_message(from, message, cx));
                // Every time, since the last acknowledgement may be lost.
                cx.send(from, Message::Ack { number });
            }
            Message::Ack { number } => {
                if peer.waiting.remove(&number).is_some() {
                    cx.cancel_timer(Timer::Repeat(from, number));
                }
            }
        }
    }

    fn on_timer(&mut self, timer: Self::Timer, cx: &mut Context<'_, Self>) {
        match timer {
            Timer::Repeat(to, number) => self.on_repeat(to, number, cx),
            Timer::Child(timer) => self.run_child(cx, |child, cx| child.on_timer(timer, cx)),
        }
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

impl<P> Stubborn<P>
where
    P: Process<Message: Clone + Eq + Hash + Debug>,
{
    /// The number of unacknowledged messages.
    pub fn waiting(&self) -> usize {
        self.peers.values().map(|peer| peer.waiting.len()).sum()
    }

    fn on_repeat(&mut self, to: NodeId, number: u64, cx: &mut Context<'_, Self>) {
        let Some(waiting) = self.peers.get_mut(&to).map(|peer| &mut peer.waiting) else { return };
        let Some((repeated, after, message)) = waiting.get_mut(&number) else { return };
        if !self.config.keeps(Rule::Repetition) || Some(*repeated) == self.config.repetitions_max {
            waiting.remove(&number);
            return cx.note("gave up", number);
        }
        // Counted only where the count matters: a process that retransmits forever stays in one state.
        *repeated += u32::from(self.config.repetitions_max.is_some());
        // Waits for the position of the process above.
        cx.send_after(*after, to, Message::Try { number, message: message.clone() });
        cx.set_timer(Timer::Repeat(to, number), self.config.repeat_after);
    }

    fn send(&mut self, to: NodeId, message: P::Message, after: Position, cx: &mut Context<'_, Self>) {
        let Some(peer) = self.peers.get_mut(&to) else { return cx.note("dropped: not to a member", to.0) };
        let oldest = peer.waiting.first_key_value().map_or(peer.last + 1, |(number, _)| *number);
        if peer.last + 1 - oldest >= WAITING_MAX {
            return cx.note("queue full: newest dropped", to.0);
        }
        peer.last += 1;
        let number = peer.last;
        peer.waiting.insert(number, (0, after, message.clone()));
        // Waits for the position of the process above.
        cx.send_after(after, to, Message::Try { number, message });
        cx.set_timer(Timer::Repeat(to, number), self.config.repeat_after);
    }

    fn run_child(&mut self, cx: &mut Context<'_, Self>, step: impl FnOnce(&mut P, &mut Context<'_, P>)) {
        let mut scratch = core::mem::take(&mut self.scratch);
        cx.scope_with(
            self,
            &mut scratch,
            |layer, cx| step(&mut layer.child, cx),
            |layer, effect, cx| {
                pass_on::<Self, P>(effect, cx, Timer::Child, |to, message, after, cx| {
                    layer.send(to, message, after, cx);
                });
            },
        );
        self.scratch = scratch;
    }
}
