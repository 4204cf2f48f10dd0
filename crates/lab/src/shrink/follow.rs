//! Replays a list of actions by hand, as far as possible, and evaluates the one property that must break.

use super::{Breach, PANIC};
use crate::chapter::Settings;
use crate::shell::{Properties, PropertyCard, Shell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use volvox_core::erased::{AnyHistory, AnyProcess};
use volvox_core::{Duration, Incarnation, Instant, Picture, When};
use volvox_sim::script::{Action, Order, What, Which, WhichTimer, World};

/// The constants while a run is shortened.
pub(super) struct Field {
    pub shell: &'static dyn Shell,
    pub properties: Box<dyn Properties>,
    pub settings: Settings,
    /// The source of jitter.
    pub seed: u64,
    pub order: Order,
    /// The property that must break, or nothing for a panic.
    pub property: Option<(usize, PropertyCard)>,
    /// For a property of the end: how long the world rests before its evaluation.
    pub rest: Option<Duration>,
    /// Whether crashed nodes start before that.
    pub starts_again: bool,
    /// Whether the same actions must not break the protocol with all of its rules.
    pub is_controlled: bool,
}

/// The outcome of a replay.
pub(super) struct Followed {
    /// The possible actions, in order.
    pub actions: Vec<Action<AnyProcess>>,
    pub breach: Option<Breach>,
    /// The number of actions tried.
    pub tried: usize,
}

impl Field {
    /// The world in which it begins, every node started.
    pub fn world(&self, settings: &Settings) -> World<AnyProcess> {
        self.started(self.unstarted(settings))
    }

    /// The same before any node started.
    pub fn unstarted(&self, settings: &Settings) -> World<AnyProcess> {
        let config = self.shell.config(settings);
        let config_of = move |_, _: Incarnation| config.clone();
        World::<AnyProcess>::new(settings.nodes, config_of).seed(self.seed).order(self.order)
    }

    /// Every node of a world starts.
    pub fn started(&self, mut world: World<AnyProcess>) -> World<AnyProcess> {
        for node in world.ids().collect::<Vec<_>>() {
            world.act(&Action::now(What::Start { node })).expect("a node that is down starts");
        }
        world
    }

    /// Replays the actions; returns the possible ones if the property breaks, and, where required, does not break with
    /// all rules.
    pub fn breaks(&self, actions: &[Action<AnyProcess>], tried: &mut usize) -> Option<Vec<Action<AnyProcess>>> {
        let followed = self.follow(actions, &self.settings);
        *tried += followed.tried;
        followed.breach.as_ref()?;
        if self.is_controlled {
            let control = self.follow(&followed.actions, &Settings { without: None, ..self.settings });
            *tried += control.tried;
            if control.breach.is_some() {
                return None;
            }
        }
        Some(followed.actions)
    }

    /// Replays the actions until the property breaks.
    pub fn follow(&self, actions: &[Action<AnyProcess>], settings: &Settings) -> Followed {
        let mut possible = Vec::new();
        let mut tried = 0;
        let ran = catch_unwind(AssertUnwindSafe(|| {
            let mut world = self.world(settings);
            let mut history = self.properties.history();
            if let Some(breach) = self.always(&mut world, &mut history) {
                return Some(breach);
            }
            for action in actions {
                tried += 1;
                if world.act(action).is_err() {
                    continue;
                }
                let mut done = action.clone();
                done.choices.truncate(world.choices_made());
                possible.push(done);
                if let Some(breach) = self.always(&mut world, &mut history) {
                    return Some(breach);
                }
            }
            self.rest_and_ask(&mut world, &mut history, &mut tried)
        }));
        let breach = ran.unwrap_or_else(|panic| {
            // The action that panicked is not among the possible ones: it never ended.
            possible.extend(actions.get(tried.saturating_sub(1)).cloned());
            let breach = Breach::of_panic(panic.as_ref());
            self.property.is_none().then_some(breach)
        });
        Followed { actions: possible, breach, tried }
    }

    fn rest_and_ask(
        &self,
        world: &mut World<AnyProcess>,
        history: &mut AnyHistory,
        tried: &mut usize,
    ) -> Option<Breach> {
        let rest = self.rest?;
        if self.starts_again {
            for node in world.ids().collect::<Vec<_>>() {
                // Nodes that are up stay up.
                let _ = world.act(&Action::now(What::Start { node }));
            }
        }
        self.take_events(world, history);
        world.rest(rest, |world, _| {
            *tried += 1;
            self.take_events(world, history);
            false
        });
        self.ask(world, history)
    }

    fn always(&self, world: &mut World<AnyProcess>, history: &mut AnyHistory) -> Option<Breach> {
        self.take_events(world, history);
        let property = self.property.as_ref()?;
        if property.1.when == When::Always { self.ask(world, history) } else { None }
    }

    /// Evaluates the property now.
    pub fn ask(&self, world: &World<AnyProcess>, history: &AnyHistory) -> Option<Breach> {
        let property = self.property.as_ref()?;
        let nodes: Vec<_> = world.live().collect();
        let answer = self.properties.ask(&[property.0], &Picture { nodes: &nodes, history }).pop()?;
        Some(Breach { property: property.1.name.to_string(), text: answer.err()? })
    }

    /// The same actions in the fewest words: each message and timer is named as a person would name it; choices and
    /// moments that equal their defaults are left out.
    pub fn named(&self, actions: &[Action<AnyProcess>]) -> Vec<Action<AnyProcess>> {
        let mut world = self.world(&self.settings);
        let mut named = Vec::new();
        for action in actions {
            let mut short = action.clone();
            if let What::Deliver { from, to, which }
            | What::Drop { from, to, which }
            | What::Duplicate { from, to, which } = &mut short.what
            {
                let is_delivery = matches!(action.what, What::Deliver { .. });
                *which = match world.place(*from, *to, which) {
                    Some(_) if is_delivery && self.order == Order::Strict => Which::Oldest,
                    Some(place) => world.name(*from, *to, place),
                    None => which.clone(),
                };
            }
            if let What::Fire { node, timer: WhichTimer::Exactly(timer) } = &short.what {
                let due = world.timers().into_iter().find(|(_, of, one)| (of, one) == (node, timer));
                if due.is_some_and(|(due, ..)| due >= action.at) {
                    short.at = Instant::ZERO;
                }
            }
            if short.at <= world.now() {
                short.at = Instant::ZERO;
            }
            let kept = short.choices.iter().rposition(|choice| *choice > 0).map_or(0, |last| last + 1);
            short.choices.truncate(kept);
            let acted = catch_unwind(AssertUnwindSafe(|| world.act(action)));
            if let What::Sync { node, through } = &mut short.what
                && !world.has_unsynced(*node)
            {
                *through = None;
            }
            named.push(short);
            if acted.is_err() {
                break;
            }
        }
        named
    }

    pub fn take_events(&self, world: &mut World<AnyProcess>, history: &mut AnyHistory) {
        for (node, event) in world.take_told() {
            self.properties.observe(history, node, &event);
        }
    }
}

/// The property of this name, with its number; `Some(None)` for a panic, and `None` when the chapter has no such property.
pub(super) fn property_of(properties: &dyn Properties, name: &str) -> Option<Option<(usize, PropertyCard)>> {
    if name == PANIC {
        return Some(None);
    }
    properties.cards().into_iter().enumerate().find(|(_, property)| property.name == name).map(Some)
}
