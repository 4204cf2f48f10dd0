//! One NTP exchange after another (RFC 5905, section 8): the client learns the server's wall clock from four readings,
//! and keeps a corrected clock of its own. Reads both clocks: the wall is what is sent, the monotonic clock what is
//! counted on between exchanges, since it never jumps.

use super::followed::{SEEDS, everything, follow};
use super::{Never, ms, shown_as_debugged};
use volvox_core::{Context, Duration, Instant, MessageKind, NodeId, Process, Wall};
use volvox_sim::{Builder, Clocks, Happening, Latency, Stop};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Message {
    /// T1, the client's time of sending: returned to it untouched.
    Request(Wall),
    /// T1, T2 (when it arrived) and T3 (when this leaves), the latter two on the server's clock.
    Response(Wall, Wall, Wall),
}

/// Shows the clocks, for whoever measures.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Show;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Shown {
    wall: Wall,
    /// The server's time as the client knows it, and how wrong it may be.
    corrected: Option<(i64, u64)>,
}

shown_as_debugged!(Message, Show, Shown);

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Request(_) => "Request",
            Message::Response(..) => "Response",
        }
    }
}

/// One exchange: the server's time at a reading of the monotonic clock, and how long the way there and back took.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Sample {
    at: Instant,
    wall: i64,
    delay: u64,
}

#[derive(Hash)]
struct Ntp {
    server: NodeId,
    is_server: bool,
    /// The last eight exchanges: the one with the least delay is believed (section 10, the clock filter).
    samples: Vec<Sample>,
    /// A request under way: its T1, and the monotonic clock at the same moment.
    asked: Option<(Wall, Instant)>,
}

const POLL: Duration = Duration::from_millis(1_000);
/// The declared bound on the rate of every clock.
const DRIFT_PPM: u32 = 50;

impl Process for Ntp {
    type Config = ();
    type Message = Message;
    type Timer = ();
    type Record = Never;
    type Command = Show;
    type Event = Shown;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], (): &()) -> Ntp {
        let server = members[0];
        Ntp { server, is_server: id == server, samples: Vec::new(), asked: None }
    }

    fn on_start(&mut self, cx: &mut Context<'_, Ntp>) {
        if !self.is_server {
            self.on_timer((), cx);
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Ntp>) {
        let wall = cx.wall();
        match message {
            Message::Request(t1) if self.is_server => cx.send(from, Message::Response(t1, wall, wall)),
            Message::Response(t1, t2, t3) if from == self.server => self.on_response(t1, t2, t3, cx),
            _ => cx.note("not asked for", from.0),
        }
    }

    fn on_timer(&mut self, (): (), cx: &mut Context<'_, Ntp>) {
        let (wall, now) = (cx.wall(), cx.now());
        self.asked = Some((wall, now));
        cx.send(self.server, Message::Request(wall));
        cx.set_timer((), POLL);
    }

    fn on_command(&mut self, Show: Show, cx: &mut Context<'_, Ntp>) {
        let (now, wall) = (cx.now(), cx.wall());
        cx.emit(Shown { wall, corrected: self.server_time(now) });
    }

    fn view(&self) {}
}

impl Ntp {
    fn on_response(&mut self, t1: Wall, t2: Wall, t3: Wall, cx: &mut Context<'_, Ntp>) {
        let Some((sent, at)) = self.asked.take() else { return };
        if sent != t1 {
            cx.note("answer to an older question", 0);
            return;
        }
        // T4 by the monotonic clock: had the wall jumped in between, the four readings would lie.
        let t4 = t1.0 + volvox_core::time::nanos(cx.now().since(at)) as i64;
        let offset = ((t2.0 - t1.0) + (t3.0 - t4)) / 2;
        let delay = ((t4 - t1.0) - (t3.0 - t2.0)).max(0) as u64;
        self.samples.push(Sample { at: cx.now(), wall: t4 + offset, delay });
        if self.samples.len() > 8 {
            self.samples.remove(0);
        }
    }

    fn server_time(&self, now: Instant) -> Option<(i64, u64)> {
        let best = self.samples.iter().min_by_key(|sample| sample.delay)?;
        let age = volvox_core::time::nanos(now.since(best.at));
        // Both clocks may be off by the bound, in opposite directions, also while the messages were under way.
        let drift = (age + best.delay) * u64::from(2 * DRIFT_PPM) / 1_000_000 + 2;
        Some((best.wall + age as i64, best.delay / 2 + drift))
    }
}

#[test]
fn the_error_is_bounded_by_half_the_delay_and_the_drift_also_when_the_wall_jumps() {
    let mut widest = 0;
    for seed in 0..40 {
        let clocks = Clocks { offset_max: ms(5_000), drift_ppm_max: DRIFT_PPM, ..Clocks::default() };
        let latency = Latency::LogNormal { median: ms(10), sigma_thousandths: 800 };
        let mut sim = Builder::<Ntp>::new(seed, 2, ()).clocks(clocks).latency(latency).build();
        sim.fault_after(ms(15_000), "skew 2 +3600000ms".parse().expect("a fault"));
        for millis in (2_000..30_000).step_by(37) {
            sim.command_after(ms(millis), NodeId(1), Show);
            sim.command_after(ms(millis), NodeId(2), Show);
        }
        assert_eq!(sim.run_for(ms(30_000)), Stop::Deadline);
        let shown: Vec<Shown> = sim
            .happened()
            .filter_map(|happened| match happened.what {
                Happening::Event(shown) => Some(shown),
                _ => None,
            })
            .collect();
        for pair in shown.chunks_exact(2) {
            let (time, bound) = pair[1].corrected.expect("an exchange within two seconds");
            let error = time.abs_diff(pair[0].wall.0);
            assert!(error <= bound, "seed {seed}: off by {error} ns, and claims at most {bound}");
            widest = widest.max(error);
        }
        assert!(shown.len() > 1_000);
    }
    assert!(widest > 500_000, "the network was too kind to show anything: {widest}");
}

#[test]
fn a_run_with_wrong_clocks_is_followed_by_hand() {
    let build = |builder: Builder<Ntp>| {
        let clocks = Clocks { offset_max: ms(500), drift_ppm_max: DRIFT_PPM, ..Clocks::default() };
        let mut sim = builder.clocks(clocks).start_within(ms(50)).faults(everything(8_000)).build();
        (0..40).for_each(|number| sim.command_after(ms(number * 200), NodeId(1 + number % 5), Show));
        sim
    };
    let actions: usize = (0..SEEDS).map(|seed| follow(seed, build, 9_000)).sum();
    assert!(actions > 10_000, "{actions}");
}
