//! The properties. Most of them compare with the truth, which is known where the machines' own clocks agreed when they
//! started: a server's clock is then ahead of the truth by what it was off at its start, and by how much it was set since.

use super::filter::{DISPERSION_PPM, PRECISION_NS, REGISTER, Sample};
use super::selection::Candidate;
use super::{History, Ntp};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::time::nanos;
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
            name: "synchronization distance",
            source: "RFC 5905, sections 10 and 11.2; TIM-08",
            when: When::Always,
            holds: synchronization_distance,
        },
        Property {
            name: "clock discipline",
            source: "RFC 5905, section 11.3; TIM-08",
            when: When::Always,
            holds: clock_discipline,
        },
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

/// The statements of a client about the servers from which it has chosen: the true offset is within the distance, which is at most half the
/// delay and what drift may have added since; the jitter is not greater than the samples differ; and the more certain one of
/// two servers has the greater weight. No register keeps more samples than it has stages.
fn synchronization_distance(picture: &Picture<'_, Ntp, History>) -> Result<(), String> {
    for (id, node) in picture.nodes {
        if let Some((server, samples)) = node.registers().find(|(_, samples)| samples.len() > REGISTER) {
            return Err(format!("{id} keeps {} samples of {server}, where {REGISTER} are kept", samples.len()));
        }
        let Some(chosen) = node.chosen() else { continue };
        let newest = node.registers().filter_map(|(_, samples)| samples.last()).map(|sample| sample.at).max();
        for one in &chosen.candidates {
            let error = truth(picture, node, one.server).map_or(0, |truth| one.ahead_ns.abs_diff(truth));
            if error > one.distance_ns.saturating_add(1) {
                return Err(format!("{id} is {error} ns off {}, at a distance of {} ns", one.server, one.distance_ns));
            }
            let Some((_, samples)) = node.registers().find(|(server, _)| *server == one.server) else { continue };
            let its = samples.iter().filter(|sample| sample.ahead_ns == one.ahead_ns);
            let most = its.map(|sample| {
                let age = newest.map_or(0, |newest| nanos(newest.since(sample.at)));
                sample.delay_ns / 2 + PRECISION_NS + age / 1_000_000 * DISPERSION_PPM
            });
            if most.max().is_some_and(|most| one.distance_ns > most.max(node.config.distance_min_ns)) {
                return Err(format!("{id} is farther from {} than the delay and drift explain", one.server));
            }
            let leads = || samples.iter().map(|sample| sample.ahead_ns);
            let spread = leads().max().zip(leads().min()).map_or(0, |(most, least)| most.abs_diff(least));
            if samples.len() < REGISTER && one.jitter_ns > spread {
                return Err(format!("{id} sees a jitter of {} ns among samples within {spread} ns", one.jitter_ns));
            }
        }
        if let [one, other] = chosen.candidates.as_slice() {
            let away = |candidate: &Candidate| chosen.ahead_ns.abs_diff(candidate.ahead_ns);
            let (near, far) = if one.distance_ns <= other.distance_ns { (one, other) } else { (other, one) };
            if away(near) > away(far) + 1 {
                return Err(format!("{id} prefers {}, which is less certain than {}", far.server, near.server));
            }
        }
    }
    Ok(())
}

/// A client's clock is adjusted by what was chosen, unless that is too far to be slewed.
fn clock_discipline(picture: &Picture<'_, Ntp, History>) -> Result<(), String> {
    for (id, node) in picture.nodes {
        let Some(chosen) = node.chosen() else { continue };
        let left = chosen.ahead_ns.abs_diff(node.clock().ahead());
        if left != 0 && left <= nanos(node.config.thresholds.step) {
            return Err(format!("the clock of {id} was not slewed by {left} ns"));
        }
    }
    Ok(())
}
