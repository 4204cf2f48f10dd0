//! The NTP exchange, the filter of one server's samples, and the selection among servers.
//!
//! NTP needs clocks, but no bound on delays: one model withdraws the clocks, and in another, answers arrive arbitrarily
//! late.

use super::ntp_claims;
use super::true_clocks::{asynchronous, network_and_crashes};
use volvox_clocks::ntp::{self as protocol, Config, History, Ntp};
use volvox_clocks::software_clock::Signed;
use volvox_core::{Duration, NodeId, Property, fingerprint_of};
use volvox_lab::ask::{Asking, reversed};
use volvox_lab::bounds;
use volvox_lab::chapter::{Card, Chapter, NodeState, Nodes, Settings};
use volvox_lab::check::{Checker, Network, System, Timed};
use volvox_lab::claim::Claim;
use volvox_lab::found;
use volvox_lab::model::{CheckedModel, Expects, Explored, explore, hold};
use volvox_lab::reading::{Level, Reading};
use volvox_lab::sim::FaultPlan;

/// The chapter.
pub struct NtpExchange;

static CARD: Card = Card {
    title: "NTP: exchange, filter and selection",
    mechanisms: &["TIM-04", "TIM-07", "TIM-08"],
    reference: "RFC 5905, sections 7.3, 8, 10, 11.2 and 11.3",
    reading: Reading {
        needs: &["cristian"],
        level: Level::Day,
        teaches: "samples, filters, intersections: time from servers that may be wrong",
    },
    questions: include_str!("../../../book/src/questions/ntp.md"),
    source: include_str!("../../../crates/clocks/src/ntp.rs"),
    nodes: Nodes { least: 4, most: 64, default: 4 },
    rules: protocol::Rule::CARDS,
    ..found!("ntp")
};

impl Chapter for NtpExchange {
    type Process = Ntp;
    type History = History;
    const CARD: &'static Card = &CARD;
    const MODELS: &'static [CheckedModel] = &MODELS;
    const CLAIMS: &'static [Claim] = &ntp_claims::CLAIMS;
    const ASKING: Option<Asking> = Some(Asking::of::<Bounds>());

    /// Three servers, of which the third is wrong; all others are clients.
    fn config(settings: &Settings) -> Config {
        Config {
            poll: Duration::from_millis(25),
            starts_off_ns: vec![0, 0, 600_000_000_000, -40_000_000, 8_000_000],
            without: settings.without.and_then(protocol::Rule::named),
            ..Config::default()
        }
    }

    fn properties() -> Vec<Property<Ntp, History>> {
        protocol::properties()
    }

    fn role(node: NodeId, _: u64) -> &'static str {
        if node.0 as usize <= Config::default().servers { "server" } else { "client" }
    }

    fn state(process: &Ntp) -> NodeState {
        match (process.is_server(), process.chosen()) {
            (true, _) => NodeState::of("server", Signed(process.clock().error())),
            (_, None) => "listens".into(),
            (_, Some(chosen)) => NodeState::plain(Signed(chosen.ahead_ns)),
        }
    }

    fn faults(_: &Settings) -> FaultPlan {
        network_and_crashes()
    }
}

const SAMPLE: &str = "offset within half the delay";
const LEAST: &str = "clock filter";
const TRUTH: &str = "accuracy";
const GRADUAL: &str = "monotonicity";

/// A property that, like all of the above, needs no upper bound on delays.
const CHOOSES: &str = "an answered client has chosen";

