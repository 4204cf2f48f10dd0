//! Stop-and-wait, go-back-N and selective repeat: how large a window may be, and how large it must be.

use super::diary::{self, Diary};
use volvox_channel::arq::{self as protocol, Arq, Config, Scheme};
use volvox_channel::talk::{self, Command, History, Talk, properties};
use volvox_core::fault::LinkFault;
use volvox_core::{Duration, Fault, NodeId, Property};
use volvox_lab::ask::{Asking, Order};
use volvox_lab::chapter::{Card, Chapter, NodeState, Nodes, Settings};
use volvox_lab::check::{Checker, Network as Links, System};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::found;
use volvox_lab::model::{CheckedModel, Explored, explore, hold};
use volvox_lab::plans;
use volvox_lab::reading::{Level, Reading};
use volvox_lab::restarts::Restarts;
use volvox_lab::sim::{Builder, FaultPlan, Latency, Network, Simulation};
use volvox_lab::{bounds, words};

/// The chapter.
pub struct SlidingWindows;

static CARD: Card = Card {
    title: "Sliding windows: stop-and-wait, go-back-N, selective repeat",
    mechanisms: &["NET-06"],
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
    ..found!("sliding-windows")
};

impl Chapter for SlidingWindows {
    type Process = Arq<Talk>;
    type History = History;
    const CARD: &'static Card = &CARD;
    const MODELS: &'static [CheckedModel] = &MODELS;
    const CLAIMS: &'static [Claim] = &CLAIMS;
    const ASKING: Option<Asking> = Some(Asking::of::<Bounds>());

    /// Selective repeat with two-bit numbers: short enough to wrap in every run.
    fn config(settings: &Settings) -> Config<()> {
        config(Scheme::SelectiveRepeat, 2, settings.without.and_then(protocol::Rule::named))
    }

    fn properties() -> Vec<Property<Arq<Talk>, History>> {
        properties()
    }

    fn state(process: &Arq<Talk>) -> NodeState {
        match process.waiting() {
            0 => NodeState::default(),
            waiting => NodeState::plain(format_args!("{waiting} open")),
        }
    }

    fn restarts() -> Restarts {
        Restarts::TOLERATED.excluding(
            &["no duplication", "FIFO delivery", "reliable delivery"],
            "One that restarts begins at 0, and messages in flight are mistaken for new ones.",
        )
    }

    /// A FIFO network with losses, delays and partitions, and nodes that pause. No crash: numbers restart with a boot.
    fn faults(_: &Settings) -> FaultPlan {
        let delay = Duration::from_millis(50);
        let link = LinkFault { delay, loss_ppm: 400_000, corrupt_ppm: 50_000, ..LinkFault::default() };
        FaultPlan { link, ..plans::network_and_pauses() }
    }
}

const TWICE: &str = "no duplication";
const HEARD: &str = "reliable delivery";

static MODELS: [CheckedModel; 14] = [
    CheckedModel::holds(
        "a process that writes down what it hears",
        "selective repeat under a process with a disk, which speaks when it starts, and hears when that is durable; one of the \
         two crashes and restarts",
        109,
        || diary::passes_through::<Arq<Diary>>(config(Scheme::SelectiveRepeat, 2, None)),
    ),
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
        Bounds { scheme: Schemes::StopAndWait, bits: 1, ..THREE }.explored(None)
    }),
    CheckedModel::holds("go-back-N ends", "two bits; three words; two losses, timers at any moment", 7_586, || {
        Bounds { scheme: Schemes::GoBackN, ..THREE }.explored(None)
    }),
    CheckedModel::holds(
        "selective repeat ends",
        "two bits; three words; two losses, timers at any moment",
        10_973,
        || THREE.explored(None),
    ),
    CheckedModel::breaks("stop-and-wait without window", "one bit, two in flight", (TWICE, 6), || {
        safe(config(Scheme::StopAndWait, 1, Some(protocol::Rule::Window)), lossy(), 4)
    })
    .without("window"),
    CheckedModel::breaks("go-back-N without window", "two bits, a window of 2^k: four", (TWICE, 10), || {
        safe(config(Scheme::GoBackN, 2, Some(protocol::Rule::Window)), lossy(), 8)
    })
    .without("window"),
    CheckedModel::breaks(
        "selective repeat without window",
        "two bits, a window of 2^(k-1)+1: three",
        (TWICE, 11),
        || safe(config(Scheme::SelectiveRepeat, 2, Some(protocol::Rule::Window)), lossy(), 8),
    )
    .without("window"),
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
    })
    .without("fifo"),
    CheckedModel::breaks("without repetition", "selective repeat; one loss", (HEARD, 3), || {
        THREE.explored(Some(protocol::Rule::Repetition))
    })
    .without("repetition"),
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

words! {
    /// The schemes: what the receiver keeps, and what the sender repeats.
    enum Schemes { StopAndWait = "stop-and-wait", GoBackN = "go-back-n", SelectiveRepeat = "selective-repeat" }
}

bounds! {
    /// Words from n1 to n2; timers fire at any moment.
    struct Bounds;
    scheme: Schemes = Schemes::SelectiveRepeat, "what the receiver keeps, and what the sender repeats";
    bits: u32 = 2, "of a sequence number" in 1..=3 bits;
    words: u32 = 3, "that n1 says" in 1..=8 words;
    losses: u32 = 2, "of messages" in 0..=4 losses;
    queue: usize = 3, "that a link holds: what is more is lost, and is sent again" in 1..=4 messages;
    order: Order = Order::Fifo, "in which the messages of the link arrive; without it only safety is asked";
}

const THREE: Bounds =
    Bounds { scheme: Schemes::SelectiveRepeat, bits: 2, words: 3, losses: 2, queue: 3, order: Order::Fifo };

impl volvox_lab::ask::Instance for Bounds {
    fn contradiction(&self) -> Option<String> {
        let is_stop_and_wait = self.scheme == Schemes::StopAndWait;
        (is_stop_and_wait && self.bits != 1).then(|| {
            format!("--scheme stop-and-wait and --bits {} contradict one another: it needs one bit", self.bits)
        })
    }

    fn explore(&self, without: Option<&'static str>) -> Explored {
        self.explored(without.and_then(protocol::Rule::named))
    }
}

impl Bounds {
    fn explored(self, without: Option<protocol::Rule>) -> Explored {
        let scheme = match self.scheme {
            Schemes::StopAndWait => Scheme::StopAndWait,
            Schemes::GoBackN => Scheme::GoBackN,
            Schemes::SelectiveRepeat => Scheme::SelectiveRepeat,
        };
        let links = self.order.network().losses(self.losses).queue_max(self.queue);
        let world = system(config(scheme, self.bits, without), links, self.words);
        let checker = checker(&world, self.words);
        match self.order {
            Order::Unordered => explore(&world, checker),
            Order::Fifo => explore(&world, heard(checker)),
        }
    }
}

/// Every word that was said is heard.
fn heard(checker: Checker<'_, Instance>) -> Checker<'_, Instance> {
    checker
        .bounds_are_budgets("a full link drops the newest message, as every link does; it is retransmitted")
        .leads_to(
            HEARD,
            |world, state| world.view(state).history().said() > 0,
            |world, state| world.view(state).history().heard() == world.view(state).history().said(),
        )
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
