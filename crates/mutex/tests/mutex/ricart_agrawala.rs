//! Ricart and Agrawala 1981, section by section, and what textbooks leave out.

use volvox_channel::{Channel, Limits};
use volvox_core::fault::LinkFault;
use volvox_core::{NodeId, Process};
use volvox_mutex::ricart_agrawala::{Config, Message, RicartAgrawala, Rule, Timer, properties};
use volvox_mutex::section::{Command, Event, History};
use volvox_sim::bench::{Bench, check_codec, judge, ms};
use volvox_sim::{Builder, FaultPlan, FaultWeights, Network, Statistics, run_seed};

fn request(sequence_number: u64) -> Message {
    Message::Request { sequence_number }
}

fn bench(id: u64, without: Option<Rule>) -> Bench<RicartAgrawala> {
    Bench::new(id, 3, &Config { without, ..Config::default() })
}

/// Event 2: a request to all others, and an entry after a reply from each.
#[test]
fn enters_after_a_reply_from_everybody() {
    let mut n1 = bench(1, None);
    assert_eq!(n1.command(Command::Enter), ["event asked", "-> n2 Request 1", "-> n3 Request 1"]);
    assert!(n1.message(2, Message::Reply).is_empty());
    assert!(n1.process.is_requesting());
    assert_eq!(n1.message(2, Message::Reply), ["note ignored: an unexpected reply 2"]);
    assert_eq!(n1.message(3, Message::Reply), ["event entered", "timer Leave in 10ms"]);
    assert!(n1.process.is_inside());
    assert_eq!(n1.timer(Timer::Leave), ["event left"]);
}

/// Event 2.1: a node that does not want to enter replies at once; a node that wants to compares numbers, then names.
#[test]
fn whoever_is_ahead_replies_later() {
    let mut n2 = bench(2, None);
    assert_eq!(n2.message(1, request(4)), ["-> n1 Reply"]);
    assert_eq!(n2.command(Command::Enter)[1], "-> n1 Request 5", "greater than any seen");
    assert_eq!(n2.message(1, request(5)), ["-> n1 Reply"], "equal numbers, and n1 < n2");
    assert!(n2.message(3, request(5)).is_empty(), "equal numbers, and n2 < n3");
    let _ = n2.message(1, Message::Reply);
    let _ = n2.message(3, Message::Reply);
    assert!(n2.message(1, request(6)).is_empty(), "the node inside is ahead");
    assert_eq!(n2.timer(Timer::Leave), ["event left", "-> n1 Reply", "-> n3 Reply"]);
}

#[test]
fn each_rule_can_be_taken_out() {
    for (rule, replies) in [
        (None, false),
        (Some(Rule::Order), true),
        (Some(Rule::TieBreak), true),
        (Some(Rule::TieBreakDeferring), false),
        (Some(Rule::Clock), false),
    ] {
        let mut n1 = bench(1, rule);
        let _ = n1.command(Command::Enter);
        assert_eq!(!n1.message(2, request(1)).is_empty(), replies, "{rule:?}");
    }
    let mut n2 = bench(2, Some(Rule::Clock));
    let _ = n2.message(1, request(4));
    assert_eq!(n2.command(Command::Enter)[1], "-> n1 Request 1");
    let mut alone: Bench<RicartAgrawala> = Bench::new(1, 1, &Config::default());
    assert_eq!(alone.command(Command::Enter), ["event asked", "event entered", "timer Leave in 10ms"]);
}

#[test]
fn strangers_and_absurd_numbers_are_ignored() {
    let mut n1 = bench(1, None);
    assert_eq!(n1.message(9, request(1)), ["note ignored: not from a member 9"]);
    let absurd = n1.message(2, request(u64::MAX));
    assert_eq!(absurd, [format!("note ignored: sequence number out of range {}", u64::MAX)]);
    for _ in 0..1_025 {
        let _ = n1.command(Command::Enter);
    }
    assert_eq!(n1.command(Command::Enter), ["note refused: too many entries wait 1024"]);
}

#[test]
fn messages_come_back_and_commands_read_as_they_print() {
    check_codec(&[request(0), request(1), request(u64::MAX), Message::Reply]);
    assert_eq!(Command::Enter.to_string().parse(), Ok(Command::Enter));
    assert!("leave".parse::<Command>().is_err());
}

const NODES: u64 = 5;
const ENTRIES: u64 = 60;

/// Asks `ENTRIES` times at random, under the faults of `builder`; then every node must have entered.
fn torment<P: Process<Event = Event, Command = Command> + 'static>(
    seed: u64,
    builder: impl Fn(u64) -> Builder<P>,
) -> Statistics {
    let outcome = run_seed("cargo test -p volvox-mutex ricart_agrawala", seed, 80, |seed, ring| {
        let mut sim = builder(seed).trace(ring).build();
        let mut rng = sim.rng(0);
        for _ in 0..ENTRIES {
            sim.command_after(ms(rng.below(2_000)), NodeId(rng.between(1, NODES)), Command::Enter);
        }
        judge(&mut sim, &mut History::default(), &properties(), ms(120_000))?;
        Ok(sim.statistics().clone())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"))
}

/// The algorithm's claim: it tolerates delays and reordering, as long as everything arrives.
#[test]
fn one_at_a_time_and_everybody_in_the_end() {
    let weights = FaultWeights { slow: 4, pause: 3, skew: 1, drift: 1, ..FaultWeights::NONE };
    let link = LinkFault { delay: ms(100), reorder_ppm: 300_000, ..LinkFault::default() };
    let plan = FaultPlan { weights, link, from: ms(0), until: ms(3_000), ..FaultPlan::default() };
    for seed in 0..30 {
        let statistics = torment(seed, |seed| {
            Builder::<RicartAgrawala>::new(seed, NODES, Config::default())
                .network(Network { ordered: false, ..Network::default() })
                .faults(plan.clone())
        });
        assert_eq!(statistics.kinds.of("Request"), (NODES - 1) * ENTRIES, "seed {seed}");
        assert_eq!(statistics.kinds.of("Reply"), (NODES - 1) * ENTRIES, "seed {seed}");
    }
}

/// Over the channel, links may break as well.
#[test]
fn over_a_channel_it_lives_with_partitions_and_loss() {
    let weights = FaultWeights { pause: 2, ..FaultWeights::NETWORK };
    let plan = FaultPlan { weights, from: ms(0), until: ms(3_000), ..FaultPlan::default() };
    let config = volvox_channel::Config { child: Config::default(), limits: Limits::default() };
    for seed in 0..30 {
        torment(seed, |seed| Builder::<Channel<RicartAgrawala>>::new(seed, NODES, config.clone()).faults(plan.clone()));
    }
}

#[test]
fn scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/ricart-agrawala");
    volvox_sim::script::check_folder::<RicartAgrawala>(folder, |_, _| Config::default());
}
