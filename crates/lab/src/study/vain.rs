//! Faults without effect, and why: a user who injects a fault and sees a good run should not conclude that the protocol
//! survived it.
//!
//! A fault had no effect when the run without it is the same, step by step: the hash chains are compared.

use super::Prepared;
use volvox_core::erased::AnyProcess;
use volvox_core::fault::Target;
use volvox_core::{Fault, Scheduled};
use volvox_sim::Simulation;

/// A scenario with more faults than this is not run again without each.
const FAULTS_MAX: usize = 16;

/// The faults that changed nothing, each with the reason. `is_same` runs once more with only these faults, and returns
/// whether the run is the same.
pub(super) fn faults(
    sim: &Simulation<AnyProcess>,
    prepared: &Prepared,
    is_same: impl Fn(&[Scheduled]) -> bool,
) -> Vec<String> {
    let faults = &prepared.faults;
    let mut told = Vec::new();
    for (place, fault) in faults.iter().enumerate().take(FAULTS_MAX) {
        let ends = sim.now().since(volvox_core::Instant::ZERO);
        if fault.at > ends {
            told.push(format!("{fault}: the run was over at {}", sim.now()));
            continue;
        }
        let mut others = faults.clone();
        others.remove(place);
        // A fault and its end belong together: neither has an effect without the other.
        if !is_made_good(&fault.fault) && is_same(&others) {
            told.push(format!("{fault}: {}", reason(sim, &fault.fault)));
        }
    }
    told
}

fn is_made_good(fault: &Fault) -> bool {
    matches!(fault, Fault::Heal | Fault::Resume(_))
}

fn reason(sim: &Simulation<AnyProcess>, fault: &Fault) -> &'static str {
    match fault {
        Fault::Crash { who: Target::Leader, .. } => "no node led then",
        Fault::Crash { .. } => "the node was already down, or did nothing from then on",
        Fault::Start(_) => "the node was up",
        Fault::Skew(..) => "no node looked at its wall clock afterwards",
        Fault::Drift(..) => "no clock was looked at and no timer fired afterwards",
        Fault::Disk(..) if sim.statistics().records == 0 => "this protocol writes no records",
        Fault::Disk(..) => "the node wrote nothing while it lasted",
        Fault::Partition(_) | Fault::Cut(..) | Fault::Slow(..) => "no message was on such a link while it lasted",
        Fault::Pause(_) => "the node had nothing to do while it was paused",
        Fault::Heal | Fault::Resume(_) => "nothing was broken",
    }
}
