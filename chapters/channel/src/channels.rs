//! From fair-loss links to reliable FIFO ones, layer by layer.

use super::diary::{self, Diary};
use volvox_channel::links::{self as protocol, Config, Fifo, Perfect, Reliable, Stubborn};
use volvox_channel::talk::{Command, Event, History, Talk, properties};
use volvox_core::erased::Erasable;
use volvox_core::fault::LinkFault;
use volvox_core::{Duration, NodeId, Process, Property};
use volvox_lab::ask::Asking;
use volvox_lab::chapter::{Card, Chapter, NodeState, Nodes, Settings};
use volvox_lab::check::{Checker, Network as Links, System};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::found;
use volvox_lab::model::{CheckedModel, Explored, explore, hold};
use volvox_lab::plans;
use volvox_lab::plot::Against;
use volvox_lab::reading::{Level, Reading};
use volvox_lab::restarts::Restarts;
use volvox_lab::sim::{Builder, FaultPlan, Latency, Network, Simulation};
use volvox_lab::{bounds, words};

/// The chapter.
pub struct Channels;

static CARD: Card = Card {
    title: "Channels: from fair loss to reliable FIFO, layer by layer",
    mechanisms: &["FND-01"],
    reference: "Cachin, Guerraoui, Rodrigues: Introduction to Reliable and Secure Distributed Programming, 2011, \
                sections 2.4 and 3.9",
    reading: Reading {
        needs: &[],
        level: Level::Evening,
        teaches: "what a link may do, and how reliable FIFO is built on it, layer by layer",
    },
    questions: include_str!("../../../book/src/questions/channels.md"),
    source: include_str!("../../../crates/channel/src/links/mod.rs"),
    nodes: Nodes { least: 2, most: 32, default: 2 },
    rules: protocol::Rule::CARDS,
    ..found!("channels")
};

type Stack = Reliable<Talk>;

impl Chapter for Channels {
    type Process = Stack;
    type History = History;
    const CARD: &'static Card = &CARD;
    const MODELS: &'static [CheckedModel] = &MODELS;
    const CLAIMS: &'static [Claim] = &CLAIMS;
    const ASKING: Option<Asking> = Some(Asking::of::<Bounds>());

    fn config(settings: &Settings) -> <Stack as Process>::Config {
        told(settings.without.and_then(protocol::Rule::named)).stack()
    }

    fn properties() -> Vec<Property<Stack, History>> {
        properties()
    }

    fn state(process: &Stack) -> NodeState {
        match process.waiting() {
            0 => NodeState::default(),
            waiting => NodeState::plain(format_args!("{waiting} open")),
        }
    }

    fn restarts() -> Restarts {
        Restarts::TOLERATED.excluding(
            &["no duplication", "reliable delivery"],
            "a node that restarts begins its numbers at 1, and these layers ignore it.",
        )
    }

    /// All faults of the network, and nodes that pause. No crash: a channel connects two boots.
    fn faults(_: &Settings) -> FaultPlan {
        let link = LinkFault {
            delay: Duration::from_millis(50),
            loss_ppm: 300_000,
            duplicate_ppm: 200_000,
            reorder_ppm: 200_000,
            corrupt_ppm: 50_000,
            bandwidth: 0,
        };
        FaultPlan { link, ..plans::network_and_pauses() }
    }
}

const INVENTED: &str = "no creation";
const TWICE: &str = "no duplication";
const ORDER: &str = "FIFO delivery";
const HEARD: &str = "reliable delivery";
const ALL: [&str; 3] = [INVENTED, TWICE, ORDER];

