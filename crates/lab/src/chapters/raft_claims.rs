//! What the Raft paper measured, measured again with the production crate: the steady state, elections after a crash
//! (extended version, section 9.3 and figure 16), and the shortest time without a leader.

use super::raft::{made, production};
use super::raft_member::{Member, Settings};
use crate::claim::{Claim, Row, Tolerance};
use crate::plot::{Mark, Plot, Series};
use volvox_core::{Bytes, Duration, NodeId, Rng, time::nanos};
use volvox_raft::{Command, Config, Event, Index, RoleKind, Term, Ticket};
use volvox_sim::{Builder, Happening, Latency, Simulation, Stop};

/// The claims of the chapter.
pub static CLAIMS: [Claim; 3] = [
    Claim {
        id: "Q-CON-2",
        text: "Raft in its steady state: 2 delays until the leader has committed, 2(n-1) messages; then a commit index that \
               travels with the next message, which production sends at once",
        measure: || steady(Duration::ZERO),
        breakage: "disks take as long as a message",
        measure_broken: || steady(DELAY),
        plot: None,
    },
    Claim {
        id: "Q-CON-3",
        text: "Raft elections: 5 servers, broadcast time 15 ms, the leader crashes within its heartbeat interval (half of the \
               shortest timeout), logs unequal; without pre-vote and stickiness, as in the paper",
        measure: || elections(true),
        breakage: "timeouts are not drawn",
        measure_broken: || elections(false),
        plot: Some(plot_elections),
    },
    Claim {
        id: "Q-CON-4",
        text: "Raft: no crash costs less than half of the shortest election timeout",
        measure: || shortest(2),
        breakage: "heartbeats come twice in three timeouts",
        measure_broken: || shortest(0),
        plot: None,
    },
];

const fn ms(span: u64) -> Duration {
    Duration::from_millis(span)
}

/// One message, in the steady state.
const DELAY: Duration = ms(10);

fn steady(sync: Duration) -> Vec<Row> {
    const ENTRIES: u64 = 100;
    let mut rows = Vec::new();
    for nodes in [3, 5, 7] {
        // Heartbeats are rare: what is counted belongs to entries.
        let raft = Config { heartbeat: Duration::from_secs(3_600), ..quiet(nodes) };
        let settings = Settings { timeouts: Some((FAR, FAR)), ..made(raft) };
        let mut sim = Builder::<Member>::new(nodes, nodes, settings.clone())
            .config_of(NodeId(1), Settings { is_eager: true, ..settings })
            .latency(Latency::Constant(DELAY))
            .sync(Latency::Constant(sync))
            .build();
        run(&mut sim, ms(1_000));
        let (mut messages, mut delays, mut told, mut all) = (0, 0.0, 0, 0);
        for entry in 0..ENTRIES {
            sim.happened().for_each(drop);
            let (begun, before) = (sim.now(), sim.statistics().sent);
            sim.command(NodeId(1), Command::Propose { ticket: Ticket(entry), data: Bytes::from("x") });
            let mut at = None;
            let stop = sim.run_until(ms(1_000), |sim| {
                let before_step = sim.statistics().sent;
                while let Some(one) = sim.next_happened() {
                    if one.node == NodeId(1) && matches!(one.what, Happening::Event(Event::Committed { .. })) {
                        at = Some(before_step);
                    }
                }
                at.is_some()
            });
            assert_eq!(stop, Stop::Done, "an entry is committed");
            delays += sim.now().since(begun).div_duration_f64(DELAY);
            run(&mut sim, ms(1_000));
            let kinds = sim.statistics().sent - before;
            all += kinds;
            // In the step that commits, the leader announces it to all.
            told += nodes - 1;
            messages += at.expect("it was committed") - before - (nodes - 1);
        }
        let row = |what: &str, expected: u64, measured: f64, unit| Row {
            label: format!("n={nodes}, {what}"),
            expected: expected as f64,
            measured,
            tolerance: Tolerance::Exact,
            unit,
            over: format!("{ENTRIES} entries"),
        };
        let each = |count: u64| count as f64 / ENTRIES as f64;
        rows.push(row("until committed", 2, delays / ENTRIES as f64, "delays"));
        rows.push(row("until committed", 2 * (nodes - 1), each(messages), "messages"));
        rows.push(row("of the commit index", nodes - 1, each(all - messages), "messages"));
        assert_eq!(told, ENTRIES * (nodes - 1));
    }
    rows
}

