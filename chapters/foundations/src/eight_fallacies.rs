//! The eight fallacies of distributed computing: small disasters, each measured with its remedy.
//!
//! # The problem
//!
//! L. Peter Deutsch and James Gosling, at Sun in the 1990s, listed the false assumptions that developers make in their
//! first distributed system. A list is soon forgotten; a number is not. So here a *naive* client makes one of the
//! assumptions, a *corrected* one does not, and both run in the simulator over the same network. An assertion about
//! their results holds for the second, and fails for the first.
//!
//! # The eight
//!
//! | | fallacy | the naive client | the corrected client | measured over |
//! |---|---|---|---|---|
//! | 1 | the network is reliable | calls once | retries at most twice | a stubborn link that loses 5 % each way |
//! | 2 | latency is zero | makes one call after the other | makes eight calls concurrently | stop-and-wait, and a window of eight |
//! | 3 | bandwidth is infinite | retries after the round trip | adds the transmission time of the bytes | a stubborn link of 100 kB/s |
//! | 4 | the network is secure | | | not measured |
//! | 5 | topology does not change | sends to its successor in the ring | skips a successor that is silent | Chang-Roberts, and the ring with a list |
//! | 6 | there is one administrator | changes the width of numbers at one end | changes both ends at once | selective repeat |
//! | 7 | transport cost is zero | sends one letter per message | sends all letters in one message | the reliable stack |
//! | 8 | the network is homogeneous | | | not measured |
//!
//! `volvox lab claim FND-06.3` measures the third, and `--broken` its naive client; `volvox lab claim eight-fallacies` all.
//!
//! # Why they go wrong
//!
//! 1. A call needs two messages, so it succeeds with `(1-p)^2`; with r retries only `(1-(1-p)^2)^(r+1)` of all calls fail.
//! 2. k calls in sequence take k round trips. Only the caller's waiting makes them take more than one.
//! 3. A message takes its latency *and* its size divided by the bandwidth, after everything that was sent before it. A
//!    client that forgets the second term mistakes a busy link for a lossy one, retransmits, and makes it busier.
//! 5. The protocol of Chang and Roberts is correct for the ring with which it was started. When the successor is gone,
//!    every message to it is lost, and no election ends.
//! 6. A strict receiver, as it must be, refuses what its configuration does not allow. So a change on which both ends
//!    must agree is made in two steps: both learn to read the new form, and then one begins to write it.
//! 7. A message has a header, is acknowledged, and may be repeated. For a message of one byte this overhead is the
//!    cost.
//!
//! # What is left out
//!
//! - **4, the network is secure**, needs a peer on the path that reads and alters what it forwards. The simulator has
//!   random corruption, which a checksum detects, but no adversary; only the live world has TLS.
//! - **8, the network is homogeneous**, needs a process that copies its memory layout onto the wire. There is none:
//!   every message has one binary form on all machines, so the naive half cannot be measured here.
//! - For the seventh the bytes are measured, but not the time of encoding, since the simulator has no processor.
//!
//! # References
//!
//! L. P. Deutsch: *The eight fallacies of distributed computing*, Sun Microsystems, 1994; the eighth is J. Gosling's, 1997.
//! A. Rotem-Gal-Oz: *Fallacies of distributed computing explained*, 2006.

use std::cell::Cell;
use std::rc::Rc;
use volvox_channel::arq::{self, Arq, Scheme};
use volvox_channel::links::{self, Reliable, Stubborn};
use volvox_channel::talk::{Command as Talking, Talk};
use volvox_core::erased::Erasable;
use volvox_core::fault::{LinkFault, Target};
use volvox_core::{Duration, Encode, Fault, NodeId};
use volvox_election::{Command, chang_roberts, ring};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::reading::{Level, Reading};
use volvox_lab::registry::{EntryCard, Experiment};
use volvox_lab::sim::{Builder, Latency, Network, Simulation};

