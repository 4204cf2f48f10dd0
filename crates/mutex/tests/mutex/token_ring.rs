//! The token ring: its rules one by one, and what it tolerates.

use volvox_core::fault::LinkFault;
use volvox_core::{NodeId, Position, Process, Restored, decode_all};
use volvox_mutex::section::{Command, History};
use volvox_mutex::token_ring::{Config, Epoch, Message, Record, Rule, Timer, TokenRing, properties};
use volvox_sim::bench::{Bench, check_codec, judge, ms};
use volvox_sim::{Builder, FaultPlan, FaultWeights, Latency, run_seed};

fn epoch(number: u64, by: u64) -> Epoch {
    Epoch { number, by: NodeId(by) }
}

fn token(number: u64, by: u64) -> Message {
    Message::Token { epoch: epoch(number, by) }
}

fn claim(number: u64, by: u64) -> Message {
    Message::Claim { epoch: epoch(number, by) }
}

fn bench(id: u64, without: Option<Rule>) -> Bench<TokenRing> {
    Bench::new(id, 3, &Config { without, tries: 2, ..Config::default() })
}

#[test]
fn the_first_makes_the_token_and_whoever_has_it_enters_once() {
    let mut n1 = bench(1, None);
    assert_eq!(n1.process.token(), Some(epoch(1, 1)));
    assert_eq!(n1.command(Command::Enter), ["event asked", "cancel Rest", "event entered", "timer Leave in 10ms"]);
    assert_eq!(n1.command(Command::Enter), ["event asked"]);
    let left = n1.timer(Timer::Leave);
    assert_eq!(left[0], "event left");
    assert_eq!(left[2], "-> n2 Token 1.n1", "at most once, then on");
    assert!(n1.process.is_waiting());
}

#[test]
fn an_older_token_is_refused() {
    let mut n2 = bench(2, None);
    let _ = n2.message(1, claim(2, 1));
    let refused = n2.message(1, token(1, 1));
    assert_eq!(refused, ["-> n1 Received 1.n1", "note refused: a token of an old epoch 1"]);
    assert_eq!(n2.process.token(), None);
    let mut naive = bench(2, Some(Rule::Epoch));
    let _ = naive.message(1, claim(2, 1));
    let _ = naive.message(1, token(1, 1));
    assert_eq!(naive.process.token(), Some(epoch(1, 1)));
}

#[test]
fn a_claim_waits_for_whoever_is_inside() {
    let mut n2 = bench(2, None);
    let _ = (n2.command(Command::Enter), n2.message(1, token(1, 1)));
    assert!(n2.process.is_inside());
    assert_eq!(n2.message(1, claim(2, 3)), ["-> n1 Received 2.n3"]);
    let left = n2.timer(Timer::Leave);
    assert!(left.contains(&"-> n3 Claim 2.n3".to_string()), "{left:?}");
    assert_eq!(n2.process.token(), None, "the old token is let go");
    let mut hasty = bench(2, Some(Rule::LeaveFirst));
    let _ = (hasty.command(Command::Enter), hasty.message(1, token(1, 1)));
    assert!(hasty.message(1, claim(2, 3)).contains(&"-> n3 Claim 2.n3".to_string()));
    assert!(hasty.process.is_inside());
}

#[test]
fn who_does_not_answer_is_skipped_and_heard_again_when_it_claims() {
    let mut n1 = bench(1, None);
    assert_eq!(n1.timer(Timer::Rest)[1], "-> n2 Token 1.n1");
    let claims = n1.timer(Timer::Unanswered);
    assert_eq!(claims[0], "persist epoch 2.n1", "never the token again");
    assert!(claims.contains(&"-> n2 Claim 2.n1".to_string()) && n1.process.is_claiming());
    assert_eq!(n1.timer(Timer::Unanswered)[0], "-> n2 Claim 2.n1");
    assert_eq!(n1.timer(Timer::Unanswered)[..2], ["note believed to be dead 2", "-> n3 Claim 2.n1"]);
    let _ = n1.message(3, claim(2, 1));
    assert_eq!(n1.process.token(), Some(epoch(2, 1)), "it is back");
    assert_eq!(n1.timer(Timer::Rest)[1], "-> n3 Token 2.n1");
    assert_eq!(n1.message(3, claim(3, 2))[4], "-> n2 Claim 3.n2", "n2 lives");
}

#[test]
fn alone_it_needs_nobody() {
    let mut n1: Bench<TokenRing> = Bench::new(1, 1, &Config::default());
    assert_eq!(n1.timer(Timer::Rest), ["timer Rest in 20ms"]);
    assert_eq!(n1.command(Command::Enter)[2], "event entered");
}

#[test]
fn epochs_are_remembered_and_strangers_ignored() {
    for (without, remembered) in [(None, true), (Some(Rule::Memory), false)] {
        let mut n1 = TokenRing::new(NodeId(1), &[NodeId(1), NodeId(2)], &Config { without, ..Config::default() });
        let record = Record::Known { epoch: epoch(4, 2) };
        n1.on_restore(Restored::Record { position: Position(1), record });
        let mut n1 = Bench::start(n1, 1);
        assert_eq!(n1.process.token().is_none(), remembered, "no second first token");
        assert_eq!(n1.message(2, token(3, 2)).len() == 2, remembered);
    }
    let mut n1 = bench(1, None);
    let ignored = "note ignored: not of a member, or epoch out of range";
    assert_eq!(n1.message(9, token(2, 1)), [format!("{ignored} 9")]);
    assert_eq!(n1.message(2, token(2, 9)), [format!("{ignored} 2")]);
    assert_eq!(n1.message(2, token(u64::MAX, 2)), [format!("{ignored} 2")]);
}

#[test]
fn messages_and_records_come_back() {
    check_codec(&[token(1, 1), claim(u64::MAX, 3), Message::Received { epoch: epoch(0, 0) }]);
    check_codec(&[Record::Known { epoch: epoch(7, 2) }]);
    assert!(decode_all::<Record>(&[9, 1, 1]).is_err());
}

/// Nodes crash and restart, messages are lost and late, as long as answers arrive in time.
#[test]
fn one_at_a_time_and_everybody_that_lives_in_the_end() {
    let weights = FaultWeights { slow: 4, crash: 3, skew: 1, drift: 1, ..FaultWeights::NONE };
    let link = LinkFault { delay: ms(4), loss_ppm: 5_000, ..LinkFault::default() };
    let every = Latency::Exponential { minimum: ms(20), mean: ms(200) };
    let plan = FaultPlan { weights, link, every, from: ms(0), until: ms(3_000), ..FaultPlan::default() };
    let mut claims = 0;
    for seed in 0..30 {
        let outcome = run_seed("cargo test -p volvox-mutex token_ring", seed, 80, |seed, ring| {
            let builder = Builder::<TokenRing>::new(seed, 5, Config::default());
            let mut sim = builder.faults(plan.clone()).trace(ring).build();
            let mut rng = sim.rng(0);
            for _ in 0..60 {
                sim.command_after(ms(rng.below(3_000)), NodeId(rng.between(1, 5)), Command::Enter);
            }
            judge(&mut sim, &mut History::default(), &properties(), ms(12_000))?;
            Ok(sim.statistics().kinds.of("Claim"))
        });
        claims += outcome.unwrap_or_else(|failure| panic!("{failure}"));
    }
    assert!(claims > 1_000, "tokens were lost and regenerated: {claims}");
}

#[test]
fn scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/token-ring");
    volvox_sim::script::check_folder::<TokenRing>(folder, |_, _| Config { tries: 1, ..Config::default() });
}