static MODELS: [CheckedModel; 11] = [
    CheckedModel::holds(
        "messages that take no time",
        "two servers, one client that asks once: a delay of zero is a delay, and the client has chosen",
        8,
        || asks_once(&Bounds { slowest: 0, losses: 0, ..TWO_SERVERS }.world(None)),
    ),
    CheckedModel::holds(
        "a client exactly at the panic threshold",
        "two servers, messages take no time; a client that is ahead by 20 ticks, where more is not believed, and more than 5 that \
         last for 2 are stepped: it steps",
        30,
        || steps(&at_the_threshold()),
    ),
    CheckedModel {
        name: "three servers, one of them wrong, one client",
        text: "timed: messages take 0 to 3 ticks, every split of every delay; one request to each; one message is lost",
        expects: Expects::Holds { states: 8_852 },
        explore: || run(&Bounds { nodes: 4, ..TWO_SERVERS }.world(None)),
    },
    CheckedModel {
        name: "two servers, one client that asks twice",
        text: "the same, and the second request may precede the first answer; one message is duplicated",
        expects: Expects::Holds { states: 344_983 },
        explore: || run(&Bounds { polls: 2, losses: 0, copies: 1, ..TWO_SERVERS }.world(None)),
    },
    CheckedModel {
        name: "answers later than the next request",
        text: "two servers, one client that asks twice every 2 ticks; messages take 2 to 4, so that no request \
               first is ever used: no bound on delays is needed, and once the last question is answered the client has chosen",
        expects: Expects::Holds { states: 1_125 },
        explore: || chooses(&timeless(2, 2, None).timed(timed(2, 4))),
    },
    asynchronous(|| run(&timeless(2, 1, None))),
    CheckedModel::breaks("without sign", "two servers, a client that is ahead", (SAMPLE, 2), || {
        run(&TWO_SERVERS.world(Some(protocol::Rule::Sign)))
    })
    .without("sign"),
    CheckedModel::breaks("without origin", "two servers, one client that asks twice", (SAMPLE, 5), || {
        run(&Bounds { polls: 2, ..TWO_SERVERS }.world(Some(protocol::Rule::Origin)))
    })
    .without("origin"),
    CheckedModel::breaks("without filter", "two servers, one client that asks twice", (LEAST, 8), || {
        run(&Bounds { polls: 2, ..TWO_SERVERS }.world(Some(protocol::Rule::Filter)))
    })
    .without("filter"),
    CheckedModel::breaks("without select", "three servers, one of them wrong, one client", (TRUTH, 4), || {
        run(&Bounds { nodes: 4, ..TWO_SERVERS }.world(Some(protocol::Rule::Select)))
    })
    .without("select"),
    CheckedModel::breaks("without slew", "two servers, a client that is ahead", (GRADUAL, 4), || {
        run(&TWO_SERVERS.world(Some(protocol::Rule::Slew)))
    })
    .without("slew"),
];

type Instance = System<Ntp, History>;

const TICK: Duration = Duration::from_millis(1);

/// `servers` servers, the third wrong, and one client that starts ahead and polls `polls` times.
fn timeless(servers: usize, polls: u64, without: Option<protocol::Rule>) -> Instance {
    let starts_off_ns = match servers {
        3 => vec![0, 0, 1_000_000_000, 20_000_000],
        _ => vec![0, 0, 20_000_000],
    };
    limited(servers, Config { servers, starts_off_ns, without, ..two_servers(polls) })
}

/// Two right servers, and one client that starts ahead and polls `polls` times.
fn two_servers(polls: u64) -> Config {
    Config {
        servers: 2,
        poll: TICK * 2,
        polls: Some(polls),
        slew_ppm: 100_000,
        starts_off_ns: vec![0, 0, 20_000_000],
        ..Config::default()
    }
}

/// These servers and one client, until it has been answered.
fn limited(servers: usize, config: Config) -> Instance {
    Instance::with_history(servers as u64 + 1, config)
        .relative_to_now(|process, now| fingerprint_of(&(process, now.0)))
        .within(|view| view.nodes().any(|(_, node)| node.is_asking()) && has_more(view))
}

fn timed(delivery_min: u32, delivery_max: u32) -> Timed {
    Timed { tick: TICK, delivery_min, delivery_max, drifts_ppm: vec![0] }
}

