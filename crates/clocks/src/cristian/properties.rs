//! The properties of Cristian's algorithm.

use super::{Config, Cristian, Estimate, Event, History};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::time::nanos;
use volvox_core::{Duration, NodeId, Picture, Property, When};

impl volvox_core::History<Cristian> for History {
    fn on_event(&mut self, node: NodeId, event: &Event) {
        match event {
            // A reading after a setting is compared with none before it.
            Event::Started(reading) | Event::ClockSet { reading, .. } => self.begin(node, *reading),
            Event::Shows(reading) => self.push(node, *reading),
            Event::Adjusted { before, after, .. } => {
                self.push(node, *before);
                self.push(node, *after);
            }
            Event::NoContact => {}
        }
    }
}

/// The properties. The first two compare with the truth, and know it where the machines' own clocks agreed when they started; the third asks
/// third needs clocks that do not drift, and detects an answer to another request even where the bound is not tight.
pub fn properties() -> Vec<Property<Cristian, History>> {
    vec![
        Property {
            name: "error within half the round trip",
            source: "Cristian 1989, section 4; TIM-02",
            when: When::Always,
            holds: |picture| {
                errors(picture, |config, estimate| (estimate.round_trip / 2).saturating_sub(config.delay_min))
            },
        },
        Property {
            name: "accuracy",
            source: "Cristian 1989, section 4; TIM-02",
            when: When::Always,
            holds: |picture| errors(picture, |config, _| (config.round_trip_max / 2).saturating_sub(config.delay_min)),
        },
        Property {
            name: "minimum delay",
            source: "Cristian 1989, section 4; TIM-02",
            when: When::Always,
            holds: |picture| {
                for (id, node) in picture.nodes {
                    let Some(estimate) = node.estimate else { continue };
                    if estimate.round_trip < node.config.delay_min * 2 {
                        return Err(format!(
                            "{id} used a round trip of {:?}, but no message is faster than {:?}",
                            estimate.round_trip, node.config.delay_min
                        ));
                    }
                }
                Ok(())
            },
        },
        Property {
            name: "monotonicity",
            source: "Cristian 1989, section 5; TIM-03",
            when: When::Always,
            holds: |picture| {
                let mut nodes = picture.nodes.iter();
                nodes.try_for_each(|(id, node)| picture.history.is_gradual(*id, node.clock.slew_ppm()))
            },
        },
        Property {
            name: "termination",
            source: "Cristian 1989, section 4; TIM-02",
            when: When::AtEnd,
            holds: |picture| {
                let missing = picture.nodes.iter().find(|(_, node)| !node.is_server() && node.estimate.is_none());
                missing.map_or(Ok(()), |(id, _)| Err(format!("{id} never received a usable answer")))
            },
        },
    ]
}

/// Compares each client's estimate with the server's clock.
fn errors(picture: &Picture<'_, Cristian, History>, bound: fn(&Config, &Estimate) -> Duration) -> Result<(), String> {
    let Some((_, server)) = picture.nodes.iter().find(|(_, node)| node.is_server()) else { return Ok(()) };
    for (id, node) in picture.nodes {
        let Some(estimate) = node.estimate else { continue };
        let error = estimate.ahead_ns.saturating_add(node.clock.moved()).saturating_sub(server.clock.error());
        // One nanosecond for the rounded half.
        let bound = nanos(bound(&node.config, &estimate)) + 1;
        if error.unsigned_abs() > bound {
            return Err(format!("{id} is off by {error} ns, but at most {bound} ns are allowed"));
        }
    }
    Ok(())
}
