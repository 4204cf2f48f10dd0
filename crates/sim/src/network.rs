//! The network: which messages arrive, when, and in what order, over the links as they are.

use crate::event::Pending;
use crate::queue::Lane;
use crate::recording::Envelope;
use crate::simulation::Simulation;
use volvox_core::fault::LinkFault;
use volvox_core::time::nanos;
use volvox_core::{Instant, MessageKind, NodeId, Process};

impl<P: Process + 'static> Simulation<P> {
    /// A message leaves `from`: decides here and now when it arrives, if at all.
    pub(crate) fn transmit(&mut self, from: u32, to: NodeId, message: P::Message) {
        self.statistics.sent += 1;
        match &self.carrier {
            Some(carrier) if carrier.message(&message).is_none() => self.statistics.carrier_kinds.add(message.kind()),
            _ => self.statistics.kinds.add(message.kind()),
        }
        let Some(to) = self.find(to) else {
            self.statistics.dropped_unknown += 1;
            self.refuse(from, to, &message, "no such node");
            return;
        };
        let index = self.link_between(from, to);
        let link = &mut self.links.all[index as usize];
        if link.in_flight >= self.links.network.queue_max {
            self.statistics.dropped_full += 1;
            self.refuse(from, self.cold[to as usize].id, &message, "queue full");
            return;
        }
        let model = &self.links.models[link.model as usize];
        let mut leaves = self.now;
        let mut overtaken = 0;
        let mut copies = 1;
        if *model != LinkFault::default() {
            let rng = &mut self.links.rng;
            if rng.chance_ppm(model.loss_ppm) {
                self.statistics.dropped_lost += 1;
                self.refuse(from, self.cold[to as usize].id, &message, "lost");
                return;
            }
            if rng.chance_ppm(model.corrupt_ppm) {
                // A bit flips on the way; the receiver's checksum fails, which is a loss like any other.
                self.statistics.dropped_corrupt += 1;
                self.refuse(from, self.cold[to as usize].id, &message, "corrupt");
                return;
            }
            if model.bandwidth > 0 {
                let bytes = (self.message_bytes)(&message) as u64;
                let sending = u128::from(bytes) * 1_000_000_000 / u128::from(model.bandwidth);
                leaves = leaves.max(link.busy_until) + sending as u64;
                link.busy_until = leaves;
            }
            if rng.chance_ppm(model.duplicate_ppm) {
                copies = 2;
                self.statistics.duplicated += 1;
            }
            if rng.chance_ppm(model.reorder_ppm) {
                overtaken = 1;
                self.statistics.reordered += 1;
            }
            leaves += nanos(model.delay);
        }
        let latency = self.links.network.latency;
        let mut message = Some(message);
        for copy in (0..copies).rev() {
            let (rng, link) = (&mut self.links.rng, &mut self.links.all[index as usize]);
            let mut arrival = leaves + latency.constant().unwrap_or_else(|| latency.draw(rng));
            if overtaken > 0 {
                arrival += latency.draw(rng) + rng.below(1 + 2 * (arrival - self.now));
            } else if self.links.network.ordered && copy + 1 == copies {
                arrival = arrival.max(link.last_arrival);
                link.last_arrival = arrival;
            }
            let payload = if copy == 0 { message.take() } else { message.clone() };
            let message = payload.expect("the last copy takes the message");
            link.in_flight += 1;
            let epoch = link.epoch;
            self.write_down(from, to, (index, arrival), &message, copy > 0);
            self.queue.push(arrival, Lane::Messages, Pending::Message { link: index, epoch, message });
        }
    }

    /// A message, or one more copy of it, is in flight on a link and will arrive then: for those who keep a record.
    fn write_down(&self, from: u32, to: u32, way: (u32, u64), message: &P::Message, is_copy: bool) {
        let ends = || (self.cold[from as usize].id, self.cold[to as usize].id);
        if let Some(recorder) = &self.recorder {
            recorder.sent(Instant(self.now), way, Envelope::of(ends(), message, is_copy, self.carrier.as_deref()));
        }
        if is_copy && let Some(journal) = &self.journal {
            journal.duplicated(self.now, ends(), message);
        }
    }

    /// A message has arrived. Returns whether it may be delivered, with both ends.
    pub(crate) fn arrives(&mut self, index: u32, epoch: u32, message: &P::Message) -> Option<(u32, u32)> {
        let link = &mut self.links.all[index as usize];
        let (from, to) = (link.from, link.to);
        if link.epoch == epoch {
            link.in_flight -= 1;
        } else if link.epoch != epoch.wrapping_add(1) || self.now > link.linger {
            self.statistics.dropped_broken += 1;
            self.record_arrival(index, Some("link broken"));
            self.journal_drop(index, epoch, message);
            self.trace_drop(from, self.cold[to as usize].id, message, "link broken");
            return None;
        }
        if link.cut {
            self.statistics.dropped_partition += 1;
            self.record_arrival(index, Some("partition"));
            self.journal_drop(index, epoch, message);
            self.trace_drop(from, self.cold[to as usize].id, message, "partition");
            return None;
        }
        self.record_arrival(index, None);
        Some((from, to))
    }

    fn refuse(&self, from: u32, to: NodeId, message: &P::Message, why: &'static str) {
        self.record_refused(from, to, message, why);
        self.journal_refused(from, to, message);
        self.trace_drop(from, to, message, why);
    }

    fn trace_drop(&self, from: u32, to: NodeId, message: &P::Message, why: &str) {
        if self.trace.is_some() {
            self.trace_text(format_args!("{} -x {to} {message} ({why})", self.cold[from as usize].id));
        }
    }

    fn link_between(&mut self, from: u32, to: u32) -> u32 {
        let node = &mut self.nodes[from as usize];
        if node.recent_link.0 == to {
            return node.recent_link.1;
        }
        let index = match node.links.binary_search_by_key(&to, |(peer, _)| *peer) {
            Ok(place) => node.links[place].1,
            Err(place) => {
                let index = self.links.open(from, to);
                node.links.insert(place, (to, index));
                index
            }
        };
        node.recent_link = (to, index);
        index
    }
}
