//! The numbers of NTP, measured.

use volvox_clocks::ntp::filter::Sample;
use volvox_clocks::ntp::selection::{Candidate, intersection, survivors};
use volvox_clocks::ntp::{Command, Config, Event, Ntp, Rule};
use volvox_core::fault::LinkFault;
use volvox_core::{Duration, Fault, NodeId};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::sim::{Builder, Happening, Latency, Simulation};

/// The claims of the chapter.
pub static CLAIMS: [Claim; 2] = [
    Claim {
        id: "Q-TIM-3",
        text: "NTP: the error is half the difference of the two delays, and at most half the delay",
        measure: || asymmetry(None),
        breakage: "the absolute value of the offset is taken",
        measure_broken: || asymmetry(Some(Rule::Sign)),
        plot: None,
    },
    Claim {
        id: "Q-TIM-6",
        text: "queueing of mean q each way: one sample is off by q/2 on average, with deviation q/sqrt(2); the best of 8 by \
               less than half of that; of four servers the farthest is dropped, unless the jitter of the best is greater",
        measure: || filter(None).into_iter().chain(selection()).collect(),
        breakage: "the newest of the eight is believed",
        measure_broken: || filter(Some(Rule::Filter)),
        plot: None,
    },
];

/// Servers by offset, distance and jitter. The majority of the first three meets from 40 to 100. The fourth of four is 10 ns
/// from each of the others, so that is its distance from them (RFC 5905, sections 11.2.1 and 11.2.2).
fn selection() -> [Row; 3] {
    let claimed = |(server, ahead_ns, distance_ns, jitter_ns)| Candidate {
        server: NodeId(server),
        ahead_ns,
        distance_ns,
        jitter_ns,
    };
    let range = intersection(&[(1, 50, 50, 1), (2, 50, 10, 1), (3, 127, 73, 1)].map(claimed));
    let width = range.map_or(0, |(low, high)| high - low) as f64;
    let kept = |jitter_ns| {
        let four =
            [(1, 0), (2, 0), (3, 0), (4, 10)].map(|(server, ahead_ns)| claimed((server, ahead_ns, 50, jitter_ns)));
        survivors(&four, (0, 10)).len() as f64
    };
    let row = |label: &str, expected, measured, unit| Row {
        label: label.to_string(),
        expected,
        measured,
        tolerance: Tolerance::Exact,
        unit,
        over: "1 selection".to_string(),
    };
    [
        row("the range in which the majority meets", 60.0, width, "ns"),
        row("one of four 10 ns off, jitter 9 ns", 3.0, kept(9), "survivors"),
        row("one of four 10 ns off, jitter 11 ns", 4.0, kept(11), "survivors"),
    ]
}

const CLIENT: NodeId = NodeId(2);

/// One server, and one client of it.
fn pair(without: Option<Rule>, poll: Duration, latency: Latency) -> Simulation<Ntp> {
    let config = Config { servers: 1, sane: 1, poll, without, ..Config::default() };
    Builder::new(7, 2, config).latency(latency).build()
}

/// The client's samples, oldest first.
fn register(sim: &Simulation<Ntp>) -> Option<&[Sample]> {
    Some(sim.node(CLIENT)?.registers().next()?.1)
}

/// The client's newest sample and its believed one: error and delay, in nanoseconds.
fn samples(sim: &Simulation<Ntp>) -> Option<[(i64, u64); 2]> {
    let client = sim.node(CLIENT)?;
    let newest = client.registers().next()?.1.last()?;
    let believed = client.believed(NodeId(1))?;
    Some([newest, believed].map(|sample| (sample.ahead_ns, sample.delay_ns)))
}

