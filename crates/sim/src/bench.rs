//! Support for tests of protocols: a run that evaluates every property after every step, a bench for one node, and a
//! check of a binary form.

use crate::{Happening, Simulation, Stop};
use std::fmt::{Debug, Display};
use volvox_core::{
    Boot, Context, Decode, Duration, Effect, EffectOf, Encode, Environment, History, Incarnation, NodeId, Picture,
    Position, Process, Property, Rng, When, WhichBoot, decode_all,
};

/// This many milliseconds.
pub const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Runs until `done`, or until nothing can happen any more, and evaluates all properties; final ones at the end.
///
/// # Errors
/// When a property does not hold: names it, the time, and what is wrong.
pub fn judge<P, H>(
    sim: &mut Simulation<P>,
    history: &mut H,
    properties: &[Property<P, H>],
    span: Duration,
) -> Result<(), String>
where
    P: Process + 'static,
    H: History<P>,
{
    let mut wrong = None;
    let stop = sim.run_until(span, |sim| {
        while let Some(one) = sim.next_happened() {
            if let Happening::Event(event) = &one.what {
                history.on_event(one.node, event);
            }
        }
        wrong = ask(sim, history, properties, When::Always).err();
        wrong.is_some()
    });
    match (wrong, stop) {
        (Some(wrong), _) => Err(wrong),
        (None, Stop::Violated) => Err(sim.violation().expect("a violation").to_string()),
        _ => ask(sim, history, properties, When::AtEnd),
    }
}

fn ask<P, H>(sim: &Simulation<P>, history: &H, properties: &[Property<P, H>], when: When) -> Result<(), String>
where
    P: Process + 'static,
{
    let nodes: Vec<_> = sim.live().collect();
    for property in properties.iter().filter(|property| property.when == when) {
        (property.holds)(&Picture { nodes: &nodes, history })
            .map_err(|text| format!("{} at {}: {text}", property.name, sim.now()))?;
    }
    Ok(())
}

/// One node on a bench: it receives inputs, and its effects are examined.
pub struct Bench<P: Process> {
    /// The process.
    pub process: P,
    environment: Environment,
    effects: Vec<EffectOf<P>>,
}

impl<P: Process> Bench<P> {
    /// Node `id` of nodes 1 to `nodes`, started.
    pub fn new(id: u64, nodes: u64, config: &P::Config) -> Bench<P> {
        let members: Vec<NodeId> = (1..=nodes).map(NodeId).collect();
        Bench::start(P::new(NodeId(id), &members, config), id)
    }

    /// An existing process, started.
    pub fn start(process: P, id: u64) -> Bench<P> {
        Bench::restart(process, id, Boot::FIRST)
    }

    /// An existing process, started for this boot of its storage.
    pub fn restart(process: P, id: u64, boot: Boot) -> Bench<P> {
        let mut environment = Environment::new(NodeId(id), Incarnation::FIRST, Position::NONE, &Rng::new(1));
        environment.boot = WhichBoot::Known(boot);
        let mut bench = Bench { process, environment, effects: Vec::new() };
        let _ = bench.step(P::on_start);
        bench
    }

    /// Handles a command; returns the step's effects, one line each.
    pub fn command(&mut self, command: P::Command) -> Vec<String> {
        self.step(|process, cx| process.on_command(command, cx))
    }

    /// Handles a message from that node; returns the step's effects.
    pub fn message(&mut self, from: u64, message: P::Message) -> Vec<String> {
        self.step(|process, cx| process.on_message(NodeId(from), message, cx))
    }

    /// Fires a timer; returns the step's effects.
    pub fn timer(&mut self, timer: P::Timer) -> Vec<String> {
        self.step(|process, cx| process.on_timer(timer, cx))
    }

    fn step(&mut self, step: impl FnOnce(&mut P, &mut Context<'_, P>)) -> Vec<String> {
        step(&mut self.process, &mut Context::new(&mut self.environment, &mut self.effects));
        self.effects.drain(..).map(|effect| shown(&effect)).collect()
    }
}

fn shown<M: Display, T: Debug, R: Display, E: Display>(effect: &Effect<M, T, R, E>) -> String {
    match effect {
        Effect::Send { to, message, .. } => format!("-> {to} {message}"),
        Effect::Emit { event, .. } => format!("event {event}"),
        Effect::Persist { record, .. } => format!("persist {record}"),
        Effect::SetTimer { timer, after } => format!("timer {timer:?} in {after:?}"),
        Effect::CancelTimer { timer } => format!("cancel {timer:?}"),
        Effect::Note(note) => format!("note {note}"),
        other => panic!("no protocol on a bench checkpoints: {}", matches!(other, Effect::CheckpointPart { .. })),
    }
}

/// Checks that every message decodes to itself, and that truncation, an unknown tag and an extra byte are refused.
///
/// # Panics
/// When it is not the case.
pub fn check_codec<M: Encode + Decode + PartialEq + Debug>(messages: &[M]) {
    for message in messages {
        let bytes = message.to_bytes();
        assert_eq!(decode_all::<M>(&bytes).as_ref(), Ok(message));
        for cut in 0..bytes.len() {
            assert!(decode_all::<M>(&bytes[..cut]).is_err(), "{message:?} cut at {cut}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(decode_all::<M>(&longer).is_err(), "{message:?} and a byte");
    }
    let mut rng = Rng::new(11);
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..rng.below(14)).map(|_| rng.next_u64() as u8 >> rng.below(8)).collect();
        if let Ok(message) = decode_all::<M>(&bytes) {
            assert_eq!(decode_all::<M>(&message.to_bytes()), Ok(message), "from {bytes:?}");
        }
    }
}
