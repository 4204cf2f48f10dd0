//! How fast the simulator is: `cargo run --release -p volvox-sim --example speed`.
//!
//! S1: node i pings node i+1, one ping outstanding each, 16 bytes, latency 1 ms, the hash chain on. S2: every node has
//! only a timer of 100 ms. S1 runs typed, and erased as the laboratory runs its chapters. Prints deliveries (or timers)
//! per second, nanoseconds and allocations for one, and the bytes per node.
#![allow(unsafe_code, reason = "a global allocator that counts is unsafe by its trait")]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant as Stopwatch;
use volvox_core::erased::{AnyConfig, AnyProcess};
use volvox_core::{Context, Decode, DecodeError, Duration, Encode, MessageKind, NodeId, Process, Reader};
use volvox_sim::{Builder, Latency};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size() as u64, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size() as u64, Ordering::Relaxed);
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Message {
    Ping([u64; 2]),
    Pong([u64; 2]),
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Ping(_) => "Ping",
            Message::Pong(_) => "Pong",
        }
    }
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        let (tag, [round, rest]) = match self {
            Message::Ping(payload) => (1u8, payload),
            Message::Pong(payload) => (2, payload),
        };
        tag.encode(out);
        (*round, *rest).encode(out);
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Message, DecodeError> {
        let kind = u8::decode(input)?;
        let payload = [u64::decode(input)?, u64::decode(input)?];
        match kind {
            1 => Ok(Message::Ping(payload)),
            2 => Ok(Message::Pong(payload)),
            other => Err(DecodeError::Unknown("message", other.into())),
        }
    }
}

impl Encode for Never {
    fn encode(&self, _: &mut Vec<u8>) {
        match *self {}
    }
}

impl Decode for Never {
    fn decode(_: &mut Reader<'_>) -> Result<Never, DecodeError> {
        Err(DecodeError::Invalid("record"))
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Never {}

impl fmt::Display for Never {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

#[derive(Clone, Hash)]
struct Ring {
    next: NodeId,
    round: u64,
}

impl Process for Ring {
    type Config = ();
    type Message = Message;
    type Timer = ();
    type Record = Never;
    type Command = Never;
    type Event = Never;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], _: &()) -> Ring {
        Ring { next: members[id.0 as usize % members.len()], round: 0 }
    }
    fn on_start(&mut self, cx: &mut Context<'_, Ring>) {
        cx.send(self.next, Message::Ping([self.round, 0]));
    }
    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Ring>) {
        match message {
            Message::Ping(payload) => cx.send(from, Message::Pong(payload)),
            Message::Pong([round, _]) => {
                self.round = round + 1;
                cx.send(self.next, Message::Ping([self.round, 0]));
            }
        }
    }
    fn on_timer(&mut self, (): (), _: &mut Context<'_, Ring>) {}
    fn on_command(&mut self, command: Never, _: &mut Context<'_, Ring>) {
        match command {}
    }
    fn view(&self) {}
}

struct Idle;

impl Process for Idle {
    type Config = ();
    type Message = Message;
    type Timer = ();
    type Record = Never;
    type Command = Never;
    type Event = Never;
    type View = ();

    fn new(_: NodeId, _: &[NodeId], (): &()) -> Idle {
        Idle
    }
    fn on_start(&mut self, cx: &mut Context<'_, Idle>) {
        cx.set_timer((), Duration::from_millis(100));
    }
    fn on_message(&mut self, _: NodeId, _: Message, _: &mut Context<'_, Idle>) {}
    fn on_timer(&mut self, (): (), cx: &mut Context<'_, Idle>) {
        cx.set_timer((), Duration::from_millis(100));
    }
    fn on_command(&mut self, command: Never, _: &mut Context<'_, Idle>) {
        match command {}
    }
    fn view(&self) {}
}

fn main() {
    println!("S1 ping ring, latency 1 ms, hash chain on");
    println!(
        "{:>8} {:>12} {:>14} {:>8} {:>12} {:>12}",
        "nodes", "deliveries", "deliveries/s", "ns each", "allocs each", "bytes/node"
    );
    for nodes in [2, 10, 50, 200, 500, 2_000, 10_000, 100_000] {
        let constant = Latency::Constant(Duration::from_millis(1));
        ring::<Ring>(nodes, (), constant);
    }
    println!("the same, erased");
    for nodes in [2, 10, 50, 200, 500, 2_000, 10_000, 100_000] {
        let constant = Latency::Constant(Duration::from_millis(1));
        ring::<AnyProcess>(nodes, AnyConfig::of::<Ring>(()), constant);
    }
    println!("the same with latency uniform in 1..10 ms");
    for nodes in [2, 500, 10_000, 100_000] {
        ring::<Ring>(nodes, (), Latency::Uniform(Duration::from_millis(1), Duration::from_millis(10)));
    }
    println!("S2 one timer of 100 ms per node");
    println!(
        "{:>8} {:>12} {:>14} {:>8} {:>12} {:>12}",
        "nodes", "timers", "timers/s", "ns each", "allocs each", "sim s/wall s"
    );
    for nodes in [2, 10, 50, 200, 500, 2_000, 10_000, 100_000] {
        idle(nodes);
    }
}

fn ring<P: Process + 'static>(nodes: u64, config: P::Config, latency: Latency) {
    let before = BYTES.load(Ordering::Relaxed);
    let mut sim = Builder::<P>::new(1, nodes, config).latency(latency).build();
    while sim.statistics().delivered < 200_000.max(3 * nodes) {
        sim.step();
        while sim.next_happened().is_some() {}
    }
    let bytes = BYTES.load(Ordering::Relaxed) - before;
    let done = sim.statistics().delivered;
    let allocations = ALLOCATIONS.load(Ordering::Relaxed);
    let watch = Stopwatch::now();
    let target = done + 5_000_000;
    while sim.statistics().delivered < target {
        sim.step();
    }
    let seconds = watch.elapsed().as_secs_f64();
    report(nodes, target - done, seconds, ALLOCATIONS.load(Ordering::Relaxed) - allocations, (bytes / nodes) as f64);
    std::hint::black_box(sim.chain());
}

fn idle(nodes: u64) {
    let mut sim = Builder::<Idle>::new(1, nodes, ()).build();
    while sim.statistics().timers < 3 * nodes {
        sim.step();
        while sim.next_happened().is_some() {}
    }
    let (timers, started) = (sim.statistics().timers, sim.now().0);
    let allocations = ALLOCATIONS.load(Ordering::Relaxed);
    let watch = Stopwatch::now();
    // 60 s of the world's time, or enough timers for a measurement.
    while sim.now().0 - started < 60_000_000_000 && sim.statistics().timers < timers + 5_000_000 {
        sim.step();
    }
    let seconds = watch.elapsed().as_secs_f64();
    let ratio = (sim.now().0 - started) as f64 / 1e9 / seconds;
    report(nodes, sim.statistics().timers - timers, seconds, ALLOCATIONS.load(Ordering::Relaxed) - allocations, ratio);
    std::hint::black_box(sim.chain());
}

fn report(nodes: u64, count: u64, seconds: f64, allocations: u64, last: f64) {
    println!(
        "{nodes:>8} {count:>12} {:>14.0} {:>8.1} {:>12.6} {last:>12.0}",
        count as f64 / seconds,
        seconds * 1e9 / count as f64,
        allocations as f64 / count as f64,
    );
}