/// The experiment.
pub static EIGHT_FALLACIES: Experiment = Experiment {
    card: EntryCard {
        id: "eight-fallacies",
        title: "The eight fallacies of distributed computing",
        mechanisms: &["FND-06"],
        reference: "Deutsch and Gosling: The eight fallacies of distributed computing, Sun Microsystems, 1994 and 1997",
        reading: Reading {
            needs: &[],
            level: Level::Evening,
            teaches: "what a first distributed system takes for granted, measured",
        },
        questions: include_str!("../../../book/src/questions/eight-fallacies.md"),
        source: include_str!("eight_fallacies.rs"),
    },
    parameters: &[
        ("loss, in 1", "5 % each way"),
        ("calls, in 1", "20,000"),
        ("calls, in 2", "8, over links of 50 ms each way"),
        ("burst, in 3", "50 words of 1,000 bytes, over links of 100 kB/s and 10 ms each way"),
        ("nodes, in 5", "8 in a ring, of which the one with the highest name crashes"),
        ("words, in 6", "40; numbers of 4 bits at one end, of 3 at the other"),
        ("letters, in 7", "400"),
    ],
    claims: &CLAIMS,
    models: &[],
};

static CLAIMS: [Claim; 7] = [
    Claim {
        id: "Q-FND-4",
        text: "the network is not reliable: a call with r retries succeeds with 1-(1-(1-p)^2)^(r+1)",
        measure: || [0, 1, 2].into_iter().flat_map(|retries| as_computed(retries, retries)).collect(),
        breakage: "one retry fewer than configured",
        measure_broken: || [1, 2].into_iter().flat_map(|retries| as_computed(retries, retries - 1)).collect(),
        plot: None,
    },
    Claim {
        id: "FND-06.1",
        text: "the network is reliable: with a loss of 5 % each way, 99.9 % of all calls succeed",
        measure: || answered(2),
        breakage: "the client calls once",
        measure_broken: || answered(0),
        plot: None,
    },
    Claim {
        id: "FND-06.2",
        text: "latency is zero: eight calls take one round trip",
        measure: || round_trips(Scheme::SelectiveRepeat, 5, 8),
        breakage: "the client makes one call after the other",
        measure_broken: || round_trips(Scheme::StopAndWait, 1, 1),
        plot: None,
    },
    Claim {
        id: "FND-06.3",
        text: "bandwidth is infinite: a burst is sent once, and is delivered after a round trip plus size / bandwidth",
        measure: || burst(ROUND_TRIP + transmission(BURST) + transmission(1)),
        breakage: "the client calls again after the round trip, as if its bytes took no time",
        measure_broken: || burst(ROUND_TRIP + Duration::from_millis(1)),
        plot: None,
    },
    Claim {
        id: "FND-06.5",
        text: "topology does not change: after the crash of a neighbour, all survivors follow a living node",
        measure: || following::<ring::Ring>(ring::Config::default(), ring::Ring::leader),
        breakage: "the client keeps sending to the successor that it knew",
        measure_broken: || {
            following::<chang_roberts::ChangRoberts>(
                chang_roberts::Config::default(),
                chang_roberts::ChangRoberts::leader,
            )
        },
        plot: None,
    },
    Claim {
        id: "FND-06.6",
        text: "there is one administrator: every word is delivered after numbers became wider",
        measure: || heard(4, 4),
        breakage: "one end is changed, and the other has a different administrator",
        measure_broken: || heard(4, 3),
        plot: None,
    },
    Claim {
        id: "FND-06.7",
        text: "transport cost is zero: at most 1.1 bytes are on the wire per letter",
        measure: || bytes_a_letter(1),
        breakage: "the client sends each letter separately",
        measure_broken: || bytes_a_letter(LETTERS),
        plot: None,
    },
];

fn row(
    label: String,
    expected: f64,
    tolerance: Tolerance,
    measured: f64,
    unit: &'static str,
    over: String,
) -> Vec<Row> {
    vec![Row { label, expected, measured, tolerance, unit, over }]
}

