//! Leases, and fencing tokens.

use volvox_core::fault::LinkFault;
use volvox_core::{Boot, NodeId, Position, Process, Restored, Serial};
use volvox_mutex::leases::{Command, Config, History, Leases, Message, Record, Rule, Timer, properties};
use volvox_sim::bench::{Bench, check_codec, judge, ms};
use volvox_sim::restarts::Restarts;
use volvox_sim::script::Order;
use volvox_sim::{Builder, Clocks, FaultPlan, FaultWeights, Latency, Network, run_seed};

fn bench(id: u64, without: Option<Rule>) -> Bench<Leases> {
    Bench::new(id, 4, &Config { drift_ppm: 100_000, without, ..Config::default() })
}

const ONE: Serial = Serial::first_boot(1);
const TWO: Serial = Serial::first_boot(2);

fn acquire(request: Serial) -> Message {
    Message::Acquire { request }
}

fn extend(request: Serial, token: u64) -> Message {
    Message::Extend { request, token }
}

fn granted(request: Serial, token: u64) -> Message {
    Message::Granted { request, token }
}

/// Gray and Cheriton, section 5: the clock of the holder starts with its request, and its term is shorter.
#[test]
fn the_holder_counts_from_its_request_and_stops_first() {
    let mut n3 = bench(3, None);
    // 100 ms * 0.9 / 1.1, less 1 ms.
    let asked = ["event asked", "timer End(1) in 80.818181ms", "-> n1 Acquire r1"];
    assert_eq!(n3.command(Command::Acquire), asked);
    assert_eq!(n3.message(1, granted(ONE, 7)), ["event acquired token 7"]);
    assert_eq!(n3.command(Command::Write), ["-> n2 Write token 7"]);
    assert_eq!(n3.timer(Timer::End(ONE)), ["event ended"]);
    assert_eq!(n3.command(Command::Write), ["note refused: it holds no lease"]);
    let mut careless = bench(3, Some(Rule::DriftMargin));
    assert_eq!(careless.command(Command::Acquire)[1], "timer End(1) in 99ms");
    let mut late = bench(3, Some(Rule::FromSend));
    let _ = late.command(Command::Acquire);
    assert_eq!(late.message(1, granted(ONE, 7))[0], "timer End(1) in 80.818181ms");
}

#[test]
fn a_grant_of_another_request_is_not_believed() {
    let mut n3 = bench(3, None);
    let _ = n3.command(Command::Acquire);
    assert_eq!(n3.timer(Timer::End(ONE))[1], "-> n1 Acquire r2");
    assert_eq!(n3.message(1, granted(ONE, 7)), ["note ignored: an outdated grant 1"]);
    assert_eq!(n3.message(1, granted(TWO, 7)), ["event acquired token 7"]);
}

#[test]
fn who_keeps_it_renews_it_and_gives_it_back() {
    let mut n3 = bench(3, None);
    let _ = n3.command(Command::Keep);
    assert_eq!(n3.message(1, granted(ONE, 7))[1], "timer Renew in 50.818181ms");
    assert_eq!(n3.timer(Timer::Renew)[1], "-> n1 Extend r2 token 7");
    assert_eq!(n3.message(1, granted(TWO, 7))[0], "cancel End(1)");
    assert_eq!(n3.command(Command::Release), ["event ended", "cancel End(2)", "-> n1 Release token 7"]);
}

#[test]
fn the_grantor_writes_each_token_down_and_grants_to_one() {
    let mut n1 = bench(1, None);
    let first = ["persist given token 1", "timer Term in 100ms", "-> n3 Granted r1 token 1"];
    assert_eq!(n1.message(3, acquire(ONE)), first);
    assert_eq!(n1.message(4, acquire(ONE)), ["-> n4 Busy r1"]);
    assert_eq!(n1.message(3, extend(TWO, 1)), ["timer Term in 100ms", "-> n3 Granted r2 token 1"], "more time");
    assert_eq!(n1.message(3, extend(TWO, 1)), ["-> n3 Granted r2 token 1"], "the same request brings no more");
    assert_eq!(n1.message(4, extend(TWO, 1)), ["-> n4 Busy r2"], "not its own");
    assert!(n1.message(4, Message::Release { token: 1 }).is_empty(), "not its own");
    assert!(n1.timer(Timer::Term).is_empty());
    assert_eq!(n1.message(3, extend(TWO, 1)), ["-> n3 Busy r2"], "it is over");
    assert_eq!(n1.message(4, acquire(TWO))[2], "-> n4 Granted r2 token 2");
    assert_eq!(n1.message(4, Message::Release { token: 2 }), ["cancel Term"]);
}

