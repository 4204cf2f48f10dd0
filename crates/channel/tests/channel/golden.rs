//! One run as text. `UPDATE=1 cargo test -p volvox-channel golden` rewrites it: review the difference.

use super::*;
use volvox_sim::TraceRing;

#[test]
fn the_run_of_the_chapter() {
    let ring = TraceRing::new(1_000);
    let mut sim = Builder::<Channel<Talker>>::new(1, 2, config())
        .latency(Latency::Constant(ms(1)))
        .sync(Latency::Constant(ms(1)))
        .trace(Some(&ring))
        .build();
    assert_eq!(sim.run_for(ms(2)), Stop::Deadline);
    say(&mut sim, 0..1);
    assert_eq!(heard(&mut sim, ms(5)), [0]);
    fault(&mut sim, "partition 1->2");
    say(&mut sim, 1..2);
    assert_eq!(heard(&mut sim, ms(2)), []);
    fault(&mut sim, "heal");
    say(&mut sim, 2..3);
    assert_eq!(heard(&mut sim, ms(100)), [1, 2]);
    fault(&mut sim, "crash 2");
    fault(&mut sim, "start 2");
    say(&mut sim, 3..4);
    assert_eq!(heard(&mut sim, ms(100)), []);
    say(&mut sim, 4..5);
    assert_eq!(heard(&mut sim, ms(100)), [4]);
    let text = ring.lines().join("\n") + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/chapter.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &text).expect("the golden file is written");
    }
    let golden = std::fs::read_to_string(path).expect("a golden file: run with UPDATE=1");
    assert!(golden == text, "the run differs from {path}:\n{text}");
}
