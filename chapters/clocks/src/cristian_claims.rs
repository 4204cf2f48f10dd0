//! The numbers of Cristian's algorithm and of drifting clocks, measured.

use volvox_clocks::cristian::{Command, Config, Cristian, Event, Rule};
use volvox_core::fault::LinkFault;
use volvox_core::{Duration, Fault, NodeId};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::sim::{Builder, Happening, Latency, Simulation};

/// The claims of the chapter.
pub static CLAIMS: [Claim; 3] = [
    Claim {
        id: "Q-TIM-1",
        text: "clocks that drift by rho diverge by pi within pi / (2 rho), and are set again at that interval",
        measure: || parting(10).into_iter().chain(set_by_an_operator()).collect(),
        breakage: "the clocks drift by twice rho",
        measure_broken: || parting(20),
        plot: None,
    },
    Claim {
        id: "Q-TIM-2",
        text: "Cristian: the error is at most half the round trip less min, and zero when both delays are equal",
        measure: || errors(None),
        breakage: "the clock is set to the time in the answer",
        measure_broken: || errors(Some(Rule::Half)),
        plot: None,
    },
    Claim {
        id: "Q-TIM-7",
        text: "slewing at 500 ppm: an offset d is removed in d / 5e-4",
        measure: || slewing(None),
        breakage: "clocks are stepped",
        measure_broken: || slewing(Some(Rule::Slew)),
        plot: None,
    },
];

/// The client of a pair.
pub const CLIENT: NodeId = NodeId(2);

fn pair(config: Config, latency: Latency) -> Simulation<Cristian> {
    Builder::new(7, 2, config).latency(latency).build()
}

/// The difference of the client's clock from the server's, in nanoseconds, at each of this many times.
fn skews(sim: &mut Simulation<Cristian>, every: Duration, times: u32) -> Vec<i64> {
    for time in 1..=times {
        (1..=2).for_each(|id| sim.command_after(every * time, NodeId(id), Command::Show));
    }
    let _ = sim.run_for(every * times + Duration::from_millis(1));
    let shown: Vec<i64> = sim
        .happened()
        .filter_map(|happened| match happened.what {
            Happening::Event(Event::Shows(reading)) => Some(reading.clock),
            _ => None,
        })
        .collect();
    shown.chunks_exact(2).map(|pair| pair[1] - pair[0]).collect()
}

const SAMPLE: Duration = Duration::from_millis(500);

/// The server runs fast and the client slow, each by this much.
fn parting(rho_ppm: i32) -> Vec<Row> {
    let drifting = |every| {
        let mut sim = pair(Config { every, ..Config::default() }, Latency::Constant(Duration::from_millis(1)));
        sim.fault_after(Duration::ZERO, Fault::Drift(NodeId(1), rho_ppm));
        sim.fault_after(Duration::ZERO, Fault::Drift(CLIENT, -rho_ppm));
        skews(&mut sim, SAMPLE, 600)
    };
    let alone = drifting(None).iter().take_while(|skew| skew.abs() < 1_000_000).count();
    let worst = drifting(Some(Duration::from_secs(50))).iter().map(|skew| skew.abs()).max().unwrap_or(0);
    let row = |label: &str, expected, measured, unit| Row {
        label: label.to_string(),
        expected,
        measured,
        tolerance: Tolerance::Relative(0.02),
        unit,
        over: "300 s, one reading of both clocks every 0.5 s".to_string(),
    };
    vec![
        row("rho=1e-5, until they are pi=1 ms apart", 50.0, (alone + 1) as f64 * SAMPLE.as_secs_f64(), "s"),
        row("rho=1e-5, set every 50 s: their largest difference", 1.0, worst as f64 / 1e6, "ms"),
    ]
}

/// The client's estimate from an exchange with these two delays.
fn errors(without: Option<Rule>) -> Vec<Row> {
    let ms = Duration::from_millis;
    let config = |every| Config { round_trip_max: ms(40), delay_min: ms(5), every, without, ..Config::default() };
    let mut rows: Vec<Row> = [(15, 5, 5.0), (10, 10, 0.0), (5, 15, -5.0)]
        .into_iter()
        .map(|(forward, back, expected)| {
            let mut sim = pair(config(None), Latency::Constant(ms(5)));
            let _ = sim.run_for(ms(50));
            for (from, to, delay) in [(2, 1, forward - 5), (1, 2, back - 5)] {
                let link = LinkFault { delay: ms(delay), ..LinkFault::default() };
                sim.fault_after(Duration::ZERO, Fault::Slow(NodeId(from), NodeId(to), link));
            }
            sim.command_after(ms(1), CLIENT, Command::Sync);
            let _ = sim.run_for(ms(100));
            Row {
                label: format!("RTT 20 ms, min 5 ms, {forward} ms forward and {back} ms back"),
                expected,
                measured: sim
                    .node(CLIENT)
                    .and_then(Cristian::estimate)
                    .map_or(f64::NAN, |one| one.ahead_ns as f64 / 1e6),
                tolerance: Tolerance::Exact,
                unit: "ms of error",
                over: "one exchange".to_string(),
            }
        })
        .collect();
    let mut sim = pair(config(Some(ms(20))), Latency::Uniform(ms(5), ms(15)));
    let (mut worst, mut seen, mut last) = (0f64, 0, None);
    let _ = sim.run_until(Duration::from_secs(60), |sim| {
        let estimate = sim.node(CLIENT).and_then(Cristian::estimate);
        if let Some(one) = estimate.filter(|_| estimate != last) {
            let bound = (one.round_trip / 2).saturating_sub(ms(5)).as_nanos() + 1;
            (worst, seen) = (worst.max(one.ahead_ns.unsigned_abs() as f64 / bound as f64), seen + 1);
        }
        last = estimate;
        sim.happened().for_each(drop);
        false
    });
    rows.push(Row {
        label: "random delays of 5 to 15 ms".to_string(),
        expected: 1.0,
        measured: worst,
        tolerance: Tolerance::AtMost,
        unit: "of RTT/2 - min, the largest error",
        over: format!("{seen} exchanges"),
    });
    rows
}

