//! Stop-and-wait, go-back-N and selective repeat: how large a window may be, and how large it must be.

use volvox_channel::arq::{self as protocol, Arq, Config, Scheme};
use volvox_channel::talk::{self, Command, History, Talk, properties};
use volvox_core::fault::LinkFault;
use volvox_core::{Duration, Fault, NodeId, Property};
use volvox_lab::chapter::{Card, Chapter, Golden, Nodes, Settings, World};
use volvox_lab::check::{Checker, Network as Links, System};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::model::{CheckedModel, Explored, explore, hold};
use volvox_lab::reading::{Level, Reading};
use volvox_lab::sim::{Builder, FaultPlan, FaultWeights, Latency, Network, Simulation};

/// The chapter.
pub struct SlidingWindows;

static CARD: Card = Card {
    id: "sliding-windows",
    title: "Sliding windows: stop-and-wait, go-back-N, selective repeat",
    mechanisms: &["NET-06"],
    worlds: &[World::Simulated, World::Checked, World::Live],
    reference: "Bartlett, Scantlebury, Wilkinson: A note on reliable full-duplex transmission over half-duplex links, \
                CACM 12(5), 1969; Tanenbaum, Wetherall: Computer networks, section 3.4",
    reading: Reading {
        needs: &["channels"],
        level: Level::Evening,
        teaches: "acknowledgement, retransmission, and why the numbers of packets must not be too few",
    },
    questions: include_str!("../../../book/src/questions/sliding-windows.md"),
    source: include_str!("../../../crates/channel/src/arq/mod.rs"),
    nodes: Nodes { least: 2, most: 32, default: 2 },
    rules: protocol::Rule::CARDS,
    scenario: include_str!("../scenarios/sliding-windows.txt"),
    golden: &[
        Golden {
            name: "selective-repeat/01-one-is-missing.txt",
            text: include_str!("../../../crates/channel/tests/scripts/selective-repeat/01-one-is-missing.txt"),
        },
        Golden {
            name: "go-back-n/01-one-more-than-allowed.txt",
            text: include_str!("../../../crates/channel/tests/scripts/go-back-n/01-one-more-than-allowed.txt"),
        },
    ],
};

impl Chapter for SlidingWindows {
    type Process = Arq<Talk>;
    type History = History;

    fn card() -> &'static Card {
        &CARD
    }

    /// Selective repeat with two-bit numbers: short enough to wrap in every run.
    fn config(settings: &Settings) -> Config<()> {
        config(Scheme::SelectiveRepeat, 2, settings.without.and_then(protocol::Rule::named))
    }

    fn properties() -> Vec<Property<Arq<Talk>, History>> {
        properties()
    }

    fn state(process: &Arq<Talk>) -> String {
        match process.waiting() {
            0 => String::new(),
            waiting => format!("{waiting} open"),
        }
    }

    /// A FIFO network with losses, delays and partitions, and nodes that pause. No crash: numbers restart with a boot.
    fn faults(_: &Settings) -> FaultPlan {
        let ms = Duration::from_millis;
        FaultPlan {
            from: Duration::ZERO,
            until: ms(800),
            every: Latency::Exponential { minimum: ms(5), mean: ms(60) },
            lasting: Latency::Exponential { minimum: ms(5), mean: ms(150) },
            weights: FaultWeights { pause: 2, skew: 1, drift: 1, ..FaultWeights::NETWORK },
            link: LinkFault { delay: ms(50), loss_ppm: 400_000, corrupt_ppm: 50_000, ..LinkFault::default() },
            ..FaultPlan::default()
        }
    }

    fn models() -> Vec<CheckedModel> {
        MODELS.to_vec()
    }

    fn claims() -> Vec<Claim> {
        CLAIMS.to_vec()
    }
}

const TWICE: &str = "no duplication";
const HEARD: &str = "reliable delivery";