static MODELS: [CheckedModel; 15] = [
    CheckedModel::holds(
        "a process that writes down what it hears",
        "the whole stack under a process with a disk, which speaks when it starts, and hears when that is durable; the listener \
         crashes and restarts",
        109,
        || diary::passes_through::<Stubborn<Perfect<Fifo<Diary>>>>(told(None).stack()),
    ),
    CheckedModel::holds(
        "FIFO order recognises repetitions by itself",
        "two layers, FIFO order over stubborn links; three words, each message lost, duplicated and reordered at will",
        1_111,
        || safe::<Stubborn<Fifo<Talk>>>(told(None).over(told(None)), 2, anything(), 3, &ALL),
    ),
    CheckedModel::holds(
        "one retransmission outlives one loss",
        "one layer, which gives up after one retransmission; one loss, any order",
        25,
        || {
            let config = Config { repetitions_max: Some(1), ..told(None) };
            let world = system::<Stubborn<Talk>>(config, 2, Links::unordered().losses(1), 1);
            explore(&world, heard(promise(&world, 1, &[INVENTED])))
        },
    ),
    CheckedModel::holds(
        "fair loss invents nothing",
        "no layer; two ends, as a channel has; two words, each lost, duplicated and reordered at will",
        51,
        || safe::<Talk>((), 2, anything(), 2, &[INVENTED]),
    ),
    CheckedModel::breaks("fair loss loses", "no layer; one loss", (HEARD, 2), || live::<Talk>((), &[])),
    CheckedModel::holds(
        "stubborn links lose nothing",
        "one layer; two losses, any order, at most two messages in flight each way",
        1_892,
        || live::<Stubborn<Talk>>(told(None), &[INVENTED]),
    ),
    CheckedModel::breaks("stubborn links repeat", "one layer; a perfect link", (TWICE, 4), || {
        safe::<Stubborn<Talk>>(told(None), 2, Links::ordered(), 2, &[TWICE])
    }),
    CheckedModel::holds(
        "perfect links lose and repeat nothing",
        "two layers; two losses, any order, at most two messages in flight each way",
        928,
        || live::<Stubborn<Perfect<Talk>>>(told(None).over(told(None)), &[INVENTED, TWICE]),
    ),
    CheckedModel::breaks("perfect links keep no order", "two layers; any order", (ORDER, 3), || {
        safe::<Stubborn<Perfect<Talk>>>(told(None).over(told(None)), 2, Links::unordered(), 2, &[TWICE, ORDER])
    }),
    CheckedModel::holds(
        "the whole stack loses nothing",
        "three layers; two losses, any order, at most two messages in flight each way",
        611,
        || live::<Stack>(told(None).stack(), &ALL),
    ),
    CheckedModel::holds(
        "the whole stack over the worst link",
        "two ends, four words, each message lost, duplicated and reordered at will: heard once, in order",
        11_111,
        || safe::<Stack>(told(None).stack(), 2, anything(), 4, &ALL),
    ),
    CheckedModel::holds(
        "the whole stack among three",
        "three ends, n1 and n3 say two words each to n2; lost, duplicated and reordered at will",
        12_321,
        || safe::<Stack>(told(None).stack(), 3, anything(), 2, &ALL),
    ),
    CheckedModel::breaks("without repetition", "the whole stack; one loss", (HEARD, 3), || {
        live::<Stack>(told(Some(protocol::Rule::Repetition)).stack(), &ALL)
    })
    .without("repetition"),
    CheckedModel::breaks("without once", "the whole stack; a perfect link", (TWICE, 4), || {
        safe::<Stack>(told(Some(protocol::Rule::Once)).stack(), 2, Links::ordered(), 2, &ALL)
    })
    .without("once"),
    CheckedModel::breaks("without order", "the whole stack; any order", (ORDER, 3), || {
        safe::<Stack>(told(Some(protocol::Rule::Order)).stack(), 2, Links::unordered(), 2, &ALL)
    })
    .without("order"),
];

/// Each message once, any number of times or never, in any order: the worst case of fair loss.
fn anything() -> Links {
    Links::duplicating().lossy()
}

fn told(without: Option<protocol::Rule>) -> Config<()> {
    Config { without, ..Config::default() }
}

/// The end that listens.
const TO: NodeId = NodeId(2);

fn say(word: &str) -> Command {
    Command::Say { text: word.parse().expect("a line"), to: TO }
}

/// This many words from every other end to n2.
fn system<P>(config: P::Config, nodes: u64, links: Links, words: u32) -> System<P, History>
where
    P: Erasable + Process<Event = Event, Command = Command>,
{
    let world = System::<P, History>::with_history(nodes, config).network(links);
    (1..=nodes)
        .map(NodeId)
        .filter(|from| *from != TO)
        .fold(world, |world, from| world.command(from, say("word"), words))
}

fn promise<'w, P>(world: &'w System<P, History>, words: u32, promised: &[&str]) -> Checker<'w, System<P, History>>
where
    P: Erasable + Process<Event = Event>,
{
    let properties: Vec<_> =
        properties::<P>().into_iter().filter(|property| promised.contains(&property.name)).collect();
    hold(Checker::new(world), &properties).reachable("the words are delivered", move |world, state| {
        world.view(state).history().heard() >= u64::from(words)
    })
}

fn safe<P>(config: P::Config, nodes: u64, links: Links, words: u32, promised: &[&str]) -> Explored
where
    P: Erasable + Process<Event = Event, Command = Command>,
{
    let world = system::<P>(config, nodes, links, words);
    explore(&world, promise(&world, words, promised))
}

/// Two words from n1 to n2 over a link that loses two messages in total: the guarantees, and that the words are
/// delivered.
fn live<P>(config: P::Config, promised: &[&str]) -> Explored
where
    P: Erasable + Process<Event = Event, Command = Command>,
{
    let world = system::<P>(config, 2, Links::unordered().losses(2).queue_max(2), 2);
    explore(&world, heard(promise(&world, 2, promised)))
}