/// No election while something else is measured.
const FAR: Duration = Duration::from_secs(7_200);

/// As in the paper: no pre-vote, no stickiness, no check of the quorum.
fn quiet(nodes: u64) -> Config {
    Config { pre_vote: false, check_quorum: false, ..production(nodes) }
}

/// One line of figure 16.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    /// From which election timeouts are drawn, in milliseconds; `None`: production's defaults, with everything on.
    range: Option<(u64, u64)>,
    trials: u64,
}

const CASES: [Case; 6] = [
    Case { name: "150-150 ms", range: Some((150, 150)), trials: 100 },
    Case { name: "150-155 ms", range: Some((150, 155)), trials: 1_000 },
    Case { name: "150-200 ms", range: Some((150, 200)), trials: 1_000 },
    Case { name: "150-300 ms", range: Some((150, 300)), trials: 1_000 },
    Case { name: "12-24 ms", range: Some((12, 24)), trials: 1_000 },
    Case { name: "our defaults", range: None, trials: 1_000 },
];

/// A message is 7.5 ms under way, give or take one, and the disk takes next to nothing: together the 15 ms of the paper.
const ONE_WAY: Latency = Latency::Uniform(Duration::from_micros(6_500), Duration::from_micros(8_500));
const SERVERS: u64 = 5;
/// Longer than this is not waited for.
const PATIENCE: Duration = ms(12_000);

fn elections(are_drawn: bool) -> Vec<Row> {
    let spans: Vec<Vec<f64>> = CASES.iter().map(|case| downtimes(*case, are_drawn, 2)).collect();
    let over_ten = spans[0].iter().filter(|span| **span > 10_000.0).count() as f64 / spans[0].len() as f64;
    let median = |case: usize| spans[case][spans[case].len() / 2];
    let longest = |case: usize| spans[case][spans[case].len() - 1];
    let mean = |case: usize| spans[case].iter().sum::<f64>() / spans[case].len() as f64;
    let row = |case: usize, what: &str, expected, measured, tolerance, unit| Row {
        label: format!("{}, {what}", CASES[case].name),
        expected,
        measured,
        tolerance,
        unit,
        over: format!("{} crashes", spans[case].len()),
    };
    vec![
        row(0, "longer than 10 s", 0.5, over_ten, Tolerance::AtLeast, "of all"),
        row(1, "median", 287.0, median(1), Tolerance::Relative(0.25), "ms"),
        row(2, "longest", 513.0, longest(2), Tolerance::Relative(0.4), "ms"),
        row(4, "mean", 35.0, mean(4), Tolerance::Relative(0.25), "ms"),
        row(4, "longest", 152.0, longest(4), Tolerance::Relative(0.4), "ms"),
        row(5, "longest", 2_000.0, longest(5), Tolerance::AtMost, "ms"),
    ]
}

/// How long there was no leader, in milliseconds, the shortest first.
fn downtimes(case: Case, are_drawn: bool, heartbeats: u32) -> Vec<f64> {
    let mut spans: Vec<f64> = (0..case.trials).map(|seed| downtime(case, seed, are_drawn, heartbeats)).collect();
    spans.sort_by(f64::total_cmp);
    spans
}

/// One crash. The leader sends so many heartbeats in the shortest timeout; 0 is two in three.
fn downtime(case: Case, seed: u64, are_drawn: bool, heartbeats: u32) -> f64 {
    let mut sim = cluster(case, seed, are_drawn, heartbeats);
    let mut chance = Rng::new(seed).split(7);
    // Two entries beyond what some take, and the next heartbeat.
    let leader = wait_for_heartbeat(&mut sim);
    for ticket in [1, 2] {
        sim.command(leader, Command::Propose { ticket: Ticket(ticket), data: Bytes::from("x") });
    }
    run(&mut sim, ms(40));
    let leader = wait_for_heartbeat(&mut sim);
    let period = heartbeat(case, heartbeats);
    run(&mut sim, Duration::from_nanos(chance.below(nanos(period))));
    let term = sim.node(leader).map(|node| node.raft().term()).unwrap_or_default();
    sim.apply_fault(&format!("crash {}", leader.0).parse().expect("a fault"));
    let crashed = sim.now();
    let _ = sim.run_until(PATIENCE, |sim| leader_after(sim, term).is_some());
    sim.now().since(crashed).as_secs_f64() * 1_000.0
}

