//! The decisions of a seed before its run begins: the world, the load, and the limits.

use crate::log_disk::DiskModel;
use crate::moments::Strikes;
use volvox_core::fault::LinkFault;
use volvox_core::{Duration, Incarnation, NodeId, Rng};
use volvox_disk::Options;
use volvox_raft::Configuration;
use volvox_replica::{Config, Member};
use volvox_sim::{Clocks, FaultPlan, FaultWeights, Latency, Network};

/// How long clients ask and faults come.
pub const LOAD: Duration = Duration::from_secs(30);

/// The cluster of every run.
const CLUSTER: u64 = 7;

/// Everything that a seed decides in advance.
#[derive(Clone, Debug)]
pub struct Shape {
    /// How many nodes form the cluster.
    pub nodes: u64,
    /// How many clients each node has.
    pub clients_a_node: usize,
    /// How long a client thinks between two questions.
    pub thinking: Latency,
    /// The sizes of values: most, and a few.
    pub value_bytes: (usize, usize),
    /// From one damage of a disk to the next.
    pub damage_every: Latency,
    /// From one power cut of all nodes to the next.
    pub power_cut_every: Latency,
    /// From one change of the members to the next.
    pub members_every: Latency,
    /// The most members that change at a time.
    pub changes_at_once: u64,
    /// The links.
    pub network: Network,
    /// The clocks.
    pub clocks: Clocks,
    /// The faults that the world draws.
    pub faults: FaultPlan,
    /// The faults that come when they hurt most.
    pub(crate) strikes: Strikes,
    /// The disks.
    pub disk: DiskModel,
    /// Whether disks keep whole records, instead of bytes in files.
    pub is_lean: bool,
    /// The configuration of every node that forms the cluster.
    config: Config,
}

impl Shape {
    /// Draws the shape of a seed.
    pub fn draw(seed: u64, nodes: u64) -> Shape {
        let mut rng = Rng::new(seed).split(0x5ba9e);
        let pick = |rng: &mut Rng, from: &[u64]| from[rng.below(from.len() as u64) as usize];
        let temper = Temper::draw(&mut rng);
        let (mut network, sync) = (network(&mut rng), sync(&mut rng));
        if Rng::new(seed).split(0xd0b1e).below(6) == 0 {
            // Much comes twice, and late enough that what it was about is over.
            network.fault = LinkFault { duplicate_ppm: 300_000, reorder_ppm: 150_000, ..network.fault };
        }
        let is_slow = worst_ms(network.latency) >= 20 || worst_ms(sync) >= 20;
        let quota_bytes = if rng.below(8) == 0 { pick(&mut rng, &[60_000, 150_000]) as i64 } else { 0 };
        Shape {
            nodes,
            clients_a_node: rng.between(2, 5) as usize,
            thinking: Latency::Exponential {
                minimum: Duration::from_millis(1),
                mean: Duration::from_millis(pick(&mut rng, if is_slow { &[100, 200] } else { &[20, 60, 150] })),
            },
            value_bytes: (pick(&mut rng, &[20, 100, 400]) as usize, pick(&mut rng, &[100, 4_000, 20_000]) as usize),
            damage_every: Latency::Exponential {
                minimum: Duration::from_millis(300),
                mean: Duration::from_millis(pick(&mut rng, &[2_000, 5_000, 60_000])),
            },
            power_cut_every: Latency::Exponential {
                minimum: Duration::from_millis(500),
                mean: Duration::from_millis(match temper {
                    Temper::Calm => 30_000,
                    Temper::Bad => 15_000,
                    Temper::Stormy => pick(&mut rng, &[1_200, 3_000, 8_000]),
                }),
            },
            members_every: Latency::Exponential {
                minimum: Duration::from_millis(200),
                mean: Duration::from_millis(pick(&mut rng, &[500, 2_000, 6_000])),
            },
            changes_at_once: pick(&mut rng, &[1, 2, 3]),
            network,
            clocks: Clocks { offset_max: Duration::from_secs(1), drift_ppm_max: 200, ..Clocks::default() },
            faults: faults(&mut rng, temper),
            strikes: Strikes::draw(&mut Rng::new(seed).split(0x571ce)),
            disk: DiskModel {
                sync,
                options: Options {
                    segment_bytes: pick(&mut rng, &[8 << 10, 32 << 10, 128 << 10]),
                    spare_segments_max: rng.below(3) as usize,
                },
            },
            is_lean: false,
            config: config(&mut rng, nodes, quota_bytes, is_slow),
        }
    }