static MODELS: [CheckedModel; 13] = [
    CheckedModel::holds(
        "the alternating bit",
        "one bit, a window of one; two ends, as a link has; four words over a FIFO link that loses at will",
        1_111,
        || safe(config(Scheme::StopAndWait, 1, None), lossy(), 4),
    ),
    CheckedModel::holds(
        "go-back-N, two bits, a window of three",
        "two ends, eight words: the numbers wrap twice; a FIFO link that loses at will",
        228_181,
        || safe(config(Scheme::GoBackN, 2, None), lossy(), 8),
    ),
    CheckedModel::holds(
        "selective repeat, two bits, a window of two",
        "two ends, eight words: the numbers wrap twice; a FIFO link that loses at will",
        358_427,
        || safe(config(Scheme::SelectiveRepeat, 2, None), lossy(), 8),
    ),
    CheckedModel::holds("the alternating bit ends", "three words; two losses, timers at any moment", 1_012, || {
        live(config(Scheme::StopAndWait, 1, None))
    }),
    CheckedModel::holds("go-back-N ends", "two bits; three words; two losses, timers at any moment", 7_586, || {
        live(config(Scheme::GoBackN, 2, None))
    }),
    CheckedModel::holds(
        "selective repeat ends",
        "two bits; three words; two losses, timers at any moment",
        10_973,
        || live(config(Scheme::SelectiveRepeat, 2, None)),
    ),
    CheckedModel::breaks("stop-and-wait without window", "one bit, two in flight", (TWICE, 6), || {
        safe(config(Scheme::StopAndWait, 1, Some(protocol::Rule::Window)), lossy(), 4)
    }),
    CheckedModel::breaks("go-back-N without window", "two bits, a window of 2^k: four", (TWICE, 10), || {
        safe(config(Scheme::GoBackN, 2, Some(protocol::Rule::Window)), lossy(), 8)
    }),
    CheckedModel::breaks(
        "selective repeat without window",
        "two bits, a window of 2^(k-1)+1: three",
        (TWICE, 11),
        || safe(config(Scheme::SelectiveRepeat, 2, Some(protocol::Rule::Window)), lossy(), 8),
    ),
    CheckedModel::breaks(
        "the alternating bit over a link without order",
        "one bit, no rule removed",
        (TWICE, 7),
        || safe(config(Scheme::StopAndWait, 1, None), Links::unordered().queue_max(3), 4),
    ),
    CheckedModel::breaks(
        "selective repeat over a link without order",
        "two bits, no rule removed",
        (TWICE, 12),
        || safe(config(Scheme::SelectiveRepeat, 2, None), Links::unordered().queue_max(3), 8),
    ),
    CheckedModel::breaks("without fifo", "the alternating bit; a slow copy of each retransmission", (TWICE, 9), || {
        safe(config(Scheme::StopAndWait, 1, Some(protocol::Rule::Fifo)), lossy(), 4)
    }),
    CheckedModel::breaks("without repetition", "selective repeat; one loss", (HEARD, 3), || {
        live(config(Scheme::SelectiveRepeat, 2, Some(protocol::Rule::Repetition)))
    }),
];

fn config(scheme: Scheme, bits: u32, without: Option<protocol::Rule>) -> Config<()> {
    Config { without, ..Config::new((), scheme, bits) }
}

/// A FIFO link that loses at will; a full queue also loses.
fn lossy() -> Links {
    Links::ordered().lossy().queue_max(4)
}

type Instance = System<Arq<Talk>, History>;

fn say(word: &str) -> Command {
    Command::Say { text: word.parse().expect("a line"), to: NodeId(2) }
}

/// This many words from n1 to n2.
fn system(config: Config<()>, links: Links, words: u32) -> Instance {
    let world = System::with_history(2, config).network(links);
    world.command(NodeId(1), say("word"), words)
}

fn checker(world: &Instance, words: u32) -> Checker<'_, Instance> {
    hold(Checker::new(world), &properties()).reachable("all words are delivered", move |world, state| {
        world.view(state).history().heard() == u64::from(words)
    })
}

fn safe(config: Config<()>, links: Links, words: u32) -> Explored {
    let world = system(config, links, words);
    explore(&world, checker(&world, words))
}

fn live(config: Config<()>) -> Explored {
    let world = system(config, Links::ordered().losses(2).queue_max(3), 3);
    let checker = checker(&world, 3)
        .bounds_are_budgets("a full link drops the newest message, as every link does; it is retransmitted")
        .leads_to(
            HEARD,
            |world, state| world.view(state).history().said() > 0,
            |world, state| world.view(state).history().heard() == world.view(state).history().said(),
        );
    explore(&world, checker)
}

static CLAIMS: [Claim; 2] = [
    Claim {
        id: "Q-NET-3",
        text: "stop-and-wait uses 1/(1+2a) of a link, a window of W min(1, W/(1+2a)); a = propagation / transmission",
        measure: || utilisations(|window| window),
        breakage: "the window is half the configured size",
        measure_broken: || utilisations(halved),
        plot: None,
    },
    Claim {
        id: "Q-NET-4",
        text: "sends per packet with loss p: selective repeat 1/(1-p), go-back-N (1-p+Wp)/(1-p)",
        measure: || sends(|window| window),
        breakage: "the window is half the configured size",
        measure_broken: || sends(halved),
        plot: None,
    },
];

fn halved(window: u16) -> u16 {
    (window / 2).max(1)
}

/// The transmission time of a packet, where it counts: a thousand bytes take a millisecond. Acknowledgements take no
/// time.
const PACKET_BYTES: usize = 1_000;
const BYTES_A_SECOND: u64 = 1_000_000;

