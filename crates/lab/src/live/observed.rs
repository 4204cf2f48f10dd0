//! A process that reports every input before it forwards it.

use std::fmt;
use std::fmt::Write;
use std::time::SystemTime;
use volvox_core::erased::{AnyCommand, AnyConfig, AnyMessage, AnyProcess, AnyRecord, AnyTimer};
use volvox_core::{Context, Decode, Encode, NodeId, Position, Process, Restored, Scratch, decode_all};

/// The process inside, and its restored records before it started.
pub(crate) struct Observed {
    inner: AnyProcess,
    restored: Vec<String>,
    scratch: Scratch<AnyProcess>,
}

/// An input, with the clocks.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Observation {
    /// The machine's clock when the step began, in nanoseconds since 1970.
    pub at: u64,
    /// The node's monotonic clock.
    pub now: u64,
    /// The node's wall clock.
    pub wall: i64,
    /// The input, as text.
    pub input: String,
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Observation { at, now, wall, input } = self;
        write!(f, "{}", serde_json::json!({ "at": at, "now": now, "wall": wall, "input": input }))
    }
}

impl Observation {
    /// Reads what [`Observation`] prints.
    pub fn read(line: &str) -> Option<Observation> {
        let document: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(Observation {
            at: document.get("at")?.as_u64()?,
            now: document.get("now")?.as_u64()?,
            wall: document.get("wall")?.as_i64()?,
            input: document.get("input")?.as_str()?.to_string(),
        })
    }
}

#[allow(clippy::disallowed_methods, reason = "the one clock that all processes of a machine share")]
pub(crate) fn machine_clock() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

impl Observed {
    fn tell(cx: &mut Context<'_, Self>, input: String) {
        let told = Observation { at: machine_clock(), now: cx.now().0, wall: cx.wall().0, input };
        // An input reveals nothing that the node promised: it need not wait for the disk.
        cx.emit_after(Position::NONE, told);
    }

    fn step(&mut self, cx: &mut Context<'_, Self>, step: impl FnOnce(&mut AnyProcess, &mut Context<'_, AnyProcess>)) {
        let Observed { inner, scratch, .. } = self;
        cx.scope(scratch, |cx| step(inner, cx), |message| message, |timer| timer, |record| record);
        // The shadow emits the same events.
        scratch.events.clear();
    }
}

impl Process for Observed {
    type Config = AnyConfig;
    type Message = AnyMessage;
    type Timer = AnyTimer;
    type Record = AnyRecord;
    type Command = AnyCommand;
    type Event = Observation;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], config: &AnyConfig) -> Self {
        Observed { inner: AnyProcess::new(id, members, config), restored: Vec::new(), scratch: Scratch::default() }
    }

    fn on_restore(&mut self, restored: Restored<AnyRecord>) {
        self.restored.push(match &restored {
            Restored::Part(part) => format!("part {}", hex(part)),
            Restored::CheckpointEnd { covers } => format!("covers {}", covers.0),
            Restored::Record { position, record } => format!("record {} {}", position.0, hex(record)),
        });
        self.inner.on_restore(restored);
    }

    fn on_start(&mut self, cx: &mut Context<'_, Self>) {
        for input in std::mem::take(&mut self.restored) {
            Self::tell(cx, input);
        }
        let (incarnation, boot, last) = (cx.incarnation().0, cx.boot().0, cx.last_position().0);
        Self::tell(cx, format!("start {incarnation} {boot} {last}"));
        self.step(cx, |inner, cx| inner.on_start(cx));
    }

    fn on_message(&mut self, from: NodeId, message: AnyMessage, cx: &mut Context<'_, Self>) {
        Self::tell(cx, format!("message {} {}", from.0, hex(&message)));
        self.step(cx, |inner, cx| inner.on_message(from, message, cx));
    }

    fn on_timer(&mut self, timer: AnyTimer, cx: &mut Context<'_, Self>) {
        Self::tell(cx, format!("timer {timer:?}"));
        self.step(cx, |inner, cx| inner.on_timer(timer, cx));
    }

    fn on_command(&mut self, command: AnyCommand, cx: &mut Context<'_, Self>) {
        Self::tell(cx, format!("command {command}"));
        self.step(cx, |inner, cx| inner.on_command(command, cx));
    }

    fn on_persisted(&mut self, through: Position, cx: &mut Context<'_, Self>) {
        Self::tell(cx, format!("persisted {}", through.0));
        self.step(cx, |inner, cx| inner.on_persisted(through, cx));
    }

    fn view(&self) {}
}

fn hex(value: &impl Encode) -> String {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads what was written as hexadecimal digits.
pub(crate) fn unhex<T: Decode>(text: &str) -> Option<T> {
    let digits: Option<Vec<u8>> = text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    decode_all(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_back() {
        let told = Observation { at: 1 << 60, now: 7, wall: -3, input: "timer Resend { to: \"n2\" }".to_string() };
        assert_eq!(Observation::read(&told.to_string()), Some(told));
        assert_eq!(Observation::read("{\"at\":1}"), None);
        assert_eq!(Observation::read("no json"), None);
        assert_eq!(unhex::<u64>(&hex(&300u64)), Some(300));
        assert_eq!((unhex::<u64>("abc"), unhex::<u64>("zz")), (None, None));
    }
}
