//! The channel as a process between the child and the world.

use crate::message::{Message, Session, Timer};
use crate::stream::{Peer, Place};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use volvox_core::{Context, Duration, Effect, NodeId, Position, Process, Restored, Scratch};

/// The most peers that a channel remembers; messages of others are ignored.
pub const PEERS_MAX: usize = 4_096;

/// How many unacknowledged messages one retransmission sends, from the first: other losses show as the acknowledgements
/// advance.
const REPEAT_MAX: usize = 16;

/// Beyond any wall clock: a peer that names such a session is faulty, and must not drive this node's session to one
/// without a successor.
const SESSION_MAX: u64 = 1 << 63;

/// The configuration of a channel over a process with configuration `C`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config<C> {
    /// The child's configuration.
    pub child: C,
    /// The channel's own limits.
    pub limits: Limits,
}

/// The limits of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// How many messages may be in flight to one peer, and how many early ones from one peer are buffered. The same on
    /// all nodes.
    pub window: u64,
    /// How many messages may wait for one peer, including those in flight; any further one is dropped.
    pub queue_max: usize,
    /// The first pause before a retransmission.
    pub repeat_after: Duration,
    /// The longest pause: it doubles up to here.
    pub repeat_after_max: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            window: 64,
            queue_max: 4_096,
            repeat_after: Duration::from_millis(50),
            repeat_after_max: Duration::from_secs(2),
        }
    }
}

/// Reliable FIFO channels between processes of kind `P`.
///
/// To the outside it is `P`: the same commands, events, records and view.
#[derive(Clone, Hash)]
pub struct Channel<P: Process> {
    child: P,
    limits: Limits,
    session: Session,
    peers: BTreeMap<NodeId, Peer<P::Message>>,
    /// The child's effects during a step; empty between steps.
    scratch: Scratch<P>,
}

impl<P: Process> Channel<P> {
    /// The child process.
    pub fn child(&self) -> &P {
        &self.child
    }

    /// The number of messages that wait for this peer's acknowledgement.
    pub fn waiting_for(&self, peer: NodeId) -> usize {
        self.peers.get(&peer).map_or(0, |peer| peer.outward.queue.len())
    }
}

impl<P: Process> Process for Channel<P> {
    type Config = Config<P::Config>;
    type Message = Message<P::Message>;
    type Timer = Timer<P::Timer>;
    type Record = P::Record;
    type Command = P::Command;
    type Event = P::Event;
    type View = P::View;

    fn new(id: NodeId, members: &[NodeId], config: &Self::Config) -> Channel<P> {
        assert!(config.limits.window > 0 && config.limits.queue_max > 0, "a channel that carries nothing");
        Channel {
            child: P::new(id, members, &config.child),
            limits: config.limits,
            session: Session::default(),
            peers: BTreeMap::new(),
            scratch: Scratch::default(),
        }
    }

    fn on_restore(&mut self, restored: Restored<P::Record>) {
        self.child.on_restore(restored);
    }

    fn on_start(&mut self, cx: &mut Context<'_, Self>) {
        self.session = Session(u64::try_from(cx.wall().0).unwrap_or(0).max(1));
        self.run_child(cx, P::on_start);
    }

    fn on_message(&mut self, from: NodeId, message: Self::Message, cx: &mut Context<'_, Self>) {
        if !self.peers.contains_key(&from) && self.peers.len() >= PEERS_MAX {
            cx.note("too many peers", from.0);
            return;
        }
        match message {
            Message::Hello { from: session } => self.on_hello(from, session, cx),
            Message::Welcome { from: session, to } => {
                self.meets(from, session, to, cx);
            }
            Message::Data { from: session, to, number, payload } => {
                if self.meets(from, session, to, cx) {
                    self.on_data(from, number, payload, cx);
                }
            }
            Message::Ack { from: session, to, through } => {
                if self.meets(from, session, to, cx) {
                    self.on_ack(from, through, cx);
                }
            }
            Message::Refused { to, latest } => self.on_refused(to, latest, cx),
        }
    }

