//! A process that obeys commands and reports what it sees: the instrument that measures the world.

use std::fmt;
use volvox_core::{
    Boot, Bytes, Context, Duration, Instant, MessageKind, NodeId, Part, Position, Process, Restored, Wall,
};

/// Its commands.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Do {
    Send(NodeId, u64),
    Set(u8, Duration),
    Cancel(u8),
    /// Persists, and reports it once durable.
    Store(u64),
    /// Persists, and reports it before it is durable: the mistake that the gate exists for.
    StoreHastily(u64),
    /// Reports at once, although records may wait.
    TellNow(u64),
    Checkpoint,
    ReadClocks,
}

/// Its events.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Saw {
    Got(NodeId, u64),
    Fired(u8, Instant),
    Stored(u64),
    Told(u64),
    Durable(Position),
    Clocks(Instant, Wall),
    /// On start: what was restored, and from how many checkpoint parts.
    Restored(Vec<u64>, usize),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Number(pub u64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "number {}", self.0)
    }
}

impl MessageKind for Number {
    fn kind(&self) -> &'static str {
        "Number"
    }
}

impl fmt::Display for Do {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl fmt::Display for Saw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

pub struct Probe {
    pub numbers: Vec<u64>,
    pub boot: Boot,
    parts: Vec<u64>,
}

impl Process for Probe {
    type Config = ();
    type Message = Number;
    type Timer = u8;
    type Record = Number;
    type Command = Do;
    type Event = Saw;
    type View = ();

    fn new(_: NodeId, _: &[NodeId], (): &()) -> Probe {
        Probe { numbers: Vec::new(), boot: Boot(0), parts: Vec::new() }
    }

    fn on_restore(&mut self, restored: Restored<Number>) {
        match restored {
            Restored::Part(part) => {
                self.numbers.extend(part.data.iter().map(|byte| u64::from(*byte)));
                self.parts.push(part.number);
            }
            Restored::CheckpointEnd { covers } => assert!(covers.0 >= self.numbers.len() as u64),
            Restored::Record { record, .. } => self.numbers.push(record.0),
        }
    }

    fn on_start(&mut self, cx: &mut Context<'_, Probe>) {
        self.boot = cx.boot();
        cx.emit(Saw::Restored(self.numbers.clone(), self.parts.len()));
    }

    fn on_message(&mut self, from: NodeId, message: Number, cx: &mut Context<'_, Probe>) {
        cx.emit_after(Position::NONE, Saw::Got(from, message.0));
    }

    fn on_timer(&mut self, timer: u8, cx: &mut Context<'_, Probe>) {
        let now = cx.now();
        cx.emit_after(Position::NONE, Saw::Fired(timer, now));
    }

    fn on_command(&mut self, command: Do, cx: &mut Context<'_, Probe>) {
        match command {
            Do::Send(to, number) => cx.send(to, Number(number)),
            Do::Set(timer, after) => cx.set_timer(timer, after),
            Do::Cancel(timer) => cx.cancel_timer(timer),
            Do::Store(number) => {
                self.numbers.push(number);
                cx.persist(Number(number));
                cx.emit(Saw::Stored(number));
            }
            Do::StoreHastily(number) => {
                self.numbers.push(number);
                cx.persist(Number(number));
                cx.emit_after(Position::NONE, Saw::Stored(number));
            }
            Do::TellNow(number) => cx.emit_after(Position::NONE, Saw::Told(number)),
            Do::Checkpoint => {
                let number = cx.last_position().0 + 1;
                let data: Vec<u8> = self.numbers.iter().map(|number| *number as u8).collect();
                cx.checkpoint(Part { number, data: Bytes::from(data) });
                cx.checkpoint_done(cx.last_position(), vec![number]);
                self.parts = vec![number];
            }
            Do::ReadClocks => {
                let (now, wall) = (cx.now(), cx.wall());
                cx.emit(Saw::Clocks(now, wall));
            }
        }
    }

    fn on_persisted(&mut self, through: Position, cx: &mut Context<'_, Probe>) {
        cx.emit_after(Position::NONE, Saw::Durable(through));
    }

    fn view(&self) {}
}
