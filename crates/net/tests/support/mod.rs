//! The shared part of the live tests: a process that exercises every effect, and a cluster of it over loopback.
#![allow(dead_code, clippy::disallowed_methods)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use volvox_core::{
    Bytes, Context, Decode, DecodeError, Encode, MessageKind, NodeId, Part, Position, Process, Reader, Restored,
};
use volvox_disk::{Directory, RealDirectory};
use volvox_net::frame::{Kind, put_frame};
use volvox_net::{FreshLife, Life, Node, NodeError, NodeHandle, NodeOpenError, NodeOptions, NodeThread, spawn_thread};

/// Answers calls after it has written them down.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Echo {
    pub written: Vec<u64>,
    pub restored: usize,
    pub parts: usize,
    pub ticks: u64,
    pub durable: Position,
    tick_every: Duration,
}

/// The view of readers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Picture {
    /// The first records.
    pub written: Vec<u64>,
    pub count: usize,
    pub restored: usize,
    pub parts: usize,
    pub ticks: u64,
    pub durable: Position,
}

const PICTURE_RECORDS_MAX: usize = 1000;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    Call(u64, Bytes),
    Answer(u64, usize),
    /// Not answered, but told to the outside.
    Quick(u64),
    /// Answered without writing.
    Ask(u64, Bytes),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    Call {
        to: NodeId,
        number: u64,
        payload: Bytes,
    },
    Quick {
        to: NodeId,
        number: u64,
    },
    /// As a call, answered without writing.
    Ask {
        to: NodeId,
        number: u64,
        payload: Bytes,
    },
    Write(u64),
    /// Answered at once, whatever the disk does.
    Read,
    Checkpoint,
    /// Keeps the step, and with it the thread, busy until [`release`] is called with the same key.
    Hold(u64),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    Answered { from: NodeId, number: u64, bytes: usize },
    Written(u64),
    Read(usize),
    Heard { from: NodeId, number: u64, ticks: u64 },
    Held { ticks: u64 },
}