/// How long a client that is 128 ms behind needs until it shows the server's time.
fn slewing(without: Option<Rule>) -> Vec<Row> {
    let config = Config { every: None, starts_off_ns: vec![0, -128_000_000], without, ..Config::default() };
    let mut sim = pair(config, Latency::Constant(Duration::from_millis(1)));
    let wrong = skews(&mut sim, SAMPLE, 600).iter().take_while(|skew| skew.abs() > 1_000).count();
    vec![Row {
        label: "d = 128 ms".to_string(),
        expected: 256.0,
        measured: (wrong + 1) as f64 * SAMPLE.as_secs_f64(),
        tolerance: Tolerance::Absolute(0.5),
        unit: "s",
        over: "one reading of both clocks every 0.5 s".to_string(),
    }]
}

/// An operator sets the clock of a machine by 300 ms: of the server, of the client, and of the client while the
/// server does not answer. The client starts 40 ms ahead.
fn set_by_an_operator() -> Vec<Row> {
    let (ms, server) = (Duration::from_millis, NodeId(1));
    let every = Some(Duration::from_secs(10));
    let config = Config { every, starts_off_ns: vec![0, 40_000_000], ..Config::default() };
    let mut sim = pair(config, Latency::Constant(ms(1)));
    let row = |label: &str, expected, measured, unit| Row {
        label: label.to_string(),
        expected,
        measured,
        tolerance: Tolerance::Exact,
        unit,
        over: "one client, a synchronisation every 10 s, every message takes 1 ms".to_string(),
    };
    let _ = sim.run_for(Duration::from_micros(100));
    let mut rows = vec![row("before its first contact", 40.0, apart_ms(&sim), "ms ahead")];
    sim.fault_after(ms(1_000), Fault::Skew(server, 300));
    let _ = sim.run_for(Duration::from_secs(15));
    let moved = sim.node(server).map_or(0, |node| node.clock().moved());
    rows.push(row("the server is set by 300 ms, and asked: it has followed", 300.0, moved as f64 / 1e6, "ms"));
    rows.push(row("the server is set by 300 ms, after the next contact", 0.0, apart_ms(&sim), "ms ahead"));
    sim.fault_after(Duration::ZERO, Fault::Skew(CLIENT, -300));
    sim.command_after(ms(1), CLIENT, Command::Show);
    sim.happened().for_each(drop);
    let before = sim.node(CLIENT).map_or(0, |node| node.clock().read(sim.now()));
    let begun = sim.now();
    let _ = sim.run_for(ms(100));
    let shown = sim.happened().find_map(|happened| match happened.what {
        Happening::Event(Event::Shows(reading)) => {
            Some(reading.clock - before - happened.at.since(begun).as_nanos() as i64)
        }
        _ => None,
    });
    // Slewing moves it by less than that meanwhile.
    let shown = shown.map_or(f64::NAN, |moved| (moved as f64 / 1e6).round());
    rows.push(row("the client is set by -300 ms, and looked at", -300.0, shown, "ms moved"));
    rows.push(row("the client is set by -300 ms, and looked at: it asks at once", 0.0, apart_ms(&sim), "ms ahead"));
    let lost = LinkFault { loss_ppm: 1_000_000, ..LinkFault::default() };
    sim.fault_after(Duration::ZERO, Fault::Slow(server, CLIENT, lost));
    sim.fault_after(Duration::ZERO, Fault::Skew(CLIENT, 300));
    sim.command_after(ms(1), CLIENT, Command::Show);
    sim.fault_after(ms(1_000), Fault::Heal);
    let _ = sim.run_for(Duration::from_secs(15));
    let lost = sim.happened().filter(|one| matches!(one.what, Happening::Event(Event::NoContact))).count();
    rows.push(row("no answer arrives for 1 s", 1.0, lost as f64, "synchronisations without contact"));
    rows.push(row("no answer arrives for 1 s, after the next synchronisation", 0.0, apart_ms(&sim), "ms ahead"));
    rows
}

/// How far the client will be ahead of the server once it has slewed.
fn apart_ms(sim: &Simulation<Cristian>) -> f64 {
    let error = |id| sim.node(id).map_or(0, |node| node.clock().error());
    (error(CLIENT) - error(NodeId(1))) as f64 / 1e6
}