fn bytes(message: &protocol::Message<talk::Message>) -> usize {
    match message {
        protocol::Message::Data { .. } => PACKET_BYTES,
        protocol::Message::Ack { .. } => 0,
    }
}

/// Keeps the sender's queue filled until this many packets were sent and acknowledged.
fn transfer(sim: &mut Simulation<Arq<Talk>>, packets: u64) {
    let (batch, mut said) = (1_000, 0);
    let _ = sim.run_until(Duration::from_secs(1_000_000), |sim| {
        let waiting = sim.node(NodeId(1)).map_or(0, Arq::waiting);
        if said < packets && waiting < batch && sim.statistics().commands == said {
            for _ in 0..(packets - said).min(batch as u64) {
                sim.command(NodeId(1), say("packet"));
                said += 1;
            }
        }
        sim.happened().for_each(drop);
        sim.statistics().commands == packets && waiting == 0
    });
}

fn utilisations(used: fn(u16) -> u16) -> Vec<Row> {
    let transmission = Duration::from_millis(1);
    let measure = |(label, scheme, bits, window, ratio): (&str, Scheme, u32, u16, u32)| {
        let packets = 2_000;
        let fault = LinkFault { bandwidth: BYTES_A_SECOND, ..LinkFault::default() };
        let latency = Latency::Constant(transmission * ratio);
        let network = Network { latency, fault, ..Network::default() };
        let repeat_after = Duration::from_secs(10);
        let config = Config { window: used(window), repeat_after, ..config(scheme, bits, None) };
        let mut sim: Simulation<Arq<Talk>> =
            Builder::new(7, 2, config).network(network).message_bytes(bytes).without_hash_chain().build();
        transfer(&mut sim, packets);
        let busy = transmission.as_secs_f64() * packets as f64;
        Row {
            label: format!("{label}, a={ratio}, W={window}"),
            expected: (f64::from(window) / f64::from(1 + 2 * ratio)).min(1.0),
            measured: busy / Duration::from_nanos(sim.now().0).as_secs_f64(),
            tolerance: Tolerance::Relative(0.02),
            unit: "of the link used",
            over: format!("{packets} packets"),
        }
    };
    let cases = [
        ("stop-and-wait", Scheme::StopAndWait, 1, 1, 10),
        ("stop-and-wait", Scheme::StopAndWait, 1, 1, 1),
        ("go-back-N", Scheme::GoBackN, 4, 10, 10),
        ("selective repeat", Scheme::SelectiveRepeat, 5, 10, 10),
        ("selective repeat", Scheme::SelectiveRepeat, 6, 30, 10),
    ];
    cases.into_iter().map(measure).collect()
}

/// Packets are lost, but acknowledgements are not, as the formulas assume.
fn sends(used: fn(u16) -> u16) -> Vec<Row> {
    let measure = |(label, scheme, bits, window, loss_ppm): (&str, Scheme, u32, u16, u32)| {
        let packets = 40_000;
        let lossy = LinkFault { loss_ppm, ..LinkFault::default() };
        let network = Network { latency: Latency::Constant(Duration::from_millis(1)), ..Network::default() };
        let repeat_after = Duration::from_millis(10);
        let config = Config { window: used(window), repeat_after, ..config(scheme, bits, None) };
        let mut sim: Simulation<Arq<Talk>> = Builder::new(7, 2, config).network(network).without_hash_chain().build();
        sim.apply_fault(&Fault::Slow(NodeId(1), NodeId(2), lossy));
        transfer(&mut sim, packets);
        let (loss, width) = (f64::from(loss_ppm) / 1e6, f64::from(window));
        let expected = match scheme {
            Scheme::SelectiveRepeat => 1.0 / (1.0 - loss),
            _ => (1.0 - loss + width * loss) / (1.0 - loss),
        };
        Row {
            label: format!("{label}, p={loss}, W={window}"),
            expected,
            measured: sim.statistics().kinds.of("Word") as f64 / packets as f64,
            tolerance: Tolerance::Relative(0.05),
            unit: "sends per packet",
            over: format!("{packets} packets"),
        }
    };
    let cases = [
        ("selective repeat", Scheme::SelectiveRepeat, 8, 100, 10_000),
        ("go-back-N", Scheme::GoBackN, 7, 100, 10_000),
        ("selective repeat", Scheme::SelectiveRepeat, 5, 10, 100_000),
        ("go-back-N", Scheme::GoBackN, 4, 10, 100_000),
        ("stop-and-wait", Scheme::StopAndWait, 1, 1, 100_000),
    ];
    cases.into_iter().map(measure).collect()
}
