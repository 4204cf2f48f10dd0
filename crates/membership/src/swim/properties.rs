//! What must hold, in one place for every world.

use super::message::Event;
use super::process::Swim;
use super::standing::{Standing, Verdict};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{History, NodeId, Picture, Property, When};

/// What was said.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Heard {
    /// The strongest that each member said of itself.
    pub announced: BTreeMap<NodeId, Standing>,
    /// What each holds of each, since its start.
    pub believed: BTreeMap<(NodeId, NodeId), Standing>,
    /// Somebody went back to something weaker.
    pub went_back: bool,
}

impl History<Swim> for Heard {
    fn on_event(&mut self, node: NodeId, event: &Event) {
        match event {
            Event::Announces(standing) => {
                if *standing == Standing::FIRST {
                    // A start: it knows nothing any more.
                    self.believed.retain(|(who, _), _| *who != node);
                }
                let strongest = self.announced.entry(node).or_insert(*standing);
                if standing.overrides(*strongest) {
                    *strongest = *standing;
                }
            }
            Event::Believes(update) => {
                let before = self.believed.insert((node, update.member), update.standing);
                self.went_back |= before.is_some_and(|before| !update.standing.overrides(before));
            }
            Event::Out => {}
        }
    }
}

/// What must hold of SWIM, whatever the links and clocks do; and what has come about when the faults are over.
pub fn properties() -> Vec<Property<Swim, Heard>> {
    vec![
        Property { name: "views only grow", source: "SWIM, 4.2", when: When::Always, holds: views_only_grow },
        Property {
            name: "incarnations are one's own",
            source: "SWIM, 4.2",
            when: When::Always,
            holds: incarnations_are_ones_own,
        },
        Property {
            name: "updates are passed on a bounded number of times",
            source: "SWIM, 4.1",
            when: When::Always,
            holds: news_are_limited,
        },
        Property {
            name: "the dead are found",
            source: "SWIM, 3.1 and 4.3",
            when: When::AtEnd,
            holds: the_dead_are_found,
        },
        Property { name: "the living are known", source: "SWIM, 4.2", when: When::AtEnd, holds: the_living_are_known },
    ]
}

fn views_only_grow(picture: &Picture<'_, Swim, Heard>) -> Result<(), String> {
    if picture.history.went_back { Err("a weaker update replaced a stronger one".into()) } else { Ok(()) }
}

fn incarnations_are_ones_own(picture: &Picture<'_, Swim, Heard>) -> Result<(), String> {
    for (id, node) in picture.nodes {
        for (member, held) in node.members() {
            let announced = picture.history.announced.get(&member).copied().unwrap_or(Standing::FIRST);
            let own = match announced.verdict {
                Verdict::Alive(incarnation) | Verdict::Suspect(incarnation) => (announced.life, incarnation),
                Verdict::Faulty => continue,
            };
            let named = match held.verdict {
                Verdict::Alive(incarnation) | Verdict::Suspect(incarnation) => (held.life, incarnation),
                Verdict::Faulty => (held.life, 0),
            };
            if named > own {
                return Err(format!("{id} holds {member} for {held}, which itself never said more than {announced}"));
            }
        }
    }
    Ok(())
}

/// An update that was passed on as often as it may be is passed on no more: it is still kept only while it has a time to go.
fn news_are_limited(picture: &Picture<'_, Swim, Heard>) -> Result<(), String> {
    for (id, node) in picture.nodes {
        let limit = node.limit();
        if let Some((member, passed)) = node.passed_on().find(|(_, passed)| *passed >= limit.max(1)) {
            return Err(format!("{id} passed an update about {member} on {passed} times, and would again, of {limit}"));
        }
    }
    Ok(())
}

/// Nobody holds a node that is down, or out, for alive.
fn the_dead_are_found(picture: &Picture<'_, Swim, Heard>) -> Result<(), String> {
    let is_in = |id: NodeId| picture.nodes.iter().any(|(other, node)| *other == id && !node.own().is_faulty());
    for (id, node) in picture.nodes.iter().filter(|(_, node)| !node.own().is_faulty()) {
        if let Some((member, held)) = node.members().find(|(member, held)| !is_in(*member) && !held.is_faulty()) {
            return Err(format!("{id} holds {member} for {held}, and it is gone"));
        }
    }
    Ok(())
}

/// Nobody holds a node that is up, and in, for suspect or faulty.
fn the_living_are_known(picture: &Picture<'_, Swim, Heard>) -> Result<(), String> {
    nobody_who_lives(picture, |held| !held.is_alive())
}

/// No living member is held for suspect or faulty: while messages come in time, and few are lost.
///
/// # Errors
/// When one is.
pub fn nobody_who_lives_is_suspected(picture: &Picture<'_, Swim, Heard>) -> Result<(), String> {
    nobody_who_lives(picture, |held| !held.is_alive())
}

/// No living member is held for faulty: while refutations come in time.
///
/// # Errors
/// When one is.
pub fn nobody_who_lives_is_faulty(picture: &Picture<'_, Swim, Heard>) -> Result<(), String> {
    nobody_who_lives(picture, Standing::is_faulty)
}

fn nobody_who_lives(picture: &Picture<'_, Swim, Heard>, is_wrong: impl Fn(Standing) -> bool) -> Result<(), String> {
    let living = || picture.nodes.iter().filter(|(_, node)| !node.own().is_faulty());
    for (id, node) in living() {
        for (member, _) in living() {
            if let Some(held) = node.standing(*member).filter(|held| is_wrong(*held)) {
                return Err(format!("{id} holds {member} for {held}, and it lives"));
            }
        }
    }
    Ok(())
}
