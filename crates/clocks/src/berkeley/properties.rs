//! The properties of the Berkeley algorithm.

use super::{Berkeley, Event};
use crate::software_clock::Readings;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::time::nanos;
use volvox_core::{Duration, NodeId, Picture, Property, When};

/// The history: readings of clocks, and the number of averages.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct History {
    readings: Readings,
    averages: u32,
    /// An average of no clock, or of more clocks than answered.
    unfounded: Option<(usize, usize)>,
}

impl volvox_core::History<Berkeley> for History {
    fn on_event(&mut self, node: NodeId, event: &Event) {
        match event {
            // A reading after a setting is compared with none before it.
            Event::Started(reading) | Event::ClockSet { reading, .. } => self.readings.begin(node, *reading),
            Event::Shows(reading) => self.readings.push(node, *reading),
            Event::Averaged { of, answered, .. } => {
                self.averages += 1;
                if *of == 0 || of > answered {
                    self.unfounded = Some((*of, *answered));
                }
            }
            Event::Adjusted { before, after, .. } => {
                self.readings.push(node, *before);
                self.readings.push(node, *after);
            }
        }
    }
}

/// The properties. The first two compare clocks at one moment, which is possible where the machines' own clocks agree.
pub fn properties() -> Vec<Property<Berkeley, History>> {
    vec![
        Property {
            name: "precision",
            source: "Gusella and Zatti 1989, section II; TIM-05",
            when: When::Always,
            holds: precision,
        },
        Property {
            name: "accuracy",
            source: "Gusella and Zatti 1989, section III; TIM-05, TIM-06",
            when: When::Always,
            holds: |picture| {
                let gamma = picture.nodes.first().map_or(Duration::ZERO, |(_, node)| node.config.gamma);
                near_the_good(picture, nanos(gamma))
            },
        },
        Property {
            name: "monotonicity",
            source: "TIM-03",
            when: When::Always,
            holds: |picture| {
                let mut nodes = picture.nodes.iter();
                nodes.try_for_each(|(id, node)| picture.history.readings.is_gradual(*id, node.clock.slew_ppm()))
            },
        },
        Property {
            name: "validity",
            source: "Gusella and Zatti 1989, section III; TIM-06",
            when: When::Always,
            holds: |picture| match picture.history.unfounded {
                None => Ok(()),
                Some((of, answered)) => Err(format!("an average is of {of} clocks, where {answered} answered")),
            },
        },
        Property {
            name: "termination",
            source: "Gusella and Zatti 1989, section II; TIM-05",
            when: When::AtEnd,
            holds: |picture| {
                let missing = picture.nodes.iter().find(|(_, node)| node.adjusted.is_none());
                missing.map_or(Ok(()), |(id, _)| Err(format!("the clock of {id} was never set")))
            },
        },
    ]
}

fn precision(picture: &Picture<'_, Berkeley, History>) -> Result<(), String> {
    for (at, (id, node)) in picture.nodes.iter().enumerate() {
        for (other_id, other) in &picture.nodes[..at] {
            let apart = node.clock.error().abs_diff(other.clock.error());
            // One nanosecond for each rounded half.
            let most = 2 * nanos(node.config.error_max()) + 2;
            if node.adjusted.is_some() && node.adjusted == other.adjusted && apart > most {
                return Err(format!("{other_id} and {id} are {apart} ns apart, but at most {most} ns are allowed"));
            }
        }
    }
    Ok(())
}

/// The average of every round lies among the good clocks: what is *not* promised while a broken one is within gamma of them.
///
/// # Errors
/// When a clock was set to another value.
pub fn among_the_good(picture: &Picture<'_, Berkeley, History>) -> Result<(), String> {
    near_the_good(picture, 0)
}

/// Every clock that was set is at most `far_ns` from the good clocks, plus e per round. The setup of the run determines
/// which clocks are good, not the algorithm: those that start at most half of gamma off, so that any two agree. Where
/// more than one clock is broken, or the master's, nothing is claimed: too few may have answered for the good ones to
/// be the majority.
fn near_the_good(picture: &Picture<'_, Berkeley, History>, far_ns: u64) -> Result<(), String> {
    let Some((_, any)) = picture.nodes.first() else { return Ok(()) };
    let off_ns = |place: usize| any.config.starts_off_ns.get(place).copied().unwrap_or(0);
    let is_good = |off_ns: &i64| off_ns.unsigned_abs() <= nanos(any.config.gamma) / 2;
    let good: Vec<i64> = (0..any.members.len()).map(off_ns).filter(is_good).collect();
    let (Some(low), Some(high)) = (good.iter().min(), good.iter().max()) else { return Ok(()) };
    if good.len() + 1 < any.members.len() || !is_good(&off_ns(0)) {
        return Ok(());
    }
    let wander = (nanos(any.config.error_max()) + 1).saturating_mul(u64::from(picture.history.averages) + 1);
    let far_ns = far_ns.saturating_add(wander);
    for (id, node) in picture.nodes.iter().filter(|(_, node)| node.adjusted.is_some()) {
        let ahead = node.clock.error();
        if ahead < low.saturating_sub_unsigned(far_ns) || ahead > high.saturating_add_unsigned(far_ns) {
            return Err(format!("{id} was set to {ahead} ns, but the good clocks lie from {low} to {high} ns"));
        }
    }
    Ok(())
}