/// Chubby's lock generation: a client that lost or released the lease acquires a new one, and its earlier messages do
/// not belong to it.
#[test]
fn a_holder_that_holds_none_gets_a_new_token() {
    let mut n1 = bench(1, None);
    let _ = n1.message(3, acquire(ONE));
    assert_eq!(n1.message(3, acquire(ONE)), ["-> n3 Granted r1 token 1"], "it was in flight twice");
    assert_eq!(n1.message(3, acquire(TWO))[2], "-> n3 Granted r2 token 2", "overtakes its release");
    assert!(n1.message(3, Message::Release { token: 1 }).is_empty());
    assert_eq!(n1.process.granted_to(), Some(NodeId(3)));
    assert_eq!(n1.message(3, acquire(ONE)), ["note ignored: an older request of the holder 3"]);
    let next_life = Serial { boot: Boot(2), count: 1 };
    assert_eq!(n1.message(3, acquire(next_life))[2], "-> n3 Granted r2.1 token 3", "it died, and is back");
    let mut naive = bench(1, Some(Rule::NewToken));
    let _ = naive.message(3, acquire(ONE));
    assert_eq!(naive.message(3, acquire(TWO)), ["timer Term in 100ms", "-> n3 Granted r2 token 1"]);
    assert_eq!(naive.message(3, Message::Release { token: 1 }), ["cancel Term"], "and n3 believes that it holds it");
}

#[test]
fn a_grant_of_an_earlier_boot_is_not_believed() {
    let again = |without| {
        let config = Config { without, ..Config::default() };
        Bench::restart(Leases::new(NodeId(3), &[1, 2, 3, 4].map(NodeId), &config), 3, Boot(2))
    };
    let mut n3 = again(None);
    assert_eq!(n3.command(Command::Acquire)[2], "-> n1 Acquire r2.1");
    assert_eq!(n3.message(1, granted(ONE, 7)), ["note ignored: an outdated grant 1"]);
    let mut naive = again(Some(Rule::Unique));
    assert_eq!(naive.command(Command::Acquire)[2], "-> n1 Acquire r1");
    assert_eq!(naive.message(1, granted(ONE, 7)), ["event acquired token 7"]);
}

#[test]
fn a_grantor_that_comes_back_waits_for_a_term() {
    for (without, answer) in [(None, "-> n3 Busy r1"), (Some(Rule::WaitOut), "persist given token 6")] {
        let mut n1 = Leases::new(NodeId(1), &[1, 2, 3].map(NodeId), &Config { without, ..Config::default() });
        n1.on_restore(Restored::Record { position: Position(1), record: Record::Given(5) });
        assert_eq!(Bench::start(n1, 1).message(3, acquire(ONE))[0], answer);
    }
}

#[test]
fn the_store_refuses_what_is_behind() {
    let write = |token| Message::Write { token };
    let mut n2 = bench(2, None);
    assert_eq!(n2.message(4, write(2)), ["persist seen token 2", "event stored token 2", "-> n4 Written token 2"]);
    let refused = ["event rejected token 1 after token 2", "-> n3 Rejected token 2"];
    assert_eq!(n2.message(3, write(1)), refused);
    assert_eq!(n2.message(4, write(2))[0], "event stored token 2");
    let mut naive = bench(2, Some(Rule::Fencing));
    let _ = naive.message(4, write(2));
    assert_eq!(naive.message(3, write(1))[0], "event stored token 1");
    assert_eq!(bench(3, None).message(2, Message::Rejected { token: 2 }), ["note fenced off by token 2"]);
}

#[test]
fn others_are_ignored() {
    let ignored = "note ignored: not for this node, or from the wrong sender";
    assert_eq!(bench(3, None).message(4, granted(ONE, 1)), [format!("{ignored} 4")]);
    assert_eq!(bench(2, None).message(3, acquire(ONE)), [format!("{ignored} 3")]);
    assert_eq!(bench(1, None).command(Command::Write), ["note refused: clients do that"]);
    let absurd = bench(2, None).message(3, Message::Write { token: u64::MAX });
    assert_eq!(absurd, [format!("note ignored: a token out of range {}", u64::MAX)]);
}

#[test]
fn messages_records_and_commands_come_back() {
    let token = 300;
    check_codec(&[
        acquire(ONE),
        granted(TWO, u64::MAX),
        Message::Busy { request: Serial { boot: Boot(3), count: 7 } },
        extend(TWO, 9),
        Message::Release { token },
    ]);
    check_codec(&[Message::Write { token }, Message::Written { token }, Message::Rejected { token }]);
    check_codec(&[Record::Given(1), Record::Seen(u64::MAX)]);
    for command in [Command::Acquire, Command::Keep, Command::Write, Command::Release] {
        assert_eq!(command.to_string().parse(), Ok(command));
    }
    assert!("hold".parse::<Command>().is_err());
}

