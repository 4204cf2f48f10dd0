//! Raft in the simulated world while everything goes wrong that leaves disks whole: all nodes commit the same entries
//! in the same order, what was told as committed stays, and when the storm is over there is progress.

use std::collections::BTreeMap;
use volvox_conformance::raft;
use volvox_core::{Bytes, Duration, Incarnation, NodeId};
use volvox_raft::{Command, Event, Raft, RoleKind, Ticket};
use volvox_sim::{Builder, FaultPlan, FaultWeights, Happening, Simulation, Stop, TraceRing, run_seed};

const PLAN_MILLIS: u64 = 10_000;

fn storm(seed: u64, ring: Option<&TraceRing>) -> Result<u64, String> {
    let make = raft::cluster().config;
    let weights = FaultWeights { crash_without_disk: 0, disk_flip: 0, ..FaultWeights::ALL };
    let plan = FaultPlan { weights, until: Duration::from_millis(PLAN_MILLIS), ..FaultPlan::default() };
    let mut sim = Builder::<Raft>::new(seed, 3, make(NodeId(1), Incarnation(1)))
        .config_by_life(move |_, id, life| make(id, life))
        .leader(|raft| raft.role() == RoleKind::Leader)
        .faults(plan)
        .trace(ring)
        .build();
    for number in 0..PLAN_MILLIS / 10 {
        for id in 1..=3 {
            let data = Bytes::from(&(number * 3 + id).to_le_bytes());
            let propose = Command::Propose { ticket: Ticket(number * 3 + id), data };
            sim.command_after(Duration::from_millis(number * 10), NodeId(id), propose);
        }
    }
    // The entry that some node reported as committed, by its index.
    let mut committed = BTreeMap::<u64, String>::new();
    let mut wrong = None;
    let mut watch = |sim: &mut Simulation<Raft>| {
        for happened in sim.happened() {
            let Happening::Event(Event::Committed { entries }) = happened.what else { continue };
            for entry in entries {
                let text = format!("{:?} {:?}", entry.term, entry.payload);
                let known = committed.entry(entry.index.0).or_insert_with(|| text.clone());
                if *known != text {
                    wrong = Some(format!("{} commits {text} at {:?}, not {known}", happened.node, entry.index));
                }
            }
        }
        wrong.is_some()
    };
    let _ = sim.run_until(Duration::from_millis(PLAN_MILLIS), &mut watch);
    sim.revive();
    let _ = sim.run_until(Duration::from_secs(5), &mut watch);
    let Some(leader) = sim.live().find(|(_, raft)| raft.role() == RoleKind::Leader).map(|(id, _)| id) else {
        return Err("no node leads, 5 s after the storm".to_string());
    };
    let last = sim.node(leader).expect("leads").commit_index();
    sim.command(leader, Command::Propose { ticket: Ticket(1 << 40), data: Bytes::from("after the storm") });
    let all = |sim: &mut Simulation<Raft>| watch(sim) || sim.live().all(|(_, raft)| raft.commit_index() > last);
    let stop = sim.run_until(Duration::from_secs(5), all);
    match wrong {
        Some(wrong) => Err(wrong),
        None if stop != Stop::Done => Err(format!("no progress 5 s after the storm: {stop:?}")),
        None => Ok(committed.len() as u64),
    }
}

#[test]
fn raft_weathers_the_storm() {
    let mut committed = 0;
    for seed in 0..60 {
        let run = run_seed("cargo test -p volvox-conformance --test conformance storm", seed, 100, storm);
        committed += run.unwrap_or_else(|failure| panic!("{failure}"));
    }
    assert!(committed > 60 * 300, "a storm in which little commits proves little: {committed} entries");
}