/// The error of an exchange with unequal delays, and the greatest error of many random ones.
fn asymmetry(without: Option<Rule>) -> Vec<Row> {
    let ms = Duration::from_millis;
    let mut sim = pair(without, ms(500), Latency::Constant(ms(10)));
    let slow = LinkFault { delay: ms(20), ..LinkFault::default() };
    sim.fault_after(ms(5), Fault::Slow(NodeId(1), CLIENT, slow));
    let _ = sim.run_for(ms(100));
    let (error, delay) = samples(&sim).map_or((0, 0), |[newest, _]| newest);
    let row = |label: &str, expected, measured, tolerance, unit, over: String| Row {
        label: label.to_string(),
        expected,
        measured,
        tolerance,
        unit,
        over,
    };
    let one = || "one exchange".to_string();
    let mut rows = vec![
        row("10 ms forward, 30 ms back", -10.0, error as f64 / 1e6, Tolerance::Exact, "ms of error", one()),
        row("10 ms forward, 30 ms back", 20.0, delay as f64 / 2e6, Tolerance::Exact, "ms of half the delay", one()),
    ];
    let (errors, worst) = many(without, |[newest, _]| newest);
    let over = format!("{} exchanges", errors.len());
    let label = "random delays of 1 ms and more";
    rows.push(row(label, 1.0, worst, Tolerance::AtMost, "of half the delay, the largest error", over));
    let mut sim = pair(without, Duration::from_secs(1_000), Latency::Constant(ms(10)));
    sim.command_after(ms(100), CLIENT, Command::Poll);
    sim.command_after(ms(200), CLIENT, Command::Show);
    let _ = sim.run_for(ms(300));
    let taken = register(&sim).map_or(0, <[Sample]>::len);
    let shown = sim.happened().filter(|one| matches!(one.what, Happening::Event(Event::Shows(_)))).count();
    let over = || "an operator's poll between two of the client's".to_string();
    rows.push(row("the poll that an operator asks for", 2.0, taken as f64, Tolerance::Exact, "samples", over()));
    rows.push(row("the clock that an operator asks for", 1.0, shown as f64, Tolerance::Exact, "readings", over()));
    rows
}

/// The mean queueing delay in each direction.
const QUEUEING: Duration = Duration::from_millis(10);

/// Selects one of two samples, the newest or the believed one; each is its error in ns, and its delay.
type Which = fn([(i64, u64); 2]) -> (i64, u64);

/// The errors of many exchanges in ns, as selected by `which`, and the greatest of them in halves of its delay.
fn many(without: Option<Rule>, which: Which) -> (Vec<f64>, f64) {
    const EXCHANGES: usize = 8_000;
    let latency = Latency::Exponential { minimum: Duration::from_millis(1), mean: QUEUEING };
    let mut sim = pair(without, Duration::from_secs(1), latency);
    let (mut errors, mut worst) = (Vec::with_capacity(EXCHANGES), 0f64);
    let _ = sim.run_for(Duration::from_millis(900));
    while errors.len() < EXCHANGES {
        if let Some(both) = samples(&sim) {
            let (error, delay) = which(both);
            errors.push(error as f64);
            // One nanosecond for the rounded half.
            worst = worst.max((error.unsigned_abs() as f64 - 1.0) / (delay as f64 / 2.0));
        }
        let _ = sim.run_for(Duration::from_secs(1));
        sim.happened().for_each(drop);
    }
    (errors, worst)
}

/// The error of one sample, and of the one that the filter believes.
fn filter(without: Option<Rule>) -> Vec<Row> {
    let q = QUEUEING.as_secs_f64() * 1e3;
    let row = |label: &str, expected, measured, tolerance, count| Row {
        label: label.to_string(),
        expected,
        measured,
        tolerance,
        unit: "ms",
        over: format!("{count} exchanges, q = {q} ms"),
    };
    let (single, _) = many(without, |[newest, _]| newest);
    let (best, _) = many(without, |[_, believed]| believed);
    let mean = |errors: &[f64]| errors.iter().map(|error| error.abs()).sum::<f64>() / errors.len() as f64 / 1e6;
    let deviation =
        |errors: &[f64]| (errors.iter().map(|error| error * error).sum::<f64>() / errors.len() as f64).sqrt() / 1e6;
    let mut sim = pair(without, Duration::from_secs(1), Latency::Constant(QUEUEING));
    let _ = sim.run_for(Duration::from_secs(60));
    let register = register(&sim).unwrap_or_default();
    let span = register.first().zip(register.last()).map_or(0.0, |(first, last)| last.at.since(first.at).as_secs_f64());
    vec![
        row("from the oldest of the 8 to the newest, polled every second", 7e3, span * 1e3, Tolerance::Exact, 60),
        row("one sample: mean error", q / 2.0, mean(&single), Tolerance::Relative(0.05), single.len()),
        row("one sample: deviation", q / 2f64.sqrt(), deviation(&single), Tolerance::Relative(0.05), single.len()),
        row("best of 8: mean error", q / 4.0, mean(&best), Tolerance::AtMost, best.len()),
        row("best of 8: deviation", q / 8f64.sqrt(), deviation(&best), Tolerance::AtMost, best.len()),
    ]
}
