use super::*;
use volvox_core::fault::LinkFault;
use volvox_sim::Network;

#[test]
fn a_link_keeps_its_order_whatever_the_latency() {
    for seed in 0..20 {
        let latency = Latency::LogNormal { median: ms(5), sigma_thousandths: 1_000 };
        let mut sim = plain(seed, 2).latency(latency).build();
        run(&mut sim, 1);
        for number in 0..100 {
            sim.command_after(ms(number), ONE, Do::Send(TWO, number));
        }
        run(&mut sim, 10_000);
        assert_eq!(numbers(saw(&mut sim, TWO)), (0..100).collect::<Vec<_>>(), "seed {seed}");
    }
}

#[test]
fn datagrams_overtake_one_another() {
    let network = Network { latency: Latency::Uniform(ms(1), ms(50)), ordered: false, ..Network::default() };
    let mut sim = plain(1, 2).network(network).build();
    run(&mut sim, 1);
    send(&mut sim, 0..100);
    run(&mut sim, 100);
    let mut got = numbers(saw(&mut sim, TWO));
    assert!(!got.is_sorted());
    got.sort_unstable();
    assert_eq!(got, (0..100).collect::<Vec<_>>());
}

#[test]
fn a_bad_link_does_what_it_says_and_counts_it() {
    let mut sim = plain(3, 2).build();
    run(&mut sim, 1);
    fault(&mut sim, "slow 1->2 loss 20% duplicate 10% reorder 10% corrupt 5%");
    for number in 0..10_000 {
        sim.command_after(ms(number), ONE, Do::Send(TWO, number));
    }
    run(&mut sim, 20_000);
    let got = numbers(saw(&mut sim, TWO));
    let statistics = sim.statistics();
    let near = |count: u64, wanted: u64| assert!(count.abs_diff(wanted) < wanted / 5, "{count}, not {wanted}");
    near(statistics.dropped_lost, 2_000);
    near(statistics.dropped_corrupt, 400);
    near(statistics.duplicated, 760);
    near(statistics.reordered, 760);
    assert_eq!(got.len() as u64, 10_000 - statistics.dropped_lost - statistics.dropped_corrupt + statistics.duplicated);
    assert!(!got.is_sorted());
    sim.heal();
    let before = sim.statistics().dropped();
    send(&mut sim, 0..100);
    run(&mut sim, 100);
    assert_eq!(numbers(saw(&mut sim, TWO)), (0..100).collect::<Vec<_>>());
    assert_eq!(sim.statistics().dropped(), before);
}

#[test]
fn bandwidth_spaces_messages() {
    let network = Network {
        latency: Latency::Constant(ms(1)),
        fault: LinkFault { bandwidth: 1_000, ..LinkFault::default() },
        ..Network::default()
    };
    let mut sim = plain(1, 2).network(network).message_bytes(|_| 10).build();
    run(&mut sim, 1);
    send(&mut sim, 0..3);
    run(&mut sim, 100);
    // 10 bytes at 1,000 bytes per second take 10 ms; then 1 ms of latency.
    let at: Vec<u64> = timed(&mut sim, TWO).iter().map(|(at, _)| at.0 / 1_000_000).collect();
    assert_eq!(at, [12, 22, 32]);
}

#[test]
fn a_full_queue_drops_the_newest() {
    let network = Network { latency: Latency::Constant(ms(1)), queue_max: 10, ..Network::default() };
    let mut sim = plain(1, 2).network(network).build();
    run(&mut sim, 1);
    fault(&mut sim, "pause 2");
    for number in 0..20 {
        sim.command_after(ms(number * 2), ONE, Do::Send(TWO, number));
    }
    run(&mut sim, 100);
    assert_eq!(sim.statistics().dropped_full, 10);
    fault(&mut sim, "resume 2");
    run(&mut sim, 1);
    assert_eq!(numbers(saw(&mut sim, TWO)), (0..10).collect::<Vec<_>>());
    send(&mut sim, [99]);
    run(&mut sim, 10);
    assert_eq!(numbers(saw(&mut sim, TWO)), [99], "there is room again");
}

#[test]
fn partitions_are_whole_partial_or_one_way() {
    let all_links = [(ONE, TWO), (TWO, ONE), (ONE, THREE), (THREE, ONE), (TWO, THREE), (THREE, TWO)];
    for (texts, deaf) in [
        (vec!["partition 1,2|3"], vec![(ONE, THREE), (THREE, ONE), (TWO, THREE), (THREE, TWO)]),
        (vec!["partition 1|3"], vec![(ONE, THREE), (THREE, ONE)]),
        (vec!["partition 1->2"], vec![(ONE, TWO)]),
        (vec!["partition 1->2", "partition 1|3"], vec![(ONE, TWO), (ONE, THREE), (THREE, ONE)]),
        (vec!["partition 1,2|3", "heal"], vec![]),
    ] {
        let mut sim = plain(1, 3).build();
        run(&mut sim, 1);
        for text in &texts {
            fault(&mut sim, text);
        }
        for (from, to) in all_links {
            sim.command(from, Do::Send(to, 7));
        }
        run(&mut sim, 10);
        let heard: Vec<(NodeId, NodeId)> = sim
            .happened()
            .filter_map(|happened| match happened.what {
                Happening::Event(Saw::Got(from, 7)) => Some((from, happened.node)),
                _ => None,
            })
            .collect();
        let wanted: Vec<_> = all_links.into_iter().filter(|pair| !deaf.contains(pair)).collect();
        assert_eq!(heard, wanted, "{texts:?}");
    }
}

#[test]
fn what_is_under_way_to_a_dying_node_never_reaches_its_next_life() {
    for seed in 0..50 {
        let mut sim = plain(seed, 2).build();
        run(&mut sim, 1);
        send(&mut sim, 0..5);
        run(&mut sim, 0);
        fault(&mut sim, "crash 2");
        fault(&mut sim, "start 2");
        run(&mut sim, 10);
        assert_eq!(numbers(saw(&mut sim, TWO)), [], "seed {seed}");
        assert_eq!(sim.statistics().dropped_broken, 5);
    }
}

#[test]
fn what_a_dying_node_sent_arrives_up_to_some_point_and_before_its_next_life() {
    let mut arrived = [0; 2];
    for seed in 0..50 {
        let mut sim = plain(seed, 2).build();
        run(&mut sim, 1);
        send(&mut sim, [1]);
        run(&mut sim, 0);
        fault(&mut sim, "crash 1");
        fault(&mut sim, "start 1");
        send(&mut sim, [2]);
        run(&mut sim, 10);
        match numbers(saw(&mut sim, TWO)).as_slice() {
            [2] => arrived[0] += 1,
            [1, 2] => arrived[1] += 1,
            other => panic!("seed {seed}: {other:?}"),
        }
    }
    assert!(arrived[0] > 5 && arrived[1] > 5, "{arrived:?}");
}
