//! Suzuki and Kasami 1985, message by message, and over links that delay and reorder.

use volvox_core::fault::LinkFault;
use volvox_core::{Decode, Encode, NodeId, Reader};
use volvox_mutex::suzuki_kasami::{Command, Config, History, Message, Rule, SuzukiKasami, Timer, Token, properties};
use volvox_sim::bench::{Bench, check_codec, judge, ms};
use volvox_sim::{Builder, FaultPlan, FaultWeights, Network, run_seed};

fn request(number: u64) -> Message {
    Message::Request { number }
}

/// The token as it is on the wire.
fn token(served: &[u64], queue: &[u64]) -> Message {
    let mut bytes = served.to_vec().to_bytes();
    queue.iter().map(|node| NodeId(*node)).collect::<Vec<_>>().encode(&mut bytes);
    Message::Token { token: Token::decode(&mut Reader::new(&bytes)).expect("these are a token's bytes") }
}

fn bench(id: u64, without: Option<Rule>) -> Bench<SuzukiKasami> {
    Bench::new(id, 3, &Config { without, ..Config::default() })
}

#[test]
fn the_first_holder_enters_without_a_message() {
    let mut n1 = bench(1, None);
    for _ in 0..2 {
        assert_eq!(n1.command(Command::Enter), ["event asked", "event entered", "timer Leave in 10ms"]);
        assert_eq!(n1.timer(Timer::Leave), ["event left"]);
    }
    assert_eq!(n1.message(3, request(1)), ["-> n3 Token (2,0,0)"]);
    assert_eq!(n1.command(Command::Enter), ["event asked", "-> n2 Request 3", "-> n3 Request 3"]);
}

/// The queue is in the order of the members for those who asked during one stay, and older entries are served first.
#[test]
fn the_token_carries_the_queue() {
    let mut n3 = bench(3, None);
    assert_eq!(n3.command(Command::Enter), ["event asked", "-> n1 Request 1", "-> n2 Request 1"]);
    assert_eq!(n3.message(1, token(&[4, 6, 0], &[2])), ["event entered", "timer Leave in 10ms"]);
    assert!(n3.message(1, request(5)).is_empty());
    assert!(n3.message(2, request(7)).is_empty(), "it is in the queue already");
    assert_eq!(n3.timer(Timer::Leave), ["event left", "-> n2 Token (4,6,1) n1"]);
}

/// Numbers make the order of the links irrelevant.
#[test]
fn an_outdated_request_is_ignored() {
    let mut n1 = bench(1, None);
    assert_eq!(n1.message(2, request(1)), ["-> n2 Token (0,0,0)"]);
    assert!(n1.message(2, token(&[0, 2, 0], &[])).is_empty(), "n2 was served twice");
    assert!(n1.message(2, request(2)).is_empty());
    assert_eq!(n1.message(2, request(3)), ["-> n2 Token (0,2,0)"]);
}

#[test]
fn what_no_node_of_the_algorithm_sends_is_ignored() {
    let mut n1 = bench(1, None);
    assert_eq!(n1.message(9, request(1)), ["note ignored: not from a member 9"]);
    assert_eq!(n1.message(2, token(&[1, 2], &[])), ["note ignored: not a token of these members 2"]);
    let mut n2 = bench(2, None);
    let _ = n2.command(Command::Enter);
    let _ = n2.message(1, token(&[1, 0, 0], &[2, 9, 3]));
    assert_eq!(n2.timer(Timer::Leave), ["event left", "-> n3 Token (1,1,0)"], "neither n2 itself nor n9");
    for _ in 0..1_025 {
        let _ = n1.command(Command::Enter);
    }
    assert_eq!(n1.command(Command::Enter), ["note refused: too many entries wait 1024"]);
}

#[test]
fn messages_come_back() {
    check_codec(&[request(0), request(u64::MAX), token(&[], &[]), token(&[7, 0, 1 << 40], &[3, 1])]);
}

const NODES: u64 = 5;

/// The algorithm's claim: it tolerates delays and reordering, as long as everything arrives.
#[test]
fn one_at_a_time_and_everybody_in_the_end() {
    let weights = FaultWeights { slow: 4, pause: 3, skew: 1, drift: 1, ..FaultWeights::NONE };
    let link = LinkFault { delay: ms(100), reorder_ppm: 300_000, ..LinkFault::default() };
    let plan = FaultPlan { weights, link, from: ms(0), until: ms(3_000), ..FaultPlan::default() };
    for seed in 0..60 {
        let outcome = run_seed("cargo test -p volvox-mutex suzuki_kasami", seed, 80, |seed, ring| {
            let mut sim = Builder::<SuzukiKasami>::new(seed, NODES, Config::default())
                .network(Network { ordered: false, ..Network::default() })
                .faults(plan.clone())
                .trace(ring)
                .build();
            let mut rng = sim.rng(0);
            for _ in 0..60 {
                sim.command_after(ms(rng.below(2_000)), NodeId(rng.between(1, NODES)), Command::Enter);
            }
            judge(&mut sim, &mut History::default(), &properties(), ms(120_000))?;
            let kinds = &sim.statistics().kinds;
            Ok((kinds.of("Request"), kinds.of("Token")))
        });
        let (requests, tokens) = outcome.unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(requests, (NODES - 1) * tokens, "seed {seed}: each broadcast brings the token once");
    }
}

#[test]
fn scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/suzuki-kasami");
    volvox_sim::script::check_folder::<SuzukiKasami>(folder, |_, _| Config::default());
}
