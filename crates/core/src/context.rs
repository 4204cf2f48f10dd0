//! The verbs of a step.
//!
//! A [`Context`] is a concrete struct over a buffer that the world owns: pushing an effect allocates nothing once the
//! buffer has grown, and reads like the paper. A parent that owns other processes runs each in a child context with
//! [`Context::scope`].

use crate::effect::{Effect, EffectOf, Note, PART_BYTES_MAX, Part};
use crate::identity::{Boot, Incarnation, NodeId, Position};
use crate::process::Process;
use crate::random::{Choices, Rng};
use crate::time::{Instant, Wall};
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::time::Duration;

/// The world's data about one node, for every step to read: identity, clocks, randomness, and the position of the last
/// record.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The node's identity.
    pub id: NodeId,
    /// The incarnation of its storage.
    pub incarnation: Incarnation,
    /// The start of the process in that incarnation.
    pub boot: WhichBoot,
    /// The monotonic clock.
    pub now: Now,
    /// The wall clock, read at the same moment.
    pub wall: Wall,
    /// Randomness for jitter; the checker fixes it.
    pub rng: Rng,
    /// Randomness for decisions; the checker explores them.
    pub choices: Choices,
    /// The position of the last record persisted so far, durable or not.
    pub last_position: Position,
}

/// The result of [`Context::now`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Now {
    /// The monotonic clock, read after the step's input was taken.
    Known(Instant),
    /// No clock, as in the asynchronous model: the call is a bug, and panics.
    Unknown,
    /// No clock: the call is recorded and returns zero, and the world discards the step. For worlds that explore, and
    /// must report the call even where panics abort.
    Noted(Cell<bool>),
}

/// The result of [`Context::boot`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WhichBoot {
    /// The start of the process that the world counted.
    Known(Boot),
    /// The world does not count starts. As for [`Now::Noted`], the call is recorded and returns the first boot, and the
    /// world discards the step. For worlds that explore, where counting costs states that most protocols do not need.
    Noted(Cell<bool>),
}

impl Environment {
    /// The environment of a node that starts for the first time in this incarnation, with `last_position` records on
    /// its disk, and with randomness from `seed`. A world in which processes restart sets the
    /// [boot](Environment::boot).
    pub fn new(id: NodeId, incarnation: Incarnation, last_position: Position, seed: &Rng) -> Environment {
        Environment {
            id,
            incarnation,
            boot: WhichBoot::Known(Boot::FIRST),
            now: Now::Known(Instant::ZERO),
            wall: Wall::default(),
            rng: seed.split(id.0 * 2),
            choices: Choices::Random(seed.split(id.0 * 2 + 1)),
            last_position,
        }
    }
}

/// The world as one step of a process sees it.
pub struct Context<'a, P: Process> {
    environment: &'a mut Environment,
    effects: &'a mut Vec<EffectOf<P>>,
}

