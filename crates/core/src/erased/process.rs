//! A process without its type, and the holder that is compiled for each protocol.

use super::{AnyCommand, AnyEvent, AnyMessage, AnyRecord, AnyTimer};
use crate::codec::{Decode, Encode};
use crate::context::Context;
use crate::effect::EffectOf;
use crate::identity::{NodeId, Position};
use crate::process::{Process, Restored};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::{Any, type_name};
use core::fmt;
use core::hash::{Hash, Hasher};

/// A process whose type can be erased: a value that any thread may own, and whose messages and records have a binary
/// form.
pub trait Erasable:
    Process<
        Config: Send + Sync + 'static,
        Message: Encode + Decode + Send + Sync + 'static,
        Timer: Send + Sync + 'static,
        Record: Encode + Decode + Send + Sync + 'static,
        Command: Send + Sync + 'static,
        Event: Send + Sync + 'static,
    > + Clone
    + Hash
    + Send
    + Sync
    + 'static
{
}

impl<P> Erasable for P where
    P: Process<
            Config: Send + Sync + 'static,
            Message: Encode + Decode + Send + Sync + 'static,
            Timer: Send + Sync + 'static,
            Record: Encode + Decode + Send + Sync + 'static,
            Command: Send + Sync + 'static,
            Event: Send + Sync + 'static,
        > + Clone
        + Hash
        + Send
        + Sync
        + 'static
{
}

/// The configuration of an erased process: its constructor.
#[derive(Clone)]
pub struct AnyConfig(Arc<Make>);

type Make = dyn Fn(NodeId, &[NodeId]) -> Box<dyn Hosted> + Send + Sync;

impl AnyConfig {
    /// Processes of type `P` with this configuration.
    pub fn of<P: Erasable>(config: P::Config) -> AnyConfig {
        AnyConfig(Arc::new(move |id, members| {
            Box::new(Holder::<P> { process: P::new(id, members, &config), effects: Vec::new() })
        }))
    }
}

/// A process of any type.
pub struct AnyProcess(Box<dyn Hosted>);

impl AnyProcess {
    /// The process, if it is a `P`.
    pub fn get<P: 'static>(&self) -> Option<&P> {
        (*self.0).process().downcast_ref()
    }

    /// The process.
    ///
    /// # Panics
    /// When it is not a `P`.
    pub fn expect<P: 'static>(&self) -> &P {
        self.get().unwrap_or_else(|| panic!("an erased process is not the expected {}", type_name::<P>()))
    }
}

impl Clone for AnyProcess {
    fn clone(&self) -> AnyProcess {
        AnyProcess((*self.0).clone_hosted())
    }
}

impl Hash for AnyProcess {
    fn hash<S: Hasher>(&self, state: &mut S) {
        (*self.0).hash_into(state);
    }
}

impl Process for AnyProcess {
    type Config = AnyConfig;
    type Message = AnyMessage;
    type Timer = AnyTimer;
    type Record = AnyRecord;
    type Command = AnyCommand;
    type Event = AnyEvent;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], config: &AnyConfig) -> AnyProcess {
        AnyProcess((config.0)(id, members))
    }

    fn on_restore(&mut self, restored: Restored<AnyRecord>) {
        self.0.restore(restored);
    }

    fn on_start(&mut self, cx: &mut Context<'_, AnyProcess>) {
        self.0.step(Input::Start, cx);
    }

    fn on_message(&mut self, from: NodeId, message: AnyMessage, cx: &mut Context<'_, AnyProcess>) {
        self.0.step(Input::Message(from, message), cx);
    }

    fn on_timer(&mut self, timer: AnyTimer, cx: &mut Context<'_, AnyProcess>) {
        self.0.step(Input::Timer(timer), cx);
    }

    fn on_command(&mut self, command: AnyCommand, cx: &mut Context<'_, AnyProcess>) {
        self.0.step(Input::Command(command), cx);
    }

    fn on_persisted(&mut self, through: Position, cx: &mut Context<'_, AnyProcess>) {
        self.0.step(Input::Persisted(through), cx);
    }

    fn view(&self) {}
}

/// The input of a step.
enum Input {
    Start,
    Message(NodeId, AnyMessage),
    Timer(AnyTimer),
    Command(AnyCommand),
    Persisted(Position),
}

/// A holder without the type of its process.
trait Hosted: Send + Sync {
    fn step(&mut self, input: Input, cx: &mut Context<'_, AnyProcess>);
    fn restore(&mut self, restored: Restored<AnyRecord>);
    fn process(&self) -> &dyn Any;
    fn clone_hosted(&self) -> Box<dyn Hosted>;
    fn hash_into(&self, hasher: &mut dyn Hasher);
}

/// Holds a process, and the buffer of its effects, which is empty between steps and not part of its value.
struct Holder<P: Process> {
    process: P,
    effects: Vec<EffectOf<P>>,
}

impl<P: Erasable> Hosted for Holder<P> {
    fn step(&mut self, input: Input, cx: &mut Context<'_, AnyProcess>) {
        let Holder { process, effects } = self;
        cx.lend(
            effects,
            |cx| match input {
                Input::Start => process.on_start(cx),
                Input::Message(from, message) => match message.read() {
                    Ok(message) => process.on_message(from, message, cx),
                    Err(_) => cx.note("ignored: a message that does not decode", from.0),
                },
                Input::Timer(timer) => process.on_timer(timer.get::<P::Timer>().clone(), cx),
                Input::Command(command) => process.on_command(command.take(), cx),
                Input::Persisted(through) => process.on_persisted(through, cx),
            },
            |effect| effect.map(AnyMessage::of, AnyTimer::of, AnyRecord::of, AnyEvent::of),
        );
    }

    fn restore(&mut self, restored: Restored<AnyRecord>) {
        self.process.on_restore(match restored {
            Restored::Part(part) => Restored::Part(part),
            Restored::CheckpointEnd { covers } => Restored::CheckpointEnd { covers },
            Restored::Record { position, record } => match record.read() {
                Ok(record) => Restored::Record { position, record },
                // The world verified its checksum, so another version or another protocol wrote it.
                Err(error) => panic!("the record at {position} is not one of {}: {error}", type_name::<P>()),
            },
        });
    }

    fn process(&self) -> &dyn Any {
        &self.process
    }

    fn clone_hosted(&self) -> Box<dyn Hosted> {
        Box::new(Holder { process: self.process.clone(), effects: Vec::new() })
    }

    fn hash_into(&self, mut hasher: &mut dyn Hasher) {
        self.process.hash(&mut hasher);
    }
}

impl fmt::Debug for AnyConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyConfig")
    }
}
