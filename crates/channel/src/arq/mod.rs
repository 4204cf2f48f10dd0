//! Sliding windows: reliable FIFO delivery with short sequence numbers.
//!
//! # The problem
//!
//! A link is FIFO but lossy: a wire, a radio, a tunnel. The sender retransmits unacknowledged messages (*automatic
//! repeat request*), so the receiver must recognise a duplicate. Headers are short, so sequence numbers have few bits
//! and wrap. How many messages may be in flight at a time before an old number is mistaken for a new one? And how few
//! are too few to fill the link?
//!
//! # The idea
//!
//! Numbers count modulo 2^k. At most a *window* of W messages is in flight. Three schemes ([`Scheme`]):
//!
//! | scheme | the receiver | the sender retransmits | window |
//! |---|---|---|---|
//! | stop-and-wait | accepts only the next | the one in flight | 1, one bit is enough: the alternating bit |
//! | go-back-N | accepts only the next; acknowledges the last accepted | all in flight | at most 2^k - 1 |
//! | selective repeat | buffers early ones; acknowledges each | the unacknowledged one | at most 2^(k-1) |
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Data 3 hello` | the message with number 3, modulo 2^k |
//! | `Ack 3` | go-back-N: all up to 3 arrived; selective repeat: 3 arrived |
//!
//! # A run
//!
//! Why go-back-N may not use all 2^k numbers at a time; here k = 1 and W = 2:
//!
//! ```text
//!   n1 says a, b                   n2 expects 0
//!     | Data 0 a ------------------> | hears a, expects 1
//!     | Data 1 b ------------------> | hears b, expects 0: the third message
//!     | <-----------------X -- Ack 0 |
//!     | <-----------------X -- Ack 1 |
//!     |  no answer: all again          |
//!     | Data 0 a ------------------> | 0 is expected: hears a once more
//! ```
//!
//! # Why it is safe
//!
//! Let the receiver expect message r, counted from 0 without wrapping. The sender's window begins at some s with
//! r - W <= s <= r: nothing beyond s + W - 1 was sent, and r is not beyond the window, since everything before s was
//! acknowledged. On a FIFO link, every message that still arrives was sent with such a window.
//!
//! *Go-back-N* accepts a message if its number equals r modulo 2^k. Those that may arrive are r - W to r + W - 1;
//! another one that equals r modulo 2^k would be r - 2^k, which needs W >= 2^k. So W <= 2^k - 1. *Selective repeat*
//! accepts r to r + W - 1. An old one, r - W to r - 1, is mistaken for one of these if the 2W numbers are not all
//! different: so 2W <= 2^k. *Termination*: an unacknowledged message is retransmitted, and fair loss eventually lets it
//! through.
//!
//! # Caveats
//!
//! - The link must be FIFO. A copy that is slow enough to be overtaken by 2^k others is mistaken for a new message,
//!   with any window; a bound on the lifetime of messages would help, and 2^64 numbers, as in
//!   [`Channel`](crate::Channel), do help.
//! - Both ends must live as long as their link. One that restarts begins at 0, and messages in flight are mistaken for
//!   new ones.
//! - A timer that is too short costs only retransmissions.
//! - At most [`QUEUE_MAX`] messages wait for one peer; any further one is dropped before it gets a number.
//!
//! # References
//!
//! Bartlett, Scantlebury, Wilkinson: *A note on reliable full-duplex transmission over half-duplex links*, CACM 12(5),
//! 1969: the alternating bit. Tanenbaum, Wetherall: *Computer networks*, 3.4 sliding window protocols. Kurose, Ross:
//! *Computer networking*, 3.4.3 go-back-N, 3.4.4 selective repeat and the dilemma of its window.

mod message;
mod window;

pub use message::{Message, Timer};

use crate::links::pass_on;
use alloc::collections::{BTreeMap, VecDeque};
use core::fmt::Debug;
use core::hash::Hash;
use volvox_core::{Context, Duration, NodeId, Position, Process, Restored, Scratch, rules};
use window::{Inward, Outward};

/// The most messages that wait for one peer.
pub const QUEUE_MAX: usize = 4_096;

/// Only without the rule `order`: how late a slow copy is, in timer periods, and how many there are.
const LATE: u32 = 4;
const LATE_MAX: usize = 64;

/// The most bits of a number.
const BITS_MAX: u32 = 15;

/// The packets that the receiver buffers and the sender retransmits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scheme {
    /// One message at a time.
    StopAndWait,
    /// The receiver accepts messages only in order, and the sender retransmits all that are in flight.
    GoBackN,
    /// The receiver buffers early messages, and the sender retransmits missing ones.
    SelectiveRepeat,
}

impl Scheme {
    /// The largest window with numbers of this many bits.
    pub fn window_max(self, bits: u32) -> u16 {
        match self {
            Scheme::StopAndWait => 1,
            Scheme::GoBackN => (1 << bits) - 1,
            Scheme::SelectiveRepeat => 1 << (bits - 1),
        }
    }
}