fn heartbeat(case: Case, heartbeats: u32) -> Duration {
    match (case.range, heartbeats) {
        (None, _) => Config::default().heartbeat,
        (Some((least, _)), 0) => ms(least) * 2 / 3,
        (Some((least, _)), _) => ms(least) / heartbeats,
    }
}

fn cluster(case: Case, seed: u64, are_drawn: bool, heartbeats: u32) -> Simulation<Member> {
    let timeouts = case.range.map(|(least, most)| (ms(least), ms(if are_drawn { most } else { least })));
    let raft = match case.range {
        Some((least, _)) => {
            Config { election_timeout: ms(least), heartbeat: heartbeat(case, heartbeats), ..quiet(SERVERS) }
        }
        None => production(SERVERS),
    };
    let settings = Settings { timeouts, ..made(raft) };
    let short = |most| Settings { log_most: Some(Index(most)), ..settings.clone() };
    let mut sim = Builder::<Member>::new(seed, SERVERS, settings.clone())
        .config_of(NodeId(1), Settings { is_eager: true, ..settings.clone() })
        .config_of(NodeId(2), short(1))
        .config_of(NodeId(3), short(1))
        .config_of(NodeId(4), short(2))
        .latency(ONE_WAY)
        .sync(Latency::Constant(Duration::from_micros(10)))
        .without_hash_chain()
        .build();
    run(&mut sim, ms(200));
    sim
}

/// Waits until a leader whom all follow has sent heartbeats, which is at this moment.
fn wait_for_heartbeat(sim: &mut Simulation<Member>) -> NodeId {
    let mut seen = sim.statistics().kinds.of("Heartbeat");
    let stop = sim.run_until(Duration::from_secs(60), |sim| {
        let sent = sim.statistics().kinds.of("Heartbeat");
        std::mem::replace(&mut seen, sent) < sent && followed(sim).is_some()
    });
    assert_eq!(stop, Stop::Done, "seed {}: a leader whom all follow", sim.seed());
    followed(sim).expect("somebody whom all follow")
}

fn followed(sim: &Simulation<Member>) -> Option<NodeId> {
    let leader = leader_after(sim, Term::ZERO)?;
    sim.live().all(|(_, node)| node.raft().leader() == Some(leader)).then_some(leader)
}

fn leader_after(sim: &Simulation<Member>, term: Term) -> Option<NodeId> {
    let leads = |node: &Member| node.raft().role() == RoleKind::Leader && node.raft().term() > term;
    sim.live().find(|(_, node)| leads(node)).map(|(id, _)| id)
}

fn shortest(heartbeats: u32) -> Vec<Row> {
    [CASES[2], CASES[3]]
        .into_iter()
        .map(|case| Row {
            label: case.name.to_string(),
            expected: 75.0,
            measured: downtimes(case, true, heartbeats)[0],
            tolerance: Tolerance::AtLeast,
            unit: "ms",
            over: format!("{} crashes", case.trials),
        })
        .collect()
}

/// Figure 16: which share of all elections was over after which time.
fn plot_elections(_: &[Row]) -> String {
    let share = |case: &Case| {
        let spans = downtimes(*case, true, 2);
        let count = spans.len() as f64;
        // Enough points for a picture.
        let step = (spans.len() / 200).max(1);
        let points = spans.iter().enumerate().filter(|(place, _)| place % step == 0 || place + 1 == spans.len());
        Series {
            name: case.name.to_string(),
            mark: Mark::Line,
            points: points.map(|(place, span)| (*span, 100.0 * (place + 1) as f64 / count)).collect(),
        }
    };
    Plot {
        title: "Raft: time without a leader after a crash".into(),
        x_label: "milliseconds".into(),
        y_label: "elections that are over, %".into(),
        x_logarithmic: true,
        y_most: Some(100.0),
        series: CASES.iter().map(share).collect(),
    }
    .svg()
}

fn run(sim: &mut Simulation<Member>, span: Duration) {
    assert_eq!(sim.run_for(span), Stop::Deadline);
}
