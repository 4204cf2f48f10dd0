//! The network: which messages arrive, when, and in what order.

use crate::latency::Latency;
use crate::queue::Lane;
use crate::recording::Envelope;
use crate::simulation::{Pending, Simulation};
use volvox_core::fault::LinkFault;
use volvox_core::time::nanos;
use volvox_core::{Duration, Instant, MessageKind, NodeId, Process, Rng};

/// The model of every link before any fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The delay of a message.
    pub latency: Latency,
    /// Loss, duplication, reordering, corruption, bandwidth and added delay that hold on every link.
    pub fault: LinkFault,
    /// Whether messages of one link stay in order, as on a stream but not for datagrams (except for those that `fault`
    /// reorders).
    pub ordered: bool,
    /// How many messages may be in flight on one link; beyond that the newest is dropped.
    pub queue_max: u32,
}

impl Default for Network {
    fn default() -> Network {
        Network {
            latency: Latency::Uniform(Duration::from_micros(500), Duration::from_millis(2)),
            fault: LinkFault::default(),
            ordered: true,
            queue_max: 4_096,
        }
    }
}

/// One direction between two nodes, created when it is first used.
pub(crate) struct Link {
    pub from: u32,
    pub to: u32,
    /// Counts the boots of both ends: what was sent in an earlier one is lost, or arrives before `linger`.
    pub epoch: u32,
    pub in_flight: u32,
    last_arrival: u64,
    busy_until: u64,
    linger: u64,
    /// Which entry of `Links::models` holds, 0 for the network's own.
    model: u16,
    cut: bool,
}

/// All links, with their faults.
pub(crate) struct Links {
    pub network: Network,
    pub all: Vec<Link>,
    models: Vec<LinkFault>,
    /// Each partition gives every node a group; 0 receives from all.
    partitions: Vec<(u64, Vec<u16>)>,
    cuts: Vec<(u32, u32)>,
    slowed: Vec<(u32, u32, u16)>,
    pub rng: Rng,
}

impl Links {
    pub fn new(network: Network, rng: Rng) -> Links {
        Links {
            network,
            all: Vec::new(),
            models: vec![network.fault],
            partitions: Vec::new(),
            cuts: Vec::new(),
            slowed: Vec::new(),
            rng,
        }
    }

    pub fn open(&mut self, from: u32, to: u32) -> u32 {
        let index = self.all.len() as u32;
        let model = self.model_between(from, to);
        let cut = self.is_cut(from, to);
        self.all.push(Link { from, to, epoch: 0, in_flight: 0, last_arrival: 0, busy_until: 0, linger: 0, model, cut });
        index
    }

    /// Nodes receive nothing from another group. `token` names the partition for [`Links::mend_partition`].
    pub fn partition(&mut self, token: u64, groups: Vec<u16>) {
        self.partitions.push((token, groups));
        self.refresh();
    }

    pub fn mend_partition(&mut self, token: u64) {
        self.partitions.retain(|(other, _)| *other != token);
        self.refresh();
    }

    pub fn cut(&mut self, from: u32, to: u32) {
        self.cuts.push((from, to));
        self.refresh();
    }

    pub fn mend_cut(&mut self, from: u32, to: u32) {
        if let Some(place) = self.cuts.iter().position(|cut| *cut == (from, to)) {
            self.cuts.swap_remove(place);
        }
        self.refresh();
    }

    pub fn slow(&mut self, from: u32, to: u32, fault: LinkFault) {
        let model = combined(&self.network.fault, &fault);
        let index = match self.models.iter().position(|known| *known == model) {
            Some(index) => index,
            None => {
                self.models.push(model);
                self.models.len() - 1
            }
        };
        self.mend_slow(from, to);
        self.slowed.push((from, to, u16::try_from(index).expect("at most 65,535 kinds of bad links in a run")));
        self.refresh();
    }

    pub fn mend_slow(&mut self, from: u32, to: u32) {
        self.slowed.retain(|(a, b, _)| (*a, *b) != (from, to));
        self.refresh();
    }

    pub fn heal(&mut self) {
        self.partitions.clear();
        self.cuts.clear();
        self.slowed.clear();
        self.refresh();
    }

    /// A node crashed: messages in flight to it are lost, and so are those from it that do not arrive before `linger`.
    pub fn break_links(&mut self, node: u32, linger: u64) {
        for link in &mut self.all {
            if link.from == node || link.to == node {
                link.epoch = link.epoch.wrapping_add(1);
                link.in_flight = 0;
                link.linger = if link.from == node { linger } else { 0 };
            }
        }
    }

    fn is_cut(&self, from: u32, to: u32) -> bool {
        let group = |groups: &Vec<u16>, node: u32| groups.get(node as usize).copied().unwrap_or(0);
        self.cuts.contains(&(from, to))
            || self.partitions.iter().any(|(_, groups)| {
                let (a, b) = (group(groups, from), group(groups, to));
                a != b && a != 0 && b != 0
            })
    }

    fn model_between(&self, from: u32, to: u32) -> u16 {
        self.slowed.iter().find(|(a, b, _)| (*a, *b) == (from, to)).map_or(0, |(_, _, model)| *model)
    }

    fn refresh(&mut self) {
        for index in 0..self.all.len() {
            let (from, to) = (self.all[index].from, self.all[index].to);
            let (cut, model) = (self.is_cut(from, to), self.model_between(from, to));
            self.all[index].cut = cut;
            self.all[index].model = model;
        }
    }
}

fn combined(base: &LinkFault, more: &LinkFault) -> LinkFault {
    let rate = |a: u32, b: u32| a.saturating_add(b).min(1_000_000);
    LinkFault {
        delay: base.delay + more.delay,
        loss_ppm: rate(base.loss_ppm, more.loss_ppm),
        duplicate_ppm: rate(base.duplicate_ppm, more.duplicate_ppm),
        reorder_ppm: rate(base.reorder_ppm, more.reorder_ppm),
        corrupt_ppm: rate(base.corrupt_ppm, more.corrupt_ppm),
        bandwidth: match (base.bandwidth, more.bandwidth) {
            (0, other) | (other, 0) => other,
            (a, b) => a.min(b),
        },
    }
}

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

    /// A message, or one more copy of it, is under way on a link and will arrive then: for those who keep a record.
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