/// The configuration, over a process with configuration `C`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Config<C> {
    /// The configuration of the process above.
    pub child: C,
    /// The packets that the receiver buffers and the sender retransmits.
    pub scheme: Scheme,
    /// How many bits a number has: 1 to 15.
    pub bits: u32,
    /// How many messages may be in flight: 1 to [`Scheme::window_max`].
    pub window: u16,
    /// How long the sender waits for an acknowledgement.
    pub repeat_after: Duration,
    /// The rule to remove, to see what it is for.
    pub without: Option<Rule>,
}

rules! {
    /// The removable rules.
    pub enum Rule of Config<C>;
    Window = "window": "the window is no larger than the numbers allow" /
        "it is one larger, and an old message is mistaken for a new one",
    Fifo = "fifo": "the link keeps the order" / "a slow copy of a retransmission is mistaken for a new message",
    Repetition = "repetition": "an unacknowledged message is retransmitted" / "a lost message never arrives",
}

impl<C> Config<C> {
    /// A scheme with numbers of this many bits and the largest window that they allow.
    pub fn new(child: C, scheme: Scheme, bits: u32) -> Config<C> {
        let window = scheme.window_max(bits);
        Config { child, scheme, bits, window, repeat_after: Duration::from_millis(50), without: None }
    }

    /// The window in use.
    fn window_used(&self) -> u16 {
        if self.keeps(Rule::Window) { self.window } else { self.scheme.window_max(self.bits) + 1 }
    }

    /// The number after this many others.
    fn after(&self, sequence: u16, count: usize) -> u16 {
        ((usize::from(sequence) + count) % (1 << self.bits)) as u16
    }

    /// The distance from one number up to another.
    fn distance(&self, from: u16, to: u16) -> usize {
        usize::from(to.wrapping_sub(from)) % (1 << self.bits)
    }
}

/// Sliding windows under a process: every message is delivered once, in order.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Arq<P: Process<Message: Clone + Eq + Hash + Debug>> {
    child: P,
    config: Config<()>,
    outward: BTreeMap<NodeId, Outward<P::Message>>,
    inward: BTreeMap<NodeId, Inward<P::Message>>,
    /// Only without the rule `order`: slow copies.
    late: VecDeque<(NodeId, Position, Message<P::Message>)>,
    scratch: Scratch<P>,
}

