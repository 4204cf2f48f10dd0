//! A step on the way of a proposal allocates the lists of entries that it hands on, and nothing else.
// A counting allocator is the one way to count, and implementing one is unsafe by its signature.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use volvox_core::{Bytes, Context, Effect, EffectOf, Environment, Incarnation, NodeId, Position, Process, Rng};
use volvox_raft::{Body, Command, Config, Configuration, Entry, Index, Member, Message, Payload, Raft, Term, Ticket};

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: hands everything to the system's allocator and only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Alone {
    raft: Raft,
    environment: Environment,
    effects: Vec<EffectOf<Raft>>,
}

impl Alone {
    fn new() -> Alone {
        let voters = (1..=3).map(|node| Member::new(node, 1));
        let config = Config { initial: Some(Configuration::of(voters)), ..Config::default() };
        let environment = Environment::new(NodeId(1), Incarnation(1), Position::NONE, &Rng::new(1));
        let nodes = [NodeId(1), NodeId(2), NodeId(3)];
        Alone { raft: Raft::new(NodeId(1), &nodes, &config), environment, effects: Vec::with_capacity(64) }
    }

    /// Runs a step; counts its allocations, not those of dropping its effects.
    fn step(&mut self, step: impl FnOnce(&mut Raft, &mut Context<'_, Raft>)) -> u64 {
        self.effects.clear();
        let before = COUNT.with(Cell::get);
        step(&mut self.raft, &mut Context::new(&mut self.environment, &mut self.effects));
        COUNT.with(Cell::get) - before
    }

    fn receive(&mut self, from: u64, term: u64, body: Body) -> u64 {
        let message = Message { from: Incarnation(1), to: Incarnation(1), term: Term(term), body };
        self.step(|raft, cx| raft.on_message(NodeId(from), message, cx))
    }

    fn persist_all(&mut self) -> u64 {
        let through = self.environment.last_position;
        self.step(|raft, cx| raft.on_persisted(through, cx))
    }
}

const ROUNDS: u64 = 2_000;

/// Rings of the log and of the windows double now and then: that is not counted against a step.
const GROWTH: u64 = 40;

#[test]
fn a_leader_allocates_lists_of_entries_only() {
    let mut leader = Alone::new();
    leader.step(|raft, cx| raft.on_start(cx));
    leader.step(|raft, cx| raft.on_timer(volvox_raft::Timer::Election, cx));
    leader.receive(2, 0, Body::PreVoteReply { granted: true });
    leader.persist_all();
    leader.receive(2, 1, Body::VoteReply { granted: true });
    for follower in [2, 3] {
        leader.receive(follower, 1, Body::Appended { matched: Index(1) });
    }
    let (mut proposing, mut acknowledged) = (0, 0);
    for round in 0..ROUNDS {
        let data = Bytes::from("a value of some length");
        proposing += leader.step(|raft, cx| raft.on_command(Command::Propose { ticket: Ticket(round), data }, cx));
        let sends = leader.effects.iter().filter(|effect| matches!(effect, Effect::Send { .. })).count();
        assert_eq!(sends, 2, "replicated in the same step");
        let index = leader.raft.last_index();
        acknowledged += leader.receive(2, 1, Body::Appended { matched: index });
        acknowledged += leader.persist_all();
        acknowledged += leader.receive(3, 1, Body::Appended { matched: index });
        assert_eq!(leader.raft.commit_index(), index);
    }
    // The record's list and a list a message; the list of what was committed.
    assert!(proposing <= 3 * ROUNDS + GROWTH, "{proposing} allocations in {ROUNDS} proposals");
    assert!(acknowledged <= ROUNDS + GROWTH, "{acknowledged} allocations in {ROUNDS} commits");
}

#[test]
fn a_follower_allocates_lists_of_entries_only() {
    let mut follower = Alone::new();
    follower.step(|raft, cx| raft.on_start(cx));
    let mut appending = 0;
    for index in 1..=ROUNDS {
        let payload = Payload::Data(Bytes::from("a value of some length"));
        let entries = vec![Entry { term: Term(1), index: Index(index), payload }];
        let (prev_index, prev_term) = (Index(index - 1), Term(u64::from(index > 1)));
        let body = Body::Append { prev_index, prev_term, entries, commit: Index(index - 1) };
        appending += follower.receive(2, 1, body);
        appending += follower.persist_all();
    }
    assert_eq!(follower.raft.commit_index(), Index(ROUNDS - 1));
    // The list of what was committed; the record takes the message's list.
    assert!(appending <= 2 * ROUNDS + GROWTH, "{appending} allocations in {ROUNDS} messages");
}
