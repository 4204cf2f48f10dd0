//! What must hold. Most of it compares with the truth, and knows it where the machines' own clocks agree: a server's clock is
//! then ahead of the truth by what it was off at its start.

use super::filter::Sample;
use super::{Ntp, Readings};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{NodeId, Picture, Property, When};

/// What must hold.
pub fn properties() -> Vec<Property<Ntp, Readings>> {
    vec![
        Property {
            name: "the true offset lies within half the delay of every sample",
            source: "RFC 5905, section 8; TIM-07",
            when: When::Always,
            holds: |picture| {
                each_register(picture, |samples, truth| samples.iter().find_map(|one| miss(one, truth, one)))
            },
        },
        Property {
            name: "a server is believed within half of its least delay",
            source: "RFC 5905, section 10; TIM-08",
            when: When::Always,
            holds: least_delay,
        },
        Property {
            name: "while falsetickers are a minority, what is chosen is near the truth",
            source: "RFC 5905, section 11.2; TIM-08",
            when: When::Always,
            holds: near_the_truth,
        },
        Property {
            name: "but for steps, no clock runs backward, nor faster than it may slew",
            source: "RFC 5905, section 11.3; TIM-03",
            when: When::Always,
            holds: |picture| {
                let mut nodes = picture.nodes.iter();
                nodes.try_for_each(|(id, node)| picture.history.is_gradual(*id, node.clock().slew_ppm()))
            },
        },
        Property {
            name: "every client has chosen an offset",
            source: "RFC 5905, section 11; TIM-08",
            when: When::AtEnd,
            holds: |picture| {
                let missing = picture.nodes.iter().find(|(_, node)| !node.is_server() && node.chosen().is_none());
                missing.map_or(Ok(()), |(id, _)| Err(format!("{id} never heard a majority")))
            },
        },
    ]
}

/// Asks of the samples of each client and each server, with the truth about that server.
fn each_register(
    picture: &Picture<'_, Ntp, Readings>,
    wrong: impl Fn(&[Sample], i64) -> Option<String>,
) -> Result<(), String> {
    for (id, node) in picture.nodes {
        for (server, samples) in node.registers() {
            if let Some(why) = wrong(samples, node.starts_off_ns(server)) {
                return Err(format!("{id} about {server}: {why}"));
            }
        }
    }
    Ok(())
}

/// Whether the truth is further from a sample than half the delay of another, with a nanosecond for the rounding.
fn miss(sample: &Sample, truth: i64, least: &Sample) -> Option<String> {
    let (error, bound) = (sample.ahead_ns.abs_diff(truth), least.delay_ns / 2 + 1);
    (error > bound).then(|| format!("off by {error} ns, where {bound} ns are the most"))
}

fn least_delay(picture: &Picture<'_, Ntp, Readings>) -> Result<(), String> {
    for (id, node) in picture.nodes {
        for (server, samples) in node.registers() {
            let (Some(believed), Some(least)) =
                (node.believed(server), samples.iter().min_by_key(|sample| sample.delay_ns))
            else {
                continue;
            };
            if let Some(why) = miss(believed, node.starts_off_ns(server), least) {
                return Err(format!("{id} about {server}: {why}"));
            }
        }
    }
    Ok(())
}

/// What was chosen lies in the interval of some server that is right, and so does the truth: twice the widest of theirs.
fn near_the_truth(picture: &Picture<'_, Ntp, Readings>) -> Result<(), String> {
    for (id, node) in picture.nodes {
        let Some(chosen) = node.chosen() else { continue };
        let is_right = |server: &NodeId| node.starts_off_ns(*server) == 0;
        let right = chosen.candidates.iter().filter(|one| is_right(&one.server));
        let Some(widest) = right.map(|one| one.distance_ns).max() else {
            return Err(format!("{id} has chosen from falsetickers alone"));
        };
        let error = chosen.ahead_ns.unsigned_abs();
        if error > widest.saturating_mul(2) + 2 {
            return Err(format!(
                "{id} has chosen an offset that is off by {error} ns, with {widest} ns to either side"
            ));
        }
    }
    Ok(())
}
