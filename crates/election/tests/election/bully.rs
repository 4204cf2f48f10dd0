//! Garcia-Molina 1982, sections III and IV.

use volvox_core::{NodeId, When};
use volvox_election::bully::{Bully, Command, Config, Message, Timer, properties};
use volvox_sim::bench::{Bench, check_codec, judge, ms};
use volvox_sim::{Builder, FaultPlan, FaultWeights, Latency, run_seed};

fn bench(id: u64) -> Bench<Bully> {
    Bench::new(id, 3, &Config::default())
}

fn coordinator(leader: u64) -> Message {
    Message::Coordinator { leader: NodeId(leader) }
}

#[test]
fn who_hears_no_answer_stands_up_and_then_takes_office() {
    let mut n2 = bench(2);
    assert_eq!(n2.timer(Timer::Answer), ["-> n1 Coordinator n2", "timer Office in 12ms"]);
    assert_eq!(n2.process.leader(), None, "not all have heard");
    assert_eq!(n2.timer(Timer::Office), ["event leads"]);
}

#[test]
fn who_is_answered_waits_and_begins_again_when_nobody_wins() {
    let mut n1 = bench(1);
    assert_eq!(n1.message(2, Message::Answer), ["cancel Answer", "timer Coordinator in 44ms"]);
    assert_eq!(n1.message(3, Message::Answer), ["note an answer to nothing 3"]);
    assert_eq!(n1.command(Command::Suspect), ["note an election is in progress"]);
    let again = n1.timer(Timer::Coordinator);
    assert_eq!(again, ["-> n2 Election", "-> n3 Election", "timer Answer in 22ms"]);
}

#[test]
fn who_answers_takes_over() {
    let mut n2 = bench(2);
    let _ = n2.message(3, coordinator(3));
    assert_eq!(n2.message(1, Message::Election), ["-> n1 Answer", "-> n3 Election", "timer Answer in 22ms"]);
    assert_eq!(n2.message(1, Message::Election), ["-> n1 Answer"], "once is enough");
}

#[test]
fn a_higher_one_takes_the_lead_away_and_a_lower_one_does_not() {
    let mut n2 = bench(2);
    let _ = (n2.timer(Timer::Answer), n2.timer(Timer::Office));
    assert!(n2.process.is_leading());
    assert_eq!(n2.message(3, coordinator(3)), ["event follows n3", "-> n1 Coordinator n3", "timer Arrived in 22ms"]);
    assert_eq!(n2.message(3, coordinator(3)), [""; 0], "n1 was told");
    let told = n2.message(1, coordinator(1));
    assert_eq!(told, ["-> n3 Election", "timer Answer in 22ms"], "n1 leads although n2 is alive");
    assert_eq!(n2.message(9, Message::Election), ["note ignored: not from or about a node of that kind 9"]);
    assert_eq!(n2.message(3, Message::Election), ["note ignored: not from or about a node of that kind 3"]);
}

/// The lower nodes follow n2, whatever it has begun since it led, and however long ago that was.
#[test]
fn who_led_passes_the_next_leader_on_although_it_asks_again() {
    let mut n2 = bench(2);
    let _ = (n2.timer(Timer::Arrived), n2.timer(Timer::Answer), n2.timer(Timer::Office));
    let _ = n2.message(1, Message::Election);
    assert_eq!(n2.process.leader(), None, "it asks n3");
    let told = n2.message(3, coordinator(3));
    assert_eq!(told, ["cancel Answer", "event follows n3", "-> n1 Coordinator n3", "timer Arrived in 22ms"]);
}

/// In its previous boot it may have announced itself, and that may arrive at n1 after the announcement of n3.
#[test]
fn who_has_just_started_passes_the_leader_on_and_later_does_not() {
    let mut early = bench(2);
    let told = early.message(3, coordinator(3));
    assert_eq!(told, ["cancel Answer", "event follows n3", "-> n1 Coordinator n3", "timer Arrived in 22ms"]);
    let mut late = bench(2);
    assert_eq!(late.timer(Timer::Arrived), [""; 0]);
    assert_eq!(late.message(3, coordinator(3)), ["cancel Answer", "event follows n3"]);
}

#[test]
fn messages_come_back() {
    check_codec(&[Message::Election, Message::Answer, coordinator(u64::MAX)]);
}

/// Nodes crash and restart, even all of them; messages arrive in time; any node suspects any other.
#[test]
fn one_leads_at_a_time_and_all_follow_in_the_end() {
    let plan = FaultPlan {
        weights: FaultWeights { crash: 8, crash_all: 1, ..FaultWeights::NONE },
        down_max: Some(4),
        every: Latency::Exponential { minimum: ms(1), mean: ms(60) },
        lasting: Latency::Exponential { minimum: ms(1), mean: ms(150) },
        from: ms(0),
        until: ms(3_000),
        ..FaultPlan::default()
    };
    for seed in 0..40 {
        let outcome = run_seed("cargo test -p volvox-election bully", seed, 80, |seed, ring| {
            let mut sim = Builder::<Bully>::new(seed, 5, Config::default()).faults(plan.clone()).trace(ring).build();
            let mut rng = sim.rng(0);
            for _ in 0..60 {
                sim.command_after(ms(rng.below(3_000)), NodeId(rng.between(1, 5)), Command::Suspect);
            }
            let always: Vec<_> = properties().into_iter().filter(|one| one.when == When::Always).collect();
            judge(&mut sim, &mut (), &always, ms(3_500))?;
            sim.revive();
            judge(&mut sim, &mut (), &properties(), ms(5_000))
        });
        outcome.unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/bully");
    volvox_sim::script::check_folder::<Bully>(folder, |_, _| Config::default());
}
