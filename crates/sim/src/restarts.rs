//! Nodes that restart while a request is open, over links on which old messages linger.
//!
//! The simulator breaks the links of a crashed node, as connections break: messages in flight to it are lost. Datagrams
//! are not lost, nor is a peer's answer after the restart to a request from before it. So these runs are driven by hand
//! ([`World`]): messages in flight to or from a crashed node stay in flight, and may arrive at any later time. A
//! process that numbers its requests from 1 after every restart receives an answer to the wrong request here.
//!
//! ```text
//! let outcome = Restarts { nodes: 4, order: Order::Free, commands: &commands, steps: 400 }
//!     .run::<Leases, Holdings>(seed, |_, _| Config::default(), &properties())?;
//! ```
//!
//! Clocks are true, and no timer is late: time stands still while messages arrive, and passes only up to the timer that is
//! due next. So this is not for protocols that need a message to arrive in time, or a node to stay up.

use crate::script::{Action, Order, What, Which, WhichTimer, World};
use volvox_core::{Duration, History, Incarnation, Instant, NodeId, Picture, Process, Property, Rng, When};

/// The longest that time passes in one step.
const PASS_MAX: Duration = Duration::from_millis(20);

/// The commands to each node, and the length of the run.
#[derive(Clone, Copy, Debug)]
pub struct Restarts<'a, C> {
    /// The number of nodes.
    pub nodes: u64,
    /// The order of links.
    pub order: Order,
    /// The commands, each to one node, in any order and any number of times.
    pub commands: &'a [(NodeId, C)],
    /// The number of events.
    pub steps: u32,
}

/// The end of a run, and whether it tested anything.
pub struct Outcome<P: Process, H> {
    /// All nodes, some of them down.
    pub world: World<P>,
    /// The history of events.
    pub history: H,
    /// How often a node restarted while a message from or to it was in flight.
    pub amid_a_question: u32,
}

impl<C: Clone> Restarts<'_, C> {
    /// One run: commands, deliveries in the order of the links, timers, syncs, crashes and starts, drawn from the seed;
    /// after each, the safety properties are evaluated.
    ///
    /// # Errors
    /// With the violated property, the time, and what is wrong.
    pub fn run<P, H>(
        &self,
        seed: u64,
        config_of: impl Fn(NodeId, Incarnation) -> P::Config + 'static,
        properties: &[Property<P, H>],
    ) -> Result<Outcome<P, H>, String>
    where
        P: Process<Command = C>,
        H: History<P>,
    {
        let mut rng = Rng::new(seed);
        let world = World::new(self.nodes, config_of).seed(seed).links_survive().order(self.order);
        let mut outcome = Outcome { world, history: H::default(), amid_a_question: 0 };
        for node in 1..=self.nodes {
            outcome.act(What::Start { node: NodeId(node) }, properties)?;
        }
        for _ in 0..self.steps {
            let (what, pass) = self.draw(&mut rng, &mut outcome);
            outcome.act_at(outcome.world.now() + pass, what, properties)?;
        }
        Ok(outcome)
    }

    /// The next event, and its delay.
    fn draw<P: Process<Command = C>, H>(&self, rng: &mut Rng, outcome: &mut Outcome<P, H>) -> (What<P>, Duration) {
        let node = NodeId(rng.between(1, self.nodes));
        if outcome.world.node(node).is_none() {
            return (What::Start { node }, Duration::ZERO);
        }
        let what = match rng.below(20) {
            0 => {
                let mut links = outcome.world.under_way();
                outcome.amid_a_question += u32::from(links.any(|(from, to, _)| from == node || to == node));
                What::Crash { node, keeps: crate::script::Keeps::Durable }
            }
            1..=3 => {
                let (node, command) = self.commands[rng.below(self.commands.len() as u64) as usize].clone();
                What::Command { node, command }
            }
            4..=6 => What::Sync { node, through: None },
            7 => return (What::Wait, outcome.until_due().min(PASS_MAX).mul_f64(rng.below(1_000) as f64 / 1_000.0)),
            8..=9 => match outcome.world.timers().first() {
                Some((_, node, timer)) => What::Fire { node: *node, timer: WhichTimer::Exactly(timer.clone()) },
                None => What::Wait,
            },
            _ => {
                let links: Vec<_> =
                    outcome.world.under_way().map(|(from, to, queue)| (from, to, queue.len())).collect();
                if links.is_empty() {
                    return (What::Wait, Duration::ZERO);
                }
                let (from, to, length) = links[rng.below(links.len() as u64) as usize];
                What::Deliver { from, to, which: Which::Place(rng.below(length as u64) as usize) }
            }
        };
        (what, Duration::ZERO)
    }
}

impl<P: Process, H: History<P>> Outcome<P, H> {
    /// Lets an event happen now, and evaluates the safety properties.
    ///
    /// # Errors
    /// With the violated property.
    pub fn act(&mut self, what: What<P>, properties: &[Property<P, H>]) -> Result<(), String> {
        self.act_at(self.world.now(), what, properties)
    }

    /// Starts all nodes that are down, then delivers all messages and syncs every disk until nothing is in flight,
    /// without timers or crashes.
    ///
    /// # Errors
    /// With the violated property, or when it does not end.
    pub fn settle(&mut self, properties: &[Property<P, H>]) -> Result<(), String> {
        const STEPS_MAX: u32 = 100_000;
        let down: Vec<NodeId> = self.world.ids().filter(|id| self.world.node(*id).is_none()).collect();
        for node in down {
            self.act(What::Start { node }, properties)?;
        }
        for _ in 0..STEPS_MAX {
            let unsynced = self.world.ids().find(|id| self.world.has_unsynced(*id));
            let under_way = self.world.under_way().next().map(|(from, to, _)| (from, to));
            let what = match (unsynced, under_way) {
                (Some(node), _) => What::Sync { node, through: None },
                (None, Some((from, to))) => What::Deliver { from, to, which: Which::Oldest },
                (None, None) => return Ok(()),
            };
            self.act(what, properties)?;
        }
        Err(format!("messages are still in flight after {STEPS_MAX} steps"))
    }

    fn act_at(&mut self, at: Instant, what: What<P>, properties: &[Property<P, H>]) -> Result<(), String> {
        // Impossible actions are skipped: a command to a node that is down, a sync of nothing.
        let _ = self.world.act(&Action { at, what, choices: Vec::new() });
        for (node, event) in self.world.take_told() {
            self.history.on_event(node, &event);
        }
        let nodes: Vec<_> = self.world.live().collect();
        let picture = Picture { nodes: &nodes, history: &self.history };
        for property in properties.iter().filter(|property| property.when == When::Always) {
            (property.holds)(&picture).map_err(|why| format!("{} at {}: {why}", property.name, self.world.now()))?;
        }
        Ok(())
    }
}

impl<P: Process, H> Outcome<P, H> {
    /// How long until a timer is due.
    fn until_due(&self) -> Duration {
        let now = self.world.now();
        self.world.timers().first().map_or(PASS_MAX, |(due, ..)| due.since(now.min(*due)))
    }
}
