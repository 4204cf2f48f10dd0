//! A step allocates nothing by itself: neither of a process, nor through a parent, nor with the whole world around it.
#![allow(unsafe_code, reason = "a global allocator that counts is unsafe by its trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt;
use volvox_core::{
    Context, Duration, Effect, EffectOf, Environment, Incarnation, MessageKind, NodeId, Position, Process, Rng, Scratch,
};
use volvox_sim::{Builder, Latency};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; the counter is a thread's own and needs no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations_of(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Word([u64; 8]);

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0[0])
    }
}

impl MessageKind for Word {
    fn kind(&self) -> &'static str {
        "Word"
    }
}

/// Uses every verb once per message: two sends, a timer, a record, an event, a note.
struct Busy {
    peers: [NodeId; 2],
    count: u64,
}

impl Process for Busy {
    type Config = ();
    type Message = Word;
    type Timer = u8;
    type Record = Word;
    type Command = Word;
    type Event = Word;
    type View = ();

    fn new(id: NodeId, _: &[NodeId], (): &()) -> Busy {
        let next = |by: u64| NodeId((id.0 - 1 + by) % 3 + 1);
        Busy { peers: [next(1), next(2)], count: 0 }
    }
    fn on_start(&mut self, cx: &mut Context<'_, Busy>) {
        cx.set_timer(1, Duration::from_millis(5));
        cx.send(self.peers[0], Word([0; 8]));
    }
    fn on_message(&mut self, _: NodeId, word: Word, cx: &mut Context<'_, Busy>) {
        self.count += 1;
        cx.persist(word.clone());
        cx.send(self.peers[0], Word([self.count; 8]));
        cx.send_after(Position::NONE, self.peers[1], word.clone());
        cx.set_timer(1, Duration::from_millis(5));
        cx.cancel_timer(2);
        cx.emit(word);
        cx.note("busy", self.count);
    }
    fn on_timer(&mut self, _: u8, cx: &mut Context<'_, Busy>) {
        cx.send(self.peers[1], Word([self.count; 8]));
    }
    fn on_command(&mut self, word: Word, cx: &mut Context<'_, Busy>) {
        self.on_message(cx.id(), word, cx);
    }
    fn view(&self) {}
}

/// Owns a [`Busy`], maps its effects and takes its events.
struct Parent {
    child: Busy,
    scratch: Scratch<Busy>,
    events: u64,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Wrapped(Word);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wrapped {}", self.0)
    }
}

impl MessageKind for Wrapped {
    fn kind(&self) -> &'static str {
        "Wrapped"
    }
}

impl Parent {
    fn run(&mut self, cx: &mut Context<'_, Parent>, step: impl FnOnce(&mut Busy, &mut Context<'_, Busy>)) {
        let child = &mut self.child;
        cx.scope(&mut self.scratch, |cx| step(child, cx), Wrapped, |timer| timer + 10, Wrapped);
        for (event, after) in self.scratch.events.drain(..) {
            self.events += 1;
            cx.emit_after(after, Wrapped(event));
        }
    }
}

impl Process for Parent {
    type Config = ();
    type Message = Wrapped;
    type Timer = u8;
    type Record = Wrapped;
    type Command = Wrapped;
    type Event = Wrapped;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], (): &()) -> Parent {
        Parent { child: Busy::new(id, members, &()), scratch: Scratch::default(), events: 0 }
    }
    fn on_start(&mut self, cx: &mut Context<'_, Parent>) {
        self.run(cx, |child, cx| child.on_start(cx));
    }
    fn on_message(&mut self, from: NodeId, message: Wrapped, cx: &mut Context<'_, Parent>) {
        self.run(cx, |child, cx| child.on_message(from, message.0, cx));
    }
    fn on_timer(&mut self, timer: u8, cx: &mut Context<'_, Parent>) {
        self.run(cx, |child, cx| child.on_timer(timer - 10, cx));
    }
    fn on_command(&mut self, command: Wrapped, cx: &mut Context<'_, Parent>) {
        self.run(cx, |child, cx| child.on_command(command.0, cx));
    }
    fn view(&self) {}
}