macro_rules! displayed_as_debug {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self, f)
            }
        }
    )*};
}
displayed_as_debug!(Message, Command, Event);

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Call(..) => "Call",
            Message::Answer(..) => "Answer",
            Message::Quick(_) => "Quick",
            Message::Ask(..) => "Ask",
        }
    }
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Message::Call(number, payload) => ((1u8, *number), payload.clone()).encode(out),
            Message::Answer(number, bytes) => ((2u8, *number), *bytes as u64).encode(out),
            Message::Quick(number) => (3u8, *number).encode(out),
            Message::Ask(number, payload) => ((4u8, *number), payload.clone()).encode(out),
        }
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Message, DecodeError> {
        Ok(match input.u8()? {
            1 => Message::Call(u64::decode(input)?, Bytes::decode(input)?),
            2 => Message::Answer(u64::decode(input)?, u64::decode(input)? as usize),
            3 => Message::Quick(u64::decode(input)?),
            4 => Message::Ask(u64::decode(input)?, Bytes::decode(input)?),
            other => return Err(DecodeError::Unknown("message", u64::from(other))),
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tick;

impl Process for Echo {
    type Config = Duration;
    type Message = Message;
    type Timer = Tick;
    type Record = u64;
    type Command = Command;
    type Event = Event;
    type View = Picture;

    fn new(_: NodeId, _: &[NodeId], config: &Duration) -> Echo {
        Echo { written: Vec::new(), restored: 0, parts: 0, ticks: 0, durable: Position::NONE, tick_every: *config }
    }

    fn on_restore(&mut self, restored: Restored<u64>) {
        match restored {
            Restored::Part(part) => {
                self.parts += 1;
                self.written = volvox_core::decode_all(&part.data).expect("our own part");
            }
            Restored::CheckpointEnd { .. } => {}
            Restored::Record { record, .. } => {
                self.restored += 1;
                self.written.push(record);
            }
        }
    }

    fn on_start(&mut self, cx: &mut Context<'_, Self>) {
        cx.set_timer(Tick, self.tick_every);
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        match message {
            Message::Call(number, payload) => {
                cx.persist(number);
                self.written.push(number);
                cx.send(from, Message::Answer(number, payload.len()));
            }
            Message::Ask(number, payload) => {
                cx.send_after(Position::NONE, from, Message::Answer(number, payload.len()));
            }
            Message::Answer(number, bytes) => cx.emit(Event::Answered { from, number, bytes }),
            Message::Quick(number) => {
                cx.emit_after(Position::NONE, Event::Heard { from, number, ticks: self.ticks });
            }
        }
    }

    fn on_timer(&mut self, Tick: Tick, cx: &mut Context<'_, Self>) {
        self.ticks += 1;
        cx.set_timer(Tick, self.tick_every);
    }

    fn on_command(&mut self, command: Command, cx: &mut Context<'_, Self>) {
        match command {
            Command::Call { to, number, payload } => cx.send_after(Position::NONE, to, Message::Call(number, payload)),
            Command::Ask { to, number, payload } => cx.send_after(Position::NONE, to, Message::Ask(number, payload)),
            Command::Quick { to, number } => cx.send_after(Position::NONE, to, Message::Quick(number)),
            Command::Write(number) => {
                cx.persist(number);
                self.written.push(number);
                cx.emit(Event::Written(number));
            }
            Command::Read => cx.emit_after(Position::NONE, Event::Read(self.written.len())),
            Command::Checkpoint => {
                let covers = cx.last_position();
                cx.checkpoint(Part { number: covers.0, data: Bytes::from(self.written.to_bytes()) });
                cx.checkpoint_done(covers, vec![covers.0]);
            }
            Command::Hold(key) => {
                until("the hold is released", || RELEASED.lock().expect("no poison").contains(&key));
                cx.emit_after(Position::NONE, Event::Held { ticks: self.ticks });
            }
        }
    }

    fn on_persisted(&mut self, through: Position, _: &mut Context<'_, Self>) {
        self.durable = through;
    }

    fn view(&self) -> Picture {
        Picture {
            written: self.written[..self.written.len().min(PICTURE_RECORDS_MAX)].to_vec(),
            count: self.written.len(),
            restored: self.restored,
            parts: self.parts,
            ticks: self.ticks,
            durable: self.durable,
        }
    }
}

static RELEASED: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());

/// A key for [`Command::Hold`] that no other test uses.
pub fn hold_key() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

pub fn release(key: u64) {
    RELEASED.lock().expect("no poison").insert(key);
}

pub const CLUSTER: u64 = 0xec40;

/// A node under test.
pub struct Running {
    pub handle: NodeHandle<Echo>,
    pub events: Receiver<Event>,
    thread: Option<NodeThread>,
}

impl Running {
    pub fn address(&self) -> String {
        self.handle.listen_address().to_string()
    }

    /// Waits for an event that fits.
    pub fn expect(&self, what: &str, fits: impl Fn(&Event) -> bool) -> Event {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(event) if fits(&event) => return event,
                Ok(_) => {}
                Err(_) => {
                    panic!("no event: {what}; counters {:?}, peers {:?}", self.handle.counters(), self.handle.peers())
                }
            }
        }
    }

    pub fn stop(mut self) -> Result<(), NodeError> {
        self.handle.stop();
        self.thread.take().expect("stopped once").join()
    }

    /// Waits for the node to end by itself.
    pub fn join(mut self) -> Result<(), NodeError> {
        let thread = self.thread.take().expect("joined once");
        until("the node ends", || thread.is_finished());
        thread.join()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take()
            && !std::thread::panicking()
        {
            thread.join().expect("the node ends well");
        }
    }
}

pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for a condition, with a deadline.
pub fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "timed out: {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

pub fn options(id: u64) -> NodeOptions {
    let mut options = NodeOptions::new(NodeId(id), CLUSTER, "127.0.0.1:0".parse().expect("an address"));
    options.seed = Some(id);
    options.log.segment_bytes = 1 << 20;
    options.fresh = FreshLife::Bootstrap;
    options
}

pub fn start(options: NodeOptions, directory: impl Directory + 'static) -> Running {
    try_start(options, directory, |_| {}).expect("the node opens")
}