bounds! {
    /// Servers, and one client that starts ahead.
    struct Bounds;
    nodes: u64 = 3, "servers, of which the third is wrong, and one client" in 3..=4 nodes;
    polls: u64 = 1, "by the client, of each server" in 1..=2 questions;
    quickest: u32 = 0, "that a message takes at least" in 0..=3 ticks;
    slowest: u32 = 3, "that a message takes at most; the next question comes after 2" in 0..=4 ticks;
    crashes: u32 = 0, "of nodes, for good" in 0..=2 crashes;
    losses: u32 = 1, "of messages" in 0..=2 losses;
    copies: u32 = 0, "of messages, which arrive once more" in 0..=2 copies;
}

/// Messages may arrive as late as the next request, and one is lost.
const TWO_SERVERS: Bounds = Bounds { nodes: 3, polls: 1, quickest: 0, slowest: 3, crashes: 0, losses: 1, copies: 0 };

impl volvox_lab::ask::Instance for Bounds {
    fn contradiction(&self) -> Option<String> {
        reversed(("quickest", self.quickest), ("slowest", self.slowest))
    }

    fn explore(&self, without: Option<&'static str>) -> Explored {
        let world = self.world(without.and_then(protocol::Rule::named));
        explore(&world, hold(Checker::new(&world), &NtpExchange::properties()))
    }
}

impl Bounds {
    fn world(self, without: Option<protocol::Rule>) -> Instance {
        timeless(self.nodes as usize - 1, self.polls, without)
            .network(Network::unordered().losses(self.losses).doubles(self.copies))
            .timed(timed(self.quickest, self.slowest))
            .crashes(self.crashes)
    }
}

/// The safety properties, and that a client that waits for no answer has chosen.
fn chooses(world: &Instance) -> Explored {
    let checker = hold(Checker::new(world).states_max(2_000_000), &NtpExchange::properties());
    let checker = checker.invariant(CHOOSES, |world, state| {
        world.view(state).nodes().all(|(_, node)| node.is_server() || node.is_asking() || node.chosen().is_some())
    });
    explore(world, checker)
}

/// The safety properties, that the client chooses, and that it asks no second time.
fn asks_once(world: &Instance) -> Explored {
    let checker = hold(Checker::new(world), &NtpExchange::properties())
        .invariant("no second question", |world, state| {
            world.view(state).in_flight().all(|(_, _, message)| match message {
                protocol::Message::Request { t1 } => *t1 == 0,
                protocol::Message::Response { .. } => true,
            })
        })
        .reachable("the client has chosen", |world, state| {
            world.view(state).nodes().any(|(_, node)| node.chosen().is_some())
        });
    explore(world, checker)
}

/// The offset is the greatest that is believed.
fn at_the_threshold() -> Instance {
    let thresholds = protocol::Thresholds { step: TICK * 5, stepout: TICK * 2, panic: TICK * 20 };
    let config = Config { thresholds, ..two_servers(3) };
    limited(2, config).network(Network::unordered()).timed(timed(0, 0))
}

/// The safety properties, and that the clock is stepped.
fn steps(world: &Instance) -> Explored {
    let checker =
        hold(Checker::new(world), &NtpExchange::properties()).reachable("the clock is stepped", |world, state| {
            let view = world.view(state);
            view.nodes().any(|(_, node)| node.chosen().is_some() && node.clock().ahead() == 0)
        });
    explore(world, checker)
}

/// Whether something is in flight, or will be.
fn has_more(view: &volvox_lab::check::View<'_, Ntp, History>) -> bool {
    let client = view.nodes().find(|(_, node)| !node.is_server());
    view.in_flight().next().is_some() || client.is_some_and(|(id, _)| view.is_set(id, protocol::Timer::Poll))
}

fn run(world: &Instance) -> Explored {
    let checker = hold(Checker::new(world).states_max(2_000_000), &NtpExchange::properties())
        .reachable("the client has chosen", |world, state| {
            world.view(state).nodes().any(|(_, node)| node.chosen().is_some())
        });
    explore(world, checker)
}