/// All faults that keep clocks within the bound: crashes, partitions, losses, drift.
#[test]
fn mutual_exclusion_fencing_and_everybody_in_the_end() {
    let weights = FaultWeights { crash: 3, drift: 3, skew: 1, ..FaultWeights::NETWORK };
    let every = Latency::Exponential { minimum: ms(10), mean: ms(100) };
    let link = LinkFault { reorder_ppm: 100_000, ..FaultPlan::default().link };
    let lasting = Latency::Exponential { minimum: ms(20), mean: ms(300) };
    let plan = FaultPlan { weights, every, link, lasting, from: ms(0), until: ms(3_000), ..FaultPlan::default() };
    let mut stored = 0;
    for seed in 0..30 {
        let outcome = run_seed("cargo test -p volvox-mutex leases", seed, 80, |seed, ring| {
            let clocks = Clocks { drift_ppm_max: 500, ..Clocks::default() };
            let builder = Builder::<Leases>::new(seed, 6, Config::default()).clocks(clocks);
            let mut sim = builder.faults(FaultPlan { drift_ppm_max: 500, ..plan.clone() }).trace(ring).build();
            let mut rng = sim.rng(0);
            for _ in 0..300 {
                let command = [Command::Acquire, Command::Write, Command::Keep, Command::Release];
                let command = command[rng.below(4) as usize];
                sim.command_after(ms(rng.below(4_000)), NodeId(rng.between(3, 6)), command);
            }
            (3..=6).for_each(|node| sim.command_after(ms(4_100), NodeId(node), Command::Release));
            judge(&mut sim, &mut History::default(), &properties(), ms(20_000))?;
            Ok(sim.statistics().kinds.of("Written"))
        });
        stored += outcome.unwrap_or_else(|failure| panic!("{failure}"));
    }
    assert!(stored > 200, "{stored} writes");
}

/// A suspended holder does not look at its clock. Tokens do not rely on it.
#[test]
fn writes_are_in_order_though_holders_stand_still() {
    let plan = FaultPlan {
        weights: FaultWeights { pause: 5, ..FaultWeights::NETWORK },
        every: Latency::Exponential { minimum: ms(10), mean: ms(60) },
        lasting: Latency::Exponential { minimum: ms(50), mean: ms(200) },
        from: ms(0),
        until: ms(3_000),
        ..FaultPlan::default()
    };
    let order = properties().into_iter().filter(|property| property.name == "fencing");
    let order: Vec<_> = order.collect();
    let mut rejected = 0;
    for seed in 0..30 {
        let outcome = run_seed("cargo test -p volvox-mutex leases", seed, 80, |seed, ring| {
            let builder = Builder::<Leases>::new(seed, 6, Config::default());
            let mut sim = builder.faults(plan.clone()).trace(ring).build();
            let mut rng = sim.rng(0);
            for _ in 0..600 {
                let command = if rng.below(2) == 0 { Command::Acquire } else { Command::Write };
                sim.command_after(ms(rng.below(3_000)), NodeId(rng.between(3, 6)), command);
            }
            judge(&mut sim, &mut History::default(), &order, ms(20_000))?;
            Ok(sim.statistics().kinds.of("Rejected"))
        });
        rejected += outcome.unwrap_or_else(|failure| panic!("{failure}"));
    }
    assert!(rejected > 10, "late writes come, and are refused: {rejected}");
}

/// A release that the next request of its sender overtakes: 18 of seeds 1 to 60 broke when it freed the lease granted
/// after it.
#[test]
fn a_release_that_is_overtaken_frees_nothing() {
    let network = Network { latency: Latency::Uniform(ms(1), ms(9)), ordered: false, ..Network::default() };
    let commands =
        [(5, 3, Command::Acquire), (30, 3, Command::Release), (31, 3, Command::Acquire), (38, 4, Command::Acquire)];
    let run = |seed, without| {
        let config = Config { without, ..Config::default() };
        let mut sim = Builder::<Leases>::new(seed, 4, config).network(network).build();
        commands.iter().for_each(|(at, node, command)| sim.command_after(ms(*at), NodeId(*node), *command));
        judge(&mut sim, &mut History::default(), &properties(), ms(400))
    };
    for seed in 1..=10_000 {
        run(seed, None).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
    }
    let broken = (1..=60).filter(|seed| run(*seed, Some(Rule::NewToken)).is_err()).count();
    assert!(broken > 5, "{broken} of 60 seeds break without the new token");
}

#[test]
fn a_client_that_restarts_amid_a_question_believes_no_old_answer() {
    let commands = [Command::Acquire, Command::Write, Command::Keep, Command::Release];
    let commands: Vec<_> = [3, 4].into_iter().flat_map(|id| commands.map(|command| (NodeId(id), command))).collect();
    let restarts = Restarts { nodes: 4, order: Order::Free, stay_up: &[], commands: &commands, steps: 600 };
    let run = |seed, without| {
        let config = Config { without, ..Config::default() };
        restarts.run::<Leases, History>(seed, move |_, _| config, &properties())
    };
    let mut amid = 0;
    for seed in 0..300 {
        amid += run(seed, None).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}")).amid_a_question;
    }
    assert!(amid > 300, "{amid} restarts amid a question");
    for (rule, property) in [(Rule::Unique, "mutual exclusion"), (Rule::NewToken, "mutual exclusion")] {
        let broken = |seed| run(seed, Some(rule)).is_err_and(|wrong| wrong.starts_with(property));
        assert!((0..300).any(broken), "{property} does not break without {rule:?}");
    }
}

#[test]
fn scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/leases");
    volvox_sim::script::check_folder::<Leases>(folder, |_, _| Config::default());
}
