//! The messages in flight, and the order in which they may arrive.

use super::{Checked, System};
use crate::model::share;

/// A link in the model.
///
/// Loss and duplication have budgets, so that a model is finite and a liveness property can hold: a link that loses
/// forever delivers nothing, and in a finite run "fair loss" means a budget.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    pub(super) order: LinkOrder,
    pub(super) losses: u32,
    pub(super) doubles: u32,
    /// The most messages in flight on one link; beyond it the newest is dropped, as by the bounded queues of real
    /// links.
    pub(super) queue_max: usize,
    pub(super) keep_ignored: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LinkOrder {
    Ordered,
    Unordered,
    Duplicating,
}

/// Any number of losses.
pub(super) const ANY: u32 = u32::MAX;

/// The position of a message's age, in ticks, above its number.
const AGE_SHIFT: u32 = 24;
const ENVELOPES_MAX: u32 = 1 << AGE_SHIFT;

impl Network {
    /// Messages of one link arrive in the order of sending, as over one connection.
    pub fn ordered() -> Network {
        Network { order: LinkOrder::Ordered, losses: 0, doubles: 0, queue_max: 16, keep_ignored: false }
    }

    /// Messages arrive in any order. A safety property that holds here also holds over lossy links: a message that
    /// never arrives is one that arrives after the end.
    pub fn unordered() -> Network {
        Network { order: LinkOrder::Unordered, ..Network::ordered() }
    }

    /// A message may arrive any number of times, in any order.
    pub fn duplicating() -> Network {
        Network { order: LinkOrder::Duplicating, ..Network::ordered() }
    }

    /// Loses at most this many messages in a run.
    pub fn losses(self, at_most: u32) -> Network {
        Network { losses: at_most, ..self }
    }

    /// Allows the loss of any message.
    pub fn lossy(self) -> Network {
        self.losses(ANY)
    }

    /// Duplicates at most this many messages.
    pub fn doubles(self, at_most: u32) -> Network {
        Network { doubles: at_most, ..self }
    }

    /// Allows at most this many messages in flight on one link; the default is 16.
    pub fn queue_max(self, messages: usize) -> Network {
        Network { queue_max: messages, ..self }
    }

    /// Skips deliveries that change nothing and have no effects: the message stays in flight. That saves states without
    /// changing the behaviour of nodes, since the network may also deliver the message later. For safety on unordered
    /// links.
    ///
    /// # Panics
    /// On ordered links, where the message would block those behind it.
    pub fn keep_ignored(self) -> Network {
        assert!(self.order != LinkOrder::Ordered, "an ignored message would hold up those behind it");
        Network { keep_ignored: true, ..self }
    }
}

/// A message in flight: its number and its age in ticks, in one word.
pub(super) fn flight(envelope: u32, age: u32) -> u32 {
    assert!(envelope < ENVELOPES_MAX, "more than {ENVELOPES_MAX} different messages");
    age << AGE_SHIFT | envelope
}

pub(super) fn envelope_of(flight: u32) -> u32 {
    flight & (ENVELOPES_MAX - 1)
}

pub(super) fn age_of(flight: u32) -> u32 {
    flight >> AGE_SHIFT
}

impl<P: Checked, H> System<P, H> {
    /// The link of a message, as a number.
    pub(super) fn link_of(&self, flight: u32) -> u32 {
        let envelope = self.envelopes.get(envelope_of(flight));
        (envelope.from * self.ids.len() + envelope.to) as u32
    }

    /// Adds a message to the network, which begins at `start` of the words. If its queue is full the message is
    /// dropped, and the result is false.
    pub(super) fn push(&self, words: &mut Vec<u32>, start: usize, flight: u32) -> bool {
        let link = self.link_of(flight);
        let network = &words[start..];
        if self.network.order == LinkOrder::Ordered {
            // Links in order, and on each the oldest first.
            let end = network.partition_point(|one| self.link_of(*one) <= link);
            let queued = network[..end].iter().rev().take_while(|one| self.link_of(**one) == link).count();
            let fits = queued < self.network.queue_max;
            if fits {
                words.insert(start + end, flight);
            }
            return fits;
        }
        let place = network.partition_point(|one| *one < flight);
        if self.network.order == LinkOrder::Duplicating && network.get(place) == Some(&flight) {
            return true;
        }
        let is_full = network.len() >= self.network.queue_max
            && network.iter().filter(|one| self.link_of(**one) == link).count() >= self.network.queue_max;
        if !is_full {
            words.insert(start + place, flight);
        }
        !is_full
    }

    /// The share of the network in the fingerprint of a state: of the multiset of messages, or, where order counts, of
    /// each link's list.
    pub(super) fn network_share(&self, network: &[u32]) -> u128 {
        let mut sum = 0u128;
        if self.network.order != LinkOrder::Ordered {
            for flight in network {
                sum = sum.wrapping_add(self.flight_share(*flight));
            }
            return sum;
        }
        let mut at = (u32::MAX, 0u64);
        for flight in network {
            let link = self.link_of(*flight);
            at = if at.0 == link { (link, at.1 + 1) } else { (link, 0) };
            let place = self.flight_place(*flight) + (at.1 << 40);
            sum = sum.wrapping_add(share(place, self.envelopes.fingerprint(envelope_of(*flight))));
        }
        sum
    }

    pub(super) fn flight_share(&self, flight: u32) -> u128 {
        share(self.flight_place(flight), self.envelopes.fingerprint(envelope_of(flight)))
    }

    fn flight_place(&self, flight: u32) -> u64 {
        (3 << 32) + u64::from(age_of(flight))
    }

    /// The places of the messages that may arrive next: the heads of links, or one of each kind.
    pub(super) fn arrivals<'n>(&'n self, network: &'n [u32]) -> impl Iterator<Item = usize> + 'n {
        let ordered = self.network.order == LinkOrder::Ordered;
        let age_min = self.timed.as_ref().map_or(0, |timed| timed.delivery_min);
        (0..network.len()).filter(move |at| {
            let is_first = *at == 0
                || match ordered {
                    true => self.link_of(network[*at - 1]) != self.link_of(network[*at]),
                    false => network[*at - 1] != network[*at],
                };
            is_first && age_of(network[*at]) >= age_min
        })
    }
}
