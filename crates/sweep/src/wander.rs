//! Short walks, for what the sweep shows only in runs of many thousands of actions.
//!
//! The members of the sweep take a random walk through the world that is driven by hand, where nothing takes time: for
//! a while some of them can communicate and the others are isolated, then others can; meanwhile clients write and read,
//! timers fire, disks sync, processes crash and start. It is judged like a course that is replayed by hand. The
//! asynchronous parts of the protocol must survive this; those that rely on clocks must too, because clocks are correct
//! here.

use crate::follow::{Became, Moment};
use crate::shape::Shape;
use std::collections::BTreeSet;
use volvox_core::{Bytes, Instant, NodeId, Rng};
use volvox_raft::Timer as RaftTimer;
use volvox_replica::{Command, Replica, Request, Ticket, Timer};
use volvox_sim::Clocks;
use volvox_sim::script::{Action, Breach, Course, Keeps, Setup, What, Which, WhichTimer};
use volvox_store::{Command as Write, PutRequest};

/// The number of actions of a walk.
const STEPS: usize = 320;
/// The number of keys that are written.
const KEYS: u64 = 3;

/// Walks once; gives back the course and what it broke.
pub(crate) fn walk(seed: u64, nodes: u64) -> Option<(Course<Replica>, Breach)> {
    let shape = Shape::draw(seed, nodes);
    let ids: Vec<NodeId> = (1..=nodes).map(NodeId).collect();
    let wall = Clocks::default().wall_start;
    let setup = |id: &NodeId| Setup { id: *id, members: ids.clone(), wall, drift_ppm: 0 };
    let course = Course { seed, nodes: ids.iter().map(setup).collect(), actions: Vec::new(), is_cut: false };
    let moment = Moment::first(&course, &shape);
    let rng = Rng::new(seed).split(0x3a1c);
    let mut walk = Walk { course, moment, ids, rng, group: BTreeSet::new(), left: 0, asked: 0 };
    for node in walk.ids.clone() {
        walk.act(What::Start { node });
    }
    for _ in 0..STEPS {
        if let Some(what) = walk.next()
            && let Some(breach) = walk.act(what)
        {
            return Some((walk.course, breach));
        }
    }
    None
}

struct Walk {
    course: Course<Replica>,
    moment: Moment,
    ids: Vec<NodeId>,
    rng: Rng,
    /// Those who hear one another now,
    group: BTreeSet<NodeId>,
    /// and for how many actions more.
    left: u64,
    asked: u64,
}

impl Walk {
    fn act(&mut self, what: What<Replica>) -> Option<Breach> {
        let action = Action { at: Instant::ZERO, what, choices: Vec::new() };
        let became = self.moment.act(Instant::ZERO, &action);
        self.course.actions.push(action);
        match became {
            Became::Broke(breach) => Some(breach),
            Became::Done(_) | Became::Impossible => None,
        }
    }

    /// The next action; none if it is impossible.
    fn next(&mut self) -> Option<What<Replica>> {
        if self.left == 0 {
            return self.regroup();
        }
        self.left -= 1;
        match self.rng.below(100) {
            0..=55 => self.delivery(),
            56..=77 => self.sync(),
            78..=91 => self.command(),
            _ => self.timer(false),
        }
    }

    /// Other nodes reach one another from now on. Often a node crashes or restarts at the same moment, or becomes a
    /// candidate.
    fn regroup(&mut self) -> Option<What<Replica>> {
        self.left = 6 + self.rng.below(30);
        let size = 1 + self.rng.below(self.ids.len() as u64) as usize;
        self.group.clear();
        while self.group.len() < size {
            let node = self.ids[self.rng.below(self.ids.len() as u64) as usize];
            self.group.insert(node);
        }
        let down: Vec<NodeId> =
            self.group.iter().copied().filter(|node| self.moment.world().node(*node).is_none()).collect();
        match (self.rng.below(4), down.first()) {
            (_, Some(node)) => Some(What::Start { node: *node }),
            (0, None) => Some(What::Crash { node: self.member()?, keeps: Keeps::Durable }),
            (1 | 2, None) => self.timer(true),
            _ => None,
        }
    }

    fn member(&mut self) -> Option<NodeId> {
        let place = self.rng.below(self.group.len() as u64) as usize;
        self.group.iter().nth(place).copied()
    }

    fn delivery(&mut self) -> Option<What<Replica>> {
        let heard = self.moment.world().under_way();
        let heard = heard.filter(|(from, to, _)| self.group.contains(from) && self.group.contains(to));
        let heard: Vec<_> = heard.filter_map(|(from, to, queue)| Some((from, to, queue.first()?.clone()))).collect();
        let place = self.rng.below(heard.len().max(1) as u64) as usize;
        let (from, to, message) = heard.into_iter().nth(place)?;
        Some(What::Deliver { from, to, which: Which::Equal(message) })
    }

    fn sync(&mut self) -> Option<What<Replica>> {
        let node = self.member()?;
        self.moment.world().has_unsynced(node).then_some(What::Sync { node, through: None })
    }

    fn timer(&mut self, election: bool) -> Option<What<Replica>> {
        let node = self.member()?;
        let timers = self.moment.world().timers().into_iter().filter(|(_, of, _)| *of == node);
        let timers = timers.map(|(_, _, timer)| timer);
        let of_raft = [RaftTimer::Gather, RaftTimer::Heartbeat, RaftTimer::Election];
        let wanted = if election { RaftTimer::Election } else { of_raft[self.rng.below(3) as usize] };
        let timer = timers.into_iter().find(|timer| *timer == Timer::Raft(wanted))?;
        Some(What::Fire { node, timer: WhichTimer::Exactly(timer) })
    }

    fn command(&mut self) -> Option<What<Replica>> {
        let node = self.member()?;
        self.asked += 1;
        let request = if self.rng.below(2) == 0 {
            Request::Read
        } else {
            let key = Bytes::from(format!("k{}", self.rng.below(KEYS)).as_str());
            let value = Bytes::from(format!("v{}", self.asked).as_str());
            Request::Write(Write::Put(PutRequest { key, value, ..PutRequest::default() }))
        };
        Some(What::Command { node, command: Command::Request { ticket: Ticket(self.asked), request } })
    }
}
