//! This crate's NTP among real programs: the process that the simulator runs, over UDP and real clocks.
//!
//! ```text
//! cargo run -p volvox-clocks --example ntp -- ask 192.0.2.1:123 192.0.2.2:123 192.0.2.3:123
//! cargo run -p volvox-clocks --example ntp -- serve 127.0.0.1:0 [ahead in ms]
//! ```
//! `ask` takes eight samples of each server and prints one line per server, with the result and whether it is believed,
//! and then the chosen offset. `serve` prints the address that it bound, and answers until its standard input ends.
//! Neither sets a clock. All decisions are in the library; this program only transports bytes and reads the time.
#![allow(clippy::disallowed_methods)]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use volvox_clocks::ntp::filter::REGISTER;
use volvox_clocks::ntp::selection::{intersection, survivors};
use volvox_clocks::ntp::{Config, Ntp, Translator};
use volvox_core::{Context, Effect, EffectOf, Environment, Incarnation, NodeId, Now, Position, Process, Rng, Wall};

/// The polling interval.
const POLL: Duration = Duration::from_millis(40);
/// The least uncertainty of a server, as in ntpd (`mindist`). The two clocks of this machine are read one after the
/// other, and the program may be interrupted in between.
const DISTANCE_MIN_NS: u64 = 1_000_000;
/// The time after which a silent server is given up.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most bytes of a datagram that are read; a packet is in its first 48.
const DATAGRAM_BYTES_MAX: usize = 512;

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["ask", servers @ ..] if !servers.is_empty() => {
            ask(&servers.iter().map(|server| server.parse()).collect::<Result<Vec<SocketAddr>, _>>()?)
        }
        ["serve", at] => serve(at.parse()?, 0),
        ["serve", at, ahead_ms] => serve(at.parse()?, ahead_ms.parse()?),
        _ => Err("usage: ntp ask ADDRESS... | ntp serve ADDRESS [AHEAD_MS]".into()),
    }
}

/// A client: the servers are nodes 1 to n, and it is the next.
fn ask(servers: &[SocketAddr]) -> Result<(), Failure> {
    let count = servers.len();
    if servers.iter().collect::<BTreeSet<_>>().len() < count {
        return Err("an address is named twice: its answers could not be told apart".into());
    }
    let config =
        Config { servers: count, sane: count, poll: POLL, distance_min_ns: DISTANCE_MIN_NS, ..Config::default() };
    let any = if servers[0].is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let mut world = World::new(any.parse()?, NodeId(count as u64 + 1), count + 1, &config)?;
    world.addresses = (1..).map(NodeId).zip(servers.iter().copied()).collect();
    let started = world.started;
    world.step(Ntp::on_start)?;
    while world.process.registers().any(|(_, samples)| samples.len() < REGISTER) {
        if started.elapsed() > PATIENCE {
            let heard: Vec<String> = world
                .process
                .registers()
                .map(|(server, samples)| format!("{} of {}", samples.len(), world.addresses[&server]))
                .collect();
            return Err(format!("{REGISTER} samples did not come within {PATIENCE:?}, but {}", heard.join(", ")).into());
        }
        if world.due.is_some_and(|(_, due)| due <= Instant::now()) {
            let (timer, _) = world.due.take().expect("it is due");
            world.step(|process, cx| process.on_timer(timer, cx))?;
        }
        world.hear()?;
    }
    report(&world)
}

fn report(world: &World) -> Result<(), Failure> {
    let chosen = world.process.chosen().ok_or("no majority of the servers agrees")?;
    let range = intersection(&chosen.candidates).ok_or("no majority of the servers agrees")?;
    let kept = survivors(&chosen.candidates, range);
    for (server, samples) in world.process.registers() {
        let best = world.process.believed(server).ok_or("a server did not answer")?;
        println!(
            "server={} ahead_ns={} delay_ns={} samples={} believed={}",
            world.addresses[&server],
            best.ahead_ns,
            best.delay_ns,
            samples.len(),
            if kept.iter().any(|one| one.server == server) { "yes" } else { "no" }
        );
    }
    println!("chosen ahead_ns={}", chosen.ahead_ns);
    Ok(())
}