const MEMBERS: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];

fn environment() -> Environment {
    Environment::new(NodeId(1), Incarnation(1), Position::NONE, &Rng::new(1))
}

#[test]
fn a_step_allocates_nothing() {
    let mut environment = environment();
    let mut effects: Vec<EffectOf<Busy>> = Vec::new();
    let mut busy = Busy::new(NodeId(1), &MEMBERS, &());
    let mut step = |effects: &mut Vec<EffectOf<Busy>>| {
        effects.clear();
        busy.on_message(NodeId(2), Word([7; 8]), &mut Context::new(&mut environment, effects));
    };
    step(&mut effects);
    assert_eq!(allocations_of(|| (0..1_000).for_each(|_| step(&mut effects))), 0);
    assert_eq!(effects.len(), 7);
}

#[test]
fn a_step_through_a_parent_allocates_nothing_and_keeps_the_order() {
    let mut environment = environment();
    let mut effects: Vec<EffectOf<Parent>> = Vec::new();
    let mut parent = Parent::new(NodeId(1), &MEMBERS, &());
    let mut step = |effects: &mut Vec<EffectOf<Parent>>| {
        effects.clear();
        let word = Wrapped(Word([7; 8]));
        parent.on_message(NodeId(2), word, &mut Context::new(&mut environment, effects));
    };
    step(&mut effects);
    assert_eq!(allocations_of(|| (0..1_000).for_each(|_| step(&mut effects))), 0);
    let shape: Vec<&str> = effects
        .iter()
        .map(|effect| match effect {
            Effect::Send { .. } => "send",
            Effect::Emit { .. } => "emit",
            Effect::Persist { .. } => "persist",
            Effect::SetTimer { timer, .. } => {
                assert_eq!(*timer, 11);
                "set"
            }
            Effect::CancelTimer { .. } => "cancel",
            Effect::Note(_) => "note",
            _ => "checkpoint",
        })
        .collect();
    assert_eq!(shape, ["persist", "send", "send", "set", "cancel", "note", "emit"]);
}

/// A ring of messages with timers that are restarted all the time: only the world does work.
struct Ring(NodeId);

impl Process for Ring {
    type Config = ();
    type Message = Word;
    type Timer = ();
    type Record = Word;
    type Command = Word;
    type Event = Word;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], (): &()) -> Ring {
        Ring(members[id.0 as usize % members.len()])
    }
    fn on_start(&mut self, cx: &mut Context<'_, Ring>) {
        cx.send(self.0, Word([0; 8]));
    }
    fn on_message(&mut self, _: NodeId, word: Word, cx: &mut Context<'_, Ring>) {
        cx.set_timer((), Duration::from_millis(3));
        cx.send(self.0, word);
    }
    fn on_timer(&mut self, (): (), cx: &mut Context<'_, Ring>) {
        cx.set_timer((), Duration::from_millis(7));
    }
    fn on_command(&mut self, _: Word, _: &mut Context<'_, Ring>) {}
    fn view(&self) {}
}

#[test]
fn a_delivery_in_a_running_world_allocates_nothing() {
    for latency in [
        Latency::Constant(Duration::from_millis(1)),
        Latency::Uniform(Duration::from_millis(1), Duration::from_millis(9)),
        Latency::LogNormal { median: Duration::from_millis(2), sigma_thousandths: 700 },
    ] {
        let mut sim = Builder::<Ring>::new(1, 50, ()).latency(latency).build();
        // Buffers grow to what the run needs.
        for _ in 0..200_000 {
            sim.step();
        }
        sim.happened().for_each(drop);
        let before = sim.statistics().delivered;
        let allocations = allocations_of(|| (0..200_000).for_each(|_| assert!(sim.step())));
        assert_eq!(allocations, 0, "{latency:?}");
        assert!(sim.statistics().delivered > before + 50_000);
    }
}