pub fn try_start(
    options: NodeOptions,
    directory: impl Directory + 'static,
    look: impl FnOnce(&Life) + Send + 'static,
) -> Result<Running, NodeOpenError> {
    let (sender, events) = channel();
    let name = options.id.to_string();
    let (handle, thread) = spawn_thread(&name, move || {
        let config_of = move |life: &Life| {
            look(life);
            Duration::from_millis(20)
        };
        Node::<Echo>::open(options, directory, config_of, move |event| {
            let _ = sender.send(event);
        })
    })?;
    Ok(Running { handle, events, thread: Some(thread) })
}

pub fn start_in(options: NodeOptions, folder: &Path) -> Running {
    start(options, RealDirectory::open(folder).expect("the folder opens"))
}

/// Tells every node where all others are.
pub fn introduce(nodes: &[&Running]) {
    for node in nodes {
        for other in nodes {
            node.handle.set_peer(other.handle.life().node, other.address());
        }
    }
    for node in nodes {
        until("all links stand", || {
            let peers = node.handle.peers();
            peers.len() == nodes.len() - 1 && peers.iter().all(|peer| peer.connected && peer.hears)
        });
    }
}

/// A folder of a test's own, deleted at its end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("volvox-net-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Folder(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn call(to: u64, number: u64) -> Command {
    Command::Call { to: NodeId(to), number, payload: Bytes::from("payload") }
}

pub fn quick(to: u64, number: u64) -> Command {
    Command::Quick { to: NodeId(to), number }
}

pub fn answered(number: u64) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::Answered { number: got, .. } if *got == number)
}

/// The peers of a node by id, for options.
pub fn book(peers: &[(u64, &str)]) -> BTreeMap<NodeId, String> {
    peers.iter().map(|(id, address)| (NodeId(*id), String::from(*address))).collect()
}

/// A hand-made peer: says what a test wants it to say.
pub struct RawPeer {
    pub stream: TcpStream,
}

impl RawPeer {
    pub fn connect(address: &str) -> RawPeer {
        let stream = TcpStream::connect(address).expect("the node listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        RawPeer { stream }
    }

    /// Says hello under any name.
    pub fn hello(&mut self, version: u16, cluster: u64, node: u64, to: u64) {
        self.try_hello(version, cluster, node, to).expect("written");
    }

    pub fn try_hello(&mut self, version: u16, cluster: u64, node: u64, to: u64) -> std::io::Result<()> {
        let mut out = Vec::from(*b"VOLVOX");
        out.extend(version.to_le_bytes());
        put_frame(Kind::Hello, &mut out, |out| {
            out.extend(cluster.to_le_bytes());
            // Node, incarnation, addressee.
            ((node, 1u64), to).encode(out);
        });
        self.stream.write_all(&out)
    }

    /// Reads until the node has answered; gives back the kind of its frame and the body.
    pub fn answer(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 8 + 12];
        self.stream.read_exact(&mut head)?;
        assert_eq!(&head[..6], b"VOLVOX");
        let length = u32::from_le_bytes(head[8..12].try_into().expect("four")) as usize;
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((head[12], body))
    }

    /// The whole handshake, up to Ready.
    pub fn welcomed(address: &str, node: u64, to: u64) -> RawPeer {
        let mut peer = RawPeer::connect(address);
        peer.hello(volvox_net::PEER_PROTOCOL_VERSION, CLUSTER, node, to);
        assert_eq!(peer.answer().expect("an answer").0, Kind::Welcome as u8);
        peer
    }

    pub fn ready(&mut self) {
        let mut out = Vec::new();
        put_frame(Kind::Ready, &mut out, |_| {});
        self.stream.write_all(&out).expect("written");
    }

    pub fn say(&mut self, message: &Message) -> std::io::Result<()> {
        let mut out = Vec::new();
        put_frame(Kind::Message, &mut out, |out| message.encode(out));
        self.stream.write_all(&out)
    }

    /// Waits until the node has closed the connection; whatever it still says is ignored.
    pub fn expect_closed(&mut self) {
        let mut buffer = [0; 256];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return,
                Err(error) => panic!("the connection stays open: {error}"),
            }
        }
    }
}