/// A server is node 1; a client is node 2 until it is answered, which is before the next request is read.
fn serve(at: SocketAddr, ahead_ms: i64) -> Result<(), Failure> {
    const ASKER: NodeId = NodeId(2);
    let ahead_ns = ahead_ms.checked_mul(1_000_000).ok_or("that is too far ahead")?;
    let config = Config { servers: 1, starts_off_ns: vec![ahead_ns], ..Config::default() };
    let mut world = World::new(at, NodeId(1), 2, &config)?;
    world.step(Ntp::on_start)?;
    println!("{}", world.socket.local_addr()?);
    std::io::stdout().flush()?;
    std::thread::spawn(|| {
        // The parent process holds the other end: when it is gone, this one ends.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let mut bytes = [0; DATAGRAM_BYTES_MAX];
    loop {
        let (length, from) = world.socket.recv_from(&mut bytes)?;
        world.addresses.insert(ASKER, from);
        world.take(ASKER, &bytes[..length])?;
    }
}

/// One process, one socket, and the clocks of this machine.
struct World {
    process: Ntp,
    environment: Environment,
    effects: Vec<EffectOf<Ntp>>,
    translator: Translator,
    socket: UdpSocket,
    addresses: BTreeMap<NodeId, SocketAddr>,
    due: Option<(<Ntp as Process>::Timer, Instant)>,
    /// The start on the monotonic clock, and the wall clock's reading at that time.
    started: Instant,
    wall: i64,
}

impl World {
    fn new(at: SocketAddr, id: NodeId, members: usize, config: &Config) -> Result<World, Failure> {
        let (started, wall) = both_clocks()?;
        let members: Vec<NodeId> = (1..=members as u64).map(NodeId).collect();
        let mut environment = Environment::new(id, Incarnation(1), Position::NONE, &Rng::new(1));
        environment.wall = Wall(wall);
        Ok(World {
            process: Ntp::new(id, &members, config),
            environment,
            effects: Vec::new(),
            translator: Translator::default(),
            socket: UdpSocket::bind(at)?,
            addresses: BTreeMap::new(),
            due: None,
            started,
            wall,
        })
    }

    /// Reads the clocks, runs one step, and performs its effects.
    fn step(&mut self, handler: impl FnOnce(&mut Ntp, &mut Context<'_, Ntp>)) -> Result<(), Failure> {
        let elapsed = self.elapsed_ns();
        self.environment.now = Now::Known(volvox_core::Instant(elapsed));
        self.environment.wall = Wall(self.wall.saturating_add_unsigned(elapsed));
        handler(&mut self.process, &mut Context::new(&mut self.environment, &mut self.effects));
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Send { to, message, .. } => {
                    let Some(bytes) = self.translator.encode(to, &message) else { continue };
                    if let Err(error) = self.socket.send_to(&bytes, self.addresses[&to]) {
                        // A datagram that cannot be sent is lost like any other; a client asks again.
                        eprintln!("to {}: {error}", self.addresses[&to]);
                    }
                }
                Effect::SetTimer { timer, after } => self.due = Some((timer, Instant::now() + after)),
                Effect::Note(note) => eprintln!("{note}"),
                // Intermediate events are not needed here, and this process persists nothing.
                _ => {}
            }
        }
        Ok(())
    }

    /// Waits for a datagram until the next poll is due, at most.
    fn hear(&mut self) -> Result<(), Failure> {
        let due = self.due.map_or(POLL, |(_, due)| due.saturating_duration_since(Instant::now()));
        self.socket.set_read_timeout(Some(due.max(Duration::from_millis(1))))?;
        let mut bytes = [0; DATAGRAM_BYTES_MAX];
        match self.socket.recv_from(&mut bytes) {
            Ok((length, from)) => match self.addresses.iter().find(|(_, address)| **address == from) {
                Some((server, _)) => self.take(*server, &bytes[..length]),
                None => Ok(()),
            },
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Decodes what came from that node: a message for the process, or nothing valid.
    fn take(&mut self, from: NodeId, bytes: &[u8]) -> Result<(), Failure> {
        let machine_ns = self.wall.saturating_add_unsigned(self.elapsed_ns());
        match self.translator.decode(from, bytes, machine_ns) {
            Ok(message) => self.step(|process, cx| process.on_message(from, message, cx)),
            Err(refusal) => {
                eprintln!("from {}: {refusal}", self.addresses[&from]);
                Ok(())
            }
        }
    }

    fn elapsed_ns(&self) -> u64 {
        volvox_core::time::nanos(self.started.elapsed())
    }
}

/// Both clocks of this machine at nearly the same moment: of many readings, the fastest.
fn both_clocks() -> Result<(Instant, i64), Failure> {
    let mut best: Option<(Duration, Instant, SystemTime)> = None;
    for _ in 0..100 {
        let before = Instant::now();
        let wall = SystemTime::now();
        let took = before.elapsed();
        if best.is_none_or(|(least, ..)| took < least) {
            best = Some((took, before + took / 2, wall));
        }
    }
    let (_, monotonic, wall) = best.ok_or("no reading")?;
    Ok((monotonic, i64::try_from(wall.duration_since(UNIX_EPOCH)?.as_nanos())?))
}
