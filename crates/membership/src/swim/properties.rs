//! The properties, in one place for every world.

use super::message::Event;
use super::process::Swim;
use super::standing::{Standing, Verdict};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{NodeId, Picture, Property, When};

/// The members' announcements about themselves and beliefs about one another.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct History {
    /// The strongest standing that each member announced about itself.
    pub announced: BTreeMap<NodeId, Standing>,
    /// The belief of each member about each other, since its start.
    pub believed: BTreeMap<(NodeId, NodeId), Standing>,
    /// The first member that returned to a weaker update, and the member that the update is about.
    pub went_back: Option<(NodeId, NodeId)>,
}

impl volvox_core::History<Swim> for History {
    fn on_event(&mut self, node: NodeId, event: &Event) {
        match event {
            Event::Announces(standing) => {
                if *standing == Standing::FIRST {
                    // A start: it has forgotten everything.
                    self.believed.retain(|(believer, _), _| *believer != node);
                }
                let strongest = self.announced.entry(node).or_insert(*standing);
                if standing.overrides(*strongest) {
                    *strongest = *standing;
                }
            }
            Event::Believes(update) => {
                let before = self.believed.insert((node, update.member), update.standing);
                if before.is_some_and(|before| !update.standing.overrides(before)) {
                    self.went_back.get_or_insert((node, update.member));
                }
            }
            Event::Out => {}
        }
    }
}

/// The properties of SWIM: those that hold whatever links and clocks do, and those that hold once the faults are over.
pub fn properties() -> Vec<Property<Swim, History>> {
    vec![
        Property { name: "monotonic views", source: "SWIM, 4.2", when: When::Always, holds: monotonic_views },
        Property {
            name: "own incarnation numbers",
            source: "SWIM, 4.2",
            when: When::Always,
            holds: own_incarnation_numbers,
        },
        Property {
            name: "bounded dissemination",
            source: "SWIM, 4.1",
            when: When::Always,
            holds: bounded_dissemination,
        },
        Property { name: "completeness", source: "SWIM, 3.1 and 4.3", when: When::AtEnd, holds: completeness },
        Property { name: "accuracy", source: "SWIM, 4.2", when: When::AtEnd, holds: no_living_member_is_suspected },
    ]
}

/// No member replaces an update by a weaker one.
fn monotonic_views(picture: &Picture<'_, Swim, History>) -> Result<(), String> {
    match picture.history.went_back {
        Some((id, member)) => Err(format!("{id} replaced an update about {member} by a weaker one")),
        None => Ok(()),
    }
}

/// Only a member itself raises its incarnation number.
fn own_incarnation_numbers(picture: &Picture<'_, Swim, History>) -> Result<(), String> {
    for (id, node) in picture.nodes {
        for (member, believed) in node.members() {
            let announced = picture.history.announced.get(&member).copied().unwrap_or(Standing::FIRST);
            let own = match announced.verdict {
                Verdict::Alive(incarnation) | Verdict::Suspect(incarnation) => (announced.life, incarnation),
                Verdict::Faulty => continue,
            };
            let named = match believed.verdict {
                Verdict::Alive(incarnation) | Verdict::Suspect(incarnation) => (believed.life, incarnation),
                Verdict::Faulty => (believed.life, 0),
            };
            if named > own {
                return Err(format!(
                    "{id} believes {member} {believed}, but {member} never announced more than {announced}"
                ));
            }
        }
    }
    Ok(())
}

/// An update is forwarded a bounded number of times: a member keeps it only while it may forward it again.
fn bounded_dissemination(picture: &Picture<'_, Swim, History>) -> Result<(), String> {
    for (id, node) in picture.nodes {
        let limit = node.limit();
        if let Some((member, passed)) = node.passed_on().find(|(_, passed)| *passed >= limit.max(1)) {
            return Err(format!(
                "{id} forwarded an update about {member} {passed} times, and would again; the limit is {limit}"
            ));
        }
    }
    Ok(())
}

/// No member believes one that is dead or out to be alive or suspect.
fn completeness(picture: &Picture<'_, Swim, History>) -> Result<(), String> {
    let is_in = |id: NodeId| picture.nodes.iter().any(|(other, node)| *other == id && !node.own().is_faulty());
    for (id, node) in picture.nodes.iter().filter(|(_, node)| !node.own().is_faulty()) {
        if let Some((member, believed)) = node.members().find(|(member, held)| !is_in(*member) && !held.is_faulty()) {
            return Err(format!("{id} believes {member} {believed}, but {member} is gone"));
        }
    }
    Ok(())
}

/// No living member is believed suspect or faulty: while messages arrive in time, and few are lost.
///
/// # Errors
/// When one is believed suspect or faulty.
pub fn no_living_member_is_suspected(picture: &Picture<'_, Swim, History>) -> Result<(), String> {
    no_living_member(picture, |believed| !believed.is_alive())
}

/// No living member is believed faulty: while refutations arrive in time.
///
/// # Errors
/// When one is believed faulty.
pub fn no_living_member_is_faulty(picture: &Picture<'_, Swim, History>) -> Result<(), String> {
    no_living_member(picture, Standing::is_faulty)
}

fn no_living_member(picture: &Picture<'_, Swim, History>, is_wrong: impl Fn(Standing) -> bool) -> Result<(), String> {
    let living = || picture.nodes.iter().filter(|(_, node)| !node.own().is_faulty());
    for (id, node) in living() {
        for (member, _) in living() {
            if let Some(believed) = node.standing(*member).filter(|believed| is_wrong(*believed)) {
                return Err(format!("{id} believes {member} {believed}, but {member} is alive"));
            }
        }
    }
    Ok(())
}