impl<P> Process for Arq<P>
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

    fn new(id: NodeId, members: &[NodeId], config: &Self::Config) -> Arq<P> {
        let Config { scheme, bits, window, repeat_after, without, .. } = *config;
        assert!((1..=BITS_MAX).contains(&bits), "numbers of {bits} bits");
        assert!((1..=scheme.window_max(bits)).contains(&window), "a window of {window} with numbers of {bits} bits");
        Arq {
            child: P::new(id, members, &config.child),
            config: Config { child: (), scheme, bits, window, repeat_after, without },
            outward: members.iter().map(|peer| (*peer, Outward::default())).collect(),
            inward: members.iter().map(|peer| (*peer, Inward::default())).collect(),
            late: VecDeque::new(),
            scratch: Scratch::default(),
        }
    }

    fn on_restore(&mut self, restored: Restored<P::Record>) {
        self.child.on_restore(restored);
    }

    fn on_start(&mut self, cx: &mut Context<'_, Self>) {
        self.run_child(cx, P::on_start);
    }

    fn on_message(&mut self, from: NodeId, frame: Self::Message, cx: &mut Context<'_, Self>) {
        if !self.outward.contains_key(&from) || frame.sequence() >> self.config.bits != 0 {
            return cx.note("ignored: not from a member, or a number out of range", from.0);
        }
        match frame {
            Message::Data { sequence, message } => self.on_data(from, sequence, message, cx),
            Message::Ack { sequence } => self.on_ack(from, sequence, cx),
        }
    }

    fn on_timer(&mut self, timer: Self::Timer, cx: &mut Context<'_, Self>) {
        match timer {
            Timer::RepeatAll(to) => self.repeat_all(to, cx),
            Timer::RepeatOne(to, sequence) => self.repeat_one(to, sequence, cx),
            Timer::Late => {
                for (to, after, frame) in core::mem::take(&mut self.late) {
                    // Waits for the same position as the original.
                    cx.send_after(after, to, frame);
                }
            }
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

impl<P> Arq<P>
where
    P: Process<Message: Clone + Eq + Hash + Debug>,
{
    /// The number of messages that are in flight or queued.
    pub fn waiting(&self) -> usize {
        self.outward.values().map(|outward| outward.queue.len()).sum()
    }

    /// The receiver.
    fn on_data(&mut self, from: NodeId, sequence: u16, message: P::Message, cx: &mut Context<'_, Self>) {
        let config = self.config;
        let Some(inward) = self.inward.get_mut(&from) else { return };
        let ahead = config.distance(inward.expected, sequence);
        let kept = if config.scheme == Scheme::SelectiveRepeat { usize::from(config.window_used()) } else { 1 };
        if ahead < kept {
            inward.early.entry(sequence).or_insert(message);
        } else {
            cx.note("not the next one", u64::from(sequence));
        }
        while let Some(message) = self.inward.get_mut(&from).and_then(|inward| inward.take_next(&config)) {
            self.run_child(cx, |child, cx| child.on_message(from, message, cx));
        }
        let acknowledged = match config.scheme {
            // Acknowledges this message even if it arrived before: the last acknowledgement may be lost.
            Scheme::SelectiveRepeat => sequence,
            // Acknowledges the last accepted message. Before the first, that is a number that the sender has not used.
            _ => self.inward.get(&from).map_or(0, |inward| config.after(inward.expected, (1 << config.bits) - 1)),
        };
        cx.send(from, Message::Ack { sequence: acknowledged });
    }

    /// The sender.
    fn on_ack(&mut self, from: NodeId, sequence: u16, cx: &mut Context<'_, Self>) {
        let config = self.config;
        let Some(outward) = self.outward.get_mut(&from) else { return };
        let place = config.distance(outward.base, sequence);
        if place >= outward.sent {
            return cx.note("acknowledged before", u64::from(sequence));
        }
        if config.scheme == Scheme::SelectiveRepeat {
            outward.acknowledge_one(place, &config);
            cx.cancel_timer(Timer::RepeatOne(from, sequence));
        } else {
            outward.acknowledge_through(place, &config);
            match outward.sent {
                0 => cx.cancel_timer(Timer::RepeatAll(from)),
                _ => cx.set_timer(Timer::RepeatAll(from), config.repeat_after),
            }
        }
        self.fill_window(from, cx);
    }

    /// Sends the messages that the window admits.
    fn fill_window(&mut self, to: NodeId, cx: &mut Context<'_, Self>) {
        let config = self.config;
        let Some(outward) = self.outward.get_mut(&to) else { return };
        let admitted = outward.queue.len().min(config.window_used().into());
        for place in outward.sent..admitted {
            let (sequence, after, frame) = outward.frame(place, &config);
            // Waits for the position of the process above.
            cx.send_after(after, to, frame);
            match config.scheme {
                Scheme::SelectiveRepeat => cx.set_timer(Timer::RepeatOne(to, sequence), config.repeat_after),
                _ if place == 0 => cx.set_timer(Timer::RepeatAll(to), config.repeat_after),
                _ => {}
            }
        }
        outward.sent = admitted;
    }

    /// Go-back-N: retransmits everything in flight, from the first.
    fn repeat_all(&mut self, to: NodeId, cx: &mut Context<'_, Self>) {
        let config = self.config;
        for place in 0..self.outward.get(&to).map_or(0, |outward| outward.sent) {
            self.repeat(to, place, cx);
        }
        cx.set_timer(Timer::RepeatAll(to), config.repeat_after);
    }

    /// Selective repeat: retransmits the unacknowledged one.
    fn repeat_one(&mut self, to: NodeId, sequence: u16, cx: &mut Context<'_, Self>) {
        let config = self.config;
        let Some(outward) = self.outward.get(&to) else { return };
        let place = config.distance(outward.base, sequence);
        if place < outward.sent {
            self.repeat(to, place, cx);
            cx.set_timer(Timer::RepeatOne(to, sequence), config.repeat_after);
        }
    }

    fn repeat(&mut self, to: NodeId, place: usize, cx: &mut Context<'_, Self>) {
        let Some(outward) = self.outward.get(&to) else { return };
        if !self.config.keeps(Rule::Repetition) {
            return cx.note("not repeated", place as u64);
        }
        let (_, after, frame) = outward.frame(place, &self.config);
        if !self.config.keeps(Rule::Fifo) && self.late.len() < LATE_MAX {
            if self.late.is_empty() {
                cx.set_timer(Timer::Late, self.config.repeat_after * LATE);
            }
            self.late.push_back((to, after, frame.clone()));
        }
        // Waits for the position of the process above.
        cx.send_after(after, to, frame);
    }

    /// The process above sends: the message is appended to the queue.
    fn enqueue(&mut self, to: NodeId, message: P::Message, after: Position, cx: &mut Context<'_, Self>) {
        match self.outward.get_mut(&to) {
            Some(outward) if outward.queue.len() < QUEUE_MAX => {
                outward.queue.push_back((after, message, false));
                self.fill_window(to, cx);
            }
            _ => cx.note("queue full: newest dropped", to.0),
        }
    }

    fn run_child(&mut self, cx: &mut Context<'_, Self>, step: impl FnOnce(&mut P, &mut Context<'_, P>)) {
        let mut scratch = core::mem::take(&mut self.scratch);
        cx.scope_with(
            self,
            &mut scratch,
            |arq, cx| step(&mut arq.child, cx),
            |arq, effect, cx| {
                pass_on::<Self, P>(effect, cx, Timer::Child, |to, message, after, cx| {
                    arq.enqueue(to, message, after, cx);
                });
            },
        );
        self.scratch = scratch;
    }
}