/// Every word that was said is heard.
fn heard<P>(checker: Checker<'_, System<P, History>>) -> Checker<'_, System<P, History>>
where
    P: Erasable,
{
    checker
        .bounds_are_budgets("a full link drops the newest message, as every link does; it is retransmitted")
        .leads_to(
            HEARD,
            |world, state| world.view(state).history().said() > 0,
            |world, state| world.view(state).history().heard() == world.view(state).history().said(),
        )
}

words! {
    /// How many layers stand between the link and the talk.
    enum Layers { None = "none", Stubborn = "stubborn", Perfect = "perfect", Reliable = "reliable" }
}

words! {
    /// The promises of a link.
    enum Link { Fifo = "fifo", Unordered = "unordered", Anything = "anything" }
}

bounds! {
    /// Words that are said to n2 through some layers.
    struct Bounds;
    nodes: u64 = 2, "of which all but n2 talk to n2" in 2..=3 nodes;
    layers: Layers = Layers::Reliable, "that stand on the link, each on those before it";
    words: u32 = 2, "that each of these says" in 1..=4 words;
    losses: u32 = 0, "of messages" in 0..=3 losses;
    copies: u32 = 0, "of messages, which arrive once more" in 0..=2 copies;
    queue: usize = 2, "that a link holds: what is more is lost, and is sent again" in 1..=4 messages;
    order: Link = Link::Unordered, "what the link does: anything is loss, repetition and overtaking at will";
}

impl volvox_lab::ask::Instance for Bounds {
    fn contradiction(&self) -> Option<String> {
        let is_counted = self.losses + self.copies > 0 && self.order == Link::Anything;
        is_counted
            .then(|| "--losses and --copies count nothing with --order anything, which has any number".to_string())
    }

    fn explore(&self, without: Option<&'static str>) -> Explored {
        let layer = || told(without.and_then(protocol::Rule::named));
        match self.layers {
            Layers::None => self.explored::<Talk>((), &[INVENTED]),
            Layers::Stubborn => self.explored::<Stubborn<Talk>>(layer(), &[INVENTED]),
            Layers::Perfect => self.explored::<Stubborn<Perfect<Talk>>>(layer().over(layer()), &[INVENTED, TWICE]),
            Layers::Reliable => self.explored::<Stack>(layer().stack(), &ALL),
        }
    }
}

impl Bounds {
    fn explored<P>(self, config: P::Config, promised: &[&str]) -> Explored
    where
        P: Erasable + Process<Event = Event, Command = Command>,
    {
        let links = match self.order {
            Link::Fifo => Links::ordered().losses(self.losses).doubles(self.copies).queue_max(self.queue),
            Link::Unordered => Links::unordered().losses(self.losses).doubles(self.copies).queue_max(self.queue),
            Link::Anything => anything(),
        };
        let world = system::<P>(config, self.nodes, links, self.words);
        let checker = promise(&world, self.words, promised);
        match self.order {
            Link::Anything => explore(&world, checker),
            Link::Fifo | Link::Unordered => explore(&world, heard(checker)),
        }
    }
}

static CLAIMS: [Claim; 1] = [Claim {
    id: "Q-FND-3",
    text: "at-least-once: 1/(1-p)^2 attempts and 1/(1-p) executions per call, with loss p each way",
    measure: || {
        [100_000, 200_000, 300_000]
            .into_iter()
            .flat_map(|ppm| at_least_once::<Stubborn<Talk>>(told(None), ppm))
            .collect()
    },
    breakage: "the layer above removes duplicates",
    measure_broken: || at_least_once::<Stubborn<Perfect<Talk>>>(told(None).over(told(None)), 100_000),
    plot: Some(|rows| {
        let (values, names) = (&[0.1, 0.2, 0.3], &["attempts", "executions"]);
        Against { title: "At-least-once calls", x_label: "loss each way p", y_label: "per call", values, names }
            .svg(rows)
    }),
}];

const CALLS: u64 = 20_000;

/// Calls from n1 to n2, one per millisecond, over links that lose this many parts in a million each way. A call is
/// answered within its timer or lost: the delay is constant.
fn calls<P>(config: P::Config, loss_ppm: u32) -> Simulation<P>
where
    P: Erasable<Command = Command, Event = Event>,
{
    let ms = Duration::from_millis;
    let fault = LinkFault { loss_ppm, ..LinkFault::default() };
    let network = Network { latency: Latency::Constant(ms(1)), fault, ..Network::default() };
    let mut sim = Builder::<P>::new(7, 2, config).network(network).without_hash_chain().build();
    for call in 0..CALLS {
        sim.command_after(ms(call), NodeId(1), say("call"));
    }
    let _ = sim.run_for(ms(CALLS + 10_000));
    sim
}

fn at_least_once<P>(config: P::Config, loss_ppm: u32) -> Vec<Row>
where
    P: Erasable<Command = Command, Event = Event>,
{
    let sim = calls::<P>(config, loss_ppm);
    let loss = f64::from(loss_ppm) / 1e6;
    // Every call is said once; all other events are words heard.
    let executed = sim.statistics().events - CALLS;
    let row = |label: &str, expected: f64, count: u64, unit| Row {
        label: format!("p={loss}, {label}"),
        expected,
        measured: count as f64 / CALLS as f64,
        tolerance: Tolerance::Relative(0.02),
        unit,
        over: format!("{CALLS} calls"),
    };
    let both = (1.0 - loss) * (1.0 - loss);
    vec![
        row("attempts", 1.0 / both, sim.statistics().kinds.of("Word"), "attempts per call"),
        row("executions", 1.0 / (1.0 - loss), executed, "executions per call"),
    ]
}
