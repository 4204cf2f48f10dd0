use super::*;
use volvox_core::Wall;
use volvox_sim::Clocks;

fn fired(sim: &mut Simulation<Probe>) -> Vec<(u64, u8)> {
    timed(sim, ONE)
        .into_iter()
        .filter_map(|(at, event)| match event {
            Saw::Fired(timer, _) => Some((at.0 / 1_000_000, timer)),
            _ => None,
        })
        .collect()
}

#[test]
fn setting_a_timer_replaces_it_and_a_cancelled_one_never_fires() {
    let mut sim = plain(1, 1).build();
    sim.command(ONE, Do::Set(1, ms(10)));
    sim.command_after(ms(5), ONE, Do::Set(1, ms(20)));
    sim.command(ONE, Do::Set(2, ms(50)));
    sim.command_after(ms(5), ONE, Do::Set(2, ms(1)));
    sim.command(ONE, Do::Set(3, ms(10)));
    sim.command_after(ms(9), ONE, Do::Cancel(3));
    sim.command(ONE, Do::Set(4, ms(30)));
    sim.command_after(ms(5), ONE, Do::Cancel(4));
    sim.command_after(ms(6), ONE, Do::Set(4, ms(30)));
    run(&mut sim, 1_000);
    assert_eq!(fired(&mut sim), [(6, 2), (25, 1), (36, 4)]);
    assert_eq!(sim.pending(), 0);
}

#[test]
fn timers_run_on_the_drifting_clock_also_when_the_drift_changes_under_them() {
    let mut sim = plain(1, 1).build();
    run(&mut sim, 0);
    fault(&mut sim, "drift 1 -500000ppm");
    sim.command(ONE, Do::Set(1, ms(100)));
    sim.command(ONE, Do::Set(2, ms(100)));
    run(&mut sim, 100);
    assert_eq!(fired(&mut sim), [], "only 50 ms of its own have passed");
    fault(&mut sim, "drift 1 0ppm");
    run(&mut sim, 49);
    assert_eq!(fired(&mut sim), []);
    run(&mut sim, 1);
    assert_eq!(fired(&mut sim), [(150, 1), (150, 2)]);
}

#[test]
fn the_wall_jumps_and_the_monotonic_clock_does_not() {
    let start = Clocks::default().wall_start;
    let mut sim = plain(1, 1).build();
    run(&mut sim, 0);
    sim.command(ONE, Do::Set(1, ms(100)));
    run(&mut sim, 50);
    fault(&mut sim, "skew 1 -200ms");
    sim.command(ONE, Do::ReadClocks);
    run(&mut sim, 0);
    assert_eq!(saw(&mut sim, ONE), [Saw::Clocks(Instant(50_000_000), Wall(start - 150_000_000))]);
    run(&mut sim, 50);
    assert_eq!(fired(&mut sim), [(100, 1)]);
    sim.heal();
    sim.command(ONE, Do::ReadClocks);
    run(&mut sim, 0);
    assert_eq!(saw(&mut sim, ONE), [Saw::Clocks(Instant(100_000_000), Wall(start + 100_000_000))]);
}

#[test]
fn the_monotonic_clock_counts_from_the_start_of_the_process_and_the_wall_goes_on() {
    let start = Clocks::default().wall_start;
    let mut sim = plain(1, 1).build();
    run(&mut sim, 70);
    fault(&mut sim, "crash 1");
    run(&mut sim, 10);
    fault(&mut sim, "start 1");
    run(&mut sim, 5);
    sim.command(ONE, Do::ReadClocks);
    run(&mut sim, 0);
    let wanted = Saw::Clocks(Instant(5_000_000), Wall(start + 85_000_000));
    assert_eq!(saw(&mut sim, ONE), [wanted]);
}

#[test]
fn clocks_start_wrong_within_their_bounds() {
    let clocks = Clocks { offset_max: ms(100), drift_ppm_max: 200, ..Clocks::default() };
    let mut sim = plain(4, 20).clocks(clocks).build();
    run(&mut sim, 1_000_000);
    for id in 1..=20 {
        sim.command(NodeId(id), Do::ReadClocks);
    }
    run(&mut sim, 0);
    let mut offsets = Vec::new();
    for happened in sim.happened() {
        if let Happening::Event(Saw::Clocks(local, wall)) = happened.what {
            // 1,000 s at 200 parts in a million are 200 ms.
            assert!(local.0.abs_diff(1_000_000_000_000) <= 200_000_000);
            let offset = wall.0 - clocks.wall_start - 1_000_000_000_000;
            assert!(offset.abs() <= 300_000_000);
            offsets.push(offset);
        }
    }
    offsets.dedup();
    assert_eq!(offsets.len(), 20);
}
