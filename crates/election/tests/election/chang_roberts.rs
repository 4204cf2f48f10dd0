//! Chang and Roberts 1979, sections 2 and 3.

use volvox_core::NodeId;
use volvox_core::fault::LinkFault;
use volvox_election::chang_roberts::{ChangRoberts, Command, Config, History, Message, properties};
use volvox_sim::bench::{Bench, check_codec, judge, ms};
use volvox_sim::{Builder, FaultPlan, FaultWeights, run_seed};

fn bench(id: u64) -> Bench<ChangRoberts> {
    Bench::new(id, 3, &Config::default())
}

fn election(name: u64) -> Message {
    Message::Election(NodeId(name))
}

#[test]
fn higher_names_pass_and_lower_ones_do_not() {
    let mut n2 = bench(2);
    assert_eq!(n2.message(1, election(3)), ["-> n3 Election n3"]);
    assert_eq!(n2.message(1, election(1)), ["note swallowed 1"]);
    let mut fresh = bench(2);
    assert_eq!(fresh.message(1, election(1)), ["-> n3 Election n2"]);
    assert_eq!(fresh.command(Command::Suspect), ["note takes part already"]);
    assert_eq!(fresh.message(1, election(2)), ["event leads", "-> n3 Elected n2"]);
    assert_eq!(fresh.message(1, Message::Elected(NodeId(2))), ["note all know 1"]);
}

#[test]
fn the_result_goes_round() {
    let mut n2 = bench(2);
    assert_eq!(n2.command(Command::Suspect), ["-> n3 Election n2"]);
    assert_eq!(n2.message(1, Message::Elected(NodeId(3))), ["event follows n3", "-> n3 Elected n3"]);
    assert_eq!((n2.process.leader(), n2.process.participates()), (Some(NodeId(3)), false));
    let mut alone: Bench<ChangRoberts> = Bench::new(1, 1, &Config::default());
    assert_eq!(alone.command(Command::Suspect), ["event leads"]);
}

#[test]
fn the_ring_may_have_any_order() {
    let ring = [1, 3, 2].map(NodeId).to_vec();
    let mut n3: Bench<ChangRoberts> = Bench::new(3, 3, &Config { ring, without: None });
    assert_eq!(n3.command(Command::Suspect), ["-> n2 Election n3"]);
}

#[test]
fn messages_come_back() {
    check_codec(&[election(1), Message::Elected(NodeId(u64::MAX))]);
}

/// Links are slow, nodes stop for a while; nothing is lost or reordered.
#[test]
fn all_follow_the_highest() {
    let plan = FaultPlan {
        weights: FaultWeights { slow: 3, pause: 2, ..FaultWeights::NONE },
        link: LinkFault { delay: ms(50), ..LinkFault::default() },
        from: ms(0),
        until: ms(2_000),
        ..FaultPlan::default()
    };
    for seed in 0..40 {
        let outcome = run_seed("cargo test -p volvox-election chang", seed, 80, |seed, ring| {
            let builder = Builder::<ChangRoberts>::new(seed, 6, Config::default());
            let mut sim = builder.faults(plan.clone()).trace(ring).build();
            let mut rng = sim.rng(0);
            for _ in 0..10 {
                sim.command_after(ms(rng.below(2_000)), NodeId(rng.between(1, 6)), Command::Suspect);
            }
            judge(&mut sim, &mut History::default(), &properties(), ms(60_000))
        });
        outcome.unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/chang-roberts");
    volvox_sim::script::check_folder::<ChangRoberts>(folder, |_, _| Config::default());
}