    /// The same with disks that keep whole records, and faults at most of the moments that they hurt in; and with this
    /// many clients per node, if given: failures are then quickly replayed by hand.
    pub fn lean(self, clients: Option<usize>) -> Shape {
        let clients_a_node = clients.unwrap_or(self.clients_a_node);
        Shape { clients_a_node, is_lean: true, strikes: self.strikes.often(), ..self }
    }

    /// The configuration of a node that forms the cluster.
    pub fn config(&self, id: NodeId) -> Config {
        Config { name: id.to_string(), client_urls: vec![client_url(id)], ..self.config.clone() }
    }

    /// The configuration of a node in one life of its storage: only the first one of those who form the cluster knows
    /// what it starts with.
    pub fn config_of_life(config: &Config, id: NodeId, incarnation: Incarnation) -> Config {
        let mut config = config.clone();
        config.name = id.to_string();
        config.client_urls = vec![client_url(id)];
        config.raft.incarnation = incarnation;
        if incarnation != Incarnation::FIRST {
            config.raft.initial = None;
            config.bootstrap = Vec::new();
        }
        config
    }

    /// The configuration of a node that joins.
    pub fn config_of_joiner(&self, id: NodeId) -> Config {
        let mut config = self.config(id);
        config.raft.initial = None;
        config.bootstrap = Vec::new();
        config
    }
}

/// The address of a node for its peers.
pub fn peer_url(id: NodeId) -> String {
    format!("http://10.0.0.{}:2380", id.0)
}

fn client_url(id: NodeId) -> String {
    format!("http://10.0.0.{}:2379", id.0)
}

/// The intensity of faults.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Temper {
    /// Little: there is time for all that takes long.
    Calm,
    Bad,
    /// Leaders change all the time, and the power goes often.
    Stormy,
}

impl Temper {
    fn draw(rng: &mut Rng) -> Temper {
        match rng.below(4) {
            0 => Temper::Calm,
            1 => Temper::Bad,
            _ => Temper::Stormy,
        }
    }
}

/// From a disk that syncs in no time to one that takes longer than many messages and their answers.
fn sync(rng: &mut Rng) -> Latency {
    match rng.below(6) {
        0 => Latency::Uniform(Duration::from_micros(100), Duration::from_millis(1)),
        1 => Latency::Uniform(Duration::from_micros(300), Duration::from_millis(5)),
        2 => Latency::Uniform(Duration::from_millis(5), Duration::from_millis(60)),
        3 | 4 => Latency::Uniform(Duration::from_millis(20), Duration::from_millis(200)),
        _ => Latency::LogNormal { median: Duration::from_millis(3), sigma_thousandths: 1_000 },
    }
}

/// The usual worst case.
fn worst_ms(latency: Latency) -> u128 {
    match latency {
        Latency::Uniform(_, most) => most.as_millis(),
        _ => 0,
    }
}

/// From one rack to half the way around the world.
fn network(rng: &mut Rng) -> Network {
    let latency = match rng.below(4) {
        0 => Latency::Uniform(Duration::from_micros(100), Duration::from_millis(1)),
        1 => Latency::Uniform(Duration::from_millis(1), Duration::from_millis(15)),
        2 => Latency::Uniform(Duration::from_millis(20), Duration::from_millis(80)),
        _ => Latency::LogNormal { median: Duration::from_millis(1), sigma_thousandths: 1_000 },
    };
    let fault = match rng.below(3) {
        0 => LinkFault { loss_ppm: 2_000, duplicate_ppm: 20_000, reorder_ppm: 20_000, ..LinkFault::default() },
        _ => LinkFault::default(),
    };
    Network { latency, fault, ..Network::default() }
}

