//! The links: the model of each, what is in flight on it, and its faults.

use crate::latency::Latency;
use volvox_core::fault::LinkFault;
use volvox_core::{Duration, Rng};

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
    pub last_arrival: u64,
    pub busy_until: u64,
    pub linger: u64,
    /// The entry of `Links::models` that applies, 0 for the network's own.
    pub model: u16,
    pub cut: bool,
}

/// All links, with their faults.
pub(crate) struct Links {
    pub network: Network,
    pub all: Vec<Link>,
    pub models: Vec<LinkFault>,
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
