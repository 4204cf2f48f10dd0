//! The properties. Most of them compare with the truth, which is known where the machines' own clocks agreed when they
//! started: a server's clock is then ahead of the truth by what it was off at its start, and by how much it was set since.

use super::filter::Sample;
use super::{History, Ntp};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{NodeId, Picture, Property, When};

/// The properties.
pub fn properties() -> Vec<Property<Ntp, History>> {
    vec![
        Property {
            name: "offset within half the delay",
            source: "RFC 5905, section 8; TIM-07",
            when: When::Always,
            holds: |picture| {
                each_register(picture, |samples, truth| samples.iter().find_map(|one| miss(one, truth, one)))
            },
        },
        Property {
            name: "clock filter",
            source: "RFC 5905, section 10; TIM-08",
            when: When::Always,
            holds: clock_filter,
        },
        Property { name: "accuracy", source: "RFC 5905, section 11.2; TIM-08", when: When::Always, holds: accuracy },
        Property {
            name: "monotonicity",
            source: "RFC 5905, section 11.3; TIM-03",
            when: When::Always,
            holds: |picture| {
                let mut nodes = picture.nodes.iter();
                nodes.try_for_each(|(id, node)| picture.history.is_gradual(*id, node.clock().slew_ppm()))
            },
        },
        Property {
            name: "termination",
            source: "RFC 5905, section 11; TIM-08",
            when: When::AtEnd,
            holds: |picture| {
                let missing = picture.nodes.iter().find(|(_, node)| !node.is_server() && node.chosen().is_none());
                missing.map_or(Ok(()), |(id, _)| Err(format!("{id} has never chosen an offset")))
            },
        },
    ]
}

/// Judges the samples of each client about each server against the true offset of that server.
fn each_register(
    picture: &Picture<'_, Ntp, History>,
    wrong: impl Fn(&[Sample], i64) -> Option<String>,
) -> Result<(), String> {
    for (id, node) in picture.nodes {
        for (server, samples) in node.registers() {
            let Some(truth) = truth(picture, node, server) else { continue };
            if let Some(why) = wrong(samples, truth) {
                return Err(format!("the offset of {server} at {id} is {why}"));
            }
        }
    }
    Ok(())
}

/// How far a server is ahead of the machine's clock of a client. A measurement from before an operator set the server's machine
/// was right then, so nothing is said of it.
fn truth(picture: &Picture<'_, Ntp, History>, client: &Ntp, server: NodeId) -> Option<i64> {
    let is_set = picture.nodes.iter().any(|(id, node)| *id == server && node.clock().moved() != 0);
    (!is_set).then(|| client.starts_off_ns(server).saturating_sub(client.clock().moved()))
}

/// Whether the true offset is further from a sample than half the delay of another, with one nanosecond for the
/// rounding.
fn miss(sample: &Sample, truth: i64, least: &Sample) -> Option<String> {
    let (error, bound) = (sample.ahead_ns.abs_diff(truth), least.delay_ns / 2 + 1);
    (error > bound).then(|| format!("off by {error} ns, where at most {bound} ns are possible"))
}

/// The believed sample of a server is off by at most half of its least delay.
fn clock_filter(picture: &Picture<'_, Ntp, History>) -> Result<(), String> {
    for (id, node) in picture.nodes {
        for (server, samples) in node.registers() {
            let (Some(believed), Some(least)) =
                (node.believed(server), samples.iter().min_by_key(|sample| sample.delay_ns))
            else {
                continue;
            };
            let Some(truth) = truth(picture, node, server) else { continue };
            if let Some(why) = miss(believed, truth, least) {
                return Err(format!("the offset of {server} at {id} is {why}"));
            }
        }
    }
    Ok(())
}

/// While falsetickers are a minority, the chosen offset lies in the interval of some correct server, and so does the
/// true one: hence within twice the widest of these intervals.
fn accuracy(picture: &Picture<'_, Ntp, History>) -> Result<(), String> {
    for (id, node) in picture.nodes {
        let Some(chosen) = node.chosen() else { continue };
        let is_right = |server: &NodeId| {
            let machine = picture.nodes.iter().find(|(id, _)| id == server);
            node.starts_off_ns(*server) == 0 && machine.is_none_or(|(_, server)| server.clock().moved() == 0)
        };
        let right = chosen.candidates.iter().filter(|one| is_right(&one.server));
        let Some(widest) = right.map(|one| one.distance_ns).max() else {
            return Err(format!("{id} has chosen from falsetickers alone"));
        };
        let error = chosen.ahead_ns.saturating_add(node.clock().moved()).unsigned_abs();
        if error > widest.saturating_mul(2) + 2 {
            return Err(format!(
                "{id} has chosen an offset that is off by {error} ns, where right servers are within {widest} ns"
            ));
        }
    }
    Ok(())
}