fn faults(rng: &mut Rng, temper: Temper) -> FaultPlan {
    let weights = weights(rng);
    let (mean_ms, lasting_ms) = match temper {
        Temper::Calm => (4_000, 1_200),
        Temper::Bad => (rng.between(500, 1_500), 1_200),
        Temper::Stormy => (rng.between(150, 500), [200, 600, 2_000][rng.below(3) as usize]),
    };
    let mean = Duration::from_millis(mean_ms);
    FaultPlan {
        from: Duration::from_millis(500),
        until: LOAD,
        every: Latency::Exponential { minimum: Duration::from_millis(50), mean },
        lasting: Latency::Exponential { minimum: Duration::from_millis(20), mean: Duration::from_millis(lasting_ms) },
        weights,
        link: LinkFault {
            delay: Duration::from_millis(300),
            loss_ppm: 300_000,
            duplicate_ppm: 300_000,
            reorder_ppm: 300_000,
            corrupt_ppm: 50_000,
            bandwidth: 0,
        },
        slow_disk_max: Duration::from_millis(if rng.below(2) == 0 { 100 } else { 500 }),
        ..FaultPlan::default()
    }
}

/// Every seed has kinds of faults that it favours, and others that it leaves out: a mixture of all, always the same, would
/// seldom show what takes many of one kind.
fn weights(rng: &mut Rng) -> FaultWeights {
    let mut weigh = |weight: u32| weight * [0, 1, 1, 4][rng.below(4) as usize];
    let all = FaultWeights::ALL;
    FaultWeights {
        partition: weigh(all.partition),
        cut: weigh(all.cut),
        slow: weigh(all.slow),
        pause: weigh(all.pause),
        crash: weigh(all.crash),
        skew: weigh(all.skew),
        drift: weigh(all.drift),
        disk_slow: weigh(all.disk_slow),
        disk_full: weigh(all.disk_full),
        disk_fail_sync: weigh(all.disk_fail_sync),
        disk_tear: weigh(all.disk_tear),
        // Power cuts, and damage of storage, whose budget follows the members, are the laboratory's own.
        ..FaultWeights::NONE
    }
}

fn config(rng: &mut Rng, nodes: u64, quota_bytes: i64, is_slow: bool) -> Config {
    let ids: Vec<NodeId> = (1..=nodes).map(NodeId).collect();
    let voters = ids.iter().map(|id| volvox_raft::Member { node: *id, incarnation: Incarnation::FIRST });
    let pick = |rng: &mut Rng, from: &[usize]| from[rng.below(from.len() as u64) as usize];
    // Leaders change fast where messages and disks do not take long.
    let election_timeout = Duration::from_millis(if is_slow || rng.below(2) == 0 { 500 } else { 150 });
    let raft = volvox_raft::Config {
        incarnation: Incarnation::FIRST,
        initial: Some(Configuration::of(voters)),
        heartbeat: election_timeout / 10,
        election_timeout,
        // With 1 every entry is a message of its own.
        append_bytes_max: pick(rng, &[1, 1, 2 << 10, 16 << 10, 256 << 10]),
        in_flight_bytes_max: pick(rng, &[8 << 10, 64 << 10, 4 << 20]),
        in_flight_messages_max: pick(rng, if is_slow { &[2, 4, 8, 256] } else { &[1, 2, 8, 256] }),
        log_keep_bytes: pick(rng, &[1 << 10, 8 << 10, 64 << 10]),
        gather: true,
        ..volvox_raft::Config::default()
    };
    let member = |id: &NodeId| Member {
        id: *id,
        name: String::new(),
        peer_urls: vec![peer_url(*id)],
        client_urls: Vec::new(),
        is_learner: false,
    };
    let mut config = Config::new(raft, CLUSTER, ids.iter().map(member).collect(), NodeId(0));
    config.quota_bytes = quota_bytes;
    config.checkpoint_log_bytes = pick(rng, &[8 << 10, 40 << 10, 200 << 10]) as u64;
    config.watch_progress_interval = Duration::from_secs(2);
    config.hub.response_bytes_max = pick(rng, &[600, 4 << 10, 2 << 20]);
    config.requests_max = pick(rng, &[6, 4_096, 4_096, 4_096]);
    config
}