fn say(text: &str) -> Talking {
    Talking::Say { text: text.parse().expect("a line"), to: NodeId(2) }
}

const CALLS: u64 = 20_000;
const LOSS: f64 = 0.05;

/// The share of calls from n1 to n2, one per millisecond, that are answered.
fn share_answered(retries: u32) -> f64 {
    let ms = Duration::from_millis;
    let fault = LinkFault { loss_ppm: (LOSS * 1e6) as u32, ..LinkFault::default() };
    let network = Network { latency: Latency::Constant(ms(1)), fault, ..Network::default() };
    let config = links::Config { repetitions_max: Some(retries), ..links::Config::<()>::default() };
    let mut sim: Simulation<Stubborn<Talk>> = Builder::new(7, 2, config).network(network).without_hash_chain().build();
    for call in 0..CALLS {
        sim.command_after(ms(call), NodeId(1), say("call"));
    }
    let _ = sim.run_for(ms(CALLS + 10_000));
    1.0 - sim.statistics().notes.of("gave up") as f64 / CALLS as f64
}

fn answered(retries: u32) -> Vec<Row> {
    let (share, over) = (share_answered(retries), format!("{CALLS} calls"));
    row(format!("p={LOSS}, r={retries}"), 0.998, Tolerance::AtLeast, share, "of the calls succeed", over)
}

/// The formula for a client that is configured to retry this many times, beside the measurement.
fn as_computed(said: u32, done: u32) -> Vec<Row> {
    let failure = 1.0 - (1.0 - LOSS) * (1.0 - LOSS);
    let all_fail: f64 = (0..=said).map(|_| failure).product();
    let tolerance = Tolerance::Absolute(if said == 2 { 0.001 } else { 0.01 });
    let over = format!("{CALLS} calls");
    row(format!("p={LOSS}, r={said}"), 1.0 - all_fail, tolerance, share_answered(done), "of the calls succeed", over)
}

/// The time that eight calls take, in round trips.
fn round_trips(scheme: Scheme, bits: u32, window: u16) -> Vec<Row> {
    const CALLS: u64 = 8;
    let one_way = Duration::from_millis(50);
    let network = Network { latency: Latency::Constant(one_way), ..Network::default() };
    let config = arq::Config { window, repeat_after: Duration::from_secs(10), ..arq::Config::new((), scheme, bits) };
    let mut sim: Simulation<Arq<Talk>> = Builder::new(7, 2, config).network(network).build();
    (0..CALLS).for_each(|_| sim.command(NodeId(1), say("call")));
    let is_answered = |sim: &mut Simulation<Arq<Talk>>| {
        sim.statistics().commands == CALLS && sim.node(NodeId(1)).is_some_and(|node| node.waiting() == 0)
    };
    let _ = sim.run_until(Duration::from_secs(60), is_answered);
    let trips = Duration::from_nanos(sim.now().0).as_secs_f64() / (one_way * 2).as_secs_f64();
    row(format!("window of {window}"), 1.0, Tolerance::Exact, trips, "round trips", format!("{CALLS} calls"))
}

const BURST: u32 = 50;
const WORD_BYTES: usize = 1_000;
const BYTES_A_SECOND: u64 = 100_000;
const ONE_WAY: Duration = Duration::from_millis(10);
const ROUND_TRIP: Duration = Duration::from_millis(20);

/// The transmission time of this many words in sequence: 10 ms each, plus a little for their headers.
fn transmission(words: u32) -> Duration {
    Duration::from_micros(10_200) * words
}

