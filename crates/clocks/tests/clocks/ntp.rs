//! NTP (RFC 5905).

use super::{ms, round_trip, watch};
use volvox_clocks::ntp::packet::{Distrust, Mode, PACKET_BYTES, Packet, PacketError, Timestamp};
use volvox_clocks::ntp::{Command, Config, Event, History, Message, Ntp, Rule, Thresholds, properties};
use volvox_core::fault::LinkFault;
use volvox_core::{Duration, NodeId, Rng};
use volvox_sim::{Builder, Clocks, FaultPlan, FaultWeights, Happening, Latency, Network, Simulation, script};

const CLIENT: NodeId = NodeId(6);

/// Five servers, two of which are wrong, and two clients.
fn config() -> Config {
    Config {
        servers: 5,
        sane: 3,
        poll: ms(100),
        starts_off_ns: vec![0, 0, 500_000_000, 0, -3_000_000_000, 40_000_000, -90_000_000],
        ..Config::default()
    }
}

/// Over links that lose, duplicate and reorder messages and break, between nodes that pause, crash and restart.
fn troubled(seed: u64) -> Simulation<Ntp> {
    let fault = LinkFault { loss_ppm: 100_000, duplicate_ppm: 50_000, reorder_ppm: 100_000, ..LinkFault::default() };
    let latency = Latency::Exponential { minimum: ms(1), mean: ms(5) };
    let weights = FaultWeights { pause: 2, crash: 2, ..FaultWeights::NETWORK };
    let (every, lasting) = (Latency::Constant(ms(100)), Latency::Uniform(ms(10), ms(200)));
    let plan = FaultPlan { from: ms(1), until: ms(3_000), every, lasting, weights, ..FaultPlan::default() };
    let network = Network { latency, fault, ordered: false, ..Network::default() };
    Builder::new(seed, 7, config()).network(network).faults(plan).build()
}

#[test]
fn samples_contain_the_truth_and_falsetickers_are_outvoted_whatever_the_network_does() {
    let mut events = 0;
    for seed in 0..40 {
        let mut sim = troubled(seed);
        watch::<Ntp, History>(&mut sim, &properties(), ms(5_000));
        events += sim.statistics().events;
    }
    assert!(events > 5_000, "{events}");
}

/// Section 8: the error is at most half the delay, plus drift.
#[test]
fn clocks_that_drift_stay_within_root_distance() {
    for seed in 0..30 {
        let clocks = Clocks { drift_ppm_max: 15, ..Clocks::default() };
        let config = Config { slew_ppm: 100_000, ..config() };
        let latency = Latency::Exponential { minimum: ms(1), mean: ms(5) };
        let mut sim = Builder::<Ntp>::new(seed, 7, config).latency(latency).clocks(clocks).build();
        for millis in (3_000..6_000).step_by(17) {
            [NodeId(1), CLIENT].into_iter().for_each(|id| sim.command_after(ms(millis), id, Command::Show));
        }
        let _ = sim.run_for(ms(6_000));
        let shown: Vec<i64> = sim
            .happened()
            .filter_map(|happened| match happened.what {
                Happening::Event(Event::Shows(reading)) => Some(reading.clock),
                _ => None,
            })
            .collect();
        assert!(shown.len() > 300);
        for pair in shown.chunks_exact(2) {
            assert!(pair[1].abs_diff(pair[0]) < 15_000_000, "seed {seed}: {pair:?}");
        }
    }
}

/// A.5.5.2 (MINDISP): over links of microseconds, clocks that are right within a few microseconds more contradict each
/// other, unless a least uncertainty is assumed.
#[test]
fn servers_that_are_near_agree_unless_they_are_taken_to_be_more_certain_than_clocks_are() {
    for (distance_min_ns, agree) in [(0, false), (1_000_000, true)] {
        let starts_off_ns = vec![0, 30_000];
        let config = Config { servers: 2, sane: 2, poll: ms(100), distance_min_ns, starts_off_ns, ..Config::default() };
        let latency = Latency::Constant(Duration::from_micros(10));
        let mut sim = Builder::<Ntp>::new(1, 3, config).latency(latency).build();
        let _ = sim.run_for(ms(1_000));
        let (mut chosen, mut refused) = (0, 0);
        for happened in sim.happened() {
            match happened.what {
                Happening::Event(Event::Slewed { heard: 2, .. }) => chosen += 1,
                Happening::Event(Event::NoMajority { heard: 2 }) => refused += 1,
                _ => {}
            }
        }
        assert_eq!((chosen > 5, refused > 5), (agree, !agree), "{chosen} chosen, {refused} refused");
    }
}

/// Section 11.3: an offset beyond the threshold is stepped once it has lasted, and an implausible one is not.
#[test]
fn large_offsets_are_stepped_if_they_last() {
    let thresholds = Thresholds { stepout: ms(450), ..Thresholds::default() };
    for (off_ns, stepped) in [(-5_000_000_000, true), (1_500_000_000_000, false)] {
        let starts_off_ns = vec![0, 0, 0, off_ns];
        let config = Config { poll: ms(100), thresholds, starts_off_ns, ..Config::default() };
        let mut sim = Builder::<Ntp>::new(1, 4, config).latency(Latency::Constant(ms(2))).build();
        let _ = sim.run_for(ms(2_000));
        let (mut steps, mut panics) = (Vec::new(), 0);
        for happened in sim.happened() {
            match happened.what {
                Happening::Event(Event::Stepped { by_ns, .. }) => steps.push((happened.at.0 / 1_000_000, by_ns)),
                Happening::Event(Event::Panicked { .. }) => panics += 1,
                _ => {}
            }
        }
        if stepped {
            assert_eq!((steps, panics), (vec![(504, -off_ns)], 0));
        } else {
            assert!(steps.is_empty() && panics > 10, "{steps:?} {panics}");
        }
    }
}