impl<'a, P: Process> Context<'a, P> {
    /// A context that appends to `effects`. For worlds.
    pub fn new(environment: &'a mut Environment, effects: &'a mut Vec<EffectOf<P>>) -> Context<'a, P> {
        Context { environment, effects }
    }

    /// The id of this node.
    pub fn id(&self) -> NodeId {
        self.environment.id
    }

    /// The incarnation of this node's storage.
    pub fn incarnation(&self) -> Incarnation {
        self.environment.incarnation
    }

    /// The boot: which start of the process in this incarnation this is. A process reads it in `on_start`, and numbers
    /// its requests with the [`Serials`](crate::Serials) of the boot.
    pub fn boot(&self) -> Boot {
        match &self.environment.boot {
            WhichBoot::Known(boot) => *boot,
            WhichBoot::Noted(was_asked) => {
                was_asked.set(true);
                Boot::FIRST
            }
        }
    }

    /// Reads the monotonic clock: for durations, and only within this boot.
    ///
    /// # Panics
    /// In a world [without time](Now::Unknown) that does not [note](Now::Noted) the call: a protocol for that world
    /// must not read the clock.
    pub fn now(&self) -> Instant {
        match &self.environment.now {
            Now::Known(now) => *now,
            Now::Unknown => panic!("an asynchronous protocol may not ask for the time"),
            Now::Noted(was_asked) => {
                was_asked.set(true);
                Instant::ZERO
            }
        }
    }

    /// Reads the wall clock, which may jump or stand still, so reading it is never an error; it is the only time that
    /// may be persisted or sent.
    pub fn wall(&self) -> Wall {
        self.environment.wall
    }

    /// Randomness for jitter. A random *decision* of the protocol uses [`Context::choose`].
    pub fn rng(&mut self) -> &mut Rng {
        &mut self.environment.rng
    }

    /// Makes a random decision in `0..bound`: drawn by the simulator, explored by the checker.
    pub fn choose(&mut self, bound: u32) -> u32 {
        self.environment.choices.choose(bound)
    }

    /// The position of the last record persisted so far, for which [`Context::send`] waits.
    pub fn last_position(&self) -> Position {
        self.environment.last_position
    }

    /// Sends once everything persisted so far is durable.
    pub fn send(&mut self, to: NodeId, message: P::Message) {
        let after = self.environment.last_position;
        self.send_after(after, to, message);
    }

    /// Sends once the records up to `after` are durable. Say in a comment why that is enough.
    ///
    /// # Panics
    /// When a process sends to itself, or waits for a record that it has not persisted.
    pub fn send_after(&mut self, after: Position, to: NodeId, message: P::Message) {
        assert!(to != self.environment.id, "{to} sends to itself");
        self.check_position(after);
        self.effects.push(Effect::Send { to, message, after });
    }

    /// Sends to each of `peers` except this node, once everything persisted so far is durable.
    pub fn broadcast<'p>(&mut self, peers: impl IntoIterator<Item = &'p NodeId>, message: P::Message) {
        for peer in peers {
            if *peer != self.environment.id {
                self.send(*peer, message.clone());
            }
        }
    }

    /// Emits an event to the outside once everything persisted so far is durable.
    pub fn emit(&mut self, event: P::Event) {
        let after = self.environment.last_position;
        self.emit_after(after, event);
    }

    /// Emits an event to the outside once the records up to `after` are durable. Say in a comment why that is enough.
    pub fn emit_after(&mut self, after: Position, event: P::Event) {
        self.check_position(after);
        self.effects.push(Effect::Emit { event, after });
    }

    /// Starts or restarts `timer`. Restarted more often than its delay, it never fires.
    pub fn set_timer(&mut self, timer: P::Timer, after: Duration) {
        self.effects.push(Effect::SetTimer { timer, after });
    }

    /// Stops `timer`.
    pub fn cancel_timer(&mut self, timer: P::Timer) {
        self.effects.push(Effect::CancelTimer { timer });
    }

    /// Writes a record; returns its position.
    pub fn persist(&mut self, record: P::Record) -> Position {
        let position = self.environment.last_position.next();
        self.environment.last_position = position;
        self.effects.push(Effect::Persist { position, record });
        position
    }

    /// Writes a part of a checkpoint.
    ///
    /// # Panics
    /// When the part is larger than [`PART_BYTES_MAX`].
    pub fn checkpoint(&mut self, part: Part) {
        assert!(part.data.len() <= PART_BYTES_MAX, "a checkpoint part of {} bytes", part.data.len());
        self.effects.push(Effect::CheckpointPart { part });
    }

    /// Makes a checkpoint current: see [`Effect::CheckpointDone`].
    pub fn checkpoint_done(&mut self, covers: Position, parts: Vec<u64>) {
        self.check_position(covers);
        self.effects.push(Effect::CheckpointDone { covers, parts });
    }

    /// Adds a remark to the trace; a `value` of 0 is not printed.
    pub fn note(&mut self, text: &'static str, value: u64) {
        self.effects.push(Effect::Note(Note { text, value }));
    }

    /// Runs one step of a child process in its own context, then maps the child's effects into this process's, in
    /// order, and returns what the step returns. The child's events are not forwarded: afterwards they are in `scratch`,
    /// with the positions that they wait for, and the parent takes them from there.
    ///
    /// Parent and child share positions: each record of the child becomes exactly one record of the parent. Checkpoints
    /// belong to the node: parent and children share one space of part numbers and covered positions. The parent of a
    /// child that checkpoints must not persist anything that has to survive the truncation, and must not have a second
    /// such child.
    pub fn scope<C: Process, T>(
        &mut self,
        scratch: &mut Scratch<C>,
        step: impl FnOnce(&mut Context<'_, C>) -> T,
        map_message: impl Fn(C::Message) -> P::Message,
        map_timer: impl Fn(C::Timer) -> P::Timer,
        map_record: impl Fn(C::Record) -> P::Record,
    ) -> T {
        assert!(scratch.effects.is_empty(), "a child's effects were left behind");
        let result = step(&mut Context { environment: self.environment, effects: &mut scratch.effects });
        for effect in scratch.effects.drain(..) {
            match effect {
                Effect::Emit { event, after } => scratch.events.push((event, after)),
                other => self
                    .effects
                    .push(other.map(&map_message, &map_timer, &map_record, |_| unreachable!("an event was put aside"))),
            }
        }
        result
    }

    /// Runs one step of another process in place of this one, over `effects`, which is empty before and after: the same
    /// node, the same positions, the same order; `map` converts each effect. For a holder that gives a process another
    /// type and changes nothing else.
    pub fn lend<C: Process>(
        &mut self,
        effects: &mut Vec<EffectOf<C>>,
        step: impl FnOnce(&mut Context<'_, C>),
        map: impl Fn(EffectOf<C>) -> EffectOf<P>,
    ) {
        assert!(effects.is_empty(), "effects of an earlier step were left behind");
        step(&mut Context { environment: self.environment, effects });
        self.effects.extend(effects.drain(..).map(map));
    }

    /// Repeats an effect by calling the verb that produces it: for a parent that forwards its child's effects in
    /// [`Context::scope_with`]. A record takes the next position of this process.
    pub fn forward(&mut self, effect: EffectOf<P>) {
        match effect {
            Effect::Send { to, message, after } => self.send_after(after, to, message),
            Effect::Emit { event, after } => self.emit_after(after, event),
            Effect::Persist { record, .. } => {
                self.persist(record);
            }
            Effect::SetTimer { timer, after } => self.set_timer(timer, after),
            Effect::CancelTimer { timer } => self.cancel_timer(timer),
            Effect::CheckpointPart { part } => self.checkpoint(part),
            Effect::CheckpointDone { covers, parts } => self.checkpoint_done(covers, parts),
            Effect::Note(note) => self.note(note.text, note.value),
        }
    }

    /// Runs one step of a child, then passes each of its effects, in order, to `each` with this context: for a parent
    /// that numbers, delays, routes or combines its child's effects. The parent persists the child's records itself,
    /// one record of its own for each, in order, so that the positions that the child knows stay valid. `parent` is
    /// lent to both closures; it takes its scratch out of itself meanwhile.
    pub fn scope_with<C: Process, S>(
        &mut self,
        parent: &mut S,
        scratch: &mut Scratch<C>,
        step: impl FnOnce(&mut S, &mut Context<'_, C>),
        mut each: impl FnMut(&mut S, EffectOf<C>, &mut Context<'_, P>),
    ) {
        assert!(scratch.effects.is_empty(), "a child's effects were left behind");
        let first = self.environment.last_position;
        step(parent, &mut Context { environment: self.environment, effects: &mut scratch.effects });
        let last = core::mem::replace(&mut self.environment.last_position, first);
        for effect in scratch.effects.drain(..) {
            each(parent, effect, self);
        }
        assert!(self.environment.last_position == last, "each record of a child becomes one record of its parent");
    }

    fn check_position(&self, after: Position) {
        assert!(
            after <= self.environment.last_position,
            "waits for {after}, but the last record is {}",
            self.environment.last_position
        );
    }
}

/// The buffers through which a parent runs a child. Empty between steps, so not part of the parent's value.
pub struct Scratch<C: Process> {
    effects: Vec<EffectOf<C>>,
    /// The child's events, oldest first, each with the position that it waits for.
    pub events: Vec<(C::Event, Position)>,
}

impl<C: Process> Default for Scratch<C> {
    fn default() -> Scratch<C> {
        Scratch { effects: Vec::new(), events: Vec::new() }
    }
}

impl<C: Process> Clone for Scratch<C> {
    fn clone(&self) -> Scratch<C> {
        Scratch::default()
    }
}

impl<C: Process> PartialEq for Scratch<C> {
    fn eq(&self, _: &Scratch<C>) -> bool {
        true
    }
}

impl<C: Process> Eq for Scratch<C> {}

impl<C: Process> Hash for Scratch<C> {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl<C: Process> fmt::Debug for Scratch<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scratch")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::MessageKind;
    use core::convert::Infallible;

    /// Its context is only lent.
    struct Idle;

    #[derive(Clone, PartialEq, Eq, Hash, Debug)]
    enum Nothing {}

    impl fmt::Display for Nothing {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            match *self {}
        }
    }

    impl MessageKind for Nothing {
        fn kind(&self) -> &'static str {
            match *self {}
        }
    }

    impl Process for Idle {
        type Config = ();
        type Message = Nothing;
        type Timer = ();
        type Record = Infallible;
        type Command = Infallible;
        type Event = Infallible;
        type View = ();

        fn new(_: NodeId, _: &[NodeId], (): &()) -> Idle {
            Idle
        }
        fn on_start(&mut self, _: &mut Context<'_, Idle>) {}
        fn on_message(&mut self, _: NodeId, message: Nothing, _: &mut Context<'_, Idle>) {
            match message {}
        }
        fn on_timer(&mut self, (): (), _: &mut Context<'_, Idle>) {}
        fn on_command(&mut self, command: Infallible, _: &mut Context<'_, Idle>) {
            match command {}
        }
        fn view(&self) {}
    }

    fn environment(now: Now) -> Environment {
        let environment = Environment::new(NodeId(1), Incarnation::FIRST, Position::NONE, &Rng::new(1));
        Environment { now, ..environment }
    }

    fn asked(environment: &mut Environment) -> Instant {
        Context::<Idle>::new(environment, &mut Vec::new()).now()
    }

    #[test]
    fn who_asks_for_the_time_is_told_it() {
        assert_eq!(asked(&mut environment(Now::Known(Instant(7)))), Instant(7));
    }

    #[test]
    #[should_panic(expected = "may not ask for the time")]
    fn who_asks_where_there_is_no_time_errs() {
        asked(&mut environment(Now::Unknown));
    }

    #[test]
    fn a_world_that_counts_no_boots_finds_behind_the_step_that_one_was_asked_for() {
        let asked = |environment: &mut Environment| Context::<Idle>::new(environment, &mut Vec::new()).boot();
        let mut counted = Environment { boot: WhichBoot::Known(Boot(3)), ..environment(Now::Unknown) };
        assert_eq!(asked(&mut counted), Boot(3));
        let mut noted = Environment { boot: WhichBoot::Noted(Cell::new(false)), ..environment(Now::Unknown) };
        assert_eq!(asked(&mut noted), Boot::FIRST);
        assert_eq!(noted.boot, WhichBoot::Noted(Cell::new(true)));
    }

    #[test]
    fn a_world_that_notes_who_asks_finds_it_behind_the_step() {
        let mut noted = environment(Now::Noted(Cell::new(false)));
        Context::<Idle>::new(&mut noted, &mut Vec::new()).wall();
        assert_eq!(noted.now, Now::Noted(Cell::new(false)), "the wall clock may be asked anywhere");
        assert_eq!(asked(&mut noted), Instant::ZERO);
        assert_eq!(noted.now, Now::Noted(Cell::new(true)));
    }
}