    fn on_timer(&mut self, timer: Self::Timer, cx: &mut Context<'_, Self>) {
        match timer {
            Timer::Repeat(to) => self.on_repeat(to, cx),
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

impl<P: Process> Channel<P> {
    fn on_hello(&mut self, from: NodeId, session: Session, cx: &mut Context<'_, Self>) {
        if let Some(latest) = self.peers.get(&from).and_then(|peer| peer.session)
            && session < latest
        {
            // Either an old message, which its sender will not recognise, or a node whose clock went back.
            cx.send_after(Position::NONE, from, Message::Refused { to: session, latest });
            return;
        }
        self.learn(from, session, cx);
        // A session reveals no record.
        cx.send_after(Position::NONE, from, Message::Welcome { from: self.session, to: session });
    }

    /// Whether a message between the session `theirs` of `from` and the session `ours` of this node is between the
    /// latest sessions of both: all others are ignored.
    fn meets(&mut self, from: NodeId, theirs: Session, ours: Session, cx: &mut Context<'_, Self>) -> bool {
        let known = self.peers.get(&from).and_then(|peer| peer.session);
        if known.is_some_and(|latest| theirs < latest) {
            cx.note("message of an old life", 0);
            return false;
        }
        self.learn(from, theirs, cx);
        if ours == self.session {
            return true;
        }
        if ours < self.session {
            // The peer addresses an old session: send it the current one.
            cx.send_after(Position::NONE, from, Message::Hello { from: self.session });
        } else {
            self.rise_above(ours, cx);
        }
        cx.note("message for another life", 0);
        false
    }

    /// `session` is the latest known of this peer, or later.
    fn learn(&mut self, from: NodeId, session: Session, cx: &mut Context<'_, Self>) {
        let peer = self.peers.entry(from).or_default();
        if peer.session == Some(session) {
            return;
        }
        if peer.session.replace(session).is_some() {
            let lost = peer.begin_again();
            cx.note("peer begins a new life", lost as u64);
        }
        self.fill_window(from, cx);
    }

    fn on_refused(&mut self, to: Session, latest: Session, cx: &mut Context<'_, Self>) {
        if to == self.session && latest > self.session {
            self.rise_above(latest, cx);
        }
    }

    /// A peer knows a later session of this node than the current one, although the current boot is the latest.
    fn rise_above(&mut self, latest: Session, cx: &mut Context<'_, Self>) {
        if latest.0 >= SESSION_MAX {
            cx.note("a session that no clock gave", 0);
            return;
        }
        cx.note("clock went back between two lives", 0);
        self.session = Session(latest.0.saturating_add(1));
        let mut known = Vec::new();
        for (id, peer) in &mut self.peers {
            peer.begin_again();
            peer.outward.pause = None;
            known.push(*id);
        }
        for id in known {
            cx.send_after(Position::NONE, id, Message::Hello { from: self.session });
            self.fill_window(id, cx);
        }
    }

    fn on_data(&mut self, from: NodeId, number: u64, payload: P::Message, cx: &mut Context<'_, Self>) {
        let window = self.limits.window;
        let inward = &mut self.peers.entry(from).or_default().inward;
        match inward.place(number, window) {
            Place::Next => {
                inward.through = number;
                self.hand_up(from, payload, cx);
                while let Some(payload) = self.peers.get_mut(&from).and_then(|peer| peer.inward.take_early()) {
                    self.hand_up(from, payload, cx);
                }
            }
            Place::Early => {
                inward.early.insert(number, payload);
            }
            Place::Out => cx.note("repeated or far ahead", 0),
        }
        let peer = self.peers.entry(from).or_default();
        let to = peer.session.unwrap_or_default();
        // Acknowledges what was delivered in this boot; if the boot ends, so does the stream. No record is revealed.
        let ack = Message::Ack { from: self.session, to, through: peer.inward.through };
        cx.send_after(Position::NONE, from, ack);
    }

    fn hand_up(&mut self, from: NodeId, payload: P::Message, cx: &mut Context<'_, Self>) {
        self.run_child(cx, |child, cx| child.on_message(from, payload, cx));
    }

    fn on_ack(&mut self, from: NodeId, through: u64, cx: &mut Context<'_, Self>) {
        let outward = &mut self.peers.entry(from).or_default().outward;
        if !outward.acknowledge(through) {
            return;
        }
        outward.pause = None;
        if outward.queue.is_empty() {
            cx.cancel_timer(Timer::Repeat(from));
        }
        self.fill_window(from, cx);
    }

    fn on_repeat(&mut self, to: NodeId, cx: &mut Context<'_, Self>) {
        let Some(peer) = self.peers.get_mut(&to) else { return };
        let outward = &mut peer.outward;
        if outward.queue.is_empty() {
            outward.pause = None;
            return;
        }
        let doubled = outward.pause.unwrap_or(self.limits.repeat_after).saturating_mul(2);
        outward.pause = Some(doubled.min(self.limits.repeat_after_max));
        match peer.session {
            None => cx.send_after(Position::NONE, to, Message::Hello { from: self.session }),
            Some(session) => {
                for (offset, (after, payload)) in outward.queue.iter().take(outward.sent.min(REPEAT_MAX)).enumerate() {
                    let number = outward.acknowledged + 1 + offset as u64;
                    let data = Message::Data { from: self.session, to: session, number, payload: payload.clone() };
                    cx.send_after(*after, to, data);
                }
            }
        }
        self.wait_for_answer(to, cx);
    }

    /// Sends the messages that the window admits, and sets the timer for a retransmission.
    fn fill_window(&mut self, to: NodeId, cx: &mut Context<'_, Self>) {
        let Some(peer) = self.peers.get_mut(&to) else { return };
        let outward = &mut peer.outward;
        if let Some(session) = peer.session {
            while outward.sent < outward.queue.len() && (outward.sent as u64) < self.limits.window {
                let (after, payload) = &outward.queue[outward.sent];
                let number = outward.acknowledged + 1 + outward.sent as u64;
                let data = Message::Data { from: self.session, to: session, number, payload: payload.clone() };
                cx.send_after(*after, to, data);
                outward.sent += 1;
            }
        } else if outward.pause.is_none() && !outward.queue.is_empty() {
            cx.send_after(Position::NONE, to, Message::Hello { from: self.session });
        }
        if !outward.queue.is_empty() && outward.pause.is_none() {
            outward.pause = Some(self.limits.repeat_after);
            self.wait_for_answer(to, cx);
        }
    }

    fn wait_for_answer(&mut self, to: NodeId, cx: &mut Context<'_, Self>) {
        let Some(pause) = self.peers.get(&to).and_then(|peer| peer.outward.pause) else { return };
        // A quarter of jitter, so that two nodes that lost one another do not retransmit in step.
        let jitter = cx.rng().below(volvox_core::time::nanos(pause) / 4 + 1);
        cx.set_timer(Timer::Repeat(to), pause + Duration::from_nanos(jitter));
    }

    /// The child sends: the message is appended to the stream.
    fn enqueue(&mut self, to: NodeId, after: Position, payload: P::Message, cx: &mut Context<'_, Self>) {
        let full = self.peers.get(&to).is_some_and(|peer| peer.outward.queue.len() >= self.limits.queue_max);
        let strange = !self.peers.contains_key(&to) && self.peers.len() >= PEERS_MAX;
        if full || strange {
            cx.note("queue full: newest dropped", to.0);
            return;
        }
        self.peers.entry(to).or_default().outward.queue.push_back((after, payload));
        self.fill_window(to, cx);
    }

    /// Runs one step of the child: its messages go into streams, everything else to the world unchanged.
    fn run_child(&mut self, cx: &mut Context<'_, Self>, step: impl FnOnce(&mut P, &mut Context<'_, P>)) {
        let mut scratch = core::mem::take(&mut self.scratch);
        cx.scope_with(
            self,
            &mut scratch,
            |channel, cx| step(&mut channel.child, cx),
            |channel, effect, cx| match effect {
                Effect::Send { to, message, after } => channel.enqueue(to, after, message, cx),
                other => cx.forward(other.map(
                    |_| unreachable!("the arm above takes every message"),
                    Timer::Child,
                    |record| record,
                    |event| event,
                )),
            },
        );
        self.scratch = scratch;
    }
}