/// How often a client that waits this long for an acknowledgement sends each word of a burst.
fn burst(repeat_after: Duration) -> Vec<Row> {
    let fault = LinkFault { bandwidth: BYTES_A_SECOND, ..LinkFault::default() };
    let network = Network { latency: Latency::Constant(ONE_WAY), fault, ..Network::default() };
    let config = links::Config { repeat_after, ..links::Config::<()>::default() };
    let mut sim = Builder::<Stubborn<Talk>>::new(7, 2, config)
        .network(network)
        .message_bytes(|message| message.to_bytes().len())
        .build();
    (0..BURST).for_each(|_| sim.command(NodeId(1), say(&"w".repeat(WORD_BYTES))));
    let _ = sim.run_for(Duration::from_secs(10));
    let sends = sim.statistics().kinds.of("Word") as f64 / f64::from(BURST);
    let label = format!("time-out for an acknowledgement: {} ms", repeat_after.as_millis());
    row(label, 1.0, Tolerance::Exact, sends, "sends per word", format!("{BURST} words"))
}

/// The share of the survivors that follow a living node, after the highest of a ring has crashed and the lowest
/// noticed.
fn following<P: Erasable<Command = Command>>(config: P::Config, leader: fn(&P) -> Option<NodeId>) -> Vec<Row> {
    const NODES: u64 = 8;
    let network = Network { latency: Latency::Constant(Duration::from_millis(1)), ..Network::default() };
    let mut sim: Simulation<P> = Builder::new(7, NODES, config).network(network).build();
    let _ = sim.run_for(Duration::from_secs(2));
    sim.apply_fault(&Fault::Crash { who: Target::Node(NodeId(NODES)), without_disk: false });
    sim.command(NodeId(1), Command::Suspect);
    let _ = sim.run_for(Duration::from_secs(10));
    let follows = |node: &P| leader(node).is_some_and(|leader| leader != NodeId(NODES));
    let share = sim.live().filter(|(_, node)| follows(node)).count() as f64 / (NODES - 1) as f64;
    row(
        format!("N={NODES}, after the crash of n{NODES}"),
        1.0,
        Tolerance::Exact,
        share,
        "of the survivors follow a living node",
        "1 election".to_string(),
    )
}

/// The share of n1's words that n2 hears, where each end uses numbers of its own width.
fn heard(bits_here: u32, bits_there: u32) -> Vec<Row> {
    const WORDS: u64 = 40;
    let config = |bits| arq::Config::new((), Scheme::SelectiveRepeat, bits);
    let network = Network { latency: Latency::Constant(Duration::from_millis(1)), ..Network::default() };
    let mut sim: Simulation<Arq<Talk>> =
        Builder::new(7, 2, config(bits_here)).config_of(NodeId(2), config(bits_there)).network(network).build();
    (0..WORDS).for_each(|word| sim.command(NodeId(1), say(&format!("word-{word}"))));
    let _ = sim.run_for(Duration::from_secs(10));
    // Every word is said once; all other events are words heard.
    let share = (sim.statistics().events - WORDS) as f64 / WORDS as f64;
    let label = format!("numbers of {bits_here} bits at one end, of {bits_there} at the other");
    row(label, 1.0, Tolerance::Exact, share, "of the words delivered", format!("{WORDS} words"))
}

const LETTERS: usize = 400;

/// The bytes on the wire per letter of a text that is sent in this many messages.
fn bytes_a_letter(messages: usize) -> Vec<Row> {
    let sent = Rc::new(Cell::new(0));
    let counted = Rc::clone(&sent);
    // The simulator needs the size of a message only where a link has a bandwidth; this one is too large to have an
    // effect.
    let fault = LinkFault { bandwidth: u64::MAX, ..LinkFault::default() };
    let network = Network { fault, ..Network::default() };
    let mut sim = Builder::<Reliable<Talk>>::new(7, 2, links::Config::<()>::default().stack())
        .network(network)
        .message_bytes(move |message| {
            let bytes = message.to_bytes().len();
            counted.set(counted.get() + bytes);
            bytes
        })
        .build();
    (0..messages).for_each(|_| sim.command(NodeId(1), say(&"a".repeat(LETTERS / messages))));
    let _ = sim.run_for(Duration::from_secs(10));
    let share = sent.get() as f64 / LETTERS as f64;
    let over = format!("{LETTERS} letters in {messages} messages");
    row("acknowledgements included".to_string(), 1.1, Tolerance::AtMost, share, "bytes per letter", over)
}