/// A common mistake: without the sign, a clock that is ahead runs away.
#[test]
fn the_offset_has_a_sign() {
    let starts_off_ns = vec![0, 0, 0, 30_000_000];
    let config = Config { poll: ms(100), starts_off_ns, without: Some(Rule::Sign), ..Config::default() };
    let mut sim = Builder::<Ntp>::new(1, 4, config).latency(Latency::Constant(ms(2))).build();
    let _ = sim.run_for(ms(50));
    assert!(sim.node(NodeId(4)).is_some_and(|node| node.clock().ahead() >= 60_000_000));
}

#[test]
fn golden_scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/ntp");
    script::check_folder::<Ntp>(folder, |_, _| Config {
        starts_off_ns: vec![0, 0, 600_000_000_000, -40_000_000],
        ..Config::default()
    });
}

#[test]
fn messages_and_commands_come_back() {
    round_trip(&Message::Request { t1: -300 });
    round_trip(&Message::Response { t1: 5, t2: i64::MIN, t3: i64::MAX });
    for command in [Command::Poll, Command::Show] {
        assert_eq!(command.to_string().parse(), Ok(command));
    }
    assert!("ask".parse::<Command>().is_err());
}

/// Section 7.3, figure 8: a request as chronyd sends it, byte by byte.
#[test]
fn packets_are_as_the_standard_draws_them() {
    let mut bytes = [0u8; PACKET_BYTES];
    bytes[0] = 0b00_100_011;
    bytes[2] = 6;
    bytes[3] = 32;
    bytes[40..48].copy_from_slice(&[0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4]);
    let request = Packet::request(Timestamp(0xdead_beef_0102_0304));
    assert_eq!(request.encode(), bytes);
    assert_eq!(Packet::decode(&bytes), Ok(request));

    let answer = request.answer(Timestamp(7 << 32), Timestamp(8 << 32));
    let bytes = answer.encode();
    assert_eq!((bytes[0], bytes[1], &bytes[12..16]), (0b00_100_100, 1, b"LOCL".as_slice()));
    assert_eq!((&bytes[24..32], bytes[35], bytes[43]), (&request.encode()[40..48], 7, 8));
    let longer: Vec<u8> = bytes.into_iter().chain([9; 20]).collect();
    assert_eq!(Packet::decode(&longer), Ok(answer), "extensions are not read");
    for length in 0..PACKET_BYTES {
        assert_eq!(Packet::decode(&longer[..length]), Err(PacketError::TooShort));
    }
    let mut rng = Rng::new(1);
    for _ in 0..2_000 {
        let hostile: Vec<u8> = (0..PACKET_BYTES).map(|_| rng.next_u64() as u8).collect();
        match Packet::decode(&hostile) {
            Ok(packet) => assert_eq!(packet.encode().as_slice(), hostile),
            Err(error) => assert_eq!(error, PacketError::Version(hostile[0] >> 3 & 7)),
        }
    }
}

/// Section 8: which answers may be used.
#[test]
fn answers_are_checked() {
    let asked = Timestamp(42);
    let good = Packet::request(asked).answer(Timestamp(1), Timestamp(2));
    assert_eq!(good.check_answer(asked), Ok(()));
    assert_eq!(good.check_answer(Timestamp(43)), Err(Distrust::Bogus));
    assert_eq!(Packet { mode: Mode::Client, ..good }.check_answer(asked), Err(Distrust::Mode));
    assert_eq!(Packet { transmit: Timestamp(0), ..good }.check_answer(asked), Err(Distrust::NoTime));
    assert_eq!(Packet { receive: Timestamp(0), ..good }.check_answer(asked), Err(Distrust::NoTime));
    for (stratum, leap) in [(0, 0), (16, 0), (1, 3)] {
        assert_eq!(Packet { stratum, leap, ..good }.check_answer(asked), Err(Distrust::Unsynchronised));
    }
    assert_eq!(Packet { root_delay: 2 << 16, ..good }.check_answer(asked), Err(Distrust::TooFar));
    assert_eq!(Packet { root_dispersion: u32::MAX, ..good }.check_answer(asked), Err(Distrust::TooFar));
    let unasked = Packet { origin: Timestamp(0), ..good };
    assert_eq!(unasked.check_answer(Timestamp(0)), Err(Distrust::Bogus), "an origin of zero answers nothing");
}

/// Section 6: 1970 is 2,208,988,800 s after 1900; an era ends in 2036, and a pivot tells which one is meant.
#[test]
fn times_keep_their_nanoseconds_and_their_era() {
    const SECOND: i64 = 1_000_000_000;
    assert_eq!(Timestamp::of(0), Timestamp(2_208_988_800 << 32));
    assert_eq!(Timestamp::of(SECOND / 2).0 as u32, 1 << 31);
    let end_of_era = (u32::MAX as i64 + 1 - 2_208_988_800) * SECOND;
    assert_eq!(Timestamp::of(end_of_era), Timestamp(0));
    let mut rng = Rng::new(5);
    for pivot in [0, 1_767_225_600 * SECOND, end_of_era, -SECOND] {
        for _ in 0..2_000 {
            let away = rng.below(60 * 365 * 86_400 * SECOND as u64) as i64 - 30 * 365 * 86_400 * SECOND;
            let time = pivot + away;
            assert!(Timestamp::of(time).near(pivot).abs_diff(time) <= 1, "{time} from {pivot}");
        }
    }
    let _ = (Timestamp::of(i64::MIN), Timestamp(u64::MAX).near(i64::MAX), Timestamp(0).near(i64::MIN));
}
