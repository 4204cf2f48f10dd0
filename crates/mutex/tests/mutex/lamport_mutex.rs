//! Lamport 1978, pp. 561 to 563: the five rules.

use volvox_channel::{Channel, Limits};
use volvox_core::NodeId;
use volvox_mutex::lamport_mutex::{Config, Itself, LamportMutex, Message, Rule, Timer, Within, properties};
use volvox_mutex::section::{Command, History};
use volvox_sim::bench::{Bench, check_codec, judge, ms};
use volvox_sim::{Builder, FaultPlan, FaultWeights, run_seed};

fn request(time: u64) -> Message {
    Message::Request { time }
}

fn reply(time: u64) -> Message {
    Message::Reply { time }
}

fn bench(id: u64, without: Option<Rule>) -> Bench<LamportMutex> {
    Bench::new(id, 3, &Config { without, ..Config::default() })
}

/// Rules 1, 3 and 5.
#[test]
fn enters_as_the_head_after_something_later_from_everybody() {
    let mut n1 = bench(1, None);
    assert_eq!(n1.command(Command::Enter), ["event asked", "-> n2 Request 1", "-> n3 Request 1"]);
    assert!(n1.message(2, reply(3)).is_empty());
    assert_eq!(n1.message(3, reply(3)), ["event entered", "timer Leave in 10ms"]);
    assert_eq!(n1.timer(Timer::Leave), ["event left", "-> n2 Release 6", "-> n3 Release 6"]);
    assert!(n1.process.request().is_none());
}

/// Rules 2 and 4.
#[test]
fn a_request_is_queued_and_replied_to_until_it_is_released() {
    let mut n2 = bench(2, None);
    assert_eq!(n2.message(1, request(1)), ["-> n1 Reply 3"]);
    assert_eq!(n2.command(Command::Enter)[1], "-> n1 Request 4");
    assert!(n2.message(1, reply(6)).is_empty());
    assert!(n2.message(3, reply(6)).is_empty(), "n1 is the head");
    assert_eq!(n2.message(1, Message::Release { time: 7 })[0], "event entered");
}

/// A message that is not later says nothing.
#[test]
fn something_earlier_is_not_enough() {
    let mut n2 = bench(2, None);
    let _ = n2.message(3, reply(8));
    assert_eq!(n2.command(Command::Enter)[1], "-> n1 Request 10");
    assert!(n2.message(3, reply(11)).is_empty());
    assert!(n2.message(1, reply(10)).is_empty(), "10.n1 is before 10.n2");
    assert_eq!(n2.message(1, reply(11))[0], "event entered");
}

#[test]
fn each_rule_can_be_taken_out() {
    let mut later = bench(1, Some(Rule::Later));
    assert_eq!(later.command(Command::Enter)[3], "event entered");
    let mut head = bench(2, Some(Rule::Head));
    let _ = head.message(1, request(1));
    let _ = head.command(Command::Enter);
    let _ = head.message(1, reply(6));
    assert_eq!(head.message(3, reply(6))[0], "event entered");
    let mut clock = bench(1, Some(Rule::Clock));
    let _ = clock.message(2, request(7));
    assert_eq!(clock.command(Command::Enter)[1], "-> n2 Request 2");
    let mut release = bench(1, Some(Rule::Release));
    let _ = (release.command(Command::Enter), release.message(2, reply(3)), release.message(3, reply(3)));
    assert_eq!(release.timer(Timer::Leave), ["event left"]);
    let mut tie = bench(2, Some(Rule::TieBreak));
    let _ = (tie.command(Command::Enter), tie.message(1, request(1)), tie.message(3, reply(4)));
    assert_eq!(tie.message(1, reply(5))[0], "event entered", "1.n1 is in the queue");
}

#[test]
fn strangers_liars_and_impatience_are_bounded() {
    let mut n1 = bench(1, None);
    let ignored = "note ignored: not from a member, or time out of range";
    assert_eq!(n1.message(9, request(1)), [format!("{ignored} 9")]);
    assert_eq!(n1.message(2, request(u64::MAX)), [format!("{ignored} 2")]);
    let _ = n1.message(2, request(1));
    assert_eq!(n1.message(2, request(2)), ["note ignored: a request before the last was released 2"]);
    for _ in 0..1_025 {
        let _ = n1.command(Command::Enter);
    }
    assert_eq!(n1.command(Command::Enter), ["note refused: too many entries wait 1024"]);
}

#[test]
fn messages_come_back() {
    check_codec(&[request(0), request(u64::MAX), reply(300), Message::Release { time: 7 }]);
}

struct Through;

impl Within<Channel<LamportMutex>> for Through {
    fn within(process: &Channel<LamportMutex>) -> &LamportMutex {
        process.child()
    }
}

/// Over the channel, links may lose and reorder messages, break and stop.
#[test]
fn one_at_a_time_in_order_and_everybody_in_the_end() {
    let weights = FaultWeights { pause: 2, ..FaultWeights::NETWORK };
    let plan = FaultPlan { weights, from: ms(0), until: ms(3_000), ..FaultPlan::default() };
    let config = volvox_channel::Config { child: Config::default(), limits: Limits::default() };
    for seed in 0..30 {
        let outcome = run_seed("cargo test -p volvox-mutex lamport", seed, 80, |seed, ring| {
            let builder = Builder::<Channel<LamportMutex>>::new(seed, 5, config.clone());
            let mut sim = builder.faults(plan.clone()).trace(ring).build();
            let mut rng = sim.rng(0);
            for _ in 0..60 {
                sim.command_after(ms(rng.below(2_000)), NodeId(rng.between(1, 5)), Command::Enter);
            }
            judge(&mut sim, &mut History::default(), &properties::<_, Through>(), ms(120_000))
        });
        outcome.unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn without_faults_an_entry_costs_three_messages_a_peer() {
    let mut sim = Builder::<LamportMutex>::new(1, 5, Config::default()).build();
    for entry in 0..40 {
        sim.command_after(ms(entry), NodeId(entry % 5 + 1), Command::Enter);
    }
    judge(&mut sim, &mut History::default(), &properties::<_, Itself>(), ms(60_000)).expect("all properties");
    assert_eq!(sim.statistics().sent, 3 * 4 * 40);
}

#[test]
fn scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/lamport-mutex");
    volvox_sim::script::check_folder::<LamportMutex>(folder, |_, _| Config::default());
}
